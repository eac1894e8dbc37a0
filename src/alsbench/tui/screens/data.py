"""Screen 8: any table of the snapshot, paged from DuckDB; a million rows cost what the lines on the screen cost.

The subject stands first. Pages are fetched by a worker and kept in a small ring; ``/`` filters by an expression of the subgroup
language, ``=`` and ``!`` by the cell under the cursor; ``S`` sorts by its column, ``F`` tells its values, ``f`` freezes the
columns up to it as far as half the width goes, ``w`` says where a text is and ``n N`` go from row to row that holds it;
``enter`` opens a profile. Where there is room the column under the cursor stands beside the table.
Sorting and filtering are done once, in the worker; what is kept is the order of the rows, so that every page after costs the
same. Copies and exports are what the shell writes: every row of the filtered and sorted table, in the columns' order here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap
from typing import Any

import numpy as np
from rich.text import Text

from alsbench.data.frames import ColumnInfo
from alsbench.data.row_order import RowOrder, TextMatches, row_order, search_chunks
from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.errors import AlsbenchError
from alsbench.render.page import Page
from alsbench.service.column_summary import ColumnSummary, cell_condition, column_summary, filter_condition
from alsbench.service.tables import SHOWN
from alsbench.stats.rounding import percent_text
from alsbench.tui import actions as act
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.paged import LONG, PAGE_ROWS, PagedModel, fraction, rows_block
from alsbench.tui.screens.base import Bench
from alsbench.tui.screens.profile import open_profile
from alsbench.tui.screens.two_panes import DETAIL, TwoPanes
from alsbench.tui.table_models import GridModel, GridRow, grid
from alsbench.tui.theme import Appearance
from alsbench.tui.widgets.pane import folded
from alsbench.tui.widgets.table import GAP
from alsbench.tui.worker import Job, JobReport

IN_VIEW = 1000  # rows of a page to read, at most
MOST_VALUES = 1000  # of a column, told
NAMES = 16  # cells of the names of a column's facts, beside the table


class DataView(TwoPanes):
    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__(bench, name)
        self.shown: tuple[Any, ...] = ()  # table, condition, order, snapshot
        self.rows: RowOrder | None = None
        self.frozen = 1
        self.hits: TextMatches | None = None
        self.wanted: set[int] = set()  # pages asked for and not here
        self.reading: Job | None = None
        self.model: PagedModel | None = None
        self.summaries: dict[tuple[Any, ...], ColumnSummary] = {}
        self.counting: tuple[Any, ...] = ()  # the column whose summary is being made

    @property
    def snapshot(self) -> Snapshot:
        return self.bench.ready.source.snapshot

    @property
    def where_text(self) -> str:
        return str(self.shown[1]) if self.shown else ""

    @property
    def order(self) -> tuple[str, ...]:
        return self.shown[2] if self.shown else ()

    def refresh_view(self) -> None:
        if self.bench.opened is None:
            return
        name = self.session.place.table
        if name is None or name not in self.snapshot.tables:
            self.show_tables()
        elif self.shown[:1] != (name,):
            self.frozen, self.hits = 1, None
            self.load(name, "", (), keep=False)
        else:
            self.load(*self.shown[:3], keep=True)

    def show_tables(self) -> None:
        left = self.shown[0] if self.shown else ""
        self.shown, self.model, self.rows, self.hits = (), None, None, None
        self.table.row_cursor = True
        self.title("Data", (f"  snapshot {self.snapshot.digest[:12]}; enter opens a table", "dim"))
        rows = [
            GridRow(
                tuple((safe(t, ascii=self.ascii), "") for t in (i.name, str(i.rows), str(len(i.columns)), i.label, i.source)),
                source=i.name,
            )
            for i in self.snapshot.tables.values()
        ]
        self.show_grid(GridModel((grid(["table", "rows", "columns", "label", "file"], rows, right=[1, 2]),)))
        self.back_to(left)
        self.say("")
        self.divide()

    def load(self, name: str, text: str, order: tuple[str, ...], *, keep: bool) -> None:
        """Filter, sort and read the first page in a worker, unless that is what is shown."""
        snapshot = self.snapshot
        wanted = (name, text, order, snapshot.name)
        if self.shown == wanted:
            return
        info = self.as_shown(name)
        names = [c.name for c in info.columns]
        found = self.hits if self.shown[3:] == (snapshot.name,) else None

        def work(job: Job) -> tuple[str, Any]:
            rows = row_order(snapshot, name, where=filter_condition(info, text), order_by=order)
            job.check()
            first = rows.page(snapshot, names, offset=0, limit=PAGE_ROWS)
            job.check()
            hits = None if found is None else TextMatches(found.text, found.rows, rows.places(found.rows))
            return "opened", (wanted, rows, first, hits, keep)

        self.bench.jobs.cancel(self.panel, "page")
        self.bench.jobs.start(self.panel, f"{name}:", work, interrupt=snapshot.interrupt)

    def as_shown(self, name: str) -> TableInfo:
        """A table with the subject's column first, where it is frozen; the others as the file has them."""
        info, subject = self.snapshot.table(name), self.bench.ready.source.study.info.subject
        return replace(info, columns=tuple(sorted(info.columns, key=lambda column: column.name != subject)))

    def fetch(self, page: int) -> None:
        """Read a page in a worker; pages asked for meanwhile are read next."""
        self.wanted.add(page)
        if self.model is None or self.rows is None or (self.reading is not None and not self.reading.cancelled):
            return
        snapshot, rows, pages = self.snapshot, self.rows, sorted(self.wanted)
        names = [c.name for c in self.model.info.columns]

        def work(job: Job) -> tuple[str, Any]:
            found = {}
            for number in pages:
                job.check()
                found[number] = rows.page(snapshot, names, offset=number * PAGE_ROWS, limit=PAGE_ROWS)
            return "pages", (rows, found)

        self.reading = self.bench.jobs.start(self.panel, "", work, interrupt=snapshot.interrupt, lane="page")

    def report(self, report: JobReport) -> None:
        if report.job.lane == DETAIL:
            if report.kind == "done":
                about, found = report.payload
                self.summaries[about] = found
            super().report(report)
            return
        said: tuple[str, Any] = report.payload if report.kind in ("part", "done") else ("", None)
        kind, payload = said
        if report.job is self.reading:
            self.reading = None
        if self.session.place.table is None:
            return
        if kind == "opened":
            self.opened(*payload)
        elif kind == "pages" and self.model is not None and payload[0] is self.rows:
            self.take_pages(payload[1])
        elif kind == "column":
            self.bench.overlays.read(f"Column {payload[0]}", column_lines(payload[1], self.bench.look))
        elif kind == "hit" and payload[0] is self.rows:
            self.table.go(payload[1])
        elif kind == "hits" and payload[0] is self.rows:
            self.found(payload[1], payload[2])

    def take_pages(self, found: dict[int, list[tuple[Any, ...]]]) -> None:
        """Show pages that were read; ask for those wanted since, unless they have left the screen."""
        if self.model is None:
            return
        wider = False
        for page, rows in found.items():
            wider |= self.model.put(page, rows)
        self.wanted.clear()
        top, end = self.table.top // PAGE_ROWS, (self.table.top + self.table.page) // PAGE_ROWS
        if wider or any(top <= page <= end for page in found):
            self.table.refresh()
        for page in range(top, end + 1):
            if page not in self.model.pages and page * PAGE_ROWS < len(self.model):
                self.fetch(page)

    def opened(
        self, wanted: tuple[Any, ...], rows: RowOrder, first: list[tuple[Any, ...]], hits: TextMatches | None, keep: bool
    ) -> None:
        column = self.table.cursor_col if self.shown[:1] == wanted[:1] else 0
        self.shown, self.rows, self.hits = wanted, rows, hits
        self.wanted.clear()
        self.reading = None
        info = self.as_shown(wanted[0])
        frozen = min(self.frozen, len(info.columns) - 1)
        self.model = PagedModel(info, rows.count, first, frozen=frozen, fetch=self.fetch, ascii=self.ascii)
        self.table.row_cursor = False
        self.table.stale = False
        self.pane.display, self.table.display = False, True
        self.table.placeholder = "no rows"
        self.table.show(self.model, keep=keep)
        if not keep:
            self.table.go(0, column)
        self.table.matches = hits or frozenset()
        self.focus_main()
        self.describe()
        self.show_detail()
        self.bench.access_log.rows(self.bench.exporter.shell_command(), info.name, wanted[1])

    def describe(self) -> None:
        name, text, order, _ = self.shown
        info = self.snapshot.table(name)
        total = f"{len(self.model) if self.model else 0} of {info.rows} rows" if text else f"{info.rows} rows"
        parts = [
            total,
            f"{len(info.columns)} columns",
            f"where {text}" if text else "",
            f"by {' '.join(order)}" if order else "",
        ]
        self.title(f"{name} {info.label}".strip(), ("  " + ", ".join(p for p in parts if p), "dim"))
        self.cursor_moved()

    def cursor_moved(self) -> None:
        if self.model is None:
            return
        at, column = self.table.cursor_col, self.model.info.columns[self.table.cursor_col]
        row, rows, mark = min(self.table.cursor_row + 1, len(self.model)), len(self.model), "-" if self.ascii else "·"
        where = f"row {row:,}/{rows:,} {mark} col {at + 1}/{len(self.model.cols)}"
        kind = f"({column.kind}{f', {column.format}' if column.format else ''})"
        about = safe(f"{where}  {column.name}: {column.label or 'no label'} {kind}", ascii=self.ascii)
        full = self.cell_text() if column.kind == "number" and len(self.model) else ""
        self.say(f"{about} = {full}" if fraction(full) > LONG else about)

    # ---- the column beside the table

    @property
    def column(self) -> ColumnInfo | None:
        """The column under the cursor."""
        return None if self.model is None else self.model.info.columns[self.table.cursor_col]

    @property
    def beside(self) -> bool:
        return self.model is not None

    def about(self) -> Any:
        column = self.column
        return () if column is None else (self.snapshot.name, self.shown[0], self.where_text, column.name)

    def detail_lines(self, width: int, height: int) -> list[Text]:  # noqa: ARG002 - what is longer than the pane is cut below
        column, found = self.column, self.summaries.get(self.about())
        return [] if column is None else beside_lines(column, found, self.bench.look, width)

    def compute_detail(self) -> None:
        about, column = self.about(), self.column
        asked = about == self.counting and self.job is not None and not self.job.cancelled
        if column is None or about in self.summaries or asked:
            return
        snapshot, (name, text, *_) = self.snapshot, self.shown

        def work(job: Job) -> tuple[Any, ColumnSummary]:
            return about, column_summary(snapshot, name, column.name, text, job.check)

        self.counting = about
        self.job = self.bench.jobs.start(self.panel, "detail", work, interrupt=snapshot.interrupt, lane=DETAIL)

    # ---- commands

    async def do_open(self) -> None:
        if self.model is None:
            name = self.source()
            if name:
                await self.bench.dispatch_action(act.OpenTable(name))
            return
        subject = self.bench.ready.source.study.info.subject
        names = [c.name for c in self.model.info.columns]
        if subject in names:
            open_profile(self.bench, self.model.text(self.table.cursor_row, names.index(subject)))
        else:
            self.do_column()

    def do_column(self) -> None:
        """The column under the cursor in the rows shown."""
        if self.model is None:
            return
        column = self.model.info.columns[self.table.cursor_col]
        snapshot, (name, text, *_) = self.snapshot, self.shown

        def work(job: Job) -> tuple[str, Any]:
            return "column", (column.name, column_summary(snapshot, name, column.name, text, job.check, MOST_VALUES))

        self.bench.jobs.start(self.panel, f"{column.name}:", work, interrupt=snapshot.interrupt)

    def do_cell_only(self) -> None:
        """Show only the rows that hold the value under the cursor."""
        self.by_cell()

    def do_cell_without(self) -> None:
        """Leave out the rows that hold the value under the cursor; a missing value is not that one."""
        self.by_cell(excluded=True)

    def by_cell(self, *, excluded: bool = False) -> None:
        """Filter further by the cell under the cursor."""
        if self.model is None or not len(self.model):
            return
        column = self.model.info.columns[self.table.cursor_col]
        value = self.model.value(self.table.cursor_row, self.table.cursor_col)
        try:
            more = cell_condition(column, value, excluded=excluded)
        except AlsbenchError as error:
            self.bench.fault(error)
            return
        before = f"({self.where_text})" if " or " in self.where_text else self.where_text
        self.set_where(f"{before} and {more}" if before else more)

    def do_back(self) -> bool:
        if self.model is not None and (self.hits is not None or self.bench.jobs.cancel(self.panel, "search")):
            self.forget_hits()
            return True
        if self.model is not None and self.where_text:
            self.set_where("")
            return True
        return super().do_back()

    def do_filter(self) -> None:
        name = self.session.place.table
        if name is None or name not in self.snapshot.tables:
            super().do_filter()
            return
        info = self.as_shown(name)  # its rows may still be read

        def check(text: str) -> str:
            try:
                filter_condition(info, text)
            except AlsbenchError as error:
                return error.message
            return ""

        hint = "an expression over these columns: AVISITN == 6 and PARAMCD == 'NFL'; empty shows all"
        text = self.where_text if self.shown[:1] == (name,) else ""
        self.bench.overlays.ask(f"{name} where", text, self.set_where, hint=hint, check=check, strict=True)

    def set_where(self, text: str) -> None:
        """Show the rows that meet an expression."""
        name = self.session.place.table
        if name is None:
            return
        try:
            filter_condition(self.snapshot.table(name), text)
        except AlsbenchError as error:
            self.bench.fault(error)
            return
        self.load(name, text.strip(), self.order if self.shown[:1] == (name,) else (), keep=False)

    def do_search(self, text: str = "") -> None:
        """Go to the rows that hold a text, in any column; all rows stay."""
        if self.model is None:
            self.bench.status("open a table first")
        elif text:
            self.search(text)
        else:
            hint = "rows that hold this text in any column: n N go on; empty forgets it"
            self.bench.overlays.ask(f"{self.model.info.name} search", "", self.search, hint=hint)

    def search(self, text: str) -> None:
        """Look for a text in a worker, from the cursor on; the first hit is shown before the last is known."""
        if self.model is None or self.rows is None:
            return
        if not text.strip():
            self.bench.jobs.cancel(self.panel, "search")
            self.forget_hits()
            return
        snapshot, rows, info, here = self.snapshot, self.rows, self.model.info, self.table.cursor_row
        start = here if rows.ids is None else 0

        def work(job: Job) -> tuple[str, Any]:
            found, done, first = [], 0, rows.ids is None
            for _, count, numbers in search_chunks(snapshot, info, text, start=start):
                job.check()
                found.append(numbers)
                done += count
                ahead = numbers[numbers >= here] if first else numbers[:0]
                if ahead.size:
                    first = False
                job.post(("hit", (rows, int(ahead[0]))) if ahead.size else ("", None), done=done, total=info.rows)
            held = np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)
            return "hits", (rows, TextMatches(text, held, rows.places(held)), here)

        self.bench.jobs.start(self.panel, "search:", work, interrupt=snapshot.interrupt, lane="search")

    def found(self, hits: TextMatches, start: int) -> None:
        """All rows that hold the text are known."""
        self.hits = hits if hits.places.size else None
        self.table.matches = self.hits or frozenset()
        self.table.refresh()
        self.go_to_hit(hits, hits.after(start))

    def go_to_hit(self, hits: TextMatches, which: int | None) -> None:
        if which is None:
            self.bench.status(f"no row holds {safe(hits.text, ascii=self.ascii)}")
            return
        self.table.go(int(hits.places[which]))
        self.bench.status(f"{safe(hits.text, ascii=self.ascii)}: {which + 1} of {hits.places.size} rows; n N, esc forgets")

    def forget_hits(self) -> None:
        self.hits = None
        self.table.matches = frozenset()
        self.table.refresh()
        self.bench.status("")

    def do_next_match(self) -> None:
        if self.model is None:
            super().do_next_match()
        elif self.hits is not None:
            self.go_to_hit(self.hits, self.hits.after(self.table.cursor_row + 1))
        else:
            self.table.move(rows=1)

    def do_previous_match(self) -> None:
        if self.model is None:
            super().do_previous_match()
        elif self.hits is not None:
            self.go_to_hit(self.hits, self.hits.before(self.table.cursor_row))
        else:
            self.table.move(rows=-1)

    def do_sort(self) -> None:
        if self.model is None:
            return
        name = self.model.info.columns[self.table.cursor_col].name
        turns: dict[tuple[str, ...], tuple[str, ...]] = {(name,): (f"-{name}",), (f"-{name}",): ()}
        self.load(self.model.info.name, self.where_text, turns.get(self.order, (name,)), keep=True)

    def do_freeze(self) -> None:
        if self.model is None:
            return
        wanted = min(self.table.cursor_col + 1, len(self.model.cols) - 1)
        room = most_frozen([c.width for c in self.model.cols], self.table.size.width // 2)
        self.frozen = 1 if self.frozen == min(wanted, room) else min(wanted, room)
        if 1 < self.frozen < wanted:
            self.bench.status(f"{room} of {wanted} columns are frozen: no more fit half the width")
        self.model.frozen = self.frozen
        self.table.clamp()
        self.table.refresh()

    def cell_text(self) -> str:
        if self.model is None:
            return super().cell_text()
        return self.model.text(self.table.cursor_row, self.table.cursor_col)

    def page(self) -> Page | None:
        if self.model is None or self.rows is None:
            return super().page()
        name = self.shown[0]
        info = self.snapshot.table(name)  # columns as the shell writes them
        rows = self.rows.page(self.snapshot, None, offset=0, limit=IN_VIEW)
        cut = (
            (f"The first {IN_VIEW} of {len(self.model)} rows; alsbench data {name} --format csv writes all.",)
            if len(self.model) > IN_VIEW
            else ()
        )
        return Page(
            f"{name} {info.label}".strip(),
            (rows_block(info.columns, rows),),
            self.bench.exporter.facts(),
            (*cut, *self.bench.exporter.footnotes()),
        )

    @property
    def printed(self) -> bool:
        """The rows of a table are copied and exported as the shell writes them: all, however many."""
        return self.model is not None

    def shell_words(self) -> dict[str, str]:
        words = {"where": self.where_text, "order_by": " ".join(self.order)}
        if self.model is not None:
            shown = [c.name for c in self.model.info.columns]
            stored = [c.name for c in self.snapshot.table(self.model.info.name).columns]
            words["limit"] = str(len(self.model)) if len(self.model) > SHOWN else ""
            words["columns"] = "\t".join(shown) if shown != stored else ""
        return words


def most_frozen(widths: Sequence[int], room: int) -> int:
    """How many columns may stand still in ``room`` cells; one at least."""
    used, count = 0, 0
    for width in widths:
        used += width + GAP
        if used > room:
            break
        count += 1
    return max(count, 1)


def beside_lines(column: ColumnInfo, found: ColumnSummary | None, look: Appearance, width: int) -> list[Text]:
    """A column in lines of at most ``width`` cells: what the file said of it, then its summary once that is known."""
    ascii = not look.glyphs.dots
    words = ", ".join(w for w in (column.kind, column.format) if w)
    head = Text.assemble((safe(column.name, ascii=ascii), look["bold"]), (safe(f"  {words}", ascii=ascii), look["dim"]))
    lines = [head, *(Text(part, look["text"]) for part in wrap(safe(column.label, ascii=ascii), width))]
    if found is None:
        return [*lines, Text("being counted ...", look["dim"])]
    told = [(name, text) for name, text in found.facts if name not in ("label", "format")]
    lines += [line for name, text in told for line in folded(name, safe(text, ascii=ascii), look, width, names=NAMES)]
    lines += [Text(), Text("commonest values", look["head"])]
    room = min(40, max(width - 10, 8))
    values = ((safe(text, ascii=ascii) or "(missing)", n) for text, n in found.common)
    return [*lines, *(Text(f"{fit(text, room, mark=look.glyphs.ellipsis)} {n:>8,}", look["text"]) for text, n in values)]


def column_lines(found: ColumnSummary, look: Appearance) -> list[Text]:
    """The summary of a column as lines."""
    lines = [Text.assemble((f"{name:<18}", look["dim"]), (safe(text), look["text"])) for name, text in found.facts]
    total = int(dict(found.facts)["rows"])
    lines += [Text(), Text("values, the commonest first", look["head"])]
    lines += [
        Text(f"{fit(safe(text) or '(missing)', 40)} {n:>8,} {percent_text(n, max(total, 1), 1):>6} %", look["text"])
        for text, n in found.common
    ]
    left = int(dict(found.facts)["distinct"]) - sum(1 for text, _ in found.common if text)
    return [*lines, *([Text(f"and {left:,} more values", look["dim"])] if left > 0 else [])]
