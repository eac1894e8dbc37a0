"""What every screen is made of: a title line, a table or pane, a detail line; and what every table can do.

A view shows the session and owns only what is not a choice: cursor, scroll, filter. ``refresh_view`` is called whenever the
session or the data changed; a view starts its own jobs (panel name = view name) and takes their reports. A :class:`QueryView`
asks questions: its answers are filled in from a worker, one subgroup phrase at a time, shown as they arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from rich.text import Text
from textual.containers import Vertical

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.render.page import Page
from alsbench.tui import actions as act
from alsbench.tui.access_log import AccessLog
from alsbench.tui.answers import AnswerKey, Answers, PieceKey, VerifiedKey
from alsbench.tui.cell_text import safe
from alsbench.tui.exporter import Exporter
from alsbench.tui.host import Host
from alsbench.tui.overlays import Overlays
from alsbench.tui.pool import Pool
from alsbench.tui.session import Session
from alsbench.tui.session_log import SessionLog
from alsbench.tui.table_models import GridModel
from alsbench.tui.widgets.bars import Bar
from alsbench.tui.widgets.pane import Pane
from alsbench.tui.widgets.table import VirtualTable
from alsbench.tui.worker import Job, JobReport


class Bench(Host, Protocol):
    """The app, as its screens know it: with its parts."""

    access_log: AccessLog
    answers: Answers
    done: list[act.Action]
    exporter: Exporter
    log_file: SessionLog | None
    overlays: Overlays
    pool: Pool

    def compute(self, panel: str, label: str, keys: Sequence[AnswerKey], *, lane: str = "", last: object = None) -> Job: ...
    def show_running(self) -> None: ...
    def do_reload(self) -> None: ...
    def do_editor(self, subgroup: str = "") -> None: ...
    def edited(self, path: Path, line: int = 0) -> bool: ...


class View(Vertical):
    """A screen of the app inside the frame. ``name`` is the screen's name and the panel of its jobs."""

    DEFAULT_CSS = "View { height: 1fr; width: 1fr; }"
    row_cursor = False

    def __init__(self, bench: Bench, name: str) -> None:
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
        self.full: GridModel = GridModel(())
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

    def report(self, report: JobReport) -> None:
        """Take a part of an answer, or the last of it."""

    def page(self) -> Page | None:
        """The view as a page that stands alone, for export and copying."""
        if self.pane.display or not len(self.full):
            return None
        return Page(self.page_title(), self.full.blocks(), self.bench.exporter.facts(), self.bench.exporter.footnotes())

    def exported_results(self) -> tuple[Any, ...]:
        """The results behind the view, for JSON and for the audit log of an export."""
        return ()

    def plain_text(self) -> str:
        """The lines of a view without a table."""
        return "\n".join(line.plain.rstrip() for line in self.pane.lines) + "\n" if self.pane.display else ""

    @property
    def unfinished(self) -> str:
        """Why what is shown is not to be copied or exported yet; empty where it is whole."""
        return ""

    def work_begun(self) -> None:
        """Another answer that this view waits for is being computed."""

    def work_cancelled(self) -> None:
        """Somebody has cancelled all work."""

    @property
    def printed(self) -> bool:
        """Whether what is copied and exported is what the shell prints, the view itself holding no table."""
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

    def show_grid(self, grid: GridModel, *, keep: bool = True, stale: bool = False) -> None:
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

    def show_lines(self, lines: list[Text], *, keep: bool = True) -> None:
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
        return self.table.source()

    def back_to(self, shown: Any) -> None:
        """Put the cursor on the line that was opened, when what it opened is left."""
        model = self.table.model
        if shown and isinstance(model, GridModel):
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
            value, then, hint = self.searched, self.search_lines, "go to a line that holds this text"
            self.bench.overlays.ask("/", value, then, hint=hint, kind="filter")
            return
        hint = "show rows that hold this text; empty shows all"
        self.bench.overlays.ask("/", self.pattern, self.set_filter, hint=hint, kind="filter")

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
        self.table.next_row(step)

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
        if self.pane.display or not isinstance(model, GridModel) or not len(model):
            return ""
        return model.text(self.table.cursor_row, 0 if self.table.row_cursor else self.table.cursor_col)


