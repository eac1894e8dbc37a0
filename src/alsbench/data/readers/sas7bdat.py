"""SAS7BDAT, through ReadStat (pyreadstat): the header's row count must be the number of rows read.

Dates stay numbers in ReadStat and are converted here by their SAS format, so that a date outside the calendar is an error with
a row and not an overflow. Special missing values are missing, handed over with their batch and counted in the remarks.
ReadStat stops where it has its rows: that the file is as long as its header says is checked here. Texts in the encodings of
Hebrew and Vietnamese Windows, whose last letters it loses and gives to the next text, are refused by name.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from alsbench.data.dataset import ARROW_TYPE, BATCH_ROWS, Dataset, check_columns, clean_text, library_errors
from alsbench.data.frames import ColumnInfo
from alsbench.data.sas import MaskedNumbers, SpecialCells, counts_text, date_kind, to_arrow, with_special_cells
from alsbench.errors import DataError

CELLS = 2_000_000  # of one reading: ReadStat decompresses the rows before an offset again each time
_ENCODING = 70  # the header byte that says in which encoding the texts are
# ReadStat hands each text to iconv and does not ask for what iconv holds back: letters to which a mark may follow
_GARBLED = {65: "Windows-1255 (Hebrew)", 68: "Windows-1258 (Vietnamese)"}
_PADDED = 0x33  # the header byte that says: four bytes more stand here


def read_sas7bdat(path: Path, *, name: str) -> list[Dataset]:
    """The file as one data set. Raises DataError for what ReadStat cannot read."""
    _check_header(path)
    _, meta = _read(path, metadataonly=True)
    names = [n or "" for n in meta.column_names]
    check_columns(names, str(path))
    formats: dict[str, str] = {k: v or "" for k, v in meta.original_variable_types.items()}
    labels: dict[str, str] = {k: v or "" for k, v in meta.column_names_to_labels.items()}
    texts = {n for n in names if meta.readstat_variable_types.get(n) == "string"}
    widths: dict[str, int] = {k: int(v or 0) for k, v in meta.variable_storage_width.items()}
    columns = tuple(
        ColumnInfo(
            n,
            labels.get(n, ""),
            "text" if n in texts else date_kind(formats.get(n, "")),
            _shown(formats.get(n, "")),
            "Char" if n in texts else "Num",
            widths.get(n, 0),
        )
        for n in names
    )
    remarks: list[str] = []
    inside = (meta.table_name or "").upper()
    if inside and inside != name:
        remarks.append(f"the file is named {name}, the data set in it {inside}: {name} is used")
    rows = meta.number_rows
    return [
        Dataset(
            name=name,
            columns=columns,
            batches=lambda: _batches(path, columns, rows, remarks),
            label=meta.file_label or "",
            rows=rows,
            remarks=remarks,
        )
    ]


def _check_header(path: Path) -> None:
    """Refuse a file whose texts would be read wrong, and one that is shorter or longer than its header and pages.

    ReadStat judges a header that makes no sense.
    """
    with path.open("rb") as file:
        head = file.read(220)
    if len(head) < 220 or head[37] not in (0, 1):
        return
    if (encoding := _GARBLED.get(head[_ENCODING])) is not None:
        what = f"the texts are in {encoding}, which ReadStat reads wrong: it loses letters"
        hint = "write it again in UTF-8 (PROC COPY with OPTIONS ENCODING or the data set option OUTENCODING='UTF-8'), or as CSV"
        raise DataError(what, where=f"{path} byte {_ENCODING}", hint=hint)
    order = "<" if head[37] == 1 else ">"
    at = 200 if head[35] == _PADDED else 196
    header, page, pages = struct.unpack_from(f"{order}II{'Q' if head[32] == _PADDED else 'I'}", head, at)
    size, whole = path.stat().st_size, header + page * pages
    if size != whole:
        what = (
            f"the file is cut short: it has {size} bytes" if size < whole else f"bytes follow the last page: {size} there are"
        )
        why = f"its header says {whole}: {pages} pages of {page} after {header}"
        hint = "copy the file again, in binary mode"
        raise DataError(what, where=f"{path} byte {min(size, whole)}", why=why, hint=hint)


def _batches(path: Path, columns: tuple[ColumnInfo, ...], rows: int | None, remarks: list[str]) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in columns])
    done, special, fresh = 0, dict[str, Counter[str]](), len(remarks)
    most = max(BATCH_ROWS, CELLS // max(len(columns), 1))
    while rows is None or done < rows:
        values, _ = _read(path, row_offset=done, row_limit=most, user_missing=True)
        count = len(next(iter(values.values()), ()))
        if count == 0:
            break
        marked = [cells for c in columns if c.type == "Num" and (cells := _special(c.name, values[c.name])) is not None]
        for cells in marked:
            special.setdefault(cells.column, Counter()).update(cells.counts())
        arrays = [_convert(values[c.name], c, str(path), done) for c in columns]
        yield with_special_cells(pa.RecordBatch.from_arrays(arrays, schema=schema), marked)
        done += count
    notes = [f"{column}: special missing values {counts_text(counts)}" for column, counts in sorted(special.items())]
    remarks[fresh:] = [n for n in notes if n not in remarks[:fresh]]


def _special(column: str, values: Any) -> SpecialCells | None:
    """The cells of a numeric column in which ReadStat found a special missing value: it gives the letter."""
    held = [(i, ord(v)) for i, v in enumerate(values) if isinstance(v, str)]
    if not held:
        return None
    rows, codes = zip(*held, strict=True)
    return SpecialCells(column, np.array(rows, np.int64), np.array(codes, np.uint8))


def _convert(values: Any, column: ColumnInfo, where: str, done: int) -> Any:
    if column.type == "Char":
        return clean_text(pa.array([v if isinstance(v, str) else None for v in values], pa.string()))
    numbers = np.array([np.nan if v is None or isinstance(v, str) else v for v in values], dtype=np.float64)
    field = MaskedNumbers(numbers, np.isnan(numbers))
    return to_arrow(field, column.kind, column.format, where=where, column=column.name, first_row=done + 1)


def _shown(form: str) -> str:
    return form if not form or "." in form else f"{form}."


def _read(path: Path, **options: Any) -> tuple[dict[str, Any], Any]:
    import pyreadstat  # waits: pyreadstat

    hint = "it may be cut short, encrypted or damaged; export it again, or as XPT"
    with library_errors(path, "the file is not readable SAS7BDAT", hint=hint):
        result: tuple[dict[str, Any], Any] = pyreadstat.read_sas7bdat(
            str(path), disable_datetime_conversion=True, output_format="dict", **options
        )
    return result
