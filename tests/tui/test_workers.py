"""Workers of the settings in the app: progress in the status line, and Ctrl-C ends the work and its processes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from tests.test_compute import children


async def test_cancel_ends_workers_and_the_check_can_be_asked_again(
    own_workspace: Path, tui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alsbench").mkdir()
    (tmp_path / "alsbench" / "config.toml").write_text("workers = 2\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    results = own_workspace / "results"
    if results.is_symlink():
        results.unlink()  # nothing is kept: it is computed
    async with tui.run(own_workspace) as pilot:
        await tui.press(pilot, "6")
        app = pilot.app
        check = next(row for row in range(len(app.view.table.model)) if app.view.full.text(row, 1).strip() == "7")
        while app.view.table.cursor_row < check:
            await tui.press(pilot, "j")
        await pilot.press("enter")
        told = ""
        end = time.monotonic() + 60
        while not (len(children()) == 2 and "permuted trials" in told):
            assert time.monotonic() < end, told
            await asyncio.sleep(0.02)
            told = str(app._progress)
        assert "^c cancels" in told
        await pilot.press("ctrl+c")
        while children():
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        text = await tui.settle(pilot)
        assert "enter computes" in app.view.full.text(check, 3), text
