"""Where in an observation of a SAS transport file each column stands, and what its texts say.

The header gives every column a position (NPOS, SAS TS-140). Most programs write them in the order of the columns, and then
nothing is to be asked. SAS's %LOC2XPT writes the positions of the SAS data set, numbers first, but the observations in the
order of the columns, as ReadStat and SAS read them; other programs write what they say. Where the two readings differ the
values decide, and only where they do so clearly: in a wrong reading numbers are not normalised, of impossible size or made of
letters, and texts hold control bytes (hard signs) or begin with or contain runs of blanks (soft signs).

The format does not say the encoding of texts: UTF-8 if all are, else Windows-1252 if they can be. Different texts stay
different: a byte that Windows-1252 does not have, text that looks like another encoding, a column of which a part is UTF-8 and
a part is not, and a NUL byte within a text are refused, never replaced.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.dataset import clean_text
from alsbench.data.readers.encodings import WINDOWS_1252, Encoding, likely_encoding
from alsbench.errors import DataError

LOOKED_AT = 20_000  # observations, evenly spread
_TELLING = 0.05  # of a column's filled cells
_SMALLEST, _LARGEST = 0x30, 0x50  # exponent bytes of 16^-16 and 16^16
_LETTERS_FROM = 6  # bytes of a number that are all letters only if it is text


@dataclass(frozen=True)
class ByteSpan:
    """One column's bytes in an observation."""

    position: int
    width: int
    numeric: bool


@dataclass(frozen=True)
class ObservationLayout:
    """Positions of the columns, in their order, and the length of an observation."""

    positions: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class Signs:
    """What speaks against a reading: columns with hard and with soft signs; and ``numbers``, sound ones that speak for it."""

    hard: int
    soft: int
    numbers: int


def in_order(places: Sequence[ByteSpan]) -> ObservationLayout:
    """The layout in which the columns stand one after the other as they are listed."""
    ends = list(itertools.accumulate(p.width for p in places))
    return ObservationLayout((0, *ends[:-1]), ends[-1])


def as_stated(places: Sequence[ByteSpan]) -> ObservationLayout | None:
    """The layout that the header's positions give; None where they overlap."""
    spans = sorted((p.position, p.position + p.width) for p in places)
    if any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
        return None
    return ObservationLayout(tuple(p.position for p in places), spans[-1][1])


def displaced(places: Sequence[ByteSpan]) -> tuple[int, ...]:
    """Columns that the header puts elsewhere than their order does."""
    return tuple(i for i, (p, at) in enumerate(zip(places, in_order(places).positions, strict=True)) if p.position != at)


def signs(cells: NDArray[np.uint8], places: Sequence[ByteSpan], layout: ObservationLayout) -> Signs:
    """The signs among the displaced columns and in the gaps of a layout; ``cells`` are observations (rows x width)."""
    hard = soft = numbers = 0
    for i in displaced(places):
        start, width = layout.positions[i], places[i].width
        column = cells[:, start : start + width]
        if places[i].numeric:
            filled, wrong = _odd_numbers(column)
            numbers += int(np.count_nonzero(filled & ~wrong))
            hard += _tells(wrong, filled)
        else:
            filled = np.any(column != 0x20, axis=1)
            control = (column < 0x20) & ~np.isin(column, (0x09, 0x0A, 0x0D))
            hard += _tells(np.any(control, axis=1), filled)
            soft += _tells(_blanks_before_text(column), filled)
    return Signs(hard + _filled_gaps(cells, places, layout), soft, numbers)


def choose(found: Sequence[tuple[ObservationLayout, Signs]], places: Sequence[ByteSpan]) -> ObservationLayout | None:
    """The one layout that is clearly right; None where none is, or where it cannot be told.

    A layout that stands alone, because the other is impossible, has to have sound numbers in its favour, unless the header
    gives no positions at all (every one the same).
    """
    for worst in ("hard", "soft"):
        clean = [(layout, s) for layout, s in found if s.hard == 0 and (worst == "hard" or s.soft == 0)]
        if len(clean) == 1:
            layout, seen = clean[0]
            alone = len(found) == 1 and len({p.position for p in places}) > 1
            return layout if seen.numbers or not alone else None
    return None


