"""Descriptive statistics and baseline balance: n, mean, SD, quantiles, counts, standardised mean differences.

Sums are correctly rounded (``math.fsum``): no statistic depends on the order of the rows. Quantiles are type 2 of Hyndman and
Fan (1996, doi 10.1080/00031305.1996.10473566), which is SAS ``PCTLDEF=5``. Standardised mean differences follow Austin (2009,
doi 10.1002/sim.3697) for numeric and two-level variables and Yang and Dalton (2012, SAS Global Forum 335) for more levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.proportions import percent
from alsbench.stats.ties import merge_together

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DescriptiveSummary:
    """``n`` values present, ``n_missing`` absent; every other statistic is NaN where ``n`` is too small to define it."""

    n: int
    n_missing: int
    mean: float
    sd: float
    median: float
    q1: float
    q3: float
    min: float
    max: float

    @property
    def se(self) -> float:
        """Standard error of the mean."""
        return self.sd / math.sqrt(self.n) if self.n else math.nan


@dataclass(frozen=True)
class LevelCount:
    """Subjects at one level of a factor; ``percent`` is of the ``total`` with a value."""

    level: str
    count: int
    total: int

    @property
    def percent(self) -> float:
        return percent(self.count, self.total) if self.total else math.nan


def describe(values: ArrayLike) -> DescriptiveSummary:
    """The summary of ``values`` (n,); NaN means missing and is counted."""
    x = np.asarray(values, dtype=np.float64).ravel()
    present = np.sort(x[~np.isnan(x)])
    n = int(present.size)
    if n == 0:
        nan = math.nan
        return DescriptiveSummary(0, int(x.size), nan, nan, nan, nan, nan, nan, nan)
    q1, median, q3 = (_sorted_quantile(present, q) for q in (0.25, 0.5, 0.75))
    low, high = float(present[0]), float(present[-1])
    return DescriptiveSummary(n, int(x.size) - n, mean(present), sd(present), median, q1, q3, low, high)


def mean(values: ArrayLike) -> float:
    """Mean of the values present; NaN if there is none."""
    x = _present(values)
    return math.fsum(x.tolist()) / x.size if x.size else math.nan


def variance(values: ArrayLike) -> float:
    """Variance with divisor n - 1 of the values present; NaN for fewer than two."""
    x = _present(values)
    if x.size < 2:
        return math.nan
    centred = x - mean(x)
    # the second sum takes out what rounding the mean left in the first (Chan, Golub and LeVeque 1983)
    drift = math.fsum(centred.tolist())
    return (math.fsum((centred * centred).tolist()) - drift * drift / x.size) / (x.size - 1)


def sd(values: ArrayLike) -> float:
    """Standard deviation with divisor n - 1 of the values present; NaN for fewer than two."""
    v = variance(values)
    return math.sqrt(max(v, 0.0)) if not math.isnan(v) else v


def quantile(values: ArrayLike, q: float) -> float:
    """The type 2 quantile of the values present: an observed value, or the mean of two where n q is whole."""
    if not 0.0 <= q <= 1.0:
        raise StatsError(f"a quantile needs a probability between 0 and 1, not {q:g}")
    x = np.sort(_present(values))
    return _sorted_quantile(x, q) if x.size else math.nan


def count_levels(codes: ArrayLike, levels: tuple[str, ...]) -> tuple[LevelCount, ...]:
    """Counts of every level in order, empty ones too; negative codes are missing and leave the total."""
    c = np.asarray(codes, dtype=np.int64)
    c = c[c >= 0]
    counts = np.bincount(c, minlength=len(levels))
    if counts.size > len(levels):
        raise StatsError(f"code {int(c.max())} has no level: there are {len(levels)}")
    return tuple(LevelCount(level, int(k), int(c.size)) for level, k in zip(levels, counts, strict=True))


def smd_numeric(treated: ArrayLike, reference: ArrayLike) -> float:
    """(mean of treated - mean of reference) / sqrt((variance + variance) / 2), missing values left out.

    Raises StatsError where an arm has fewer than two values, or neither varies while the means differ.
    """
    a, b = merge_together(_present(treated), _present(reference))
    if a.size < 2 or b.size < 2:
        raise StatsError("a standardised mean difference needs two values in each arm")
    difference = mean(a) - mean(b)
    if difference == 0.0:
        return 0.0
    pooled = math.sqrt((variance(a) + variance(b)) / 2.0)
    if pooled == 0.0:
        raise StatsError("no standardised mean difference: the variable does not vary within the arms")
    return difference / pooled


def smd_categorical(treated: ArrayLike, reference: ArrayLike, n_levels: int) -> float:
    """Mahalanobis distance of the level proportions (T - C)' S^-1 (T - C), square root; unsigned, 0 = balance.

    Arguments are level codes 0 .. n_levels - 1, negative = missing. S averages the arms' multinomial covariances over all
    levels seen but the first; with two levels it is the absolute binary SMD. Raises StatsError where S is singular.
    """
    counts = [np.bincount(c[c >= 0], minlength=n_levels) for c in (np.asarray(treated), np.asarray(reference))]
    if min(k.sum() for k in counts) == 0:
        raise StatsError("a standardised mean difference needs values in each arm")
    seen = (counts[0] + counts[1]) > 0
    p1, p0 = (k[seen][1:] / k.sum() for k in counts)
    d = p1 - p0
    if not np.any(d):
        return 0.0
    S = (np.diag(p1) - np.outer(p1, p1) + np.diag(p0) - np.outer(p0, p0)) / 2.0
    values, vectors = np.linalg.eigh(S)
    if values[0] <= 1e-12 * max(1.0, float(values[-1])):
        raise StatsError("no standardised mean difference: the levels separate the arms")
    z = vectors.T @ d
    return math.sqrt(math.fsum((z * z / values).tolist()))


def _present(values: ArrayLike) -> Array:
    x = np.asarray(values, dtype=np.float64).ravel()
    return x[~np.isnan(x)]


def _sorted_quantile(x: Array, q: float) -> float:
    position = x.size * q
    fuzz = 4.0 * np.finfo(np.float64).eps * max(1.0, position)  # 0.1 * 30 must count as 3
    j = math.floor(position + fuzz)
    low = float(x[min(max(j - 1, 0), x.size - 1)])
    high = float(x[min(j, x.size - 1)])
    return high if position - j > fuzz else low + (high - low) / 2.0
