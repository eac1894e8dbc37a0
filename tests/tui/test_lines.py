"""The palette, the command line, help, themes: commands by name, whatever the screen, however fast they are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alsbench.tui import actions as act
from alsbench.tui.session import SCREENS


async def test_every_command_of_the_registry_can_be_run(workspace: Path, tui: Any) -> None:
    """No command raises on any screen, whatever is under the cursor."""
    skip = {"quit", "editor", "pager", "subgroup.delete"}
    async with tui.run(workspace) as pilot:
        app = pilot.app
        for number, screen in enumerate(SCREENS, start=1):
            await tui.press(pilot, str(number))
            for command in app.registry.commands:
                if app.session.screen != screen:
                    await app.dispatch_action(act.GoTo(screen))
                if command.id in skip or not command.enabled(app.session):
                    continue
                await app.keys.run_command(command)
                assert (await tui.settle(pilot, work=False)).strip(), command.id
                while len(app.screen_stack) > 1:
                    tui.strike(app, "escape")
                    await tui.settle(pilot, work=False)
            await tui.settle(pilot)
            assert "fault in alsbench" not in tui.text(app)


async def test_palette_runs_what_it_finds(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "ctrl+p", *"endpoint serum", "enter")
        await tui.settle(pilot)
        assert pilot.app.session.choice.endpoint == "nfl"


async def test_a_command_line_chooses_an_endpoint(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await pilot.app.keys.run_line("endpoint nfl")
        assert pilot.app.session.choice.endpoint == "nfl"


async def test_the_command_line_completes_and_recalls(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "colon", *"popul", "tab")
        assert app.screen.line.value == "population "
        await tui.press(pilot, "tab")
        assert "complete this" in tui.text(app)
        await tui.press(pilot, "P", "tab", "enter")
        assert app.session.choice.population == "PP"
        await tui.press(pilot, "colon", "up")
        assert app.screen.line.value == "population PP"


def hurried(app: Any, text: str) -> None:
    """Send keys to the app all at once, as a slow line delivers them, without waiting for any of them."""
    from textual.events import Key
    from textual.keys import _character_to_key

    for char in text:
        app.post_message(Key("enter", "\r") if char == "\r" else Key(_character_to_key(char), char))


async def test_keys_typed_ahead_reach_the_dialog_they_were_typed_for(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        hurried(app, ":endpoint nfl\r")
        await tui.settle(pilot)
        assert app.session.choice.endpoint == "nfl"
        assert app.session.screen == "evidence", "no letter was taken for a command"
        hurried(app, "2\r/BULBAR\rnn")
        await tui.settle(pilot)
        assert app.view.pattern == "BULBAR"
        assert app.view.table.cursor_row == 2, "the keys after the filter move in its rows"
        hurried(app, ":visit al")
        await tui.settle(pilot)
        assert app.screen.line.value == "visit al"
        await tui.press(pilot, "tab")
        assert app.screen.line.value == "visit all"
        await tui.press(pilot, "escape", "ctrl+p")
        hurried(app, "endpoint slow vital\r")
        await tui.settle(pilot)
        assert app.session.choice.endpoint == "svc"


async def test_help_can_be_searched(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "question_mark", "slash", *"export", "enter")
        dialog = pilot.app.screen
        assert "export" in dialog.pane.lines[dialog.pane.mark].plain.lower()
        await tui.press(pilot, "slash", *"nosuchword", "enter")
        assert "not here" in tui.text(pilot.app)


@pytest.mark.parametrize("theme", ["light", "ansi", "contrast", "dark"])
async def test_themes(workspace: Path, tui: Any, theme: str) -> None:
    async with tui.run(workspace) as pilot:
        await pilot.app.keys.run_line(f"theme {theme}")
        await tui.settle(pilot)
        assert pilot.app.look.name == theme
        assert "Evidence" in tui.text(pilot.app)
