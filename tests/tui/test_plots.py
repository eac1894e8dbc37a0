"""Plots on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any


async def test_the_survival_plot_has_steps_censor_ticks_and_numbers_at_risk(workspace: Path, tui: Any) -> None:
    from alsbench.stats.survival import SurvivalCurve
    from alsbench.tui.answers import CurveKey, Curves

    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4")
        await app.keys.run_line("endpoint survival")
        await tui.settle(pilot)
        text = await tui.press(pilot, "p")
        found = app.answers.get(CurveKey(app.view.wanted()[0]))
        assert isinstance(found, Curves)
        lines = text.splitlines()
        for arm, curve in found.by_arm.items():
            assert isinstance(curve, SurvivalCurve)
            row = next(line for line in reversed(lines) if line[2:].startswith(arm))
            marker, at_risk = row[0], [int(t) for t in row.removeprefix(f"{row[0]} {arm}").split()]
            assert at_risk[:2] == [curve.n, curve.at(100.0).n_risk]
            assert sum(line.count(marker) for line in lines[4:-4]) >= 3, "the marker stands along the curve"
        assert "+" in "".join(line for line in lines if "│" in line)
        assert any(line.lstrip().startswith("└") for line in lines)
        assert not any(isinstance(v, Curves) for v in app.view.exported_results())
        assert (
            app.exporter.shell_command().startswith("alsbench endpoint survival") and "--curve" in app.exporter.shell_command()
        )
