"""Results and tables as CSV, TSV and Markdown.

CSV and TSV of a result are its long rows, one statistic a line, with the same columns as the JSON; three more let the file
stand alone and stay one rectangle: ``title`` on every line, and on the first ``facts`` and ``footnotes``. A text cell that a
spreadsheet could take for a formula is guarded with an apostrophe; numbers never are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, Literal

from alsbench.analysis.result import Result, Row
from alsbench.data.sanitize import guard_formula, markdown_cell, visible, without_controls
from alsbench.render.ard import ROW_KEYS, row_dict
from alsbench.render.page import Page, PageBlock
from alsbench.render.titles_footnotes import marked_title, page_facts, page_footnotes

Dialect = Literal["csv", "tsv"]
SEPARATORS: dict[Dialect, str] = {"csv": ",", "tsv": "\t"}
TITLE_COLUMNS = ("title", "facts", "footnotes")
TitleCells = tuple[str, str | None, str | None]


def results_delimited(results: Iterable[Result], dialect: Dialect) -> str:
    """The long rows of several results under one heading line."""
    records = ((*row_dict(row).values(), *titles) for result in results for row, titles in rows_with_titles(result))
    return delimited((*ROW_KEYS, *TITLE_COLUMNS), records, dialect)


def rows_with_titles(result: Result) -> Iterator[tuple[Row, TitleCells]]:
    """Every row of a result with what lets it stand alone, for the columns :data:`TITLE_COLUMNS`."""
    title, notes = marked_title(result.facts.title, result.provenance), page_footnotes(result)
    facts = (*page_facts(result), ("Command", result.provenance.command))
    return zip(result.rows, title_cells(title, facts, notes), strict=False)


def title_cells(title: str, facts: Iterable[tuple[str, str]], footnotes: Iterable[str]) -> Iterator[TitleCells]:
    """The title for every line; facts and footnotes, each separated by `` | ``, for the first."""
    yield title, " | ".join(f"{name}: {value}" for name, value in facts), " | ".join(footnotes)
    yield from repeat((title, None, None))


def page_delimited(page: Page, dialect: Dialect) -> str:
    """A page as printed: its blocks one under the other, each with its heads and the columns :data:`TITLE_COLUMNS`."""
    parts = []
    for block in page.blocks:
        heads = [" ".join(t for t in (c.group, c.title.replace("\n", " ")) if t) for c in block.columns]
        title = ": ".join(t for t in (page.title, block.title) if t)
        beside = title_cells(title, page.facts, (*block.notes, *page.footnotes))
        lines = ([*(c.text for c in line.cells), *more] for line, more in zip(block.lines, beside, strict=False))
        parts.append(delimited((*heads, *TITLE_COLUMNS), lines, dialect))
    return "\n".join(parts)


def delimited(headings: Sequence[str] | None, records: Iterable[Sequence[Any]], dialect: Dialect) -> str:
    """Any records, under ``headings`` if there are any.

    None is empty, numbers are written in full, text is guarded against formulas.

    TSV has no quoting: tabs and line breaks inside a text are written as visible escapes.
    """
    out = io.StringIO()
    if dialect == "csv":
        writer = csv.writer(_Lines(out), lineterminator="\r\n")
        if headings is not None:
            writer.writerow([_cell(h) for h in headings])
        writer.writerows([_cell(v) for v in record] for record in records)
    else:
        for record in (*([headings] if headings is not None else []), *records):
            out.write(SEPARATORS[dialect].join(visible(_cell(v)) for v in record) + "\n")
    return out.getvalue()


class _Lines:
    """Takes rows that end in CR LF and writes them ending in LF.

    The writer quotes only what its own line end holds: with LF alone a carriage return inside a text would begin a row, and
    with it a formula.
    """

    def __init__(self, out: io.StringIO) -> None:
        self._out = out

    def write(self, row: str) -> int:
        return self._out.write(row.removesuffix("\r\n") + "\n")


def page_markdown(page: Page) -> str:
    """A page as Markdown: title, facts as a list, one table a block, footnotes."""
    parts = [f"## {markdown_cell(page.title)}\n"]
    if page.facts:
        parts.append("".join(f"- {markdown_cell(name)}: {markdown_cell(value)}\n" for name, value in page.facts))
    parts += [_block_markdown(block) for block in page.blocks]
    if page.footnotes:
        parts.append("".join(f"- {markdown_cell(note)}\n" for note in page.footnotes))
    return "\n".join(parts)


def _block_markdown(block: PageBlock) -> str:
    names = [markdown_cell(" ".join(part for part in (c.group, c.title.replace("\n", " ")) if part)) for c in block.columns]
    rules = ["---:" if c.justify == "right" else ":---" for c in block.columns]
    lines = [f"### {markdown_cell(block.title)}\n"] if block.title else []
    lines += [_pipes(names), _pipes(rules)]
    for line in block.lines:
        cells = [markdown_cell(cell.text) for cell in line.cells] + [""] * (len(names) - len(line.cells))
        lines.append(_pipes([f"**{c}**" if c and line.heading else c for c in cells]))
    if block.notes:
        lines += ["", *(f"- {markdown_cell(note)}" for note in block.notes)]
    return "\n".join(lines) + "\n"


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return guard_formula(without_controls(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return float.__repr__(value) if isinstance(value, float) else str(value)
