"""`V`: what is on the screen by a second program, the mark it leaves on the table, its shell command and the looks it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alsbench.service import verify as service
from alsbench.service.verify import agree


async def test_a_table_is_verified_and_says_so(here: Path, tui: Any) -> None:
    log = here / "audit.jsonl"
    async with tui.run(here, audit=True, size=(100, 30)) as pilot:
        before = await tui.press(pilot, "4")
        assert "verified" not in before and "CAFS" in before
        seen = log.read_text().count('"format":"screen"')
        text = " ".join((await tui.press(pilot, "V")).split())
        assert log.read_text().count('"format":"screen"') == seen + 3  # a look at each phrase
        shown = pilot.app.screen
        assert shown.shell() == "alsbench verify cafs --subgroup overall --subgroup slow --subgroup 'not slow'"
        said = "; ".join(line for line in tui.shell(shown.shell(), here).replace("\n  ", " ").splitlines() if "agree" in line)
        compared = said.split(" of ")[0]
        assert int(compared) > 200 and f"{compared} of {compared} numbers agree with a second program" in text
        after = await tui.press(pilot, "escape")
        tables = int(compared) - 2  # the interactions of `slow` with two treatments stand in the evidence, not in this table
        assert f"{tables} of {tables} verified" in after.splitlines()[2]
        assert "verified" not in await tui.press(pilot, "}")  # another endpoint was not


async def test_a_difference_stands_on_top_and_on_the_table(here: Path, tui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second program whose number of wins is another: its agreement is not asked, its difference is."""

    def other(stat_name: str, *values: Any, **more: Any) -> tuple[bool, float]:
        return (False, 0.5) if stat_name == "wins" else agree(stat_name, *values, **more)

    monkeypatch.setattr(service, "agree", other)
    async with tui.run(here, size=(100, 30)) as pilot:
        await tui.press(pilot, "4")
        text = await tui.press(pilot, "V")
        assert "differs" in text and "wins" in text
        assert "DIFFER from the second program" in (await tui.press(pilot, "escape")).splitlines()[2]


async def test_there_is_nothing_to_verify_on_a_data_table(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "8")
        assert "nothing here that a second program computes" in await tui.press(pilot, "V")
