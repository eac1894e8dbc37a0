"""Who is in a subgroup: three-valued logic, cuts, standing and counts, each counted from the rows of the built trial."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.built.counted import ADSL, FAS

from alsbench.analysis.model_data import strata_codes
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import counts_by_arm, describe, members
from alsbench.audit.lock import Lock
from alsbench.study.model import Subgroup

CONDITIONS = {"slow": ("LEADRATE", lambda v: v <= 1.0), "nfl_low": ("BLNFL", lambda v: v < 52)}


def truth(part: str, subject: str) -> bool | None:
    column, holds = CONDITIONS[part.removeprefix("not ")]
    value = ADSL[column][subject]
    return None if pd.isna(value) else bool(holds(float(value))) != part.startswith("not ")


@pytest.mark.parametrize(
    "phrase", ["slow and nfl_low", "not slow and nfl_low", "slow and not nfl_low", "not slow and not nfl_low"]
)
def test_what_is_false_is_decided_whatever_else_is_missing(built_trial: Source, phrase: str) -> None:
    inside = undecided = saved = 0
    for subject in FAS:
        parts = [truth(p, subject) for p in phrase.split(" and ")]
        inside += all(parts)
        undecided += None in parts and False not in parts
        saved += None in parts and False in parts
    found = members(built_trial, phrase)
    assert (found.n, found.n_undecided) == (inside, undecided)
    if phrase == "slow and nfl_low":
        assert saved >= 1  # there are such subjects


def with_subgroups(source: Source, *subgroups: Subgroup, lock: Lock | None = None) -> Source:
    return replace(source, study=source.study.model_copy(update={"subgroups": subgroups}), lock=lock)


def test_what_two_planned_subgroups_share_was_not_planned(built_trial: Source) -> None:
    planned = [s.model_copy(update={"prespecified": True}) for s in built_trial.study.subgroups]
    locked = with_subgroups(built_trial, *planned, lock=Lock("0" * 64, "somebody", "2024-01-01T00:00:00Z", 0, {}))
    assert [members(locked, p).post_hoc for p in ("overall", "slow", "not slow", "slow and nfl_low")] == [
        False,
        False,
        False,
        True,
    ]
    free = with_subgroups(built_trial, *planned)
    assert not members(free, "slow and nfl_low").post_hoc
    one = with_subgroups(built_trial, planned[0], planned[1].model_copy(update={"prespecified": False}))
    assert members(one, f"{planned[0].name} and {planned[1].name}").post_hoc and not members(one, planned[0].name).post_hoc


@pytest.mark.parametrize("phrase", ["late and old", "old and late", "late"])
def test_one_part_known_after_randomisation_marks_the_whole(built_trial: Source, phrase: str) -> None:
    late = Subgroup(name="late", where="BLNFL < 52", post_randomisation=True)
    source = with_subgroups(built_trial, late, Subgroup(name="old", where="AGE >= 60"))
    assert members(source, phrase).post_randomisation and not members(source, "old").post_randomisation


def test_cuts_are_those_of_the_analysis_set(built_trial: Source) -> None:
    """Mean, median and quantiles by NumPy over the analysis set, missing values left out."""
    ages = ADSL.loc[FAS, "AGE"].dropna().to_numpy(dtype=float)
    for text, value in (
        ("AGE >= mean(AGE)", ages.mean()),
        ("AGE >= median(AGE)", np.median(ages)),
        ("AGE >= quantile(AGE, 0.75)", np.quantile(ages, 0.75, method="averaged_inverted_cdf")),
    ):
        found = describe(built_trial, text)
        assert [v for _, v in found.cuts] == [pytest.approx(value, rel=1e-12)], text
        assert found.n == int((ages >= value - 1e-9).sum())


def test_arms_as_planned_and_as_treated(built_trial: Source) -> None:
    everybody = np.ones(len(built_trial.subjects), dtype=bool)
    for actual, column in ((False, "TRT01P"), (True, "TRT01A")):
        wanted = ADSL[column].value_counts().to_dict()
        found = counts_by_arm(built_trial, everybody, actual=actual)
        assert {arm: n for arm, n in found.items() if n} == {arm: n for arm, n in wanted.items() if arm in found}
    assert counts_by_arm(built_trial, everybody) != counts_by_arm(built_trial, everybody, actual=True)


def test_strata_are_made_of_all_their_columns(built_trial: Source) -> None:
    """A missing value is a level of its own."""
    who = np.arange(len(built_trial.subjects), dtype=np.int64)
    ids = [str(s) for s in built_trial.subject_ids]
    cells = [tuple(str(ADSL[c][s]) for c in ("ONSETSIT", "SEX")) for s in ids]
    codes = strata_codes(built_trial, ("ONSETSIT", "SEX"), who).tolist()
    assert len(set(codes)) == len(set(cells)) > len({c[0] for c in cells})
    assert {(a == b) == (x == y) for a, x in zip(codes, cells, strict=True) for b, y in zip(codes, cells, strict=True)} == {
        True
    }
