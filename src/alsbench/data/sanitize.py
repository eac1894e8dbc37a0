"""Text from data, made safe to show: what a terminal would obey is shown as a visible escape instead.

Escape sequences, C0 and C1 control bytes and bidirectional overrides in names or values could move the cursor, recolour the
screen, forge a line of output or reorder what is read (Boucher and Anderson 2021, arXiv 2111.00169). They, zero-width and
line-separator characters, and lone surrogates become ``\\x1b``, ``\\u202e`` and so on. Ordinary text of any script passes
unchanged.
"""

from __future__ import annotations

import re
import unicodedata

# Control, format (bidi, zero width), surrogate, line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_DROPPED = ' \t\r\n"\u00a0\u3000\ufeff'
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # the last four in full width: some spreadsheets obey them


def visible(text: str) -> str:
    """``text`` with every character that could steer a terminal or hide itself written as an escape."""
    if text.isprintable():  # no character of the five categories is
        return text
    return "".join([_escape(c) if unicodedata.category(c) in _UNSAFE else c for c in text])


def visible_lines(text: str) -> str:
    """As :func:`visible`, but line breaks stay: for messages of several lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def visible_line(value: object, *, limit: int = 0) -> str:
    """One safe line from any value; longer than ``limit`` characters (if given) it is cut and marked with an ellipsis."""
    line = visible(str(value))
    return line if not limit or len(line) <= limit else line[: max(limit - 1, 0)] + "…"


def without_controls(text: str) -> str:
    """``text`` with control bytes as escapes, but for tabs and line breaks: for files that keep text as it is otherwise."""
    if text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n\r" else c for c in text)


def guard_formula(text: str) -> str:
    """``text`` that a spreadsheet cannot take for a formula: it gets an apostrophe where it begins with ``= + - @``, or would
    once a spreadsheet has dropped blanks, tabs, line breaks and quotes, or with a tab or line break.

    Numbers and a lone sign are left as they are.
    """
    if text[:1].isalnum():
        return text
    inner = text.lstrip(_DROPPED)
    starts = inner.startswith(_FORMULA) and inner.strip() not in {"-", "+"} and not _NUMBER.fullmatch(inner.strip())
    return "'" + text if starts or text.startswith(("\t", "\r")) else text


def markdown_cell(text: str) -> str:
    """``text`` inside a Markdown table: nothing in it can end the cell or start a link or a tag."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", visible(text))


def _escape(char: str) -> str:
    code = ord(char)
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
