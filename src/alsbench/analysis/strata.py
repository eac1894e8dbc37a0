"""Strata: one code per combination of the values of the stratification columns."""

from __future__ import annotations

import numpy as np

from alsbench.analysis.source import IntArray, Source


def strata_codes(source: Source, columns: tuple[str, ...], subject: IntArray) -> IntArray:
    """Codes 0, 1, ... (n,) for subjects (indices into the source); a missing value is a level of its own."""
    texts = [[str(v) for v in source.subject_column(name)[subject]] for name in columns]
    cells = list(zip(*texts, strict=True)) if texts else [()] * subject.size
    position = {cell: i for i, cell in enumerate(sorted(set(cells)))}
    return np.array([position[c] for c in cells], dtype=np.int64)


def strata_warnings(source: Source, columns: tuple[str, ...], subject: IntArray) -> list[str]:
    """A warning for each stratification column that is missing for some of ``subject``."""
    found: list[str] = []
    for name in columns:
        n = sum(v is None or v != v for v in source.subject_column(name)[subject].tolist())
        if n:
            found.append(f"{n} subject{'s have' if n > 1 else ' has'} no {name}: taken as a stratum of their own")
    return found
