"""Screen 1: the whole trial at a glance. Endpoints by comparison down, subgroups across, overall first.

A cell is estimate (standard error) p and a direction mark at the comparison's horizon, then from which visit p stays below
0.05 and the subgroup-by-arm interaction p; a subgroup that was defined after the data were seen says so in its head. The chosen
comparison stands first; what a screen has no room for goes by the rule of :func:`layout`, and the title says it. Beside the
table stands the cell under the cursor, with its plot. ``enter`` opens the endpoint there. The numbers are those of ``alsbench
evidence``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from alsbench.analysis.contrast import BY_VISIT, EvidenceCell, Piece
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Result
from alsbench.errors import AlsbenchError
from alsbench.render.evidence import evidence_page
from alsbench.render.formats import format_number, format_p
from alsbench.render.marks import style
from alsbench.render.page import Page
from alsbench.study.phrase import is_post_hoc
from alsbench.tui import actions as act
from alsbench.tui.answers import AnswerKey, PieceKey
from alsbench.tui.cell_text import fit_middle, safe
from alsbench.tui.contrast_text import brief_text, short_text, visit_text
from alsbench.tui.screens import evidence_detail
from alsbench.tui.screens.base import with_command
from alsbench.tui.screens.judged import JudgedView
from alsbench.tui.screens.two_panes import BESIDE, TwoPanes
from alsbench.tui.table_models import ROLES, GridModel, GridRow, grid, heading

if TYPE_CHECKING:
    from alsbench.analysis.evidence import Evidence
    from alsbench.study.model import Comparison, Endpoint, Study

CELL_WIDTH = 20
LIMITS_WIDTH = 28  # of a cell with limits instead of the standard error
FROM, P_INT = " from", " p int"  # heads, and so the widths, of what stands after p
GAP = 2
TITLE_WIDTH = 32  # cells of an endpoint's title
FoundCell = EvidenceCell | AlsbenchError | None  # None: being computed


@dataclass(frozen=True)
class Layout:
    """What the table shows of each cell, and its columns in order: ``away`` are those out of view, reached by moving right."""

    phrases: tuple[str, ...]
    titles: bool = False
    limits: bool = False
    further: bool = True  # from, p int
    away: tuple[str, ...] = ()


def layout(width: int, phrases: Sequence[str], names: int, titles: int) -> Layout:
    """What fits in ``width`` columns, labels being ``names`` wide, or ``titles`` with the endpoints' titles.

    First come estimate, SE, p, from and interaction p of the overall result and of the subgroups; then the complements; then
    titles instead of names; then limits instead of the SE. Where not even the first subgroup fits, from and interaction p go.
    """
    whole = tuple(phrases)
    for found in (Layout(whole, True, True), Layout(whole, True), Layout(whole, False, True), Layout(whole)):
        if (titles if found.titles else names) + sum(column_width(p, found) for p in whole) <= width:
            return found
    others = [p for p in whole if not p.startswith("not ")]
    complements = [p for p in whole if p.startswith("not ")]
    ordered = (*others, *complements)
    first = Layout(ordered)
    if names + sum(column_width(p, first) for p in others[:2]) > width - 1:  # one cell for the sign that says there is more
        first = replace(first, further=False)
    room, away = width - names - 1, []
    for phrase in ordered:
        room -= column_width(phrase, first)
        if room < 0:
            away.append(phrase)
    return replace(first, away=tuple(away))


def column_width(phrase: str, shown: Layout) -> int:
    """Cells that the column of a phrase takes, with the gap before it."""
    lasting, interaction = parts(phrase) if shown.further else (False, False)
    return GAP + (LIMITS_WIDTH if shown.limits else CELL_WIDTH) + len(FROM) * lasting + len(P_INT) * interaction


def parts(phrase: str) -> tuple[bool, bool]:
    """Whether a column says from when p is small, and the interaction p: that one stands on the subgroup only."""
    complement = phrase.startswith("not ")
    return not complement, not complement and phrase != OVERALL


def is_ratio(endpoint: Endpoint) -> bool:
    """Whether the effect on an endpoint is a ratio: of geometric means, or of hazards."""
    return endpoint.scale == "log" or endpoint.method == "time_to_event"


class EvidenceView(TwoPanes, JudgedView):
    chosen = ""  # the comparison that stands first
    shown_as = Layout(())
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
        study = self.study
        labels = {name: self.endpoint_label(name, titles=False) for name in self.endpoints()}
        titles = {name: self.endpoint_label(name, titles=True) for name in self.endpoints()}
        longest = [max(map(cell_len, found.values()), default=0) for found in (labels, titles)]
        self.shown_as = layout(self.list_width, self.session.phrases, *longest)
        shown, phrases = self.shown_as, self.shown_as.phrases
        spread = "95% CI" if shown.limits else "SE"
        wide = self.size.width >= BESIDE
        said = f"p at the horizon; {glyphs.favours} favours treatment" if wide else f"p; {glyphs.favours} better"
        left_out = ["from, p int: wider" if not shown.further else "", *(f"{glyphs.more_right} {p}" for p in shown.away)]
        self.title(
            "Evidence",
            (f"  estimate ({spread}) {said}", "dim"),
            ("; n nominal" if self.planned else "", "dim"),
            (self.legend(), "dim"),
            ("".join(f"  {t}" for t in left_out if t), "dim"),
        )
        known = self.shown()
        self.signs = max((len(self.sign(c)) for c in known), default=0)
        self.p_room = max((len(format_p(c.p)) for c in known if c.p is not None), default=6)
        rows: list[GridRow] = []
        chosen = self.session.choice.comparison
        for comparison in sorted(study.comparisons, key=lambda c: (c.name or c.treatment) != chosen):
            rows.append(heading(self.comparison_title(comparison)))
            rows += [self.line(name, (titles if shown.titles else labels)[name], comparison) for name in self.endpoints()]
        heads = [("", "endpoint"), *(self.head(p) for p in phrases)]
        section = grid(heads, rows, right=range(1, len(heads)), least=[0, *(column_width(p, shown) - GAP for p in phrases)])
        before = self.source()
        self.show_grid(GridModel((section,)))
        if chosen != self.chosen:
            self.stand_on_chosen(before, chosen)
        self.cursor_moved()
        self.show_detail()

    def stand_on_chosen(self, before: Any, chosen: str) -> None:
        """Keep the cursor on its endpoint, in the comparison that was chosen and now stands first."""
        first, self.chosen = not self.chosen, chosen
        if before and not first:
            model = self.full
            here = (k for k in range(len(model)) if (s := model.source(k, 0)) and s[0] == before[0])
            self.table.go(next(here, self.table.cursor_row))

    def on_resize(self) -> None:
        if self.bench.opened is not None and self.display:
            self.build()

    @property
    def study(self) -> Study:
        return self.bench.ready.source.study

    def endpoint_label(self, name: str, *, titles: bool) -> str:
        """An endpoint by name or title, marked where it is primary or its effect a ratio."""
        endpoint, glyphs = self.study.endpoints[name], self.bench.look.glyphs
        marks = [glyphs.primary] if endpoint.level == "primary" else []
        marks += [glyphs.ratio] if is_ratio(endpoint) else []
        text = safe(endpoint.title or name if titles else name, ascii=self.ascii)
        return " ".join([fit_middle(text, TITLE_WIDTH, mark=glyphs.ellipsis), *marks])

    def comparison_title(self, comparison: Comparison) -> str:
        arm, unit = self.bench.catalogue.arm, self.study.visits.unit
        at = "" if comparison.horizon is None else f", {unit} {comparison.horizon:g}"
        primary = f" {self.bench.look.glyphs.primary} primary" if comparison.primary else ""
        return safe(f"{arm(comparison.treatment)} vs {arm(comparison.reference)}{at}{primary}", ascii=self.ascii)

    def line(self, endpoint: str, label: str, comparison: Comparison) -> GridRow:
        phrases = self.shown_as.phrases
        found = [self.found(endpoint, comparison, phrase) for phrase in phrases]
        sources = [(endpoint, comparison, phrase, cell) for phrase, cell in zip(phrases, found, strict=True)]
        cells = ((label, ""), *(self.cell(c, p) for c, p in zip(found, phrases, strict=True)))
        return GridRow(cells, (None, *sources), (endpoint, comparison, OVERALL, None))

    # ---- beside the table

    def detail_lines(self, width: int, height: int) -> list[Text]:
        here = self.under_cursor()
        found: list[Text] = evidence_detail.cell_lines(self, *here, width, height) if here else []
        return found

    def detail_keys(self) -> Sequence[AnswerKey]:
        here = self.under_cursor()
        if not here or not isinstance(here[3], EvidenceCell):
            return ()
        found: Sequence[AnswerKey] = evidence_detail.plot_keys(self, here[0], here[2])
        return found

    def list_answered(self) -> bool:
        return all(self.known(key) is not None for key in self.wanted())

    def under_cursor(self) -> tuple[str, Comparison, str, FoundCell] | None:
        """Endpoint, comparison, phrase and contrast; of an endpoint's name the overall result."""
        found = self.source()
        if not found:
            return None
        endpoint, comparison, phrase, _ = found
        return endpoint, comparison, phrase, self.found(endpoint, comparison, phrase)

    def found(self, endpoint: str, comparison: Comparison, phrase: str) -> FoundCell:
        piece = self.known(self.key(endpoint, phrase))
        if not isinstance(piece, Piece):
            return piece if isinstance(piece, AlsbenchError) else None
        name = comparison.name or comparison.treatment
        found = next((c for c in piece.cells if c.comparison == name), None)
        return AlsbenchError("no contrast here") if found is None else self.judged(found)

    def cell(self, found: FoundCell, phrase: str) -> tuple[str, str]:
        further = self.further(found, phrase)
        if found is None:
            return self.waiting + further, "dim"
        if isinstance(found, AlsbenchError):
            return "NE" + further, "dim"
        glyphs = self.bench.look.glyphs
        text = short_text(found, glyphs.favours, glyphs.against, limits=self.shown_as.limits, room=self.p_room)
        if self.planned and found.estimate is not None:
            text += "n" if found.nominal else " "
        if self.signs:
            text += safe(self.sign(found), ascii=self.ascii).ljust(self.signs)
        return text + further, ROLES[style(found)]

    def further(self, found: FoundCell, phrase: str) -> str:
        """From which visit p stays below 0.05, and the interaction p, under their heads; nothing where the column has none."""
        lasting, interaction = parts(phrase) if self.shown_as.further else (False, False)
        begun = p = ""
        if isinstance(found, EvidenceCell) and found.estimate is not None:
            never = self.bench.look.glyphs.dash if found.method in BY_VISIT else ""
            begun = never if found.first_lasting_visit is None else format_number(found.first_lasting_visit)
            p = "" if found.interaction_p is None else format_p(found.interaction_p)
        return begun.rjust(len(FROM)) * lasting + p.rjust(len(P_INT)) * interaction

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
        lasting, interaction = parts(phrase) if self.shown_as.further else (False, False)
        return title, " ".join(t for t in (mark, f"n={first.n}" if first else "") if t) + FROM * lasting + P_INT * interaction

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
        if made is None:
            return None
        return with_command(evidence_page(made), self.bench.exporter.shell_command())
