"""A table whose rows come page by page from DuckDB: what a million rows cost is what the lines on the screen cost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from alsbench.data.frames import ColumnInfo
from alsbench.data.snapshot import TableInfo
from alsbench.render.page import Column, Line, PageBlock, TextCell
from alsbench.service.column_summary import value_text
from alsbench.tui.cell_text import safe
from alsbench.tui.table_models import Col

PAGE_ROWS = 200
KEPT_PAGES = 8
EDGE = 50  # rows from the end of a page at which the next is asked for
SAMPLE = 200  # rows that decide how wide a column is
WIDEST = 40
LONG, KEPT = 8, 4  # decimals past which a number is shown with the first few and a mark that says so


def shortened(text: str, mark: str) -> str:
    """A number with very many decimals (a quotient) as its first few and ``mark``; ``text`` otherwise."""
    return text[: text.index(".") + 1 + KEPT] + mark if fraction(text) > LONG else text


def fraction(text: str) -> int:
    """Digits after the point."""
    return len(text.partition(".")[2]) if "e" not in text else 0


def on_point(text: str, places: int) -> str:
    """A number padded so that its point stands above that of numbers with ``places`` decimals."""
    lack = places - fraction(text)
    return text + " " * (lack + (1 if "." not in text else 0)) if text and places and lack > 0 else text


def rows_block(columns: Sequence[ColumnInfo], rows: Iterable[Sequence[Any]]) -> PageBlock:
    """Stored rows as they stand in the data, the first column naming each."""
    heads = (Column(c.name, justify="right" if c.kind == "number" else "left", label=j == 0) for j, c in enumerate(columns))
    return PageBlock("", tuple(heads), tuple(Line(tuple(TextCell(value_text(v)) for v in row)) for row in rows))


class PagedModel:
    """Rows of a table by page; a row that is not here yet is dots, and ``fetch`` is told which page is wanted.

    The page beside the one shown is asked for before it is reached, so that scrolling meets no dots.
    """

    inner_heads = False

    def __init__(
        self,
        info: TableInfo,
        count: int,
        first: list[tuple[Any, ...]],
        *,
        frozen: int,
        fetch: Callable[[int], None],
        ascii: bool,
    ) -> None:
        self.info = info
        self.count = count
        self.frozen = frozen
        self.fetch = fetch
        self.ascii = ascii
        self.pages: OrderedDict[int, list[tuple[Any, ...]]] = OrderedDict({0: first})
        self.places = [0] * len(info.columns)
        self.cols: Sequence[Col] = tuple(
            Col((safe(c.name, ascii=ascii),), min(len(c.name), WIDEST), "right" if c.kind == "number" else "left")
            for c in info.columns
        )
        self._make_room(first)

    def _make_room(self, rows: list[tuple[Any, ...]]) -> bool:
        """Widen columns to what rows hold, points of numbers staying above each other; whether any had to be."""
        before, places = self.cols, self.places
        self.places = [max(known, self._places(j, rows)) for j, known in enumerate(places)]
        self.cols = tuple(
            replace(col, width=max(col.width + self._grown(j, places[j]), self._longest(j, rows)))
            for j, col in enumerate(before)
        )
        return self.cols != before

    def _grown(self, j: int, places: int) -> int:
        """Cells that the numbers shown so far are longer by, padded to more decimals than ``places``."""
        more = self.places[j] - places
        return more + (places == 0) if more and len(self.pages) > 1 else 0

    def _longest(self, j: int, rows: list[tuple[Any, ...]]) -> int:
        return min(max((len(self._text(j, r[j])) for r in rows[:SAMPLE]), default=1), WIDEST)

    def _places(self, j: int, rows: list[tuple[Any, ...]]) -> int:
        """Decimals of a column of numbers, as these rows have them."""
        if self.info.columns[j].kind != "number":
            return 0
        return max((fraction(shortened(value_text(r[j]), "~")) for r in rows[:SAMPLE]), default=0)

    def _text(self, j: int, value: object) -> str:
        text = safe(value_text(value), ascii=self.ascii)
        if self.info.columns[j].kind == "number":
            text = on_point(shortened(text, "~" if self.ascii else "…"), self.places[j])
        return text

    def text(self, row: int, col: int) -> str:
        """A cell with all its digits."""
        rows = self.pages.get(row // PAGE_ROWS, ())
        at = row % PAGE_ROWS
        return safe(value_text(rows[at][col]), ascii=self.ascii) if at < len(rows) else ""

    def value(self, row: int, col: int) -> object:
        """A cell as it is stored; None where it is missing or its page is not here."""
        rows = self.pages.get(row // PAGE_ROWS, ())
        at = row % PAGE_ROWS
        return rows[at][col] if at < len(rows) else None

    def __len__(self) -> int:
        return self.count

    def columns(self, index: int) -> tuple[Sequence[Col], int]:  # noqa: ARG002 - every row has the same columns
        return self.cols, self.frozen

    def heading(self, index: int) -> bool:  # noqa: ARG002
        return False

    def row(self, index: int) -> Sequence[tuple[str, str]]:
        page = index // PAGE_ROWS
        rows = self.pages.get(page)
        if rows is None:
            self.fetch(page)
            return [("...", "dim")] * len(self.cols)
        self.pages.move_to_end(page)
        offset = index - page * PAGE_ROWS
        if offset >= len(rows):
            return [("", "")] * len(self.cols)
        self._look_ahead(page, offset)
        return [(self._text(j, v), "") for j, v in enumerate(rows[offset])]

    def _look_ahead(self, page: int, offset: int) -> None:
        """Ask for the neighbour of a page whose edge is near."""
        beside = page + 1 if offset >= PAGE_ROWS - EDGE else page - 1 if offset < EDGE else page
        if beside not in self.pages and 0 <= beside * PAGE_ROWS < self.count:
            self.fetch(beside)

    def put(self, page: int, rows: list[tuple[Any, ...]]) -> bool:
        """Take a page in; whether columns are wider for it, so that lines already painted stand elsewhere."""
        self.pages[page] = rows
        while len(self.pages) > KEPT_PAGES:
            self.pages.popitem(last=False)
        return self._make_room(rows)
