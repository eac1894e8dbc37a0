"""Where in an observation of a SAS transport file each column stands.

The header gives every column a position (NPOS, SAS TS-140). Most programs write them in the order of the columns, and then
nothing is to be asked. SAS's %LOC2XPT writes the positions of the SAS data set, numbers first, but the observations in the
order of the columns, as ReadStat and SAS read them; other programs write what they say. Where the two readings differ the
values decide, and only where they do so clearly: in a wrong reading numbers are not normalised, of impossible size or made of
letters, and texts hold control bytes (hard signs) or begin with or contain runs of blanks (soft signs).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOOKED_AT = 20_000  # observations, evenly spread
_TELLING = 0.05  # of a column's filled cells
_SMALLEST, _LARGEST = 0x30, 0x50  # exponent bytes of 16^-16 and 16^16
_LETTERS_FROM = 6  # bytes of a number that are all letters only if it is text


@dataclass(frozen=True)
class Place:
    """One column's bytes in an observation."""

    position: int
    width: int
    numeric: bool


@dataclass(frozen=True)
class Layout:
    """Positions of the columns, in their order, and the length of an observation."""

    positions: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class Signs:
    """What speaks against a reading: columns with hard and with soft signs; and ``numbers``, sound ones that speak for it."""

    hard: int
    soft: int
    numbers: int


def in_order(places: Sequence[Place]) -> Layout:
    """The layout in which the columns stand one after the other as they are listed."""
    ends = list(itertools.accumulate(p.width for p in places))
    return Layout((0, *ends[:-1]), ends[-1])


def as_stated(places: Sequence[Place]) -> Layout | None:
    """The layout that the header's positions give; None where they overlap."""
    spans = sorted((p.position, p.position + p.width) for p in places)
    if any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
        return None
    return Layout(tuple(p.position for p in places), spans[-1][1])


def displaced(places: Sequence[Place]) -> tuple[int, ...]:
    """Columns that the header puts elsewhere than their order does."""
    return tuple(i for i, (p, at) in enumerate(zip(places, in_order(places).positions, strict=True)) if p.position != at)


def signs(cells: NDArray[np.uint8], places: Sequence[Place], layout: Layout) -> Signs:
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


def choose(found: Sequence[tuple[Layout, Signs]], places: Sequence[Place]) -> Layout | None:
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


def _filled_gaps(cells: NDArray[np.uint8], places: Sequence[Place], layout: Layout) -> int:
    """1 if bytes that belong to no column hold anything but blanks and zeros."""
    free = np.ones(layout.width, dtype=np.bool_)
    for place, start in zip(places, layout.positions, strict=True):
        free[start : start + place.width] = False
    between = cells[:, free]
    return int(bool(np.any((between != 0x20) & (between != 0))))
