"""A subgroup opened: its definition above; how many of each arm are in it and in its complement, and how alike the arms are.

Every number opens the subjects behind it. The numbers are those of ``alsbench endpoint`` on the study's baseline endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from alsbench.analysis.result import Result, Row
from alsbench.render.formats import format_stat
from alsbench.render.page import Page
from alsbench.tui.models import Grid, GridRow, Section, grid
from alsbench.tui.safetext import safe
from alsbench.tui.screens.behind import behind
from alsbench.tui.screens.drill import Drill

if TYPE_CHECKING:
    from alsbench.tui.app import Workbench

FAR = 0.25  # standard deviations from which a difference is marked


class Membership(Drill):
    """One subgroup: its facts, counts and balance."""

    def __init__(self, bench: Workbench, name: str, facts: list[Text], found: Result | None) -> None:
        title = safe(f"Subgroup {name}", ascii=not bench.look.glyphs.dots)
        super().__init__(bench, title, facts, ("h l", "columns"), ("enter", "behind"), row_cursor=False)
        self.subgroup = name
        self.result = found

    def start(self) -> None:
        from alsbench.analysis.balance import balance

        if self.result is not None:
            self.fill(self.result)
            return
        source, name = self.bench.ready.source, self.subgroup
        self.work("balance:", lambda _: balance(source, name))

    def fill(self, payload: Any) -> None:
        self.result = payload
        self.show_whole(Grid(tuple(self.sections(payload))))

    def sections(self, found: Result) -> list[Section]:
        phrases = (self.subgroup, f"not {self.subgroup}")
        arms = [a for a in self.bench.ready.source.study.arms.order if found.get("n", context="subgroup", arm=a)]
        counts = []
        for phrase in phrases:
            rows = [found.get("n", context="subgroup", subgroup=phrase, arm=arm) for arm in (None, *arms)]
            counts.append(self.line(phrase, rows))
        made = [grid(["members", "n", *(safe(a, ascii=self.ascii) for a in arms)], counts, right=range(1, 2 + len(arms)))]
        pairs = tuple(dict.fromkeys((r.treatment, r.reference) for r in found.select(stat_name="smd")))
        heads = ["balance (SMD)", *(safe(f"{t} vs {r}", ascii=self.ascii) for t, r in pairs)]
        for phrase in phrases:
            lines = [GridRow(((safe(phrase, ascii=self.ascii), "bold"),), heading=True)]
            for variable in dict.fromkeys(r.variable for r in found.select(stat_name="smd", subgroup=phrase)):
                where = {"subgroup": phrase, "variable": variable}
                smd = [found.get("smd", treatment=t, reference=r, **where) for t, r in pairs]
                lines.append(self.line(variable or "", smd))
            made.append(grid(heads, lines, right=range(1, len(heads))))
        note = f"! marks an absolute difference of {FAR:g} standard deviations or more"
        return [*made, Section((), (GridRow(((note, "dim"),), heading=True),))]

    def line(self, name: str, rows: list[Row | None]) -> GridRow:
        cells = [(safe(name, ascii=self.ascii), "")]
        for row in rows:
            text, role = "NE", "dim"
            if row is not None and row.stat is not None:
                far = row.stat_name == "smd" and abs(row.number()) >= FAR
                text, role = f"{format_stat(row.stat_name, row.stat)}{'!' if far else ''}", "warn" if far else ""
            cells.append((text, role))
        return GridRow(tuple(cells), (None, *((row,) if row is not None else None for row in rows)))

    def open_row(self) -> None:
        """Open the number under the cursor."""
        model = self.table.model
        rows = model.source(self.table.cursor_row, self.table.cursor_col) if isinstance(model, Grid) else None
        if rows and self.result is not None:
            behind(self.bench, rows, self.result)
        else:
            self.say("no number here")

    def page(self) -> Page | None:
        return super().page() if self.result is not None else None

    def page_title(self) -> str:
        mark = "  Post hoc" if self.result is not None and self.result.provenance.post_hoc else ""
        return f"Members and baseline balance of {self.subgroup}{mark}"

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        if self.result is None:
            return ()
        facts = (*self.bench.page_facts()[:1], *self.result.facts.lines, ("Snapshot", self.result.provenance.snapshot[:12]))
        return (*facts, ("Command", self.result.provenance.command))

    def twin(self) -> str:
        return self.bench.shell_command(name=self.subgroup)
