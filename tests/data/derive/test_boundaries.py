"""Every edge of the rules of derivation, a record on each side of it and one on it. Hand-made: METHODS, Analysis frame."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.data.derive.test_rules import asked, day, made, person, rows

from alsbench.data.derive.proact import _after_death
from alsbench.data.derive.proact_subjects import ProactSubjects, subject_table
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.sdtm_events import first_permanent_ventilation
from alsbench.data.derive.tables import SubjectArms
from alsbench.data.derive.windows import (
    AssignedVisits,
    Grid,
    assign_visits,
    base_and_change,
    closest,
    last_baseline,
    nearest_baseline,
    target_day,
    window_of,
)

GRID = Grid((0.0, 1.0, 2.0), ("Baseline", "Month 1", "Month 2"), (0.0, 30.0, 60.0))
ONE = np.zeros(9, dtype=np.int64)


def floats(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


def test_a_day_on_a_midpoint_belongs_to_the_later_window_and_the_last_window_has_its_edge() -> None:
    """Midpoints 15 and 45; the last window reaches as far past day 60 as it does before: day 75."""
    days = floats(-3, 14.5, 15, 15.5, 44.5, 45, 75, 75.5, math.nan)
    assert window_of(days, GRID).tolist() == [0, 0, 1, 1, 1, 2, 2, -1, -1]


def test_both_ends_of_a_window_that_is_given_belong_to_it() -> None:
    grid = Grid(GRID.numbers, GRID.labels, GRID.targets, (None, (25.0, 35.0), None))
    assert window_of(floats(24, 25, 35, 36, 45), grid).tolist() == [-1, 1, 1, -1, 2]


def test_of_two_equally_close_the_later_day_counts_and_of_one_day_the_later_row() -> None:
    group, all_of_them = np.zeros(3, dtype=np.int64), np.ones(3, dtype=bool)
    day = floats(28, 32, 32)
    assert closest(group, np.abs(day - 30), day, all_of_them).tolist() == [False, False, True]
    day = floats(32, 32, 28)
    assert closest(group, np.abs(day - 30), day, all_of_them).tolist() == [False, True, False]


@pytest.mark.parametrize(("day", "inside"), [(-31, False), (-30, True), (7, True), (8, False)])
def test_a_baseline_lies_from_thirty_days_before_to_seven_after(day: float, inside: bool) -> None:
    assert nearest_baseline(ONE[:1], floats(day), np.ones(1, bool)).tolist() == [inside]


def test_the_day_of_the_first_dose_is_before_it() -> None:
    """A value of day 1 is a baseline, one of day 2 is not."""
    assert last_baseline(ONE[:3], floats(-4, 1, 2), np.ones(3, bool)).tolist() == [False, True, False]


def test_nothing_of_the_baseline_day_counts_at_a_later_visit() -> None:
    """The baseline is the second of two records on day 20, a day of month 1's window; one of day 21 may count there."""
    baseline = np.array([False, True, False])
    found = assign_visits(ONE[:3], floats(20, 20, 21), np.ones(3, bool), baseline, GRID, after=0)
    assert found.window.tolist() == [-1, 0, 1] and found.counts.tolist() == [False, True, True]
    same_day = assign_visits(ONE[:2], floats(20, 20), np.ones(2, bool), baseline[:2], GRID, after=0)
    assert same_day.window.tolist() == [-1, 0]
    first = assign_visits(ONE[:3], floats(20, 20, 20), np.ones(3, bool), np.array([True, False, False]), GRID, after=0)
    assert first.window.tolist() == [0, -1, -1]


def test_a_record_in_the_baseline_window_after_the_baseline_counts_at_no_visit() -> None:
    found = assign_visits(ONE[:2], floats(1, 9), np.ones(2, bool), np.array([True, False]), GRID, after=1)
    assert found.window.tolist() == [0, -1] and found.counts.tolist() == [True, False]


def test_change_begins_the_day_after_the_baseline() -> None:
    placed = AssignedVisits(np.array([0, -1, 1]), np.array([True, False, False]), np.array([True, False, True]))
    base, change = base_and_change(ONE[:3], floats(1, 1, 2), floats(40, 39, 37), placed)
    assert base.tolist() == [40, 40, 40]
    assert math.isnan(change[0]) and math.isnan(change[1]) and change[2] == -3


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [(6, "month", 183), (12, "month", 365), (2, "month", 61), (-1, "month", -30), (2.5, "day", 3), (6, "week", 42)],
)
def test_days_of_visits_are_rounded_half_away_from_zero(number: float, unit: str, expected: int) -> None:
    """182.625, 365.25, 60.875, -30.4375, 2.5 and 42 days."""
    assert target_day(number, unit) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (dict.fromkeys(range(5, 15), 23.0), 5),
        (dict.fromkeys(range(5, 14), 23.0), math.nan),  # nine days
        (dict.fromkeys(range(5, 15), 22.0), math.nan),  # not more than 22
        (dict.fromkeys(range(5, 15), 22.5), 5),
        (dict.fromkeys((*range(5, 10), *range(11, 16)), 23.0), math.nan),  # a day without an entry between
        (dict.fromkeys((*range(5, 10), *range(11, 21)), 23.0), 11),
    ],
)
def test_permanent_ventilation(hours: dict[int, float], expected: float) -> None:
    found = first_permanent_ventilation(floats(*hours), floats(*hours.values()))
    assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_of_two_entries_for_a_day_of_ventilation_the_larger_counts() -> None:
    days = [*range(5, 15), 9, 9]
    hours = [23.0] * 10 + [0.0, 4.0]
    assert first_permanent_ventilation(floats(*days), floats(*hours)) == 5
    assert first_permanent_ventilation(floats(*days[::-1]), floats(*hours[::-1])) == 5


