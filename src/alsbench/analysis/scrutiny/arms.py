"""The arms themselves: their doses, arms dealt again, and the arm that every comparison shares.

More doses, more effect? All arms ranked (or analysed) together, and one slope over the doses of the study file.

A finding in one arm that the other does not share is weaker for it. The trend is linear in the number or amount of doses,
tested by its t and by permuted residuals of the model without it (Freedman and Lane 1983).

Would these arms, dealt again within strata, give as large a statistic? p by re-randomisation beside p by the model.

Does the finding hang on one control? All comparisons share the reference arm, so one unusual subject moves them all.

The analysis is repeated with each reference subject of the subgroup left out in turn.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
from scipy.special import stdtrit

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.contrast import contrast_of, higher_is_better, p_text
from alsbench.analysis.endpoints.mmrm import differences_without_each
from alsbench.analysis.methods import analysed as method_answer
from alsbench.analysis.model_data import strata_codes
from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, analysed, contrasts, p_words, per_comparison, spreads
from alsbench.analysis.scrutiny.outcomes import STAND_INS, measured, own_visit, place
from alsbench.analysis.subgroups import Membership
from alsbench.stats.errors import StatsError
from alsbench.stats.mid_ranks import mid_ranks
from alsbench.stats.permutation import permute_residuals
from alsbench.stats.permuted_trials import permute_arms
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison, Endpoint

STATS = ("dose_slope", "dose_slope_low", "dose_slope_high", "p_value", "permutation_p")
MEANS = ("ls_mean", "conf_low", "conf_high")


def dose(finding: Finding) -> CheckAnswer:
    """Check 11: LS means of all arms analysed together, and the trend over their doses, at each comparison's visit."""
    doses, order = finding.source.study.arms.doses, finding.source.study.arms.order
    if any(arm not in doses for arm in order) or len(set(doses.values())) < 3:
        return CheckAnswer([], "not applicable: the study file gives no three different doses (arms.doses)")
    if finding.endpoint.method == "time_to_event":
        return CheckAnswer([], "not applicable: there is no trend over doses for time to event")
    together = finding.endpoint.model_copy(update={"arms": "all"})
    block = analysed(finding, together, finding.member())
    rows: list[Row] = []
    words: dict[str, str] = {}
    for comparison in finding.comparisons:
        at = place(finding.source, finding.endpoint, comparison)
        name = "slope" if finding.endpoint.method == "slope" else "ls_mean"
        wanted = (name, *MEANS[1:])
        means = [r for r in block.rows if r.context == "arm" and r.stat_name in wanted and r.level is None]
        means = [r for r in means if r.visit_number == at.get("visit_number") and r.treatment is None]
        rows += [r for r in means if r not in rows]
        mine, text = _trend(finding, together, comparison)
        rows += mine
        found = {r.arm: r.number() for r in means if r.stat_name == name and r.stat is not None}
        words[comparison.name] = text + _order(found, doses, upward=higher_is_better(finding.endpoint))
    scale = ", ".join(f"{arm} {doses[arm]:g}" for arm in order)
    lines = [("Doses", scale), ("Together", "all arms in one ranking and one model"), ("Permuted", f"{finding.draws} draws")]
    if finding.endpoint.method in STAND_INS:
        lines.append(("Trend", f"of the {STAND_INS[finding.endpoint.method]}"))
    return CheckAnswer(rows, per_comparison(finding, words), tuple(lines))


def _trend(finding: Finding, together: Endpoint, comparison: Comparison) -> tuple[list[Row], str]:
    source = finding.source
    at = place(source, finding.endpoint, comparison)
    try:
        found = measured(source, together, comparison, own_visit(source, finding.endpoint, comparison), finding.member())
        doses = np.array([source.study.arms.doses[a] for a in source.study.arms.order])[source.planned_arm[found.subject]]
        if np.unique(doses).size < 3:
            raise StatsError("fewer than three doses among the members")
        o = found.outcome
        y = o.response if o.scores is None else mid_ranks(o.scores, np.ones((1, doses.size)), o.strata, unit=o.unit)[0]
        test = permute_residuals(np.asarray(y), o.covariates, doses, draws=finding.draws, seed=finding.endpoint.seed)
    except StatsError as error:
        return [finding.row(n, None, comparison, error=str(error), **at) for n in STATS], f"no trend: {error}"
    half = float(stdtrit(test.df, 0.975)) * abs(test.estimate / test.t)
    values = (test.estimate, test.estimate - half, test.estimate + half, test.p, test.permutation_p)
    rows = [finding.row(n, v, comparison, **at) for n, v in zip(STATS, values, strict=True)]
    return rows, f"{test.estimate:.2f} per dose, p {p_text(test.p)}, permuted {p_text(test.permutation_p)}"


def _order(means: dict[str | None, float], doses: dict[str, float], *, upward: bool) -> str:
    """Whether the means rise with the dose."""
    ranked = [means[arm] for arm in sorted(doses, key=lambda a: doses[a]) if arm in means]
    if len(ranked) < 3:
        return ""
    steps = [b - a for a, b in itertools.pairwise(ranked)]
    sign = 1 if upward else -1
    return (
        ", the means improve with every dose"
        if all(s * sign > 0 for s in steps)
        else ", the means do not improve with every dose"
    )


NAMES = ("gehan_p", "permutation_p", "permutation_gehan_p", "permutations")
SLACK = 1e-9


