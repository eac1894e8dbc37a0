"""A lineup in the app: panel after panel on the same axes, a choice, and then which one it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alsbench.analysis.lineup import asked, lineup
from alsbench.audit.lineup_key import place_of


async def test_panels_are_gone_through_chosen_and_revealed(here: Path, tui: Any) -> None:
    async with tui.run(here, audit=True) as pilot:
        app = pilot.app
        await tui.press(pilot, "4")
        text = await tui.press(pilot, "L")
        screen = app.screen
        assert text.splitlines()[0].startswith(" Panel 1 of 20") and "SYNTHETIC" in text and "THE TRIAL" not in text
        seen = {text}
        for _ in range(19):
            text = await tui.press(pilot, "l")
            assert "THE TRIAL" not in text
            seen.add(text)
        assert len(seen) == 20 and "Panel 20 of 20" in text
        assert "Panel 1 of 20" in await tui.press(pilot, "l")
        assert "choose first" in await tui.press(pilot, "R")
        key = screen.made.key
        assert key.place == place_of(key.secret, 20)
        again = lineup(asked(app.opened.source, "forest", "cafs", comparison=app.session.choice.comparison), 20, key.secret)
        assert repr(again.panels) == repr(screen.made.lineup.panels)
        while screen.at != key.place % 20:  # the one after the trial
            await tui.press(pilot, "l")
        await tui.press(pilot, "enter")
        text = await tui.press(pilot, "R")
        assert f"Panel {key.place} is the trial; you chose panel {key.place % 20 + 1}: not found" in text
        assert text.splitlines()[0].startswith(f" Panel {key.place} of 20") and "THE TRIAL" in text.splitlines()[0]
        assert "it is revealed" in await tui.press(pilot, "enter")
        assert screen.request().command().startswith("alsbench lineup --view forest --endpoint cafs")
        await tui.press(pilot, "escape")
    log = [json.loads(line) for line in (here / "audit.jsonl").read_text().splitlines()]
    mine = [e["facts"] for e in log if e["facts"].get("lineup") == key.fingerprint]
    assert len(mine) == 2 and "place" not in mine[0] and key.secret not in json.dumps(log)
    assert mine[1]["picks"] == [key.place % 20 + 1] and mine[1]["place"] == key.place


async def test_who_finds_it_is_told_the_p(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "5")
        await tui.press(pilot, "L")
        screen = pilot.app.screen
        while screen.at + 1 != screen.made.key.place:
            await tui.press(pilot, "l")
        await tui.press(pilot, "enter")
        assert "found: by guessing so once in 20 times, p = 0.05" in await tui.press(pilot, "R")


async def test_the_view_named_is_drawn(workspace: Path, tui: Any) -> None:
    """Curves and means by visit as plots, of the first endpoint that has them where the chosen one has not."""
    async with tui.run(workspace) as pilot:
        for view, said in (
            ("km", "share without event by day"),
            ("months", "change by visit"),
            ("evidence", "survival, G1-M6"),
        ):
            await tui.press(pilot, "4")
            pilot.app.do_lineup(view)
            text = await tui.settle(pilot)
            assert "Panel 1 of 20" in text.splitlines()[0] and said in text
            await tui.press(pilot, "escape")
