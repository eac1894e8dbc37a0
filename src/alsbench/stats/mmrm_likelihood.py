"""The (restricted) likelihood of y_i ~ N(X_i b, Sigma_i), its gradient and its information, from pattern sums alone.

With W = Sigma^-1, Phi = (X'WX)^-1, P = W - W X Phi X'W and e = W(y - X b), minus twice the REML log-likelihood is
log|Sigma| + log|X'WX| + y'Py, its gradient tr(P S_k) - e'S_k e, and its Hessian
-tr(P S_k P S_l) + 2 e'S_k P S_l e + tr(D S_kl), with S_k the derivatives of Sigma and D the gradient with respect to its
entries (Harville 1977, doi 10.1080/01621459.1977.10480998; Jennrich and Schluchter 1986, doi 10.2307/2530695).
The matrices A'X'W S_k W X A with A A' = Phi, which the Hessian needs, are those of Kenward and Roger (1997).

It is maximised by scoring steps with step-halving, finished with exact Newton steps. Far from the optimum a step uses the
expected information, which is always positive definite; near it the observed one without the terms of order p/n (cheap),
formed once and then corrected by how the gradient changes; and last the exact observed information, so that the gradient
vanishes to rounding and the standard errors, which are read off the same matrix, belong to the optimum. Progress is measured
by the Newton decrement g'H^-1 g / 2, which does not depend on units: twice it is the squared distance to the optimum in
standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.covariance import Structure
from alsbench.stats.errors import NotConverged
from alsbench.stats.mmrm_sums import Patterns, Sums

Array = NDArray[np.float64]
FitMethod = Literal["reml", "ml"]

CHUNK = 4_000_000  # numbers held at once when weights are formed for every parameter
MAX_ITERATIONS = 120
NEAR = 0.05  # decrement below which the cheap observed information is tried
POLISH = 1e-15  # decrement below which the exact information is formed, for the last step and the standard errors
CLOSE = 1e-2  # decrement below which an information is corrected rather than formed again
SLOW = 0.3  # share of its last value above which the decrement falls too slowly for the cheap information
PATIENCE = 10  # how often the exact information may be formed before the end
DISTANT = 1e-4  # decrement above which an exact information is not used again
DONE = 1e-21  # decrement at which the optimum has been reached
ROUNDING = 1e-16  # decrement at which it has been reached if it no longer falls
STALE = 5e-15  # an information formed further from the optimum than this (squared, in standard errors) is formed anew
NOTHING = 1e-6  # share of the expected information below which a parameter is not determined
EDGE = 1e-10  # smallest eigenvalue of a correlation matrix below which it is singular


@dataclass(frozen=True)
class MMRMLikelihood:
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
class Score:
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


def evaluate(model: MMRMLikelihood, theta: Array) -> Point | None:
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


def slope(model: MMRMLikelihood, point: Point) -> Score:
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
    return Score(np.concatenate(gradient), tuple(D), tuple(Z), tuple(J))


def expected_information(model: MMRMLikelihood, point: Point, slope: Score) -> Array:
    """Hessian approximated by sum over subjects of tr(W S_k W S_l): positive definite everywhere (k, k)."""
    Z = [g.counts[:, None, None] * W for g, W in zip(model.sums.groups, point.W, strict=True)]
    return _traces(model, point, slope, Z)


def main_hessian(model: MMRMLikelihood, point: Point, slope: Score) -> Array:
    """The Hessian but for the terms of the fixed effects' estimation, which are a share p/n of it; cheap (k, k)."""
    return _traces(model, point, slope, slope.Z) + _curvature(model, point, slope)


def information(model: MMRMLikelihood, point: Point, slope: Score) -> Information:
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


def _traces(model: MMRMLikelihood, point: Point, slope: Score, Z: tuple[Array, ...] | list[Array]) -> Array:
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


def _curvature(model: MMRMLikelihood, point: Point, slope: Score) -> Array:
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


@dataclass(frozen=True)
class Optimum:
    """Where the likelihood is greatest. ``gradient`` is the largest component in units of its parameter's standard error,
    ``condition`` the condition number of the information scaled to unit diagonal."""

    point: Point
    slope: Score
    information: Information
    iterations: int
    gradient: float
    condition: float


@dataclass(frozen=True)
class Exact:
    """An exact information and the theta it was formed at."""

    information: Information
    theta: Array


def maximise(model: MMRMLikelihood) -> Optimum:
    """The optimum; NotConverged with the reason if none is found inside the parameter space.

    The climb starts from the pairwise moments of the residuals and, should that fail, from their variances alone. A Toeplitz
    covariance with one variance, which may have several optima, is climbed from both and the higher one taken.
    """
    found: list[Optimum] = []
    failure: NotConverged | None = None
    for moments in (model.sums.start, tuple(np.diag(np.diag(S)) for S in model.sums.start)):
        try:
            found.append(_climb(model, np.concatenate([model.structure.start(S) for S in moments])))
        except NotConverged as error:
            failure = failure or error
        if found and model.structure.name != "toep":
            break
    if not found:
        assert failure is not None  # noqa: S101 - each climb ends in one or the other
        raise failure
    return min(found, key=lambda optimum: optimum.point.value)


