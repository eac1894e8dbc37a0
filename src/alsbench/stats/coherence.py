"""Do published numbers agree with each other? Every number stands for the interval of values that are printed so.

A difference must be that of the means, an interval must lie about its estimate, and estimate, standard error, interval and p
must belong to one t distribution (its degrees of freedom known, or any of ``degrees``). Of a joint rank of
two arms more is known: ranks 1 to N add up to N(N + 1) / 2, so that two mean ranks tie the sizes of the arms to a curve; the
difference of the mean ranks is N times the win probability less one half (Mann and Whitney 1947, doi
10.1214/aoms/1177730491). The idea is that of GRIM (Brown and Heathers 2017, doi 10.1177/1948550616673876).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, stdtr, stdtrit

Interval = tuple[float, float]
SLACK = 0.07  # least-squares means are adjusted: N implied by them may be off by so much
VARIANCE = (0.4, 1.15)  # squared standard error of the difference over that of unadjusted ranks: covariates take some away
NORMAL = (1e9,)


def degrees(lowest: float = 10.0) -> tuple[float, ...]:
    """Degrees of freedom from the lowest to infinity: quantiles and tails go one way between them."""
    return tuple(sorted({lowest, *(v for v in (20.0, 40.0, 80.0) if v > lowest), *NORMAL}))


def overlap(a: Interval, b: Interval, *, tolerance: float = 1e-9) -> bool:
    """Whether two intervals share a value, up to the rounding of doubles."""
    scale = max((abs(x) for x in (*a, *b) if math.isfinite(x)), default=0.0)
    return a[0] <= b[1] + tolerance * scale and b[0] <= a[1] + tolerance * scale


def difference_of(treatment: Interval, reference: Interval) -> Interval:
    """The differences that two means allow."""
    return treatment[0] - reference[1], treatment[1] - reference[0]


def centre_of(low: Interval, high: Interval, *, ratio: bool = False) -> Interval:
    """The estimates about which a symmetric interval lies; of a ratio, symmetric in its logarithm."""
    if ratio:
        return math.sqrt(low[0] * high[0]) if low[0] > 0 else 0.0, math.sqrt(low[1] * high[1])
    return (low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0


def standard_errors_of(low: Interval, high: Interval, *, dfs: Sequence[float]) -> Interval:
    """The standard errors that the limits of a 95% interval allow."""
    width = max(high[0] - low[1], 0.0), high[1] - low[0]
    quantiles = [float(stdtrit(v, 0.975)) for v in dfs]
    return width[0] / 2.0 / max(quantiles), width[1] / 2.0 / min(quantiles)


def p_of_error(estimate: Interval, error: Interval, *, dfs: Sequence[float]) -> Interval:
    """The two-sided p-values that an estimate and its standard error allow."""
    return _p_values(_magnitude(estimate), error, [1.0] * len(dfs), dfs)


def p_of_limits(estimate: Interval, low: Interval, high: Interval, *, dfs: Sequence[float]) -> Interval:
    """The two-sided p-values that an estimate and its 95% limits allow; the logarithms of all three for a ratio."""
    half = max(high[0] - low[1], 0.0) / 2.0, (high[1] - low[0]) / 2.0
    return _p_values(_magnitude(estimate), half, [float(stdtrit(v, 0.975)) for v in dfs], dfs)


def _magnitude(estimate: Interval) -> Interval:
    if estimate[0] <= 0.0 <= estimate[1]:
        return 0.0, max(abs(estimate[0]), abs(estimate[1]))
    return min(abs(estimate[0]), abs(estimate[1])), max(abs(estimate[0]), abs(estimate[1]))


def _p_values(size: Interval, spread: Interval, quantiles: Sequence[float], dfs: Sequence[float]) -> Interval:
    found = []
    for quantile, df in zip(quantiles, dfs, strict=True):
        for numerator, denominator in ((size[0], spread[1]), (size[1], spread[0])):
            t = math.inf if denominator <= 0.0 else quantile * numerator / denominator
            found.append(0.0 if math.isinf(t) else float(2.0 * stdtr(df, -t)))
    return min(found), max(found)


@dataclass(frozen=True)
class RankPair:
    """Two mean ranks, ``treatment`` and ``reference``, of one ranking of two arms; ``p`` of their difference if published."""

    treatment: float
    reference: float
    p: float | None = None


@dataclass(frozen=True)
class RankSizes:
    """Sizes of the arms that published mean ranks allow: ``best`` and the range, the treated arms in the order given and then
    the shared control. ``win_probability`` has the best and the range for each pair. Empty where no sizes agree."""

    best: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    win_probability: tuple[tuple[float, float, float], ...]

    @property
    def any(self) -> bool:
        return bool(self.best)


def rank_sizes(pairs: Sequence[RankPair], arms: Sequence[int], *, slack: float = SLACK) -> RankSizes:
    """The sizes of a subgroup within ``arms`` (treated arms in the order of ``pairs``, then the control) that one or two
    published pairs of mean ranks allow.

    Sizes agree where the N implied by each pair is within ``slack`` of the sizes' own sum, the standard error implied by p
    lies in ``VARIANCE`` of that of ranks, and the subgroup is no rarer in one arm than chance would have it (chi-squared of
    each pair's allocation below its 95% point): a second pair can only narrow what the first allows.
    Raises ValueError for other than one or two pairs, or an arm without subjects.
    """
    if len(pairs) not in (1, 2) or len(arms) != len(pairs) + 1 or min(arms) < 1:
        raise ValueError("one or two pairs of mean ranks, and the size of each arm and of the control")
    grid = np.meshgrid(*(np.arange(1.0, n + 1.0) for n in arms), indexing="ij")
    *treated, control = grid
    fits = np.ones(control.shape, dtype=bool)
    cost = np.zeros(control.shape)
    for pair, n, size in zip(pairs, treated, arms[:-1], strict=True):
        total = n + control
        implied = 2.0 * (n * pair.treatment + control * pair.reference) / total - 1.0
        off = (implied - total) / (slack * total)
        fits &= np.abs(off) <= 1.0
        fits &= np.abs(pair.treatment - pair.reference) <= total / 2.0
        chi = _allocation(n, control, size / (size + arms[-1]))
        fits &= chi <= float(chdtri(1, 0.05))
        cost += (2.0 * off) ** 2 + chi
        if pair.p is not None:
            fits &= _variance_fits(pair.treatment - pair.reference, pair.p, n, control)
    if not fits.any():
        return RankSizes((), (), (), ())
    at = np.unravel_index(int(np.argmin(np.where(fits, cost, np.inf))), fits.shape)
    wins = []
    for pair, n in zip(pairs, treated, strict=True):
        win = 0.5 + (pair.treatment - pair.reference) / (n + control)
        wins.append((float(win[at]), float(win[fits].min()), float(win[fits].max())))
    return RankSizes(
        tuple(int(n[at]) for n in grid),
        tuple(int(n[fits].min()) for n in grid),
        tuple(int(n[fits].max()) for n in grid),
        tuple(wins),
    )


def _allocation(n: NDArray[np.float64], control: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Chi-squared, one degree of freedom, of a subgroup's sizes against the share of the treated arm in both."""
    total = n + control
    return np.asarray((n - share * total) ** 2 / (share * (1.0 - share) * total), dtype=np.float64)


def _variance_fits(difference: float, p: float, n: NDArray[np.float64], control: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the standard error implied by p is one that ranks of such arms have."""
    total = n + control
    t = -stdtrit(np.maximum(total - 2.0, 1.0), min(max(p, 1e-12), 1.0 - 1e-12) / 2.0)
    ranks = total * (total + 1.0) / 12.0 * (1.0 / n + 1.0 / control)
    ratio = (difference / np.maximum(np.abs(t), 1e-12)) ** 2 / ranks
    return np.asarray((ratio >= VARIANCE[0]) & (ratio <= VARIANCE[1]), dtype=bool)


def mean_rank_total(treatment: Interval, n_treatment: int, reference: Interval, n_reference: int) -> Interval:
    """The N that two mean ranks and the sizes of their arms imply: twice their weighted mean, less one."""
    total = n_treatment + n_reference
    low, high = ((n_treatment * treatment[k] + n_reference * reference[k]) / total for k in (0, 1))
    return 2.0 * low - 1.0, 2.0 * high - 1.0
