"""HTML and RTF: whole, escaped, standing alone, and showing what the page shows."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from alsbench.analysis.result import Result
from alsbench.render.document import Document, document_json, document_markdown, document_text, page_document, page_tables
from alsbench.render.html import document_html
from alsbench.render.page import Column, Line, Page, PageBlock, TextCell, label
from alsbench.render.rtf import document_rtf
from alsbench.render.tables import endpoint_page

VOID = {"meta", "br"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;b&gt; &amp;",
    "\\par}{\\object \\objdata 00}\\u8364?",
    "}}}{{{",
    "\x1b[31mred\x07",
    "safe\u202eevas\u2066",
    "line\u2028break\r\n\ttab",
    "\U0001f9ea é – ≤",
    "\ud800",
)


class Tables(HTMLParser):
    """The structure of a file: every element closed in order, and the cells of each table."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[tuple[str, dict[str, str | None], str]]]] = []
        self.captions: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "caption":
            self.captions.append("")
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append((tag, dict(attrs), ""))
        elif tag == "br" and self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "caption" in self.open:
            self.captions[-1] += data
        elif "td" in self.open or "th" in self.open:
            tag, attrs, text = self.tables[-1][-1][-1]
            self.tables[-1][-1][-1] = (tag, attrs, text + data)


def parsed(text: str) -> Tables:
    found = Tables()
    found.feed(text)
    found.close()
    assert not found.open
    return found


def rtf_rows(text: str) -> list[list[str]]:
    """Cell texts of every row; checks that groups balance and that each row has a cell for each of its edges."""
    assert text.isascii() and text.startswith("{\\rtf1") and not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    depth = 0
    for token in re.finditer(r"\\[\\{}]|[{}]", text):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        assert depth > 0 or token.end() == len(text.rstrip())
    assert depth == 0
    rows = []
    for row in re.findall(r"\\trowd(.*?)\\row\n", text, re.DOTALL):
        cells = row.split("\\cell\n")[:-1]
        edges = [int(e) for e in re.findall(r"\\cellx(\d+)", row)]
        assert len(cells) == len(edges) and edges == sorted(set(edges))
        rows.append([plain(c.rpartition("\\fs16")[2]) for c in cells])
    return rows


def plain(text: str) -> str:
    """The text of a cell behind its last setting."""
    text = re.sub(r"^(\\cf\d+|\\b0?)* ", "", text).removesuffix("\\b0").replace("\\~", " ").replace("\\line ", "\n")
    return re.sub(r"\\([\\{}])|(?:\\u-?\d+\?)+", lambda m: m[1] or _units(m[0]), text)


def _units(text: str) -> str:
    numbers = [int(n) % 65536 for n in re.findall(r"-?\d+", text)]
    return b"".join(n.to_bytes(2, "little") for n in numbers).decode("utf-16-le")


def hostile_page(text: str) -> Page:
    columns = (label(text), Column(text, text), Column("b", text, justify="left"), Column(text))
    lines = (
        Line((TextCell(text), TextCell(""), TextCell(""), TextCell("")), heading=True),
        Line(tuple(TextCell(text) for _ in columns)),
    )
    return Page(text, (PageBlock(text, columns, lines, (text,)),), ((text, text),), (text,))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text: str) -> None:
    page = hostile_page(text)
    document = Document(text, (page, page), ((text, text),), (text,), text)
    html = document_html(document)
    found = parsed(html)
    assert not {"script", "img", "b"} & {tag for tag, _ in found.seen}
    assert not any(name.startswith("on") or name == "src" for _, attrs in found.seen for name in attrs)
    html.encode("utf-8")
    rows = rtf_rows(document_rtf(document))
    assert "\\object" not in re.sub(r"\\\\", "", document_rtf(document))
    shown = page_tables("", page)[0].lines[1][1][0]
    assert found.tables[0][-1][0][2] == shown == rows[4][0].rstrip()
    for written in (html, document_rtf(document), document_text(document, width=80), document_markdown(document)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\ud800-\udfff]", written)
    document_json(document)


