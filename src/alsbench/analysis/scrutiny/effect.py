"""The finding's effect as a number with an error, on a scale where subgroups of different sizes can be compared.

Differences are taken as they are, ratios as logarithms; a difference of joint ranks, which grows with the number ranked, is
divided by that number plus one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from alsbench.analysis.contrast import at_horizon, contrast_of
from alsbench.analysis.scrutiny.finding import Finding, analysed
from alsbench.analysis.subgroups import Membership, counts_by_arm
from alsbench.stats.errors import StatsError
from alsbench.study.model import Comparison


@dataclass(frozen=True)
class ScaledEffect:
    """``estimate``, ``se`` and 95 % limits of a contrast per ``unit`` (multiply to get the endpoint's own), subjects per arm.
    ``upward``: -1 where a negative estimate is the better one. ``log``: the logarithm of a ratio."""

    estimate: float
    se: float
    low: float
    high: float
    n_treatment: int
    n_reference: int
    unit: float
    upward: float
    log: bool

    @property
    def z(self) -> float:
        return self.estimate / self.se


def effect_of(finding: Finding, member: Membership, comparison: Comparison) -> ScaledEffect:
    """The endpoint's contrast among ``member`` at the comparison's horizon. Raises StatsError with the engine's own reason."""
    endpoint = finding.endpoint
    rows = [r for r in analysed(finding, endpoint, member).rows if r.level is None and r.variable is None]
    found = contrast_of(rows, endpoint, comparison, logs=True)
    if found.estimate is None or found.se is None or found.low is None or found.high is None:
        raise StatsError(found.error or "the effect cannot be estimated")
    estimate, low, high = found.estimate, found.low, found.high
    if found.ratio:
        estimate, low, high = math.log(estimate), math.log(low), math.log(high)
    unit = 1.0
    if endpoint.method == "joint_rank" and endpoint.rank_scale == "rank":
        ranked = [r for r in rows if r.context == "arm" and r.stat_name == "n"]
        unit = 1.0 + (sum(r.number() for r in at_horizon(ranked, comparison)) or sum(r.number() for r in ranked))
    counts = counts_by_arm(finding.source, member.mask)
    return ScaledEffect(
        estimate / unit,
        found.se / unit,
        low / unit,
        high / unit,
        counts[comparison.treatment],
        counts[comparison.reference],
        unit,
        1.0 if found.upward else -1.0,
        found.ratio or endpoint.scale == "log",
    )
