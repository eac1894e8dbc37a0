"""Responders: who kept a change at least as good as the threshold, visit by visit, and when it became as bad as another.

Shares of each arm with Newcombe's interval for their difference; Kaplan-Meier, log-rank and Cox for the time to a change at
or beyond ``worsening``, an event counting as reaching it. METHODS 5. Cutting a score in two costs power (Altman and Royston
2006, doi 10.1136/bmj.332.7549.1080): read it beside the analysis of the score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alsbench.analysis.context import AnalysisContext, MethodResult
from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.endpoints.time_to_event import Times, survival_rows
from alsbench.analysis.follow_up import change_matrix, day_matrix, event_days
from alsbench.analysis.model_data import Floats, percent_change, response, underived, unplaced_warning
from alsbench.analysis.records import Records, endpoint_records, visit_label
from alsbench.analysis.result import Row
from alsbench.analysis.source import IntArray
from alsbench.errors import UsageError
from alsbench.stats.proportions import percentage_points
from alsbench.stats.responder import ArmResponse, responders, response_by_arm, time_to_threshold
from alsbench.stats.ties import at_most

RISK = ("risk_difference", "risk_difference_low", "risk_difference_high")
TIME = "time to threshold"


@dataclass(frozen=True)
class Course:
    """Members (indices into the source) with their arms, changes (n, V) at ``visits`` (V,), and event days (n,)."""

    records: Records
    subject: IntArray
    arm: IntArray
    changes: Floats
    visits: Floats
    event_day: Floats


def analyse(analysis: AnalysisContext) -> MethodResult:
    """Responders by arm and visit with risk differences, and time to the threshold of worsening where there is one."""
    threshold = analysis.endpoint.threshold
    if threshold is None:
        raise UsageError(f"endpoint {analysis.endpoint.name} names no threshold", where="study.toml", hint="threshold = -3")
    course = _course(analysis)
    rows: list[Row] = []
    visits = analysis.question.visits or analysis.endpoint.visits or tuple(course.visits.tolist())
    worsening = worsening_of(analysis)
    percent = analysis.endpoint.change == "percent"
    reason = underived(analysis, course.records, percent=percent)
    if reason:
        for visit in visits:
            rows += _unknown(analysis, course, float(visit), reason)
        if worsening is not None:
            rows += [_no_time(analysis, pair, reason) for pair in analysis.pairs]
        words = _words(analysis, threshold, worsening)
        return MethodResult(rows, model=words, warnings=(*unplaced_warning(course.records), reason))
    for visit in visits:
        rows += _visit(analysis, course, float(visit), threshold)
    warnings = [*unplaced_warning(course.records), *_without_change(analysis, course, percent=percent)]
    if worsening is not None:
        found, more = _time(analysis, course, worsening)
        rows += found
        warnings += more
    return MethodResult(rows, model=_words(analysis, threshold, worsening), warnings=tuple(warnings))


def _unknown(analysis: AnalysisContext, course: Course, visit: float, reason: str) -> list[Row]:
    """The rows of a visit at which nobody's response is known."""
    where = {"visit": visit_label(analysis.source, course.records, visit), "visit_number": visit}
    rows: list[Row] = []
    for code, arm in enumerate(analysis.arms):
        rows.append(analysis.row("arm", "n", int((course.arm == code).sum()), arm=arm, **where))
        rows += analysis.failed("arm", ("count", "percent"), reason, arm=arm, **where)
    for treatment, reference in analysis.pairs:
        rows += analysis.failed("contrast", RISK, reason, **where, treatment=treatment, reference=reference)
    return rows


def _no_time(analysis: AnalysisContext, pair: tuple[str, str], reason: str) -> Row:
    return analysis.row("contrast", "hazard_ratio", None, treatment=pair[0], reference=pair[1], variable=TIME, error=reason)


def _without_change(analysis: AnalysisContext, course: Course, *, percent: bool) -> list[str]:
    """A warning of the members' values after baseline from which no change can be derived."""
    records = course.records
    mine = np.isin(records.subject, course.subject) & (records.visit > analysis.source.study.visits.baseline)
    changes = percent_change(records) if percent else response(analysis, records).y
    n = int((mine & np.isfinite(records.aval) & ~np.isfinite(changes)).sum())
    counted = "counted as no response" if analysis.endpoint.nonresponse == "non-responder" else "left out"
    zero = " or a baseline of 0" if percent else " or no logarithm" if analysis.endpoint.scale == "log" else ""
    return [f"{n} value{'s' * (n != 1)} after baseline without a baseline{zero}, so without a change: {counted}"] if n else []


def worsening_of(analysis: AnalysisContext) -> float | None:
    """The change whose time is analysed: the endpoint's own, else the threshold where that is a loss."""
    endpoint = analysis.endpoint
    if endpoint.worsening is not None or endpoint.threshold is None:
        return endpoint.worsening
    loss = endpoint.threshold < 0 if higher_is_better(endpoint) else endpoint.threshold > 0
    return endpoint.threshold if loss else None


def _course(analysis: AnalysisContext) -> Course:
    arm = analysis.source.planned_arm
    subject = np.flatnonzero(analysis.member.mask & (arm >= 0)).astype(np.int64)
    changes, visits = change_matrix(analysis, subject, percent=analysis.endpoint.change == "percent")
    records = endpoint_records(analysis.source, analysis.endpoint)
    return Course(records, subject, arm[subject], changes, visits, event_days(analysis.source, analysis.endpoint, subject))


