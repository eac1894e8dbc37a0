"""SAS transport files, versions 5 and 8 (SAS TS-140 and its V8 extension), read directly.

Numbers are IBM hexadecimal floating point; text is fixed-width and blank-padded; a file may hold several data sets.
Version 5 has no row count, so a file is accepted only if its length is a multiple of 80 and what follows the last whole
observation is blank padding shorter than one 80-byte card: a cut anywhere but on an observation boundary is seen. Headers are
cards of 80 bytes: what is not so is refused with the byte at which it stands. Where the columns stand in an observation and
what their texts say is settled in ``xpt_records``. Dates are converted by the column's SAS format; special missing values (.A
to .Z, ._) are missing, handed over with their batch and counted in the remarks.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.dataset import BATCH_ROWS, Dataset, check_columns
from alsbench.data.frames import ColumnInfo
from alsbench.data.readers.xpt_records import (
    LOOKED_AT,
    ByteSpan,
    ObservationLayout,
    Texts,
    as_stated,
    choose,
    displaced,
    in_order,
    refuse_unless_windows,
    signs,
)
from alsbench.data.sas import MaskedNumbers, SpecialCells, counts_text, date_kind, to_arrow, with_special_cells
from alsbench.errors import DataError
from alsbench.study.sql import Kind

CARD = 80
HEADER = b"HEADER RECORD*******"
_MAX_COLUMNS = 32_767


@dataclass(frozen=True)
class XptVariable:
    """A column as the header describes it."""

    name: str
    label: str
    numeric: bool
    format: str
    position: int
    width: int

    @property
    def kind(self) -> Kind:
        return date_kind(self.format) if self.numeric else "text"

    @property
    def place(self) -> ByteSpan:
        return ByteSpan(self.position, self.width, self.numeric)


@dataclass(frozen=True)
class Member:
    """One data set of the file: where its observations start and end, and how one is laid out."""

    name: str
    label: str
    fields: tuple[XptVariable, ...]
    start: int
    rows: int
    width: int
    promised: int | None
    remarks: tuple[str, ...] = ()


class Parser:
    """Walks the 80-byte cards of the file's headers."""

    def __init__(self, path: Path, data: NDArray[np.uint8]) -> None:
        self.path = path
        self.data = data
        self.at = 0
        self.windows = False  # whether a text of the header at hand was not UTF-8

    def members(self) -> Iterator[Member]:
        self.at = 3 * CARD
        while self.at < self.data.size:
            yield self.member()
        if self.at == 3 * CARD:
            raise self.fault("the transport file holds no data set", self.at)

    def member(self) -> Member:
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
        if card.startswith(HEADER + b"LABELV"):
            fields = self.labels(card, fields)
            card = self.take(CARD)
        if not card.startswith((HEADER + b"OBS     ", HEADER + b"OBSV8   ")):
            raise self.fault("the header of the observations is missing", self.at - CARD)
        promised = card[48:63].strip(b" ")
        end = self.next_member()
        fields, rows, width, remarks = self.placed(fields, self.at, end)
        if self.windows:
            remarks = (*remarks, "labels are not UTF-8 and were read as Windows-1252")
            self.windows = False
        promise = (int(promised) if promised.isdigit() and int(promised) else None) if version8 else None
        member = Member(name, label, tuple(fields), self.at, rows, width, promise, remarks)
        self.at = end
        return member

    def field(self, raw: bytes, version8: bool, place: int) -> XptVariable:
        kind, _, width = struct.unpack(">hhh", raw[:6])
        name, label = self.text(raw[8:16]), self.text(raw[16:56])
        form, form_width, decimals = self.text(raw[56:64]), *struct.unpack(">hh", raw[64:68])
        (position,) = struct.unpack(">i", raw[84:88])
        if version8 and len(raw) >= 120:
            name = self.text(raw[88:120]) or name
        numeric = kind == 1
        if kind not in (1, 2) or position < 0 or not (2 <= width <= 8 if numeric else 0 < width <= 32_767):
            raise self.fault(f"the description of column {name or '?'} is damaged", place)
        return XptVariable(name, label, numeric, _format_text(form, form_width, decimals), position, width)

    def labels(self, card: bytes, fields: list[XptVariable]) -> list[XptVariable]:
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
            out[numbers[0] - 1] = XptVariable(
                texts[0] or old.name, texts[1] or old.label, old.numeric, form, old.position, old.width
            )
        self.at = start + -(-(self.at - start) // CARD) * CARD
        return out

    def next_member(self) -> int:
        """Offset of the next member's header, or the end of the file."""
        step = 2**24 // CARD * CARD
        for begin in range(self.at, self.data.size, step):
            cards = self.data[begin : begin + step].reshape(-1, CARD)
            candidates = np.flatnonzero(cards[:, 0] == HEADER[0])
            for i in candidates[np.all(cards[candidates, : len(HEADER)] == np.frombuffer(HEADER, np.uint8), axis=1)]:
                if cards[i, 20:26].tobytes() in (b"MEMBER", b"MEMBV8"):
                    return int(begin + i * CARD)
        return int(self.data.size)

    def placed(self, fields: list[XptVariable], start: int, end: int) -> tuple[list[XptVariable], int, int, tuple[str, ...]]:
        """The columns where they stand, the number of observations and their width, and what is remarkable in it."""
        places = [f.place for f in fields]
        order = in_order(places)
        if not displaced(places):
            rows = self.observations(fields, order.width, start, end)
            return fields, rows, order.width, self.doubtful(rows, order.width, start)
        stated = as_stated(places)
        remarks: tuple[str, ...] = ()
        possible: list[tuple[ObservationLayout, int]] = []
        faults: list[DataError] = []
        for layout in (order, *([stated] if stated is not None else [])):
            try:
                possible.append((layout, self.observations(fields, layout.width, start, end)))
            except DataError as fault:
                faults.append(fault)
        if not possible:
            raise faults[0]
        if possible[0] == (order, 0):
            layout = order
        else:
            found = [(one, signs(self.sample(start, rows, one.width), places, one)) for one, rows in possible]
            chosen = choose(found, places)
            if chosen is None:
                raise self.undecided(fields, start)
            what = "the order of the columns" if chosen == order else "these positions"
            layout = chosen
            remarks = (f"the header's positions (NPOS) are not in the order of the columns: values were read by {what}",)
        rows = dict(possible)[layout]
        moved = [replace(f, position=at) for f, at in zip(fields, layout.positions, strict=True)]
        return moved, rows, layout.width, (*remarks, *self.doubtful(rows, layout.width, start))

    def sample(self, start: int, rows: int, width: int) -> NDArray[np.uint8]:
        """Observations spread evenly over the file."""
        cells = self.data[start : start + rows * width].reshape(rows, width)
        return np.asarray(cells[np.unique(np.linspace(0, max(rows - 1, 0), min(rows, LOOKED_AT)).astype(np.int64))[:rows]])

    def undecided(self, fields: list[XptVariable], start: int) -> DataError:
        places = [f.place for f in fields]
        first = displaced(places)[0]
        other = in_order(places).positions[first]
        return DataError(
            "the header's positions (NPOS) are not in the order of the columns, and the values do not tell which is right",
            where=f"{self.path} byte {start}",
            why=f"{fields[first].name} is at byte {fields[first].position} of an observation by its position, else at {other}",
            hint="write the file again with the XPORT engine (PROC COPY), haven or pyreadstat: they write columns in order",
        )

    def observations(self, fields: list[XptVariable], width: int, start: int, end: int) -> int:
        """Number of observations of a width; refuses anything but blank padding after the last."""
        rows, left = divmod(end - start, width)
        tail = self.data[end - left : end] if left else self.data[:0]

        def made_of(byte: int, row: int) -> bool:
            return bool(np.all(self.data[start + row * width : start + (row + 1) * width] == byte))

        if left < CARD and np.all((tail == 0x20) | (tail == 0)) and self.nul_padded(fields, tail, rows, made_of):
            full = rows
            while full and made_of(0, full - 1):
                full -= 1
            raise DataError(
                f"NUL bytes follow observation {full}, where the format pads with blanks",
                where=f"{self.path} byte {start + full * width}",
                why="they cannot be told from records of zeros",
                hint="write the file again with SAS, haven or pyreadstat, or as CSV",
            )
        if left >= CARD or np.any(tail != 0x20):
            raise DataError(
                f"the last observation is cut short: {left} bytes follow observation {rows}",
                where=f"{self.path} byte {end - left}",
                hint="copy the file again; it is not complete",
            )
        while rows and left + width < CARD and made_of(0x20, rows - 1):
            rows, left = rows - 1, left + width
        if rows and any(f.numeric for f in fields) and made_of(0x20, rows - 1):
            raise DataError(
                f"observation {rows} is blank, which no number is: the file is padded or damaged",
                where=f"{self.path} byte {start + (rows - 1) * width}",
                hint="copy the file again, in binary mode, with nothing added to its end",
            )
        return rows

    def nul_padded(
        self, fields: list[XptVariable], tail: NDArray[np.uint8], rows: int, made_of: Callable[[int, int], bool]
    ) -> bool:
        """Whether the file ends in NUL bytes that are no values: texts are padded with blanks, never with NUL."""
        if np.any(tail == 0):
            return True
        return bool(rows and not all(f.numeric for f in fields) and made_of(0, rows - 1))

    def doubtful(self, rows: int, width: int, start: int) -> tuple[str, ...]:
        """A remark where the last observations are zero throughout: they may be padding."""
        least = max(rows - CARD // width - 1, 0)
        zeros = rows
        while zeros > least and not np.any(self.data[start + (zeros - 1) * width : start + zeros * width]):
            zeros -= 1
        if zeros == rows:
            return ()
        return (f"every number from observation {zeros + 1} on is 0: no records, if the file was padded with NUL bytes",)

    def expect(self, *kinds: bytes) -> bytes:
        card = self.take(CARD)
        if not card.startswith(tuple(HEADER + k for k in kinds)):
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
            refuse_unless_windows([raw.strip(b"\0 ")], f"{self.path} byte {self.at}", "a name or label in the header")
            text, self.windows = raw.decode("cp1252"), True
        return text.replace("\0", " ").strip()

    def fault(self, what: str, place: int) -> DataError:
        return DataError(what, where=f"{self.path} byte {place}", hint="the file may be damaged or misnamed")


def _format_text(name: str, width: int, decimals: int) -> str:
    if not name and not width:
        return ""
    return f"{name}{width if width > 0 else ''}.{decimals if decimals > 0 else ''}"


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
            yield with_special_cells(pa.RecordBatch.from_arrays(arrays, schema=schema), marked)
    notes = [f"{column}: special missing values {counts_text(counts)}" for column, counts in sorted(special.items())]
    notes += [f"{column}: text is not UTF-8 and was read as Windows-1252" for column in sorted(texts.windows)]
    remarks[fresh:] = [n for n in notes if n not in remarks[:fresh]]


def _refuse_hole(path: Path, cells: NDArray[np.uint8], letters: list[XptVariable], done: int) -> None:
    """A record of NUL bytes throughout is a hole in a damaged file: texts are padded with blanks."""
    if not letters:
        return
    for row in np.flatnonzero(cells[:, letters[0].position] == 0):
        if not np.any(cells[row]):
            what, hint = "the observation is made of NUL bytes", "the file is damaged: copy it again, in binary mode"
            raise DataError(what, where=f"{path} row {done + int(row) + 1}", hint=hint)


def _column(
    path: Path, cells: NDArray[np.uint8], field: XptVariable, done: int, marked: list[SpecialCells], texts: Texts
) -> Any:
    if not field.numeric:
        return texts.column(cells, field.name, done)
    values, missing, special = ibm_to_float(cells)
    if special.size:
        marked.append(SpecialCells(field.name, special, cells[special, 0]))
    return to_arrow(
        MaskedNumbers(values, missing), field.kind, field.format, where=str(path), column=field.name, first_row=done + 1
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
