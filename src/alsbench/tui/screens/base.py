"""What every screen is made of: a title line, a table or pane, a detail line; and what every table can do.

A view shows the session and owns only what is not a choice: cursor, scroll, filter. ``refresh_view`` is called whenever the
session or the data changed; a view starts its own jobs (panel name = view name) and takes their reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.containers import Vertical

from alsbench.render.page import Page
from alsbench.tui.models import Grid
from alsbench.tui.safetext import safe
from alsbench.tui.session import Session
from alsbench.tui.widgets.bars import Bar
from alsbench.tui.widgets.pane import Pane
from alsbench.tui.widgets.table import VirtualTable
from alsbench.tui.worker import Report

if TYPE_CHECKING:
    from alsbench.tui.app import Workbench

Lines = list[Text]


class View(Vertical):
    """A screen of the app inside the frame. ``name`` is the screen's name and the panel of its jobs."""

    DEFAULT_CSS = "View { height: 1fr; width: 1fr; }"
    row_cursor = False

    def __init__(self, bench: Workbench, name: str) -> None:
        super().__init__(id=f"view-{name}")
        self.bench = bench
        self.panel = name
        self.title_bar = Bar(bench.look, ground="text", elastic=True)
        self.table = VirtualTable(bench.look, row_cursor=self.row_cursor)
        self.table.moved = self.cursor_moved
        self.detail = Bar(bench.look, ground="text")
        self.pane = Pane(bench.look)
        self.pane.display = False
        self.pane.moved = self.pane_moved
        self.full: Grid = Grid(())
        self.pattern = ""
        self.searched = ""  # in a pane of lines

    def compose(self) -> Any:
        yield self.title_bar
        yield self.table
        yield self.pane
        yield self.detail

    # ---- what a screen says of itself

    @property
    def session(self) -> Session:
        return self.bench.session

    @property
    def ascii(self) -> bool:
        return not self.bench.look.glyphs.dots

    def refresh_view(self) -> None:
        """Show what the session now says; start work where something is missing."""
        raise TypeError(f"{type(self).__name__} does not say how it is shown")

    def report(self, report: Report) -> None:
        """Take a part of an answer, or the last of it."""

    def page(self) -> Page | None:
        """The view as a page that stands alone, for export and copying."""
        if self.pane.display or not len(self.full):
            return None
        return Page(self.page_title(), self.full.blocks(), self.bench.page_facts(), self.bench.page_footnotes())

    def taken(self) -> tuple[Any, ...]:
        """The results behind the view, for JSON and for the audit log of an export."""
        return ()

    def plain_text(self) -> str:
        """The lines of a view without a table."""
        return "\n".join(line.plain.rstrip() for line in self.pane.lines) + "\n" if self.pane.display else ""

    @property
    def printed(self) -> bool:
        """Whether what is taken away is what the shell prints, the view itself holding no table."""
        return False

    def page_title(self) -> str:
        return self.panel.title()

    def shell_words(self) -> dict[str, str]:
        """What the shell command needs to know and the session does not hold (subject id, subgroup name, filter)."""
        return {}

    # ---- showing

    @property
    def main(self) -> VirtualTable | Pane:
        return self.pane if self.pane.display else self.table

    def show_grid(self, grid: Grid, *, keep: bool = True, stale: bool = False) -> None:
        """Show a table; the filter stays on."""
        self.full = grid
        shown = grid.filtered(self.pattern) if self.pattern else grid
        repaint = self.table.stale != stale
        self.table.stale = stale
        had_focus = self.pane.display
        self.pane.display = False
        self.table.display = True
        if keep and not repaint and len(shown) == len(self.table.model):
            self.table.update_model(shown)
        else:
            self.table.show(shown, keep=keep)
        if had_focus or not self.table.has_focus:
            self.focus_main()

    def show_lines(self, lines: Lines, *, keep: bool = True) -> None:
        """Show a pane of lines instead of the table."""
        self.table.display = False
        self.pane.display = True
        self.pane.stale = False
        self.pane.show(lines, keep=keep)
        self.focus_main()

    def focus_main(self) -> None:
        if self.display and len(self.app.screen_stack) == 1:
            self.main.focus(scroll_visible=False)

    def title(self, text: str, *marks: tuple[str, str]) -> None:
        self.title_bar.show([(safe(text, ascii=self.ascii), "bold"), *((safe(t, ascii=self.ascii), r) for t, r in marks)])

    def say(self, text: str, role: str = "dim") -> None:
        """The detail line: more about what is under the cursor."""
        self.detail.show([(safe(text, ascii=self.ascii), role)])

    def pane_moved(self) -> None:
        """Say how many lines are below those in view."""
        if self.pane.display:
            self.say(f"{self.pane.below} more lines below; j scrolls" if self.pane.below else "")

    def source(self) -> Any:
        """What the cell under the cursor was made from."""
        model = self.table.model
        return model.source(self.table.cursor_row, self.table.cursor_col) if isinstance(model, Grid) else None

    def back_to(self, shown: Any) -> None:
        """Put the cursor on the line that was opened, when what it opened is left."""
        model = self.table.model
        if shown and isinstance(model, Grid):
            self.table.go(next((k for k in range(len(model)) if model.source(k, 0) == shown), self.table.cursor_row))

    def cursor_moved(self) -> None:
        """The cursor stands on another cell."""

    # ---- commands every table has

    def do_up(self) -> None:
        self.main.move(rows=-1)

    def do_down(self) -> None:
        self.main.move(rows=1)

    def do_left(self) -> None:
        self.main.move(cols=-1)

    def do_right(self) -> None:
        self.main.move(cols=1)

    def do_top(self) -> None:
        self.main.go(0)

    def do_bottom(self) -> None:
        self.main.go(len(self.main.lines) if isinstance(self.main, Pane) else len(self.table.model) - 1)

    def do_row(self, number: str = "") -> None:
        """Go to a row by its number; headings count."""
        if not number.isdigit():
            self.bench.status(":row takes the number of a row")
            return
        self.main.go(int(number) - 1)

    def do_half_down(self) -> None:
        self.main.move(rows=max(self.main.page // 2, 1))

    def do_half_up(self) -> None:
        self.main.move(rows=-max(self.main.page // 2, 1))

    def do_page_down(self) -> None:
        self.main.move(rows=self.main.page)

    def do_page_up(self) -> None:
        self.main.move(rows=-self.main.page)

    def do_filter(self) -> None:
        if self.pane.display:
            self.bench.ask("/", self.searched, self.search_lines, hint="go to a line that holds this text", kind="filter")
            return
        self.bench.ask("/", self.pattern, self.set_filter, hint="show rows that hold this text; empty shows all", kind="filter")

    def set_filter(self, pattern: str) -> None:
        """Show only the lines that hold a text."""
        self.pattern = pattern
        shown = self.full.filtered(pattern) if pattern else self.full
        self.table.show(shown, keep=False)
        if pattern:
            hits = sum(not shown.heading(i) for i in range(len(shown)))
            total = sum(not self.full.heading(i) for i in range(len(self.full)))
            self.bench.status(f"/{safe(pattern)}: {hits} of {total} rows; esc shows all")
        self.cursor_moved()

    def do_next_match(self) -> None:
        self._match(1)

    def do_previous_match(self) -> None:
        self._match(-1)

    def search_lines(self, text: str, step: int = 0) -> None:
        """Go to a line of the pane that holds a text."""
        self.searched = text
        at, hits = self.pane.find(text, step) if text else (0, 0)
        said = f"{at} of {hits}; n N" if hits else "not here"
        self.bench.status(f"/{safe(text, ascii=self.ascii)}: {said}" if text else "no text; / searches")

    def _match(self, step: int) -> None:
        if self.pane.display:
            self.search_lines(self.searched, step)
            return
        if not self.pattern:
            self.bench.status("no filter; / sets one")
            return
        count = len(self.table.model)
        row = self.table.cursor_row
        for _ in range(count):
            row = (row + step) % count
            if not self.table.model.heading(row):
                self.table.go(row)
                return

    def do_back(self) -> bool:
        """Undo what is only shown here (a filter); False when there was nothing."""
        if self.pattern:
            self.set_filter("")
            self.bench.status("")
            return True
        return False

    async def do_open(self) -> None:
        """Open what is under the cursor."""
        self.bench.status("nothing to open here")

    def cell_text(self) -> str:
        """The text under the cursor."""
        model = self.table.model
        if self.pane.display or not isinstance(model, Grid) or not len(model):
            return ""
        return model.text(self.table.cursor_row, 0 if self.table.row_cursor else self.table.cursor_col)
