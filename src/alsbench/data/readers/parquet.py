"""Parquet: types and row count come from the file's own footer.

Integers, floats and decimals are numbers; timestamps that all stand at midnight are dates, others ISO 8601 text; integers too
large for a double stay text, so that no digit is lost. A column's label and display format are read where its metadata have
them (``label``, ``format``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from alsbench.data.dataset import ARROW_TYPE, BATCH_ROWS, Dataset, check_columns, clean_text, library_errors, no_value
from alsbench.data.frames import ColumnInfo
from alsbench.data.sanitize import visible
from alsbench.data.sas import SpecialCells, cells_of, cells_within, with_special_cells
from alsbench.errors import DataError
from alsbench.study.sql import Kind

_LARGEST_EXACT = 2**53
_UNREADABLE = "the file is not readable Parquet"
_AGAIN = "it may be cut short, damaged or misnamed; fetch it again"
_TOLD = (b"label", b"format", b"type", b"length")


def read_parquet(path: Path, *, name: str) -> list[Dataset]:
    """The file as one data set. Raises DataError for a file that is not whole, not Parquet, or holds nested columns."""
    with library_errors(path, _UNREADABLE, hint=_AGAIN), pq.ParquetFile(path, memory_map=False) as footer:
        schema = footer.schema_arrow
        check_columns(schema.names, str(path))
        rows = footer.metadata.num_rows
        columns = tuple(_column(path, f) for f in schema)
        special = list(cells_of(schema.metadata, rows=rows))
        columns = tuple(_settle(path, c, schema.field(c.name).type) for c in columns)
    return [Dataset(name=name, columns=columns, batches=lambda: _batches(path, columns, special), rows=rows)]


def _batches(path: Path, columns: tuple[ColumnInfo, ...], special: list[SpecialCells]) -> Iterator[pa.RecordBatch]:
    schema, done = pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in columns]), 0
    for batch in _stream(path, [c.name for c in columns]):
        with library_errors(path, _UNREADABLE, hint=_AGAIN):  # a value that no date can be, say
            arrays = [_convert(batch.column(c.name), c.kind) for c in columns]
        yield with_special_cells(pa.RecordBatch.from_arrays(arrays, schema=schema), cells_within(special, done, batch.num_rows))
        done += batch.num_rows


def _stream(path: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    with library_errors(path, _UNREADABLE, hint=_AGAIN), pq.ParquetFile(path, memory_map=False) as file:
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=names)


def _column(path: Path, field: pa.Field) -> ColumnInfo:
    kind = _kind(field.type)
    if kind is None:
        what = f"column {visible(field.name)} has type {field.type}, which is not a table's"
        where = f"{path} column {visible(field.name)}"
        raise DataError(what, where=where, hint="write it as numbers, texts, dates or truth values, or leave it out")
    told = {k: v.decode("utf-8", "replace") for k, v in (field.metadata or {}).items() if k in _TOLD}
    length = told.get(b"length", "")
    return ColumnInfo(
        field.name,
        told.get(b"label", ""),
        kind,
        told.get(b"format", ""),
        told.get(b"type", str(field.type)),
        int(length) if length.isdecimal() and len(length) < 10 else 0,
    )


def _kind(type_: pa.DataType) -> Kind | None:
    types = pa.types
    if types.is_dictionary(type_):
        return _kind(type_.value_type)
    if types.is_boolean(type_):
        return "boolean"
    if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_):
        return "number"
    if types.is_date(type_):
        return "date"
    if types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_) or types.is_null(type_):
        return "text"
    if types.is_timestamp(type_) or types.is_time(type_):
        return "text"
    return None


def _settle(path: Path, info: ColumnInfo, type_: pa.DataType) -> ColumnInfo:
    """Decide what only the values can tell: whether timestamps are dates, whether integers fit a double."""
    if pa.types.is_timestamp(type_) and all(_midnight(b.column(0)) for b in _stream(path, [info.name])):
        return replace(info, kind="date", format=info.format or "TIMESTAMP")
    plain = type_.value_type if pa.types.is_dictionary(type_) else type_
    if plain in (pa.int64(), pa.uint64()) and not all(_exact(b.column(0)) for b in _stream(path, [info.name])):
        return replace(info, kind="text", format=info.format or "INTEGER")
    return info


def _midnight(array: Any) -> bool:
    plain = array.cast(pa.timestamp(array.type.unit))  # the wall clock of UTC, as stored
    return bool(pc.all(pc.equal(pc.floor_temporal(plain, unit="day"), plain)).as_py() is not False)


def _exact(array: Any) -> bool:
    plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    bounds = pc.min_max(plain).as_py()
    return bounds["min"] is None or max(abs(bounds["min"]), abs(bounds["max"])) <= _LARGEST_EXACT


def _convert(array: Any, kind: Kind) -> Any:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind == "text":
        if pa.types.is_timestamp(array.type):
            array = pc.strftime(array.cast(pa.timestamp("s"), safe=False), format="%Y-%m-%dT%H:%M:%S")
        return clean_text(array.cast(pa.string()))
    if kind == "number":
        numbers = array.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(numbers), no_value(pa.float64()), numbers)
    if kind == "date" and pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp(array.type.unit))
    return array.cast(ARROW_TYPE[kind])
