"""``reconcile --why``: what gives their numbers. The cause is known: it is what was done to their side here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def sheets(ran: Any) -> dict[str, list[dict[str, Any]]]:
    found = json.loads(ran.out)
    return {t["table"]: t["rows"] for t in (found, *found.get("more", ()))}


@pytest.fixture
def theirs(run: Run, workspace: Path, tmp_path: Path) -> Path:
    """An ANCOVA without RILUFL that does not say so: its question is that of the study file."""
    path = tmp_path / "theirs.json"
    option = 'covariates=["LEADRATE", "ONSETSIT"]'
    asked = ("endpoint", "alsfrs_ancova", "--comparison", "G2-M12", "--visit", "12", "--option", option)
    assert run(*asked, "-w", workspace, "-o", path, "-q").code == 0
    content = json.loads(path.read_text())
    content["question"]["options"] = {}
    path.write_text(json.dumps(content))
    return path


def test_the_option_that_gives_all_their_numbers(run: Run, workspace: Path, theirs: Path) -> None:
    ran = run("reconcile", workspace, theirs, "--why", "--format", "json")
    assert ran.code == 1, ran.err
    (found,) = sheets(ran)["why"]
    assert (found["endpoint"], found["subgroup"], found["explained"]) == ("alsfrs_ancova", "overall", "yes")
    assert found["why"].endswith("more numbers are ours without the covariate RILUFL")
    assert found["numbers"] > 10
    assert "without the covariate RILUFL" in " ".join(run("reconcile", workspace, theirs, "--why").out.split())
    assert "why" not in sheets(run("reconcile", workspace, theirs, "--format", "json"))


def test_the_budget_is_said(run: Run, workspace: Path, theirs: Path) -> None:
    content = json.loads(theirs.read_text())
    for row in content["results"]:
        if row["stat_name"] == "p_value":
            row["stat"] = 0.5432
    theirs.write_text(json.dumps(content))
    (found,) = sheets(run("reconcile", workspace, theirs, "--why", "--budget", "3", "--format", "json"))["why"]
    assert (found["explained"], found["analyses"]) == ("no", 3)
    assert "more were not tried (budget of 3 analyses)" in found["why"]


def test_what_is_ours_needs_no_search(run: Run, workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "same.json"
    assert run("endpoint", "survival", "-w", workspace, "-o", path, "-q").code == 0
    ran = run("reconcile", workspace, path, "--why", "--format", "json")
    assert ran.code == 0 and sheets(ran)["why"] == []


def test_the_records_that_account_for_it(run: Run, small: Any, tmp_path: Path) -> None:
    """Their data lack one record at visit 2, where the contrast is read."""
    rows = small.records()
    gone = rows.pop(8)
    assert (gone["USUBJID"], gone["AVISITN"]) == ("S02", 2)
    data = small.data(adqs=rows)
    ran = run("reconcile", small.workspace, data, "--why", "--format", "json")
    assert ran.code == 1, ran.err
    (found,) = sheets(ran)["why"]
    assert (found["endpoint"], found["explained"]) == ("score", "yes")
    assert (
        "1 record of ADQS that they do not have (subject S02; Month 2) accounts for them; it cannot be left out" in found["why"]
    )
    masked = run("reconcile", small.workspace, data, "--why", "--mask", "5")
    assert masked.code == 2 and "S02" not in masked.out + masked.err
