"""What a reader hands over: named, typed columns and a stream of record batches, the same whatever the file's format.

Four kinds of column exist and each has one Arrow type: number (double), text (string), date (date32), boolean (bool). A
missing value is null; an empty or blank text is missing. The content hash is of these values, not of a file: the same table
read from XPT, CSV, Parquet or JSON hashes alike, however it was cut into batches.

openpyxl, zipfile, Arrow and ReadStat were written for whole files; a damaged one leads them into errors of any class. Around
their calls (:func:`library_errors`) every error but those of the system's own is the file's.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from alsbench.data.frames import ColumnInfo
from alsbench.data.sanitize import visible
from alsbench.data.sas import table_metadata
from alsbench.errors import AlsbenchError, DataError, is_interrupt
from alsbench.study.sql import Kind

BATCH_ROWS = 65_536
ARROW_TYPE: dict[Kind, Any] = {"number": pa.float64(), "text": pa.string(), "date": pa.date32(), "boolean": pa.bool_()}
_MISSING_DATE = np.int32(np.iinfo(np.int32).min)
_END_MARK, _END_BYTES = b"PK\x05\x06", 22
_OF_THE_SYSTEM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(frozen=True)
class Dataset:
    """One data set of one file. ``batches()`` streams it from the start each time; ``rows`` is what the format promises.

    ``rows`` is None where the format carries no row count (XPT, CSV). ``remarks`` are for the load receipt; some are only
    known once the data have been streamed.
    """

    name: str
    columns: tuple[ColumnInfo, ...]
    batches: Callable[[], Iterator[pa.RecordBatch]]
    label: str = ""
    rows: int | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema every batch has."""
        return pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in self.columns])

    def table(self) -> pa.Table:
        """The whole data set in memory; its schema's metadata tell of special missing values (``data/special``)."""
        batches = list(self.batches())
        table = pa.Table.from_batches(batches, schema=self.schema)
        return table.replace_schema_metadata(table_metadata(batches) or None)


def from_table(
    name: str, table: pa.Table, *, columns: Sequence[ColumnInfo], label: str = "", rows: int | None = None
) -> Dataset:
    """A data set held in memory. The table's columns are cast to the types of ``columns``."""
    schema = pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in columns])
    held = table.cast(schema)
    return Dataset(
        name=name,
        columns=tuple(columns),
        batches=lambda: iter(held.to_batches(max_chunksize=BATCH_ROWS)),
        label=label,
        rows=rows,
    )


def check_columns(names: Sequence[str], where: str) -> None:
    """Refuse a data set without columns, a column without a name, and names that differ in nothing but case."""
    if not names:
        raise DataError("the file holds no columns", where=where)
    seen: dict[str, tuple[int, str]] = {}
    for number, name in enumerate(names, start=1):
        if not name.strip() or "\0" in name:
            raise DataError(f"column {number} has no usable name", where=where, hint="name it, or remove the column")
        if name.upper() == "ROWID":
            raise DataError("a column is named ROWID, which the database needs for itself", where=where, hint="rename it")
        if name.upper() in seen:
            first, other = seen[name.upper()]
            raise DataError(
                f"two columns are named {visible(name)}: columns {first} and {number}",
                where=where,
                why="" if other == name else visible(f"{other} and {name} differ in case only"),
                hint="rename one of them",
            )
        seen[name.upper()] = (number, name)


def clean_text(column: Any, *, missing: tuple[str, ...] = ("",)) -> Any:
    """A string array without trailing blanks (which mean nothing in SAS either), null where one of ``missing`` is left."""
    if _is_clean(column, missing):
        return column
    trimmed = pc.ascii_rtrim_whitespace(column)
    nothing = no_value(pa.string())
    for absent in missing:
        trimmed = pc.if_else(pc.equal(trimmed, _text_value(absent)), nothing, trimmed)
    return trimmed


def no_value(type_: Any) -> Any:
    """A missing value of an Arrow type. ``pa.scalar`` and ``pa.array`` import pandas before they look at a Python value."""
    return pa.nulls(1, type_)[0]


def _text_value(text: str) -> Any:
    content = text.encode()
    offsets = pa.py_buffer(np.array([0, len(content)], dtype=np.int32))
    return pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(content)])[0]


def _filled(array: Any, absent: np.generic) -> NDArray[Any]:
    """The values of an array of fixed width, ``absent`` (of the same width) where missing; as ``to_numpy``, without pandas."""
    if len(array) == 0:
        return np.empty(0, dtype=absent.dtype)
    filler = pa.Array.from_buffers(array.type, 1, [None, pa.py_buffer(np.array([absent]))])[0]
    whole = pc.fill_null(array, filler)
    start = whole.offset * absent.dtype.itemsize
    return np.frombuffer(whole.buffers()[1], dtype=absent.dtype, count=len(whole), offset=start)


