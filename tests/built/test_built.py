"""The built trial has what it claims to have: without these, tests on it prove less than they say."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.built import trial

ADSL = {str(row["USUBJID"]): row for row in trial.adsl()}
KNOWN = {
    "FASFL": {"Y", "N"},
    "PPROTFL": {"Y", "N"},
    "SAFFL": {"Y", "N"},
    "SEX": {"F", "M"},
    "ONSETSIT": {"LIMB", "BULBAR"},
    "RILUFL": {"Y", "N"},
    "DTHFL": {"Y", "N"},
}
KNOWN_AE = {
    "TRTEMFL": {"Y", "N"},
    "AESER": {"Y", "N"},
    "AEREL": {"RELATED", "NOT RELATED", "UNRELATED"},
    "AESEV": {"MILD", "MODERATE", "SEVERE"},
    "AEACN": {"DOSE NOT CHANGED", "DRUG WITHDRAWN", "NOT APPLICABLE"},
    "AEOUT": {"RECOVERED/RESOLVED", "NOT RECOVERED/NOT RESOLVED", "FATAL"},
}
KEYS = {"STUDYID", "USUBJID", "PARAMCD", "PARAM", "AVISIT"}  # who and what a record is of: never missing


@pytest.mark.parametrize("name", trial.TABLES)
def test_every_column_misses_a_value(name: str) -> None:
    rows = trial.TABLES[name]()
    full = [column for column in rows[0] if column not in KEYS and not trial.missing(rows, column)]
    assert not set(full) - {"AVISITN"}, full
    if name != "adlb":
        assert not full


@pytest.mark.parametrize("column", KNOWN)
def test_coded_columns_have_each_word_a_blank_and_an_unknown_word(column: str) -> None:
    words = Counter(str(row[column]) for row in ADSL.values())
    assert words[""] and set(words) > KNOWN[column] | {""}


@pytest.mark.parametrize("column", KNOWN_AE)
def test_coded_columns_of_adverse_events_too(column: str) -> None:
    words = Counter(str(row[column]) for row in trial.adae())
    assert words[""] and set(words) >= KNOWN_AE[column] | {""} and set(words) - KNOWN_AE[column] - {""}


def test_arms() -> None:
    """Alternating arms, one of a single subject, one subject without an arm and one given another arm's treatment."""
    arms = Counter(str(row["TRT01P"]) for row in ADSL.values())
    assert arms == {"Placebo": 12, "Low": 12, "High": 12, "Solo": 1, "": 1}
    assert sum(row["TRT01P"] != row["TRT01A"] for row in ADSL.values()) == 1
    sequence = [trial.planned(i) for i in range(len(trial.SUBJECTS))]
    assert max(len(run) for run in "".join(a[:1] or "-" for a in sequence).replace("P", " P").split()) < 8


def test_boundaries() -> None:
    times = {str(r["USUBJID"]): (r["AVAL"], r["CNSR"]) for r in trial.adtte()}
    assert trial.DAY[6] == round(6 * 30.4375) == 183 and trial.DAY[12] == round(12 * 30.4375) == 365
    assert times["B-05"] == (183, 0) and times["B-06"] == (184, 0) and times["B-09"] == (183, 1)
    assert times["B-17"] == (365, 0) and times["B-18"] == (366, 0) and times["B-29"] == (1, 0)
    inside = [float(str(r["LEADRATE"])) for r in ADSL.values() if r["FASFL"] == "Y" and r["LEADRATE"] != ""]
    assert sum(inside) / len(inside) == 1.0 == ADSL[trial.MEAN_RATE]["LEADRATE"]
    assert any(r["BLNFL"] == trial.CUT_NFL for r in ADSL.values()) and trial.missing(ADSL.values(), "BLNFL") == 3
    started = {str(r["USUBJID"]): r["ASTDT"] for r in trial.adae() if r["AEDECOD"] == "Dizziness"}
    assert started["B-01"] < str(ADSL["B-01"]["TRTSDT"])
    assert any(r["ASTDT"] == ADSL["B-01"]["TRTSDT"] for r in trial.adae())
    assert any(r["TRTSDT"] == r["TRTEDT"] != "" for r in ADSL.values())


def test_changes_at_the_threshold_in_every_arm() -> None:
    at = {ADSL[str(r["USUBJID"])]["TRT01P"] for r in trial.adqs() if r["PARAMCD"] == "ALSFRSR" and r["CHG"] == trial.THRESHOLD}
    assert at >= {"Placebo", "Low", "High"}
    beyond = {ADSL[str(r["USUBJID"])]["TRT01P"] for r in trial.adqs() if r["PARAMCD"] == "ALSFRSR" and r["CHG"] == -6}
    assert beyond >= {"Placebo", "Low", "High"}


def test_ties() -> None:
    """Events on one day in two arms, an event on the day another subject leaves, equal changes, equal values of NfL."""
    times = {s: t for s, t in trial.TIMES.items() if t is not None}
    assert times["B-12"] == times["B-16"] == (150, 0) and ADSL["B-12"]["TRT01P"] != ADSL["B-16"]["TRT01P"]
    assert times["B-22"] == (100, 0) and times["B-23"] == (100, 1)
    changes = Counter((r["AVISITN"], r["CHG"]) for r in trial.adqs() if r["PARAMCD"] == "ALSFRSR" and r["CHG"] != "")
    assert sum(n > 1 for n in changes.values()) >= 8
    assert max(Counter(r["BLNFL"] for r in ADSL.values() if r["BLNFL"] != "").values()) > 1


def test_values_of_nfl_around_the_limit() -> None:
    values = [float(str(r["AVAL"])) for r in trial.adlb() if r["AVAL"] != ""]
    assert trial.LLOQ in values and 0.0 in values and any(0 < v < trial.LLOQ for v in values)
    bases = [float(str(r["BASE"])) for r in trial.adlb() if r["BASE"] != "" and r["AVISITN"] != 0]
    assert trial.LLOQ in bases and any(0 < v < trial.LLOQ for v in bases)


def test_items_bring_every_stage_and_a_missing_answer() -> None:
    scores = Counter(r["AVAL"] for r in trial.adqs() if str(r["PARAMCD"]).startswith("ALSFR0"))
    assert set(scores) >= {0, 1, 2, 3, 4}
    whole = [r for r in trial.adqs() if r["AVISITN"] == 6 and r["USUBJID"] == "B-17"]
    assert "ALSFR08" not in {r["PARAMCD"] for r in whole} and len(whole) > 5


def test_nobody_is_seen_after_leaving() -> None:
    """No record of function lies after the day of event or last contact: what the program makes of such is another test's."""
    for row in trial.adqs():
        found = trial.TIMES.get(str(row["USUBJID"]))
        if found and found[0] is not None and row["ADY"] != "" and row["AVISITN"] not in ("", 0):
            assert float(str(row["ADY"])) <= found[0], row
