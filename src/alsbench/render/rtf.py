"""A document as Rich Text Format 1.5, which Word and LibreOffice open: A4 landscape, real tables.

Caption and heads are marked as rows that every page repeats, so that each says whose numbers it shows (LibreOffice 7 reads the
mark and ignores it). Figures are set in a
monospaced face and padded with hard spaces: decimals stand under each other. The file is plain ASCII; everything else is
written as ``\\u`` with a question mark for readers that know no Unicode.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alsbench.data.sanitize import visible
from alsbench.render.document import Document, PrintedTable, heading, numbered, page_tables
from alsbench.render.page import Column, Line, Page

CHARACTER = 97  # twips of one character of 8 pt: Courier New has 96, what stands in for it elsewhere a little more
HALF_GAP = 90  # twips left and right of every cell
SLACK = 24
CAPTION = 60 * CHARACTER  # the least width of a caption above a narrow table
HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0\deflang1033\uc1"
    "\n"
    r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fmodern\fprq1\fcharset0 Courier New;}}"
    "\n"
    r"{\colortbl;\red0\green0\blue0;\red10\green92\blue31;\red161\green18\blue18;\red85\green85\blue85;\red122\green82\blue0;}"
    "\n"
    r"{\stylesheet{\s0\f0\fs18 Normal;}{\s1\f0\fs26\b\outlinelevel0 heading 1;}{\s2\f0\fs21\b\outlinelevel1 heading 2;}}"
    "\n"
    r"\paperw16838\paperh11906\landscape\margl900\margr900\margt1000\margb900\headery500\footery450"
    "\n"
)
COLOURS = {"good": 2, "bad": 3, "note": 4, "doubt": 5}
TOP, BOTTOM = r"\clbrdrt\brdrs\brdrw15", r"\clbrdrb\brdrs\brdrw10"


def document_rtf(document: Document) -> str:
    """The whole file."""
    parts = [HEAD, (rf"{{\info{{\title {_text(document.title)}}}}}" + "\n"), _margins(document)]
    pages = numbered(document)
    if document.contents:
        parts.append(_front(document, pages))
    for k, (name, page) in enumerate(pages, start=1):
        parts.append(_page(k, name, page, style=2 if document.contents else 1, broken=document.contents))
    return "".join(parts) + "}\n"


def _margins(document: Document) -> str:
    """What stands at the top and bottom of every page."""
    running = _text(document.running or document.title)
    number = r"Page {\field{\*\fldinst PAGE}{\fldrslt 1}} of {\field{\*\fldinst NUMPAGES}{\fldrslt 1}}"
    return (
        rf"{{\header\pard\plain\f0\fs15\cf4 {running}\par}}"
        + "\n"
        + rf"{{\footer\pard\plain\qr\f0\fs15\cf4 {number}\par}}"
        + "\n"
    )


def _front(document: Document, pages: Sequence[tuple[str, Page]]) -> str:
    parts = [rf"\pard\plain\s1\sa160\f0\fs32\b {_text(document.title)}\b0\par" + "\n"]
    box = r"\brdrt\brdrs\brdrw20\brsp60\brdrl\brdrs\brdrw20\brsp60\brdrb\brdrs\brdrw20\brsp60\brdrr\brdrs\brdrw20\brsp60"
    parts += [rf"\pard\plain{box}\li100\ri100\f0\fs20\b {_text(s)}\b0\par" + "\n" for s in document.statements]
    parts.append(_facts(document.facts))
    parts.append(r"\pard\plain\sb160\sa60\keepn\f0\fs21\b Contents\b0\par" + "\n")
    for k, (name, page) in enumerate(pages, start=1):
        link = rf'{{\field{{\*\fldinst HYPERLINK \\l "t{k}"}}{{\fldrslt {_text(heading(name, page))}}}}}'
        parts.append(rf"\pard\plain\li200\f0\fs18 {link}\par" + "\n")
    return "".join(parts)


def _page(k: int, name: str, page: Page, *, style: int, broken: bool) -> str:
    size = 21 if style == 2 else 26
    mark = rf"{{\*\bkmkstart t{k}}}{_text(heading(name, page))}{{\*\bkmkend t{k}}}"
    start = r"\pagebb" if broken else ""
    parts = [rf"\pard\plain{start}\s{style}\sa80\keepn\f0\fs{size}\b {mark}\b0\par" + "\n", _facts(page.facts)]
    for table in page_tables(name, page):
        parts += [_table(table), _notes(table.notes)]
    return "".join(parts) + _notes(page.footnotes)


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns by a hanging indent, a little below what stands above."""
    parts, before = [r"\pard\plain\f0\fs8\par" + "\n"] if facts else [], None
    for name, value in facts:
        shown = _text(name) if name != before else ""
        parts.append(rf"\pard\plain\li3000\fi-3000\tx3000\f0\fs17 {{\cf4 {shown}}}\tab {_text(value)}\par" + "\n")
        before = name
    return "".join(parts)


