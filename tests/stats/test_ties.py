"""What is one number: the rule by hand as R's aeqSurv has it, and every statistic of times and changes under noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.stats.cox import fit_cox
from alsbench.stats.design import Factor, build_design
from alsbench.stats.joint_rank import FollowUp, Rules, cut_at_horizon, pair_scores, score_pairs
from alsbench.stats.permuted_trials import log_rank_z
from alsbench.stats.responder import responders, time_to_threshold
from alsbench.stats.summaries import smd_numeric
from alsbench.stats.survival import kaplan_meier, log_rank, rmst
from alsbench.stats.ties import TOLERANCE, above, at_least, at_most, below, merge_ties, merge_together, mid_ranks, visit_numbers
from alsbench.stats.why_rank import why_rank
from alsbench.stats.wins import finkelstein_schoenfeld, win_statistics

NA = np.nan
RNG = np.random.default_rng(20)
DAYS = RNG.integers(1, 15, 60) * 30.0  # many ties
EVENT = RNG.random(60) < 0.5
ARM = np.arange(60) % 2
CHANGES = RNG.integers(-60, 10, (60, 3)) / 10.0
NOISE = 1 + RNG.integers(-3, 4, 60) * np.finfo(float).eps  # up to three units in the last place


def test_values_a_tolerance_apart_are_one_and_those_beyond_are_not() -> None:
    """sqrt(eps) = 1.4901161e-08, as R's .Machine$double.eps ^ 0.5; absolute, where the mean absolute value is below 1."""
    assert TOLERANCE == 1.4901161193847656e-08
    assert merge_ties([0.1, 0.1 + 1.4e-8, 0.2]).tolist() == [0.1, 0.1, 0.2]
    assert merge_ties([0.1, 0.1 + 1.6e-8, 0.2]).tolist() == [0.1, 0.1 + 1.6e-8, 0.2]


def test_the_tolerance_is_relative_to_the_mean_of_the_distinct_values() -> None:
    """Mean of |0|, |400|, |400.000004|, |800| is 400: 4e-6 / 400 = 1e-8 is a tie, 8e-6 / 400 = 2e-8 is none."""
    assert np.unique(merge_ties([0, 400, 400.000004, 800])).size == 3
    assert np.unique(merge_ties([0, 400, 400.000008, 800])).size == 4
    assert np.unique(merge_ties([0, -400, -400.000004, 800])).size == 3  # of absolute values
    # repeated values count once: the mean is that of 1 and 401
    assert np.unique(merge_ties([*[1.0] * 99, 401, 401.000002])).size == 2


def test_a_chain_of_ties_is_one_value() -> None:
    """1, 1 + 1e-8, 1 + 2e-8, 1 + 3e-8: each is tied with the next, so all are one, ends included (aeqSurv: one cut)."""
    assert np.unique(merge_ties(1 + 1e-8 * np.arange(4))).size == 1


def test_the_shortest_to_write_stands_for_its_ties() -> None:
    assert merge_ties([405.00000000000006, 405, 404.99999999999994]).tolist() == [405, 405, 405]
    assert merge_ties([-6.6000000000000005, -6.6]).tolist() == [-6.6, -6.6]
    assert merge_ties([0.1 + 0.2, 0.3]).tolist() == [0.3, 0.3]


def test_missing_infinite_empty_and_untied_values_stay() -> None:
    given_ = np.array([NA, math.inf, -math.inf, 1.0, 2.0])
    assert merge_ties(given_) is given_
    np.testing.assert_array_equal(merge_ties([NA, math.inf, 1.0, 1 + 1e-12]), [NA, math.inf, 1.0, 1.0])
    assert merge_ties([]).size == 0
    assert merge_ties([[1.0, 1 + 1e-12], [NA, 3.0]]).shape == (2, 2)
    assert merge_ties([-1e308, 1e308]).tolist() == [-1e308, 1e308]


def test_ties_are_found_over_all_arrays_at_once() -> None:
    a, b = merge_together([1.0, 5.0], [1 + 1e-12, 3.0])
    assert (a.tolist(), b.tolist()) == ([1.0, 5.0], [1.0, 3.0])


def test_limits() -> None:
    values = [-3.0000000000000004, -3.0, -2.9999999999999996, -3.1, NA]
    assert at_least(values, -3.0).tolist() == [True, True, True, False, False]
    assert at_most(values, -3.0).tolist() == [True, True, True, True, False]
    assert above(values, -3.0).tolist() == [False] * 5
    assert below(values, -3.0).tolist() == [False, False, False, True, False]


