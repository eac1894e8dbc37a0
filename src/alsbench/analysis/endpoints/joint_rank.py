"""CAFS, the joint rank of function and survival: ranks, ANCOVA on the ranks, generalised Gehan-Wilcoxon, win statistics.

METHODS 3; Berry et al. 2013, doi 10.3109/21678421.2012.762930. The ranked set is the two arms of the comparison within the
population and subgroup (or all arms); the horizon is the comparison's, or the visit asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alsbench.analysis.context import ARM_STATS, CONTRAST_STATS, AnalysisContext, MethodResult
from alsbench.analysis.follow_up import change_matrix, subject_times
from alsbench.analysis.model_data import (
    ARM,
    PART,
    Floats,
    aliased_warning,
    arm_factor,
    covariate_columns,
    covariate_variables,
    difference_row,
    interaction_row,
    ls_mean_row,
    ls_mean_words,
    strata_codes,
    strata_warnings,
    underived,
    unplaced_warning,
)
from alsbench.analysis.records import endpoint_records, visit_label
from alsbench.analysis.result import Context, Row, merge_warnings
from alsbench.analysis.source import BoolArray, IntArray
from alsbench.errors import UsageError
from alsbench.stats.ancova import OLSFit, fit_ols
from alsbench.stats.design import Design, Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.joint_rank import FollowUp, JointRank, Rules, cut_at_horizon, score_pairs
from alsbench.stats.permutation import permute_ancova, permute_scores
from alsbench.stats.summaries import describe
from alsbench.stats.wins import WinStatistics, finkelstein_schoenfeld, win_statistics

WINS = ("wins", "losses", "ties", "win_ratio", "win_odds", "net_benefit", "win_probability")
GEHAN = ("gehan_w", "gehan_var", "gehan_z", "gehan_p")


@dataclass(frozen=True)
class Ranked:
    """The ranked set of one comparison: subjects (indices into the source), their arms, and the scored pairs.

    ``rank`` holds unstratified scores; ``stratified`` the scores from pairs within stratum, None without strata; ``ranks``
    what is analysed: mid-ranks, within stratum or on the 0-1 scale where the endpoint says so. ``followup`` and ``rules`` are
    what the pairs were scored from.
    """

    subject: IntArray
    arm: IntArray
    rank: JointRank
    stratified: JointRank | None
    ranks: Floats
    followup: FollowUp
    rules: Rules

    def kept(self) -> IntArray:
        """Subjects that were ranked."""
        return self.subject[self.rank.included]


def analyse(analysis: AnalysisContext) -> MethodResult:
    """One ranking per comparison and horizon."""
    rows: list[Row] = []
    warnings: list[str] = []
    formula = ""
    for horizon, pairs in rankings(analysis):
        block, formula = _at_horizon(analysis, horizon, pairs)
        rows += block.rows
        warnings += block.warnings
    strata = f"; Gehan-Wilcoxon within strata of {', '.join(analysis.endpoint.strata)}" if analysis.endpoint.strata else ""
    return MethodResult(
        rows,
        model=(
            ("Model", f"ANCOVA on joint ranks: {formula}{strata}"),
            ("Ranked set", "all arms" if analysis.endpoint.arms == "all" else "the two arms of the comparison"),
            *analysis.source.study.visits.horizon_line(horizon for horizon, _ in rankings(analysis)),
            ("Pairs", rule_words(analysis)),
            ("Ranks", _rank_words(analysis)),
            ("LS means", ls_mean_words(analysis, "ranked subjects")),
            ("Missing data", "no event and no value after baseline: not ranked, counted"),
            ("Win statistics", _interval_words(analysis)),
        ),
        warnings=merge_warnings([warnings]),
    )


def rankings(analysis: AnalysisContext) -> list[tuple[float, tuple[tuple[str, str], ...]]]:
    """Every ranking to make: its horizon and the (treatment, reference) pairs read from it, each once.

    The horizons are the visits asked for, else each comparison's own. Raises UsageError where there is neither.
    """
    found: dict[tuple[float, tuple[str, str] | None], list[tuple[str, str]]] = {}
    for comparison in analysis.comparisons:
        if not analysis.question.visits and comparison.horizon is None:
            raise UsageError(
                f"comparison {comparison.name} has no horizon", hint="give it one in study.toml, or ask for --visit NUMBER"
            )
        pair = (comparison.treatment, comparison.reference)
        for horizon in analysis.question.visits or (float(comparison.horizon or 0.0),):
            pairs = found.setdefault((horizon, None if analysis.endpoint.arms == "all" else pair), [])
            if pair not in pairs:
                pairs.append(pair)
    return [(horizon, tuple(pairs)) for (horizon, _), pairs in found.items()]


def ranked_set(analysis: AnalysisContext, horizon: float, mask: BoolArray, arms: tuple[str, ...]) -> Ranked:
    """Score every pair of the subjects in ``mask`` and ``arms`` at a horizon in visit units."""
    function = analysis.source.endpoint(analysis.endpoint.function)
    arm = analysis.source.planned_arm
    subject = np.flatnonzero(mask & np.isin(arm, [analysis.arms.index(a) for a in arms])).astype(np.int64)
    days = subject_times(analysis.source, analysis.endpoint, subject)
    changes, visits = change_matrix(
        replace(analysis, endpoint=function), subject, percent=analysis.endpoint.change == "percent"
    )
    followup = cut_at_horizon(
        days.day, days.censored, changes, visits, horizon=horizon, horizon_day=analysis.source.study.visits.horizon_day(horizon)
    )
    rules = Rules(
        better=function.better,
        death_always_loses=analysis.endpoint.death_always_loses,
        event_ties=analysis.endpoint.event_ties,
        function=analysis.endpoint.function_at,
        missing=analysis.endpoint.missing,
    )
    codes = np.array([arms.index(analysis.arms[a]) for a in arm[subject]], dtype=np.int64)
    rank = score_pairs(followup, rules=rules, groups=codes)
    stratified = None
    if analysis.endpoint.strata:
        strata = strata_codes(analysis.source, analysis.endpoint.strata, subject)
        stratified = score_pairs(followup, rules=rules, groups=codes, strata=strata)
    ranking = stratified if analysis.endpoint.rank_within_strata and stratified is not None else rank
    ranks = ranking.unit_ranks if analysis.endpoint.rank_scale == "unit" else ranking.ranks
    return Ranked(subject, codes, rank, stratified, ranks, followup, rules)


def interaction(analysis: AnalysisContext, whole: BoolArray, visits: tuple[float, ...]) -> MethodResult:
    """Subgroup-by-arm interaction per comparison: both parts ranked together, arm:part in the ANCOVA on those ranks.

    Ranked are the comparison's two arms, or all of them where the endpoint says so, as for its own results."""
    rows: list[Row] = []
    for comparison, visit in zip(analysis.comparisons, visits, strict=True):
        where = _where(analysis, visit) | {"treatment": comparison.treatment, "reference": comparison.reference}
        pair = (comparison.treatment, comparison.reference)
        arms = analysis.arms if analysis.endpoint.arms == "all" else (pair[1], pair[0])
        try:
            ranked = ranked_set(analysis, visit, whole, arms)
            fit, design, _ = rank_ancova(analysis, ranked, arms, part=analysis.member.mask)
            row = interaction_row(analysis, design, pair)
            rows.append(analysis.row("subgroup", "interaction_p", float(fit.contrast(row).p[0]), **where))
        except ValueError as error:
            rows.append(analysis.row("subgroup", "interaction_p", None, error=str(error), **where))
    return MethodResult(rows)


