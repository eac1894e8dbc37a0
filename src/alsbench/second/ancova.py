"""Analysis of covariance at each visit (METHODS 5): change on arm, baseline and covariates, by least squares."""

from __future__ import annotations

import math

import pandas as pd

from alsbench.second.design import Stats, arm_design, difference_stats, exponentiated, least_squares, mean_stats
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.proportions import pairs_of
from alsbench.second.trial import ALIKE, TrialTables
from alsbench.study.model import Comparison, Endpoint

GMR, RATIO = ("gmr", "gmr_low", "gmr_high"), ("ratio", "ratio_low", "ratio_high")
FIRST = ("first_visit", "first_lasting_visit")
ALPHA = 0.05
COVERED = {
    "arm": {"n", "n_below_lloq", "ls_mean", "se", "df", "conf_low", "conf_high", *GMR},
    "contrast": {"difference", "se", "df", "conf_low", "conf_high", "t", "p_value", "visits_tested", *FIRST, *RATIO},
}


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """LS means and differences at every visit: of each comparison's two arms, or of one fit of all arms."""
    made = NumberRows()
    rows = trial.model_rows(endpoint, members)
    if rows.empty:
        raise NotCovered("a subgroup without analysed rows")
    order = list(trial.study.arms.order)
    for visit in sorted(rows["visit"].unique()):
        here = rows[rows["visit"] == visit]
        if endpoint.arms == "all":
            there = [a for a in order if (here["arm"] == a).any()]
            _fitted(made, endpoint, here, visit, there, trial.study.comparisons)
            nobody: Stats = {"n": 0} if endpoint.lloq is None else {"n": 0, "n_below_lloq": 0}
            for arm in (a for a in order if a not in there):
                made.add("arm", nobody, arm=arm, visit=float(visit))
            continue
        for comparison in trial.study.comparisons:
            pair = [a for a in order if a in (comparison.treatment, comparison.reference)]
            _fitted(made, endpoint, here[here["arm"].isin(pair)], visit, pair, (comparison,))
    for treatment, reference in pairs_of(trial.study):
        of_pair = [n for n in made if n.stat_name == "p_value" and (n.treatment, n.reference) == (treatment, reference)]
        known = {float(n.visit or 0.0): float(n.stat) for n in of_pair if isinstance(n.stat, float)}
        made.add("contrast", first_visits(known), treatment=treatment, reference=reference)
    return made


def first_visits(p_values: dict[float, float]) -> Stats:
    """Of the p at each visit: how many there are, the first visit of one below 0.05, and the first from which all are."""
    visits = sorted(p_values)
    below = [v for v in visits if p_values[v] < ALPHA]
    lasting = [v for v in visits if all(p_values[later] < ALPHA for later in visits if later >= v)]
    return {
        "visits_tested": len(visits),
        "first_visit": below[0] if below else None,
        "first_lasting_visit": lasting[0] if lasting else None,
    }


def visit_read(rows: pd.DataFrame, comparison: Comparison) -> float | None:
    """The comparison's horizon, or the last analysed visit before it; None where there is none."""
    until = rows["visit"][rows["visit"] <= (math.inf if comparison.horizon is None else comparison.horizon + ALIKE)]
    return None if until.empty else float(until.max())


def _fitted(
    made: NumberRows,
    endpoint: Endpoint,
    rows: pd.DataFrame,
    visit: float,
    arms: list[str],
    comparisons: tuple[Comparison, ...],
) -> None:
    """One fit: LS means of its arms, differences of its comparisons. Where an arm has no rows, the counts alone."""
    sides = {"treatment": comparisons[0].treatment, "reference": comparisons[0].reference} if endpoint.arms != "all" else {}
    counts = {arm: int((rows["arm"] == arm).sum()) for arm in arms}
    below: dict[str, Stats] = {arm: {} if endpoint.lloq is None else {"n_below_lloq": _below(rows, arm)} for arm in arms}
    if not all(counts.values()):
        for arm, n in counts.items():
            made.add("arm", {"n": n, **below[arm]}, arm=arm, visit=float(visit), **sides)
        return
    design = arm_design(endpoint, rows, arms, ("base",))
    fit = least_squares(rows["y"].to_numpy(float), design.x, rows["weight"].to_numpy(float) if endpoint.weights else None)
    log = endpoint.scale == "log"
    for arm in arms:
        stats = mean_stats("ls_mean", fit.says(design.grid[arm]) if fit else None, fit.df if fit else 0.0)
        stats |= exponentiated(stats, GMR) if log else {}
        made.add("arm", {"n": counts[arm], **below[arm], **stats}, arm=arm, visit=float(visit), **sides)
    for comparison in comparisons:
        if comparison.treatment not in arms or comparison.reference not in arms:
            continue
        along = design.grid[comparison.treatment] - design.grid[comparison.reference]
        stats = difference_stats(fit.says(along) if fit else None, fit.df if fit else 0.0)
        stats |= exponentiated(stats, RATIO) if log else {}
        made.add("contrast", stats, treatment=comparison.treatment, reference=comparison.reference, visit=float(visit))


def _below(rows: pd.DataFrame, arm: str) -> int:
    """How many values of an arm are below the limit of quantification."""
    return int(rows.loc[rows["arm"] == arm, "below"].sum())
