"""What keys do, on the sample trial: every path ends in an action, every answer in its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.study.spec import read_study
from alsbench.tui import actions as act
from alsbench.tui.safetext import safe
from alsbench.tui.screens.endpoint import EndpointView
from alsbench.tui.session import SCREENS


async def test_evidence_fills_and_opens_the_endpoint_there(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        assert "..." not in tui.text(pilot.app)
        text = await tui.press(pilot, "j", "l", "l", "enter")
        assert pilot.app.session.screen == "endpoint"
        assert pilot.app.session.choice.endpoint == "alsfrs"
        assert "ALSFRS-R total score  Group 1 vs Placebo" in text


async def test_synthetic_and_post_hoc_stand_on_every_screen(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        for key in "123456789":
            text = await tui.press(pilot, key)
            first = text.splitlines()[0]
            assert "SYNTHETIC" in first
            assert "slow post hoc" in first


async def test_toggle_undo_redo(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        text = await tui.press(pilot, "3", "j", "space")
        assert app.session.choice.subgroups == ("slow", "nfl_low")
        assert "[x] nfl_low" in text
        await tui.press(pilot, "u")
        assert app.session.choice.subgroups == ("slow",)
        await tui.press(pilot, "ctrl+r")
        assert app.session.choice.subgroups == ("slow", "nfl_low")


async def test_endpoint_comparison_visit_and_options(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4", "right_curly_bracket")
        assert app.session.choice.endpoint == "alsfrs"
        text = await tui.press(pilot, "right_square_bracket")
        assert "Group 2 vs Placebo" in text
        text = await tui.press(pilot, "greater_than_sign", "greater_than_sign")
        assert app.session.choice.visit == 2.0
        assert "Month 2" in text
        assert "Month 3" not in text
        await app.run_line("visit all")
        await app.run_line("option covariance cs")
        await tui.settle(pilot)
        text = await tui.press(pilot, "m")
        assert ("covariance", "cs") in app.session.choice.options
        assert "compound symmetry" in text.lower() or "cs" in text


async def test_arms_lead_to_a_profile_and_back(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "2", "j", "enter")
        assert app.session.place.arm == "Group 1"
        text = await tui.press(pilot, "j", "enter")
        assert app.session.place.record is not None
        assert "ALSFRS-R total score" in text
        assert "dose" in text
        before = app.session.place.record
        await tui.press(pilot, "right_square_bracket")
        assert app.session.place.record != before
        assert app.session.choice.comparison == "G1-M6", "the bracket keys step subjects here"
        await tui.press(pilot, "escape")
        assert app.session.place.record is None
        text = await tui.press(pilot, "escape", "escape")
        assert app.session.place == app.session.place.__class__("arms")
        assert "ised" in text


async def test_filter_and_matches(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "2", "enter", "slash", *"BULBAR", "enter")
        assert 0 < len(app.view.table.model) < 46
        rows = len(app.view.table.model)
        assert f"{rows} of 46 rows" in tui.text(app)
        await tui.press(pilot, "n", "n", "N")
        assert app.view.table.cursor_row == 1
        await tui.press(pilot, "escape")
        assert len(app.view.table.model) == 46
        assert app.session.place.arm == "Placebo", "the first esc clears the filter"


async def test_a_subgroup_is_added_edited_and_deleted(own_workspace: Path, tui: Any) -> None:
    path = own_workspace / "study.toml"
    before = path.read_text()
    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        text = await tui.press(pilot, "3", "a", *"AGE < 50")
        assert "n = " in text
        assert "Placebo" in text
        text = await tui.press(pilot, "enter")
        assert "name: needed" in text
        await tui.press(pilot, "down", *"young", "enter")
        made = read_study(path).subgroup("young")
        assert made is not None
        assert made.where == "AGE < 50"
        assert not made.prespecified
        assert "young" in [i.name for i in app.catalogue.subgroups]
        await tui.press(pilot, "G")
        assert app.view.here.name == "young"
        await tui.press(pilot, "e", "backspace", "backspace", *"55", "enter")
        changed = read_study(path).subgroup("young")
        assert changed is not None
        assert changed.where == "AGE < 55"
        await tui.press(pilot, "G", "D", "n")
        assert read_study(path).subgroup("young") is not None
        await tui.press(pilot, "G", "D", "y")
        assert path.read_text().strip() == before.strip()


async def test_an_expression_fault_is_shown_where_it_is(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "3", "a", *"AGE < BANANA")
        lines = text.splitlines()
        caret = next(line for line in lines if line.rstrip().endswith("^ here"))
        assert caret.index("^") == "AGE < BANANA".index("BANANA")
        text = await tui.press(pilot, *["backspace"] * 12, *"CHG < 0")
        assert "n = " not in text


async def test_completion_of_columns(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "3", "a", *"LEADR", "tab")
        assert pilot.app.screen.inputs["where"].value == "LEADRATE"


async def test_behind_this_number_shows_the_records(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "4", "right_curly_bracket", "l", "l", "enter")
        assert "Behind this number" in text
        assert "ls_mean" in text
        assert "command" in text
        row = pilot.app.view.source()[0][0]
        shown = pilot.app.screen.table.model
        assert row.stat_name == "ls_mean"
        assert {shown.row(k)[1][0] for k in range(len(shown))} == {row.arm}
        assert {shown.row(k)[2][0] for k in range(len(shown))} == {f"{row.visit_number:g}"}
        text = await tui.press(pilot, "G")
        assert "ALSDEMO-" in text
        text = await tui.press(pilot, "escape")
        assert "[table]" in text


async def test_behind_a_rank_stand_the_pairs_that_decided_it(workspace: Path, tui: Any) -> None:
    from alsbench.analysis.why import why_rank_of

    async with tui.run(workspace) as pilot:
        app = pilot.app
        text = await tui.press(pilot, "4", "j", "j", "l", "enter")
        assert "67 subjects ranked, best first" in text
        text = await tui.press(pilot, "j", "enter")
        found = app.screen
        ranking = why_rank_of(app.opened.source, found.question, found.subject).rankings[0]
        assert len(found.table.model) == len(ranking.pairs) == 66
        won = [found.table.model.row(k)[2][0] for k in range(66)].count("won")
        assert won == ranking.count("won")
        assert f"score {ranking.score}" in text
        assert "ranked, best first" in await tui.press(pilot, "escape")
        assert "[table]" in await tui.press(pilot, "escape")


async def test_many_records_behind_a_number_come_by_page(workspace: Path, tui: Any) -> None:
    from alsbench.analysis.result import Row
    from alsbench.tui.records_behind import Records, behind_row

    async with tui.run(workspace) as pilot:
        source = pilot.app.opened.source
        row = Row("alsfrs", "mmrm", "FAS", "overall", "subgroup", "n", 112)
        found = behind_row(source, row)
        assert isinstance(found, Records)
        assert found.count > 1000
        assert len(found.first) == 200
        assert len(found.page(source, found.count // 200)) == found.count % 200


async def test_data_pages_filter_sort_and_freeze(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "8", "j", "j", "j", "enter")
        table = app.view.table
        total = len(table.model)
        assert total > 10_000
        text = await tui.press(pilot, "G")
        assert "..." not in text
        assert len(app.view.model.pages) <= 8
        await tui.press(pilot, "slash", *"AVISITN == 6 and PARAMCD == 'ALSFRSR'", "enter")
        assert 50 < len(table.model) < 130
        assert "--where" in app.shell_command()
        app.view.table.go(0, [c.name for c in app.view.model.info.columns].index("AVAL"))
        await tui.press(pilot, "S")
        values = [float(app.view.model.row(k)[table.cursor_col][0]) for k in range(10)]
        assert values == sorted(values)
        text = await tui.press(pilot, "enter")
        assert "median" in text
        await tui.press(pilot, "escape", "escape")
        assert len(table.model) == total


async def test_a_bad_filter_leaves_the_table(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "8", "enter", "slash", *"NOPE == 1", "enter")
        assert "NOPE" in tui.text(pilot.app)
        assert len(pilot.app.view.table.model) > 0


async def test_export_and_copy(workspace: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        for kind in ("svg", "txt", "csv", "tsv", "md"):
            app.export(str(tmp_path / f"evidence.{kind}"))
            assert (tmp_path / f"evidence.{kind}").stat().st_size > 500, kind
        text = (tmp_path / "evidence.txt").read_text()
        for part in ("SYNTHETIC", "Post hoc", "Population", "LEADRATE <= mean(LEADRATE)", "alsbench evidence"):
            assert part in text
        assert str(tmp_path) not in (tmp_path / "evidence.svg").read_text()
        app.export(str(tmp_path / "evidence.txt"))
        assert "the file exists" in tui.text(app)
        await tui.press(pilot, "4")
        app.export(str(tmp_path / "endpoint.json"))
        made = json.loads((tmp_path / "endpoint.json").read_text())
        assert made["schema"] == "alsbench.ard/1"
        assert {r["subgroup"] for r in made["results"]} == {"overall", "slow", "not slow"}
        text = await tui.press(pilot, "Y")
        assert "copied" in text
        assert "CAFS" in (tmp_path / "state" / "alsbench" / "copied.txt").read_text()


async def test_nothing_in_the_data_steers_the_terminal() -> None:
    assert safe("a\x1b[31mb\x9bc\u202ed\n") == "a\\x1b[31mb\\x9bc\\u202ed\\n"
    assert safe("±5 · µ", ascii=True) == "+/-5 . \\xb5"


async def test_cancel_leaves_what_is_done(own_workspace: Path, tui: Any) -> None:
    from alsbench.tui.app import Workbench

    shutil.rmtree(own_workspace / "results", ignore_errors=True)  # kept answers would leave nothing to cancel
    app = Workbench(own_workspace, audit=False)
    async with app.run_test(size=(80, 24)) as pilot:
        while "evidence:" not in app.jobs.labels:
            await pilot.pause(0.02)
        await pilot.press("ctrl+c")
        await tui.settle(pilot)
        assert "cancelled 1 running" in tui.text(app)
        assert not app.jobs.labels


async def test_a_workspace_without_data_says_what_to_do(tmp_path: Path, tui: Any) -> None:
    from alsbench.tui.app import Workbench

    app = Workbench(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        while app.jobs.labels or "cannot be opened" not in tui.text(app):
            await pilot.pause(0.05)
        assert "alsbench demo" in tui.text(app)
        for key in ("j", "3", "4", "enter", "question_mark", "escape", "c"):
            await pilot.press(key)
            await pilot.pause()


async def test_reload_keeps_what_was_chosen(own_workspace: Path, tui: Any) -> None:
    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4", "right_curly_bracket", "right_square_bracket")
        choice = app.session.choice
        await tui.press(pilot, "r")
        assert app.session.choice == choice
        assert app.session.screen == "endpoint"


async def test_newer_data_are_offered(own_workspace: Path, tui: Any) -> None:
    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        app.look_for_newer_data()
        assert "newer data" not in tui.text(app)
        space = Workspace(own_workspace)
        sample = Path(__file__).resolve().parents[2] / "sample_data"
        load([sample / "adsl.xpt", sample / "adqs.xpt"], space, study=None)
        app.look_for_newer_data()
        await pilot.pause()
        assert "r opens them" in tui.text(app)
        await tui.press(pilot, "r")
        assert set(app.opened.source.snapshot.tables) == {"ADSL", "ADQS"}


async def test_every_command_of_the_registry_can_be_run(workspace: Path, tui: Any) -> None:
    """No command raises on any screen, whatever is under the cursor."""
    skip = {"quit", "editor", "pager", "subgroup.delete"}
    async with tui.run(workspace) as pilot:
        app = pilot.app
        for number, screen in enumerate(SCREENS, start=1):
            await tui.press(pilot, str(number))
            for command in app.registry.commands:
                if app.session.screen != screen:
                    await app.dispatch_action(act.GoTo(screen))
                if command.id in skip or not command.enabled(app.session):
                    continue
                await app.run_command(command)
                await pilot.pause()
                while len(app.screen_stack) > 1:
                    await pilot.press("escape")
            await tui.settle(pilot)
            assert "fault in alsbench" not in tui.text(app)


async def test_the_log_replays_to_the_same_session(workspace: Path, tui: Any, tmp_path: Path) -> None:
    from alsbench.tui.session import Session, replay
    from alsbench.tui.state import SessionLog, read_log

    log = SessionLog(tmp_path / "log.jsonl", workspace)
    async with tui.run(workspace, log=log) as pilot:
        await tui.press(pilot, "3", "j", "space", "4", "right_curly_bracket", "p", "2", "enter", "enter", "u")
        found = pilot.app.session
    log.close()
    assert replay(Session(), read_log(log.path)[1]) == found
    assert "ALSDEMO-0" not in log.path.read_text(), "no subject identifier in the log"


@pytest.mark.parametrize("theme", ["light", "ansi", "contrast", "dark"])
async def test_themes(workspace: Path, tui: Any, theme: str) -> None:
    async with tui.run(workspace) as pilot:
        await pilot.app.run_line(f"theme {theme}")
        await tui.settle(pilot)
        assert pilot.app.look.name == theme
        assert "Evidence" in tui.text(pilot.app)


async def test_palette_runs_what_it_finds(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "ctrl+p", *"endpoint serum", "enter")
        await tui.settle(pilot)
        assert pilot.app.session.choice.endpoint == "nfl"


async def test_endpoint_asks_what_the_shell_would(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "4")
        view = pilot.app.view
        assert isinstance(view, EndpointView)
        assert [q.subgroups for q in view.wanted()] == [("overall",), ("slow",), ("not slow",)]
        assert pilot.app.done[-1] == act.GoTo("endpoint")


async def test_a_blinded_workspace_says_so_on_every_screen(own_workspace: Path, tui: Any) -> None:
    sample = Path(__file__).resolve().parents[2] / "sample_data"
    space = Workspace(own_workspace)
    load(sorted(sample.glob("*.xpt")), space, study=space.read_study(), blinded="0123456789abcdef")
    async with tui.run(own_workspace) as pilot:
        for key in "123456789":
            assert "BLINDED" in (await tui.press(pilot, key)).splitlines()[0]


async def test_the_survival_plot_has_steps_censor_ticks_and_numbers_at_risk(workspace: Path, tui: Any) -> None:
    from alsbench.stats.survival import SurvivalCurve
    from alsbench.tui.survival import CurveKey, Curves

    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4")
        await app.run_line("endpoint survival")
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
        assert not any(isinstance(v, Curves) for v in app.view.taken())
        assert app.shell_command().startswith("alsbench endpoint survival") and "--curve" in app.shell_command()


async def test_a_command_line_chooses_an_endpoint(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await pilot.app.run_line("endpoint nfl")
        assert pilot.app.session.choice.endpoint == "nfl"


async def test_a_check_is_computed_when_asked_for_and_says_its_verdict(workspace: Path, tui: Any) -> None:
    from alsbench.analysis.scrutiny import CHECKS, run_check, verdict

    async with tui.run(workspace) as pilot:
        app = pilot.app
        text = await tui.press(pilot, "6")
        assert len(app.view.table.model) == len(CHECKS)
        assert all("enter computes" in app.view.full.text(k, 2) for k in range(len(CHECKS)))
        assert not app.view.taken()
        text = await tui.press(pilot, "j", "j", "j", "enter")
        expected = run_check("balance", app.opened.source, "slow", endpoint=app.session.choice.endpoint)
        assert app.view.taken() == (expected,)
        assert "Baseline balance" in text.splitlines()[0]
        text = await tui.press(pilot, "escape")
        assert verdict(expected)[:20] in text
        assert app.shell_command().startswith("alsbench scrutinise --subgroup slow --endpoint cafs --check balance")


async def test_an_answer_to_an_earlier_question_is_marked_stale(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4")
        started = []
        app.jobs.start = lambda *a, **_: started.append(a)  # nothing lands
        await app.run_line("option covariance toep")
        await app.run_line("endpoint svc")
        await pilot.pause()
        assert started
        text = tui.text(app)
        assert "stale: being computed" in text.splitlines()[1]
        assert "CAFS" in text, "the old answer is still there, dimmed"
        assert app.view.table.stale
        del app.jobs.start
        app.do_reload()
        await tui.settle(pilot)
        assert not app.view.table.stale
        assert "stale" not in tui.text(app)


async def test_a_row_is_reached_by_its_number(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await app.run_line("table ADQS")
        await tui.settle(pilot)
        await app.run_line("row 12000")
        await tui.settle(pilot)
        assert app.view.table.cursor_row == 11999
        assert "..." not in tui.text(app)
        await app.run_line("row one")
        assert ":row takes" in tui.text(app)


def hurried(app: Any, text: str) -> None:
    """Send keys to the app all at once, as a slow line delivers them, without waiting for any of them."""
    from textual.events import Key
    from textual.keys import _character_to_key

    for char in text:
        app.post_message(Key("enter", "\r") if char == "\r" else Key(_character_to_key(char), char))


async def test_keys_typed_ahead_reach_the_dialog_they_were_typed_for(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        hurried(app, ":endpoint nfl\r")
        await tui.settle(pilot)
        assert app.session.choice.endpoint == "nfl"
        assert app.session.screen == "evidence", "no letter was taken for a command"
        hurried(app, "2\r/BULBAR\rnn")
        await tui.settle(pilot)
        assert app.view.pattern == "BULBAR"
        assert app.view.table.cursor_row == 2, "the keys after the filter move in its rows"
        hurried(app, ":visit al")
        await tui.settle(pilot)
        assert app.screen.line.value == "visit al"
        await tui.press(pilot, "tab")
        assert app.screen.line.value == "visit all"
        await tui.press(pilot, "escape", "ctrl+p")
        hurried(app, "endpoint slow vital\r")
        await tui.settle(pilot)
        assert app.session.choice.endpoint == "svc"


async def test_the_command_line_completes_and_recalls(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "colon", *"popul", "tab")
        assert app.screen.line.value == "population "
        await tui.press(pilot, "tab")
        assert "complete this" in tui.text(app)
        await tui.press(pilot, "P", "tab", "enter")
        assert app.session.choice.population == "PP"
        await tui.press(pilot, "colon", "up")
        assert app.screen.line.value == "population PP"


async def test_classes_of_events_fold_and_a_filter_looks_into_them(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "7")
        view = app.view
        folded = len(view.table.model)
        first = next(k for k in range(folded) if view.full.text(k, 0).startswith("▸"))
        name = view.full.text(first, 0)
        terms = int(name.rsplit("(", 1)[1].rstrip(")"))
        await tui.press(pilot, f":row {first + 1}", "space")
        assert len(view.table.model) == folded + terms
        assert view.full.text(first, 0) == name.replace("▸", "▾")
        await tui.press(pilot, "j", "space")
        assert len(view.table.model) == folded, "folded from one of its terms"
        assert view.table.cursor_row == first
        await tui.press(pilot, "l")
        assert len(view.table.model) == folded + terms, "l on a name unfolds"
        await tui.press(pilot, "h", "enter", "enter")
        assert len(view.table.model) == folded
        await tui.press(pilot, "z")
        everything = len(view.table.model)
        assert everything > folded + terms
        assert "patient-years" in view.page().blocks[0].lines[0].cells[0].text
        assert sum(len(b.lines) for b in view.page().blocks) > folded, "an export is never folded"
        await tui.press(pilot, "z")
        assert len(view.table.model) == folded
        await tui.press(pilot, "slash", *"headache", "enter")
        assert "Headache" in tui.text(app)
        await tui.press(pilot, "escape")
        assert len(view.table.model) == folded


async def test_behind_a_count_of_events_stand_the_records_it_counts(workspace: Path, tui: Any) -> None:
    """Every count of subjects and events in the adverse event tables, against the records said to be behind it."""
    from alsbench.analysis.question import Question
    from alsbench.analysis.run import answer
    from alsbench.tui.records_behind import Records, behind_row

    async with tui.run(workspace) as pilot:
        source = pilot.app.opened.source
        checked = 0
        for row in answer(Question("ae", ("slow",)), source).rows:
            if row.context != "arm" or row.stat_name not in {"events", "count"} or row.variable == "Exposure":
                continue
            found = behind_row(source, row)
            assert isinstance(found, Records)
            assert (found.count if row.stat_name == "events" else found.subjects) == row.stat, row
            checked += 1
        assert checked > 150
        text = await tui.press(pilot, "7", "G", "l", "l", "enter")
        assert "records of ADAE" in text
        assert pilot.app.screen.table.model.cols[2].head == ("AEBODSYS",)


async def test_a_filter_in_the_records_behind_a_number(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, ":endpoint ae", "4", "G", "l", "enter")
        dialog = app.screen
        every = len(dialog.table.model)
        first = dialog.table.model.row(0)[0][0]
        await tui.press(pilot, "slash", *first, "enter")
        held = len(dialog.table.model)
        assert 0 < held < every
        assert {dialog.table.model.row(k)[0][0] for k in range(held)} == {first}
        assert f"{held} rows; esc shows all" in tui.text(app)
        await tui.press(pilot, "n", "N", "escape")
        assert len(dialog.table.model) == every
        await tui.press(pilot, "escape")
        assert len(app.screen_stack) == 1


async def test_a_filter_in_the_ranks_and_pairs_behind_a_number(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4", "j", "j", "l", "enter", "slash", *"Placebo", "enter")
        assert {app.screen.table.model.text(k, 1) for k in range(len(app.screen.table.model))} == {"Placebo"}
        await tui.press(pilot, "n", "enter")
        assert app.screen.subject == app.screen_stack[-2].table.model.text(1, 0), "the rank of the row under the cursor"
        await tui.press(pilot, "slash", *"decided", "enter", "escape", "escape", "escape")
        assert not app.screen_stack[-1].pattern, "esc clears the filter first"


async def test_help_can_be_searched(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "question_mark", "slash", *"export", "enter")
        dialog = pilot.app.screen
        assert "export" in dialog.pane.lines[dialog.pane.mark].plain.lower()
        await tui.press(pilot, "slash", *"nosuchword", "enter")
        assert "not here" in tui.text(pilot.app)


async def test_esc_returns_from_an_opened_cell_to_the_cell(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "j", "j", "l", "l")
        here = (app.view.table.cursor_row, app.view.table.cursor_col, app.view.table.top, app.view.table.left)
        before = tui.text(app).splitlines()[1:-1]
        text = await tui.press(pilot, "enter", "p")
        assert app.session.screen == "endpoint"
        assert " esc back" in text.splitlines()[-1]
        await tui.press(pilot, "escape")
        assert app.session.screen == "endpoint", "first back to the table"
        await tui.press(pilot, "escape")
        assert app.session.screen == "evidence"
        table = app.view.table
        assert (table.cursor_row, table.cursor_col, table.top, table.left) == here
        assert tui.text(app).splitlines()[1:-1] == before
        await tui.press(pilot, "4", "escape")
        assert app.session.screen == "endpoint", "a screen chosen by its key has nowhere to go back to"


async def test_a_pane_of_lines_is_searched(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, "4", "m", "slash", *"subgroup", "enter")
        pane = app.view.pane
        first = pane.mark
        assert "subgroup" in pane.lines[first].plain.lower()
        await tui.press(pilot, "n")
        assert pane.mark != first
        text = await tui.press(pilot, "N")
        assert pane.mark == first
        assert "/subgroup: " in text.splitlines()[-1]


async def test_the_log_names_the_claims_that_were_checked(own_workspace: Path, tui: Any) -> None:
    from alsbench.audit.log import append

    append(own_workspace / "audit.jsonl", "claims", {"file": "release.toml", "sha256": "0" * 64, "claims": ["cafs", "nfl-4"]})
    async with tui.run(own_workspace) as pilot:
        text = await tui.press(pilot, "9")
        assert "release.toml: cafs, nfl-4" in text
        assert '"nfl-4"' in await tui.press(pilot, "enter")


async def test_details_that_are_cut_say_so_and_scroll(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "3")
        assert "more lines; tab, then j k" in text
        assert "BLNFL" not in text
        text = await tui.press(pilot, "tab", "G")
        assert "BLNFL" in text
        assert "more lines" not in text
        assert pilot.app.view.table.cursor_row == 0, "the list stays where it was"
        text = await tui.press(pilot, "escape", "j")
        assert "nfl_low: " in text
        assert pilot.app.view.table.cursor_row == 1


async def test_every_subgroup_of_a_long_list_can_be_seen_under_the_cursor(own_workspace: Path, tui: Any) -> None:
    more = "".join(f'\n[[subgroups]]\nname = "over{k}"\nwhere = "AGE >= {k}"\n' for k in range(30, 50))
    with (own_workspace / "study.toml").open("a") as out:
        out.write(more)
    async with tui.run(own_workspace) as pilot:
        for keys, name in ((("3", "G"), "over49"), (("k",), "over48"), (("g",), "slow")):
            text = await tui.press(pilot, *keys)
            assert f"] {name} " in text


async def test_a_subgroup_of_nobody_says_so_in_table_and_plot(own_workspace: Path, tui: Any) -> None:
    with (own_workspace / "study.toml").open("a") as out:
        out.write('\n[[subgroups]]\nname = "nobody"\nwhere = "AGE > 200"\n')
    async with tui.run(own_workspace, size=(80, 60)) as pilot:
        await pilot.app.dispatch_action(act.SetSubgroups(("nobody",)))
        text = await tui.press(pilot, ":endpoint alsfrs", "4")
        assert "NE: no analysed rows in this subgroup" in text
        text = await tui.press(pilot, "p")
        assert "n = 0  POST HOC: no analysed rows in this subgroup" in text
        assert "nothing could be estimated" not in text


async def test_a_reload_keeps_visit_and_options_and_leaves_a_profile_of_other_data(own_workspace: Path, tui: Any) -> None:
    """A record number is somebody else's in other data; what the new study file no longer has falls back."""
    path = own_workspace / "study.toml"
    async with tui.run(own_workspace) as pilot:
        app = pilot.app
        await tui.press(pilot, ":endpoint alsfrs", ":visit 6", ":option covariance cs", "2", "enter", "enter")
        choice, record = app.session.choice, app.session.place.record
        await tui.press(pilot, "r")
        assert (app.session.choice, app.session.place.record) == (choice, record)
        sample = Path(__file__).resolve().parents[2] / "sample_data"
        load([sample / "adsl.xpt", sample / "adqs.xpt"], Workspace(own_workspace), study=None)
        path.write_text(path.read_text().replace("[endpoints.alsfrs]", "[endpoints.total]").replace('"alsfrs"', '"total"'))
        await tui.press(pilot, "r")
        assert app.session.place.record is None
        assert app.session.place.arm == "Placebo"
        assert app.session.choice.endpoint in {i.name for i in app.catalogue.endpoints}


async def test_a_profile_follows_the_subgroups_chosen_over_it(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "2", "enter", "enter")
        assert "nfl_low" not in text
        text = await tui.press(pilot, "s", "j", "space", "enter")
        assert "nfl_low" in text.split("ALSFRS-R total score")[0].split("\n", 1)[1]
