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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.mid_ranks import TILE as TILE
from alsbench.stats.mid_ranks import RankedTogether, Taken, groups_of, mid_ranks, ranked_together, ranks_of, taken_of
from alsbench.stats.permuted_trials import arm_effect, log_rank_of, risk_columns, with_intercept
from alsbench.stats.threads import one_blas_thread

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]
Pair = tuple[int, int]  # treated and reference

AT_ONCE = 8  # models of two arms worked on at once: what they need of a tile stays in the processor's cache
WHOLE_AT_ONCE = 24  # models of all arms, which need less
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
    """Models that hold all arms, with q covariates each, for m of them: ``columns`` ((q + 2) m, subjects) are an orthonormal
    base of each model's covariates, who is in it, and what the covariates leave of its response; 0 for who is not in it.

    ``left`` (m,) is the sum of squares of the latter, ``free`` (m,) the number of subjects less q, ``places`` the tests (r, m)
    of each comparison."""

    columns: Floats
    left: Floats
    free: Floats
    places: dict[Pair, NDArray[np.int64]]


@dataclass(frozen=True)
class _TwoArms:
    """Models of two arms, with q columns each, for m of them; 0 for who is not in a model.

    ``both`` ((q + 1)(q + 2) / 2 m, subjects) is summed over both arms: each model's products of its columns, of these with the
    response, and of that with itself; ``treated`` ((q + 1) m, subjects) over the treated: columns and response. ``places``
    are the tests (r, m) of each comparison."""

    both: Floats
    treated: Floats
    q: int
    places: dict[Pair, NDArray[np.int64]]


@dataclass(frozen=True)
class _JointRanks:
    """Joint ranks of the same subjects with the same columns ``Z`` (n, q): ``squares`` (n, k) are the products of these. Who
    is ranked together, stratum by stratum, and whether by unit, in ``responses``; ``places`` are by comparison the responses
    and their tests."""

    subject: NDArray[np.int64]
    Z: Floats
    squares: Floats
    responses: tuple[tuple[tuple[RankedTogether, ...], bool], ...]
    places: dict[Pair, tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True)
class _Times:
    """A time to event: ``columns`` (2 k, subjects), who is at risk and who has an event at each of k times within strata;
    ``tests`` of it."""

    columns: Floats
    tests: tuple[int, ...]


