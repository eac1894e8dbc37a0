"""SAS transport files, versions 5 and 8 (SAS TS-140 and its V8 extension), read directly.

Numbers are IBM hexadecimal floating point; text is fixed-width and blank-padded; a file may hold several data sets.
Version 5 has no row count, so a file is accepted only if its length is a multiple of 80 and what follows the last whole
observation is blank padding shorter than one 80-byte card: a cut anywhere but on an observation boundary is seen. Dates
are converted by the column's SAS format; special missing values (.A to .Z, ._) are missing, handed over with their batch and
counted in the remarks.
"""

from __future__ import annotations

import itertools
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.dataset import BATCH_ROWS, Dataset, check_columns, clean_text
from alsbench.data.frames import ColumnInfo
from alsbench.data.sas import FieldValues, date_kind, to_arrow
from alsbench.data.special import SpecialCells, attach, counted
from alsbench.errors import DataError
from alsbench.study.sql import Kind

CARD = 80
_HEADER = b"HEADER RECORD*******"
_MAX_COLUMNS = 32_767


@dataclass(frozen=True)
class _Field:
    name: str
    label: str
    numeric: bool
    format: str
    position: int
    width: int

    @property
    def kind(self) -> Kind:
        return date_kind(self.format) if self.numeric else "text"


@dataclass(frozen=True)
class _Member:
    """One data set of the file: where its observations start and end, and how one is laid out."""

    name: str
    label: str
    fields: tuple[_Field, ...]
    start: int
    rows: int
    width: int
    promised: int | None


def read_xpt(path: Path, *, name: str) -> list[Dataset]:
    """The data sets of a transport file. Raises DataError for one that is damaged, cut short or has bytes left over."""
    data = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
    start = data[:CARD].tobytes()
    if start.startswith(b"**COMPRESSED**"):
        hint = "write the data with the XPORT engine (LIBNAME XPORT, or %loc2xpt)"
        raise DataError("this is a SAS CPORT file, which only SAS can read", where=f"{path} byte 0", hint=hint)
    if not start.startswith((_HEADER + b"LIBRARY ", _HEADER + b"LIBV8 ")):
        what = "this is not a SAS transport file: its first 80 bytes are no library header"
        raise DataError(what, where=f"{path} byte 0", hint="the file may be damaged or misnamed")
    if data.size % CARD:
        raise DataError(
            f"the file is cut short or damaged: its length, {data.size} bytes, is not a multiple of {CARD}",
            where=f"{path} byte {data.size}",
            hint="copy the file again, in binary mode",
        )
    members = list(_Parser(path, data).members())
    del data
    datasets = [_dataset(path, m, name if len(members) == 1 else "") for m in members]
    names = [d.name for d in datasets]
    if len(set(names)) != len(names):
        raise DataError("two data sets of the file have the same name", where=str(path), hint="was it written twice?")
    return datasets


