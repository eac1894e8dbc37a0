"""Screen 8: any table of the snapshot, paged from DuckDB; a million rows cost what the lines on the screen cost.

Pages are fetched by a worker and kept in a small ring; ``/`` filters by an expression of the subgroup language, ``S`` sorts
by the column under the cursor, ``f`` freezes the columns up to it. ``enter`` tells about the column under the cursor.
"""

from __future__ import annotations

from typing import Any

from rich.text import Text

from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.errors import AlsbenchError
from alsbench.render.page import Block, Cell, Column, Line, Page
from alsbench.tui import actions as act
from alsbench.tui.models import Grid, GridRow, grid
from alsbench.tui.paged import PAGE_ROWS, PagedModel, value_text
from alsbench.tui.safetext import fit, safe
from alsbench.tui.screens.base import View
from alsbench.tui.worker import Job, Report

COPIED = 1000  # rows copied or exported from the screen at most; the shell writes all


class DataView(View):
    def __init__(self, bench: Any, name: str) -> None:
        super().__init__(bench, name)
        self.shown: tuple[Any, ...] = ()
        self.where_text = ""
        self.order: tuple[str, ...] = ()
        self.frozen = 1
        self.asked: set[int] = set()
        self.model: PagedModel | None = None

    @property
    def snapshot(self) -> Snapshot:
        return self.bench.ready.source.snapshot

    def refresh_view(self) -> None:
        if self.bench.opened is None:
            return
        name = self.session.place.table
        if name is None or name not in self.snapshot.tables:
            self.show_tables()
            return
        if self.shown[:1] != (name,):
            self.where_text, self.order, self.frozen = "", (), 1
        self.load(name, keep=self.shown[:1] == (name,))

    def show_tables(self) -> None:
        self.shown, self.model = (), None
        self.table.row_cursor = True
        self.title("Data", (f"  snapshot {self.snapshot.digest[:12]}; enter opens a table", "dim"))
        rows = [
            GridRow(
                tuple((safe(t, ascii=self.ascii), "") for t in (i.name, str(i.rows), str(len(i.columns)), i.label, i.source)),
                source=i.name,
            )
            for i in self.snapshot.tables.values()
        ]
        self.show_grid(Grid((grid(["table", "rows", "columns", "label", "file"], rows, right=[1, 2]),)))
        self.say("")

    def load(self, name: str, *, keep: bool) -> None:
        """Count and read the first page in a worker, unless that is what is shown."""
        wanted = (name, self.where_text, self.order)
        if self.shown == wanted:
            return
        snapshot, text, order = self.snapshot, self.where_text, self.order
        info = snapshot.table(name)

        def work(job: Job) -> tuple[str, Any]:
            where = condition(info, text)
            total = snapshot.count(name, where)
            job.check()
            return "opened", (
                wanted,
                total,
                snapshot.page(name, None, offset=0, limit=PAGE_ROWS, where=where, order_by=order),
                keep,
            )

        self.bench.jobs.start(self.panel, f"{name}:", work, interrupt=snapshot.interrupt)

    def fetch(self, page: int) -> None:
        """Read one page in a worker."""
        if page in self.asked or not self.shown:
            return
        self.asked.add(page)
        snapshot = self.snapshot
        name, text, order = self.shown
        info = snapshot.table(name)

        def work(_: Job) -> tuple[str, Any]:
            where = condition(info, text)
            rows = snapshot.page(name, None, offset=page * PAGE_ROWS, limit=PAGE_ROWS, where=where, order_by=order)
            return "page", (page, rows)

        self.bench.jobs.start(f"{self.panel}", f"{name}:", work)

    def report(self, report: Report) -> None:
        if report.kind == "cancelled":
            self.asked.clear()
        if report.kind != "done" or self.session.place.table is None:
            return
        kind, payload = report.payload
        if kind == "opened":
            self.opened(*payload)
        elif kind == "page" and self.model is not None:
            page, rows = payload
            self.asked.clear()
            self.model.put(page, rows)
            self.table.refresh()
        elif kind == "column":
            self.bench.read(f"Column {payload[0]}", payload[1])

    def opened(self, wanted: tuple[Any, ...], total: int, rows: list[tuple[Any, ...]], keep: bool) -> None:
        self.shown = wanted
        self.asked.clear()
        info = self.snapshot.table(wanted[0])
        frozen = min(self.frozen, len(info.columns) - 1)
        self.model = PagedModel(info, total, rows, frozen=frozen, fetch=self.fetch, ascii=self.ascii)
        self.table.row_cursor = False
        self.table.stale = False
        self.pane.display, self.table.display = False, True
        self.table.placeholder = "no rows"
        self.table.show(self.model, keep=keep)
        self.focus_main()
        self.describe()

    def describe(self) -> None:
        name, text, order = self.shown
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
        column = self.model.info.columns[self.table.cursor_col]
        self.say(f"{column.name}: {column.label or 'no label'} ({column.kind}{f', {column.format}' if column.format else ''})")

    # ---- commands

    async def do_open(self) -> None:
        if self.model is None:
            name = self.source()
            if name:
                await self.bench.dispatch_action(act.OpenTable(name))
            return
        column = self.model.info.columns[self.table.cursor_col]
        snapshot, (name, text, _) = self.snapshot, self.shown
        look = self.bench.look

        def work(_: Job) -> tuple[str, Any]:
            return "column", (column.name, column_lines(snapshot, name, column.name, text, look))

        self.bench.jobs.start(self.panel, f"{column.name}:", work, interrupt=snapshot.interrupt)

    def do_back(self) -> bool:
        if self.model is not None and self.where_text:
            self.set_where("")
            return True
        return super().do_back()

    def do_filter(self) -> None:
        if self.model is None:
            super().do_filter()
            return
        info = self.model.info

        def check(text: str) -> str:
            try:
                condition(info, text)
            except AlsbenchError as error:
                return error.message
            return ""

        hint = "an expression over these columns: AVISITN == 6 and PARAMCD == 'NFL'; empty shows all"
        self.bench.ask(f"{info.name} where", self.where_text, self.set_where, hint=hint, check=check)

    def set_where(self, text: str) -> None:
        """Show the rows that meet an expression."""
        if self.model is None:
            return
        try:
            condition(self.model.info, text)
        except AlsbenchError as error:
            self.bench.fault(error)
            return
        self.where_text = text.strip()
        self.load(self.model.info.name, keep=False)

    def do_next_match(self) -> None:
        if self.model is None:
            super().do_next_match()
        else:
            self.table.move(rows=1)

    def do_previous_match(self) -> None:
        if self.model is None:
            super().do_previous_match()
        else:
            self.table.move(rows=-1)

    def do_sort(self) -> None:
        if self.model is None:
            return
        name = self.model.info.columns[self.table.cursor_col].name
        turns: dict[tuple[str, ...], tuple[str, ...]] = {(name,): (f"-{name}",), (f"-{name}",): ()}
        self.order = turns.get(self.order, (name,))
        self.load(self.model.info.name, keep=True)

    def do_freeze(self) -> None:
        if self.model is None:
            return
        wanted = self.table.cursor_col + 1
        self.frozen = 1 if self.frozen == wanted else min(wanted, len(self.model.cols) - 1)
        self.model.frozen = self.frozen
        self.table.clamp()
        self.table.refresh()

    def cell_text(self) -> str:
        if self.model is None:
            return super().cell_text()
        return str(self.model.row(self.table.cursor_row)[self.table.cursor_col][0])

    def page(self) -> Page | None:
        if self.model is None:
            return super().page()
        name, text, order = self.shown
        info = self.model.info
        where = condition(info, text)
        rows = self.snapshot.page(name, None, offset=0, limit=COPIED, where=where, order_by=order)
        columns = tuple(
            Column(c.name, justify="right" if c.kind == "number" else "left", label=j == 0) for j, c in enumerate(info.columns)
        )
        lines = tuple(Line(tuple(Cell(value_text(v)) for v in row)) for row in rows)
        cut = (
            (f"The first {COPIED} of {len(self.model)} rows; alsbench data {name} --format csv writes all.",)
            if len(self.model) > COPIED
            else ()
        )
        return Page(
            f"{name} {info.label}".strip(),
            (Block("", columns, lines),),
            self.bench.page_facts(),
            (*cut, *self.bench.page_footnotes()),
        )

    def shell_words(self) -> dict[str, str]:
        return {"where": self.where_text, "order_by": " ".join(self.order)}


