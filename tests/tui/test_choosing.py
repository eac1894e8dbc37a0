"""What is asked of the data: subgroups, endpoint, comparison, visit, options; undone, replayed, marked where it is old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.tui import actions as act
from alsbench.tui.screens.endpoint import EndpointView


async def test_toggle_undo_redo(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        text = await tui.press(pilot, "3", "j", "space")
        assert app.session.choice.subgroups == ("slow", "nfl_low")
        assert "[x] nfl_low" in text
        await tui.press(pilot, "u")
        assert app.session.choice.subgroups == ("slow",)
        await tui.press(pilot, "ctrl+r")
        assert app.session.choice.subgroups == ("slow", "nfl_low")


async def test_endpoint_comparison_visit_and_options(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4", "right_curly_bracket")
        assert app.session.choice.endpoint == "alsfrs"
        text = await tui.press(pilot, "right_square_bracket")
        assert "Group 2 vs Placebo" in text
        text = await tui.press(pilot, "greater_than_sign", "greater_than_sign")
        assert app.session.choice.visit == 2.0
        assert "Month 2" in text
        assert "Month 3" not in text
        await app.keys.run_line("visit all")
        await app.keys.run_line("option covariance cs")
        await tui.settle(pilot)
        text = await tui.press(pilot, "m")
        assert ("covariance", "cs") in app.session.choice.options
        assert "compound symmetry" in text.lower() or "cs" in text


async def test_endpoint_asks_what_the_shell_would(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "4")
        view = pilot.app.view
        assert isinstance(view, EndpointView)
        assert [q.subgroups for q in view.wanted()] == [("overall",), ("slow",), ("not slow",)]
        assert pilot.app.done[-1] == act.GoTo("endpoint")


async def test_an_answer_to_an_earlier_question_is_marked_stale(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4")
        started = []
        app.jobs.start = lambda *a, **_: started.append(a)  # nothing lands
        await app.keys.run_line("option covariance toep")
        await app.keys.run_line("endpoint svc")
        await pilot.pause()
        assert started
        text = tui.text(app)
        assert "stale: being computed" in text.splitlines()[1]
        assert "CAFS" in text, "the old answer is still there, dimmed"
        assert app.view.table.stale
        del app.jobs.start
        app.do_reload()
        await tui.settle(pilot)
        assert not app.view.table.stale
        assert "stale" not in tui.text(app)


async def test_the_log_replays_to_the_same_session(workspace: Path, tui: Any, tmp_path: Path) -> None:
    from alsbench.tui.session import Session, replay
    from alsbench.tui.session_log import SessionLog, read_log

    log = SessionLog(tmp_path / "log.jsonl", workspace)
    async with tui.run(workspace, log=log) as pilot:
        await tui.press(pilot, "3", "j", "space", "4", "right_curly_bracket", "p", "2", "enter", "enter", "u")
        found = pilot.app.session
    log.close()
    assert replay(Session(), read_log(log.path)[1]) == found
    assert "ALSDEMO-0" not in log.path.read_text(), "no subject identifier in the log"


async def test_synthetic_and_post_hoc_stand_on_every_screen(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        for key in "123456789":
            text = await tui.press(pilot, key)
            first = text.splitlines()[0]
            assert "SYNTHETIC" in first
            assert "slow post hoc" in first


async def test_a_blinded_workspace_says_so_on_every_screen(own_workspace: Path, tui: Any) -> None:
    sample = Path(__file__).resolve().parents[2] / "sample_data"
    space = Workspace(own_workspace)
    load(sorted(sample.glob("*.xpt")), space, study=space.read_study(), blinded="0123456789abcdef")
    async with tui.run(own_workspace) as pilot:
        for key in "123456789":
            assert "BLINDED" in (await tui.press(pilot, key)).splitlines()[0]
