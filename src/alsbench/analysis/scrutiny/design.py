"""If the true effect is smaller than it looks here, what was this result worth, and what would a trial need to confirm it?

Power, type S (sign) and type M (magnitude) error of the comparison as it was, under several assumed truths; the probability
that an equal trial repeats it; and the subjects per arm of a confirmatory trial in such subjects, with those to be screened
for them. What is observed here is the last of the assumptions to be believed: it was noticed for its size.
"""

from __future__ import annotations

import math

from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.effect import ScaledEffect, effect_of
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, each_comparison
from alsbench.analysis.scrutiny.outcomes import place
from alsbench.analysis.scrutiny.shrinkage import shrunken_effect
from alsbench.stats.errors import StatsError
from alsbench.stats.rounding import round_half_away
from alsbench.stats.selection_bias import design_errors, replication_probability, subjects_per_arm
from alsbench.study.model import Comparison

ASSUMED = {"as observed": "if as observed", "shrunken": "if shrunken", "overall's": "if no larger than overall"}
STATS = ("assumed", "power_percent", "type_s_percent", "type_m", "subjects_80", "subjects_90")


def errors(finding: Finding) -> CheckAnswer:
    """Check 21: the errors of the comparison under the overall, the shrunken, half the observed and the observed effect."""
    rows, said = each_comparison(finding, lambda c: _one(finding, c))
    lines = (
        ("Assumed", "true effects on the finding's scale; an effect noticed for its size is no guide to the true one"),
        ("Type S, type M", "share of significant results with the wrong sign; how many times too large they are on average"),
        ("N", "per arm, two equal arms, two-sided 0.05, for 80 % and 90 % power, all in the subgroup, same visit and model"),
        ("Screened", "subjects to find both arms among, if as many are in the subgroup as here"),
    )
    return CheckAnswer(rows, said, lines)


def _one(finding: Finding, comparison: Comparison) -> tuple[list[Row], str]:
    at = place(finding.source, finding.endpoint, comparison)
    try:
        own = effect_of(finding, finding.member(), comparison)
    except StatsError as error:
        return [finding.row(n, None, comparison, error=str(error), **at) for n in STATS], f"not estimable: {error}"
    rows: list[Row] = []
    n: dict[str, str] = {}
    power: dict[str, str] = {}
    share = finding.member().n / max(finding.member("overall").n, 1)
    for name, truth in _truths(finding, comparison, own):
        mine = _under(finding, comparison, own, name, truth, at)
        value = {r.stat_name: r.number() for r in mine if r.stat is not None}
        if "subjects_90" in value:
            screened = math.ceil(2 * value["subjects_90"] / share)
            n[name] = f"{value['subjects_90']:,.0f} per arm ({screened:,} screened)"
            power[name] = f"{round_half_away(value['power_percent'], 0)} %"
        rows += mine
    same = replication_probability(own.z)
    predicted = replication_probability(own.z, predictive=True)
    rows += [
        finding.row("replication_percent", 100 * same, comparison, level="as observed", **at),
        finding.row("replication_percent", 100 * predicted, comparison, level="as observed, known only so well", **at),
    ]
    needed = ", ".join(f"{n.get(name, 'not estimable')} {words}" for name, words in ASSUMED.items())
    again = ", ".join(f"{power.get(name, 'not estimable')} {words}" for name, words in list(ASSUMED.items())[1:])
    said = f"90 % power to confirm it takes {needed}: an equal trial repeats p < 0.05 with {again}"
    return rows, f"{said}, {round_half_away(100 * predicted, 0)} % {ASSUMED['as observed']}"


def _truths(finding: Finding, comparison: Comparison, own: ScaledEffect) -> list[tuple[str, float | StatsError]]:
    found: list[tuple[str, float | StatsError]] = [("as observed", own.estimate), ("half of it", own.estimate / 2)]
    try:
        found.append(("shrunken", float(shrunken_effect(finding, comparison)[1].estimate[0])))
    except StatsError as error:
        found.append(("shrunken", error))
    try:
        found.append(("overall's", effect_of(finding, finding.member("overall"), comparison).estimate))
    except StatsError as error:
        found.append(("overall's", error))
    return found


def _under(
    finding: Finding, comparison: Comparison, own: ScaledEffect, name: str, truth: float | StatsError, at: dict[str, object]
) -> list[Row]:
    where = at | {"level": name}
    try:
        if isinstance(truth, StatsError):
            raise truth
        found = design_errors(truth, own.se)
        counts = [subjects_per_arm(truth, own.se, own.n_treatment, own.n_reference, power=p) for p in (0.8, 0.9)]
    except StatsError as error:
        return [finding.row(n, None, comparison, error=str(error), **where) for n in STATS]  # type: ignore[arg-type]
    values = (truth * own.unit, 100 * found.power, 100 * found.type_s, found.exaggeration, *counts)
    return [finding.row(n, v, comparison, **where) for n, v in zip(STATS, values, strict=True)]  # type: ignore[arg-type]
