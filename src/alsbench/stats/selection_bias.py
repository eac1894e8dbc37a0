"""What is left of the best of several estimates once it is known to be the best.

``bias_reduced`` follows Guo and He (2021, doi 10.1080/01621459.2020.1740096): in every bootstrap sample the largest of the
estimates, each first raised part of the way to the largest, shows how far a maximum overshoots. The tuning ``r`` in (0, 1/2]
says how far: the smaller, the more the others count as rivals (at 1/2 they stay where they are). ``shrunken`` is the
normal-normal model of disjoint groups with a moment estimate of the spread between them (Efron and Morris 1975, doi
10.1080/01621459.1975.10479864; DerSimonian and Laird 1986, doi 10.1016/0197-2456(86)90046-2).

What a significant result of this size is worth if the truth is smaller. For a true effect D and a standard error s, both
normal: power is the probability of |estimate| > z s; a type S error is a significant estimate of the wrong sign; type M is how
many times too large a significant estimate is on average (Gelman and Carlin 2014, doi 10.1177/1745691614551642; in closed form
Lu, Qiu and Deng 2019, doi 10.1111/bmsp.12132). Replication probabilities of an equal trial: Goodman (1992, doi
10.1002/sim.4780110705).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]
ALPHA = 0.05


@dataclass(frozen=True)
class BiasReduced:
    """``best`` (position) of the estimates, its ``naive`` value, ``reduced`` one, and one-sided lower ``bound``."""

    best: int
    naive: float
    reduced: float
    bound: float


@dataclass(frozen=True)
class Shrunken:
    """Per group ``estimate`` and ``se`` (k,) given ``tau``, the SD of true effects; ``weight`` (k,) is kept of its own data."""

    estimate: Array
    se: Array
    weight: Array
    tau: float


def bias_reduced(estimates: ArrayLike, bootstrap: ArrayLike, n: int, *, r: float, level: float = 0.95) -> BiasReduced:
    """The largest of ``estimates`` (k,), larger being better, corrected by ``bootstrap`` (B, k) estimates from ``n`` subjects.

    Samples with an estimate that does not exist (NaN) are left out. Raises StatsError for ``r`` outside (0, 1/2], or none left.
    """
    values, samples = np.asarray(estimates, dtype=np.float64), np.asarray(bootstrap, dtype=np.float64)
    if not 0 < r <= 0.5:
        raise StatsError("the tuning r lies between 0 and 1/2")
    if samples.ndim != 2 or samples.shape[1] != values.size or not np.isfinite(values).all():
        raise StatsError("the bootstrap needs a column for each estimate, and every estimate must exist")
    samples = samples[np.isfinite(samples).all(axis=1)]
    if not len(samples):
        raise StatsError("no bootstrap sample has every estimate")
    best = int(np.argmax(values))
    raised = (1.0 - float(n) ** (r - 0.5)) * (values[best] - values)
    over = (samples + raised).max(axis=1) - values[best]
    reduced = values[best] - float(over.mean())
    return BiasReduced(best, float(values[best]), reduced, float(values[best] - np.quantile(over, level)))


def shrunken(estimates: ArrayLike, se: ArrayLike, *, tau: float | None = None) -> Shrunken:
    """Estimates (k,) of disjoint groups with standard errors ``se`` (k,), drawn towards their common mean.

    ``tau`` is by the method of moments unless given; with two groups it is hardly determined. Raises StatsError for fewer than
    two groups.
    """
    y, v = np.asarray(estimates, dtype=np.float64), np.asarray(se, dtype=np.float64) ** 2
    if y.size < 2 or y.shape != v.shape or not np.isfinite(y + v).all() or not (v > 0).all():
        raise StatsError("shrinkage needs two groups or more, each with an estimate and its error")
    if tau is None:
        w = 1.0 / v
        q = float((w * (y - (w @ y) / w.sum()) ** 2).sum())
        tau = math.sqrt(max(0.0, (q - (y.size - 1)) / float(w.sum() - (w**2).sum() / w.sum())))
    w = 1.0 / (v + tau**2)
    centre, centre_variance = float(w @ y / w.sum()), 1.0 / float(w.sum())
    kept = tau**2 / (v + tau**2)
    variance = kept * v + (1.0 - kept) ** 2 * centre_variance
    return Shrunken(centre + kept * (y - centre), np.sqrt(variance), kept, float(tau))


@dataclass(frozen=True)
class DesignErrors:
    """``power``; ``type_s``, the share of significant estimates with the wrong sign; ``exaggeration``, type M."""

    power: float
    type_s: float
    exaggeration: float


def design_errors(effect: float, se: float, *, alpha: float = ALPHA) -> DesignErrors:
    """The errors of a trial with standard error ``se`` where the truth is ``effect``; its sign does not matter.

    Raises StatsError unless ``se`` is positive and ``effect`` not zero: of nothing, everything is an exaggeration.
    """
    if not se > 0 or effect == 0 or not math.isfinite(effect):
        raise StatsError("an assumed effect of zero has no sign and no size to get wrong")
    shift, z = abs(effect) / se, float(ndtri(1 - alpha / 2))
    right, wrong = float(ndtr(shift - z)), float(ndtr(-z - shift))
    power = right + wrong
    # E|estimate| over both tails, in standard errors
    size = shift * (right - wrong) + _density(z - shift) + _density(z + shift)
    return DesignErrors(power, wrong / power, size / power / shift)


def replication_probability(z: float, *, predictive: bool = False, alpha: float = ALPHA) -> float:
    """P that an equal trial is significant in the same direction, after an observed ``z``.

    Taking the observed effect as the truth, or, ``predictive``, knowing it only as well as it was measured (flat prior).
    """
    bound = float(ndtri(1 - alpha / 2))
    return float(ndtr((abs(z) - bound) / (math.sqrt(2.0) if predictive else 1.0)))


def subjects_per_arm(effect: float, se: float, n_treated: int, n_reference: int, *, power: float, alpha: float = ALPHA) -> int:
    """Subjects in each of two equal arms for ``power`` against ``effect``, where n_treated and n_reference gave ``se``.

    Raises StatsError for an effect of zero.
    """
    if effect == 0 or not math.isfinite(effect):
        raise StatsError("no number of subjects shows an effect of zero")
    unit = se**2 / (1.0 / n_treated + 1.0 / n_reference)
    z = float(ndtri(1 - alpha / 2)) + float(ndtri(power))
    return math.ceil(2.0 * unit * (z / effect) ** 2 - 1e-9)


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