def test_visit_numbers() -> None:
    """Noise is taken off; 6.0000001 is another visit than 6 by the same rule; a third of a month stays one."""
    found = visit_numbers([6, 6.000000000000001, 5.999999999999999, 6.0000001, 1 / 3, 0.1 + 0.2, -1e-17, NA])
    np.testing.assert_array_equal(found, [6, 6, 6, 6.0000001, 1 / 3, 0.3, 0, NA])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_merging_keeps_order_and_no_value_moves_far(values: list[float], seed: int) -> None:
    x = np.array(values)
    x = np.r_[x, x * (1 + np.random.default_rng(seed).integers(-2, 3, x.size) * np.finfo(float).eps)]
    merged = merge_ties(x)
    order = np.argsort(x, kind="stable")
    assert (np.diff(merged[order]) >= 0).all()
    assert np.isin(merged, x).all()
    # a chain is at most as long as its links together
    size = max(1.0, float(np.abs(np.unique(x)).mean()))
    assert (np.abs(merged - x) <= x.size * TOLERANCE * size).all()
    assert (merged[: x.size // 2] == merged[x.size // 2 :]).all()


# -- statistics: times and changes that differ in the last place give what equal ones give


def test_survival_statistics_do_not_see_noise() -> None:
    """R: survfit, survdiff, coxph with timefix = TRUE give the same for both."""
    near = DAYS * NOISE
    assert np.unique(near).size > np.unique(DAYS).size
    clean, noisy = kaplan_meier(DAYS, EVENT), kaplan_meier(near, EVENT)
    assert clean.n_risk.tolist() == noisy.n_risk.tolist()
    assert clean.survival.tolist() == noisy.survival.tolist()
    assert clean.n_event.tolist() == noisy.n_event.tolist()
    for strata in (None, np.arange(60) // 30):
        a, b = (log_rank(t, EVENT, ARM, strata=strata) for t in (DAYS, near))
        assert (a.chisq, a.p) == (b.chisq, b.p)
    design = build_design([Factor("arm", ARM, ("0", "1"))], [("arm",)])
    for ties in ("efron", "breslow"):
        a, b = (fit_cox(t, EVENT, design, ties=ties) for t in (DAYS, near))  # type: ignore[arg-type]
        assert a.beta.tolist() == b.beta.tolist()
        assert a.proportional_hazards() == b.proportional_hazards()
    assert rmst(near, EVENT, 300.0).mean == pytest.approx(rmst(DAYS, EVENT, 300.0).mean, rel=1e-13)
    deals = np.array([ARM, 1 - ARM], dtype=np.int8)
    z = [log_rank_z(t, EVENT, deals, 1, 0, np.zeros(60, dtype=np.int64)) for t in (DAYS, near)]
    assert z[0].tolist() == z[1].tolist()


def test_a_horizon_within_noise_of_a_day_is_that_day() -> None:
    """By hand: event on day 5 of two subjects, the other censored on day 10: to tau = 5 the mean is 5, with no variance."""
    days, event = np.array([5.000000000000001, 10.0]), np.array([True, False])
    found = rmst(days, event, 5.0)
    assert (found.mean, found.se) == (5.0, 0.0)
    assert rmst(np.array([4.999999999999999, 10.0]), event, 5.0).se == 0.0
    at = kaplan_meier(days, event).at(5.0)
    assert (at.survival, at.n_risk) == (0.5, 2)
    cut = cut_at_horizon(days, [0, 1], [[-1.0], [-2.0]], [6.0], horizon=6, horizon_day=5)
    assert cut.has_event.tolist() == [True, False]


@pytest.mark.parametrize(
    "rules", [Rules(), Rules(event_ties="function"), Rules(better="lower", function="horizon", missing="locf")]
)
def test_pairs_do_not_see_noise(rules: Rules) -> None:
    def scored(days: np.ndarray, changes: np.ndarray) -> FollowUp:
        return FollowUp(np.where(EVENT, days, NA), days, changes, np.array([3.0, 6, 9]))

    clean, noisy = scored(DAYS, CHANGES), scored(DAYS * NOISE, CHANGES * NOISE[:, None])
    a, b = (score_pairs(f, rules=rules, groups=ARM) for f in (clean, noisy))
    assert (a.scores.tolist(), a.tally.tolist()) == (b.scores.tolist(), b.tally.tolist())
    assert win_statistics(a, 1, 0) == win_statistics(b, 1, 0)
    assert finkelstein_schoenfeld(a.scores, ARM == 1) == finkelstein_schoenfeld(b.scores, ARM == 1)
    assert (pair_scores(clean, rules=rules) == pair_scores(noisy, rules=rules)).all()
    for i in (0, 17):
        assert why_rank(i, clean, rules=rules).outcome.tolist() == why_rank(i, noisy, rules=rules).outcome.tolist()


def test_ties_are_of_all_pairs_never_of_one_pair() -> None:
    """Days 100, 100 + 1e-6, 100 + 2e-6 of three events: neighbours are within 1.49e-8 of their mean of 100, the ends are not;
    the three are one day all the same, so nobody wins. Strata do not change what is a tie."""
    days = np.array([100, 100.000001, 100.000002])
    follow_up = FollowUp(days, days, np.full((3, 1), NA), np.array([6.0]))
    assert score_pairs(follow_up).scores.tolist() == [0, 0, 0]
    assert score_pairs(follow_up, strata=[0, 1, 0]).scores.tolist() == [0, 0, 0]


def test_ranks_do_not_see_noise() -> None:
    x = CHANGES[:, 0]
    assert mid_ranks(x).tolist() == mid_ranks(x * NOISE).tolist()


def test_responders_at_the_threshold() -> None:
    assert responders([-3.0000000000000004, -3.1, -2.9], -3).response.tolist() == [1, 0, 1]
    assert responders([3.0000000000000004, 3.1], 3, better="lower").response.tolist() == [1, 0]


def test_a_value_on_the_day_of_the_event_is_not_after_it() -> None:
    """Day 90.00000000000001 and an event on day 90: the loss was measured that day, so it is the threshold that was reached."""
    found = time_to_threshold([[-4.0]], [[90.00000000000001]], -3.0, event_day=[90.0])
    assert (found.day.tolist(), found.cause.tolist()) == ([90.0], ["threshold"])


def test_a_column_of_noise_does_not_vary() -> None:
    """Body mass index 24.3, computed in two ways, is no imbalance."""
    assert smd_numeric([24.3, 24.300000000000004, 24.3], [24.3, 24.3]) == 0.0
