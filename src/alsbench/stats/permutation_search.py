"""Every test of a search in every re-randomised copy of a trial, copies and tests side by side.

Somebody who looks wherever one could look is to be compared with himself in trials without any effect: arms are dealt
again over the whole trial, within strata, and every definition, endpoint, comparison and visit is tested anew (min-p:
Westfall and Young 1993, ISBN 978-0471557616). Where all arms are in the model nothing but the arms' own columns changes
between copies, so that a copy of a test is a few sums over subjects; where a model holds two arms only, the normal
equations are summed anew; a joint rank is ranked anew. All sums are matrix products of the arms' indicators with columns
that are made once (Frisch and Waugh 1933, doi 10.2307/1907330).

Copies come in tiles of 256, each from a seed of its own, and no product spans two tiles: the same bits come out however
the copies are shared out among processes or machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.design import aliased_columns
from alsbench.stats.errors import StatsError
from alsbench.stats.threads import one_blas_thread
from alsbench.stats.ties import merge_ties

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

TILE = 256
PIVOT = 1e-9  # a column whose own part is below this share of its sum of squares is left out of that copy
AT_ONCE = 48  # models worked on at once
CLOSE = 0.07  # by how much, relatively, the approximation to a normal score may be wrong


@dataclass(frozen=True)
class LinearOutcome:
    """``response`` (n,) with ``covariates`` (n, q), without intercept, of the subjects ``subject`` (n,), columns of the
    arms.

    ``whole``: all arms are in the model; else the two that are compared.
    """

    subject: NDArray[np.int64]
    covariates: Floats
    response: Floats
    whole: bool = True


@dataclass(frozen=True)
class RankOutcome:
    """A joint rank: ``scores`` (n, n) holds +1 where the row's subject beats the column's, -1 where it loses, of the
    subjects ``subject`` (n,); the response is the mid-rank of the sums among the two arms compared (``whole``: among all),
    within ``strata`` (n,) where given, and divided by the number ranked plus one where ``unit``."""

    subject: NDArray[np.int64]
    covariates: Floats
    scores: Floats
    strata: NDArray[np.int64] | None = None
    unit: bool = False
    whole: bool = False


@dataclass(frozen=True)
class TimeOutcome:
    """A time to event: ``day`` (n,), ``event`` (n,) and ``strata`` (n,) of the subjects ``subject`` (n,)."""

    subject: NDArray[np.int64]
    day: Floats
    event: NDArray[np.bool_]
    strata: NDArray[np.int64]


SearchOutcome = LinearOutcome | RankOutcome | TimeOutcome


@dataclass(frozen=True)
class SearchTest:
    """One place of a search: an outcome (its position in the list of outcomes), and the arms compared there."""

    outcome: int
    treated: int
    reference: int


def permuted_arms(arm: ArrayLike, strata: ArrayLike, tiles: Sequence[int], *, seed: int) -> Codes:
    """Arms dealt again (256 len(tiles), n), each stratum keeping its number of every arm; tile k from the seed (seed, k).

    ``arm`` (n,) codes, -1 who takes no part and keeps that; ``strata`` (n,). Raises StatsError where they differ in
    length."""
    codes, stratum = np.asarray(arm, dtype=np.int8), np.asarray(strata, dtype=np.int64)
    if codes.shape != stratum.shape or codes.ndim != 1:
        raise StatsError("arms and strata must be of one length")
    dealt = np.tile(codes, (len(tiles) * TILE, 1))
    groups = [np.flatnonzero((stratum == s) & (codes >= 0)) for s in np.unique(stratum)]
    for place, tile in enumerate(tiles):
        rng = np.random.default_rng([seed, tile])
        rows = slice(place * TILE, (place + 1) * TILE)
        for members in groups:
            dealt[rows, members] = rng.permuted(np.tile(codes[members], (TILE, 1)), axis=1)
    return dealt


@dataclass(frozen=True)
class _Whole:
    """A block of models that hold all arms: ``columns`` (n, k) are, model by model, an orthonormal base of the covariates, a
    column of ones and what the covariates leave of the response; ``start``, ``q``, ``left`` (its sum of squares) and
    ``size`` of each; ``tests`` of each."""

    columns: Floats
    start: tuple[int, ...]
    q: tuple[int, ...]
    left: tuple[float, ...]
    size: tuple[int, ...]
    tests: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class _Ranked:
    """Who is ranked together (positions in a model) and the ``scores`` (n, n) of them against each other; ``ordered``: these
    come from one order with ties."""

    members: NDArray[np.int64]
    scores: NDArray[np.float32]
    ordered: bool


@dataclass(frozen=True)
class _Response:
    """A response of two arms: ``made`` (n, q + 1), the products of ``y`` (n,) with the covariates and itself, or, for a joint
    rank, who is ``ranked``, stratum by stratum; ``tests`` of it."""

    y: Floats | None
    made: Floats
    ranked: tuple[_Ranked, ...]
    unit: bool
    tests: tuple[int, ...]


@dataclass(frozen=True)
class _TwoArms:
    """Models of two arms that hold the same subjects and the same ``Z`` (n, q): ``squares`` (n, k) are the products of its
    columns."""

    subject: NDArray[np.int64]
    Z: Floats
    squares: Floats
    responses: tuple[_Response, ...]


@dataclass(frozen=True)
class _Times:
    """A time to event: ``columns`` (n, 2 k), who is at risk and who has an event at each of k times within strata;
    ``tests`` of it."""

    subject: NDArray[np.int64]
    columns: Floats
    tests: tuple[int, ...]


class PermutationSearch:
    """A search made ready: what does not change between copies is computed once. It holds arrays only, no identifiers."""

    def __init__(self, outcomes: Sequence[SearchOutcome], tests: Sequence[SearchTest], subjects: int) -> None:
        """``subjects`` are the columns of the arms that will be searched."""
        self.compared = tuple((t.treated, t.reference) for t in tests)
        of_outcome: dict[int, list[int]] = {}
        for place, test in enumerate(tests):
            of_outcome.setdefault(test.outcome, []).append(place)
        settled = {i: _settled(outcomes[i]) for i in of_outcome if outcomes[i].subject.size}
        whole = [(o, tuple(of_outcome[i])) for i, o in settled.items() if isinstance(o, LinearOutcome) and o.whole]
        self.whole = [_whole_block(whole[i : i + AT_ONCE], subjects) for i in range(0, len(whole), AT_ONCE)]
        self.times: list[_Times] = []
        alike: dict[tuple[bytes, bytes], list[tuple[LinearOutcome | RankOutcome, tuple[int, ...]]]] = {}
        for i, outcome in settled.items():
            if isinstance(outcome, TimeOutcome):
                times = _times(outcome, tuple(of_outcome[i]))
                self.times += [times] if times.columns.size else []
            elif not outcome.whole:
                key = outcome.subject.tobytes(), outcome.covariates.tobytes()
                alike.setdefault(key, []).append((outcome, tuple(of_outcome[i])))
        self.two_arms = [_two_arms(outcomes) for outcomes in alike.values()]

    def run(self, arms: Codes) -> tuple[Floats, Floats]:
        """t and degrees of freedom (copies, tests): treated minus reference of each test in every copy of the arms (copies,
        n).

        NaN where an arm is missing or nothing is left to estimate from; a log-rank z has infinite degrees of freedom, and
        is negative where the treated have fewer events than expected."""
        copies = arms.shape[0]
        padded = np.concatenate([arms, np.repeat(arms[:1], -copies % TILE, axis=0)])
        tiles = padded.reshape(-1, TILE, arms.shape[1])
        arms_there = range(1 + max([int(arms.max(initial=-1)), *(c for pair in self.compared for c in pair)]))
        indicator = [(tiles == code).astype(np.float64) for code in arms_there]
        t = np.full((len(self.compared), padded.shape[0]), np.nan)
        df = np.full((len(self.compared), padded.shape[0]), np.nan)
        for block in self.whole:
            self._fill_whole(block, indicator, t, df)
        known = sorted({arm for pair in self.compared for arm in pair})
        upright = {arm: np.ascontiguousarray(indicator[arm].transpose(0, 2, 1)) for arm in known}
        for model in self.two_arms:
            pairs = dict.fromkeys(self.compared[place] for one in model.responses for place in one.tests)
            for pair in pairs:
                tested = [(one, place) for one in model.responses for place in one.tests if self.compared[place] == pair]
                places = [place for _, place in tested]
                t[places], df[places] = _two_arms_t(model, [one for one, _ in tested], *pair, upright)
        for times in self.times:
            for place in times.tests:
                t[place] = _log_rank_z(times, *self.compared[place], indicator)
                df[place] = np.where(np.isfinite(t[place]), np.inf, np.nan)
        return t[:, :copies].T, df[:, :copies].T

    def _fill_whole(self, block: _Whole, indicator: list[Floats], t: Floats, df: Floats) -> None:
        sums = [_products(arm, block.columns) for arm in indicator]
        arms = range(len(sums))
        for start, q, left, size, places in zip(block.start, block.q, block.left, block.size, block.tests, strict=True):
            base, count, rest = slice(start, start + q), start + q, start + q + 1
            shared = {(a, b): -np.einsum("qb,qb->b", sums[a][base], sums[b][base]) for a in arms for b in arms if a <= b}
            for place in places:
                treated, reference = self.compared[place]
                columns = [*(c for c in arms if c not in (treated, reference)), treated]
                total = np.array([sums[a][count] for a in columns])
                A = np.array([[shared[min(a, b), max(a, b)] for b in columns] for a in columns])
                for i in range(len(columns)):
                    A[i, i] += total[i]
                along = np.array([*(sums[a][rest] for a in columns), np.full(total.shape[1], left)])[:, None]
                there = (sums[reference][count] > 0) & (sums[treated][count] > 0)
                found = _treated_t(A, along, total, np.full(there.size, float(size - q)), there)
                t[place], df[place] = found[0][0], found[1][0]


@dataclass(frozen=True)
class DealtSearch:
    """A search whose arms are dealt again: ``arm`` (n,) codes within ``strata`` (n,), tile k from (``seed``, k). Of the tests
    in each of ``scopes`` the smallest p is wanted, and whether any p below ``alpha`` lies on the side ``upward`` (tests,).

    It is what travels to whoever computes tiles: arrays, no identifiers.
    """

    search: PermutationSearch
    arm: Codes
    strata: NDArray[np.int64]
    seed: int
    scopes: tuple[NDArray[np.int64], ...] = ()
    upward: Floats | None = None
    alpha: float = 0.05

    def tested(self, tiles: Sequence[int]) -> tuple[Floats, Floats]:
        """t and degrees of freedom (256 copies a tile, tests)."""
        with one_blas_thread():
            return self.search.run(permuted_arms(self.arm, self.strata, tiles, seed=self.seed))


def dealt_p_values(dealt: DealtSearch, tiles: Sequence[int]) -> Floats:
    """p (256 copies a tile, tests); 1 where a test cannot be made."""
    from scipy.special import stdtr  # waits: scipy

    t, df = dealt.tested(tiles)
    p: Floats = np.where(np.isnan(t), 1.0, 2.0 * stdtr(np.where(np.isnan(df), 1.0, df), -np.abs(np.nan_to_num(t))))
    return p


def dealt_extremes(dealt: DealtSearch, tiles: Sequence[int]) -> tuple[Floats, NDArray[np.bool_]]:
    """The smallest p (256 copies a tile, scopes) and whether a p below alpha is on the wanted side."""
    t, df = dealt.tested(tiles)
    good = small_and_upward(t, df, np.ones(t.shape[1]) if dealt.upward is None else dealt.upward, dealt.alpha)
    offers = np.array([good[:, scope].any(axis=1) for scope in dealt.scopes], dtype=bool).reshape(-1, t.shape[0]).T
    return smallest_p(t, df, dealt.scopes), offers


def smallest_p(t: Floats, df: Floats, scopes: Sequence[NDArray[np.int64]] | None = None) -> Floats:
    """The smallest two-sided p (copies, scopes) among the tests of each scope (default: one of all); what cannot be
    estimated counts as 1. ``t`` and ``df`` are (copies, tests).

    Wallace's normal approximation to t (1959, doi 10.1214/aoms/1177706096) tells which tests can be the smallest; only
    their p is computed, exactly.
    """
    from scipy.special import stdtr  # waits: scipy

    every = [np.arange(t.shape[1])] if scopes is None else scopes
    p = np.ones((t.shape[0], len(every)))
    for start in range(0, t.shape[0], TILE):
        some = slice(start, start + TILE)
        near = _near_normal(t[some].T, df[some].T)
        for place, scope in enumerate(every):
            mine = near[scope]
            best = mine.max(axis=0, initial=-1.0)
            columns, rows = np.nonzero((mine >= best * (1.0 - CLOSE)) & (mine >= 0.0))
            tests, rows = np.asarray(scope)[columns], rows + start
            np.minimum.at(p[:, place], rows, 2.0 * stdtr(df[rows, tests], -np.abs(t[rows, tests])))
    return p


def _near_normal(t: Floats, df: Floats) -> NDArray[np.float32]:
    """About the normal score of the size of t, in single precision; -1 where there is no t."""
    size, shape = np.abs(t.astype(np.float32)), df.astype(np.float32)
    normal = np.isinf(shape)
    shape[normal] = 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        near = (8.0 * shape + 1.0) / (8.0 * shape + 3.0) * np.sqrt(shape * np.log1p(size * size / shape))
    near = np.where(normal, size, near)
    near[~np.isfinite(near)] = -1.0
    return near


def small_and_upward(t: Floats, df: Floats, upward: Floats, alpha: float) -> NDArray[np.bool_]:
    """Which tests (copies, tests) have p < ``alpha`` with t on the side ``upward`` (tests,: 1 or -1).

    The bound of t is beyond the normal one, whatever its degrees of freedom: few are to be compared with their own."""
    from scipy.special import ndtri, stdtrit  # waits: scipy

    with np.errstate(invalid="ignore"):
        small: NDArray[np.bool_] = t * upward > -ndtri(alpha / 2.0) * (1.0 - 1e-9)
    rows, tests = np.nonzero(small)
    known, which = np.unique(df[rows, tests], return_inverse=True)
    bound = -stdtrit(known, alpha / 2.0)[which]
    small[rows, tests] = t[rows, tests] * upward[tests] > bound
    return small


def _settled(outcome: SearchOutcome) -> SearchOutcome:
    """A joint rank of all arms has the same ranks in every copy: it is a response like others."""
    if not isinstance(outcome, RankOutcome) or not outcome.whole:
        return outcome
    everybody = np.ones((1, outcome.subject.size))
    rank = mid_ranks(outcome.scores, everybody, outcome.strata, unit=outcome.unit)[0]
    return LinearOutcome(outcome.subject, outcome.covariates, rank)


def _products(indicator: Floats, columns: Floats) -> Floats:
    """(columns, copies) sums of the columns (n, k) over the subjects of an arm, tile by tile."""
    made = np.matmul(indicator, columns)
    return np.ascontiguousarray(made.reshape(-1, columns.shape[1]).T)


def _whole_block(models: Sequence[tuple[LinearOutcome, tuple[int, ...]]], subjects: int) -> _Whole:
    columns: list[Floats] = []
    start: list[int] = []
    q: list[int] = []
    left: list[float] = []
    size: list[int] = []
    for model, _ in models:
        Z = _with_intercept(model.covariates)
        Q = np.linalg.qr(Z)[0]
        response = model.response - model.response.mean()
        rest = response - Q @ (Q.T @ response)
        own = np.zeros((subjects, Q.shape[1] + 2))
        own[model.subject] = np.column_stack([Q, np.ones(model.subject.size), rest])
        start.append(sum(c.shape[1] for c in columns))
        columns.append(own)
        q.append(Q.shape[1])
        size.append(model.subject.size)
        left.append(float(rest @ rest) if float(rest @ rest) > 1e-12 * float(response @ response) else 0.0)
    tests = tuple(places for _, places in models)
    return _Whole(np.concatenate(columns, axis=1), tuple(start), tuple(q), tuple(left), tuple(size), tests)


def _two_arms(models: Sequence[tuple[LinearOutcome | RankOutcome, tuple[int, ...]]]) -> _TwoArms:
    """Models of the same subjects and covariates."""
    first = models[0][0]
    Z = _with_intercept(first.covariates)
    upper = np.triu_indices(Z.shape[1])
    responses: list[_Response] = []
    for outcome, tests in models:
        if isinstance(outcome, RankOutcome):
            groups = _groups(outcome.strata, outcome.subject.size)
            ranked = tuple(_ranked(outcome.scores, members) for members in groups)
            responses.append(_Response(None, np.empty((Z.shape[0], 0)), ranked, outcome.unit, tests))
        else:
            y = outcome.response - outcome.response.mean()
            responses.append(_Response(y, np.column_stack([Z * y[:, None], y * y]), (), False, tests))
    return _TwoArms(first.subject, Z, Z[:, upper[0]] * Z[:, upper[1]], tuple(responses))


def _two_arms_t(
    model: _TwoArms, responses: Sequence[_Response], treated: int, reference: int, upright: dict[int, Floats]
) -> tuple[Floats, Floats]:
    """t and df (responses, copies) of the ANCOVA of each response among two arms.

    ``upright`` are the indicators of the arms by tile (tiles, subjects, 256): who is in the models are rows of them.
    """
    q = model.Z.shape[1]
    upper = np.triu_indices(q)
    tiles = upright[treated].shape[0]
    A = np.zeros((q + 1, q + 1, tiles * TILE))
    along = np.zeros((q + 2, len(responses), tiles * TILE))
    for tile in range(tiles):
        rows = slice(tile * TILE, (tile + 1) * TILE)
        of_treated = upright[treated][tile][model.subject]
        of_both = upright[reference][tile][model.subject]
        of_both += of_treated
        A[(*upper, rows)] = model.squares.T @ of_both
        A[:q, q, rows] = model.Z.T @ of_treated
        for i, one in enumerate(responses):
            if one.y is not None:
                sums = one.made.T @ of_both
                along[:q, i, rows], along[-1, i, rows] = sums[:q], sums[q]
                along[q, i, rows] = one.y @ of_treated
            for part in one.ranked:
                whole = part.members.size == model.subject.size
                taken, mine = (of_both, of_treated) if whole else (of_both[part.members], of_treated[part.members])
                ranks = _ranks_of_tile(part, taken, one.unit)
                along[:q, i, rows] += (model.Z if whole else model.Z[part.members]).T @ ranks
                along[q, i, rows] += np.einsum("nb,nb->b", ranks, mine)
                along[-1, i, rows] += np.einsum("nb,nb->b", ranks, ranks)
    A[q, q] = A[0, q]
    total = np.einsum("iib->ib", A).copy()
    return _treated_t(A, along, total, total[0], (total[q] > 0) & (total[q] < total[0]))


def _with_intercept(covariates: Floats) -> Floats:
    """An intercept and the covariates that earlier ones do not determine."""
    Z = np.column_stack([np.ones(covariates.shape[0]), covariates])
    return Z[:, ~aliased_columns(Z)]


def _treated_t(A: Floats, along: Floats, total: Floats, n: Floats, there: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """t and df (responses, copies) of the last column on each response, beside the other columns.

    ``A`` (k, k, copies) are the columns' cross-products, upper triangle, and ``along`` (k + 1, responses, copies) those of
    the columns with the responses and of these with themselves; both are changed. ``total`` (k, copies) are the sums of
    squares a column is judged by, ``n`` (copies,) what is left of the subjects before these columns, ``there`` whether both
    arms are."""
    last = A.shape[0] - 1
    total = PIVOT * np.maximum(total, 1e-300)
    least = 1e-12 * np.maximum(along[-1], 1e-300)
    rank = np.zeros(A.shape[2])
    for c in range(last):
        pivot = A[c, c]
        good = pivot > total[c]
        rank += good
        inverse = np.where(good, 1.0 / np.where(good, pivot, 1.0), 0.0)
        for r in range(c + 1, last + 1):
            factor = A[c, r] * inverse
            A[r, r:] -= factor * A[c, r:]
            along[r] -= factor * along[c]
        along[-1] -= (along[c] * inverse) * along[c]
    own, cross, rest = A[-1, -1], along[-2], along[-1]
    df = n - rank - 1.0
    usable = there & (own > total[-1]) & (df > 0)
    own = np.where(usable, own, np.nan)
    estimate = cross / own
    left = np.maximum(rest - cross * estimate, 0.0)
    left = np.where(left > least, left, np.nan)
    return estimate / np.sqrt(left / df / own), np.where(usable & np.isfinite(left), df, np.nan)


def _times(outcome: TimeOutcome, tests: tuple[int, ...]) -> _Times:
    day = merge_ties(outcome.day)
    at_risk, dying = [], []
    for s in np.unique(outcome.strata):
        inside = outcome.strata == s
        for time in np.unique(day[inside & outcome.event]):
            at_risk.append(inside & (day >= time))
            dying.append(inside & outcome.event & (day == time))
    columns = np.array([*at_risk, *dying], dtype=np.float64).reshape(-1, day.size).T
    return _Times(outcome.subject, np.ascontiguousarray(columns), tests)


def _log_rank_z(model: _Times, treated: int, reference: int, indicator: list[Floats]) -> Floats:
    """The stratified log-rank z (copies,), NaN without events in the two arms."""
    times = model.columns.shape[1] // 2
    mine = _products(np.ascontiguousarray(indicator[treated][:, :, model.subject]), model.columns)
    both = mine + _products(np.ascontiguousarray(indicator[reference][:, :, model.subject]), model.columns)
    n, d, n1, d1 = both[:times], both[times:], mine[:times], mine[times:]
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(n > 0, d1 - d * n1 / n, 0.0).sum(axis=0)
        variance = np.where(n > 1, d * (n - d) * n1 * (n - n1) / (n**2 * (n - 1)), 0.0).sum(axis=0)
        z: Floats = np.where(variance > 0, excess / np.sqrt(variance), np.nan)
    return z


def mid_ranks(scores: Floats, taken: Floats, strata: NDArray[np.int64] | None = None, *, unit: bool = False) -> Floats:
    """Mid-ranks (copies, n) of the sums of ``scores`` (n, n) over those ``taken`` (copies, n: 1 or 0), 0 where not taken.

    Ranks are within ``strata`` (n,) where given; ``unit`` divides them by the number ranked plus one. By counting, 256
    copies at a time, which stay in the processor's cache: the sums are whole numbers, the same in single precision.
    """
    ranks = np.zeros(taken.shape)
    for members in _groups(strata, taken.shape[1]):
        own = _ranked(scores, members)
        for start in range(0, taken.shape[0], TILE):
            mine = np.ascontiguousarray(taken[start : start + TILE, members].T)
            ranks[start : start + TILE, members] = _ranks_of_tile(own, mine, unit).T
    return ranks


def _ranked(scores: Floats, members: NDArray[np.int64]) -> _Ranked:
    """The ``members`` of a ranking by ``scores`` (n, n), and whether one order with ties gives all their scores."""
    own = np.ascontiguousarray(scores[np.ix_(members, members)], dtype=np.float32)
    sums = own.sum(axis=1)
    return _Ranked(members, own, bool(np.array_equal(own, np.sign(sums[:, None] - sums))))


def _ranks_of_tile(own: _Ranked, taken: Floats, unit: bool) -> Floats:
    """Mid-ranks (n, copies) of those ``taken`` (n, copies).

    A sum is the number beaten less the number lost to: where the scores come from one order, among any that are taken the
    mid-rank is half of the sum, and of their number plus one. Elsewhere the sums are counted, copy by copy."""
    count = taken.sum(axis=0)
    single = taken.astype(np.float32)
    place = own.scores @ single
    if own.ordered:
        place += count.astype(np.float32) + 1.0
        place *= single
        ranks: Floats = np.multiply(place, 0.5, dtype=np.float64)
    else:
        ranks = _counted(place, single, int(count.max()))
    return ranks / (count + 1.0) if unit else ranks


def _counted(sums: NDArray[np.float32], taken: NDArray[np.float32], most: int) -> Floats:
    """Mid-ranks (n, copies) of whole numbers within 1 - ``most`` and ``most`` - 1 among those ``taken`` (n, copies: 1 or 0),
    at most ``most`` of a copy; 0 elsewhere. ``sums`` is changed."""
    copies, few = taken.shape[1], most < 2**14  # so many fit into short numbers
    place = sums if few else sums.astype(np.float64)
    place += most
    place *= taken  # from 1 to 2 most - 1 where taken, 0 elsewhere
    place *= copies
    place += np.arange(copies, dtype=np.float32)
    cell = place.astype(np.int64)
    held: NDArray[np.integer] = np.bincount(cell.ravel(), minlength=2 * most * copies).reshape(-1, copies)
    held = held.astype(np.int16 if few else np.int64)
    held[0] = 0
    twice, step = held, 1
    while step < len(twice):  # how many lie at or below, by doubling the distance
        further = twice.copy()
        further[step:] += twice[:-step]
        twice, step = further, 2 * step
    twice = 2 * twice - held + 1
    twice[0] = 0
    ranks: Floats = np.multiply(twice.ravel().take(cell), 0.5, dtype=np.float64)
    return ranks


def _groups(strata: NDArray[np.int64] | None, n: int) -> list[NDArray[np.int64]]:
    if strata is None:
        return [np.arange(n, dtype=np.int64)]
    return [np.flatnonzero(strata == s) for s in np.unique(strata)]
