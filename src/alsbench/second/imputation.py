"""Missing values imputed by their conditional means beside an MMRM (Carpenter, Roger and Kenward 2013, doi
10.1080/10543406.2013.834911; Wolbers et al. 2022, doi 10.1002/pst.2234).

A subject's values after its last observed one are their expectation given those observed, under means of its own arm or of the
reference arm; gaps before that under its own. The completed change at the visit where the comparison is read is analysed by
least squares, of all arms; standard errors are the jackknife's over subjects, for which everything is fitted anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alsbench.second import mmrm
from alsbench.second.design import Array, Stats, arm_design, difference_stats, exponentiated, least_squares, mean_stats
from alsbench.second.likelihood import NOT_IN_ROW_SPACE
from alsbench.second.mmrm import RepeatedMeasures, fitted
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.trial import DAYS, TrialTables, covariate, with_covariates
from alsbench.study.model import Comparison, Endpoint

TIPPING = ("difference", "conf_low", "conf_high", "p_value")
TIPS = ("tipping_delta", "tipping_sd", "tipping_per_month")
ALPHA = 0.05
REACH_IN_SD, ABOUT = 3.0, 12  # how far the default grid of deltas reaches, and in how many steps at most
HALVINGS = 80


Analysed = tuple[pd.DataFrame, pd.DataFrame, RepeatedMeasures]  # subjects, their rows, the model of these
COVERED = mmrm.COVERED | {"arm": mmrm.COVERED["arm"] | {"n_imputed"}, "contrast": mmrm.COVERED["contrast"] | {*TIPS}}


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Those of the MMRM, what an ANCOVA of the completed values says at each comparison's horizon, and over the grid of deltas.

    Raises NotCovered for multiple imputation."""
    if endpoint.imputation_method == "multiple":
        raise NotCovered("multiple imputation, whose draws are each program's own")
    made, rows, model = mmrm.analysed(trial, endpoint, members)
    subjects = _subjects(trial, endpoint, members)
    left_out = [_without(endpoint, subjects, rows, model, subject) for subject in subjects["subject"]]
    for comparison in trial.study.comparisons:
        _compared(made, trial, endpoint, (subjects, rows, model), left_out, comparison)
    return made


def _without(
    endpoint: Endpoint, subjects: pd.DataFrame, rows: pd.DataFrame, model: RepeatedMeasures, subject: object
) -> Analysed:
    """Everybody else, and the model of their rows."""
    kept = rows[rows["subject"] != subject]
    arms = list(dict.fromkeys(arm for arm, _ in model.mean.cell))
    visits = [float(v) for v in sorted(rows["visit"].unique())]
    again = fitted(endpoint, kept, arms, visits, near=model) if len(kept) < len(rows) else model
    return subjects[subjects["subject"] != subject], kept, again


