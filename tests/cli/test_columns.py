"""``data TABLE --columns`` and ``--special``: what the source said of its columns, and which cells hold which missing value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.data.sas7bdat_files import Column, write_sas7bdat

from alsbench.data.workspace import Workspace
from alsbench.service.column_summary import column_summary
from alsbench.tui.screens.data import column_lines
from alsbench.tui.theme import appearance

Run = Callable[..., Any]
COLUMNS = (
    Column("USUBJID", 4, "Subject", "$", (4, 0)),
    Column("AVAL", 0, "Value of [visit]", "BEST", (8, 0)),
    Column("ADT", 0, "Date", "DATE", (9, 0)),
)
ROWS = [("S1", 1.0, 100.0), ("S2", ".A", None), ("S3", ".A", ".N"), ("S4", None, 3.0)]


@pytest.fixture
def workspace(tmp_path: Path, run: Run) -> Path:
    source = write_sas7bdat(tmp_path / "adqs.sas7bdat", COLUMNS, ROWS, label="Questionnaires")
    loaded = run("load", source, "--as", "adam", "-w", tmp_path / "ws")
    assert loaded.code == 0, loaded.err
    assert "AVAL: special missing values .A 2" in loaded.out
    return tmp_path / "ws"


def test_columns_as_the_file_describes_them(workspace: Path, run: Run) -> None:
    shown = run("data", "adqs", "--columns", "-w", workspace, "--format", "json").json
    assert shown["title"] == "ADQS Questionnaires: columns"
    assert [tuple(r.values()) for r in shown["rows"]] == [
        ("USUBJID", "Subject", "text", "Char", 4, "$4.", 0, None),
        ("AVAL", "Value of [visit]", "number", "Num", 8, "BEST8.", 3, ".A 2"),
        ("ADT", "Date", "date", "Num", 8, "DATE9.", 2, ".N 1"),
    ]
    text = run("data", "adqs", "--columns", "-c", "aval", "-w", workspace).out
    assert "Value of [visit]" in text and "USUBJID" not in text


def test_cells_with_a_special_missing_value(workspace: Path, run: Run) -> None:
    shown = run("data", "adqs", "--special", "-w", workspace, "--format", "csv").out.split()
    assert shown == ["row,subject,column,code", "2,S2,AVAL,.A", "3,S3,AVAL,.A", "3,S3,ADT,.N"]
    cut = run("data", "adqs", "--special", "-c", "AVAL", "--limit", 1, "--offset", 1, "-w", workspace)
    assert "S3" in cut.out and "S2" not in cut.out and "1 of 2 cells" in cut.out


@pytest.mark.parametrize("more", [("--special",), ("--where", "AVAL > 1"), ("--order-by", "AVAL")])
def test_what_cannot_be_meant_is_refused(workspace: Path, run: Run, more: tuple[str, ...]) -> None:
    assert run("data", "adqs", "--columns", *more, "-w", workspace).code == 2


def test_the_app_tells_the_same(workspace: Path) -> None:
    with Workspace(workspace).open_current() as snapshot:
        found = [column_summary(snapshot, "ADQS", "AVAL", where, lambda: None) for where in ("", "AVAL == 1")]
    lines, some = ([t.plain for t in column_lines(each, appearance("mono"))] for each in found)
    for line in (
        "missing           3",
        "special missing   .A 2",
        "source type       Num, length 8",
        "format            BEST8.",
    ):
        assert line in lines
    assert "label             Value of [visit]" in lines
    assert "special missing   .A 2, in all rows" in some
