"""The Data screen: sorting and filtering leave an order, pages come by it, a text is searched without holding anything up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.shared import workspace_copy

from alsbench.audit.log import append
from alsbench.data.frames import ColumnInfo
from alsbench.data.load import load
from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.data.workspace import Workspace
from alsbench.tui.cell_text import fit
from alsbench.tui.paged import PAGE_ROWS, PagedModel

SUBJECTS, VISITS = 599, 95  # 599 x 95 = 56,905 records after baseline


def load_many(folder: Path) -> None:
    """A table of 599 subjects with baseline and 95 visits: 57,504 records, every seventh value missing."""
    folder.mkdir()
    (folder / "study.toml").write_text((Path(__file__).parents[2] / "sample_data" / "study.toml").read_text())
    arms = ("Placebo", "Group 1", "Group 2")
    subjects = ["USUBJID,TRT01P,TRT01A,FASFL,SAFFL"]
    subjects += [f"S{i:03},{arms[i % 3]},{arms[i % 3]},Y,Y" for i in range(SUBJECTS)]
    rows = ["STUDYID,USUBJID,PARAMCD,AVISITN,AVAL,AVALC"]
    for i in range(SUBJECTS):
        for visit in range(VISITS + 1):
            value = "" if (i + visit) % 7 == 0 else f"{(i * 37 + visit * 11) % 500 / 10}"
            rows.append(f"MANY,S{i:03},X,{visit},{value},{'O' * (visit % 3)}")
    files = folder / "adsl.csv", folder / "adxx.csv"
    for path, lines in zip(files, (subjects, rows), strict=True):
        path.write_text("\n".join(lines) + "\n")
    space = Workspace(folder)
    space.create()
    append(space.audit_path, "load", load(list(files), space).for_audit())


@pytest.fixture
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace_copy(tmp_path_factory, "many", load_many)


async def _open(tui: Any, pilot: Any, name: str) -> Any:
    await tui.press(pilot, "8")
    await tui.press(pilot, "colon", *f"table {name}", "enter")
    return pilot.app.view


def _column(view: Any, name: str) -> int:
    return [c.name for c in view.model.info.columns].index(name)


async def test_the_deepest_page_of_a_sorted_table_is_right(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        view = await _open(tui, pilot, "ADQS")
        snapshot: Snapshot = view.snapshot
        total = len(view.table.model)
        view.table.go(0, _column(view, "AVAL"))
        await tui.press(pilot, "S", "S")
        assert view.order == ("-AVAL",)
        text = await tui.press(pilot, "G")
        assert "..." not in text
        last = view.model.row(total - 1)
        wanted = snapshot.page("ADQS", ["USUBJID", "AVAL"], offset=total - 1, limit=1, order_by=("-AVAL",))[0]
        assert last[_column(view, "USUBJID")][0] == wanted[0]
        await tui.press(pilot, "S")
        assert view.order == ()
        assert view.rows.ids is None


async def test_scrolling_meets_no_dots(workspace: Path, tui: Any) -> None:
    """The page beside is there before its first row is."""
    async with tui.run(workspace) as pilot:
        await _open(tui, pilot, "ADQS")
        for _ in range(30):
            text = await tui.press(pilot, "pagedown")
            assert "..." not in text


async def test_search_goes_from_hit_to_hit(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        view = await _open(tui, pilot, "ADQS")
        snapshot: Snapshot = view.snapshot
        everything = snapshot.page("ADQS", None, offset=0, limit=len(view.table.model))
        hits = [i for i, row in enumerate(everything) if any("month 9" in str(v).lower() for v in row)]
        text = await tui.press(pilot, "w", *"month 9", "enter")
        assert view.table.cursor_row == hits[0]
        assert f"1 of {len(hits)} rows" in text
        await tui.press(pilot, "n", "n")
        assert view.table.cursor_row == hits[2]
        await tui.press(pilot, "N", "N", "N")
        assert view.table.cursor_row == hits[-1]
        assert view.table.cursor_row in view.table.matches
        await tui.press(pilot, "S")  # another order: the same rows, elsewhere
        assert sorted(view.rows.ids[view.hits.places].tolist()) == hits
        await tui.press(pilot, "g", "n")
        assert "month 9" in " ".join(t for t, _ in view.model.row(view.table.cursor_row)).lower()
        await tui.press(pilot, "escape")
        assert view.hits is None
        assert view.order != ()
        text = await tui.press(pilot, "w", *"no such text", "enter")
        assert "no row holds no such text" in text


async def test_a_page_and_a_search_do_not_cancel_each_other(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        view = await _open(tui, pilot, "ADQS")
        view.search("month 9")
        view.table.go(len(view.table.model) - 1)
        view.fetch(20)
        assert len(view.bench.jobs.labels) == 2
        await tui.settle(pilot)
        assert view.hits is not None
        assert 20 in view.model.pages


async def test_a_cancelled_page_is_read_when_it_is_wanted_again(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        view = await _open(tui, pilot, "ADQS")
        view.fetch(30)
        view.bench.jobs.cancel_all()
        await tui.settle(pilot)
        view.fetch(30)
        await tui.settle(pilot)
        assert 30 in view.model.pages


async def test_numbers_have_all_their_digits_and_stand_on_the_point(workspace: Path, tui: Any) -> None:
    """What is stored is shown, copied and exported as stored; LEADRATE has four decimals in the files."""
    from alsbench.render.delimited import page_markdown

    async with tui.run(workspace) as pilot:
        view = await _open(tui, pilot, "ADSL")
        column = _column(view, "LEADRATE")
        stored = [r[0] for r in view.snapshot.page("ADSL", ["LEADRATE"], offset=0, limit=115)]
        texts = [view.model.row(k)[column][0] for k in range(115)]
        assert [float(t) for t in texts] == stored
        assert len({len(t.rstrip()) for t in texts}) > 1
        assert len({(len(t), t.index(".")) for t in texts}) == 1
        view.table.go(0, column)
        assert view.cell_text() == repr(stored[0])
        assert repr(stored[0]) in page_markdown(view.page())
        text = await tui.press(pilot, "F")
        assert f"mean              {sum(stored) / 115:.4f}".rstrip("0") in text


async def test_a_quotient_is_shown_short_with_a_mark_and_copied_whole(pilot_workspace: Path, tui: Any) -> None:
    """AVAL of the pilot study's ADAS-Cog is prorated where items are missing."""
    async with tui.run(pilot_workspace) as pilot:
        view = await _open(tui, pilot, "ADADAS")
        column = _column(view, "AVAL")
        stored = [r[0] for r in view.snapshot.page("ADADAS", ["AVAL"], offset=0, limit=len(view.model))]
        row = next(k for k, v in enumerate(stored) if v is not None and len(f"{v:.15g}") > 12)
        await tui.press(pilot, f":row {row + 1}")
        view.table.go(row, column)
        text = await tui.press(pilot)
        assert f"{stored[row]:.15g}".split(".")[0] + "." in view.model.row(row)[column][0]
        assert view.model.row(row)[column][0].rstrip().endswith("…")
        assert view.cell_text() == f"{stored[row]:.15g}"
        assert f"= {stored[row]:.15g}" in text


