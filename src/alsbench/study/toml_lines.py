"""On which line each key of a TOML text stands, so that an error about a value can name its line.

The scanner walks a text that a TOML parser has already accepted; it reads structure only (headers, keys, strings, arrays,
inline tables) and never values. Paths are those of the parsed tree: table names, keys, and indices of arrays.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)


def key_lines(text: str) -> dict[Path, int]:
    """Path of every table, key and array element -> its line, counted from 1. The root, ``()``, is line 1."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of ``path``, or of the nearest table around it that stands in the file."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {(): 1}
        self.counts: dict[Path, int] = {}
        self._counted = (0, 1)

    def document(self) -> None:
        prefix: Path = ()
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

    def note(self, path: Path) -> None:
        """Remember the line of ``path`` and of the tables around it; the first mention counts."""
        for depth in range(1, len(path) + 1):
            self.lines.setdefault(path[:depth], self.line())

    def line(self) -> int:
        position, line = self._counted
        line += self.text.count("\n", position, self.at)
        self._counted = (self.at, line)
        return line

    def resolve(self, prefix: Path, names: list[str]) -> Path:
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

    def pair(self, prefix: Path) -> None:
        path = (*prefix, *self.key())
        self.note(path)
        self.at = self.text.index("=", self.at) + 1
        self.spaces()
        self.value(path)

    def value(self, path: Path) -> None:
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

    def array(self, path: Path) -> None:
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

    def inline(self, path: Path) -> None:
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
