"""A TOML file that somebody wrote: its text, and what it holds. Limits and errors name file and line.

Whatever is larger than a file written by hand is refused before it is parsed: a parser of nested keys takes a time that grows
with the square of their depth. Imports no validator, so that the shell's start stays quick.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from alsbench.errors import StudyError, shorten

MOST_BYTES = 1_000_000
MOST_IN_LINE = 50_000
DEEPEST = 100  # names joined by dots in one key
_SYNTAX = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL)
_PIECE = re.compile(r"[=,{}\[\]]")
_KEY = re.compile(r"""([\w."'-]+)\s*=[^=]*$""")  # the last one
_DIGITS = re.compile(r"[0-9_]{4300,}")


def file_text(path: Path, *, named: str, hint: str) -> str:
    """The text of a file somebody wrote, ``named`` in errors; ``hint`` is for whoever has none. Raises StudyError."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            limit = f"at most {MOST_BYTES:,} bytes are read"
            raise StudyError(f"the {named} is too large", where=str(path), why=limit, hint="is this the right file?")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyError(f"there is no {named}", where=str(path), hint=hint) from None
    except UnicodeDecodeError as error:
        raise StudyError(f"the {named} is not UTF-8", where=str(path), why=f"byte {error.start} cannot be read") from None
    except OSError as error:
        raise StudyError(f"the {named} cannot be read", where=str(path), why=error.strerror or str(error)) from None


def toml_table(text: str, file: str) -> dict[str, Any]:
    """What the TOML ``text`` holds. Raises StudyError that names the line."""
    _check_size(text, file)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text, file) from None
    except RecursionError:
        raise StudyError("the file is nested too deeply", where=file) from None
    except ValueError:  # Python's own limit to the digits of a whole number
        raise _too_many_digits(text, file) from None


def toml_value(text: str) -> Any:
    """The TOML value that ``text`` is, or ``text`` itself where it is none: what stands behind ``KEY=`` in a shell."""
    try:
        return toml_table(f"value = {text}", "")["value"]
    except StudyError:
        return text


def _check_size(text: str, file: str) -> None:
    if len(text) > MOST_BYTES:
        raise StudyError("the text is too large", where=file, why=f"at most {MOST_BYTES:,} bytes are read")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MOST_IN_LINE:
            why = f"a line has at most {MOST_IN_LINE:,} characters"
            raise StudyError(f"the line has {len(line):,} characters", where=f"{file}:{number}", why=why)
        if line.count(".") <= DEEPEST or line.lstrip().startswith("#"):
            continue
        if max(piece.count(".") for piece in _PIECE.split(line)) > DEEPEST:
            raise StudyError(f"a key has more than {DEEPEST} parts", where=f"{file}:{number}")


def _too_many_digits(text: str, file: str) -> StudyError:
    found = _DIGITS.search(text)
    before = text[: found.start()] if found else ""
    key = _KEY.search(before[-MOST_IN_LINE:])
    where = f"{file}:{before.count(chr(10)) + 1} {shorten(key.group(1)) if key else ''}"
    return StudyError("a number has too many digits to be read", where=where.rstrip())


def _syntax_error(message: str, text: str, file: str) -> StudyError:
    """What is wrong with the TOML ``text``, with its line."""
    match = _SYNTAX.match(message)
    what = (match.group("what") if match else message).rstrip()
    last = max(1, text.rstrip("\n").count("\n") + 1)
    line = int(match.group("line")) if match and match.group("line") else last
    source = text.splitlines()[line - 1].strip() if text.strip() and line <= len(text.splitlines()) else ""
    return StudyError(
        f"not valid TOML: {what[:1].lower()}{what[1:]}",
        where=f"{file}:{line}",
        why=f"  {source[:100]}" if source else "",
        hint='texts stand in quotes: title = "..."; lists in brackets: order = ["A", "B"]',
    )