async def test_the_subjects_of_an_arm_have_their_values_as_stored(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace, size=(160, 45)) as pilot:
        await tui.press(pilot, "2", "enter")
        source = pilot.app.ready.source
        values = [source.subjects["LEADRATE"][k] for k, a in enumerate(source.planned_arm) if a == 0]
        assert all(f"{v:.15g}" in tui.text(pilot.app) for v in values[:20])


async def test_the_subject_stands_first_and_is_frozen_in_every_table_that_has_one(workspace: Path, tui: Any) -> None:
    """Files put STUDYID first; the page to read keeps the file's order."""
    async with tui.run(workspace, size=(80, 24)) as pilot:
        view = await _open(tui, pilot, "ADQS")
        snapshot: Snapshot = view.snapshot
        assert snapshot.table("ADQS").columns[0].name == "STUDYID"
        text = await tui.press(pilot, *["l"] * 12)
        subject = snapshot.page("ADQS", ["USUBJID"], offset=0, limit=1)[0][0]
        assert [line.split()[0] for line in text.splitlines()[2:4]] == ["USUBJID", subject]
        assert view.page().blocks[0].columns[0].title == "STUDYID"
        view.table.go(700, _column(view, "PARAMCD"))
        await tui.settle(pilot)
        wanted = snapshot.page("ADQS", ["USUBJID", "PARAMCD"], offset=700, limit=1)[0]
        assert (view.model.row(700)[0][0], view.cell_text()) == wanted


