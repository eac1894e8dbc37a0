"""Readers of documents: what RTF, DOCX and HTML say in tables, and that nothing in a file harms or crashes them.

Expected cells are those written here by the rules of the formats (RTF 1.9.1, ECMA-376, HTML).
"""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from alsbench.analysis.reconcile.cards import cards_json
from alsbench.analysis.reconcile.docx_tables import docx_tables
from alsbench.analysis.reconcile.html_tables import html_tables
from alsbench.analysis.reconcile.rtf_tables import rtf_tables
from alsbench.analysis.reconcile.stated import cell_numbers, said_number
from alsbench.analysis.reconcile.words import statistics_in
from alsbench.errors import DataError

DOCUMENTS = Path(__file__).parents[1] / "cli" / "documents"
RTF = rb"""{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator x;}
\pard\plain Table 14.2.1: Change\par
\trowd\trhdr\cellx2000\cellx6000\intbl\cell\intbl Drug \u945?\cell\row
\trowd\trhdr\cellx2000\cellx4000\cellx6000\intbl Visit\cell\intbl n\cell\intbl Mean (SD)\cell\row
\trowd\cellx2000\cellx4000\cellx6000\intbl Week\~4\cell\intbl 12\cell\intbl \'961.5 (0.25)\cell\row
\pard\par {\pict\pngblip 0102} after\par}"""


def test_rtf() -> None:
    (table,) = rtf_tables(RTF, "x.rtf")
    assert (table.title, table.heads) == ("Table 14.2.1: Change", 2)
    assert table.rows == (
        ("", "Drug \u03b1", "Drug \u03b1"),
        ("Visit", "n", "Mean (SD)"),
        ("Week 4", "12", "\u20131.5 (0.25)"),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04", "no RTF document"),
        (RTF[:-30], "cut short"),
        (RTF + b"}", "did not begin"),
        (b"{\\rtf1" + b"{" * 300 + b"}" * 301, "nested more than"),
        (b"{\\rtf1 \\bin4 ....}", "binary parts"),
        (b"{\\rtf1 \\u99999999 ?}", "there is no character"),
    ],
)
def test_rtf_that_is_none_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        rtf_tables(content, "x.rtf")


def test_html_spans_captions_and_scripts() -> None:
    content = """<html><head><title>t</title><style>td{}</style></head><body><h2>Table 3</h2><script>evil("<table>")</script>
    <table><thead><tr><th rowspan=2>Visit<th colspan="2">Drug A</th></tr><tr><th>n<th>Mean</th></tr></thead>
    <tr><td rowspan="2">Week 4</td><td>10</td><td>1.5</td></tr><tr><td>11</td><td>&lt;0.001</td></tr></table>"""
    (table,) = html_tables(content, "x.html")
    assert (table.title, table.heads) == ("Table 3", 2)
    assert table.rows == (
        ("Visit", "Drug A", "Drug A"),
        ("Visit", "n", "Mean"),
        ("Week 4", "10", "1.5"),
        ("Week 4", "11", "<0.001"),
    )
    with pytest.raises(DataError, match="in a cell of another"):
        html_tables("<table><tr><td><table><tr><td>1</td></tr></table></td></tr></table>", "x.html")


