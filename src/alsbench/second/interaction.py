"""Whether treatment does more in a subgroup than outside of it (docs/methods.md, Subgroups): one model over both parts.

The endpoint's own model gets the part and arm by part (by visit, by time); the contrast is the difference between the two
treatment differences, at the comparison's horizon or the last analysed visit before it; of an MMRM where the subgroup's own
result is read, if its own model tells one. The joint rank is ranked once over both parts; of the Cox model it is the difference
of two log hazard ratios. An MMRM has a mean for every arm, visit and part, one covariance for both parts, and the endpoint's
degrees of freedom; random slopes a slope for every arm and part, and an intercept for each, or, with a shared baseline, for
each part.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alsbench.second import ancova, joint_rank, mmrm, slope, survival
from alsbench.second.design import Array, arm_design, difference_stats, in_part, least_squares, t_two_sided
from alsbench.second.numbers import NotCovered, NumberRows, Undetermined
from alsbench.second.trial import TrialTables, covariate, with_covariates
from alsbench.study.model import Comparison, Endpoint

METHODS = frozenset({"ancova", "joint_rank", "mmrm", "slope", "time_to_event"})
Read = tuple[float | None, float | None]  # the visit, if the method goes by visit, and the p there; None where there is none


def interactions(trial: TrialTables, endpoint: Endpoint, name: str) -> NumberRows:
    """The ``interaction_p`` of a subgroup of the study and its complement, one for each comparison; missing where the data do
    not tell it. Raises NotCovered for a method without one contrast."""
    if endpoint.method not in METHODS:
        raise NotCovered(f"the interaction of the method {endpoint.method}")
    inside = trial.members(name, endpoint.population)
    outside = trial.members(f"not {name}", endpoint.population)
    members = trial.subjects[trial.subjects.index.isin([*inside.index, *outside.index])]
    part = pd.Series(members.index.isin(inside.index).astype(float), index=members.index)
    comparisons = trial.study.comparisons
    if endpoint.method in ("mmrm", "slope"):
        of_mixed_model = _of_repeated_measures if endpoint.method == "mmrm" else _of_slopes
        try:
            found = of_mixed_model(trial, endpoint, members, part)
        except Undetermined:
            found = [(None, None) for _ in comparisons]
    elif endpoint.method == "ancova":
        found = [_of_changes(trial, endpoint, members, part, c) for c in comparisons]
    elif endpoint.method == "time_to_event":
        found = [(None, _of_times(trial, endpoint, members, part, c)) for c in comparisons]
    else:
        found = [(float(c.horizon or 0.0), _of_ranks(trial, endpoint, members, part, c)) for c in comparisons]
    rows: dict[tuple[str, str, float | None], float | None] = {}
    for comparison, (visit, p) in zip(comparisons, found, strict=True):
        rows.setdefault((comparison.treatment, comparison.reference, visit), p)
    made = NumberRows()
    for (treatment, reference, visit), p in rows.items():
        made.add("subgroup", {"interaction_p": p}, treatment=treatment, reference=reference, visit=visit)
    return made


def _of_repeated_measures(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, part: pd.Series) -> list[Read]:
    rows = trial.model_rows(endpoint, members)
    side = rows["subject"].map(part).to_numpy(float)
    within = rows[side == 1]
    at = [ancova.visit_read(within, c) if _has_both(within, c) else None for c in trial.study.comparisons]
    if all(visit is None for visit in at):
        return [(None, None) for _ in at]
    mmrm.fitted(endpoint, within, _arms_of(trial, within), _visits_of(within))  # or there is nothing for it to stand beside
    model = mmrm.fitted(endpoint, rows, _arms_of(trial, rows), _visits_of(rows), part=side)
    found: list[Read] = []
    for comparison, visit in zip(trial.study.comparisons, at, strict=True):
        cells = [] if visit is None else [(model.mean.cell.get((name, visit)), sign) for name, sign in _signs(comparison)]
        along = model.mean.zero()
        for cell, sign in cells:
            if cell is not None:
                along[cell] = sign
        found.append((visit, None if visit is None or any(c is None for c, _ in cells) else _p_in(model, along)))
    return found


def _of_slopes(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, part: pd.Series) -> list[Read]:
    rows = slope.slope_rows(trial, endpoint, members)
    if rows.empty:
        return [(None, None) for _ in trial.study.comparisons]
    arms = _arms_of(trial, rows)
    model = slope.fitted(endpoint, rows, arms, rows["subject"].map(part).to_numpy(float))
    found: list[Read] = []
    for comparison in trial.study.comparisons:
        known = {comparison.treatment, comparison.reference} <= set(arms)
        along = np.sum([sign * model.slope[name] for name, sign in _signs(comparison)], axis=0) if known else None
        found.append((None, None if along is None else _p_in(model, along)))
    return found


def _has_both(rows: pd.DataFrame, comparison: Comparison) -> bool:
    return {comparison.treatment, comparison.reference} <= set(rows["arm"])


def _arms_of(trial: TrialTables, rows: pd.DataFrame) -> list[str]:
    return [a for a in trial.study.arms.order if (rows["arm"] == a).any()]


def _visits_of(rows: pd.DataFrame) -> list[float]:
    return [float(v) for v in sorted(rows["visit"].unique())]


def _signs(comparison: Comparison) -> list[tuple[str, float]]:
    """What of an arm in a part is added to, or taken from, the difference between two treatment differences."""
    return [
        (in_part(arm, side), sign if side else -sign)
        for arm, sign in ((comparison.treatment, 1.0), (comparison.reference, -1.0))
        for side in (1.0, 0.0)
    ]


def _p_in(model: mmrm.RepeatedMeasures | slope.RandomSlopes, along: Array) -> float | None:
    said = model.says(along)
    p = difference_stats(*said)["p_value"] if said else None
    return None if p is None else float(p)


def _of_changes(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, part: pd.Series, comparison: Comparison) -> Read:
    arms = _modelled(trial, endpoint, comparison)
    rows = trial.model_rows(endpoint, members)
    visit = ancova.visit_read(rows, comparison)
    here = rows[(rows["visit"] == visit) & rows["arm"].isin(arms)]
    if here.empty:
        return visit, None
    weights = here["weight"].to_numpy(float) if endpoint.weights else None
    return visit, _p_of(endpoint, here, here["subject"].map(part), comparison, arms, ("base",), weights)


def _modelled(trial: TrialTables, endpoint: Endpoint, comparison: Comparison) -> list[str]:
    return list(trial.study.arms.order) if endpoint.arms == "all" else [comparison.treatment, comparison.reference]


def _of_ranks(
    trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, part: pd.Series, comparison: Comparison
) -> float | None:
    arms = _modelled(trial, endpoint, comparison)
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
