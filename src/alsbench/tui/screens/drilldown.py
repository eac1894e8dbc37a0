"""A dialog of facts above and rows below, filled by a worker, as Behind this number: the question, the model, warnings, and the
subjects' rows that made it, page by page. From the ranks behind a joint rank ``enter`` opens the pairs that decided one.

``tab`` moves between the two; ``/`` shows only the rows that hold a text, ``n N`` go from one to the next, ``esc`` shows all;
``y`` copies the cell, ``Y`` the table with its facts, ``c`` shows the shell command; the keys of the screens lead there; the
app's key for it cancels the reading.
"""

from __future__ import annotations

import shlex
from itertools import count
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.app import ComposeResult
from textual.events import Key

from alsbench.analysis.question import Question, endpoint_command
from alsbench.analysis.result import Result, Row
from alsbench.analysis.source import Source
from alsbench.render.formats import format_number
from alsbench.render.page import Page
from alsbench.service.source_records import Ranks, SourceRecords, behind_row, pairs
from alsbench.tui.cell_text import safe
from alsbench.tui.paged import PAGE_ROWS, PagedModel, rows_block
from alsbench.tui.screens.base import Bench
from alsbench.tui.screens.dialogs import MOVES, Dialog, scroll
from alsbench.tui.screens.profile import open_profile, titled
from alsbench.tui.shell_command import ViewRequest
from alsbench.tui.table_models import GridModel, GridRow, grid, heading_section
from alsbench.tui.widgets.pane import Pane, folded
from alsbench.tui.widgets.table import VirtualTable
from alsbench.tui.worker import Job, JobReport

if TYPE_CHECKING:
    from alsbench.analysis.why import RankReason, Why

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
    "both snapshots": "Open the line as both snapshots have it, nothing cut",
    "both sides": "Open theirs and ours, and what ours was made from",
    "why": "Search for the options, or the records, that give their numbers",
    "profile": "Open the profile of the subject",
    "profile of an opponent": "Open the profile of the opponent",
    "pairs of a rank": "Open the pairs that decided the rank under the cursor",
}  # what a key of the footer does, in full
COPIED = 1000  # rows copied at most
PAIR_HEADS = ("opponent", "arm", "result", "decided", "at", "own", "opp.", "day", "opp. day")


