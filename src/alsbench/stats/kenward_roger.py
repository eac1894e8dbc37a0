"""The Kenward-Roger adjustment of the coefficients' covariance, from pattern sums.

Phi_adjusted = Phi + 2 Phi [sum w_kl (Q_kl - P_k Phi P_l - R_kl / 4)] Phi with w the covariance of theta, P_k = X'W S_k W X,
Q_kl = X'W S_k W S_l W X and R_kl = X'W S_kl W X (Kenward and Roger 1997, doi 10.2307/2533558). The linear form leaves R out;
it vanishes for an unstructured covariance. The sum over k and l is taken inside each pattern, on visits by visits matrices,
so that no Q_kl is ever formed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.covariance import CovarianceName, Structure
from alsbench.stats.mmrm_fit import Optimum
from alsbench.stats.mmrm_likelihood import Model

Array = NDArray[np.float64]


def adjustment(model: Model, optimum: Optimum, theta_cov: Array, *, full: bool = False) -> Array:
    """2 A'[sum w_kl (Q_kl - P_k Phi P_l - R_kl / 4)]A, (p, p); the R term only with ``full``."""
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
            middle = middle - np.einsum("kl,klab->ab", w, sas_second(model.structure, theta)) / 4.0
        H = patterns.weigh(W @ middle @ W)
        total += optimum.point.Cw[:, :p].T @ H @ optimum.point.Cw[:, :p]
    twice: Array = total + total.T
    return twice


def sas_second(structure: Structure, theta: Array) -> Array:
    """Second derivatives of Sigma (k, k, T, T) as they enter the full form in SAS's parameters, carried over to ``theta``.

    SAS takes variances, covariances or correlations as they are: us, cs and toep are linear in them (the result is zero);
    the others have variances and correlations. With theta = theta(phi), the sum w_kl S_kl over phi is the sum over theta of
    w_kl times S_kl plus, for each phi on its own scale, the curvature of the map: for log sd = log(variance) / 2 that is
    -2 times the first derivative on the diagonal.
    """
    name: CovarianceName = structure.name
    if name in ("us", "cs", "toep"):
        return np.zeros((structure.n_theta, structure.n_theta, structure.n_visits, structure.n_visits))
    out = structure.second(theta)
    first = structure.jacobian(theta)
    for j in range(structure.n_sd):
        out[j, j] -= 2.0 * first[j]
    return out
