"""What a printed page is made of, before it is text, Markdown or a screen: blocks of columns and lines of cells.

A cell keeps the result rows its text was made from, so that a screen can open the number behind it. A page carries
everything a table needs to stand alone: title, facts, footnotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from alsbench.analysis.result import Row

Justify = Literal["left", "right"]


@dataclass(frozen=True)
class TextCell:
    """Text as shown, the statistics behind it, and the name of a style (``good``, ``bad``, ``doubt``, ``note`` or empty)."""

    text: str
    rows: tuple[Row, ...] = ()
    style: str = ""


EMPTY = TextCell("")


@dataclass(frozen=True)
class Column:
    """A column heading. Columns of one ``group`` stand together under its name; a ``label`` column says what a line is
    and is repeated wherever a block is continued beside itself."""

    title: str
    group: str = ""
    justify: Justify = "right"
    label: bool = False


@dataclass(frozen=True)
class Line:
    """One line of cells; a ``heading`` opens a section and usually fills only its first cell."""

    cells: tuple[TextCell, ...]
    heading: bool = False


@dataclass(frozen=True)
class PageBlock:
    """A table: a title, columns, lines, and notes that belong to it alone.

    ``aligned`` sets estimates and limits under each other; it is off where one column holds different statistics. A ``wide``
    block is as wide as it is, never continued below itself: a long list.
    """

    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    aligned: bool = True
    wide: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing for documents that can show one: what it shows, and what makes it (SVG text) when it is wanted."""

    caption: str
    draw: Callable[[], str]


@dataclass(frozen=True)
class Page:
    """Blocks under one title with the facts and footnotes that let them stand alone, and figures of the same numbers."""

    title: str
    blocks: tuple[PageBlock, ...]
    facts: tuple[tuple[str, str], ...] = ()
    footnotes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()


def label(title: str) -> Column:
    """A left-justified column that says what each line is."""
    return Column(title, justify="left", label=True)


def plain_block(title: str, headings: Sequence[str], records: Iterable[Sequence[str]], *, left: int | None = None) -> PageBlock:
    """A block of plain strings: the first ``left`` columns (default: all) are left-justified, the first one is a label."""
    left = len(headings) if left is None else left
    columns = tuple(Column(h, justify="left" if i < left else "right", label=i == 0) for i, h in enumerate(headings))
    return PageBlock(title, columns, tuple(Line(tuple(TextCell(text) for text in record)) for record in records))
