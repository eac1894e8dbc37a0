"""Errors of the checks that are let stand: only for a reason, and the reason stands wherever the finding does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def doubled(small: Any) -> Any:
    """The small trial with a record twice: two errors' worth of one rule."""
    return small.data(adqs=[*small.records(), small.records()[-1]])


@pytest.mark.parametrize(
    "options",
    [
        ("--accept", "duplicate-visit=known, query open"),
        ("--accept", "duplicate-visit", "--reason", "known, query open"),
    ],
)
def test_an_accepted_error_keeps_its_reason(small: Any, run: Run, options: tuple[str, ...]) -> None:
    refused = run("load", doubled(small), "-w", small.workspace)
    assert refused.code == 3
    assert "--accept duplicate-visit=REASON" in refused.err
    assert run("load", small.folder, "-w", small.workspace, *options).code == 0
    check = run("check", "-w", small.workspace, "--format", "json")
    assert check.code == 0
    assert {r["accepted"] for r in check.json["rows"] if r["rule"] == "duplicate-visit"} == {"known, query open"}
    log = [json.loads(line) for line in (small.workspace / "audit.jsonl").read_text().splitlines()]
    assert log[-1]["facts"]["accepted"] == {"duplicate-visit": "known, query open"}


@pytest.mark.parametrize(
    "options",
    [("--accept", "duplicate-visit"), ("--accept", "duplicate-visit", "--reason", " "), ("--reason", "because")],
)
def test_no_error_is_accepted_without_a_reason_nor_a_reason_without_a_rule(
    small: Any, run: Run, options: tuple[str, ...]
) -> None:
    assert run("load", doubled(small), "-w", small.workspace, *options).code == 2


def test_a_reason_does_not_tell_a_blinded_arm(small: Any, run: Run) -> None:
    space, key = small.workspace.parent / "blind", small.workspace.parent / "key.json"
    options = ("--accept", "duplicate-visit=twice in Placebo", "--blinded", "--key", key, "--study", small.study)
    assert run("load", doubled(small), "-w", space, *options).code == 0
    assert all(b"Placebo" not in p.read_bytes() for p in space.rglob("*") if p.is_file())
    assert "twice in [blinded]" in run("check", "-w", space, "--format", "csv").out