def condition(info: TableInfo, text: str) -> Any:
    """The bound condition of an expression over a table's columns; None for no text. Raises ExpressionError."""
    if not text.strip():
        return None
    from alsbench.errors import ExpressionError
    from alsbench.study.expression import compile_sql, parse

    expression = parse(text)
    if expression.aggregates:
        raise ExpressionError("a filter compares with values, not with a mean or quantile", text=text)
    return compile_sql(expression, {**info.kinds}, {})


def column_lines(snapshot: Snapshot, table: str, column: str, text: str, look: Any) -> list[Text]:
    """Statistics of one column: how many, missing, distinct; range and quantiles of numbers; the commonest texts."""
    from alsbench.data.sql import fill, quote

    info = snapshot.table(table)
    where = condition(info, text)
    clause = f" WHERE {fill(where.sql, where.params)}" if where is not None else ""
    name, source = quote(column), quote(info.name)
    total, present, distinct = snapshot.rows(f"SELECT count(*), count({name}), count(DISTINCT {name}) FROM {source}{clause}")[0]
    facts = [("rows", str(total)), ("missing", str(total - present)), ("distinct", str(distinct))]
    if info.kinds[column] == "number" and present:
        values = snapshot.rows(
            f"SELECT min({name}), quantile_disc({name}, 0.25), quantile_disc({name}, 0.5), "
            f"quantile_disc({name}, 0.75), max({name}) FROM {source}{clause}"
        )[0]
        names = ("min", "lower quartile", "median", "upper quartile", "max")
        facts += list(zip(names, map(value_text, values), strict=True))
    lines = [Text.assemble((f"{k:<18}", look["dim"]), (v, look["text"])) for k, v in facts]
    common = snapshot.rows(
        f"SELECT {name}, count(*) AS n FROM {source}{clause} GROUP BY {name} ORDER BY n DESC, {name} NULLS LAST LIMIT 20"
    )
    lines += [Text(), Text("commonest values", look["head"])]
    lines += [Text(f"{fit(safe(value_text(v)) or '(missing)', 40)} {n:>8}", look["text"]) for v, n in common]
    return lines
