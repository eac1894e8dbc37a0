"""A whole search in permuted copies: against refitting every model of every copy, and against SciPy's ranks and log-rank."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata
from scipy.stats import t as student

from alsbench.stats.errors import StatsError
from alsbench.stats.mid_ranks import counted, mid_ranks, taken_of
from alsbench.stats.permutation_search import (
    TILE,
    DealtSearch,
    LinearOutcome,
    PermutationSearch,
    RankOutcome,
    SearchOutcome,
    SearchTest,
    TimeOutcome,
    dealt_extremes,
    dealt_p_values,
    permuted_arms,
    small_and_upward,
    smallest_p,
)

Floats = NDArray[np.float64]
N = 60


def trial(seed: int = 3) -> tuple[NDArray[np.int8], NDArray[np.int64], np.random.Generator]:
    """Arms of 15, 25 and 20 subjects, two strata, one subject in no arm."""
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.repeat([0, 1, 2], [15, 25, 20])).astype(np.int8)
    arm[7] = -1
    return arm, rng.integers(0, 2, N), rng


def least_squares_t(X: Floats, y: Floats) -> tuple[float, float]:
    """t of the last column and its degrees of freedom, by the pseudo-inverse."""
    df = y.size - np.linalg.matrix_rank(X)
    if df < 1 or np.linalg.matrix_rank(X) == np.linalg.matrix_rank(X[:, :-1]):
        return np.nan, np.nan
    inverse = np.linalg.pinv(X.T @ X)
    beta = inverse @ X.T @ y
    rest = y - X @ beta
    return float(beta[-1] / np.sqrt(rest @ rest / df * inverse[-1, -1])), float(df)


def linear_t(outcome: LinearOutcome, test: SearchTest, arms: NDArray[np.int8]) -> tuple[float, float]:
    arm = arms[outcome.subject]
    kept = arm >= 0 if outcome.whole else np.isin(arm, (test.treated, test.reference))
    if not {test.treated, test.reference} <= set(arm[kept].tolist()):
        return np.nan, np.nan
    others = [c for c in np.unique(arm[kept]) if c not in (test.treated, test.reference)]
    X = np.column_stack(
        [np.ones(kept.sum()), outcome.covariates[kept], *(arm[kept] == c for c in others), arm[kept] == test.treated]
    )
    return least_squares_t(X.astype(float), outcome.response[kept])


@pytest.mark.parametrize("whole", [True, False])
def test_every_copy_is_the_model_fitted_again(whole: bool) -> None:
    """Two outcomes of different subjects, one covariate aliased, against least squares copy by copy."""
    arm, strata, rng = trial()
    there = np.flatnonzero(arm >= 0)
    outcomes = []
    for missing in (0, 9):
        who = there[missing:]
        Z = rng.normal(size=(who.size, 3))
        Z[:, 2] = Z[:, 0] - 2 * Z[:, 1]
        outcomes.append(LinearOutcome(who, Z, rng.normal(size=who.size), whole))
    tests = [SearchTest(o, a, 0) for o in (0, 1) for a in (1, 2)]
    arms = np.concatenate([arm[None], permuted_arms(arm, strata, [0], seed=5)])
    t, df = PermutationSearch(outcomes, tests, N).run(arms)
    assert t.shape == (TILE + 1, 4)
    for copy in (0, 1, 100, TILE):
        for place, test in enumerate(tests):
            expected = linear_t(outcomes[test.outcome], test, arms[copy])
            assert (t[copy, place], df[copy, place]) == pytest.approx(expected, rel=1e-9)


def test_what_is_found_in_a_tile_by_looking_at_every_p() -> None:
    """The smallest p of each scope, and whether any of it is below alpha on its own side, one copy and place after the other;
    a scope of all and one of two tests."""
    arm, strata, rng = trial()
    who = np.flatnonzero(arm >= 0)
    outcomes = [LinearOutcome(part, rng.normal(size=(part.size, 1)), rng.normal(size=part.size)) for part in (who, who[:6])]
    tests = [SearchTest(o, a, 0) for o in (0, 1) for a in (1, 2)]
    scopes, upward = (np.arange(4), np.array([1, 2])), np.array([1.0, -1.0, 1.0, -1.0])
    dealt = DealtSearch(PermutationSearch(outcomes, tests, N), arm, strata, 5, scopes, upward, 0.2)
    (t, df), p = dealt.tested([3]), dealt_p_values(dealt, [3])
    smallest, offers = dealt_extremes(dealt, [3])
    assert smallest.shape == offers.shape == (TILE, 2) and 10 < offers[:, 1].sum() < offers[:, 0].sum() < TILE - 10
    for copy in range(TILE):
        known = [2.0 * float(student.sf(abs(t[copy, i]), df[copy, i])) if np.isfinite(t[copy, i]) else 1.0 for i in range(4)]
        assert p[copy] == pytest.approx(known, rel=1e-9)
        for place, scope in enumerate(scopes):
            assert smallest[copy, place] == pytest.approx(min(known[i] for i in scope), rel=1e-9)
            assert offers[copy, place] == any(known[i] < 0.2 and t[copy, i] * upward[i] > 0 for i in scope)


def test_a_small_part_that_an_arm_leaves_is_not_estimable_there() -> None:
    """Five subjects: some copies leave an arm empty or no degree of freedom; those are NaN, as least squares says."""
    arm, strata, rng = trial()
    who = np.flatnonzero(arm >= 0)[:5]
    outcomes = [LinearOutcome(who, rng.normal(size=(5, 1)), rng.normal(size=5), whole) for whole in (True, False)]
    tests = [SearchTest(o, 1, 0) for o in (0, 1)]
    arms = permuted_arms(arm, strata, [0, 1], seed=5)
    t, _ = PermutationSearch(outcomes, tests, N).run(arms)
    expected = np.array([[linear_t(outcomes[test.outcome], test, copy)[0] for test in tests] for copy in arms])
    assert 20 < np.isnan(expected).sum() < expected.size - 20
    np.testing.assert_array_equal(np.isnan(t), np.isnan(expected))
    np.testing.assert_allclose(t, expected, rtol=1e-7)


def scores_of(rng: np.random.Generator, n: int, *, torn: bool = False) -> Floats:
    """Pairwise scores of values with ties: who is larger wins; ``torn``: a third of the subjects left early and is compared
    by other values, so that no one order gives all scores."""
    value = rng.integers(0, 12, n)
    scores = np.sign(value[:, None] - value[None, :]).astype(float)
    if torn:
        early, gone = rng.integers(0, 12, n), rng.random(n) < 1 / 3
        either = gone[:, None] | gone[None, :]
        scores[either] = np.sign(early[:, None] - early[None, :])[either]
        assert set(rankdata(-scores.sum(axis=1)).tolist()) != set(rankdata(-value).tolist())
    return scores


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_joint_ranks_are_ranked_anew(strata: bool, unit: bool, torn: bool) -> None:
    """SciPy's mid-ranks of the sums among the two arms compared, then least squares."""
    arm, groups, rng = trial()
    who = np.flatnonzero(arm >= 0)
    scores, Z = scores_of(rng, who.size, torn=torn), rng.normal(size=(who.size, 2))
    outcome = RankOutcome(who, Z, scores, groups[who] if strata else None, unit)
    arms = permuted_arms(arm, groups, [0], seed=9)
    t, df = PermutationSearch([outcome], [SearchTest(0, 2, 0)], N).run(arms)
    for copy in (0, 17, TILE - 1):
        mine = arms[copy][who]
        kept = np.flatnonzero(np.isin(mine, (0, 2)))
        rank = np.zeros(who.size)
        for s in np.unique(groups[who]) if strata else [None]:
            part = kept if s is None else kept[groups[who][kept] == s]
            sums = scores[np.ix_(part, part)].sum(axis=1)
            rank[part] = rankdata(sums) / (part.size + 1 if unit else 1)
        X = np.column_stack([np.ones(kept.size), Z[kept], mine[kept] == 2])
        assert (t[copy, 0], df[copy, 0]) == pytest.approx(least_squares_t(X, rank[kept]), rel=1e-9)


