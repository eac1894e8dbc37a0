"""How probable is it that one of m correlated statistics is beyond a bound, when all are null? P(max |T_k| >= b).

The statistics are a multivariate normal, or a multivariate t: that normal divided by one chi. Three ways, the first that fits:

- one factor (any two statistics; treatments against one control): X_k = l_k Z + sqrt(1 - l_k^2) E_k, so that the probability is
  an integral over Z, and over the chi, by the trapezoidal rule (Dunnett 1955, doi 10.1080/01621459.1955.10501294): exact;
- one leading component, as visits have it: given all other components, |X_k| < b for every k is an interval of the leading one,
  whose probability is known (preintegration: Griewank, Kuo, Leovey and Sloan 2018, doi 10.1016/j.cam.2018.04.009);
- else one statistic after the other, each within its bounds given those before (Genz and Bretz 2009,
  doi 10.1007/978-3-642-01689-9).

The last two are averages over scrambled Sobol points. The spread between scrambles tells the error, and
points are added until it is small.

Sobol points fill the unit cube far more evenly than random ones. Direction numbers of Joe and Kuo (2008, doi
10.1137/070709359), scrambled by random lower triangular bit matrices and a digital shift (Matousek 1998, doi
10.1006/jcom.1998.0489): every scramble is uniform. The scrambles are fixed: the same question has the same points. Coordinates
are kept to 16 bits, which is finer than what they are used for, and half the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv, gammaincinv, ndtr, ndtri, stdtr

from alsbench.stats.threads import one_blas_thread

Words = NDArray[np.uint16]

SCRAMBLES = 8
BLOCK = 1 << 12  # points made at once: they stay in the processor's cache
MOST = 1 << 18  # points of one scramble
LEVELS = 1 << 16  # values that a coordinate has
DIMENSIONS = 64
_SEED = 20080721
_BITS = 32
# of each dimension after the first: the primitive polynomial as a binary number, and the initial odd numbers
_JOE_KUO = (
    "3:1 7:1,3 11:1,3,1 13:1,1,1 19:1,1,3,3 25:1,3,5,13 37:1,1,5,5,17 41:1,1,5,5,5 47:1,1,7,11,19 55:1,1,5,1,1 "
    "59:1,1,1,3,11 61:1,3,5,5,31 67:1,3,3,9,7,49 91:1,1,1,15,21,21 97:1,3,1,13,27,49 103:1,1,1,15,7,5 "
    "109:1,3,1,15,13,25 115:1,1,5,5,19,61 131:1,3,7,11,23,15,103 137:1,3,7,13,13,15,69 143:1,1,3,13,7,35,63 "
    "145:1,3,5,9,1,25,53 157:1,3,1,13,9,35,107 167:1,3,1,5,27,61,31 171:1,1,5,11,19,41,61 185:1,3,5,3,3,13,69 "
    "191:1,1,7,13,1,19,1 193:1,3,7,5,13,19,59 203:1,1,3,9,25,29,41 211:1,3,5,13,23,1,55 213:1,3,7,3,13,59,17 "
    "229:1,3,1,3,5,53,69 239:1,1,5,5,23,33,13 241:1,1,7,7,1,61,123 247:1,1,7,9,13,61,49 253:1,3,3,5,3,55,33 "
    "285:1,3,1,15,31,13,49,245 299:1,3,5,15,31,59,63,97 301:1,3,1,11,11,11,77,249 333:1,3,1,11,27,43,71,9 "
    "351:1,1,7,15,21,11,81,45 355:1,3,7,3,25,31,65,79 357:1,3,1,1,19,11,3,205 361:1,1,5,9,19,21,29,157 "
    "369:1,3,7,11,1,33,89,185 391:1,3,3,3,15,9,79,71 397:1,3,7,11,15,39,119,27 425:1,1,3,1,11,31,97,225 "
    "451:1,1,1,3,23,43,57,177 463:1,3,7,7,17,17,37,71 487:1,3,1,5,27,63,123,213 501:1,1,3,5,11,43,53,133 "
    "529:1,3,5,5,29,17,47,173,479 539:1,3,3,11,3,1,109,9,69 545:1,1,1,5,17,39,23,5,343 557:1,3,1,5,25,15,31,103,499 "
    "563:1,1,1,11,11,17,63,105,183 601:1,1,5,11,9,29,97,231,363 607:1,1,5,15,19,45,41,7,383 "
    "617:1,3,7,7,31,19,83,137,221 623:1,1,1,3,23,15,111,223,83 631:1,1,5,13,31,15,55,25,161 "
    "637:1,1,3,13,25,47,39,87,257"
)
_BLOCK_BITS = BLOCK.bit_length() - 1
Array = NDArray[np.float64]
Single = NDArray[np.float32]
# values (bounds, points) of one block, from its coordinates and the bounds
Integrand = Callable[[Words, Sequence[float]], Array]
ERROR = 1.2e-5  # standard error at which points suffice, of a probability up to 0.1; beyond, it may grow with its square
FEWEST = 1 << 13  # points of each scramble
WORK = MOST * 24**2  # points of each scramble times squared statistics: more of these have fewer points
LEADING = 0.45  # share of the variance from which on the leading component is integrated first
STEPS = 1 << 12  # of the table of the normal distribution between whole numbers
COPY = 1e-12  # two statistics whose correlation is as near to 1 or -1 as this are one
SINGULAR = 1e-9  # a squared pivot below this adds nothing to the statistics before it
SHARPEST = 0.003  # of a factor: its own part over the common one; below, the trapezoidal rule takes too many steps


def sobol_blocks(points: int) -> int:
    """How many blocks hold so many points of one scramble."""
    return points // BLOCK


def sobol_block(scramble: int, number: int, dimensions: int) -> Words:
    """Points (dimensions, BLOCK) of one block of one scramble, as multiples of 1 / LEVELS (the middle of each is meant).

    Dimensions beyond ``DIMENSIONS`` are plain random numbers from a fixed seed: they matter least."""
    first, directions = _scrambled()[scramble]
    known = min(dimensions, DIMENSIONS)
    offset = np.zeros(known, dtype=np.uint16)
    for bit in range(number.bit_length()):
        if number >> bit & 1:
            offset ^= directions[:known, _BLOCK_BITS + bit]
    points = first[:known] ^ offset[:, None]
    if dimensions > known:
        raw = np.random.PCG64([_SEED, scramble, number]).random_raw((dimensions - known) * BLOCK)
        points = np.vstack([points, (raw >> np.uint64(48)).astype(np.uint16).reshape(-1, BLOCK)])
    return points


@lru_cache(maxsize=1)
def _scrambled() -> tuple[tuple[Words, Words], ...]:
    """Of each scramble: its first block, and its direction numbers."""
    plain, random = _directions(), np.random.PCG64(_SEED)
    found = []
    for _ in range(SCRAMBLES):
        mixed = _mixed(plain, random.random_raw(DIMENSIONS * _BITS).astype(np.uint32).reshape(DIMENSIONS, _BITS))
        directions = (mixed >> np.uint32(16)).astype(np.uint16)
        points = (random.random_raw(DIMENSIONS) >> np.uint64(48)).astype(np.uint16)[:, None]
        for bit in range(_BLOCK_BITS):
            points = np.concatenate([points, points ^ directions[:, bit : bit + 1]], axis=1)
        found.append((points, directions))
    return tuple(found)


def _directions() -> NDArray[np.uint32]:
    """Sobol's direction numbers (DIMENSIONS, bits), the first bit after the point the highest."""
    out = np.zeros((DIMENSIONS, _BITS), dtype=np.uint32)
    out[0] = [1 << (_BITS - 1 - j) for j in range(_BITS)]
    for k, text in enumerate("".join(_JOE_KUO).split(), start=1):
        number, _, initial = text.partition(":")
        polynomial, m = int(number), [int(x) for x in initial.split(",")]
        degree = polynomial.bit_length() - 1
        for j in range(degree, _BITS):
            new = m[j - degree] ^ (m[j - degree] << degree)
            for i in range(1, degree):
                if polynomial >> (degree - i) & 1:
                    new ^= m[j - i] << i
            m.append(new)
        out[k] = [x << (_BITS - 1 - j) for j, x in enumerate(m)]
    return out


