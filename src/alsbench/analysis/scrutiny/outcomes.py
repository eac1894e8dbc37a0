"""An endpoint at a visit in a form that can be analysed in thousands of re-randomised trials.

A joint rank is ranked and analysed again in every trial, an ANCOVA refitted; both give the endpoint's own p for the arms as
they were. An MMRM is too slow for that: its visit is tested by the ANCOVA of the values observed there, all arms in the model.
Random slopes become an ANCOVA of each subject's least-squares slope, time to event a stratified log-rank test. A test that
differs from the endpoint's own is as valid under re-randomisation, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.contrast import horizon_visit
from alsbench.analysis.endpoints.joint_rank import ranked_set
from alsbench.analysis.endpoints.slope import analysed_rows as slope_rows
from alsbench.analysis.follow_up import change_matrix, subject_times, times_by_subject
from alsbench.analysis.model_data import Floats, covariate_columns, response, strata_codes, underived
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.records import endpoint_records, post_baseline_visits, visit_label
from alsbench.analysis.source import BoolArray, IntArray, Source
from alsbench.analysis.subgroups import Membership, members
from alsbench.errors import AlsbenchError, DataError, UsageError
from alsbench.stats.joint_rank import pair_scores
from alsbench.stats.permuted_trials import ArmTest, Outcome, arm_tests, log_rank_z
from alsbench.study.model import DAYS_PER_UNIT, Comparison, Endpoint

STAND_INS = {
    "mmrm": "ANCOVA of the values observed at the visit, all arms",
    "slope": "ANCOVA of each subject's least-squares slope, all arms",
    "time_to_event": "stratified log-rank test",
}
SEARCHED = ("joint_rank", "ancova", "mmrm", "slope", "time_to_event")


@dataclass(frozen=True)
class Measured:
    """An outcome of the subjects ``subject`` (n,; indices into the source); ``day`` and ``event`` (n,) for time to event."""

    subject: IntArray
    outcome: Outcome
    day: Floats | None = None
    event: BoolArray | None = None
    strata: IntArray | None = None

    def take(self, mask: BoolArray) -> Measured:
        """The subjects in ``mask`` (subjects of the source,)."""
        return self.at(np.flatnonzero(mask[self.subject]))

    def at(self, index: IntArray) -> Measured:
        """The subjects at positions ``index`` of this outcome."""
        o = self.outcome
        part = replace(
            o,
            covariates=o.covariates[index],
            response=None if o.response is None else o.response[index],
            scores=None if o.scores is None else o.scores[np.ix_(index, index)],
            strata=None if o.strata is None else o.strata[index],
        )
        cut = [None if v is None else v[index] for v in (self.day, self.event, self.strata)]
        return Measured(self.subject[index], part, *cut)  # type: ignore[arg-type]

    def tests(self, arms: NDArray[np.int8], treated: int, reference: int, *, weights: Floats | None = None) -> ArmTest:
        """Tests of every arrangement; ``arms`` (B, subjects of the source) codes. A log-rank z has infinite df."""
        mine = np.ascontiguousarray(arms[:, self.subject])
        if self.day is None or self.event is None or self.strata is None:
            drawn = None if weights is None else np.ascontiguousarray(weights[:, self.subject])
            return arm_tests(self.outcome, mine, treated, reference, weights=drawn)
        z = log_rank_z(self.day, self.event, mine, treated, reference, self.strata)
        return ArmTest(z, np.ones(z.size), np.full(z.size, np.inf))


def measured(source: Source, endpoint: Endpoint, comparison: Comparison, visit: float | None, member: Membership) -> Measured:
    """The endpoint at a visit (None where it has none) of every member with a planned arm and what the analysis needs.

    Raises DataError and UsageError as the endpoint itself does.
    """
    analysis = AnalysisContext(source, endpoint, Question(endpoint.name), "", member, (comparison,))
    makers = {"joint_rank": _joint_rank, "slope": _slope, "time_to_event": _times}
    return makers.get(endpoint.method, _change)(analysis, visit)


def searched_visits(source: Source, endpoint: Endpoint) -> tuple[float | None, ...]:
    """Every visit at which an endpoint is analysed, ``(None,)`` where it has none; a joint rank has those of its function."""
    if endpoint.method in ("slope", "time_to_event"):
        return (None,)
    carrier = source.endpoint(endpoint.function) if endpoint.method == "joint_rank" else endpoint
    return carrier.visits or post_baseline_visits(source, endpoint_records(source, carrier))


def data_fault(source: Source, endpoint: Endpoint) -> AlsbenchError | None:
    """Why the data of an endpoint cannot be analysed, whoever is asked about; None where they can."""
    analysis = AnalysisContext(source, endpoint, Question(endpoint.name), "", members(source, OVERALL), ())
    everybody = np.arange(len(source.subjects), dtype=np.int64)
    try:
        source.population(endpoint.population)
        covariate_columns(analysis)
        strata_codes(source, endpoint.strata, everybody)
        if endpoint.method == "time_to_event":
            _times(analysis, None)
        elif endpoint.method == "joint_rank":
            subject_times(source, endpoint, everybody)
            endpoint_records(source, source.endpoint(endpoint.function))
        else:
            endpoint_records(source, endpoint)
        if endpoint.method in ("mmrm", "ancova", "joint_rank"):
            carrier = source.endpoint(endpoint.function) if endpoint.method == "joint_rank" else endpoint
            percent = endpoint.method == "joint_rank" and endpoint.change == "percent"
            reason = underived(replace(analysis, endpoint=carrier), endpoint_records(source, carrier), percent=percent)
            if reason:
                return DataError(reason, where=f"endpoint {endpoint.name}")
    except (DataError, UsageError) as fault:
        return fault
    return None


def own_visit(source: Source, endpoint: Endpoint, comparison: Comparison) -> float | None:
    """The visit at which a comparison is read: its horizon, else the last analysed one before it."""
    if endpoint.method == "joint_rank" and comparison.horizon is not None:
        return float(comparison.horizon)
    return horizon_visit(searched_visits(source, endpoint), comparison.horizon)


def place(source: Source, endpoint: Endpoint, comparison: Comparison) -> dict[str, Any]:
    """Where the comparison is read: ``visit`` and ``visit_number`` of a row, empty where the endpoint has no visits."""
    number = own_visit(source, endpoint, comparison)
    if number is None:
        return {}
    carrier = source.endpoint(endpoint.function) if endpoint.method == "joint_rank" else endpoint
    return {"visit": visit_label(source, endpoint_records(source, carrier), number), "visit_number": number}


def covariate_matrix(analysis: AnalysisContext, subject: IntArray) -> Floats:
    """The endpoint's covariates (n, q), factors as indicators, each centred; only of subjects that have them all."""
    columns = covariate_columns(analysis)
    found: list[Floats] = []
    for name in columns.order:
        if name in columns.numeric:
            found.append(columns.numeric[name][subject])
        else:
            codes = columns.factors[name].codes[subject]
            found += [(codes == level).astype(np.float64) for level in np.unique(codes)[1:]]
    return centred(np.array(found).T.reshape(subject.size, len(found)))