class Drilldown(Dialog):
    """Facts above, rows below, filled by a worker."""

    lets_through = True
    no_number = "no number here"
    result: Result | None = None  # of which the numbers are
    DEFAULT_CSS = "Drilldown Pane { height: auto; }"

    def __init__(self, bench: Bench, title: str, facts: list[Text], *more: tuple[str, str], row_cursor: bool = True) -> None:
        super().__init__(bench.look, title, (*KEYS, *more))
        self.bench = bench
        self.show_title(title)
        self.panel = f"behind-{next(_SERIAL)}"
        self.pane = Pane(bench.look)
        self.pane.lines = tuple(facts)
        self.pane.hint = "tab, then j k"
        self.table = VirtualTable(bench.look, row_cursor=row_cursor)
        self.table.placeholder = "being read ..."
        self.whole = GridModel(())
        self.pattern = ""

    def show_title(self, title: str) -> None:
        """The title, and what must be said of the data."""
        self.head.show(titled(self.bench, title))

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

    def report(self, report: JobReport) -> None:
        """Take what a worker read, or why it could not."""
        if report.kind == "failed":
            self.table.placeholder = safe(report.payload.what, ascii=self.ascii)
            self.table.refresh()
        elif report.kind == "done":
            self.fill(report.payload)

    def fill(self, payload: Any) -> None:
        """Show what was read."""

    def show_whole(self, grid: GridModel) -> None:
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
            self.bench.overlays.ask("/", self.pattern, self.set_filter, hint=hint, kind="filter")
        elif key == "y":
            self.say(self.bench.exporter.copy_cell(self.cell_text()))
        elif key == "Y":
            self.bench.exporter.copy_page(self.page(), self.table_request(), self.say)
        elif key == "question_mark":
            self.bench.overlays.read("Keys here", self.help())
        elif key == "c":
            self.bench.exporter.show_command(self.shell())
        elif key == "x":
            self.ask_export()
        elif key in {"n", "N"}:
            self.next_match(1 if key == "n" else -1)
        elif key in MOVES:
            scroll(self.pane if self.focused is self.pane else self.table, key)
        elif key in {"h", "left", "l", "right"}:
            self.table.move(cols=1 if key in {"l", "right"} else -1)

    def help(self) -> list[Text]:
        """The keys of this dialog, in words."""
        offered = [(keys, WORDS.get(label, label)) for keys, label in self._keys]
        offered += [("x", "Write it to a file")] if self.table_request() is not None else []
        offered += [("c", "Show the shell command that prints this"), ("0 ... 9", "Leave this and go to a screen")]
        return [line for keys, what in offered for line in folded(f"  {keys}", what, self.look, self.size.width or 80)]

    def leave(self) -> None:
        self.bench.jobs.cancel(self.panel)

    def cancelled(self, count: int) -> None:
        super().cancelled(count)
        if count and self.table.placeholder.endswith("..."):
            self.table.placeholder = "cancelled"
            self.table.refresh()

    # ---- copying

    def ask_export(self) -> None:
        """Write what the shell command of this prints to a file."""
        request = self.table_request()
        if request is None:
            self.say("only Y copies this table; the screen below it is written by x there")
        else:
            self.bench.exporter.ask_export(request, self.say)

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
        return Page(self.page_title(), self.whole.blocks(), self.page_facts(), self.bench.exporter.footnotes())

    def page_title(self) -> str:
        return ""

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        return self.bench.exporter.facts()

    def shell(self) -> str:
        """The shell command that prints this."""
        request = self.table_request()
        return self.bench.exporter.command(request) if request is not None else ""

    def table_request(self) -> ViewRequest | None:
        """What prints the table under a mask; None where single subjects stand in it."""
        return None

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
        if self.pattern and len(self.table.model):
            self.table.next_row(step)
        else:
            self.say("no filter; / sets one")

    def open_row(self) -> None:
        """Open the number under the cursor."""
        rows = self.table.source()
        if rows and self.result is not None:
            behind(self.bench, rows, self.result)
        else:
            self.say(self.no_number)


def behind(bench: Bench, rows: tuple[Row, ...], result: Result) -> None:
    """Open what is known about the statistics of a cell."""
    bench.push_screen(BehindNumber(bench, rows, result))


