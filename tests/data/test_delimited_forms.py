"""Forms of delimited text that other programs write: Excel's line of the delimiter, R's row names, other encodings."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from alsbench.data.load import load
from alsbench.data.readers.files import read
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError

ROWS = [("A", 1.0), ("B", 2.5)]


def _read(path: Path, text: str | bytes) -> tuple[list[tuple[object, ...]], list[str]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (dataset,) = read(path)
    return [tuple(r.values()) for r in dataset.table().to_pylist()], dataset.remarks


SAID = {
    "semicolon": "sep=;\nUSUBJID;AGE\nA;1\nB;2.5\n",
    "semicolon, decimal commas": "sep=;\r\nUSUBJID;AGE\r\nA;1,0\r\nB;2,5\r\n",
    "comma": "sep=,\nUSUBJID,AGE\nA,1\nB,2.5\n",
    "quoted": '"sep=;"\r\n"USUBJID";"AGE"\r\n"A";1\r\n"B";2.5\r\n',
    "upper case": "SEP=;\nUSUBJID;AGE\nA;1\nB;2.5\n",
    "tab": "sep=\t\nUSUBJID\tAGE\nA\t1\nB\t2.5\n",
    "tab in letters": "sep=tab\nUSUBJID\tAGE\nA\t1\nB\t2.5\n",
    "byte order mark": "\ufeffsep=;\nUSUBJID;AGE\nA;1\nB;2.5\n",
    "blank line before and after": "\nsep=;\n\nUSUBJID;AGE\nA;1\nB;2.5\n",
    "a delimiter that would not be found": "sep=^\nUSUBJID^AGE\nA^1\nB^2.5\n",
}


@pytest.mark.parametrize("form", SAID)
@pytest.mark.parametrize("in_memory", [True, False])
def test_a_first_line_that_says_the_delimiter(
    tmp_path: Path, form: str, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.setattr("alsbench.data.readers.delimited._IN_MEMORY", 0)
    rows, remarks = _read(tmp_path / "adsl.csv", SAID[form])
    assert rows == ROWS
    assert "the first line names the delimiter and is no record" in remarks


def test_a_first_line_of_the_delimiter_in_utf16(tmp_path: Path) -> None:
    assert _read(tmp_path / "adsl.csv", SAID["semicolon"].encode("utf-16"))[0] == ROWS


def test_lines_are_counted_with_the_line_of_the_delimiter(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"adsl\.csv line 4: row 2 has 3 fields"):
        _read(tmp_path / "adsl.csv", "sep=;\nUSUBJID;AGE\nA;1\nB;2;3\n")


def test_one_column_behind_a_line_of_the_delimiter(tmp_path: Path) -> None:
    assert _read(tmp_path / "adsl.csv", "sep=;\nAGE\n1\n\n3\n")[0] == [(1.0,), (None,), (3.0,)]


ROW_NAMES = {
    "write.csv": '"","USUBJID","AGE"\n"1","A",1\n"2","B",2.5\n',
    "no quotes": ",USUBJID,AGE\n1,A,1\n2,B,2.5\n",
    "tabs": "\tUSUBJID\tAGE\n1\tA\t1\n2\tB\t2.5\n",
    "semicolons (write.csv2)": '"";"USUBJID";"AGE"\n"1";"A";1\n"2";"B";2,5\n',
    "blanks": '" ","USUBJID","AGE"\n1 ,A,1\n2 ,B,2.5\n',
}


@pytest.mark.parametrize("form", ROW_NAMES)
@pytest.mark.parametrize("in_memory", [True, False])
def test_row_names_of_r_are_left_out_and_said(
    tmp_path: Path, form: str, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.setattr("alsbench.data.readers.delimited._IN_MEMORY", 0)
    rows, remarks = _read(tmp_path / ("adsl.tsv" if form == "tabs" else "adsl.csv"), ROW_NAMES[form])
    assert rows == ROWS
    assert "the first column has no name and counts the rows: it was left out" in remarks


@pytest.mark.parametrize(
    ("numbers", "row"), [(("0", "1"), 1), (("1", "3"), 2), (("a", "b"), 1), (("", ""), 1), (("2", "1"), 1), (("1.0", "2.0"), 1)]
)
def test_a_first_column_without_a_name_that_counts_nothing_is_refused(
    tmp_path: Path, numbers: tuple[str, str], row: int
) -> None:
    text = f",USUBJID,AGE\n{numbers[0]},A,1\n{numbers[1]},B,2.5\n"
    with pytest.raises(DataError, match=rf"row {row} column 1: column 1 has no name, and does not count the rows") as refused:
        _read(tmp_path / "adsl.csv", text)
    assert "row.names = FALSE" in refused.value.hint
    assert "index=False" in refused.value.hint


def test_rows_longer_than_the_header_by_row_names(tmp_path: Path) -> None:
    """write.table(sep = "\\t"): the header has no field for the row names."""
    with pytest.raises(DataError, match=r"row 1 has 3 fields, the header has 2\n.*row\.names = FALSE"):
        _read(tmp_path / "adsl.tsv", '"USUBJID"\t"AGE"\n"1"\t"A"\t1\n')


def test_a_data_set_written_with_row_names_is_the_same_data(tmp_path: Path) -> None:
    folders = {}
    for name, text in (("plain", "USUBJID,AGE\nA,1\nB,2.5\n"), ("named", ROW_NAMES["write.csv"])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adsl.csv").write_text(text, "utf-8")
        folders[name] = load([tmp_path / name], Workspace(tmp_path / f"ws{name}"))
    assert folders["plain"].digest == folders["named"].digest


@pytest.mark.parametrize("numbers", [(1, 2), ("1", "2")])
def test_row_names_in_a_workbook(tmp_path: Path, numbers: tuple[object, object]) -> None:
    book = openpyxl.Workbook()
    for row in ([None, "USUBJID", "AGE"], [numbers[0], "A", 1], [numbers[1], "B", 2.5]):
        book.active.append(row)
    book.save(tmp_path / "adsl.xlsx")
    (dataset,) = read(tmp_path / "adsl.xlsx")
    assert [tuple(r.values()) for r in dataset.table().to_pylist()] == ROWS
    assert "the first column has no name and counts the rows: it was left out" in dataset.remarks


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("CP949", "USUBJID,SITE\nA,서울\n"),
        ("CP932", "USUBJID,SITE\nA,東京のめまい\n"),
        ("GB18030", "USUBJID,SITE\nA,北京，上海\n"),
        ("WINDOWS-1252", "USUBJID,SITE\nA,Köln\n"),
        ("WINDOWS-1251", "USUBJID,SITE\nA,Москва\n"),
        ("UTF-16LE", "USUBJID,SITE\nA,Köln\n"),
        ("UTF-16BE", "USUBJID,SITE\nA,Köln\n"),
    ],
)
@pytest.mark.parametrize("far", [False, True])
def test_the_hint_names_the_encoding(tmp_path: Path, encoding: str, text: str, far: bool) -> None:
    """``far``: the first such byte stands behind what is looked at before the rows are read."""
    header, row = text.splitlines()
    whole = "\n".join([header, *(["A,plain"] * 150_000 if far else []), row, ""])
    path = tmp_path / "adsl.csv"
    path.write_bytes(whole.encode(encoding))
    with pytest.raises(DataError) as refused:
        read(path)
    assert f"iconv -f {encoding} -t UTF-8 adsl.csv > utf8/adsl.csv" in refused.value.hint
    assert "adsl.csv" in refused.value.where


def test_one_text_that_is_not_utf8_among_others_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 3") as refused:
        _read(tmp_path / "adsl.csv", "USUBJID,SITE\nA,Köln\n".encode() + b"B,K\xf6ln\n")
    assert "iconv" not in refused.value.hint


def test_an_encoding_that_cannot_be_told_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        _read(tmp_path / "adsl.csv", b"USUBJID,SITE\nA," + bytes(range(0x80, 0xA0)) + b"\n")
    assert "iconv -f ENCODING" in refused.value.hint


def test_a_missing_file_names_near_files_only(tmp_path: Path) -> None:
    for name in ("adsl.xpt", "adqs.xpt", "README.md", "budget.xlsx", "adsl.toml"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError) as refused:
        load([tmp_path / "asdl.xpt"], Workspace(tmp_path / "ws"))
    assert refused.value.hint == "did you mean adsl.xpt?"
    with pytest.raises(DataError) as refused:
        load([tmp_path / "zzzzzz.csv"], Workspace(tmp_path / "ws"))
    assert refused.value.hint == ""
    with pytest.raises(DataError, match=r"there is no folder .*nowhere either"):
        load([tmp_path / "nowhere" / "adsl.xpt"], Workspace(tmp_path / "ws"))