def test_columns_make_room_for_what_a_later_page_holds() -> None:
    """Digits are never cut by the width of another page, and points stay above each other."""
    column = ColumnInfo("AVAL")
    info = TableInfo("T", "", 2 * PAGE_ROWS, (column,), "t.csv", "")
    model = PagedModel(info, 2 * PAGE_ROWS, [(12345.0,)] * PAGE_ROWS, frozen=0, fetch=lambda _: None, ascii=True)
    assert model.cols[0].width == 5
    assert model.put(1, [(0.25,), (123456.0,)] + [(1.0,)] * (PAGE_ROWS - 2))
    shown = [fit(model.row(k)[0][0], model.cols[0].width, align="right") for k in (0, PAGE_ROWS, PAGE_ROWS + 1)]
    assert shown == [" 12345   ", "     0.25", "123456   "]
    assert not model.put(1, [(0.5,)] * PAGE_ROWS)


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
        assert "--where" in app.exporter.shell_command()
        app.view.table.go(0, [c.name for c in app.view.model.info.columns].index("AVAL"))
        await tui.press(pilot, "S")
        values = [float(app.view.model.row(k)[table.cursor_col][0]) for k in range(10)]
        assert values == sorted(values)
        text = await tui.press(pilot, "F")
        assert "median" in text
        await tui.press(pilot, "escape", "escape")
        assert len(table.model) == total


async def test_a_bad_filter_leaves_the_table(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, "8", "enter", "slash", *"NOPE == 1", "enter")
        assert "NOPE" in tui.text(pilot.app)
        assert len(pilot.app.view.table.model) > 0


async def test_every_filtered_row_is_exported_and_copied_as_the_shell_writes_it(many: Path, tui: Any, tmp_path: Path) -> None:
    """56,905 of 57,504 rows, sorted, the subject first as on the screen; no row, column or digit less."""
    async with tui.run(many) as pilot:
        view = await _open(tui, pilot, "ADXX")
        await tui.press(pilot, "slash", *"AVISITN > 0", "enter")
        view.table.go(0, _column(view, "AVAL"))
        text = await tui.press(pilot, "S")
        assert "row 1/56,905 \u00b7 col 5/6" in text
        target = tmp_path / "rows.csv"
        pilot.app.exporter.export(str(target))
        assert "wrote" in await tui.settle(pilot)
        written = target.read_text()
        assert written == tui.shell(pilot.app.exporter.shell_command(), many, "--format", "csv", "-q")
        lines = written.splitlines()
        assert len(lines) == 56_906 and lines[0] == "USUBJID,STUDYID,PARAMCD,AVISITN,AVAL,AVALC"
        said = await tui.press(pilot, "Y")
        assert "copied" in said
        assert f"{target.parent}" not in said
        copied = tui.shell(pilot.app.exporter.shell_command(), many, "-q")
        assert copied.count("\n") > 56_905  # what Y has copied is this, and no first thousand of it
        assert f"copied {copied.count(chr(10))} lines" in said


async def test_rows_are_chosen_and_left_out_by_a_cell(many: Path, tui: Any) -> None:
    """= keeps the rows of the cell's value, ! those of every other, missing ones too; both go on from what stands."""
    async with tui.run(many) as pilot:
        view = await _open(tui, pilot, "ADXX")
        stored = view.snapshot.page("ADXX", ["USUBJID", "AVISITN", "AVAL", "AVALC"], offset=0, limit=60_000)
        view.table.go(2, _column(view, "AVALC"))
        assert view.cell_text() == "OO"
        await tui.press(pilot, "=")
        assert len(view.model) == sum(row[3] == "OO" for row in stored)
        assert view.table.cursor_col == _column(view, "AVALC")
        await tui.press(pilot, "escape")
        view.table.go(0, _column(view, "AVAL"))
        assert view.cell_text() == ""
        missing = sum(row[2] is None or row[2] != row[2] for row in stored)
        assert 0 < missing < len(stored)
        await tui.press(pilot, "=")
        assert len(view.model) == missing
        await tui.press(pilot, "escape")
        view.table.go(1, _column(view, "AVAL"))
        value = view.model.value(1, _column(view, "AVAL"))
        await tui.press(pilot, "!")
        assert len(view.model) == sum(row[2] != value for row in stored)
        view.table.go(0, _column(view, "USUBJID"))
        await tui.press(pilot, "=")
        assert len(view.model) == sum(row[2] != value and row[0] == "S000" for row in stored)
        assert len(view.model) < VISITS + 1


