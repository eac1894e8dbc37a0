"""Texts of a SAS transport file. The format does not say their encoding: UTF-8 if all are, else Windows-1252 if they can be.

Different texts stay different: a byte that Windows-1252 does not have, text that looks like another encoding, a column of
which a part is UTF-8 and a part is not, and a NUL byte within a text are refused, never replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alsbench.data.dataset import clean_text
from alsbench.data.readers.encodings import WINDOWS_1252, Encoding, likely_encoding
from alsbench.errors import DataError


class Texts:
    """Decodes the text columns of one data set, batch by batch, and remembers what it has seen of each."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.windows: set[str] = set()
        self._utf8: dict[str, int] = {}  # column -> first row with UTF-8 text that is not ASCII

    def column(self, cells: NDArray[np.uint8], name: str, done: int) -> Any:
        """Cells of fixed width (rows x width, padded with blanks or NUL) as texts; ``done`` rows came before."""
        self._refuse_nul(cells, name, done)
        packed = np.where(cells == 0, np.uint8(0x20), cells)
        fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(cells.shape[1]), len(packed), [None, pa.py_buffer(packed)])
        raw = fixed.cast(pa.binary())
        if not np.any(packed > 0x7F):
            return clean_text(raw.cast(pa.string()))
        high = np.flatnonzero(np.any(packed > 0x7F, axis=1))
        pieces = [packed[i].tobytes().rstrip(b" ") for i in high]
        odd = next((int(i) for i, piece in zip(high, pieces, strict=True) if not _is_utf8(piece)), None)
        good = next((int(i) for i, piece in zip(high, pieces, strict=True) if _is_utf8(piece)), None)
        if good is not None and name not in self.windows:
            self._utf8.setdefault(name, done + good + 1)
        if odd is None and name not in self.windows:
            return clean_text(raw.cast(pa.string()))
        first = done + (int(high[0]) if odd is None else odd) + 1
        refuse_unless_windows(pieces, f"{self.where} row {first} column {name}", "the text")
        if name in self._utf8 and odd is not None:
            raise self._mixed(name, first)
        self.windows.add(name)
        return clean_text(pa.array([v.decode("cp1252") for v in raw.to_pylist()], pa.string()))

    def _refuse_nul(self, cells: NDArray[np.uint8], name: str, done: int) -> None:
        rows = np.flatnonzero(np.any(cells == 0, axis=1))
        inside = [int(i) for i in rows if b"\0" in cells[i].tobytes().rstrip(b"\0 ")]
        if inside:
            raise DataError(
                "a text holds a NUL byte",
                where=f"{self.where} row {done + inside[0] + 1} column {name}",
                hint="the file is damaged, or was written by a program that left memory behind its texts: write it again",
            )

    def _mixed(self, name: str, row: int) -> DataError:
        return DataError(
            "a text is not UTF-8, others of its column are",
            where=f"{self.where} row {row} column {name}",
            why=f"row {self._utf8[name]} is the first in UTF-8; a text cut within a character looks like this",
            hint="write the file again with longer columns, and in one encoding",
        )


def refuse_unless_windows(pieces: Iterable[bytes], where: str, what: str) -> None:
    """Refuse texts that Windows-1252 cannot hold, or that are clearly of another encoding."""
    held = list(pieces)
    found = likely_encoding(held)
    if found == WINDOWS_1252:
        found = None
    if found is None and all(map(_is_windows, held)):
        return
    raise DataError(f"{what} is neither UTF-8 nor Windows-1252{_named(found)}", where=where, hint=_hint(found))


def _named(found: Encoding | None) -> str:
    return f": it looks like {found.name}" if found is not None else ""


def _hint(found: Encoding | None) -> str:
    if found is None:
        return "write the file again from a SAS session in UTF-8, or export it as CSV in UTF-8"
    return f"write the file again from a SAS session in UTF-8, or as CSV and convert that: iconv -f {found.iconv} -t UTF-8"


def _is_utf8(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_windows(piece: bytes) -> bool:
    try:
        piece.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True
