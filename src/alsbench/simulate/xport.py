"""Writing SAS transport files, version 5: same table, same bytes.

Record layout TS-140 (SAS Institute, "The record layout of a data set in SAS transport format"): 80-byte records, IBM
floating point, blank-padded text. The creation times in the headers are an argument, not the clock.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SAS_EPOCH = date(1960, 1, 1)
RECORD = 80
MISSING = b"." + bytes(7)
Kind = Literal["number", "text", "date"]


@dataclass(frozen=True)
class XportColumn:
    """``values`` (n,): float64 for numbers (NaN = missing) and dates (days since 1970-01-01), str objects for text."""

    name: str
    label: str
    kind: Kind
    values: NDArray[np.generic]


@dataclass(frozen=True)
class XportTable:
    name: str
    label: str
    columns: tuple[XportColumn, ...] = field(default=())

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        return next(c.values for c in self.columns if c.name == name)

    def __len__(self) -> int:
        return int(self.columns[0].values.shape[0])


def ibm_floats(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """IEEE doubles (n,) as IBM 370 doubles (n,), big-endian bit patterns; NaN becomes the missing value ``.``."""
    mantissa, exponent = np.frexp(np.abs(np.where(np.isfinite(values), values, 0.0)))
    # value = mantissa * 2**exponent with 0.5 <= mantissa < 1; IBM: fraction * 16**(characteristic - 64), 1/16 <= fraction < 1
    power = -(-exponent // 4)
    fraction = (np.ldexp(mantissa, exponent - 4 * power + 56)).astype(np.uint64)
    bits = fraction | ((power + 64).astype(np.uint64) << np.uint64(56))
    bits = np.where(mantissa == 0.0, np.uint64(0), bits)
    bits = bits | (np.signbit(values) & (mantissa != 0.0)).astype(np.uint64) << np.uint64(63)
    return np.where(np.isfinite(values), bits, np.uint64(int.from_bytes(MISSING, "big")))


def to_xport(table: XportTable, *, created: datetime) -> bytes:
    """The file of one data set. Names have at most 8 characters, labels 40, texts 200 bytes of Latin-1."""
    stamp = created.strftime("%d%b%y:%H:%M:%S").upper().encode()
    fields = [_encode(c) for c in table.columns]
    rows = np.empty(len(table), dtype=[(c.name, f"V{width}") for c, (_, width) in zip(table.columns, fields, strict=True)])
    for column, (data, width) in zip(table.columns, fields, strict=True):
        rows[column.name] = data.view(f"V{width}")
    body = rows.tobytes()
    return b"".join(
        [
            b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!" + b"0" * 30 + b"  ",
            _real_header(b"SAS     ", b"SASLIB  ", stamp),
            stamp.ljust(RECORD),
            b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!000000000000000001600000000140  ",
            b"HEADER RECORD*******DSCRPTR HEADER RECORD!!!!!!!" + b"0" * 30 + b"  ",
            _real_header(table.name.encode().ljust(8), b"SASDATA ", stamp),
            stamp.ljust(32) + table.label.encode("latin-1")[:40].ljust(40) + b" " * 8,
            b"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!%010d" % len(fields) + b"0" * 20 + b"  ",
            _pad(b"".join(_namestrs(table, [width for _, width in fields]))),
            b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!" + b"0" * 30 + b"  ",
            _pad(body),
        ]
    )


def _real_header(second: bytes, third: bytes, stamp: bytes) -> bytes:
    return b"SAS     " + second + third + b"9.4     " + b"LINUX   " + b" " * 24 + stamp


def _pad(data: bytes) -> bytes:
    return data + b" " * (-len(data) % RECORD)


def _encode(column: XportColumn) -> tuple[NDArray[np.generic], int]:
    """The column as bytes, and its width."""
    if column.kind == "text":
        texts = np.array([str(v).encode("latin-1") for v in column.values], dtype=bytes)
        width = max(1, texts.dtype.itemsize)
        if width > 200:
            raise ValueError(f"{column.name} holds a text of more than 200 bytes")
        return np.char.ljust(texts, width).astype(f"S{width}"), width
    numbers = np.asarray(column.values, dtype=np.float64)
    if column.kind == "date":
        numbers = numbers + (date(1970, 1, 1) - SAS_EPOCH).days
    return ibm_floats(numbers).astype(">u8"), 8


def _namestrs(table: XportTable, widths: list[int]) -> list[bytes]:
    position = 0
    records = []
    for number, (column, width) in enumerate(zip(table.columns, widths, strict=True), 1):
        if len(column.name) > 8:
            raise ValueError(f"{column.name} is longer than 8 characters")
        name, length = (b"DATE    ", 9) if column.kind == "date" else (b" " * 8, 0)
        records.append(
            struct.pack(
                ">hhhh8s40s8shhh2s8shhl52s",
                2 if column.kind == "text" else 1,
                0,
                width,
                number,
                column.name.encode().ljust(8),
                column.label.encode("latin-1")[:40].ljust(40),
                name,
                length,
                0,
                0,
                b"",
                b" " * 8,
                0,
                0,
                position,
                b"",
            )
        )
        position += width
    return records
