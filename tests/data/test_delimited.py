"""CSV and TSV: codes stay text, dates are found, and a bad row is refused with its line."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsbench.data.readers import delimited, delimited_faults
from alsbench.data.readers.files import read
from alsbench.errors import DataError


def _read(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Any:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (dataset,) = read(path)
    return dataset


def _column(tmp_path: Path, name: str, *values: str) -> tuple[str, list[Any]]:
    dataset = _read(tmp_path, f"{name},Z\n" + "".join(f"{v},z\n" for v in values))
    return dataset.columns[0].kind, dataset.table().column(name).to_pylist()


@pytest.mark.parametrize(
    ("name", "values", "kind", "read_as"),
    [
        ("AVAL", ("1", "-2.5", "1e3", " 4"), "number", [1.0, -2.5, 1000.0, 4.0]),
        ("AVAL", ("1", ".", ""), "number", [1.0, None, None]),
        ("AVAL", ("0", "0.5", "-0.5"), "number", [0.0, 0.5, -0.5]),
        ("SITE", ("01", "10"), "text", ["01", "10"]),
        ("SITE", ("-01", "10"), "text", ["-01", "10"]),
        ("SUBJID", ("1001", "1002"), "text", ["1001", "1002"]),
        ("BLNFL", ("52.5", "60"), "number", [52.5, 60.0]),
        ("ANL01FL", ("Y", ""), "text", ["Y", None]),
        ("X", ("1", "n/a"), "text", ["1", "n/a"]),
        ("X", ("1", "nan"), "text", ["1", "nan"]),
        ("X", ("1", "inf"), "text", ["1", "inf"]),
        ("X", ("1", "1e999"), "text", ["1", "1e999"]),
        ("KIT", ("12345678901234567", "12345678901234568"), "text", ["12345678901234567", "12345678901234568"]),
        ("X", ("9007199254740992.5", "1e20"), "number", [9007199254740992.0, 1e20]),
        ("X", ("a  ", "  "), "text", ["a", None]),
        ("DTYPE", ("", ""), "text", [None, None]),
        ("CHG", ("", "."), "number", [None, None]),
        ("AVISIT", ("Month 1", "Müller “x”"), "text", ["Month 1", "Müller “x”"]),
    ],
)
def test_what_a_column_is(tmp_path: Path, name: str, values: tuple[str, ...], kind: str, read_as: list[Any]) -> None:
    assert _column(tmp_path, name, *values) == (kind, read_as)


def test_blanks_around_a_column_name_are_no_part_of_it(tmp_path: Path) -> None:
    dataset = _read(tmp_path, 'USUBJID, AVAL ,"a b"\nx,1,y\n')
    assert [(c.name, c.kind) for c in dataset.columns] == [("USUBJID", "text"), ("AVAL", "number"), ("a b", "text")]
    with pytest.raises(DataError, match="two columns are named"):
        _read(tmp_path, "AVAL, AVAL\n1,2\n")


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_blank_line_of_one_column_is_a_row(tmp_path: Path, ends: str) -> None:
    one = _read(tmp_path, ends.join(["", "", "AVAL", "1", "", "2", "", ""]))
    assert one.table().column("AVAL").to_pylist() == [1.0, None, 2.0, None]
    two = _read(tmp_path, ends.join(["", "AVAL,B", "1,2", "", "2,3", ""]))
    assert two.table().num_rows == 2, "a blank line is no row of two columns"


def test_dates_are_found_by_name_and_form(tmp_path: Path) -> None:
    kind, values = _column(tmp_path, "ADT", "2024-02-29", "")
    assert kind == "date"
    assert str(values) == "[datetime.date(2024, 2, 29), None]"
    assert _column(tmp_path, "ADT", "2024-02-29", "2024-02")[0] == "text", "a partial date is no date"
    assert _column(tmp_path, "ADT", "2023-02-29", "2024-02-01")[0] == "text", "nor is one not in the calendar"
    assert _column(tmp_path, "RFSTDTC", "2024-02-29", "")[0] == "text", "ISO character dates stay text"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "A\tB\n1\tx,y\n"),
        ("a.csv", "A;B\n1;x,y\n"),
        ("a.csv", 'A,B\n1,"x,y"\n'),
        ("a.csv", '\ufeffA,B\r\n1,"x,y"\r\n'),
        ("a.csv", '"A","B"\n"1","x,y"'),
        ("a.csv", '\ufeff"A","B"\n"1","x,y"\n\n'),
        ("a.csv", "A|B\n1|x,y\n"),
    ],
)
def test_dialects(tmp_path: Path, name: str, text: str) -> None:
    assert _read(tmp_path, text, name).table().to_pylist() == [{"A": 1.0, "B": "x,y"}]


def test_utf16_is_read(tmp_path: Path) -> None:
    assert _read(tmp_path, "A,B\n1,é\n".encode("utf-16")).table().to_pylist() == [{"A": 1.0, "B": "é"}]


def test_quoted_fields_hold_anything(tmp_path: Path) -> None:
    dataset = _read(tmp_path, 'A,B\n"line\none","say ""hi"""\n"","""x"\n')
    assert dataset.table().to_pylist() == [{"A": "line\none", "B": 'say "hi"'}, {"A": None, "B": '"x'}]


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("", "t.csv", "empty"),
        ("\n\n", "t.csv", "empty"),
        ("A,B\n1,2\n3\n", "line 3", "row 2 has 1 fields, the header has 2"),
        ("A,B\n1,2\n3,4,5\n", "line 3", "row 2 has 3 fields, the header has 2"),
        ('A,B\n1,"2\n3,4\n', "line 2 column B", "a quote that opens in row 1 is not closed"),
        ('A,B\n1,2\n3,"4\n5,6"7\n', "line 3 column B", "a quote that opens in row 2 is not closed"),
        ('A,B\n1,5" pipe\n', "line 2", "quote"),
        ("A,A\n1,2\n", "t.csv", "two columns are named A"),
        ("A,a\n1,2\n", "t.csv", "differ in case only"),
        ("A,\n1,2\n", "t.csv", "column 2, the last, has no name"),
        ("A,,B\n1,2,3\n", "line 1", "column 2 has no usable name"),
        ('A,B\n1,"2"x\n', "line 2 column B", "text follows a closing quote in row 1"),
        ('A,B\n1,"2\n3",4\n', "line 2", "one of its quoted fields goes from line 2 to line 3"),
        ('A,"B\n1,2\n', "line 1", "a quote that opens in the header is not closed"),
        ("A,B\r1,2\r3\r", "line 3", "row 2 has 1 fields"),
        ("Listing 1\nA,B\n1,2\n", "line 2", "the first line must hold the column names"),
        ("A,B\n1,2,\n", "line 2", "a delimiter at the end of the row"),
        (b"A,B\n" + b"1,2\n" * 300_000 + b"1,\x80\n", "line 300002 column B", "row 300001 is not valid UTF-8"),
        ("A,B\n1," + "x" * 2**23 + "\n", "line 2", "row 1 is longer than 4 MB"),
        ('A,B\n1,"' + "x\n" * 2**22 + '"\n', "line 2 column B", "more than 4 MB follow it"),
        ("<!DOCTYPE html><html></html>\n", "line 1", "holds HTML or XML"),
        ('[{"A": 1}]\n', "line 1", "holds JSON"),
        ("A,B\n1,2\n".encode("utf-16-le"), "byte 1 line 1", "UTF-16 without a byte order mark"),
        (b"A,B\n1,\xe9\n", "byte 6", "not valid UTF-8"),
        (b"A,B\n1,\x00\n", "byte 6", "NUL"),
        (b"\xff\xfeA\x00,\x00B\x00\n\x00\x00\xd8\n\x00", "byte", "not valid UTF-16"),
    ],
)
def test_bad_files_are_refused_with_their_place(tmp_path: Path, text: str | bytes, where: str, says: str) -> None:
    with pytest.raises(DataError) as refused:
        _read(tmp_path, text).table()
    assert where in refused.value.where
    assert says in refused.value.message
    assert refused.value.exit_code == 3


def test_no_value_of_a_bad_row_is_repeated(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        _read(tmp_path, "USUBJID,AVAL\nSECRET-001,1,2\n")
    assert "SECRET" not in refused.value.message


def test_a_misnamed_file_is_refused(tmp_path: Path) -> None:
    for content, what in (
        (b"HEADER RECORD*******LIBRARY HEADER", "SAS transport"),
        (b"PAR1xxxx", "Parquet"),
        (b"PK\x03\x04xx", "zip"),
    ):
        with pytest.raises(DataError, match=what):
            _read(tmp_path, content)
    with pytest.raises(DataError, match="cannot be read"):
        _read(tmp_path, "A\n1\n", "t.docx")


def test_streamed_and_held_files_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "A,B,CDT\n" + "".join(f'{i},"v{i % 9}",2024-01-{i % 28 + 1:02d}\n' for i in range(5000))
    held = _read(tmp_path, text)
    monkeypatch.setattr(delimited, "_IN_MEMORY", 0)
    monkeypatch.setattr(delimited, "_BLOCK", 1021)
    streamed = _read(tmp_path, text)
    assert streamed.columns == held.columns
    assert streamed.table().equals(held.table())


BLANKS = " \t\n\r\x0b\x0c"
_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=8))
def test_what_python_writes_is_read_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    """Every text survives, apart from trailing blanks and what counts as missing."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("AID", "BID"), *rows])
    table = _read(tmp_path, out.getvalue()).table()
    wanted = [[None if v.rstrip(BLANKS) in ("", ".") else v.rstrip(BLANKS) for v in row] for row in rows]
    assert [list(r.values()) for r in table.to_pylist()] == wanted


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('"a,\n;'), max_size=30))
def test_strict_quoting_agrees_with_the_standard_library(tmp_path: Path, body: str) -> None:
    """Whatever is accepted has the rows that Python's strict reader finds; whatever that refuses is refused."""
    text = "XID,YID\n" + body
    try:
        rows = [r for r in csv.reader(io.StringIO(text, newline=""), strict=True) if r][1:]
        fits = all(len(r) == 2 for r in rows)
    except csv.Error:
        fits = False
    try:
        table = _read(tmp_path, text).table()
    except DataError:
        return
    assert fits
    wanted = [[v.rstrip() if v.rstrip() else None for v in r] for r in rows]
    assert [list(r.values()) for r in table.to_pylist()] == wanted


