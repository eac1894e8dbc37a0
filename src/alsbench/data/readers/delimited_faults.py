"""Where a delimited text file goes wrong, in words a user can act on: row, line, column, cause, and what to do.

Read again line by line, slowly, once the fast reader has refused the file. A quote that is left open swallows what follows, so
the row in which it opened is named, not the one in which reading broke down. No value of the file is repeated.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alsbench.data.readers.encodings import how_to_convert, likely_encoding
from alsbench.errors import DataError

_CHUNK = 2**22
_CLOSE = 'close the quote, or leave both out; a quote inside a quoted field is doubled: "5"" pipe"'
_WIDTH = "every row needs one field per column; a field that holds the delimiter is quoted"


@dataclass
class _Row:
    """The row being read: its number (0 is the header), the line it began on, and the fields it has so far."""

    number: int
    line: int
    fields: int = 0
    size: int = 0
    opened: tuple[int, int] | None = None  # line and field in which a quote is open
    spans: tuple[int, int] | None = None  # lines of a field over several lines

    @property
    def name(self) -> str:
        return f"row {self.number}" if self.number else "the header"


class _Scan:
    def __init__(self, path: Path, names: Sequence[str], delimiter: bytes, longest: int) -> None:
        self.path, self.names, self.delimiter, self.longest = path, names, delimiter, longest
        self.row = _Row(0, 1)
        self.utf8 = False  # whether a line before held UTF-8 that is not ASCII

    def fault(self, lines: Iterator[bytes], skip: int = 0) -> DataError | None:
        """The first fault of the file; ``skip`` lines stand before its header."""
        number = 0
        for number, line in enumerate(lines, start=1):
            if number <= skip:
                continue
            if (wrong := self.line(line, number)) is not None:
                return wrong
        if self.row.opened is not None:
            return self.open_quote(f"the file ends on line {number} inside it")
        return None

    def line(self, line: bytes, number: int) -> DataError | None:
        if not line.isascii() and (wrong := self.encoding(line, number)) is not None:
            return wrong
        row = self.row
        if row.opened is None:
            if not line:
                return None
            row.line = number
        row.size += len(line) + 1
        if row.opened is None and b'"' not in line:
            row.fields = line.count(self.delimiter) + 1
            return self.end()
        return self.quoted(line, number)

    def quoted(self, line: bytes, number: int) -> DataError | None:
        """A line with quotes, or the continuation of a quoted field."""
        row, at = self.row, 0
        while True:
            if row.opened is None:
                if line[at : at + 1] == b'"':
                    row.opened, at = (number, row.fields), at + 1
                    continue
                end = line.find(self.delimiter, at)
                if b'"' in line[at : end if end >= 0 else len(line)]:
                    what = f"a quote stands inside an unquoted field of {row.name}"
                    hint = 'quote the field and double the quote: "5"" pipe"'
                    return self.error(what, number, row.fields, hint=hint)
                row.fields += 1
                if end < 0:
                    return self.end()
                at = end + 1
                continue
            at = line.find(b'"', at)
            if at < 0:
                return self.end() if row.size > self.longest else None
            if line[at + 1 : at + 2] == b'"':
                at += 2
                continue
            follows = line[at + 1 : at + 2]
            if follows not in (b"", self.delimiter):
                if row.opened[0] != number:
                    return self.open_quote(f"the next quote is on line {number}, and text follows it")
                return self.error(f"text follows a closing quote in {row.name}", number, row.fields, hint=_CLOSE)
            if row.opened[0] != number:
                row.spans = (row.opened[0], number)
            row.opened, row.fields, at = None, row.fields + 1, at + 2
            if not follows:
                return self.end()

    def end(self) -> DataError | None:
        """A row is complete: has it as many fields as the header, and a size a row may have?"""
        row = self.row
        if row.opened is not None:
            return self.open_quote(f"more than {self.longest // 2**20} MB follow it without another")
        if row.size > self.longest:
            what = f"{row.name} is longer than {self.longest // 2**20} MB, which no row of a table is"
            return self.error(what, row.line, None, why=self.spanned(), hint="is this the right file, or a quote left open?")
        if row.fields != len(self.names):
            what = f"{row.name} has {row.fields} fields, the header has {len(self.names)}"
            return self.error(what, row.line, None, why=self.spanned(), hint=self.width_hint())
        self.row = _Row(row.number + 1, row.line + 1)
        return None

    def width_hint(self) -> str:
        if len(self.names) == 1:
            return "the first line must hold the column names: remove what stands above them"
        if self.row.fields == len(self.names) + 1:
            rows = "row names that R's write.table put before them do too (row.names = FALSE)"
            return f"{_WIDTH}; a delimiter at the end of the row counts as one more, {rows}"
        return _WIDTH

    def spanned(self) -> str:
        return "one of its quoted fields goes from line {} to line {}".format(*self.row.spans) if self.row.spans else ""

    def open_quote(self, why: str) -> DataError:
        row = self.row
        line, field = row.opened or (row.line, row.fields)
        return self.error(f"a quote that opens in {row.name} is not closed", line, field, why=why, hint=_CLOSE)

    def encoding(self, line: bytes, number: int) -> DataError | None:
        try:
            line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as fault:
            field = line[: fault.start].count(self.delimiter) if b'"' not in line else None
            column = f" column {self.names[field]}" if field is not None and field < len(self.names) else ""
            before = b"\xc3\xa9" if self.utf8 else b""
            return not_utf8(self.path, f"{self.path} line {number}{column}", self.row.name, before)
        self.utf8 = True
        return None

    def error(self, what: str, line: int, field: int | None, *, why: str = "", hint: str = "") -> DataError:
        column = f" column {self.names[field]}" if field is not None and field < len(self.names) else ""
        return DataError(what, where=f"{self.path} line {line}{column}", why=why, hint=hint)


def not_utf8(path: Path, where: str, what: str, before: bytes) -> DataError:
    """An error of a text that is not UTF-8, with the encoding it looks like, unless the text ``before`` it is UTF-8."""
    if before.isascii():
        with path.open("rb") as file:
            hint = how_to_convert(likely_encoding(file), path.name)
    else:
        hint = "the text before it is UTF-8: correct this one, or write the file again in one encoding"
    return DataError(f"{what} is not valid UTF-8", where=where, hint=hint)


def find_fault(
    stream: Any, path: Path, names: Sequence[str], delimiter: str, *, longest: int, skip: int = 0
) -> DataError | None:
    """What is wrong with the rows of a stream of UTF-8 bytes, None if nothing is; rows may have ``longest`` bytes, and ``skip``
    lines stand before the header."""
    return _Scan(path, names, delimiter.encode(), longest).fault(_lines(stream), skip)


def _lines(stream: Any) -> Iterator[bytes]:
    """Lines without their ends, which are LF, CR LF or CR."""
    rest, first = b"", True
    while block := stream.read(_CHUNK):
        data = rest + (block.removeprefix(BOM_UTF8) if first else block)
        first = False
        *whole, last = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if data.endswith(b"\r"):  # half of CR LF, perhaps
            last = whole.pop() + b"\r"
        yield from whole
        rest = last
    if rest:
        yield rest.removesuffix(b"\r")
