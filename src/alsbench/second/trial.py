"""The trial as the second program reads it: whole tables of the snapshot in pandas, analysis sets, arms, subgroups, records.

The database is opened read-only with external access, extensions and configuration locked; the only SQL is ``SELECT *`` of
tables that the database itself names. Everything after that is pandas (METHODS 2 and 6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from alsbench.second.expression import truth
from alsbench.second.numbers import NotCovered
from alsbench.study.expression import parse
from alsbench.study.model import Comparison, Endpoint, Study

ALIKE = 2.0**-26  # the root of machine epsilon: the tolerance of R's aeqSurv
DAYS = {"month": 30.4375, "week": 7.0, "day": 1.0}
LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "memory_limit": "1GB",
    "temp_directory": "",
    "lock_configuration": "true",
}
YES = {"Y", "YES", "1", "1.0", "TRUE"}


def read_tables(path: Path) -> dict[str, pd.DataFrame]:
    """Every table of a snapshot in load order, blank texts missing."""
    with duckdb.connect(str(path), read_only=True, config=LOCKED) as connection:
        listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY table_name"
        names = [str(row[0]) for row in connection.execute(listed).fetchall()]
        found = {}
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            found[name] = connection.sql(f"SELECT * FROM {quoted} ORDER BY rowid").to_arrow_table().to_pandas()
    return {name: _blank_is_missing(table) for name, table in found.items()}


def _blank_is_missing(table: pd.DataFrame) -> pd.DataFrame:
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            blank = table[name].map(lambda v: isinstance(v, str) and not v.strip())
            table[name] = table[name].mask(blank.astype(bool))
    return table


def said_yes(flags: pd.Series) -> pd.Series:
    """Whether a flag says yes, in any case and coding."""
    return flags.astype("string").str.strip().str.upper().isin(YES).astype(bool)


def one_where_alike(values: pd.Series) -> pd.Series:
    """Distinct values whose gap is at most the root of machine epsilon, absolutely or relative to their mean size, are the
    smallest of them (survival's aeqSurv)."""
    distinct = np.sort(values.dropna().unique().astype(float))
    if len(distinct) < 2:
        return values.astype(float)
    gaps = np.diff(distinct)
    size = float(np.mean(np.abs(distinct)))
    alike = (gaps <= ALIKE) | (gaps / size <= ALIKE if size > 0 else False)
    first = np.concatenate([[True], ~alike])
    stands_for = dict(zip(distinct, distinct[first][np.cumsum(first) - 1], strict=True))
    return values.astype(float).map(stands_for)


def quantile(values: pd.Series, share: float) -> float:
    """Quantile of type 2 (SAS PCTLDEF=5): the average of two order statistics where n times the share is whole."""
    ordered = np.sort(values.dropna().to_numpy(float))
    n = len(ordered)
    if n == 0:
        return math.nan
    place = n * share
    k = round(place) if abs(place - round(place)) < 1e-9 else None
    if k is not None:
        return float((ordered[max(k - 1, 0)] + ordered[min(k, n - 1)]) / 2)
    return float(ordered[math.ceil(place) - 1])


@dataclass
class TrialTables:
    """The tables of a snapshot with the study they are of."""

    study: Study
    tables: Mapping[str, pd.DataFrame]
    subjects: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        if "ADSL" not in self.tables:
            raise NotCovered("there is no ADSL")
        self.subjects = self.tables["ADSL"].set_index(self.study.info.subject, drop=False).rename_axis("subject")

    def population(self, name: str) -> pd.Series:
        """By subject, whether it is in an analysis set (the default one where no name is given)."""
        flag = self.study.populations.flags[name or self.study.populations.default]
        return said_yes(self.subjects[flag])

    def cut(self, function: str, column: str, share: float | None) -> float:
        """A cut such as ``mean(X)``, over the whole default population."""
        values = self.subjects.loc[self.population(""), column]
        if function == "mean":
            return math.fsum(values.dropna()) / int(values.notna().sum())
        return quantile(values, 0.5 if share is None else share)

    def members(self, phrase: str, population: str) -> pd.DataFrame:
        """The subjects of an analysis set who are in a subgroup phrase: ``overall``, ``slow``, ``not slow and older``."""
        inside = self.population(population)
        for part in [] if phrase.strip() == "overall" else phrase.split(" and "):
            words = part.split()
            inside &= self._named(words[-1]) == (0.0 if words[0] == "not" else 1.0)
        return self.subjects[inside]

    def _named(self, name: str) -> pd.Series:
        """By subject 1, 0 or missing: in the subgroup of that name, or, for the name of a complement, outside of it."""
        for subgroup in self.study.subgroups:
            if name in (subgroup.name, subgroup.complement):
                inside = truth(parse(subgroup.where).root, self.subjects, self.cut)
                return inside if name == subgroup.name else 1 - inside
        raise NotCovered(f"no subgroup is named {name}")

    def arm_of(self, members: pd.DataFrame, column: str = "") -> pd.Series:
        """The planned arm of every member (or that of another column), missing where it is not among the arms analysed."""
        arm = members[column or self.study.arms.planned].astype(object)
        return arm.where(arm.isin(self.study.arms.order))

    def horizon_day(self, comparison: Comparison) -> int:
        """The day of a comparison's horizon, counted from 0, rounded half away from zero."""
        if comparison.horizon is None:
            raise NotCovered(f"comparison {comparison.name} has no horizon")
        days = comparison.horizon * DAYS[self.study.visits.unit]
        return int(math.copysign(math.floor(abs(days) + 0.5), days))

    def records(self, endpoint: Endpoint, members: pd.DataFrame) -> pd.DataFrame:
        """The endpoint's records of these subjects: ``subject``, ``arm``, ``visit``, ``aval``, ``base``, ``chg``, and its
        table's columns. Delivered BASE and CHG are used as they are, and derived where the parameter has none."""
        table = self._of_parameter(endpoint)
        table = table[table["subject"].isin(self.subjects.index)]  # what is delivered is told by all of the parameter
        if "DTYPE" not in table:
            table = table.assign(DTYPE=None)
        raw = table["AVAL"].astype(float)
        base = self._baseline(endpoint, table)
        table = table.assign(aval=raw, base=base)
        delivered = table["CHG"].astype(float) if "CHG" in table and table["CHG"].notna().any() else raw - base
        table = table.assign(chg=delivered)
        table = table[table["subject"].isin(members.index)]
        table = table.assign(arm=table["subject"].map(self.arm_of(members)))
        if endpoint.scale == "log":
            table = _logarithmic(table, endpoint)
        return table

    def _of_parameter(self, endpoint: Endpoint) -> pd.DataFrame:
        if endpoint.dataset.upper() not in self.tables:
            raise NotCovered(f"there is no table {endpoint.dataset}")
        table = self.tables[endpoint.dataset.upper()]
        if endpoint.paramcd:
            table = table[table["PARAMCD"] == endpoint.paramcd]
        if endpoint.where:
            table = table[truth(parse(endpoint.where).root, table, _no_cut) == 1.0]
        table = table.assign(subject=table[self.study.info.subject])
        number = self.study.visits.number
        if number in table:
            exact = table[number].astype(float)
            near = exact.round(6)
            table = table.assign(visit=near.where((exact - near).abs() <= ALIKE, exact))
        return table

    def _baseline(self, endpoint: Endpoint, table: pd.DataFrame) -> pd.Series:
        """BASE as delivered, else the subject's value at baseline; of the whole parameter where ``where`` lets none in."""
        if "BASE" in table and table["BASE"].notna().any():
            return table["BASE"].astype(float)
        values = self._values_at_baseline(table)
        if values.empty and endpoint.where:
            whole = self._of_parameter(endpoint.model_copy(update={"where": ""}))
            values = self._values_at_baseline(whole[whole["subject"].isin(self.subjects.index)])
        return table["subject"].map(values).astype(float)

    def _values_at_baseline(self, table: pd.DataFrame) -> pd.Series:
        """By subject the last value that is flagged, else of the baseline visit, else up to day 1: the first of these rules
        that any record of the parameter meets."""
        known = table[table["AVAL"].notna()]
        known = known.assign(day=known["ADY"].astype(float) if "ADY" in known else np.nan)
        known = known.sort_values("day", kind="stable", na_position="first")
        flagged = said_yes(known["ABLFL"]) if "ABLFL" in known else pd.Series(False, index=known.index)
        at_visit = known["visit"] == self.study.visits.baseline if "visit" in known else pd.Series(False, index=known.index)
        for rule in (flagged, at_visit, known["day"] <= 1):
            if rule.any():
                return known[rule].groupby("subject")["AVAL"].last().astype(float)
        return pd.Series(dtype=float)

    def after_baseline(self, endpoint: Endpoint, records: pd.DataFrame) -> pd.DataFrame:
        """Records of the endpoint's visits, of one record each. Raises NotCovered where a subject has two at a visit."""
        wanted = set(endpoint.visits)
        later = records["visit"].isin(wanted) if wanted else records["visit"] > self.study.visits.baseline
        found = records[later]
        if found.duplicated(["subject", "visit"]).any():
            raise NotCovered("a subject has two records at one visit")
        return found

    def model_rows(self, endpoint: Endpoint, members: pd.DataFrame) -> pd.DataFrame:
        """What a model of the change is fitted to: records after baseline with a change, a baseline, an arm, every covariate
        and weight. Columns ``y``, ``base``, ``arm``, ``visit``, ``weight`` and the covariates."""
        found = self.after_baseline(endpoint, self.records(endpoint, members))
        found = with_covariates(found, members, endpoint.covariates).assign(y=found["chg"])
        found = found.assign(weight=self._weights(endpoint, found, members))
        return found.dropna(subset=["y", "base", "arm", "visit", "weight", *map(covariate, endpoint.covariates)])

    @staticmethod
    def _weights(endpoint: Endpoint, records: pd.DataFrame, members: pd.DataFrame) -> pd.Series:
        if not endpoint.weights:
            return pd.Series(1.0, index=records.index)
        if endpoint.weights in records:
            weights = records[endpoint.weights].astype(float)
        else:
            weights = records["subject"].map(members[endpoint.weights]).astype(float)
        return weights.where(weights > 0)


def covariate(name: str) -> str:
    """The column that holds a covariate of ADSL beside a record: never a column of the record of the same name."""
    return f"covariate {name}"


def with_covariates(records: pd.DataFrame, members: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The records with the covariates of their subjects."""
    return records.assign(**{covariate(name): records["subject"].map(members[name]) for name in names})


def _logarithmic(table: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """ln(AVAL/BASE) as the change and ln BASE as baseline; values below the limit of quantification count as half of
    it, and are marked in ``below``."""
    aval, base = table["aval"], table["base"]
    delivered = table["DTYPE"].astype("string").str.upper().eq("HALFLLOQ").fillna(value=False).astype(bool)
    below = delivered
    if endpoint.lloq is not None:
        low = (aval < endpoint.lloq) & ((endpoint.lloq - aval).abs() > ALIKE * endpoint.lloq) & ~delivered
        aval, below = aval.mask(low, endpoint.lloq / 2), low | delivered
        halved = (
            table["subject"]
            .map(table[delivered].groupby("subject")["aval"].agg(set))
            .map(lambda v: v if isinstance(v, set) else set())
        )
        already = pd.Series([b in s for b, s in zip(base, halved, strict=True)], index=base.index)
        base = base.mask(
            (base < endpoint.lloq) & ((endpoint.lloq - base).abs() > ALIKE * endpoint.lloq) & ~already, endpoint.lloq / 2
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        value, start = np.log(aval.where(aval > 0)), np.log(base.where(base > 0))
    return table.assign(aval=value, base=start, chg=value - start, below=below)


def _no_cut(function: str, column: str, _share: float | None) -> float:
    raise NotCovered(f"{function}({column}) over a data set")
