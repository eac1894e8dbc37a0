"""A table of classes and their terms as a tree: a folded class shows its own numbers and how many terms it hides.

Which lines are classes and which are terms is read from the statistics behind them: adverse events carry the class as
``variable`` and the term as ``level``, none for the class itself.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from rich.cells import cell_len

from alsbench.analysis.result import Row
from alsbench.tui.models import Grid, GridRow, Section
from alsbench.tui.safetext import fit
from alsbench.tui.theme import Glyphs

WHOLE = frozenset({"Overview", "Exposure"})  # lines that are no classes


@dataclass(frozen=True)
class Branch:
    """A class of one table: what is folded and unfolded."""

    table: str
    name: str


def statistic(row: GridRow) -> Row | None:
    """The first statistic of a line whose cells are (rows, result)."""
    for source in row.sources:
        if source and source[0]:
            first: Row = source[0][0]
            return first
    return None


def branches(section: Section, table: str) -> Iterator[tuple[GridRow, Branch | None, bool]]:
    """Each line with the class it belongs to, and whether it is the class's own."""
    for row in section.rows:
        found = statistic(row)
        of = None if found is None or not found.variable or found.variable in WHOLE else Branch(table, found.variable)
        yield row, of, found is not None and found.level is None


def tree(section: Section, table: str, unfolded: Container[Branch] | None, glyphs: Glyphs, room: int) -> Section:
    """The section with its classes marked, and without the terms of folded ones; None unfolds all. Names of classes are cut
    to ``room`` cells where that leaves more arms in view."""
    lines = list(branches(section, table))
    terms: dict[Branch, int] = {}
    for _, of, own in lines:
        if of is not None:
            terms[of] = terms.get(of, 0) + (not own)
    if not any(terms.values()):
        return section
    rows: list[GridRow] = []
    for row, of, own in lines:
        is_open = unfolded is None or of in unfolded
        if of is None:
            rows.append(row)
        elif own:
            sign = glyphs.unfolded if is_open else glyphs.folded
            text, role = row.cells[0]
            count = f" ({terms[of]})"
            label = f"{sign} {shortened(text, room - len(count) - 2, glyphs.ellipsis)}{count}"
            rows.append(replace(row, cells=((label, role or "bold"), *row.cells[1:]), source=of))
        elif is_open:
            rows.append(replace(row, source=of))
    first = replace(section.cols[0], width=max([cell_len(r.cells[0][0]) for r in rows if not r.heading], default=1))
    return replace(section, cols=(first, *section.cols[1:]), rows=tuple(rows))


def shortened(text: str, room: int, mark: str) -> str:
    """The text, cut with a mark where it takes more cells than there are."""
    return text if cell_len(text) <= room else fit(text, room, mark=mark).rstrip()


def place(grid: Grid, branch: Branch) -> int | None:
    """The line of a class."""
    return next((k for k in range(len(grid)) if grid.grid_row(k).source == branch), None)


def all_branches(grid: Grid) -> tuple[Branch, ...]:
    """Every class of a table, in order."""
    found = (grid.grid_row(k).source for k in range(len(grid)))
    return tuple(dict.fromkeys(b for b in found if isinstance(b, Branch)))
