"""Nothing is a trap: a change of study.toml can be taken back, and a new subgroup says at once what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alsbench.analysis.contrast import Piece
from alsbench.audit.log import entries
from alsbench.study.study_file import read_study
from alsbench.tui.answers import PieceKey
from alsbench.tui.contrast_text import brief_text


async def test_a_new_subgroup_is_switched_on_selected_and_told(own_workspace: Path, tui: Any) -> None:
    """Its members, whose they are too, and its result on the chosen endpoint, as Evidence has it."""
    async with tui.run(own_workspace, size=(160, 45)) as pilot:
        app = pilot.app
        await tui.press(pilot, "3")
        text = await tui.press(pilot, "a", *"LEADRATE <= mean(LEADRATE)", "down", *"again", "enter")
        assert app.view.here.name == "again"
        assert "again" in app.session.choice.subgroups
        choice = app.session.choice
        piece = app.answers.get(PieceKey(choice.endpoint, "again", ""))
        assert isinstance(piece, Piece)
        cell = next(c for c in piece.cells if c.comparison == choice.comparison)
        assert "again: n 56, same members as slow; " in text
        assert text.count(brief_text(cell)) >= 1


async def test_same_members_are_named_whoever_defines_them(own_workspace: Path, tui: Any) -> None:
    with (own_workspace / "study.toml").open("a") as out:
        out.write("\n[[subgroups]]\nname = \"limbless\"\nwhere = \"ONSETSIT == 'BULBAR' or ONSETSIT == 'BULBAR'\"\n")
    async with tui.run(own_workspace, size=(120, 40)) as pilot:
        text = await tui.press(pilot, "3", "G")
        assert "same members as bulbar" in " ".join(text.split())
        await tui.press(pilot, "g")
        pilot.app.view.cursor_moved()
        assert "same members" not in await tui.settle(pilot)


async def test_adding_editing_and_removing_are_taken_back_to_the_byte(own_workspace: Path, tui: Any) -> None:
    path = own_workspace / "study.toml"
    path.write_text(path.read_text() + "\n# the last line is a comment\n")
    start = path.read_bytes()
    async with tui.run(own_workspace) as pilot:
        await tui.press(pilot, "3", "a", *"AGE < 50", "down", *"young", "enter")
        added = path.read_bytes()
        assert added != start
        await tui.press(pilot, "G", "e", "backspace", "backspace", *"55", "enter")
        edited = path.read_bytes()
        assert edited != added
        await tui.press(pilot, "g", "D", "y")
        assert read_study(path).subgroup("slow") is None
        text = await tui.press(pilot, "u")
        assert "slow is back in study.toml" in text
        assert path.read_bytes() == edited
        await tui.press(pilot, "u")
        assert path.read_bytes() == added
        text = await tui.press(pilot, "u")
        assert path.read_bytes() == start
        assert "young" not in [i.name for i in pilot.app.catalogue.subgroups]
    made = [e for e in entries(own_workspace / "audit.jsonl") if e.action.startswith("subgroup")]
    done = [(e.action.removeprefix("subgroup "), e.facts["name"]) for e in made]
    there = [("added", "young"), ("edited", "young"), ("removed", "slow")]
    assert done == [*there, ("added", "slow"), ("edited", "young"), ("removed", "young")]


async def test_nothing_is_taken_back_over_somebody_elses_change(own_workspace: Path, tui: Any) -> None:
    path = own_workspace / "study.toml"
    async with tui.run(own_workspace) as pilot:
        await tui.press(pilot, "3", "a", *"AGE < 50", "down", *"young", "enter")
        path.write_text(path.read_text() + "\n# somebody else\n")
        text = await tui.press(pilot, "u")
        assert "study.toml was changed since" in text
        assert path.read_text().endswith("# somebody else\n")
        assert read_study(path).subgroup("young") is not None


async def test_without_a_change_u_takes_back_the_last_choice(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        before = pilot.app.session.choice.subgroups
        await tui.press(pilot, "3", "G", "space")
        assert pilot.app.session.choice.subgroups != before
        await tui.press(pilot, "u")
        assert pilot.app.session.choice.subgroups == before
        assert "nothing to undo" in await tui.press(pilot, "u")


async def test_the_result_beside_a_subgroup_is_entered_as_a_look(own_workspace: Path, tui: Any) -> None:
    """One entry for each subgroup whose result was on the screen, and none for those that were not."""
    before = len(list(entries(own_workspace / "audit.jsonl")))
    async with tui.run(own_workspace, size=(120, 40), audit=True) as pilot:
        await tui.press(pilot, "3")
        pilot.app.view.table.go(2)
        pilot.app.view.cursor_moved()
        await tui.settle(pilot)
        pilot.app.view.cursor_moved()
        text = await tui.settle(pilot)
        assert "result" in text
    asked = [str(e.facts.get("asked", "")) + str(e.facts) for e in list(entries(own_workspace / "audit.jsonl"))[before:]]
    assert any("--subgroup bulbar" in line for line in asked)
    assert not any("--subgroup older" in line for line in asked)


async def test_a_subgroup_asked_for_elsewhere_is_switched_on_there(own_workspace: Path, tui: Any) -> None:
    """`a` on Evidence: back on Evidence, with its column; left with esc, nothing is new."""
    async with tui.run(own_workspace, size=(120, 40)) as pilot:
        app = pilot.app
        await tui.press(pilot, "a")
        text = await tui.press(pilot, "escape")
        assert app.session.screen == "evidence" and text.splitlines()[2].startswith("Evidence")
        await tui.press(pilot, "a", *"AGE >= 65", "down", *"elderly")
        text = await tui.press(pilot, "enter")
        assert app.session.screen == "evidence"
        assert app.session.choice.subgroups == ("slow", "elderly")
        assert app.ready.source.study.subgroup("elderly").where == "AGE >= 65"
        assert "elderly" in text.splitlines()[0]


async def test_what_was_wrong_goes_with_the_next_key(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        pilot.app.exporter.export("evidence.doc")
        assert "this view has no doc form" in await tui.settle(pilot)
        assert "no doc form" not in await tui.press(pilot, "j")
