"""What a significant result of this size is worth if the truth is smaller: type S and M error, replication, and N.

For a true effect D and a standard error s, both normal: power is the probability of |estimate| > z s; a type S error is a
significant estimate of the wrong sign; type M is how many times too large a significant estimate is on average (Gelman and
Carlin 2014, doi 10.1177/1745691614551642; in closed form Lu, Qiu and Deng 2019, doi 10.1111/bmsp.12132). Replication
probabilities of an equal trial: Goodman (1992, doi 10.1002/sim.4780110705).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from alsbench.stats.errors import StatsError

ALPHA = 0.05


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
