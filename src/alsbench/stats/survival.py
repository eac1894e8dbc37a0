"""Time to event without a model: Kaplan-Meier curves, their quantiles, and (stratified) log-rank tests.

Kaplan and Meier (1958, doi 10.1080/01621459.1958.10501452) with Greenwood's variance; pointwise intervals on the
log(-log) scale unless another is asked for (Kalbfleisch and Prentice 2002). Log-rank and the G-rho family of Harrington
and Fleming (1982, doi 10.1093/biomet/69.3.553). Conventions (ties between event and censoring, times that differ by
floating-point noise, the time at which a flat stretch equals the quantile, what is undefined) are those of R's survival.

Restricted mean survival time is the area under the curve to tau with Greenwood's plug-in variance (Royston and Parmar 2013, doi
10.1186/1471-2288-13-152; Uno et al. 2014, doi 10.1200/JCO.2014.55.2208), as R's survRM2. It needs no proportional hazards, and
exists where a hazard ratio does not: an arm without events has the mean tau and no variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.ties import merge_ties, merge_together

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
ConfType = Literal["log-log", "log", "plain", "logit", "arcsin"]

TIE = math.sqrt(np.finfo(np.float64).eps)  # R's tolerance for "the curve is exactly at the quantile"


@dataclass(frozen=True)
class Quantile:
    """The time by which a share ``probability`` has had the event; NaN where the curve or its limit never gets there."""

    probability: float
    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class SurvivalAt:
    """The curve at one time: ``n_risk`` are those still under observation just before it."""

    time: float
    n_risk: int
    survival: float
    se: float
    low: float
    high: float


@dataclass(frozen=True)
class SurvivalCurve:
    """One step per distinct time, (k,) each; ``se`` is Greenwood's for S(t), ``low`` and ``high`` are NaN where undefined."""

    time: Array
    n_risk: IntArray
    n_event: IntArray
    n_censor: IntArray
    survival: Array
    se: Array
    low: Array
    high: Array
    conf_type: ConfType
    level: float
    n: int
    events: int

    def at(self, time: float) -> SurvivalAt:
        """The curve just after ``time``; NaN beyond the last observation unless the curve has reached zero.

        Before the first time everybody is at risk and S is 1, with limits 1 to 1 on every scale (R's ``survfit0``).
        """
        steps, asked = merge_together(self.time, time)
        k = int(np.searchsorted(steps, asked, side="right")) - 1
        later = int(np.searchsorted(steps, asked, side="left"))
        n_risk = int(self.n_risk[later]) if later < self.time.size else 0
        if asked > steps[-1] and self.survival[-1] > 0:
            return SurvivalAt(time, 0, math.nan, math.nan, math.nan, math.nan)
        if k < 0:
            return SurvivalAt(time, n_risk, 1.0, 0.0, 1.0, 1.0)
        return SurvivalAt(time, n_risk, float(self.survival[k]), float(self.se[k]), float(self.low[k]), float(self.high[k]))

    def quantile(self, probability: float) -> Quantile:
        """The earliest time at which S(t) <= 1 - probability; if S stays exactly there, the middle of that stretch.

        The limits are the times at which the confidence band does the same (Brookmeyer and Crowley 1982).
        """
        if not 0.0 < probability < 1.0:
            raise StatsError(f"a survival quantile needs a probability between 0 and 1, not {probability:g}")
        target = 1.0 - probability
        crossings = [_crossing(self.time, curve, target) for curve in (self.survival, self.low, self.high)]
        return Quantile(probability, *crossings)

    @property
    def median(self) -> Quantile:
        return self.quantile(0.5)


@dataclass(frozen=True)
class LogRank:
    """Events ``observed`` and ``expected`` (groups,), ``variance`` (groups, groups) of their difference; chi-square on ``df``.

    ``z`` is the signed root for two groups, positive where the second has more events than expected; NaN for more groups.
    """

    observed: Array
    expected: Array
    variance: Array
    chisq: float
    df: int
    p: float
    z: float


