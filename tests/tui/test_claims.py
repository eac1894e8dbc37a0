"""The Claims screen: verdicts, numbers and what is behind them; its file missing, damaged, edited; what is logged, exported."""

from __future__ import annotations

import contextlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.claims import checked
from alsbench.audit.log import entries
from alsbench.tui.app import Workbench
from alsbench.tui.screens.claims import ClaimTable
from alsbench.tui.screens.drilldown import BehindNumber


async def test_verdicts_numbers_and_records_behind_them(here: Path, tui: Any) -> None:
    async with tui.run(here) as pilot:
        app = pilot.app
        lines = (await tui.press(pilot, "0")).splitlines()
        names = ("cafs-five-doses", "nfl-month-4", "alsfrs-month-12")
        listed = [" ".join(line.split()[1:5]) for line in lines if line.startswith(names)]
        assert listed == ["† A judges yes", "† A judges yes", "no finding NO NO:"]  # of these two p is small
        made = json.loads(tui.shell(app.exporter.shell_command(), here, "--format", "json", code=1))
        told = {r["claim"]: (r["coherent"], r["reproduced"]) for r in made["rows"]}
        for row in app.view.full.sections[0].rows:
            name, _, coherent, reproduced, *_ = (text.strip() for text, _ in row.cells)
            assert told[name] == (coherent, reproduced)
        await tui.press(pilot, "enter")
        assert isinstance(app.screen, ClaimTable)
        numbers = json.loads(tui.shell(app.screen.shell(), here, "--format", "json"))["more"][0]["rows"]
        text = tui.text(app)
        assert all(str(r["recomputed"]) in text for r in numbers)
        assert "POST HOC" in text
        text = await tui.press(pilot, "l", "l", "l", "enter")
        assert isinstance(app.screen, BehindNumber)
        assert "43 subjects ranked" in text
        await tui.press(pilot, "escape", "escape")
    logged = [(e.action, e.facts.get("claims")) for e in entries(here / "audit.jsonl") if e.action in {"claims", "look"}]
    named = [c for action, c in logged if action == "claims" and c is not None]
    assert ["cafs-five-doses", "nfl-month-4", "alsfrs-month-12"] in named


async def test_a_claim_whose_analysis_was_edited_after_the_lock_says_so(here: Path, tui: Any) -> None:
    assert tui.shell("alsbench lock", here)
    path = here / "study.toml"
    path.write_text(path.read_text().replace("[endpoints.cafs]", "[endpoints.cafs]\nseed = 7"))
    async with tui.run(here) as pilot:
        text = await tui.press(pilot, "0")
        rows = [[cell for cell, _ in row.cells] for row in pilot.app.view.full.sections[0].rows]
        assert [cells for cells in rows if cells[0] == "cafs-five-doses" and any("post hoc deviation" in c for c in cells)]
        assert "post hoc; deviation (" in text
        assert "POST HOC, DEVIATION" in await tui.press(pilot, "enter")


async def test_scrutiny_of_the_claims(here: Path, tui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    few = tuple(c for c in checked.ALL if c.id in {"overall", "alternatives"})
    monkeypatch.setattr(checked, "ALL", few)
    async with tui.run(here) as pilot:
        await tui.press(pilot, "0")
        assert "--scrutinise" not in pilot.app.exporter.shell_command()
        text = await tui.press(pilot, "A")
        assert "1 of 1" in text or "0 of 1" in text
        assert "--scrutinise" in pilot.app.exporter.shell_command()
        assert "14. Gehan-Wilcoxon" in await tui.press(pilot, "enter", "G")


async def test_an_export_is_what_the_shell_prints(here: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(here) as pilot:
        await tui.press(pilot, "0")
        command = pilot.app.exporter.shell_command()
        for kind in ("txt", "json", "csv", "html"):
            pilot.app.exporter.export(str(tmp_path / f"claims.{kind}"))
            await tui.settle(pilot)
            form = "table" if kind == "txt" else kind
            assert (tmp_path / f"claims.{kind}").read_text() == tui.shell(command, here, "--format", form, code=1)
        assert "SYNTHETIC" in (tmp_path / "claims.txt").read_text()


async def test_without_a_file_an_example_is_shown_and_edited(
    here: Path, tui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def suspend(_: Workbench) -> Any:
        yield

    def editor(text: str) -> None:
        program = tmp_path / "edit"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("VISUAL", str(program))

    monkeypatch.setattr(Workbench, "suspend", suspend)
    path = here / "claims.toml"
    path.unlink()
    async with tui.run(here) as pilot:
        text = await tui.press(pilot, "0")
        assert "E writes the file" in text
        assert 'comparison = "G1-M6"' in text
        editor("true")
        await tui.press(pilot, "E")
        assert not path.exists(), "an example that nobody changed is no claim"
        editor("""sed -i 's/^# //; s/7[.]29/1.00/' "$1" """)
        text = await tui.press(pilot, "E")
        assert "NO: 0 of 2" in text
        assert path.stat().st_mode & 0o777 == 0o600
        editor("""sed -i 's/"1.00"/"one"/' "$1" """)
        text = await tui.press(pilot, "E")
        assert "is not a printed number" in text
        assert "claims.toml" in text
        editor("""sed -i 's/"one"/"1.00"/' "$1" """)
        assert "NO: 0 of 2" in await tui.press(pilot, "E")
