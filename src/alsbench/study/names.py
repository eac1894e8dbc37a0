"""Hints for unknown names: the nearest known one, and what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 12


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown ``name``: the nearest known name if one is near, then the known names (at most a dozen)."""
    names = list(dict.fromkeys(known))
    folded = {n.casefold(): n for n in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    guess = f"did you mean {folded[close[0]]}? " if close else ""
    return f"{guess}known: {listed}" if names else "none is known"