def _mixed(plain: NDArray[np.uint32], random: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Each bit of the direction numbers as itself plus a random choice of the bits before it."""
    out = np.zeros_like(plain)
    for i in range(_BITS):
        own = 1 << (_BITS - 1 - i)
        before = np.uint32(2**_BITS - 2 * own)
        bits = plain & ((random[:, i] & before) | np.uint32(own))[:, None]
        for shift in (16, 8, 4, 2, 1):  # the parity of 32 bits
            bits = bits ^ (bits >> np.uint32(shift))
        out |= (bits & np.uint32(1)) << np.uint32(_BITS - 1 - i)
    return out


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
    sums, p, error = np.zeros((len(bounds), SCRAMBLES)), np.zeros(len(bounds)), np.full(len(bounds), np.inf)
    wanted, done, points = np.arange(len(bounds)), 0, FEWEST
    while wanted.size:
        limits = [bounds[int(i)] for i in wanted]
        for scramble in range(SCRAMBLES):
            for number in range(done, sobol_blocks(points)):
                values = integrand(sobol_block(scramble, number, dimensions), limits)
                sums[wanted, scramble] += values.sum(axis=1, dtype=np.float64)
        means = sums[wanted] / points
        p[wanted] = means.mean(axis=1)
        error[wanted] = means.std(axis=1, ddof=1) / math.sqrt(SCRAMBLES)
        done, points = sobol_blocks(points), 2 * points
        if points > MOST or points * m**2 > WORK:
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

    def integrand(points: Words, bounds: Sequence[float]) -> Array:
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

    def integrand(points: Words, bounds: Sequence[float]) -> Array:
        spread = np.ones(points.shape[1]) if radius is None else radius[points[0]]
        u = _middles()[points if radius is None else points[1:]]
        return np.array([1.0 - _box(L, bound * spread, u) for bound in bounds])

    return integrand


def _middles() -> Array:
    """The values that a coordinate of a point means."""
    return (np.arange(LEVELS) + 0.5) / LEVELS


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
