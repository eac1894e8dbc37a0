"""Analysis of covariance at each visit (METHODS 5): change on arm, baseline and covariates, by least squares."""

from __future__ import annotations

import pandas as pd

from alsbench.second.design import arm_design, difference_stats, exponentiated, least_squares, mean_stats
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.trial import TrialTables
from alsbench.study.model import Comparison, Endpoint

GMR, RATIO = ("gmr", "gmr_low", "gmr_high"), ("ratio", "ratio_low", "ratio_high")
COVERED = {
    "arm": {"n", "ls_mean", "se", "df", "conf_low", "conf_high", *GMR},
    "contrast": {"difference", "se", "df", "conf_low", "conf_high", "t", "p_value", "visits_tested", *RATIO},
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
            _fitted(made, endpoint, here, visit, [a for a in order if (here["arm"] == a).any()], trial.study.comparisons)
            continue
        for comparison in trial.study.comparisons:
            pair = [a for a in order if a in (comparison.treatment, comparison.reference)]
            _fitted(made, endpoint, here[here["arm"].isin(pair)], visit, pair, (comparison,))
    for comparison in trial.study.comparisons:
        sides = (comparison.treatment, comparison.reference)
        known = {
            n.visit for n in made if n.stat_name == "p_value" and (n.treatment, n.reference) == sides and n.stat is not None
        }
        tested = len(known)
        made.add("contrast", {"visits_tested": tested}, treatment=comparison.treatment, reference=comparison.reference)
    return made


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
    if not all(counts.values()):
        for arm, n in counts.items():
            made.add("arm", {"n": n}, arm=arm, visit=float(visit), **sides)
        return
    design = arm_design(endpoint, rows, arms, ("base",))
    fit = least_squares(rows["y"].to_numpy(float), design.x, rows["weight"].to_numpy(float) if endpoint.weights else None)
    log = endpoint.scale == "log"
    for arm in arms:
        stats = mean_stats("ls_mean", fit.says(design.grid[arm]) if fit else None, fit.df if fit else 0.0)
        stats |= exponentiated(stats, GMR) if log else {}
        made.add("arm", {"n": counts[arm], **stats}, arm=arm, visit=float(visit), **sides)
    for comparison in comparisons:
        if comparison.treatment not in arms or comparison.reference not in arms:
            continue
        along = design.grid[comparison.treatment] - design.grid[comparison.reference]
        stats = difference_stats(fit.says(along) if fit else None, fit.df if fit else 0.0)
        stats |= exponentiated(stats, RATIO) if log else {}
        made.add("contrast", stats, treatment=comparison.treatment, reference=comparison.reference, visit=float(visit))
