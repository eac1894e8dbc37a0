"""Text from data made fit for a terminal: what could command it is shown instead of obeyed.

Escape sequences, C0 and C1 control bytes and bidirectional overrides in names or values could move the cursor, recolour the
screen, forge a line of output or reorder what is read (Boucher and Anderson 2021, arXiv 2111.00169). They are replaced by a
visible escape (``\\x1b``, ``\\u202e``). Newline and tab are escaped too unless the caller keeps them.
"""

from __future__ import annotations

import re

# C0, DEL, C1, line and paragraph separators, bidi marks, overrides and isolates, zero width, byte order mark, surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def visible(text: str, *, keep: str = "") -> str:
    """``text`` with every character that could steer a terminal written as a visible escape; ``keep`` lists exceptions."""
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(lambda m: m.group() if m.group() in keep else _escape(m.group()), text)


def visible_line(text: object, *, limit: int = 0) -> str:
    """One safe line from any value; longer than ``limit`` characters (if given) it is cut and marked with an ellipsis."""
    line = visible(str(text))
    return line if not limit or len(line) <= limit else line[: max(limit - 1, 0)] + "…"


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
