"""Which characters and tokens an expression may hold, before anything else looks at it.

The text is cut into tokens under a whitelist: names, numbers, plain strings without escapes, comparison signs, brackets,
commas, signs and the range mark ``..``. Anything else is refused where it stands, so that the parser behind never sees
comments, string prefixes, escapes, attribute dots or non-ASCII look-alikes of column names.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from alsbench.errors import ExpressionError

MAX_LENGTH = 2000
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"[^"\\\r\n]*"|'[^'\\\r\n]*')
      | (?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<range>\.\.)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign><=|>=|==|!=|<|>|\(|\)|\[|\]|,|-|\+)""",
    re.VERBOSE,
)
_HINTS = {
    "=": "equality is written ==",
    "&": "write and",
    "|": "write or",
    "!": "write not, or != for not equal",
    "~": "write not",
    "\\": "strings hold no escapes: use the other kind of quote around a quote",
    '"': "a string is not closed",
    "'": "a string is not closed",
    ";": "an expression is one condition",
    "*": "there is no arithmetic in expressions",
    "/": "there is no arithmetic in expressions",
    "%": "there is no arithmetic in expressions",
}
_WORDS = {"and", "or", "not", "in"}
_FOREIGN = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "And": "and", "Or": "or", "Not": "not", "is": "missing(COLUMN)"}


@dataclass(frozen=True)
class Tokens:
    """``source`` has the length of the text: range marks stand as `` ,`` (at offsets ``ranges``), line ends as blanks."""

    source: str
    ranges: frozenset[int]


def caret(text: str, position: int) -> str:
    """The text with a mark under ``position``, control characters shown as ``?``."""
    shown = "".join("?" if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c for c in text)
    start = max(0, position - 60)
    return f"  {shown[start : start + 100]}\n  {' ' * (position - start)}^"


def fault(what: str, text: str, position: int, *, hint: str = "") -> ExpressionError:
    """An ExpressionError that shows the text and the place."""
    position = min(max(position, 0), len(text))
    return ExpressionError(what, text=text, position=position, why=caret(text, position), hint=hint)


def scan(text: str) -> Tokens:
    """Check every token of ``text``. Raises ExpressionError at the first that is not allowed."""
    if len(text) > MAX_LENGTH:
        raise fault(f"the expression is longer than {MAX_LENGTH} characters", text, MAX_LENGTH)
    if not text.strip():
        raise fault("the expression is empty", text, 0, hint="for instance: AGE >= 65")
    source: list[str] = []
    ranges: set[int] = set()
    position, depth, before, before_text = 0, 0, "space", ""
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _strange(text, position)
        kind, token = str(match.lastgroup), match.group()
        _check_neighbours(text, position, (before, before_text), (kind, token))
        if kind == "range":
            ranges.add(position + 1)
            source.append(" ,")
        else:
            source.append(" " * len(token) if kind == "space" else token)
        depth += (token in {"(", "["}) - (token in {")", "]"})
        if depth > MAX_DEPTH:
            raise fault("brackets are nested too deeply", text, position)
        position = match.end()
        if kind != "space":
            before, before_text = kind, token
        elif before in {"name", "number"}:
            before = before + " "
    return Tokens("".join(source), frozenset(ranges))


def _strange(text: str, position: int) -> ExpressionError:
    char = text[position]
    shown = char if char.isprintable() and char.isascii() else f"U+{ord(char):04X}"
    hint = _HINTS.get(char, "")
    if char == "." and not hint:
        hint = "a range is written (50..65); names hold no dots"
    return fault(f"{shown} is not allowed here", text, position, hint=hint)


def _check_neighbours(text: str, position: int, before: tuple[str, str], now: tuple[str, str]) -> None:
    kind, token = now
    last, last_text = before
    if kind == "name" and last == "number":
        raise fault(f"{last_text}{token} is neither a number nor a name", text, position - len(last_text))
    if kind == "string":
        if last == "string":
            raise fault("two strings stand side by side", text, position, hint='a list is written ("A", "B")')
        if last.strip() == "name" and last_text not in _WORDS:
            raise fault(f"a string cannot follow {last_text}", text, position, hint='for instance: SEX == "M"')
        value = token[1:-1]
        if any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
            raise fault("a string holds a control character", text, position)
        if value == "":
            raise fault("an empty text is a missing value", text, position, hint="write missing(COLUMN)")
    if kind == "name" and token in _FOREIGN and last.strip() in {"name", "number", "string", "sign", "space"}:
        raise fault(f"{token} is not a word of this language", text, position, hint=f"write {_FOREIGN[token]}")
