"""Tables of an HTML file, by the parser of the standard library: texts of cells, spans, captions; nothing is loaded or run."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from alsbench.analysis.reconcile.spans import Spanned, table_of
from alsbench.analysis.reconcile.stated import CellTable
from alsbench.errors import DataError

SILENT = frozenset({"script", "style", "template", "svg", "noscript", "head"})
BLOCKS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "div", "li", "dt", "dd", "section"})
VOID = frozenset({"br", "hr", "img", "meta", "link", "input", "col", "wbr", "area", "base", "embed", "source", "track"})
MOST_SPAN, MOST_CELLS, TITLE_PARTS = 1000, 500_000, 3


@dataclass
class _Open:
    """A table that is being read; ``waiting`` are texts that reach down from rows above: column -> (rows left, text)."""

    caption: str = ""
    rows: list[list[Spanned]] = field(default_factory=list)
    head_rows: int = 0
    in_head: bool = False
    all_heads: bool = True
    row: list[Spanned] | None = None
    waiting: dict[int, tuple[int, Spanned]] = field(default_factory=dict)
    reach: tuple[int, int] = (1, 1)
    is_head: bool = False


class _Tables(HTMLParser):
    def __init__(self, where: str) -> None:
        super().__init__(convert_charrefs=True)
        self.where = where
        self.open: list[_Open] = []
        self.found: list[tuple[list[str], _Open]] = []
        self.above: list[str] = []
        self.text: list[str] = []
        self.silent = 0
        self.cells = 0
        self.in_cell = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self.silent += 1
        if self.silent:
            return
        if tag == "table":
            if self.open and self.in_cell:
                raise DataError("a table stands in a cell of another", where=self.where, hint="give each table of its own")
            self._paragraph()
            self.open.append(_Open())
        elif tag == "br":
            self.text.append(" ")
        elif self.open:
            self._table_tag(tag, dict(attrs))
        elif tag in BLOCKS:
            self._paragraph()

    def _table_tag(self, tag: str, attrs: dict[str, str | None]) -> None:
        table = self.open[-1]
        if tag == "thead":
            table.in_head = True
        elif tag in ("tbody", "tfoot"):
            self._end_row(table)
            table.in_head = False
        elif tag == "caption":
            self.text = []
        elif tag == "tr":
            self._end_row(table)
            table.row, table.all_heads = [], True
        elif tag in ("td", "th"):
            self._end_cell(table)
            if table.row is None:
                table.row, table.all_heads = [], True
            self.in_cell, self.text = 1, []
            table.reach = (_span(attrs.get("colspan")), _span(attrs.get("rowspan")))
            table.is_head = tag == "th"

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self.silent = max(0, self.silent - 1)
            return
        if self.silent:
            return
        if not self.open:
            if tag in BLOCKS:
                self._paragraph()
            return
        table = self.open[-1]
        if tag in ("td", "th"):
            self._end_cell(table)
        elif tag == "tr":
            self._end_row(table)
        elif tag == "thead":
            self._end_row(table)
            table.in_head = False
        elif tag == "caption":
            table.caption = self._taken()
        elif tag == "table":
            self._end_row(table)
            self.open.pop()
            self.found.append((self.above, table))
            self.above = []
        elif tag in BLOCKS:
            self.text.append(" ")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.text.append(data)

    def _end_cell(self, table: _Open) -> None:
        if not self.in_cell or table.row is None:
            return
        self.in_cell = 0
        across, down = table.reach
        self._drop_down(table)
        cell, first = (self._taken(), across), _columns_of(table.row)
        table.row.append(cell)
        if down > 1:
            table.waiting[first] = (down - 1, cell)
        table.all_heads = table.all_heads and table.is_head
        self.cells += across
        if self.cells > MOST_CELLS:
            raise DataError(f"the document has more than {MOST_CELLS:,} cells", where=self.where)

    def _drop_down(self, table: _Open) -> None:
        """Cells that reach down from above stand before the next."""
        while table.row is not None and (at := _columns_of(table.row)) in table.waiting:
            left, cell = table.waiting.pop(at)
            table.row.append(cell)
            if left > 1:
                table.waiting[at] = (left - 1, cell)

    def _end_row(self, table: _Open) -> None:
        self._end_cell(table)
        if table.row is None:
            return
        self._drop_down(table)
        if table.row:
            if table.in_head or (table.all_heads and table.head_rows == len(table.rows)):
                table.head_rows += 1
            table.rows.append(table.row)
        table.row = None

    def _paragraph(self) -> None:
        text = self._taken()
        if text:
            self.above = [*self.above[-TITLE_PARTS + 1 :], text]

    def _taken(self) -> str:
        text = " ".join("".join(self.text).split())
        self.text = []
        return text


def _columns_of(row: list[Spanned]) -> int:
    return sum(span for _, span in row)


def _span(text: str | None) -> int:
    return min(int(text), MOST_SPAN) if text and text.isascii() and text.isdigit() and int(text) > 0 else 1


def html_tables(content: str, where: str) -> tuple[CellTable, ...]:
    """The tables of a file in their order. Raises DataError for tables within tables, and for more cells than can be meant."""
    parser = _Tables(where)
    parser.feed(content)
    parser.close()
    made: list[CellTable] = []
    for above, table in parser.found:
        title = [table.caption] if table.caption else above
        made.append(table_of(len(made) + 1, title, table.rows, table.head_rows))
    return tuple(made)
