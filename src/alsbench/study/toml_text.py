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
KeyPath = tuple[str | int, ...]
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)


def file_text(path: Path, *, named: str, hint: str) -> str:
    """The text of a file somebody wrote, ``named`` in errors; ``hint`` is for whoever has none. Raises StudyError: also for a
    named pipe, which would be waited for without end (what a shell passes as /dev/fd/N is read)."""
    if path.is_fifo() and not path.is_relative_to("/dev"):
        why = "this is a pipe, not a file"
        raise StudyError(f"the {named} cannot be read", where=str(path), why=why, hint="save what it gives into a file")
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


def key_lines(text: str) -> dict[KeyPath, int]:
    """KeyPath of every table, key and array element -> its line, counted from 1. The root, ``()``, is line 1."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int:
    """The line of ``path``, or of the nearest table around it that stands in the file."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {(): 1}
        self.counts: dict[KeyPath, int] = {}
        self._counted = (0, 1)

    def document(self) -> None:
        prefix: KeyPath = ()
        while True:
            self.blank()
            if self.at >= len(self.text):
                return
            if self.text.startswith("[[", self.at):
                self.at += 2
                names = self.key()
                self.at = self.text.index("]]", self.at) + 2
                parent = self.resolve((), names[:-1])
                array = (*parent, names[-1])
                index = self.counts.get(array, -1) + 1
                self.counts[array] = index
                prefix = (*array, index)
            elif self.text[self.at] == "[":
                self.at += 1
                names = self.key()
                self.at = self.text.index("]", self.at) + 1
                prefix = self.resolve((), names)
            else:
                self.pair(prefix)
                continue
            self.note(prefix)

    def note(self, path: KeyPath) -> None:
        """Remember the line of ``path`` and of the tables around it; the first mention counts."""
        for depth in range(1, len(path) + 1):
            self.lines.setdefault(path[:depth], self.line())

    def line(self) -> int:
        position, line = self._counted
        line += self.text.count("\n", position, self.at)
        self._counted = (self.at, line)
        return line

    def resolve(self, prefix: KeyPath, names: list[str]) -> KeyPath:
        """The path of a table header: a name of an array of tables means its last element."""
        for name in names:
            prefix = (*prefix, name)
            if prefix in self.counts:
                prefix = (*prefix, self.counts[prefix])
        return prefix

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def spaces(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1

    def key(self) -> list[str]:
        names = []
        while True:
            self.spaces()
            if self.text[self.at] in "\"'":
                names.append(self.string())
            else:
                start = self.at
                while self.at < len(self.text) and self.text[self.at] in _BARE:
                    self.at += 1
                names.append(self.text[start : self.at])
            self.spaces()
            if not self.text.startswith(".", self.at):
                return names
            self.at += 1

    def pair(self, prefix: KeyPath) -> None:
        path = (*prefix, *self.key())
        self.note(path)
        self.at = self.text.index("=", self.at) + 1
        self.spaces()
        self.value(path)

    def value(self, path: KeyPath) -> None:
        char = self.text[self.at]
        if char in "\"'":
            self.string()
        elif char == "[":
            self.array(path)
        elif char == "{":
            self.inline(path)
        else:
            match = _SCALAR.match(self.text, self.at)
            self.at = match.end() if match else self.at

    def array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while True:
            self.blank()
            if self.text[self.at] == "]":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.note((*path, index))
            self.value((*path, index))
            index += 1

    def inline(self, path: KeyPath) -> None:
        self.at += 1
        while True:
            self.blank()
            if self.text[self.at] == "}":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.pair(path)

    def string(self) -> str:
        quote = self.text[self.at]
        triple = quote * 3
        if self.text.startswith(triple, self.at):
            start = self.at + 3
            end = self._close(start, triple)
            while self.text.startswith(quote, end + 3):  # up to two quotes may stand before the closing three
                end += 1
            self.at = end + 3
        else:
            start = self.at + 1
            end = self._close(start, quote)
            self.at = end + 1
        raw = self.text[start:end]
        return _ESCAPE.sub(_unescape, raw) if quote == '"' else raw

    def _close(self, position: int, mark: str) -> int:
        while not self.text.startswith(mark, position):
            position += 2 if mark[0] == '"' and self.text[position] == "\\" else 1
        return position


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1) or match.group(2)
    return chr(int(code, 16)) if code else _ESCAPES.get(match.group(3), match.group(3))