class BehindNumber(Drilldown):
    """One cell: its statistics, question and model, then the records or ranks."""

    result: Result

    def __init__(self, bench: Bench, rows: tuple[Row, ...], result: Result) -> None:
        super().__init__(bench, "Behind this number", facts(bench, rows, result))
        self.rows = rows
        self.result = result
        self.found: SourceRecords | Ranks | None = None
        self.shown: SourceRecords | Ranks | None = None  # what a filter leaves of them
        self.asked: set[int] = set()

    def start(self) -> None:
        if not self.rows:
            self.table.placeholder = "a line of a table; a number in it opens its rows"
            return
        source, row = self.bench.ready.source, self.rows[0]

        def work(_: Job) -> tuple[str, Any]:
            found = behind_row(source, row)
            return "opened", (found, first_page(found, source))

        self.work("rows:", work)

    def fill(self, payload: Any) -> None:
        kind, found = payload
        if kind == "page" and isinstance(self.table.model, PagedModel):
            number, rows = found
            self.asked.clear()
            self.table.model.put(number, rows)
            self.table.refresh()
            return
        found, rows = found
        self.shown = found
        if kind == "filtered":
            self.show_records(found, rows)
            self.said(found.count)
            return
        self.found = found
        self.table.placeholder = "no rows"
        if isinstance(found, SourceRecords):
            self.show_title(f"Behind this number  {found.count} records of {found.info.name}, {found.subjects} subjects")
            if self.bench.ready.source.study.info.subject in found.info:
                self._keys = (*self._keys, ("enter", "profile"))
                self.show_foot()
            self.show_records(found, rows)
        elif isinstance(found, Ranks):
            self.show_title(f"Behind this number  {len(found.rows)} subjects ranked, best first")
            self._keys = (*self._keys, ("enter", "pairs of a rank"))
            self.show_foot()
            lines = [
                GridRow(tuple((safe(t, ascii=self.ascii), "") for t in (s, a, number_text(u), number_text(r))), source=s)
                for s, a, u, r in found.rows
            ]
            self.show_whole(GridModel((grid(["subject", "arm", "score", "rank"], lines, right=[2, 3]),)))
        else:
            self.table.refresh()

    def show_records(self, found: SourceRecords, first: list[tuple[Any, ...]]) -> None:
        model = PagedModel(found.info, found.count, first, frozen=1, fetch=self.fetch, ascii=self.ascii)
        self.asked.clear()
        self.table.show(model, keep=False)

    def set_filter(self, pattern: str) -> None:
        """Show only the rows that hold a text; records are searched in a worker."""
        found, source = self.found, self.bench.ready.source
        if not isinstance(found, SourceRecords):
            super().set_filter(pattern)
            return
        self.pattern = pattern

        def work(_: Job) -> tuple[str, Any]:
            kept = found.holding(source, pattern) if pattern else found
            return "filtered", (kept, first_page(kept, source))

        self.work("filter:", work)

    def fetch(self, page: int) -> None:
        """Read one page of records in a worker."""
        found, source = self.shown, self.bench.ready.source
        if not isinstance(found, SourceRecords) or page in self.asked:
            return
        self.asked.add(page)
        self.work("rows:", lambda _: ("page", (page, found.read(source, offset=page * PAGE_ROWS, limit=PAGE_ROWS))))

    def page(self) -> Page | None:
        """The rows, those of a filter where one is set, as they stand in the data."""
        found = self.shown
        if not isinstance(found, SourceRecords):
            return super().page()
        rows = found.read(self.bench.ready.source, offset=0, limit=COPIED)
        cut = (f"The first {COPIED} of {found.count} rows.",) if found.count > COPIED else ()
        notes = (*cut, *self.bench.exporter.footnotes())
        return Page(self.page_title(), (rows_block(found.info.columns, rows),), self.page_facts(), notes)

    def shell(self) -> str:
        return self.result.provenance.command

    def page_title(self) -> str:
        return f"Behind this number: {about(self.rows[0])}" if self.rows else "Behind this number"

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        """The study, the statistics, what was asked; whether it was defined after the data were seen."""
        study = self.bench.exporter.facts()[:1]
        stats = ((r.stat_name, stat_text(r)) for r in self.rows)
        mark = [("status", "post hoc")] if self.result.provenance.post_hoc else []
        return (*study, *stats, *mark, *told(self.rows, self.result))

    def open_row(self) -> None:
        subject = self.table.source()
        if isinstance(self.found, Ranks) and subject:
            self.bench.push_screen(BehindRank(self.bench, self.found.question, str(subject)))
        elif isinstance(self.table.model, PagedModel):
            columns, named = self.table.model.info.columns, self.bench.ready.source.study.info.subject
            at = next((k for k, c in enumerate(columns) if c.name == named), None)
            if at is not None and (who := self.table.model.text(self.table.cursor_row, at)):
                open_profile(self.bench, who)


def first_page(found: SourceRecords | Ranks | None, source: Source) -> list[tuple[Any, ...]]:
    """The rows that are shown at once; none of ranks, which are all there."""
    return found.read(source, offset=0, limit=PAGE_ROWS) if isinstance(found, SourceRecords) else []


