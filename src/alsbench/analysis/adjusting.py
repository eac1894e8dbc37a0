"""Adjusted p-values of the multiplicity plan's hypotheses: from their p-values, or for max-t from the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alsbench.analysis.cache import piece_or_fault
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.source import Source
from alsbench.study.model import Multiplicity


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
        piece = piece_or_fault(source, hypothesis.endpoint, OVERALL, source.study.comparisons, population)
        cell = next(c for c in piece.cells if c.comparison == hypothesis.comparison)
        if cell.estimate is None:
            continue
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
