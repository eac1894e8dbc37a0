"""Covariance structures over visits, each a function of unbounded parameters and positive definite for all of them: logs of
standard deviations, inverse hyperbolic tangents of correlations; the Toeplitz ones by partial autocorrelations
(Barndorff-Nielsen and Schou 1973, doi 10.1016/0047-259X(73)90030-4), the unstructured one by the Cholesky factor with logs on
its diagonal (Pinheiro and Bates 1996, doi 10.1007/BF00140873).

Every function takes complex parameters too, for derivatives by complex steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alsbench.second.likelihood import Sigma

Array = NDArray[np.float64]
SIMPLER = {"us": "toeph", "toeph": "ar1h", "ar1h": "csh", "csh": "ar1", "ar1": "cs"}  # METHODS 4


def structure(name: str, m: int, groups: int = 1) -> Sigma:
    """Parameters of all groups, one after the other, to covariance matrices (groups, m, m)."""

    def sigma(theta: Array) -> Array:
        return np.array([_matrix(name, m, part) for part in np.split(theta, groups)])

    return sigma


def start(name: str, sd: Array, lag_one: float, groups: int = 1) -> Array:
    """Parameters of a correlation that falls with the distance of visits, SDs ``sd`` being those of residuals."""
    m = len(sd)
    r = np.arctanh(min(max(lag_one, 0.1), 0.9))
    if name == "us":
        root = np.linalg.cholesky(np.outer(sd, sd) * np.tanh(r) ** _lags(m))
        root[np.diag_indices(m)] = np.log(np.diagonal(root))
        return np.tile(root[np.tril_indices(m)], groups)
    spread = np.log(sd) if name.endswith("h") else np.log([np.sqrt((sd**2).mean())])
    kind = name.removesuffix("h")
    partial = np.concatenate([[r], np.zeros(m)])[: m - 1]
    correlation = {"ar1": np.array([r]), "cs": np.array([r]), "ad": np.full(m - 1, r), "toep": partial}[kind]
    return np.tile(np.concatenate([spread, correlation if m > 1 else correlation[:0]]), groups)


def _lags(m: int) -> NDArray[np.int64]:
    return np.abs(np.subtract.outer(np.arange(m), np.arange(m)))


def _matrix(name: str, m: int, theta: Array) -> Array:
    if name == "us":
        root = np.zeros((m, m), dtype=theta.dtype)
        root[np.tril_indices(m)] = theta
        root[np.diag_indices(m)] = np.exp(np.diagonal(root))
        return root @ root.T
    k = m if name.endswith("h") else 1
    sd = np.broadcast_to(np.exp(theta[:k]), (m,))
    correlation = CORRELATIONS[name.removesuffix("h")](np.tanh(theta[k:]), m) if m > 1 else np.ones((1, 1))
    return np.asarray(sd[:, None] * correlation * sd[None, :])


def _ar1(r: Array, m: int) -> Array:
    return np.cumprod(np.concatenate([[1.0], np.repeat(r, m - 1)]))[_lags(m)]


def _toep(partial: Array, m: int) -> Array:
    """By the recursion of Durbin and Levinson: partial autocorrelations to autocorrelations."""
    r = [np.ones(1, dtype=partial.dtype)[0]]
    weights = np.zeros(0, dtype=partial.dtype)
    for k in range(m - 1):
        before = np.array(r[1:])
        r.append(weights @ before[::-1] + partial[k] * (1 - weights @ before))
        weights = np.append(weights - partial[k] * weights[::-1], partial[k])
    return np.array(r)[_lags(m)]


def _cs(r: Array, m: int) -> Array:
    """From -1 / (m - 1), where the matrix goes singular, to 1."""
    low = -1 / (m - 1)
    return np.where(np.eye(m, dtype=bool), 1.0, low + (1 - low) * (1 + r[0]) / 2)


def _ad(r: Array, m: int) -> Array:
    made = np.eye(m, dtype=r.dtype)
    for i in range(m - 1):
        made[i, i + 1 :] = made[i + 1 :, i] = np.cumprod(r[i:])
    return made


CORRELATIONS: dict[str, Callable[[Array, int], Array]] = {"ar1": _ar1, "toep": _toep, "cs": _cs, "ad": _ad}
