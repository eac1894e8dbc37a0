"""Screen 4: one endpoint. Table of LS means and differences, plots, model, options; a block for each subgroup phrase.

Beside the table stands its plot, where there is room and it has one; the visit from which a difference lasts is marked in both.

The numbers are those of the shell's ``alsbench endpoint NAME``; each cell remembers the result rows it was made from, and
``enter`` opens them with the subjects behind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap
from typing import Any, get_args

from rich.text import Text

from alsbench.analysis.contrast import SMALL, STATISTICS, Piece
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Result, merge_warnings
from alsbench.errors import AlsbenchError
from alsbench.render.page import Page, TextCell
from alsbench.render.result_rows import ResultRows, interval_cell, spread_cell, value_cell
from alsbench.render.tables import endpoint_page, model_block, subgroup_blocks, subgroup_heading
from alsbench.render.visits import visit_name
from alsbench.study.model import Comparison, Covariance, DfMethod, Method
from alsbench.study.phrase import is_post_hoc
from alsbench.tui import actions as act
from alsbench.tui.answers import AnswerKey, CurveKey, PieceKey
from alsbench.tui.cell_text import safe
from alsbench.tui.screens.base import QueryView, joined, with_command
from alsbench.tui.screens.dialogs import Picker
from alsbench.tui.screens.drilldown import behind
from alsbench.tui.screens.plots import BY_VISIT, difference_plot, endpoint_plot, failure
from alsbench.tui.screens.two_panes import TwoPanes, widths
from alsbench.tui.shell_command import view_question
from alsbench.tui.table_models import GridModel, GridRow, Section, block_section, grid, heading, with_result
from alsbench.tui.widgets.pane import folded
from alsbench.tui.widgets.table import GAP

ALLOWED = {"covariance": get_args(Covariance), "df": get_args(DfMethod), "method": get_args(Method)}


class EndpointView(TwoPanes, QueryView):
    table_width = 0  # columns of the whole table

    def wanted(self) -> Sequence[Question]:
        choice = self.session.choice
        if choice.endpoint not in self.study.endpoints:
            return []
        options = self.session.options
        visits = (choice.visit,) if choice.visit is not None and self.method == "joint_rank" else ()
        more = {k: v for k, v in options.items() if v}
        return [self.question(choice.endpoint, p, visits=visits, **more) for p in self.session.phrases]

    def needed(self) -> Sequence[AnswerKey]:
        wanted = self.wanted()
        return [key for q in wanted for key in (q, CurveKey(q))] if self.curves else wanted

    @property
    def curves(self) -> bool:
        """Whether what is shown are survival curves."""
        return self.session.place.tab == "plot" and self.method == "time_to_event"

    def shell_words(self) -> dict[str, str]:
        return {"curve": "curve"} if self.curves else {}

    @property
    def study(self) -> Any:
        return self.bench.ready.source.study

    @property
    def method(self) -> str:
        found = self.study.endpoints.get(self.session.choice.endpoint)
        return self.session.options.get("method") or (found.method if found else "")

    @property
    def comparison(self) -> Comparison | None:
        name = self.session.choice.comparison
        return next((c for c in self.study.comparisons if (c.name or c.treatment) == name), None)

    def planned(self, subgroup: str, visit: float | None) -> bool:
        """Whether a p of the comparison at a visit is what the plan asked for, as far as the evidence is known: no other small
        p may look like success."""
        if subgroup != OVERALL or any(self.session.options.values()):
            return False
        piece = self.known(PieceKey(self.session.choice.endpoint, OVERALL, self.population))
        cells = piece.cells if isinstance(piece, Piece) else ()
        return any(c.met and c.comparison == self.session.choice.comparison and c.visit_number == visit for c in cells)

    @property
    def results(self) -> tuple[Result, ...]:
        found = (self.known(q) for q in self.wanted())
        return tuple(r for r in found if isinstance(r, Result))

    def seen(self) -> Result | None:
        """The one result that the shell's command would give: the same question, for all phrases at once."""
        found = self.results
        if not found:
            return None
        asked = view_question(self.session, self.population).as_dict()
        first = found[0]
        question = first.question | asked | {k: first.question[k] for k in ("method", "population")}
        post_hoc = any(r.provenance.post_hoc for r in found)
        return Result(
            question=question,
            provenance=replace(first.provenance, post_hoc=post_hoc, command=self.bench.exporter.shell_command()),
            rows=tuple(row for r in found for row in self.narrowed(r, arms=False).rows),
            facts=replace(first.facts, lines=tuple(dict.fromkeys(line for r in found for line in r.facts.lines))),
            warnings=merge_warnings(r.warnings for r in found),
        )

    def exported_results(self) -> tuple[Result, ...]:
        made = self.seen()
        return () if made is None or len(self.results) < len(self.wanted()) else (made,)

    # ---- tabs

    def build(self) -> None:
        if self.bench.opened is None:
            return
        choice = self.session.choice
        title = self.bench.catalogue.label("endpoints", choice.endpoint)
        place = self.session.place
        visit = "" if choice.visit is None else f", visit {choice.visit:g}"
        against = self.bench.catalogue.label("comparisons", choice.comparison)
        other = {r.question["population"] for r in self.results} - {choice.population}
        among = f", {', '.join(sorted(other))}" if other else ""  # an endpoint may have a population of its own
        self.title(title, (f"  {against}{visit}", "bold"), (f"  {self.method}{among}  [{place.tab}]", "dim"))
        self.say(self.lasting_words())
        show = {
            "table": self.show_table,
            "plot": self.show_plot,
            "difference": self.show_difference,
            "model": self.show_model,
            "options": self.show_options,
        }
        show[place.tab]()
        self.show_detail()

    # ---- beside the table

    @property
    def beside(self) -> bool:
        """Whether a plot stands beside what is shown: beside the table of a method that has one."""
        if self.bench.opened is None:
            return False
        fits = self.table_width <= widths(self.bench.size.width)[0]  # that of the app: the view may not be laid out yet
        return self.session.place.tab == "table" and self.method in {*BY_VISIT, "time_to_event"} and fits

    def detail_lines(self, width: int, height: int) -> list[Text]:
        wanted = self.wanted()
        here = self.phrase_under_cursor(wanted)
        first = sorted(wanted, key=lambda q: q.subgroups[0] != here)
        results = [(q.subgroups[0], self.known(q), self.known(CurveKey(q))) for q in first]
        return endpoint_plot(results, self, width, height)

    def phrase_under_cursor(self, wanted: Sequence[Question]) -> str:
        """The subgroup phrase whose rows the cursor is among; the first where it is on none."""
        found = self.source()
        result = found[1] if isinstance(found, tuple) and len(found) == 2 else None
        return next((q.subgroups[0] for q in wanted if result is not None and self.known(q) is result), "")

    def detail_keys(self) -> Sequence[AnswerKey]:
        return [CurveKey(q) for q in self.wanted()] if self.method == "time_to_event" else ()

    def list_answered(self) -> bool:
        return all(self.known(q) is not None for q in self.wanted())

    def lasting(self, result: Result, subgroup: str) -> float:
        """The visit from which the difference of the comparison lasts in a subgroup; NaN where it does not."""
        comparison = self.comparison
        if comparison is None:
            return math.nan
        pair = {"treatment": comparison.treatment, "reference": comparison.reference}
        found = result.get("first_lasting_visit", context="contrast", subgroup=subgroup, level=None, **pair)
        return math.nan if found is None or found.stat is None else found.number()

    def lasting_words(self) -> str:
        """From which visit p stays below 0.05, in every subgroup that has one: what the sign in table and plot means."""
        unit, said = self.study.visits.unit, []
        for question in self.wanted():
            result = self.known(question)
            if isinstance(result, Result):
                subgroup = next((r.subgroup for r in result.rows), question.subgroups[0])
                visit = self.lasting(result, subgroup)
                said += [f"{subgroup} from {unit} {visit:g}"] if math.isfinite(visit) else []
        return f"{self.bench.look.glyphs.lasts} p below 0.05 at every visit: {', '.join(said)}" if said else ""

    def show_table(self) -> None:
        sections: list[Section] = []
        by_visit = self.method in BY_VISIT
        rows: list[GridRow] = []
        for question in self.wanted():
            phrase, result = question.subgroups[0], self.known(question)
            if isinstance(result, Result):
                found = ResultRows.of(result)
                subgroup = next(iter(found.subgroups()), phrase)
                head = self.heading(found, subgroup)
                if by_visit:
                    rows += [head, *(self.visit_rows(found, subgroup, result) or [self.nothing(result)])]
                else:
                    sections.append(Section((), (head,)))
                    for block in subgroup_blocks(self.narrowed(result), ResultRows.of(self.narrowed(result)), subgroup):
                        sections += [with_result(s, result) for s in block_section(block, ascii=self.ascii)]
            else:
                text = f"{phrase}: {result.what if isinstance(result, AlsbenchError) else self.absent}"
                line = heading(safe(text, ascii=self.ascii), "warn" if result else "dim")
                rows.append(line)
                if not by_visit:
                    sections.append(Section((), (line,)))
        if by_visit:
            sections = [self.visit_section(rows)]
        model = GridModel(tuple(sections))
        self.table_width = sum(c.width + GAP for c in model.cols) - GAP
        self.show_grid(model)

    @property
    def absent(self) -> str:
        """What is said in the place of an answer that is not there."""
        return "cancelled; r asks again" if self.cancelled else "being computed ..."

    def narrowed(self, result: Result, *, arms: bool = True) -> Result:
        """The result with only the contrasts of the session's comparison (a joint rank: at its horizon), only the visit that
        is looked at, and with ``arms`` only its two arms."""
        comparison, looked_at = self.comparison, self.session.choice.visit
        if comparison is None:
            return result
        horizon = self.session.choice.visit if self.session.choice.visit is not None else comparison.horizon
        pair = (comparison.treatment, comparison.reference)
        timed = [r for r in result.rows if r.context == "contrast" and r.level is not None]
        mine_at = {r.level for r in timed if (r.treatment, r.reference) == pair}
        others_at = {r.level for r in timed} - mine_at  # the horizon days of other comparisons
        method = self.method

        def kept(row: Any) -> bool:
            if method in BY_VISIT and looked_at is not None and row.visit_number not in {None, looked_at}:
                return False
            if row.treatment is None:
                if row.context == "arm" and row.level in others_at:
                    return False
                return row.arm is None or row.arm in pair or not arms
            mine = (row.treatment, row.reference) == pair
            at = method != "joint_rank" or row.visit_number is None or horizon is None or row.visit_number == horizon
            return mine and at

        return Result(
            result.question, result.provenance, tuple(r for r in result.rows if kept(r)), result.facts, result.warnings
        )

    def heading(self, found: ResultRows, subgroup: str) -> GridRow:
        mark = "  POST HOC" if is_post_hoc(self.study, subgroup) else ""
        return heading(safe(subgroup_heading(found, subgroup) + mark, ascii=self.ascii))

    def nothing(self, result: Result) -> GridRow:
        """Said in the place of a subgroup's visits where there are none."""
        return heading(safe(f"  NE: {failure(result)}", ascii=self.ascii), "dim")

    def visit_rows(self, found: ResultRows, subgroup: str, result: Result) -> list[GridRow]:
        """A line for each visit: n and LS mean of both arms, difference, p."""
        comparison, wanted = self.comparison, self.session.choice.visit
        if comparison is None:
            return []
        pair = (comparison.treatment, comparison.reference)
        lasting, mark = self.lasting(result, subgroup), f" {self.bench.look.glyphs.lasts}"
        places = found.places("contrast", subgroup, lambda p: p.pair == pair and p.visit != (None, None))
        made = []
        for visit in sorted({p.visit for p in places}, key=lambda v: (v[1] is None, v[1] or 0.0)):
            if wanted is not None and visit[1] != wanted:
                continue
            stats = found.get("contrast", subgroup, pair=pair, visit=visit)
            log_scale = "ratio" in stats
            cells = [TextCell(visit_name(visit) + mark * (visit[1] == lasting))]
            for arm in pair:
                means = found.get("arm", subgroup, arm=arm, visit=visit) or found.get(
                    "arm", subgroup, arm=arm, pair=pair, visit=visit
                )
                mean = interval_cell(means, "gmr", "gmr_low", "gmr_high") if log_scale else spread_cell(means, "ls_mean", "se")
                cells += [value_cell(means, "n"), mean]
            names = STATISTICS["ratio" if log_scale else "difference"][:3]
            p = value_cell(stats, "p_value")
            effect = [interval_cell(stats, *names), p]
            cells = [cells[0], *effect, *cells[1:]] if log_scale else [*cells, *effect]
            small = {k for k, c in enumerate(cells) if c in effect} if p.rows and p.rows[0].number() < SMALL else set()
            role = "bold" if small and self.planned(subgroup, visit[1]) else "warn"
            made.append(
                GridRow(
                    tuple((safe(c.text, ascii=self.ascii), role if k in small else "") for k, c in enumerate(cells)),
                    tuple((c.rows, result) if c.rows else None for c in cells),
                    ((), result),
                )
            )
        return made

    def visit_section(self, rows: list[GridRow]) -> Section:
        comparison = self.comparison
        arm = self.bench.catalogue.arm
        treatment, reference = (
            (arm(comparison.treatment), arm(comparison.reference)) if comparison else ("treatment", "reference")
        )
        log_scale = self.study.endpoints[self.session.choice.endpoint].scale == "log"
        mean = "GMR (95% CI)" if log_scale else "LS mean (SE)"
        heads, groups = ["n", mean, "n", mean], [treatment, treatment, reference, reference]
        if log_scale:  # limits take more room than a standard error: the effect stands first, so that it is never scrolled away
            heads, groups = ["visit", "ratio (95% CI)", "p", *heads], ["", "", "", *groups]
        else:
            heads, groups = ["visit", *heads, "difference (95% CI)", "p"], ["", *groups, "", ""]
        return grid(heads, rows, right=range(1, 7), groups=[safe(g, ascii=self.ascii) for g in groups], least=[8])

    def show_plot(self) -> None:
        results = [(q.subgroups[0], self.known(q), self.known(CurveKey(q))) for q in self.wanted()]
        width, height = self.size.width or 80, max(self.size.height - 2, 8)
        self.show_lines(endpoint_plot(results, self, width, height))

    def show_difference(self) -> None:
        width, height = self.size.width or 80, max(self.size.height - 2, 8)
        self.show_lines(difference_plot([(q.subgroups[0], self.known(q)) for q in self.wanted()], self, width, height))

    def show_model(self) -> None:
        look = self.bench.look
        lines: list[Text] = []
        for question in self.wanted():
            result = self.known(question)
            if not isinstance(result, Result):
                continue
            width = max(self.size.width or 80, 20)
            head = safe(f"{result.facts.title}: {question.subgroups[0]}", ascii=self.ascii)
            lines += [Text(t, look["bold"]) for t in wrap(head, width, subsequent_indent="  ")]
            for name, value in (*result.facts.lines, *(("Tried", a) for a in result.facts.attempts)):
                lines += folded(name, safe(value, ascii=self.ascii), look, self.size.width or 80)
            block = model_block(self.narrowed(result, arms=False), next((r.subgroup for r in result.rows), ""))
            for line in block.lines:
                name, about, value = (c.text for c in line.cells)
                lines += folded(name, " ".join(t for t in (value, about) if t), look, self.size.width or 80)
            for note, role in (*((f"! {w}", "warn") for w in result.warnings), *((f, "dim") for f in result.facts.footnotes)):
                lines += [Text(t, look[role]) for t in wrap(safe(note, ascii=self.ascii), width, subsequent_indent="  ")]
            lines.append(Text())
        self.show_lines(lines or [Text(self.absent, look["dim"])])

    def show_options(self) -> None:
        endpoint = self.study.endpoints[self.session.choice.endpoint]
        rows = []
        for name, allowed in ALLOWED.items():
            value, own = self.session.options.get(name, ""), str(getattr(endpoint, name))
            texts = (name, value or own, own, " ".join(allowed))
            rows.append(GridRow(tuple((t, "") for t in texts), source=("option", name)))
        self.show_grid(GridModel((grid(["option", "in use", "study.toml says", "can be"], rows),)))
        self.say("enter chooses for this session; the study file keeps its own")

    # ---- commands

    async def do_open(self) -> None:
        found = self.source()
        if isinstance(found, tuple) and found and found[0] == "option":
            self.choose_option(found[1])
        elif isinstance(found, tuple) and len(found) == 2 and found[1] is not None:
            rows, result = found
            behind(self.bench, rows, result)
        else:
            self.bench.status("nothing to open here")

    def choose_option(self, name: str) -> None:
        items = [("", ("study.toml",)), *((value, (value,)) for value in ALLOWED[name])]

        def done(value: str | None) -> None:
            if value is not None:
                self.bench.call_next(self.bench.dispatch_action, act.SetOption(name, value))

        self.bench.push_screen(Picker(self.bench.look, name, lambda _: items, heads=(name,), query=False), done)

    def do_back(self) -> bool:
        if super().do_back():
            return True
        if self.session.place.tab != "table":
            self.bench.call_next(self.bench.dispatch_action, act.SetTab("table"))
            return True
        return False

    def page(self) -> Page | None:
        results = self.results
        if not results or self.unfinished:
            return None
        fitted = self.session.place.tab == "model"
        pages = [endpoint_page(self.narrowed(r), model=fitted) for r in results]
        return with_command(joined(pages), self.bench.exporter.shell_command())

    def on_resize(self) -> None:
        if self.bench.opened is not None and self.session.place.tab in {"plot", "difference", "model"} and self.display:
            self.build()
