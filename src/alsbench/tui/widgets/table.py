"""The table every screen uses: lines painted on demand from a model, so that a million rows cost what twenty do.

The first columns are frozen; only whole columns are shown, and ``›`` says that more stand to the right. A cursor key repaints
only the cells the cursor left and entered. The model hands over text; the widget never keeps more than the lines it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from alsbench.tui.cell_text import fit, without_shared
from alsbench.tui.table_models import Col, GridModel
from alsbench.tui.theme import Appearance

GAP = 2
ELASTIC = 10  # cells from which the last column of text is shown cut rather than not at all


def _given_way(widths: Sequence[int], room: int) -> list[int]:
    """Widths of the columns that stay, the widest made narrower where all together leave no room for a next one."""
    over = sum(w + GAP for w in widths) - room
    if over <= 0 or not widths:
        return list(widths)
    widest = max(range(len(widths)), key=widths.__getitem__)
    return [max(w - over, min(w, ELASTIC)) if k == widest else w for k, w in enumerate(widths)]


class TableModel(Protocol):
    """What a table needs to know. ``row`` gives (text, role) per column; a heading of one cell runs over the whole line, one
    of more cells holds column heads. ``columns`` says how a row is laid out: its columns and how many are frozen; ``text`` is a
    cell in full."""

    @property
    def cols(self) -> Sequence[Col]: ...
    @property
    def frozen(self) -> int: ...
    @property
    def inner_heads(self) -> bool: ...
    def __len__(self) -> int: ...
    def columns(self, index: int) -> tuple[Sequence[Col], int]: ...
    def row(self, index: int) -> Sequence[tuple[str, str]]: ...
    def text(self, row: int, col: int) -> str: ...
    def heading(self, index: int) -> bool: ...


class VirtualTable(Widget, can_focus=True):
    """A cursor over a :class:`TableModel`. Calls ``moved`` when the cursor enters another cell, so that what stands beside the
    table is painted with it."""

    DEFAULT_CSS = "VirtualTable { height: 1fr; width: 1fr; }"

    def __init__(self, look: Appearance, *, row_cursor: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.look = look
        self.model: TableModel = GridModel(())
        self.row_cursor = row_cursor
        self.moved: Callable[[], None] = lambda: None
        self.cursor_row = 0
        self.cursor_col = 0
        self.top = 0
        self.left = 0
        self.placeholder = ""
        self.stale = False
        self.matches: Container[int] = frozenset()

    # ---- contents

    def show(self, model: TableModel, *, keep: bool = True) -> None:
        """Show a model; with ``keep`` the cursor stays where it was as far as there are rows."""
        self.model = model
        if not keep:
            self.cursor_row = self.cursor_col = self.top = self.left = 0
        self.matches = frozenset()
        self.clamp()
        self.refresh()

    def update_model(self, model: TableModel) -> None:
        """Replace the model by one with the same rows; only lines that differ are repainted."""
        old, self.model = self.model, model
        if len(old) != len(model) or list(old.cols) != list(model.cols):
            self.clamp()
            self.refresh()
            return
        for index in range(self.top, min(self.top + self.page, len(model))):
            if old.row(index) != model.row(index):
                self.refresh(Region(0, self.head_height + index - self.top, self.size.width, 1))

    def clamp(self) -> None:
        """Bring the cursor and the view back inside the model."""
        self.cursor_row = max(0, min(self.cursor_row, len(self.model) - 1))
        self.left = max(0, min(self.left, len(self.model.cols) - self.model.frozen - 1))
        if len(self.model) and self.model.heading(self.cursor_row):
            self.cursor_row = self._settle(self.cursor_row, 1)
        self._bound_column()
        self._follow()

    # ---- geometry

    @property
    def head_height(self) -> int:
        if self.model.inner_heads:
            return 0
        grouped = any(c.group for c in self.model.cols)
        return max((len(c.head) for c in self.model.cols), default=1) + grouped

    @property
    def page(self) -> int:
        """Rows that fit under the head."""
        return max(1, self.size.height - self.head_height)

    def layout_columns(self, row: int | None = None) -> list[tuple[int, int, int]]:
        """(column, x, width) of the whole columns shown of a row; the first scrolling one may be cut to what is left."""
        room = self.size.width
        cols, frozen = (self.model.cols, self.model.frozen) if row is None else self.model.columns(row)
        widths = [c.width for c in cols]
        if sum(w + GAP for w in widths) - GAP > room:
            room -= 1  # for the sign that says there is more
        placed: list[tuple[int, int, int]] = []
        x = 0
        left = max(0, min(self.left, len(cols) - frozen - 1))
        if frozen + left < len(cols):
            widths[:frozen] = _given_way(widths[:frozen], room - min(widths[frozen + left], room // 2))
        for index in [*range(min(frozen, len(cols))), *range(frozen + left, len(cols))]:
            width = widths[index]
            if x + width > room:
                last = index == len(cols) - 1 and cols[index].align == "left" and room - x >= ELASTIC
                if not last and placed and (index > frozen + left or index < frozen or room - x < 4):
                    break
                width = max(room - x, 1)
            placed.append((index, x, width))
            x += width + GAP
            if x >= room:
                break
        return placed

    @property
    def more_right(self) -> bool:
        placed = self.layout_columns()
        return bool(placed) and placed[-1][0] < len(self.model.cols) - 1

    def _here(self) -> int | None:
        return self.cursor_row if self.cursor_row < len(self.model) else None

    def _follow(self) -> bool:
        """Scroll so that the cursor is in view; True when the view moved."""
        before = (self.top, self.left)
        if not self.size.height:  # not laid out yet: every row would seem out of view
            return False
        if self.cursor_row < self.top:
            self.top = self.cursor_row
            while self.top > 0 and self.model.heading(self.top - 1):
                self.top -= 1
        elif self.cursor_row >= self.top + self.page:
            self.top = self.cursor_row - self.page + 1
        self.top = max(0, min(self.top, max(0, len(self.model) - self.page)))
        frozen = self.model.frozen
        if self.cursor_col >= frozen and not self.row_cursor:
            self.left = min(self.left, self.cursor_col - frozen)
            while self.left < self.cursor_col - frozen and all(
                i != self.cursor_col for i, _, _ in self.layout_columns(self._here())
            ):
                self.left += 1
        return before != (self.top, self.left)

    # ---- moving

    def move(self, rows: int = 0, cols: int = 0) -> None:
        """Move the cursor by rows and columns; headings are stepped over."""
        old = (self.cursor_row, self.cursor_col)
        if rows and len(self.model):
            target = max(0, min(self.cursor_row + rows, len(self.model) - 1))
            self.cursor_row = self._settle(target, 1 if rows > 0 else -1)
        if cols:
            if self.row_cursor:
                self._scroll_columns(cols)
                return
            self.cursor_col += cols
        self._bound_column()
        self._moved(old)

    def go(self, row: int, col: int | None = None) -> None:
        """Put the cursor on a row (and column)."""
        old = (self.cursor_row, self.cursor_col)
        if len(self.model):
            self.cursor_row = self._settle(max(0, min(row, len(self.model) - 1)), 1)
        if col is not None:
            self.cursor_col = col
        self._bound_column()
        self._moved(old)

    def _bound_column(self) -> None:
        here = self._here()
        cols = self.model.cols if here is None else self.model.columns(here)[0]
        self.cursor_col = max(0, min(self.cursor_col, len(cols) - 1))

    def _scroll_columns(self, step: int) -> None:
        last = max(0, len(self.model.cols) - self.model.frozen - 1)
        left = max(0, min(self.left + step, last))
        if left != self.left and (step < 0 or self.more_right):
            self.left = left
            self.refresh()

    def source(self) -> Any:
        """What the cell under the cursor stands for."""
        return self.model.source(self.cursor_row, self.cursor_col) if isinstance(self.model, GridModel) else None

    def next_row(self, step: int) -> None:
        """Put the cursor on the next row in that direction that is no heading, around the end."""
        row = self.cursor_row
        for _ in range(len(self.model)):
            row = (row + step) % len(self.model)
            if not self.model.heading(row):
                self.go(row)
                return

    def _settle(self, row: int, step: int) -> int:
        """The nearest row in that direction that is not a heading; else in the other; else ``row``."""
        for direction in (step, -step):
            index = row
            while 0 <= index < len(self.model):
                if not self.model.heading(index):
                    return index
                index += direction
        return row

    def _moved(self, old: tuple[int, int]) -> None:
        if (self.cursor_row, self.cursor_col) == old:
            return
        if self._follow():
            self.refresh()
        else:
            self.refresh(*self._cursor_regions(*old), *self._cursor_regions(self.cursor_row, self.cursor_col))
        self.moved()

    def _cursor_regions(self, row: int, col: int) -> list[Region]:
        """Where the cursor is painted for a position: its cell and the row's first cell."""
        y = row - self.top + self.head_height
        if not self.head_height <= y < self.size.height:
            return []
        if row >= len(self.model):
            return []
        wanted = 0 if self.row_cursor else col
        return [Region(x, y, width, 1) for index, x, width in self.layout_columns(row) if index == wanted]

    # ---- painting

    def render_line(self, y: int) -> Strip:
        look, width = self.look, self.size.width
        if y < self.head_height:
            return self._head_line(y)
        index = self.top + y - self.head_height
        if index >= len(self.model):
            text = self.placeholder if index == 0 else ""
            return Strip([Segment(fit(text, width), look["dim"])], width)
        if self.model.heading(index) and len(self.model.row(index)) == 1:
            text, role = self.model.row(index)[0]
            return Strip([Segment(fit(text, width, mark=look.glyphs.ellipsis), look[role or "bold"])], width)
        return self._row_line(index)

    def _head_line(self, y: int) -> Strip:
        look, width, cols = self.look, self.size.width, self.model.cols
        placed, mark = self.layout_columns(), look.glyphs.ellipsis
        grouped = any(c.group for c in cols)
        parts: list[tuple[int, str]] = []  # where each text begins
        if grouped and y == 0:
            spans = self._group_spans(placed)
            names = tuple(dict.fromkeys(c.group for c in cols if c.group))
            for group, x, span in spans:
                name = dict(zip(names, without_shared(names, span), strict=True))[group]
                parts.append((x, fit(name, span, align="centre", mark=mark)))
        else:
            depth = self.head_height - grouped
            for index, x, w in placed:
                head = cols[index].head
                k = y - grouped - (depth - len(head))
                if k >= 0:
                    parts.append((x, fit(head[k], w, align=cols[index].align, mark=mark)))
        if y == self.head_height - 1:
            if placed and placed[-1][0] < len(cols) - 1:
                parts.append((width - 1, look.glyphs.more_right))
            if self.left and len(placed) > self.model.frozen:
                parts.append((max(placed[self.model.frozen][1] - 1, 0), look.glyphs.more_left))
        line, used = "", 0
        for x, text in sorted(parts):
            if x >= used:
                line += " " * (x - used) + text
                used = x + cell_len(text)
        strip = Strip([Segment(line + " " * (width - used), look["warn"] if self.stale and y == 0 else look["head"])])
        return strip.crop(0, width)

    def _group_spans(self, placed: list[tuple[int, int, int]]) -> list[tuple[str, int, int]]:
        """(group, x, width) of neighbouring columns of one group."""
        spans: list[tuple[str, int, int]] = []
        for index, x, w in placed:
            group = self.model.cols[index].group
            if group and spans and spans[-1][0] == group:
                spans[-1] = (group, spans[-1][1], x + w - spans[-1][1])
            else:
                spans.append((group, x, w))
        return [s for s in spans if s[0]]

    def _row_line(self, index: int) -> Strip:
        look, width = self.look, self.size.width
        cells = self.model.row(index)
        ground = look["text"]
        segments: list[Segment] = []
        x = 0
        cols, _ = self.model.columns(index)
        placed = self.layout_columns(index)
        spanning = self.model.heading(index)
        for column, start, w in placed:
            if start < x:
                continue  # a head above it runs over this column
            if start > x:
                segments.append(Segment(" " * (start - x), ground))
            text, role = cells[column] if column < len(cells) else ("", "")
            if spanning and text:
                w = self._span(cells, placed, column, start, w)
            text = fit(text, w, align=cols[column].align, mark=look.glyphs.ellipsis)
            segments.append(Segment(text, self._cell_style(index, column, role)))
            x = start + w
        if x < width:
            segments.append(Segment(" " * (width - x), ground))
        strip = Strip(segments, max(x, width)).crop(0, width)
        if spanning and placed and placed[-1][0] < len(cols) - 1:
            return Strip([*strip.crop(0, width - 1), Segment(look.glyphs.more_right, look["head"])], width)
        return strip

    def _span(self, cells: Sequence[tuple[str, str]], placed: list[tuple[int, int, int]], column: int, x: int, w: int) -> int:
        """Cells a head may take: its own column and those after it that hold no head."""
        for other, start, width in placed:
            if other > column:
                if other < len(cells) and cells[other][0]:
                    break
                w = start + width - x
        return w

    def _cell_style(self, index: int, column: int, role: str) -> Style:
        look = self.look
        if index == self.cursor_row and column == (0 if self.row_cursor else self.cursor_col):
            return look["cursor"]
        if self.stale:
            return look["dim"]
        if index in self.matches and column == 0:
            return look["match"]
        return look[role or "text"]

    # ---- mouse and size

    def on_resize(self) -> None:
        self.clamp()
        self.refresh()

    def on_click(self, event: Click) -> None:
        row = self.top + event.y - self.head_height
        if event.y < self.head_height or row >= len(self.model):
            return
        col = next((i for i, x, w in self.layout_columns(row) if x <= event.x < x + w + GAP), self.cursor_col)
        self.go(row, col)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.move(rows=3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.move(rows=-3)
