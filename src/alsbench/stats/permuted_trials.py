"""The arm's t in thousands of re-randomised or resampled trials at once, of one outcome.

When arms are permuted over a whole trial, who is compared within a subgroup changes too, and with it the joint ranks, the
covariates' normal equations and the degrees of freedom. All are sums over subjects, so that every trial of a batch is one
column of a matrix product: cross-products of covariates, arm and response, reduced by elimination in all trials side by
side (Frisch and Waugh 1933, doi 10.2307/1907330). The t of the observed arms is that of the ANCOVA. Whole-number weights
instead of zeros and ones make a bootstrap of the same estimate. Permutation for families: Westfall and Young 1993. Where
many outcomes are tested in the same trials: :mod:`alsbench.stats.permutation_search`, with the same elimination.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.design import aliased_columns
from alsbench.stats.errors import StatsError
from alsbench.stats.mid_ranks import TILE, RankedTogether, groups_of, ranked_together, ranks_of, taken_of
from alsbench.stats.ties import merge_ties

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

BATCH = 4 * TILE  # trials worked on at once: they stay in the processor's cache
PIVOT = 1e-9  # a column whose own part is below this share of its sum of squares is left out of that trial


@dataclass(frozen=True)
class Outcome:
    """What is compared between two arms, for n subjects.

    ``covariates`` (n, q) without intercept. ``response`` (n,), or None for a joint rank: then ``scores`` (n, n) holds +1 where
    the row's subject beats the column's, -1 where it loses, and the response is the mid-rank of the sums within ``strata``
    (n,), divided by the number ranked plus one where ``unit``. ``whole``: all arms are in the model (and in the ranking).
    """

    covariates: Array
    response: Array | None = None
    scores: Array | None = None
    strata: IntArray | None = None
    unit: bool = False
    whole: bool = False


@dataclass(frozen=True)
class ArmTest:
    """Per trial: ``estimate`` of the arm's coefficient, its ``se``, and ``df`` (B,), NaN where an arm is missing or nothing is
    left to estimate from."""

    estimate: Array
    se: Array
    df: Array

    @property
    def t(self) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            t: Array = self.estimate / self.se
        return t

    @property
    def p(self) -> Array:
        """Two-sided p (B,) of t on its degrees of freedom."""
        from scipy.special import stdtr  # waits: scipy

        p: Array = 2.0 * stdtr(np.where(self.df > 0, self.df, np.nan), -np.abs(self.t))
        return p


def permute_arms(arm: ArrayLike, strata: ArrayLike, draws: int, *, seed: int) -> NDArray[np.int8]:
    """``draws`` arrangements (draws, n) of the codes ``arm`` (n,), each stratum keeping its number of every arm."""
    codes, stratum = np.asarray(arm, dtype=np.int8), np.asarray(strata, dtype=np.int64)
    if codes.shape != stratum.shape or codes.ndim != 1:
        raise StatsError("arms and strata must be of one length")
    rng = np.random.default_rng(seed)
    permuted_arms = np.empty((draws, codes.size), dtype=np.int8)
    for s in np.unique(stratum):
        members = np.flatnonzero(stratum == s)
        permuted_arms[:, members] = rng.permuted(np.tile(codes[members], (draws, 1)), axis=1)
    return permuted_arms


def bootstrap_weights(arm: ArrayLike, draws: int, *, seed: int) -> Array:
    """How often (draws, n) each subject is drawn when every arm is resampled to its own size."""
    codes = np.asarray(arm, dtype=np.int64)
    rng = np.random.default_rng(seed)
    weights = np.zeros((draws, codes.size))
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        weights[:, members] = rng.multinomial(members.size, np.full(members.size, 1.0 / members.size), size=draws)
    return weights


def arm_tests(
    outcome: Outcome, arms: NDArray[np.int8], treated: int, reference: int, *, weights: Array | None = None
) -> ArmTest:
    """Treated minus reference in every trial.

    ``arms`` are (B, n) or (1, n) codes, -1 who takes no part; ``weights`` (B, n) or (1, n), 1 by default.
    Raises StatsError where outcome and arms are not of one length.
    """
    n = outcome.covariates.shape[0]
    if arms.ndim != 2 or arms.shape[1] != n:
        raise StatsError("every trial needs an arm for each subject of the outcome")
    trials = max(arms.shape[0], 1 if weights is None else weights.shape[0])
    sums = _Sums(outcome)
    parts: list[ArmTest] = []
    for start in range(0, trials, BATCH):
        rows = slice(start, start + BATCH)
        codes = arms[rows] if arms.shape[0] > 1 else arms
        drawn = None if weights is None else weights[rows] if weights.shape[0] > 1 else weights
        upright = None if drawn is None else np.ascontiguousarray(drawn.T)
        parts.append(_batch(sums, np.ascontiguousarray(codes.T), treated, reference, upright))
    return ArmTest(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("estimate", "se", "df")))


def log_rank_z(
    day: Array, event: NDArray[np.bool_], arms: NDArray[np.int8], treated: int, reference: int, strata: IntArray
) -> Array:
    """The stratified log-rank z (B,) of ``treated`` against ``reference`` in every trial; negative where the treated have fewer
    events than expected, NaN without events in the two arms."""
    columns = risk_columns(day, event, strata)
    found: list[Array] = []
    for start in range(0, arms.shape[0], BATCH):
        codes = arms[start : start + BATCH].T
        mine = columns @ (codes == treated).astype(np.float64)
        found.append(log_rank_of(mine, mine + columns @ (codes == reference).astype(np.float64)))
    return np.concatenate(found)


def risk_columns(day: Array, event: NDArray[np.bool_], strata: IntArray) -> Array:
    """(2 k, n): who is at risk, then who has an event, at each of k times within ``strata`` (n,)."""
    day = merge_ties(day)
    at_risk, dying = [], []
    for s in np.unique(strata):
        inside = strata == s
        for time in np.unique(day[inside & event]):
            at_risk.append(inside & (day >= time))
            dying.append(inside & event & (day == time))
    return np.array([*at_risk, *dying], dtype=np.float64).reshape(-1, day.size)


def log_rank_of(mine: Array, both: Array) -> Array:
    """The log-rank z (copies,) from the sums (2 k, copies) of :func:`risk_columns` over the treated and over both arms."""
    times = mine.shape[0] // 2
    n, d, n1, d1 = both[:times], both[times:], mine[:times], mine[times:]
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(n > 0, d1 - d * n1 / n, 0.0).sum(axis=0)
        variance = np.where(n > 1, d * (n - d) * n1 * (n - n1) / (n**2 * (n - 1)), 0.0).sum(axis=0)
        z: Array = np.where(variance > 0, excess / np.sqrt(variance), np.nan)
    return z


def with_intercept(covariates: Array) -> Array:
    """An intercept and the covariates that earlier ones do not determine."""
    Z = np.column_stack([np.ones(covariates.shape[0]), covariates])
    return Z[:, ~aliased_columns(Z)]


def arm_effect(A: Array, squares: Array, total: Array, n: Array, there: NDArray[np.bool_]) -> ArmTest:
    """Estimate, error and df (responses, copies) of the last column on each response, beside the other columns.

    ``A`` (k, k + responses, copies) are the columns' cross-products, upper triangle, and those with the responses,
    ``squares`` (responses, copies) those of the responses with themselves; both are changed. ``total`` (k, copies) are the
    sums of squares a column is judged by, ``n`` (copies,) what is left of the subjects before these columns, ``there``
    whether both arms are."""
    k = A.shape[0]
    work, factor = np.empty_like(A[0]), np.empty_like(A[0, 0])
    total = PIVOT * np.maximum(total, 1e-300)
    least = 1e-12 * np.maximum(squares, 1e-300)
    rank = np.zeros(A.shape[2])
    for c in range(k - 1):
        pivot = A[c, c]
        good = pivot > total[c]
        rank += good
        inverse = np.where(good, 1.0 / np.where(good, pivot, 1.0), 0.0)
        for r in range(c + 1, k):
            np.multiply(A[c, r], inverse, out=factor)
            A[r, r:] -= np.multiply(factor, A[c, r:], out=work[r:])
        along = A[c, k:]
        np.multiply(along, inverse, out=work[k:])
        squares -= np.multiply(work[k:], along, out=work[k:])
    own, cross = A[-1, k - 1], A[-1, k:]
    df = n - rank - 1.0
    usable = there & (own > total[-1]) & (df > 0)
    own = np.where(usable, own, np.nan)
    estimate = cross / own
    left = np.maximum(squares - cross * estimate, 0.0)
    left = np.where(left > least, left, np.nan)
    return ArmTest(estimate, np.sqrt(left / df / own), np.where(usable & np.isfinite(left), df, np.nan))


class _Sums:
    """What is summed over the subjects of an outcome, made once: columns, their products and those with the response."""

    def __init__(self, outcome: Outcome) -> None:
        self.Z, self.whole, self.unit = with_intercept(outcome.covariates), outcome.whole, outcome.unit
        upper = np.triu_indices(self.Z.shape[1])
        self.products = self.Z[:, upper[0]] * self.Z[:, upper[1]]
        self.ranked: list[RankedTogether] = []
        self.y, self.made = np.zeros(self.Z.shape[0]), np.zeros((self.Z.shape[0], 0))
        if outcome.scores is not None:
            self.ranked = [ranked_together(outcome.scores, g) for g in groups_of(outcome.strata, self.Z.shape[0])]
        elif outcome.response is not None:
            self.y = outcome.response - outcome.response.mean() if outcome.response.size else outcome.response
            self.made = np.column_stack([self.Z * self.y[:, None], self.y * self.y])
        else:
            raise StatsError("an outcome needs a response or scores")

    def ranks(self, used: Array) -> Array:
        """The ranks (n, 256) among those ``used`` (n, 256: how often)."""
        ranks = np.zeros(used.shape)
        for part in self.ranked:
            ranks[part.members] = ranks_of(part, taken_of(used[part.members]), self.unit)
        return ranks


def _batch(sums: _Sums, arms: NDArray[np.int8], treated: int, reference: int, weights: Array | None) -> ArmTest:
    """The tests of some trials: ``arms`` and ``weights`` are (n, B) or (n, 1)."""
    size = max(arms.shape[1], 1 if weights is None else weights.shape[1])
    beside = [c for c in range(int(arms.max()) + 1) if c not in (treated, reference)] if sums.whole else []
    Z, q = sums.Z, sums.Z.shape[1]
    k = q + len(beside) + 1
    upper = np.triu_indices(q)
    A, squares, there = np.zeros((k, k + 1, size)), np.zeros((1, size)), np.zeros(size, dtype=np.bool_)
    for start in range(0, size, TILE):
        some = slice(start, min(start + TILE, size))
        parts = [_drawn(arms, c, weights, some) for c in (*beside, treated)]
        other = _drawn(arms, reference, weights, some)
        used = other + sum(parts)
        there[some] = other.any(axis=0)
        A[(*upper, some)] = sums.products.T @ used
        if sums.ranked:
            y = sums.ranks(used)
            along = y if weights is None else used * y
            A[:q, -1, some], squares[0, some] = Z.T @ along, np.einsum("nb,nb->b", along, y)
        else:
            made = sums.made.T @ used
            A[:q, -1, some], squares[0, some] = made[:q], made[q]
        for j, part in enumerate(parts, start=q):
            A[:q, j, some] = Z.T @ part
            A[j, -1, some] = np.einsum("nb,nb->b", part, y) if sums.ranked else sums.y @ part
    for j in range(q, k):
        A[j, j] = A[0, j]  # the first column is of ones
    total = np.array([A[i, i] for i in range(k)])
    found = arm_effect(A, squares, total, total[0], there & (total[-1] > 0))
    return ArmTest(found.estimate[0], found.se[0], found.df[0])


def _drawn(arms: NDArray[np.int8], code: int, weights: Array | None, some: slice) -> Array:
    """How often (n, 256) each subject of an arm is in some of the trials."""
    mine = (arms if arms.shape[1] == 1 else arms[:, some]) == code
    if weights is None:
        return np.ascontiguousarray(mine, dtype=np.float64)
    return np.ascontiguousarray(mine * (weights if weights.shape[1] == 1 else weights[:, some]))