def test_ranks_of_all_arms_do_not_change() -> None:
    arm, strata, rng = trial()
    who = np.flatnonzero(arm >= 0)
    scores = scores_of(rng, who.size)
    ranked = RankOutcome(who, np.zeros((who.size, 0)), scores, whole=True)
    linear = LinearOutcome(who, np.zeros((who.size, 0)), rankdata(scores.sum(axis=1)))
    arms = permuted_arms(arm, strata, [0], seed=1)
    t, _ = PermutationSearch([ranked, linear], [SearchTest(0, 1, 0), SearchTest(1, 1, 0)], N).run(arms)
    np.testing.assert_allclose(t[:, 0], t[:, 1], rtol=1e-12)


def test_models_of_the_same_subjects_are_each_as_if_alone() -> None:
    """Joint ranks that share subjects and covariates, and responses with as many covariates, are worked on together, each in
    its own comparisons: what each gives alone."""
    arm, strata, rng = trial()
    who = np.flatnonzero(arm >= 0)
    Z = rng.normal(size=(who.size, 3))
    outcomes: list[SearchOutcome] = [
        LinearOutcome(who, Z, rng.normal(size=who.size), False),
        RankOutcome(who, Z, scores_of(rng, who.size, torn=True)),
        RankOutcome(who, Z, scores_of(rng, who.size), strata[who], unit=True),
        LinearOutcome(who, Z + 1.0, rng.normal(size=who.size), False),
        LinearOutcome(who[3:], Z[3:], rng.normal(size=who.size - 3), False),
        *(LinearOutcome(who[i:], Z[i:], rng.normal(size=who.size - i), i % 2 == 0) for i in range(20)),
    ]
    compared = [(0, 1, 0), (1, 2, 0), (0, 2, 1), (1, 1, 0), (2, 1, 0), (3, 1, 0), (4, 2, 0), (0, 2, 0), (2, 2, 0)]
    compared += [(i, treated, 0) for treated in (2, 1, 2) for i in range(5, 25)]  # two comparisons may be of the same arms
    compared += [(1, 2, 0), (2, 1, 0)]
    tests = [SearchTest(*one) for one in compared]
    arms = permuted_arms(arm, strata, [0, 1], seed=2)
    together = PermutationSearch(outcomes, tests, N)
    assert [len(block.left) for block in together.whole] == [10]
    assert [[len(block.responses) for block, _ in alike] for alike in together.joint_ranks] == [[2, 2]]
    t, df = together.run(arms)
    for place, (outcome, treated, reference) in enumerate(compared):
        alone = PermutationSearch([outcomes[outcome]], [SearchTest(0, treated, reference)], N).run(arms)
        np.testing.assert_allclose(t[:, place], alone[0][:, 0], rtol=1e-11)
        np.testing.assert_array_equal(df[:, place], alone[1][:, 0])


