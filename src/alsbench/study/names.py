"""Hints for unknown names: the nearest known one, and what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from alsbench.errors import shorten

SHOWN, LONGEST = 12, 60
COMPARED = 200  # characters: a longer name is near to none, and comparing takes the square of its length


def near(name: str, known: Iterable[str]) -> list[str]:
    """Known names that are nearly ``name``, the nearest first."""
    folded = {n.casefold(): n for n in sorted(known, reverse=True)}
    return [folded[c] for c in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown ``name``: the nearest known name if one is near, then the known names (at most a dozen)."""
    names = list(dict.fromkeys(known))
    folded = {n.casefold(): n for n in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6) if len(name) <= COMPARED else []
    listed = ", ".join(shorten(n, LONGEST) for n in names[:SHOWN])
    listed += f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    guess = f"did you mean {shorten(folded[close[0]], LONGEST)}? " if close else ""
    return f"{guess}known: {listed}" if names else "none is known"