def _subjects(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> pd.DataFrame:
    """Every subject with an arm, a baseline and covariates: ``subject``, ``arm``, ``base``."""
    records = trial.records(endpoint, members)
    base = records.dropna(subset=["base"]).groupby("subject")["base"].first()
    found = pd.DataFrame({"subject": members.index, "base": members.index.map(base), "arm": trial.arm_of(members).to_numpy()})
    found = with_covariates(found, members, endpoint.covariates)
    return found.dropna(subset=["arm", "base", *map(covariate, endpoint.covariates)]).reset_index(drop=True)


def _compared(
    made: NumberRows,
    trial: TrialTables,
    endpoint: Endpoint,
    everybody: Analysed,
    left_out: list[Analysed],
    comparison: Comparison,
) -> None:
    subjects, rows, model = everybody
    visits = [float(v) for v in sorted(rows["visit"].unique())]
    horizon = math.inf if comparison.horizon is None else comparison.horizon
    reached = [v for v in visits if v <= horizon + 1e-9]
    if not reached or not {comparison.treatment, comparison.reference} <= set(rows["arm"]):
        return
    visit = reached[-1]
    place: dict[str, Any] = {"treatment": comparison.treatment, "reference": comparison.reference, "visit": visit}
    sides = (comparison.treatment, comparison.reference)
    whole = _completed(endpoint, subjects, rows, model, comparison.reference, visit)
    others = [_completed(endpoint, *each, comparison.reference, visit) for each in left_out]
    estimates = _Estimates.of(endpoint, [whole, *others], sides)
    of_arm, found = estimates.at(endpoint.delta)
    log = endpoint.scale == "log"
    for arm, of_mean in zip(sides, of_arm, strict=True):
        own = whole["arm"] == arm
        stats: Stats = {"n": int(own.sum()), "n_imputed": int(whole.loc[own, "imputed"].sum())}
        stats |= of_mean | (exponentiated(of_mean, mmrm.GMR) if log else {})
        made.add("arm", stats, arm=arm, variable="imputed", level=endpoint.imputation, **place)
    found |= exponentiated(found, mmrm.RATIO) if log else {}
    made.add("contrast", found, variable="imputed", level=endpoint.imputation, **place)
    _tipping(made, trial, endpoint, whole, estimates, place)


def _tipping(
    made: NumberRows,
    trial: TrialTables,
    endpoint: Endpoint,
    whole: pd.DataFrame,
    estimates: _Estimates,
    place: dict[str, Any],
) -> None:
    """The delta that takes the conclusion away, in points, SDs of the observed values and points per month since the last
    value; and what is found over the grid of deltas. Where no value is shifted there is neither."""
    moved = whole[whole["after"] & (whole["arm"] == place["treatment"])]
    tips: Stats = dict.fromkeys(TIPS)
    if moved.empty:
        made.add("contrast", tips, variable="tipping point", level=endpoint.imputation, **place)
        return
    worse = -1.0 if endpoint.better == "higher" else 1.0
    sd = float(whole.loc[~whole["imputed"], "y"].std())
    grid = list(endpoint.tipping_deltas) or default_grid(worse, sd)
    delta = _tipping_delta(estimates, grid, worse)
    if delta is not None:
        visits = trial.study.visits
        since = (place["visit"] - moved["last"].fillna(visits.baseline)) * DAYS[visits.unit] / DAYS["month"]
        tips = dict(zip(TIPS, (delta, delta / sd if sd > 0 else None, delta / float(since.mean())), strict=True))
    made.add("contrast", tips, variable="tipping point", level=endpoint.imputation, **place)
    for delta in grid:
        found = estimates.at(delta)[1]
        at = {"variable": "tipping point", "level": f"delta {delta:g}"}
        made.add("contrast", {k: found[k] for k in TIPPING}, **at, **place)


def default_grid(worse: float, sd: float) -> list[float]:
    """Multiples of a step from zero to the first that is three SDs or more, in the direction ``worse`` (1 or -1). The step is
    the smallest 1, 2 or 5 times a power of ten that is at least a twelfth of three SDs; without an SD 0 and 1 are the grid."""
    reach = REACH_IN_SD * sd
    if not reach > 0:
        return [0.0, worse]
    near = math.floor(math.log10(reach / ABOUT))
    steps = sorted(m * 10.0**k for k in (near - 1, near, near + 1) for m in (1, 2, 5))
    step = next(s for s in steps if s * ABOUT >= reach * (1 - 1e-12))
    grid = [0.0]
    while abs(grid[-1]) < reach:
        grid.append(worse * step * len(grid))
    return grid


def _tipping_delta(estimates: _Estimates, grid: list[float], worse: float) -> float | None:
    """The first delta along the grid with p of 0.05 or the other sign, halved down to where that begins; None where the
    difference is not significant in favour of the treatment without a delta, or nothing on the grid takes that away."""
    start = estimates.at(0.0)[1]
    if not float(start["p_value"] or 0.0) < ALPHA or float(start["difference"] or 0.0) * worse > 0:
        return None

    def tipped(delta: float) -> bool:
        found = estimates.at(delta)[1]
        return float(found["p_value"] or 0.0) >= ALPHA or float(found["difference"] or 0.0) * worse >= 0

    beyond = next((k for k, delta in enumerate(grid) if k > 0 and tipped(delta)), None)
    if beyond is None:
        return None
    holds, gone = grid[beyond - 1], grid[beyond]
    for _ in range(HALVINGS):
        middle = (holds + gone) / 2
        holds, gone = (holds, middle) if tipped(middle) else (middle, gone)
    return gone


def _completed(
    endpoint: Endpoint, subjects: pd.DataFrame, rows: pd.DataFrame, model: RepeatedMeasures, reference: str, visit: float
) -> pd.DataFrame:
    """The subjects with ``y`` at the visit (observed or expected), ``imputed``, ``after`` (their last observed value) and
    ``last`` (the visit of that)."""
    visits = [float(v) for v in sorted(rows["visit"].unique())]
    table = rows.pivot(index="subject", columns="visit", values="y").reindex(index=subjects["subject"], columns=visits)
    y, at = table.to_numpy(float), visits.index(visit)
    seen = ~np.isnan(y)
    last = np.where(seen.any(axis=1), len(visits) - 1 - np.argmax(seen[:, ::-1], axis=1), -1)
    own = _means(model, subjects, list(subjects["arm"]), visits)
    other = _means(model, subjects, [reference] * len(subjects), visits)
    arms = list(dict.fromkeys(arm for arm, _ in model.mean.cell))
    value = y[:, at].copy()
    for i in np.flatnonzero(~seen[:, at]):
        group = arms.index(subjects["arm"].iloc[i]) if len(model.fit.sigma) > 1 else 0
        sigma = model.fit.sigma[group] * model.units**2
        mean = own[i] if at < last[i] else _under(endpoint, own[i], other[i], int(last[i]))
        known = np.flatnonzero(seen[i])
        value[i] = mean[at]
        if len(known):
            value[i] += sigma[at, known] @ np.linalg.solve(sigma[np.ix_(known, known)], y[i, known] - mean[known])
    visit_of_last = np.where(last >= 0, np.array(visits)[last], np.nan)
    return subjects.assign(y=value, imputed=~seen[:, at], after=~seen[:, at] & (at > last), last=visit_of_last)


def _under(endpoint: Endpoint, own: Array, other: Array, last: int) -> Array:
    """The means by which values after place ``last`` are imputed."""
    after = np.arange(len(own)) > last
    if endpoint.imputation == "mar":
        return own
    if endpoint.imputation == "copy-reference":
        return other
    if endpoint.imputation == "jump-to-reference" or last < 0:
        return np.where(after, other, own)
    return np.where(after, own[last] + other - other[last], own)


def _means(model: RepeatedMeasures, subjects: pd.DataFrame, arms: list[str], visits: list[float]) -> Array:
    """What the model expects of each subject at each visit (subjects, visits), were it in that arm."""
    mean = model.mean
    x = np.zeros((len(subjects), len(visits), mean.x.shape[1]))
    people = np.arange(len(x))
    for k, visit in enumerate(visits):
        x[people, k, [mean.cell[a, visit] for a in arms]] = 1.0
        if mean.slope:
            column = mean.slope[visit]
            x[:, k, column] = (subjects["base"].to_numpy(float) - mean.centre[column]) / mean.scale[column]
    for name, column in mean.number.items():
        x[:, :, column] = ((subjects[name].to_numpy(float) - mean.centre[column]) / mean.scale[column])[:, None]
    for name, columns in mean.levels.items():
        for word, column in zip(mean.words[name], columns, strict=True):
            x[:, :, column] = (subjects[name] == word).to_numpy(float)[:, None]
        if not subjects[name].isin(mean.words[name]).all():
            raise NotCovered("a level of a factor that nobody with a value has")
    kept = x[:, :, model.kept]
    if np.abs(kept @ model.made_of - x).max() > NOT_IN_ROW_SPACE * max(1.0, np.abs(x).max()):
        raise NotCovered("a mean to impute by that the data do not determine")
    return np.asarray(kept @ model.fit.beta * model.units)


def _estimates(endpoint: Endpoint, completed: pd.DataFrame, sides: tuple[str, str]) -> Array:
    """LS means of the treatment and the reference (deltas, sides) with deltas of 0 and 1, which are added to the treatment's
    values imputed after the last one."""
    moved = (completed["after"] & (completed["arm"] == sides[0])).to_numpy(float)
    design = arm_design(endpoint, completed, sorted(set(completed["arm"])), ("base",))
    made = []
    for delta in (0.0, 1.0):
        fit = least_squares(completed["y"].to_numpy(float) + delta * moved, design.x)
        known = [said[0] for arm in sides if fit and (said := fit.says(design.grid[arm]))]
        if len(known) < 2:
            raise NotCovered("an analysis of completed values that the data do not determine")
        made.append(known)
    return np.array(made)


@dataclass(frozen=True)
class _Estimates:
    """LS means of both sides (everybody and each one left out; treatment, reference) without a delta, and what one unit of it
    adds: least squares is linear in the values."""

    means: Array
    per_delta: Array

    @classmethod
    def of(cls, endpoint: Endpoint, completed: list[pd.DataFrame], sides: tuple[str, str]) -> _Estimates:
        """Those of the completed values, everybody's first."""
        found = np.array([_estimates(endpoint, rows, sides) for rows in completed])
        return cls(found[:, 0], found[:, 1] - found[:, 0])

    def at(self, delta: float) -> tuple[list[Stats], Stats]:
        """The LS means of both sides and their difference: standard errors by leaving out each subject, normal inference."""
        means = self.means + delta * self.per_delta
        found = np.column_stack([means, means[:, 0] - means[:, 1]])
        n = len(found) - 1
        se = np.sqrt((n - 1) / n * ((found[1:] - found[1:].mean(axis=0)) ** 2).sum(axis=0))
        said = [(float(v), float(s)) for v, s in zip(found[0], se, strict=True)]
        of_arm = [mean_stats("ls_mean", pair, math.inf) | {"df": None} for pair in said[:2]]
        return of_arm, difference_stats(said[2], math.inf) | {"df": None}
