"""Restricted mean survival time: the mean time free of the event up to a horizon, and its difference between arms.

The area under the Kaplan-Meier curve to tau with Greenwood's plug-in variance (Royston and Parmar 2013, doi
10.1186/1471-2288-13-152; Uno et al. 2014, doi 10.1200/JCO.2014.55.2208), as R's survRM2. It needs no proportional hazards, and
exists where a hazard ratio does not: an arm without events has the mean tau and no variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.survival import check_times
from alsbench.stats.ties import merge_together

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Rmst:
    """Mean time free of the event up to ``tau``, in the unit of time."""

    tau: float
    mean: float
    se: float
    low: float
    high: float


@dataclass(frozen=True)
class RmstDifference:
    """Treated minus reference, and treated / reference; p and limits are NaN where neither arm has a variance, the ratio and
    its own where an arm's mean is 0 (all its events on day 0)."""

    treated: Rmst
    reference: Rmst
    difference: float
    se: float
    low: float
    high: float
    p: float
    ratio: float
    ratio_low: float
    ratio_high: float
    ratio_p: float


def rmst(time: Array, event: BoolArray, tau: float, *, level: float = 0.95) -> Rmst:
    """The restricted mean of times (n,) to ``tau``.

    Raises StatsError where the curve ends before ``tau`` while subjects are still event-free: the area is then not known.
    """
    from scipy.special import ndtri

    check_times(time, event)
    if not tau > 0:
        raise StatsError(f"a restricted mean needs a positive horizon, not {tau:g}")
    day, end = merge_together(time, tau)  # a time within noise of the horizon is the horizon
    at, index = np.unique(day, return_inverse=True)
    total, d = np.bincount(index), np.bincount(index[event], minlength=at.size).astype(np.float64)
    n_risk = total[::-1].cumsum()[::-1].astype(np.float64)
    survival = np.cumprod((n_risk - d) / n_risk)
    last = float(at[-1])
    if last < end and survival[-1] > 0:
        raise StatsError(f"no restricted mean to {tau:g}: follow-up ends at {last:g} with subjects event-free")
    inside = at < end
    width = np.diff(np.r_[0.0, at[inside], tau])
    area = width * np.r_[1.0, survival[inside]]
    mean = math.fsum(area.tolist())
    remaining = np.cumsum(area[::-1])[::-1][1:]  # the area from each time onward
    left = n_risk[inside] - d[inside]
    hazard = np.where(left > 0, d[inside] / (n_risk[inside] * np.where(left > 0, left, 1.0)), 0.0)
    se = math.sqrt(math.fsum((remaining**2 * hazard).tolist()))
    half = float(ndtri(0.5 + level / 2)) * se
    return Rmst(tau, mean, se, mean - half, mean + half)


def rmst_difference(treated: Rmst, reference: Rmst, *, level: float = 0.95) -> RmstDifference:
    """Difference and ratio of two restricted means to the same horizon, by normal approximation (the ratio on the log
    scale).
    """
    from scipy.special import ndtr, ndtri

    if treated.tau != reference.tau:
        raise StatsError(f"restricted means to {treated.tau:g} and {reference.tau:g} cannot be compared")
    z = float(ndtri(0.5 + level / 2))
    difference, se = treated.mean - reference.mean, math.hypot(treated.se, reference.se)
    log_ratio, log_se = math.nan, math.nan
    if treated.mean > 0 and reference.mean > 0:
        log_ratio = math.log(treated.mean / reference.mean)
        log_se = math.hypot(treated.se / treated.mean, reference.se / reference.mean)
    if se == 0.0:
        nan = math.nan
        return RmstDifference(treated, reference, difference, 0.0, nan, nan, nan, math.exp(log_ratio), nan, nan, nan)
    return RmstDifference(
        treated,
        reference,
        difference,
        se,
        difference - z * se,
        difference + z * se,
        2 * float(ndtr(-abs(difference) / se)),
        math.exp(log_ratio),
        math.exp(log_ratio - z * log_se),
        math.exp(log_ratio + z * log_se),
        2 * float(ndtr(-abs(log_ratio) / log_se)),
    )
