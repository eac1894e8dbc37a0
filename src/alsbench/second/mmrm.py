"""The mixed model for repeated measures (METHODS 4): change on arm by visit, baseline by visit and covariates.

A column for every arm at every visit, one for the baseline at each visit, and one for every level of a factor: what is empty or
depends on the others is left out, and a contrast that is not in the row space has no number. The restricted likelihood is
that of the usual coding with an intercept, whose columns are whole-numbered combinations of these with determinant one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from alsbench.second.design import (
    Array,
    Stats,
    arms_or_parts,
    difference_stats,
    exponentiated,
    held_at,
    mean_stats,
    split_covariates,
)
from alsbench.second.likelihood import (
    NOT_IN_ROW_SPACE,
    Likelihood,
    MixedFit,
    Singular,
    Tested,
    blocks_of,
    independent_columns,
    places_of,
    reduced,
    stationary_information,
)
from alsbench.second.numbers import NotCovered, NumberRows, Undetermined
from alsbench.second.structures import SIMPLER, start, structure
from alsbench.second.trial import TrialTables
from alsbench.study.model import Comparison, Endpoint

GMR, RATIO = ("gmr", "gmr_low", "gmr_high"), ("ratio", "ratio_low", "ratio_high")
DETERMINED = 1e-6  # least information on a logarithm of an SD, or on a correlation's transform: some units are usual
COVERED = {
    "arm": {"n", "n_below_lloq", "ls_mean", "se", "df", "conf_low", "conf_high", *GMR},
    "contrast": {"difference", "se", "df", "conf_low", "conf_high", "t", "p_value", "p_adjusted", *RATIO}
    | {"visits_tested", "first_visit", "first_lasting_visit"},
    "model": {"n_subjects", "n_observations", "log_likelihood", "aic", "bic", "covariance", "sigma"}
    | {"f", "num_df", "den_df", "p_value"},
}
ALPHA = 0.05
DRAWS, SEED = 50_000, 20140  # points of the multivariate-t probability


@dataclass(frozen=True)
class MeanModel:
    """The columns of the mean, and what combinations of their coefficients mean.

    ``cell[arm, visit]`` (of two parts ``cell[in_part(arm, inside), visit]``), ``slope[visit]`` of the baseline,
    ``number[name]``, ``levels[name]``: the place of a column;
    ``scale``: what each was divided by, ``centre``: what was taken away before; ``words``: the levels of a factor;
    ``base_point``: where the baseline stands at zero in its column; ``shares``: the weight of each level of a factor in an LS
    mean."""

    x: Array
    scale: Array
    cell: Mapping[tuple[str, float], int]
    slope: Mapping[float, int]
    number: Mapping[str, int]
    levels: Mapping[str, list[int]]
    centre: Array
    words: Mapping[str, list[object]]
    shares: Mapping[str, Array]
    base_point: float

    def zero(self) -> Array:
        """No coefficient."""
        return np.zeros(self.x.shape[1])

    def mean(self, arm: str, visit: float) -> Array:
        """An LS mean: covariates where they are read, factors averaged."""
        made = self.zero()
        made[self.cell[arm, visit]] = 1.0
        for name, columns in self.levels.items():
            made[columns] = self.shares[name]
        return made

    def at_zero(self, arm: str, visit: float) -> Array:
        """The mean of an arm at a visit at a baseline of zero, less what does not depend on arm and visit."""
        made = self.zero()
        made[self.cell[arm, visit]] = 1.0
        if self.slope:
            made[self.slope[visit]] = -self.base_point / self.scale[self.slope[visit]]
        return made


def mean_model(endpoint: Endpoint, rows: pd.DataFrame, cells: Mapping[str, Array], visits: list[float]) -> MeanModel:
    """The columns of the mean of these rows: numeric covariates centred where LS means are read, and divided by their SD.

    ``cells``: what has a mean of its own at every visit, as :func:`arms_or_parts` has it."""
    columns: list[Array] = []
    scale: list[float] = []
    centres: list[float] = []

    def add(values: Array, divisor: float = 1.0, centre: float = 0.0, where: Array | float = 1.0) -> int:
        columns.append((values - centre) * where / divisor)
        scale.append(divisor)
        centres.append(centre)
        return len(columns) - 1

    at_visit = {v: (rows["visit"] == v).to_numpy(float) for v in visits}
    cell = {}
    for name, within in cells.items():
        for v in visits:
            cell[name, v] = add(within * at_visit[v])
    slope: dict[float, int] = {}
    base = rows["base"].to_numpy(float)
    held = held_at(endpoint, "base")
    point = float(base.mean()) if held is None else held
    if rows["base"].nunique() > 1:
        slope = {v: add(base, float(base.std()), point, at_visit[v]) for v in visits}
    numeric, factors = split_covariates(endpoint, rows, endpoint.covariates)
    number = {}
    for name in numeric:
        values = rows[name].to_numpy(float)
        held = held_at(endpoint, name)
        number[name] = add(values, float(values.std()), float(values.mean()) if held is None else held)
    levels, shares, words = {}, {}, {}
    for name in factors:
        words[name] = found = sorted(rows[name].unique())
        levels[name] = [add((rows[name] == level).to_numpy(float)) for level in found]
        observed = np.array([float((rows[name] == level).mean()) for level in found])
        shares[name] = observed if endpoint.ls_means == "proportional" else np.full(len(found), 1 / len(found))
    x = np.column_stack(columns)
    return MeanModel(x, np.array(scale), cell, slope, number, levels, np.array(centres), words, shares, point)


@dataclass(frozen=True)
class RepeatedMeasures:
    """A fitted model: what it says of combinations of all columns, dependent ones included."""

    mean: MeanModel
    kept: NDArray[np.int64]
    made_of: Array  # every column as a combination of those kept
    fit: MixedFit
    name: str  # of the covariance structure
    units: float  # what y was divided by
    offset: float  # what units, scales and weights add to the log-likelihood
    hessian: Array  # of the covariance parameters
    subjects: pd.Index  # by their codes

    def says(self, combination: Array) -> tuple[tuple[float, float], float] | None:
        """Estimate and standard error, and degrees of freedom; None where the data do not determine it."""
        along = reduced(combination, self.kept, self.made_of)
        if along is None:
            return None
        estimate, se, df = self.fit.says(along)
        return (estimate * self.units, se * self.units), df

    def influence(self, combination: Array) -> pd.Series:
        """By subject what it adds to the error of a combination that the data determine, in ``units``."""
        return pd.Series(self.fit.influence(combination[self.kept]), index=self.subjects)

    def test(self, combinations: Array) -> Tested | None:
        """That all of ``combinations`` are zero, or what of them the data determine; None where that is nothing."""
        if not len(combinations):
            return None
        beyond = combinations[:, self.kept] @ self.made_of - combinations
        if np.abs(beyond).max(initial=0.0) > NOT_IN_ROW_SPACE * max(1.0, np.abs(combinations).max()):
            left, sizes, _ = np.linalg.svd(beyond)
            rank = int((sizes > NOT_IN_ROW_SPACE * sizes[0]).sum())
            combinations = left[:, rank:].T @ combinations
        return self.fit.test(combinations[:, self.kept]) if len(combinations) else None

    @property
    def log_likelihood(self) -> float:
        """In the units of the response."""
        return self.fit.at.log_likelihood + self.offset

    @cached_property
    def sd(self) -> Array:
        """Standard deviations (groups, visits)."""
        return np.sqrt(np.diagonal(self.fit.sigma, axis1=1, axis2=2)) * self.units


def fitted(
    endpoint: Endpoint,
    rows: pd.DataFrame,
    arms: list[str],
    visits: list[float],
    near: RepeatedMeasures | None = None,
    part: Array | None = None,
) -> RepeatedMeasures:
    """The model of these rows (``y``, ``arm``, ``visit``, ``subject``, ``base``, ``weight``, covariates).

    A structure without a maximum is followed by the next simpler one. Raises Undetermined where none has one, NotCovered where
    an optimum is not reached, and for Kenward-Roger without the restricted likelihood. ``near``: a fit of nearly the same rows,
    whose structure this one has too. ``part`` (1 for rows inside of it, 0 outside): every arm has means of its own in both
    parts."""
    restricted = endpoint.estimation == "reml"
    if not restricted and endpoint.df == "kenward-roger":
        raise NotCovered("Kenward-Roger needs REML")
    mean = mean_model(endpoint, rows, arms_or_parts(rows, arms, part), visits)
    root = np.sqrt(rows["weight"].to_numpy(float))
    kept, made_of = independent_columns(mean.x * root[:, None])
    x = mean.x[:, kept]
    if len(x) <= x.shape[1]:
        raise Undetermined("a model without residual degrees of freedom")
    y = rows["y"].to_numpy(float)
    residual = y - x @ np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
    units = near.units if near else float(residual.std())
    if units == 0:
        raise Undetermined("residuals that are all zero")
    place = places_of(list(rows["visit"]), visits)
    by_arm = places_of(list(rows["arm"]), arms) if endpoint.covariance_by_arm else np.zeros(len(rows), dtype=np.int64)
    subjects, people = pd.factorize(rows["subject"])
    blocks = blocks_of(subjects, place, by_arm, x * root[:, None], y * root / units)
    groups = len(arms) if endpoint.covariance_by_arm else 1
    free = len(y) - x.shape[1] if restricted else len(y)
    offset = float(np.log(root).sum()) - free * math.log(units)
    if restricted:
        offset -= float(np.log(mean.scale[kept]).sum())
    if near:
        likelihood = Likelihood(blocks, structure(near.name, len(visits), groups), restricted)
        theta = likelihood.refined(near.fit.theta, near.hessian)
        fit = MixedFit(likelihood, theta, -near.hessian, endpoint.df)
        return RepeatedMeasures(mean, kept, made_of, fit, near.name, units, offset, near.hessian, people)
    white = pd.Series(residual * root / units)
    sd = np.maximum(white.groupby(place).apply(lambda r: math.sqrt((r**2).mean())).to_numpy(), 1e-3)
    lag_one = _lag_one(white.to_numpy(), subjects, place, sd)
    name: str | None = endpoint.covariance
    while name is not None:
        likelihood = Likelihood(blocks, structure(name, len(visits), groups), restricted)
        try:
            theta, hessian = likelihood.maximise(start(name, sd, lag_one, groups))
            if np.linalg.eigvalsh(-hessian)[0] < DETERMINED:
                raise Singular("a parameter of the covariance is not determined")
        except Singular:
            name = SIMPLER.get(name)
            continue
        fit = MixedFit(likelihood, theta, stationary_information(hessian), endpoint.df)
        return RepeatedMeasures(mean, kept, made_of, fit, name, units, offset, hessian, people)
    raise Undetermined(f"no structure from {endpoint.covariance} on has a maximum")


def _lag_one(residual: Array, subjects: NDArray[np.int64], place: NDArray[np.int64], sd: Array) -> float:
    """The mean product of standardised residuals one visit apart: where the search starts."""
    table = pd.DataFrame({"s": subjects, "v": place, "r": residual / sd[place]})
    pairs = table.merge(table.assign(v=table["v"] + 1), on=["s", "v"])
    return float((pairs["r_x"] * pairs["r_y"]).mean()) if len(pairs) else 0.0


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """LS means and differences of all arms at every visit, over visits, and of the model."""
    return analysed(trial, endpoint, members)[0]


def analysed(
    trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame
) -> tuple[NumberRows, pd.DataFrame, RepeatedMeasures]:
    """Those numbers, the rows they are of, and their model."""
    made = NumberRows()
    rows = trial.model_rows(endpoint, members)
    if rows.empty:
        raise NotCovered("a subgroup without analysed rows")
    arms = [a for a in trial.study.arms.order if (rows["arm"] == a).any()]
    visits = [float(v) for v in sorted(rows["visit"].unique())]
    model = fitted(endpoint, rows, arms, visits)
    _arms(made, trial, endpoint, rows, model, visits)
    for comparison in trial.study.comparisons:
        if comparison.treatment in arms and comparison.reference in arms:
            _contrasts(made, endpoint, model, comparison, visits)
    _model(made, trial, endpoint, rows, model, arms, visits)
    return made, rows, model


def _arms(
    made: NumberRows, trial: TrialTables, endpoint: Endpoint, rows: pd.DataFrame, model: RepeatedMeasures, visits: list[float]
) -> None:
    for arm in trial.study.arms.order:
        for visit in visits:
            here = rows[(rows["arm"] == arm) & (rows["visit"] == visit)]
            said = model.says(model.mean.mean(arm, visit)) if (arm, visit) in model.mean.cell else None
            of_mean = mean_stats("ls_mean", *said) if said else mean_stats("ls_mean", None, 0.0)
            found: Stats = {"n": len(here), **of_mean}
            if endpoint.scale == "log":
                found |= exponentiated(of_mean, GMR) | {"n_below_lloq": int(here["below"].sum())}
            made.add("arm", found, arm=arm, visit=visit)


def _contrasts(
    made: NumberRows, endpoint: Endpoint, model: RepeatedMeasures, comparison: Comparison, visits: list[float]
) -> None:
    place = {"treatment": comparison.treatment, "reference": comparison.reference}
    mean = model.mean.mean
    along = {v: mean(comparison.treatment, v) - mean(comparison.reference, v) for v in visits}
    log, tested = endpoint.scale == "log", {}
    for visit in visits:
        found = _difference_stats(model, along[visit], log=log)
        if found["p_value"] is not None:
            tested[visit] = found
        made.add("contrast", found, visit=visit, **place)
    over: dict[str, dict[float, float]] = {}
    if len(visits) > 1:
        over["average over visits"] = {v: 1 / len(visits) for v in visits}
    over |= {name: {float(v): w for v, w in weights.items()} for name, weights in endpoint.visit_contrasts.items()}
    for name, weights in over.items():
        if set(weights) <= set(along):
            whole = np.sum([w * along[v] for v, w in weights.items()], axis=0)
            made.add("contrast", _difference_stats(model, whole, log=log), level=name, **place)
    made.add("contrast", {"visits_tested": len(tested)}, **place)
    p_values = {v: float(s["p_value"] or 0.0) for v, s in tested.items()}
    small = [v for v in p_values if p_values[v] < ALPHA]
    lasting = [v for v in p_values if all(p_values[u] < ALPHA for u in p_values if u >= v)]
    first = {"first_visit": min(small, default=None), "first_lasting_visit": min(lasting, default=None)}
    made.add("contrast", dict(first), **place)
    wanted = list(p_values) if endpoint.adjust == "max-t" else sorted({v for v in first.values() if v is not None})
    level = None if endpoint.adjust == "max-t" else f"max-t over {len(tested)} visits"
    if len(tested) > 1:
        for visit, (p, error) in _max_t(model, tested, along, wanted).items():
            made.add("contrast", {"p_adjusted": p}, visit=visit, level=level, error=error, **place)


def _difference_stats(model: RepeatedMeasures, along: Array, *, log: bool) -> Stats:
    said = model.says(along)
    found = difference_stats(*said) if said else difference_stats(None, 0.0)
    return found | (exponentiated(found, RATIO) if log else {})


def _max_t(
    model: RepeatedMeasures, tested: Mapping[float, Stats], along: Mapping[float, Array], wanted: list[float]
) -> dict[float, tuple[float, float]]:
    """The single-step p of visits and its Monte Carlo standard error: of the largest |t| over all visits tested, with the
    correlation of the estimates and the smallest degrees of freedom, by SciPy's multivariate t."""
    rows = np.array([along[v][model.kept] for v in tested])
    covariance = rows @ model.fit.covariance @ rows.T
    sd = np.sqrt(np.diagonal(covariance))
    shape = covariance / np.outer(sd, sd)
    df = min(float(s["df"] or 0.0) for s in tested.values())
    found = {}
    for visit in wanted:
        t = np.full(len(shape), abs(float(tested[visit]["t"] or 0.0)))
        each = [
            1 - float(stats.multivariate_t.cdf(t, shape=shape, df=df, lower_limit=-t, maxpts=DRAWS, random_state=SEED + k))
            for k in range(4)
        ]
        found[visit] = (float(np.mean(each)), max(float(np.std(each, ddof=1)) / 2, 1e-7))
    return found


