"""An SDTM trial without ADaM is analysed end to end and gives the ADaM's numbers.

als-ref-1 is turned into SDTM-shaped files (items without totals, dates, visit names) and derived again. Stated differences:
ADLB of the reference leaves CHG empty and its items have no BASE; both are derived here. A death and a tracheostomy are told
apart here and not in the reference's EVNTDESC.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.derive.sdtm_files import Record, Tables, adam, sdtm, write
from tests.data.small_trial import NOW, REFERENCE

from alsbench.__main__ import main
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.receipt import Receipt
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError
from alsbench.study.study_file import read_study

STUDY = REFERENCE / "als-ref-1" / "study.toml"


def made(folder: Path, files: Path) -> tuple[Receipt, Source]:
    space = Workspace(folder)
    receipt = load([files], space, study=read_study(STUDY), now=NOW)
    space.study_path.write_bytes(STUDY.read_bytes())
    return receipt, open_source(folder)


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Receipt, Source]:
    folder = tmp_path_factory.mktemp("sdtm")
    return made(folder / "ws", write(folder / "files", sdtm()))


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return made(tmp_path_factory.mktemp("adam") / "ws", REFERENCE / "als-ref-1")[1]


def records(snapshot: Snapshot, table: str) -> list[Record]:
    frame = snapshot.frame(table)
    return [dict(zip(frame.names, row, strict=True)) for row in zip(*frame.columns.values(), strict=True)]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return bool((np.isnan(a) and np.isnan(b)) or abs(a - b) <= 1e-9)
    return bool(a == b or (np.isnat(a) and np.isnat(b) if isinstance(a, np.datetime64) else False))


def close(a: object, b: object) -> bool:
    if isinstance(a, float | int) and isinstance(b, float | int):
        return bool(a == pytest.approx(b, rel=1e-7, abs=1e-9, nan_ok=True))
    return a == b


def compare(one: Source, other: Source, table: str, key: tuple[str, ...], columns: tuple[str, ...], code: str = "") -> None:
    left = {tuple(r[k] for k in key): r for r in records(one.snapshot, table) if not code or r["PARAMCD"] == code}
    right = {tuple(r[k] for k in key): r for r in records(other.snapshot, table) if not code or r["PARAMCD"] == code}
    assert left.keys() == right.keys()
    assert left
    for k, row in left.items():
        assert {c for c in columns if not same(row[c], right[k][c])} == set(), (k, row, right[k])


VISIT = ("USUBJID", "PARAMCD", "AVISITN")


def test_totals_baseline_change_and_windows_are_those_of_the_adam(derived: tuple[Receipt, Source], delivered: Source) -> None:
    compare(
        derived[1], delivered, "ADQS", VISIT, ("AVAL", "BASE", "CHG", "ADT", "ADY", "ABLFL", "ANL01FL", "TRT01P"), "ALSFRSR"
    )


def test_items_are_those_of_the_adam(derived: tuple[Receipt, Source], delivered: Source) -> None:
    compare(derived[1], delivered, "ADQS", VISIT, ("AVAL", "ADT", "ADY", "ABLFL"))


def test_vital_capacity_and_nfl_are_those_of_the_adam(derived: tuple[Receipt, Source], delivered: Source) -> None:
    compare(derived[1], delivered, "ADRE", VISIT, ("AVAL", "BASE", "CHG", "ADT", "ADY", "ABLFL"))
    compare(derived[1], delivered, "ADLB", VISIT, ("AVAL", "BASE", "ADT", "ADY", "ABLFL", "DTYPE"))


def test_events_and_follow_up_are_those_of_the_adam(derived: tuple[Receipt, Source], delivered: Source) -> None:
    compare(derived[1], delivered, "ADTTE", ("USUBJID",), ("AVAL", "CNSR", "STARTDT", "ADT"), "DTHPAV")
    happened = [r["EVNTDESC"] for r in records(derived[1].snapshot, "ADTTE") if r["PARAMCD"] == "DTHPAV" and r["CNSR"] == 0]
    assert {w: happened.count(w) for w in set(happened)} == {"DEATH": 9, "TRACHEOSTOMY": 2}
    deaths = [r["CNSR"] for r in records(derived[1].snapshot, "ADTTE") if r["PARAMCD"] == "DEATH"]
    assert deaths.count(0) == 9


def test_subjects_are_those_of_the_adam(derived: tuple[Receipt, Source], delivered: Source) -> None:
    columns = (
        *("TRT01P", "TRT01A", "AGE", "SEX", "SITEID", "ONSETSIT", "RILUFL", "LEADRATE", "DURDIS", "BLALSFR", "BLSVC", "BLNFL"),
        *("RANDDT", "TRTSDT", "TRTEDT", "EOSDT", "EOSSTT", "FASFL", "SAFFL", "PPROTFL", "DTHFL"),
    )
    compare(derived[1], delivered, "ADSL", ("USUBJID",), columns)


@pytest.mark.parametrize("endpoint", ["alsfrs", "svc", "nfl", "alsfrs_ancova", "cafs", "alsfrs_slope", "survival", "ae"])
def test_every_endpoint_gives_the_adams_numbers(derived: tuple[Receipt, Source], delivered: Source, endpoint: str) -> None:
    question = Question(endpoint, subgroups=("overall", "slow"))

    def numbers(source: Source) -> dict[tuple[object, ...], object]:
        rows = answer(question, source).rows
        return {
            (r.context, r.subgroup, r.arm, r.treatment, r.reference, r.visit_number, r.variable, r.level, r.stat_name): r.stat
            for r in rows
            if r.stat_name not in ("iterations", "gradient")
            if "dose" not in f"{r.variable} {r.level}"  # the reference has no ADEX to count doses in
        }

    one, other = numbers(derived[1]), numbers(delivered)
    assert one.keys() == other.keys()
    off = {k: (v, other[k]) for k, v in one.items() if not close(v, other[k])}
    assert off == {}


def test_the_receipt_lists_every_derivation(derived: tuple[Receipt, Source]) -> None:
    listed = {f.dataset: " ".join(f.messages) for f in derived[0].files if f.name == "derived from SDTM"}
    assert list(listed) == ["ADSL", "ADQS", "ADRE", "ADLB", "ADTTE", "ADAE", "ADEX", "DERIVATIONS"]
    for table, words in (
        ("ADSL", ("TRTSDT: earliest EXSTDTC", "FASFL: a planned arm and a first dose", "from SUPPDM and SC as delivered")),
        ("ADQS", ("sum of the twelve items", "last value on or before", "windows at midpoints")),
        ("ADLB", ("HALFLLOQ",)),
        ("ADTTE", ("> 22 h a day on 10 consecutive days", "AVAL = ADT - TRTSDT + 1")),
        ("ADAE", ("TRTEMFL",)),
    ):
        for word in words:
            assert word in listed[table], (table, word)
    told = {(r["TABLE"], r["HOW"]) for r in records(derived[1].snapshot, "DERIVATIONS")}
    assert told == {(f.dataset, m) for f in derived[0].files if f.name == "derived from SDTM" for m in f.messages}


# Hand-made: one subject, first dose on 2024-03-01 (day 1).


def day(number: int) -> str:
    first = date(2024, 3, 1)
    return str(first + timedelta(days=number - 1 if number > 0 else number))


def person(subject: str = "S1", **other: Any) -> Record:
    return {"STUDYID": "T", "DOMAIN": "DM", "USUBJID": subject, "ARM": "Active", "RFSTDTC": day(1), **other}


def asked(
    number: int, score: int, visit: str | None = None, *, subject: str = "S1", skip: str = "", both: bool = False
) -> list[Record]:
    """All items at ``score`` on one day; item 5 as 5a."""
    codes = [*(f"{i:02d}" for i in (1, 2, 3, 4)), "05A", *(["05B"] if both else []), *(f"{i:02d}" for i in range(6, 13))]
    return [
        {"DOMAIN": "QS", "USUBJID": subject, "QSTESTCD": f"ALSFR{c}", "QSTEST": f"ALSFRS-R item {c}", "QSCAT": "ALSFRS-R",
         "QSSTRESN": score, "QSDTC": day(number), "VISIT": visit}
        for c in codes if c != skip
    ]  # fmt: skip


def small(tmp_path: Path, **tables: list[Record]) -> tuple[Receipt, Snapshot]:
    space = Workspace(tmp_path / "ws")
    everything: Tables = {"dm": [person()], "ex": [{"DOMAIN": "EX", "USUBJID": "S1", "EXSTDTC": day(1)}], **tables}
    return load([write(tmp_path / "files", everything)], space, now=NOW), space.open_current()


def totals(snapshot: Snapshot) -> list[tuple[float, float | None, float, str | None]]:
    """(ADY, AVISITN, AVAL, ABLFL)."""
    rows = [r for r in records(snapshot, "ADQS") if r["PARAMCD"] == "ALSFRSR"]
    return [(r["ADY"], None if np.isnan(r["AVISITN"]) else r["AVISITN"], r["AVAL"], r["ABLFL"]) for r in rows]


def test_baseline_is_the_last_value_on_or_before_the_first_dose(tmp_path: Path) -> None:
    items = [*asked(-30, 4, "Screening"), *asked(1, 3, "Baseline"), *asked(3, 2, "Unscheduled"), *asked(31, 2, "Month 1")]
    _, snapshot = small(tmp_path, qs=items)
    assert totals(snapshot) == [(-30, None, 48, None), (1, 0, 36, "Y"), (3, None, 24, None), (31, 1, 24, None)]
    changes = [r["CHG"] for r in records(snapshot, "ADQS") if r["PARAMCD"] == "ALSFRSR"]
    assert [None if np.isnan(c) else c for c in changes] == [None, None, -12, -12]
    (subject,) = records(snapshot, "ADSL")
    assert subject["BLALSFR"] == 36
    # two values before the first dose, days -30 and 1: 12 points in 30 days
    assert subject["LEADRATE"] == pytest.approx(12 / (30 / 30.4375))


def test_the_closest_record_of_a_window_counts_and_of_two_equally_close_the_later(tmp_path: Path) -> None:
    # targets: month 1 = day 30, month 2 = day 61; the midpoint is day 45.5
    items = [
        *asked(1, 4, "Baseline"),
        *asked(28, 3, "Month 1"),
        *asked(32, 2, "Unscheduled 1"),
        *asked(45, 1),
        *asked(46, 1, "Month 2"),
    ]
    _, snapshot = small(tmp_path, qs=items)
    assert totals(snapshot) == [
        (1, 0, 48, "Y"),
        (28, None, 36, None),
        (32, 1, 24, None),
        (45, None, 12, None),
        (46, 2, 12, None),
    ]


def test_a_delivered_baseline_flag_counts_and_a_difference_is_reported(tmp_path: Path) -> None:
    """Two administrations before the first dose; the data flag the earlier one."""
    early = [{**r, "QSLOBXFL": "Y"} for r in asked(-10, 4, "Screening")]
    receipt, snapshot = small(tmp_path, qs=[*early, *asked(1, 3, "Baseline"), *asked(30, 2, "Month 1")])
    assert totals(snapshot) == [(-10, 0, 48, "Y"), (1, None, 36, None), (30, 1, 24, None)]
    assert [(f.count, f.rows) for f in receipt.findings if f.rule == "sdtm-baseline"] == [(1, (1,))]


def test_planned_days_are_the_targets_where_visits_have_them(tmp_path: Path) -> None:
    items = [*asked(1, 4, "Baseline"), *asked(40, 3, "Visit 3"), *asked(99, 2, "Visit 4")]
    for r in items:
        r |= {
            "VISITNUM": {"Baseline": 2, "Visit 3": 3, "Visit 4": 4}[r["VISIT"]],
            "VISITDY": {"Baseline": 1, "Visit 3": 43, "Visit 4": 92}[r["VISIT"]],
        }
    _, snapshot = small(tmp_path, qs=items)
    # no label tells a time: the number is the planned day's, (43 - 1) / 30.4375 and (92 - 1) / 30.4375 months, never VISITNUM
    assert totals(snapshot) == [(1, 0, 48, "Y"), (40, 1.38, 36, None), (99, 2.99, 24, None)]
    held = [r for r in records(snapshot, "ADQS") if r["PARAMCD"] == "ALSFRSR"]
    assert [(r["AVISIT"], r["AWTARGET"], r["AWTDIFF"]) for r in held] == [
        ("Baseline", 1, 0),
        ("Visit 3", 43, 3),
        ("Visit 4", 92, 7),
    ]


def test_totals_need_every_item_and_mismatches_are_reported(tmp_path: Path) -> None:
    whole = {
        "DOMAIN": "QS",
        "USUBJID": "S1",
        "QSTESTCD": "ALSFRTOT",
        "QSTEST": "ALSFRS-R Total",
        "QSCAT": "ALSFRS-R",
        "VISIT": None,
    }
    items = [
        *asked(1, 4, "Baseline"), {**whole, "QSSTRESN": 47, "QSDTC": day(1)},
        *asked(30, 3, "Month 1", skip="07"), {**whole, "QSSTRESN": 33, "QSDTC": day(30)},
        {**whole, "QSSTRESN": 30, "QSDTC": day(61), "VISIT": "Month 2"},
        *asked(91, 2, "Month 3", both=True),
    ]  # fmt: skip
    receipt, snapshot = small(tmp_path, qs=items)
    assert totals(snapshot) == [(1, 0, 48, "Y"), (61, 2, 30, None)]
    said = [(f.rule, f.count, f.what.split("; ")[-1]) for f in receipt.findings if f.rule.startswith("sdtm-")]
    assert said == [
        ("sdtm-item-5", 1, "1 administrations are quarantined: items 5a and 5b are both answered"),
        ("sdtm-total", 1, "the sum is used"),
        ("sdtm-total", 1, "their total is missing"),
        ("sdtm-total", 1, "1 ALSFRS-R totals have no items and are used as delivered"),
    ]
    assert [(r["SOURCE"], r["ADY"]) for r in records(snapshot, "QUARANTINE")] == [("QS", 91)]


def test_records_without_a_day_or_of_strangers_are_quarantined(tmp_path: Path) -> None:
    undated = [{**r, "QSDTC": "2024-04"} for r in asked(30, 3, "Month 1")[:1]]
    by_day = [{**r, "QSDTC": None, "QSDY": 61} for r in asked(61, 2, "Month 2")]
    items = [*asked(1, 4, "Baseline"), *undated, *by_day, *asked(1, 4, "Baseline", subject="S9")]
    receipt, snapshot = small(tmp_path, qs=items)
    assert totals(snapshot) == [(1, 0, 48, "Y"), (61, 2, 24, None)]
    counts = {f.rule: f.count for f in receipt.findings if f.rule.startswith("sdtm-")}
    assert counts == {"sdtm-no-day": 1, "sdtm-stranger": 12}
    assert len(snapshot.frame("QUARANTINE")) == 13


def test_not_done_is_no_record(tmp_path: Path) -> None:
    items = [*asked(1, 4, "Baseline"), {**asked(30, 4, "Month 1")[0], "QSSTAT": "NOT DONE", "QSSTRESN": None}]
    receipt, snapshot = small(tmp_path, qs=items)
    assert totals(snapshot) == [(1, 0, 48, "Y")]
    assert not [f for f in receipt.findings if f.rule.startswith("sdtm-")]


def test_progression_rate_from_onset(tmp_path: Path) -> None:
    onset = [{"RDOMAIN": "DM", "USUBJID": "S1", "QNAM": "ONSETDTC", "QVAL": "2023-03-01"}]
    _, snapshot = small(tmp_path, qs=asked(1, 3, "Baseline"), suppdm=onset)
    (subject,) = records(snapshot, "ADSL")
    assert subject["DURDIS"] == pytest.approx(366 / 30.4375)  # a leap day lies between
    assert subject["PROGRATE"] == pytest.approx(12 / (366 / 30.4375))


def test_onset_within_30_days_of_baseline_gives_no_rate(tmp_path: Path) -> None:
    onset = [{"DOMAIN": "MH", "USUBJID": "S1", "MHTERM": "ALS symptom onset", "MHSTDTC": day(-29)}]
    _, snapshot = small(tmp_path, qs=asked(1, 3, "Baseline"), mh=onset)
    (subject,) = records(snapshot, "ADSL")
    assert subject["DURDIS"] == pytest.approx(29 / 30.4375)
    assert "PROGRATE" not in subject


def test_permanent_ventilation_is_the_first_of_ten_days_over_22_hours(tmp_path: Path) -> None:
    def hours(number: int, h: float) -> Record:
        return {
            "DOMAIN": "RE",
            "USUBJID": "S1",
            "RETESTCD": "NIVHRS",
            "RETEST": "Ventilation hours per day",
            "RESTRESN": h,
            "REDTC": day(number),
        }

    log = [*(hours(d, 23) for d in range(50, 59)), hours(59, 22), *(hours(d, 22.5) for d in range(60, 70))]
    _, snapshot = small(tmp_path, qs=[*asked(1, 4, "Baseline"), *asked(91, 3, "Month 3")], re=log)
    held = {r["PARAMCD"]: (r["AVAL"], r["CNSR"], r["EVNTDESC"]) for r in records(snapshot, "ADTTE")}
    assert held == {"DTHPAV": (60, 0, "PERMANENT ASSISTED VENTILATION"), "DEATH": (91, 1, "LAST CONTACT")}


def test_the_first_event_counts_and_contact_ends_at_death(tmp_path: Path) -> None:
    procedure = [{"DOMAIN": "PR", "USUBJID": "S1", "PRTRT": "Tracheostomy", "PRSTDTC": day(80)}]
    died = [{"DOMAIN": "AE", "USUBJID": "S1", "AETERM": "FAILURE", "AEOUT": "FATAL", "AESTDTC": day(100), "AEENDTC": day(120)}]
    _, snapshot = small(tmp_path, qs=asked(1, 4, "Baseline"), pr=procedure, ae=died)
    held = {r["PARAMCD"]: (r["AVAL"], r["CNSR"], r["EVNTDESC"]) for r in records(snapshot, "ADTTE")}
    assert held == {"DTHPAV": (80, 0, "TRACHEOSTOMY"), "DEATH": (120, 0, "DEATH")}
    assert [r["TRTEMFL"] for r in records(snapshot, "ADAE")] == ["Y"]


def test_screen_failures_have_no_arm_and_are_in_no_analysis_set(tmp_path: Path) -> None:
    people = [person(), person("S2", ARM="Screen Failure", RFSTDTC=None)]
    receipt, snapshot = small(tmp_path, dm=people, qs=asked(1, 4, "Baseline"))
    held = [(r["USUBJID"], r["TRT01P"], r["FASFL"], r["SAFFL"]) for r in records(snapshot, "ADSL")]
    assert held == [("S1", "Active", "Y", "Y"), ("S2", None, "N", "N")]
    assert [f.keys for f in receipt.findings if f.rule == "sdtm-no-start"] == [("S2",)]


def test_a_subject_twice_in_dm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a subject twice"):
        small(tmp_path, dm=[person(), person()], qs=asked(1, 4, "Baseline"))


def test_a_test_in_two_specimens_is_two_parameters(tmp_path: Path) -> None:
    base = {
        "DOMAIN": "LB",
        "USUBJID": "S1",
        "LBTESTCD": "NFL",
        "LBTEST": "NfL",
        "LBSTRESU": "pg/mL",
        "LBDTC": day(1),
        "VISIT": "Baseline",
    }
    values = [
        {**base, "LBSPEC": "SERUM", "LBSTRESC": "<8", "LBSTRESN": None},
        {**base, "LBSPEC": "CSF", "LBSTRESC": "900", "LBSTRESN": 900},
    ]
    _, snapshot = small(tmp_path, qs=asked(1, 4, "Baseline"), lb=values)
    held = {r["PARAMCD"]: (r["PARAM"], r["AVAL"], r["DTYPE"]) for r in records(snapshot, "ADLB")}
    assert held == {"NFLSER": ("NfL (pg/mL)", 4, "HALFLLOQ"), "NFLCSF": ("NfL (pg/mL)", 900, None)}


def test_the_reference_items_sum_to_its_totals() -> None:
    """The ground the comparison stands on: als-ref-1's own totals are the sums of its items."""
    sums: dict[tuple[str, float], float] = {}
    for r in adam("adqs"):
        if r["PARAMCD"] != "ALSFRSR":
            sums[r["USUBJID"], r["AVISITN"]] = sums.get((r["USUBJID"], r["AVISITN"]), 0) + r["AVAL"]
    assert {(r["USUBJID"], r["AVISITN"]): r["AVAL"] for r in adam("adqs") if r["PARAMCD"] == "ALSFRSR"} == sums


def test_without_a_study_file_one_is_proposed_and_the_trial_analysed(tmp_path: Path) -> None:
    """SDTM files alone, from the shell to an ANCOVA and an MMRM."""
    space = tmp_path / "ws"
    files = write(tmp_path / "files", sdtm())
    assert main(["load", str(files), "-w", str(space), "--quiet"]) == 0
    source = open_source(space)
    assert source.study.arms.order == ("Placebo", "Group 1", "Group 2")
    assert source.study.visits.unit == "month"
    assert {"alsfrs", "nfl", "cafs", "survival"} <= set(source.study.endpoints)
    for method in ("mmrm", "ancova"):
        rows = answer(Question("alsfrs", method=method), source).rows
        assert any(r.stat_name == "p_value" and r.stat is not None for r in rows)


def test_init_proposes_from_sdtm_files(tmp_path: Path) -> None:
    files = write(tmp_path / "files", sdtm())
    assert main(["init", str(tmp_path / "ws"), str(files), "--quiet"]) == 0
    study = read_study(tmp_path / "ws" / "study.toml")
    assert {"alsfrs", "svc", "nfl", "cafs"} <= set(study.endpoints)