def _at_horizon(analysis: AnalysisContext, horizon: float, pairs: tuple[tuple[str, str], ...]) -> tuple[MethodResult, str]:
    everyone = analysis.endpoint.arms == "all"
    arms = analysis.arms if everyone else (pairs[0][1], pairs[0][0])
    where = _where(analysis, horizon)
    own = where | ({} if everyone else {"treatment": pairs[0][0], "reference": pairs[0][1]})
    function = analysis.source.endpoint(analysis.endpoint.function)
    reason = underived(
        replace(analysis, endpoint=function),
        endpoint_records(analysis.source, function),
        percent=analysis.endpoint.change == "percent",
    )
    if reason:
        raise StatsError(reason)
    ranked = ranked_set(analysis, horizon, analysis.member.mask, arms)
    rows: list[Row] = []
    warnings = _warnings(analysis, ranked, horizon)
    for code, arm in enumerate(arms):
        rows += _arm_summary(analysis, ranked, code, arm, own)
    fit, design, formula, failure = None, None, "", ""
    empty = [a for code, a in enumerate(arms) if not (ranked.rank.included & (ranked.arm == code)).any()]
    try:
        if empty and not everyone:
            raise StatsError(f"no ranked subjects of {' or '.join(empty)} in this subgroup")
        fit, design, more = rank_ancova(analysis, ranked, arms)
        formula = _formula(analysis, design)
        warnings += more
    except StatsError as error:
        failure = str(error)
        formula = _formula(analysis, None)
    for arm in arms:
        rows += _ls_mean_rows(analysis, fit, design, arm, failure, own)
    for treatment, reference in pairs:
        at = where | {"treatment": treatment, "reference": reference}
        rows += _difference_rows(analysis, fit, design, (treatment, reference), failure, at)
        if analysis.endpoint.permutations:
            rows += permutation_rows(analysis, ranked, (arms.index(treatment), arms.index(reference)), at)
        rows += _pair_rows(analysis, ranked, arms.index(treatment), arms.index(reference), at)
    if analysis.question.subjects:
        rows += _subject_rows(analysis, ranked, arms, own)
    return MethodResult(rows, warnings=tuple(warnings)), formula