def centred(values: Floats) -> Floats:
    """Columns about their means: the same model, better conditioned sums."""
    return values - values.mean(axis=0) if len(values) else values


def _joint_rank(analysis: AnalysisContext, visit: float | None) -> Measured:
    ranked = ranked_set(analysis, float(visit or 0.0), analysis.member.mask, analysis.arms)
    kept = np.flatnonzero(ranked.rank.included)
    # who lacks a covariate is ranked but not in the ANCOVA: such a subject cannot be taken along here
    kept = kept[covariate_columns(analysis).complete[ranked.subject[kept]]]
    subject = ranked.subject[kept]
    strata = (
        strata_codes(analysis.source, analysis.endpoint.strata, ranked.subject)[kept]
        if analysis.endpoint.rank_within_strata
        else None
    )
    outcome = Outcome(
        covariate_matrix(analysis, subject),
        scores=pair_scores(ranked.followup.take(kept), rules=ranked.rules, strata=strata),
        strata=strata,
        unit=analysis.endpoint.rank_scale == "unit",
        whole=analysis.endpoint.arms == "all",
    )
    return Measured(subject, outcome)


def _change(analysis: AnalysisContext, visit: float | None) -> Measured:
    records = endpoint_records(analysis.source, analysis.endpoint)
    found = response(analysis, records)
    usable = (records.visit == visit) & np.isfinite(found.y) & np.isfinite(found.base) & np.isfinite(records.weight)
    usable &= analysis.member.mask[records.subject] & (analysis.source.planned_arm[records.subject] >= 0)
    usable &= covariate_columns(analysis).complete[records.subject]
    subject = records.subject[usable]
    Z = np.column_stack([centred(found.base[usable]), covariate_matrix(analysis, subject)])
    whole = analysis.endpoint.method == "mmrm" or analysis.endpoint.arms == "all"
    return Measured(subject, Outcome(Z, found.y[usable], whole=whole))


def _slope(analysis: AnalysisContext, _visit: float | None) -> Measured:
    """Least-squares slope per month of subjects with two values or more."""
    subject, slope = subject_slopes(analysis, analysis.member.mask)
    return Measured(subject, Outcome(covariate_matrix(analysis, subject), slope, whole=True))


def subject_slopes(analysis: AnalysisContext, mask: BoolArray) -> tuple[IntArray, Floats]:
    """(subjects, slope per month) of the endpoint's values, by each subject's own least squares."""
    rows = slope_rows(analysis, mask)
    who, month, value = rows.records.subject, rows.months, rows.y
    size = len(analysis.source.subjects)
    n, sx, sy = (np.bincount(who, weights=w, minlength=size) for w in (np.ones(who.size), month, value))
    sxx, sxy = (np.bincount(who, weights=w, minlength=size) for w in (month * month, month * value))
    spread = n * sxx - sx * sx
    subject = np.flatnonzero((n >= 2) & (spread > 0)).astype(np.int64)
    return subject, ((n * sxy - sx * sy)[subject] / spread[subject])


def _times(analysis: AnalysisContext, _visit: float | None) -> Measured:
    source, endpoint = analysis.source, analysis.endpoint
    day, censored = times_by_subject(
        source, endpoint.dataset, endpoint.paramcd, endpoint.where, label=f"endpoints.{endpoint.name}"
    )
    usable = analysis.member.mask & (source.planned_arm >= 0) & np.isfinite(day) & np.isfinite(censored)
    subject = np.flatnonzero(usable).astype(np.int64)
    none = Outcome(np.zeros((subject.size, 0)), np.zeros(subject.size))
    return Measured(subject, none, day[subject], censored[subject] == 0, strata_codes(source, endpoint.strata, subject))


def change_at(source: Source, endpoint: Endpoint, visit: float, subject: IntArray, member: Membership) -> Floats:
    """The endpoint's change (log ratio on the log scale) at a visit, NaN where missing, of ``subject``."""
    analysis = AnalysisContext(source, endpoint, Question(endpoint.name), "", member, ())
    changes, visits = change_matrix(analysis, subject)
    place = np.flatnonzero(visits == visit)
    return changes[:, place[0]] if place.size else np.full(subject.size, np.nan)


def months(source: Source, visit: float) -> float:
    """A visit number in months."""
    return visit * DAYS_PER_UNIT[source.study.visits.unit] / DAYS_PER_UNIT["month"]