def test_a_closing_quote_at_the_end_of_a_block_is_judged_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quote ends one block, and the block that goes on after it holds none."""
    monkeypatch.setattr(delimited, "_GLANCE", len('A,B\n1,"2"'))
    assert _read(tmp_path, 'A,B\n1,"2"\n3,4\n').table().column("B").to_pylist() == [2, 4]
    with pytest.raises(DataError, match="quote"):
        _read(tmp_path, 'A,B\n1,"2"x\n3,4\n')


def test_a_number_is_one_only_if_the_last_value_is_too(tmp_path: Path) -> None:
    kind, values = _column(tmp_path, "X", *["1"] * 500, "n/a")
    assert kind == "text"
    assert values == ["1"] * 500 + ["n/a"]


def test_any_line_end_and_none_at_all(tmp_path: Path) -> None:
    for text in ("A,B\r1,x\r2,y\r", "A,B\r\n1,x\n2,y\r", "\n\nA,B\n1,x\n\n2,y\n"):
        assert _read(tmp_path, text).table().to_pylist() == [{"A": 1.0, "B": "x"}, {"A": 2.0, "B": "y"}]
    dataset = _read(tmp_path, "USUBJID,AVAL")
    assert (dataset.table().num_rows, [c.kind for c in dataset.columns]) == (0, ["text", "number"])
    assert dataset.remarks == ["the last line has no line end: the file may be cut short"]


@pytest.mark.parametrize("streamed", [False, True])
def test_decimal_commas_between_semicolons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streamed: bool) -> None:
    monkeypatch.setattr(delimited, "_IN_MEMORY", 0 if streamed else 2**30)
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    rows = "".join(f"{i};{i},5;{i};a\n" for i in range(30)) + "30;2;1.234,5;b,c\n"
    dataset = _read(tmp_path, "A;AVAL;M;TXT\n" + rows)
    assert [c.kind for c in dataset.columns] == ["number", "number", "text", "text"]
    assert dataset.table().column("AVAL").to_pylist() == [*(i + 0.5 for i in range(30)), 2.0]
    assert dataset.remarks == ["AVAL: decimal commas were read"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_number_that_is_text_names_its_first_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streamed: bool) -> None:
    monkeypatch.setattr(delimited, "_IN_MEMORY", 0 if streamed else 2**30)
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    rows = "".join(f"S{i},{i}\n" for i in range(50)) + "S50,\nS51,12.O\nS52,x\n"
    dataset = _read(tmp_path, "USUBJID,AVAL\n" + rows)
    assert dataset.columns[1].kind == "text"
    assert dataset.remarks == ["AVAL is text: row 52 is the first that holds no number: 12.O"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_faults_are_found_however_the_file_is_cut_into_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(delimited_faults, "_CHUNK", chunk)
    text = '\ufeffA,B\r\n1,"x ""y"", z"\r\n\r\n2,"p\r\nq"\r\n3,"open\r\n4,"w"\r\n'
    with pytest.raises(DataError, match="line 6 column B: a quote that opens in row 3 is not closed"):
        _read(tmp_path, text)
