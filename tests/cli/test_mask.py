"""``--mask K`` from the shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize("words", [("endpoint", "alsfrs_ancova", "--visit", "6"), ("endpoint", "cafs"), ("safety",)])
def test_no_small_count_is_in_any_format(run: Run, loaded: Path, words: tuple[str, ...]) -> None:
    found = run(*words, "-s", "slow", "-w", loaded, "--mask", "20", "--format", "json")
    assert found.code == 0, found.err
    counts = [r for r in found.json["results"] if r["stat_name"] in ("n", "count", "events")]
    assert any(r["stat_fmt"] == "<20" for r in counts)
    assert all(r["stat"] is None or r["stat"] >= 20 for r in counts)
    assert "--mask 20" in found.json["provenance"]["command"]
    table = run(*words, "-s", "slow", "-w", loaded, "--mask", "20").out
    assert "<20" in table and "NE: masked" not in table


def test_what_is_hidden_does_not_depend_on_what_is_asked(run: Run, loaded: Path) -> None:
    where = ("endpoint", "alsfrs_ancova", "--visit", "6", "-w", loaded, "--mask", "20", "--format", "json")
    both = run(*where, "-s", "slow", "-s", "not slow", "-s", "overall").json["results"]
    for phrase in ("slow", "not slow", "overall"):
        alone = run(*where, "-s", phrase).json["results"]
        if phrase != "overall":
            assert alone == [r for r in both if r["subgroup"] == phrase]


def test_evidence_and_forest_hide_cells(run: Run, loaded: Path) -> None:
    ran = run("evidence", "-s", "slow", "-w", loaded, "--mask", "15")
    assert ran.code == 0 and "masked" in ran.out and "a count below 15" in ran.out
    assert "masked" in run("forest", "alsfrs", "-s", "slow", "-w", loaded, "--mask", "15").out


def test_rows_of_subjects_are_not_masked_but_refused(run: Run, loaded: Path) -> None:
    assert run("endpoint", "cafs", "--subjects", "--mask", "5", "-w", loaded).code == 2
    assert run("endpoint", "cafs", "--mask", "1", "-w", loaded).code == 2
