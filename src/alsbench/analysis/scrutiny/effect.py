"""The finding's effect as a number with an error, on a scale where subgroups of different sizes can be compared.

Differences are taken as they are, ratios as logarithms; a difference of joint ranks, which grows with the number ranked, is
divided by that number plus one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import Finding, analysed, of_comparison
from alsbench.analysis.subgroups import Membership, counts_by_arm
from alsbench.stats.errors import StatsError
from alsbench.study.model import Comparison

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Effect:
    """``estimate``, ``se`` and 95 % limits per ``unit`` (multiply to get the endpoint's own), subjects per arm. ``upward``: -1
    where a negative estimate is the better one. ``log``: the logarithm of a ratio."""

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


def effect_of(finding: Finding, member: Membership, comparison: Comparison) -> Effect:
    """The endpoint's contrast among ``member`` at the comparison's horizon. Raises StatsError with the engine's own reason."""
    endpoint = finding.endpoint
    rows = [r for r in analysed(finding, endpoint, member).rows if r.level is None and r.variable is None]
    mine = of_comparison([r for r in rows if r.context == "contrast"], comparison)
    counts = counts_by_arm(finding.source, member.mask)
    n1, n0 = counts[comparison.treatment], counts[comparison.reference]
    if endpoint.method == "time_to_event":
        ratio, low, high = (math.log(_value(mine, name)) for name in ("hazard_ratio", "hr_low", "hr_high"))
        return Effect(ratio, (high - low) / (2 * Z95), low, high, n1, n0, 1.0, -1.0, True)
    estimate, se, low, high = (_value(mine, name) for name in ("difference", "se", "conf_low", "conf_high"))
    unit, upward = 1.0, 1.0 if endpoint.better == "higher" else -1.0
    if endpoint.method == "joint_rank":
        upward = 1.0
        if endpoint.rank_scale == "rank":
            arms = of_comparison([r for r in rows if r.context == "arm" and r.stat_name == "n" and r.treatment], comparison)
            ranked = sum(r.number() for r in arms) or sum(r.number() for r in rows if r.context == "arm" and r.stat_name == "n")
            unit = ranked + 1.0
    return Effect(estimate / unit, se / unit, low / unit, high / unit, n1, n0, unit, upward, endpoint.scale == "log")


def _value(rows: list[Row], name: str) -> float:
    found = next((r for r in rows if r.stat_name == name), None)
    if found is None or found.stat is None:
        raise StatsError((found.error if found is not None else None) or "the effect cannot be estimated")
    return found.number()
