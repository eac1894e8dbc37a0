"""Excel workbooks (.xlsx), through openpyxl: each sheet that is not empty is a data set, its first row the header.

Where the first rows are titles (fewer filled cells than the table below is wide) the header is the first row of names that is
as wide as the table; a row of groups above it ("ALSFRS-R" over "Baseline", "Month 3") goes before names that are not distinct
without it. Both are remarks.

Numbers, dates and truth values are as Excel stores them; a column of mixed kinds is text. An error value, a formula without a
stored result, or a value beyond the header's columns is refused with its cell: a spreadsheet has no other way to say that
something is missing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from alsbench.data.codelists import MissingWords
from alsbench.data.dataset import Dataset, check_columns, check_ends, clean_text, from_table, library_errors
from alsbench.data.frames import ColumnInfo
from alsbench.data.readers.delimited import NUMBER_BY_NAME, ROW_NUMBERS
from alsbench.data.sanitize import visible_line
from alsbench.errors import DataError, UnavailableError
from alsbench.study.sql import Kind

_BOMB_BYTES, _BOMB_RATIO = 2**26, 400
_UNREADABLE, _AGAIN = "the file is not a readable Excel workbook", "it may be damaged: copy it again, or save it as CSV"
_Rows = list[list[Any]]
_MOST_TITLES = 20  # rows above a header


def read_excel(path: Path, *, name: str, words: MissingWords | None = None) -> list[Dataset]:
    """One data set per sheet, named like the file if there is one sheet, else like the sheets.

    A cell with one of the ``words`` is empty, as a blank one is.

    Raises DataError naming the cell at fault, UnavailableError where openpyxl is not installed.
    """
    try:
        import openpyxl  # waits: openpyxl
    except ImportError as fault:
        raise UnavailableError(
            "reading Excel files needs openpyxl",
            where=str(path),
            hint="this installation is not complete: install alsbench again, or save the sheet as CSV",
        ) from fault
    _check_size(path)
    with (
        library_errors(path, _UNREADABLE, hint=_AGAIN),
        contextlib.closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as values,
        contextlib.closing(openpyxl.load_workbook(path, read_only=True, data_only=False)) as formulas,
    ):
        sheets = [(s.title, _rows(s, formulas[s.title], f"{path} sheet {s.title}")) for s in values.worksheets]
    filled = [(title, rows) for title, rows in sheets if rows]
    if not filled:
        raise DataError("the workbook is empty", where=str(path))
    said = words.words if words is not None else ()
    return [
        _dataset(name if len(filled) == 1 else title.strip().upper(), rows, f"{path} sheet {title}", MissingWords(said))
        for title, rows in filled
    ]


def _check_size(path: Path) -> None:
    with library_errors(path, _UNREADABLE, hint=_AGAIN), zipfile.ZipFile(path) as archive:
        check_ends(archive, path)
        total = sum(i.file_size for i in archive.infolist())
    if total > max(_BOMB_BYTES, _BOMB_RATIO * path.stat().st_size):
        raise DataError("the workbook unpacks to too much", where=str(path))


def _rows(sheet: Any, formulas: Any, where: str) -> _Rows:
    sheet.reset_dimensions()  # a size that the file states too small would hide rows and columns
    formulas.reset_dimensions()
    rows: _Rows = []
    for number, (cells, written) in enumerate(zip(sheet.iter_rows(), formulas.iter_rows(), strict=True), start=1):
        for place, (cell, source) in enumerate(zip(cells, written, strict=True), start=1):
            if cell.data_type == "e":
                hint = "correct the formula, or empty the cell if the value is missing"
                raise DataError("the cell holds an error", where=f"{where} row {number} column {place}", hint=hint)
            if source.data_type == "f" and cell.value is None:
                what = "the formula has no stored result"
                raise DataError(what, where=f"{where} row {number} column {place}", hint="open the file in Excel and save it")
        rows.append([c.value for c in cells])
    while rows and all(_blank(v) for v in rows[-1]):
        rows.pop()
    return rows


def _dataset(name: str, rows: _Rows, where: str, words: MissingWords) -> Dataset:
    above, rows = _titles(rows)
    header, *body = rows
    header, grouped = _with_groups(header, above)
    names = [str(v).strip() if v is not None else "" for v in header]
    while names and not names[-1]:
        names.pop()
    counted = len(names) > 1 and not names[0] and _counts_rows(body)
    if counted:
        names, body = names[1:], [row[1:] for row in body]
    first = len(above) + 1
    check_columns(names, f"{where} row {first}")
    width = len(names)
    for number, row in enumerate(body, start=first + 1):
        beyond = [i for i, v in enumerate(row) if i >= width and not _blank(v)]
        if beyond:
            what = f"row {number} has a value beyond the last named column"
            hint = "the first row must hold the column names: is a title above them, or a name missing?"
            raise DataError(what, where=f"{where} row {number} column {beyond[0] + 1}", hint=hint)
    kept = [row for row in body if any(not _blank(v) for v in row)]
    columns, arrays, odd = [], [], list[str]()
    for i, column in enumerate(names):
        cells = [row[i] if i < len(row) and not _blank(row[i]) else None for row in kept]
        values = [None if words.means_missing(v, column) else v for v in cells]
        kind = _kind(values, column)
        odd.extend(_odd(values, kind, column))
        columns.append(ColumnInfo(column, kind=kind))
        arrays.append(_array(values, kind))
    dataset = from_table(name, pa.Table.from_arrays(arrays, names=names), columns=columns)
    if counted:
        dataset.remarks.append(ROW_NUMBERS)
    dataset.remarks.extend([*words.remarks, *odd])
    if above:
        dataset.remarks.append(f"row {first} holds the column names, the rows above it titles: {_said(above)}")
    if grouped:
        dataset.remarks.append(f"column names are those of rows {first - 1} and {first}")
    if len(kept) < len(body):
        dataset.remarks.append(f"{len(body) - len(kept)} blank rows are no records")
    return dataset


def _titles(rows: _Rows) -> tuple[_Rows, _Rows]:
    """The rows above the header, and the others. There are none above where the first row names every filled column.

    A title fills at most half as many cells as the table is wide; below a header stand numbers or dates.
    """
    filled = [[i for i, v in enumerate(row) if not _blank(v)] for row in rows]
    width = 1 + max((cells[-1] for cells in filled if cells), default=0)
    if len(rows) < 2 or (filled[0] and filled[0][-1] + 1 >= width):
        return [], rows
    widest = max(len(cells) for cells in filled)
    for place, (row, cells) in enumerate(zip(rows[:_MOST_TITLES], filled, strict=False)):
        named = [row[i] for i in cells]
        if cells and cells[-1] + 1 >= width and 2 * len(cells) > widest and all(isinstance(v, str) for v in named):
            below = [v for later in rows[place + 1 :] for v in later]
            is_table = any(v is not None and not isinstance(v, str) for v in below)  # else it may be a record like the others
            return (rows[:place], rows[place:]) if is_table else ([], rows)
        if 2 * len(cells) > widest:
            break  # as wide as a record: no title
    return [], rows


def _with_groups(header: list[Any], above: _Rows) -> tuple[list[Any], bool]:
    """A header whose names are not distinct, each with the group that stands above it or to the left of that."""
    names = [None if _blank(v) else str(v).strip() for v in header]
    said = [n.upper() for n in names if n is not None]
    if len(set(said)) == len(said) or not above:
        return header, False
    group: str | None = None
    found: list[Any] = []
    for i, name in enumerate(names):
        over = above[-1][i] if i < len(above[-1]) else None
        group = group if _blank(over) else str(over).strip()
        found.append(name if name is None or group is None or said.count(name.upper()) == 1 else f"{group} {name}")
    return found, True


def _said(above: _Rows) -> str:
    return visible_line("; ".join(str(v).strip() for row in above for v in row if not _blank(v)), limit=80)


def _counts_rows(body: _Rows) -> bool:
    """Whether the first cells count the rows from 1, as R writes its row names."""
    kept = [row for row in body if any(not _blank(v) for v in row)]
    return bool(kept) and all(row[:1] in ([n], [str(n)]) for n, row in enumerate(kept, start=1))


def _odd(values: list[Any], kind: Kind, column: str) -> Iterator[str]:
    """A column named like a number that is text, and the first row that makes it so."""
    if kind != "text" or not column.upper().endswith(NUMBER_BY_NAME):
        return
    odd = next((i for i, v in enumerate(values) if v is not None and not isinstance(v, (int, float))), None)
    if odd is not None:
        yield f"{column} is text: row {odd + 1} is the first that holds no number: {visible_line(_text(values[odd]), limit=30)}"


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in ("", "."))


def _kind(values: list[Any], column: str) -> Kind:
    present = [v for v in values if v is not None]
    if not present:
        return "number" if column.upper().endswith(NUMBER_BY_NAME) else "text"
    if all(isinstance(v, bool) for v in present):
        return "boolean"
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in present):
        return "number"
    if all(isinstance(v, dt.date) and _midnight(v) for v in present):
        return "date"
    return "text"


def _midnight(value: dt.date) -> bool:
    return not isinstance(value, dt.datetime) or value.time() == dt.time()


def _array(values: list[Any], kind: Kind) -> Any:
    match kind:
        case "number":
            return pa.array([None if v is None else float(v) for v in values], pa.float64())
        case "boolean":
            return pa.array(values, pa.bool_())
        case "date":
            return pa.array([v.date() if isinstance(v, dt.datetime) else v for v in values], pa.date32())
    return clean_text(pa.array([None if v is None else _text(v) for v in values], pa.string()))


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)
