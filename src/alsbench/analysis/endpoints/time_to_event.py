"""Time to event: Kaplan-Meier per arm; log-rank, Cox and restricted means for the two arms of each comparison.

All follow-up counts; only the restricted mean and the survival quoted beside it look at a horizon (the comparison's).
METHODS 5. A hazard ratio that the events do not determine is an error row, never a number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alsbench.analysis.context import AnalysisContext, MethodResult
from alsbench.analysis.follow_up import times_by_subject
from alsbench.analysis.model_data import (
    ARM,
    PART,
    Floats,
    arm_factor,
    covariate_columns,
    covariate_variables,
    strata_codes,
    strata_warnings,
)
from alsbench.analysis.result import Row, merge_warnings
from alsbench.analysis.source import BoolArray, IntArray
from alsbench.stats.cox import CoxFit, fit_cox
from alsbench.stats.design import Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.survival import SurvivalCurve, kaplan_meier, log_rank, rmst, rmst_difference

COX = ("hazard_ratio", "hr_low", "hr_high", "z", "p_value")
RMST = ("rmst_difference", "rmst_difference_low", "rmst_difference_high", "rmst_p")


@dataclass(frozen=True)
class Times:
    """Subjects (indices into the source) with a record: their arm, day and whether it was an event."""

    subject: IntArray
    arm: IntArray
    day: Floats
    event: BoolArray

    def take(self, mask: BoolArray) -> Times:
        return Times(self.subject[mask], self.arm[mask], self.day[mask], self.event[mask])


def analyse(analysis: AnalysisContext) -> MethodResult:
    """Events, medians and restricted means per arm; log-rank, hazard ratio and restricted mean difference per comparison."""
    times = event_times(analysis, analysis.member.mask)
    rows, warnings = survival_rows(analysis, times)
    without = int((analysis.member.mask & (analysis.source.planned_arm >= 0)).sum()) - times.subject.size
    if without:
        warnings = [f"{without} subjects without a time-to-event record were left out", *warnings]
    terms = [analysis.source.study.arms.planned, *analysis.endpoint.covariates]
    strata = f", strata {', '.join(analysis.endpoint.strata)}" if analysis.endpoint.strata else ""
    return MethodResult(
        rows,
        model=(
            (
                "Model",
                f"Cox: hazard ~ {' + '.join(terms)}{strata}; the two arms of the comparison",
            ),
            ("Cox", f"{analysis.endpoint.ties.capitalize()} ties, Wald interval"),
            ("Log-rank", f"two-sided{strata}"),
            ("Kaplan-Meier", f"median and survival with {analysis.endpoint.intervals} intervals"),
            ("Restricted mean", "to the comparison's horizon day; all else uses all follow-up"),
            *analysis.source.study.visits.horizon_line(_horizons(analysis)),
            ("Event", "CNSR = 0; times in days"),
        ),
        warnings=merge_warnings([warnings]),
    )


def survival_rows(analysis: AnalysisContext, times: Times) -> tuple[list[Row], list[str]]:
    """Every statistic of times to event, with warnings: Kaplan-Meier by arm, log-rank, Cox and restricted means by pair."""
    horizons = _horizon_days(analysis)
    rows: list[Row] = []
    warnings = strata_warnings(analysis.source, analysis.endpoint.strata, times.subject)
    for code, arm in enumerate(analysis.arms):
        rows += _arm(analysis, times.take(times.arm == code), arm, horizons)
    for pair in analysis.pairs:
        found, more = _contrast(analysis, times, pair, horizons)
        rows += found
        warnings += more
    return rows, warnings


def interaction(analysis: AnalysisContext, whole: BoolArray, _visits: tuple[float, ...]) -> MethodResult:
    """Subgroup-by-arm interaction: Wald p of arm:part in the comparison's Cox model over both parts."""
    rows: list[Row] = []
    for comparison in analysis.comparisons:
        pair = (comparison.treatment, comparison.reference)
        where = {"treatment": pair[0], "reference": pair[1]}
        try:
            fit, _ = _cox(analysis, event_times(analysis, whole), pair, part=analysis.member.mask)
            p = fit.hazard_ratio(f"{ARM}{pair[0]}:{PART}in").p
            rows.append(analysis.row("subgroup", "interaction_p", p, **where))
        except ValueError as error:
            rows.append(analysis.row("subgroup", "interaction_p", None, error=str(error), **where))
    return MethodResult(rows)


def curves(analysis: AnalysisContext) -> dict[str, SurvivalCurve]:
    """The Kaplan-Meier curve of every arm that has subjects, for plots."""
    times = event_times(analysis, analysis.member.mask)
    found: dict[str, SurvivalCurve] = {}
    for code, arm in enumerate(analysis.arms):
        mine = times.take(times.arm == code)
        if mine.subject.size:
            found[arm] = kaplan_meier(mine.day, mine.event, conf_type=analysis.endpoint.intervals)
    return found


