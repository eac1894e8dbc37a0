"""Where keys lead on the sample trial, and where esc returns to: screens, levels, rows, matches."""

from __future__ import annotations

from pathlib import Path
from typing import Any


async def test_evidence_fills_and_opens_the_endpoint_there(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        assert "..." not in tui.text(pilot.app)
        text = await tui.press(pilot, "j", "l", "l", "enter")
        assert pilot.app.session.screen == "endpoint"
        assert pilot.app.session.choice.endpoint == "alsfrs"
        assert "ALSFRS-R total score  Group 1 vs Placebo" in text


async def test_arms_lead_to_a_profile_and_back(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "2", "j", "enter")
        assert app.session.place.arm == "Group 1"
        text = await tui.press(pilot, "j", "enter")
        assert app.session.place.record is not None
        assert "ALSFRS-R total score" in text
        assert "dose" in text
        before = app.session.place.record
        await tui.press(pilot, "right_square_bracket")
        assert app.session.place.record != before
        assert app.session.choice.comparison == "G1-M6", "the bracket keys step subjects here"
        await tui.press(pilot, "escape")
        assert app.session.place.record is None
        text = await tui.press(pilot, "escape", "escape")
        assert app.session.place == app.session.place.__class__("arms")
        assert "ised" in text


async def test_a_profile_follows_the_subgroups_chosen_over_it(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "2", "enter", "enter")
        assert "nfl_low" not in text
        text = await tui.press(pilot, "s", "j", "space", "enter")
        assert "nfl_low" in text.split("ALSFRS-R total score")[0].split("\n", 1)[1]


async def test_esc_returns_from_an_opened_cell_to_the_cell(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "j", "j", "l", "l")
        here = (app.view.table.cursor_row, app.view.table.cursor_col, app.view.table.top, app.view.table.left)
        before = tui.text(app).splitlines()[1:-1]
        text = await tui.press(pilot, "enter", "p")
        assert app.session.screen == "endpoint"
        assert " esc back" in text.splitlines()[-1]
        await tui.press(pilot, "escape")
        assert app.session.screen == "endpoint", "first back to the table"
        await tui.press(pilot, "escape")
        assert app.session.screen == "evidence"
        table = app.view.table
        assert (table.cursor_row, table.cursor_col, table.top, table.left) == here
        assert tui.text(app).splitlines()[1:-1] == before
        await tui.press(pilot, "4", "escape")
        assert app.session.screen == "endpoint", "a screen chosen by its key has nowhere to go back to"


async def test_filter_and_matches(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "2", "enter", "slash", *"BULBAR", "enter")
        assert 0 < len(app.view.table.model) < 46
        rows = len(app.view.table.model)
        assert f"{rows} of 46 rows" in tui.text(app)
        await tui.press(pilot, "n", "n", "N")
        assert app.view.table.cursor_row == 1
        await tui.press(pilot, "escape")
        assert len(app.view.table.model) == 46
        assert app.session.place.arm == "Placebo", "the first esc clears the filter"


async def test_a_row_is_reached_by_its_number(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await app.keys.run_line("table ADQS")
        await tui.settle(pilot)
        await app.keys.run_line("row 12000")
        await tui.settle(pilot)
        assert app.view.table.cursor_row == 11999
        assert "..." not in tui.text(app)
        await app.keys.run_line("row one")
        assert ":row takes" in tui.text(app)


async def test_a_pane_of_lines_is_searched(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4", "m", "slash", *"subgroup", "enter")
        pane = app.view.pane
        first = pane.mark
        assert "subgroup" in pane.lines[first].plain.lower()
        await tui.press(pilot, "n")
        assert pane.mark != first
        text = await tui.press(pilot, "N")
        assert pane.mark == first
        assert "/subgroup: " in text.splitlines()[-1]
