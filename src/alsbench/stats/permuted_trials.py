"""The arm's t in thousands of re-randomised or resampled trials at once: what a search over subgroups is measured against.

When arms are permuted over a whole trial, who is compared within a subgroup changes too, and with it the joint ranks, the
covariates' normal equations and the degrees of freedom. All are sums over subjects, so that every trial of a batch is one
row of a matrix product: cross-products of covariates, arm and response, reduced by elimination in all trials side by
side (Frisch and Waugh 1933, doi 10.2307/1907330). The t of the observed arms is that of the ANCOVA. Whole-number weights
instead of zeros and ones make a bootstrap of the same estimate. Permutation for families: Westfall and Young 1993.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.ties import merge_ties

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

BATCH = 1_000  # trials worked on at once: they stay in the processor's cache
PIVOT = 1e-9  # a covariate whose own part is below this share of its sum of squares is left out of that trial


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
    parts: list[ArmTest] = []
    for rows in _slices(trials):
        codes = arms[rows] if arms.shape[0] > 1 else arms
        drawn = None if weights is None else weights[rows] if weights.shape[0] > 1 else weights
        parts.append(_batch(outcome, codes, treated, reference, drawn))
    return ArmTest(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("estimate", "se", "df")))


def ranks_within(scores: Array, weights: Array, strata: IntArray | None = None, *, unit: bool = False) -> Array:
    """Mid-ranks (B, n) of the sums of ``scores`` (n, n) over the subjects drawn, 0 where ``weights`` (B, n) is 0.

    A subject drawn w times counts w times. Ranks are within ``strata`` where given; ``unit`` divides by their number plus one.
    """
    ranks = np.zeros_like(weights)
    groups = np.zeros(weights.shape[1], dtype=np.int64) if strata is None else strata
    for s in np.unique(groups):
        members = np.flatnonzero(groups == s)
        mine = weights[:, members]
        sums = np.rint(mine @ scores[np.ix_(members, members)].T).astype(np.int64)
        ranks[:, members] = _mid_ranks(sums, mine, unit)
    return ranks


def log_rank_z(
    day: Array, event: NDArray[np.bool_], arms: NDArray[np.int8], treated: int, reference: int, strata: IntArray
) -> Array:
    """The stratified log-rank z (B,) of ``treated`` against ``reference`` in every trial; negative where the treated have fewer
    events than expected, NaN without events in the two arms."""
    observed, variance = np.zeros(arms.shape[0]), np.zeros(arms.shape[0])
    day = merge_ties(day)
    for rows in _slices(arms.shape[0]):
        of_treated, of_both = (arms[rows] == treated) * 1.0, np.isin(arms[rows], (treated, reference)) * 1.0
        for s in np.unique(strata):
            inside = strata == s
            for time in np.unique(day[inside & event]):
                at_risk, dying = (inside & (day >= time)) * 1.0, (inside & event & (day == time)) * 1.0
                n, n1, d, d1 = of_both @ at_risk, of_treated @ at_risk, of_both @ dying, of_treated @ dying
                with np.errstate(divide="ignore", invalid="ignore"):
                    observed[rows] += np.where(n > 0, d1 - d * n1 / n, 0.0)
                    variance[rows] += np.where(n > 1, d * (n - d) * n1 * (n - n1) / (n**2 * (n - 1)), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z: Array = np.where(variance > 0, observed / np.sqrt(variance), np.nan)
    return z


def _slices(trials: int) -> Iterator[slice]:
    return (slice(start, min(start + BATCH, trials)) for start in range(0, trials, BATCH))


def _batch(outcome: Outcome, arms: NDArray[np.int8], treated: int, reference: int, weights: Array | None) -> ArmTest:
    ones = np.ones(arms.shape) if weights is None else np.broadcast_to(weights, (max(len(arms), len(weights)), arms.shape[1]))
    mine = arms == treated
    kept = arms >= 0 if outcome.whole else mine | (arms == reference)
    used, of_treated = ones * kept, ones * mine
    others = [c for c in range(int(arms.max()) + 1) if c not in (treated, reference)] if outcome.whole else []
    extra = [ones * (arms == c) for c in others]
    Z = np.column_stack([np.ones(arms.shape[1]), outcome.covariates])
    if outcome.scores is not None:
        y = ranks_within(outcome.scores, used, outcome.strata, unit=outcome.unit)
        of_y, yy = y * used, (used * y * y).sum(axis=1)
        yz, along = of_y @ Z, [((part > 0) * of_y).sum(axis=1) for part in (*extra, of_treated)]
    else:
        if outcome.response is None:
            raise StatsError("an outcome needs a response or scores")
        response = outcome.response
        yz, yy = used @ (Z * response[:, None]), used @ response**2
        along = [part @ response for part in (*extra, of_treated)]
    return _eliminated(Z, used, [*extra, of_treated], yz, along, yy)


def _eliminated(Z: Array, used: Array, parts: list[Array], yz: Array, along: list[Array], yy: Array) -> ArmTest:
    """Cross-products of [covariates, other arms, treated, response] in every trial, reduced to the treated's coefficient."""
    q, k = Z.shape[1], len(parts)
    size = q + k + 1
    A = np.zeros((size, size, used.shape[0]))  # trials last: every step is over contiguous numbers
    upper = np.triu_indices(q)
    A[upper] = (used @ (Z[:, upper[0]] * Z[:, upper[1]])).T
    A[upper[1], upper[0]] = A[upper]
    for j, part in enumerate(parts):
        A[q + j, :q] = A[:q, q + j] = (part @ Z).T
        A[q + j, q + j] = part.sum(axis=1)
        A[q + j, -1] = A[-1, q + j] = along[j]
    A[:q, -1] = A[-1, :q] = yz.T
    A[-1, -1] = yy
    rank = np.zeros(used.shape[0])
    total = np.einsum("iib->ib", A).copy()
    for c in range(q + k - 1):
        pivot = A[c, c]
        good = pivot > PIVOT * np.maximum(total[c], 1e-300)
        rank += good
        factor = np.where(good, A[c, c + 1 :] / np.where(good, pivot, 1.0), 0.0)
        A[c + 1 :, c + 1 :] -= factor[:, None] * A[c, None, c + 1 :]
    own, cross, rest = A[-2, -2], A[-2, -1], A[-1, -1]
    df = used.sum(axis=1) - rank - 1.0
    usable = (own > PIVOT * np.maximum(total[-2], 1e-300)) & (df > 0)
    own = np.where(usable, own, np.nan)
    estimate = cross / own
    left = np.maximum(rest - cross * estimate, 0.0)
    left = np.where(left > 1e-12 * np.maximum(total[-1], 1e-300), left, np.nan)
    return ArmTest(estimate, np.sqrt(left / np.where(usable, df, np.nan) / own), np.where(usable, df, np.nan))


def _mid_ranks(sums: IntArray, weights: Array, unit: bool) -> Array:
    """Mid-ranks (B, n) of whole numbers, a value of weight w counting w times: by counting, not sorting."""
    trials, low = sums.shape[0], int(sums.min(initial=0))
    span = int(sums.max(initial=0)) - low + 1
    place = (sums - low) + span * np.arange(trials)[:, None]
    counts = np.bincount(place.ravel(), weights=weights.ravel(), minlength=trials * span).reshape(trials, span)
    middle = np.cumsum(counts, axis=1) - counts / 2.0 + 0.5
    ranks = middle.ravel()[place] * (weights > 0)
    if unit:
        ranks /= weights.sum(axis=1, keepdims=True) + 1.0
    return np.asarray(ranks)