# -- SDTM -----------------------------------------------------------------------------------------------------------------


def adsl(derived: object) -> dict[str, object]:
    return rows(derived, "ADSL")[0]  # type: ignore[arg-type]


def dosed(*days: int, **more: str) -> list[dict[str, object]]:
    return [{"DOMAIN": "EX", "USUBJID": "S1", "EXSTDTC": day(d), **more} for d in days]


def test_the_first_of_several_doses_is_day_one_and_one_that_was_not_given_is_none(tmp_path: Path) -> None:
    """Doses out of order; EXOCCUR N on the earliest date, Y and nothing on the others."""
    doses = [*dosed(40), *dosed(-10, EXOCCUR="N"), *dosed(1, EXOCCUR="Y"), *dosed(20)]
    for dose in doses:
        dose.setdefault("EXOCCUR", None)
    derived = made(tmp_path, ex=doses, qs=asked(1, 4, "Baseline"))
    assert (adsl(derived)["TRTSDT"], adsl(derived)["TRTEDT"]) == tuple(np.datetime64(day(d)).astype(object) for d in (1, 40))
    unsaid = made(tmp_path / "unsaid", ex=dosed(1), qs=asked(1, 4, "Baseline"))
    assert adsl(unsaid)["SAFFL"] == "Y"


def test_there_is_no_day_zero(tmp_path: Path) -> None:
    """Records of the day before the first dose, that day and the next: days -1, 1 and 2."""
    derived = made(tmp_path, qs=[*asked(-1, 4), *asked(1, 4, "Baseline"), *asked(2, 3)])
    assert [r["ADY"] for r in rows(derived, "ADQS") if r["PARAMCD"] == "ALSFRSR"] == [-1, 1, 2]