@pytest.mark.parametrize("subjects", [2**14 - 1, 2**14, 2**15 + 1])
def test_ranks_are_counted_in_numbers_that_can_hold_them(subjects: int) -> None:
    """Around the size where short integers, and where single precision, would end: SciPy's mid-ranks."""
    rng = np.random.default_rng(4)
    sums = rng.integers(1 - subjects, subjects, subjects)
    expected = rankdata(sums)
    for copies in (1, 3):
        cells = (sums[:, None] + subjects) * copies + np.arange(copies)
        np.testing.assert_array_equal(counted(cells, subjects)[:, copies - 1], expected)
    taken = taken_of(np.ones((subjects, 2)))
    assert np.array_equal(taken.cells[-1], [2 * subjects, 2 * subjects + 1]) and taken.most == subjects
    assert int(taken.cells.dtype.type(2 * subjects * TILE - 1)) == 2 * subjects * TILE - 1  # the last cell of 256 copies


@pytest.mark.parametrize("torn", [False, True])
def test_mid_ranks_are_those_of_scipy(torn: bool) -> None:
    rng = np.random.default_rng(2)
    scores = scores_of(rng, 31, torn=torn)
    taken = (rng.random((TILE + 3, 31)) < 0.5).astype(float)
    ranks = mid_ranks(scores, taken)
    for row in (0, 5, TILE, TILE + 2):
        who = np.flatnonzero(taken[row])
        expected = np.zeros(31)
        expected[who] = rankdata(scores[np.ix_(who, who)].sum(axis=1))
        np.testing.assert_array_equal(ranks[row], expected)


