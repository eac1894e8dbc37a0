"""The subgroup editor: name, label, expression, status, rationale, complement; checked while typing.

The expression is parsed at every change: a fault is shown with its place in the text; a sound one shows its realised cut and
how many subjects of each arm it selects. ``tab`` completes a column name in the expression.
"""

from __future__ import annotations

import re
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key
from textual.widgets import Input

from alsbench.analysis.source import Source
from alsbench.errors import AlsbenchError, ExpressionError
from alsbench.study.model import SUBGROUP_NAME, Subgroup
from alsbench.tui.commands import common_start
from alsbench.tui.safetext import fit, safe
from alsbench.tui.screens.dialog import Dialog, QuietInput
from alsbench.tui.theme import Look
from alsbench.tui.widgets.bars import Bar
from alsbench.tui.widgets.pane import Pane

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
        text = self.inputs["where"].value
        good, lines = examine(self.source, text, self.look)
        faults = self.faults()
        hint = Text(f"{self.here}: {HINTS.get(self.here, '')}", self.look["dim"])
        self.said.show([hint, *(Text(f, self.look["warn"]) for f in faults), Text(), *lines])
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
        return found

    async def take(self, event: Key) -> None:
        moves = {"down": 1, "up": -1}
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
        if event.key in moves or [line.value for line in self.inputs.values()] != before:
            self.check()

    def save(self) -> None:
        """Return the subgroup, when it can be one."""
        if not self.check():
            self.say("not saved: see above")
            return
        made: dict[str, Any] = {n: self.value(n) for n in FIELDS}
        made["prespecified"] = made["prespecified"] == "yes"
        self.dismiss(Subgroup(**made))

    def complete(self) -> None:
        """Complete the word before the cursor to a column name or a function, or say what it could be."""
        line = self.inputs["where"]
        before = line.value[: line.cursor_position]
        word = re.search(r"[A-Za-z_][A-Za-z0-9_]*$", before)
        stem = word.group() if word else ""
        names = [*self.source.subjects.names, "mean(", "median(", "quantile("]
        hits = [n for n in names if n.lower().startswith(stem.lower())]
        if not hits:
            self.say(f"nothing starts with {stem}")
            return
        common = common_start(hits)
        if len(common) > len(stem):
            start = line.cursor_position - len(stem)
            line.value = line.value[:start] + common + line.value[line.cursor_position :]
            line.cursor_position = start + len(common)
        if len(hits) > 1:
            self.say(" ".join(hits)[: max(self.size.width - 60, 20)])


def examine(source: Source, text: str, look: Look) -> tuple[bool, list[Text]]:
    """Whether an expression can be used, and what to show: counts per arm and cut, or the fault under its place."""
    from alsbench.analysis.subgroups import counts_by_arm, describe
    from alsbench.study.expression import parse

    ascii = not look.glyphs.dots
    if not text.strip():
        return False, [Text("type an expression", look["dim"])]
    try:
        found = describe(source, text)
        expression = parse(text)
    except ExpressionError as error:
        caret = Text(" " * min(error.position, len(text)) + "^ here", look["warn"])
        return False, [
            Text(safe(text, ascii=ascii), look["text"]),
            caret,
            *(Text(safe(m), look["warn"]) for m in (error.what, error.hint) if m),
        ]
    except AlsbenchError as error:
        return False, [Text(safe(m, ascii=ascii), look["warn"]) for m in error.message.split("\n")]
    counts = counts_by_arm(source, found.mask)
    lines = [Text(f"n = {found.n}: " + ", ".join(f"{safe(a)} {n}" for a, n in counts.items()), look["bold"])]
    if found.cuts:
        lines.append(Text(f"cut {found.cut_text()}", look["text"]))
    if found.n_undecided:
        lines.append(Text(f"{found.n_undecided} undecided: a value is missing", look["warn"]))
    if not found.n or not all(counts.values()):
        lines.append(Text("an arm has no subject in it", look["warn"]))
    for column in expression.columns[:1]:
        lines += [Text(), *histogram(source, column, found.cuts or constants(text, column), look)]
    return True, lines


def constants(text: str, column: str) -> tuple[tuple[str, float], ...]:
    """The number a column is compared with, as a cut: ``BLNFL < 52``."""
    found = re.search(rf"\b{re.escape(column)}\s*(?:<=?|>=?|==)\s*(-?\d+(?:\.\d+)?)", text)
    return ((column, float(found[1])),) if found else ()


def histogram(source: Source, column: str, cuts: tuple[tuple[str, float], ...], look: Look, bins: int = 10) -> list[Text]:
    """How a numeric column is distributed, with the cut drawn."""
    import numpy as np

    if source.subjects.kind(column) != "number":
        return []
    values = np.asarray(source.subjects[column], dtype=float)
    values = values[np.isfinite(values)]
    if not values.size or values.min() == values.max():
        return []
    counts, edges = np.histogram(values, bins=bins)
    cut = next((v for name, v in cuts if column in name), None)
    lines = [Text(f"{column}, {values.size} values", look["head"])]
    for k, n in enumerate(counts):
        bar = look.glyphs.bar * round(30 * int(n) / max(int(counts.max()), 1))
        here = cut is not None and edges[k] <= cut < edges[k + 1]
        label = f"{edges[k]:>9.4g} "
        lines.append(
            Text(
                label + fit(bar, 31) + f"{int(n):>4}" + (f"  {look.glyphs.more_left} cut {cut:.4g}" if here else ""),
                look["text"],
            )
        )
    return lines