def _visit(analysis: AnalysisContext, course: Course, visit: float, threshold: float) -> list[Row]:
    where = {"visit": visit_label(analysis.source, course.records, visit), "visit_number": visit}
    rows: list[Row] = []
    column = np.flatnonzero(course.visits == visit)
    if column.size == 0:
        for arm in analysis.arms:
            rows += analysis.failed("arm", ("count", "percent"), f"no records at visit {visit:g}", arm=arm, **where)
        for treatment, reference in analysis.pairs:
            at = where | {"treatment": treatment, "reference": reference}
            rows += analysis.failed("contrast", RISK, f"no records at visit {visit:g}", **at)
        return rows
    change = course.changes[:, int(column[0])]
    gone = at_most(course.event_day, analysis.source.study.visits.horizon_day(visit))
    found = responders(
        change,
        threshold,
        better=analysis.endpoint.better,
        had_event=gone,
        missing="nonresponder" if analysis.endpoint.nonresponse == "non-responder" else "left out",
    )
    arms = response_by_arm(found.response, course.arm, len(analysis.arms))
    for code, (arm, counted) in enumerate(zip(analysis.arms, arms, strict=True)):
        mine = course.arm == code
        own = {"arm": arm, **where}
        rows.append(analysis.row("arm", "n", counted.n, **own))
        rows.append(analysis.row("arm", "count", counted.responders, **own))
        reason = None if counted.n else f"no subjects of {arm} in this subgroup"
        rows.append(analysis.row("arm", "percent", None if reason else counted.percent, error=reason, **own))
        rows.append(analysis.row("arm", "n_missing", int((mine & np.isnan(change) & ~gone).sum()), **own))
        rows.append(analysis.row("arm", "n_event", int((mine & gone).sum()), **own))
    for treatment, reference in analysis.pairs:
        treated, control = arms[analysis.arms.index(treatment)], arms[analysis.arms.index(reference)]
        at = where | {"treatment": treatment, "reference": reference}
        rows += difference_rows(analysis, treated, control, **at)
    return rows


def difference_rows(analysis: AnalysisContext, treated: ArmResponse, control: ArmResponse, **at: object) -> list[Row]:
    """Treatment minus reference in percentage points, with Newcombe's limits."""
    absent = [str(at[k]) for k, a in (("treatment", treated), ("reference", control)) if not a.n]
    if absent:
        return analysis.failed("contrast", RISK, f"no subjects of {' or '.join(absent)} in this subgroup", **at)
    d = percentage_points(treated.responders, treated.n, control.responders, control.n)
    values = zip(RISK, (d.estimate, d.low, d.high), strict=True)
    return [analysis.row("contrast", name, value, **at) for name, value in values]


def _time(analysis: AnalysisContext, course: Course, worsening: float) -> tuple[list[Row], list[str]]:
    reached = time_to_threshold(
        course.changes,
        day_matrix(analysis.source, course.records, course.subject, course.visits),
        worsening,
        worse="lower" if higher_is_better(analysis.endpoint) else "higher",
        confirmed=analysis.endpoint.confirmed,
        event_day=course.event_day,
    )
    return threshold_rows(analysis, course.subject, course.arm, reached.day, reached.reached == 1, TIME)


def threshold_rows(
    analysis: AnalysisContext, subject: IntArray, arm: IntArray, day: Floats, reached: np.ndarray, variable: str
) -> tuple[list[Row], list[str]]:
    """Survival statistics of a time derived from visits, under ``variable``; subjects never observed are left out, counted."""
    known = np.isfinite(day)
    times = Times(subject, arm, day, np.asarray(reached, dtype=np.bool_)).take(known)
    after = tuple(v for v in analysis.question.visits if v > analysis.source.study.visits.baseline)
    rows, warnings = survival_rows(replace(analysis, question=replace(analysis.question, visits=after)), times)
    without = int((~known).sum())
    if without:
        warnings = [f"{variable}: {without} not observed after baseline, left out", *warnings]
    return [replace(row, variable=variable) for row in rows], warnings


def _words(analysis: AnalysisContext, threshold: float, worsening: float | None) -> tuple[tuple[str, str], ...]:
    endpoint = analysis.endpoint
    unit = {"percent": " %", "absolute": ""}[endpoint.change]
    what = "ln(AVAL/BASE)" if endpoint.scale == "log" else "change from baseline"
    sign, beyond = (">=", "<=") if higher_is_better(endpoint) else ("<=", ">=")
    missing = "is no responder" if endpoint.nonresponse == "non-responder" else "is left out"
    event = "nor is one with the event by the visit" if endpoint.event is not None else "no event is taken into account"
    lines = [
        ("Responder", f"{what} {sign} {threshold:g}{unit}"),
        ("Missing data", f"a subject without a value at the visit {missing}; {event}"),
        ("Risk difference", "treatment minus reference in percentage points, Newcombe interval"),
    ]
    if worsening is not None:
        confirmed = ", confirmed at the next visit" if endpoint.confirmed else ""
        death = "; an event counts as reaching it" if endpoint.event is not None else ""
        lines.append(("Time to threshold", f"first day with {what} {beyond} {worsening:g}{unit}{confirmed}{death}"))
        lines += time_words(analysis)
    return tuple(lines)


def time_words(analysis: AnalysisContext) -> list[tuple[str, str]]:
    """How times derived from visits are analysed."""
    strata = f", strata {', '.join(analysis.endpoint.strata)}" if analysis.endpoint.strata else ""
    terms = " + ".join([analysis.source.study.arms.planned, *analysis.endpoint.covariates])
    return [
        ("Times", "study day of the visit (ADY), its nominal day where that is missing; censored at the last value"),
        (
            "Cox",
            f"hazard ~ {terms}{strata}; {analysis.endpoint.ties.capitalize()} ties, Wald interval; log-rank two-sided{strata}",
        ),
    ]
