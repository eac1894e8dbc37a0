"""The Subgroups screen: adding, changing, deleting; details; a long list; a subgroup of nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alsbench.audit.log import entries
from alsbench.study.study_file import read_study
from alsbench.tui import actions as act


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
    entered = [(e.action, e.facts["name"]) for e in entries(own_workspace / "audit.jsonl") if e.action.startswith("subgroup")]
    assert entered == [(f"subgroup {what}", "young") for what in ("added", "edited", "removed")]


async def test_a_subgroup_by_what_comes_after_randomisation_is_labelled_so(own_workspace: Path, tui: Any) -> None:
    """As ``alsbench subgroup add --force`` labels it."""
    async with tui.run(own_workspace) as pilot:
        text = await tui.press(pilot, "3", "a", *"DTHFL == 'Y'", "down", *"dead", "enter")
        made = read_study(own_workspace / "study.toml").subgroup("dead")
        assert made is not None and made.post_randomisation
        assert "POST-RANDOMISATION column" in await tui.press(pilot, "G"), text


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