def event_times(analysis: AnalysisContext, mask: BoolArray) -> Times:
    """Records of the subjects in ``mask`` and of the study's arms."""
    endpoint = analysis.endpoint
    day, censored = times_by_subject(
        analysis.source, endpoint.dataset, endpoint.paramcd, endpoint.where, label=f"endpoints.{endpoint.name}"
    )
    arm = analysis.source.planned_arm
    subject = np.flatnonzero(mask & (arm >= 0) & np.isfinite(day) & np.isfinite(censored)).astype(np.int64)
    return Times(subject, arm[subject], day[subject], censored[subject] == 0)


def _horizon_days(analysis: AnalysisContext) -> dict[tuple[str, str], tuple[int, ...]]:
    """The restricted mean's horizon days of each (treatment, reference): the visits asked for, else the comparisons'."""
    visits = analysis.source.study.visits
    found: dict[tuple[str, str], list[int]] = {}
    for c in analysis.comparisons:
        wanted = analysis.question.visits or (() if c.horizon is None else (c.horizon,))
        days = found.setdefault((c.treatment, c.reference), [])
        days += [d for d in (visits.horizon_day(h) for h in wanted) if d not in days]
    return {pair: tuple(days) for pair, days in found.items()}


def _horizons(analysis: AnalysisContext) -> list[float]:
    """The horizons whose days :func:`_horizon_days` gives."""
    return [*(analysis.question.visits or (c.horizon for c in analysis.comparisons if c.horizon is not None))]


def _arm(analysis: AnalysisContext, mine: Times, arm: str, horizons: dict[tuple[str, str], tuple[int, ...]]) -> list[Row]:
    rows = [
        analysis.row("arm", "n", int(mine.subject.size), arm=arm),
        analysis.row("arm", "events", int(mine.event.sum()), arm=arm),
    ]
    days = sorted({d for pair, found in horizons.items() if arm in pair for d in found})
    if not mine.subject.size:
        return rows + analysis.failed("arm", ("median",), f"no subjects of {arm} in this subgroup", arm=arm)
    curve = kaplan_meier(mine.day, mine.event, conf_type=analysis.endpoint.intervals)
    median = curve.median
    for name, value in (("median", median.estimate), ("median_low", median.low), ("median_high", median.high)):
        reason = "not reached" if value != value else None
        rows.append(analysis.row("arm", name, None if reason else value, arm=arm, error=reason))
    for day in days:
        level = f"day {day}"
        at = curve.at(day)
        for name, value in (("survival", at.survival), ("survival_low", at.low), ("survival_high", at.high)):
            reason = f"not defined at day {day}" if value != value else None
            rows.append(analysis.row("arm", name, None if reason else value, arm=arm, level=level, error=reason))
        try:
            mean = rmst(mine.day, mine.event, float(day))
            rows.append(analysis.row("arm", "rmst", mean.mean, arm=arm, level=level))
            rows.append(analysis.row("arm", "rmst_se", mean.se, arm=arm, level=level))
        except StatsError as error:
            rows += analysis.failed("arm", ("rmst", "rmst_se"), str(error), arm=arm, level=level)
    return rows


def _contrast(
    analysis: AnalysisContext, times: Times, pair: tuple[str, str], horizons: dict[tuple[str, str], tuple[int, ...]]
) -> tuple[list[Row], list[str]]:
    where = {"treatment": pair[0], "reference": pair[1]}
    two = times.take(np.isin(times.arm, [analysis.arms.index(a) for a in pair]))
    treated = two.arm == analysis.arms.index(pair[0])
    rows: list[Row] = []
    warnings: list[str] = []
    try:
        _both_arms(treated, pair)
        strata = strata_codes(analysis.source, analysis.endpoint.strata, two.subject) if analysis.endpoint.strata else None
        test = log_rank(two.day, two.event, treated.astype(np.int64), groups=2, strata=strata)
        rows += [
            analysis.row("contrast", "log_rank_chisq", test.chisq, **where),
            analysis.row("contrast", "log_rank_z", test.z, **where),
            analysis.row("contrast", "log_rank_p", test.p, **where),
        ]
    except StatsError as error:
        rows += analysis.failed("contrast", ("log_rank_chisq", "log_rank_z", "log_rank_p"), str(error), **where)
    try:
        fit, warnings = _cox(analysis, times, pair)
        hr = fit.hazard_ratio(f"{ARM}{pair[0]}")
        values = (hr.hr, hr.low, hr.high, hr.z, hr.p)
        rows += [analysis.row("contrast", n, v, **where) for n, v in zip(COX, values, strict=True)]
        rows.append(_proportional(analysis, fit, where))
    except StatsError as error:
        rows += analysis.failed("contrast", (*COX, "ph_p"), _in_words(str(error), pair), **where)
    rows.append(_events(analysis, times, pair, where))
    for day in horizons.get(pair, ()):
        rows += _rmst_rows(analysis, two, treated, day, where)
    return rows, warnings


