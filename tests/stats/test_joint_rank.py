"""CAFS scoring: the worked check by hand, every option against the rules of one pair, and the invariants."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from alsbench.stats import joint_rank
from alsbench.stats.errors import StatsError
from alsbench.stats.joint_rank import OUTCOMES, FollowUp, Rules, cut_at_horizon, score_pairs
from alsbench.stats.ties import mid_ranks
from alsbench.stats.why_rank import why_rank
from alsbench.stats.wins import finkelstein_schoenfeld, win_statistics

NA = np.nan
# A died on day 100, B on 150, C left at month 3 (day 90), D and E were seen to month 6 (day 183)
VISITS = np.array([3.0, 6.0])
WORKED = FollowUp(
    event_day=np.array([100, 150, NA, NA, NA]),
    contact_day=np.array([100, 150, 90, 183, 183.0]),
    changes=np.array([[-2, NA], [-6, NA], [-4, NA], [-3, -9], [-5, -6.0]]),
    visits=VISITS,
)
TREATED = np.array([0, 0, 1, 1, 0])


def test_worked_check() -> None:
    """By hand: C left before either death, so A-C and B-C are decided at month 3 (-2 > -4, -6 < -4); D and E outlive both."""
    rank = score_pairs(WORKED, groups=TREATED)
    assert rank.scores.tolist() == [-2, -2, 0, 2, 2]
    assert rank.ranks.tolist() == [1.5, 1.5, 3, 4.5, 4.5]
    test = finkelstein_schoenfeld(rank.scores, TREATED == 1)
    assert (test.W, test.variance) == (2.0, pytest.approx(4.8))
    assert (round(test.z, 3), round(test.p, 3)) == (0.913, 0.361)
    wins = win_statistics(rank, 1, 0)
    assert (wins.wins, wins.losses, wins.ties) == (4, 2, 0)
    assert wins.win_ratio.estimate == 2.0
    assert wins.win_odds.estimate == pytest.approx(2.0)
    assert wins.win_probability.estimate == pytest.approx(2 / 3)
    assert wins.net_benefit.estimate == pytest.approx(1 / 3)


def test_worked_check_death_always_loses() -> None:
    rank = score_pairs(WORKED, rules=Rules(death_always_loses=True))
    assert rank.scores.tolist() == [-4, -2, 2, 2, 2]


# A, B and C died on day 100, D on day 150; E was seen to day 183. Changes at months 3 and 6
SAME_DAY = FollowUp(
    event_day=np.array([100, 100, 100, 150, NA]),
    contact_day=np.array([100, 100, 100, 150, 183.0]),
    changes=np.array([[-2, NA], [-6, NA], [NA, NA], [-9, NA], [-3, -4.0]]),
    visits=VISITS,
)


def test_events_on_one_day_tie() -> None:
    """By hand: A, B and C tie; D outlived all three, E all four."""
    rank = score_pairs(SAME_DAY, groups=[1, 0, 0, 1, 0])
    assert rank.scores.tolist() == [-2, -2, -2, 2, 4]
    c = win_statistics(rank, 1, 0).components
    assert (c.wins_by_event, c.losses_by_event, c.by_function, c.tied_events, c.no_common_visit) == (2, 2, 0, 2, 0)


def test_events_on_one_day_by_function() -> None:
    """By hand: of A and B the change at month 3 decides (-2 > -6); C was never measured, so A-C and B-C stay ties. Days decide
    all other pairs as before. Treated A, D against B, C, E: A-B won by function, A-C nothing in common, A-E and D-E lost by
    event, D-B and D-C won."""
    rules = Rules(event_ties="function")
    rank = score_pairs(SAME_DAY, rules=rules, groups=[1, 0, 0, 1, 0])
    assert rank.scores.tolist() == [-1, -3, -2, 2, 4]
    assert rank.ranks.tolist() == [3, 1, 2, 4, 5]
    c = win_statistics(rank, 1, 0).components
    assert (c.wins_by_event, c.losses_by_event, c.wins_by_function, c.losses_by_function) == (2, 2, 1, 0)
    assert (c.tied_events, c.tied_function, c.no_common_visit, c.pairs) == (0, 0, 1, 6)
    assert [p.outcome for p in why_rank(0, SAME_DAY, rules=rules)] == [
        "function win", "no common visit", "event loss", "event loss",
    ]  # fmt: skip
    assert [p.outcome for p in why_rank(0, SAME_DAY)] == ["event tie", "event tie", "event loss", "event loss"]


def test_events_on_one_day_by_function_at_the_horizon() -> None:
    """Nobody who died has a month 6 value: worst ranks are equal, carried forward -2 > -6."""
    worst = score_pairs(SAME_DAY, rules=Rules(event_ties="function", function="horizon", missing="worst"))
    carried = score_pairs(SAME_DAY, rules=Rules(event_ties="function", function="horizon", missing="locf"))
    assert (worst.scores.tolist(), carried.scores.tolist()) == ([-2, -2, -2, 2, 4], [-1, -3, -2, 2, 4])


def test_components_of_the_worked_check() -> None:
    """Treated C, D against A, B, E: D-A and D-B by event; C-A, C-B, C-E (month 3) and D-E (month 6) by function."""
    c = win_statistics(score_pairs(WORKED, groups=TREATED), 1, 0).components
    assert (c.wins_by_event, c.losses_by_event) == (2, 0)
    assert (c.wins_by_function, c.losses_by_function) == (2, 2)
    assert (c.by_event, c.by_function, c.tied, c.pairs) == (2, 4, 0, 6)


def followup(changes: object, *, events: object = None, contacts: object = None, visits: object = None) -> FollowUp:
    c = np.array(changes, dtype=float)
    c = c.reshape(len(c), -1)
    n = len(c)
    return FollowUp(
        np.full(n, NA) if events is None else np.array(events, dtype=float),
        np.full(n, 365.0) if contacts is None else np.array(contacts, dtype=float),
        c,
        np.arange(1.0, c.shape[1] + 1) if visits is None else np.array(visits, dtype=float),
    )


def test_events_on_one_day_tie_even_with_different_function() -> None:
    rank = score_pairs(followup([-1, -9], events=[50, 50]), groups=[0, 1])
    assert rank.scores.tolist() == [0, 0]
    assert rank.tally[0, 1, OUTCOMES.index("event tie")] == 1


def test_contact_on_the_event_day_is_enough() -> None:
    assert score_pairs(followup([-9, -1], events=[NA, 50], contacts=[50, 50])).scores.tolist() == [1, -1]
    assert score_pairs(followup([-9, -1], events=[NA, 50], contacts=[49, 50])).scores.tolist() == [-1, 1]


def test_no_common_visit_is_zero() -> None:
    rank = score_pairs(followup([[-1, NA], [NA, -9]]), groups=[0, 1])
    assert rank.scores.tolist() == [0, 0]
    assert rank.tally[0, 1, OUTCOMES.index("no common visit")] == 1


def test_scoring_is_not_transitive_and_sums_are_ranked() -> None:
    """a beats b at visit 3, b beats c at visit 2, c beats a at visit 1: a circle, all equal."""
    circle = followup([[-9, NA, -1], [NA, -1, -9], [-1, -9, NA]])
    assert score_pairs(circle).scores.tolist() == [0, 0, 0]
    assert score_pairs(circle).ranks.tolist() == [2, 2, 2]


def test_subject_without_event_or_visit_is_left_out_and_counted() -> None:
    rank = score_pairs(followup([-1, NA, NA], events=[NA, 40, NA]))
    assert rank.included.tolist() == [True, True, False]
    assert (rank.n, rank.n_excluded) == (2, 1)
    assert np.isnan(rank.ranks[2]) and rank.scores[2] == 0
    assert rank.scores.tolist()[:2] == [1, -1]


def test_unknown_contact_is_marked_and_never_reaches_an_event() -> None:
    rank = score_pairs(followup([-1, -9], events=[NA, 40], contacts=[NA, 40]))
    assert rank.contact_unknown.tolist() == [True, False]
    assert rank.scores.tolist() == [1, -1]
    assert rank.tally[0, 0, OUTCOMES.index("function win")] == 1


def test_lower_is_better_reverses_function_not_events() -> None:
    lower = score_pairs(followup([-1, -9, -5], events=[NA, NA, 40]), rules=Rules(better="lower"))
    assert lower.scores.tolist() == [0, 2, -2]


def test_horizon_only_and_its_missing_values() -> None:
    """Columns are months 3 and 6; the second subject has no month 6."""
    data = followup([[-1, -8], [-4, NA], [-2, -3]], visits=[3, 6])
    assert score_pairs(data, rules=Rules(function="horizon")).scores.tolist() == [-1, 0, 1]
    assert score_pairs(data, rules=Rules(function="horizon", missing="locf")).scores.tolist() == [-2, 0, 2]
    assert score_pairs(data, rules=Rules(function="horizon", missing="worst")).scores.tolist() == [0, -2, 2]
    lower = Rules(function="horizon", missing="worst", better="lower")
    assert score_pairs(data, rules=lower).scores.tolist() == [2, -2, 0]
    two_missing = followup([[-1, NA], [-4, NA], [-2, -3]], visits=[3, 6])
    assert score_pairs(two_missing, rules=Rules(function="horizon", missing="worst")).scores.tolist() == [-1, -1, 2]


def test_equal_changes_tie_through_binary_subtraction() -> None:
    assert 63.3 - 69.9 != -6.6
    assert score_pairs(followup([63.3 - 69.9, -6.6])).scores.tolist() == [0, 0]


def test_strata_are_scored_and_ranked_apart() -> None:
    data = followup([-1, -2, -3, -4, -5])
    rank = score_pairs(data, strata=[0, 1, 0, 1, 1])
    assert rank.scores.tolist() == [1, 2, -1, 0, -2]
    assert rank.ranks.tolist() == [2, 3, 1, 2, 1]
    assert rank.unit_ranks.tolist() == pytest.approx([2 / 3, 3 / 4, 1 / 3, 2 / 4, 1 / 4])


def test_stratified_test_by_hand() -> None:
    """Stratum 0: U = 1, -1 with the first treated: W 1, Var 1*1/(2*1)*2 = 1. Stratum 1: U = 2, 0, -2, treated the first and
    last: W 0, Var 2*1/(3*2)*8 = 8/3."""
    rank = score_pairs(followup([-1, -2, -3, -4, -5]), strata=[0, 1, 0, 1, 1])
    test = finkelstein_schoenfeld(rank.scores, np.array([1, 1, 0, 0, 1]), strata=rank.strata)
    assert test.W == 1.0
    assert test.variance == pytest.approx(1 + 8 / 3)


def test_cut_at_horizon() -> None:
    """Days after the horizon are contact at the horizon; visits after it are dropped; an absent horizon visit is added."""
    cut = cut_at_horizon(
        [100, 184, 400, NA], [0, 0, 1, NA], [[-1, -2], [-3, -4], [NA, -6], [NA, -8]], [3, 9], horizon=6, horizon_day=183
    )
    assert np.array_equal(cut.event_day, [100, NA, NA, NA], equal_nan=True)
    assert np.array_equal(cut.contact_day, [100, 183, 183, NA], equal_nan=True)
    assert cut.visits.tolist() == [3, 6]
    assert np.array_equal(cut.changes, [[-1, NA], [-3, NA], [NA, NA], [NA, NA]], equal_nan=True)


def test_bad_input_is_named() -> None:
    with pytest.raises(StatsError, match="same subjects"):
        FollowUp(np.zeros(2), np.zeros(3), np.zeros((3, 1)), np.array([1.0]))
    with pytest.raises(StatsError, match="ascending"):
        followup([[1, 2]], visits=[6, 3])
    with pytest.raises(StatsError, match="groups"):
        score_pairs(followup([1, 2]), groups=[0, -1])
    with pytest.raises(StatsError, match="both arms"):
        finkelstein_schoenfeld([1, -1], [True, True])
    with pytest.raises(StatsError, match="no pairs"):
        win_statistics(score_pairs(followup([1, 2]), groups=[0, 0]), 1, 0)


def test_nobody_and_one_subject() -> None:
    assert score_pairs(WORKED.take(np.zeros(5, dtype=bool))).n == 0
    assert score_pairs(followup([-3])).ranks.tolist() == [1.0]


def pairwise(data: FollowUp, i: int, j: int, rules: Rules) -> int:
    """The rules of one pair, written as a clinician reads them: the reference for the vectorised scoring."""
    ei, ej, ci, cj = data.event_day[i], data.event_day[j], data.contact_day[i], data.contact_day[j]
    has_i, has_j = bool(np.isfinite(ei)), bool(np.isfinite(ej))
    if has_i and has_j and (ei != ej or rules.event_ties == "tie"):
        return int(np.sign(ei - ej))
    if has_j and not has_i and (rules.death_always_loses or ci >= ej):
        return 1
    if has_i and not has_j and (rules.death_always_loses or cj >= ei):
        return -1
    sign = 1 if rules.better == "higher" else -1
    a, b = data.changes[i], data.changes[j]
    if rules.function == "horizon":
        filled = []
        for row in (a, b):
            seen = row[~np.isnan(row)]
            value = row[-1]
            if np.isnan(value) and rules.missing == "locf" and seen.size:
                value = seen[-1]
            if np.isnan(value) and rules.missing == "worst":
                value = -sign * np.inf
            filled.append(np.array([value]))
        a, b = filled
    common = np.flatnonzero(~np.isnan(a) & ~np.isnan(b))
    if common.size == 0:
        return 0
    x, y = a[common[-1]], b[common[-1]]
    return sign * (int(x > y) - int(x < y))


@st.composite
def trials(draw: st.DrawFn, *, events: bool = True, missing: bool = True) -> FollowUp:
    n, v = draw(st.integers(2, 14)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    changes = rng.integers(-6, 3, (n, v)).astype(float)
    if missing:
        changes[rng.random((n, v)) < draw(st.sampled_from([0.0, 0.3, 0.7]))] = NA
    contact = rng.integers(1, 12, n).astype(float)
    event = np.where(rng.random(n) < 0.4, contact, NA) if events else np.full(n, NA)
    return FollowUp(event, contact, changes, np.arange(1.0, v + 1))


ALL_RULES = [
    Rules(better=b, death_always_loses=d, event_ties=t, function=f, missing=m)
    for t in ("tie", "function")
    for b in ("higher", "lower")
    for d in (False, True)
    for f, m in [("last_common", "none"), ("horizon", "none"), ("horizon", "locf"), ("horizon", "worst")]
]


@settings(max_examples=150, deadline=None)
@given(trials(), st.sampled_from(ALL_RULES), st.integers(0, 2**32 - 1))
def test_vectorised_scores_are_the_pairwise_rules(data: FollowUp, rules: Rules, seed: int) -> None:
    n = data.event_day.size
    rng = np.random.default_rng(seed)
    groups, strata = rng.integers(0, 3, n), rng.integers(0, 2, n)
    rank = score_pairs(data, rules=rules, groups=groups, strata=strata)
    for i in np.flatnonzero(rank.included):
        others = [j for j in np.flatnonzero(rank.included) if j != i and strata[j] == strata[i]]
        results = [pairwise(data, i, j, rules) for j in others]
        assert rank.scores[i] == sum(results)
        assert rank.tally[i].sum() == len(others)
        for g in range(rank.tally.shape[1]):
            in_group = [r for r, j in zip(results, others, strict=True) if groups[j] == g]
            won = rank.tally[i, g, [0, 3]].sum()
            lost = rank.tally[i, g, [1, 4]].sum()
            assert (won, lost) == (in_group.count(1), in_group.count(-1))
        why = why_rank(int(i), data, rules=rules, strata=strata)
        assert why.opponent.tolist() == others
        assert why.result.tolist() == results
        assert np.array_equal(np.bincount(why.outcome, minlength=7), rank.tally[i].sum(axis=0))


@settings(max_examples=100, deadline=None)
@given(trials())
def test_scores_sum_to_zero(data: FollowUp) -> None:
    assert score_pairs(data).scores.sum() == 0


@settings(max_examples=60, deadline=None)
@given(trials(events=False, missing=False))
def test_complete_function_alone_is_wilcoxon_with_ties(data: FollowUp) -> None:
    rank = score_pairs(data)
    last = data.changes[:, -1]
    assert np.array_equal(rank.ranks, mid_ranks(last))
    treated = np.arange(last.size) % 2 == 0
    ours = finkelstein_schoenfeld(rank.scores, treated)
    if np.ptp(last) == 0:
        assert np.isnan(ours.z)
        return
    theirs = mannwhitneyu(last[treated], last[~treated], use_continuity=False, method="asymptotic")
    wins = theirs.statistic - treated.sum() * (~treated).sum() / 2
    assert np.sign(ours.z) == np.sign(wins)
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(trials())
def test_swapping_arms_flips_signs(data: FollowUp) -> None:
    data = data.take(data.has_event | np.isfinite(data.changes).any(axis=1))
    n = data.event_day.size
    if n < 2:
        return
    arm = np.arange(n) % 2
    rank = score_pairs(data, groups=arm)
    one, other = finkelstein_schoenfeld(rank.scores, arm == 1), finkelstein_schoenfeld(rank.scores, arm == 0)
    assert one.W == -other.W
    assert one.variance == other.variance
    a, b = win_statistics(rank, 1, 0), win_statistics(rank, 0, 1)
    assert (a.wins, a.losses, a.ties) == (b.losses, b.wins, b.ties)
    assert a.net_benefit.estimate == -b.net_benefit.estimate
    assert a.net_benefit.se == pytest.approx(b.net_benefit.se)
    if a.wins and a.losses:
        assert a.win_ratio.estimate == pytest.approx(1 / b.win_ratio.estimate)
        assert a.win_ratio.se == pytest.approx(b.win_ratio.se)


@settings(max_examples=60, deadline=None)
@given(trials(), st.floats(-40, 40))
def test_a_constant_added_to_every_change_alters_nothing(data: FollowUp, constant: float) -> None:
    moved = FollowUp(data.event_day, data.contact_day, data.changes + constant, data.visits)
    assert np.array_equal(score_pairs(data).tally, score_pairs(moved).tally)


@settings(max_examples=60, deadline=None)
@given(trials())
def test_difference_of_mean_scores_is_n_times_net_benefit(data: FollowUp) -> None:
    data = data.take(data.has_event | np.isfinite(data.changes).any(axis=1))
    n = data.event_day.size
    if n < 2:
        return
    arm = np.arange(n) % 2
    rank = score_pairs(data, groups=arm)
    difference = rank.scores[arm == 1].mean() - rank.scores[arm == 0].mean()
    assert difference == pytest.approx(n * (2 * win_statistics(rank, 1, 0).win_probability.estimate - 1))


@settings(max_examples=40, deadline=None)
@given(trials(), st.integers(0, 2**32 - 1))
def test_order_of_subjects_does_not_matter(data: FollowUp, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(data.event_day.size)
    a, b = score_pairs(data), score_pairs(data.take(order))
    assert np.array_equal(a.scores[order], b.scores)
    assert np.array_equal(a.ranks[order], b.ranks, equal_nan=True)


def test_all_arms_ranking_still_yields_two_arm_scores() -> None:
    rng = np.random.default_rng(5)
    data = FollowUp(np.full(30, NA), np.full(30, 200.0), rng.normal(size=(30, 3)), np.arange(1.0, 4))
    arm = np.arange(30) % 3
    everyone = score_pairs(data, groups=arm)
    two = np.isin(arm, (0, 2))
    alone = score_pairs(data.take(two))
    assert np.array_equal(everyone.scores_between(2, 0)[two], alone.scores)
    assert not everyone.scores_between(2, 0)[~two].any()


def test_larger_trials_are_scored_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    n = 300
    changes = rng.normal(size=(n, 6))
    changes[rng.random((n, 6)) < 0.2] = NA
    contact = rng.integers(30, 400, n).astype(float)
    data = FollowUp(np.where(rng.random(n) < 0.3, contact, NA), contact, changes, np.arange(1.0, 7))
    whole = score_pairs(data, groups=np.arange(n) % 2)
    monkeypatch.setattr(joint_rank, "BLOCK_PAIRS", 7 * n)
    assert np.array_equal(whole.tally, score_pairs(data, groups=np.arange(n) % 2).tally)


def test_cost_is_blocks_not_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 subjects (9 million ordered pairs) in blocks of a million pairs, and no pair matrix in memory."""
    rng = np.random.default_rng(4)
    n = 3000
    contact = rng.integers(30, 400, n).astype(float)
    data = FollowUp(np.where(rng.random(n) < 0.2, contact, NA), contact, rng.normal(size=(n, 12)), np.arange(1.0, 13))
    blocks: list[int] = []
    whole = joint_rank._block

    def counted(p: joint_rank.Prepared, rows: slice) -> tuple[np.ndarray, ...]:
        blocks.append(rows.stop - rows.start)
        return whole(p, rows)

    monkeypatch.setattr(joint_rank, "_block", counted)
    tracemalloc.start()
    score_pairs(data, groups=np.arange(n) % 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(blocks) == n
    assert len(blocks) == 9
    assert peak < 40e6
