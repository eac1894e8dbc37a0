"""The Kenward-Roger adjustment of the coefficients' covariance, from pattern sums.

Phi_adjusted = Phi + 2 Phi [sum w_kl (Q_kl - P_k Phi P_l - R_kl / 4)] Phi with w the covariance of theta, P_k = X'W S_k W X,
Q_kl = X'W S_k W S_l W X and R_kl = X'W S_kl W X (Kenward and Roger 1997, doi 10.2307/2533558). The linear form leaves R out;
it vanishes for an unstructured covariance. The sum over k and l is taken inside each pattern, on visits by visits matrices,
so that no Q_kl is ever formed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.covariance import Structure
from alsbench.stats.mmrm_fit import Optimum
from alsbench.stats.mmrm_likelihood import Model

Array = NDArray[np.float64]
Parameters = Literal["sas", "mmrm"]


def adjustment(model: Model, optimum: Optimum, theta_cov: Array, *, full: Parameters | None = None) -> Array:
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
