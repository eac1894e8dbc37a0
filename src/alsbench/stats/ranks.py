"""Mid-ranks and the tests made of them: Wilcoxon-Mann-Whitney and Kruskal-Wallis.

Ties share the mean of their ranks; variances carry the tie correction; p-values are asymptotic without continuity correction,
as in R's coin. Wilcoxon (1945, doi 10.2307/3001968), Kruskal and Wallis (1952, doi 10.1080/01621459.1952.10483441).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr

from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RankTest:
    """``statistic`` with its ``df`` (NaN for a normal reference) and two-sided ``p``."""

    statistic: float
    df: float
    p: float


@dataclass(frozen=True)
class Wilcoxon:
    """``statistic`` is the Mann-Whitney count of pairs the treated win, ties a half (R's W); ``z`` its standardised form."""

    statistic: float
    z: float
    p: float


def mid_ranks(values: ArrayLike) -> Array:
    """Ranks 1..n of ``values`` (n,), ties sharing the mean of theirs. Raises StatsError for a missing value."""
    x = np.asarray(values)
    if x.dtype.kind == "f" and np.isnan(x).any():
        raise StatsError("missing values have no rank")
    _, codes, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2.0)[codes.reshape(x.shape)]
    return ranks


def wilcoxon(values: ArrayLike, treated: ArrayLike) -> Wilcoxon:
    """Do the treated tend to larger ``values`` (n,)? ``treated`` (n,) is boolean. Raises StatsError for an empty arm."""
    ranks, arm = mid_ranks(values), np.asarray(treated, dtype=bool)
    n, n1 = ranks.size, int(arm.sum())
    n0 = n - n1
    if n1 == 0 or n0 == 0:
        raise StatsError("a two-arm test needs subjects in both arms")
    statistic = float(ranks[arm].sum()) - n1 * (n1 + 1) / 2
    variance = n1 * n0 / (n * (n - 1)) * float(((ranks - (n + 1) / 2) ** 2).sum())
    if variance == 0:
        return Wilcoxon(statistic, math.nan, math.nan)
    z = (statistic - n1 * n0 / 2) / math.sqrt(variance)
    return Wilcoxon(statistic, z, 2.0 * float(ndtr(-abs(z))))


def kruskal_wallis(values: ArrayLike, groups: ArrayLike) -> RankTest:
    """Do ``values`` (n,) differ between ``groups`` (n,) of codes? NaN where all values are equal."""
    ranks, codes = mid_ranks(values), np.asarray(groups)
    _, index, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    if sizes.size < 2:
        raise StatsError("comparing groups needs two of them")
    centred = ranks - (ranks.size + 1) / 2
    total = float((centred**2).sum())
    if total == 0:
        return RankTest(math.nan, float(sizes.size - 1), math.nan)
    sums = np.bincount(index, weights=centred)
    h = (ranks.size - 1) * float((sums**2 / sizes).sum()) / total
    return RankTest(h, float(sizes.size - 1), float(chdtrc(sizes.size - 1, h)))
