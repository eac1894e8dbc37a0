"""Partial dates, open last doses and the numbering of visits in SDTM data.

``partial/`` is a trial of four subjects, first dose 2013-05-01. What is expected follows from the calendar, by hand: a partial
date is one of the days it may mean (SDTMIG 3.4, 4.4.2).
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.small_trial import NOW

from alsbench.data.derive.sdtm_domains import bounds
from alsbench.data.load import load
from alsbench.data.receipt import Receipt
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace
from alsbench.study.model import Study
from alsbench.study.study_file import parse_study

TRIAL = Path(__file__).with_name("partial")
Record = dict[str, Any]
STUDY = """schema = 1
[study]
id = "S"
[arms]
reference = "Placebo"
order = ["Placebo", "Drug"]
[populations]
FAS = "FASFL"
default = "FAS"
[visits]
unit = "week"
[[comparisons]]
treatment = "Drug"
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TRIAL, tmp_path / "files"))


def derived(files: Path, study: Study | None = None) -> tuple[Receipt, Snapshot]:
    space = Workspace(files.parent / "ws")
    return load([files], space, study=study, now=NOW), space.open_current()


def records(snapshot: Snapshot, table: str) -> list[Record]:
    frame = snapshot.frame(table)
    return [dict(zip(frame.names, row, strict=True)) for row in zip(*frame.columns.values(), strict=True)]


def change(files: Path, domain: str, which: int, **values: str) -> None:
    """One row (from 0) of a domain with other values; a new column is blank in the other rows. Row -1 is a new one."""
    path = files / f"{domain}.csv"
    rows = list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []
    rows += [{}] if which < 0 else []
    rows[which] |= values
    names = list(dict.fromkeys(n for r in rows for n in r))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


def last_dose(snapshot: Snapshot, subject: str = "S-01") -> str:
    return str(next(r["TRTEDT"] for r in records(snapshot, "ADSL") if r["USUBJID"] == subject))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2013-05-14", "2013-05-14", "2013-05-14"),
        ("2013-05-14T10:30", "2013-05-14", "2013-05-14"),
        ("2013-05", "2013-05-01", "2013-05-31"),
        ("2012-02", "2012-02-01", "2012-02-29"),
        ("2013-05-UN", "2013-05-01", "2013-05-31"),
        ("1986", "1986-01-01", "1986-12-31"),
        ("2013---15", "2013-01-01", "2013-12-31"),
        ("2013-UN-UN", "2013-01-01", "2013-12-31"),
        ("2013-02-30", "2013-02-01", "2013-02-28"),
        ("--05-14", "NaT", "NaT"),
        ("UNKNOWN", "NaT", "NaT"),
    ],
)
def test_the_days_that_a_text_may_mean(text: str, first: str, last: str) -> None:
    found = bounds(np.array([text], dtype=object))
    assert [str(v[0]) for v in found] == [first, last]


EVENTS = [  # start, end, treatment-emergent, may be either
    ("1986", "", None, False),
    ("2010-06", "", None, False),
    ("2013-04", "", None, False),
    ("2013-05", "", "Y", False),
    ("2013", "", "Y", True),
    ("2013---15", "", "Y", True),
    ("2013-04-30", "", None, False),
    ("2013-05-01", "", "Y", False),
    ("", "", "Y", True),
    ("", "2013-04", None, False),
    ("2013", "2013-04-12", None, False),
    ("2013", "2013-05", "Y", True),
    ("", "2013-05-01", "Y", True),
    ("", "2013-04-30", None, False),
]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str | None], list[tuple[int, ...]]]:
    """The trial with all of EVENTS after the four of ae.csv: TRTEMFL by the event's term, and the rows that are unsure."""
    files = Path(shutil.copytree(TRIAL, tmp_path_factory.mktemp("events") / "files"))
    for start, end, _, _ in EVENTS:
        change(files, "ae", -1, USUBJID="S-01", AEDECOD=f"{start} to {end}", AESTDTC=start, AEENDTC=end)
    receipt, snapshot = derived(files)
    found = {r["AEDECOD"]: r["TRTEMFL"] for r in records(snapshot, "ADAE")}
    return found, [f.rows for f in receipt.findings if f.rule == "sdtm-ae-start"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: f"{e[0]} to {e[1]}")
