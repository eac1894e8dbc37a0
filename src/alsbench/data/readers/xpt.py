"""SAS transport files, versions 5 and 8 (SAS TS-140 and its V8 extension), read directly.

Numbers are IBM hexadecimal floating point; text is fixed-width and blank-padded; a file may hold several data sets.
Version 5 has no row count, so a file is accepted only if its length is a multiple of 80 and what follows the last whole
observation is blank padding shorter than one 80-byte card: a cut anywhere but on an observation boundary is seen. Headers are
read in ``xpt_members``, where the columns stand is settled in ``xpt_layout``, what their texts say in ``xpt_text``. Dates are
converted by the column's SAS format; special missing values (.A to .Z, ._) are missing, handed over with their batch and
counted in the remarks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.dataset import BATCH_ROWS, Dataset, check_columns
from alsbench.data.frames import ColumnInfo
from alsbench.data.readers.xpt_members import CARD, HEADER, Field, Member, Parser
from alsbench.data.readers.xpt_text import Texts
from alsbench.data.sas import FieldValues, to_arrow
from alsbench.data.special import SpecialCells, attach, counted
from alsbench.errors import DataError


def read_xpt(path: Path, *, name: str) -> list[Dataset]:
    """The data sets of a transport file. Raises DataError for one that is damaged, cut short or has bytes left over."""
    data = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
    start = data[:CARD].tobytes()
    if start.startswith(b"**COMPRESSED**"):
        hint = "write the data with the XPORT engine (LIBNAME XPORT, or %loc2xpt)"
        raise DataError("this is a SAS CPORT file, which only SAS can read", where=f"{path} byte 0", hint=hint)
    if not start.startswith((HEADER + b"LIBRARY ", HEADER + b"LIBV8 ")):
        what = "this is not a SAS transport file: its first 80 bytes are no library header"
        raise DataError(what, where=f"{path} byte 0", hint="the file may be damaged or misnamed")
    if data.size % CARD:
        raise DataError(
            f"the file is cut short or damaged: its length, {data.size} bytes, is not a multiple of {CARD}",
            where=f"{path} byte {data.size}",
            hint="copy the file again, in binary mode",
        )
    members = list(Parser(path, data).members())
    del data
    datasets = [_dataset(path, m, name if len(members) == 1 else "") for m in members]
    names = [d.name for d in datasets]
    if len(set(names)) != len(names):
        raise DataError("two data sets of the file have the same name", where=str(path), hint="was it written twice?")
    return datasets


def _dataset(path: Path, member: Member, fallback: str) -> Dataset:
    columns = tuple(
        ColumnInfo(f.name, f.label, f.kind, f.format, "Num" if f.numeric else "Char", f.width) for f in member.fields
    )
    check_columns([c.name for c in columns], str(path))
    name = (member.name or fallback).upper()
    if not name:
        raise DataError("a data set of the file has no name", where=str(path))
    if member.promised is not None and member.promised != member.rows:
        raise DataError(f"the header promises {member.promised} rows, the file holds {member.rows}", where=str(path))
    remarks = list(member.remarks)
    if fallback and member.name.upper() != fallback.upper():
        remarks.append(f"the file is named {fallback}, the data set in it {member.name or 'nothing'}: {name} is used")
    return Dataset(
        name=name,
        columns=columns,
        batches=lambda: _batches(path, member, remarks),
        label=member.label,
        rows=member.promised,
        remarks=remarks,
    )


def _batches(path: Path, member: Member, remarks: list[str]) -> Iterator[pa.RecordBatch]:
    schema = Dataset(member.name, tuple(ColumnInfo(f.name, kind=f.kind) for f in member.fields), lambda: iter(())).schema
    special: dict[str, Counter[str]] = {}
    texts = Texts(str(path))
    letters = [f for f in member.fields if not f.numeric]
    fresh = len(remarks)
    with path.open("rb") as file:
        file.seek(member.start)
        for done in range(0, member.rows, BATCH_ROWS):
            count = min(BATCH_ROWS, member.rows - done)
            raw = file.read(count * member.width)
            if len(raw) < count * member.width:
                raise DataError("the file became shorter while it was read", where=str(path))
            cells = np.frombuffer(raw, dtype=np.uint8).reshape(count, member.width)
            _refuse_hole(path, cells, letters, done)
            marked: list[SpecialCells] = []
            arrays = [_column(path, cells[:, f.position : f.position + f.width], f, done, marked, texts) for f in member.fields]
            for some in marked:
                special.setdefault(some.column, Counter()).update(some.counts())
            yield attach(pa.RecordBatch.from_arrays(arrays, schema=schema), marked)
    notes = [f"{column}: special missing values {counted(counts)}" for column, counts in sorted(special.items())]
    notes += [f"{column}: text is not UTF-8 and was read as Windows-1252" for column in sorted(texts.windows)]
    remarks[fresh:] = [n for n in notes if n not in remarks[:fresh]]


def _refuse_hole(path: Path, cells: NDArray[np.uint8], letters: list[Field], done: int) -> None:
    """A record of NUL bytes throughout is a hole in a damaged file: texts are padded with blanks."""
    if not letters:
        return
    for row in np.flatnonzero(cells[:, letters[0].position] == 0):
        if not np.any(cells[row]):
            what, hint = "the observation is made of NUL bytes", "the file is damaged: copy it again, in binary mode"
            raise DataError(what, where=f"{path} row {done + int(row) + 1}", hint=hint)


def _column(path: Path, cells: NDArray[np.uint8], field: Field, done: int, marked: list[SpecialCells], texts: Texts) -> Any:
    if not field.numeric:
        return texts.column(cells, field.name, done)
    values, missing, special = ibm_to_float(cells)
    if special.size:
        marked.append(SpecialCells(field.name, special, cells[special, 0]))
    return to_arrow(
        FieldValues(values, missing), field.kind, field.format, where=str(path), column=field.name, first_row=done + 1
    )


def ibm_to_float(cells: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """IBM hexadecimal floats of 2 to 8 bytes (rows x width) as doubles, which are missing, and the rows of special ones.

    value = (-1)^sign * 0.mantissa (base 16) * 16^(exponent - 64), with a 7-bit exponent and up to 56 bits of mantissa.
    """
    full = np.zeros((len(cells), 8), dtype=np.uint8)
    full[:, : cells.shape[1]] = cells
    bits = full.view(">u8")[:, 0].astype(np.uint64)
    mantissa = bits & np.uint64(0x00FF_FFFF_FFFF_FFFF)
    lead = full[:, 0]
    missing = (mantissa == 0) & ((lead == 0x2E) | (lead == 0x5F) | ((lead >= 0x41) & (lead <= 0x5A)))
    exponent = ((bits >> np.uint64(56)) & np.uint64(0x7F)).astype(np.int32)
    values = np.ldexp(mantissa.astype(np.float64), 4 * (exponent - 64) - 56)
    values[(bits >> np.uint64(63)) == 1] *= -1.0
    values[missing] = np.nan
    return values, missing, np.flatnonzero(missing & (lead != 0x2E)).astype(np.int64)