def test_a_stratum_of_which_nobody_is_taken_has_no_ranks() -> None:
    """All of one stratum are in the third arm, in every copy: ranks of 0 there, and the fit of the others alone."""
    rng = np.random.default_rng(7)
    scores, strata = scores_of(rng, 24, torn=True), np.repeat([0, 1], 12)
    taken = np.tile((strata == 0).astype(float), (3, 1))
    ranks = mid_ranks(scores, taken, strata)
    np.testing.assert_array_equal(ranks[:, 12:], 0.0)
    np.testing.assert_array_equal(ranks[0, :12], rankdata(scores[:12, :12].sum(axis=1)))
    arm = np.where(strata == 1, 2, rng.permuted(np.repeat([0, 1], 12)[:24])).astype(np.int8)
    Z = rng.normal(size=(24, 1))
    both = [RankOutcome(np.arange(24), Z, scores, strata), RankOutcome(np.arange(12), Z[:12], scores[:12, :12])]
    t, df = PermutationSearch(both, [SearchTest(0, 1, 0), SearchTest(1, 1, 0)], 24).run(arm[None])
    assert t[0, 0] == pytest.approx(t[0, 1], rel=1e-12) and df[0, 0] == df[0, 1]


def test_the_log_rank_z_of_a_copy() -> None:
    """Observed minus expected and the hypergeometric variance by hand, two strata, tied days (Mantel 1966)."""
    arm, strata, rng = trial()
    who = np.flatnonzero(arm >= 0)
    day, event = rng.integers(1, 20, who.size).astype(float), rng.random(who.size) < 0.6
    outcome = TimeOutcome(who, day, event, strata[who])
    arms = permuted_arms(arm, strata, [0], seed=4)
    z, df = PermutationSearch([outcome], [SearchTest(0, 1, 0)], N).run(arms)
    assert np.isinf(df).all()
    for copy in (0, 200):
        mine, excess, variance = arms[copy][who], 0.0, 0.0
        for s in (0, 1):
            inside = (strata[who] == s) & np.isin(mine, (0, 1))
            for time in np.unique(day[inside & event]):
                risk = inside & (day >= time)
                d, n, n1 = (inside & event & (day == time)).sum(), risk.sum(), (risk & (mine == 1)).sum()
                excess += (inside & event & (day == time) & (mine == 1)).sum() - d * n1 / n
                variance += d * (n - d) * n1 * (n - n1) / (n * n * (n - 1)) if n > 1 else 0.0
        assert z[copy, 0] == pytest.approx(excess / np.sqrt(variance), rel=1e-12)


def test_nobody_with_an_event_or_in_the_outcome_is_not_estimable() -> None:
    arm, strata, _ = trial()
    who = np.flatnonzero(arm >= 0)
    censored = TimeOutcome(who, np.ones(who.size), np.zeros(who.size, dtype=bool), strata[who])
    empty = LinearOutcome(who[:0], np.zeros((0, 2)), np.zeros(0))
    t, df = PermutationSearch([censored, empty], [SearchTest(0, 1, 0), SearchTest(1, 1, 0)], N).run(arm[None])
    assert np.isnan(t).all() and np.isnan(df).all()
    assert smallest_p(t, df).tolist() == [[1.0]]
    assert not small_and_upward(t, df, np.ones(2), 0.05).any()


def test_the_same_bits_however_copies_are_shared_out() -> None:
    """Tile 3 alone, or the third of five: arms and statistics to the last bit."""
    arm, strata, rng = trial()
    who = np.flatnonzero(arm >= 0)
    outcomes = [
        LinearOutcome(who, rng.normal(size=(who.size, 3)), rng.normal(size=who.size), True),
        LinearOutcome(who, rng.normal(size=(who.size, 3)), rng.normal(size=who.size), False),
        RankOutcome(who, rng.normal(size=(who.size, 2)), scores_of(rng, who.size)),
        RankOutcome(who, rng.normal(size=(who.size, 2)), scores_of(rng, who.size, torn=True)),
        TimeOutcome(who, rng.integers(1, 20, who.size).astype(float), rng.random(who.size) < 0.5, strata[who]),
    ]
    search = PermutationSearch(outcomes, [SearchTest(o, a, 0) for o in range(5) for a in (1, 2)], N)
    together = permuted_arms(arm, strata, range(5), seed=8)
    alone = permuted_arms(arm, strata, [3], seed=8)
    rows = slice(3 * TILE, 4 * TILE)
    np.testing.assert_array_equal(together[rows], alone)
    for whole, part in zip(search.run(together), search.run(alone), strict=True):
        np.testing.assert_array_equal(whole[rows], part)


