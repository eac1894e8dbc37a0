"""Correlation within groups: do two measures of the same people go together, once what the groups differ in is taken out?

Values (or their ranks) are centred within group and pooled; degrees of freedom are n less one less the groups. Intervals by
Fisher's z, for ranks with the variance of Bonett and Wright (2000, doi 10.1007/BF02294183).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from alsbench.stats.errors import StatsError
from alsbench.stats.ties import mid_ranks

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Correlation:
    """``r`` of ``n`` pairs with its 95 % limits and two-sided ``p``; ``slope`` of the second on the first, with limits."""

    n: int
    r: float
    low: float
    high: float
    p: float
    slope: float
    slope_low: float
    slope_high: float


def correlation(x: ArrayLike, y: ArrayLike, group: ArrayLike | None = None, *, ranks: bool = False) -> Correlation:
    """Pearson's r of ``x`` and ``y`` (n,) within ``group`` (n,), or Spearman's: of the ranks over all, centred within group.

    Pairs with a missing value are left out. Raises StatsError for fewer than four pairs beside one per further group, or where
    one of the two does not vary.
    """
    from scipy.special import stdtr, stdtrit  # waits: scipy

    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    groups = np.zeros(first.size, dtype=np.int64) if group is None else np.asarray(group)
    known = np.isfinite(first) & np.isfinite(second)
    first, second, groups = first[known], second[known], groups[known]
    if ranks and first.size:
        first, second = mid_ranks(first), mid_ranks(second)
    levels = np.unique(groups)
    df = first.size - levels.size - 1
    if df < 2:
        raise StatsError(f"{first.size} pairs are too few for a correlation")
    a, b = first.copy(), second.copy()
    for level in levels:
        inside = groups == level
        a[inside] -= a[inside].mean()
        b[inside] -= b[inside].mean()
    aa, bb, ab = float(a @ a), float(b @ b), float(a @ b)
    if min(aa, bb) <= 1e-12:
        raise StatsError("one of the two does not vary")
    r = max(-1.0, min(1.0, ab / math.sqrt(aa * bb)))
    left = (bb - ab * ab / aa) / df
    t = math.copysign(math.inf, r) if left <= 1e-15 * bb else ab / aa / math.sqrt(left / aa)
    half = float(stdtrit(df, 0.975)) * math.sqrt(max(left, 0.0) / aa)
    spread = math.sqrt((1 + r * r / 2 if ranks else 1.0) / (df - 1))
    z = math.atanh(r) if abs(r) < 1 else math.copysign(math.inf, r)
    low, high = math.tanh(z - Z95 * spread), math.tanh(z + Z95 * spread)
    slope = ab / aa
    return Correlation(int(first.size), r, low, high, 2 * float(stdtr(df, -abs(t))), slope, slope - half, slope + half)
