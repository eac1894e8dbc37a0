"""A proposed study file: valid as it stands, right where the data tell, honest where they do not."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyreadstat
import pytest

from alsbench.errors import DataError
from alsbench.study.model import Study
from alsbench.study.propose import Proposal, TableProfile, columns_to_read, profile_table, propose
from alsbench.study.study_file import parse_study

REFERENCE = Path(__file__).parents[1] / "reference"


def plain(value: Any) -> Any:
    return None if value == "" or value != value else value


def read(path: Path) -> TableProfile:
    if path.suffix == ".xpt":
        frame, _ = pyreadstat.read_xport(str(path))
        columns = {c: [plain(v) for v in frame[c].tolist()] for c in frame.columns}
    else:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        numeric = {"AVAL", "AVISITN", "CNSR", "TRT01PN"}
        columns = {c: [float(r[c]) if c in numeric and r[c] else plain(r[c]) for r in rows] for c in rows[0]}
    return profile_table(path.stem, {c: columns[c] for c in columns_to_read(path.stem, list(columns))})


def proposed(tables: Sequence[TableProfile]) -> tuple[Study, Proposal]:
    made = propose(tables)
    return parse_study(made.text), made


@pytest.mark.parametrize(("trial", "unit", "total", "nfl", "last"), [
    ("als-ref-1", "month", "ALSFRSR", "NFL", 12), ("als-ref-2", "week", "ALSTOT", "NEFL", 24)
])  # fmt: skip
def test_reference_trials(trial: str, unit: str, total: str, nfl: str, last: float) -> None:
    study, made = proposed([read(p) for p in sorted((REFERENCE / trial).iterdir()) if p.suffix in {".xpt", ".csv"}])
    assert study.arms.reference == "Placebo"
    assert study.arms.order[0] == "Placebo"
    assert study.visits.unit == unit
    assert study.populations.flags == {"FAS": "FASFL", "PP": "PPROTFL", "Safety": "SAFFL"}
    assert {c.horizon for c in study.comparisons} == {last}
    assert study.endpoints["alsfrs"].paramcd == total
    assert (study.endpoints["nfl"].paramcd, study.endpoints["nfl"].scale, study.endpoints["nfl"].better) == (
        nfl,
        "log",
        "lower",
    )
    assert study.endpoints["nfl"].where == ""  # HALFLLOQ records are measurements
    assert study.endpoints["cafs"].function == "alsfrs"
    assert study.endpoints["survival"].paramcd == "DTHPAV"
    assert study.endpoints["ae"].population == "Safety"
    assert "# Not proposed from ADQS: ALSFR01," in made.text
    assert all(f"# - {d}" in made.text for d in made.doubts)


def test_doses_are_read_from_arm_names() -> None:
    study, _ = proposed([read(p) for p in sorted((REFERENCE / "als-ref-2").glob("*.csv"))])
    assert study.arms.doses == {"Placebo": 0, "Drug 10 mg": 10, "Drug 20 mg": 20, "Drug 40 mg": 40}


def adsl(**more: list[Any]) -> TableProfile:
    return profile_table(
        "adsl", {"USUBJID": ["1", "2", "3"], "TRT01P": ["A", "B", "Screen Failure"], "ITTFL": ["Y", "Y", "N"], **more}
    )


def records(**columns: list[Any]) -> TableProfile:
    n = len(columns["AVAL"])
    base = {"USUBJID": ["1"] * n, "PARAMCD": ["X"] * n, "PARAM": ["Something (unit)"] * n, "AVISITN": [0.0, 4.0, 4.0, 8.0]}
    return profile_table("adx", base | columns)


@pytest.mark.parametrize(
    ("columns", "where"),
    [
        ({"ANL01FL": ["Y", "Y", None, "Y"]}, "ANL01FL == 'Y'"),
        ({"DTYPE": [None, None, "LOCF", None]}, "missing(DTYPE)"),
        ({"DTYPE": ["HALFLLOQ", None, "LOCF", None]}, "(missing(DTYPE) or DTYPE not in ('LOCF'))"),
        ({"ANL01FL": ["Y", "Y", None, "Y"], "DTYPE": [None, None, None, "LOCF"]}, "ANL01FL == 'Y' and missing(DTYPE)"),
    ],
)
def test_the_condition_that_leaves_one_record_a_visit(columns: dict[str, list[Any]], where: str) -> None:
    study, _ = proposed([adsl(), records(AVAL=[1.0, 2.0, 2.5, 3.0], **columns)])
    assert study.endpoints["x"].where == where


def test_what_the_data_do_not_tell_is_said() -> None:
    study, made = proposed([adsl(), records(AVAL=[1.0, 2.0, 2.5, 3.0])])
    text = " ".join(made.doubts)
    assert "no arm looks like a control" in text
    assert "visits.unit" in text
    assert "endpoints.x.where" in text
    assert study.arms.order == ("A", "B")  # screen failures are no arm
    _, without_flag = proposed([adsl(ITTFL=[None] * 3)])
    assert any("no analysis set flag" in d for d in without_flag.doubts)


def test_visits_without_values_do_not_count() -> None:
    study, _ = proposed([adsl(), records(AVAL=[1.0, 2.0, None, float("nan")])])
    assert study.endpoints["x"].method == "ancova"
    assert study.comparisons[0].horizon == 4


def test_names_that_need_quoting_stay_valid() -> None:
    arms = ['The "new" \\ drug', "Placebo [sham]"]
    subjects = profile_table("ADSL", {"USUBJID": ["1", "2"], "TRT01P": arms, "FASFL": ["Y", "Y"]})
    study, _ = proposed([subjects, records(AVAL=[1.0, 2.0, None, 3.0], PARAMCD=["A-1.x"] * 4, PARAM=['say "x"'] * 4)])
    assert study.arms.order == ("Placebo [sham]", 'The "new" \\ drug')
    assert study.endpoints["a_1_x"].title == 'say "x"'


def test_no_subject_level_table() -> None:
    with pytest.raises(DataError, match="there is no ADSL"):
        propose([records(AVAL=[1.0, 2.0, 2.5, 3.0])])
    with pytest.raises(DataError, match="no planned arm"):
        propose([profile_table("ADSL", {"USUBJID": ["1"]})])


@pytest.mark.parametrize("codes", [("DEATH", "DTHPAV"), ("DTHPAV", "DEATH")])
def test_an_event_of_cafs_is_death_or_what_is_equal_to_it(codes: tuple[str, str]) -> None:
    """Death, tracheostomy or permanent assisted ventilation, where the data have a parameter of it beside death alone."""
    titles = {"DEATH": "Time to Death (days)", "DTHPAV": "Time to Death, Tracheostomy or Permanent Assisted Ventilation (days)"}
    times = profile_table(
        "adtte",
        {
            "USUBJID": ["1", "2"] * 2,
            "PARAMCD": [c for c in codes for _ in "12"],
            "PARAM": [titles[c] for c in codes for _ in "12"],
            "AVAL": [10.0, 20.0] * 2,
            "CNSR": [0.0, 1.0] * 2,
        },
    )
    scores = records(PARAMCD=["ALSFRSR"] * 2, PARAM=["ALSFRS-R Total Score"] * 2, AVAL=[40.0, 41.0], AVISITN=[0.0, 1.0])
    study, _ = proposed([adsl(), scores, times])
    event = study.endpoints["cafs"].event
    assert event is not None and event.paramcd == "DTHPAV"
