"""Re-randomisation tests: the observed statistic against those of arms permuted within strata.

The scores (pairwise U for the Gehan-Wilcoxon test, ranks for the ANCOVA) do not depend on who got which arm, so only the arm
labels are permuted, each stratum keeping its numbers. Where all arrangements can be listed the p-value is exact,
#{|T*| >= |T|} / arrangements; otherwise it is (1 + #{|T*| >= |T|}) / (B + 1), never zero (Phipson and Smyth 2010,
doi 10.2202/1544-6115.1585). The ANCOVA t of every arrangement comes from one matrix product: ranks and arm are residualised
on the covariates (Frisch and Waugh 1933, doi 10.2307/1907330; Lovell 1963, doi 10.1080/01621459.1963.10480682).

One coefficient of a linear model: residuals of the model without the coefficient are permuted, added back to its fitted values,
and the full model is fitted to each: what the other terms explain stays explained (Freedman and Lane 1983, doi
10.1080/07350015.1983.10509354; Winkler et al. 2014, doi 10.1016/j.neuroimage.2014.01.060). Asymptotically exact; for an
interaction there is no exact test, since its arms and parts have effects of their own that a plain permutation would break.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.design import Array, aliased_columns
from alsbench.stats.errors import StatsError
from alsbench.stats.threads import one_blas_thread

Mask = NDArray[np.bool_]
Statistic = Callable[[Array], Array]

DRAWS = 10_000
EXACT_LIMIT = 100_000  # arrangements listed rather than sampled
BATCH = 2_000  # arrangements held in memory at once
SLACK = 1e-9  # relative: |T*| equal to |T| but for rounding counts as at least as extreme


@dataclass(frozen=True)
class Permutation:
    """``observed`` statistic; two-sided ``p``; ``extreme`` of ``draws`` arrangements at least as extreme; ``exact`` if all were
    listed."""

    observed: float
    p: float
    extreme: int
    draws: int
    exact: bool


def permute_scores(
    scores: ArrayLike,
    treated: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int,
    exact_limit: int = EXACT_LIMIT,
) -> Permutation:
    """Permutation test of W, the sum of ``scores`` (n,) over the ``treated`` (n,).

    Scores are centred within stratum. ``seed`` fixes the arrangements drawn. Raises StatsError for an empty arm.
    """
    U, arm, stratum = _inputs(scores, treated, strata)
    centred = U.copy()
    for s in np.unique(stratum):
        part = U[stratum == s]
        total = float(part.sum())
        if total != 0.0:  # whole-number scores that sum to zero stay whole, and so exact
            centred[stratum == s] = part - total / part.size

    def sum_over_treated(arms: Array) -> Array:
        W: Array = arms @ centred
        return W

    with one_blas_thread():
        return _permutation(sum_over_treated, arm, stratum, draws, seed, exact_limit)


def permute_ancova(
    y: ArrayLike,
    treated: ArrayLike,
    covariates: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int,
    exact_limit: int = EXACT_LIMIT,
) -> Permutation:
    """Permutation test of the arm's t in the regression of ``y`` (n,) on ``treated`` (n,) and ``covariates`` (n, q).

    ``covariates`` are the model matrix without the arm's column, its intercept included or not (one is added). An arrangement
    that the covariates determine has no t and counts as extreme. Raises StatsError where the observed arrangement has no t.
    """
    ranks, arm, stratum = _inputs(y, treated, strata)
    Z = np.column_stack([np.ones(ranks.size), np.asarray(covariates, dtype=np.float64).reshape(ranks.size, -1)])
    Z = Z[:, ~aliased_columns(Z)]
    df = ranks.size - Z.shape[1] - 1
    if df < 1:
        raise StatsError("no degrees of freedom left for the arm's t")
    with one_blas_thread():
        Q = np.linalg.qr(Z)[0]
        rest = _outside(Q, ranks)
        total = float(rest @ rest)

        def t(arms: Array) -> Array:
            return _arm_t(arms, Q, rest, total, df)

        if not np.isfinite(t(arm[None, :].astype(np.float64))[0]):
            raise StatsError("the arm's t does not exist: the covariates determine the arm, or nothing is left to explain")
        return _permutation(t, arm, stratum, draws, seed, exact_limit)


def arrangements(treated: ArrayLike, strata: ArrayLike | None = None) -> int:
    """How many ways the arms can be permuted within strata."""
    _, arm, stratum = _inputs(np.zeros(np.asarray(treated).size), treated, strata)
    return math.prod(math.comb(int((stratum == s).sum()), int(arm[stratum == s].sum())) for s in np.unique(stratum))


def _arm_t(arms: Array, Q: Array, rest: Array, total: float, df: int) -> Array:
    """t of the arm for each row of ``arms`` (B, n), given the orthonormal covariates and the residual response."""
    inside = arms @ Q
    size = arms.sum(axis=1) - (inside**2).sum(axis=1)  # squared length of the arm's residual
    along = arms @ rest
    size = np.where(size > 1e-10 * arms.shape[1], size, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.maximum(total - along**2 / size, 0.0)
        t: Array = along / np.sqrt(size * left / df)
    return t


def _permutation(
    statistic: Statistic, arm: Mask, stratum: NDArray[np.int64], draws: int, seed: int, exact_limit: int
) -> Permutation:
    observed = float(statistic(arm[None, :].astype(np.float64))[0])
    bound = abs(observed) * (1.0 - SLACK)
    exact = arrangements(arm, stratum) <= exact_limit
    extreme, count = 0, 0
    for batch in _every(arm, stratum) if exact else _random(arm, stratum, draws, seed):
        values = np.abs(statistic(batch))
        extreme += int((~(values < bound)).sum())
        count += batch.shape[0]
    p = extreme / count if exact else (1 + extreme) / (count + 1)
    return Permutation(observed, p, extreme, count, exact)


def _random(arm: Mask, stratum: NDArray[np.int64], draws: int, seed: int) -> Iterator[Array]:
    if draws < 1:
        raise StatsError("a permutation test needs at least one draw")
    rng = np.random.default_rng(seed)
    for start in range(0, draws, BATCH):
        yield _shuffled(arm, stratum, min(BATCH, draws - start), rng)


def _shuffled(arm: Mask, stratum: NDArray[np.int64], draws: int, rng: np.random.Generator) -> Array:
    arms = np.zeros((draws, arm.size))
    for s in np.unique(stratum):
        members = np.flatnonzero(stratum == s)
        arms[:, members] = rng.permuted(np.tile(arm[members].astype(np.float64), (draws, 1)), axis=1)
    return arms


def _every(arm: Mask, stratum: NDArray[np.int64]) -> Iterator[Array]:
    """All arrangements, in batches: the product over strata of the choices of treated members."""
    choices = []
    for s in np.unique(stratum):
        members = np.flatnonzero(stratum == s)
        choices.append([list(c) for c in itertools.combinations(members, int(arm[members].sum()))])
    stream = itertools.product(*choices)
    while batch := list(itertools.islice(stream, BATCH)):
        arms = np.zeros((len(batch), arm.size))
        picked = np.array([list(itertools.chain.from_iterable(row)) for row in batch], dtype=np.int64)
        arms[np.arange(len(batch))[:, None], picked] = 1.0
        yield arms


def _inputs(scores: ArrayLike, treated: ArrayLike, strata: ArrayLike | None) -> tuple[Array, Mask, NDArray[np.int64]]:
    values, arm = np.array(scores, dtype=np.float64), np.asarray(treated, dtype=bool)
    stratum = np.zeros(arm.size, dtype=np.int64) if strata is None else np.asarray(strata, dtype=np.int64)
    if values.shape != arm.shape or stratum.shape != arm.shape or arm.ndim != 1:
        raise StatsError("scores, arms and strata must be of one length")
    if not np.all(np.isfinite(values)):
        raise StatsError("scores are missing or infinite")
    if not arm.any() or arm.all():
        raise StatsError("a two-arm test needs subjects in both arms")
    return values, arm, stratum


@dataclass(frozen=True)
class ResidualPermutation:
    """``estimate``, ``t``, ``df`` and parametric ``p`` of the coefficient; ``permutation_p`` of ``draws`` permutations."""

    estimate: float
    t: float
    df: int
    p: float
    permutation_p: float
    draws: int


def permute_residuals(y: ArrayLike, others: ArrayLike, x: ArrayLike, *, draws: int, seed: int) -> ResidualPermutation:
    """Test the coefficient of ``x`` (n,) beside ``others`` (n, k) and an intercept in the regression of ``y`` (n,).

    Columns of ``others`` that earlier ones determine are left out. Raises StatsError where they determine ``x``, or no degree
    of freedom is left.
    """
    from scipy.special import stdtr  # waits: scipy

    response, column = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    Z = np.column_stack([np.ones(response.size), np.asarray(others, dtype=np.float64).reshape(response.size, -1)])
    Z = Z[:, ~aliased_columns(Z)]
    df = response.size - Z.shape[1] - 1
    if df < 1:
        raise StatsError("no degrees of freedom left")
    with one_blas_thread():
        Q = np.linalg.qr(Z)[0]
        own, rest = _outside(Q, column), _outside(Q, response)
        size = float(own @ own)
        if size <= 1e-10 * float(column @ column):
            raise StatsError("the other terms of the model determine this one")
        w = own / math.sqrt(size)
        if float(rest @ rest) <= 1e-20 * float(response @ response):
            raise StatsError("nothing is left to explain")
        full = np.column_stack([Q, w])
        observed = float(_t(rest[None, :], full, df)[0])
        rng = np.random.default_rng(seed)
        extreme = 0
        for start in range(0, draws, BATCH):
            shuffled = rng.permuted(np.tile(rest, (min(BATCH, draws - start), 1)), axis=1)
            extreme += int((np.abs(_t(shuffled, full, df)) >= abs(observed) * (1 - 1e-9)).sum())
    p = 2.0 * float(stdtr(df, -abs(observed)))
    return ResidualPermutation(float(own @ rest) / size, observed, df, p, (1 + extreme) / (draws + 1), draws)


def _outside(Q: Array, v: Array) -> Array:
    rest: Array = v - Q @ (Q.T @ v)
    return rest - Q @ (Q.T @ rest)


def _t(residuals: Array, full: Array, df: int) -> Array:
    """t of the last column of the orthonormal ``full`` for each row of ``residuals``."""
    inside = residuals @ full
    left = np.maximum((residuals**2).sum(axis=1) - (inside**2).sum(axis=1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t: Array = inside[:, -1] / np.sqrt(left / df)
    return t
