"""How large is the effect, knowing that this subgroup was noticed because it looked good?

Two answers. The best of the study's definitions is corrected for being the best by a bootstrap of all of them together (Guo and
He 2021). And the subgroup's effect is drawn towards the whole trial's as far as subgroup and complement fail to show that they
differ.
"""

from __future__ import annotations

import math

import numpy as np

from alsbench.analysis.contrast import Z95
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.effect import ScaledEffect, effect_of
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, each_comparison
from alsbench.analysis.scrutiny.modifier import Floats, Pair, pair_of
from alsbench.analysis.scrutiny.outcomes import place
from alsbench.analysis.subgroups import complement, members
from alsbench.errors import ExpressionError
from alsbench.stats.errors import StatsError
from alsbench.stats.permuted_trials import arm_tests, bootstrap_weights
from alsbench.stats.selection_bias import Shrunken, bias_reduced, shrunken
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison

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
