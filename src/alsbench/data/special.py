"""Special missing values of SAS (``.A`` to ``.Z``, ``._``): which cells hold which, beside columns where they are just missing.

A reader hands them over with the batch they belong to, as Arrow schema metadata: per column the rows counted from the start of
the batch (32 bits each) and one byte for each code. Whoever does not ask for them never sees them; analyses do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_KEY = b"alsbench.special:"
_BYTES = 5


@dataclass(frozen=True)
class SpecialCells:
    """Cells of one column: ``rows`` (0-based, ascending) and ``codes``, the ASCII letter or underscore of each."""

    column: str
    rows: NDArray[np.int64]
    codes: NDArray[np.uint8]

    @property
    def texts(self) -> list[str]:
        """The codes as SAS shows them: ``.A``."""
        return [f".{chr(c)}" for c in self.codes]

    def counts(self) -> Counter[str]:
        """How often each code stands."""
        found, numbers = np.unique(self.codes, return_counts=True)
        return Counter({f".{chr(c)}": int(n) for c, n in zip(found, numbers, strict=True)})


def attach(batch: pa.RecordBatch, cells: Iterable[SpecialCells]) -> pa.RecordBatch:
    """The batch with the codes of its cells."""
    return batch.replace_schema_metadata(metadata(cells) or None)


def metadata(cells: Iterable[SpecialCells]) -> dict[bytes, bytes]:
    """Cells as schema metadata."""
    return {
        _KEY + c.column.encode(): c.rows.astype("<u4").tobytes() + c.codes.astype(np.uint8).tobytes()
        for c in cells
        if c.rows.size
    }


def cells_of(held: Mapping[bytes, bytes] | None, *, rows: int) -> Iterator[SpecialCells]:
    """The cells that schema metadata tell of; what is not of this layout, or points past the ``rows``, tells of none."""
    for key, content in (held or {}).items():
        count, left = divmod(len(content), _BYTES)
        if not key.startswith(_KEY) or left or not count:
            continue
        places = np.frombuffer(content, "<u4", count).astype(np.int64)
        codes = np.frombuffer(content, np.uint8, count, 4 * count)
        known = (codes == ord("_")) | ((codes >= ord("A")) & (codes <= ord("Z")))
        if known.all() and int(places.max()) < rows:
            yield SpecialCells(key.removeprefix(_KEY).decode("utf-8", "replace"), places, codes)


def whole(batches: Iterable[pa.RecordBatch]) -> dict[bytes, bytes]:
    """Schema metadata for a table made of these batches."""
    parts: dict[str, list[SpecialCells]] = {}
    done = 0
    for batch in batches:
        for cells in cells_of(batch.schema.metadata, rows=batch.num_rows):
            parts.setdefault(cells.column, []).append(SpecialCells(cells.column, cells.rows + done, cells.codes))
        done += batch.num_rows
    return metadata(
        SpecialCells(name, np.concatenate([p.rows for p in some]), np.concatenate([p.codes for p in some]))
        for name, some in parts.items()
    )


def within(cells: Iterable[SpecialCells], first: int, count: int) -> Iterator[SpecialCells]:
    """The cells of the rows from ``first``, counted from there."""
    for c in cells:
        start, end = np.searchsorted(c.rows, (first, first + count))
        if end > start:
            yield SpecialCells(c.column, c.rows[start:end] - first, c.codes[start:end])


def counted(counts: Mapping[str, int]) -> str:
    """``.A 3, .B 1``"""
    return ", ".join(f"{code} {n}" for code, n in sorted(counts.items()))