def _model(
    made: NumberRows,
    trial: TrialTables,
    endpoint: Endpoint,
    rows: pd.DataFrame,
    model: RepeatedMeasures,
    arms: list[str],
    visits: list[float],
) -> None:
    n, subjects, k = len(rows), int(rows["subject"].nunique()), len(model.fit.theta)
    fit: Stats = {"n_subjects": subjects, "n_observations": n, "log_likelihood": model.log_likelihood}
    fit |= {"aic": -2 * model.log_likelihood + 2 * k, "bic": -2 * model.log_likelihood + k * math.log(subjects)}
    made.add("model", fit)
    made.add("model", {"covariance": model.name}, level=model.name)
    for group, sd in zip(arms if endpoint.covariance_by_arm else [None], model.sd, strict=True):
        for visit, value in zip(visits, sd, strict=True):
            made.add("model", {"sigma": float(value)}, visit=visit, level=group)
    for term, combinations in _terms(trial, endpoint, model.mean, arms, visits):
        tested = model.test(combinations)
        if tested:
            found: Stats = {"num_df": tested.num_df}
            if not math.isnan(tested.f):
                found |= {"f": tested.f, "den_df": tested.den_df, "p_value": tested.p}
            made.add("model", found, level=term)


def _terms(
    trial: TrialTables, endpoint: Endpoint, mean: MeanModel, arms: list[str], visits: list[float]
) -> Iterator[tuple[str, Array]]:
    """Every term of the mean and the contrasts that are zero where it has no effect: averaged with equal weights over what it
    is crossed with, the baseline at zero (type 3, as R's car). Satterthwaite's degrees of freedom of several contrasts hang on
    which they are: those of coding by sums to zero, each level but the last against the mean of all."""
    arm_word, visit_word = trial.study.arms.planned, trial.study.visits.label
    base_word = "ln(BASE)" if endpoint.scale == "log" else "BASE"
    cells = np.array([[mean.at_zero(a, v) for v in visits] for a in arms])  # arms, visits, columns
    yield arm_word, _against_mean(cells.mean(axis=1))
    yield visit_word, _against_mean(cells.mean(axis=0))
    crossed = _against_mean(_against_mean(cells).swapaxes(0, 1)).swapaxes(0, 1)
    yield f"{arm_word}:{visit_word}", crossed.reshape(-1, crossed.shape[2])
    if mean.slope:
        slopes = np.array([_one(mean, mean.slope[v], 1 / mean.scale[mean.slope[v]]) for v in visits])
        yield base_word, slopes.mean(axis=0)[None]
        yield f"{base_word}:{visit_word}", _against_mean(slopes)
    for name, column in mean.number.items():
        yield name.removeprefix("covariate "), _one(mean, column)[None]
    for name, columns in mean.levels.items():
        yield name.removeprefix("covariate "), _against_mean(np.array([_one(mean, c) for c in columns]))


def _against_mean(levels: Array) -> Array:
    """Each level (along the first axis) but the last against the mean of all."""
    return np.asarray((levels - levels.mean(axis=0))[:-1])


def _one(mean: MeanModel, column: int, value: float = 1.0) -> Array:
    made = mean.zero()
    made[column] = value
    return made
