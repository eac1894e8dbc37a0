"""Excel workbooks: sheets are data sets; what a spreadsheet cannot say plainly is refused with its cell."""

from __future__ import annotations

import datetime as dt
import sys
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from alsbench.data.load import load
from alsbench.data.readers.files import read
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UnavailableError


def _book(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


HEAD = ["USUBJID", "SITEID", "AGE", "TRTSDT", "OK", "MIXED"]


def test_kinds_of_cells(tmp_path: Path) -> None:
    rows = [["a", "01", 61, dt.date(2024, 1, 2), True, 1], ["b", "02", 40.5, None, None, "x"], [None] * 6]
    (dataset,) = read(_book(tmp_path / "adsl.xlsx", Sheet1=[HEAD, *rows]))
    assert dataset.name == "ADSL"
    assert [c.kind for c in dataset.columns] == ["text", "text", "number", "date", "boolean", "text"]
    assert [list(r.values()) for r in dataset.table().to_pylist()] == [
        ["a", "01", 61.0, dt.date(2024, 1, 2), True, "1"],
        ["b", "02", 40.5, None, None, "x"],
    ]


@pytest.mark.parametrize("says", ["A1", "A1:B2"])
def test_a_size_stated_too_small_hides_nothing(tmp_path: Path, says: str) -> None:
    rows = [[f"s{i}", "01", i, None, None, "x"] for i in range(10)]
    path = _book(tmp_path / "adsl.xlsx", Sheet1=[HEAD, *rows])
    small = tmp_path / "small" / "adsl.xlsx"
    small.parent.mkdir()
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(small, "w") as other:
        for member in whole.infolist():
            content = whole.read(member)
            if member.filename.endswith("sheet1.xml"):
                assert b'<dimension ref="A1:F11"' in content
                content = content.replace(b'<dimension ref="A1:F11"', f'<dimension ref="{says}"'.encode())
            other.writestr(member.filename, content)
    assert read(small)[0].table().equals(read(path)[0].table())
    assert read(small)[0].table().num_rows == 10


def test_sheets_are_data_sets(tmp_path: Path, workspace: Workspace) -> None:
    path = _book(
        tmp_path / "trial.xlsx",
        adsl=[["USUBJID"], ["a"], ["b"]],
        ADAE=[["USUBJID", "AETERM"], ["a", "fall"], [], ["b", "cold"]],
        empty=[],
    )
    receipt = load([path], workspace)
    assert [(f.dataset, f.rows) for f in receipt.files] == [("ADSL", 2), ("ADAE", 2)]
    assert "1 blank rows are no records" in receipt.files[1].messages


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([["A", "B"], [1, "=1+1"]], "formula has no stored result"),
        ([["A", "A"], [1, 2]], "two columns"),
        ([["A", None, "C"], [1, 2, 3]], "column 2 has no usable name"),
        ([["A"], [1, 2]], "beyond the last named column"),
        ([["A"], ["#N/A"]], "error"),
        ([], "empty"),
    ],
)
def test_what_cannot_be_read_names_its_place(tmp_path: Path, rows: list[list[Any]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(_book(tmp_path / "x.xlsx", Sheet1=rows))


def test_damaged_workbooks(tmp_path: Path) -> None:
    path = _book(tmp_path / "x.xlsx", Sheet1=[["A"], [1]])
    whole = path.read_bytes()
    for size in (1, 30, 500, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError):
            read(path)
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(DataError, match="encrypted"):
        read(path)


def test_an_installation_without_openpyxl_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _book(tmp_path / "x.xlsx", Sheet1=[["A"], [1]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UnavailableError, match="openpyxl"):
        read(path)


def test_an_empty_column_that_is_named_like_a_number_is_one(tmp_path: Path) -> None:
    (dataset,) = read(_book(tmp_path / "adlb.xlsx", A=[["USUBJID", "AVAL", "CHG", "DTYPE"], ["a", 1, None, None]]))
    assert [c.kind for c in dataset.columns] == ["text", "number", "number", "text"]


def test_bytes_after_the_end_of_a_workbook_are_refused(tmp_path: Path) -> None:
    path = _book(tmp_path / "adsl.xlsx", A=[["USUBJID"], ["a"]])
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(DataError, match="bytes stand after its end"):
        read(path)


TABLE = [["P1", 40, 38.5], ["P2", 41, 39]]


@pytest.mark.parametrize("above", [
    [["Trial X: scores"]], [["Trial X"], [], [dt.date(2024, 1, 2)]], [[], [None, "Scores"]],
])  # fmt: skip
def test_titles_above_the_header_are_no_records(tmp_path: Path, above: list[list[Any]]) -> None:
    (dataset,) = read(_book(tmp_path / "v.xlsx", Sheet1=[*above, ["ID", "Month 0", "Month 1"], *TABLE]))
    assert dataset.table().to_pydict() == {"ID": ["P1", "P2"], "Month 0": [40, 41], "Month 1": [38.5, 39]}
    assert any(f"row {len(above) + 1} holds the column names, the rows above it titles: " in r for r in dataset.remarks)


def test_groups_above_names_that_are_not_distinct_go_before_them(tmp_path: Path) -> None:
    rows = [["Study"], [None, "ALSFRS-R", None, "NfL"], ["ID", "Baseline", "Month 3", "Baseline"], ["P1", 40, 38, 55.5]]
    (dataset,) = read(_book(tmp_path / "v.xlsx", Sheet1=rows))
    assert dataset.table().to_pydict() == {
        "ID": ["P1"], "ALSFRS-R Baseline": [40], "Month 3": [38], "NfL Baseline": [55.5]
    }  # fmt: skip
    assert "column names are those of rows 2 and 3" in dataset.remarks


def test_a_header_is_no_title(tmp_path: Path) -> None:
    """Blank cells right of the first row, or records of text below it, make it no title; a stray cell is refused as before."""
    (dataset,) = read(_book(tmp_path / "v.xlsx", Sheet1=[["ID", "ARM"], ["a", "b"], ["c", "d"]]))
    assert dataset.table().to_pydict() == {"ID": ["a", "c"], "ARM": ["b", "d"]}
    for stray in (
        [["ID", "ARM"], ["a", "b"], ["c", "d", "e"], [1, 2]],
        [["ID", "ARM"], ["a", "b", "x", "y", "z"], ["c", "d", "e", "f", "g"]],
    ):
        with pytest.raises(DataError, match="beyond the last named column"):
            read(_book(tmp_path / "w.xlsx", Sheet1=stray))
