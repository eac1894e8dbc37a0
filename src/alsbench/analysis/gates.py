"""The multiplicity plan of the study applied to its results: what is rejected, and what is nominal.

The declared hypotheses are overall contrasts at their comparisons' horizons. Their p-values are adjusted together by the
plan's method; a hypothesis is rejected where its adjusted p is at most alpha. Every other p below alpha, in whatever table it
stands, is nominal: not part of the plan, or behind a gate that stayed closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from alsbench.analysis.cache import cached_piece
from alsbench.analysis.cells import Cell, Piece
from alsbench.analysis.p_text import p_text
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Row
from alsbench.analysis.source import Source
from alsbench.study.model import Multiplicity

NOMINAL = "nominal"


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
    """Every hypothesis of the plan with its verdict, in the plan's order; empty without a plan."""
    plan = source.study.multiplicity
    if plan is None:
        return ()
    p_values: list[float] = []
    for hypothesis in plan.hypotheses:
        piece = cached_piece(source, hypothesis.endpoint, OVERALL, source.study.comparisons, population)
        p = next(c.p for c in piece.cells if c.comparison == hypothesis.comparison)
        p_values.append(np.nan if p is None else p)
    adjusted = max_t_adjusted(source, plan, population) if plan.method == "max_t" else adjust(plan, p_values)
    return tuple(
        Gate(
            h.name,
            h.endpoint,
            h.comparison,
            None if np.isnan(p) else p,
            None if np.isnan(a) else float(a),
            bool(a <= plan.alpha),
        )
        for h, p, a in zip(plan.hypotheses, p_values, adjusted, strict=True)
    )


def adjust(plan: Multiplicity, p_values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Adjusted p (m,) by the plan's method; NaN where p is."""
    from alsbench.stats import multiplicity

    p = np.asarray(p_values, dtype=np.float64)
    match plan.method:
        case "bonferroni":
            return multiplicity.bonferroni(p)
        case "holm":
            return multiplicity.holm(p)
        case "hochberg":
            return multiplicity.hochberg(p)
        case "fixed_sequence":
            return multiplicity.fixed_sequence(p)
        case "max_t":
            raise ValueError("max_t needs the data, not the p-values: max_t_adjusted")
        case "graphical":
            found = multiplicity.graphical(p, plan_graph(plan), alpha=plan.alpha)
            return np.where(np.isnan(p), np.nan, found.adjusted)


def max_t_adjusted(source: Source, plan: Multiplicity, population: str = "") -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Single-step max-t adjusted p over the plan's endpoints: multivariate t with the correlation of their influences.

    The smallest degrees of freedom are used. A hypothesis that cannot be estimated has NaN.
    """
    from alsbench.analysis.ask import Ask
    from alsbench.analysis.influence import family_correlation, moved
    from alsbench.analysis.run import default_population
    from alsbench.analysis.subgroups import members
    from alsbench.stats.errors import StatsError
    from alsbench.stats.max_t import max_t

    family, places = [], []
    for i, hypothesis in enumerate(plan.hypotheses):
        endpoint = source.endpoint(hypothesis.endpoint)
        comparison = next(c for c in source.study.comparisons if c.name == hypothesis.comparison)
        name = population or default_population(source, endpoint)
        question = Question(hypothesis.endpoint, population=name)
        ask = Ask(source, endpoint, question, name, members(source, OVERALL, name), (comparison,))
        piece = cached_piece(source, hypothesis.endpoint, OVERALL, source.study.comparisons, population)
        cell = next(c for c in piece.cells if c.comparison == hypothesis.comparison)
        try:
            family.append(moved(ask, cell))
            places.append(i)
        except StatsError:  # the evidence table's own row says why it has no p
            continue
    adjusted = np.full(len(plan.hypotheses), np.nan)
    if family:
        t = np.array([m.t for m in family])
        adjusted[places] = max_t(t, family_correlation(family), min(m.df for m in family))
    return adjusted


def plan_graph(plan: Multiplicity):  # type: ignore[no-untyped-def]
    """The plan's weights and transitions; hypotheses without any weight share alpha equally."""
    from alsbench.stats.multiplicity import Graph

    names = [h.name for h in plan.hypotheses]
    given = [h.weight for h in plan.hypotheses]
    share = 1.0 / len(names) if all(w is None for w in given) else 0.0
    weights = np.array([share if w is None else w for w in given])
    transitions = np.zeros((len(names), len(names)))
    for i, hypothesis in enumerate(plan.hypotheses):
        for to, part in hypothesis.next.items():
            transitions[i, names.index(to)] = part
    return Graph(weights, transitions)


def gated(source: Source, piece: Piece, population: str = "") -> Piece:
    """A piece whose cells and rows carry the plan's verdicts; the same piece where the study has no plan."""
    plan = source.study.multiplicity
    if plan is None:
        return piece
    found = {(g.endpoint, g.comparison): g for g in gates(source, population)}
    cells = tuple(_verdict(cell, found, plan.alpha) for cell in piece.cells)
    rows = list(piece.rows)
    for cell in cells:
        if cell.p_adjusted is not None:
            rows.append(_adjusted_row(cell, piece))
    return replace(piece, cells=cells, rows=tuple(rows))


def _verdict(cell: Cell, found: dict[tuple[str, str], Gate], alpha: float) -> Cell:
    gate = found.get((cell.endpoint, cell.comparison)) if cell.subgroup == OVERALL else None
    verdict = None
    if gate is not None and gate.rejected:
        verdict = "rejected"
    elif cell.p is not None and cell.p < alpha:
        verdict = NOMINAL
    elif gate is not None:
        verdict = "not rejected"
    return replace(cell, p_adjusted=gate.p_adjusted if gate is not None else None, verdict=verdict)


def _adjusted_row(cell: Cell, piece: Piece) -> Row:
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