def test_an_event_is_emergent_unless_it_can_only_have_been_before(
    events: tuple[dict[str, str | None], list[tuple[int, ...]]], event: tuple[str, str, str | None, bool]
) -> None:
    """First dose 2013-05-01. What may be either is treatment-emergent, and counted in the receipt."""
    emergent, unsure = events
    assert emergent[f"{event[0]} to {event[1]}".strip()] == event[2]
    assert [(5 + EVENTS.index(event)) in rows for rows in unsure] == [event[3]]


def test_events_that_may_be_either_are_told_and_no_others(
    events: tuple[dict[str, str | None], list[tuple[int, ...]]], files: Path
) -> None:
    assert events[1] == [tuple(row for row, event in enumerate(EVENTS, start=5) if event[3])]
    assert not [f for f in derived(files)[0].findings if f.rule == "sdtm-ae-start"]


def test_the_study_day_tells_where_no_date_does(files: Path) -> None:
    change(files, "ae", 0, AESTDTC="", AESTDY="-20")
    change(files, "ae", 1, AESTDTC="", AESTDY="3")
    _, snapshot = derived(files)
    assert [r["TRTEMFL"] for r in records(snapshot, "ADAE")] == [None, "Y", "Y", "Y"]


def test_an_open_last_dose_lasts_to_the_last_contact_and_says_so(files: Path) -> None:
    """S-01 has a last dose from 2013-05-15 on without an end, and values up to 2013-06-11."""
    receipt, snapshot = derived(files)
    assert last_dose(snapshot) == "2013-06-11"
    assert [f.keys for f in receipt.findings if f.rule == "sdtm-open-dose"] == [("S-01",)]
    told = " ".join(m for f in receipt.files if f.dataset == "ADSL" for m in f.messages)
    assert "TRTEDT of a last dose without a whole end (1 subjects)" in told
    assert last_dose(snapshot, "S-02") == "2013-11-01"


@pytest.mark.parametrize(
    ("extra", "wanted"),
    [
        ({"DSCAT": "DISPOSITION EVENT", "DSDECOD": "ADVERSE EVENT", "DSSTDTC": "2013-09-03"}, "2013-09-03"),
        (
            {"DSCAT": "DISPOSITION EVENT", "DSSCAT": "TREATMENT", "DSDECOD": "LACK OF EFFICACY", "DSSTDTC": "2013-07-02"},
            "2013-07-02",
        ),
        ({"DSCAT": "DISPOSITION EVENT", "DSDECOD": "DEATH", "DSSTDTC": "2013-06-01"}, "2013-06-01"),
        ({"DSCAT": "OTHER EVENT", "DSDECOD": "FINAL LAB VISIT", "DSSTDTC": "2013-10-10"}, "2013-10-10"),
    ],
)
def test_the_disposition_ends_an_open_dose(files: Path, extra: dict[str, str], wanted: str) -> None:
    """The end of treatment or of the study where DS has one, never after death; a later contact where it has none."""
    change(files, "ds", -1, STUDYID="S", DOMAIN="DS", USUBJID="S-01", **extra)
    assert last_dose(derived(files)[1]) == wanted


def test_a_delivered_last_dose_ends_an_open_one(files: Path) -> None:
    change(files, "dm", 0, RFXENDTC="2013-08-20")
    assert last_dose(derived(files)[1]) == "2013-08-20"