def kaplan_meier(time: Array, event: BoolArray, *, conf_type: ConfType = "log-log", level: float = 0.95) -> SurvivalCurve:
    """The survival curve of times (n,) with ``event`` (n,) true for an event, false for censored.

    At equal times events come before censorings. Raises StatsError for no subjects, missing or negative times.
    """
    check_times(time, event)
    if conf_type not in get_args(ConfType):
        raise StatsError(f"unknown interval {conf_type}; there are {', '.join(get_args(ConfType))}")
    at, index = np.unique(merge_ties(time), return_inverse=True)
    total = np.bincount(index, minlength=at.size)
    d = np.bincount(index[event], minlength=at.size)
    n_risk = total[::-1].cumsum()[::-1]
    survival = np.cumprod((n_risk - d) / n_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(np.cumsum(d / (n_risk * (n_risk - d.astype(np.float64)))))
        se = np.where(survival > 0, survival * relative, np.nan)
    low, high = _limits(survival, relative, conf_type, level)
    n, events = int(time.size), int(d.sum())
    return SurvivalCurve(at, n_risk, d, total - d, survival, se, low, high, conf_type, level, n, events)


def log_rank(
    time: Array,
    event: BoolArray,
    group: IntArray,
    *,
    groups: int | None = None,
    strata: IntArray | None = None,
    rho: float = 0.0,
) -> LogRank:
    """H0: the hazards of the groups (codes 0 .. groups - 1) are equal at all times, within strata if given.

    ``rho`` weights each event time by S(t-)^rho: 0 is the log-rank, 1 the Peto and Peto modification of Gehan-Wilcoxon.
    Raises StatsError where there are no events, or fewer than two groups are ever at risk of one.
    """
    check_times(time, event)
    k = int(group.max()) + 1 if groups is None else groups
    if not event.any():
        raise StatsError("no log-rank test: there are no events")
    observed, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    day = merge_ties(time)
    codes = np.zeros(time.size, dtype=np.int64) if strata is None else strata
    for code in np.unique(codes):
        inside = codes == code
        o, e, v = _one_stratum(day[inside], event[inside], group[inside], k, rho)
        observed, expected, variance = observed + o, expected + e, variance + v
    present = expected > 0
    if present.sum() < 2:
        raise StatsError("no log-rank test: only one arm is at risk when events happen")
    gap = (observed - expected)[present][1:]
    inner = variance[np.ix_(present, present)][1:, 1:]
    values, vectors = np.linalg.eigh(inner)
    keep = values > 1e-10 * max(float(values[-1]), 1e-300)
    if not keep.any():
        raise StatsError("no log-rank test: everybody at risk has the event at once, which has no variance")
    chisq = float((((vectors.T @ gap) ** 2)[keep] / values[keep]).sum())
    df = int(keep.sum())
    from scipy.special import chdtrc  # waits: scipy

    z = math.copysign(math.sqrt(chisq), observed[1] - expected[1]) if k == 2 else math.nan
    return LogRank(observed, expected, variance, chisq, df, float(chdtrc(df, chisq)), z)


def check_times(time: Array, event: BoolArray) -> None:
    """Raise StatsError unless times are finite, not negative, and as many as the event flags."""
    if time.shape != event.shape or time.ndim != 1:
        raise StatsError("times and events differ in length")
    if time.size == 0:
        raise StatsError("there are no subjects")
    if not np.all(np.isfinite(time)) or time.min() < 0:
        raise StatsError("a time to event is missing, infinite or negative")


def _one_stratum(time: Array, event: BoolArray, group: IntArray, k: int, rho: float) -> tuple[Array, Array, Array]:
    at, index = np.unique(time, return_inverse=True)
    cell = index * k + group
    total = np.bincount(cell, minlength=at.size * k).reshape(-1, k)
    d = np.bincount(cell[event], minlength=at.size * k).reshape(-1, k).astype(np.float64)
    n = total[::-1].cumsum(axis=0)[::-1].astype(np.float64)
    d_all, n_all = d.sum(axis=1), n.sum(axis=1)
    before = np.r_[1.0, np.cumprod((n_all - d_all) / n_all)[:-1]]
    w = before**rho
    share = n / n_all[:, None]
    spread = np.where(n_all > 1, d_all * (n_all - d_all) / np.maximum(n_all - 1, 1), 0.0)
    expected = (w * d_all) @ share
    weighted = (w * w * spread)[:, None] * share
    return w @ d, expected, np.diag(weighted.sum(axis=0)) - weighted.T @ share


def _limits(survival: Array, relative: Array, conf_type: ConfType, level: float) -> tuple[Array, Array]:
    """Pointwise limits from S (k,) and the standard error of log S (k,), as survival::survfit."""
    from scipy.special import ndtri  # waits: scipy

    z = float(ndtri(0.5 + level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        s = np.where(survival > 0, survival, np.nan)
        if conf_type == "plain":
            half = z * relative * survival
            return np.maximum(survival - half, 0.0), np.minimum(survival + half, 1.0)
        if conf_type == "log":
            return s * np.exp(-z * relative), np.minimum(s * np.exp(z * relative), 1.0)
        s = np.where(s < 1, s, np.nan)
        if conf_type == "log-log":
            middle, half = np.log(-np.log(s)), z * relative / np.log(s)
            return np.exp(-np.exp(middle - half)), np.exp(-np.exp(middle + half))
        if conf_type == "logit":
            middle, half = np.log(s / (1 - s)), z * relative / (1 - s)
            return 1 - 1 / (1 + np.exp(middle - half)), 1 - 1 / (1 + np.exp(middle + half))
        middle, half = np.arcsin(np.sqrt(s)), 0.5 * z * relative * np.sqrt(s / (1 - s))
        return np.sin(np.maximum(0, middle - half)) ** 2, np.sin(np.minimum(math.pi / 2, middle + half)) ** 2


def _crossing(time: Array, curve: Array, target: float) -> float:
    known = ~np.isnan(curve)
    t, y = time[known], curve[known]
    reached = np.flatnonzero(y <= target + TIE)
    if reached.size == 0:
        return math.nan
    first = float(t[reached[0]])
    if abs(float(y[reached[0]]) - target) >= TIE:
        return first
    below = np.flatnonzero(y < target - TIE)
    return (first + float(t[below[0]] if below.size else t[-1])) / 2


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
    from scipy.special import ndtri  # waits: scipy

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
    from scipy.special import ndtr, ndtri  # waits: scipy

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
