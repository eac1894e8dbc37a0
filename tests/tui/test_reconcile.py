"""`:reconcile FILE` in the app: classes worst first, both sides of a number, what cannot be read, and its shell command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Small, load_small
from tests.shell import run_here

from alsbench.data.workspace import Workspace


@pytest.fixture
def theirs(here: Path, tui: Any, tmp_path: Path) -> Path:
    """Our ANCOVA as another program might send it: one p beyond 0.05, one difference moved, one mean with noise."""
    made = json.loads(tui.shell("alsbench endpoint alsfrs_ancova --subgroup slow --format json", here))
    at = {(r["stat_name"], r["treatment"], r["visit_number"], r["arm"]): r for r in made["results"]}
    p = at["p_value", "Group 2", 12, None]
    p["stat"] = 0.5 if p["stat"] < 0.05 else 0.01
    at["difference", "Group 1", 6, None]["stat"] += 0.01
    at["ls_mean", "Group 1", 6, "Placebo"]["stat"] *= 1 + 1e-15
    path = tmp_path / "cro ancova.json"
    path.write_text(json.dumps(made))
    return path


async def test_classes_stand_worst_first_and_enter_opens_both_sides(here: Path, theirs: Path, tui: Any) -> None:
    async with tui.run(here, size=(120, 36)) as pilot:
        pilot.app.do_reconcile(f"'{theirs}'")
        text = await tui.settle(pilot)
        lines = [" ".join(line.split()) for line in text.splitlines()]
        classes = [line.rsplit(" ", 1) for line in lines[lines.index("Class Numbers") + 1 :]][:4]
        assert [c[0] for c in classes] == ["changes a conclusion", "different", "noise", "identical"]
        assert [c[1] for c in classes[:3]] == ["1", "1", "1"]
        differing = lines[lines.index("What differs, worst first") + 1 :]
        assert differing[1].startswith("changes a conclusion p_value") and differing[2].startswith("different difference")
        shown = pilot.app.screen
        assert shown.shell() == f"alsbench reconcile {here} '{theirs}'"
        await tui.press(pilot, "j", "j", "j", "j")
        text = await tui.press(pilot, "enter")
        assert "THEIRS" in text and "OURS" in text and "changes a conclusion" in text and "records of ADQS" in text


async def test_why_they_differ_stands_above_the_classes(here: Path, tui: Any, tmp_path: Path) -> None:
    """Theirs is ours with LS means over observed margins; the file does not say so."""
    asked = "alsbench endpoint alsfrs_ancova --subgroup slow --option ls_means=proportional --format json"
    made = json.loads(tui.shell(asked, here))
    made["question"]["options"] = {}
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(made))
    async with tui.run(here, size=(100, 36)) as pilot:
        pilot.app.do_reconcile(str(path))
        await tui.settle(pilot)
        text = " ".join((await tui.press(pilot, "w")).split())
        assert "Why alsfrs_ancova, slow: their" in text and "are ours with observed margins" in text
        assert pilot.app.screen.shell().endswith(" --why")


async def test_a_file_that_cannot_be_read_is_said_and_nothing_is_lost(here: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(here) as pilot:
        pilot.app.do_reconcile(str(tmp_path / "nowhere.json"))
        assert "there is no such file or folder" in await tui.settle(pilot)
        await tui.press(pilot, "escape")
        pilot.app.do_reconcile("a b c d")
        assert "reconcile takes FILE" in await tui.settle(pilot)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The small trial, loaded again with one value changed and one record gone."""
    load_small(tmp_path)
    small = Small.of(tmp_path)
    rows = small.records()
    rows[5]["AVAL"] += 3  # S01 at visit 2
    rows[5]["CHG"] += 3
    rows.pop(8)  # S02 at visit 2
    ran = run_here(["load", small.data(adqs=rows), "-w", small.workspace, "-q"])
    assert ran.code == 0, ran.err
    return small.workspace


