"""Screen 6: what a sceptical reviewer asks of the endpoint in the first active subgroup; ``enter`` computes and opens a check.

The list is the engine's. Nothing is computed before it is asked for: ``enter`` one check, ``A`` all of them, as ``alsbench
scrutinise`` does.
"""

from __future__ import annotations

from typing import Any

from rich.text import Text

from alsbench.analysis.result import Result
from alsbench.analysis.scrutiny import ALL, BOTTOM_LINE, CHECKS, Check, verdict
from alsbench.errors import AlsbenchError
from alsbench.render.chance import chance_blocks, chance_page
from alsbench.render.page import Page
from alsbench.render.scrutiny import bottom_line_block, bottom_lines, check_blocks, check_plot, scrutiny_page
from alsbench.service.scrutiny import made_chance
from alsbench.tui.answers import CheckKey
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.screens.base import Bench, View, with_command
from alsbench.tui.screens.drilldown import Drilldown
from alsbench.tui.shell_command import Option, ViewRequest
from alsbench.tui.table_models import GridModel, GridRow, block_section, grid
from alsbench.tui.widgets.pane import folded
from alsbench.tui.worker import Job, JobReport

WIDE = 110  # columns from which titles of checks stand in full
NARROW = 36
FACTS = 4  # lines of facts above what chance offers


class ScrutinyView(View):
    row_cursor = True

    @property
    def subgroup(self) -> str:
        """The finding's subgroup: the first active one, else the study's first."""
        names = [s.name for s in self.bench.ready.source.study.subgroups]
        return next(iter((*self.session.choice.subgroups, *names)), "overall")

    def key(self, check: Check) -> CheckKey:
        choice, study = self.session.choice, self.bench.ready.source.study
        population = "" if choice.population == study.populations.default else choice.population
        return CheckKey(check.id, self.subgroup, choice.endpoint, population)

    def known(self, check: Check) -> Result | AlsbenchError | None:
        found = self.bench.answers.get(self.key(check))
        return found if isinstance(found, Result | AlsbenchError) else None

    def refresh_view(self) -> None:
        if self.bench.opened is None:
            return
        about = f"{self.session.choice.endpoint} in {self.subgroup}"
        self.title(f"Scrutiny of {about}", (f"  {len(CHECKS)} checks; A computes all, C shows chance", "dim"))
        rows = []
        for check in ALL:
            said, role = self.said(check)
            title = fit(check.short, NARROW, mark=self.bench.look.glyphs.ellipsis) if self.size.width < WIDE else check.title
            cells = ((str(check.number), ""), (safe(title, ascii=self.ascii), ""), (safe(said, ascii=self.ascii), role))
            rows.append(GridRow(cells, source=check))
        self.show_grid(GridModel((grid(["", "check", "says"], rows, right=[0], frozen=2, most=200),)))
        self.cursor_moved()

    def said(self, check: Check) -> tuple[str, str]:
        """What a check says, and its role."""
        found = self.known(check)
        if isinstance(found, Result):
            return verdict(found), ""
        if isinstance(found, AlsbenchError):
            return found.what, "warn"
        return "enter computes", "dim"

    def cursor_moved(self) -> None:
        check = self.source()
        if not isinstance(check, Check):
            return
        self.say(f"{check.title}: {self.said(check)[0]}")

    async def do_open(self) -> None:
        check = self.source()
        if not isinstance(check, Check):
            return
        found = self.known(check)
        if isinstance(found, Result):
            self.bench.access_log.look(found)
            self.bench.push_screen(CheckTable(self.bench, check, found))
        elif found is None:
            self.compute((check,), then=check)
        else:
            self.bench.fault(found)

    def do_scrutiny_all(self) -> None:
        """Compute every check that was not yet."""
        self.compute(tuple(c for c in ALL if self.known(c) is None))

    def do_chance(self) -> None:
        """The finding among copies of the trial without any effect."""
        if self.bench.opened is not None:
            self.bench.push_screen(ChanceTable(self.bench, self.key(BOTTOM_LINE)))

    def compute(self, checks: tuple[Check, ...], then: Check | None = None) -> None:
        """Compute checks in a worker, and open ``then``."""
        keys, source, answers = [self.key(c) for c in checks], self.bench.ready.source, self.bench.answers

        def work(job: Job) -> Check | None:
            for done, key in enumerate(keys, start=1):
                job.check()
                answers.ask(key, source, job.check)
                job.post(key, done=done, total=len(keys))
            return then

        self.bench.jobs.start(self.panel, "scrutiny:", work, heavy=True, interrupt=source.snapshot.interrupt)
        self.bench.progress(f"scrutiny: 0/{len(keys)}  ^c cancels")

    def report(self, report: JobReport) -> None:
        if not self.display or report.kind not in {"part", "done"}:
            return
        self.refresh_view()
        if report.kind == "done":
            for result in self.exported_results():
                self.bench.access_log.look(result)
            if report.payload is not None and isinstance(self.known(report.payload), Result):
                self.bench.call_next(self.do_open)

    def computed(self) -> tuple[tuple[Check, Result], ...]:
        found = ((c, self.known(c)) for c in ALL)
        return tuple((c, r) for c, r in found if isinstance(r, Result))

    def exported_results(self) -> tuple[Result, ...]:
        return tuple(r for _, r in self.computed())

    def on_resize(self) -> None:
        if self.display:
            self.refresh_view()

    def page(self) -> Page | None:
        found = self.computed() if self.bench.opened else ()
        return with_command(scrutiny_page(found), self.bench.exporter.shell_command()) if found else None

    def shell_words(self) -> dict[str, str]:
        """The one check that was computed or stands under the cursor; all where several were."""
        if self.bench.opened is None:
            return {}
        found = [c.id for c, _ in self.computed()]
        check = self.source()
        here = check.id if isinstance(check, Check) else ""
        one = found[0] if len(found) == 1 else "" if found else here
        return {"name": self.subgroup, "check": one}