def _is_clean(column: Any, missing: tuple[str, ...]) -> bool:
    """Whether nothing is to be done, told from the last byte and the length of each text (most columns are clean)."""
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    sizes = np.diff(bounds)
    filled = bounds[1:][sizes > 0]
    if filled.size + column.null_count < len(column):
        return False  # an empty text
    if filled.size == 0:
        return True
    codes = np.frombuffer(data, dtype=np.uint8)
    if bool(np.any(codes[filled - 1] <= 0x20)):
        return False
    single = {m.encode()[0] for m in missing if len(m) == 1}
    alone = codes[bounds[1:][sizes == 1] - 1] if single else codes[:0]
    return not any(bool(np.any(alone == code)) for code in single)


class ContentHash:
    """SHA-256 of a table's canonical contents, fed batch by batch."""

    def __init__(self, columns: Sequence[ColumnInfo]) -> None:
        self._columns = tuple(columns)
        self._values = [hashlib.sha256() for _ in columns]
        self._lengths = [hashlib.sha256() for _ in columns]
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the next batch; how the rows are cut into batches does not matter."""
        self.rows += batch.num_rows
        for info, array, values, lengths in zip(self._columns, batch.columns, self._values, self._lengths, strict=True):
            if info.kind == "text":
                sizes, content = _text_parts(array)
                lengths.update(sizes)
                values.update(content)
            else:
                values.update(_fixed_part(array, info.kind))

    def hexdigest(self) -> str:
        """The hash of column names, kinds, row count and every value, in order."""
        whole = hashlib.sha256()
        whole.update(f"alsbench.table/1 {self.rows}\n".encode())
        for info, values, lengths in zip(self._columns, self._values, self._lengths, strict=True):
            whole.update(f"{len(info.name.encode())} {info.name} {info.kind}\n".encode())
            whole.update(values.digest())
            whole.update(lengths.digest())
        return whole.hexdigest()


def _text_parts(array: Any) -> tuple[bytes, Any]:
    """Byte lengths (-1 where missing) and the bytes themselves, of the rows of this array only."""
    sizes = _filled(pc.binary_length(array), np.int32(-1))
    if array.null_count == 0 or sizes.min(initial=0) >= 0:
        packed = array
    else:
        packed = pc.fill_null(array, _text_value(""))
    _, offsets, data = packed.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[packed.offset : packed.offset + len(packed) + 1]
    content = memoryview(data)[int(bounds[0]) : int(bounds[-1])] if data is not None and len(bounds) else b""
    return np.ascontiguousarray(sizes, dtype="<i4").tobytes(), content


def _fixed_part(array: Any, kind: Kind) -> Any:
    if kind == "number":
        numbers = _filled(array, np.float64("nan")).astype("<f8") + 0.0  # -0.0 becomes 0.0
        numbers[np.isnan(numbers)] = np.nan
        return np.ascontiguousarray(numbers).tobytes()
    if kind == "date":
        days = _filled(array.cast(pa.int32()), _MISSING_DATE)
        return np.ascontiguousarray(days, dtype="<i4").tobytes()
    flags = _filled(array.cast(pa.int8()), np.int8(-1))
    return np.ascontiguousarray(flags, dtype="<i1").tobytes()


@contextlib.contextmanager
def library_errors(path: Path, what: str, *, hint: str = "") -> Iterator[None]:
    """Calls of a library that reads ``path``. Raises DataError for what it cannot read."""
    try:
        yield
    except AlsbenchError:
        raise
    except Exception as fault:
        if type(fault) is MemoryError:
            raise
        if is_interrupt(fault):
            raise KeyboardInterrupt from fault
        if isinstance(fault, OSError) and fault.errno in _OF_THE_SYSTEM:
            raise
        why = visible(" ".join(str(fault).split()))[:300] or type(fault).__name__
        raise DataError(what, where=str(path), why=why, hint=hint) from fault


def check_ends(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse bytes before the first file or after the end of a zip file: it was damaged or added to on its way."""
    end = path.stat().st_size - _END_BYTES - len(archive.comment)
    with path.open("rb") as file:
        file.seek(max(end, 0))
        closed = file.read(len(_END_MARK)) == _END_MARK
    first = min((i.header_offset for i in archive.infolist()), default=0)
    if first or not closed:
        place = "before its first file" if first else "after its end"
        hint = "copy or download it again, in binary mode"
        raise DataError(f"bytes stand {place}", where=f"{path} byte {0 if first else end}", hint=hint)
