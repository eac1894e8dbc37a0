"""Imputation, responders, stages and the reasons of a rank, asked for in the shell."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from alsbench.__main__ import main

SUBJECT = "ALSREF01-02-1001"
RESPONDER = """
[endpoints.kept]
method = "responder"
dataset = "ADQS"
paramcd = "ALSFRSR"
threshold = -6
event = { dataset = "ADTTE", paramcd = "DTHPAV" }

[endpoints.stages]
method = "staging"
dataset = "ADQS"
event = { dataset = "ADTTE", paramcd = "DTHPAV" }
"""


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words, "-q"]) == 0
    return capsys.readouterr().out


def test_why_in_every_format(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("endpoint", "cafs", "--comparison", "G1-M6", "--why", SUBJECT, "-w", str(workspace))
    found = json.loads(run(capsys, *words, "--format", "json"))
    signs = {"won": 1, "tied": 0, "lost": -1}
    assert sum(signs[r["result"]] for r in found["rows"]) == found["more"][0]["rows"][0]["score"]
    records = list(csv.DictReader(io.StringIO(run(capsys, *words, "--format", "csv"))))
    assert [r["opponent"] for r in records] == [r["opponent"] for r in found["rows"]]
    for form in ("table", "md"):
        text = run(capsys, *words, "--format", form)
        assert "Why this rank" in text and "Group 1 vs Placebo, Month 6" in text and "SYNTHETIC" in text
    assert f"--why {SUBJECT}" in found["facts"]["Command"]


def test_why_of_nobody(workspace: Path) -> None:
    assert main(["endpoint", "cafs", "--why", "NOBODY", "-w", str(workspace), "-q"]) == 2
    assert main(["endpoint", "alsfrs", "--why", SUBJECT, "-w", str(workspace), "-q"]) == 2


def test_the_life_table(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By hand: at risk falls by the events and censorings of each day, and the curve is the product of 1 - events / at risk."""
    words = ("endpoint", "survival", "-s", "slow", "-w", str(workspace))
    rows = json.loads(run(capsys, *words, "--curve", "--format", "json"))["rows"]
    result = json.loads(run(capsys, *words, "--format", "json"))["results"]
    counts = {(r["arm"], r["stat_name"]): r["stat"] for r in result if r["context"] == "arm" and r["level"] is None}
    assert len({r["arm"] for r in rows}) == 3
    for arm in {r["arm"] for r in rows}:
        free, at_risk = 1.0, counts[arm, "n"]
        mine = [r for r in rows if r["arm"] == arm]
        for row in mine:
            assert row["at_risk"] == at_risk
            free *= 1.0 - row["events"] / at_risk
            assert row["event_free"] == pytest.approx(free)
            at_risk -= row["events"] + row["censored"]
        assert at_risk == 0
        assert sum(r["events"] for r in mine) == counts[arm, "events"]
    text = run(capsys, *words, "--curve")
    assert "SYNTHETIC" in text and "post hoc" in text and "--curve" in text
    assert main(["endpoint", "alsfrs", "--curve", "-w", str(workspace), "-q"]) == 2
    assert main([*words, "--curve", "--mask", "5", "-q"]) == 2


def test_imputation_by_option(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("endpoint", "nfl", "--comparison", "Group 2", "--visit", "4", "--option", "imputation=jump-to-reference")
    found = json.loads(run(capsys, *words, "-w", str(workspace), "--format", "json"))
    rows = [r for r in found["results"] if r["variable"] == "imputed" and r["context"] == "contrast"]
    assert {r["stat_name"] for r in rows} >= {"difference", "se", "conf_low", "conf_high", "t", "p_value"}
    assert {r["level"] for r in rows} == {"jump-to-reference"}
    assert found["provenance"]["command"].count("--option imputation=jump-to-reference") == 1
    text = run(capsys, *words, "-w", str(workspace))
    assert "Missing values imputed" in text and "Tipping point" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_responders_and_stages(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = workspace / "study.toml"
    study.write_text(study.read_text() + RESPONDER)
    found = json.loads(run(capsys, "endpoint", "kept", "--visit", "6", "-w", str(workspace), "--format", "json"))
    assert {r["stat_name"] for r in found["results"]} >= {"count", "percent", "risk_difference", "hazard_ratio"}
    text = run(capsys, "endpoint", "stages", "--visit", "Month 12", "-w", str(workspace))
    assert "King's stage, Placebo" in text and "MiToS stage, Group 2" in text
    assert "Time to a higher King's stage" in text
    assert run(capsys, "evidence", "-w", str(workspace), "--subgroup", "slow")
