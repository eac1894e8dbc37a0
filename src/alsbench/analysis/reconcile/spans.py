"""Rows of cells that reach over several columns, put into one rectangle: in heads a text is repeated over all it spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alsbench.analysis.reconcile.stated import CellTable

NEAR = 30  # units (twips of RTF) within which two edges are one
TITLE_PARTS = 6  # paragraphs above a table that are its title
LONG = 30  # characters of a first cell alone in its row that is a caption, not a heading of rows
Spanned = tuple[str, int]  # the text of a cell, and how many columns it spans


@dataclass(frozen=True)
class EdgedRow:
    """Cells as (text, where the cell ends on the page), in order; ``head``: it is repeated on every page."""

    cells: tuple[tuple[str, int], ...]
    head: bool = False


def tables_of_rows(parts: Iterable[EdgedRow | str]) -> tuple[CellTable, ...]:
    """Rows that follow each other are a table, paragraphs between them its title."""
    tables: list[CellTable] = []
    rows: list[EdgedRow] = []
    above: list[str] = []
    for part in parts:
        if isinstance(part, EdgedRow):
            rows.append(part)
            continue
        if rows:
            tables.append(_table(len(tables) + 1, rows, above))
            rows, above = [], []
        if part:
            above = [*above[-TITLE_PARTS + 1 :], part]
    if rows:
        tables.append(_table(len(tables) + 1, rows, above))
    return tuple(tables)


def _table(number: int, rows: Sequence[EdgedRow], above: Sequence[str]) -> CellTable:
    edges = _columns(e for r in rows for _, e in r.cells)
    heads = next((i for i, r in enumerate(rows) if not r.head), len(rows))
    return table_of(number, above, [_spread(r, edges) for r in rows], heads)


def _columns(edges: Iterable[int]) -> list[int]:
    found: list[int] = []
    for edge in sorted(set(edges)):
        if not found or edge - found[-1] > (NEAR if edge > LONG * NEAR else 0):
            found.append(edge)
    return found


def _spread(row: EdgedRow, edges: Sequence[int]) -> list[Spanned]:
    out: list[Spanned] = []
    at = 0
    for text, edge in row.cells:
        last = min(range(len(edges)), key=lambda i: abs(edges[i] - edge))
        span = max(last + 1 - at, 1)
        out.append((text, span))
        at += span
    return out


def table_of(number: int, above: Sequence[str], rows: Sequence[Sequence[Spanned]], heads: int) -> CellTable:
    """A table from its rows. First rows of one text alone are part of its title; where no heads are marked, the rows above the
    first that has a number outside its first column are."""
    title, kept = list(above), list(rows)
    while len(kept) > 1 and _is_caption(kept[0]):
        title += [t for t, _ in kept[0] if t]
        kept, heads = kept[1:], max(heads - 1, 0)
    if heads == 0:
        heads = next((i for i, r in enumerate(kept) if any(_numeric(t) for t, _ in r[1:])), min(1, len(kept)))
    width = max((sum(n for _, n in r) for r in kept), default=0)
    grid = [_laid(r, width, repeated=i < heads) for i, r in enumerate(kept)]
    for i in range(heads - 1):  # a group that is written once stands above all columns up to the next
        grid[i] = _carried(grid[i])
    return CellTable(number, " · ".join(t for t in title if t), tuple(map(tuple, grid)), heads)


def _laid(row: Sequence[Spanned], width: int, *, repeated: bool) -> list[str]:
    out: list[str] = []
    for text, span in row:
        out += [text] * span if repeated else [text, *[""] * (span - 1)]
    return out + [""] * (width - len(out))


def _carried(row: Sequence[str]) -> list[str]:
    out = list(row)
    for i in range(2, len(out)):
        out[i] = out[i] or out[i - 1]
    return out


def _is_caption(row: Sequence[Spanned]) -> bool:
    filled = [t for t, _ in row if t]
    return len(filled) == 1 and (len(row) == 1 or len(filled[0]) > LONG) and row[0][0] == filled[0]


def _numeric(text: str) -> bool:
    return text[:1].isdigit() or (text[:1] in "-<>\u2212" and any(c.isdigit() for c in text[:3]))
