"""The subgroup editor: name, label, expression, status, rationale, complement; checked while typing.

The expression is parsed at every change: a fault is shown with its place in the text; a sound one shows how many subjects of
each arm it selects, who is left, overlaps, and its cut in the column's distribution. ``tab`` completes columns and levels. A
locked plan decides what may be called pre-specified.
"""

from __future__ import annotations

import re
from textwrap import wrap
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key
from textual.widgets import Input

from alsbench.analysis.source import Source
from alsbench.audit.lock import judged
from alsbench.study.model import SUBGROUP_NAME, Subgroup
from alsbench.tui.commands import common_start
from alsbench.tui.safetext import safe
from alsbench.tui.screens.dialog import Dialog, QuietInput
from alsbench.tui.screens.examining import candidates, examine, masks_of
from alsbench.tui.theme import Look
from alsbench.tui.widgets.bars import Bar
from alsbench.tui.widgets.pane import Pane

OFFERED_LINES = 3
FIELDS = ("where", "name", "label", "complement", "prespecified", "rationale")
HINTS = {
    "where": "an expression over ADSL, such as AGE >= 60 and SEX == 'F'",
    "name": "letters, digits and _",
    "label": "how tables call it",
    "complement": "the name of everybody else; may stay empty",
    "prespecified": "yes only where the protocol defined it before the data were seen; else no",
    "rationale": "why this subgroup",
}


class SubgroupEditor(Dialog):
    """Returns a :class:`Subgroup`, or None."""

    DEFAULT_CSS = """
    SubgroupEditor Horizontal.field { height: 1; }
    SubgroupEditor Horizontal.field Bar { width: 15; }
    SubgroupEditor Horizontal.field QuietInput { width: 1fr; }
    """

    def __init__(self, look: Look, source: Source, subgroup: Subgroup | None) -> None:
        title = f"Edit subgroup {subgroup.name}" if subgroup else "New subgroup"
        super().__init__(look, title, [("enter", "save"), ("down up", "field"), ("tab", "complete"), ("esc", "close")])
        self.source = source
        self.subgroup = subgroup
        values = subgroup.model_dump() if subgroup else {}
        values["prespecified"] = "yes" if values.get("prespecified") else "no"
        self.inputs = {name: QuietInput(value=str(values.get(name, "")), id=f"field-{name}") for name in FIELDS}
        self.labels = {name: Bar(look, ground="text") for name in FIELDS}
        self.said = Pane(look)
        self.said.can_focus = False
        self.offered: list[str] = []  # what tab found for the word before the cursor
        self.others = masks_of(source, subgroup.name if subgroup else "")

    def compose(self) -> ComposeResult:
        yield self.head
        for name in FIELDS:
            self.labels[name].show([(f"{name}:", "head")])
            with Horizontal(classes="field"):
                yield self.labels[name]
                yield self.inputs[name]
        yield self.said
        yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.set_focus(self.inputs["where"], scroll_visible=False)
        self.check()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()

    @property
    def here(self) -> str:
        focused = self.focused
        return str(focused.id).removeprefix("field-") if focused is not None and focused.id else "where"

    def value(self, name: str) -> str:
        return self.inputs[name].value.strip()

    def check(self) -> bool:
        """Say what the fields mean now; True when they can be saved."""
        line, width = self.inputs["where"], self.size.width or 80
        faults = self.faults()
        notes = [Text(part, self.look["dim"]) for part in wrap(f"{self.here}: {HINTS.get(self.here, '')}", width)]
        offered = wrap("  ".join(safe(c, ascii=self.ascii) for c in self.offered), width - 2)[:OFFERED_LINES]
        notes += [Text(f"  {part}", self.look["bold"]) for part in offered]
        told = (part for f in faults for part in wrap(safe(f, ascii=self.ascii), width))
        notes += [Text(part, self.look["warn"]) for part in told]
        good, lines = examine(
            self.source,
            line.value,
            self.look,
            others=self.others,
            near=line.value[: line.cursor_position],
            width=width,
            height=max(self.size.height - len(FIELDS) - 3 - len(notes), 4),
        )
        self.said.show([*notes, Text(), *lines])
        return good and not faults

    def faults(self) -> list[str]:
        """What is wrong with the other fields."""
        found = []
        name = self.value("name")
        if not re.match(SUBGROUP_NAME, name):
            found.append("name: a letter, then letters, digits and _" if name else "name: needed")
        elif self.source.study.subgroup(name) is not None and (self.subgroup is None or name != self.subgroup.name):
            found.append(f"name: there is already a subgroup {name}")
        if self.value("prespecified") not in {"yes", "no"}:
            found.append("prespecified: yes or no")
        refused = self.locked_out()
        return [*found, refused] if refused else found

    async def take(self, event: Key) -> None:
        moves = {"down": 1, "up": -1}
        if event.key != "tab":
            self.offered = []
            self.say("")
        before = [line.value for line in self.inputs.values()]
        if event.key == "escape":
            self.dismiss(None)
            return
        if event.key == "enter":
            self.save()
            return
        if event.key in moves:
            names = list(FIELDS)
            to = names[(names.index(self.here) + moves[event.key]) % len(names)]
            self.set_focus(self.inputs[to], scroll_visible=False)
        elif event.key == "tab":
            self.complete()
        else:
            await self.inputs[self.here].take(event)
        if event.key in {*moves, "tab", "left", "right"} or [line.value for line in self.inputs.values()] != before:
            self.check()

    def on_resize(self) -> None:
        super().on_resize()
        self.check()

    def save(self) -> None:
        """Return the subgroup, when it can be one."""
        if not self.check():
            self.say("not saved: see above")
            return
        self.dismiss(self.made())

    def made(self) -> Subgroup:
        """The subgroup as the fields have it; what has no field stays as it was. Raises ValueError for a bad name."""
        values: dict[str, Any] = self.subgroup.model_dump() if self.subgroup else {}
        values |= {n: self.value(n) for n in FIELDS}
        return Subgroup(**values | {"prespecified": values["prespecified"] == "yes"})

    def locked_out(self) -> str:
        """Why the subgroup cannot be called pre-specified; empty where it can."""
        lock = self.source.lock
        if lock is None or self.value("prespecified") != "yes":
            return ""
        try:
            made = self.made()
        except ValueError:
            return ""
        study = self.source.study.model_copy(update={"subgroups": (made,)})
        if judged(lock, study).subgroups[0].prespecified:
            return ""
        return f"prespecified: no; the plan {lock.words().split('T')[0]} does not have it as it is now"

    def complete(self) -> None:
        """Complete what stands before the cursor of the expression, or say what it could be."""
        line = self.inputs["where"]
        if self.here == "prespecified":
            self.put("prespecified", "no" if self.value("prespecified") == "yes" else "yes")
            return
        if self.here != "where":
            self.say("completes the expression: columns, and the levels of a column after ==")
            return
        taken, hits = candidates(self.source, line.value[: line.cursor_position])
        self.offered = []
        if not hits:
            self.say("nothing completes this")
            return
        start = line.cursor_position - taken
        common = common_start(hits)
        if len(common) >= taken:
            after = line.value[line.cursor_position :]
            line.value = line.value[:start] + common + after
            line.cursor_position = start + len(common)
        self.offered = list(hits) if len(hits) > 1 else []
        self.say(f"{len(hits)} complete this" if len(hits) > 1 else "")

    def put(self, name: str, text: str) -> None:
        self.inputs[name].value = text
        self.inputs[name].cursor_position = len(text)
