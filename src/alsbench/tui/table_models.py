"""Tables ready to be shown: a grid of cells, several render blocks stacked, a filtered view of either.

A model hands text to :class:`~alsbench.tui.widgets.table.VirtualTable`; beside the text it keeps what the text was made from
(``source``), so that ``enter`` can open the number, and it becomes a :class:`~alsbench.render.page.PageBlock` again for export.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.cells import cell_len

from alsbench.render.page import Column, Line, PageBlock, TextCell
from alsbench.tui.cell_text import safe, without_shared

Head = tuple[str, ...]
_PARTS = re.compile(r"^(?P<a>\S+) \((?P<b>[^,()]+)(?:, (?P<c>[^,()]+))?\)(?P<d>.*)$")
_PLAIN = re.compile(r"^(<?>?-?\d+)(\.\d+)?(!?)$")
MOST = 60  # cells of a column
GROUP = 28  # cells that the name of a group of columns may widen them to
ROLES = {"": "", "good": "good", "bad": "bad", "note": "dim", "doubt": "warn"}


@dataclass(frozen=True)
class Col:
    """A column as laid out: head lines (the last stands lowest), width in cells, alignment, the group named above it."""

    head: Head
    width: int
    align: str = "left"
    group: str = ""


@dataclass(frozen=True)
class GridRow:
    """One line: (text, role) for each column, what each cell stands for, and what the line as a whole stands for.

    A ``heading`` opens a section: with one cell it runs over the whole line, with more they are column heads.
    """

    cells: tuple[tuple[str, str], ...]
    sources: tuple[Any, ...] = ()
    source: Any = None
    heading: bool = False


@dataclass(frozen=True)
class Section:
    """Rows that share columns; ``frozen`` columns stay in view."""

    cols: tuple[Col, ...]
    rows: tuple[GridRow, ...]
    frozen: int = 1


@dataclass
class GridModel:
    """A table of one or more sections. With one section its heads stand above and stay; with more, inside."""

    sections: tuple[Section, ...]
    _rows: list[tuple[GridRow, Section]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        several = len(self.sections) > 1
        for section in self.sections:
            if several:
                depth = max((len(c.head) for c in section.cols), default=0)
                if any(c.group for c in section.cols):
                    self._rows.append((_group_row(section), section))
                for k in range(depth):
                    cells = tuple(
                        (c.head[k - depth + len(c.head)] if k >= depth - len(c.head) else "", "head") for c in section.cols
                    )
                    if any(text for text, _ in cells):
                        self._rows.append((GridRow(cells, heading=True), section))
            self._rows += [(row, section) for row in section.rows]

    @property
    def cols(self) -> Sequence[Col]:
        return max((s.cols for s in self.sections), key=len, default=())

    @property
    def frozen(self) -> int:
        return self.sections[0].frozen if self.sections else 1

    @property
    def inner_heads(self) -> bool:
        """Whether column heads stand inside the table rather than above it."""
        return len(self.sections) > 1

    def columns(self, index: int) -> tuple[Sequence[Col], int]:
        section = self._rows[index][1]
        return section.cols, section.frozen

    def __len__(self) -> int:
        return len(self._rows)

    def grid_row(self, index: int) -> GridRow:
        return self._rows[index][0]

    def row(self, index: int) -> Sequence[tuple[str, str]]:
        return self._rows[index][0].cells

    def heading(self, index: int) -> bool:
        return self._rows[index][0].heading

    def source(self, row: int, col: int) -> Any:
        """What the cell stands for; what its line stands for where the cell stands for nothing of its own."""
        if not 0 <= row < len(self._rows):
            return None
        found = self._rows[row][0]
        own = found.sources[col] if col < len(found.sources) else None
        return own if own is not None and own != () else found.source

    def text(self, row: int, col: int) -> str:
        cells = self._rows[row][0].cells
        return cells[col][0].strip() if col < len(cells) else ""

    def filtered(self, pattern: str) -> GridModel:
        """Only lines that hold the text, any case; the headings they stand under stay."""
        wanted = pattern.lower()
        sections: list[Section] = []
        for section in self.sections:
            if section.rows and _titles(section):  # a heading of its own: the sections below stand under it
                while sections and _titles(sections[-1]):
                    sections.pop()
                sections.append(section)
                continue
            kept: list[GridRow] = []
            for row in section.rows:
                if row.heading:
                    while kept and kept[-1].heading:
                        kept.pop()
                    kept.append(row)
                elif any(wanted in text.lower() for text, _ in row.cells):
                    kept.append(row)
            while kept and kept[-1].heading:
                kept.pop()
            if kept:
                sections.append(Section(section.cols, tuple(kept), section.frozen))
        while sections and _titles(sections[-1]):
            sections.pop()
        return GridModel(tuple(sections) or (Section(next((s.cols for s in self.sections if not _titles(s)), ()), ()),))

    def where(self, row: int, col: int) -> str:
        """What a cell is about: its line's label, and its column's group and head."""
        if not 0 <= row < len(self._rows) or self.heading(row):
            return ""
        cols = self._rows[row][1].cols
        if not 0 < col < len(cols):
            return self.text(row, 0)
        head = " ".join(cols[col].head).strip()
        return ", ".join(t for t in (self.text(row, 0), cols[col].group, head) if t)

    def blocks(self) -> tuple[PageBlock, ...]:
        """The table as render blocks, for export and copying."""
        found = []
        for section in self.sections:
            columns = tuple(
                Column("\n".join(c.head), c.group, "right" if c.align == "right" else "left", label=i < section.frozen)
                for i, c in enumerate(section.cols)
            )
            spare = (TextCell(""),) * len(columns)
            lines = tuple(
                Line((tuple(TextCell(t.strip()) for t, _ in row.cells) + spare)[: max(len(columns), 1)], heading=row.heading)
                for row in section.rows
            )
            found.append(PageBlock("", columns, lines))
        return tuple(found)


def grid(
    heads: Sequence[str | Head],
    rows: Sequence[GridRow],
    *,
    right: Sequence[int] = (),
    frozen: int = 1,
    groups: Sequence[str] = (),
    least: Sequence[int] = (),
    most: int = MOST,
) -> Section:
    """A section whose columns are as wide as what they hold (at most ``most``); ``right`` columns align on the point."""
    titles = [h if isinstance(h, tuple) else tuple(h.split("\n")) for h in heads]
    texts = [[row.cells[j][0] if j < len(row.cells) else "" for row in rows if not _spanning(row)] for j in range(len(titles))]
    cols = []
    for j, title in enumerate(titles):
        aligned = align(texts[j]) if j in right else texts[j]
        texts[j] = aligned
        width = max([cell_len(t) for t in (*title, *aligned)] + [least[j] if j < len(least) else 1])
        cols.append(Col(title, min(width, most), "right" if j in right else "left", groups[j] if j < len(groups) else ""))
    cols = _room_for_groups(cols)
    made, k = [], 0
    for row in rows:
        if _spanning(row):
            made.append(row)
            continue
        cells = tuple((texts[j][k], row.cells[j][1]) for j in range(len(row.cells)))
        made.append(GridRow(cells, row.sources, row.source, row.heading))
        k += 1
    return Section(tuple(cols), tuple(made), frozen)


def _room_for_groups(cols: list[Col]) -> list[Col]:
    """The last column of each group grown where the group's name needs room, up to a point: a longer name is shortened."""
    made = list(cols)
    start = 0
    for j in range(1, len(cols) + 1):
        if j < len(cols) and cols[j].group == cols[start].group:
            continue
        room = sum(c.width + 2 for c in cols[start:j]) - 2
        lack = min(cell_len(cols[start].group), GROUP) - room
        if lack > 0:
            made[j - 1] = replace(cols[j - 1], width=cols[j - 1].width + lack)
        start = j
    return made


