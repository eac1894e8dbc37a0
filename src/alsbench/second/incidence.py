"""Adverse events (METHODS 5): who had one, of what sort, how often in the time under treatment.

Actual arm, treatment-emergent records, each subject once a line. A record that does not tell counts as the worst: related,
severe, serious, leading to discontinuation, fatal. Words are those of CDISC's terminology and usual codings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import pandas as pd

from alsbench.second.baseline import moments
from alsbench.second.design import Stats
from alsbench.second.expression import truth
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.proportions import difference, none_of, pairs_of, poisson_limits, share
from alsbench.second.trial import TrialTables
from alsbench.study.expression import parse
from alsbench.study.model import Endpoint

COVERED = {
    "arm": {
        "n", "count", "percent", "events", "rate", "rate_low", "rate_high", "upper_one_sided", "total", "mean", "sd", "median",
        "min", "max",
    },
    "contrast": {"risk_difference", "risk_difference_low", "risk_difference_high"},
}  # fmt: skip
YEAR = 365.25
YES, NO = {"Y", "YES", "1", "1.0", "TRUE", "T", "J", "JA"}, {"N", "NO", "0", "0.0", "FALSE", "F", "NEIN"}
RELATED = YES | {
    "RELATED", "POSSIBLE", "POSSIBLY", "POSSIBLY RELATED", "PROBABLE", "PROBABLY", "PROBABLY RELATED", "DEFINITE", "DEFINITELY",
    "DEFINITELY RELATED", "CERTAIN", "LIKELY", "LIKELY RELATED", "SUSPECTED",
}  # fmt: skip
NOT_RELATED = NO | {"NOT RELATED", "UNRELATED", "NONE", "NOT SUSPECTED"}  # UNLIKELY and REMOTE are doubts, no denials
SEVERE = {"SEVERE", "LIFE THREATENING", "LIFE-THREATENING", "FATAL"}
NOT_SEVERE = {"MILD", "MODERATE"}
STOPPED = r"WITHDRAW|DISCONTINU"
NOT_STOPPED = r"NOT CHANGED|UNCHANGED|NO CHANGE|REDUC|INCREAS|INTERRUPT|DELAY|TEMPORAR|NOT APPLICABLE|NO ACTION|^NONE$|^NO?$"
DIED = r"\b(?:FATAL|DEATH|DIED|DEAD)\b"
SURVIVED = r"RECOVER|RESOLV|SEQUELAE|ONGOING|CONTINUING|NOT FATAL|NON-FATAL"
GRADES = ("AETOXGR", "ATOXGR", "AETOXGRN", "ATOXGRN")
Verdict: TypeAlias = pd.Series  # by record: True, False, or missing where the record does not tell


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Exposure, the overview, and every class and term."""
    made = NumberRows()
    arm = trial.arm_of(members, trial.study.arms.actual)
    arm = arm[arm.notna()]
    size = {name: int((arm == name).sum()) for name in trial.study.arms.order}
    days = _days(members.loc[arm.index])
    _exposure(made, trial, arm, size, days)
    records, sorts = emergent(trial, endpoint)
    inside = records["subject"].isin(arm.index)
    records, sorts = records[inside], {name: kind if kind is None else kind[inside] for name, kind in sorts.items()}
    records = records.assign(arm=records["subject"].map(arm))
    for name, kind in sorts.items():
        own = None if kind is None else records[kind]
        _line(made, trial, own, size, days, arm, variable="Overview", level=name)
    for soc, of_class in records.groupby("soc"):
        _line(made, trial, of_class, size, None, arm, variable=soc)
        for term, of_term in of_class.groupby("term"):
            _line(made, trial, of_term, size, None, arm, variable=soc, level=term)
    return made


def _days(members: pd.DataFrame) -> pd.Series:
    """Days under treatment, first and last included."""
    if not {"TRTSDT", "TRTEDT"} <= set(members.columns):
        return pd.Series(float("nan"), index=members.index)
    first, last = (pd.to_datetime(members[name]) for name in ("TRTSDT", "TRTEDT"))
    return (last - first).dt.days.astype(float) + 1


def _exposure(made: NumberRows, trial: TrialTables, arm: pd.Series, size: dict[str, int], days: pd.Series) -> None:
    doses = pd.Series(float("nan"), index=arm.index)
    if "ADEX" in trial.tables and "PARAMCD" not in trial.tables["ADEX"]:  # a row a dose, not a row a parameter
        given = trial.tables["ADEX"].groupby(trial.study.info.subject).size()
        doses = given.reindex(arm.index, fill_value=0).astype(float)
    for name in trial.study.arms.order:
        inside = arm.index[arm == name]
        made.add("arm", {"n": size[name]}, arm=name, variable="Exposure")
        total = float(days[inside].sum()) / YEAR if days[inside].notna().any() else None
        made.add("arm", {"total": total}, arm=name, variable="Exposure", level="patient-years")
        for level, values in {"days": days, "doses": doses}.items():
            said = moments(values[inside])
            stats = {key: said[key] for key in ("mean", "sd", "median", "min", "max")}
            made.add("arm", stats, arm=name, variable="Exposure", level=level)


