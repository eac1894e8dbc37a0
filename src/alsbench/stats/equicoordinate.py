"""How probable is it that one of m correlated statistics is beyond a bound, when all are null? P(max |T_k| >= b).

The statistics are a multivariate normal, or a multivariate t: that normal divided by one chi. Three ways, the first that fits:

- one factor (any two statistics; treatments against one control): X_k = l_k Z + sqrt(1 - l_k^2) E_k, so that the probability is
  an integral over Z, and over the chi, by the trapezoidal rule (Dunnett 1955, doi 10.1080/01621459.1955.10501294): exact;
- one leading component, as visits have it: given all other components, |X_k| < b for every k is an interval of the leading one,
  whose probability is known (preintegration: Griewank, Kuo, Leovey and Sloan 2018, doi 10.1016/j.cam.2018.04.009);
- else one statistic after the other, each within its bounds given those before (Genz and Bretz 2009,
  doi 10.1007/978-3-642-01689-9).

The last two are averages over scrambled Sobol points (``stats.sobol``). The spread between scrambles tells the error, and
points are added until it is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv, gammaincinv, ndtr, ndtri, stdtr

from alsbench.stats import sobol
from alsbench.stats.threads import one_blas_thread

Array = NDArray[np.float64]
Single = NDArray[np.float32]
# values (bounds, points) of one block, from its coordinates and the bounds
Integrand = Callable[[sobol.Words, Sequence[float]], Array]

ERROR = 1.2e-5  # standard error at which points suffice, of a probability up to 0.1; beyond, it may grow with its square
FEWEST = 1 << 13  # points of each scramble
WORK = sobol.MOST * 24**2  # points of each scramble times squared statistics: more of these have fewer points
LEADING = 0.45  # share of the variance from which on the leading component is integrated first
STEPS = 1 << 12  # of the table of the normal distribution between whole numbers
COPY = 1e-12  # two statistics whose correlation is as near to 1 or -1 as this are one
SINGULAR = 1e-9  # a squared pivot below this adds nothing to the statistics before it
SHARPEST = 0.003  # of a factor: its own part over the common one; below, the trapezoidal rule takes too many steps


@dataclass(frozen=True)
class Outside:
    """P(max |T_k| >= b) and the standard error of its computation, (bounds,) each; the error is 0 where it is exact."""

    probability: Array
    error: Array


def outside(bounds: Sequence[float], correlation: Array, df: float) -> Outside:
    """P(max |T_k| >= b) for each bound b, of statistics with ``correlation`` (m, m) and common ``df`` (infinite: normal)."""
    R = _without_copies(correlation)
    loadings = _one_factor(R)
    if loadings is not None:
        p = np.array([_of_factor(b, loadings, df) for b in bounds])
        return Outside(p, np.zeros_like(p))
    with one_blas_thread():
        values, vectors = np.linalg.eigh(R)
        leads = values[-1] >= LEADING * len(R)
        integrand = _leading(values, vectors, df) if leads else _sequential(R, df)
        return _averaged(bounds, integrand, len(R) - 1 + (not math.isinf(df)), len(R))


def tail(bound: float, df: float) -> float:
    """P(T < -``bound``) of one statistic."""
    return float(ndtr(-bound)) if math.isinf(df) else float(stdtr(df, -bound))


def _without_copies(R: Array) -> Array:
    """The correlations without statistics that are another one, or its negative."""
    kept: list[int] = []
    for k in range(len(R)):
        if all(abs(R[k, j]) < 1.0 - COPY for j in kept):
            kept.append(k)
    return R[np.ix_(kept, kept)]


# ---- one factor


def _one_factor(R: Array) -> Array | None:
    """Loadings (m,) of which every correlation is the product, None where there are none."""
    m = len(R)
    if m == 1:
        return np.zeros(1)
    apart = np.abs(R - np.diag(np.diag(R)))
    if apart.max() < COPY:
        return np.zeros(m)
    first = int(apart.sum(axis=0).argmax())
    others = apart.copy()
    others[first], others[:, first] = 0.0, 0.0
    i, j = np.unravel_index(int(others.argmax()), others.shape)
    if m == 2:
        square = apart.max()
    elif others[i, j] < COPY:
        return None
    else:
        square = float(R[first, i] * R[first, j] / R[i, j])
    if not 0.0 < square < 1.0:
        return None
    loadings: Array = R[:, first] / math.sqrt(square)
    loadings[first] = math.sqrt(square)
    misfit = R - np.outer(loadings, loadings)
    np.fill_diagonal(misfit, 0.0)
    own = 1.0 - loadings**2
    if np.abs(misfit).max() > 1e-10 or own.min() <= 0.0:
        return None
    sharpest = float((np.sqrt(own) / np.maximum(np.abs(loadings), 1e-12)).min())
    return loadings if sharpest >= SHARPEST else None


def _of_factor(bound: float, loadings: Array, df: float) -> float:
    """The probability by the trapezoidal rule, which is exact to rounding for integrands of this kind at this step."""
    if len(loadings) == 1:
        return 2.0 * tail(bound, df)
    own = np.sqrt(1.0 - loadings**2)
    step = min(0.25, 0.6 * float((own / np.maximum(np.abs(loadings), 1e-12)).min()))
    z = np.arange(0.0, 9.0 + step, step)
    weight = np.exp(-(z**2) / 2.0)
    weight[0] /= 2.0
    weight /= weight.sum()
    total = 0.0
    for radius, share in zip(*_chi(df), strict=True):
        limit = bound * radius
        inside = np.ones(z.size)
        for loading, spread in zip(loadings, own, strict=True):
            inside *= ndtr((limit - loading * z) / spread) - ndtr((-limit - loading * z) / spread)
        total += share * float(weight @ (1.0 - inside))
    return min(max(total, 0.0), 1.0)


def _chi(df: float, points: int = 160) -> tuple[Array, Array]:
    """Values and weights of the root of a chi-square over its degrees of freedom, equally spaced in its logarithm."""
    if math.isinf(df):
        return np.ones(1), np.ones(1)
    low, high = float(gammaincinv(df / 2.0, 1e-15)), float(gammainccinv(df / 2.0, 1e-15))
    y = np.linspace(math.log(max(low, 1e-200)), math.log(high), points) - math.log(df / 2.0)
    log_density = df / 2.0 * (y - np.exp(y))
    weight = np.exp(log_density - log_density.max())
    return np.exp(y / 2.0), weight / weight.sum()


# ---- averages over points


def _averaged(bounds: Sequence[float], integrand: Integrand, dimensions: int, m: int) -> Outside:
    """Means over all scrambles, points doubled for the bounds whose error is not yet small."""
    sums, p, error = np.zeros((len(bounds), sobol.SCRAMBLES)), np.zeros(len(bounds)), np.full(len(bounds), np.inf)
    wanted, done, points = np.arange(len(bounds)), 0, FEWEST
    while wanted.size:
        limits = [bounds[int(i)] for i in wanted]
        for scramble in range(sobol.SCRAMBLES):
            for number in range(done, sobol.blocks(points)):
                values = integrand(sobol.block(scramble, number, dimensions), limits)
                sums[wanted, scramble] += values.sum(axis=1, dtype=np.float64)
        means = sums[wanted] / points
        p[wanted] = means.mean(axis=1)
        error[wanted] = means.std(axis=1, ddof=1) / math.sqrt(sobol.SCRAMBLES)
        done, points = sobol.blocks(points), 2 * points
        if points > sobol.MOST or points * m**2 > WORK:
            break
        wanted = np.flatnonzero((error > ERROR * np.maximum(1.0, (p / 0.1) ** 2)) & (error > 0.0))
    return Outside(p, error)


def _leading(values: Array, vectors: Array, df: float) -> Integrand:
    """Given the other components, the leading one leaves an interval, from the highest lower to the lowest upper limit.

    The integrand is the same for all components with their signs changed, so that the second component is drawn from its
    positive half. Signs of statistics do not matter: the leading loadings are taken as positive."""
    order = np.argsort(-values, kind="stable")
    A = vectors[:, order] * np.sqrt(np.maximum(values[order], 0.0))
    A *= np.where(A[np.abs(A).argmax(axis=0), np.arange(len(A))] < 0.0, -1.0, 1.0)
    lead = np.maximum(np.abs(A[:, 0]), 1e-6)
    others = (A[:, 1:] * np.where(A[:, 0] < 0.0, -1.0, 1.0)[:, None] / lead[:, None]).astype(np.float32)
    whole, half = (table.astype(np.float32) for table in _quantiles())
    radius = None if math.isinf(df) else _radius(df).astype(np.float32)
    at = min(2, others.shape[1])  # the coordinate of the chi: after the components that matter more

    def integrand(points: sobol.Words, bounds: Sequence[float]) -> Array:
        drawn = points if radius is None else np.delete(points, at, axis=0)
        z = whole.take(drawn, mode="wrap")  # every coordinate is in the table
        z[0] = half.take(drawn[0], mode="wrap")
        centre = others @ z
        spread = np.ones(points.shape[1], dtype=np.float32) if radius is None else radius.take(points[at], mode="wrap")
        out = np.empty((len(bounds), points.shape[1]))
        work = np.empty_like(centre)
        for i, bound in enumerate(bounds):
            limit = (bound / lead).astype(np.float32)[:, None] * spread
            upper = np.minimum.reduce(np.subtract(limit, centre, out=work), axis=0)
            lower = np.minimum.reduce(np.add(limit, centre, out=work), axis=0)
            out[i] = np.minimum(_below(-upper) + _below(-lower), 1.0)
        return out

    return integrand


def _sequential(R: Array, df: float) -> Integrand:
    """At each point the product of conditional probabilities of staying inside, one statistic after the other; less from 1."""
    L = _cholesky(R)
    radius = None if math.isinf(df) else _radius(df)

    def integrand(points: sobol.Words, bounds: Sequence[float]) -> Array:
        spread = np.ones(points.shape[1]) if radius is None else radius[points[0]]
        u = _middles()[points if radius is None else points[1:]]
        return np.array([1.0 - _box(L, bound * spread, u) for bound in bounds])

    return integrand


def _middles() -> Array:
    """The values that a coordinate of a point means."""
    return (np.arange(sobol.LEVELS) + 0.5) / sobol.LEVELS


@lru_cache(maxsize=1)
def _quantiles() -> tuple[Array, Array]:
    """Of each value of a coordinate: the normal quantile, and that of the positive half."""
    return ndtri(_middles()), ndtri(0.5 + _middles() / 2.0)


def _radius(df: float) -> Array:
    """Of each value of a coordinate: the root of the chi-square over its degrees of freedom, interpolated among 4096."""
    z = np.linspace(-4.5, 4.5, 1 << 12)
    root = np.sqrt(2.0 * gammaincinv(df / 2.0, ndtr(z)) / df)
    found: Array = np.interp(_quantiles()[0], z, root)
    return found


@lru_cache(maxsize=1)
def _normal() -> tuple[Array, Array]:
    """The normal distribution and its density from -8 to 8, in steps of 1 / STEPS."""
    x = np.arange(-8 * STEPS, 8 * STEPS + 1) / STEPS
    return ndtr(x), np.exp(-(x**2) / 2.0) / math.sqrt(2.0 * math.pi)


def _below(x: Array | Single) -> Array:
    """The normal distribution at ``x`` to 1e-9: a table with its slope is several times faster than the function."""
    distribution, density = _normal()
    scaled: Array | Single = np.multiply(np.clip(x, -8.0, 8.0), STEPS, dtype=x.dtype)
    at = np.rint(scaled)
    where = at.astype(np.int64) + 8 * STEPS
    near: Array = distribution.take(where) + density.take(where) * ((scaled - at) / STEPS)
    return near


def _box(L: Array, limit: Array, u: Array) -> Array:
    """At each point (N,) the product of conditional probabilities that |L z| stays below ``limit`` (N,); ``u`` (m - 1, N)."""
    m = len(L)
    z, probability = np.zeros((m, limit.size)), np.ones(limit.size)
    for k in range(m):
        centre = L[k, :k] @ z[:k]
        if L[k, k] == 0.0:
            probability *= np.abs(centre) < limit * (1 + 1e-12)
            continue
        low, high = _below((-limit - centre) / L[k, k]), _below((limit - centre) / L[k, k])
        probability *= high - low
        if k + 1 < m:
            z[k] = ndtri(np.clip(low + u[k] * (high - low), 1e-300, 1.0 - 1e-16))
    return probability


def _cholesky(R: Array) -> Array:
    """Lower triangle with L L' = R, zero pivots where R is singular."""
    m = R.shape[0]
    L = np.zeros((m, m))
    for k in range(m):
        pivot = R[k, k] - L[k, :k] @ L[k, :k]
        if pivot < SINGULAR:
            continue
        L[k, k] = math.sqrt(pivot)
        L[k + 1 :, k] = (R[k + 1 :, k] - L[k + 1 :, :k] @ L[k, :k]) / L[k, k]
    return L
