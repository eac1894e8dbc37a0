"""Random slopes (METHODS 5): the value on months by arm, an intercept and a slope of its own for every subject.

Begun by statsmodels' MixedLM, which is seen to stop short of the optimum, and polished by the dense likelihood. Kenward and
Roger with the expected information of the variances and the covariance, which is pbkrtest's; Satterthwaite with the observed
one of the random effects' Cholesky factor, which is lmerTest's, also where a variance is zero or the correlation one.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.regression.mixed_linear_model import MixedLM

from alsbench.second.design import (
    Array,
    Stats,
    arms_or_parts,
    difference_stats,
    exponentiated,
    mean_stats,
    split_covariates,
    t_quantile,
)
from alsbench.second.likelihood import (
    Likelihood,
    MixedFit,
    Sigma,
    Singular,
    blocks_of,
    independent_columns,
    places_of,
    reduced,
    stationary_information,
)
from alsbench.second.numbers import NotCovered, NumberRows, Undetermined
from alsbench.second.trial import DAYS, TrialTables, covariate, with_covariates
from alsbench.study.model import Comparison, Endpoint

GMR, RATIO = ("gmr", "gmr_low", "gmr_high"), ("ratio", "ratio_low", "ratio_high")
SLOWING = ("percent_slowing", "percent_slowing_low", "percent_slowing_high")
COVERED = {
    "arm": {"n", "n_below_lloq", "slope", "se", "df", "conf_low", "conf_high", *GMR},
    "contrast": {"difference", "se", "df", "conf_low", "conf_high", "t", "p_value", *RATIO, *SLOWING},
    "model": {"n_subjects", "n_observations", "log_likelihood", "aic", "bic", "sigma"},
}
DETERMINED = 1e-8  # of the smallest eigenvalue of the scaled information: below it a parameter is not determined


@dataclass(frozen=True)
class RandomSlopes:
    """A fitted model. ``slope[arm]`` (of two parts ``slope[in_part(arm, inside)]``) is the combination of all columns that is
    the arm's slope, in ``units`` of the response; ``kept`` and ``made_of`` as :func:`independent_columns` has them; ``factor``:
    the random effects' Cholesky factor by rows, and the residual SD; ``subjects`` by their codes."""

    fit: MixedFit
    factor: Array
    slope: dict[str, Array]
    kept: NDArray[np.int64]
    made_of: Array
    units: float
    offset: float
    parameters: int
    subjects: pd.Index

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

    @property
    def log_likelihood(self) -> float:
        """In the units of the response."""
        return self.fit.at.log_likelihood + self.offset


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Slopes of all arms, their differences, and the model."""
    made = NumberRows()
    rows = slope_rows(trial, endpoint, members)
    arms = [a for a in trial.study.arms.order if (rows["arm"] == a).any()]
    if not arms:
        raise NotCovered("a subgroup without analysed rows")
    try:
        model = fitted(endpoint, rows, arms)
    except Undetermined:
        return made
    log = endpoint.scale == "log"
    for arm in trial.study.arms.order:
        said = model.says(model.slope[arm]) if arm in arms else None
        of_slope = mean_stats("slope", *said) if said else mean_stats("slope", None, 0.0)
        found: Stats = {"n": int(rows.loc[rows["arm"] == arm, "subject"].nunique()), **of_slope}
        if log:
            found |= exponentiated(of_slope, GMR) | {"n_below_lloq": int(rows.loc[rows["arm"] == arm, "below"].sum())}
        made.add("arm", found, arm=arm)
    for comparison in trial.study.comparisons:
        if comparison.treatment in arms and comparison.reference in arms:
            _contrast(made, endpoint, model, comparison)
    subjects, n, k = int(rows["subject"].nunique()), len(rows), model.parameters
    ll = model.log_likelihood
    made.add("model", {"n_subjects": subjects, "n_observations": n, "log_likelihood": ll})
    made.add("model", {"aic": -2 * ll + 2 * k, "bic": -2 * ll + k * math.log(n)})
    a, b, c, residual = np.abs(model.factor)
    for level, sd in {"residual": residual, "random intercept": a, "random slope": math.hypot(b, c)}.items():
        made.add("model", {"sigma": float(sd) * model.units}, level=level)
    return made


def slope_rows(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> pd.DataFrame:
    """Values at baseline and after it: ``y``, ``months``, ``visit``, ``arm``, ``subject`` and covariates."""
    records = trial.records(endpoint, members)
    baseline = trial.study.visits.baseline
    chosen = records["visit"].isin({*endpoint.visits, baseline}) if endpoint.visits else records["visit"] >= baseline
    found = records[chosen & records["aval"].notna()]
    if found.duplicated(["subject", "visit"]).any():
        raise NotCovered("a subject has two records at one visit")
    months = found["visit"] * DAYS[trial.study.visits.unit] / DAYS["month"]
    found = with_covariates(found, members, endpoint.covariates).assign(y=found["aval"], months=months)
    return found.dropna(subset=["y", "arm", "visit", *map(covariate, endpoint.covariates)])


def fitted(endpoint: Endpoint, rows: pd.DataFrame, arms: list[str], part: Array | None = None) -> RandomSlopes:
    """The model of these rows. ``part`` (1 for rows inside of it, 0 outside): every arm has a slope of its own in both parts,
    and so has its intercept, or, with a shared baseline, each part. Raises NotCovered where the optimum is not reached, and
    Undetermined where the restricted information of the variances is singular at V = I, and so at every V."""
    restricted = endpoint.estimation == "reml"
    if not restricted and endpoint.df == "kenward-roger":
        raise NotCovered("Kenward-Roger needs REML")
    months = rows["months"].to_numpy(float)
    cells = arms_or_parts(rows, arms, part)
    together = [np.ones(len(rows))] if part is None else [1 - part, part]
    columns = [months * within for within in cells.values()]
    columns += together if endpoint.shared_baseline else list(cells.values())
    scale = [1.0] * len(columns)
    numeric, factors = split_covariates(endpoint, rows, endpoint.covariates)
    for name in numeric:
        values = rows[name].to_numpy(float)
        columns.append((values - values.mean()) / values.std())
        scale.append(float(values.std()))
    for name in factors:
        levels = sorted(rows[name].unique())
        columns += [(rows[name] == level).to_numpy(float) for level in levels]
        scale += [1.0] * len(levels)
    whole = np.column_stack(columns)
    kept, made_of = independent_columns(whole)
    x, y = whole[:, kept], rows["y"].to_numpy(float)
    units = float((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]).std())
    if units == 0:
        raise NotCovered("residuals that are all zero")
    times = np.unique(months)
    subjects, people = pd.factorize(rows["subject"])
    blocks = blocks_of(subjects, places_of(list(months), list(times)), np.zeros(len(y), dtype=np.int64), x, y / units)
    standard = (times - months.mean()) / months.std()
    if least_information(Likelihood(blocks, _natural(standard)), np.array([0.0, 0.0, 0.0, 1.0]))[1] < DETERMINED:
        raise Undetermined("variances that the data do not determine")
    begin = _begin(y / units, x, months, subjects, restricted)
    fit, factor = _optimum(endpoint, Likelihood(blocks, _by_factor(times), restricted), times, begin)
    free = len(y) - x.shape[1] if restricted else len(y)
    offset = -free * math.log(units) - (float(np.log(np.array(scale)[kept]).sum()) if restricted else 0.0)
    slope = dict(zip(cells, np.eye(whole.shape[1]), strict=False))  # the first columns
    return RandomSlopes(fit, factor, slope, kept, made_of, units, offset, x.shape[1] + 4, people)


def _begin(y: Array, x: Array, months: Array, subjects: Array, restricted: bool) -> Array:
    """Rows of the random effects' Cholesky factor and the residual SD, by statsmodels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged is why it is polished: a few of its steps are dear enough
        model = MixedLM(y, x, groups=subjects, exog_re=np.column_stack([np.ones(len(y)), months]))
        made = model.fit(reml=restricted, method="lbfgs", maxiter=2)
    values, vectors = np.linalg.eigh(np.asarray(made.cov_re))
    root = np.linalg.cholesky((vectors * np.maximum(values, 1e-8)) @ vectors.T)
    return np.array([root[0, 0], root[1, 0], root[1, 1], math.sqrt(float(made.scale))])


