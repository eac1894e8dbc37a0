"""The multiplicity plan of the study applied to its results: what is rejected, and what is nominal.

The declared hypotheses are overall contrasts at their comparisons' horizons. Their p-values are adjusted together by the
plan's method; a hypothesis is rejected where its adjusted p is at most alpha. Every other p below alpha, in whatever table it
stands, is nominal: not part of the plan, or behind a gate that stayed closed.

Without a multiplicity plan the p of the only primary hypothesis is the plan's. Every p below 0.05 that meets no rule of the
plan needs a bottom line (:mod:`alsbench.analysis.judgement`): a search offers such results where there is no effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from alsbench.analysis.cells import piece_or_fault
from alsbench.analysis.contrast import NOMINAL, NOT_JUDGED, SMALL, EvidenceCell, Piece, p_text
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Row
from alsbench.analysis.source import Source
from alsbench.errors import AlsbenchError
from alsbench.study.model import Multiplicity


@dataclass(frozen=True)
class Gate:
    """One hypothesis of the plan: its p (None where it could not be computed), adjusted p, and whether it is rejected."""

    name: str
    endpoint: str
    comparison: str
    p: float | None
    p_adjusted: float | None
    rejected: bool

    def words(self) -> str:
        """``cafs:G2-M12 p 0.215, adjusted 0.430, not rejected``."""
        if self.p is None or self.p_adjusted is None:
            return f"{self.name} no p-value, not rejected"
        verdict = "rejected" if self.rejected else "not rejected"
        return f"{self.name} p {p_text(self.p)}, adjusted {p_text(self.p_adjusted)}, {verdict}"


def gates(source: Source, population: str = "") -> tuple[Gate, ...]:
    """Every hypothesis of the plan with its verdict, in the plan's order; empty without a plan. The source remembers them."""
    plan = source.study.multiplicity
    if plan is None:
        return ()
    if population not in source.verdicts:
        source.verdicts[population] = _gates(source, plan, population)
    found: tuple[Gate, ...] = source.verdicts[population]
    return found


def _gates(source: Source, plan: Multiplicity, population: str) -> tuple[Gate, ...]:
    from alsbench.analysis.adjusting import adjust, max_t_adjusted  # waits: scipy

    p_values: list[float] = []
    for hypothesis in plan.hypotheses:
        piece = piece_or_fault(source, hypothesis.endpoint, OVERALL, source.study.comparisons, population)
        p = next(c.p for c in piece.cells if c.comparison == hypothesis.comparison)
        p_values.append(math.nan if p is None else p)
    adjusted = max_t_adjusted(source, plan, population) if plan.method == "max_t" else adjust(plan, p_values)
    return tuple(
        Gate(
            h.name,
            h.endpoint,
            h.comparison,
            None if math.isnan(p) else p,
            None if math.isnan(a) else float(a),
            bool(a <= plan.alpha),
        )
        for h, p, a in zip(plan.hypotheses, p_values, adjusted, strict=True)
    )


def plan_lines(source: Source, population: str = "", *, endpoint: str = "") -> list[tuple[str, str]]:
    """What a table says of the plan: the verdict of every hypothesis, or of those of one ``endpoint``, and what is nominal.

    Beside an ``endpoint`` a plan whose hypotheses cannot all be asked says why; else it raises what the question raises.
    """
    plan = source.study.multiplicity
    if plan is None:
        return []
    try:
        words = "; ".join(g.words() for g in gates(source, population) if endpoint in ("", g.endpoint))
    except AlsbenchError as error:
        if not endpoint:
            raise
        words = f"no verdict: {error.what}"
    method = f"{plan.method.replace('_', ' ')} at {plan.alpha:g}"
    return [
        ("Multiplicity", f"{method}: {words or 'no hypothesis of this endpoint'}"),
        ("Nominal", f"every other p below {plan.alpha:g}: outside the plan, or behind a gate that stayed closed"),
    ]


def gated(source: Source, piece: Piece, population: str = "") -> Piece:
    """A piece whose cells and rows carry the plan's verdicts (rows: where the study has one for multiplicity), and whose small
    p outside the plan say that they are not judged."""
    plan = source.study.multiplicity
    if plan is None:
        return replace(piece, cells=tuple(unjudged(source, cell, population) for cell in piece.cells))
    found = {(g.endpoint, g.comparison): g for g in gates(source, population)}
    cells = tuple(_verdict(cell, found, plan.alpha) for cell in piece.cells)
    rows = list(piece.rows)
    for cell in cells:
        if cell.p_adjusted is not None:
            rows.append(_adjusted_row(cell, piece))
    return replace(piece, cells=tuple(unjudged(source, cell, population) for cell in cells), rows=tuple(rows))


def unjudged(source: Source, cell: EvidenceCell, population: str = "") -> EvidenceCell:
    """The cell, saying whether its p needs a bottom line: below 0.05, and no rule of the plan is met by it."""
    if cell.p is None or cell.p >= SMALL:
        return replace(cell, bottom_line="")
    planned = cell.favourable is True and plan_met(source, cell, population)
    return replace(cell, bottom_line="" if planned else NOT_JUDGED)


def plan_met(source: Source, cell: EvidenceCell, population: str = "") -> bool:
    """Whether the plan's own rule is met by a contrast at its horizon: of everybody in the endpoint's own population, by the
    gates, or, without any, by the p of the only primary hypothesis. Of several without a rule for them none is met."""
    own = source.default_population(source.study.endpoints[cell.endpoint])
    elsewhere = cell.subgroup != OVERALL or (population or own) != own
    if elsewhere or cell.post_hoc or cell.plan or source.doubt or cell.p is None:
        return False
    if source.study.multiplicity is not None:
        return any(g.rejected for g in gates(source) if (g.endpoint, g.comparison) == (cell.endpoint, cell.comparison))
    endpoints = [e for e in source.study.endpoints.values() if e.level == "primary"]
    comparisons = [c for c in source.study.comparisons if c.primary]
    rule = source.study.judgement
    only = len(endpoints) == len(comparisons) == 1
    return only and cell.level == "primary" and cell.primary and cell.p <= (0.05 if rule is None else rule.nominal)


def _verdict(cell: EvidenceCell, found: dict[tuple[str, str], Gate], alpha: float) -> EvidenceCell:
    gate = found.get((cell.endpoint, cell.comparison)) if cell.subgroup == OVERALL else None
    verdict = None
    if gate is not None and gate.rejected:
        verdict = "rejected"
    elif cell.p is not None and cell.p < alpha:
        verdict = NOMINAL
    elif gate is not None:
        verdict = "not rejected"
    return replace(cell, p_adjusted=gate.p_adjusted if gate is not None else None, verdict=verdict)


def _adjusted_row(cell: EvidenceCell, piece: Piece) -> Row:
    population = next(r.population for r in piece.rows)
    return Row(
        endpoint=cell.endpoint,
        method=cell.method,
        population=population,
        subgroup=cell.subgroup,
        context="contrast",
        stat_name="p_adjusted",
        stat=cell.p_adjusted,
        treatment=cell.treatment,
        reference=cell.reference,
        visit=cell.visit,
        visit_number=cell.visit_number,
        level="multiplicity plan",
        variable=cell.comparison,
        warning=cell.verdict,
    )