def _notes(notes: Iterable[str]) -> str:
    return "".join(rf"\pard\plain\li200\fi-200\f0\fs15 {_text(note)}\par" + "\n" for note in notes)


def _table(table: PrintedTable) -> str:
    """Caption, group heads and heads as rows that are repeated, then the lines; an empty paragraph ends the table."""
    edges = _edges(table.widths)
    width = max(edges[-1], CAPTION)  # a wider one would stretch the last column in LibreOffice
    rows = [_spaced(), _row([width], [_set(_text(table.caption), bold=True)], head=True)]
    border = TOP
    if table.depth == 2:
        ends, at = [], -1
        for _, span in table.spans:
            at += span
            ends.append(edges[at])
        rows.append(_row(ends, [_set(_text(n), "qc", bold=True) for n, _ in table.spans], head=True, border=TOP))
        border = ""
    titles = [_set(r"\line ".join(_text(t) for t in c.title.split("\n")), _side(c), bold=True) for c in table.columns]
    rows.append(_row(edges, titles, head=True, border=border + BOTTOM))
    rows += [
        _line(table, edges, line, texts, last=k == len(table.lines)) for k, (line, texts) in enumerate(table.lines, start=1)
    ]
    return "".join(rows) + _spaced()


def _line(table: PrintedTable, edges: Sequence[int], line: Line, texts: Sequence[str], *, last: bool) -> str:
    border = BOTTOM if last else ""
    filled = [t for t in texts if t]
    if line.heading and len(filled) <= 1:
        return _row([edges[-1]], [_set(_text("".join(filled)), bold=True)], border=border, keep=True)
    styles = [cell.style for cell in line.cells] + [""] * (len(texts) - len(line.cells))
    cells = [
        _set(_hard(text) if not column.label else _led(text), _side(column), bold=line.heading, colour=COLOURS.get(style, 0))
        for column, text, style in zip(table.columns, texts, styles, strict=True)
    ]
    return _row(edges, cells, border=border)


def _row(edges: Sequence[int], cells: Sequence[str], *, head: bool = False, border: str = "", keep: bool = False) -> str:
    places = "".join(rf"{border}\clvertal{'b' if head else 't'}\cellx{edge}" for edge in edges)
    kept = r"\keepn" if head or keep else ""
    body = "".join(rf"\pard\plain\intbl{kept}{cell}\cell" + "\n" for cell in cells)
    repeated = r"\trhdr" if head else ""
    return rf"\trowd\trgaph{HALF_GAP}\trleft0\trkeep{repeated}{places}" + f"\n{body}\\row\n"


def _set(text: str, side: str = "ql", *, bold: bool = False, colour: int = 0) -> str:
    face = rf"\{side}\f1\fs16" + (rf"\cf{colour}" if colour else "")
    return rf"{face}\b {text}\b0" if bold else f"{face} {text}"


def _edges(widths: Sequence[int]) -> list[int]:
    edges, at = [], 0
    for width in widths:
        at += width * CHARACTER + 2 * HALF_GAP + SLACK
        edges.append(at)
    return edges


def _side(column: Column) -> str:
    return "qr" if column.justify == "right" else "ql"


def _spaced() -> str:
    return r"\pard\plain\f0\fs12\par" + "\n"


def _hard(text: str) -> str:
    """A figure: its spaces hold it together and in its column."""
    return _text(text).replace(" ", r"\~") if len(text) <= 60 else _text(text)


def _led(text: str) -> str:
    """A label: the spaces that indent it stay."""
    body = text.lstrip(" ")
    return r"\~" * (len(text) - len(body)) + _text(body)


def _text(text: str) -> str:
    """``text`` that can be nothing but text: RTF's own characters escaped, the rest of Unicode as numbers."""
    return "".join(_escaped(c) for c in visible(text))


def _escaped(char: str) -> str:
    if char in "\\{}":
        return "\\" + char
    if char.isascii():
        return char
    units = char.encode("utf-16-le")
    numbers = [int.from_bytes(units[i : i + 2], "little", signed=True) for i in range(0, len(units), 2)]
    return "".join(rf"\u{n}?" for n in numbers)
