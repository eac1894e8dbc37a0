"""``alsbench chance``: what every form says of the copies, what the log keeps, what a mask and a blind leave."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ASKED = ("chance", "-s", "slow", "-e", "cafs", "--comparison", "G2-M12", "--draws", "256")


def test_the_page_says_what_a_copy_is(run: Run, loaded: Path) -> None:
    out = run(*ASKED, "-w", loaded).out
    assert max(map(len, out.splitlines())) <= 80
    head, _, copies = out.partition("WITHOUT ANY EFFECT")
    assert len(re.findall(r"copy \d+ ·", copies)) == 10 and not re.search(r"copy \d", head)
    assert "SYNTHETIC: no real patient stands behind these numbers" in head[head.index("THE TRIAL") :]
    for words in ("Post hoc", "SYNTHETIC DATA", "no treatment has any effect", "the finding · ", "the best of the trial · "):
        assert words in " ".join(out.split())
    assert "among the" in out and "Of 1,000 trials like this" in out


def test_every_form_carries_the_headlines(run: Run, loaded: Path) -> None:
    """JSON and CSV as rows, Markdown and HTML as text; HTML draws a bar for each class that holds a copy."""
    found = run(*ASKED, "-w", loaded, "--format", "json").json
    rows = [r for r in found["results"] if r["stat_name"] == "headline"]
    assert [r["level"] for r in rows] == ["the finding", "the best of the trial", *(f"copy {k}" for k in range(1, 11))]
    page = run(*ASKED, "-w", loaded, "--format", "html").out
    classes = [r["stat"] for r in found["results"] if r["stat_name"] == "copies" and r["variable"] == "smallest p of a copy"]
    assert sum(classes) == 256 and page.count("<rect") == sum(n > 0 for n in classes)
    for text in (page, run(*ASKED, "-w", loaded, "--format", "md").out, run(*ASKED, "-w", loaded, "--format", "csv").out):
        assert all(r["stat"].split(" (p")[0].replace("<", "&lt;") in text.replace("<", "&lt;") for r in rows)


def test_no_copy_is_entered_as_a_contrast(run: Run, workspace: Path) -> None:
    """One question; the contrasts of the log are the finding and the best of the trial, no copy's."""
    run(*ASKED, "-w", workspace, "-q")
    entry = json.loads((workspace / "audit.jsonl").read_text().splitlines()[-1])
    assert entry["action"] == "look" and len(entry["facts"]["questions"]) == 1
    assert entry["facts"]["contrasts"][0] == "cafs [joint_rank] slow: Group 2 vs Placebo, Month 12, search"
    assert len(entry["facts"]["contrasts"]) <= 2
    again = entry["facts"]["asked"].split()
    assert again[:2] == ["alsbench", "chance"] and "--draws" in again


def test_a_mask_leaves_no_estimate(run: Run, loaded: Path) -> None:
    """Rank and distribution are of no part of the trial; headlines are, and go."""
    shown = run(*ASKED, "-w", loaded, "--mask", "5", "--format", "json").json["results"]
    names = {r["stat_name"] for r in shown}
    assert "search_p" in names and not names & {"headline", "difference", "ratio", "hazard_ratio", "copy_p"}
    assert "copy 1" not in run(*ASKED, "-w", loaded, "--mask", "5").out
    assert run(*ASKED, "-w", loaded, "--mask", "20", "--format", "json").json["results"] == []  # an arm of the part is small


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--draws", "9"), "too few"),
        (("--visit", "99"), "99"),
        (("-e", "baseline"), "no single contrast"),
        (("-s", "no"), "no"),
    ],
)
def test_what_cannot_be_asked(run: Run, loaded: Path, words: tuple[str, ...], said: str) -> None:
    ran = run("chance", "-w", loaded, *words)
    assert ran.code == 2 and said in ran.err
