"""The nearest known name to a misspelt one, for error messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name`` (case is ignored first, then spelling), or None when nothing comes close."""
    names = list(known)
    folded = {n.casefold(): n for n in reversed(names)}
    if name.casefold() in folded:
        return folded[name.casefold()]
    close = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def suggestion(name: str, known: Iterable[str], *, what: str = "known") -> str:
    """``did you mean X? known: A, B, C`` with at most twelve names listed."""
    names = list(known)
    close = nearest(name, names)
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    parts = [f"did you mean {close}?"] if close else []
    if listed:
        parts.append(f"{what}: {listed}")
    return " ".join(parts)
