"""The subgroup editor: name, label, expression, status, rationale, complement; checked while typing.

The expression is parsed at every change: a fault is shown with its place in the text; a sound one shows how many subjects of
each arm it selects, who is left, overlaps, and its cut in the column's distribution. ``tab`` completes columns and levels. A
locked plan decides what may be called pre-specified.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key
from textual.widgets import Input

from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import counts_by_arm, describe, members
from alsbench.audit.lock import judged
from alsbench.errors import AlsbenchError, ExpressionError
from alsbench.study.expression import parse
from alsbench.study.model import SUBGROUP_NAME, Subgroup
from alsbench.study.syntax_tree import Aggregate, Between, ColumnRef, Compare, Expression, Junction, Node, Not, Value
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.commands import common_start
from alsbench.tui.screens.dialogs import Dialog, QuietInput
from alsbench.tui.theme import Appearance
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
BINS = 10
OVERLAP_LINES = 3
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
LEVELS = 40  # texts of a column that are offered to complete
WORDS = ("and ", "or ", "not ", "in ", "mean(", "median(", "quantile(", "missing(")
_LEVEL = re.compile(
    r"(?P<column>[A-Za-z_]\w*)\s*(?:==|!=|(?:not\s+)?in\s*\((?:[^()\"']|\"[^\"]*\"|'[^']*')*)\s*(?P<stem>[\"'][^\"']*|[A-Za-z]\w*)?$"
)
_WORD = re.compile(r"[A-Za-z_]\w*$")


class SubgroupEditor(Dialog):
    """Returns a :class:`Subgroup`, or None."""

    DEFAULT_CSS = """
    SubgroupEditor Horizontal.field { height: 1; }
    SubgroupEditor Horizontal.field Bar { width: 15; }
    SubgroupEditor Horizontal.field QuietInput { width: 1fr; }
    """

    def __init__(self, look: Appearance, source: Source, subgroup: Subgroup | None) -> None:
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


@dataclass(frozen=True)
class HistogramCut:
    """Where a column is cut: at a value, and whether the value itself is on the lower side."""

    at: float
    below: bool


def masks_of(source: Source, without: str = "") -> dict[str, NDArray[np.bool_]]:
    """Who is in each of the study's subgroups, but for one; those that cannot be evaluated are left out."""
    found = {}
    for subgroup in source.study.subgroups:
        if subgroup.name == without:
            continue
        try:
            found[subgroup.name] = members(source, subgroup.name).mask
        except AlsbenchError:  # shown as such on the Subgroups screen
            continue
    return found


def examine(
    source: Source, text: str, look: Appearance, *, others: Mapping[str, Any], near: str = "", width: int = 80, height: int = 24
) -> tuple[bool, list[Text]]:
    """Whether an expression can be used, and what to show of it in ``height`` lines; ``near`` is the text before the cursor,
    whose last column is drawn."""
    ascii = not look.glyphs.dots
    if not text.strip():
        return False, [Text("type an expression", look["dim"])]
    try:
        found = describe(source, text)
        expression = parse(text)
    except ExpressionError as error:
        return False, fault(error, text, look, width)
    except AlsbenchError as error:
        return False, [Text(safe(m, ascii=ascii), look["warn"]) for m in error.message.split("\n")]
    counts = counts_by_arm(source, found.mask)
    rest = found.decided & ~found.mask
    lines = [
        Text(_counted("in", found.n, counts, ascii), look["bold"]),
        Text(_counted("not", int(rest.sum()), counts_by_arm(source, rest), ascii), look["text"]),
    ]
    if others:
        shares = (f"{int((found.mask & mask).sum())} in {name} ({int(mask.sum())})" for name, mask in others.items())
        parts = wrap("overlap  " + ", ".join(shares), width, subsequent_indent=" " * 9)
        if len(parts) > OVERLAP_LINES:
            parts = [*parts[: OVERLAP_LINES - 1], f"{' ' * 9}{look.glyphs.ellipsis} and others"]
        lines += [Text(part, look["text"]) for part in parts]
    if found.cuts:
        lines.append(Text(f"cut      {found.cut_text()}", look["text"]))
    if found.n_undecided:
        lines.append(Text(f"{found.n_undecided} undecided: a value is missing; in neither", look["warn"]))
    if not found.n or not all(counts.values()):
        lines.append(Text("an arm has no subject in it", look["warn"]))
    column = nearest_column(expression, near)
    if column and height - len(lines) >= 4:
        room = height - len(lines) - 1
        lines += [Text(), *distribution(source, column, cut_of(expression, column, dict(found.cuts)), look, room)]
    return True, lines


def fault(error: ExpressionError, text: str, look: Appearance, width: int) -> list[Text]:
    """The text with a mark under the fault, scrolled so that the mark is in view, and what is wrong."""
    ascii = not look.glyphs.dots
    at = min(error.position, len(text))
    start = max(0, at - width + 12)
    said = (*error.what.split("\n"), *error.hint.split("\n"))  # why shows the text once more
    return [
        Text(safe(text, ascii=ascii)[start : start + width], look["text"]),
        Text(" " * (at - start) + "^ here", look["warn"]),
        *(Text(safe(m, ascii=ascii), look["warn"]) for m in said if m.strip()),
    ]


def _counted(word: str, n: int, counts: Mapping[str, int], ascii: bool) -> str:
    return f"{word:<8} n = {n}: " + ", ".join(f"{safe(a, ascii=ascii)} {k}" for a, k in counts.items())


