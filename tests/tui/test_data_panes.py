"""The Data screen: the column under the cursor beside the table, freezing within half the width, a cell as a filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alsbench.data.frames import ColumnInfo
from alsbench.errors import ExpressionError
from alsbench.service.column_summary import cell_condition
from alsbench.study.expression import parse
from alsbench.tui.screens.data import most_frozen


async def opened(tui: Any, pilot: Any, table: str) -> Any:
    await tui.press(pilot, f":table {table}")
    return pilot.app.view


def column(view: Any, name: str) -> int:
    return [c.name for c in view.model.info.columns].index(name)


@pytest.mark.parametrize("width", [120, 160])
async def test_the_column_stands_beside_the_table(workspace: Path, tui: Any, width: int) -> None:
    """Counts of the 115 subjects' SEX and the extremes of AGE, from the stored rows; both follow the filter."""
    async with tui.run(workspace, size=(width, 40)) as pilot:
        view = await opened(tui, pilot, "ADSL")
        stored = view.snapshot.page("ADSL", ["SEX", "AGE"], offset=0, limit=115)

        async def right(name: str) -> str:
            view.table.go(0, column(view, name))
            view.show_detail()
            text = await tui.settle(pilot)
            return "\n".join(" ".join(line[view.list_width :].split()) for line in text.splitlines())

        women, ages = sum(sex == "F" for sex, _ in stored), [age for _, age in stored]
        said = await right("SEX")
        assert "SEX text" in said
        assert f"F {women}" in said
        said = await right("AGE")
        assert f"min {min(ages):g}" in said
        assert f"max {max(ages):g}" in said
        await tui.press(pilot, "slash", *"SEX = 'F'", "enter")
        assert f"max {max(age for sex, age in stored if sex == 'F'):g}" in await right("AGE")
        assert f"rows {women}" in await right("AGE")


async def test_below_120_columns_the_table_has_the_whole_width(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace, size=(119, 30)) as pilot:
        view = await opened(tui, pilot, "ADSL")
        assert not view.aside.display
        assert view.table.size.width == 119
    async with tui.run(workspace, size=(120, 30)) as pilot:
        view = await opened(tui, pilot, "ADSL")
        assert view.aside.display
        await tui.press(pilot, "escape")
        assert not view.aside.display  # the list of tables has none


async def test_freezing_stops_at_half_the_width(workspace: Path, tui: Any) -> None:
    """``f`` on the fifteenth column: every column can still be reached."""
    async with tui.run(workspace, size=(80, 24)) as pilot:
        view = await opened(tui, pilot, "ADSL")
        view.table.go(0, 14)
        text = await tui.press(pilot, "f")
        assert "of 15 columns are frozen: no more fit half the width" in text
        frozen = view.model.cols[: view.model.frozen]
        assert len(frozen) > 1
        assert sum(c.width + 2 for c in frozen) <= 40
        last = len(view.model.cols) - 1
        view.table.go(0, last)
        await tui.settle(pilot)
        assert last in [index for index, _, _ in view.table.layout_columns()]
        view.table.go(0, 14)
        await tui.press(pilot, "f")
        assert view.model.frozen == 1


def test_how_many_columns_fit() -> None:
    """With a gap of 2: 10 + 2 + 10 + 2 = 24."""
    assert most_frozen([10, 10, 10], 24) == 2
    assert most_frozen([10, 10, 10], 23) == 1
    assert most_frozen([60, 10], 40) == 1


async def test_where_the_cursor_stands_is_said_in_ascii_too(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace, ascii=True) as pilot:
        await opened(tui, pilot, "ADSL")
        assert "row 1/115 - col 1/29  USUBJID" in tui.text(pilot.app)


async def test_a_quotient_is_found_by_its_cell(pilot_workspace: Path, tui: Any) -> None:
    """AVAL of the pilot's ADAS-Cog is prorated where items are missing: fifteen digits do not tell every such number."""
    async with tui.run(pilot_workspace) as pilot:
        view = await opened(tui, pilot, "ADADAS")
        at = column(view, "AVAL")
        stored = [r[0] for r in view.snapshot.page("ADADAS", ["AVAL"], offset=0, limit=len(view.model))]
        row = next(k for k, v in enumerate(stored) if v is not None and float(f"{v:.15g}") != v)
        await tui.press(pilot, f":row {row + 1}")
        view.table.go(row, at)
        await tui.press(pilot, "=")
        assert len(view.model) == stored.count(stored[row])


def test_what_a_cell_says_as_a_filter() -> None:
    number, text, day = ColumnInfo("AVAL"), ColumnInfo("CODE", kind="text"), ColumnInfo("ADT", kind="date")
    third = cell_condition(number, 1 / 3)
    assert float(third.removeprefix("AVAL == ")) == 1 / 3
    said = {
        cell_condition(number, 3.0): "AVAL == 3",
        cell_condition(number, -1e-20): "AVAL == -1e-20",
        cell_condition(number, None): "missing(AVAL)",
        cell_condition(number, None, excluded=True): "not missing(AVAL)",
        cell_condition(text, 'say "A"'): "CODE == 'say \"A\"'",
        cell_condition(text, "it's", excluded=True): '(CODE != "it\'s" or missing(CODE))',
        cell_condition(day, "2020-01-31"): 'ADT == "2020-01-31"',
        cell_condition(ColumnInfo("B", kind="boolean"), True): "B == True",
    }
    for made, wanted in said.items():
        assert made == wanted
        parse(made)
    for other, value in ((text, "both ' and \""), (text, "a\\b"), (ColumnInfo("A B", kind="text"), "x")):
        with pytest.raises(ExpressionError):
            cell_condition(other, value)


async def test_a_cell_that_no_filter_can_say_says_so(workspace: Path, tui: Any) -> None:
    """The rows stay as they were."""
    async with tui.run(workspace) as pilot:
        view = await opened(tui, pilot, "ADSL")
        view.model.pages[0][0] = ("both ' and \"", *view.model.pages[0][0][1:])
        view.table.go(0, 0)
        assert "an expression cannot quote this text" in await tui.press(pilot, "=")
        assert view.where_text == ""
