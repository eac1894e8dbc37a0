"""Special missing values of SAS (``.A`` to ``.Z``, ``._``): which cells hold which, beside columns where they are just missing.

A reader hands them over with the batch they belong to, as Arrow schema metadata: per column the rows counted from the start of
the batch (32 bits each) and one byte for each code. Whoever does not ask for them never sees them; analyses do not. A
snapshot keeps them in a table beside the data: table, column, row (from 1, in load order), code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.sql import quote

if TYPE_CHECKING:
    from alsbench.data.snapshot import Snapshot

CELLS = "special_missing"
CELLS_SQL = (
    f"CREATE TABLE IF NOT EXISTS alsbench_meta.{CELLS} "
    "(table_name VARCHAR, column_name VARCHAR, row_number BIGINT, code VARCHAR)"
)
_KEY = b"alsbench.special:"
_BYTES = 5
_PAGE = 20_000


@dataclass(frozen=True)
class SpecialCells:
    """Cells of one column: ``rows`` (0-based, ascending) and ``codes``, the ASCII letter or underscore of each."""

    column: str
    rows: NDArray[np.int64]
    codes: NDArray[np.uint8]

    @property
    def texts(self) -> list[str]:
        """The codes as SAS shows them: ``.A``."""
        return [f".{chr(c)}" for c in self.codes]

    def counts(self) -> Counter[str]:
        """How often each code stands."""
        found, numbers = np.unique(self.codes, return_counts=True)
        return Counter({f".{chr(c)}": int(n) for c, n in zip(found, numbers, strict=True)})


def attach(batch: pa.RecordBatch, cells: Iterable[SpecialCells]) -> pa.RecordBatch:
    """The batch with the codes of its cells."""
    told = metadata(cells)
    return batch.replace_schema_metadata(told) if told else batch


def metadata(cells: Iterable[SpecialCells]) -> dict[bytes, bytes]:
    """Cells as schema metadata."""
    return {
        _KEY + c.column.encode(): c.rows.astype("<u4").tobytes() + c.codes.astype(np.uint8).tobytes()
        for c in cells
        if c.rows.size
    }


def cells_of(held: Mapping[bytes, bytes] | None, *, rows: int) -> Iterator[SpecialCells]:
    """The cells that schema metadata tell of; what is not of this layout, or points past the ``rows``, tells of none."""
    for key, content in (held or {}).items():
        count, left = divmod(len(content), _BYTES)
        if not key.startswith(_KEY) or left or not count:
            continue
        places = np.frombuffer(content, "<u4", count).astype(np.int64)
        codes = np.frombuffer(content, np.uint8, count, 4 * count)
        known = (codes == ord("_")) | ((codes >= ord("A")) & (codes <= ord("Z")))
        if known.all() and int(places.max()) < rows:
            yield SpecialCells(key.removeprefix(_KEY).decode("utf-8", "replace"), places, codes)


def whole(batches: Iterable[pa.RecordBatch]) -> dict[bytes, bytes]:
    """Schema metadata for a table made of these batches."""
    parts: dict[str, list[SpecialCells]] = {}
    done = 0
    for batch in batches:
        for cells in cells_of(batch.schema.metadata, rows=batch.num_rows):
            parts.setdefault(cells.column, []).append(SpecialCells(cells.column, cells.rows + done, cells.codes))
        done += batch.num_rows
    return metadata(
        SpecialCells(name, np.concatenate([p.rows for p in some]), np.concatenate([p.codes for p in some]))
        for name, some in parts.items()
    )


def within(cells: Iterable[SpecialCells], first: int, count: int) -> Iterator[SpecialCells]:
    """The cells of the rows from ``first``, counted from there."""
    for c in cells:
        start, end = np.searchsorted(c.rows, (first, first + count))
        if end > start:
            yield SpecialCells(c.column, c.rows[start:end] - first, c.codes[start:end])


def counted(counts: Mapping[str, int]) -> str:
    """``.A 3, .B 1``"""
    return ", ".join(f"{code} {n}" for code, n in sorted(counts.items()))


def cell_records(table: str, batch: pa.RecordBatch, done: int) -> pa.Table | None:
    """The cells of a batch as records to store, None where there are none; its first row is row ``done`` + 1 of the table."""
    found = list(cells_of(batch.schema.metadata, rows=batch.num_rows))
    if not found:
        return None
    names = [c.column for c in found for _ in range(c.rows.size)]
    texts = [text for c in found for text in c.texts]
    rows = np.concatenate([c.rows for c in found]) + done + 1
    columns = {
        "table_name": pa.array([table] * len(names), pa.string()),
        "column_name": pa.array(names, pa.string()),
        "row_number": pa.array(rows),
        "code": pa.array(texts, pa.string()),
    }
    return pa.table(columns)


def special_counts(snapshot: Snapshot, table: str) -> dict[str, dict[str, int]]:
    """Column -> code -> number of cells, of a table of a snapshot; empty where the source had none or could not say."""
    out: dict[str, dict[str, int]] = {}
    if _kept(snapshot):
        sql = f"SELECT column_name, code, count(*) FROM alsbench_meta.{CELLS} WHERE table_name = ? GROUP BY ALL ORDER BY ALL"
        for column, code, count in snapshot.rows(sql, [snapshot.table(table).name]):
            out.setdefault(column, {})[code] = int(count)
    return out


def special_cells(snapshot: Snapshot, table: str, beside: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
    """(row, column, code) in load order, each followed by the row's values in the columns ``beside``; in pages."""
    if not _kept(snapshot):
        return
    name, start = snapshot.table(table).name, 0
    values = "".join(f", t.{quote(c)}" for c in beside)
    sql = (
        f"SELECT s.row_number, s.column_name, s.code{values} FROM alsbench_meta.{CELLS} s "
        f"JOIN main.{quote(name)} t ON t.rowid = s.row_number - 1 "
        f"WHERE s.table_name = ? ORDER BY s.row_number, s.rowid LIMIT {_PAGE} OFFSET "
    )
    while page := snapshot.rows(f"{sql}{start}", [name]):
        yield from page
        start += len(page)


