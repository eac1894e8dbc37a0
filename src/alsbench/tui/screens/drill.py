"""A dialog of facts above and rows below, filled by a worker; what Behind this number and a check's table have in common.

``tab`` moves between the two; ``/`` shows only the rows that hold a text, ``n N`` go from one to the next, ``esc`` shows all;
``y`` copies the cell, ``Y`` the table with its facts, ``c`` shows the shell command; the keys of the screens lead there; the
app's key for it cancels the reading.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.app import ComposeResult
from textual.events import Key

from alsbench.render.page import Page
from alsbench.tui.models import Grid
from alsbench.tui.safetext import safe
from alsbench.tui.screens.dialog import MOVES, Dialog, scroll
from alsbench.tui.widgets.pane import Pane, folded
from alsbench.tui.widgets.table import VirtualTable
from alsbench.tui.worker import Report

if TYPE_CHECKING:
    from alsbench.tui.app import Workbench

_SERIAL = count(1)
LEAST_ROWS = 9  # lines kept for the rows; the facts above scroll
KEYS = (("esc", "back"), ("j k", "rows"), ("tab", "facts"), ("/", "filter"), ("y Y", "copy"))
WORDS = {
    "back": "Back to where this was opened; with a filter, show every row",
    "rows": "One row down, one up; ^d ^u half a page, PgDn PgUp a page, g G first and last",
    "facts": "Scroll the facts above the rows; back to the rows",
    "filter": "Show only the rows that hold a text; n N the next and the one before",
    "copy": "Copy the cell; copy the table with its facts (OSC 52, and a file)",
    "columns": "One column left, one right",
    "behind": "Open the number under the cursor",
    "pairs of a rank": "Open the pairs that decided the rank under the cursor",
}  # what a key of the footer does, in full
COPIED = 1000  # rows copied at most


class Drill(Dialog):
    """Facts above, rows below, filled by a worker."""

    lets_through = True
    DEFAULT_CSS = "Drill Pane { height: auto; }"

    def __init__(
        self, bench: Workbench, title: str, facts: list[Text], *more: tuple[str, str], row_cursor: bool = True
    ) -> None:
        super().__init__(bench.look, title, (*KEYS, *more))
        self.bench = bench
        self.panel = f"behind-{next(_SERIAL)}"
        self.pane = Pane(bench.look)
        self.pane.lines = tuple(facts)
        self.pane.hint = "tab, then j k"
        self.table = VirtualTable(bench.look, row_cursor=row_cursor)
        self.table.placeholder = "being read ..."
        self.whole = Grid(())
        self.pattern = ""

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.pane
        yield self.table
        yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.divide()
        self.set_focus(self.table, scroll_visible=False)
        self.start()

    def on_resize(self) -> None:
        super().on_resize()
        self.divide()

    def divide(self) -> None:
        """Give the facts what they need, as long as the rows keep theirs."""
        self.pane.styles.height = max(min(len(self.pane.lines), self.size.height - 2 - LEAST_ROWS), 3)

    def start(self) -> None:
        """Begin reading."""

    def work(self, label: str, work: Any) -> None:
        self.bench.jobs.start(self.panel, label, work, interrupt=self.bench.ready.source.snapshot.interrupt)

    def report(self, report: Report) -> None:
        """Take what a worker read, or why it could not."""
        if report.kind == "failed":
            self.table.placeholder = safe(report.payload.what, ascii=self.ascii)
            self.table.refresh()
        elif report.kind == "done":
            self.fill(report.payload)

    def fill(self, payload: Any) -> None:
        """Show what was read."""

    def show_whole(self, grid: Grid) -> None:
        """Show a table; a filter will look into it."""
        self.whole = grid
        self.table.show(grid, keep=False)

    async def take(self, event: Key) -> None:
        key = event.key
        if key == "escape" and self.pattern:
            self.set_filter("")
            self.say("")
        elif key in {"escape", "q"}:
            self.bench.jobs.cancel(self.panel)
            self.dismiss(None)
        elif key == "tab":
            self.set_focus(self.table if self.focused is self.pane else self.pane, scroll_visible=False)
        elif key == "enter":
            self.open_row()
        elif key == "slash":
            hint = "show rows that hold this text; empty shows all"
            self.bench.ask("/", self.pattern, self.set_filter, hint=hint, kind="filter")
        elif key == "y":
            self.say(self.bench.copy_cell(self.cell_text()))
        elif key == "Y":
            self.say(self.bench.copy_page(self.page(), self.twin()))
        elif key == "question_mark":
            self.bench.read("Keys here", self.help())
        elif key == "c":
            self.bench.show_command(self.shell())
        elif key in {"n", "N"}:
            self.next_match(1 if key == "n" else -1)
        elif key in MOVES:
            scroll(self.pane if self.focused is self.pane else self.table, key)
        elif key in {"h", "left", "l", "right"}:
            self.table.move(cols=1 if key in {"l", "right"} else -1)

    def help(self) -> list[Text]:
        """The keys of this dialog, in words."""
        offered = [(keys, WORDS.get(label, label)) for keys, label in self._keys]
        offered += [("c", "Show the shell command that prints this"), ("0 ... 9", "Leave this and go to a screen")]
        return [line for keys, what in offered for line in folded(f"  {keys}", what, self.look, self.size.width or 80)]

    def leave(self) -> None:
        self.bench.jobs.cancel(self.panel)

    def cancelled(self, count: int) -> None:
        super().cancelled(count)
        if count and self.table.placeholder.endswith("..."):
            self.table.placeholder = "cancelled"
            self.table.refresh()

    # ---- taking away

    def cell_text(self) -> str:
        """The text under the cursor."""
        at = self.table.cursor_row
        if not 0 <= at < len(self.table.model) or self.table.model.heading(at):
            return ""
        return self.table.model.text(at, 0 if self.table.row_cursor else self.table.cursor_col)

    def page(self) -> Page | None:
        """The table as a page that stands alone; None where there is none yet."""
        if not len(self.whole):
            return None
        return Page(self.page_title(), self.whole.blocks(), self.page_facts(), self.bench.page_footnotes())

    def page_title(self) -> str:
        return ""

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        return self.bench.page_facts()

    def shell(self) -> str:
        """The shell command that prints this."""
        return self.twin()

    def twin(self) -> str:
        """The shell command that prints the table under a mask; empty where single subjects stand in it."""
        return ""

    # ---- filtering

    def set_filter(self, pattern: str) -> None:
        """Show only the rows that hold a text."""
        self.pattern = pattern
        self.table.show(self.whole.filtered(pattern) if pattern else self.whole, keep=False)
        self.said(sum(not self.table.model.heading(k) for k in range(len(self.table.model))))

    def said(self, hits: int) -> None:
        """Say how many rows a filter shows."""
        self.say(f"/{safe(self.pattern, ascii=self.ascii)}: {hits} rows; esc shows all" if self.pattern else "")

    def next_match(self, step: int) -> None:
        """The next row of those a filter shows, around the end."""
        rows = len(self.table.model)
        if not self.pattern or not rows:
            self.say("no filter; / sets one")
            return
        at = self.table.cursor_row
        for _ in range(rows):
            at = (at + step) % rows
            if not self.table.model.heading(at):
                break
        self.table.go(at)

    def open_row(self) -> None:
        """Open what is under the cursor."""