class QueryView(View):
    """Knows its questions (``wanted``), starts a job for those not answered yet, and repaints as answers come in.

    ``answered``: some answer stands on the screen, and is marked stale when all that is wanted now has yet to be computed.
    ``cancelled``: the work on what is wanted now was cancelled; nothing else is shown in its place.
    """

    answered = False
    cancelled = False

    def wanted(self) -> Sequence[AnswerKey]:
        """The questions of the view, most urgent first."""
        raise TypeError(f"{type(self).__name__} does not say what it asks")

    def needed(self) -> Sequence[AnswerKey]:
        """All that must be computed for what is shown: the questions, and what only a plot needs."""
        return self.wanted()

    def build(self) -> None:
        """Show what is known now."""
        raise TypeError(f"{type(self).__name__} does not say how it is shown")

    def question(self, endpoint: str, phrase: str, **more: Any) -> Question:
        """One endpoint, one phrase, the session's population (only where it is not the study's default)."""
        return Question(endpoint, (phrase,), population=self.population, **more)

    @property
    def population(self) -> str:
        """The population to ask for: empty where it is the study's default, so that an endpoint's own can apply."""
        opened = self.bench.opened
        default = opened.source.study.populations.default if opened else ""
        population = self.session.choice.population
        return "" if population == default else population

    def known(self, key: AnswerKey) -> Any:
        """The answer so far: a result, a piece, an error, or None."""
        return self.bench.answers.get(key)

    def refresh_view(self) -> None:
        opened = self.bench.opened
        if opened is None:
            return
        self.cancelled = False
        missing = [q for q in self.needed() if self.known(q) is None]
        if missing and len(missing) == len(self.needed()) and self.answered:
            self.mark_stale()
        else:
            self.build()
        if not missing:
            self.answered = True
            self.look()
            if self.bench.jobs.cancel(self.panel):
                self.bench.show_running()
            return
        self.bench.compute(self.panel, self.panel, missing)

    # ---- what is not there

    def work_cancelled(self) -> None:
        """Show what is known of what is asked, and say that the rest was cancelled."""
        if self.bench.opened is not None and self.display and any(self.known(q) is None for q in self.needed()):
            self.cancelled = True
            self.build()

    @property
    def waiting(self) -> str:
        """What stands in the place of an answer that is not there."""
        return "cancelled" if self.cancelled else "..."

    @property
    def unfinished(self) -> str:
        if self.bench.opened is None or all(self.known(q) is not None for q in self.needed()):
            return ""
        return "cancelled before all of it was there; r asks again" if self.cancelled else "it is still being computed"

    def do_reload(self) -> None:
        """Ask again what was cancelled; else read the workspace again."""
        if self.cancelled:
            self.bench.status("")
            self.refresh_view()
        else:
            self.bench.do_reload()

    # ---- a second program

    def to_verify(self) -> list[Question]:
        """The questions whose numbers stand on the screen, each of one subgroup phrase, at every visit."""
        wanted = [self.question(k.endpoint, k.phrase) if isinstance(k, PieceKey) else k for k in self.wanted()]
        return list(dict.fromkeys(replace(q, visits=()) for q in wanted if isinstance(q, Question)))

    def verified(self) -> tuple[str, str]:
        """What a second program says to all that is on the screen, for the title; empty where it was not asked."""
        found = [self.known(VerifiedKey(q)) for q in self.to_verify()]
        if not found or None in found:
            return "", "dim"
        compared, bad = sum(len(f.compared) for f in found), sum(len(f.differing) for f in found)
        left = ", not all compared" if any(f.uncompared for f in found) else ""
        if bad:
            return f"  {bad} of {compared} DIFFER from the second program", "error"
        return f"  {compared} of {compared} verified{left}", "dim"

    def title(self, text: str, *marks: tuple[str, str]) -> None:
        said = self.verified() if self.bench.opened is not None else ("", "dim")
        cancelled = [("  cancelled: r asks again", "mark")] if self.cancelled else []
        super().title(text, *cancelled, *marks, *([said] if said[0] else []))

    def mark_stale(self) -> None:
        """What is shown answers an earlier question: say so until the first part of the new answer lands."""
        mark = f"  {self.bench.look.glyphs.stale} stale: being computed"
        kept = [piece for piece in self.title_bar.pieces if piece[1] != "mark"]
        self.title_bar.show([*kept[:1], (mark, "mark"), *kept[1:]])
        self.table.stale = self.pane.stale = True
        self.main.refresh()

    def report(self, report: JobReport) -> None:
        if report.kind in {"part", "done"} and self.display:
            self.build()
            self.answered = True
            if report.kind == "done":
                self.look()

    def seen(self) -> Result | None:
        """What somebody now sees, for the audit log: one result whose question tells it; None for nothing."""
        return None

    def exported_results(self) -> tuple[Result, ...]:
        made = self.seen()
        return () if made is None else (made,)

    def look(self) -> None:
        """Everything asked is on the screen: count it as a look."""
        result = self.seen()
        if result is not None:
            self.bench.access_log.look(result)


def with_command(page: Page, command: str) -> Page:
    """The page saying which shell command prints it."""
    return replace(page, facts=(*page.facts, ("Command", command)))


def joined(pages: Sequence[Page]) -> Page:
    """Several pages as one: what they share is said once; post hoc where one of them is."""
    title = next((p.title for p in pages if "Post hoc" in p.title), pages[0].title)
    facts = tuple(dict.fromkeys(f for p in pages for f in p.facts))
    notes = tuple(dict.fromkeys(n for p in pages for n in p.footnotes))
    return Page(title, tuple(b for p in pages for b in p.blocks), facts, notes)