def _where(analysis: AnalysisContext, horizon: float) -> dict[str, object]:
    records = endpoint_records(analysis.source, analysis.source.endpoint(analysis.endpoint.function))
    return {"visit": visit_label(analysis.source, records, horizon), "visit_number": horizon}


def _arm_summary(analysis: AnalysisContext, ranked: Ranked, code: int, arm: str, own: dict[str, object]) -> list[Row]:
    here = ranked.rank.included & (ranked.arm == code)
    summary = describe(ranked.ranks[here])
    rows = [analysis.row("arm", "n", int(here.sum()), arm=arm, **own)]
    if here.any():
        for name in ("mean", "sd", "median"):
            rows.append(_defined(analysis, "arm", name, getattr(summary, name), "a single rank has no SD", own | {"arm": arm}))
    else:
        rows += analysis.failed(
            "arm", ("mean", "sd", "median"), f"no ranked subjects of {arm} in this subgroup", arm=arm, **own
        )
    rows.append(analysis.row("arm", "events", int((here & ranked.followup.has_event).sum()), arm=arm, **own))
    return rows


def rank_ancova(
    analysis: AnalysisContext, ranked: Ranked, arms: tuple[str, ...], part: BoolArray | None = None
) -> tuple[OLSFit, Design, list[str]]:
    columns = covariate_columns(analysis)
    inside = ranked.rank.included & columns.complete[ranked.subject]
    left_out = int(ranked.rank.included.sum() - inside.sum())
    warnings = [f"{left_out} ranked subjects left out of the ANCOVA: a covariate is missing"] if left_out else []
    subject = ranked.subject[inside]
    if subject.size == 0:
        raise StatsError("no ranked subjects with complete covariates in this subgroup")
    arm = arm_factor(analysis, analysis.source.planned_arm[subject])
    missing = [a for a in arms if a not in arm.levels]
    if missing and analysis.endpoint.arms != "all":
        raise StatsError(f"no ranked subjects of {' or '.join(missing)} with complete covariates in this subgroup")
    covariates, more = covariate_variables(columns, subject)
    factors = [arm]
    terms: list[tuple[str, ...]] = [(ARM,)]
    if part is not None:
        factors.append(Factor(PART, part[subject].astype(np.int64), ("out", "in")))
        terms.append((PART,))
    terms += [(c.name,) for c in covariates]
    if part is not None:
        terms.append((ARM, PART))
    design = build_design([*factors, *covariates], terms)
    fit = fit_ols(ranked.ranks[inside], design)
    fit.check_inference()
    return fit, design, [*warnings, *more, *aliased_warning(design)]


def _ls_mean_rows(
    analysis: AnalysisContext, fit: OLSFit | None, design: Design | None, arm: str, failure: str, own: dict[str, object]
) -> list[Row]:
    try:
        if fit is None or design is None:
            raise StatsError(failure)
        if arm not in design.factor(ARM).levels:
            raise StatsError(f"no ranked subjects of {arm} in this subgroup")
        return analysis.inference("arm", "ls_mean", fit.contrast(ls_mean_row(analysis, design, {ARM: arm})), 0, arm=arm, **own)
    except StatsError as error:
        return analysis.failed("arm", ARM_STATS, str(error), arm=arm, **own)


