"""The app starts where the last session on a workspace was left, and keeps nothing of the data for that."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alsbench.tui.actions import Open
from alsbench.tui.session import Catalogue, CatalogueItem, Choice, ScreenPlace, Session, replay
from alsbench.tui.session_restore import restore_path, restored_actions, save_session

START = Open("TRIAL", "abc", "FAS", ("slow",), "cafs", "G1-M6")
KNOWN = Catalogue(
    endpoints=(CatalogueItem("cafs"), CatalogueItem("alsfrs")),
    comparisons=(CatalogueItem("G1-M6"), CatalogueItem("G2-M12")),
    populations=(CatalogueItem("FAS"), CatalogueItem("PP")),
    subgroups=(CatalogueItem("slow"), CatalogueItem("nfl_low")),
    tables=(CatalogueItem("ADSL"),),
    visits=(("alsfrs", (3.0, 6.0)),),
)
CHOICE = Choice("PP", ("nfl_low",), "alsfrs", "G2-M12", 6.0, (("covariance", "cs"),))


@pytest.mark.parametrize(
    "place",
    [
        ScreenPlace("endpoint", "plot"),
        ScreenPlace("forest"),
        ScreenPlace("data", table="ADSL"),
        ScreenPlace("evidence"),
        ScreenPlace("scrutiny"),
    ],
)
def test_a_session_is_found_again(tmp_path: Path, place: ScreenPlace) -> None:
    session = Session("TRIAL", "abc", CHOICE, place)
    save_session(tmp_path, session)
    found = replay(Session(), restored_actions(tmp_path, START, KNOWN))
    assert replace(found, past=(), future=()) == session
    assert restored_actions(tmp_path / "another", START, KNOWN) == (START,)


def test_a_subject_is_not_kept(tmp_path: Path) -> None:
    save_session(tmp_path, Session("TRIAL", "abc", CHOICE, ScreenPlace("arms", arm="Placebo", record=17)))
    assert "17" not in restore_path(tmp_path).read_text()
    assert restore_path(tmp_path).stat().st_mode & 0o077 == 0


def test_what_the_study_no_longer_has_is_left_out(tmp_path: Path) -> None:
    gone = replace(CHOICE, subgroups=("gone", "slow"), endpoint="gone", population="gone")
    save_session(tmp_path, Session("TRIAL", "abc", gone, ScreenPlace("data", table="GONE")))
    first, *rest = restored_actions(tmp_path, START, KNOWN)
    assert first == replace(START, comparison="G2-M12")
    assert [a.kind for a in rest] == ["option", "go"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "alsbench.place/9"}', '{"format": "alsbench.place/1", "study": "X"}']
)
def test_a_file_that_cannot_be_used_starts_at_the_beginning(tmp_path: Path, text: str) -> None:
    save_session(tmp_path, Session("TRIAL", "abc", CHOICE))
    restore_path(tmp_path).write_text(text)
    assert restored_actions(tmp_path, START, KNOWN) == (START,)


async def test_the_app_starts_there(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "4", "right_curly_bracket", "p")
        left = pilot.app.session
    save_session(workspace, left)
    assert json.loads(restore_path(workspace).read_text())["study"] == "ALSDEMO"
    async with tui.run(workspace, restore=True) as pilot:
        found = pilot.app.session
        assert (found.choice, found.place, found.snapshot) == (left.choice, left.place, left.snapshot)
        assert "[plot]" in tui.text(pilot.app)
