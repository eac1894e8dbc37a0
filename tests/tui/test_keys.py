"""Every key does what footer and help say where they offer it; what opens figures, copies them and cancels in dialogs too."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from alsbench.tui.answers import Answers
from alsbench.tui.commands import TEXTUAL_KEYS
from alsbench.tui.commands.model import MOVE
from alsbench.tui.screens.drilldown import BehindNumber
from alsbench.tui.screens.subgroups import SubgroupDetail

PLACES = {
    "evidence": ("1",),
    "arms": ("2",),
    "subjects": ("2", "enter"),
    "profile": ("2", "enter", "enter"),
    "subgroups": ("3",),
    "table": ("4", ":endpoint alsfrs", ":tab.table"),
    "plot": ("4", ":endpoint alsfrs", ":tab.table", "p"),
    "model": ("4", ":endpoint alsfrs", ":tab.table", "m"),
    "options": ("4", ":endpoint alsfrs", ":tab.table", "o"),
    "forest": ("5",),
    "scrutiny": ("6",),
    "safety": ("7", "l"),
    "tables": ("8",),
    "data": ("8", "enter"),
    "log": ("9", "j"),
    "claims": ("0",),
}
ELSEWHERE = {"quit", "fold.all", "scrutiny.all", "reload", "pager", "editor"}  # end the app, take long, or have own tests
ALREADY = {"freeze"}  # the first column is frozen from the start


def pressed(key: str) -> str:
    return TEXTUAL_KEYS.get(key, key)


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_offered_does_something(workspace: Path, tui: Any, place: str) -> None:
    """A key of the help that is no move changes what is shown, opens a dialog or says why not."""
    async with tui.run(workspace) as pilot:
        app = pilot.app
        before = await tui.press(pilot, *PLACES[place])
        offered = [c for c in app.registry.available(app.session) if c.keys and c.group not in {MOVE, "Screens"}]
        idle = []
        for command in offered:
            if command.id in ELSEWHERE | ALREADY:
                continue
            app.status("")
            after = await tui.press(pilot, pressed(command.keys[0]))
            if after == before:
                idle.append(command.id)
            while len(app.screen_stack) > 1:
                await tui.press(pilot, "escape")
            app.status("")
            before = await tui.press(pilot, *PLACES[place])
        assert not idle, place
        labels = [label for _, label in app.registry.footer(app.session)]
        assert ("open" in labels) == (place not in {"profile", "plot", "model"})


async def test_keys_that_change_nothing_say_so(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        for keys, said in (
            (("u",), "nothing to undo"),
            (("ctrl+r",), "nothing to redo"),
            (("4", ":endpoint survival", "greater_than_sign"), "this endpoint has no visits to choose from"),
        ):
            assert said in (await tui.press(pilot, *keys)).splitlines()[-1], keys


async def test_subgroups_can_be_chosen_from_anywhere_and_scrutiny_changes_its_endpoint(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        for key in ("8", "9", "3"):
            assert "Active subgroups" in await tui.press(pilot, key, "s")
            await tui.press(pilot, "escape")
        text = await tui.press(pilot, "6")
        assert "Scrutiny of cafs" in text
        assert "Scrutiny of alsfrs in" in await tui.press(pilot, "right_curly_bracket")


async def test_a_line_of_the_forest_opens_its_records_while_others_are_computed(
    own_workspace: Path, tui: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, asked = threading.Event(), Answers.ask

    def slow(self: Answers, key: Any, source: Any) -> Any:
        if getattr(key, "phrase", "") == "older":
            go_on.wait(60)
        return asked(self, key, source)

    async with tui.run(own_workspace) as pilot:
        monkeypatch.setattr(Answers, "ask", slow)
        await pilot.app.keys.run_line("endpoint nfl")
        await pilot.press("5")
        for _ in range(600):
            await pilot.pause(0.02)
            text = tui.text(pilot.app)
            if "not slow" in text and "..." in text and "0." in next(li for li in text.splitlines() if "slow" in li):
                break
        try:
            await pilot.press("j", "j", "enter")
            assert isinstance(pilot.app.screen, BehindNumber)
            for _ in range(600):
                await pilot.pause(0.02)
                text = tui.text(pilot.app)
                if "USUBJID" in text:
                    break
            assert "ratio" in text
            assert "USUBJID" in text
            assert "NFL" in text or "CHG" in text or "AVAL" in text
        finally:
            go_on.set()
        await tui.settle(pilot)


async def test_the_balance_of_a_subgroup_opens_down_to_its_subjects(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace, size=(120, 40)) as pilot:
        await tui.press(pilot, "3", "enter")
        dialog = pilot.app.screen
        assert isinstance(dialog, SubgroupDetail)
        text = tui.text(pilot.app)
        assert "slow      56       26       13       17" in text
        await tui.press(pilot, "j", "j", "l", "enter")
        text = tui.text(pilot.app)
        assert isinstance(pilot.app.screen, BehindNumber)
        assert text.splitlines()[1].startswith("smd")
        assert "39 records of ADSL, 39 subjects" in text, "26 of Placebo and 13 of Group 1"
        assert "AGE" in text
        await tui.press(pilot, "escape")
        assert pilot.app.screen is dialog
        text = await tui.press(pilot, "g", "l", "enter")
        assert "26 records of ADSL, 26 subjects" in text, "those of Placebo"


def copied(tmp_path: Path) -> str:
    return (tmp_path / "state" / "alsbench" / "copied.txt").read_text()


async def test_dialogs_with_tables_copy_a_cell_and_the_table(workspace: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "4", ":endpoint alsfrs", "l", "enter")
        text = await tui.press(pilot, "y")
        assert "copied the cell" in text.splitlines()[-1]
        assert copied(tmp_path).startswith("ALSDEMO-")
        assert "Copy the cell; copy the table" in await tui.press(pilot, "question_mark")
        text = await tui.press(pilot, "escape", "Y")
        table = copied(tmp_path)
        count = int(text.splitlines()[0].split("number")[1].split()[0])
        assert f"copied {count} rows" in text.splitlines()[-1]
        assert sum(line.startswith("ALSDEMO-") for line in table.splitlines()) == count
        for part in ("Behind this number: overall", "ALSDEMO Sample trial", "alsbench endpoint alsfrs", "SYNTHETIC", "mmrm"):
            assert part.lower() in table.lower(), part
        await tui.press(pilot, "escape", ":endpoint cafs", "enter")
        await tui.press(pilot, "Y")
        assert "subject" in copied(tmp_path)
        assert "rank" in copied(tmp_path)
        await tui.press(pilot, "enter", "Y")
        assert copied(tmp_path).startswith("Why this rank: ALSDEMO-")
        await tui.press(pilot, "escape", "escape", "6", "j", "enter", "Y")
        assert "scrutinise" in copied(tmp_path)


async def test_under_a_mask_dialogs_let_no_subjects_out(own_workspace: Path, tui: Any, tmp_path: Path) -> None:
    path = own_workspace / "study.toml"
    path.write_text(path.read_text().replace("[study]\n", "[study]\nmask = 5\n"))
    async with tui.run(own_workspace) as pilot:
        await tui.press(pilot, "4", ":endpoint alsfrs", "l", "enter")
        for key, said in (("y", "one cell cannot be masked"), ("Y", "single subjects are not copied")):
            assert said in (await tui.press(pilot, key)).splitlines()[-1]
        await tui.press(pilot, "escape", "3", "enter")
        assert "masked" in (await tui.press(pilot, "Y")).splitlines()[-1]
        assert "Undecided" in copied(tmp_path), "what alsbench subgroup show prints"
        await tui.press(pilot, "escape", "2", "enter", "enter")
        assert "mask" in (await tui.press(pilot, "Y")).splitlines()[-1]


async def test_a_profile_is_taken_away_as_the_shell_prints_it(workspace: Path, tui: Any, tmp_path: Path) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "2", "enter", "enter", "Y")
        assert "copied" in text.splitlines()[-1]
        assert copied(tmp_path).startswith("Subject ALSDEMO-")
        assert "SYNTHETIC" in copied(tmp_path)
        for kind in ("txt", "csv"):
            pilot.app.exporter.export(str(tmp_path / f"subject.{kind}"))
            await tui.settle(pilot)
            assert "ALSFRS" in (tmp_path / f"subject.{kind}").read_text()


async def test_work_is_cancelled_inside_a_dialog(own_workspace: Path, tui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("alsbench.tui.screens.drilldown.behind_row", lambda *_: go_on.wait(60))
    async with tui.run(own_workspace) as pilot:
        await tui.press(pilot, "4", ":endpoint alsfrs", "l")
        await pilot.press("enter", "ctrl+c")
        go_on.set()
        text = tui.text(pilot.app)
        assert "cancelled 1 running" in text.splitlines()[-1]
        assert isinstance(pilot.app.screen, BehindNumber)
        text = await tui.press(pilot, "ctrl+c")
        assert "nothing is running" in text.splitlines()[-1]
        await tui.press(pilot, "escape")
        assert not isinstance(pilot.app.screen, BehindNumber)


async def test_subjects_are_sorted_by_the_column_under_the_cursor_and_found_again(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        view = lambda: pilot.app.view  # noqa: E731
        await tui.press(pilot, "2", "j", "enter")
        loaded = [row.cells[0][0] for row in view().full.sections[0].rows]
        await tui.press(pilot, "l", "l")
        head = view().full.cols[view().table.cursor_col].head[-1]
        assert head in (await tui.press(pilot, "S")).splitlines()[-1]
        column = view().table.cursor_col
        ages = [float(r.cells[column][0]) for r in view().full.sections[0].rows]
        assert ages == sorted(ages)
        assert "down" in (await tui.press(pilot, "S")).splitlines()[-1]
        first = view().table.model.row(3)[0][0]
        text = await tui.press(pilot, "j", "j", "j", "enter")
        assert first in text
        await tui.press(pilot, "escape")
        assert view().table.model.row(view().table.cursor_row)[0][0] == first, "back on the subject that was shown"
        assert "as loaded" in (await tui.press(pilot, "S")).splitlines()[-1]
        assert [row.cells[0][0] for row in view().full.sections[0].rows] == loaded
        await tui.press(pilot, "escape")
        assert view().table.cursor_row == 1, "back on the arm that was opened"


async def test_a_data_table_that_is_left_is_under_the_cursor(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "8", "j", "enter", *["j"] * 30, "escape")
        view = pilot.app.view
        assert view.table.cursor_row == 1
        assert view.cell_text() == view.source()


async def test_the_details_of_a_subgroup_follow_a_cursor_that_rests(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "3")
        await pilot.press("j", "j")
        assert "slow: Slow progressors" in tui.text(pilot.app), "still moving"
        await tui.settle(pilot)
        assert "bulbar: Bulbar onset" in tui.text(pilot.app)


async def test_an_opened_number_shows_its_command_and_lets_screens_be_reached(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        text = await tui.press(pilot, "4", ":endpoint cafs", "j", "j", "l", "enter", "enter")
        why = next(line for line in text.splitlines() if line.startswith("command"))
        assert "--comparison G1-M6" in why
        assert "--why ALSDEMO-" in " ".join(text.split("Population")[0].split()), "the command is shown to its end"
        text = await tui.press(pilot, "c")
        command = " ".join(line.removesuffix("\\") for line in text.splitlines()[1:3])
        assert " ".join(command.split()) == pilot.app.screen_stack[-2].command
        text = await tui.press(pilot, "5")
        assert len(pilot.app.screen_stack) == 1
        assert pilot.app.session.screen == "forest"
        text = await tui.press(pilot, "question_mark", "7")
        assert pilot.app.session.screen == "safety"
        await tui.press(pilot, "slash", "4")
        assert pilot.app.session.screen == "safety", "a line being typed takes its digits"


async def test_the_first_start_on_a_workspace_says_what_to_press(own_workspace: Path, tui: Any) -> None:
    from alsbench.tui.session_restore import save_session

    async with tui.run(own_workspace, restore=True) as pilot:
        assert "0 to 9 are screens" in tui.text(pilot.app).splitlines()[-1]
        text = await tui.press(pilot, "2")
        assert "0-9 screens" in text.splitlines()[-1]
        save_session(own_workspace, pilot.app.session)
    async with tui.run(own_workspace, restore=True) as pilot:
        assert "0 to 9 are screens" not in tui.text(pilot.app)
