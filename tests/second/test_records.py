"""Records delivered in other ways, by both programs: without BASE or CHG, flags, days or visit numbers of the baseline, under
other visit numbers; a comparison without a horizon. How a baseline is found stands in METHODS 2 and docs/methods.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.built import trial as built
from tests.built.results import load_built
from tests.second.verifying import Both, disagreements, left_out

Row = dict[str, object]


def without(*columns: str) -> Callable[[Row], Row]:
    return lambda row: {k: v for k, v in row.items() if k not in columns}


def unplaced_baseline(row: Row) -> Row:
    return without("BASE", "CHG")(row) | ({"AVISITN": ""} if row["AVISITN"] == 0 else {})


def some_unplaced(row: Row) -> Row:
    return unplaced_baseline(row) if str(row["USUBJID"])[-1] in "02468" else without("BASE", "CHG")(row)


WAYS: dict[str, Callable[[Row], Row]] = {
    "no BASE, no CHG": without("BASE", "CHG"),
    "no CHG": without("CHG"),
    "blank": lambda row: row | {"BASE": "", "CHG": ""},
    "no flag": without("BASE", "CHG", "ABLFL"),
    "no day": without("ADY"),
    "baseline is visit -1": lambda row: row | ({"AVISITN": -1} if row["AVISITN"] == 0 else {}),
    "noise in visit numbers": lambda row: row | ({"AVISITN": float(str(row["AVISITN"])) + 1e-9} if row["AVISITN"] else {}),
    "flagged, without a visit number": unplaced_baseline,
    "some flagged without a visit number": some_unplaced,
    "up to day 1, without a visit number": lambda row: without("ABLFL")(unplaced_baseline(row)),
}


@pytest.mark.parametrize("way", WAYS)
def test_both_programs_agree_on_records_delivered_otherwise(tmp_path: Path, way: str) -> None:
    change = WAYS[way]
    flagged = [row | {"ABLFL": "Y" if row["AVISITN"] == 0 else ""} for row in built.adlb()]
    tables = {"adqs": [change(row) for row in built.adqs()], "adlb": [change(row) for row in flagged]}
    both = Both(load_built(tmp_path / "trial", **tables))
    for endpoint in ("alsfrs_ancova", "nfl", "cafs", "responder", "stages"):
        found = both.asked(endpoint, "limb")
        assert disagreements(found) == [] and left_out(found) == []
        assert len(found.compared) > 100
    assert disagreements(both.asked("alsfrs_ancova", where="AVISITN > 3")) == []


def test_both_programs_agree_where_a_comparison_has_no_horizon(both: Callable[[str], Both]) -> None:
    text = built.STUDY.replace('treatment = "Solo"\nhorizon = 6', 'treatment = "Solo"')
    ranked, after = text.index("[endpoints.cafs]"), text.index("[endpoints.alsfrs_ancova]")  # a joint rank needs one
    trial = both("built").with_study("", text[:ranked] + text[after:])
    for endpoint in ("survival", "responder", "stages", "alsfrs_ancova", "ae", "baseline"):
        found = trial.asked(endpoint)
        assert disagreements(found) == [] and left_out(found) == []


def test_both_programs_agree_on_baseline_by_classes(both: Callable[[str], Both]) -> None:
    for options in ({"factors": ["AGE"]}, {"covariates": ["AGE", "SITEID", "TRTSDT"]}, {"covariates": ["DTHFL", "BLNFL"]}):
        found = both("built").asked("baseline", "not slow", **options)
        assert disagreements(found) == [] and left_out(found) == [] and len(found.compared) > 50
    found = both("built").asked("baseline", covariates=[])
    assert found.compared == () and left_out(found) == [
        "not covered: baseline characteristics that the study file does not name"
    ]