def test_html_is_self_contained_and_its_tables_are_for_everybody(mmrm: Result) -> None:
    html = document_html(page_document(endpoint_page(mmrm)))
    found = parsed(html)
    tags = [tag for tag, _ in found.seen]
    assert not {"script", "link", "img", "iframe", "object", "svg"} & set(tags) and "http" not in html.replace("http-equiv", "")
    assert "url(" not in html and "@import" not in html and "default-src 'none'" in html
    assert found.seen[0] == ("html", {"lang": "en"}) and tags.count("h1") == 1 and "title" in tags
    assert len(found.captions) == len(found.tables) > 0 and all(mmrm.facts.title in c for c in found.captions)
    for table in found.tables:
        heads = [c for row in table for c in row if c[0] == "th"]
        assert heads and all(attrs.get("scope") in ("col", "colgroup", "row", "rowgroup") for _, attrs, _ in heads)
        wide = {sum(int(attrs.get("colspan") or 1) for _, attrs, _ in row) for row in table}
        assert len(wide) == 1  # every row fills the table
    ids = [attrs["id"] for _, attrs in found.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = [attrs["aria-labelledby"] for _, attrs in found.seen if "aria-labelledby" in attrs]
    assert set(named) <= set(ids)


def test_both_show_the_cells_of_the_page(mmrm: Result) -> None:
    page = endpoint_page(mmrm)
    cells = [c.text for b in page.blocks for line in b.lines for c in line.cells if c.text]
    in_html = [t.strip() for table in parsed(document_html(page_document(page))).tables for r in table for _, _, t in r]
    in_rtf = [c.strip() for row in rtf_rows(document_rtf(page_document(page))) for c in row]
    squeezed = [re.sub(r"\s+", "", c) for c in cells]
    for shown in (in_html, in_rtf):
        found = {re.sub(r"\s+", "", c) for c in shown}
        assert set(squeezed) <= found
    for text in (*(v for _, v in page.facts), *page.footnotes):
        assert parsed(document_html(page_document(page))) and text.split(";")[0][:20] in document_text(
            page_document(page), width=0
        )


def test_rtf_repeats_the_head_of_every_table(mmrm: Result) -> None:
    page = endpoint_page(mmrm)
    text = document_rtf(page_document(page))
    rows = re.findall(r"\\trowd(.*?)\\row\n", text, re.DOTALL)
    repeated = ["\\trhdr" in r for r in rows]
    captions = [r for r in rows if plain(r.split("\\cell\n")[0].rpartition("\\fs16")[2]).startswith(page.title)]
    assert len(captions) == len(page_tables("", page)) and all("\\trhdr" in r for r in captions)
    assert repeated.count(True) > len(captions) and False in repeated
    assert "\\landscape" in text and max(map(int, re.findall(r"\\cellx(\d+)", text))) <= 16838 - 1800


def test_a_block_wider_than_the_paper_is_continued_with_its_labels() -> None:
    columns = (label("Visit"), *(Column("Estimate (95% CI)", f"arm {k}") for k in range(12)))
    lines = tuple(Line((TextCell(f"Month {m}"), *(TextCell("1.00 (0.50, 1.50)") for _ in range(12)))) for m in range(3))
    tables = page_tables("Table 7", Page("T", (PageBlock("overall", columns, lines),)))
    assert [t.caption for t in tables] == [f"Table 7. T · overall (part {k} of {len(tables)})" for k in (1, 2)]
    assert all(t.columns[0].title == "Visit" and len(t.lines) == 3 for t in tables)
    assert sum(len(t.columns) - 1 for t in tables) == 12


def test_a_long_cell_is_folded_into_the_paper() -> None:
    block = PageBlock("", (label("Rule"), Column("What", justify="left")), (Line((TextCell("r"), TextCell("word " * 100))),))
    (table,) = page_tables("", Page("T", (block,)))
    assert sum(table.widths) <= 150


def test_the_same_bytes(mmrm: Result) -> None:
    document = Document("D", (endpoint_page(mmrm),), (("Study", "S"),), ("Post hoc",), "S")
    for write in (document_html, document_rtf, document_json, document_markdown):
        assert write(document) == write(document)
    assert "Table 1. " in document_html(document) and 'href="#t1"' in document_html(document)


def test_every_printed_page_of_a_single_table_names_title_study_and_snapshot(mmrm: Result) -> None:
    header = document_rtf(page_document(endpoint_page(mmrm))).split(r"{\header", 1)[1].split(r"\par}", 1)[0]
    for part in ("ALSFRS-R total score", "Post hoc", "SYNTHETIC DATA", "ALSREF01", f"snapshot {mmrm.provenance.snapshot[:12]}"):
        assert part in header
