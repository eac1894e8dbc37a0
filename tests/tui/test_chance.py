"""Chance in the app: a key of the Scrutiny screen, its shell command, and the look it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.scrutiny import catalogue


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 256)


async def test_what_chance_offers_stands_beside_the_finding(here: Path, tui: Any) -> None:
    async with tui.run(here, audit=True) as pilot:
        await tui.press(pilot, "6")
        text = await tui.press(pilot, "C")
        assert "Chance made visible: cafs in slow" in text.splitlines()[0]
        assert "no treatment has any effect in them" in " ".join(text.split())
        last = await tui.press(pilot, "G")
        assert "copy 10 ·" in last and "…" not in last.split("WITHOUT ANY EFFECT")[-1].split("copy 2")[0][:200]
        shown = pilot.app.screen
        assert shown.shell() == "alsbench chance --subgroup slow --endpoint cafs"
        printed = tui.shell(shown.shell(), here)
        levels = {r.level for r in shown.result.rows if r.stat_name == "headline"}
        assert all(f"{level} · " in printed for level in levels) and len(levels) == 12
        assert "Chance" not in await tui.press(pilot, "escape")
    looks = [json.loads(line) for line in (here / "audit.jsonl").read_text().splitlines()]
    mine = [e for e in looks if "check chance" in json.dumps(e)]
    assert [e["facts"]["format"] for e in mine] == ["screen", "table"]


async def test_the_palette_finds_it(workspace: Path, tui: Any) -> None:
    from alsbench.tui.commands import entries

    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "6")
        app = pilot.app
        found = entries(app.registry, app.session, app.ready.catalogue, "copies headlines")
        assert found and found[0].command.id == "chance"