class BehindRank(Drilldown):
    """One subject's rank: every pair, who won, and what decided it."""

    def __init__(self, bench: Bench, question: Question, subject: str) -> None:
        self.command = f"{endpoint_command(question)} --why {shlex.quote(subject)}"
        title = safe(f"Why this rank: {subject}", ascii=not bench.look.glyphs.dots)
        more = ("enter", "profile of an opponent")
        super().__init__(bench, title, _fact(bench, "command", self.command, bench.size.width), more)
        self.question = question
        self.subject = subject
        self.told: tuple[tuple[str, str], ...] = ()

    def start(self) -> None:
        source, question, subject = self.bench.ready.source, self.question, self.subject

        def work(job: Job) -> Why:
            found = pairs(source, question, subject)
            job.check()
            return found

        self.work("pairs:", work)

    def fill(self, payload: Any) -> None:
        why: Why = payload
        self.bench.access_log.subject(self.command)
        width = self.size.width
        lines = list(self.pane.lines)
        self.told = (*why.facts, *(("Rank", f"{r.title}: {r.error or sums(r)}") for r in why.rankings))
        for name, value in self.told:
            lines += _fact(self.bench, name, value, width)
        self.pane.show(lines, keep=False)
        self.divide()
        sections = []
        for r in why.rankings:
            if len(why.rankings) > 1:
                sections.append(heading_section(safe(r.title, ascii=self.ascii)))
            sections.append(grid(list(PAIR_HEADS), [self.pair(p) for p in r.pairs], right=range(5, 9)))
        self.show_whole(GridModel(tuple(sections)))

    def shell(self) -> str:
        return self.command

    def page_title(self) -> str:
        return f"Why this rank: {self.subject}"

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        return (*self.bench.exporter.facts()[:1], *self.told, ("command", self.command))

    def open_row(self) -> None:
        """A pair opens its opponent's profile."""
        if opponent := self.table.source():
            open_profile(self.bench, str(opponent))

    def pair(self, p: Any) -> GridRow:
        role = {"won": "good", "lost": "bad"}.get(p.result, "")
        texts = (p.opponent, p.arm, p.result, p.decided_by, p.visit or "")
        values = (number_text(v) for v in (p.own_change, p.opponent_change, p.own_day, p.opponent_day))
        cells = tuple((safe(t, ascii=self.ascii), role if k == 2 else "") for k, t in enumerate((*texts, *values)))
        return GridRow(cells, source=p.opponent)


def sums(r: RankReason) -> str:
    """``arm Group 2, score 14, rank 71.5 of 112; won 58 (3 by event), lost 44 (1), tied 9``."""
    wins, losses = (f"{r.count(k)} ({r.count(k, 'event')} by event)" for k in ("won", "lost"))
    rank = number_text(r.rank)
    return f"{r.arm}, score {r.score}, rank {rank} of {r.n_ranked}; won {wins}, lost {losses}, tied {r.count('tied')}"


def number_text(value: float | None) -> str:
    """Up to three decimals; empty for none."""
    return "" if value is None or value != value else format_number(float(value), 3)


def facts(bench: Bench, rows: tuple[Row, ...], result: Result) -> list[Text]:
    """The statistics of a cell with all their digits, then what was asked, of which data, by which model."""
    look, ascii = bench.look, not bench.look.glyphs.dots
    width = max(bench.size.width, 40)
    lines: list[Text] = []
    for row in rows:
        lines.append(Text.assemble((f"{row.stat_name:<22}", look["dim"]), (stat_text(row), look["bold"])))
        for text in (row.warning, row.error):
            if text:
                lines.append(Text(f"{'':<22}{safe(text, ascii=ascii)}", look["warn"]))
    for name, value in told(rows, result):
        lines += _fact(bench, name, value, width)
    lines += [Text(f"! {safe(w, ascii=ascii)}", look["warn"]) for w in result.warnings]
    return [*lines, *(Text(safe(a, ascii=ascii), look["dim"]) for a in result.facts.attempts)]


def told(rows: tuple[Row, ...], result: Result) -> list[tuple[str, str]]:
    """What was asked, of which data, by which model."""
    found = [("command", result.provenance.command), ("title", result.facts.title), *result.facts.lines]
    if rows:
        found.insert(0, ("about", about(rows[0])))
    return [*found, ("snapshot", result.provenance.snapshot[:16])]


def about(row: Row) -> str:
    """Whose statistic a row is: ``slow, Group 2 vs Placebo, Month 12``."""
    pair = f"{row.treatment} vs {row.reference}" if row.treatment else ""
    return ", ".join(t for t in (row.subgroup, row.arm or "", pair, row.variable or "", row.visit or "") if t)


def stat_text(row: Row) -> str:
    """A statistic with all its digits."""
    return "not estimable" if row.stat is None else repr(row.stat) if isinstance(row.stat, float) else str(row.stat)


def _fact(bench: Bench, name: str, value: str, width: int) -> list[Text]:
    ascii = not bench.look.glyphs.dots
    return folded(safe(name, ascii=ascii), safe(value, ascii=ascii), bench.look, width)
