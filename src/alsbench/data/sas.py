"""What SAS means by its numbers: dates, datetimes and times by their display format, and special missing values.

SAS counts days and seconds from 1960-01-01; what a number means is told by its format only. Dates become dates; datetimes
and times have no kind of their own and become ISO 8601 text.

Cells with a special missing value (``.A`` to ``.Z``, ``._``) are just missing in their column; which cells hold which stands
beside it. A reader hands them over with the batch they belong to, as Arrow schema metadata: per column the rows counted from
the start of the batch (32 bits each) and one byte for each code. Whoever does not ask for them never sees them; analyses do
not. A snapshot keeps them in a table beside the data: table, column, row (from 1, in load order), code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.sql import quote
from alsbench.errors import DataError
from alsbench.study.sql import Kind

if TYPE_CHECKING:
    from alsbench.data.snapshot import Snapshot

EPOCH = np.datetime64("1960-01-01")
_FIRST, _LAST = np.datetime64("1582-10-15"), np.datetime64("9999-12-31")
_DATETIME = re.compile(
    r"DATETIME|DATEAMPM|MDYAMPM|DTDATE|DTMONYY|DTWKDATX|DTYEAR|DTYYQC|(E|B|IS)8601(DT|DZ|DN|DX|LX)|NLDATM[A-Z]*|EURDFDT"
)
_TIME = re.compile(r"TIME|TIMEAMPM|TOD|HHMM|HOUR|MMSS|(E|B|IS)8601(TM|TZ|TX|LZ)|NLTIM(AP|E)")
_DATE = re.compile(
    r"DATE|DAY|(DDMMYY|MMDDYY|YYMMDD|MMYY|YYMM|YYQ|YYQR)[BCDNPS]?|YYQZ|YYWEEK[UVW]|MONYY|YYMON|MONNAME|MONTH|QTRR?|YEAR"
    r"|WEEKDA(TE|TX|Y)|WORDDAT[EX]|JULDAY|JULIAN|PDJUL[GI]|NLDATE[A-Z]*|(E|B|IS)8601DA|EURDF(DD|DE|DN|DWN|MN|MY|WDX|WKX)|HDATE"
    r"|HEBDATE|MINGUO|NENGO|DOWNAME|WEEK[UVW]"
)
CELLS = "special_missing"
CELLS_SQL = (
    f"CREATE TABLE IF NOT EXISTS alsbench_meta.{CELLS} "
    "(table_name VARCHAR, column_name VARCHAR, row_number BIGINT, code VARCHAR)"
)
_KEY = b"alsbench.special:"
_BYTES = 5
_PAGE = 20_000


@dataclass(frozen=True)
class MaskedNumbers:
    """Numbers of one column and which of them are missing."""

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]


def date_kind(form: str) -> Kind:
    """The kind of a numeric SAS column, from its format: date, text (datetimes and times) or number.

    A trial's own formats tell nothing: ``TIMEPT.`` is not ``TIME.``, ``VISDAY.`` not ``DAY.``.
    """
    name = _name(form)
    if _DATETIME.fullmatch(name) or _TIME.fullmatch(name):
        return "text"
    return "date" if _DATE.fullmatch(name) else "number"


def _name(form: str) -> str:
    """The name of a format without width and decimals: ``DATETIME`` of ``DATETIME20.3``."""
    return re.sub(r"\d*\.?\d*$", "", form.strip().upper())


def to_arrow(field: MaskedNumbers, kind: Kind, form: str, *, where: str, column: str, first_row: int = 1) -> Any:
    """Numbers as stored by SAS in the column's kind. Raises DataError naming row and column for a date outside 1582-9999."""
    if kind == "number":
        return pa.array(field.values, mask=field.missing)
    if kind == "date":
        return _dates(field, where, column, first_row)
    if _DATETIME.fullmatch(_name(form)):
        return _datetimes(field, where, column, first_row)
    return _times(field, where, column, first_row)


