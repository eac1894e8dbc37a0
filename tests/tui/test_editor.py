"""The subgroup editor says what an expression selects while it is typed, completes it, and holds to a locked plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsbench.analysis.source import open_source
from alsbench.analysis.subgroups import members
from alsbench.audit.lock import lock_plan
from alsbench.study.expression import parse
from alsbench.study.study_file import read_study
from alsbench.tui.screens.subgroup_editor import HistogramCut, candidates, cut_of, examine, levels, masks_of, nearest_column
from alsbench.tui.theme import appearance

DARK = appearance("dark")


def said(source: Any, text: str, **more: Any) -> list[str]:
    good, lines = examine(source, text, DARK, others=masks_of(source), **more)
    assert good, [line.plain for line in lines]
    return [line.plain.rstrip() for line in lines]


def test_counts_complement_and_overlap(workspace: Path) -> None:
    source = open_source(workspace)
    with source.snapshot:
        found, other = members(source, "nfl_low"), members(source, "slow")
        lines = said(source, "BLNFL < 52")
        assert lines[0].startswith(f"in       n = {found.n}: Placebo ")
        assert lines[1].startswith(f"not      n = {members(source, 'not nfl_low').n}: Placebo ")
        both = int((found.mask & other.mask).sum())
        assert f"{both} in slow ({other.n})" in lines[2]
        assert "cut      mean(LEADRATE) = 1.03427" in said(source, "LEADRATE <= mean(LEADRATE)")


@pytest.mark.parametrize("text", ["BLNFL < 52", "BLNFL <= 52", "52 > BLNFL", "LEADRATE <= mean(LEADRATE)", "AGE >= 60"])
def test_the_cut_is_drawn_between_those_in_and_those_out(workspace: Path, text: str) -> None:
    source = open_source(workspace)
    with source.snapshot:
        lines = said(source, text)
        inside = int(lines[0].split("n = ")[1].split(":")[0])
        drawn = next(line for line in lines if " cut " in line and "below" in line)
        below, above = (int(part.split()[0]) for part in drawn.strip("─ ").split(": ")[1].split(", "))
        assert inside == (above if text.startswith("AGE") else below)
        bars = [int(line.split()[-1]) for line in lines[lines.index(drawn) + 1 :]]
        assert sum(bars) == above


def test_where_an_expression_cuts_a_column() -> None:
    realised = {"median(AGE)": 61.0}
    cases = {
        "AGE < 52": HistogramCut(52.0, below=False),
        "AGE <= 52": HistogramCut(52.0, below=True),
        "52 >= AGE": HistogramCut(52.0, below=True),
        "SEX == 'F' and AGE > median(AGE)": HistogramCut(61.0, below=True),
        "not (AGE in (50..65))": HistogramCut(50.0, below=False),
        "SEX == 'F'": None,
        "AGE == 52": None,
    }
    for text, expected in cases.items():
        assert cut_of(parse(text), "AGE", realised) == expected, text


def test_the_column_before_the_cursor_is_drawn() -> None:
    expression = parse("AGE < 52 and SEX == 'F'")
    assert nearest_column(expression, "") == "AGE"
    assert nearest_column(expression, "AGE < 52 and SEX") == "SEX"


def test_completion(workspace: Path) -> None:
    source = open_source(workspace)
    with source.snapshot:
        assert candidates(source, "LEADR") == (5, ["LEADRATE"])
        assert candidates(source, "ONSETSIT == ") == (0, ['"LIMB"', '"BULBAR"'])
        assert candidates(source, "AGE > 3 and ONSETSIT != 'b") == (2, ['"BULBAR"'])
        assert candidates(source, 'ONSETSIT in ("LIMB", "B') == (2, ['"BULBAR"'])
        assert candidates(source, 'ONSETSIT in ("LIMB", ')[1] == ['"LIMB"', '"BULBAR"']
        assert candidates(source, "ONSETSIT == bul") == (3, ['"BULBAR"']), "quotes are put where they belong"
        assert candidates(source, "AGE < med") == (3, ["median("])
        assert levels(source, "USUBJID") == [], "too many to offer"
        assert not candidates(source, "NOSUCH")[1]


async def test_a_level_is_completed_and_offered(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "3", "a", *"ONSETS", "tab", *" == ", "tab")
        assert '"LIMB"  "BULBAR"' in text
        text = await tui.press(pilot, "B", "tab")
        assert pilot.app.screen.inputs["where"].value == 'ONSETSIT == "BULBAR"'
        assert "ONSETSIT, 112 values, 2 levels" in text
        good = int(text.split("in       n = ")[1].split(":")[0])
        assert good == members(pilot.app.opened.source, "bulbar").n


async def test_a_locked_plan_decides_what_is_pre_specified(own_workspace: Path, tui: Any) -> None:
    path = own_workspace / "study.toml"
    lock_plan(read_study(path), own_workspace, own_workspace / "audit.jsonl")
    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        text = await tui.press(pilot, "3", "a", *"AGE < 50", "down", *"young", "down", "down", "down", "tab")
        assert app.screen.inputs["prespecified"].value == "yes"
        assert "does not have it as it is now" in text
        assert "not saved" in await tui.press(pilot, "enter")
        await tui.press(pilot, "tab", "enter")
        made = read_study(path).subgroup("young")
        assert made is not None
        assert not made.prespecified


async def test_what_has_no_field_is_kept(own_workspace: Path, tui: Any) -> None:
    path = own_workspace / "study.toml"
    path.write_text(path.read_text().replace('name = "nfl_low"', 'name = "nfl_low"\npost_randomisation = true'))
    async with tui.run(own_workspace) as pilot:
        await tui.press(pilot, "3", "j", "e", "backspace", "backspace", *"60", "enter")
    made = read_study(path).subgroup("nfl_low")
    assert made is not None
    assert made.where == "BLNFL < 60"
    assert made.post_randomisation


def test_a_fault_far_right_is_in_view(workspace: Path) -> None:
    source = open_source(workspace)
    with source.snapshot:
        text = " and ".join(["AGE < 50"] * 12) + " and BANANA == 1"
        good, lines = examine(source, text, DARK, others={}, width=80)
        assert not good
        at = lines[1].plain.index("^")
        assert at < 80
        assert lines[0].plain[at : at + 6] == "BANANA"
        assert np.all([len(line.plain) <= 80 for line in lines[:2]])


async def test_an_expression_fault_is_shown_where_it_is(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "3", "a", *"AGE < BANANA")
        lines = text.splitlines()
        caret = next(line for line in lines if line.rstrip().endswith("^ here"))
        assert caret.index("^") == "AGE < BANANA".index("BANANA")
        text = await tui.press(pilot, *["backspace"] * 12, *"CHG < 0")
        assert "n = " not in text


async def test_completion_of_columns(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "3", "a", *"LEADR", "tab")
        assert pilot.app.screen.inputs["where"].value == "LEADRATE"