class _Parser:
    """Walks the 80-byte cards of the file's headers."""

    def __init__(self, path: Path, data: NDArray[np.uint8]) -> None:
        self.path = path
        self.data = data
        self.at = 0

    def members(self) -> Iterator[_Member]:
        self.at = 3 * CARD
        while self.at < self.data.size:
            yield self.member()
        if self.at == 3 * CARD:
            raise self.fault("the transport file holds no data set", self.at)

    def member(self) -> _Member:
        start = self.at
        card = self.expect(b"MEMBER  ", b"MEMBV8  ")
        version8 = card[20:28] == b"MEMBV8  "
        size = self.digits(card[73:78], start)
        self.expect(b"DSCRPTR ", b"DSCPTV8 ")
        about, more = self.take(CARD), self.take(CARD)
        name = self.text(about[8:40] if version8 else about[8:16])
        label = self.text(more[32:72])
        place = self.at
        count = self.digits(self.expect(b"NAMESTR ", b"NAMSTV8 ")[53:58], place)
        if size not in (136, 140) or not 0 < count <= _MAX_COLUMNS:
            raise self.fault("the header's column count or size is not possible", start)
        block = self.take(-(-count * size // CARD) * CARD)
        fields = [self.field(block[i * size : (i + 1) * size], version8, place) for i in range(count)]
        card = self.take(CARD)
        if card.startswith(_HEADER + b"LABELV"):
            fields = self.labels(card, fields)
            card = self.take(CARD)
        if not card.startswith((_HEADER + b"OBS     ", _HEADER + b"OBSV8   ")):
            raise self.fault("the header of the observations is missing", self.at - CARD)
        promised = card[48:63].strip(b" ")
        end = self.next_member()
        rows, width = self.observations(fields, self.at, end)
        member = _Member(name, label, tuple(fields), self.at, rows, width, _promise(promised) if version8 else None)
        self.at = end
        return member

    def field(self, raw: bytes, version8: bool, place: int) -> _Field:
        kind, _, width = struct.unpack(">hhh", raw[:6])
        name, label = self.text(raw[8:16]), self.text(raw[16:56])
        form, form_width, decimals = self.text(raw[56:64]), *struct.unpack(">hh", raw[64:68])
        (position,) = struct.unpack(">i", raw[84:88])
        if version8 and len(raw) >= 120:
            name = self.text(raw[88:120]) or name
        numeric = kind == 1
        if kind not in (1, 2) or position < 0 or not (2 <= width <= 8 if numeric else 0 < width <= 32_767):
            raise self.fault(f"the description of column {name or '?'} is damaged", place)
        return _Field(name, label, numeric, _format_text(form, form_width, decimals), position, width)

    def labels(self, card: bytes, fields: list[_Field]) -> list[_Field]:
        """Long labels (LABELV8) and formats (LABELV9) of version 8."""
        parts = 3 if card[20:27] == b"LABELV8" else 5
        start, out = self.at, list(fields)
        for _ in range(self.digits(card[48:53], start)):
            numbers = struct.unpack(f">{parts}h", self.take(2 * parts))
            texts = [self.text(self.take(max(n, 0))) for n in numbers[1:]]
            if not 1 <= numbers[0] <= len(out):
                raise self.fault("a label belongs to no column", self.at)
            old = out[numbers[0] - 1]
            form = texts[2] if parts == 5 and texts[2] else old.format
            out[numbers[0] - 1] = _Field(
                texts[0] or old.name, texts[1] or old.label, old.numeric, form, old.position, old.width
            )
        self.at = start + -(-(self.at - start) // CARD) * CARD
        return out

    def next_member(self) -> int:
        """Offset of the next member's header, or the end of the file."""
        step = 2**24 // CARD * CARD
        for begin in range(self.at, self.data.size, step):
            cards = self.data[begin : begin + step].reshape(-1, CARD)
            candidates = np.flatnonzero(cards[:, 0] == _HEADER[0])
            for i in candidates[np.all(cards[candidates, : len(_HEADER)] == np.frombuffer(_HEADER, np.uint8), axis=1)]:
                if cards[i, 20:26].tobytes() in (b"MEMBER", b"MEMBV8"):
                    return int(begin + i * CARD)
        return int(self.data.size)

    def observations(self, fields: list[_Field], start: int, end: int) -> tuple[int, int]:
        """Number of observations and the width of one; refuses anything but blank padding after the last."""
        width = sum(f.width for f in fields)
        ends = sorted((f.position, f.width) for f in fields)
        if any(p + w > q for (p, w), (q, _) in itertools.pairwise(ends)) or ends[-1][0] + ends[-1][1] > width:
            raise self.fault("the columns' positions overlap: the header is damaged", start)
        rows, left = divmod(end - start, width)
        tail = self.data[end - left : end] if left else self.data[:0]
        if left >= CARD or np.any(tail != 0x20):
            raise DataError(
                f"the last observation is cut short: {left} bytes follow observation {rows}",
                where=f"{self.path} byte {end - left}",
                hint="copy the file again; it is not complete",
            )

        def blank(row: int) -> bool:
            return bool(np.all(self.data[start + row * width : start + (row + 1) * width] == 0x20))

        while rows and left + width < CARD and blank(rows - 1):
            rows, left = rows - 1, left + width
        if rows and any(f.numeric for f in fields) and blank(rows - 1):
            raise DataError(
                f"observation {rows} is blank, which no number is: the file is padded or damaged",
                where=f"{self.path} byte {start + (rows - 1) * width}",
                hint="copy the file again, in binary mode, with nothing added to its end",
            )
        return rows, width

    def expect(self, *kinds: bytes) -> bytes:
        card = self.take(CARD)
        if not card.startswith(tuple(_HEADER + k for k in kinds)):
            raise self.fault(f"a {kinds[0].decode().strip()} header is expected here", self.at - CARD)
        return card

    def take(self, size: int) -> bytes:
        if self.at + size > self.data.size:
            raise self.fault("the file ends inside its headers", int(self.data.size))
        self.at += size
        return self.data[self.at - size : self.at].tobytes()

    def digits(self, raw: bytes, place: int) -> int:
        if not raw.strip().isdigit():
            raise self.fault("a number in the header is damaged", place)
        return int(raw)

    def text(self, raw: bytes) -> str:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
        return text.replace("\0", " ").strip()

    def fault(self, what: str, place: int) -> DataError:
        return DataError(what, where=f"{self.path} byte {place}", hint="the file may be damaged or misnamed")


def _promise(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() and int(digits) else None


def _format_text(name: str, width: int, decimals: int) -> str:
    if not name and not width:
        return ""
    return f"{name}{width if width > 0 else ''}.{decimals if decimals > 0 else ''}"


def _dataset(path: Path, member: _Member, fallback: str) -> Dataset:
    columns = tuple(
        ColumnInfo(f.name, f.label, f.kind, f.format, "Num" if f.numeric else "Char", f.width) for f in member.fields
    )
    check_columns([c.name for c in columns], str(path))
    name = (member.name or fallback).upper()
    if not name:
        raise DataError("a data set of the file has no name", where=str(path))
    if member.promised is not None and member.promised != member.rows:
        raise DataError(f"the header promises {member.promised} rows, the file holds {member.rows}", where=str(path))
    remarks: list[str] = []
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


def _batches(path: Path, member: _Member, remarks: list[str]) -> Iterator[pa.RecordBatch]:
    schema = Dataset(member.name, tuple(ColumnInfo(f.name, kind=f.kind) for f in member.fields), lambda: iter(())).schema
    special: dict[str, Counter[str]] = {}
    windows_text: set[str] = set()
    fresh = len(remarks)
    with path.open("rb") as file:
        file.seek(member.start)
        for done in range(0, member.rows, BATCH_ROWS):
            count = min(BATCH_ROWS, member.rows - done)
            raw = file.read(count * member.width)
            if len(raw) < count * member.width:
                raise DataError("the file became shorter while it was read", where=str(path))
            cells = np.frombuffer(raw, dtype=np.uint8).reshape(count, member.width)
            marked: list[SpecialCells] = []
            arrays = [
                _column(path, cells[:, f.position : f.position + f.width], f, done, marked, windows_text) for f in member.fields
            ]
            for some in marked:
                special.setdefault(some.column, Counter()).update(some.counts())
            yield attach(pa.RecordBatch.from_arrays(arrays, schema=schema), marked)
    notes = [f"{column}: special missing values {counted(counts)}" for column, counts in sorted(special.items())]
    notes += [f"{column}: text is not UTF-8 and was read as Windows-1252" for column in sorted(windows_text)]
    remarks[fresh:] = [n for n in notes if n not in remarks[:fresh]]


def _column(
    path: Path, cells: NDArray[np.uint8], field: _Field, done: int, marked: list[SpecialCells], windows_text: set[str]
) -> Any:
    if not field.numeric:
        return _text(cells, field, windows_text)
    values, missing, special = ibm_to_float(cells)
    if special.size:
        marked.append(SpecialCells(field.name, special, cells[special, 0]))
    return to_arrow(
        FieldValues(values, missing), field.kind, field.format, where=str(path), column=field.name, first_row=done + 1
    )


def _text(cells: NDArray[np.uint8], field: _Field, windows_text: set[str]) -> Any:
    packed = np.where(cells == 0, np.uint8(0x20), cells)
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(field.width), len(packed), [None, pa.py_buffer(packed)])
    raw = fixed.cast(pa.binary())
    try:
        return clean_text(raw.cast(pa.string()))
    except pa.ArrowInvalid:
        windows_text.add(field.name)
        return clean_text(pa.array([_decode(v) for v in raw.to_pylist()], pa.string()))


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


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