class CheckTable(Drilldown):
    """One check: what it says, then its tables and its plot."""

    result: Result

    def __init__(self, bench: Bench, check: Check, result: Result) -> None:
        look, ascii, width = bench.look, not bench.look.glyphs.dots, max(bench.size.width, 40)
        lines: list[Text] = []
        told = bottom_lines(result) if check == BOTTOM_LINE else []  # they stand below, in full
        facts = [line for line in result.facts.lines if line not in told]
        for name, value in (*facts, *(("Warning", w) for w in result.warnings)):
            lines += folded(safe(name, ascii=ascii), safe(value, ascii=ascii), look, width)
        title = safe(f"{check.number}. {check.title}", ascii=ascii)
        super().__init__(bench, title, lines, ("h l", "columns"), ("enter", "behind"), row_cursor=False)
        plot = check_plot(check, result)
        tables = (bottom_line_block(result, width - 2),) if check == BOTTOM_LINE else check_blocks(check, result)
        blocks = (*tables, *([plot] if plot is not None else []))
        sections = [s for block in blocks for s in block_section(block, ascii=ascii)]
        self.table.placeholder = "no rows"
        self.check, self.result = check, result
        self.request = bench.exporter.request(check=check.id)
        self.whole = self.table.model = GridModel(tuple(sections))

    def page(self) -> Page | None:
        return with_command(scrutiny_page(((self.check, self.result),)), self.shell())

    def table_request(self) -> ViewRequest:
        return self.request


class ChanceTable(Drilldown):
    """Chance made visible: the rank of the finding among copies without any effect, their smallest p, and the headlines."""

    def __init__(self, bench: Bench, key: CheckKey) -> None:
        about = f"Chance made visible: {key.endpoint} in {key.subgroup}"
        more = (("h l", "columns"), ("enter", "behind"))
        super().__init__(bench, safe(about, ascii=not bench.look.glyphs.dots), [], *more, row_cursor=False)
        self.table.placeholder = "the search is repeated in copies of the trial ..."
        self.key = key

    def start(self) -> None:
        source, key = self.bench.ready.source, self.key

        def work(job: Job) -> Result:
            job.check()
            made = made_chance(source, key.subgroup, key.endpoint, population=key.population)
            job.check()
            return made

        self.work("chance:", work)

    def fill(self, payload: Any) -> None:
        result: Result = payload
        self.bench.access_log.look(result)
        self.result, width = result, max(self.bench.size.width, 40)
        lines: list[Text] = []
        first = ("Copies", "Search")  # and what a table must say stands on
        facts = sorted(result.facts.lines, key=lambda line: first.index(line[0]) if line[0] in first else len(first))
        for name, value in (*facts, *(("Warning", w) for w in result.warnings)):
            lines += folded(safe(name, ascii=self.ascii), safe(value, ascii=self.ascii), self.look, width)
        self.pane.lines = tuple(lines)
        self.divide()
        self.pane.refresh()
        blocks = chance_blocks(result, width - 2)
        self.table.placeholder = "no rows"
        self.show_whole(GridModel(tuple(s for b in blocks for s in block_section(b, ascii=self.ascii, most=width))))

    def divide(self) -> None:
        """The rows are what is looked at: the facts keep a few lines, and scroll."""
        self.pane.styles.height = max(min(len(self.pane.lines), FACTS), 1)

    def page(self) -> Page | None:
        return None if self.result is None else with_command(chance_page(self.result), self.shell())

    def table_request(self) -> ViewRequest:
        key = self.key
        asked: dict[str, Option] = {"subgroup": key.subgroup, "endpoint": key.endpoint, "population": key.population}
        return ViewRequest("chance", (), asked)