def _difference_rows(
    analysis: AnalysisContext,
    fit: OLSFit | None,
    design: Design | None,
    pair: tuple[str, str],
    failure: str,
    at: dict[str, object],
) -> list[Row]:
    try:
        if fit is None or design is None:
            raise StatsError(failure)
        absent = [a for a in reversed(pair) if a not in design.factor(ARM).levels]
        if absent:
            raise StatsError(f"no ranked subjects of {' or '.join(absent)} in this subgroup")
        row = difference_row(analysis, design, pair)
        return analysis.inference("contrast", "difference", fit.contrast(row), 0, **at)
    except StatsError as error:
        return analysis.failed("contrast", CONTRAST_STATS, str(error), **at)


def _pair_rows(analysis: AnalysisContext, ranked: Ranked, treated: int, reference: int, at: dict[str, object]) -> list[Row]:
    """Gehan-Wilcoxon (within strata where the endpoint has them) and win statistics of two arms."""
    rows: list[Row] = []
    source = ranked.stratified or ranked.rank
    both = source.included & np.isin(ranked.arm, (treated, reference))
    try:
        absent = [
            str(at[name])
            for name, code in (("reference", reference), ("treatment", treated))
            if not (source.included & (ranked.arm == code)).any()
        ]
        if absent:
            raise StatsError(f"no ranked subjects of {' or '.join(absent)} in this subgroup")
        strata = (
            strata_codes(analysis.source, analysis.endpoint.strata, ranked.subject)[both]
            if ranked.stratified is not None
            else None
        )
        test = finkelstein_schoenfeld(
            source.scores_between(treated, reference)[both], ranked.arm[both] == treated, strata=strata
        )
        values = (test.W, test.variance, test.z, test.p)
        even = "no test: every pair is tied, W has no variance"
        rows += [_defined(analysis, "contrast", n, v, even, at) for n, v in zip(GEHAN, values, strict=True)]
        wins = win_statistics(ranked.rank, treated, reference, intervals=analysis.endpoint.win_intervals)
    except StatsError as error:
        done = {r.stat_name for r in rows}
        return rows + analysis.failed("contrast", [n for n in (*GEHAN, *WINS) if n not in done], str(error), **at)
    for name in ("wins", "losses", "ties"):
        rows.append(analysis.row("contrast", name, int(getattr(wins, name)), **at))
    reason = _one_sided(wins)
    for name in ("win_ratio", "win_odds", "net_benefit", "win_probability"):
        found = getattr(wins, name)
        limits = (found.low, found.high) if found.se > 0 else (math.nan, math.nan)  # pairs that do not vary: no interval
        for end, value in zip(("", "_low", "_high"), (found.estimate, *limits), strict=True):
            rows.append(_defined(analysis, "contrast", f"{name}{end}", value, reason, at))
    parts = wins.components
    for name, value in (("event", parts.by_event), ("function", parts.by_function), ("tied", parts.tied)):
        rows.append(analysis.row("contrast", "pairs", value, level=f"decided by {name}" if name != "tied" else "tied", **at))
    return rows


def _defined(analysis: AnalysisContext, context: Context, name: str, value: float, reason: str, at: dict[str, Any]) -> Row:
    """A statistic, or the reason for its absence where it is not finite."""
    if math.isfinite(value):
        return analysis.row(context, name, value, **at)
    return analysis.row(context, name, None, error=reason, **at)


def _one_sided(wins: WinStatistics) -> str:
    """Why a win statistic or its interval does not exist."""
    if wins.wins + wins.losses == 0:
        return "every pair is tied"
    if wins.losses == 0 or wins.wins == 0:
        return f"no pair is {'lost' if wins.losses == 0 else 'won'}: there is no finite ratio or interval"
    return "the pairs do not vary within the arms: there is no interval"


def _subject_rows(analysis: AnalysisContext, ranked: Ranked, arms: tuple[str, ...], own: dict[str, object]) -> list[Row]:
    rows: list[Row] = []
    for i in np.flatnonzero(ranked.rank.included).tolist():
        where = own | {"arm": arms[int(ranked.arm[i])], "level": analysis.source.subject_ids[int(ranked.subject[i])]}
        rows.append(analysis.row("subject", "score", int(ranked.rank.scores[i]), **where))
        rows.append(analysis.row("subject", "rank", float(ranked.ranks[i]), **where))
    return rows


