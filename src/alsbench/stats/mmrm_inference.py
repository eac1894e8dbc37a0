"""Small-sample inference for linear combinations of MMRM coefficients: Satterthwaite and Kenward-Roger.

Satterthwaite matches the first two moments of an estimated variance to those of a scaled chi-square, with the inverse observed
information of the covariance parameters; several rows are taken apart along the eigenvectors of their covariance matrix
(Fai and Cornelius 1996, doi 10.1080/00949659608811740). Kenward and Roger (1997, doi 10.2307/2533558) also inflate the
covariance of the coefficients and scale F. Their adjustment is used in the form that is linear in Sigma, which is exact for
an unstructured covariance (variances and covariances as parameters, as SAS ``ddfm=kr``) and does not depend on how a
structure is parametrised; the full form adds second derivatives and belongs to one parametrisation.

Matrices come whitened: A A' = Phi is the covariance of the coefficients, ``P`` (k, p, p) = A'X'W S_k W X A.

The Kenward-Roger adjustment is made of pattern sums: Phi_adjusted = Phi + 2 Phi [sum w_kl (Q_kl - P_k Phi P_l - R_kl / 4)] Phi
with w the covariance of theta, P_k = X'W S_k W X, Q_kl = X'W S_k W S_l W X and R_kl = X'W S_kl W X. The linear form leaves R
out; it vanishes for an unstructured covariance. The sum over k and l is taken inside each pattern, on visits by visits
matrices, so that no Q_kl is ever formed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from alsbench.stats.contrasts import Contrasts, FTest, t_contrasts
from alsbench.stats.covariance import Structure
from alsbench.stats.mmrm_likelihood import MMRMLikelihood, Optimum

Array = NDArray[np.float64]
DfName = Literal["kenward-roger", "kenward-roger-full", "kenward-roger-mmrm", "satterthwaite"]
Parameters = Literal["sas", "mmrm"]


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
    if q == 1:  # F is the square of t, with its degrees of freedom, also where F has no variance to be matched
        t = single_rows(precision, L)
        f, den = float(t.t[0]) ** 2, float(t.df[0])
        return FTest(f, 1, den, float(fdtrc(1, den, f)))
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


def adjustment(model: MMRMLikelihood, optimum: Optimum, theta_cov: Array, *, full: Parameters | None = None) -> Array:
    """2 A'[sum w_kl (Q_kl - P_k Phi P_l - R_kl / 4)]A, (p, p); the R term only with ``full``, in the parameters it names."""
    p, T, k = model.sums.p, model.sums.n_visits, model.structure.n_theta
    P = optimum.information.P
    weighted = (theta_cov @ P.reshape(P.shape[0], -1)).reshape(P.shape)
    total = -np.matmul(P, weighted).sum(axis=0)
    parts = zip(model.sums.groups, optimum.point.W, optimum.slope.jacobian, model.split(optimum.point.theta), strict=True)
    for i, (patterns, W, J, theta) in enumerate(parts):
        w = theta_cov[i * k : (i + 1) * k, i * k : (i + 1) * k]
        flat = J.reshape(k, T * T)
        omega = (flat.T @ w @ flat).reshape(T, T, T, T)  # a b, c d
        middle = (W.reshape(-1, T * T) @ omega.transpose(1, 2, 0, 3).reshape(T * T, T * T)).reshape(-1, T, T)
        if full:
            middle = middle - np.einsum("kl,klab->ab", w, curvature(model.structure, theta, full)) / 4.0
        H = patterns.weigh(W @ middle @ W)
        total += optimum.point.Cw[:, :p].T @ H @ optimum.point.Cw[:, :p]
    twice: Array = total + total.T
    return twice


def curvature(structure: Structure, theta: Array, parameters: Parameters) -> Array:
    """Second derivatives of Sigma (k, k, T, T) as the full form sees them in a package's own parameters, carried over to ours.

    With theta = theta(phi) and w transformed accordingly, the sum of w_kl S_kl over phi equals that over theta with
    theta'' / theta'^2 times the first derivative added on the diagonal. SAS: variances, and correlations as they are (us,
    cs and toep are linear in its parameters: zero). R's mmrm: log standard deviations, and x with correlation x / sqrt(1 + x^2)
    or a logistic curve.
    """
    if structure.linear or (parameters == "sas" and structure.name in ("cs", "toep")):
        return np.zeros((structure.n_theta, structure.n_theta, structure.n_visits, structure.n_visits))
    bend = np.zeros(structure.n_theta)
    if parameters == "sas":
        bend[: structure.n_sd] = -2.0
    else:
        bend[structure.n_sd :] = _mmrm_bend(structure, theta[structure.n_sd :])
    out = structure.second(theta)
    index = np.arange(structure.n_theta)
    out[index, index] += bend[:, None, None] * structure.jacobian(theta)
    return out


def _mmrm_bend(structure: Structure, rho: Array) -> Array:
    """rho'' / rho'^2 of R mmrm's maps to a correlation: a logistic curve down to -1 / (T - 1) for cs and csh."""
    if structure.name in ("cs", "csh"):
        lowest = 1.0 / max(structure.n_visits - 1, 1)
        s = (rho + lowest) / (1.0 + lowest)
        return np.asarray((1.0 - 2.0 * s) / ((1.0 + lowest) * s * (1.0 - s)), dtype=np.float64)
    return np.asarray(-3.0 * rho / (1.0 - rho**2), dtype=np.float64)
