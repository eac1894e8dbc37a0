"""From a long frame (one row for each subject and visit) to what is known of each subject by a horizon, to compare pairs.

Arm, event, last contact, strata and covariates belong to the subject and stand on each of its rows. A value counts at visits
after 0 up to the horizon, an event up to the horizon's day: horizon times days of a visit unit, rounded half away from zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alsbench.errors import DataError, UsageError
from alsbench.models.frames import CategoricalColumn, NumericColumn, as_frame, label_of, read_classes, read_column, series
from alsbench.models.rows import combined, labels_of, read_events, read_finite
from alsbench.stats.joint_rank import FollowUp, cut_at_horizon
from alsbench.study.names import nearest

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ColumnNames:
    """The columns of a frame: what each is called there."""

    subject: str
    arm: str
    visit: str
    value: str
    event_time: str
    event: str
    last_contact: str | None
    covariates: tuple[str, ...]
    strata: tuple[str, ...]


@dataclass(frozen=True)
class ComparedSubjects:
    """n subjects in the order they first stand in the frame: their labels, arms (codes of ``arms``, the reference first),
    follow-up to the horizon, strata, and a frame of subject-level columns on their labels."""

    labels: tuple[Any, ...]
    arms: tuple[Any, ...]
    arm: IntArray
    followup: FollowUp
    strata: IntArray | None
    covariates: pd.DataFrame
    notes: tuple[str, ...]


def read_subjects(
    data: Any,
    names: ColumnNames,
    *,
    horizon: float,
    horizon_day: float,
    reference: Any,
    treatment: Any,
    all_arms: bool,
    where: str,
) -> ComparedSubjects:
    """The subjects of two arms, or of all. UsageError for an unknown column or arm; DataError for a subject in two arms, with
    two events or with two values at a visit."""
    frame = as_frame(data, where)
    arm_column = read_classes(frame, names.arm, where)
    arms = _arms(arm_column, reference, treatment, all_arms, where)
    who, unnamed = labels_of(frame, names.subject, where)
    notes = [f"{int(unnamed.sum())} rows without {names.subject} are left out"] if unnamed.any() else []
    codes, labels = pd.factorize(pd.Series(who[~unnamed], dtype=object))
    rows = _Rows(frame.loc[~unnamed], np.asarray(codes, dtype=np.int64), list(labels), names.subject, where)
    own_arm = rows.of_subject(arm_column.take(~unnamed))
    inside = np.isin(own_arm, [arm_column.levels.index(a) for a in arms])
    without = int(np.isnan(own_arm).sum())
    if without:
        notes.append(f"{_subjects(without)} without {names.arm} left out")
    followup, more = _follow_up(rows, names, horizon, horizon_day)
    place = {arm_column.levels.index(a): i for i, a in enumerate(arms)}
    covariates = pd.DataFrame({c: rows.subject_column(c) for c in (*names.covariates, *names.strata)})
    covariates.index = pd.Index(rows.labels, name=names.subject, dtype=object)
    strata, unplaced = _strata(rows, names.strata, inside)
    kept = np.flatnonzero(inside)
    return ComparedSubjects(
        labels=tuple(rows.labels[i] for i in kept),
        arms=arms,
        arm=np.array([place[int(own_arm[i])] for i in kept], dtype=np.int64),
        followup=followup.take(kept),
        strata=None if strata is None else strata[kept],
        covariates=covariates.iloc[kept],
        notes=(*notes, *more, *unplaced),
    )


def day_of(horizon: float, days_per_visit: float, given: float | None, where: str) -> float:
    """The horizon's day. UsageError for a horizon or a unit that is not positive."""
    for name, value in (("horizon", horizon), ("days_per_visit", days_per_visit), ("horizon_day", given)):
        if value is not None and not (isinstance(value, (int, float, np.number)) and math.isfinite(value) and value > 0):
            raise UsageError(f"{name} is a positive number, not {value}", where=where)
    return float(math.floor(horizon * days_per_visit + 0.5)) if given is None else float(given)


class _Rows:
    """The rows of a frame by subject, and subject-level columns of them."""

    def __init__(self, frame: pd.DataFrame, codes: IntArray, labels: list[Any], subject: str, where: str) -> None:
        self.frame, self.codes, self.labels, self.subject, self.where = frame, codes, labels, subject, where

    def of_subject(self, column: NumericColumn | CategoricalColumn) -> Array:
        """One number for each subject, NaN where none of its rows has one: a value, or a level's code."""
        values = column.values if isinstance(column, NumericColumn) else np.where(column.missing, np.nan, column.codes)
        known = pd.Series(values).groupby(self.codes)
        differ = known.nunique() > 1
        if differ.any():
            who = self.labels[int(np.flatnonzero(differ)[0])]
            what = f"{column.name} differs between the rows of subject {who} ({self.subject})"
            raise DataError(what, where=self.where, hint=f"{column.name} belongs to the subject: one value on all its rows")
        return np.asarray(known.first().reindex(range(len(self.labels))), dtype=np.float64)

    def subject_column(self, name: str) -> NDArray[Any]:
        """A subject-level column as it is in the frame, checked to be one value for each subject."""
        self.of_subject(read_column(self.frame, name, self.where))
        found = series(self.frame, name, self.where).groupby(self.codes).first().reindex(range(len(self.labels)))
        return found.array  # type: ignore[no-any-return]