def rule_words(analysis: AnalysisContext) -> str:
    """How a pair is decided."""
    event = "an event loses to no event, the later event wins" if analysis.endpoint.death_always_loses else "later event wins"
    same_day = "compare function" if analysis.endpoint.event_ties == "function" else "tie"
    what = "percent change" if analysis.endpoint.change == "percent" else "change"
    at = "the last common visit"
    if analysis.endpoint.function_at == "horizon":
        filled = {"none": "not compared", "locf": "last observation carried forward", "worst": "worst rank"}
        at = f"the horizon visit (missing: {filled[analysis.endpoint.missing]})"
    return f"{event}, two on one day {same_day}; else {what} at {at}; equal is a tie"


def _rank_words(analysis: AnalysisContext) -> str:
    within = f" within strata of {', '.join(analysis.endpoint.strata)}" if analysis.endpoint.rank_within_strata else ""
    scale = ", divided by N + 1" if analysis.endpoint.rank_scale == "unit" else ""
    return f"mid-ranks of the pair sums{within}{scale}"


def _interval_words(analysis: AnalysisContext) -> str:
    others = {"untransformed": "cut off at their range", "transformed": "by atanh of the net benefit"}
    return f"unstratified; intervals on the log scale for ratios, the others {others[analysis.endpoint.win_intervals]}"


def _warnings(analysis: AnalysisContext, ranked: Ranked, horizon: float) -> list[str]:
    warnings = unplaced_warning(endpoint_records(analysis.source, analysis.source.endpoint(analysis.endpoint.function)))
    if ranked.rank.n_excluded:
        label = f"{analysis.source.study.visits.unit} {horizon:g}"
        subjects = "subject" if ranked.rank.n_excluded == 1 else "subjects"
        warnings.append(f"{ranked.rank.n_excluded} {subjects} not ranked at {label}: neither event nor value after baseline")
    warnings += strata_warnings(analysis.source, analysis.endpoint.strata, ranked.kept())
    unknown = int(ranked.rank.contact_unknown.sum())
    if unknown:
        warnings.append(f"{unknown} subjects have no time-to-event record: taken as not followed to anybody's event")
    return warnings


def _formula(analysis: AnalysisContext, design: Design | None) -> str:
    names = analysis.endpoint.covariates if design is None else [t[0] for t in design.terms if len(t) == 1 and t[0] != ARM]
    return "rank ~ " + " + ".join([analysis.source.study.arms.planned, *names])


PERMUTED = ("permutation_gehan_p", "permutation_p", "permutations")


def permutation_rows(analysis: AnalysisContext, ranked: Ranked, arms: tuple[int, int], at: dict[str, Any]) -> list[Row]:
    """Permutation p of W and of the ANCOVA t for two arms (codes in ``ranked``), and how many arrangements were looked at.

    W is that of everybody ranked; the ANCOVA is of those among them whose covariates are known.
    """
    scored = ranked.stratified or ranked.rank
    both = scored.included & np.isin(ranked.arm, arms)
    names = zip(arms, (at["treatment"], at["reference"]), strict=True)
    absent = [name for code, name in names if not (both & (ranked.arm == code)).any()]
    if absent:
        reason = f"no ranked subjects of {' or '.join(absent)} in this subgroup"
        return analysis.failed("contrast", PERMUTED, reason, **at)
    modelled = both & covariate_columns(analysis).complete[ranked.subject]
    strata = strata_codes(analysis.source, analysis.endpoint.strata, ranked.subject) if analysis.endpoint.strata else None

    def drawing(members: BoolArray) -> dict[str, Any]:
        own = None if strata is None else strata[members]
        return {"strata": own, "draws": analysis.endpoint.permutations, "seed": analysis.endpoint.seed}

    try:
        gehan = permute_scores(scored.scores_between(*arms)[both], ranked.arm[both] == arms[0], **drawing(both))
        treated = ranked.arm[modelled] == arms[0]
        variables, _ = covariate_variables(covariate_columns(analysis), ranked.subject[modelled])
        design = build_design(variables, [(v.name,) for v in variables]) if variables else None
        columns = design.X if design is not None else np.ones((treated.size, 1))
        ancova = permute_ancova(ranked.ranks[modelled], treated, columns, **drawing(modelled))
    except StatsError as error:
        return analysis.failed("contrast", PERMUTED, str(error), **at)
    kind = "every arrangement" if gehan.exact else f"Monte Carlo, seed {analysis.endpoint.seed}"
    values = (gehan.p, ancova.p, ancova.draws)
    return [analysis.row("contrast", n, v, warning=kind, **at) for n, v in zip(PERMUTED, values, strict=True)]
