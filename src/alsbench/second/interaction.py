"""Whether treatment does more in a subgroup than outside of it (docs/methods.md, Subgroups): one model over both parts.

The endpoint's own model gets the part and arm by part; the contrast is the difference between the two treatment differences.
ANCOVA at the comparison's horizon (or the last analysed visit before it), the joint rank ranked once over both parts, and the
Cox model, whose contrast is the difference of two log hazard ratios.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alsbench.second import ancova, joint_rank, survival
from alsbench.second.design import Array, arm_design, least_squares, t_two_sided
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.trial import TrialTables, covariate, with_covariates
from alsbench.study.model import Comparison, Endpoint

METHODS = frozenset({"ancova", "joint_rank", "time_to_event"})


def interactions(trial: TrialTables, endpoint: Endpoint, name: str) -> NumberRows:
    """The ``interaction_p`` of a subgroup of the study and its complement, one for each comparison; missing where the data do
    not tell it. Raises NotCovered for an endpoint whose model has no closed form here."""
    if endpoint.method not in METHODS:
        raise NotCovered(f"the interaction of the method {endpoint.method}")
    inside = trial.members(name, endpoint.population)
    outside = trial.members(f"not {name}", endpoint.population)
    members = trial.subjects[trial.subjects.index.isin([*inside.index, *outside.index])]
    part = pd.Series(members.index.isin(inside.index).astype(float), index=members.index)
    rows: dict[tuple[str, str, float | None], float | None] = {}
    for comparison in trial.study.comparisons:
        arms = list(trial.study.arms.order) if endpoint.arms == "all" else [comparison.treatment, comparison.reference]
        if endpoint.method == "time_to_event":
            visit, p = None, _of_times(trial, endpoint, members, part, comparison)
        elif endpoint.method == "ancova":
            visit, p = _of_changes(trial, endpoint, members, part, comparison, arms)
        else:
            visit, p = float(comparison.horizon or 0.0), _of_ranks(trial, endpoint, members, part, comparison, arms)
        rows.setdefault((comparison.treatment, comparison.reference, visit), p)
    made = NumberRows()
    for (treatment, reference, visit), p in rows.items():
        made.add("subgroup", {"interaction_p": p}, treatment=treatment, reference=reference, visit=visit)
    return made


def _of_changes(
    trial: TrialTables,
    endpoint: Endpoint,
    members: pd.DataFrame,
    part: pd.Series,
    comparison: Comparison,
    arms: Sequence[str],
) -> tuple[float | None, float | None]:
    rows = ancova.at_horizon(trial, endpoint, members, comparison, arms)
    if rows.empty:
        return None, None
    weights = rows["weight"].to_numpy(float) if endpoint.weights else None
    visit = float(rows["visit"].iloc[0])
    return visit, _p_of(endpoint, rows, rows["subject"].map(part), comparison, arms, ("base",), weights)


def _of_ranks(
    trial: TrialTables,
    endpoint: Endpoint,
    members: pd.DataFrame,
    part: pd.Series,
    comparison: Comparison,
    arms: Sequence[str],
) -> float | None:
    rows = joint_rank.ranked_rows(trial, endpoint, members, arms, comparison)
    return _p_of(endpoint, rows, part[rows.index], comparison, arms, (), None)


def _p_of(
    endpoint: Endpoint,
    rows: pd.DataFrame,
    part: pd.Series,
    comparison: Comparison,
    arms: Sequence[str],
    more: Sequence[str],
    weights: Array | None,
) -> float | None:
    """The p of arm by part; every arm has a column of its own in the part, so that the contrast is of two of them."""
    there = [a for a in arms if (rows["arm"] == a).any()]
    if not {comparison.treatment, comparison.reference} <= set(there):
        return None
    design = arm_design(endpoint, rows, there, more)
    inside = np.column_stack([((rows["arm"] == a) & (part == 1)).to_numpy(float) for a in there])
    fit = least_squares(rows["y"].to_numpy(float), np.hstack([design.x, inside]), weights)
    if fit is None:
        return None
    along = np.zeros(fit.x.shape[1])
    along[design.x.shape[1] + there.index(comparison.treatment)] = 1.0
    along[design.x.shape[1] + there.index(comparison.reference)] = -1.0
    said = fit.says(along)
    return None if said is None or said[1] == 0 else t_two_sided(said[0] / said[1], fit.df)


def _of_times(
    trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, part: pd.Series, comparison: Comparison
) -> float | None:
    rows = survival.time_rows(trial, endpoint, members)
    rows = rows[rows["arm"].isin([comparison.treatment, comparison.reference])]
    rows = with_covariates(rows, members, endpoint.covariates).dropna(subset=[covariate(c) for c in endpoint.covariates])
    inside = rows["subject"].map(part).to_numpy(float)
    treated = (rows["arm"] == comparison.treatment).to_numpy(float)
    event = rows["event"].to_numpy(int)
    for arm, where in ((a, w) for a in (0.0, 1.0) for w in (0.0, 1.0)):
        if event[(treated == arm) & (inside == where)].sum() == 0:
            return None  # events happen on one side only: no finite ratio of hazard ratios
    return survival.interaction_p(endpoint, rows, members, treated, inside)
