"""King's (Balendra 2014) and MiToS stages (Chio 2015) from the items of the ALSFRS-R (METHODS 2): how many are where, and when
they go further.

A question about items is answered yes or no, or is open where it hangs on an item that is missing; a stage that hangs on an
open answer is unknown. Stage 5 begins on the day of the event: a visit before it, on the day it was made, has the stage seen
there. Without an event who is in stage 5 is not known.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from alsbench.second import survival
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.proportions import share
from alsbench.second.responder import by_day, event_days, study_days, times, visit_day
from alsbench.second.trial import TrialTables
from alsbench.study.model import Endpoint

COVERED = {
    "arm": survival.COVERED["arm"] | {"count", "percent", "n_missing"},
    "contrast": survival.COVERED["contrast"],
}
ITEMS = ("1", "2", "3", "4", "5a", "5b", "6", "7", "8", "9", "10", "11", "12")
WITHOUT_TUBE = tuple(item for item in ITEMS if item != "5b")  # item 5 asked one way only: no gastrostomy is known of
CODES = (*(f"ALSFR{n:02d}" for n in range(1, 5)), "ALSFR05A", "ALSFR05B", *(f"ALSFR{n:02d}" for n in range(6, 13)))
NAMES = {"kings": "King's stage", "mitos": "MiToS stage"}
LAST = 5


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Every system: counts at every visit, and the time to a stage above that at baseline."""
    made = NumberRows()
    arm = trial.arm_of(members)
    subjects = members.loc[arm.notna()].index
    event = event_days(trial, endpoint, subjects)
    wide = item_table(trial, endpoint, members)
    for system in endpoint.systems:
        staged = wide.assign(stage=SYSTEMS[system](wide))
        for visit in sorted(staged["visit"].unique()):
            if endpoint.visits and visit not in endpoint.visits:
                continue
            last = endpoint.event is not None
            _visit(made, trial, NAMES[system], float(visit), staged, event, arm[subjects], last=last)
        _time(made, trial, endpoint, NAMES[system], staged, event, members)
    return made


def item_table(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> pd.DataFrame:
    """One row a subject and visit: ``subject``, ``visit``, ``day``, the items, missing where there is no value, and ``split``:
    whether item 5 is asked in two ways."""
    split = len(endpoint.items or CODES) == len(ITEMS)
    codes = dict(zip(endpoint.items or CODES, ITEMS if split else WITHOUT_TUBE, strict=True))
    records = trial.records(endpoint.model_copy(update={"paramcd": ""}), members)
    records = records[records["PARAMCD"].isin(codes) & records["arm"].notna() & records["visit"].notna()]
    records = records.assign(item=records["PARAMCD"].map(codes))
    if records.duplicated(["subject", "visit", "item"]).any():
        raise NotCovered("a subject has an item twice at one visit")
    records = records.assign(day=study_days(trial, records))
    keys = [records["subject"], records["visit"]]
    wide = records.pivot(index=["subject", "visit"], columns="item", values="aval").reindex(columns=list(ITEMS))
    return wide.assign(day=records.groupby(keys)["day"].max(), split=split).reset_index()


def _open(values: pd.Series, holds: pd.Series) -> pd.Series:
    """1 or 0, missing where the item is."""
    return holds.astype(float).where(values.notna())


def _below(wide: pd.DataFrame, item: str, bound: float) -> pd.Series:
    return _open(wide[item], wide[item] < bound)


def _any(*answers: pd.Series) -> pd.Series:
    """Yes where one is, no where all are, else open."""
    table = pd.concat(answers, axis=1)
    return table.max(axis=1).where((table == 1).any(axis=1) | table.notna().all(axis=1))


def _both(*answers: pd.Series) -> pd.Series:
    return 1 - _any(*(1 - a for a in answers))


def _sum(*answers: pd.Series) -> pd.Series:
    return pd.concat(answers, axis=1).sum(axis=1, skipna=False)


def kings(wide: pd.DataFrame) -> pd.Series:
    """4 with a gastrostomy (5b asked), item 10 = 0 or item 12 < 4; else the regions involved."""
    cut, fed = wide["5a"], wide["5b"]
    tube = fed.notna().astype(float).where(cut.notna() != fed.notna())  # asked both ways is not known
    tube = tube.where(wide["split"], 0.0)
    fourth = _any(tube, _below(wide, "10", 1), _below(wide, "12", 4))
    hands = _any(_below(wide, "4", 4), _open(cut, cut < 4).where(fed.isna()))
    regions = _sum(_any(*(_below(wide, i, 4) for i in ("1", "2", "3"))), hands, _below(wide, "8", 4))
    return regions.where(fourth == 0).mask(fourth == 1, 4.0)


def mitos(wide: pd.DataFrame) -> pd.Series:
    """How many of movement, swallowing, communication and breathing are lost."""
    return _sum(
        _any(_below(wide, "8", 2), _below(wide, "6", 2)),
        _below(wide, "3", 2),
        _both(_below(wide, "1", 2), _below(wide, "4", 2)),
        _any(_below(wide, "10", 2), _below(wide, "12", 3)),
    )


SYSTEMS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {"kings": kings, "mitos": mitos}


def _visit(
    made: NumberRows,
    trial: TrialTables,
    name: str,
    visit: float,
    staged: pd.DataFrame,
    event: pd.Series,
    arm: pd.Series,
    *,
    last: bool,
) -> None:
    seen = staged[staged["visit"] == visit].set_index("subject").reindex(arm.index)
    here = seen["stage"].mask(by_day(event, seen["day"].fillna(visit_day(trial, visit))), float(LAST))
    for group in trial.study.arms.order:
        own = here[arm == group]
        n = int(own.notna().sum())
        made.add("arm", {"n": n, "n_missing": len(own) - n}, arm=group, visit=visit, variable=name)
        for stage in range(LAST + 1):
            count = int((own == stage).sum()) if stage < LAST or last else None
            made.add("arm", share(count, n), arm=group, visit=visit, variable=name, level=str(stage))


def _time(
    made: NumberRows,
    trial: TrialTables,
    endpoint: Endpoint,
    name: str,
    staged: pd.DataFrame,
    event: pd.Series,
    members: pd.DataFrame,
) -> None:
    """Who has no known stage at baseline cannot be seen to go above it, not even by the event."""
    known = staged[staged["stage"].notna()]
    start = known[known["visit"] == trial.study.visits.baseline].set_index("subject")["stage"]
    later = known[known["visit"] > trial.study.visits.baseline]
    if start.empty or later.empty:
        return
    higher = later["stage"] - later["subject"].map(start).astype(float) >= (
        1 if endpoint.worsening is None else endpoint.worsening
    )
    later = later.assign(worse=higher)[later["subject"].isin(start.index)]
    times(made, trial, endpoint, later, event[event.index.isin(start.index)], members, f"time to a higher {name}")
