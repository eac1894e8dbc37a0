"""What leaves the app under a mask is what the shell prints under it; single subjects and pictures do not leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alsbench.audit.log import entries
from alsbench.tui.exporter import split_mask

K = 40  # larger than an arm of the sample trial's subgroups


@pytest.fixture
def floor(here: Path) -> Path:
    """A workspace whose study file says that small counts are hidden."""
    path = here / "study.toml"
    path.write_text(path.read_text().replace("[study]\n", f"[study]\nmask = {K}\n", 1))
    return here


def test_a_mask_is_named_beside_the_file() -> None:
    assert split_mask("/tmp/my file.csv --mask 5") == ("/tmp/my file.csv", 5)
    assert split_mask("out.csv --mask=11 ") == ("out.csv", 11)
    assert split_mask("out --mask.csv") == ("out --mask.csv", 0)


async def test_exports_under_a_mask_are_those_of_the_shell(here: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(here, audit=True) as pilot:
        await tui.press(pilot, "4", "t")
        line = pilot.app.exporter.shell_command()
        await tui.settle(pilot)
        for kind in ("json", "csv", "tsv", "md", "txt"):
            pilot.app.exporter.export(f"{tmp_path / f'out.{kind}'} --mask {K}")
            await tui.settle(pilot)
            assert f"counts below {K} masked" in pilot.app._status
        pilot.app.exporter.export(f"{tmp_path / 'out.svg'} --mask {K}")
        await tui.settle(pilot)
        assert "picture cannot be masked" in pilot.app._status
        pilot.app.exporter.export(f"{tmp_path / 'out.csv'} --mask {K}")
        await tui.settle(pilot)
        assert "exists" in pilot.app._status
    found = json.loads((tmp_path / "out.json").read_text())
    counts = [r for r in found["results"] if r["stat_name"] == "n"]
    assert counts and all(r["stat"] is None or r["stat"] >= K for r in counts)
    assert json.loads(tui.shell(f"{line} --mask {K} --format json", here))["results"] == found["results"]
    for kind in ("csv", "tsv", "md", "txt"):
        text = (tmp_path / f"out.{kind}").read_text()
        assert f"<{K}" in text.replace("\\", "")
        assert (tmp_path / f"out.{kind}").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "out.svg").exists()
    assert [e.action for e in entries(here / "audit.jsonl")].count("export") == 5


async def test_a_mask_of_the_study_holds_for_all_that_is_taken_away(floor: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(floor) as pilot:
        await tui.press(pilot, "4", "t")
        pilot.app.exporter.export(str(tmp_path / "out.json"))
        await tui.settle(pilot)
        assert "masked" in pilot.app._status
        pilot.app.exporter.do_copy_cell()
        assert "cannot be masked" in pilot.app._status
        pilot.app.exporter.do_copy_table()
        await tui.settle(pilot)
        assert "masked" in pilot.app._status
        await tui.press(pilot, "2", "enter")  # the subjects of an arm
        pilot.app.exporter.export(str(tmp_path / "subjects.csv"))
        await tui.settle(pilot)
        assert "cannot be masked" in pilot.app._status
        await tui.press(pilot, "enter")
        pilot.app.exporter.export(str(tmp_path / "profile.txt"))
        await tui.settle(pilot)
        assert "cannot be masked" in pilot.app._status
        await tui.press(pilot, "8")
        pilot.app.exporter.do_copy_table()
        await tui.settle(pilot)
    assert sorted(p.name for p in tmp_path.glob("*.*")) == ["out.json"]
    assert any(r["stat"] is None for r in json.loads((tmp_path / "out.json").read_text())["results"])


async def test_what_leaves_every_screen_is_what_its_command_writes(here: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(here) as pilot:
        exporter = pilot.app.exporter
        for number, kind, form in zip(
            "1234567890", ("csv", "txt", "md", "tsv", "json") * 2, ("csv", "table", "md", "tsv", "json") * 2, strict=True
        ):
            await tui.press(pilot, number)
            path = tmp_path / f"{number}.{kind}"
            exporter.export(f"{path} --mask {K}")
            await tui.settle(pilot)
            assert "masked" in pilot.app._status, (number, pilot.app._status)
            mask = "" if number == "9" else f"--mask {K}"  # the log has no counts
            printed = tui.shell(f"{exporter.shell_command()} {mask} --format {form}", here, code=int(number == "0"))
            assert path.read_text() == printed, number


async def test_work_that_was_cancelled_writes_nothing(here: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(here) as pilot:
        pilot.app.exporter.export(f"{tmp_path / 'out.csv'} --mask {K}")
        assert "exporting" in tui.text(pilot.app)
        await tui.press(pilot, "ctrl+c")
        assert "cancelled 1 running" in tui.text(pilot.app)
    assert not (tmp_path / "out.csv").exists()
