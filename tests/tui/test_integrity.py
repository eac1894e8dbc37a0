"""A log that does not verify, and a workspace that is gone, are said by the app, and by what leaves it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from alsbench.audit.chain import verify
from alsbench.audit.log import explain

SAID = "the audit log does not verify"


def damage(workspace: Path) -> None:
    path = workspace / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"who":"', b'"who":"x', 1))


async def test_a_broken_log_is_in_the_header_and_in_what_is_exported(here: Path, tui: Any) -> None:
    damage(here)
    async with tui.run(here, audit=True, size=(120, 40)) as pilot:
        assert "LOG DOES NOT VERIFY" in tui.text(pilot.app).splitlines()[0]
        await tui.press(pilot, "4")
        for name in ("a.txt", "a.csv", "a.json", "a.md", "a.html"):
            pilot.app.exporter.export(name)
            await tui.settle(pilot)
            assert SAID in " ".join((here / name).read_text().split()), name
        await tui.press(pilot, "9")
        assert "line 1" in tui.text(pilot.app)
    assert not verify(here / "audit.jsonl").intact
    explain(here / "audit.jsonl", "a disk that was restored")
    async with tui.run(here, size=(120, 40)) as pilot:
        assert "LOG BROKEN, EXPLAINED" in tui.text(pilot.app).splitlines()[0]


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced", "its log cut"])
async def test_a_workspace_that_is_gone_is_said_and_nothing_is_written(here: Path, tui: Any, tmp_path: Path, how: str) -> None:
    async with tui.run(here, audit=True, size=(120, 40)) as pilot:
        app = pilot.app
        elsewhere = tmp_path / "elsewhere"
        if how == "its log cut":
            (here / "audit.jsonl").write_bytes(b"")
        else:
            shutil.copytree(here, elsewhere)
            shutil.rmtree(here)
            if how == "replaced":
                shutil.copytree(elsewhere, here)
        before = {p: p.read_bytes() for p in here.rglob("*") if p.is_file()}
        app.look_for_newer_data()
        await pilot.pause()
        assert "newer data" not in tui.text(app)
        assert "WORKSPACE GONE" in tui.text(app)
        assert "the workspace is gone" in tui.text(app)
        app.exporter.export(str(tmp_path / "taken.csv"))
        await tui.settle(pilot)
        assert not (tmp_path / "taken.csv").exists()
        await tui.press(pilot, "4")  # a look at something else
        await tui.settle(pilot)
        assert "the workspace is gone" in tui.text(app)
        assert {p: p.read_bytes() for p in here.rglob("*") if p.is_file()} == before
        assert here.exists() == (how in ("replaced", "its log cut")), "no new folder, no new log"


async def test_an_export_does_not_go_through_a_link(here: Path, tui: Any, tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    link, dangling = tmp_path / "link.txt", tmp_path / "dangling.txt"
    victim.write_text("mine")
    link.symlink_to(victim)
    dangling.symlink_to(tmp_path / "new.txt")
    async with tui.run(here, size=(120, 40)) as pilot:
        for target in (str(link), str(dangling), f"{dangling} --mask 5"):
            pilot.app.exporter.export(target)
            await tui.settle(pilot)
    assert victim.read_text() == "mine"
    assert not (tmp_path / "new.txt").exists()
