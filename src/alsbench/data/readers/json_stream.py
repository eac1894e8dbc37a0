"""One large JSON object read piece by piece: its entries, and the rows of a list in it, without holding the whole.

The text is decoded a value at a time by the standard library's own decoder. A value that ends where the text read so far ends
may go on: more is read, twice as much each time, up to a limit. What is not JSON is refused where it stands, and so is
anything after the object's end.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alsbench.errors import DataError

_CHUNK = 2**20
_LONGEST = 2**26  # characters of one value
_CUT = 16  # characters from the end within which a fault may be that of a value cut short
_BLANK = " \t\n\r"


def no_constant(name: str) -> Any:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is not JSON")


class JsonObject:
    """The entries of the object in a file. Read :meth:`keys`; after each, take :meth:`value` or :meth:`rows`, once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = json.JSONDecoder(parse_constant=no_constant)
        self._text = ""
        self._at = 0
        self._chunks = _texts(path)
        self._ended = False

    def keys(self) -> Iterator[str]:
        """The names of the object's entries, each before its value is read; a name may stand once."""
        if self._next() != "{":
            raise self.fault("no object begins here")
        self._at += 1
        seen: set[str] = set()
        if self._next() == "}":
            self._at += 1
        else:
            while True:
                if self._next() != '"':
                    raise self.fault("the name of an entry is expected")
                name = self.value()
                if name in seen:
                    raise self.fault(f"{name[:40]!r} is given twice")
                seen.add(name)
                if self._next() != ":":
                    raise self.fault("a colon is expected")
                self._at += 1
                yield name
                if self._separator("}"):
                    break
        if self._next():
            raise self.fault("something follows the end of the document")

    def is_list(self) -> bool:
        """Whether the value that comes next is a list."""
        return self._next() == "["

    def rows(self) -> Iterator[Any]:
        """The elements of the list that comes next, one by one; all have to be read before the next key."""
        if self._next() != "[":
            raise self.fault("a list is expected")
        self._at += 1
        if self._next() == "]":
            self._at += 1
            return
        count = 0
        while True:
            count += 1
            yield self.value(f" row {count}")
            if self._separator("]", f" row {count}"):
                return

    def value(self, place: str = "") -> Any:
        """The value that comes next."""
        self._next()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as fault:
                cut = fault.pos >= len(self._text) - _CUT or fault.msg.startswith("Unterminated")
                if not (cut and self._more()):
                    raise self.fault(fault.msg, place) from fault
            except (ValueError, RecursionError) as fault:
                raise self.fault(str(fault)[:200], place) from fault
            else:
                taken, rest = end - self._at, self._text[end : end + 3]
                if rest.strip("eE+-.") or len(rest) > 2 or not self._more():  # a number that ends with the text may go on
                    self._at += taken
                    return found

    def fault(self, why: str, place: str = "") -> DataError:
        """An error of this file."""
        return DataError(
            "this is not valid JSON", where=f"{self._path}{place}", why=why, hint="the file may be cut short or damaged"
        )

    def _separator(self, closing: str, place: str = "") -> bool:
        """Step over a comma, or over the end; True for the end."""
        found = self._next()
        if found not in (",", closing) or not found:
            raise self.fault(f"a comma or {closing} is expected" if found else "the document ends here", place)
        self._at += 1
        return found == closing

    def _next(self) -> str:
        """The next character that is not blank, where it stands; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on: at least as much as is held of the value at hand. False at the end of the file."""
        held = len(self._text) - self._at
        if held > _LONGEST:
            raise DataError("a value is too long for a table", where=str(self._path))
        parts, size = [self._text[self._at :]], 0
        while not self._ended and size <= held:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            parts.append(chunk or "")
            size += len(chunk or "")
        self._text, self._at = "".join(parts), 0
        return size > 0


def _texts(path: Path) -> Iterator[str]:
    """The file decoded as the standard library would decode it whole."""
    try:
        with path.open("rb") as file:
            encoding = json.detect_encoding(file.read(4))
            file.seek(0)
            decoder = codecs.getincrementaldecoder(encoding)()
            while chunk := file.read(_CHUNK):
                text = decoder.decode(chunk)
                if text:
                    yield text
            yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as fault:
        raise DataError("this is not valid JSON", where=str(path), why=f"it is not {fault.encoding} text") from fault
    except OSError as fault:
        raise DataError(f"the file cannot be read: {fault.strerror}", where=str(path)) from fault
