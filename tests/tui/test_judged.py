"""Small p outside the plan on Evidence and Forest: a dagger, then the letter of the bottom line as soon as it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.scrutiny import catalogue
from alsbench.tui.answers import CheckKey


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 255)


def colour_of(app: Any, text: str) -> str:
    """The role of the cell that begins with a text."""
    for row in range(len(app.view.table.model)):
        for cell, role in app.view.table.model.row(row):
            if cell.strip().startswith(text):
                return str(role)
    raise AssertionError(f"no cell begins with {text}")


async def test_a_small_p_is_amber_with_a_dagger_until_it_is_judged(own_workspace: Path, tui: Any) -> None:
    """CAFS, Group 2, slow: p 0.024 for the treatment. Judged, it is what chance offers; the command then judges too."""
    async with tui.run(own_workspace, size=(120, 40)) as pilot:
        shown = tui.text(pilot.app)
        assert "0.024▲†" in shown and "† A judges" in shown
        assert colour_of(pilot.app, "8.95") == "warn"
        assert not any(
            role == "good" for row in range(len(pilot.app.view.table.model)) for _, role in pilot.app.view.table.model.row(row)
        )
        assert "--judge" not in pilot.app.exporter.shell_command()
        judged = await tui.press(pilot, "A")
        assert "0.024▲C" in judged and "†" not in judged and "C chance" in judged.splitlines()[2]
        assert colour_of(pilot.app, "8.95") == ""
        assert "--judge" in pilot.app.exporter.shell_command()
        forest = await tui.press(pilot, "5", "]")
        assert "0.024 C" in forest and "†" not in forest  # slow is the only subgroup of CAFS with a small p
        assert "; C chance" in await tui.press(pilot, "j")
        assert "--judge" in pilot.app.exporter.shell_command()


async def test_what_is_exported_is_what_the_shell_prints(
    own_workspace: Path, tui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partly judged it is the table of the plain command, all judged that of ``--judge``: the same bytes, whatever was known
    when it was asked for."""

    monkeypatch.chdir(own_workspace)

    async def exported(app: Any, name: str) -> list[str]:
        app.exporter.export(str(tmp_path / name))
        await tui.settle(pilot)
        return (tmp_path / name).read_text().splitlines()

    async with tui.run(own_workspace, size=(120, 40)) as pilot:
        app = pilot.app
        none = await exported(app, "none.csv")
        app.answers.ask(CheckKey("bottom_line", "slow", "cafs"), app.opened.source, lambda: None)
        await tui.press(pilot, "5", "1")
        assert "0.024▲C" in tui.text(app) and "†" in tui.text(app)
        assert await exported(app, "one.csv") == none
        plain, partly = app.exporter.shell_command(), await exported(app, "one.txt")
        await tui.press(pilot, "A")
        judged, every = app.exporter.shell_command(), await exported(app, "all.csv")
        page = await exported(app, "all.txt")
    assert any("0.024 †" in line for line in partly) and not any("0.024 C" in line for line in partly)
    assert "--judge" not in plain and "--judge" in judged
    assert tui.shell(plain, own_workspace, "-q", "--format", "csv").splitlines() == none
    assert tui.shell(judged, own_workspace, "-q", "--format", "csv").splitlines() == every
    assert len(every) > len(none) and any("0.024 C" in line for line in page)


async def test_a_bottom_line_that_is_kept_is_shown_at_once(own_workspace: Path, tui: Any) -> None:
    """What the shell has scrutinised the app knows; after scrutiny of a finding here its sign appears too."""
    (own_workspace / "results").unlink()  # those of other tests
    tui.shell("alsbench scrutinise -e alsfrs -s slow --check bottom_line -q", own_workspace)
    async with tui.run(own_workspace, size=(120, 40), kept=True) as pilot:
        shown = tui.text(pilot.app)
        assert "0.015▲C" in shown and "0.017▲†" in shown