async def test_one_sign_of_equality_is_enough_in_a_filter(many: Path, tui: Any) -> None:
    async with tui.run(many) as pilot:
        view = await _open(tui, pilot, "ADXX")
        await tui.press(pilot, "slash", *"USUBJID = 'S001' and AVISITN <= 3", "enter")
        assert len(view.model) == 4
        assert len(tui.shell(pilot.app.exporter.shell_command(), many, "--format", "csv", "-q").splitlines()) == 5


def test_a_sign_of_equality_in_quotes_stays() -> None:
    from alsbench.study.expression import equality

    assert equality("A = 'x = y' and B >= 2 and C != \"=\" or D == 1") == "A == 'x = y' and B >= 2 and C != \"=\" or D == 1"


async def test_a_line_is_typed_at_the_bottom_with_the_data_in_view(workspace: Path, tui: Any) -> None:
    """What stands in it is selected: typing replaces it. A fault stands on two lines with a caret, and is not accepted."""
    async with tui.run(workspace) as pilot:
        view = await _open(tui, pilot, "ADQS")
        await tui.press(pilot, "slash", *"AVISITN == 6", "enter")
        text = await tui.press(pilot, "slash")
        assert "ALSDEMO-01-1001" in text and "ADQS where AVISITN == 6" in text.splitlines()[-2]
        text = await tui.press(pilot, *"AVISITN == ")
        assert text.splitlines()[-2].strip() == "ADQS where AVISITN =="
        assert any(line.strip() == "^" for line in text.splitlines())
        text = await tui.press(pilot, "enter")
        assert "ADQS where" in text and view.where_text == "AVISITN == 6"
        text = await tui.press(pilot, "1", "2")
        assert not any(line.strip() == "^" for line in text.splitlines())
        await tui.press(pilot, "enter")
        assert view.where_text == "AVISITN == 12"


async def test_enter_on_a_row_opens_the_profile_and_esc_returns(own_workspace: Path, tui: Any) -> None:
    """From any table of subjects and from the records behind a number; the look is entered as that of `alsbench subject`."""
    from alsbench.audit.log import entries

    async with tui.run(own_workspace, audit=True) as pilot:
        view = await _open(tui, pilot, "ADQS")
        view.table.go(40, 2)
        subject = view.model.row(40)[0][0].strip()
        text = await tui.press(pilot, "enter")
        assert text.splitlines()[0].split()[0] == subject and "ALSFRS-R total score" in text
        assert "row 41/" in await tui.press(pilot, "escape")
        await tui.press(pilot, "4", "}")
        text = await tui.press(pilot, "l", "enter")
        assert "records of ADQS" in text and "enter profile" in text
        behind = pilot.app.screen.table
        first = behind.model.text(0, 0)
        assert (await tui.press(pilot, "enter")).splitlines()[0].split()[0] == first
        assert "records of ADQS" in await tui.press(pilot, "escape")
        looked = [e.facts["asked"] for e in entries(own_workspace / "audit.jsonl") if e.action == "subject"]
        assert [line.split()[:3] for line in looked] == [["alsbench", "subject", who] for who in (subject, first)]


async def test_a_key_is_a_command_line_too(workspace: Path, tui: Any) -> None:
    async with tui.run(workspace) as pilot:
        await tui.press(pilot, ":q")
        assert pilot.app._exit


async def test_a_filter_typed_before_the_rows_are_there_is_of_the_table(many: Path, tui: Any) -> None:
    """It was a search for that text among lines that had not come yet: no rows, and none when they came."""
    async with tui.run(many) as pilot:
        app = pilot.app
        await tui.press(pilot, "8")
        await app.keys.run_line("table ADXX")
        for key in ("slash", *"AVISITN == 3", "enter"):
            tui.strike(app, key)
        await tui.settle(pilot)
        assert app.view.where_text == "AVISITN == 3" and len(app.view.model) == SUBJECTS
