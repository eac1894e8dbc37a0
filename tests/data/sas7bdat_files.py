"""Small SAS7BDAT files, written byte by byte for tests: 32 or 64 bit, either byte order, plain or RLE-compressed rows.

The layout is that of M. Shotwell, "SAS7BDAT Database Binary Format" (2014), and of ReadStat. Character columns are padded
with blanks; a number is a double, None (the missing value ``.``) or a special missing value as text: ``.A`` to ``.Z``, ``._``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from alsbench.data.dataset import Dataset

MAGIC = b"\0" * 12 + bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011")
PAGE, HEADER = 4096, 1024
META, DATA = 0x0000, 0x0100
_ROW_SIZE, _COLUMN_SIZE, _COUNTS, _FORMAT = 0xF7F7F7F7, 0xF6F6F6F6, 0xFFFFFC00, 0xFFFFFBFE
_ATTRIBUTES, _TEXT, _NAME = 0xFFFFFFFC, 0xFFFFFFFD, 0xFFFFFFFF
_ENCODINGS = {"utf-8": 20, "latin-1": 29, "cp1252": 62}

Value = float | str | None


@dataclass(frozen=True)
class Column:
    """``width`` is the bytes a text occupies; 0 for a number, which occupies 8 (or ``bytes`` of them, from the front)."""

    name: str
    width: int = 0
    label: str = ""
    format: str = ""
    digits: tuple[int, int] = (0, 0)  # width and decimals of the format
    bytes: int = 8


class _File:
    def __init__(self, wide: bool, big: bool) -> None:
        self.wide, self.order = wide, ">" if big else "<"
        self.word = 8 if wide else 4
        self.page_head, self.pointer = (40, 24) if wide else (24, 12)
        self.foot = 12 if wide else 8
        self.text = bytearray()

    def pack(self, form: str, *values: float) -> bytes:
        return struct.pack(self.order + form, *values)

    def integer(self, *values: int) -> bytes:
        return self.pack(("Q" if self.wide else "I") * len(values), *values)

    def sign(self, signature: int) -> bytes:
        if self.wide and signature >= 0xFF000000:
            return self.integer(signature | 0xFFFFFFFF << 32)
        return self.pack("I", signature) + bytes(self.word - 4)

    def reference(self, text: bytes) -> bytes:
        """Text kept in the one text subheader: index, offset, length."""
        if not text:
            return bytes(6)
        at = 8 + len(self.text)
        self.text += text + bytes(-len(text) % 4)
        return self.pack("HHH", 0, at, len(text))

    def sized(self, signature: int, content: bytes) -> bytes:
        return self.sign(signature) + self.pack("H", 8 + len(content)) + bytes(6) + content + bytes(self.foot)

    def put(self, target: bytearray, at: int, content: bytes) -> None:
        target[at : at + len(content)] = content


def write_sas7bdat(
    path: Path,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Value]],
    *,
    wide: bool = True,
    big: bool = False,
    compressed: bool = False,
    label: str = "",
    encoding: str = "utf-8",
    promised: int | None = None,
) -> Path:
    """Write a file. ``promised`` is the row count of the header, where it is to be wrong."""
    file = _File(wide, big)
    count = len(rows) if promised is None else promised
    file.text += bytes(4)
    squeezed = file.reference(b"SASYZCRL") if compressed else bytes(6)
    about = file.reference(label.encode(encoding))
    names = b"".join(file.reference(c.name.encode(encoding)) + bytes(2) for c in columns)
    described = [(file.reference(c.format.encode()), file.reference(c.label.encode(encoding))) for c in columns]
    sizes = [c.width or c.bytes for c in columns]
    length = sum(sizes)
    places = [sum(sizes[:i]) for i in range(len(sizes))]
    kinds = b"".join(
        file.integer(place) + file.pack("IHBB", size, 0x0400, 2 if c.width else 1, 0)
        for c, place, size in zip(columns, places, sizes, strict=True)
    )
    heads = [
        _row_size(file, length, count, len(columns), about, squeezed, compressed),
        file.sign(_COLUMN_SIZE) + file.integer(len(columns)) + bytes(file.word),
        file.sign(_COUNTS) + bytes((600 if wide else 304) - file.word),
        file.sized(_TEXT, bytes(file.text)),
        file.sized(_NAME, names),
        file.sized(_ATTRIBUTES, kinds),
        *(_format(file, c, form, text) for c, (form, text) in zip(columns, described, strict=True)),
    ]
    records = [_record(file, columns, row, encoding) for row in rows]
    blocks = [(h, 0, 1 if 2 < i < 6 else 0) for i, h in enumerate(heads)]
    if compressed:
        blocks += [(_rle(r), 4, 1) for r in records]
    pages = _meta_pages(file, blocks)
    if not compressed:
        fits = (PAGE - file.page_head) // length
        for start in range(0, len(records), fits):
            some = records[start : start + fits]
            pages.append(_page(file, DATA, len(some), 0, b"".join(some)))
    path.write_bytes(_header(file, path.stem.upper(), len(pages), _ENCODINGS[encoding]) + b"".join(pages))
    return path


def _header(file: _File, name: str, pages: int, encoding: int) -> bytes:
    out = bytearray(HEADER)
    file.put(out, 0, MAGIC)
    out[32] = out[35] = 0x33 if file.wide else 0x22
    out[37], out[39], out[70] = int(file.order == "<"), ord("1"), encoding
    file.put(out, 84, b"SAS FILE" + name.encode().ljust(32) + bytes(32) + b"DATA    ")
    shift = 4 if file.wide else 0
    file.put(out, 164 + shift, file.pack("dddd", 1.9e9, 1.9e9, 0, 0) + file.pack("II", HEADER, PAGE) + file.integer(pages))
    file.put(out, 216 + 2 * shift, b"9.0401M6" + b"Linux".ljust(16, b"\0"))
    return bytes(out)


def _row_size(file: _File, length: int, count: int, columns: int, about: bytes, squeezed: bytes, compressed: bool) -> bytes:
    out = bytearray(808 if file.wide else 480)
    file.put(out, 0, file.sign(_ROW_SIZE))
    file.put(out, 5 * file.word, file.integer(length, count))
    file.put(out, 9 * file.word, file.integer(columns))
    file.put(out, 13 * file.word, file.integer(PAGE))
    file.put(out, 15 * file.word, file.integer(1 if compressed else 0))
    file.put(out, len(out) - 130, about)
    file.put(out, len(out) - 118, squeezed)
    return bytes(out)


def _format(file: _File, column: Column, form: bytes, text: bytes) -> bytes:
    out = bytearray(64 if file.wide else 52)
    shift = 12 if file.wide else 0
    file.put(out, 0, file.sign(_FORMAT))
    file.put(out, 12 + shift, file.pack("HH", *column.digits))
    file.put(out, 34 + shift, form + text)
    return bytes(out)


def _meta_pages(file: _File, blocks: list[tuple[bytes, int, int]]) -> list[bytes]:
    pages: list[bytes] = []
    while blocks:
        taken, room = 0, PAGE - file.page_head - file.pointer
        while taken < len(blocks) and room >= len(blocks[taken][0]) + file.pointer:
            room -= len(blocks[taken][0]) + file.pointer
            taken += 1
        here, blocks = blocks[:taken], blocks[taken:]
        pointers, content, end = b"", b"", PAGE
        for block, packing, kind in here:
            end -= len(block)
            pointers += file.integer(end, len(block)) + bytes((packing, kind)) + bytes(file.pointer - 2 * file.word - 2)
            content = block + content
        gap = PAGE - file.page_head - len(pointers) - len(content)
        pages.append(_page(file, META, len(here), len(here), pointers + bytes(gap) + content))
    return pages


def _page(file: _File, kind: int, blocks: int, subheaders: int, content: bytes) -> bytes:
    head = bytes(file.page_head - 8) + file.pack("HHHH", kind, blocks, subheaders, 0)
    return (head + content).ljust(PAGE, b"\0")


def _record(file: _File, columns: Sequence[Column], row: Sequence[Value], encoding: str) -> bytes:
    out = b""
    for column, value in zip(columns, row, strict=True):
        if column.width:
            out += str(value or "").encode(encoding).ljust(column.width)[: column.width]
            continue
        raw = struct.pack(">d", value) if isinstance(value, (int, float)) else _missing(value)
        out += raw[: column.bytes] if file.order == ">" else raw[: column.bytes][::-1]
    return out


def _missing(code: str | None) -> bytes:
    """``.`` is FF FF FE, ``.A`` FF FF FD and so on, ``._`` FF FF FF; zeros follow."""
    if code is None:
        return b"\xff\xff\xfe" + bytes(5)
    return b"\xff\xff" + (b"\xff" if code == "._" else bytes((0xFD - (ord(code[1]) - ord("A")),))) + bytes(5)


def _rle(record: bytes) -> bytes:
    """Run-length coding (SASYZCRL): command 8 copies 1 to 16 bytes, E and F stand for 2 to 17 blanks and zero bytes."""
    out = b""
    for run in re.finditer(rb" {2,17}|\0{2,17}|(?:(?!  |\0\0).){1,16}", record, re.DOTALL):
        text = run.group()
        command = {b"  ": 0xE0, b"\0\0": 0xF0}.get(text[:2])
        out += bytes((0x80 + len(text) - 1,)) + text if command is None else bytes((command + len(text) - 2,))
    return out


def written(dataset: Dataset, path: Path, **layout: bool) -> Path:
    """A data set of another format as SAS7BDAT, dates as days since 1960."""
    columns = [
        Column(c.name, c.length if c.type == "Char" else 0, c.label, *_split(c.format), bytes=c.length) for c in dataset.columns
    ]
    rows = [tuple(_number(v) for v in row.values()) for row in dataset.table().to_pylist()]
    return write_sas7bdat(path, columns, rows, label=dataset.label, **layout)


def _split(form: str) -> tuple[str, tuple[int, int]]:
    found = re.fullmatch(r"(\$?[A-Z_]*)(\d*)\.?(\d*)", form)
    if found is None:
        raise ValueError(form)
    return found[1], (int(found[2] or 0), int(found[3] or 0))


def _number(value: object) -> Value:
    if isinstance(value, date):
        return float((value - date(1960, 1, 1)).days)
    return value if isinstance(value, (str, float)) else None