def _arms(column: CategoricalColumn, reference: Any, treatment: Any, all_arms: bool, where: str) -> tuple[Any, ...]:
    """The arms to be compared, the reference first."""
    levels = list(column.observed().levels)
    by_label = {str(level): level for level in levels}
    for arm in (reference, *([] if treatment is None else [treatment])):
        if label_of(arm) not in by_label:
            raise UsageError(f"{column.name} has no arm {arm}", where=where, hint=nearest(str(arm), by_label))
    base = by_label[label_of(reference)]
    others = [level for level in levels if level != base]
    if not others:
        raise DataError(f"{column.name} has no arm but {base}", where=where)
    if treatment is None and len(others) > 1:
        listed = ", ".join(map(str, others))
        raise UsageError(f"{column.name} has more than two arms", where=where, hint=f"treatment= names one of: {listed}")
    chosen = others[0] if treatment is None else by_label[label_of(treatment)]
    if chosen == base:
        raise UsageError(f"treatment and reference are both {base}", where=where)
    return (base, chosen, *[level for level in others if level != chosen]) if all_arms else (base, chosen)


def _follow_up(rows: _Rows, names: ColumnNames, horizon: float, horizon_day: float) -> tuple[FollowUp, list[str]]:
    event = rows.of_subject(read_events(rows.frame, names.event, rows.where))
    time = rows.of_subject(read_finite(rows.frame, names.event_time, rows.where))
    contact = time if names.last_contact is None else rows.of_subject(read_finite(rows.frame, names.last_contact, rows.where))
    untimed = np.flatnonzero((event == 1) & np.isnan(time))
    if untimed.size:
        what = f"subject {rows.labels[int(untimed[0])]} has an event and no {names.event_time}"
        raise DataError(what, where=rows.where, why=f"{_subjects(int(untimed.size))} in all" if untimed.size > 1 else "")
    day = np.where(event == 1, time, contact)
    notes = []
    untold = np.isnan(event) & ~np.isnan(day)
    if untold.any():
        notes.append(f"{_subjects(int(untold.sum()))} without {names.event}: the day is taken as not known")
        day[untold] = np.nan
    changes, visits = _values(rows, names)
    censored = np.where(np.isnan(event), np.nan, 1.0 - event)
    return cut_at_horizon(day, censored, changes, visits, horizon=horizon, horizon_day=horizon_day), notes


def _values(rows: _Rows, names: ColumnNames) -> tuple[Array, Array]:
    """The value of each subject at each visit after 0, NaN where there is none: (n, V) at ascending visits (V,)."""
    visit, value = (read_finite(rows.frame, name, rows.where).values for name in (names.visit, names.value))
    used = ~np.isnan(visit) & ~np.isnan(value) & (visit > 0)
    visits, column = np.unique(visit[used], return_inverse=True)
    cell = rows.codes[used] * visits.size + column
    first, count = np.unique(cell, return_counts=True)
    if np.any(count > 1):
        twice = int(first[np.argmax(count > 1)])
        who, when = rows.labels[twice // visits.size], visits[twice % visits.size]
        what = f"subject {who} ({names.subject}) has {int(count.max())} values at visit {when:g} ({names.visit})"
        raise DataError(what, where=rows.where, hint="keep one value for each subject and visit")
    table = np.full((len(rows.labels), visits.size), np.nan)
    table.flat[cell] = value[used]
    return table, visits


def _strata(rows: _Rows, names: Sequence[str], inside: NDArray[np.bool_]) -> tuple[IntArray | None, list[str]]:
    """One code for each combination of strata; a missing value is a stratum of its own, and is said."""
    if not names:
        return None, []
    parts, notes = [], []
    for name in names:
        column = read_classes(rows.frame, name, rows.where)
        part = rows.of_subject(column)
        absent = int((np.isnan(part) & inside).sum())
        if absent:
            notes.append(f"{_subjects(absent)} without {name}: taken as a stratum of their own")
        parts.append(np.nan_to_num(part, nan=-1.0))
    return combined(parts), notes


def _subjects(count: int) -> str:
    return "1 subject" if count == 1 else f"{count} subjects"
