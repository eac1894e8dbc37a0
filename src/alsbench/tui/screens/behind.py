"""Behind this number: the question, the model, warnings, and the subjects' rows that made it, page by page.

From the ranks behind a joint rank ``enter`` opens the pairs that decided one subject's; ``esc`` returns to where one was.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rich.text import Text

from alsbench.analysis.command import endpoint_command
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result, Row
from alsbench.render.formats import format_number
from alsbench.render.page import Block, Cell, Column, Line, Page
from alsbench.tui.models import Grid, GridRow, Section, grid
from alsbench.tui.paged import PagedModel, value_text
from alsbench.tui.records_behind import Ranks, Records, behind_row, pairs
from alsbench.tui.safetext import safe
from alsbench.tui.screens.drill import COPIED, Drill
from alsbench.tui.widgets.pane import folded
from alsbench.tui.worker import Job

if TYPE_CHECKING:
    from alsbench.analysis.why import RankReason, Why
    from alsbench.tui.app import Workbench

PAIR_HEADS = ("opponent", "arm", "result", "decided", "at", "own", "opp.", "day", "opp. day")


def behind(bench: Workbench, rows: tuple[Row, ...], result: Result) -> None:
    """Open what is known about the statistics of a cell."""
    bench.push_screen(BehindNumber(bench, rows, result))


class BehindNumber(Drill):
    """One cell: its statistics, question and model, then the records or ranks."""

    def __init__(self, bench: Workbench, rows: tuple[Row, ...], result: Result) -> None:
        super().__init__(bench, "Behind this number", facts(bench, rows, result))
        self.rows = rows
        self.result = result
        self.found: Records | Ranks | None = None
        self.shown: Records | Ranks | None = None  # what a filter leaves of them
        self.asked: set[int] = set()

    def start(self) -> None:
        if not self.rows:
            self.table.placeholder = "a line of a table; a number in it opens its rows"
            return
        source, row = self.bench.ready.source, self.rows[0]
        self.work("rows:", lambda _: ("opened", behind_row(source, row)))

    def fill(self, payload: Any) -> None:
        kind, found = payload
        if kind == "page" and isinstance(self.table.model, PagedModel):
            number, rows = found
            self.asked.clear()
            self.table.model.put(number, rows)
            self.table.refresh()
            return
        if kind == "filtered":
            self.shown = found
            self.show_records(found)
            self.said(found.count)
            return
        self.found = self.shown = found
        self.table.placeholder = "no rows"
        if isinstance(found, Records):
            self.head.show(
                [(f" Behind this number  {found.count} records of {found.info.name}, {found.subjects} subjects", "key")]
            )
            self.show_records(found)
        elif isinstance(found, Ranks):
            self.head.show([(f" Behind this number  {len(found.rows)} subjects ranked, best first", "key")])
            self._keys = (*self._keys, ("enter", "pairs of a rank"))
            self.show_foot()
            lines = [
                GridRow(tuple((safe(t, ascii=self.ascii), "") for t in (s, a, number_text(u), number_text(r))), source=s)
                for s, a, u, r in found.rows
            ]
            self.show_whole(Grid((grid(["subject", "arm", "score", "rank"], lines, right=[2, 3]),)))
        else:
            self.table.refresh()

    def show_records(self, found: Records) -> None:
        model = PagedModel(found.info, found.count, found.first, frozen=1, fetch=self.fetch, ascii=self.ascii)
        self.asked.clear()
        self.table.show(model, keep=False)

    def set_filter(self, pattern: str) -> None:
        """Show only the rows that hold a text; records are searched in a worker."""
        found, source = self.found, self.bench.ready.source
        if not isinstance(found, Records):
            super().set_filter(pattern)
            return
        self.pattern = pattern
        self.work("filter:", lambda _: ("filtered", found.holding(source, pattern) if pattern else found))

    def fetch(self, page: int) -> None:
        """Read one page of records in a worker."""
        found, source = self.shown, self.bench.ready.source
        if not isinstance(found, Records) or page in self.asked:
            return
        self.asked.add(page)
        self.work("rows:", lambda _: ("page", (page, found.page(source, page))))

    def page(self) -> Page | None:
        """The rows, those of a filter where one is set, as they stand in the data."""
        found = self.shown
        if not isinstance(found, Records):
            return super().page()
        columns = tuple(
            Column(c.name, justify="right" if c.kind == "number" else "left", label=j == 0)
            for j, c in enumerate(found.info.columns)
        )
        lines = tuple(Line(tuple(Cell(value_text(v)) for v in row)) for row in found.rows_to(self.bench.ready.source, COPIED))
        cut = (f"The first {COPIED} of {found.count} rows.",) if found.count > COPIED else ()
        notes = (*cut, *self.bench.page_footnotes())
        return Page(self.page_title(), (Block("", columns, lines),), self.page_facts(), notes)

    def shell(self) -> str:
        return self.result.provenance.command

    def page_title(self) -> str:
        return f"Behind this number: {about(self.rows[0])}" if self.rows else "Behind this number"

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        """The study, the statistics, what was asked; whether it was defined after the data were seen."""
        study = self.bench.page_facts()[:1]
        stats = ((r.stat_name, stat_text(r)) for r in self.rows)
        mark = [("status", "post hoc")] if self.result.provenance.post_hoc else []
        return (*study, *stats, *mark, *told(self.rows, self.result))

    def open_row(self) -> None:
        model = self.table.model
        if not isinstance(self.found, Ranks) or not isinstance(model, Grid) or not len(model):
            return
        subject = model.source(self.table.cursor_row, 0)
        if subject:
            self.bench.push_screen(BehindRank(self.bench, self.found.question, str(subject)))


class BehindRank(Drill):
    """One subject's rank: every pair, who won, and what decided it."""

    def __init__(self, bench: Workbench, question: Question, subject: str) -> None:
        self.command = f"{endpoint_command(question)} --why {shlex.quote(subject)}"
        title = safe(f"Why this rank: {subject}", ascii=not bench.look.glyphs.dots)
        super().__init__(bench, title, _fact(bench, "command", self.command, bench.size.width))
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
        self.bench.record_subject(self.command)
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
                sections.append(Section((), (GridRow(((safe(r.title, ascii=self.ascii), "bold"),), heading=True),)))
            sections.append(grid(list(PAIR_HEADS), [self.pair(p) for p in r.pairs], right=range(5, 9)))
        self.show_whole(Grid(tuple(sections)))

    def shell(self) -> str:
        return self.command

    def page_title(self) -> str:
        return f"Why this rank: {self.subject}"

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        return (*self.bench.page_facts()[:1], *self.told, ("command", self.command))

    def pair(self, p: Any) -> GridRow:
        role = {"won": "good", "lost": "bad"}.get(p.result, "")
        texts = (p.opponent, p.arm, p.result, p.decided_by, p.visit or "")
        values = (number_text(v) for v in (p.own_change, p.opponent_change, p.own_day, p.opponent_day))
        return GridRow(tuple((safe(t, ascii=self.ascii), role if k == 2 else "") for k, t in enumerate((*texts, *values))))


def sums(r: RankReason) -> str:
    """``arm Group 2, score 14, rank 71.5 of 112; won 58 (3 by event), lost 44 (1), tied 9``."""
    wins, losses = (f"{r.count(k)} ({r.count(k, 'event')} by event)" for k in ("won", "lost"))
    rank = number_text(r.rank)
    return f"{r.arm}, score {r.score}, rank {rank} of {r.n_ranked}; won {wins}, lost {losses}, tied {r.count('tied')}"


def number_text(value: float | None) -> str:
    """Up to three decimals; empty for none."""
    return "" if value is None or value != value else format_number(float(value), 3)


def facts(bench: Workbench, rows: tuple[Row, ...], result: Result) -> list[Text]:
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


def _fact(bench: Workbench, name: str, value: str, width: int) -> list[Text]:
    ascii = not bench.look.glyphs.dots
    return folded(safe(name, ascii=ascii), safe(value, ascii=ascii), bench.look, width)
