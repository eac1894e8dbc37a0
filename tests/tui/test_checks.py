"""The Scrutiny screen, and what the Log says of claims that were checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any


async def test_a_check_is_computed_when_asked_for_and_says_its_verdict(workspace: Path, tui: Any) -> None:
    from alsbench.analysis.scrutiny import ALL, run_check, verdict

    async with tui.run(workspace) as pilot:
        app = pilot.app
        text = await tui.press(pilot, "6")
        assert len(app.view.table.model) == len(ALL)
        assert all("enter computes" in app.view.full.text(k, 2) for k in range(len(ALL)))
        assert not app.view.exported_results()
        text = await tui.press(pilot, "j", "j", "j", "j", "enter")
        expected = run_check("balance", app.opened.source, "slow", endpoint=app.session.choice.endpoint)
        assert app.view.exported_results() == (expected,)
        assert "Baseline balance" in text.splitlines()[0]
        text = await tui.press(pilot, "escape")
        assert verdict(expected)[:20] in text
        assert app.exporter.shell_command().startswith("alsbench scrutinise --subgroup slow --endpoint cafs --check balance")


async def test_the_log_names_the_claims_that_were_checked(own_workspace: Path, tui: Any) -> None:
    from alsbench.audit.log import append

    append(own_workspace / "audit.jsonl", "claims", {"file": "release.toml", "sha256": "0" * 64, "claims": ["cafs", "nfl-4"]})
    async with tui.run(own_workspace) as pilot:
        text = await tui.press(pilot, "9")
        assert "release.toml: cafs, nfl-4" in text
        assert '"nfl-4"' in await tui.press(pilot, "enter")
