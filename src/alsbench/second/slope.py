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
from statsmodels.regression.mixed_linear_model import MixedLM

from alsbench.second.design import Array, Stats, difference_stats, exponentiated, mean_stats, split_covariates, t_quantile
from alsbench.second.likelihood import (
    Likelihood,
    MixedFit,
    Sigma,
    Singular,
    blocks_of,
    independent_columns,
    places_of,
    stationary_information,
)
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.trial import DAYS, TrialTables, covariate, with_covariates
from alsbench.study.model import Comparison, Endpoint

GMR, RATIO = ("gmr", "gmr_low", "gmr_high"), ("ratio", "ratio_low", "ratio_high")
SLOWING = ("percent_slowing", "percent_slowing_low", "percent_slowing_high")
COVERED = {
    "arm": {"n", "n_below_lloq", "slope", "se", "df", "conf_low", "conf_high", *GMR},
    "contrast": {"difference", "se", "df", "conf_low", "conf_high", "t", "p_value", *RATIO, *SLOWING},
    "model": {"n_subjects", "n_observations", "log_likelihood", "aic", "bic", "sigma"},
}
NOT_IN_ROW_SPACE = 1e-7
DETERMINED = 1e-8  # of the smallest eigenvalue of the scaled information: below it a parameter is not determined


class Undetermined(Exception):
    """The design does not determine the variances, whatever the response: no number can be computed."""


@dataclass(frozen=True)
class RandomSlopes:
    """A fitted model. ``slope[arm]`` is the combination of coefficients that is the arm's slope, in ``units`` of the response;
    ``factor``: the random effects' Cholesky factor by rows, and the residual SD."""

    fit: MixedFit
    factor: Array
    slope: dict[str, Array]
    units: float
    offset: float
    parameters: int

    def says(self, along: Array) -> tuple[tuple[float, float], float]:
        """Estimate and standard error, and degrees of freedom."""
        estimate, se, df = self.fit.says(along)
        return (estimate * self.units, se * self.units), df

    @property
    def log_likelihood(self) -> float:
        """In the units of the response."""
        return self.fit.at.log_likelihood + self.offset


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Slopes of all arms, their differences, and the model."""
    made = NumberRows()
    rows = _rows(trial, endpoint, members)
    arms = [a for a in trial.study.arms.order if (rows["arm"] == a).any()]
    if not arms:
        raise NotCovered("a subgroup without analysed rows")
    try:
        model = fitted(endpoint, rows, arms)
    except Undetermined:
        return made
    log = endpoint.scale == "log"
    for arm in trial.study.arms.order:
        said = model.says(model.slope[arm]) if arm in arms else (None, 0.0)
        of_slope = mean_stats("slope", *said)
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


def _rows(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> pd.DataFrame:
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


def fitted(endpoint: Endpoint, rows: pd.DataFrame, arms: list[str]) -> RandomSlopes:
    """The model of these rows. Raises NotCovered where the optimum is not reached or on the boundary, and Undetermined where
    the restricted information of the variances is singular at V = I, and so at every V."""
    restricted = endpoint.estimation == "reml"
    if not restricted and endpoint.df == "kenward-roger":
        raise NotCovered("Kenward-Roger needs REML")
    months = rows["months"].to_numpy(float)
    is_arm = {a: (rows["arm"] == a).to_numpy(float) for a in arms}
    columns = [months * is_arm[a] for a in arms]
    columns += [np.ones(len(rows))] if endpoint.shared_baseline else [is_arm[a] for a in arms]
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
    if np.abs(made_of[:, : len(arms)] - (kept[:, None] == np.arange(len(arms)))).max() > NOT_IN_ROW_SPACE:
        raise NotCovered("slopes that the data do not determine")
    units = float((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]).std())
    if units == 0:
        raise NotCovered("residuals that are all zero")
    times = np.unique(months)
    subjects = pd.factorize(rows["subject"])[0]
    blocks = blocks_of(subjects, places_of(list(months), list(times)), np.zeros(len(y), dtype=np.int64), x, y / units)
    standard = (times - months.mean()) / months.std()
    if least_information(Likelihood(blocks, _natural(standard)), np.array([0.0, 0.0, 0.0, 1.0]))[1] < DETERMINED:
        raise Undetermined
    begin = _begin(y / units, x, months, subjects, restricted)
    fit, factor = _optimum(endpoint, Likelihood(blocks, _by_factor(times), restricted), times, begin)
    free = len(y) - x.shape[1] if restricted else len(y)
    offset = -free * math.log(units) - (float(np.log(np.array(scale)[kept]).sum()) if restricted else 0.0)
    identity = np.eye(x.shape[1])
    slope = {arm: identity[k] for k, arm in enumerate(arms)}
    return RandomSlopes(fit, factor, slope, units, offset, x.shape[1] + 4)


def _begin(y: Array, x: Array, months: Array, subjects: Array, restricted: bool) -> Array:
    """Rows of the random effects' Cholesky factor and the residual SD, by statsmodels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged is why it is polished: a few of its steps are dear enough
        model = MixedLM(y, x, groups=subjects, exog_re=np.column_stack([np.ones(len(y)), months]))
        made = model.fit(reml=restricted, method="lbfgs", maxiter=5)
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
        a, b, c, s = theta
        one, two = a + b * times, c * times
        return np.asarray((np.outer(one, one) + np.outer(two, two) + s * s * np.eye(len(times)))[None])

    return sigma


def _natural(times: Array) -> Sigma:
    def sigma(theta: Array) -> Array:
        intercept, both, slope, residual = theta
        sums = np.add.outer(times, times)
        return np.asarray((intercept + both * sums + slope * np.outer(times, times) + residual * np.eye(len(times)))[None])

    return sigma


def _contrast(made: NumberRows, endpoint: Endpoint, model: RandomSlopes, comparison: Comparison) -> None:
    place = {"treatment": comparison.treatment, "reference": comparison.reference}
    one, other = model.slope[comparison.treatment], model.slope[comparison.reference]
    said, df = model.says(one - other)
    found = difference_stats(said, df)
    if endpoint.scale == "log":
        found |= exponentiated(found, RATIO)
    made.add("contrast", found, **place)
    if model.says(other)[0][0] * (1 if endpoint.better == "higher" else -1) < 0:
        made.add("contrast", dict(zip(SLOWING, percent_slowing(model, one, other), strict=True)), **place)


def percent_slowing(model: RandomSlopes, one: Array, other: Array) -> tuple[float | None, float | None, float | None]:
    """100 (1 - b1/b0) with Fieller's (1954) limits, nothing where b0 is not clearly different from zero. The degrees of freedom
    are those of b1 - r b0, the contrast that Fieller tests, at r = b1/b0."""
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
