"""Small p outside the plan in the tables of evidence: marked as not judged, or with ``--judge`` judged as scrutiny does."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alsbench as als
from alsbench.analysis.scrutiny import catalogue
from alsbench.render.marks import UNJUDGED

Run = Callable[..., Any]
ASKED = ("--subgroup", "slow", "-q")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 255)


def small_p(rows: list[dict[str, str]]) -> set[tuple[str, str, str, str]]:
    """Where a contrast at its horizon is below 0.05; the reference trial has two primary comparisons and no rule for them, so
    that all of them are outside the plan."""
    return {
        (r["endpoint"], r["subgroup"], r["treatment"], r["visit"])
        for r in rows
        if r["context"] == "contrast" and r["stat_name"] == "p_value" and r["variable"] == "" and float(r["stat"] or 1) < 0.05
    }


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_small_p_is_judged_as_scrutiny_judges_it(run: Run, workspace: Path) -> None:
    plain = run("evidence", *ASKED, "-w", workspace, "--format", "csv")
    judged = run("evidence", *ASKED, "--judge", "-w", workspace, "--format", "csv")
    assert plain.code == judged.code == 0, judged.err
    lines = [r for r in records(judged.out) if r["variable"] == "bottom line"]
    levels = {(r["endpoint"], r["subgroup"], r["treatment"], r["visit"]) for r in lines if r["stat_name"] == "level"}
    assert levels == small_p(records(plain.out)) and levels
    assert len(records(judged.out)) == len(records(plain.out)) + len(lines)
    endpoint, subgroup, treatment, _ = sorted(levels)[0]
    words = ("scrutinise", "-e", endpoint, "-s", subgroup, "--check", "bottom_line", "-q")
    of_scrutiny = records(run(*words, "-w", workspace, "--format", "csv").out)
    keys = ("treatment", "visit", "stat_name", "stat")
    mine = [
        [r[k] for k in keys] for r in lines if (r["endpoint"], r["subgroup"], r["treatment"]) == (endpoint, subgroup, treatment)
    ]
    theirs = [[r[k] for k in keys] for r in of_scrutiny if r["treatment"] == treatment]
    assert [row for row in theirs if row in mine] == mine
    assert {"level", "rule", "p_value", "search_p", "search_tests"} <= {r["stat_name"] for r in lines}


def test_what_is_printed_does_not_depend_on_what_was_asked_before(run: Run, workspace: Path, tmp_path: Path) -> None:
    """Without --judge the small p are counted, judged before or not; with it the bytes are the same, kept or computed."""
    asked = ("forest", "nfl", *ASKED, "-w", workspace)
    before = run(*asked).out
    judged = run(*asked, "--judge").out
    assert run(*asked).out == before
    marks = before.count(f" {UNJUDGED}")  # the note below begins with one
    assert marks > 0 and f"{UNJUDGED} {marks} p below 0.05 " in before and "`--judge`" in before
    assert UNJUDGED not in judged and "Bottom line of a p below 0.05 outside the plan: " in judged
    results = workspace / "results"
    results.unlink()
    results.mkdir()
    assert run(*asked, "--judge").out == judged
    shutil.rmtree(results)


def test_under_a_mask_what_is_hidden_is_not_judged(run: Run, workspace: Path) -> None:
    """The bottom line counts nobody: it stands where the p stands, and nowhere else."""
    ran = run("evidence", *ASKED, "--judge", "--mask", "5", "-w", workspace, "--format", "csv")
    assert ran.code == 0, ran.err
    rows = records(ran.out)
    levels = {(r["endpoint"], r["subgroup"], r["treatment"], r["visit"]) for r in rows if r["stat_name"] == "level"}
    shown = small_p([r for r in rows if r["variable"] != "bottom line"])
    assert levels <= shown and levels
    assert not {r["stat_name"] for r in rows if r["variable"] == "bottom line"} & {"n", "n_treatment", "n_reference", "events"}


def test_python_has_the_same_rows(run: Run, workspace: Path) -> None:
    rows = json.loads(run("forest", "nfl", *ASKED, "--judge", "-w", workspace, "--format", "json").out)["results"]
    answer = als.open(workspace).forest("nfl", subgroups=["slow"], judge=True)
    wanted = [(r["subgroup"], r["stat_name"], r["stat"]) for r in rows if r["variable"] == "bottom line"]
    found = [(r.subgroup, r.stat_name, r.stat) for result in answer.results for r in result.rows if r.variable == "bottom line"]
    assert found == wanted and wanted
    assert UNJUDGED in str(als.open(workspace).forest("nfl", subgroups=["slow"]))
