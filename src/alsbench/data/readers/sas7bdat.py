"""SAS7BDAT, through ReadStat (pyreadstat): the header's row count must be the number of rows read.

Dates stay numbers in ReadStat and are converted here by their SAS format, so that a date outside the calendar is an error with
a row and not an overflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from alsbench.data.dataset import ARROW_TYPE, BATCH_ROWS, Dataset, check_columns, clean_text
from alsbench.data.frames import ColumnInfo
from alsbench.data.sas import FieldValues, date_kind, to_arrow
from alsbench.errors import DataError


def read_sas7bdat(path: Path, *, name: str) -> list[Dataset]:
    """The file as one data set. Raises DataError for what ReadStat cannot read."""
    _, meta = _read(path, metadataonly=True)
    names = list(meta.column_names)
    check_columns(names, str(path))
    formats: dict[str, str] = {k: v or "" for k, v in meta.original_variable_types.items()}
    labels: dict[str, str] = {k: v or "" for k, v in meta.column_names_to_labels.items()}
    texts = {n for n in names if meta.readstat_variable_types.get(n) == "string"}
    columns = tuple(
        ColumnInfo(n, labels.get(n, ""), "text" if n in texts else date_kind(formats.get(n, "")), _shown(formats.get(n, "")))
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
            batches=lambda: _batches(path, columns, rows),
            label=meta.file_label or "",
            rows=rows,
            remarks=remarks,
        )
    ]


def _batches(path: Path, columns: tuple[ColumnInfo, ...], rows: int | None) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in columns])
    done = 0
    while rows is None or done < rows:
        values, _ = _read(path, row_offset=done, row_limit=BATCH_ROWS)
        count = len(next(iter(values.values()), ()))
        if count == 0:
            return
        arrays = [_convert(values[c.name], c, str(path), done) for c in columns]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        done += count


def _convert(values: Any, column: ColumnInfo, where: str, done: int) -> Any:
    if column.kind == "text" and not _is_time(column):
        return clean_text(pa.array([v if isinstance(v, str) else None for v in values], pa.string()))
    numbers = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    field = FieldValues(numbers, np.isnan(numbers))
    return to_arrow(field, column.kind, column.format, where=where, column=column.name, first_row=done + 1)


def _is_time(column: ColumnInfo) -> bool:
    return bool(column.format) and not column.format.startswith("$") and date_kind(column.format) == "text"


def _shown(form: str) -> str:
    return form if not form or "." in form else f"{form}."


def _read(path: Path, **options: Any) -> tuple[dict[str, Any], Any]:
    import pyreadstat

    try:
        result: tuple[dict[str, Any], Any] = pyreadstat.read_sas7bdat(
            str(path), disable_datetime_conversion=True, output_format="dict", **options
        )
    except (
        pyreadstat.ReadstatError,
        pyreadstat.PyreadstatError,
        UnicodeDecodeError,
        OverflowError,
        ValueError,
        OSError,
    ) as fault:
        raise DataError(
            "the file is not readable SAS7BDAT",
            where=str(path),
            why=str(fault)[:200],
            hint="it may be cut short, encrypted or damaged; export it again, or as XPT",
        ) from fault
    return result
