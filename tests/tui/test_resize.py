"""From 60x20 to 240x70 on every screen and dialog: nothing breaks, nothing is drawn past the edge, the frame stays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

SIZES = [(80, 24), (60, 20), (160, 45), (240, 70), (61, 21), (100, 30), (60, 20), (80, 24)]
PLACES: dict[str, tuple[str, ...]] = {
    "evidence": ("1", "j", "l"),
    "arms": ("2",),
    "subjects": ("2", "enter"),
    "profile": ("2", "enter", "enter"),
    "subgroups": ("3", "j"),
    "joint rank": ("4",),
    "mmrm table": ("4", "right_curly_bracket"),
    "mmrm plot": ("4", "p"),
    "model": ("4", "m"),
    "options": ("4", "o"),
    "forest": ("5",),
    "scrutiny": ("6",),
    "safety": ("7",),
    "tables": ("8",),
    "table": ("8", "enter", "G", "l", "l", "l"),
    "log": ("9",),
    "claims": ("0",),
    "claim": ("0", "enter"),
    "help": ("question_mark",),
    "palette": ("ctrl+p", "s"),
    "chips": ("1", "s"),
    "editor": ("3", "a", "A"),
    "prompt": ("colon", "v"),
}


async def laid_out(pilot: Any, tui: Any, width: int, height: int) -> list[str]:
    """The lines of the screen once app, screen and footer have taken the size and nothing is on its way; at most a minute."""
    app = pilot.app
    end = asyncio.get_running_loop().time() + 60.0
    while asyncio.get_running_loop().time() < end:
        taken = app.size == app.screen.size == (width, height)
        lines: list[str] = (await tui.settle(pilot)).splitlines()
        if taken and app.screen.size == (width, height) and len(lines) == height:
            return lines
    raise AssertionError(f"{width}x{height} was never laid out: {app.size}, {app.screen.size}")


@pytest.mark.parametrize("ascii", [False, True], ids=["unicode", "ascii"])
async def test_every_screen_at_every_size(workspace: Path, tui: Any, ascii: bool) -> None:
    async with tui.run(workspace, ascii=ascii) as pilot:
        for name, keys in PLACES.items():
            await tui.press(pilot, *keys)
            for width, height in SIZES:
                if pilot.app.size != (width, height):
                    await pilot.resize_terminal(width, height)
                lines = await laid_out(pilot, tui, width, height)
                assert len(lines) == height, (name, width, height)
                assert max(map(len, lines)) <= width, (name, width, height)
                assert lines[0].strip(), (name, width, height, "header")
                assert lines[-1].strip(), (name, width, height, "footer")
                if ascii:
                    assert "".join(lines).isascii(), (name, [c for c in "".join(lines) if not c.isascii()])
            while len(pilot.app.screen_stack) > 1:
                await tui.press(pilot, "escape")


async def test_eighteen_rows_of_data_at_80x24(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        for keys in (("1",), ("4", "right_curly_bracket"), ("2", "enter"), ("8", "enter")):
            await tui.press(pilot, *keys)
            assert pilot.app.view.table.page >= 18, keys
