"""Small-sample inference for linear combinations of MMRM coefficients: Satterthwaite and Kenward-Roger.

Satterthwaite matches the first two moments of an estimated variance to those of a scaled chi-square, with the inverse observed
information of the covariance parameters; several rows are taken apart along the eigenvectors of their covariance matrix
(Fai and Cornelius 1996, doi 10.1080/00949659608811740). Kenward and Roger (1997, doi 10.2307/2533558) also inflate the
covariance of the coefficients and scale F. Their adjustment is used in the form that is linear in Sigma, which is exact for
an unstructured covariance (variances and covariances as parameters, as SAS ``ddfm=kr``) and does not depend on how a
structure is parametrised; the full form adds second derivatives and belongs to one parametrisation.

Matrices come whitened: A A' = Phi is the covariance of the coefficients, ``P`` (k, p, p) = A'X'W S_k W X A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from alsbench.stats.contrasts import Contrasts, t_contrasts

Array = NDArray[np.float64]
DfName = Literal["kenward-roger", "kenward-roger-full", "kenward-roger-mmrm", "satterthwaite"]


@dataclass(frozen=True)
class FTest:
    """F on ``num_df`` and ``den_df`` degrees of freedom; for Kenward-Roger F is already scaled. NaN where no F exists that has
    the moments of the statistic."""

    f: float
    num_df: int
    den_df: float
    p: float


@dataclass(frozen=True)
class Precision:
    """What inference needs: coefficients ``beta`` (p,), ``A`` (p, p), ``P`` (k, p, p), the covariance ``theta_cov`` (k, k)
    of the covariance parameters, and ``adjustment`` (p, p): Phi_adjusted = A (I + adjustment) A', zero for Satterthwaite."""

    beta: Array
    A: Array
    P: Array
    theta_cov: Array
    adjustment: Array | None

    def covariance(self) -> Array:
        """Covariance of the coefficients, unadjusted (p, p)."""
        V: Array = self.A @ self.A.T
        return V

    def adjusted(self) -> Array:
        """Covariance of the coefficients, with the Kenward-Roger adjustment if there is one (p, p)."""
        if self.adjustment is None:
            return self.covariance()
        V: Array = self.A @ (np.eye(self.A.shape[0]) + self.adjustment) @ self.A.T
        return (V + V.T) / 2.0


def single_rows(precision: Precision, L: Array, *, level: float = 0.95) -> Contrasts:
    """Each row of ``L`` (m, p) by itself. A one-row Kenward-Roger df equals the Satterthwaite df."""
    U = L @ precision.A
    plain = (U**2).sum(axis=1)
    df = satterthwaite_df(precision, U, plain)
    variance = plain if precision.adjustment is None else plain + np.einsum("mp,pq,mq->m", U, precision.adjustment, U)
    return t_contrasts(L @ precision.beta, np.sqrt(np.where(variance >= 0.0, variance, np.nan)), df, level=level)


def satterthwaite_df(precision: Precision, U: Array, variance: Array) -> Array:
    """2 v^2 / Var(v) for the whitened rows ``U`` (m, p) with variances ``variance`` (m,)."""
    gradient = np.empty((U.shape[0], precision.P.shape[0]))
    for i, u in enumerate(U):
        gradient[i] = (precision.P @ u) @ u
    spread = np.einsum("mk,kl,ml->m", gradient, precision.theta_cov, gradient)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, 2.0 * variance**2 / spread, np.nan)


def joint_rows(precision: Precision, L: Array) -> FTest:
    """The rows of ``L`` (m, p) together: F test that all are zero. Rows that repeat each other count once."""
    U = L @ precision.A
    values, vectors = np.linalg.eigh(U @ U.T)
    keep = values > 1e-10 * values.max(initial=0.0)
    rotated = vectors[:, keep].T[::-1] @ L
    if rotated.shape[0] == 0:
        return FTest(np.nan, 0, np.nan, np.nan)
    if precision.adjustment is None:
        return _fai_cornelius(precision, rotated)
    return _kenward_roger(precision, rotated)


def _fai_cornelius(precision: Precision, L: Array) -> FTest:
    q = L.shape[0]
    U = L @ precision.A
    variance = (U**2).sum(axis=1)
    f = float(((L @ precision.beta) ** 2 / variance).sum() / q)
    nu = satterthwaite_df(precision, U, variance)
    if q == 1 or np.all(np.abs(np.diff(nu)) < 1e-8):
        den = float(nu[0])
    elif np.any(nu <= 2.0):
        den = 2.0
    else:
        E = float((nu / (nu - 2.0)).sum())
        den = 2.0 * E / (E - q)
    return FTest(f, q, den, float(fdtrc(q, den, f)))


def _kenward_roger(precision: Precision, L: Array) -> FTest:
    assert precision.adjustment is not None  # noqa: S101 - chosen by the caller
    q = L.shape[0]
    U = L @ precision.A
    # M = A' Theta A is the projection on the rows of U, so traces of Theta Phi P_k Phi are those of N P_k N'
    N = np.linalg.qr(U.T)[0].T
    projected = np.einsum("qp,kpr,sr->kqs", N, precision.P, N, optimize=True)
    traces = np.einsum("kqq->k", projected)
    A1 = float(traces @ precision.theta_cov @ traces)
    flat = projected.reshape(projected.shape[0], -1)
    A2 = float(np.einsum("kx,kl,lx->", flat, precision.theta_cov, flat, optimize=True))
    B = (A1 + 6.0 * A2) / (2.0 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    scale = 3.0 * q + 2.0 * (1.0 - g)
    c1, c2, c3 = g / scale, (q - g) / scale, (q + 2 - g) / scale
    if not (q > A2 and c3 * B < 1.0):  # the moments to be matched do not exist
        return FTest(np.nan, q, np.nan, np.nan)
    E = 1.0 / (1.0 - A2 / q)
    V = 2.0 / q * (1.0 + c1 * B) / ((1.0 - c2 * B) ** 2 * (1.0 - c3 * B))
    rho = V / (2.0 * E**2)
    den = 4.0 + (q + 2.0) / (q * rho - 1.0)
    if not den > 2.0:
        return FTest(np.nan, q, np.nan, np.nan)
    factor = den / (E * (den - 2.0))
    estimate = L @ precision.beta
    inflated = U @ U.T + U @ precision.adjustment @ U.T
    f = factor * float(estimate @ np.linalg.solve(inflated, estimate)) / q
    return FTest(f, q, den, float(fdtrc(q, den, f)))
