"""Residuals and influence in a fitted MMRM: does the model fit, and does one subject carry the answer?

Residuals are raw, divided by their standard deviation (Pearson), or decorrelated within the subject by the Cholesky factor of
the subject's covariance matrix (normalized; independent standard normal under the model), as in R's mmrm. Leverage is the
diagonal of the hat matrix X Phi X'W; it sums to the number of coefficients. Cook's distance is that of leaving a whole
subject out with the covariance parameters held (Cook 1977, doi 10.1080/00401706.1977.10489493; Christensen, Pearson and
Johnson 1992, Technometrics 34:38-45); it is not that of fitting the model again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.design import Design
from alsbench.stats.errors import StatsError
from alsbench.stats.mmrm import MMRMFit
from alsbench.stats.mmrm_layout import codes_of, lay_out
from alsbench.stats.threads import one_blas_thread

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Diagnostics:
    """Per row (n,): ``fitted``, ``response`` (observed minus fitted), ``pearson``, ``normalized`` residuals and ``leverage``.
    Per subject (N,), in the order of ``subjects``: ``subject_leverage`` (the sum over the subject's rows), ``cook``, and
    ``change`` (N, p): the coefficients minus those without the subject, NaN where it alone determines one, and for aliased
    ones."""

    fitted: Array
    response: Array
    pearson: Array
    normalized: Array
    leverage: Array
    subjects: tuple[object, ...]
    subject_leverage: Array
    cook: Array
    change: Array


def diagnose(
    fit: MMRMFit,
    y: ArrayLike,
    X: ArrayLike | Design,
    subject: ArrayLike,
    visit: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    group: ArrayLike | None = None,
) -> Diagnostics:
    """Residuals and influence of the rows ``fit`` was fitted to; the arguments are those of the fit."""
    response = np.asarray(y, dtype=np.float64)
    matrix = X.X if isinstance(X, Design) else np.asarray(X, dtype=np.float64)
    if matrix.shape != (response.size, fit.aliased.size) or response.size != fit.n_observations:
        raise StatsError(f"the model has {fit.n_observations} rows and {fit.aliased.size} coefficients, not {matrix.shape}")
    kept = matrix[:, ~fit.aliased]
    root = np.ones(response.size) if weights is None else np.sqrt(np.asarray(weights, dtype=np.float64))
    labels = np.asarray(subject)
    sigmas = fit.sigma if fit.sigma.ndim == 3 else fit.sigma[None]
    if (group is None) != (fit.sigma.ndim == 2):
        raise StatsError("group is to be given exactly where the model was fitted with it")
    layout = lay_out(labels, np.asarray(visit, dtype=np.int64), sigmas.shape[1], None if group is None else np.asarray(group))
    fitted = kept @ fit.precision.beta
    residual = (response - fitted) * root
    half = (kept * root[:, None]) @ fit.precision.A
    n, N = response.size, layout.row.shape[0]
    pearson, normalized, leverage = np.empty(n), np.empty(n), np.empty(n)
    total, moved = np.empty(N), np.empty((N, half.shape[1]))
    key = np.concatenate([layout.group[:, None], layout.seen], axis=1)
    _, first, pattern = np.unique(key, axis=0, return_index=True, return_inverse=True)
    with one_blas_thread():
        for number, example in enumerate(first.tolist()):
            who = np.flatnonzero(pattern.reshape(-1) == number)
            visits = np.flatnonzero(layout.seen[example])
            rows = layout.row[np.ix_(who, visits)]
            S = sigmas[layout.group[example]][np.ix_(visits, visits)]
            found = _influence(S, residual[rows], half[rows])
            pearson[rows] = residual[rows] / np.sqrt(np.diag(S))
            normalized[rows], leverage[rows], moved[who] = found
            total[who] = leverage[rows].sum(axis=1)
    rank = int((~fit.aliased).sum())
    change = np.full((N, fit.aliased.size), np.nan)
    change[:, ~fit.aliased] = moved @ fit.precision.A.T
    cook = (moved**2).sum(axis=1) / rank
    _, ordered = codes_of(labels)
    return Diagnostics(fitted, response - fitted, pearson, normalized, leverage, tuple(ordered), total, cook, change)


def _influence(S: Array, r: Array, half: Array) -> tuple[Array, Array, Array]:
    """For subjects of one pattern: decorrelated residuals (N, m), leverages (N, m) and the change of the coefficients in units
    of A (N, p), from residuals ``r`` (N, m) and ``half`` (N, m, p) = X A with A A' = Phi."""
    L_inverse = np.linalg.inv(np.linalg.cholesky(S))
    z = r @ L_inverse.T
    Z = np.matmul(L_inverse, half)  # whitened rows: Z Z' is the hat matrix of the whitened subject
    W = L_inverse.T @ L_inverse
    leverage = np.einsum("imp,mk,ikp->im", half, W, half, optimize=True)
    rest = np.eye(S.shape[0]) - np.matmul(Z, Z.transpose(0, 2, 1))
    singular = np.linalg.eigvalsh(rest)[:, 0] < 1e-10  # a subject that alone determines a coefficient
    rest[singular] = np.eye(S.shape[0])
    change = np.matmul(Z.transpose(0, 2, 1), np.linalg.solve(rest, z[:, :, None]))[:, :, 0]
    return z, leverage, np.where(singular[:, None], np.nan, change)