def _climb(model: MMRMLikelihood, theta: Array) -> Optimum:
    point = evaluate(model, theta)
    if point is None:
        raise NotConverged("no valid starting value")
    exact: Exact | None = None
    secant: Secant | None = None
    formed = 0
    before = np.inf
    for iteration in range(MAX_ITERATIONS + 1):
        here = slope(model, point)
        if exact is None:
            secant = secant and secant.moved_on(point.theta, here.gradient)
            if secant is not None:
                direction = -secant.inverse @ here.gradient
                decrement = -float(direction @ here.gradient) / 2.0
                if not 0.0 <= decrement <= SLOW * before:
                    secant = None
            if secant is None:
                direction, decrement, hessian = _direction(model, point, here, before)
                if decrement < CLOSE and hessian is not None:
                    inverse = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
                    secant = Secant(inverse, point.theta, here.gradient)
            slow = formed < PATIENCE and decrement < NEAR and decrement > SLOW * before
            if decrement < POLISH or slow:
                exact = Exact(information(model, point, here), point.theta)
                formed += 1
        if exact is not None:
            newton = _solve(exact.information.hessian, here.gradient)
            if newton is not None:
                direction, decrement = newton
                if decrement < DONE or (decrement < ROUNDING and decrement > before / 4.0):
                    return _finish(model, point, here, exact, iteration)
            elif decrement < POLISH:
                raise NotConverged("the information on the covariance parameters is singular at the optimum")
            if newton is None or decrement > DISTANT:
                exact = None
        if iteration < MAX_ITERATIONS:
            before = decrement
            point = _step(model, point, direction, decrement)
    raise NotConverged(f"no optimum after {MAX_ITERATIONS} iterations (Newton decrement {decrement:.2g})")


@dataclass(frozen=True)
class Secant:
    """An ``inverse`` (k, k) of the information, corrected by how the gradient changed over the steps taken since it was formed
    (Broyden, Fletcher, Goldfarb and Shanno: Nocedal and Wright 2006, doi 10.1007/978-0-387-40065-5, (6.17))."""

    inverse: Array
    theta: Array
    gradient: Array

    def moved_on(self, theta: Array, gradient: Array) -> Secant | None:
        """Corrected by the step to ``theta``; None where the gradient does not rise along it."""
        step, change = theta - self.theta, gradient - self.gradient
        rise = float(step @ change)
        if not rise > 0.0:
            return None
        along = self.inverse @ change
        cross = np.outer(along, step) / rise
        inverse = self.inverse - cross - cross.T + np.outer(step, step) * ((rise + float(change @ along)) / rise**2)
        return Secant(inverse, theta, gradient)


def _direction(model: MMRMLikelihood, point: Point, here: Score, before: float) -> tuple[Array, float, Array | None]:
    """A descent direction, its decrement and, near the optimum, the Hessian they come from: the cheapest that will do."""
    if before < NEAR:
        hessian = main_hessian(model, point, here)
        closer = _solve(hessian, here.gradient)
        if closer is not None and closer[1] < NEAR:
            return *closer, hessian
    expected = _solve(expected_information(model, point, here), here.gradient)
    if expected is None:
        raise NotConverged("the information on the covariance parameters is singular")
    return *expected, None


def _solve(hessian: Array, gradient: Array) -> tuple[Array, float] | None:
    """Newton direction and decrement, or None unless the Hessian is positive definite."""
    diagonal = np.diag(hessian)
    if not np.all(diagonal > 0):
        return None
    d = 1.0 / np.sqrt(diagonal)
    scaled = hessian * np.outer(d, d)
    try:
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return None
    direction: Array = -d * np.linalg.solve(scaled, d * gradient)
    return direction, -float(direction @ gradient) / 2.0


def _step(model: MMRMLikelihood, point: Point, direction: Array, decrement: float) -> Point:
    """The next point: the whole step if it does not raise the value, else halves of it."""
    rounding = 1e-12 * (1.0 + abs(point.value))
    size = 1.0
    for _ in range(50):
        trial = evaluate(model, point.theta + size * direction)
        if trial is not None and trial.value <= point.value - 1e-4 * size * decrement + rounding:
            return trial
        size /= 2.0
    raise NotConverged("no step from here lowers the deviance: the covariance matrix is on the edge of being singular")


def _finish(model: MMRMLikelihood, point: Point, here: Score, found: Exact, iterations: int) -> Optimum:
    exact = found.information
    moved = point.theta - found.theta
    if float(moved @ exact.hessian @ moved) > STALE:
        exact = information(model, point, here)
    left = _information_left(exact.hessian, expected_information(model, point, here))
    if left < NOTHING:
        raise NotConverged("the information on the covariance parameters is singular: the data do not determine them all")
    d = 1.0 / np.sqrt(np.diag(exact.hessian))
    values = np.linalg.eigvalsh(exact.hessian * np.outer(d, d))
    for part in model.split(point.theta):
        sigma = model.structure.sigma(part)
        sd = np.sqrt(np.diag(sigma))
        if np.linalg.eigvalsh(sigma / np.outer(sd, sd))[0] < EDGE or sd.min() < 1e-7 * sd.max():
            raise NotConverged("the covariance matrix is singular")
    return Optimum(point, here, exact, iterations, float(np.abs(here.gradient * d).max()), float(values[-1] / values[0]))


def _information_left(hessian: Array, expected: Array) -> float:
    """The smallest share, over directions, of the information expected from as many subjects that the data hold; 0 if it is not
    positive definite. A parameter that the fixed effects take all the data of has none left."""
    d = 1.0 / np.sqrt(np.maximum(np.diag(expected), 1e-300))
    try:
        L = np.linalg.cholesky(expected * np.outer(d, d))
    except np.linalg.LinAlgError:
        return 0.0
    half = np.linalg.solve(L, hessian * np.outer(d, d))
    return float(np.linalg.eigvalsh(np.linalg.solve(L, half.T))[0])