def _both_arms(treated: BoolArray, pair: tuple[str, str]) -> None:
    """StatsError that names every arm of ``pair`` (treatment, reference) without subjects; ``treated`` per subject."""
    absent = [arm for arm, there in ((pair[1], not treated.all()), (pair[0], treated.any())) if not there or not treated.size]
    if absent:
        raise StatsError(f"no subjects of {' or '.join(absent)} in this subgroup")


def _events(analysis: AnalysisContext, times: Times, pair: tuple[str, str], where: dict[str, str]) -> Row:
    """The events that a Cox model of the two arms has, whether or not they determine a hazard ratio."""
    two, _ = _complete(analysis, times, pair)
    try:
        _both_arms(two.arm == analysis.arms.index(pair[0]), pair)
    except StatsError as error:
        return analysis.row("contrast", "events", None, error=str(error), **where)
    return analysis.row("contrast", "events", int(two.event.sum()), **where)


def _proportional(analysis: AnalysisContext, fit: CoxFit, where: dict[str, str]) -> Row:
    try:
        return analysis.row("contrast", "ph_p", fit.proportional_hazards()[ARM].p, **where)
    except StatsError as error:
        return analysis.row("contrast", "ph_p", None, error=str(error), **where)


def _rmst_rows(analysis: AnalysisContext, two: Times, treated: BoolArray, day: int, where: dict[str, str]) -> list[Row]:
    level = f"day {day}"
    try:
        _both_arms(treated, (where["treatment"], where["reference"]))
        found = rmst_difference(
            rmst(two.day[treated], two.event[treated], float(day)), rmst(two.day[~treated], two.event[~treated], float(day))
        )
        if found.se == 0:
            raise StatsError(f"no events by day {day} in either arm: the difference has no variance")
    except StatsError as error:
        return analysis.failed("contrast", RMST, str(error), level=level, **where)
    values = (found.difference, found.low, found.high, found.p)
    return [analysis.row("contrast", n, v, level=level, **where) for n, v in zip(RMST, values, strict=True)]


def _cox(
    analysis: AnalysisContext, times: Times, pair: tuple[str, str], part: BoolArray | None = None
) -> tuple[CoxFit, list[str]]:
    """Cox model of two arms with the endpoint's covariates and strata; complete cases."""
    columns = covariate_columns(analysis)
    two, left_out = _complete(analysis, times, pair)
    incomplete = f"{pair[0]} against {pair[1]}: {left_out} subjects left out of the Cox model: a covariate is missing"
    treated = two.arm == analysis.arms.index(pair[0])
    _both_arms(treated, pair)
    covariates, warnings = covariate_variables(columns, two.subject)
    arm = arm_factor(analysis, two.arm)
    arm = Factor(ARM, treated.astype(np.int64), (pair[1], pair[0])) if arm.levels[0] != pair[1] else arm
    terms: list[tuple[str, ...]] = [(ARM,), *((v.name,) for v in covariates)]
    factors = [arm]
    if part is not None:
        factors.append(Factor(PART, part[two.subject].astype(np.int64), ("out", "in")))
        terms += [(PART,), (ARM, PART)]
    strata = strata_codes(analysis.source, analysis.endpoint.strata, two.subject) if analysis.endpoint.strata else None
    fit = fit_cox(two.day, two.event, build_design([*factors, *covariates], terms), strata=strata, ties=analysis.endpoint.ties)
    warnings = [incomplete, *warnings] if left_out else warnings
    return fit, [*warnings, *(_in_words(note, pair) for note in fit.notes)]


def _complete(analysis: AnalysisContext, times: Times, pair: tuple[str, str]) -> tuple[Times, int]:
    """The times of two arms' subjects with every covariate, and how many of these arms lack one."""
    both = np.isin(times.arm, [analysis.arms.index(a) for a in pair])
    two = times.take(both & covariate_columns(analysis).complete[times.subject])
    return two, int(both.sum()) - two.subject.size


def _in_words(text: str, pair: tuple[str, str]) -> str:
    """The arm's coefficient called by the arm's name."""
    return text.replace(f"{ARM}{pair[0]}", f"{pair[0]} against {pair[1]}")