def test_of_two_doses_that_begin_on_one_day_the_later_record_is_the_last(files: Path) -> None:
    """Two strengths from 2013-05-15 on: closed and then open is open to the last contact, open and then closed is closed."""
    change(files, "ex", 1, EXENDTC="2013-05-20")
    more = {"STUDYID": "S", "DOMAIN": "EX", "USUBJID": "S-01", "EXSEQ": "3", "EXTRT": "DRUG", "EXDOSE": "27", "EXDOSU": "mg"}
    change(files, "ex", -1, **more, EXSTDTC="2013-05-15", EXENDTC="")
    assert last_dose(derived(files)[1]) == "2013-06-11"
    shutil.rmtree(files.parent / "ws")
    change(files, "ex", 1, EXENDTC="")
    change(files, "ex", 5, EXENDTC="2013-05-20")
    assert last_dose(derived(files)[1]) == "2013-05-20"


def test_a_contact_on_the_day_of_death_counts(files: Path) -> None:
    """S-01 dies on the day of the last values, 2013-06-11: the open dose lasted until then."""
    change(files, "dm", 0, DTHDTC="2013-06-11", DTHFL="Y")
    assert last_dose(derived(files)[1]) == "2013-06-11"
    shutil.rmtree(files.parent / "ws")
    change(files, "dm", 0, DTHDTC="2013-06-10")
    assert last_dose(derived(files)[1]) < "2013-06-11"


def test_who_was_randomised_and_never_dosed_is_in_no_analysis_set(files: Path) -> None:
    """S-04 has an arm and no dose (EXOCCUR = N); FASFL is an arm and a dose, SAFFL a dose, where SUPPDM says nothing."""
    change(files, "ex", 4, EXOCCUR="N")
    held = {r["USUBJID"]: (r["TRT01P"], r["FASFL"], r["SAFFL"]) for r in records(derived(files)[1], "ADSL")}
    assert held["S-04"] == ("Placebo", "N", "N") and held["S-02"] == ("Placebo", "Y", "Y")


def test_a_disposition_on_the_day_of_the_open_dose_ends_it_there(files: Path) -> None:
    """It began on 2013-05-15, and the subject stopped treatment that day."""
    told = {"STUDYID": "S", "DOMAIN": "DS", "USUBJID": "S-01", "DSSEQ": "9", "DSCAT": "DISPOSITION EVENT"}
    change(files, "ds", -1, **told, DSDECOD="ADVERSE EVENT", DSSTDTC="2013-05-15", DSSCAT="TREATMENT", EPOCH="TREATMENT")
    assert last_dose(derived(files)[1]) == "2013-05-15"


def test_a_partial_end_of_dosing_is_as_late_as_it_may_be(files: Path) -> None:
    """To the end of May, but not beyond the last contact: 2013-06 ends with it on the 11th."""
    change(files, "ex", 1, EXENDTC="2013-05")
    assert last_dose(derived(files)[1]) == "2013-05-31"
    shutil.rmtree(files.parent / "ws")
    change(files, "ex", 1, EXENDTC="2013-06")
    assert last_dose(derived(files)[1]) == "2013-06-11"


def test_single_administrations_have_no_open_dose(files: Path) -> None:
    for i in range(5):
        change(files, "ex", i, EXENDTC="")
    receipt, snapshot = derived(files)
    assert last_dose(snapshot) == "2013-05-15"
    assert not [f for f in receipt.findings if f.rule == "sdtm-open-dose"]


def test_a_first_dose_with_a_partial_date_is_a_dose(files: Path) -> None:
    """S-02's only dose began in 2013-05: RFSTDTC tells the day, and the subject was treated."""
    change(files, "ex", 2, EXSTDTC="2013-05")
    receipt, snapshot = derived(files)
    (subject,) = [r for r in records(snapshot, "ADSL") if r["USUBJID"] == "S-02"]
    assert (str(subject["TRTSDT"]), subject["SAFFL"]) == ("2013-05-01", "Y")
    assert [f.keys for f in receipt.findings if f.rule == "sdtm-dose-date"] == [("S-02",)]


