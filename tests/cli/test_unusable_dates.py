"""A date column that is no date: what needs it says so, instead of counting nothing in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.data.small_trial import ADQS, ADSL, ADTTE, STUDY

ADAE = "USUBJID,AEDECOD,AEBODSYS,AESER,TRTEMFL,AEREL,AESEV,ASTDT\n01,X,Y,Y,Y,N,MILD,2024-02-01\n"
INCIDENCE = '[endpoints.ae]\nmethod = "incidence"\ndataset = "ADAE"\n'


def _workspace(run: Run, folder: Path, *, deaths: str, last_dose: str) -> Path:
    """The small trial with a date of death of subject 01 and a last dose of subject 03."""
    folder.mkdir()
    dates = {"01": f"{deaths},2024-05-01", "02": ",2024-05-01", "03": f",{last_dose}"}
    header, *rows = ADSL.splitlines()
    adsl = [f"{header},DTHDT,TRTEDT", *(f"{row},{dates[row[:2]]}" for row in rows)]
    for name, text in (("adsl", "\n".join(adsl) + "\n"), ("adqs", ADQS), ("adtte", ADTTE), ("adae", ADAE)):
        (folder / f"{name}.csv").write_text(text, "utf-8")
    study = folder / "study.toml"
    study.write_text(STUDY + INCIDENCE, "utf-8")
    done = run("load", folder, "--study", study, "-w", folder / "ws")
    assert done.code == 0, done.err
    return folder / "ws"


@pytest.mark.parametrize("last_dose", ["2024-04-31", "2024-04", "NA"])
def test_rates_without_exposure_say_why(run: Run, tmp_path: Path, last_dose: str) -> None:
    told = "TRTEDT is no date: there is no exposure, and no rate"
    bad = _workspace(run, tmp_path / "bad", deaths="2024-06-01", last_dose=last_dose)
    assert told in run("safety", "-w", bad).out
    good = _workspace(run, tmp_path / "good", deaths="2024-06-01", last_dose="2024-04-30")
    assert told not in run("safety", "-w", good).out


def test_deaths_that_cannot_be_counted_say_why(run: Run, tmp_path: Path) -> None:
    bad = _workspace(run, tmp_path / "bad", deaths="2024-02-30", last_dose="2024-05-01")
    assert "DTHDT is no date: deaths are not counted" in run("arms", "-w", bad).out
    good = _workspace(run, tmp_path / "good", deaths="29.02.2024", last_dose="2024-05-01")
    out = run("arms", "-w", good, "--format", "json").json
    assert [r["deaths"] for r in out["rows"]] == [1, 0, 1]  # subject 01 of Placebo; Active; all


def test_the_receipt_says_what_was_not_checked(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    _workspace(run, folder, deaths="2024-02-30", last_dose="2024-05-01")
    check = run("check", "-w", folder / "ws")
    assert check.code == 0
    assert "DTHDT of ADSL is no date" in check.out
    assert "DTHDT is text, for not every value is a date: 2024-02-30 in row 1, 1 in all" in check.out
