"""A workspace opened, opened again with other data, without data; work that is cancelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alsbench.data.load import load
from alsbench.data.workspace import Workspace


async def test_a_workspace_without_data_says_what_to_do(tmp_path: Path, tui: Any) -> None:
    from alsbench.tui.app import Workbench

    app = Workbench(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        while app.jobs.labels or "cannot be opened" not in tui.text(app):
            await pilot.pause(0.05)
        assert "alsbench demo" in tui.text(app)
        for key in ("j", "3", "4", "enter", "question_mark", "escape", "c"):
            await pilot.press(key)
            await pilot.pause()
            assert tui.text(app).strip(), key


async def test_reload_keeps_what_was_chosen(own_workspace: Path, tui: Any) -> None:
    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4", "right_curly_bracket", "right_square_bracket")
        choice = app.session.choice
        await tui.press(pilot, "r")
        assert app.session.choice == choice
        assert app.session.screen == "endpoint"


async def test_a_reload_keeps_visit_and_options_and_leaves_a_profile_of_other_data(own_workspace: Path, tui: Any) -> None:
    """A record number is somebody else's in other data; what the new study file no longer has falls back."""
    path = own_workspace / "study.toml"
    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, ":endpoint alsfrs", ":visit 6", ":option covariance cs", "2", "enter", "enter")
        choice, record = app.session.choice, app.session.place.record
        await tui.press(pilot, "r")
        assert (app.session.choice, app.session.place.record) == (choice, record)
        sample = Path(__file__).resolve().parents[2] / "sample_data"
        load([sample / "adsl.xpt", sample / "adqs.xpt"], Workspace(own_workspace), study=None)
        path.write_text(path.read_text().replace("[endpoints.alsfrs]", "[endpoints.total]").replace('"alsfrs"', '"total"'))
        await tui.press(pilot, "r")
        assert app.session.place.record is None
        assert app.session.place.arm == "Placebo"
        assert app.session.choice.endpoint in {i.name for i in app.catalogue.endpoints}


async def test_newer_data_are_offered(own_workspace: Path, tui: Any) -> None:
    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        app.look_for_newer_data()
        assert "newer data" not in tui.text(app)
        space = Workspace(own_workspace)
        sample = Path(__file__).resolve().parents[2] / "sample_data"
        load([sample / "adsl.xpt", sample / "adqs.xpt"], space, study=None)
        app.look_for_newer_data()
        await pilot.pause()
        assert "r opens them" in tui.text(app)
        await tui.press(pilot, "r")
        assert set(app.opened.source.snapshot.tables) == {"ADSL", "ADQS"}
        assert "r opens them" not in tui.text(app), "an offer that was taken is none any more"


async def test_cancel_leaves_what_is_done(own_workspace: Path, tui: Any) -> None:
    from alsbench.tui.app import Workbench

    (own_workspace / "results").unlink()  # the answers that other tests have kept would leave nothing to cancel
    app = Workbench(own_workspace, audit=False)
    async with app.run_test(size=(80, 24)) as pilot:
        while "evidence:" not in app.jobs.labels:
            await pilot.pause(0.02)
        await pilot.press("ctrl+c")
        await tui.settle(pilot)
        assert "cancelled 1 running" in tui.text(app)
        assert not app.jobs.labels
