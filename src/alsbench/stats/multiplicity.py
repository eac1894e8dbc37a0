"""Adjusted p-values for several hypotheses, with strong control of the family-wise error rate.

Bonferroni; Holm (1979, Scand J Statist 6:65-70); Hochberg (1988, doi 10.1093/biomet/75.4.800), which needs independent or
positively dependent tests; fixed sequence (Maurer, Hothorn and Lehmacher 1995); graphical gatekeeping, where a rejected
hypothesis passes its level on along the edges of a graph (Bretz et al. 2009, doi 10.1002/sim.3495). A hypothesis is rejected
at level a exactly where its adjusted p-value is at most a. A missing p-value is a declared test that was not passed: it keeps
its place in the family as p = 1 and its adjusted value is NaN.

From which visit is a difference significant? *Lasting*: the first visit from which p < alpha at that and every later visit.
*First*: the first visit with p < alpha at all. The second is what a press release quotes; the first is what a reader takes it
to mean. Both with the number of looks taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]

WEIGHT_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Graph:
    """Hypotheses as nodes: ``weights`` (m,) are shares of the level, ``transitions`` (m, m) what share of a rejected row's
    level goes to each column. Weights and every row sum to at most 1; the diagonal is 0."""

    weights: Array
    transitions: Array

    def __post_init__(self) -> None:
        m = self.weights.size
        if self.weights.shape != (m,) or self.transitions.shape != (m, m):
            raise StatsError("a graph needs one weight per hypothesis and a square matrix of transitions")
        values = np.concatenate([self.weights, self.transitions.ravel()])
        if not np.all(np.isfinite(values)) or values.min(initial=0.0) < 0:
            raise StatsError("weights and transitions must be numbers of at least 0")
        if self.weights.sum() > 1 + WEIGHT_TOLERANCE:
            raise StatsError(f"the weights add up to {self.weights.sum():g}, more than 1")
        if np.any(self.transitions.sum(axis=1) > 1 + WEIGHT_TOLERANCE):
            raise StatsError("a hypothesis passes on more than it has: a row of transitions adds up to more than 1")
        if np.any(np.diag(self.transitions) != 0):
            raise StatsError("a hypothesis cannot pass its level to itself")

    def without(self, j: int) -> Graph:
        """The graph after hypothesis ``j`` is rejected and its level passed on (Bretz 2009, algorithm 1)."""
        w, G = self.weights, self.transitions
        loop = G[:, j] * G[j, :]  # what leaves l for j and would come straight back
        through = np.outer(G[:, j], G[j, :])
        left = 1.0 - loop[:, None]
        passed = np.where(left > WEIGHT_TOLERANCE, (G + through) / np.where(left > WEIGHT_TOLERANCE, left, 1.0), 0.0)
        np.fill_diagonal(passed, 0.0)
        passed[j, :] = passed[:, j] = 0.0
        weights = w + w[j] * G[j, :]
        weights[j] = 0.0
        # rounding must not lift a sum of shares above one
        passed /= np.maximum(passed.sum(axis=1, keepdims=True), 1.0)
        return Graph(weights / max(float(weights.sum()), 1.0), passed)


@dataclass(frozen=True)
class GraphicalTest:
    """``rejected`` (m,) and ``adjusted`` p (m,); ``order`` the hypotheses in the order they were rejected; ``levels`` (m,) the
    level at which each was tested last; ``final`` the graph that is left."""

    rejected: NDArray[np.bool_]
    adjusted: Array
    order: tuple[int, ...]
    levels: Array
    final: Graph
    alpha: float


def bonferroni(p: ArrayLike) -> Array:
    """m p, at most 1."""
    values, known = _p_values(p)
    return _masked(np.minimum(values * values.size, 1.0), known)


def holm(p: ArrayLike) -> Array:
    """Step-down: the running maximum, from the smallest p, of (m - rank + 1) p."""
    values, known = _p_values(p)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * (values.size - np.arange(values.size)))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return _masked(adjusted, known)


def hochberg(p: ArrayLike) -> Array:
    """Step-up: the running minimum, from the largest p, of (m - rank + 1) p."""
    values, known = _p_values(p)
    order = np.argsort(values, kind="stable")[::-1]
    stepped = np.minimum.accumulate(values[order] * (np.arange(values.size) + 1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return _masked(adjusted, known)


def fixed_sequence(p: ArrayLike) -> Array:
    """Each hypothesis at full level while all before it were rejected: the running maximum of p in the given order."""
    values, known = _p_values(p)
    return _masked(np.maximum.accumulate(values), known)


def graphical(p: ArrayLike, graph: Graph, *, alpha: float = 0.05) -> GraphicalTest:
    """The sequentially rejective test of ``p`` (m,) on ``graph`` at level ``alpha``.

    Adjusted p-values do not depend on ``alpha``: they come from passing on every level in the order of p / weight
    (Bretz 2009, algorithm 2); a hypothesis no level ever reaches has 1.
    """
    values, known = _p_values(p)
    if values.size != graph.weights.size:
        raise StatsError(f"{values.size} p-values for a graph of {graph.weights.size} hypotheses")
    if not 0.0 < alpha < 1.0:
        raise StatsError(f"a significance level lies between 0 and 1, not {alpha:g}")
    adjusted, levels = np.ones(values.size), np.zeros(values.size)
    remaining = np.ones(values.size, dtype=bool)
    rejected = np.zeros(values.size, dtype=bool)
    order: list[int] = []
    current, final = graph, graph
    reached = 0.0
    while remaining.any():
        open_ = remaining & (current.weights > 0)
        if not open_.any():
            break
        ratio = np.where(open_, values / np.where(open_, current.weights, 1.0), math.inf)
        j = int(np.argmin(ratio))
        reached = max(reached, float(ratio[j]))
        adjusted[j] = min(reached, 1.0)
        remaining[j] = False
        is_rejected = bool(adjusted[j] <= alpha * (1 + WEIGHT_TOLERANCE)) and bool(known[j])
        if is_rejected:
            rejected[j], levels[j] = True, alpha * current.weights[j]
            order.append(j)
        current = current.without(j)
        if is_rejected:
            final = current
    levels[~rejected] = alpha * final.weights[~rejected]
    return GraphicalTest(rejected, _masked(adjusted, known), tuple(order), levels, final, alpha)


def holm_graph(m: int) -> Graph:
    """Holm's test as a graph: equal weights, each level passed on equally."""
    return Graph(np.full(m, 1.0 / m), (np.ones((m, m)) - np.eye(m)) / max(m - 1, 1))


