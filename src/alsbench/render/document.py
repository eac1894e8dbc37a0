"""A document of pages: numbered tables under a front page, for whatever is drawn on paper.

Every block of a page becomes one table, or more where it is wider than a landscape page: then its label columns are repeated
and the caption says which part it is. A caption names number, title and subgroup: no table depends on what stands above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from alsbench.data.sanitize import markdown_cell, visible
from alsbench.render.ard import dump
from alsbench.render.delimited import Dialect, page_delimited, page_markdown
from alsbench.render.layout import GAP, LEAST_LABEL, column_groups, laid_out, lines_of_part, page_text
from alsbench.render.page import Column, Line, Page, PageBlock, TextCell

SCHEMA = "alsbench.report/1"
PAPER = 150  # monospaced characters of 8 pt across A4 landscape
MOST_COLUMN = 60  # characters of a column before its cells are folded


@dataclass(frozen=True)
class Document:
    """``facts`` and ``statements`` stand on the front page; ``running`` is repeated on every printed page.

    A document without ``contents`` is one page by itself: neither front page nor numbers.
    """

    title: str
    pages: tuple[Page, ...]
    facts: tuple[tuple[str, str], ...] = ()
    statements: tuple[str, ...] = ()
    running: str = ""
    contents: bool = True


@dataclass(frozen=True)
class PrintedTable:
    """One table on paper: the columns that fit, their widths in characters, and every line with its texts."""

    caption: str
    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    lines: tuple[tuple[Line, tuple[str, ...]], ...]
    notes: tuple[str, ...] = ()

    @property
    def spans(self) -> list[tuple[str, int]]:
        """Neighbouring columns under one group: its name and how many they are."""
        return [(self.columns[g[0]].group, len(g)) for g in column_groups(self.columns)]

    @property
    def depth(self) -> int:
        """Lines of the head: two where columns have group names."""
        return 2 if any(c.group for c in self.columns) else 1


def page_document(page: Page) -> Document:
    """One page as a document of its own; what every printed page of it repeats names study and snapshot too."""
    told = [value for name, value in page.facts if name in ("Study", "Snapshot", "Source")]
    return Document(page.title, (page,), running=" · ".join((page.title, *told)), contents=False)


def numbered(document: Document) -> list[tuple[str, Page]]:
    """Every page with its heading: ``Table 3. Title``, or the title alone in a document without contents."""
    if not document.contents:
        return [("", page) for page in document.pages]
    return [(f"Table {number}", page) for number, page in enumerate(document.pages, start=1)]


def heading(name: str, page: Page) -> str:
    return f"{name}. {page.title}" if name else page.title


def page_tables(name: str, page: Page) -> list[PrintedTable]:
    """The tables of a page under their captions, none wider than the paper."""
    found: list[PrintedTable] = []
    title = ""
    for count, block in enumerate(page.blocks, start=1):
        number = f"{name}.{count}" if name and len(page.blocks) > 1 else name
        title = block.title or title  # a block without a title goes on with the one above
        caption = " · ".join(t for t in (page.title, title) if t)
        found += _block_tables(f"{number}. {caption}" if number else caption, block)
    return found


def _block_tables(caption: str, block: PageBlock) -> list[PrintedTable]:
    laid = laid_out(block, width=PAPER)
    made = []
    for part, chosen in enumerate(laid.parts, start=1):
        lines = tuple(
            (line, tuple(row[j] if j < len(row) else "" for j in chosen)) for line, row in lines_of_part(block, laid, chosen)
        )
        lines = tuple((replace(line, cells=tuple(_cells(line, chosen))), row) for line, row in lines)
        made.append(
            PrintedTable(
                caption if len(laid.parts) == 1 else f"{caption} (part {part} of {len(laid.parts)})",
                tuple(block.columns[j] for j in chosen),
                _fitted([laid.widths[j] for j in chosen]),
                lines,
                block.notes if part == len(laid.parts) else (),
            )
        )
    return made


def _cells(line: Line, chosen: Sequence[int]) -> list[TextCell]:
    return [line.cells[j] for j in chosen if j < len(line.cells)]


def _fitted(widths: Sequence[int]) -> tuple[int, ...]:
    """Widths that fit the paper: long columns first, then the widest again and again."""
    fitted = [min(w, MOST_COLUMN) for w in widths] if sum(widths) + len(GAP) * (len(widths) - 1) > PAPER else list(widths)
    while sum(fitted) + len(GAP) * (len(fitted) - 1) > PAPER and max(fitted) > LEAST_LABEL:
        fitted[fitted.index(max(fitted))] -= 1
    return tuple(fitted)


def document_text(document: Document, *, width: int) -> str:
    """The document as plain text: front page, contents, tables, a double rule between."""
    rule = "=" * (width or PAPER) + "\n"
    pages = numbered(document)
    front = page_text(Page(document.title, (), document.facts, document.statements), width=width)
    contents = "".join(f"  {visible(heading(name, page))}\n" for name, page in pages)
    parts = [front + "\nContents\n" + contents] if document.contents else []
    parts += [page_text(replace(page, title=heading(name, page)), width=width) for name, page in pages]
    return f"\n{rule}\n".join(parts)


def document_markdown(document: Document) -> str:
    """The document as Markdown; contents are a list, since no two readers agree on what anchors are called."""
    pages = numbered(document)
    front = page_markdown(Page(document.title, (), document.facts, document.statements)).replace("## ", "# ", 1)
    contents = "".join(f"- {markdown_cell(heading(name, page))}\n" for name, page in pages)
    parts = [f"{front}\n## Contents\n\n{contents}"] if document.contents else []
    parts += [page_markdown(replace(page, title=heading(name, page))) for name, page in pages]
    return "\n".join(parts)


def document_delimited(document: Document, dialect: Dialect) -> str:
    """Every table as printed, one under the other, each with its heads, title, facts and footnotes."""
    return "\n".join(page_delimited(replace(page, title=heading(name, page)), dialect) for name, page in numbered(document))


def document_json(document: Document) -> str:
    """The document as printed, for programs: front page, and every table with its columns and lines of text."""
    return dump(
        {
            "schema": SCHEMA,
            "title": document.title,
            "facts": [list(f) for f in document.facts],
            "statements": list(document.statements),
            "tables": [_page_values(name, page) for name, page in numbered(document)],
        }
    )


def _page_values(name: str, page: Page) -> dict[str, object]:
    blocks = [
        {
            "title": block.title,
            "columns": [" ".join(t for t in (c.group, c.title.replace("\n", " ")) if t) for c in block.columns],
            "lines": [[cell.text for cell in line.cells] for line in block.lines],
            "notes": list(block.notes),
        }
        for block in page.blocks
    ]
    facts = [list(f) for f in page.facts]
    return {"number": name, "title": page.title, "facts": facts, "blocks": blocks, "footnotes": list(page.footnotes)}
