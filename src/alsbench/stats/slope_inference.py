"""Degrees of freedom for the random slopes model: Satterthwaite as lmerTest, Kenward-Roger as pbkrtest.

Satterthwaite (Kuznetsova, Brockhoff and Christensen 2017, doi 10.18637/jss.v082.i13) takes the observed information of
the variance parameters, several degrees of freedom by Fai and Cornelius (1996). Kenward and Roger (1997, doi
10.2307/2533558) in the form of pbkrtest (Halekoh and Hojsgaard 2014, doi 10.18637/jss.v059.i09): expected information,
parameters in which the covariance is linear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.slope_likelihood import Optimum, parameter_covariance

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FTest:
    """H0: L b = 0 for ``num_df`` independent rows of L; for Kenward-Roger ``f`` is already scaled."""

    f: float
    num_df: int
    den_df: float
    p: float


@dataclass(frozen=True)
class KenwardRoger:
    """``Phi`` and the adjusted ``adjusted`` (p, p), and what degrees of freedom need: ``W`` (4, 4), ``P`` (4, p, p)."""

    Phi: Array
    adjusted: Array
    W: Array
    P: Array


def kenward_roger(best: Optimum) -> KenwardRoger:
    """The small-sample adjusted covariance of the fixed effects; meant for REML.

    It does not depend on the basis of the random effects.
    """
    at = best.at
    W = _inverse(at.expected)
    PPhiP = np.einsum("rij,jk,skl->rsil", at.P, at.Phi, at.P)
    U = np.einsum("rs,rsij->ij", W, at.Q - PPhiP)
    adjusted = at.Phi + 2 * at.Phi @ U @ at.Phi
    return KenwardRoger(at.Phi, (adjusted + adjusted.T) / 2, W, at.P)


def kenward_roger_df(kr: KenwardRoger, L: Array) -> tuple[float, float]:
    """(denominator df, scale of F) for the rows of L (q, p)."""
    q = L.shape[0]
    Theta = L.T @ np.linalg.solve(L @ kr.Phi @ L.T, L)
    B = (Theta @ kr.Phi) @ kr.P @ kr.Phi
    trace = np.einsum("rii->r", B)
    A1 = float(trace @ kr.W @ trace)
    A2 = float(np.einsum("rs,rij,sji->", kr.W, B, B))
    if A2 <= 0.0:
        return math.inf, 1.0
    if q == 1:  # the general formula comes to this, without its divisions by nearly nothing
        return 2.0 / A2, 1.0
    spread = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    below = 3 * q + 2 * (1 - g)
    V0, V1, V2 = 1 + g / below * spread, 1 - (q - g) / below * spread, 1 - (q + 2 - g) / below * spread
    if abs(V0) < 1e-10:
        V0 = 0.0
    # pbkrtest's .divZero: 0/0 counts as 1
    ratio = 1.0 if abs(1 - A2 / q) < 1e-14 and abs(V1) < 1e-14 else (1 - A2 / q) / V1
    rho = ratio**2 * V0 / V2 / q if V2 != 0.0 else math.inf
    df = 4 + (q + 2) / (q * rho - 1) if q * rho != 1.0 else math.inf
    if math.isinf(df):
        return df, 1.0 - A2 / q
    scale = 1.0 if abs(df - 2) < 1e-2 else df * (1 - A2 / q) / (df - 2)
    return float(df), float(scale)


@dataclass(frozen=True)
class Satterthwaite:
    """``Phi`` (p, p), its derivatives (4, p, p) in the optimiser's parameters and their covariance (4, 4)."""

    Phi: Array
    derivatives: Array
    parameters: Array


def satterthwaite(best: Optimum) -> Satterthwaite:
    """What single and several degrees of freedom need, at the optimum."""
    covariance, J = parameter_covariance(best)
    at = best.at
    by_theta = -(at.Phi @ at.P @ at.Phi)
    return Satterthwaite(at.Phi, np.einsum("rk,rij->kij", J, by_theta), covariance)


def satterthwaite_df(s: Satterthwaite, L: Array) -> Array:
    """Degrees of freedom (k,) of each row of L (k, p): 2 v^2 / (g' A g)."""
    variance = np.einsum("ki,ij,kj->k", L, s.Phi, L)
    g = np.einsum("ki,rij,kj->kr", L, s.derivatives, L)
    return np.asarray(2 * variance**2 / np.einsum("kr,rs,ks->k", g, s.parameters, g))


def satterthwaite_f(s: Satterthwaite, L: Array, estimate: Array) -> tuple[float, float]:
    """(F, denominator df) of the rows of L (q, p), of full row rank, whose estimates are (q,)."""
    values, vectors = np.linalg.eigh(L @ s.Phi @ L.T)
    nu = satterthwaite_df(s, vectors.T @ L)
    t2 = (vectors.T @ estimate) ** 2 / values
    q = nu.size
    f = float(t2.mean())
    if q == 1:
        return f, float(nu[0])
    if float(np.ptp(nu)) < 1e-8:
        return f, float(nu.mean())
    if nu.min() <= 2.0:
        return f, 2.0
    E = float((nu / (nu - 2)).sum())
    return f, 2 * E / (E - q)


def f_p_value(f: float, num_df: int, den_df: float) -> float:
    """Upper tail of F; chi-square where the denominator df are infinite."""
    from scipy.special import chdtrc, fdtrc

    return float(chdtrc(num_df, f * num_df) if np.isinf(den_df) else fdtrc(num_df, den_df, f))


def _inverse(information: Array) -> Array:
    """Inverse of the information, or its pseudo-inverse where a variance is not determined at all (pbkrtest's 1e-10)."""
    scale = np.sqrt(np.abs(np.diag(information)))
    scale[scale == 0] = 1.0
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    keep = np.abs(values) > 1e-10 * np.abs(values).max()
    V = vectors[:, keep]
    inverse: Array = (V / values[keep]) @ V.T / np.outer(scale, scale)
    return inverse
