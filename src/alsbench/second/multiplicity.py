"""Adjusted p-values of the study's plan (METHODS 7, docs/methods.md): Bonferroni, Holm and Hochberg by statsmodels, fixed
sequence by the running maximum, graphical gatekeeping by the sequentially rejective algorithm of Bretz et al. (2009, doi
10.1002/sim.3495).

A hypothesis is rejected where its adjusted p is at most the plan's alpha. A hypothesis without a p is not rejected: it counts
as p = 1 for the others, and has no adjusted p of its own. Max-t takes the correlation of the estimates from the subjects'
influences on them (Pipper, Ritz and Bisgaard 2012, doi 10.1111/j.1467-9876.2011.01005.x) and the smallest degrees of freedom;
the multivariate t is SciPy's, with the standard error of repeated integrations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from alsbench.second import ancova, joint_rank, mmrm, slope
from alsbench.second.design import Array, arm_design, least_squares, t_two_sided
from alsbench.second.numbers import NotCovered, Undetermined
from alsbench.second.trial import TrialTables
from alsbench.study.model import Comparison, Endpoint, Hypothesis, Study

TESTS = {"bonferroni": "bonferroni", "holm": "holm", "hochberg": "simes-hochberg"}  # as multipletests calls them
INFLUENTIAL = frozenset({"ancova", "joint_rank", "mmrm", "slope"})
POINTS, INTEGRATIONS = 50_000, 8  # of a multivariate t
LEAST_ERROR = 1e-7  # of an integral: where it is nil it says so many times over
Place = tuple[str, str]  # of a hypothesis: endpoint and name of the comparison


def adjusted_p(study: Study, p_values: Mapping[Place, float | None]) -> dict[Place, float | None]:
    """The adjusted p of every hypothesis of the plan, by (endpoint, name of the comparison).

    ``p_values``: the unadjusted p of each endpoint's overall contrast at the comparison's horizon; None or absent where there
    is none. Empty without a plan. Raises NotCovered for max_t, which needs more than p-values: :func:`max_t_p`."""
    plan = study.multiplicity
    if plan is None:
        return {}
    if plan.method not in (*TESTS, "fixed_sequence", "graphical"):
        raise NotCovered(f"the multiplicity method {plan.method}")
    places = [(h.endpoint, h.comparison) for h in plan.hypotheses]
    known = [p_values.get(place) for place in places]
    raw = [1.0 if p is None else p for p in known]
    if plan.method in TESTS:
        made = [float(p) for p in multipletests(raw, alpha=plan.alpha, method=TESTS[plan.method])[1]]
    elif plan.method == "fixed_sequence":
        made = [max(raw[: k + 1]) for k in range(len(raw))]
    else:
        made = graphical(plan.hypotheses, raw)
    return {place: None if p is None else min(q, 1.0) for place, p, q in zip(places, known, made, strict=True)}


def max_t_p(trial: TrialTables, population: str = "") -> dict[Place, tuple[float | None, float]]:
    """By hypothesis of a ``max_t`` plan its adjusted p and the standard error of that, the p being None where there is no t.

    Raises NotCovered for an endpoint of a method without influences: MMRM, ANCOVA, joint rank and slopes have them."""
    plan = trial.study.multiplicity
    if plan is None:
        return {}
    comparisons = {c.name: c for c in trial.study.comparisons}
    made: dict[Place, Influential | None] = {}
    for name in dict.fromkeys(h.endpoint for h in plan.hypotheses):
        endpoint = trial.study.endpoints[name]
        if endpoint.method not in INFLUENTIAL:
            raise NotCovered(f"max_t with the method {endpoint.method}")
        members = trial.members("overall", population or endpoint.population)
        own = [h.comparison for h in plan.hypotheses if h.endpoint == name]
        found = influential(trial, endpoint, members, [comparisons[c] for c in own])
        made |= {(name, c): one for c, one in zip(own, found, strict=True)}
    family = {(h.endpoint, h.comparison): made[h.endpoint, h.comparison] for h in plan.hypotheses}
    known = {place: one for place, one in family.items() if one is not None}
    if not known:
        return dict.fromkeys(family, (None, 0.0))
    psi = pd.DataFrame({place: one.influence for place, one in known.items()}).fillna(0.0).to_numpy(float)
    size = np.sqrt((psi**2).sum(axis=0))
    correlation = psi.T @ psi / np.outer(size, size)
    df = min(one.df for one in known.values())
    adjusted = {place: largest_of(abs(one.t), correlation, df) for place, one in known.items()}
    return {place: adjusted.get(place, (None, 0.0)) for place in family}


@dataclass(frozen=True)
class Influential:
    """A t with its degrees of freedom and every analysed subject's influence on the estimate."""

    t: float
    df: float
    influence: pd.Series


def influential(
    trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, comparisons: Sequence[Comparison]
) -> list[Influential | None]:
    """The contrasts of comparisons of one endpoint, each at its horizon; None where there is no t."""
    if endpoint.method in ("mmrm", "slope"):
        return _of_mixed_model(trial, endpoint, members, comparisons)
    return [_of_least_squares(trial, endpoint, members, c) for c in comparisons]