def _spanning(row: GridRow) -> bool:
    return row.heading and len(row.cells) == 1


def align(texts: Sequence[str]) -> list[str]:
    """Texts of one column padded so that numbers, and the limits beside them, stand under each other."""
    found = {i: m for i, t in enumerate(texts) if (m := _PARTS.match(t))}
    most = {k: max((cell_len(m[k] or "") for m in found.values()), default=0) for k in "abcd"}
    made = list(texts)
    plain = {i: m for i, t in enumerate(texts) if (m := _PLAIN.match(t))}
    longest = max((len(m[2] or "") for m in plain.values()), default=0)
    for i, m in plain.items():
        made[i] = f"{m[1]}{(m[2] or '').ljust(longest)}{m[3]}"
    for i, m in found.items():
        inner = m["b"].rjust(most["b"]) + (f", {m['c'].rjust(most['c'])}" if m["c"] else "")
        made[i] = f"{m['a'].rjust(most['a'])} ({inner}){m['d'].ljust(most['d'])}"
    return made


def block_section(block: PageBlock, *, ascii: bool = False, most: int = MOST) -> list[Section]:
    """A render block as a section, columns at most ``most`` wide; its title becomes a heading, its notes dim lines below."""
    rows: list[GridRow] = []
    for line in block.lines:
        cells = tuple((safe(c.text, ascii=ascii), ROLES[c.style]) for c in line.cells)
        if line.heading and sum(bool(t) for t, _ in cells) <= 1:
            rows.append(heading(next((t for t, _ in cells if t), "")))
        else:
            rows.append(GridRow(cells, tuple(c.rows for c in line.cells), heading=line.heading))
    right = [j for j, c in enumerate(block.columns) if c.justify == "right"]
    labels = sum(1 for c in block.columns if c.label) or 1
    heads = [tuple(safe(t, ascii=ascii) for t in c.title.split("\n")) for c in block.columns]
    made = grid(heads, rows, right=right, frozen=labels, groups=[safe(c.group, ascii=ascii) for c in block.columns], most=most)
    notes = tuple(heading(safe(n, ascii=ascii), "dim") for n in block.notes)
    title = [heading_section(safe(block.title, ascii=ascii))] if block.title else []
    return [*title, made, *([Section((Col((), 1),), notes)] if notes else [])]


def heading(text: str, role: str = "bold") -> GridRow:
    """A line that runs over the whole table."""
    return GridRow(((text, role),), heading=True)


def heading_section(text: str, role: str = "bold") -> Section:
    """Such a line over the sections that follow."""
    return Section((), (heading(text, role),))


def with_result(section: Section, result: Any) -> Section:
    """The section whose cells stand for their statistics and the result these are of."""
    rows = (replace(r, sources=tuple((s, result) if s else None for s in r.sources)) for r in section.rows)
    return replace(section, rows=tuple(rows))


def _titles(section: Section) -> bool:
    """Whether a section is a heading for those below it: lines without columns."""
    return not any(any(c.head) for c in section.cols)


def _group_row(section: Section) -> GridRow:
    """Group names over the first column of each group, as a line of heads."""
    names = tuple(dict.fromkeys(c.group for c in section.cols if c.group))
    room = min((sum(c.width + 2 for c in section.cols if c.group == n) - 2 for n in names), default=0)
    shown = dict(zip(names, without_shared(names, room), strict=True))
    cells, last = [], ""
    for col in section.cols:
        cells.append((shown.get(col.group, "") if col.group != last else "", "head"))
        last = col.group
    return GridRow(tuple(cells), heading=True)
