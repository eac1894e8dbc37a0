"""Analysis of imputed data: a difference at one visit, its error from Rubin's rules or the jackknife, and its tipping point.

Multiple imputation is pooled by Rubin (1987) with the degrees of freedom of Barnard and Rubin (1999, doi
10.1093/biomet/86.4.948); deterministic conditional-mean imputation takes its error from leaving out one subject at a
time, imputation model included (Wolbers et al. 2022, doi 10.1002/pst.2234). Both are evaluated along a line of delta
adjustments: a shift added to imputed values only, until the conclusion tips (Permutt 2016, doi 10.1002/sim.6753).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.imputation import Moments, Outcomes, Strategy, conditional_means
from alsbench.stats.summaries import mean, sd

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FitTo = Callable[[IntArray], Moments]
DeltaUnit = Literal["points", "points per month"]


@dataclass(frozen=True)
class Estimate:
    """An estimate with its error; ``df`` is infinite for normal inference."""

    estimate: float
    se: float
    df: float
    p: float
    low: float
    high: float


@dataclass(frozen=True)
class Analysis:
    """Least squares of the value at ``visit`` on ``X`` (n, p), answering the combination ``row`` (p,) of its coefficients.

    ``averaged`` (p,) marks entries of ``row`` that are means over the analysed subjects, as a covariate's in an LS mean:
    without a subject they are the mean of the others, as in R's rbmi, which analyses every jackknife sample by itself.
    """

    X: Array
    row: Array
    visit: int
    averaged: BoolArray | None = None

    def solve(self, index: IntArray | None = None) -> tuple[Array, Array, float]:
        """(weights (n,) whose product with the response is the estimate, orthonormal basis of X, row' (X'X)^-1 row)."""
        X = self.X if index is None else self.X[index]
        Q, R = np.linalg.qr(X)
        if np.abs(np.diag(R)).min() <= 1e-10 * np.abs(np.diag(R)).max():
            raise StatsError("the analysis of the imputed values is not of full rank")
        row = self.row if index is None or self.averaged is None else np.where(self.averaged, X.mean(axis=0), self.row)
        half = np.linalg.solve(R.T, row)
        return Q @ half, Q, float(half @ half)


@dataclass(frozen=True)
class MultipleImputations:
    """The M analyses as functions of delta: ``base`` and its residual sums; ``at`` pools them."""

    base: Array  # (M,) estimates at delta 0
    slope: float  # change of every estimate per unit of delta
    residual: Array  # (M, n) residuals at delta 0
    shift_residual: Array  # (n,) residuals of the shift
    unit_variance: float  # row' (X'X)^-1 row
    df: int  # residual degrees of freedom of one analysis

    def at(self, delta: float = 0.0, *, level: float = 0.95) -> Estimate:
        """Rubin's rules over the imputations with ``delta`` added."""
        r = self.residual + delta * self.shift_residual
        within = (r * r).sum(axis=1) / self.df * self.unit_variance
        return rubin(self.base + delta * self.slope, within, self.df, level=level)


@dataclass(frozen=True)
class Jackknife:
    """The estimate and its leave-one-out values as functions of delta."""

    base: float
    slope: float
    left_out: Array  # (n,) estimates without each subject at delta 0
    left_out_slope: Array  # (n,)

    def at(self, delta: float = 0.0, *, level: float = 0.95) -> Estimate:
        """Normal inference with the jackknife standard error, as rbmi's ``pool``."""
        values = self.left_out + delta * self.left_out_slope
        n = values.size
        deviation = values - mean(values)
        se = math.sqrt((n - 1) / n * math.fsum((deviation * deviation).tolist()))
        return _infer(self.base + delta * self.slope, se, math.inf, level)


@dataclass(frozen=True)
class TippingPoint:
    """Where the conclusion tips.

    ``delta`` is NaN if it does not within the grid. ``shift`` is what it means at the analysed visit, averaged over the
    shifted subjects; ``in_sd`` is that in SDs of the observed values there, ``per_month`` per month since the last
    observation. ``rows`` are (delta, estimate) over the grid.
    """

    delta: float
    unit: DeltaUnit
    shift: float
    in_sd: float
    per_month: float
    alpha: float
    n_shifted: int
    rows: tuple[tuple[float, Estimate], ...]


def multiple_imputations(imputed: Array, analysis: Analysis, *, shift: Array | None = None) -> MultipleImputations:
    """Analyse ``imputed`` (M, n, T); ``shift`` (n, T) is what one unit of delta adds."""
    weights, Q, unit = analysis.solve()
    y = imputed[:, :, analysis.visit]
    d = np.zeros(y.shape[1]) if shift is None else shift[:, analysis.visit]
    df = int(y.shape[1] - analysis.X.shape[1])
    if df < 1:
        raise StatsError("the analysis of the imputed values has no residual degrees of freedom")
    return MultipleImputations(y @ weights, float(weights @ d), y - (y @ Q) @ Q.T, d - Q @ (Q.T @ d), unit, df)


def jackknives(
    data: Outcomes, fit: FitTo, analyses: Sequence[Analysis], *, strategy: Strategy, shift: Array | None = None
) -> tuple[Jackknife, ...]:
    """Conditional-mean imputation, several analyses of the same imputed values, and all again without each subject in turn.

    ``fit`` refits the imputation model to the subjects whose indices it is given and returns the moments of *all* subjects; it
    is called n + 1 times. Two runs give the same bits.
    """
    d = np.zeros(data.values.shape) if shift is None else shift
    everybody = np.arange(data.n, dtype=np.int64)
    whole = _answers(data, fit, analyses, everybody, d, strategy)
    left = np.array([_answers(data, fit, analyses, np.delete(everybody, i), d, strategy) for i in range(data.n)])
    return tuple(Jackknife(*whole[k], left[:, k, 0], left[:, k, 1]) for k in range(len(analyses)))