def special_metadata(snapshot: Snapshot, table: str) -> dict[bytes, bytes]:
    """A table's special missing values as schema metadata."""
    held: dict[str, tuple[list[int], list[int]]] = {}
    for row, column, code in special_cells(snapshot, table):
        rows, codes = held.setdefault(column, ([], []))
        rows.append(row - 1)
        codes.append(ord(code[1]))
    return metadata(SpecialCells(c, np.array(rows), np.array(codes, np.uint8)) for c, (rows, codes) in held.items())


def marks(table: pa.Table) -> dict[str, NDArray[np.int64]]:
    """Column -> for every row the ASCII number of its special missing value, 0 where there is none."""
    made = {}
    for cells in cells_of(table.schema.metadata, rows=table.num_rows):
        made[cells.column] = np.zeros(table.num_rows, dtype=np.int64)
        made[cells.column][cells.rows] = cells.codes
    return made


def moved(told: Mapping[bytes, bytes] | None, order: NDArray[np.int64], gone: Iterable[str]) -> dict[bytes, bytes]:
    """Schema metadata of a table whose rows are now those of ``order`` (old places), without some columns' cells."""
    size = int(order.max(initial=-1)) + 1
    place = np.full(size, -1)
    place[order] = np.arange(len(order))
    left_out, made = set(gone), []
    for cells in cells_of(told, rows=2**32):
        stays = cells.rows[cells.rows < size]
        rows, codes = place[stays], cells.codes[cells.rows < size]
        by_row = np.argsort(rows, kind="stable")[int((rows < 0).sum()) :]
        if cells.column not in left_out:
            made.append(SpecialCells(cells.column, rows[by_row], codes[by_row]))
    return metadata(made)


def _kept(snapshot: Snapshot) -> bool:
    sql = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'alsbench_meta' AND table_name = ?"
    return bool(snapshot.rows(sql, [CELLS])[0][0])
