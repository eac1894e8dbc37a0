"""Plain tables: the same records in every format."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from alsbench.data.sanitize import guard_formula
from alsbench.render.delimited import page_markdown
from alsbench.render.layout import page_text
from alsbench.render.sheet import Field, Sheet, sheet_block, sheet_delimited, sheet_json, sheets_json, sheets_page

SHEET = Sheet(
    "arms",
    "Arms",
    (Field("arm", "Arm"), Field("n", "N", number=True), Field("rate", "Rate", number=True), Field("flag", "Flag")),
    (("Placebo", 46, 0.98765432, True), ("=cmd()", 23, math.nan, False), ("\x1b[1mX", 6.0, None, None)),
    facts=(("Study", "ALSREF01"),),
    notes=("a note",),
)


def test_json_keeps_raw_values() -> None:
    found = json.loads(sheet_json(SHEET))
    assert found["schema"] == "alsbench.table/1"
    assert found["columns"] == ["arm", "n", "rate", "flag"]
    assert found["rows"][0] == {"arm": "Placebo", "n": 46, "rate": 0.98765432, "flag": True}
    assert found["rows"][1]["rate"] is None
    assert found["rows"][2] == {"arm": "\x1b[1mX", "n": 6, "rate": None, "flag": None}
    assert json.loads(sheets_json((SHEET, SHEET)))["more"][0]["table"] == "arms"


def test_csv_guards_formulas_and_tsv_escapes() -> None:
    assert sheet_delimited(SHEET, "csv") == "arm,n,rate,flag\nPlacebo,46,0.98765432,true\n'=cmd(),23,,false\n\\x1b[1mX,6,,\n"
    assert sheet_delimited(SHEET, "tsv").splitlines()[3] == "\\x1b[1mX\t6\t\t"


@pytest.mark.parametrize("text", ["a\r=1", "a\n=1", "a\r\n=1", 'a"b,c', "\r"])
def test_a_line_break_inside_a_text_begins_no_row(text: str) -> None:
    sheet = Sheet("t", "T", (Field("a"), Field("b")), ((text, "x"), ("y", "z")))
    written = sheet_delimited(sheet, "csv")
    assert list(csv.reader(io.StringIO(written, newline=""))) == [["a", "b"], [guard_formula(text), "x"], ["y", "z"]]
    assert written.endswith("y,z\n") and "\n\n" not in written
    assert sheet_delimited(sheet, "tsv").count("\n") == 3


def test_print_shows_escapes_and_leaves_missing_empty() -> None:
    text = page_text(sheets_page((SHEET,)), width=0)
    assert text == (
        "Arms\n"
        "Study  ALSREF01\n"
        "\n"
        "Arm        N    Rate  Flag\n"
        "──────────────────────────\n"
        "Placebo   46  0.9877  yes\n"
        "=cmd()    23          no\n"
        "\\x1b[1mX   6\n"
        "a note\n"
    )
    assert "| \\\\x1b\\[1mX | 6 |" in page_markdown(sheets_page((SHEET,)))


def test_prose_folds_to_the_page() -> None:
    sheet = Sheet("p", "P", (Field("a", "A"), Field("b", "B", prose=True)), (("key", "word " * 60),))
    lines = page_text(sheets_page((sheet,))).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.count("word") for line in lines) == 60


def test_stored_numbers_are_printed_with_every_digit() -> None:
    """1/3 as a double prints 15 digits; a decimal typed with 8 places prints those."""
    sheet = Sheet(
        "t", "T", (Field("a", number=True, stored=True), Field("b", number=True)), ((1 / 3, 1 / 3), (1.12345678, 6.0))
    )
    cells = [[c.text for c in line.cells] for line in sheet_block(sheet).lines]
    assert cells == [["0.333333333333333", "0.3333"], ["1.12345678", "6"]]


def test_a_table_continued_below_itself_repeats_the_columns_that_say_so() -> None:
    fields = (Field("study"), Field("subject", repeats=True), *(Field(f"column{i}") for i in range(12)))
    sheet = Sheet("t", "T", fields, (("S", "S-001", *("x",) * 12),))
    parts = page_text(sheets_page((sheet,))).split("\n\n")[1:]
    assert len(parts) > 1
    assert all(part.splitlines()[2].startswith("S-001 ") for part in parts)


def test_print_leaves_out_an_optional_column_that_nothing_fills_and_times_below_the_second() -> None:
    fields = (Field("when", "When", time=True), Field("why", "Why", optional=True))
    empty, filled = (("2026-01-31T14:05:59.123+00:00", None),), (("2026-01-31T14:05:59.123+00:00", "because"),)
    assert "Why" not in page_text(sheets_page((Sheet("t", "T", fields, empty),)))
    assert "2026-01-31 14:05:59  because\n" in page_text(sheets_page((Sheet("t", "T", fields, filled),)))
    assert sheet_delimited(Sheet("t", "T", fields, empty), "csv") == "when,why\n2026-01-31T14:05:59.123+00:00,\n"