@pytest.mark.parametrize(("days_before", "rate"), [(29, None), (30, 12 * 30.4375 / 30)])
def test_a_rate_needs_thirty_days_since_onset(tmp_path: Path, days_before: int, rate: float | None) -> None:
    """(48 - 36) points in one month of 30 days; over less there is none."""
    onset = str(np.datetime64(day(1)) - days_before)
    supp = [{"DOMAIN": "DM", "RDOMAIN": "DM", "USUBJID": "S1", "QNAM": "ONSETDTC", "QVAL": onset}]
    derived = made(tmp_path, suppdm=supp, qs=asked(1, 3, "Baseline"))
    found = adsl(derived).get("PROGRATE")
    assert found == (None if rate is None else pytest.approx(rate)) or (
        rate is None and found is not None and math.isnan(found)
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(("begun", "flag"), [(1, "Y"), (2, "N"), (None, "Y")])
def test_riluzole_begun_on_the_day_of_the_first_dose_is_baseline_riluzole(tmp_path: Path, begun: int | None, flag: str) -> None:
    taken = [{"DOMAIN": "CM", "USUBJID": "S1", "CMTRT": "Rilutek (riluzole)", "CMSTDTC": day(begun) if begun else None}]
    derived = made(tmp_path, cm=taken, qs=asked(1, 4, "Baseline"))
    assert adsl(derived)["RILUFL"] == flag


@pytest.mark.parametrize(("score", "kept"), [(0, True), (4, True), (5, False), (-1, False)])
def test_an_item_is_scored_zero_to_four(tmp_path: Path, score: int, kept: bool) -> None:
    derived = made(tmp_path, qs=[*asked(1, 4, "Baseline"), *asked(30, score, "Month 1")])
    days = [r["ADY"] for r in rows(derived, "ADQS") if r["PARAMCD"] == "ALSFRSR"]
    assert days == ([1, 30] if kept else [1])


def test_an_item_answered_twice_alike_is_one_answer_and_differently_none(tmp_path: Path) -> None:
    twice = asked(30, 3, "Month 1")
    again = [{**r, "QSSEQ": 99} for r in twice[:1]]
    derived = made(tmp_path, qs=[*asked(1, 4, "Baseline"), *twice, *again])
    assert [r["ADY"] for r in rows(derived, "ADQS") if r["PARAMCD"] == "ALSFRSR"] == [1, 30]
    other = [{**r, "QSSTRESN": 2, "QSORRES": "2", "QSSTRESC": "2"} for r in twice[:1]]
    derived = made(tmp_path / "other", qs=[*asked(1, 4, "Baseline"), *twice, *other])
    assert [r["ADY"] for r in rows(derived, "ADQS") if r["PARAMCD"] == "ALSFRSR"] == [1]


def test_the_first_event_counts_and_contact_on_the_day_of_death_too(tmp_path: Path) -> None:
    """Tracheostomies on days 60 and 50, death on day 80, an assessment on that very day and one after it."""
    events = [{"DOMAIN": "CE", "USUBJID": "S1", "CETERM": "Tracheostomy", "CESTDTC": day(d)} for d in (60, 50)]
    died = [{**person(), "DTHDTC": day(80), "DTHFL": "Y"}]
    later = [{"DOMAIN": "DS", "USUBJID": "S1", "DSDECOD": "DEATH", "DSCAT": "DISPOSITION EVENT", "DSSTDTC": day(85)}]
    derived = made(tmp_path, dm=died, ce=events, ds=later, qs=[*asked(1, 4, "Baseline"), *asked(80, 3), *asked(82, 3)])
    found = {r["PARAMCD"]: r for r in rows(derived, "ADTTE")}
    assert (found["DTHPAV"]["AVAL"], found["DTHPAV"]["CNSR"], found["DTHPAV"]["EVNTDESC"]) == (50, 0, "TRACHEOSTOMY")
    assert (found["DEATH"]["AVAL"], found["DEATH"]["CNSR"]) == (80, 0)


def test_who_lives_is_followed_to_the_last_date_of_any_domain(tmp_path: Path) -> None:
    derived = made(tmp_path, qs=[*asked(1, 4, "Baseline"), *asked(92, 3), *asked(61, 3)])
    found = {r["PARAMCD"]: r for r in rows(derived, "ADTTE")}
    assert (found["DEATH"]["AVAL"], found["DEATH"]["CNSR"], found["DEATH"]["EVNTDESC"]) == (92, 1, "LAST CONTACT")


def test_end_of_treatment_is_not_end_of_study(tmp_path: Path) -> None:
    """Disposition of treatment comes after that of the study in the file: the study's counts."""
    said = {"DOMAIN": "DS", "USUBJID": "S1", "DSCAT": "DISPOSITION EVENT"}
    ended = [
        {**said, "DSDECOD": "COMPLETED", "DSSCAT": "STUDY PARTICIPATION", "DSSTDTC": day(300)},
        {**said, "DSDECOD": "ADVERSE EVENT", "DSSCAT": "STUDY TREATMENT", "DSSTDTC": day(200)},
    ]
    derived = made(tmp_path, ds=ended, qs=asked(1, 4, "Baseline"))
    assert adsl(derived)["EOSSTT"] == "COMPLETED"


def test_a_record_on_the_day_of_death_is_of_the_living() -> None:
    """PRO-ACT: dated after the day of death is impossible, dated on it is not; unknown on either side is not after."""
    report = DerivationReport()
    day = np.array([89.0, 90.0, 91.0, np.nan, 91.0])
    subject = np.array(["1", "1", "1", "1", "2"], dtype=object)
    who = SimpleNamespace(death_day={"1": 90.0})
    late = _after_death("F", np.arange(5) + 1, subject, day, who, report)
    assert late.tolist() == [False, False, True, False, False]
    assert [(f.rule, f.rows) for f in report.findings] == [("proact-after-death", (3,))]


def test_a_proact_rate_needs_thirty_days_since_onset() -> None:
    """PRO-ACT: onset exactly 30 days before the baseline record has a rate of (48 - 40) / (30 / 30.4375), 29 days has none."""
    ids = np.array(["1", "2"], dtype=object)
    arms = {"1": "Active", "2": "Active"}
    who = ProactSubjects(SubjectArms("P", ids, arms, arms), {}, {}, {}, {}, {"1": -30.0, "2": -29.0}, ())
    made = subject_table(who, {"ALSFRSR": {"1": (40.0, 0.0), "2": (40.0, 0.0)}}, DerivationReport())
    rates = made.table().column("PROGRATE").to_pylist()
    assert rates[0] == pytest.approx(8 / (30 / 30.4375)) and (rates[1] is None or math.isnan(rates[1]))


def test_of_several_breaths_on_a_day_the_highest_counts() -> None:
    """Two trials of a test on day 1 and one on day 30; on one day 2.1 and 2.5 litres."""
    value = np.array([2.1, 2.5, 2.3])
    slot = np.array([0, 0, 1])
    kept = closest(slot, -value, np.array([1.0, 1.0, 30.0]), np.isfinite(value))
    assert kept.tolist() == [False, True, True]
