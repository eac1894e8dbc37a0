"""Names of arms in little room: what several share is left out first, so that what tells them apart stays legible.

Where short names stand, a legend with the full ones stands near.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from alsbench.tui.safetext import fit


def short_names(names: Sequence[str], room: int, mark: str) -> tuple[str, ...]:
    """The names in at most ``room`` cells each: as they are where they fit, else without the words that other names begin
    with, else without all shared words, else cut with a mark. Different names stay different, if need be by a number."""
    made = tuple(_shortened(name, names, room, mark) for name in names)
    if len(set(made)) == len(set(names)):
        return made
    return tuple(f"{k} {fit(name, max(room - 2, 1), mark=mark)}".rstrip()[:room] for k, name in enumerate(names, start=1))


def without_shared(names: Sequence[str], room: int) -> tuple[str, ...]:
    """The names, those that need more than ``room`` cells without the words that other names begin with; none is cut. All as
    they are where two would become the same."""
    made = []
    for name in names:
        words = name.split()
        shared = max((_shared_start(words, n.split()) for n in names if n != name), default=0)
        made.append(" ".join(words[shared:]) or name if cell_len(name) > room else name)
    return tuple(made) if len(set(made)) == len(set(names)) else tuple(names)


def _shortened(name: str, names: Sequence[str], room: int, mark: str) -> str:
    if cell_len(name) <= room:
        return name
    words = name.split()
    others = [n.split() for n in names if n != name]
    shared = max((_shared_start(words, o) for o in others), default=0)
    apart = [w for w in words if not any(w in o for o in others)]
    for kept in (words[shared:], apart):
        text = " ".join(kept)
        if kept and cell_len(text) <= room:
            return text
    return fit(name, room, mark=mark).rstrip()


def _shared_start(words: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    k = 0
    while k < min(len(words), len(other)) and words[k] == other[k]:
        k += 1
    return k