def conditional_difference(data: Outcomes, fit: FitTo, analysis: Analysis, *, strategy: Strategy) -> float:
    """The estimate of :func:`jackknives`, ``base``, without its error: ``fit`` is called once."""
    everybody = np.arange(data.n, dtype=np.int64)
    return _answers(data, fit, [analysis], everybody, np.zeros(data.values.shape), strategy)[0][0]


def _answers(
    data: Outcomes, fit: FitTo, analyses: Sequence[Analysis], index: IntArray, shift: Array, strategy: Strategy
) -> list[tuple[float, float]]:
    """Of each analysis of the subjects ``index``: the estimate, and what one unit of ``shift`` adds to it."""
    completed = conditional_means(data.take(index), fit(index).take(index), strategy=strategy)
    found = []
    for analysis in analyses:
        weights, _, _ = analysis.solve(index)
        found.append((float(weights @ completed[:, analysis.visit]), float(weights @ shift[index, analysis.visit])))
    return found


def delta_shift(data: Outcomes, months: Array, *, unit: DeltaUnit = "points", arms: Sequence[int] | None = None) -> Array:
    """(n, T): what one unit of delta adds to each imputed value from the deviation on, zero elsewhere.

    ``points`` adds the same to every such visit; ``points per month`` grows with the months since the last observation
    (baseline, month 0, for none). ``months`` (T,) are the visits' times. ``arms`` are the arms shifted: by default all
    but the reference.
    """
    T = data.n_visits
    imputed = (np.arange(T)[None, :] >= data.deviation[:, None]) & ~data.observed
    chosen = data.arm != data.reference if arms is None else np.isin(data.arm, np.array(arms))
    size = np.ones((data.n, T)) if unit == "points" else _since_last(data, months)
    return np.where(imputed & chosen[:, None], size, 0.0)


def tipping_point(
    at: Callable[[float], Estimate],
    grid: Sequence[float],
    data: Outcomes,
    months: Array,
    visit: int,
    *,
    shift: Array,
    unit: DeltaUnit = "points",
    alpha: float = 0.05,
) -> TippingPoint:
    """The first delta along ``grid`` (from 0 outward) at which p rises to ``alpha`` or the sign turns, refined by bisection.

    ``at`` is ``MultipleImputations.at`` or ``Jackknife.at``. Raises StatsError where p at the first point of the grid is not
    below ``alpha``: there is nothing to tip.
    """
    rows = tuple((float(delta), at(float(delta))) for delta in grid)
    if not rows or rows[0][1].p >= alpha:
        raise StatsError("no tipping point: the result is not significant to begin with")
    sign = math.copysign(1.0, rows[0][1].estimate)

    def tipped(e: Estimate) -> bool:
        return e.p >= alpha or e.estimate * sign <= 0

    moved = shift[:, visit] != 0
    n_shifted = int(moved.sum())
    delta = math.nan
    for (low, _), (high, there) in itertools.pairwise(rows):
        if tipped(there):
            delta = _bisect(lambda d: tipped(at(d)), low, high)
            break
    since = _since_last(data, months)[moved, visit]
    spread = sd(data.values[:, visit])
    total = delta * mean(shift[moved, visit]) if n_shifted else math.nan
    per_month = delta if unit == "points per month" else (total / mean(since) if n_shifted else math.nan)
    return TippingPoint(delta, unit, total, total / spread if spread > 0 else math.nan, per_month, alpha, n_shifted, rows)


def rubin(estimates: Array, variances: Array, df_complete: float, *, level: float = 0.95) -> Estimate:
    """Pool M estimates (M,) and their variances (M,); ``df_complete`` are the degrees of freedom without missing values."""
    M = estimates.size
    if M < 2:
        raise StatsError("Rubin's rules need at least two imputations")
    within, between = mean(variances), sd(estimates) ** 2
    total = within + (1 + 1 / M) * between
    if total <= 0.0:
        raise StatsError("no inference: the pooled variance is zero")
    lost = (1 + 1 / M) * between / total
    old = math.inf if lost == 0.0 else (M - 1) / lost**2
    seen = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - lost) if math.isfinite(df_complete) else math.inf
    inverse = (1 / old if old > 0 else math.inf) + (1 / seen if seen > 0 else math.inf)
    return _infer(mean(estimates), math.sqrt(total), 1 / inverse if inverse > 0 else math.inf, level)


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _since_last(data: Outcomes, months: Array) -> Array:
    """(n, T) months between each visit and the subject's last observation before its deviation, at least 0."""
    seen = data.observed
    last = np.where(seen.any(axis=1), data.n_visits - 1 - np.argmax(seen[:, ::-1], axis=1), -1)
    since = np.where(last >= 0, months[np.maximum(last, 0)], 0.0)
    return np.maximum(months[None, :] - since[:, None], 0.0)


def _infer(estimate: float, se: float, df: float, level: float) -> Estimate:
    from scipy.special import ndtr, ndtri, stdtr, stdtrit  # waits: scipy

    if se == 0.0:
        return Estimate(estimate, se, df, math.nan, math.nan, math.nan)
    if math.isinf(df):
        p, quantile = 2 * float(ndtr(-abs(estimate / se))), float(ndtri(0.5 + level / 2))
    else:
        p, quantile = 2 * float(stdtr(df, -abs(estimate / se))), float(stdtrit(df, 0.5 + level / 2))
    return Estimate(estimate, se, df, p, estimate - quantile * se, estimate + quantile * se)
