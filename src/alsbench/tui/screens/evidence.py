"""Screen 1: the whole trial at a glance. Endpoints by comparison down, subgroups across, overall first.

A cell is estimate (standard error) p and a direction mark at the comparison's horizon; a subgroup that was defined after
the data were seen says so in its head. The line below tells interval, interaction p and from which visit p stays below
0.05. ``enter`` opens the endpoint there. The numbers are those of ``alsbench evidence``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.analysis.contrast import EvidenceCell, Piece
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Result
from alsbench.errors import AlsbenchError
from alsbench.render.evidence import evidence_page
from alsbench.render.formats import format_p
from alsbench.render.marks import style
from alsbench.render.page import Page
from alsbench.study.phrase import is_post_hoc
from alsbench.tui import actions as act
from alsbench.tui.answers import PieceKey
from alsbench.tui.cell_text import safe
from alsbench.tui.contrast_text import brief_text, short_text, visit_text
from alsbench.tui.screens.base import with_command
from alsbench.tui.screens.judged import JudgedView
from alsbench.tui.table_models import ROLES, GridModel, GridRow, grid, heading

if TYPE_CHECKING:
    from alsbench.analysis.evidence import Evidence
    from alsbench.study.model import Comparison

LABEL_WIDTH = 14
CELL_WIDTH = 20
LIMITS_WIDTH = 28  # of a cell with limits instead of the standard error
WAITING = "..."
FoundCell = EvidenceCell | AlsbenchError | None  # None: being computed


class EvidenceView(JudgedView):
    signs, p_room = 0, 6  # cells that the sign of a bottom line takes, and p

    def wanted(self) -> Sequence[PieceKey]:
        return [self.key(e, phrase) for phrase in self.session.phrases for e in self.endpoints()]

    def endpoints(self) -> list[str]:
        return [item.name for item in self.bench.catalogue.endpoints]

    def key(self, endpoint: str, phrase: str) -> PieceKey:
        return PieceKey(endpoint, phrase, self.population)

    def build(self) -> None:
        opened = self.bench.opened
        if opened is None:
            return
        glyphs = self.bench.look.glyphs
        spread = "95% CI" if self.limits else "SE"
        self.title(
            "Evidence",
            (f"  estimate ({spread}) p at the horizon; {glyphs.favours} favours treatment", "dim"),
            ("; n nominal" if self.planned else "", "dim"),
            (self.legend(), "dim"),
        )
        phrases = self.session.phrases
        known = self.shown()
        self.signs = max((len(self.sign(c)) for c in known), default=0)
        self.p_room = max((len(format_p(c.p)) for c in known if c.p is not None), default=6)
        rows: list[GridRow] = []
        for comparison in opened.source.study.comparisons:
            rows.append(heading(self.comparison_title(comparison)))
            rows += [self.line(name, comparison, phrases) for name in self.endpoints()]
        heads = [("", "endpoint"), *(self.head(p) for p in phrases)]
        section = grid(
            heads,
            rows,
            right=range(1, len(heads)),
            least=[LABEL_WIDTH, *([LIMITS_WIDTH if self.limits else CELL_WIDTH] * len(phrases))],
        )
        self.show_grid(GridModel((section,)))
        self.cursor_moved()

    @property
    def limits(self) -> bool:
        """Whether limits fit for every column; a narrow screen shows the standard error."""
        return self.size.width >= LABEL_WIDTH + len(self.session.phrases) * (LIMITS_WIDTH + 2)

    def on_resize(self) -> None:
        if self.bench.opened is not None and self.display:
            self.build()

    def comparison_title(self, comparison: Comparison) -> str:
        unit = self.bench.ready.source.study.visits.unit
        at = "" if comparison.horizon is None else f", {unit} {comparison.horizon:g}"
        primary = " (primary)" if comparison.primary else ""
        return safe(f"{comparison.treatment} vs {comparison.reference}{at}{primary}", ascii=self.ascii)

    def line(self, endpoint: str, comparison: Comparison, phrases: Sequence[str]) -> GridRow:
        found = [self.found(endpoint, comparison, phrase) for phrase in phrases]
        sources = [(endpoint, comparison, phrase, cell) for phrase, cell in zip(phrases, found, strict=True)]
        cells = ((safe(endpoint, ascii=self.ascii), ""), *map(self.cell, found))
        return GridRow(cells, (None, *sources), (endpoint, comparison, OVERALL, None))

    def found(self, endpoint: str, comparison: Comparison, phrase: str) -> FoundCell:
        piece = self.known(self.key(endpoint, phrase))
        if not isinstance(piece, Piece):
            return piece if isinstance(piece, AlsbenchError) else None
        name = comparison.name or comparison.treatment
        found = next((c for c in piece.cells if c.comparison == name), None)
        return AlsbenchError("no contrast here") if found is None else self.judged(found)

    def cell(self, found: FoundCell) -> tuple[str, str]:
        if found is None:
            return WAITING, "dim"
        if isinstance(found, AlsbenchError):
            return "NE", "dim"
        glyphs = self.bench.look.glyphs
        text = short_text(found, glyphs.favours, glyphs.against, limits=self.limits, room=self.p_room)
        if self.planned and found.estimate is not None:
            text += "n" if found.nominal else " "
        if self.signs:
            text += safe(self.sign(found), ascii=self.ascii).ljust(self.signs)
        return text, ROLES[style(found)]

    @property
    def planned(self) -> bool:
        """Whether the study has a multiplicity plan: then a small p outside it, or behind a closed gate, says ``n``."""
        return self.bench.opened is not None and self.bench.opened.source.study.multiplicity is not None

    def head(self, phrase: str) -> tuple[str, ...]:
        """The phrase (its complement's own name where it has one), post hoc mark, and n."""
        name = phrase.removeprefix("not ")
        found = self.bench.ready.source.study.subgroup(name) if self.bench.opened else None
        title = phrase
        if phrase.startswith("not ") and found is not None and found.complement:
            title = f"{phrase} ({found.complement})"
        cells = (p.cells[0] for e in self.endpoints() if isinstance(p := self.known(self.key(e, phrase)), Piece) and p.cells)
        first = next(cells, None)
        mark = "post hoc" if found is not None and is_post_hoc(self.bench.ready.source.study, phrase) else ""
        return title, " ".join(t for t in (mark, f"n={first.n}" if first else "") if t)

    def cursor_moved(self) -> None:
        found = self.source()
        if not found:
            return
        endpoint, _, phrase, cell = found
        if isinstance(cell, EvidenceCell):
            visit = visit_text(cell)
            parts = [f"{phrase}{f', {visit}' if visit else ''}: {brief_text(cell)}"]
            if said := self.bottom_line_words(cell):
                parts.append(said)
            if cell.interaction_p is not None:
                parts.append(f"interaction p {format_p(cell.interaction_p)}")
            if cell.verdict:
                adjusted = "" if cell.p_adjusted is None else f", adjusted p {format_p(cell.p_adjusted)}"
                parts.append(f"{cell.verdict}{adjusted}")
            if cell.first_lasting_visit is not None:
                parts.append(f"p<0.05 from {cell.first_lasting_visit:g}")
            self.say("; ".join(parts))
        elif isinstance(cell, AlsbenchError):
            self.say(f"{endpoint}, {phrase}: {cell.what}", "warn")
        else:
            self.say(self.bench.catalogue.label("endpoints", endpoint))

    async def do_open(self) -> None:
        """Open the endpoint of this cell."""
        found = self.source()
        if not found:
            return
        endpoint, comparison, *_ = found
        bench = self.bench
        await bench.dispatch_action(act.SetEndpoint(endpoint))
        await bench.dispatch_action(act.SetComparison(comparison.name or comparison.treatment))
        await bench.dispatch_action(act.GoTo("endpoint", origin="evidence"))

    # ---- what is shown, as the shell would print it

    def evidence(self) -> Evidence | None:
        """All cells put together, once none is missing."""
        from alsbench.analysis.evidence import assemble, evidence_columns  # waits: numpy

        source, names = self.bench.ready.source, self.session.choice.subgroups
        pieces = [self.known(k) for k in self.wanted()]
        if not all(isinstance(p, Piece) for p in pieces):
            return None
        made = assemble(source, evidence_columns(source, names), names, (), pieces, self.population)
        made = replace(made, result=made.result.with_command(self.bench.exporter.shell_command()))
        return self.with_bottom_lines(made)

    def seen(self) -> Result | None:
        made = self.evidence()
        return None if made is None else made.result

    def page(self) -> Page | None:
        made = self.evidence()
        return None if made is None else with_command(evidence_page(made), self.bench.exporter.shell_command())