class PermutationSearch:
    """A search made ready: what does not change between copies is computed once. It holds arrays only, no identifiers."""

    def __init__(self, outcomes: Sequence[SearchOutcome], tests: Sequence[SearchTest], subjects: int) -> None:
        """``subjects`` are the columns of the arms that will be searched."""
        self.tests = len(tests)
        self.compared = tuple((t.treated, t.reference) for t in tests)
        of_outcome: dict[int, list[int]] = {}
        for place, test in enumerate(tests):
            of_outcome.setdefault(test.outcome, []).append(place)
        self.times: list[_Times] = []
        linear: dict[tuple[bool, int, tuple[Pair, ...]], list[_Model]] = {}
        ranks: dict[tuple[bytes, bytes], list[tuple[RankOutcome, list[int]]]] = {}
        for i, places in of_outcome.items():
            outcome = _settled(outcomes[i])
            if not outcome.subject.size:
                continue
            if isinstance(outcome, TimeOutcome):
                columns = risk_columns(outcome.day, outcome.event, outcome.strata)
                spread = np.zeros((columns.shape[0], subjects))
                spread[:, outcome.subject] = columns
                self.times += [_Times(spread, tuple(places))] if columns.size else []
            elif isinstance(outcome, RankOutcome):
                ranks.setdefault((outcome.subject.tobytes(), outcome.covariates.tobytes()), []).append((outcome, places))
            else:
                Z = with_intercept(outcome.covariates)
                alike = outcome.whole, Z.shape[1], tuple(self.compared[place] for place in places)
                linear.setdefault(alike, []).append(_Model(outcome.subject, Z, outcome.response, tuple(places)))
        self.whole: list[_Whole] = []
        self.two_arms: list[_TwoArms] = []
        for (whole, _, compared), models in linear.items():
            size = WHOLE_AT_ONCE if whole else AT_ONCE
            for start in range(0, len(models), size):
                block = models[start : start + size]
                if whole:
                    self.whole.append(_whole(block, compared, subjects))
                else:
                    self.two_arms.append(_two_arms(block, compared, subjects))
        self.joint_ranks: list[list[tuple[_JointRanks, Pair]]] = []
        shapes: dict[tuple[int, int], list[tuple[_JointRanks, Pair]]] = {}
        for ranked in ranks.values():
            joint_ranks = _joint_ranks(ranked, self.compared)
            for pair, (which, _) in joint_ranks.places.items():
                shapes.setdefault((joint_ranks.Z.shape[1], which.size), []).append((joint_ranks, pair))
        for found in shapes.values():
            self.joint_ranks += [found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE)]

    def run(self, arms: Codes) -> tuple[Floats, Floats]:
        """t and degrees of freedom (copies, tests): treated minus reference of each test in every copy of the arms (copies,
        n).

        NaN where an arm is missing or nothing is left to estimate from; a log-rank z has infinite degrees of freedom, and
        is negative where the treated have fewer events than expected."""
        copies = arms.shape[0]
        padded = np.concatenate([arms, np.repeat(arms[:1], -copies % TILE, axis=0)])
        codes = range(1 + max([int(arms.max(initial=-1)), *(c for pair in self.compared for c in pair)]))
        t = np.full((self.tests, padded.shape[0]), np.nan)
        df = np.full((self.tests, padded.shape[0]), np.nan)
        for start in range(0, padded.shape[0], TILE):
            tile = np.ascontiguousarray(padded[start : start + TILE].T)
            arm = [(tile == code).astype(np.float64) for code in codes]
            self._fill(arm, t[:, start : start + TILE], df[:, start : start + TILE])
        return t[:, :copies].T, df[:, :copies].T

    def _fill(self, arm: list[Floats], t: Floats, df: Floats) -> None:
        """t and df (tests, 256) of one tile, whose arms are the indicators ``arm`` (subjects, 256)."""
        for whole in self.whole:
            for places, found in _whole_t(whole, arm):
                t[places], df[places] = found
        for two_arms in self.two_arms:
            for pair, places in two_arms.places.items():
                t[places], df[places] = _two_arms_t(two_arms, *pair, arm)
        for alike in self.joint_ranks:
            sums = [_joint_rank_sums(block, block.places[pair][0], *pair, arm) for block, pair in alike]
            found = _ancova_t(*(np.concatenate(parts, axis=-1) for parts in zip(*sums, strict=True)))
            for i, (block, pair) in enumerate(alike):
                places, mine = block.places[pair][1], slice(i * TILE, (i + 1) * TILE)
                t[places], df[places] = found[0][:, mine], found[1][:, mine]
        for times in self.times:
            for place in times.tests:
                treated, reference = self.compared[place]
                of_treated = times.columns @ arm[treated]
                t[place] = log_rank_of(of_treated, of_treated + times.columns @ arm[reference])
                df[place] = np.where(np.isfinite(t[place]), np.inf, np.nan)


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
    alike: dict[bytes, list[int]] = {}  # the widest scopes of several comparisons are the same
    for place, scope in enumerate(every):
        alike.setdefault(np.asarray(scope).tobytes(), []).append(place)
    p = np.ones((t.shape[0], len(every)))
    for start in range(0, t.shape[0], TILE):
        some = slice(start, start + TILE)
        near = _near_normal(t[some].T, df[some].T)
        for place, *_ in alike.values():
            scope = every[place]
            mine = near[scope]
            columns, rows = np.nonzero(mine >= mine.max(axis=0, initial=0.0) * (1.0 - CLOSE))
            tests, rows = np.asarray(scope)[columns], rows + start
            np.minimum.at(p[:, place], rows, 2.0 * stdtr(df[rows, tests], -np.abs(t[rows, tests])))
    for place, *others in alike.values():
        p[:, others] = p[:, [place]]
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


@dataclass(frozen=True)
class _Model:
    """A response (n,) of the subjects (n,) on the columns ``Z`` (n, q); ``places`` are its tests."""

    subject: NDArray[np.int64]
    Z: Floats
    response: Floats
    places: tuple[int, ...]


def _tests(models: Sequence[_Model], compared: tuple[Pair, ...]) -> dict[Pair, NDArray[np.int64]]:
    """By comparison the tests (r, m) of m models: r of them where several comparisons are of the same arms."""
    return {
        pair: np.array([[model.places[i] for model in models] for i, one in enumerate(compared) if one == pair])
        for pair in compared
    }


def _spread(columns: Sequence[Floats], models: Sequence[_Model], subjects: int) -> Floats:
    """The ``columns`` (n, k) of each model as rows (k m, subjects): the first of every model, the second of every model..."""
    rows = np.zeros((columns[0].shape[1], len(models), subjects))
    for i, (model, own) in enumerate(zip(models, columns, strict=True)):
        rows[:, i, model.subject] = own.T
    return rows.reshape(-1, subjects)


def _whole(models: Sequence[_Model], compared: tuple[Pair, ...], subjects: int) -> _Whole:
    columns: list[Floats] = []
    left: list[float] = []
    for model in models:
        Q = np.linalg.qr(model.Z)[0]
        response = model.response - model.response.mean()
        rest = response - Q @ (Q.T @ response)
        columns.append(np.column_stack([Q, np.ones(model.subject.size), rest]))
        left.append(float(rest @ rest) if float(rest @ rest) > 1e-12 * float(response @ response) else 0.0)
    free = np.array([float(model.subject.size - model.Z.shape[1]) for model in models])
    return _Whole(_spread(columns, models, subjects), np.array(left), free, _tests(models, compared))


