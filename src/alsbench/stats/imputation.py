"""What would the missing visits have been? Imputation at random and by reference to the control arm.

After a subject's last observation the future is taken from a joint normal model of all visits (an MMRM) under one of:
missing at random (own arm's mean); jump to reference (the reference arm's mean from then on); copy reference (as if in
the reference arm throughout); copy increments in reference (own mean so far, the reference arm's changes from then on).
Carpenter, Roger and Kenward 2013, doi 10.1080/10543406.2013.834911; conditional means are those of R's rbmi (Wolbers et
al. 2022, doi 10.1002/pst.2234). Death is not a missing value: such visits are for the joint rank, not for this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.threads import one_blas_thread

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Strategy = Literal["mar", "jump-to-reference", "copy-reference", "copy-increments"]


@dataclass(frozen=True)
class Outcomes:
    """``values`` (n, T) by post-baseline visit in time order, NaN missing; ``arm`` (n,) codes; ``reference`` the control's.

    ``deviation`` (n,) is the first visit from which the strategy holds, T for a subject to whom missing at random applies
    throughout. It may not precede an observed value.
    """

    values: Array
    arm: IntArray
    reference: int
    deviation: IntArray

    @property
    def observed(self) -> BoolArray:
        return ~np.isnan(self.values)

    @property
    def n(self) -> int:
        return int(self.values.shape[0])

    @property
    def n_visits(self) -> int:
        return int(self.values.shape[1])

    def take(self, index: IntArray) -> Outcomes:
        """The subjects of ``index``."""
        return Outcomes(self.values[index], self.arm[index], self.reference, self.deviation[index])


@dataclass(frozen=True)
class Moments:
    """The imputation model at one parameter value, for the subjects of an ``Outcomes``.

    ``own`` and ``reference`` (n, T) are each subject's means in the arm received and as if in the reference arm; ``sigma`` is
    (T, T), or (arms, T, T) with a covariance per arm.
    """

    own: Array
    reference: Array
    sigma: Array

    def take(self, index: IntArray) -> Moments:
        """The subjects of ``index``."""
        return Moments(self.own[index], self.reference[index], self.sigma)


def outcomes(values: Array, arm: IntArray, reference: int, *, deviation: IntArray | None = None) -> Outcomes:
    """Subjects' visits, deviating by default from the visit after the last one observed.

    Raises StatsError where a deviation precedes an observed value: decide first whether that value counts.
    """
    seen = ~np.isnan(values)
    T = values.shape[1]
    after = np.where(seen.any(axis=1), T - np.argmax(seen[:, ::-1], axis=1), 0).astype(np.int64)
    from_visit = after if deviation is None else np.asarray(deviation, dtype=np.int64)
    if np.any(from_visit < after):
        first = int(np.flatnonzero(from_visit < after)[0])
        raise StatsError(f"subject {first} has values after the visit from which reference-based imputation should hold")
    return Outcomes(np.asarray(values, dtype=np.float64), np.asarray(arm, dtype=np.int64), reference, np.minimum(from_visit, T))


def moments(X_own: Array, X_reference: Array, beta: Array, sigma: Array) -> Moments:
    """The moments of a fitted MMRM.

    ``X_own`` and ``X_reference`` (n, T, p) are its model matrix at every visit of every subject, as treated and with the arm
    set to the reference; ``beta`` (p,), NaN where aliased.
    """
    b = np.nan_to_num(beta, nan=0.0)
    return Moments(X_own @ b, X_reference @ b, sigma)


def conditional_means(data: Outcomes, model: Moments, *, strategy: Strategy) -> Array:
    """``values`` (n, T) with every missing one replaced by its expectation given the subject's observed ones. No randomness."""
    completed = data.values.copy()
    with one_blas_thread():
        own, reference, sigma = model.own[None], model.reference[None], model.sigma[None]
        for rows, missing, present, mu, regression, _ in _patterns(data, own, reference, sigma, strategy):
            completed[np.ix_(rows, missing)] = _expectation(data, rows, missing, present, mu, regression)[0]
    return completed


def draw(data: Outcomes, own: Array, reference: Array, sigma: Array, *, strategy: Strategy, rng: np.random.Generator) -> Array:
    """(M, n, T): one completed data set per parameter draw.

    ``own`` and ``reference`` are (M, n, T), ``sigma`` is (M, T, T), or (M, arms, T, T) with a covariance per arm.

    Each missing value is drawn from its distribution given the subject's observed values. The same generator state gives the
    same draws.
    """
    M = own.shape[0]
    completed = np.broadcast_to(data.values, (M, *data.values.shape)).copy()
    with one_blas_thread():
        for rows, missing, present, mu, regression, residual in _patterns(data, own, reference, sigma, strategy):
            expected = _expectation(data, rows, missing, present, mu, regression)
            root = np.linalg.cholesky(residual)
            noise = rng.standard_normal((M, rows.size, missing.size))
            completed[:, rows[:, None], missing[None, :]] = expected + noise @ root.transpose(0, 2, 1)
    return completed


