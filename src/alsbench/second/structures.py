"""Covariance structures over visits, each a function of unbounded parameters and positive definite for all of them: logs of
standard deviations, inverse hyperbolic tangents of correlations; the Toeplitz ones by partial autocorrelations
(Barndorff-Nielsen and Schou 1973, doi 10.1016/0047-259X(73)90030-4), the unstructured one by the Cholesky factor with logs on
its diagonal (Pinheiro and Bates 1996, doi 10.1007/BF00140873).

Every function takes many points at once (..., parameters), and complex parameters too, for derivatives by complex steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alsbench.second.likelihood import Sigma

Array = NDArray[np.float64]
SIMPLER = {"us": "toeph", "toeph": "ar1h", "ar1h": "csh", "csh": "ar1", "ar1": "cs"}  # METHODS 4


def structure(name: str, m: int, groups: int = 1) -> Sigma:
    """Parameters of all groups, one after the other (..., parameters), to covariance matrices (..., groups, m, m)."""

    def sigma(theta: Array) -> Array:
        return np.stack([_matrix(name, m, part) for part in np.split(theta, groups, axis=-1)], axis=-3)

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
        root = np.zeros((*theta.shape[:-1], m, m), dtype=theta.dtype)
        rows, columns = np.tril_indices(m)
        root[..., rows, columns] = np.where(rows == columns, np.exp(theta), theta)
        return np.asarray(root @ root.swapaxes(-1, -2))
    k = m if name.endswith("h") else 1
    sd = np.broadcast_to(np.exp(theta[..., :k]), (*theta.shape[:-1], m))
    correlation = CORRELATIONS[name.removesuffix("h")](np.tanh(theta[..., k:]), m) if m > 1 else np.ones((1, 1))
    return np.asarray(sd[..., :, None] * correlation * sd[..., None, :])


def _ar1(r: Array, m: int) -> Array:
    return np.asarray(r[..., None] ** _lags(m))


def _toep(partial: Array, m: int) -> Array:
    """By the recursion of Durbin and Levinson: partial autocorrelations to autocorrelations."""
    r, weights = [np.ones_like(partial[..., 0])], list[Array]()
    for k in range(m - 1):
        own, before = partial[..., k], r[1:]
        ahead = sum(w * b for w, b in zip(weights, reversed(before), strict=True))
        r.append(ahead + own * (1 - sum(w * b for w, b in zip(weights, before, strict=True))))
        weights = [*(w - own * v for w, v in zip(weights, reversed(weights), strict=True)), own]
    return np.stack(r, axis=-1)[..., _lags(m)]


def _cs(r: Array, m: int) -> Array:
    """From -1 / (m - 1), where the matrix goes singular, to 1."""
    low = -1 / (m - 1)
    return np.where(np.eye(m, dtype=bool), 1.0, low + (1 - low) * (1 + r[..., None]) / 2)


def _ad(r: Array, m: int) -> Array:
    made = np.zeros((*r.shape[:-1], m, m), dtype=r.dtype) + np.eye(m)
    for i in range(m - 1):
        made[..., i, i + 1 :] = made[..., i + 1 :, i] = np.cumprod(r[..., i:], axis=-1)
    return made


CORRELATIONS: dict[str, Callable[[Array, int], Array]] = {"ar1": _ar1, "toep": _toep, "cs": _cs, "ad": _ad}