def _of_mixed_model(
    trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, comparisons: Sequence[Comparison]
) -> list[Influential | None]:
    """Of one fit of all arms."""
    repeated = endpoint.method == "mmrm"
    rows = trial.model_rows(endpoint, members) if repeated else slope.slope_rows(trial, endpoint, members)
    arms = [a for a in trial.study.arms.order if (rows["arm"] == a).any()]
    model: mmrm.RepeatedMeasures | slope.RandomSlopes
    if not arms:
        return [None for _ in comparisons]
    try:
        if repeated:
            model = mmrm.fitted(endpoint, rows, arms, [float(v) for v in sorted(rows["visit"].unique())])
        else:
            model = slope.fitted(endpoint, rows, arms)
    except Undetermined:
        return [None for _ in comparisons]
    found: list[Influential | None] = []
    for comparison in comparisons:
        along = _difference(model, rows, comparison) if {comparison.treatment, comparison.reference} <= set(arms) else None
        said = model.says(along) if along is not None else None
        if along is None or said is None or said[0][1] == 0:
            found.append(None)
            continue
        (estimate, se), df = said
        found.append(Influential(estimate / se, df, model.influence(along)))
    return found


def _difference(model: mmrm.RepeatedMeasures | slope.RandomSlopes, rows: pd.DataFrame, comparison: Comparison) -> Array | None:
    if isinstance(model, slope.RandomSlopes):
        return model.slope[comparison.treatment] - model.slope[comparison.reference]
    visit = ancova.visit_read(rows, comparison)
    if visit is None:
        return None
    return model.mean.mean(comparison.treatment, visit) - model.mean.mean(comparison.reference, visit)


def _of_least_squares(
    trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, comparison: Comparison
) -> Influential | None:
    arms = list(trial.study.arms.order) if endpoint.arms == "all" else [comparison.treatment, comparison.reference]
    if endpoint.method == "ancova":
        rows = trial.model_rows(endpoint, members)
        rows = rows[(rows["visit"] == ancova.visit_read(rows, comparison)) & rows["arm"].isin(arms)]
        more: tuple[str, ...] = ("base",)
        weights = rows["weight"].to_numpy(float)
    else:
        rows = joint_rank.ranked_rows(trial, endpoint, members, arms, comparison)
        weights, more = np.ones(len(rows)), ()
    there = [a for a in arms if (rows["arm"] == a).any()]
    if not {comparison.treatment, comparison.reference} <= set(there):
        return None
    design, y = arm_design(endpoint, rows, there, more), rows["y"].to_numpy(float)
    fit = least_squares(y, design.x, weights)
    along = design.grid[comparison.treatment] - design.grid[comparison.reference]
    said = fit.says(along) if fit else None
    if fit is None or said is None or said[1] == 0:
        return None
    bread = np.linalg.pinv(design.x.T @ (design.x * weights[:, None]), hermitian=True)
    influence = (design.x @ bread @ along) * weights * (y - design.x @ fit.beta)
    return Influential(said[0] / said[1], fit.df, pd.Series(influence, index=rows["subject"]))


def largest_of(t: float, correlation: Array, df: float) -> tuple[float, float]:
    """P(max |T| >= t) of a multivariate t, and its standard error over integrations of different seeds."""
    if len(correlation) == 1:
        return t_two_sided(t, df), 0.0
    bound = np.full(len(correlation), t)
    inside = [
        float(stats.multivariate_t.cdf(bound, None, correlation, df, allow_singular=True, maxpts=POINTS, lower_limit=-bound,
                                       random_state=seed))
        for seed in range(INTEGRATIONS)
    ]  # fmt: skip
    return 1 - float(np.mean(inside)), max(float(np.std(inside, ddof=1)) / math.sqrt(INTEGRATIONS), LEAST_ERROR)


def rejected(study: Study, adjusted: Mapping[Place, float | None]) -> dict[Place, bool]:
    """Which hypotheses the plan rejects at its alpha."""
    alpha = study.multiplicity.alpha if study.multiplicity else 0.0
    return {place: p is not None and p <= alpha for place, p in adjusted.items()}


def graphical(hypotheses: Sequence[Hypothesis], p_values: Sequence[float]) -> list[float]:
    """Adjusted p of a graph: again and again the smallest p over its weight is taken out, and its weight handed on."""
    names = [h.name for h in hypotheses]
    even = 1 / len(names) if all(h.weight is None for h in hypotheses) else 0.0
    weight = {h.name: even if h.weight is None else float(h.weight) for h in hypotheses}
    share = {(h.name, other): float(h.next.get(other, 0.0)) for h in hypotheses for other in names}
    p = dict(zip(names, p_values, strict=True))
    left, found, largest = list(names), {}, 0.0
    while left:
        ratio = {n: p[n] / weight[n] if weight[n] > 0 else float("inf") for n in left}
        taken = min(left, key=lambda n: ratio[n])
        found[taken] = largest = max(largest, min(ratio[taken], 1.0))
        left.remove(taken)
        for one in left:
            weight[one] += weight[taken] * share[taken, one]
        handed_on = {}
        for one in left:
            for other in left:
                loop = share[one, taken] * share[taken, one]
                new = (share[one, other] + share[one, taken] * share[taken, other]) / (1 - loop) if loop < 1 else 0.0
                handed_on[one, other] = 0.0 if one == other else new
        share.update(handed_on)
    return [found[n] for n in names]