def _dates(field: MaskedNumbers, where: str, column: str, first_row: int) -> Any:
    days = np.floor(np.where(field.missing, 0.0, field.values))
    low, high = (_FIRST - EPOCH).astype(float), (_LAST - EPOCH).astype(float)
    _within(days, low, high, field, where, column, first_row)
    dates = EPOCH + days.astype("timedelta64[D]")
    return pa.array(dates.astype("datetime64[D]"), mask=field.missing)


def _datetimes(field: MaskedNumbers, where: str, column: str, first_row: int) -> Any:
    seconds = np.floor(np.where(field.missing, 0.0, field.values))
    low, high = ((d - EPOCH).astype("timedelta64[s]").astype(float) for d in (_FIRST, _LAST))
    _within(seconds, low, high, field, where, column, first_row)
    moments = EPOCH.astype("datetime64[s]") + seconds.astype("timedelta64[s]")
    return pa.array(np.datetime_as_string(moments, unit="s").astype(object), pa.string(), mask=field.missing)


def _times(field: MaskedNumbers, where: str, column: str, first_row: int) -> Any:
    seconds = np.where(field.missing, 0.0, field.values)
    _within(seconds, -1e9, 1e9, field, where, column, first_row)
    texts = [_clock(int(s)) for s in np.floor(seconds)]
    return pa.array(np.array(texts, dtype=object), pa.string(), mask=field.missing)


def _clock(seconds: int) -> str:
    sign, left = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{left // 3600:02d}:{left // 60 % 60:02d}:{left % 60:02d}"


def _within(
    values: NDArray[np.float64], low: float, high: float, field: MaskedNumbers, where: str, column: str, first_row: int
) -> None:
    wild = np.flatnonzero(~field.missing & ~((values >= low) & (values <= high)))
    if wild.size:
        raise DataError(
            f"{column} is no possible date",
            where=f"{where} row {first_row + int(wild[0])} column {column}",
            why="its format says date or time, its number lies outside the calendar",
        )


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


def with_special_cells(batch: pa.RecordBatch, cells: Iterable[SpecialCells]) -> pa.RecordBatch:
    """The batch with the codes of its cells."""
    told = special_metadata(cells)
    return batch.replace_schema_metadata(told) if told else batch


def special_metadata(cells: Iterable[SpecialCells]) -> dict[bytes, bytes]:
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


def table_metadata(batches: Iterable[pa.RecordBatch]) -> dict[bytes, bytes]:
    """Schema metadata for a table made of these batches."""
    parts: dict[str, list[SpecialCells]] = {}
    done = 0
    for batch in batches:
        for cells in cells_of(batch.schema.metadata, rows=batch.num_rows):
            parts.setdefault(cells.column, []).append(SpecialCells(cells.column, cells.rows + done, cells.codes))
        done += batch.num_rows
    return special_metadata(
        SpecialCells(name, np.concatenate([p.rows for p in some]), np.concatenate([p.codes for p in some]))
        for name, some in parts.items()
    )


def cells_within(cells: Iterable[SpecialCells], first: int, count: int) -> Iterator[SpecialCells]:
    """The cells of the rows from ``first``, counted from there."""
    for c in cells:
        start, end = np.searchsorted(c.rows, (first, first + count))
        if end > start:
            yield SpecialCells(c.column, c.rows[start:end] - first, c.codes[start:end])


def counts_text(counts: Mapping[str, int]) -> str:
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


def special_codes(table: pa.Table) -> dict[str, NDArray[np.int64]]:
    """Column -> for every row the ASCII number of its special missing value, 0 where there is none."""
    made = {}
    for cells in cells_of(table.schema.metadata, rows=table.num_rows):
        made[cells.column] = np.zeros(table.num_rows, dtype=np.int64)
        made[cells.column][cells.rows] = cells.codes
    return made


def reordered_metadata(told: Mapping[bytes, bytes] | None, order: NDArray[np.int64], gone: Iterable[str]) -> dict[bytes, bytes]:
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
    return special_metadata(made)


def _kept(snapshot: Snapshot) -> bool:
    sql = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'alsbench_meta' AND table_name = ?"
    return bool(snapshot.rows(sql, [CELLS])[0][0])
