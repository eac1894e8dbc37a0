"""How large is the effect: on a scale of its own, knowing that it was noticed because it looked good, and if it is smaller.

The finding's effect as a number with an error, on a scale where subgroups of different sizes can be compared.

Differences are taken as they are, ratios as logarithms; a difference of joint ranks, which grows with the number ranked, is
divided by that number plus one.

How large is the effect, knowing that this subgroup was noticed because it looked good?

Two answers. The best of the study's definitions is corrected for being the best by a bootstrap of all of them together (Guo and
He 2021). And the subgroup's effect is drawn towards the whole trial's as far as subgroup and complement fail to show that they
differ.

If the true effect is smaller than it looks here, what was this result worth, and what would a trial need to confirm it?

Power, type S (sign) and type M (magnitude) error of the comparison as it was, under several assumed truths; the probability
that an equal trial repeats it; and the subjects per arm of a confirmatory trial in such subjects, with those to be screened
for them. What is observed here is the last of the assumptions to be believed: it was noticed for its size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alsbench.analysis.contrast import Z95, at_horizon, contrast_of
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, analysed, each_comparison
from alsbench.analysis.scrutiny.modifier import Floats, Pair, pair_of
from alsbench.analysis.scrutiny.outcomes import place
from alsbench.analysis.subgroups import Membership, complement, counts_by_arm, members
from alsbench.errors import ExpressionError
from alsbench.stats.errors import StatsError
from alsbench.stats.permuted_trials import arm_tests, bootstrap_weights
from alsbench.stats.rounding import round_half_away
from alsbench.stats.selection_bias import (
    Shrunken,
    bias_reduced,
    design_errors,
    replication_probability,
    shrunken,
    subjects_per_arm,
)
from alsbench.stats.threads import one_blas_thread
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
    rows = [r for r in analysed(finding, endpoint, member, at_horizons=True).rows if r.level is None and r.variable is None]
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


TUNING = ((1 / 30, "r = 1/30"), (1 / 6, "r = 1/6"), (1 / 3, "r = 1/3"))
MIDDLE = "r = 1/6"


def shrinkage(finding: Finding) -> CheckAnswer:
    """Check 8: as estimated, corrected for selection under three tunings, and shrunken."""
    rows, said = each_comparison(finding, lambda c: _one(finding, c))
    lines = (
        (
            "Corrected",
            f"best of the study's definitions at the horizon, {finding.draws} bootstrap samples of each arm (Guo and He 2021)",
        ),
        ("r", "chosen, not cross-validated: the smaller, the more the other definitions count as rivals"),
        ("Bound", "one-sided 95 %: the side on which the effect would be smaller"),
        ("Shrunken", "normal model of subgroup and complement, spread by moments: with two parts it is hardly determined"),
        *([("Scale", "logarithm of the ratio")] if finding.endpoint.scale == "log" else []),
    )
    return CheckAnswer(rows, said, lines)


def shrunken_effect(finding: Finding, comparison: Comparison) -> tuple[ScaledEffect, Shrunken]:
    """The subgroup's effect, and the shrunken ones of subgroup (first) and complement.

    Raises StatsError where there is none.
    """
    try:
        other = complement(finding.source, finding.subgroup)
    except ExpressionError as error:
        raise StatsError(error.what) from error
    parts = [effect_of(finding, finding.member(phrase), comparison) for phrase in (finding.subgroup, other)]
    return parts[0], shrunken([e.estimate for e in parts], [e.se for e in parts])


def _one(finding: Finding, comparison: Comparison) -> tuple[list[Row], str]:
    at = place(finding.source, finding.endpoint, comparison)
    rows: list[Row] = []
    try:
        own = effect_of(finding, finding.member(), comparison)
    except StatsError as error:
        return [finding.row("difference", None, comparison, error=str(error), **at)], "not estimable"
    limits = (own.low * own.unit, own.high * own.unit)
    rows += _interval(finding, comparison, "as estimated", own.estimate * own.unit, own.se * own.unit, at, limits)
    corrected, text = _selected(finding, comparison, own, at)
    rows += corrected
    words = f"{own.estimate * own.unit:.2f} as estimated, {text}"
    try:
        _, drawn = shrunken_effect(finding, comparison)
        estimate, se = float(drawn.estimate[0]) * own.unit, float(drawn.se[0]) * own.unit
        rows += _interval(finding, comparison, "shrunken", estimate, se, at)
        rows.append(finding.row("kept_percent", 100.0 * float(drawn.weight[0]), comparison, level="shrunken", **at))
        words += f", {estimate:.2f} shrunken"
    except StatsError as error:
        rows.append(finding.row("difference", None, comparison, level="shrunken", error=str(error), **at))
    return rows, words


def _interval(
    finding: Finding,
    comparison: Comparison,
    level: str,
    estimate: float,
    se: float,
    at: dict[str, object],
    limits: tuple[float, float] | None = None,
) -> list[Row]:
    """Estimate, error and interval; a normal one unless ``limits`` are given."""
    low, high = limits or (estimate - Z95 * se, estimate + Z95 * se)
    values = {"difference": estimate, "se": se, "conf_low": low, "conf_high": high}
    return [finding.row(n, v, comparison, level=level, **at) for n, v in values.items()]  # type: ignore[arg-type]


def _selected(finding: Finding, comparison: Comparison, own: ScaledEffect, at: dict[str, object]) -> tuple[list[Row], str]:
    names = tuple(dict.fromkeys([finding.subgroup, *(s.name for s in finding.source.study.subgroups)]))
    try:
        pair = pair_of(finding, comparison)
        if pair.whole.day is not None:
            raise StatsError("there is no bootstrap of all definitions for time to event")
        observed, samples, kept = _bootstrap(finding, pair, names, own.upward)
        best = kept[int(np.argmax(observed))]
        rows: list[Row] = []
        text = ""
        for r, level in TUNING:
            found = bias_reduced(observed, samples, pair.whole.subject.size, r=r)
            where = at | {"level": f"{best}, corrected, {level}"}
            scale = own.upward * _unit(finding, comparison, best, own)
            bound = "conf_low" if scale > 0 else "conf_high"
            values = {"difference": found.reduced * scale, bound: found.bound * scale}
            rows += [finding.row(n, v, comparison, **where) for n, v in values.items()]  # type: ignore[arg-type]
            if level == MIDDLE:
                text = f"{found.reduced * scale:.2f} corrected (bound {found.bound * scale:.2f})"
        if best != finding.subgroup:
            text = f"not the best of {len(kept)} definitions: that is {best}, {text}"
        return rows, text
    except StatsError as error:
        return [finding.row("difference", None, comparison, level="corrected", error=str(error), **at)], "not corrected"  # type: ignore[arg-type]


def _bootstrap(finding: Finding, pair: Pair, names: tuple[str, ...], upward: float) -> tuple[Floats, Floats, list[str]]:
    """Oriented effects of every definition (k,) and of its bootstrap samples (B, k), and the definitions that have one."""
    weights = bootstrap_weights(pair.arm, finding.draws, seed=finding.endpoint.seed)
    observed, samples, kept = [], [], []
    with one_blas_thread():
        for name in names:
            mask = members(finding.source, name, finding.population).mask[pair.whole.subject]
            part = pair.whole.at(np.flatnonzero(mask))
            outcome = part.outcome.__class__(**{**part.outcome.__dict__, "unit": True})
            arm = pair.arm[mask][None, :]
            once = arm_tests(outcome, arm, pair.treated, pair.reference).estimate[0] if mask.any() else math.nan
            if not math.isfinite(once):
                continue
            drawn = arm_tests(outcome, arm, pair.treated, pair.reference, weights=weights[:, mask]).estimate
            observed.append(upward * once)
            samples.append(upward * drawn)
            kept.append(name)
    if not kept:
        raise StatsError("no definition has an effect")
    return np.array(observed), np.array(samples).T, kept


def _unit(finding: Finding, comparison: Comparison, best: str, own: ScaledEffect) -> float:
    if best == finding.subgroup:
        return own.unit
    return effect_of(finding, finding.member(best), comparison).unit


ASSUMED = {"as observed": "if as observed", "shrunken": "if shrunken", "overall's": "if no larger than overall"}
STATS = ("assumed", "power_percent", "type_s_percent", "type_m", "subjects_80", "subjects_90")


def errors(finding: Finding) -> CheckAnswer:
    """Check 21: the errors of the comparison under the overall, the shrunken, half the observed and the observed effect."""
    rows, said = each_comparison(finding, lambda c: _errors_at(finding, c))
    lines = (
        ("Assumed", "true effects on the finding's scale; an effect noticed for its size is no guide to the true one"),
        ("Type S, type M", "share of significant results with the wrong sign; how many times too large they are on average"),
        ("N", "per arm, two equal arms, two-sided 0.05, for 80 % and 90 % power, all in the subgroup, same visit and model"),
        ("Screened", "subjects to find both arms among, if as many are in the subgroup as here"),
    )
    return CheckAnswer(rows, said, lines)


def _errors_at(finding: Finding, comparison: Comparison) -> tuple[list[Row], str]:
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