@pytest.mark.parametrize(("text", "day"), [("2013-07", "2013-07-01"), ("2013-06", "2013-06-11"), ("2013", "2013-06-11")])
def test_a_death_with_a_partial_date_is_an_event(files: Path, text: str, day: str) -> None:
    """On the first day it may have been, not before the last contact (2013-06-11)."""
    change(files, "dm", 2, DTHFL="Y", DTHDTC=text)
    change(files, "ex", 3, EXENDTC="2013-06-01")
    receipt, snapshot = derived(files)
    (died,) = [r for r in records(snapshot, "ADTTE") if r["USUBJID"] == "S-03" and r["PARAMCD"] == "DEATH"]
    assert (str(died["ADT"]), died["CNSR"]) == (day, 0)
    assert [f.count for f in receipt.findings if f.rule == "sdtm-death-day"] == [1]


def visits(snapshot: Snapshot, subject: str = "S-01") -> list[tuple[str, float | None]]:
    rows = [r for r in records(snapshot, "ADQS") if r["USUBJID"] == subject]
    return [(r["AVISIT"], None if np.isnan(r["AVISITN"]) else r["AVISITN"]) for r in rows]


def test_visitnum_is_no_week(files: Path) -> None:
    """VISITNUM 6 is a visit without a time in its name, on day 30: in the window of week 4, whose own record is closer."""
    _, snapshot = derived(files)
    assert visits(snapshot) == [("Baseline", 0), ("WEEK 4", 4), ("AMBUL ECG REMOVAL", None), ("WEEK 6", 6)]


def test_an_untimed_visit_counts_where_its_day_is_closest(files: Path) -> None:
    """Without the record of week 4 the one of day 30 is the record of its window, days 15 to 34."""
    rows = list(csv.reader((files / "qs.csv").read_text().splitlines()))
    (files / "qs.csv").write_text("\n".join(",".join(r) for r in rows if not (r[2] == "S-01" and r[12] == "WEEK 4")) + "\n")
    assert visits(derived(files)[1]) == [("Baseline", 0), ("WEEK 4", 4), ("WEEK 6", 6)]


@pytest.mark.parametrize("name", ["WEEK 4", "week 4", "4"])
def test_a_planned_visit_can_be_dropped(files: Path, name: str) -> None:
    study = parse_study(f'{STUDY}[derive]\ndrop_visits = ["{name}"]\n')
    receipt, snapshot = derived(files, study)
    # what is left: baseline on day 1 and week 6 on day 42; day 28 and 30 are nearer to day 42, which has a record of its own
    assert visits(snapshot) == [("Baseline", 0), ("WEEK 4", None), ("AMBUL ECG REMOVAL", None), ("WEEK 6", 6)]
    assert f"left out of the schedule by the study: {name}" in " ".join(m for f in receipt.files for m in f.messages)


def test_a_dropped_visit_that_is_not_there_is_said(files: Path) -> None:
    study = parse_study(f'{STUDY}[derive]\ndrop_visits = ["WEEK 44"]\n')
    receipt, _ = derived(files, study)
    (said,) = [f.what for f in receipt.findings if f.rule == "derive-visit"]
    assert "WEEK 44" in said


def test_of_several_breaths_on_a_day_the_highest_counts(files: Path) -> None:
    """Three manoeuvres of a vital capacity on 2013-05-29, the best in the middle; one of another day stands by itself."""
    for date, litres in (("2013-05-29", "2.1"), ("2013-05-29", "2.5"), ("2013-05-29", "2.3"), ("2013-06-11", "2.2")):
        told = {"STUDYID": "S", "DOMAIN": "RE", "USUBJID": "S-01", "RETESTCD": "FVC", "RETEST": "Forced Vital Capacity"}
        change(files, "re", -1, **told, RESTRESN=litres, RESTRESU="L", REDTC=date)
    held = [(str(r["ADT"]), r["AVAL"]) for r in records(derived(files)[1], "ADRE") if r["PARAMCD"].startswith("FVC")]
    assert held == [("2013-05-29", 2.5), ("2013-06-11", 2.2)]
