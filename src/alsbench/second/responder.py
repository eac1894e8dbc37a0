"""Responders (METHODS 5, docs/methods.md): who keeps a change at least as good as a threshold, and how long until it is worse.

A subject with an event by the visit's day is no responder; one without a value is none either, or is left out. The time is the
study day of the first change at or beyond ``worsening``, or of the event, and ends at the last value where neither happens; it
is looked for at every visit, also where ``visits`` narrows the shares.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from alsbench.second import survival
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.proportions import DIFFERENCE, difference, pairs_of, share
from alsbench.second.trial import ALIKE, TrialTables, one_where_alike
from alsbench.study.model import Endpoint

COVERED = {
    "arm": survival.COVERED["arm"] | {"count", "percent", "n_missing", "n_event"},
    "contrast": survival.COVERED["contrast"] | set(DIFFERENCE),
}
TIME = "time to threshold"


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Shares at every visit, and the time to a change that is beyond."""
    if endpoint.scale == "log":
        raise NotCovered("responders on a log scale")
    made = NumberRows()
    arm = trial.arm_of(members)
    subjects = members.loc[arm.notna()].index
    values = changes(trial, endpoint, members)
    event = event_days(trial, endpoint, subjects)
    wanted = values["visit"].isin(endpoint.visits) if endpoint.visits else values["visit"].notna()
    for visit in sorted(values.loc[wanted, "visit"].unique()):
        at_visit = values[values["visit"] == visit].set_index("subject")["change"].reindex(subjects)
        _visit(made, trial, endpoint, float(visit), at_visit, event, arm[subjects])
    beyond = worsening_of(endpoint)
    if beyond is not None:
        values = values.dropna(subset=["change"])
        values = values.assign(worse=_worse(values["change"], beyond, endpoint))
        times(made, trial, endpoint, values, event, members, TIME)
    return made


def changes(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> pd.DataFrame:
    """One row a subject and visit after baseline: ``change`` (missing where there is none) and the study ``day``."""
    everywhere = endpoint.model_copy(update={"visits": ()})
    records = trial.after_baseline(everywhere, trial.records(endpoint, members))
    records = records[records["arm"].notna()]
    change = records["chg"] / records["base"] * 100 if endpoint.change == "percent" else records["chg"]
    change = change.where(np.isfinite(change.astype(float))).where(records["base"].notna())
    return records.assign(change=change, day=study_days(trial, records))


def study_days(trial: TrialTables, records: pd.DataFrame) -> pd.Series:
    """The study day of records: ADY, or the day of their visit where there is none."""
    nominal = records["visit"].map(lambda v: visit_day(trial, v))
    return records["ADY"].astype(float).fillna(nominal) if "ADY" in records else nominal


def visit_day(trial: TrialTables, visit: float) -> float:
    """The day of a visit, counted from 0, rounded half away from zero."""
    days = visit * {"month": 30.4375, "week": 7.0, "day": 1.0}[trial.study.visits.unit]
    return math.copysign(math.floor(abs(days) + 0.5), days)


def event_days(trial: TrialTables, endpoint: Endpoint, subjects: pd.Index) -> pd.Series:
    """The day of every subject's event; missing where it had none."""
    if endpoint.event is None:
        return pd.Series(np.nan, index=subjects)
    table = trial.tables.get(endpoint.event.dataset.upper())
    if table is None:
        raise NotCovered(f"there is no table {endpoint.event.dataset}")
    table = table[(table["PARAMCD"] == endpoint.event.paramcd) & table[trial.study.info.subject].isin(subjects)]
    if table[trial.study.info.subject].duplicated().any():
        raise NotCovered("a subject has two times to the event")
    had = table[(table["CNSR"] == 0) & table["AVAL"].notna()]
    return had.set_index(trial.study.info.subject)["AVAL"].astype(float).reindex(subjects)


def by_day(event: pd.Series, day: pd.Series | float) -> pd.Series:
    """Who has had the event by a day."""
    return (event <= day) | ((event - day).abs() <= ALIKE * np.maximum(np.abs(day), 1.0))


def _visit(
    made: NumberRows,
    trial: TrialTables,
    endpoint: Endpoint,
    visit: float,
    change: pd.Series,
    event: pd.Series,
    arm: pd.Series,
) -> None:
    if endpoint.threshold is None:
        raise NotCovered("responders without a threshold")
    ended = by_day(event, visit_day(trial, visit))
    unseen = change.isna() & ~ended
    better = -change if endpoint.better == "lower" else change
    bar = -endpoint.threshold if endpoint.better == "lower" else endpoint.threshold
    responds = ((better > bar) | _same(better, bar)) & ~ended
    counts: dict[str, tuple[int, int]] = {}
    for name in trial.study.arms.order:
        own = arm == name
        n = int((own & ~unseen).sum()) if endpoint.nonresponse == "left-out" else int(own.sum())
        counts[name] = (int((own & responds).sum()), n)
        stats = {"n": n, **share(*counts[name]), "n_missing": int((own & unseen).sum()), "n_event": int((own & ended).sum())}
        made.add("arm", stats, arm=name, visit=visit)
    for treatment, reference in pairs_of(trial.study):
        stats = difference(counts[treatment], counts[reference])
        made.add("contrast", stats, treatment=treatment, reference=reference, visit=visit)


def _same(values: pd.Series, bar: float) -> pd.Series:
    return (values - bar).abs() <= ALIKE * max(abs(bar), 1.0)


def worsening_of(endpoint: Endpoint) -> float | None:
    """The change that counts as worse: as the endpoint says, else its threshold where that is a loss."""
    if endpoint.worsening is not None:
        return endpoint.worsening
    loss = endpoint.threshold is not None and (endpoint.threshold > 0 if endpoint.better == "lower" else endpoint.threshold < 0)
    return endpoint.threshold if loss else None


def _worse(change: pd.Series, beyond: float, endpoint: Endpoint) -> pd.Series:
    reached = change > beyond if endpoint.better == "lower" else change < beyond
    return reached | _same(change, beyond)


def times(
    made: NumberRows,
    trial: TrialTables,
    endpoint: Endpoint,
    values: pd.DataFrame,
    event: pd.Series,
    members: pd.DataFrame,
    variable: str,
) -> None:
    """Time to the first of these values that is ``worse``, or to the event, after which no value counts. Confirmed: the next
    value is worse too, or none is left and the event follows."""
    values = values.sort_values(["subject", "visit"], kind="stable")
    values = values[~(values["day"] > values["subject"].map(event))]
    worse = values["worse"].astype(bool)
    if endpoint.confirmed:
        following = worse.astype(float).groupby(values["subject"]).shift(-1)
        worse &= following.fillna(values["subject"].map(event).notna().astype(float)) == 1
    first = values[worse].groupby("subject")["day"].first().reindex(event.index)
    last = values.groupby("subject")["day"].last().reindex(event.index)
    happened = pd.concat([first, event], axis=1).min(axis=1)
    rows = pd.DataFrame({"subject": event.index, "time": happened.fillna(last).to_numpy()}, index=event.index)
    rows = rows.assign(event=happened.notna().astype(int), arm=trial.arm_of(members).reindex(event.index))
    rows = rows[rows["time"].notna()]
    rows = rows.assign(time=one_where_alike(rows["time"]))
    survival.times_to_event(made, trial, endpoint, rows, members, variable)