async def test_two_snapshots_stand_beside_each_other(two: Path, tui: Any) -> None:
    """`:diff`: classes first, contrasts and records below, both sides of each, and the command that prints the same."""
    old, new = Workspace(two).snapshot_names()
    async with tui.run(two, size=(120, 40)) as pilot:
        await tui.settle(pilot)
        await tui.press(pilot, "colon")
        await tui.press(pilot, *"diff", "enter")
        lines = [" ".join(line.split()) for line in (await tui.settle(pilot)).splitlines()]
        assert lines[0].startswith(f"{old} beside {new}")
        at = lines.index("How the data differ, worst first")
        assert lines[at + 2 : at + 5] == ["only old ADQS records 1", "different ADQS AVAL 1", "different ADQS CHG 1"]
        assert any(line.startswith("Results: 1 of 3 contrasts changed") for line in lines)
        assert any("changed S01 TOTAL 2 AVAL" in line for line in lines)
        shown = pilot.app.screen
        assert shown.shell() == f"alsbench diff {old} {new} -w {two}"
        printed = run_here(["diff", old, new, "-w", two, "-q"])
        assert printed.code == 1 and "Results: 1 of 3 contrasts changed" in printed.out
        shown.table.go(next(i for i in range(len(shown.whole)) if shown.whole.text(i, 4) == "AVAL"))
        both = [" ".join(line.split()) for line in (await tui.press(pilot, "enter")).splitlines()]
        assert "Key S01 TOTAL 2" in both and any(line.startswith("Old ") for line in both)
        await tui.press(pilot, "escape")
        text = " ".join((await tui.press(pilot, "w")).split())
        assert "1 record of ADQS changed in AVAL, CHG" in text and pilot.app.screen.shell().endswith(f"--why -w {two}")
    looks = [json.loads(line) for line in (two / "audit.jsonl").read_text().splitlines()]
    assert any(e["action"] == "look" and e["facts"].get("asked") == f"alsbench diff {old} {new}" for e in looks)


async def test_what_cannot_be_compared_is_said(two: Path, tui: Any) -> None:
    async with tui.run(two) as pilot:
        await tui.settle(pilot)
        pilot.app.do_diff("nosuch")
        assert "no snapshot is named nosuch" in await tui.settle(pilot)
        pilot.app.do_diff("a b c")
        assert "diff takes one snapshot or two" in await tui.settle(pilot)
        study = two / "study.toml"
        study.write_text(study.read_text().replace("synthetic = true", "synthetic = true\nmask = 5"))
        await tui.press(pilot, "ctrl+r")
        pilot.app.do_diff()
        assert "cannot be masked: counts below" in " ".join((await tui.settle(pilot)).split())


async def test_two_snapshots_of_other_tables_under_another_study(twice: Path, tui: Any) -> None:
    """A new table and a new column are lines of their own; the study that is asked of both is the one that stands now."""
    study = twice / "study.toml"
    study.write_text(
        study.read_text().replace('name = "actives"\nwhere = "SITE == \'A\'"', 'name = "men"\nwhere = "SEX == \'M\'"')
    )
    async with tui.run(twice, size=(160, 45)) as pilot:
        await tui.settle(pilot)
        pilot.app.do_diff()
        lines = [" ".join(line.split()) for line in (await tui.settle(pilot)).splitlines()]
        assert "only new ADXX records 1" in lines and "only new ADSL SEX 12 the column" in lines
        assert "noise ADSL AGE 12 12 records differ by noise only" in lines
        assert "ADXX added 0 1 1 0 0 0" in lines
        assert any(line.startswith("only new score men Active Month 2") for line in lines)  # the old one has no SEX
        assert not any("actives" in line for line in lines)