def rerandomisation(finding: Finding) -> CheckAnswer:
    """Check 16: arms permuted within the endpoint's strata inside the subgroup.

    For a joint rank the ANCOVA t and the Gehan-Wilcoxon W, every arrangement where they are few; else the t (or log-rank z) of
    the test that stands for the endpoint in thousands of trials.
    """
    endpoint = finding.endpoint
    drawn = endpoint.model_copy(update={"permutations": endpoint.permutations or finding.draws})
    if endpoint.method == "joint_rank":
        rows = contrasts(finding, drawn, finding.member(), more=NAMES)
        lines = [("Arrangements", f"{drawn.permutations} drawn, seed {drawn.seed}; all of them where they are few")]
    else:
        rows = contrasts(finding, endpoint, finding.member())
        rows += [r for c in finding.comparisons for r in _permuted(finding, c, drawn.permutations)]
        lines = [("Arrangements", f"{drawn.permutations} drawn, seed {drawn.seed}")]
        lines += [("Re-randomised", f"the {STAND_INS[endpoint.method]}")] if endpoint.method in STAND_INS else []
    words = {
        c.name: f"model {p_words(rows, c)}, re-randomised {p_words(rows, c, 'permutation_p')}" for c in finding.comparisons
    }
    return CheckAnswer(rows, per_comparison(finding, words), tuple(lines))


def _permuted(finding: Finding, comparison: Comparison, draws: int) -> list[Row]:
    source, order = finding.source, finding.source.study.arms.order
    at = place(source, finding.endpoint, comparison)
    treated, reference = order.index(comparison.treatment), order.index(comparison.reference)
    found = measured(source, finding.endpoint, comparison, own_visit(source, finding.endpoint, comparison), finding.member())
    if not found.outcome.whole:
        found = found.at(np.flatnonzero(np.isin(source.planned_arm[found.subject], (treated, reference))))
    arms = np.full((draws + 1, source.planned_arm.size), -1, dtype=np.int8)
    own = source.planned_arm[found.subject].astype(np.int8)
    strata = strata_codes(source, finding.endpoint.strata, found.subject)
    arms[0, found.subject] = own
    arms[1:, found.subject] = permute_arms(own, strata, draws, seed=finding.endpoint.seed)
    with one_blas_thread():
        t = np.abs(found.tests(arms, treated, reference).t)
    if not np.isfinite(t[0]):
        why = "an arm or a degree of freedom is missing"
        return [finding.row(n, None, comparison, error=why, **at) for n in ("permutation_p", "permutations")]
    # an arrangement without a t counts as extreme
    extreme = int((~(t[1:] < t[0] * (1 - SLACK))).sum())
    values = (("permutation_p", (1 + extreme) / (draws + 1)), ("permutations", draws))
    return [finding.row(n, v, comparison, **at) for n, v in values]


EVERYBODY = "nobody"  # what is left out of the analysis as it was


def controls(finding: Finding) -> CheckAnswer:
    """Check 17: effect and p without each control; ``level`` says who was left out."""
    source, member = finding.source, finding.member()
    arms = source.study.arms.order
    shared = {arms.index(c.reference) for c in finding.comparisons}
    inside = np.flatnonzero(member.mask & np.isin(source.planned_arm, sorted(shared)))
    rows: list[Row] = contrasts(finding, finding.endpoint, member, variable="left out", level=EVERYBODY)
    for index in inside.tolist():
        mask = member.mask.copy()
        mask[index] = False
        without = replace(member, mask=mask, n=member.n - 1)
        rows += contrasts(finding, finding.endpoint, without, variable="left out", level=source.subject_ids[index])
    without_one = [r for r in rows if r.level != EVERYBODY]
    return CheckAnswer(rows, spreads(finding, without_one), (("Controls left out in turn", str(inside.size)),))


FAR = 0.5  # of an estimate: what stays above this share of it with the covariance held is not refitted for its sign


def effects_without_controls(finding: Finding, comparison: Comparison) -> list[float | None]:
    """One comparison's effect without each control of the subgroup in turn, where it is read, above 0 where it lies on the side
    of the effect in all of them; None where it cannot be computed.

    It is for its sign. An MMRM is fitted again only without controls whose leaving, with the covariance held, takes half of the
    effect or more: the others cannot turn it.
    """
    source, member = finding.source, finding.member()
    reference = source.study.arms.order.index(comparison.reference)
    inside = np.flatnonzero(member.mask & (source.planned_arm == reference)).tolist()
    whole = _effect(finding, comparison, member)
    if whole is None or whole == 0.0:
        return [None for _ in inside]
    held: dict[int, float] = {}
    if finding.endpoint.method == "mmrm":
        try:
            held = differences_without_each(_horizon_only(finding, comparison, member), comparison)[1]
        except StatsError:
            held = {}  # each is fitted again, and says why it cannot be
    found: list[float | None] = []
    for index in inside:
        kept = held.get(index, float("nan")) / whole
        if not kept > FAR:
            mask = member.mask.copy()
            mask[index] = False
            again = _effect(finding, comparison, replace(member, mask=mask, n=member.n - 1))
            found.append(None if again is None else again / whole)
        else:
            found.append(kept)
    return found


def _horizon_only(finding: Finding, comparison: Comparison, member: Membership) -> AnalysisContext:
    endpoint, visit = finding.endpoint, own_visit(finding.source, finding.endpoint, comparison)
    if endpoint.method == "ancova" and visit is not None:
        endpoint = endpoint.model_copy(update={"visits": (visit,)})  # each visit is a model of its own
    question = Question(endpoint.name, subgroups=(member.phrase,), population=finding.population)
    return AnalysisContext(finding.source, endpoint, question, finding.population, member, (comparison,), at_horizon=True)


def _effect(finding: Finding, comparison: Comparison, member: Membership) -> float | None:
    """The effect, a ratio as its logarithm."""
    found = contrast_of(method_answer(_horizon_only(finding, comparison, member)).rows, finding.endpoint, comparison)
    if found.estimate is None or (found.ratio and found.estimate <= 0.0):
        return None
    return math.log(found.estimate) if found.ratio else found.estimate
