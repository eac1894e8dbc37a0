"""Fitting text from data into cells: made safe first (:mod:`alsbench.render.text`), then padded or cut, visibly.

A terminal obeys ESC and C1 bytes wherever they come from; a bidi override can make one identifier look like another. Both
are printed as ``\\x1b`` or ``\\u202e``. With ``ascii`` nothing above 0x7e is left.
"""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

from alsbench.render.text import visible

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
