"""Screen 5: one endpoint across all subgroups of the study, for one comparison, with interaction p; overall stays on top.

Every subgroup is shown, not only the active ones. An estimate is one mark, however wide the plot: n stands beside it. The
numbers are those of ``alsbench forest NAME``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.text import Text

from alsbench.analysis.contrast import EvidenceCell, Piece, rows_behind
from alsbench.analysis.evidence import Evidence, assemble, evidence_columns
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Result
from alsbench.errors import AlsbenchError
from alsbench.render.forest import forest_page
from alsbench.render.formats import format_p
from alsbench.render.marks import style
from alsbench.render.page import Page
from alsbench.render.ticks import nice_ticks, ratio_ticks, tick_text
from alsbench.tui.answers import PieceKey
from alsbench.tui.canvas import Canvas
from alsbench.tui.cell_text import fit_middle, safe
from alsbench.tui.contrast_text import estimate_texts, finite, interval_text, visit_text
from alsbench.tui.screens.base import with_command
from alsbench.tui.screens.drilldown import behind
from alsbench.tui.screens.evidence import is_ratio
from alsbench.tui.screens.judged import JudgedView
from alsbench.tui.screens.plots import better_side, interval, interval_range
from alsbench.tui.table_models import ROLES, GridModel, GridRow, Head, align, grid

POST_HOC = " (post hoc)"
LEAST_PLOT = 12
LEAST_NAME = 24  # cells a subgroup's name keeps
GAP = 2
FoundCell = EvidenceCell | AlsbenchError | None  # None: being computed


class ForestView(JudgedView):
    row_cursor = True
    signs = 0  # cells that the sign of a bottom line takes

    def phrases(self) -> list[str]:
        names = [s.name for s in self.bench.ready.source.study.subgroups]
        return [OVERALL, *(p for n in names for p in (n, f"not {n}"))]

    def wanted(self) -> Sequence[PieceKey]:
        return [PieceKey(self.session.choice.endpoint, p, self.population) for p in self.phrases()]

    def build(self) -> None:
        opened = self.bench.opened
        if opened is None:
            return
        study, choice, look = opened.source.study, self.session.choice, self.bench.look
        endpoint = study.endpoints.get(choice.endpoint)
        if endpoint is None:
            self.bench.status("the study has no endpoint with a contrast")
            return
        against = self.bench.catalogue.label("comparisons", choice.comparison)
        found = {key.phrase: self.found(key) for key in self.wanted()}
        cells = [c for c in found.values() if isinstance(c, EvidenceCell)]
        effects = [c for c in cells if finite(c)]
        self.title(
            self.bench.catalogue.label("endpoints", choice.endpoint),
            (f"  {against}", "bold"),
            (f"  better: {better_side(effects, look.glyphs)}" if effects else "", "dim"),
            ("; n nominal" if study.multiplicity is not None else "", "dim"),
            (self.legend(), "dim"),
        )
        log_scale = effects[0].ratio if effects else is_ratio(endpoint)
        low, high = interval_range(effects, log_scale) if effects else (-1.0, 1.0)
        self.signs = max((len(self.sign(c)) for c in cells), default=0)
        texts = {phrase: self.texts(phrase, cell) for phrase, cell in found.items()}
        ends = ["subgroup", "n", "ratio (95% CI)" if log_scale else "difference (95% CI)", "p", "p int"]
        columns = [[head, *align([t[k] for t in texts.values()])] for k, head in enumerate(ends)]
        beside = sum(max(map(cell_len, c)) + GAP for c in columns[1:]) + GAP
        most_name = max(self.size.width - beside - LEAST_PLOT, LEAST_NAME)
        columns[0] = [ends[0], *(self.shortened(t[0], most_name) for t in texts.values())]
        room = max(self.size.width - beside - max(map(cell_len, columns[0])), LEAST_PLOT)
        rows = []
        for (phrase, cell), name in zip(found.items(), columns[0][1:], strict=True):
            drawn, look_p = "", ""
            if isinstance(cell, EvidenceCell):
                drawn = interval(cell, look, room, low, high, log_scale).plain
                look_p = ROLES[style(cell)]
            _, n, estimate, p, interaction = texts[phrase]
            first = ((name, "bold" if phrase == OVERALL else ""), (n, ""), (drawn, "axis"))
            rows.append(GridRow((*first, (estimate, look_p), (p, look_p), (interaction, "")), source=(phrase, cell)))
        heads: list[Head] = [(h,) for h in (*ends[:2], self.axis(low, high, room, log_scale) if effects else "", *ends[2:])]
        if len(rows) > self.table.page > 1:  # overall stays in view above the rows that scroll
            above = rows.pop(0)
            fixed = [c[1] for c in columns]
            overall = (*fixed[:2], above.cells[2][0], *fixed[2:])
            heads = [(*h, o) for h, o in zip(heads, overall, strict=True)]
        section = grid(heads, rows, right=[1, 3, 4, 5], least=[1, 1, room], most=max(room, most_name))
        self.show_grid(GridModel((section,)))
        self.cursor_moved()

    def found(self, key: PieceKey) -> FoundCell:
        piece = self.known(key)
        if not isinstance(piece, Piece):
            return piece if isinstance(piece, AlsbenchError) else None
        found = next((c for c in piece.cells if self.on_screen(c)), None)
        return None if found is None else self.judged(found)

    def on_screen(self, cell: EvidenceCell) -> bool:
        return cell.comparison == self.session.choice.comparison

    def texts(self, phrase: str, cell: FoundCell) -> tuple[str, str, str, str, str]:
        """name, n, estimate with limits, p, interaction p"""
        study = self.bench.ready.source.study
        subgroup = study.subgroup(phrase.removeprefix("not "))
        name = phrase
        if subgroup is not None and phrase.startswith("not "):
            name = f"  {subgroup.complement or phrase}"
        elif subgroup is not None and not subgroup.prespecified:
            name += POST_HOC
        name = safe(name, ascii=self.ascii)
        if not isinstance(cell, EvidenceCell):
            return name, "", "NE" if cell is not None else self.waiting, "", ""
        estimate = "NE"
        if cell.estimate is not None:
            middle, low, high = estimate_texts(cell)
            estimate = f"{middle} ({low}, {high})"
        p = "" if cell.p is None else format_p(cell.p)
        if study.multiplicity is not None and p:
            p += " n" if cell.nominal else "  "
        if p and self.signs:
            p += f" {safe(self.sign(cell), ascii=self.ascii).ljust(self.signs)}"
        return name, str(cell.n), estimate, p, "" if cell.interaction_p is None else format_p(cell.interaction_p)

    def shortened(self, name: str, room: int) -> str:
        """A subgroup's name in at most ``room`` cells; that it is post hoc stays legible."""
        name, mark, _ = name.partition(POST_HOC)
        return fit_middle(name, room - len(mark), mark=self.bench.look.glyphs.ellipsis) + mark

    def axis(self, low: float, high: float, room: int, log_scale: bool) -> str:
        """Tick labels over the plot column."""
        canvas = Canvas(room, 1, low, high, 0, 1, self.bench.look)
        ticks = (ratio_ticks if log_scale else nice_ticks)(low, high, max(2, min(room // 10, 9)))
        line = [" "] * room
        end = -1
        for tick in ticks:
            text = f"{math.exp(tick):g}" if log_scale else tick_text(tick, ticks)
            start = max(0, min(round(canvas.column(tick)) - len(text) // 2, room - len(text)))
            if start > end:
                line[start : start + len(text)] = list(text)
                end = start + len(text)
        return "".join(line).rstrip()

    def cursor_moved(self) -> None:
        found = self.source()
        if not found:
            return
        phrase, cell = found
        if isinstance(cell, EvidenceCell):
            subgroup = self.bench.ready.source.study.subgroup(phrase.removeprefix("not "))
            where = f": {'not ' if phrase.startswith('not ') else ''}({subgroup.where})" if subgroup else ""
            visit = visit_text(cell)
            self.say(
                "; ".join(
                    t for t in (", ".join(t for t in (f"{phrase}{where}", visit) if t), self.bottom_line_words(cell)) if t
                )
            )
        elif isinstance(cell, AlsbenchError):
            self.say(f"{phrase}: {cell.what}", "warn")

    async def do_open(self) -> None:
        phrase, cell = self.source() or ("", None)
        if not isinstance(cell, EvidenceCell):
            said = (self.unfinished or "being computed") if phrase else "nothing to open here"
            self.bench.status(cell.what if isinstance(cell, AlsbenchError) else said)
            return
        piece = self.known(PieceKey(self.session.choice.endpoint, phrase, self.population))
        if rows := rows_behind(piece.rows, cell):
            behind(self.bench, rows, self.assembled((phrase,)).result)
            return
        look = self.bench.look
        lines = [Text(f"{phrase}, n = {cell.n}", look["bold"]), Text(interval_text(cell), look["text"]), Text()]
        if cell.interaction_p is not None:
            lines.append(Text.assemble((f"{'interaction_p':<18}", look["dim"]), (repr(cell.interaction_p), look["text"])))
        lines += [Text(safe(text), look["warn"]) for text in (cell.warning, cell.error) if text]
        self.bench.overlays.read("Behind this number", lines)

    # ---- what is shown, as the shell would print it

    def evidence(self) -> Evidence | None:
        """All subgroups put together for the comparison shown, once none is missing."""
        if not all(isinstance(self.known(k), Piece) for k in self.wanted()):
            return None
        names = tuple(s.name for s in self.bench.ready.source.study.subgroups)
        return self.with_bottom_lines(self.assembled(evidence_columns(self.bench.ready.source, names)))

    def assembled(self, columns: tuple[str, ...]) -> Evidence:
        """Some of the lines put together, as far as they are known."""
        source, choice = self.bench.ready.source, self.session.choice
        pieces = [self.known(k) for k in self.wanted() if k.phrase in columns]
        names = tuple(s.name for s in source.study.subgroups)
        comparison = source.comparisons((choice.comparison,))[0]
        pair = (comparison.treatment, comparison.reference)
        narrow = [
            Piece(
                tuple(c for c in p.cells if c.comparison == choice.comparison),
                tuple(r for r in p.rows if r.treatment is None or (r.treatment, r.reference) == pair),
                p.warnings,
            )
            for p in pieces
            if isinstance(p, Piece)
        ]
        made = assemble(source, columns, names, (choice.comparison,), narrow, self.population, only=choice.endpoint)
        return replace(made, result=made.result.with_command(self.bench.exporter.shell_command()))

    def seen(self) -> Result | None:
        made = self.evidence()
        return None if made is None else made.result

    def page(self) -> Page | None:
        made = self.evidence()
        return None if made is None else with_command(forest_page(made), self.bench.exporter.shell_command())

    def on_resize(self) -> None:
        if self.bench.opened is not None and self.display:
            self.build()