def _odd_numbers(cells: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which cells hold a number other than 0 and the missing values, and which of these no program would have written."""
    lead, rest = cells[:, 0], cells[:, 1:]
    nothing = ~np.any(rest, axis=1)
    missing = nothing & ((lead == 0) | (lead == 0x2E) | (lead == 0x5F) | ((lead >= 0x41) & (lead <= 0x5A)))
    exponent = lead & 0x7F
    wrong = (rest[:, 0] < 0x10) | (exponent < _SMALLEST) | (exponent > _LARGEST)
    if cells.shape[1] >= _LETTERS_FROM:
        wrong |= np.all((cells >= 0x20) & (cells <= 0x7E), axis=1)
    return ~missing, wrong & ~missing


def _blanks_before_text(cells: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Texts that begin with a blank or hold two in a row: the ends of other columns' texts."""
    begins = (cells[:, 0] == 0x20) & np.any(cells != 0x20, axis=1)
    if cells.shape[1] < 3:
        return np.asarray(begins)
    return np.asarray(begins | np.any((cells[:, :-2] == 0x20) & (cells[:, 1:-1] == 0x20) & (cells[:, 2:] != 0x20), axis=1))


def _tells(wrong: NDArray[np.bool_], filled: NDArray[np.bool_]) -> int:
    count = int(np.count_nonzero(filled))
    return int(count > 0 and int(np.count_nonzero(wrong & filled)) > _TELLING * count)


def _filled_gaps(cells: NDArray[np.uint8], places: Sequence[ByteSpan], layout: ObservationLayout) -> int:
    """1 if bytes that belong to no column hold anything but blanks and zeros."""
    free = np.ones(layout.width, dtype=np.bool_)
    for place, start in zip(places, layout.positions, strict=True):
        free[start : start + place.width] = False
    between = cells[:, free]
    return int(bool(np.any((between != 0x20) & (between != 0))))


class Texts:
    """Decodes the text columns of one data set, batch by batch, and remembers what it has seen of each."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.windows: set[str] = set()
        self._utf8: dict[str, int] = {}  # column -> first row with UTF-8 text that is not ASCII

    def column(self, cells: NDArray[np.uint8], name: str, done: int) -> Any:
        """Cells of fixed width (rows x width, padded with blanks or NUL) as texts; ``done`` rows came before."""
        self._refuse_nul(cells, name, done)
        packed = np.where(cells == 0, np.uint8(0x20), cells)
        fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(cells.shape[1]), len(packed), [None, pa.py_buffer(packed)])
        raw = fixed.cast(pa.binary())
        if not np.any(packed > 0x7F):
            return clean_text(raw.cast(pa.string()))
        high = np.flatnonzero(np.any(packed > 0x7F, axis=1))
        pieces = [packed[i].tobytes().rstrip(b" ") for i in high]
        odd = next((int(i) for i, piece in zip(high, pieces, strict=True) if not _is_utf8(piece)), None)
        good = next((int(i) for i, piece in zip(high, pieces, strict=True) if _is_utf8(piece)), None)
        if good is not None and name not in self.windows:
            self._utf8.setdefault(name, done + good + 1)
        if odd is None and name not in self.windows:
            return clean_text(raw.cast(pa.string()))
        first = done + (int(high[0]) if odd is None else odd) + 1
        refuse_unless_windows(pieces, f"{self.where} row {first} column {name}", "the text")
        if name in self._utf8 and odd is not None:
            raise self._mixed(name, first)
        self.windows.add(name)
        return clean_text(pa.array([v.decode("cp1252") for v in raw.to_pylist()], pa.string()))

    def _refuse_nul(self, cells: NDArray[np.uint8], name: str, done: int) -> None:
        rows = np.flatnonzero(np.any(cells == 0, axis=1))
        inside = [int(i) for i in rows if b"\0" in cells[i].tobytes().rstrip(b"\0 ")]
        if inside:
            raise DataError(
                "a text holds a NUL byte",
                where=f"{self.where} row {done + inside[0] + 1} column {name}",
                hint="the file is damaged, or was written by a program that left memory behind its texts: write it again",
            )

    def _mixed(self, name: str, row: int) -> DataError:
        return DataError(
            "a text is not UTF-8, others of its column are",
            where=f"{self.where} row {row} column {name}",
            why=f"row {self._utf8[name]} is the first in UTF-8; a text cut within a character looks like this",
            hint="write the file again with longer columns, and in one encoding",
        )


def refuse_unless_windows(pieces: Iterable[bytes], where: str, what: str) -> None:
    """Refuse texts that Windows-1252 cannot hold, or that are clearly of another encoding."""
    held = list(pieces)
    found = likely_encoding(held)
    if found == WINDOWS_1252:
        found = None
    if found is None and all(map(_is_windows, held)):
        return
    raise DataError(f"{what} is neither UTF-8 nor Windows-1252{_named(found)}", where=where, hint=_hint(found))


def _named(found: Encoding | None) -> str:
    return f": it looks like {found.name}" if found is not None else ""


def _hint(found: Encoding | None) -> str:
    if found is None:
        return "write the file again from a SAS session in UTF-8, or export it as CSV in UTF-8"
    return f"write the file again from a SAS session in UTF-8, or as CSV and convert that: iconv -f {found.iconv} -t UTF-8"


def _is_utf8(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_windows(piece: bytes) -> bool:
    try:
        piece.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True
