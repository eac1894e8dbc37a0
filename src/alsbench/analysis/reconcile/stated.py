"""What a side states: numbers with their names, and tables of cells; and which numbers are written in a cell.

A number is as exact as it is written: its decimals are counted in the text. ``<0.001`` and ``>0.99`` are bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsbench.stats.agreement import SaidValue

if TYPE_CHECKING:
    from alsbench.analysis.result import Row

RAW_DIGITS = 12  # significant digits from which on a number is taken for a raw one
MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2010": "-", "\u2011": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " "})
BOUNDS = {"<": "<", "\u2264": "<", ">": ">", "\u2265": ">"}
NUMBER = re.compile(
    r"(?P<bound>[<>\u2264\u2265]\s*)?(?P<number>(?<![\d.A-Za-z_])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?)"
)


@dataclass(frozen=True)
class StatedNumber:
    """One statistic of a side. ``statistic`` is its word for it, ``attributes`` are (name, word): ``("group1", "TRT01P"),
    ("group1_level", "Group 2")``; ``where`` its place in the file, ``text`` how it is written. ``row`` is what it is, where
    the side speaks our language; ``error`` why there is no value."""

    where: str
    statistic: str
    said: SaidValue
    text: str
    attributes: tuple[tuple[str, str], ...] = ()
    row: Row | None = None
    error: str = ""

    def words(self) -> str:
        """What it is, in the side's own words."""
        return ", ".join([*(w for _, w in self.attributes if w), self.statistic])


@dataclass(frozen=True)
class CellTable:
    """A table of a document: a rectangle of texts, merged cells repeated where they reach in the heads, ``heads`` rows of heads
    on top. ``title`` is its caption, or the paragraphs above it."""

    number: int
    title: str
    rows: tuple[tuple[str, ...], ...]
    heads: int

    @property
    def width(self) -> int:
        return max((len(r) for r in self.rows), default=0)


@dataclass(frozen=True)
class CellNumber:
    """A number in a cell, the ``part``-th from 1."""

    part: int
    said: SaidValue
    text: str


def said_number(text: str, *, printed: bool = True) -> SaidValue | None:
    """A number as a file writes it; None where the text is none. ``printed``: it is rounded to the decimals it has; else only
    where it has fewer than a raw number would."""
    plain = text.translate(MINUS).strip()
    bound = BOUNDS.get(plain[:1], "")
    digits = plain.lstrip("<>\u2264\u2265= ").replace(",", "")
    try:
        value = float(digits)
    except ValueError:
        return None
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", digits):
        return None  # inf, nan
    places = decimals_in(digits)
    if not printed and _significant(digits) >= RAW_DIGITS:
        return SaidValue(value, None, rounded=False)
    whole = int(value) if places == 0 and abs(value) < 2**53 else value
    return SaidValue(whole, places, rounded=True, bound=bound)  # type: ignore[arg-type]


def decimals_in(digits: str) -> int:
    """Decimals of a number as it is written, none of them left out: ``1.20`` has two, ``2.5e-3`` four."""
    mantissa, _, exponent = digits.lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))


def _significant(digits: str) -> int:
    return len(re.sub(r"[eE].*|[-+.]", "", digits).lstrip("0"))


def cell_numbers(text: str) -> tuple[CellNumber, ...]:
    """The numbers of a cell in their order: ``1.33 (0.06, 2.60)`` has three. A dash between two digits separates them; digits
    within a word are none."""
    plain = re.sub(r"(?<=\d)\s*-\s*(?=\d)|(?<=\d)-(?=-)", " ", text.translate(MINUS))
    found: list[CellNumber] = []
    for match in NUMBER.finditer(plain):
        written = match.group("number")
        if not any(c.isdigit() for c in written) or plain[match.end() : match.end() + 1].isalpha():
            continue
        said = said_number((match.group("bound") or "").strip() + written)
        if said is not None:
            found.append(CellNumber(len(found) + 1, said, match.group().strip()))
    return tuple(found)


def decimals_of_file(texts: Iterable[str], most: int) -> int | None:
    """The decimals that a whole file was rounded to: the most that any of its numbers has, None where that is more than
    ``most``. A program that writes raw numbers writes all of them."""
    found = max((decimals_in(t) for t in texts), default=0)
    return found if found <= most else None
