"""Fitting text from data into cells: made safe first (:mod:`alsbench.data.sanitize`), then padded or cut, visibly. Names of
arms in little room lose first what several share, so that what tells them apart stays legible; the full ones stand in a legend.

A terminal obeys ESC and C1 bytes wherever they come from; a bidi override can make one identifier look like another. Both
are printed as ``\\x1b`` or ``\\u202e``. With ``ascii`` nothing above 0x7e is left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from alsbench.data.sanitize import visible

_NOT_ASCII = re.compile("[^\x20-\x7e]")
_SIMPLE = str.maketrans(
    {
        "–": "-",
        "—": "-",
        "−": "-",
        "≤": "<=",
        "≥": ">=",
        "×": "x",
        "·": ".",
        "…": "~",
        "±": "+/-",
        "▲": "^",
        "▼": "v",
        "≠": "!=",
        "†": "?",
        "★": "*",
        "✓": "+",
        "✗": "x",
    }
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def safe(value: object, *, ascii: bool = False) -> str:
    """``value`` as one line of printable text; None and NaN are empty."""
    if value is None or value != value:
        return ""
    text = visible(value if isinstance(value, str) else str(value))
    return text if not ascii or text.isascii() else _NOT_ASCII.sub(_escape, text.translate(_SIMPLE))


def fit(text: str, width: int, *, align: str = "left", mark: str = "…") -> str:
    """``text`` in exactly ``width`` cells; what is cut ends in ``mark``."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(width - len(mark), 0)) + mark[:width]
    pad = " " * (width - length)
    if align == "right":
        return pad + text
    if align == "centre":
        half = (width - length) // 2
        return " " * half + text + " " * (width - length - half)
    return text + pad


def fit_middle(text: str, width: int, *, mark: str = "…") -> str:
    """``text`` in at most ``width`` cells; what is cut is cut from its middle: many long names differ at their end."""
    if cell_len(text) <= width:
        return text
    end = max((width - len(mark)) // 3, 0)
    tail = text
    while tail and cell_len(tail) > end:
        tail = tail[1:]
    return fit(text, width - cell_len(tail), mark=mark) + tail


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
