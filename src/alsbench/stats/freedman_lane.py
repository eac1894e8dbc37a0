"""Is one coefficient of a linear model more than chance, without trusting the normal distribution?

Residuals of the model without the coefficient are permuted, added back to its fitted values, and the full model is fitted to
each: what the other terms explain stays explained (Freedman and Lane 1983, doi 10.1080/07350015.1983.10509354; Winkler et al.
2014, doi 10.1016/j.neuroimage.2014.01.060). Asymptotically exact; for an interaction there is no exact test, since its arms and
parts have effects of their own that a plain permutation would break.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.design import aliased_columns
from alsbench.stats.errors import StatsError
from alsbench.stats.threads import one_blas_thread

Array = NDArray[np.float64]

BATCH = 2_000


@dataclass(frozen=True)
class ResidualPermutation:
    """``estimate``, ``t``, ``df`` and parametric ``p`` of the coefficient; ``permutation_p`` of ``draws`` permutations."""

    estimate: float
    t: float
    df: int
    p: float
    permutation_p: float
    draws: int


def permute_residuals(y: ArrayLike, others: ArrayLike, x: ArrayLike, *, draws: int, seed: int) -> ResidualPermutation:
    """Test the coefficient of ``x`` (n,) beside ``others`` (n, k) and an intercept in the regression of ``y`` (n,).

    Columns of ``others`` that earlier ones determine are left out. Raises StatsError where they determine ``x``, or no degree
    of freedom is left.
    """
    from scipy.special import stdtr

    response, column = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    Z = np.column_stack([np.ones(response.size), np.asarray(others, dtype=np.float64).reshape(response.size, -1)])
    Z = Z[:, ~aliased_columns(Z)]
    df = response.size - Z.shape[1] - 1
    if df < 1:
        raise StatsError("no degrees of freedom left")
    with one_blas_thread():
        Q = np.linalg.qr(Z)[0]
        own, rest = _outside(Q, column), _outside(Q, response)
        size = float(own @ own)
        if size <= 1e-10 * float(column @ column):
            raise StatsError("the other terms of the model determine this one")
        w = own / math.sqrt(size)
        if float(rest @ rest) <= 1e-20 * float(response @ response):
            raise StatsError("nothing is left to explain")
        full = np.column_stack([Q, w])
        observed = float(_t(rest[None, :], full, df)[0])
        rng = np.random.default_rng(seed)
        extreme = 0
        for start in range(0, draws, BATCH):
            shuffled = rng.permuted(np.tile(rest, (min(BATCH, draws - start), 1)), axis=1)
            extreme += int((np.abs(_t(shuffled, full, df)) >= abs(observed) * (1 - 1e-9)).sum())
    p = 2.0 * float(stdtr(df, -abs(observed)))
    return ResidualPermutation(float(own @ rest) / size, observed, df, p, (1 + extreme) / (draws + 1), draws)


def _outside(Q: Array, v: Array) -> Array:
    rest: Array = v - Q @ (Q.T @ v)
    return rest - Q @ (Q.T @ rest)


def _t(residuals: Array, full: Array, df: int) -> Array:
    """t of the last column of the orthonormal ``full`` for each row of ``residuals``."""
    inside = residuals @ full
    left = np.maximum((residuals**2).sum(axis=1) - (inside**2).sum(axis=1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t: Array = inside[:, -1] / np.sqrt(left / df)
    return t
