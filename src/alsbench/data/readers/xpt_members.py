"""The headers of a SAS transport file: its data sets, their columns, and where their observations start and end.

Cards of 80 bytes; a data set's observations run to the next data set's header or to the end of the file, padded with blanks to
a whole card. What is not so is refused with the byte at which it stands.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alsbench.data.readers.xpt_layout import LOOKED_AT, Layout, Place, as_stated, choose, displaced, in_order, signs
from alsbench.data.readers.xpt_text import refuse_unless_windows
from alsbench.data.sas import date_kind
from alsbench.errors import DataError
from alsbench.study.sql import Kind

CARD = 80
HEADER = b"HEADER RECORD*******"
_MAX_COLUMNS = 32_767


@dataclass(frozen=True)
class Field:
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
    def place(self) -> Place:
        return Place(self.position, self.width, self.numeric)


@dataclass(frozen=True)
class Member:
    """One data set of the file: where its observations start and end, and how one is laid out."""

    name: str
    label: str
    fields: tuple[Field, ...]
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
        promise = _promise(promised) if version8 else None
        member = Member(name, label, tuple(fields), self.at, rows, width, promise, remarks)
        self.at = end
        return member

    def field(self, raw: bytes, version8: bool, place: int) -> Field:
        kind, _, width = struct.unpack(">hhh", raw[:6])
        name, label = self.text(raw[8:16]), self.text(raw[16:56])
        form, form_width, decimals = self.text(raw[56:64]), *struct.unpack(">hh", raw[64:68])
        (position,) = struct.unpack(">i", raw[84:88])
        if version8 and len(raw) >= 120:
            name = self.text(raw[88:120]) or name
        numeric = kind == 1
        if kind not in (1, 2) or position < 0 or not (2 <= width <= 8 if numeric else 0 < width <= 32_767):
            raise self.fault(f"the description of column {name or '?'} is damaged", place)
        return Field(name, label, numeric, _format_text(form, form_width, decimals), position, width)

    def labels(self, card: bytes, fields: list[Field]) -> list[Field]:
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
            out[numbers[0] - 1] = Field(texts[0] or old.name, texts[1] or old.label, old.numeric, form, old.position, old.width)
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

    def placed(self, fields: list[Field], start: int, end: int) -> tuple[list[Field], int, int, tuple[str, ...]]:
        """The columns where they stand, the number of observations and their width, and what is remarkable in it."""
        places = [f.place for f in fields]
        order = in_order(places)
        if not displaced(places):
            rows = self.observations(fields, order.width, start, end)
            return fields, rows, order.width, self.doubtful(rows, order.width, start)
        stated = as_stated(places)
        remarks: tuple[str, ...] = ()
        possible: list[tuple[Layout, int]] = []
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

    def undecided(self, fields: list[Field], start: int) -> DataError:
        places = [f.place for f in fields]
        first = displaced(places)[0]
        other = in_order(places).positions[first]
        return DataError(
            "the header's positions (NPOS) are not in the order of the columns, and the values do not tell which is right",
            where=f"{self.path} byte {start}",
            why=f"{fields[first].name} is at byte {fields[first].position} of an observation by its position, else at {other}",
            hint="write the file again with the XPORT engine (PROC COPY), haven or pyreadstat: they write columns in order",
        )

    def observations(self, fields: list[Field], width: int, start: int, end: int) -> int:
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

    def nul_padded(self, fields: list[Field], tail: NDArray[np.uint8], rows: int, made_of: Callable[[int, int], bool]) -> bool:
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


def _promise(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() and int(digits) else None


def _format_text(name: str, width: int, decimals: int) -> str:
    if not name and not width:
        return ""
    return f"{name}{width if width > 0 else ''}.{decimals if decimals > 0 else ''}"
