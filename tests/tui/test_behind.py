"""Behind a number stand its records, behind a rank the pairs that decided it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


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
    from alsbench.service.source_records import SourceRecords, behind_row

    async with tui.run(workspace) as pilot:
        source = pilot.app.opened.source
        row = Row("alsfrs", "mmrm", "FAS", "overall", "subgroup", "n", 112)
        found = behind_row(source, row)
        assert isinstance(found, SourceRecords)
        assert found.count > 1000
        assert len(found.read(source, offset=0, limit=200)) == 200
        assert len(found.read(source, offset=found.count // 200 * 200, limit=200)) == found.count % 200


async def test_behind_a_count_of_events_stand_the_records_it_counts(workspace: Path, tui: Any) -> None:
    """Every count of subjects and events in the adverse event tables, against the records said to be behind it."""
    from alsbench.analysis.question import Question
    from alsbench.analysis.run import answer
    from alsbench.service.source_records import SourceRecords, behind_row

    async with tui.run(workspace) as pilot:
        source = pilot.app.opened.source
        checked = 0
        for row in answer(Question("ae", ("slow",)), source).rows:
            if row.context != "arm" or row.stat_name not in {"events", "count"} or row.variable == "Exposure":
                continue
            found = behind_row(source, row)
            assert isinstance(found, SourceRecords)
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