def _line(
    made: NumberRows,
    trial: TrialTables,
    records: pd.DataFrame | None,
    size: dict[str, int],
    days: pd.Series | None,
    arm: pd.Series,
    **place: object,
) -> None:
    """One line: subjects, records, and, with days under treatment, the rate; None for what the data do not tell."""
    counts: dict[str, int | None] = {}
    for name, n in size.items():
        own = None if records is None else records[records["arm"] == name]
        counts[name] = None if own is None else int(own["subject"].nunique())
        stats: Stats = {"n": n, **share(counts[name], n), "events": None if own is None else len(own)}
        if days is not None:
            stats |= _rate(own, days[arm.index[arm == name]])
            if counts[name] == 0 and n:
                stats["upper_one_sided"] = none_of(n)
        made.add("arm", stats, arm=name, **place)
    for treatment, reference in pairs_of(trial.study):
        stats = difference((counts[treatment], size[treatment]), (counts[reference], size[reference]))
        made.add("contrast", stats, treatment=treatment, reference=reference, **place)


def _rate(records: pd.DataFrame | None, days: pd.Series) -> Stats:
    """Events per 100 patient-years of the subjects whose time is known, with exact limits."""
    known = days.dropna()
    years = float(known.sum()) / YEAR
    if records is None or years <= 0:
        return dict.fromkeys(["rate", "rate_low", "rate_high"])
    events = int(records["subject"].isin(known.index).sum())
    low, high = poisson_limits(events)
    return {"rate": 100 * events / years, "rate_low": 100 * low / years, "rate_high": 100 * high / years}


def emergent(trial: TrialTables, endpoint: Endpoint) -> tuple[pd.DataFrame, dict[str, pd.Series | None]]:
    """Treatment-emergent records with ``subject``, ``soc`` and ``term``, and which of them are of each sort of the overview;
    None for a sort that the data set does not tell."""
    dataset = (endpoint.dataset or "ADAE").upper()
    if dataset not in trial.tables:
        raise NotCovered(f"there is no table {dataset}")
    table = trial.tables[dataset]
    kept = pd.Series(True, index=table.index)
    if "TRTEMFL" in table:
        said = _said(table, ("TRTEMFL",), YES, NO)
        blank_is_no = not (said.eq(False)).any()
        kept = said.eq(True) | (said.isna() & (table["TRTEMFL"].notna() | (not blank_is_no)))
    if endpoint.where:
        kept &= truth(parse(endpoint.where).root, table, _no_cut) == 1.0
    soc, term = (next((c for c in names if c in table), None) for names in (("AEBODSYS", "AESOC"), ("AEDECOD", "AETERM")))
    if soc is None or term is None:
        raise NotCovered("adverse events without class or term")
    sorts = _sorts(table)
    table = table.assign(subject=table[trial.study.info.subject], soc=table[soc], term=table[term])
    table = table.fillna({"soc": "Uncoded", "term": "Uncoded"})
    return table[kept], {name: kind if kind is None else kind[kept] for name, kind in sorts.items()}


def _sorts(table: pd.DataFrame) -> dict[str, pd.Series | None]:
    related = _worst(_said(table, ("AEREL", "AREL"), RELATED, NOT_RELATED))
    grade = _grades(table)
    severe = _worst(_said(table, ("AESEV", "ASEV"), SEVERE, NOT_SEVERE).fillna(_at_least(grade, 3)))
    seriousness = _said(table, ("AESER",), YES, NO)
    serious = _worst(seriousness) if seriousness.notna().any() else None
    action = _matched(table, "AEACN", STOPPED, NOT_STOPPED)
    stopped = _worst(action) if action.notna().any() else None
    deaths = [_said(table, ("AESDTH",), YES, NO), _matched(table, "AEOUT", DIED, SURVIVED), _at_least(grade, 5)]
    fatal = None
    if any(said.notna().any() for said in deaths):
        yes = pd.concat([said.eq(True) for said in deaths], axis=1).any(axis=1)
        no = pd.concat([said.eq(False) for said in (*deaths, seriousness)], axis=1).any(axis=1)
        fatal = yes | ~no
    return {
        "any": pd.Series(True, index=table.index),
        "related": related,
        "severe": severe,
        "serious": serious,
        "related serious": None if serious is None else related & serious,
        "leading to discontinuation": stopped,
        "fatal": fatal,
    }


def _said(table: pd.DataFrame, columns: Iterable[str], yes: set[str], no: set[str]) -> Verdict:
    """What the first of these columns that a record has a known word in says."""
    found = pd.Series(pd.NA, index=table.index, dtype="boolean")
    for name in columns:
        if name in table:
            words = table[name].astype("string").str.strip().str.upper()
            here = pd.Series(pd.NA, index=table.index, dtype="boolean")
            found = found.fillna(here.mask(words.isin(yes).fillna(False), True).mask(words.isin(no).fillna(False), False))
    return found


def _matched(table: pd.DataFrame, column: str, yes: str, no: str) -> Verdict:
    """What a column in free words says: no where it matches ``no``, else yes where it matches ``yes``."""
    found = pd.Series(pd.NA, index=table.index, dtype="boolean")
    if column not in table:
        return found
    words = table[column].astype("string").str.strip().str.upper()
    matches = [words.str.contains(pattern, regex=True).fillna(False) for pattern in (yes, no)]
    return found.mask(matches[0], True).mask(matches[1], False)


def _grades(table: pd.DataFrame) -> pd.Series:
    found = pd.Series(float("nan"), index=table.index)
    for name in GRADES:
        if name in table:
            words = table[name].astype("string").str.upper().str.replace("GRADE", "").str.strip()
            values = pd.to_numeric(words, errors="coerce").astype(float)
            found = found.fillna(values.where(values.isin([1, 2, 3, 4, 5])))
    return found


def _at_least(grade: pd.Series, lowest: int) -> Verdict:
    return (grade >= lowest).astype("boolean").mask(grade.isna())


def _worst(said: Verdict) -> pd.Series:
    return said.fillna(True).astype(bool)


def _no_cut(function: str, column: str, _share: float | None) -> float:
    raise NotCovered(f"{function}({column}) over a data set")
