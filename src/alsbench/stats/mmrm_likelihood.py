"""The (restricted) likelihood of y_i ~ N(X_i b, Sigma_i), its gradient and its information, from pattern sums alone.

With W = Sigma^-1, Phi = (X'WX)^-1, P = W - W X Phi X'W and e = W(y - X b), minus twice the REML log-likelihood is
log|Sigma| + log|X'WX| + y'Py, its gradient tr(P S_k) - e'S_k e, and its Hessian
-tr(P S_k P S_l) + 2 e'S_k P S_l e + tr(D S_kl), with S_k the derivatives of Sigma and D the gradient with respect to its
entries (Harville 1977, doi 10.1080/01621459.1977.10480998; Jennrich and Schluchter 1986, doi 10.2307/2530695).
The matrices A'X'W S_k W X A with A A' = Phi, which the Hessian needs, are those of Kenward and Roger (1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.covariance import Structure
from alsbench.stats.mmrm_sums import Patterns, Sums

Array = NDArray[np.float64]
FitMethod = Literal["reml", "ml"]

CHUNK = 4_000_000  # numbers held at once when weights are formed for every parameter


@dataclass(frozen=True)
class Model:
    """Pattern sums, a covariance structure (one set of parameters per group) and the kind of likelihood."""

    sums: Sums
    structure: Structure
    method: FitMethod

    @property
    def n_theta(self) -> int:
        return self.structure.n_theta * len(self.sums.groups)

    def split(self, theta: Array) -> list[Array]:
        """The parameters of each group."""
        return [np.asarray(part) for part in np.split(theta, len(self.sums.groups))]


@dataclass(frozen=True)
class Point:
    """The likelihood at one theta. ``value`` is minus twice the log-likelihood less its constants; per group ``W`` (g, T, T)
    inverses, zero outside the pattern. ``b`` (p,) and ``A`` (p, p), A A' = Phi, in the orthonormal basis; ``Cw`` (T*r, p+1)
    holds C A and, last, the residual."""

    theta: Array
    value: float
    W: tuple[Array, ...]
    b: Array
    A: Array
    Cw: Array


@dataclass(frozen=True)
class Slope:
    """First derivatives at a point: ``gradient`` (k,), ``D`` per group (T, T), and sums ``Z`` (g, T, T) for the Hessian."""

    gradient: Array
    D: tuple[Array, ...]
    Z: tuple[Array, ...]
    jacobian: tuple[Array, ...]


@dataclass(frozen=True)
class Information:
    """``hessian`` (k, k) of minus twice the log-likelihood, and ``P`` (k, p, p) = A'X'W S_k W X A."""

    hessian: Array
    P: Array


def evaluate(model: Model, theta: Array) -> Point | None:
    """The likelihood at ``theta`` (k,), or None where a covariance matrix is not positive definite."""
    sums = model.sums
    W: list[Array] = []
    log_det = 0.0
    H: Array | None = None
    for patterns, part in zip(sums.groups, model.split(theta), strict=True):
        found = _invert(model.structure.sigma(part), patterns) if model.structure.inside(part) else None
        if found is None:
            return None
        log_det += found[1]
        W.append(found[0])
        h = patterns.weigh(found[0])
        H = h if H is None else H + h
    assert H is not None  # noqa: S101 - there is at least one group
    M = sums.C.T @ (H @ sums.C)
    p = sums.p
    try:
        L = np.linalg.cholesky(M[:p, :p])
    except np.linalg.LinAlgError:
        return None
    A = np.linalg.inv(L).T
    c = A.T @ M[:p, p]
    b = A @ c
    value = log_det + float(M[p, p] - c @ c)
    if model.method == "reml":
        value += 2.0 * float(np.log(np.diag(L)).sum())
    Cw = np.concatenate([sums.C[:, :p] @ A, (sums.C[:, p] - sums.C[:, :p] @ b)[:, None]], axis=1)
    return Point(theta, value, tuple(W), b, A, Cw) if np.isfinite(value) else None


def slope(model: Model, point: Point) -> Slope:
    """Gradient at ``point``."""
    K = point.Cw @ point.Cw.T if model.method == "reml" else np.outer(point.Cw[:, -1], point.Cw[:, -1])

    D, Z, J, gradient = [], [], [], []
    for patterns, W, part in zip(model.sums.groups, point.W, model.split(point.theta), strict=True):
        B = W @ patterns.spread(K) @ W
        nW = patterns.counts[:, None, None] * W
        d = (nW - B).sum(axis=0)
        jacobian = model.structure.jacobian(part)
        D.append(d)
        Z.append(2.0 * B - nW)
        J.append(jacobian)
        gradient.append(jacobian.reshape(jacobian.shape[0], -1) @ d.reshape(-1))
    return Slope(np.concatenate(gradient), tuple(D), tuple(Z), tuple(J))


def expected_information(model: Model, point: Point, slope: Slope) -> Array:
    """Hessian approximated by sum over subjects of tr(W S_k W S_l): positive definite everywhere (k, k)."""
    Z = [g.counts[:, None, None] * W for g, W in zip(model.sums.groups, point.W, strict=True)]
    return _traces(model, point, slope, Z)


def main_hessian(model: Model, point: Point, slope: Slope) -> Array:
    """The Hessian but for the terms of the fixed effects' estimation, which are a share p/n of it; cheap (k, k)."""
    return _traces(model, point, slope, slope.Z) + _curvature(model, point, slope)