def _p_values(p: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    values = np.array(p, dtype=np.float64).ravel()
    known = ~np.isnan(values)
    if np.any((values[known] < 0) | (values[known] > 1)):
        raise StatsError("a p-value lies between 0 and 1")
    return np.where(known, values, 1.0), known


def _masked(adjusted: Array, known: NDArray[np.bool_]) -> Array:
    return np.where(known, adjusted, np.nan)


@dataclass(frozen=True)
class FirstVisit:
    """Visit numbers (None: never), and how many visits were tested."""

    lasting: float | None
    first: float | None
    tested: int


def first_significant_visit(visits: Sequence[float], p_values: Sequence[float], *, alpha: float = 0.05) -> FirstVisit:
    """The first lasting and the first significant visit. A visit without a p-value (NaN) counts as not significant.

    ``visits`` need not be sorted; they are taken in ascending order.
    """
    ordered = sorted(zip(visits, p_values, strict=True))
    significant = [p < alpha for _, p in ordered]  # NaN compares false
    lasting: float | None = None
    for (visit, _), below in zip(reversed(ordered), reversed(significant), strict=True):
        if not below:
            break
        lasting = visit
    first = next((visit for (visit, _), below in zip(ordered, significant, strict=True) if below), None)
    return FirstVisit(lasting, first, sum(p == p for _, p in ordered))