def _optimum(endpoint: Endpoint, likelihood: Likelihood, times: Array, begin: Array) -> tuple[MixedFit, Array]:
    """The fit, and the random effects' Cholesky factor by rows with the residual SD."""
    try:
        factor, hessian = likelihood.maximise(begin)
    except Singular as fault:
        raise NotCovered("a covariance matrix that goes singular") from fault
    if endpoint.df == "satterthwaite":
        return MixedFit(likelihood, factor, stationary_information(hessian), endpoint.df), factor
    a, b, c, s = factor
    natural = np.array([a * a, a * b, b * b + c * c, s * s])
    likelihood = Likelihood(likelihood.blocks, _natural(times), likelihood.restricted)
    return MixedFit(likelihood, natural, expected_information(likelihood, natural), endpoint.df), factor


def expected_information(likelihood: Likelihood, theta: Array) -> Array:
    """Of the variances. Raises NotCovered where one of them is not determined."""
    information, least = least_information(likelihood, theta)
    if least < 1e-12:
        raise NotCovered("a variance that the data do not determine")
    return information


def least_information(likelihood: Likelihood, theta: Array) -> tuple[Array, float]:
    """Half the trace of P V_i P V_j, P being V^-1 - V^-1 X (X' V^-1 X)^-1 X' V^-1 and V_i the derivative by a parameter; and
    its smallest eigenvalue in units of the information of each parameter if the coefficients were known."""
    phi = np.linalg.inv(likelihood.evaluate(theta).information)
    sigma, along = likelihood.sigma(theta), likelihood.directions(theta)
    k, p = len(along), likelihood.p
    traces, once, twice = np.zeros((k, k)), np.zeros((k, p, p)), np.zeros((k, k, p, p))
    for b in likelihood.blocks:
        inverse = np.linalg.inv(likelihood.of_block(b, sigma))
        moved = along[:, b.group][:, b.visits][:, :, b.visits]
        traces += len(b.y) * np.einsum("ab,ibc,cd,jda->ij", inverse, moved, inverse, moved, optimize=True)
        scaled = inverse @ b.x
        turned = np.einsum("iab,sbp->isap", moved, scaled)
        once += np.einsum("sap,isaq->ipq", scaled, turned, optimize=True)
        twice += np.einsum("isap,ab,jsbq->ijpq", turned, inverse, turned, optimize=True)
    within = np.einsum("pq,iqr,rs,jsp->ij", phi, once, phi, once, optimize=True)
    information = (traces - 2 * np.einsum("pq,ijqp->ij", phi, twice) + within) / 2
    size = np.sqrt(np.diagonal(traces) / 2)
    return np.asarray(information), float(np.linalg.eigvalsh(information / np.outer(size, size))[0])