def docx(body: str, head: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        archive.writestr(
            "word/document.xml", f'<?xml version="1.0"?>{head}<w:document {space}><w:body>{body}</w:body></w:document>'
        )
    return out.getvalue()


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"


def test_docx_merged_cells_and_deleted_text() -> None:
    head = (
        "<w:tr><w:trPr><w:tblHeader/></w:trPr>"
        + cell("", '<w:vMerge w:val="restart"/>')
        + cell("Drug", '<w:gridSpan w:val="2"/>')
        + "</w:tr>"
    )
    second = "<w:tr><w:trPr><w:tblHeader/></w:trPr>" + cell("", "<w:vMerge/>") + cell("n") + cell("Mean") + "</w:tr>"
    deleted = "<w:del><w:r><w:delText>9</w:delText></w:r></w:del>"
    body = "<w:tr>" + cell("Week 4") + cell("12").replace("<w:r>", deleted + "<w:r>", 1) + cell("-1.5") + "</w:tr>"
    title = "<w:p><w:r><w:t>Table</w:t></w:r><w:r><w:t> 7</w:t></w:r></w:p>"
    (table,) = docx_tables(docx(f"{title}<w:tbl>{head}{second}{body}</w:tbl>"), "x.docx")
    assert (table.title, table.heads) == ("Table 7", 2)
    assert table.rows == (("", "Drug", "Drug"), ("", "n", "Mean"), ("Week 4", "12", "-1.5"))


def test_docx_that_is_not_trusted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    for content, said in (
        (docx("<w:p><w:r><w:t>&b;</w:t></w:r></w:p>", bomb), "document type"),
        (docx("<w:p>"), "damaged"),
        (b"nothing", "not a readable Word document"),
        (docx("<w:p>" * 600 + "</w:p>" * 600), "nested more than"),
    ):
        with pytest.raises(DataError, match=said):
            docx_tables(content, "x.docx")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(DataError, match="no Word document"):
        docx_tables(out.getvalue(), "x.docx")
    monkeypatch.setattr("alsbench.analysis.reconcile.docx_tables.MOST_BYTES", 1000)
    with pytest.raises(DataError, match="unpacks to too much"):
        docx_tables(docx("<w:p/>" * 1000), "x.docx")


READERS: dict[str, Callable[[bytes], object]] = {
    "from_docx.rtf": lambda content: rtf_tables(content, "x"),
    "from_rtf.docx": lambda content: docx_tables(content, "x"),
    "from_rtf.html": lambda content: html_tables(content.decode("utf-8", "replace"), "x"),
}


@pytest.mark.parametrize("name", READERS)
def test_damaged_documents_are_read_or_refused(name: str) -> None:
    """200 damages of each: bytes changed, cut out, repeated. Whatever comes is tables or a DataError."""
    whole = (DOCUMENTS / name).read_bytes()
    random_ = random.Random(7)
    refused = 0
    for _ in range(200):
        content = bytearray(whole)
        at = random_.randrange(len(content))
        way = random_.randrange(3)
        if way == 0:
            for _ in range(random_.randrange(1, 5)):
                content[random_.randrange(len(content))] = random_.randrange(256)
        elif way == 1:
            del content[at : at + random_.randrange(1, 400)]
        else:
            content[at:at] = content[max(0, at - 200) : at]
        try:
            READERS[name](bytes(content))
        except DataError:
            refused += 1
    assert refused < 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1.76 (0.401)", [(-1.76, 2, ""), (0.401, 3, "")]),
        ("\u22121.76 (\u22122.10, 0.5)", [(-1.76, 2, ""), (-2.1, 2, ""), (0.5, 1, "")]),
        ("-5.12 to -3.12", [(-5.12, 2, ""), (-3.12, 2, "")]),
        ("1.2 - 3.4", [(1.2, 1, ""), (3.4, 1, "")]),
        ("1.2-3.4", [(1.2, 1, ""), (3.4, 1, "")]),
        ("-1.2--0.4", [(-1.2, 1, ""), (-0.4, 1, "")]),
        ("23 (28.8%)", [(23, 0, ""), (28.8, 1, "")]),
        ("<0.001", [(0.001, 3, "<")]),
        ("\u2265 0.9", [(0.9, 1, ">")]),
        ("1,234", [(1234, 0, "")]),
        ("NE", []),
        ("Month 6", [(6, 0, "")]),
        ("Q1", []),
        ("1.5E-3", [(0.0015, 4, "")]),
    ],
)
def test_numbers_of_a_cell(text: str, expected: list[tuple[float, int, str]]) -> None:
    assert [(n.said.value, n.said.decimals, n.said.bound) for n in cell_numbers(text)] == expected


def test_what_a_heading_says_stands_in_its_cells() -> None:
    names = ("n", "mean", "sd", "ls_mean", "se", "difference", "conf_low", "conf_high", "p_value")
    said = [statistics_in(t, names) for t in ("LS mean (SE)", "Difference (95% CI)", "p-value", "n", "Comment")]
    assert [[sorted(s) for s in each] for each in said] == [
        [["ls_mean"], ["se"]],
        [["difference"], ["conf_low"], ["conf_high"]],
        [["p_value"]],
        [["n"]],
        [],
    ]


def test_a_file_of_few_decimals_was_rounded() -> None:
    """jsonlite leaves trailing zeros out: 0.5 among numbers of four decimals is 0.5000."""

    def leaf(stat: object) -> dict[str, object]:
        return {"variable": "AGE", "stat_name": "mean", "stat": stat}

    found = cards_json([leaf(["0.5"]), leaf(["1.2346"])], "x")
    assert [n.said.decimals for n in found] == [4, 4] and found[0].said.rounded
    found = cards_json([leaf(["0.5"]), leaf(["1.234567890123"])], "x")
    assert not any(n.said.rounded for n in found)
    assert said_number("inf") is said_number("nan") is said_number("1e") is None


def test_deep_nests_are_refused() -> None:
    node: object = {"stat": ["1"]}
    for _ in range(80):
        node = {"group1": {"x": node}}
    with pytest.raises(DataError, match="no nested list"):
        cards_json({"variable": {"x": node}}, "x")