def draw_parameters(
    beta: Array, vcov: Array, sigma: Array, df: float, draws: int, *, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Approximate posterior draws: beta (M, p) normal about its estimate, sigma (M, T, T) inverse Wishart with ``df``.

    ``df`` is the number of subjects less the coefficients per visit. The two are drawn independently, as in large samples.
    Aliased coefficients (NaN) stay zero.
    """
    T = sigma.shape[0]
    if not df > T - 1:
        raise StatsError(f"{df:g} degrees of freedom do not determine a covariance of {T} visits")
    beta, vcov = np.nan_to_num(beta, nan=0.0), np.nan_to_num(vcov, nan=0.0)
    values, vectors = np.linalg.eigh(vcov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    betas = beta + rng.standard_normal((draws, beta.size)) @ root.T
    A = np.tril(rng.standard_normal((draws, T, T)), -1)
    A[:, np.arange(T), np.arange(T)] = np.sqrt(rng.chisquare(df - np.arange(T), (draws, T)))
    # Bartlett: A A' is Wishart(df, I), so with sigma = C C' the inverse Wishart draw is df C (A A')^-1 C'
    half = np.sqrt(df) * np.linalg.cholesky(sigma) @ np.linalg.inv(A).transpose(0, 2, 1)
    return betas, half @ half.transpose(0, 2, 1)


def joint_moments(
    own: Array, reference: Array, sigma_own: Array, sigma_reference: Array, deviation: int, strategy: Strategy
) -> tuple[Array, Array]:
    """Means (..., T) and covariance (..., T, T) of a subject who deviates from visit ``deviation`` on (T: never).

    Where the arms have covariances of their own, what comes after the deviation regresses on what came before as in the
    reference arm, and what came before keeps its own covariance.
    """
    if strategy not in get_args(Strategy):
        raise StatsError(f"unknown imputation {strategy}; there are {', '.join(get_args(Strategy))}")
    if strategy == "mar" or deviation >= own.shape[-1]:
        return own, sigma_own
    if strategy == "copy-reference" or deviation == 0:
        return reference, sigma_reference
    mean = own.copy()
    mean[..., deviation:] = reference[..., deviation:]
    if strategy == "copy-increments":
        mean[..., deviation:] += (own - reference)[..., deviation - 1 : deviation]
    if sigma_own is sigma_reference:
        return mean, sigma_own
    return mean, _spliced(sigma_own, sigma_reference, deviation)


def _spliced(own: Array, reference: Array, d: int) -> Array:
    before_own, before = own[..., :d, :d], reference[..., :d, :d]
    slope = np.linalg.solve(before, reference[..., :d, d:]).swapaxes(-1, -2)
    out: Array = np.array(np.broadcast_to(own, np.broadcast_shapes(own.shape, reference.shape)))
    out[..., d:, :d] = slope @ before_own
    out[..., :d, d:] = out[..., d:, :d].swapaxes(-1, -2)
    out[..., d:, d:] = reference[..., d:, d:] - slope @ (before - before_own) @ slope.swapaxes(-1, -2)
    return out


def _patterns(
    data: Outcomes, own: Array, reference: Array, sigma: Array, strategy: Strategy
) -> Iterator[tuple[IntArray, IntArray, IntArray, Array, Array, Array]]:
    """Per pattern of missing visits, deviation and arm, subjects with nothing missing left out.

    Subjects (g,), missing visits (u,), observed ones (o,), means (M, g, T), regression on the observed (M, u, o), residual
    covariance (M, u, u).
    """
    seen = data.observed
    per_arm = sigma.ndim == 4
    arm = data.arm if per_arm else np.zeros(data.n, dtype=np.int64)
    keys = np.column_stack([seen.astype(np.int64), data.deviation, arm])
    distinct, which = np.unique(keys, axis=0, return_inverse=True)
    for code, key in enumerate(distinct):
        missing, present = _where(key[: data.n_visits] == 0), _where(key[: data.n_visits] == 1)
        if missing.size == 0:
            continue
        rows = _where(which.ravel() == code)
        mine = sigma[:, int(key[-1])] if per_arm else sigma
        control = sigma[:, data.reference] if per_arm else mine
        mu, S = joint_moments(own[:, rows], reference[:, rows], mine, control, int(key[data.n_visits]), strategy)
        across = S[:, present][:, :, missing]
        regression = np.asarray(np.linalg.solve(S[:, present][:, :, present], across), dtype=np.float64).transpose(0, 2, 1)
        residual: Array = S[:, missing][:, :, missing] - regression @ across
        yield rows, missing, present, mu, regression, residual


def _expectation(data: Outcomes, rows: IntArray, missing: IntArray, present: IntArray, mu: Array, regression: Array) -> Array:
    residual = data.values[np.ix_(rows, present)] - mu[:, :, present]
    return np.asarray(mu[:, :, missing] + residual @ regression.transpose(0, 2, 1))


def _where(mask: BoolArray) -> IntArray:
    return np.flatnonzero(mask).astype(np.int64)
