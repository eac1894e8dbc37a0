"""A document as one HTML file that needs nothing else: no script, no font, no picture from elsewhere; figures are drawn in it.

Tables carry a caption, column heads with their scope and row heads; on paper, in landscape, heads are repeated and rows stay
whole. Text is escaped after control characters and bidirectional overrides were made visible, and a content policy in
the head forbids whatever might have got through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from alsbench.data.sanitize import visible
from alsbench.render.document import Document, PrintedTable, heading, numbered, page_tables
from alsbench.render.page import Column, Figure, Line, Page, TextCell

LABEL = 36  # characters beyond which a label may be folded
FOLDED = 60  # characters beyond which a cell that is no label may be folded
STYLE = """
@page { size: landscape; margin: 14mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 88rem; background: #fff; color: #111;
  font: 15px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
section:only-child { border: 0; margin: 0; padding: 0; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 .6rem; }
section { margin: 2.2rem 0 0; padding: 1.4rem 0 0; border-top: 2px solid #111; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; margin: 0 0 1rem; font-size: .87rem; }
dt { color: #444; } dd { margin: 0; overflow-wrap: anywhere; }
.statements { margin: 1rem 0; padding: .7rem 1rem .7rem 2rem; border: 2px solid #111; font-weight: 600; }
nav ol { list-style: none; padding: 0; margin: .3rem 0; } nav a { color: #0b4a8f; }
.wide { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; border-top: 1.5px solid #111; border-bottom: 1.5px solid #111; }
caption { text-align: left; font-weight: 600; padding: .5rem 0 .3rem; font-size: .92rem; }
caption span { display: block; width: max-content; max-width: min(58rem, calc(100vw - 4rem));
  margin-right: -58rem; }
th, td { padding: .08rem .7rem; vertical-align: top; text-align: right; white-space: pre; font-weight: 400;
  font: 13px/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Courier New", monospace; }
thead th { font-weight: 700; vertical-align: bottom; }
thead th.group, thead tr:last-child > * { border-bottom: 1px solid #111; }
thead th.group { text-align: center; }
.left { text-align: left; } .fold { white-space: pre-wrap; overflow-wrap: break-word; min-width: 20ch; }
tbody .head { font-weight: 700; }
tbody + tbody tr:first-child > * { padding-top: .45rem; }
.good { color: #0a5c1f; } .bad { color: #a11212; } .note { color: #555; } .doubt { color: #7a5200; }
figure { margin: .4rem 0 1.2rem; max-width: 58rem; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; font: 12px/1 system-ui, "Segoe UI", Arial, sans-serif; }
figcaption { font-weight: 600; font-size: .92rem; padding: .2rem 0; }
ul.notes { margin: .1rem 0 1rem; padding: 0; list-style: none; font-size: .82rem; color: #333; overflow-wrap: anywhere; }
footer { margin-top: 2rem; font-size: .82rem; color: #333; }
@media print { body { padding: 0; max-width: none; font-size: 9pt; } .wide { overflow: visible; }
  caption { font-size: 8.5pt; } dl, ul.notes { font-size: 8pt; } h2 { font-size: 11pt; }
  thead { display: table-header-group; } th, td { font-size: 7.6pt; padding: .3pt 4pt; } tr { break-inside: avoid; }
  section { break-before: page; border: 0; margin: 0; padding: 0; } section:only-child { break-before: auto; }
  a { color: inherit; text-decoration: none; } }
""".strip()
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document_html(document: Document) -> str:
    """The whole file."""
    parts = [_front(document)] if document.contents else []
    parts += [_page(document, k, name, page) for k, (name, page) in enumerate(numbered(document), start=1)]
    foot = f"<footer>{_text(document.running)}</footer>\n" if document.running else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(document.title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n"
        + "".join(parts)
        + f"</main>\n{foot}</body>\n</html>\n"
    )


def _front(document: Document) -> str:
    entries = "".join(
        f'<li><a href="#t{k}">{_text(heading(name, page))}</a></li>\n'
        for k, (name, page) in enumerate(numbered(document), start=1)
    )
    said = "".join(f"<li>{_text(s)}</li>\n" for s in document.statements)
    return (
        f"<header>\n<h1>{_text(document.title)}</h1>\n"
        + (f'<ul class="statements">\n{said}</ul>\n' if said else "")
        + _facts(document.facts)
        + f'</header>\n<nav aria-labelledby="contents">\n<h2 id="contents">Contents</h2>\n<ol>\n{entries}</ol>\n</nav>\n'
    )


def _page(document: Document, k: int, name: str, page: Page) -> str:
    level = "h2" if document.contents else "h1"
    tables = "".join(_table(f"t{k}-{n}", table) for n, table in enumerate(page_tables(name, page), start=1))
    figures = "".join(_figure(figure) for figure in page.figures)
    return (
        f'<section id="t{k}" aria-labelledby="t{k}-h">\n<{level} id="t{k}-h">{_text(heading(name, page))}</{level}>\n'
        f"{_facts(page.facts)}{tables}{figures}{_notes(page.footnotes)}</section>\n"
    )


def _figure(figure: Figure) -> str:
    return f"<figure>\n{figure.draw()}<figcaption>{_text(figure.caption)}</figcaption>\n</figure>\n"


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    if not facts:
        return ""
    parts, before = [], None
    for name, value in facts:
        parts.append((f"<dt>{_text(name)}</dt>" if name != before else "<dt></dt>") + f"<dd>{_text(value)}</dd>\n")
        before = name
    return f"<dl>\n{''.join(parts)}</dl>\n"


def _notes(notes: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(note)}</li>\n" for note in notes)
    return f'<ul class="notes">\n{items}</ul>\n' if items else ""


def _table(ident: str, table: PrintedTable) -> str:
    body = "".join(_bodies(table))
    caption = f'<caption id="{ident}"><span>{_text(table.caption)}</span></caption>'
    return (
        f'<div class="wide" role="region" tabindex="0" aria-labelledby="{ident}">\n<table>\n'
        f"{caption}\n<thead>\n{_head(table)}</thead>\n{body}</table>\n</div>\n"
        f"{_notes(table.notes)}"
    )


def _head(table: PrintedTable) -> str:
    titles = "".join(_title(c) for c in table.columns)
    if table.depth == 1:
        return f"<tr>{titles}</tr>\n"
    above = "".join(_group(name, span) for name, span in table.spans)
    return f"<tr>{above}</tr>\n<tr>{titles}</tr>\n"


def _group(name: str, span: int) -> str:
    if not name:
        return f'<td colspan="{span}"></td>'
    return f'<th scope="colgroup" class="group" colspan="{span}">{_text(name)}</th>'


def _title(column: Column) -> str:
    text = "<br>".join(_text(part) for part in column.title.split("\n"))
    kind = ' class="left"' if column.justify == "left" else ""
    return f'<th scope="col"{kind}>{text}</th>' if text else f"<td{kind}></td>"


def _bodies(table: PrintedTable) -> Iterable[str]:
    """A ``tbody`` for each section: a heading opens the next."""
    rows: list[str] = []
    for line, texts in table.lines:
        if line.heading and rows:
            yield f"<tbody>\n{''.join(rows)}</tbody>\n"
            rows = []
        rows.append(f"<tr>{_row(table.columns, line, texts)}</tr>\n")
    yield f"<tbody>\n{''.join(rows)}</tbody>\n"


def _row(columns: Sequence[Column], line: Line, texts: Sequence[str]) -> str:
    filled = [t for t in texts if t]
    if line.heading and len(filled) <= 1:
        return f'<th scope="rowgroup" class="label left head" colspan="{len(columns)}">{_text("".join(filled))}</th>'
    cells = (*line.cells, *(TextCell("") for _ in columns[len(line.cells) :]))
    return "".join(_cell(c, cell, text, heading=line.heading) for c, cell, text in zip(columns, cells, texts, strict=True))


def _cell(column: Column, cell: TextCell, text: str, *, heading: bool) -> str:
    label = column.label and text
    kinds = [
        "label" if label else "",
        "left" if column.justify == "left" else "",
        "fold" if len(text) > (LABEL if label else FOLDED) else "",
        "head" if heading else "",
        cell.style if cell.style in ("good", "bad", "note", "doubt") else "",
    ]
    kind = " ".join(k for k in kinds if k)
    attributes = (' scope="row"' if label else "") + (f' class="{kind}"' if kind else "")
    tag = "th" if label else "td"
    return f"<{tag}{attributes}>{_text(text)}</{tag}>"


def _text(text: str) -> str:
    return escape(visible(text))
