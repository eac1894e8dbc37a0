"""Results and tables as CSV, TSV and Markdown.

CSV and TSV of a result are its long rows, one statistic a line, with the same columns as the JSON. A text cell that a
spreadsheet could take for a formula is guarded with an apostrophe; numbers never are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from alsbench.analysis.result import Result, Row
from alsbench.render.ard import ROW_KEYS, row_dict
from alsbench.render.page import Block, Page
from alsbench.render.text import guard_formula, markdown_cell, visible, without_controls

Dialect = Literal["csv", "tsv"]
SEPARATORS: dict[Dialect, str] = {"csv": ",", "tsv": "\t"}


def result_delimited(result: Result, dialect: Dialect) -> str:
    """The long rows of a result under a heading line."""
    return rows_delimited(result.rows, dialect)


def rows_delimited(rows: Iterable[Row], dialect: Dialect) -> str:
    return delimited(ROW_KEYS, (list(row_dict(row).values()) for row in rows), dialect)


def delimited(headings: Sequence[str] | None, records: Iterable[Sequence[Any]], dialect: Dialect) -> str:
    """Any records, under ``headings`` if there are any.

    None is empty, numbers are written in full, text is guarded against formulas.

    TSV has no quoting: tabs and line breaks inside a text are written as visible escapes.
    """
    out = io.StringIO()
    if dialect == "csv":
        writer = csv.writer(out, lineterminator="\n")
        if headings is not None:
            writer.writerow([_cell(h) for h in headings])
        writer.writerows([_cell(v) for v in record] for record in records)
    else:
        for record in (*([headings] if headings is not None else []), *records):
            out.write(SEPARATORS[dialect].join(visible(_cell(v)) for v in record) + "\n")
    return out.getvalue()


def page_markdown(page: Page) -> str:
    """A page as Markdown: title, facts as a list, one table a block, footnotes."""
    parts = [f"## {markdown_cell(page.title)}\n"]
    if page.facts:
        parts.append("".join(f"- {markdown_cell(name)}: {markdown_cell(value)}\n" for name, value in page.facts))
    parts += [_block_markdown(block) for block in page.blocks]
    if page.footnotes:
        parts.append("".join(f"- {markdown_cell(note)}\n" for note in page.footnotes))
    return "\n".join(parts)


def _block_markdown(block: Block) -> str:
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
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return guard_formula(without_controls(value))
    return float.__repr__(value) if isinstance(value, float) else str(value)
