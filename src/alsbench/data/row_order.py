"""A table as it is browsed: which of its rows, in which order, kept as row numbers, so that every page costs the same.

Sorting or filtering is done once, by the database; what is kept of it is one whole number a row (four bytes up to four thousand
million rows), and nothing at all for a table as it was loaded. A page is then fetched by its row numbers, however deep it lies.
A text is looked for in pieces of the table; what is kept are the places of the rows that hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.data.sql import constant, quote
from alsbench.study.sql import Where

PIECE = 250_000  # rows searched at a time

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowOrder:
    """Rows of a table in an order. ``ids`` are row numbers in load order, None where that is the order and all rows are in."""

    table: str
    count: int
    ids: NDArray[np.unsignedinteger[Any]] | None = None

    def page(self, snapshot: Snapshot, columns: Sequence[str] | None, *, offset: int, limit: int) -> list[tuple[Any, ...]]:
        """A window of rows as Python values."""
        first, last = max(offset, 0), min(max(offset, 0) + max(limit, 0), self.count)
        ids = range(first, last) if self.ids is None else self.ids[first:last].tolist()
        return snapshot.rows_by_id(self.table, columns, ids)

    def places(self, rows: Places) -> Places:
        """Where rows given by ascending row numbers stand in the order, ascending; those that are not in it are left out."""
        if self.ids is None:
            return rows
        return np.flatnonzero(np.isin(self.ids, rows, kind="sort" if rows.size < self.ids.size // 8 else None))


class TextMatches:
    """Places of the rows that hold a text, ascending; asked by place."""

    def __init__(self, text: str, rows: Places, places: Places) -> None:
        self.text = text
        self.rows = rows  # row numbers as loaded: the places of another order are found from them
        self.places = places

    def __contains__(self, place: object) -> bool:
        if not isinstance(place, int):
            return False
        k = int(np.searchsorted(self.places, place))
        return k < self.places.size and int(self.places[k]) == place

    def after(self, place: int) -> int | None:
        """Which hit (from 0) is the first at a place or after it; from the top again after the last."""
        return int(np.searchsorted(self.places, place)) % self.places.size if self.places.size else None

    def before(self, place: int) -> int | None:
        """Which hit is the last before a place; from the end again before the first."""
        return (int(np.searchsorted(self.places, place)) - 1) % self.places.size if self.places.size else None


def row_order(snapshot: Snapshot, table: str, *, where: Where | None = None, order_by: Sequence[str] = ()) -> RowOrder:
    """The rows meeting ``where`` in the order asked for: missing last, ties as loaded."""
    info = snapshot.table(table)
    if where is None and not order_by:
        return RowOrder(info.name, info.rows)
    ids = snapshot.row_ids(info.name, where=where, order_by=order_by)
    return RowOrder(info.name, len(ids), ids.astype(np.uint32 if info.rows < 2**32 else np.uint64))


def search_chunks(snapshot: Snapshot, info: TableInfo, text: str, *, start: int = 0) -> Iterator[tuple[int, int, Places]]:
    """(first row, rows, row numbers that hold the text) of piece after piece of the table, from the one with row ``start`` on
    and then from the top. Upper and lower case are one; a number is found by its value, a date by its ISO text."""
    condition = contains_text(info, text)
    count = -(-info.rows // PIECE)
    begin = min(max(start, 0) // PIECE, max(count - 1, 0))
    for piece in (*range(begin, count), *range(begin)):
        first = piece * PIECE
        last = min(first + PIECE, info.rows)
        inside = f"rowid >= {first} AND rowid < {last} AND ({condition})"
        yield first, last - first, snapshot.row_ids(info.name, where=Where(inside, ()))


def contains_text(info: TableInfo, text: str) -> str:
    """SQL: a row holds the text in one of its columns."""
    needle = constant(text.lower())
    try:
        number = constant(float(text))
    except ValueError:
        number = ""
    parts = []
    for column in info.columns:
        name = quote(column.name)
        if column.kind == "text":
            parts.append(f"contains(lower({name}), {needle})")
        elif column.kind == "date":
            parts.append(f"contains(CAST({name} AS VARCHAR), {needle})")
        elif column.kind == "number" and number:
            parts.append(f"{name} = {number}")
        elif column.kind == "boolean":
            parts.append(f"CAST({name} AS VARCHAR) = {needle}")
    return " OR ".join(parts) or "FALSE"
