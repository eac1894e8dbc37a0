"""Mid-ranks: ties share the mean of their ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.ties import merge_ties

Array = NDArray[np.float64]


def mid_ranks(values: ArrayLike) -> Array:
    """Ranks 1..n of ``values`` (n,), ties (floating-point noise too) sharing the mean of theirs.

    Raises StatsError for a missing value.
    """
    x = np.asarray(values)
    if x.dtype.kind == "f":
        if np.isnan(x).any():
            raise StatsError("missing values have no rank")
        x = merge_ties(x)
    _, codes, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2.0)[codes.reshape(x.shape)]
    return ranks
