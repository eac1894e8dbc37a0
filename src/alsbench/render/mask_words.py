"""Sentences without small cells: lines of facts, attempts, footnotes and warnings of a masked result.

A sentence is not judged number by number: counts of subjects, records and events in it become "some", whatever their size,
and a warning about an arm whose counts are hidden goes, because it may say that there is nobody or no event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERS = re.compile(
    r"\b\d+(?= (?:of \d+ )?"
    r"(?:subjects?|patients?|events?|deaths?|records?|observations?|rows?|values?|pairs?|undecided|excluded|without)\b(?!-))"
)
_N = re.compile(r"\b[nN] ?= ?\d+")
_GATE = re.compile(r" p [<>0-9.]+, adjusted [<>0-9.]+, (?:not )?rejected")


def hide_counts(text: str) -> str:
    """``some subjects`` for ``3 subjects``, ``n hidden`` for ``n = 3``."""
    return _N.sub("n hidden", _NUMBERS.sub("some", text))


def hide_in_line(name: str, text: str) -> str:
    """A line of facts without its counts."""
    if name == "Subgroup":
        text = re.sub(r"; n = \d+ \([^;]*\)", "; n as in the table", text)
        text = re.sub(r"; \d+ undecided[^;]*", "", text)
    if name == "Population":
        text = re.sub(r", N = \d+", "", text)
    return hide_counts(text)


def hide_gates(lines: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The lines with the p-values of the multiplicity plan hidden: with one of its contrasts all go, as each adjusted p rests
    on all of them."""
    return tuple((name, _GATE.sub(" masked", text) if name == "Multiplicity" else text) for name, text in lines)


def hide_warnings(warnings: Iterable[str], arms: Iterable[str]) -> tuple[str, ...]:
    """The warnings but for those that name one of ``arms``."""
    names = tuple(arms)
    return tuple(hide_counts(w) for w in warnings if not any(name in w for name in names))