def _whole_t(block: _Whole, arm: list[Floats]) -> Iterator[tuple[NDArray[np.int64], tuple[Floats, Floats]]]:
    """The tests (r, m) of each comparison, with their t and df (m, 256)."""
    m = block.left.size
    beside = {pair: [*(c for c in range(len(arm)) if c not in pair), pair[0]] for pair in block.places}
    codes = {code for columns in beside.values() for code in columns}
    sums = {code: (block.columns @ arm[code]).reshape(-1, m * TILE) for code in codes}
    shared = {(a, b): -np.einsum("qb,qb->b", sums[a][:-2], sums[b][:-2]) for a in codes for b in codes if a <= b}
    for (treated, reference), places in block.places.items():
        columns = beside[treated, reference]
        total = np.array([sums[a][-2] for a in columns])
        A = np.array([[*(shared[min(a, b), max(a, b)] for b in columns), sums[a][-1]] for a in columns])
        for i in range(len(columns)):
            A[i, i] += total[i]
        left = np.repeat(block.left, TILE)[None]
        compared = (block.columns[-2 * m : -m] @ arm[reference]).ravel()
        there = (compared > 0) & (total[-1] > 0)
        found = arm_effect(A, left, total, np.repeat(block.free, TILE), there)
        yield places, (found.t.reshape(m, TILE), found.df.reshape(m, TILE))


def _two_arms(models: Sequence[_Model], compared: tuple[Pair, ...], subjects: int) -> _TwoArms:
    q = models[0].Z.shape[1]
    upper = np.triu_indices(q)
    both: list[Floats] = []
    treated: list[Floats] = []
    for model in models:
        Z, y = model.Z, model.response - model.response.mean()
        both.append(np.column_stack([Z[:, upper[0]] * Z[:, upper[1]], Z * y[:, None], y * y]))
        treated.append(np.column_stack([Z, y]))
    return _TwoArms(_spread(both, models, subjects), _spread(treated, models, subjects), q, _tests(models, compared))


def _two_arms_t(block: _TwoArms, treated: int, reference: int, arm: list[Floats]) -> tuple[Floats, Floats]:
    """t and df (m, 256) of the ANCOVA of each model among two arms."""
    q, m = block.q, block.places[treated, reference].shape[1]
    both = (block.both @ (arm[treated] + arm[reference])).reshape(-1, m * TILE)
    mine = (block.treated @ arm[treated]).reshape(-1, m * TILE)
    along = np.concatenate([both[-q - 1 : -1], mine[q:], both[-1:]])[:, None]
    t, df = _ancova_t(both[: -q - 1], mine[:q], along)
    return t.reshape(m, TILE), df.reshape(m, TILE)


def _joint_ranks(models: Sequence[tuple[RankOutcome, Sequence[int]]], compared: Sequence[Pair]) -> _JointRanks:
    subject, covariates = models[0][0].subject, models[0][0].covariates
    Z = with_intercept(covariates)
    upper = np.triu_indices(Z.shape[1])
    responses = tuple(
        (tuple(ranked_together(o.scores, g) for g in groups_of(o.strata, subject.size)), o.unit) for o, _ in models
    )
    of_pair: dict[Pair, list[tuple[int, int]]] = {}
    for i, (_, tests) in enumerate(models):
        for place in tests:
            of_pair.setdefault(compared[place], []).append((i, place))
    places = {pair: (np.array(found)[:, 0], np.array(found)[:, 1]) for pair, found in of_pair.items()}
    return _JointRanks(subject, Z, Z[:, upper[0]] * Z[:, upper[1]], responses, places)


def _joint_rank_sums(
    block: _JointRanks, which: NDArray[np.int64], treated: int, reference: int, arm: list[Floats]
) -> tuple[Floats, Floats, Floats]:
    """What :func:`_ancova_t` needs of the responses ``which``, ranked among two arms."""
    Z, q = block.Z, block.Z.shape[1]
    of_treated = arm[treated][block.subject]
    of_both = arm[reference][block.subject] + of_treated
    along = np.zeros((q + 2, which.size, TILE))
    parts: dict[bytes, tuple[Floats, Floats, Taken]] = {}
    for i, response in enumerate(which):
        ranked, unit = block.responses[response]
        for part in ranked:
            key = part.members.tobytes()
            if key not in parts:
                parts[key] = Z[part.members], of_treated[part.members], taken_of(of_both[part.members])
            own, mine, taken = parts[key]
            ranks = ranks_of(part, taken, unit)
            along[:q, i] += own.T @ ranks
            along[q, i] += np.einsum("nb,nb->b", ranks, mine)
            along[-1, i] += np.einsum("nb,nb->b", ranks, ranks)
    return block.squares.T @ of_both, Z.T @ of_treated, along


def _ancova_t(squares: Floats, treated: Floats, along: Floats) -> tuple[Floats, Floats]:
    """t and df (responses, copies) from sums: of the products of the columns over both arms (upper triangle, copies), of the
    columns over the treated (q, copies), and those with the responses; the first column is of ones."""
    q = treated.shape[0]
    A = np.empty((q + 1, q + along.shape[1] + 1, treated.shape[1]))
    A[np.triu_indices(q)] = squares
    A[:q, q], A[q, q] = treated, treated[0]
    A[:, q + 1 :] = along[:-1]
    total = np.array([A[i, i] for i in range(q + 1)])
    found = arm_effect(A, along[-1], total, total[0], (total[q] > 0) & (total[q] < total[0]))
    return found.t, found.df
