"""Screen 6: what a sceptical reviewer asks of the endpoint in the first active subgroup; ``enter`` computes and opens a check.

The list is the engine's, headed by the bottom line, its checks by what they ask. A sign says what each says of the chosen
comparison, by its own rule (:mod:`alsbench.analysis.scrutiny.speaks`); beside the list stands the check under the cursor.
Nothing is computed before it is asked for (``enter`` one check, ``A`` all of them, as ``alsbench scrutinise`` does), but a
bottom line that is kept is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from rich.text import Text

from alsbench.analysis.bottom_lines import known_bottom_lines
from alsbench.analysis.judgement import limits_of
from alsbench.analysis.result import Result
from alsbench.analysis.scrutiny import ALL, BOTTOM_LINE, CHECKS, VERDICT, Check, find_check, verdict
from alsbench.analysis.scrutiny.speaks import GROUPS, Speaks, speaks
from alsbench.errors import AlsbenchError
from alsbench.render.chance import chance_blocks, chance_page
from alsbench.render.page import Page
from alsbench.render.scrutiny import bottom_line_block, bottom_lines, check_blocks, check_plot, scrutiny_page
from alsbench.service.scrutiny import made_chance
from alsbench.study.model import Comparison
from alsbench.tui.answers import AnswerKey, CheckKey
from alsbench.tui.cell_text import safe
from alsbench.tui.screens.base import Bench, with_command
from alsbench.tui.screens.drilldown import Drilldown
from alsbench.tui.screens.two_panes import DETAIL, TwoPanes
from alsbench.tui.shell_command import Option, ViewRequest
from alsbench.tui.table_models import GridModel, GridRow, block_section, grid, heading
from alsbench.tui.widgets.pane import folded
from alsbench.tui.worker import Job, JobReport

RUNNING, QUEUED = "running ...", "queued"
WIDE = 110  # columns from which titles of checks stand in full
FACTS = 4  # lines of facts above what chance offers
SIGNS = {"for": "✓", "doubt": "!", "against": "✗", "neither": "–"}
WORDS = {
    "for": "speaks for the finding",
    "doubt": "leaves it in doubt",
    "against": "speaks against it",
    "neither": "weighs neither way",
}
ROLES = {"for": "bold", "doubt": "warn", "against": "bad", "neither": "dim"}
KNOWN = "known"  # lane of work: the bottom line that is kept


class ScrutinyView(TwoPanes):
    row_cursor = True

    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__(bench, name)
        self.queue: tuple[CheckKey, ...] = ()  # what was asked for last
        self.computing: Job | None = None
        self.looked_for: set[tuple[str, CheckKey]] = set()  # whose kept bottom line was looked for, by study

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
        choice = self.session.choice
        keys = "; A computes all, C shows chance" if self.bench.size.width >= WIDE else ""  # else the footer says it
        self.title(
            f"Scrutiny of {choice.endpoint} in {self.subgroup}",
            (f"  {self.bench.catalogue.label('comparisons', choice.comparison)}", "bold"),
            (f"  {len(CHECKS)} checks{keys}", "dim"),
        )
        rows = [self.line(BOTTOM_LINE)]
        for group, names in GROUPS.items():
            rows.append(heading(group))
            rows += [self.line(find_check(name)) for name in names]
        self.show_grid(GridModel((grid(["", "", "check", "says"], rows, right=[1], frozen=3, most=200),)))
        self.cursor_moved()
        self.show_detail()
        self.look_up()

    def line(self, check: Check) -> GridRow:
        """One check of the list: what it says of the finding in a sign, its number and title, what it says in words."""
        said, role = self.said(check)
        title = check.short if self.list_width < WIDE else check.title
        found = self.speaks(check)
        sign = (safe(SIGNS[found], ascii=self.ascii), ROLES[found]) if found else ("", "")
        cells = (sign, (str(check.number), ""), (safe(title, ascii=self.ascii), ""), (safe(said, ascii=self.ascii), role))
        return GridRow(cells, source=check)

    @property
    def comparison(self) -> Comparison | None:
        """The chosen comparison."""
        name = self.session.choice.comparison
        return next((c for c in self.bench.ready.source.study.comparisons if (c.name or c.treatment) == name), None)

    def speaks(self, check: Check) -> Speaks | None:
        """What a check says of the finding in the chosen comparison; None for the bottom line, and before it is known."""
        found, comparison = self.known(check), self.comparison
        if check == BOTTOM_LINE or not isinstance(found, Result) or comparison is None:
            return None
        return speaks(check, found, comparison, limits_of(self.bench.ready.source.study))

    def said(self, check: Check) -> tuple[str, str]:
        """What a check says of the chosen comparison, and its role; else whether it runs or waits."""
        found = self.known(check)
        if isinstance(found, Result):
            return self.clauses(verdict(found))[0].removeprefix(f"{self.session.choice.comparison}: "), ""
        if isinstance(found, AlsbenchError):
            return found.what, "warn"
        if (state := self.state(check)) is not None:
            return state, "bold" if state == RUNNING else "dim"
        return "enter computes", "dim"

    def state(self, check: Check) -> str | None:
        """Whether a check runs or waits for those before it; None for neither."""
        key = self.key(check)
        if self.computing is None or self.computing.cancelled or key not in self.queue:
            return None
        return RUNNING if key in self.bench.pool.begun else QUEUED

    def clauses(self, said: str) -> list[str]:
        """What a verdict says of each comparison, the chosen one first."""
        chosen = f"{self.session.choice.comparison}: "
        return sorted(said.split("; "), key=lambda clause: not clause.startswith(chosen))

    # ---- beside the list

    def detail_lines(self, width: int, height: int) -> list[Text]:  # noqa: ARG002 - facts have no height of their own
        check, look, ascii = self.source(), self.bench.look, self.ascii
        if not isinstance(check, Check):
            return []

        def texts(text: str, role: str) -> list[Text]:
            return [Text(t, look[role]) for t in wrap(safe(text, ascii=ascii), width, subsequent_indent="  ")]

        lines = texts(check.title, "bold")
        found = self.known(check)
        if not isinstance(found, Result):
            return [*lines, *texts(*self.said(check))]
        if mark := self.speaks(check):
            lines += texts(f"{SIGNS[mark]} {WORDS[mark]}", ROLES[mark])
        if check == BOTTOM_LINE:
            return [*lines, *(Text(line.cells[0].text, look["text"]) for line in bottom_line_block(found, width).lines)]
        lines += [Text(), *(t for clause in self.clauses(verdict(found)) for t in texts(clause, "text")), Text()]
        for name, value in found.facts.lines:
            if name != VERDICT:
                lines += [*texts(name, "dim"), *texts(f"  {value}", "text")]
        lines += [line for warning in found.warnings for line in texts(f"! {warning}", "warn")]
        return [*lines, Text(), *texts("enter opens its tables", "dim")]

    def detail_keys(self) -> Sequence[AnswerKey]:
        check = self.source()
        return [self.key(check)] if isinstance(check, Check) and self.known(check) is not None else ()

    def look_up(self) -> None:
        """Show the bottom line where it is kept: nothing is computed."""
        key, source, answers = self.key(BOTTOM_LINE), self.bench.ready.source, self.bench.answers
        if self.known(BOTTOM_LINE) is not None or (source.study_digest, key) in self.looked_for:
            return
        self.looked_for.add((source.study_digest, key))

        def work(job: Job) -> None:
            job.check()
            found = known_bottom_lines(source, key.endpoint, key.subgroup, key.population)
            if found is not None:
                answers.keep(key, found)

        self.bench.jobs.start(self.panel, "", work, interrupt=source.snapshot.interrupt, lane=KNOWN)

    def cursor_moved(self) -> None:
        check = self.source()
        if not isinstance(check, Check):
            return
        mark = self.speaks(check)
        self.say(f"{f'{SIGNS[mark]} ' if mark else ''}{check.title}: {self.said(check)[0]}")

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
        self.queue = tuple(self.key(c) for c in checks)
        self.computing = self.bench.compute(self.panel, "scrutiny", self.queue, last=then)
        self.refresh_view()

    def report(self, report: JobReport) -> None:
        if report.job.lane == DETAIL:
            super().report(report)
            return
        if report.job.lane == KNOWN:
            found = self.known(BOTTOM_LINE)
            if self.display and report.kind == "done" and isinstance(found, Result):
                self.bench.access_log.look(found)
                self.refresh_view()
            return
        if report.kind != "part" and report.job is self.computing:
            self.computing = None
        if not self.display:
            return
        self.refresh_view()
        if report.kind == "done":
            for result in self.exported_results():
                self.bench.access_log.look(result)
            if report.payload is not None and isinstance(self.known(report.payload), Result):
                self.bench.call_next(self.do_open)

    def work_begun(self) -> None:
        self.refresh_view()

    def work_cancelled(self) -> None:
        """What ran and waited does not any more."""
        self.computing = None
        self.refresh_view()

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