def _by_factor(times: Array) -> Sigma:
    def sigma(theta: Array) -> Array:
        a, b, c, s = (part[..., None, None] for part in np.moveaxis(theta, -1, 0))
        row, column = times[None, :], times[:, None]
        made = (a + b * row) * (a + b * column) + c * c * row * column + s * s * np.eye(len(times))
        return np.asarray(made[..., None, :, :])

    return sigma


def _natural(times: Array) -> Sigma:
    def sigma(theta: Array) -> Array:
        intercept, both, slope, residual = (part[..., None, None] for part in np.moveaxis(theta, -1, 0))
        row, column = times[None, :], times[:, None]
        made = intercept + both * (row + column) + slope * row * column + residual * np.eye(len(times))
        return np.asarray(made[..., None, :, :])

    return sigma


def _contrast(made: NumberRows, endpoint: Endpoint, model: RandomSlopes, comparison: Comparison) -> None:
    place = {"treatment": comparison.treatment, "reference": comparison.reference}
    one, other = model.slope[comparison.treatment], model.slope[comparison.reference]
    said, of_reference = model.says(one - other), model.says(other)
    found = difference_stats(*said) if said else difference_stats(None, 0.0)
    if endpoint.scale == "log":
        found |= exponentiated(found, RATIO)
    made.add("contrast", found, **place)
    if said and of_reference and of_reference[0][0] * (1 if endpoint.better == "higher" else -1) < 0:
        made.add("contrast", dict(zip(SLOWING, percent_slowing(model, one, other), strict=True)), **place)


def percent_slowing(model: RandomSlopes, one: Array, other: Array) -> tuple[float | None, float | None, float | None]:
    """100 (1 - b1/b0) with Fieller's (1954) limits, nothing where b0 is not clearly different from zero. The degrees of freedom
    are those of b1 - r b0, the contrast that Fieller tests, at r = b1/b0."""
    one, other = one[model.kept], other[model.kept]
    b1, b0 = float(one @ model.fit.beta), float(other @ model.fit.beta)
    c = model.fit.covariance
    v11, v00, v10 = float(one @ c @ one), float(other @ c @ other), float(one @ c @ other)
    t = t_quantile(model.fit.df(one - b1 / b0 * other))
    a = b0**2 - t**2 * v00
    if a <= 0:
        return None, None, None
    middle, rest = b1 * b0 - t**2 * v10, b1**2 - t**2 * v11
    half = math.sqrt(middle**2 - a * rest)
    low, high = (middle - half) / a, (middle + half) / a
    return 100 * (1 - b1 / b0), 100 * (1 - high), 100 * (1 - low)