def nearest_column(expression: Expression, near: str) -> str:
    """The column last named before the cursor, else the first of the expression."""
    names = [w for w in re.findall(r"[A-Za-z_]\w*", near) if w in expression.columns]
    return names[-1] if names else next(iter(expression.columns), "")


def cut_of(expression: Expression, column: str, realised: Mapping[str, float]) -> HistogramCut | None:
    """Where the expression first cuts a column of numbers; None where it does not."""
    for node in _comparisons(expression.root):
        if isinstance(node, Between):
            if node.column.name == column and node.low.kind == "number":
                return HistogramCut(float(node.low.value), below=False)
            continue
        left, right, op = node.left, node.right, str(node.op)
        if isinstance(right, ColumnRef):
            left, right, op = right, left, TURNED.get(op, op)
        if not isinstance(left, ColumnRef) or left.name != column or op not in {"<", "<=", ">", ">="}:
            continue
        value = realised.get(str(right)) if isinstance(right, Aggregate) else None
        if isinstance(right, Value) and right.kind == "number":
            value = float(right.value)
        if value is not None:
            return HistogramCut(value, below=op in {"<=", ">"})
    return None


def _comparisons(node: Node) -> Iterator[Compare | Between]:
    match node:
        case Compare() | Between():
            yield node
        case Not(term):
            yield from _comparisons(term)
        case Junction(_, terms):
            for term in terms:
                yield from _comparisons(term)
        case _:
            return


def distribution(source: Source, column: str, cut: HistogramCut | None, look: Appearance, height: int) -> list[Text]:
    """How a column is distributed over the default population: bars of a number with the cut between them, or levels."""
    inside = source.population()
    values = np.asarray(source.subjects[column])[inside]
    if source.subjects.kind(column) == "number":
        return histogram(column, np.asarray(values, dtype=float), cut, look, height)
    names, counts = tally([str(v) for v in values.tolist() if v is not None and v == v])
    head = [Text(f"{column}, {int(counts.sum())} values, {len(names)} levels", look["head"])]
    order = np.argsort(-counts, kind="stable")[: max(height - 1, 1)]
    label = min(max((len(str(names[k])) for k in order), default=1), 24)
    most = max((int(counts[k]) for k in order), default=1)
    return head + [_bar(safe(str(names[k]), ascii=not look.glyphs.dots), label, int(counts[k]), most, look) for k in order]


def histogram(column: str, values: NDArray[np.float64], cut: HistogramCut | None, look: Appearance, height: int) -> list[Text]:
    """Bars of a numeric column; the cut is an edge between two of them, drawn as a line."""
    values = values[np.isfinite(values)]
    if not values.size or values.min() == values.max():
        return []
    low, high = float(values.min()), float(values.max())
    bins = max(2, min(BINS, height - 2))
    edges = np.linspace(low, high, bins + 1)
    at = None
    if cut is not None and low < cut.at < high:
        at = int(np.clip(round((cut.at - low) / (high - low) * bins), 1, bins - 1))
        edges = np.concatenate([np.linspace(low, cut.at, at + 1), np.linspace(cut.at, high, bins - at + 1)[1:]])
    side: Literal["left", "right"] = "left" if cut is not None and cut.below else "right"
    which = np.clip(np.searchsorted(edges, values, side=side) - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    lines = [Text(f"{column}, {values.size} values, {low:.4g} to {high:.4g}", look["head"])]
    for k, n in enumerate(counts.tolist()):
        if k == at and cut is not None:
            share = f"{int((which < k).sum())} below, {int((which >= k).sum())} above"
            lines.append(Text(f"{look.glyphs.rule * 9} cut {cut.at:.6g}: {share} {look.glyphs.rule * 9}", look["warn"]))
        lines.append(_bar(f"{edges[k]:.4g}", 9, n, int(counts.max()), look, right=True))
    return lines


def _bar(name: str, label: int, n: int, most: int, look: Appearance, *, right: bool = False) -> Text:
    bar = look.glyphs.bar * round(30 * n / max(most, 1))
    head = fit(name, label, align="right" if right else "left", mark=look.glyphs.ellipsis)
    return Text(f"{head} {fit(bar, 31)}{n:>4}", look["text"])


def candidates(source: Source, before: str) -> tuple[int, Sequence[str]]:
    """How many letters before the cursor are being completed, and what they could become: levels of a column after a
    comparison, else columns, functions and words."""
    level = _LEVEL.search(before)
    if level is not None and level["column"] in source.subjects.names:
        stem = level["stem"] or ""
        plain = stem.strip("\"'").lower()
        found = [v for v in levels(source, level["column"]) if v.strip('"').lower().startswith(plain)]
        if found or not stem.isidentifier():
            return len(stem), found
    word = _WORD.search(before)
    stem = word.group() if word else ""
    names = [*source.subjects.names, *(w for w in WORDS if stem)]
    return len(stem), [n for n in names if n.lower().startswith(stem.lower())]


def levels(source: Source, column: str) -> list[str]:
    """The levels of a column as the expression language writes them, the commonest first; none of a column with too many."""
    values = [v for v in source.subjects[column].tolist() if v is not None and v == v]
    names, counts = tally(values)
    if len(names) > LEVELS:
        return []
    number = source.subjects.kind(column) == "number"
    ordered = [names[k] for k in np.argsort(-counts, kind="stable")]
    return [f"{v:g}" if number else str(Value(str(v), "text")) for v in ordered]


def tally(values: Sequence[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """The distinct values in order, and how many of each."""
    found = Counter(values)
    names = sorted(found)
    return names, np.array([found[n] for n in names], dtype=np.int64)
