"""What a joint rank needs of each subject: the day of the event or of last contact, and changes visit by visit."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.model_data import Floats, percent_change, response
from alsbench.analysis.records import Records, endpoint_records, parameter_frame, post_baseline_visits
from alsbench.analysis.source import IntArray, Source
from alsbench.data.frames import Frame
from alsbench.errors import DataError, UsageError
from alsbench.stats.ties import merge_ties
from alsbench.study.model import Endpoint

UNIT_AT_END = re.compile(r"\(\s*(weeks?|months?|years?)\s*\)\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class SubjectTimes:
    """``day`` (n,) of the event or of last contact; ``censored`` (n,) is CNSR, 0 = event. NaN without a record."""

    day: Floats
    censored: Floats


def subject_times(source: Source, endpoint: Endpoint, subject: IntArray) -> SubjectTimes:
    """The event record of each subject (indices into the source).

    Raises DataError for a missing column or two records of one subject, UsageError where the endpoint names no event.
    """
    if endpoint.event is None:
        raise UsageError(f"endpoint {endpoint.name} names no event", where="study.toml")
    event = endpoint.event
    day, censored = times_by_subject(source, event.dataset, event.paramcd, "", label=f"endpoints.{endpoint.name}.event")
    return SubjectTimes(day[subject], censored[subject])


def times_by_subject(source: Source, dataset: str, paramcd: str, where: str, *, label: str) -> tuple[Floats, Floats]:
    """AVAL and CNSR of every subject of the source, NaN without a record; days that differ by noise are made equal. The source
    keeps them: every subgroup, visit and comparison is of the same times."""
    asked = (dataset, paramcd, where)
    if asked not in source.times_read:
        source.times_read[asked] = _read_times(source, dataset, paramcd, where, label=label)
    day, censored = source.times_read[asked]
    return day.copy(), censored.copy()


def _read_times(source: Source, dataset: str, paramcd: str, where: str, *, label: str) -> tuple[Floats, Floats]:
    frame = parameter_frame(source, dataset, paramcd, where, label=label)
    for column in ("AVAL", "CNSR"):
        if column not in frame.columns or frame.kind(column) != "number":
            raise DataError(f"{dataset}.{column} is missing or not numeric", where=f"study.toml {label}")
    _refuse_other_units(frame, f"{dataset}.AVAL of {paramcd}", label)
    day = np.full(len(source.subjects), np.nan)
    censored = np.full(len(source.subjects), np.nan)
    seen: set[int] = set()
    ids = frame[source.study.info.subject]
    for row, subject_id in enumerate(ids.tolist()):
        i = source.subject_index.get(str(subject_id))
        if i is None:
            continue
        if i in seen:
            raise DataError(f"{dataset} holds two records of {paramcd} for subject {subject_id}", where=f"study.toml {label}")
        seen.add(i)
        day[i], censored[i] = frame["AVAL"][row], frame["CNSR"][row]
    # a day of which nobody knows whether it is that of an event or of the last contact says neither
    day[np.isnan(censored)] = np.nan
    return merge_ties(day), censored


def _refuse_other_units(frame: Frame, what: str, label: str) -> None:
    """Times are days: a unit that AVALU or the end of PARAM gives otherwise would put every event before every horizon."""
    units = {str(v).strip() for v in frame["AVALU"].tolist() if v} if "AVALU" in frame.columns else set()
    if not units and "PARAM" in frame.columns:
        found = (UNIT_AT_END.search(str(v)) for v in set(frame["PARAM"].tolist()))
        units = {match.group(1) for match in found if match}
    others = sorted(u for u in units if u.upper() not in ("DAY", "DAYS", "D"))
    if others:
        raise DataError(
            f"{what} is in {' and '.join(others)}: times to event must be in days",
            where=f"study.toml {label}",
            hint="name a parameter in days, or deliver ADT - STARTDT + 1",
        )


def change_matrix(analysis: AnalysisContext, subject: IntArray, *, percent: bool = False) -> tuple[Floats, Floats]:
    """Changes (n, V) of an endpoint at its post-baseline visits (V,), NaN where missing, for subjects of the source.

    ``percent`` gives changes in percent of baseline (missing where that is zero). Changes that differ by floating-point noise
    are made equal over all subjects and visits, so that a subject's ties are the same in every subgroup and comparison.
    """
    records = endpoint_records(analysis.source, analysis.endpoint)
    visits = np.array(post_baseline_visits(analysis.source, records))
    position = np.full(len(analysis.source.subjects), -1, dtype=np.int64)
    position[subject] = np.arange(subject.size)
    values = response(analysis, records).y
    if percent:
        values = percent_change(records)
    keep = (position[records.subject] >= 0) & (records.visit > analysis.source.study.visits.baseline)
    changes = np.full((subject.size, visits.size), np.nan)
    changes[position[records.subject[keep]], np.searchsorted(visits, records.visit[keep])] = merge_ties(values)[keep]
    return changes, visits


def day_matrix(source: Source, records: Records, subject: IntArray, visits: Floats) -> Floats:
    """The study day (n, V) of each subject's record at each visit; the visit's nominal day where there is none."""
    nominal = np.array([source.study.visits.horizon_day(float(v)) for v in visits], dtype=np.float64)
    days = np.repeat(nominal[None, :], subject.size, axis=0)
    position = np.full(len(source.subjects), -1, dtype=np.int64)
    position[subject] = np.arange(subject.size)
    at = np.searchsorted(visits, records.visit)
    known = (position[records.subject] >= 0) & np.isfinite(records.day) & np.isin(records.visit, visits)
    days[position[records.subject[known]], at[known]] = records.day[known]
    return days


def event_days(source: Source, endpoint: Endpoint, subject: IntArray) -> Floats:
    """The day (n,) of each subject's event, NaN without one; all NaN where the endpoint names no event."""
    if endpoint.event is None:
        return np.full(subject.size, np.nan)
    times = subject_times(source, endpoint, subject)
    return np.where(times.censored == 0, times.day, np.nan)