def test_arms_keep_their_numbers_within_strata_and_differ_between_seeds() -> None:
    arm, strata, _ = trial()
    dealt = permuted_arms(arm, strata, [0, 1], seed=1)
    for s in (0, 1):
        for code in (0, 1, 2):
            assert ((dealt == code) & (strata == s)).sum(axis=1).tolist() == [((arm == code) & (strata == s)).sum()] * 2 * TILE
    assert (dealt[:, 7] == -1).all()
    assert not np.array_equal(dealt[:TILE], dealt[TILE:]) and not np.array_equal(
        dealt, permuted_arms(arm, strata, [0, 1], seed=2)
    )
    with pytest.raises(StatsError):
        permuted_arms(arm, strata[:-1], [0], seed=1)


def test_the_smallest_p_is_that_of_all_tests() -> None:
    """Degrees of freedom from 1 to infinity, statistics from 0 to 40: SciPy's t, test by test."""
    rng = np.random.default_rng(6)
    df = rng.choice([1.0, 2.0, 3.0, 5.0, 9.0, 30.0, 31.0, 100.0, np.inf], size=(4000, 12))
    t = rng.standard_t(3, size=df.shape) * rng.choice([0.1, 1.0, 5.0], size=(4000, 1))
    t[rng.random(t.shape) < 0.2] = np.nan
    p = np.where(np.isnan(t), 1.0, 2 * student.sf(np.abs(t), df))
    scopes = [np.arange(12), np.array([3]), np.array([0, 5, 11]), np.arange(12), np.array([3])]
    expected = np.column_stack([p[:, scope].min(axis=1) for scope in scopes])
    np.testing.assert_allclose(smallest_p(t, df, scopes), expected, rtol=1e-10)
    np.testing.assert_allclose(smallest_p(t, df), expected[:, :1], rtol=1e-10)
    upward = np.where(np.arange(12) % 2 == 0, 1.0, -1.0)
    np.testing.assert_array_equal(small_and_upward(t, df, upward, 0.05), (p < 0.05) & (t * upward > 0))


def test_what_cannot_be_tested_counts_as_one_in_every_copy_alike() -> None:
    """Any copy may stand for the trial as it was; its adjusted p is its rank among all, and of B copies at most k have a rank
    of at most k, whatever k (exchangeability; Westfall and Young 1993). Looking in all copies only where that one can be tested
    breaks it. Sparse parts: a fifth of the tests cannot be made. ``benchmarks/null_search.py`` is the same in many trials."""
    rng = np.random.default_rng(8)
    arm = rng.permuted(np.repeat([0, 1, 2], [40, 10, 10])).astype(np.int8)
    outcomes = []
    for _ in range(12):
        who = np.flatnonzero(rng.random(N) < 0.15)
        outcomes.append(LinearOutcome(who, np.zeros((who.size, 0)), rng.normal(size=who.size)))
    tests = [SearchTest(place, treated, 0) for place in range(12) for treated in (1, 2)]
    arms = permuted_arms(arm, np.zeros(N, dtype=np.int64), [0, 1], seed=4)
    t, df = PermutationSearch(outcomes, tests, N).run(arms)
    assert 0.1 < np.isnan(t).mean() < 0.3

    def holds(ranks: NDArray[np.int64]) -> bool:
        return all((ranks <= k).sum() <= k for k in range(1, arms.shape[0] + 1))

    def looking_where_it_can_be_tested(copy: int) -> int:
        smallest = smallest_p(t, df, [np.flatnonzero(np.isfinite(t[copy]))])[:, 0]
        return int((smallest <= smallest[copy]).sum())

    everywhere = smallest_p(t, df)[:, 0]
    assert holds(rankdata(everywhere, method="max").astype(int))
    assert not holds(np.array([looking_where_it_can_be_tested(copy) for copy in range(arms.shape[0])]))