def information(model: Model, point: Point, slope: Slope) -> Information:
    """The exact Hessian (observed information, times two) and the matrices P."""
    p = model.sums.p
    parts = [
        _sandwiches(patterns, W, jacobian, point.Cw)
        for patterns, W, jacobian in zip(model.sums.groups, point.W, slope.jacobian, strict=True)
    ]
    M = parts[0] if len(parts) == 1 else np.concatenate(parts)
    P, q = np.ascontiguousarray(M[:, :p, :p]), M[:, :p, p]
    hessian = main_hessian(model, point, slope) - 2.0 * (q @ q.T)
    if model.method == "reml":
        flat = P.reshape(P.shape[0], -1)
        hessian -= flat @ flat.T
    return Information((hessian + hessian.T) / 2.0, P)


def _invert(sigma: Array, patterns: Patterns) -> tuple[Array, float] | None:
    """Inverse of Sigma within each pattern (g, T, T), zero outside it, and sum of counts times log determinants."""
    inside = patterns.masks[:, :, None] * patterns.masks[:, None, :]
    T = patterns.n_visits
    block = sigma * inside
    block[:, np.arange(T), np.arange(T)] += 1.0 - patterns.masks
    try:
        L = np.linalg.cholesky(block)
        W = np.asarray(np.linalg.inv(block), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    symmetric: Array = (W + W.transpose(0, 2, 1)) * (0.5 * inside)
    log_det = 2.0 * np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    return symmetric, float(patterns.counts @ log_det)


def _traces(model: Model, point: Point, slope: Slope, Z: tuple[Array, ...] | list[Array]) -> Array:
    """sum over patterns of tr(S_k W S_l Z), block diagonal over groups, (k, k)."""
    T, k = model.sums.n_visits, model.structure.n_theta
    out = np.zeros((model.n_theta, model.n_theta))
    for i, (W, z, J) in enumerate(zip(point.W, Z, slope.jacobian, strict=True)):
        products = (W.reshape(-1, T * T).T @ z.reshape(-1, T * T)).reshape(T, T, T, T)  # W[b,c] z[d,a]
        by_entry = products.transpose(3, 0, 1, 2).reshape(T * T, T * T)  # (a,b),(c,d)
        flat = J.reshape(k, T * T)
        block = flat @ by_entry @ flat.T
        out[i * k : (i + 1) * k, i * k : (i + 1) * k] = (block + block.T) / 2.0
    return out


def _curvature(model: Model, point: Point, slope: Slope) -> Array:
    """tr(D S_kl): zero for a linear structure."""
    k = model.structure.n_theta
    out = np.zeros((model.n_theta, model.n_theta))
    if model.structure.linear:
        return out
    for i, (part, D) in enumerate(zip(model.split(point.theta), slope.D, strict=True)):
        out[i * k : (i + 1) * k, i * k : (i + 1) * k] = np.einsum("klab,ab->kl", model.structure.second(part), D)
    return out


def _sandwiches(patterns: Patterns, W: Array, jacobian: Array, Cw: Array) -> Array:
    """Cw' H(W S_k W) Cw for every parameter, (k, p+1, p+1): P in the corner and X'W S_k e in the last column, whitened."""
    k, T = jacobian.shape[0], patterns.n_visits
    if _cheaper_by_pairs(patterns, k, Cw):
        return _contract(patterns.outer_products(W, Cw), jacobian)
    H = np.zeros((k, Cw.shape[0], Cw.shape[0]))
    step = max(1, CHUNK // (k * T * T))
    for low in range(0, patterns.n, step):
        part = W[low : low + step]
        V = part[:, None] @ jacobian[None] @ part[:, None]
        H += _subset(patterns, low, step).weigh_many(V)
    out: Array = np.matmul(Cw.T, np.matmul(H, Cw))
    return out


def _cheaper_by_pairs(patterns: Patterns, k: int, Cw: Array) -> bool:
    """Whether all pairs of visits take fewer operations than ``k`` parameters one by one, as they do with few patterns."""
    T = patterns.n_visits
    pairs = float(patterns.stand_ins.shape[0] * (T * Cw.shape[1]) ** 2)
    one_by_one = 1.5 * Cw.size * Cw.shape[0] + patterns.n * (T * patterns.n_s) ** 2
    return bool(pairs < k * one_by_one)


def _contract(products: Array, jacobian: Array) -> Array:
    """sum over visits of S_k[a, b] times ``products`` [a, :, b, :], (k, c, c)."""
    T, c = products.shape[:2]
    a, b = np.triu_indices(T)
    once = np.where(a == b, 0.5, 1.0)
    weights = jacobian[:, a, b] * once
    upper = products[a, :, b, :]  # (pairs, c, c)
    if weights.shape[0] == a.size and np.count_nonzero(weights) == a.size:  # one entry per parameter
        out = upper * weights.sum(axis=0)[:, None, None]
    else:
        out = (weights @ upper.reshape(a.size, c * c)).reshape(-1, c, c)
    return np.asarray(out + out.transpose(0, 2, 1), dtype=np.float64)


def _subset(patterns: Patterns, low: int, step: int) -> Patterns:
    chosen = slice(low, low + step)
    return Patterns(
        patterns.masks[chosen],
        patterns.counts[chosen],
        patterns.ss[chosen],
        patterns.st[:, chosen],
        patterns.tt[chosen],
        patterns.stand_ins,
        patterns.stand_in_pattern,
        patterns.n_s,
        patterns.n_t,
    )