async def test_one_snapshot_alone_is_compared_with_nothing(here: Path, tui: Any) -> None:
    async with tui.run(here) as pilot:
        await tui.settle(pilot)
        await tui.press(pilot, ":diff")
        text = " ".join((await tui.settle(pilot)).split())
        assert "there is no snapshot before the current one" in text
        name = Workspace(here).current_name()
        pilot.app.do_diff(f"{name} {name}")
        assert "Data the same" in " ".join((await tui.settle(pilot)).split())


async def test_a_blinded_workspace_compares_dummy_arms(tmp_path: Path, tui: Any) -> None:
    """Two deliveries blinded with one key: neither the screen, what is copied nor what is written has an arm of the trial."""
    load_small(tmp_path)
    small, blind, key = Small.of(tmp_path), tmp_path / "blind", tmp_path / "key.json"
    # an arm that was corrected: what differs is the arm of a subject
    moved = [{**s, "TRT01P": "Active", "TRT01A": "Active"} if s["USUBJID"] == "S02" else s for s in small.subjects]
    for subjects in (small.subjects, moved):
        words = ["load", small.data(adsl=subjects), "--study", small.study, "-w", blind, "--blinded", "--key", key, "-q"]
        ran = run_here(words)
        assert ran.code == 0, ran.err
    async with tui.run(blind, size=(120, 40)) as pilot:
        await tui.settle(pilot)
        pilot.app.do_diff()
        text = await tui.settle(pilot)
        copied = pilot.app.screen.page()
        from alsbench.service.output import page_in

        await tui.press(pilot, "x")
        await tui.press(pilot, "ctrl+u", *str(tmp_path / "out.txt"), "enter")
        assert "wrote" in await tui.settle(pilot)
        written = (tmp_path / "out.txt").read_text()
        for shown in (text, page_in(copied, "txt"), written):
            assert "BLINDED: dummy arms" in " ".join(shown.split())
            assert "S02" in shown and "Active" not in shown and "Placebo" not in shown


async def test_under_a_mask_of_the_settings_nothing_leaves(
    twice: Path, tui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen shows its user what the user may see; two snapshots tell of single records, and are not copied or written."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings = tmp_path / "config" / "alsbench" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("mask = 5\n")
    async with tui.run(twice, size=(120, 40)) as pilot:
        await tui.settle(pilot)
        pilot.app.do_diff()
        assert "S01 TOTAL 2" in await tui.settle(pilot)
        await tui.press(pilot, "Y")
        assert "cannot be masked: counts below 5 are hidden" in await tui.settle(pilot)
        await tui.press(pilot, "x")
        await tui.press(pilot, "ctrl+u", *str(tmp_path / "out.txt"), "enter")
        assert "cannot be masked: counts below 5 are hidden" in await tui.settle(pilot)
        assert not (tmp_path / "out.txt").exists()
        await tui.press(pilot, "y")
        assert "one cell cannot be masked" in await tui.settle(pilot)
    assert run_here(["diff", "previous", "-w", twice]).code == 2


async def test_what_is_written_is_what_the_shell_prints(twice: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(twice, size=(120, 40)) as pilot:
        await tui.settle(pilot)
        pilot.app.do_diff()
        await tui.settle(pilot)
        for form in ("txt", "csv", "json", "html", "rtf", "md"):
            await tui.press(pilot, "x")
            await tui.press(pilot, "ctrl+u", *str(tmp_path / f"out.{form}"), "enter")
            assert "wrote" in await tui.settle(pilot)
            printed = run_here(["diff", "previous", "-w", twice, "-q", "--format", "table" if form == "txt" else form])
            assert (tmp_path / f"out.{form}").read_text() == printed.out
        await tui.press(pilot, "x")
        await tui.press(pilot, "ctrl+u", *str(tmp_path / "out.svg"), "enter")
        assert "as no picture" in await tui.settle(pilot)
    entries = [json.loads(line) for line in (twice / "audit.jsonl").read_text().splitlines()]
    assert sum(e["action"] == "export" and e["facts"].get("file") == "out.csv" for e in entries) == 1
