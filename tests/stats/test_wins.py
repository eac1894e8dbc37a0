"""Win statistics: definitions on hand-made pairs, strata, degenerate arms, and what the intervals cover."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.stats.joint_rank import FollowUp, score_pairs
from alsbench.stats.wins import Intervals, win_statistics

NA = np.nan


def by_change(changes: list[float] | np.ndarray) -> FollowUp:
    c = np.asarray(changes, dtype=float)[:, None]
    return FollowUp(np.full(len(c), NA), np.full(len(c), 100.0), c, np.array([6.0]))


def test_standard_errors_by_hand() -> None:
    """Treated 3, 1 against reference 2, 0: wins 3 (3>2, 3>0, 1>0), losses 1. Treated win 2 and 1 of 2, lose 0 and 1; the
    reference loses 1 and 2, wins 1 and 0. Squares about the mean: wins .5 + .5, losses .5 + .5, products -.5 - .5.
    NB = 2/4, Var = (1 + 1 + 2) / 16 = 1/4. log WR: 1/9 + 1/1 + 2/3 = 16/9."""
    wins = win_statistics(score_pairs(by_change([3, 1, 2, 0]), groups=[1, 1, 0, 0]), 1, 0)
    assert (wins.pairs, wins.wins, wins.losses, wins.ties) == (4, 3, 1, 0)
    assert (wins.net_benefit.estimate, wins.net_benefit.se) == (0.5, 0.5)
    assert wins.win_ratio.estimate == 3
    assert wins.win_ratio.se == pytest.approx(4 / 3)
    assert wins.win_odds.estimate == 3
    assert wins.win_odds.se == pytest.approx(2 * 0.5 / (1 - 0.25))
    assert (wins.win_probability.estimate, wins.win_probability.se) == (0.75, 0.25)


def test_limits_by_hand() -> None:
    """The same pairs: NB = 0.5 (SE 0.5), z 1.959964. Untransformed 0.5 -+ 0.979982 = -0.479982 and 1.479982, cut off at 1; the
    win probability half of that and a half. Transformed (BuyseTest's confint: atanh, SE / (1 - NB^2)): atanh 0.5 = 0.549306,
    SE 0.666667, limits -0.757337 and 1.855949, tanh: -0.639505 and 0.952303; for the win probability atanh(2 (P - 1/2)), SE
    2 SE / (1 - (2 (P - 1/2))^2), which is the same number: 0.180247 and 0.976152. The win odds' limits are exp of twice
    those of atanh: 0.219880 and 40.9314."""
    rank = score_pairs(by_change([3, 1, 2, 0]), groups=[1, 1, 0, 0])
    plain, moved = win_statistics(rank, 1, 0), win_statistics(rank, 1, 0, intervals="transformed")
    assert (plain.net_benefit.low, plain.net_benefit.high) == (pytest.approx(-0.479982, abs=1e-6), 1.0)
    assert (plain.win_probability.low, plain.win_probability.high) == (pytest.approx(0.260009, abs=1e-6), 1.0)
    assert (moved.net_benefit.low, moved.net_benefit.high) == pytest.approx((-0.639505, 0.952303), abs=1e-6)
    assert (moved.win_probability.low, moved.win_probability.high) == pytest.approx((0.180247, 0.976152), abs=1e-6)
    assert (moved.win_odds.low, moved.win_odds.high) == pytest.approx((0.219880, 40.9314), rel=1e-5)
    assert moved.net_benefit.z == pytest.approx(0.549306 / 0.666667, abs=1e-5)
    assert (plain.net_benefit.estimate, plain.net_benefit.se) == (moved.net_benefit.estimate, moved.net_benefit.se)
    assert (plain.win_ratio, plain.win_odds) == (moved.win_ratio, moved.win_odds)


@pytest.mark.parametrize("intervals", get_args(Intervals))
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.floats(0, 4), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_limits_never_leave_the_range(intervals: Intervals, seed: int, n: int, shift: float, level: float) -> None:
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 2
    rank = score_pairs(by_change(np.round(rng.normal(size=n) + shift * arm, 1)), groups=arm)
    found = win_statistics(rank, 1, 0, level=level, intervals=intervals)
    for each, low, high in (
        (found.net_benefit, -1.0, 1.0),
        (found.win_probability, 0.0, 1.0),
        (found.win_odds, 0.0, math.inf),
        (found.win_ratio, 0.0, math.inf),
    ):
        if not math.isnan(each.low):
            assert low <= each.low <= each.estimate <= each.high <= high


def test_strata_pool_their_pairs() -> None:
    """Pairs are made within strata only; wins, losses and their variances add up."""
    rng = np.random.default_rng(2)
    change, arm, strata = rng.normal(size=60), np.arange(60) % 2, (np.arange(60) // 2) % 3
    pooled = win_statistics(score_pairs(by_change(change), groups=arm, strata=strata), 1, 0)
    parts = [win_statistics(score_pairs(by_change(change[strata == s]), groups=arm[strata == s]), 1, 0) for s in range(3)]
    assert pooled.wins == sum(p.wins for p in parts)
    assert pooled.pairs == sum(p.pairs for p in parts) == 300
    variance = sum((p.net_benefit.se * p.pairs) ** 2 for p in parts)
    assert pooled.net_benefit.se == pytest.approx(math.sqrt(variance) / 300)


def test_all_won_has_no_ratio() -> None:
    wins = win_statistics(score_pairs(by_change([5, 4, 1, 0]), groups=[1, 1, 0, 0]), 1, 0)
    assert (wins.wins, wins.losses) == (4, 0)
    assert wins.net_benefit.estimate == 1
    assert math.isnan(wins.win_ratio.estimate) and math.isnan(wins.win_odds.estimate)
    assert math.isnan(wins.win_ratio.low) and math.isnan(wins.net_benefit.p)


def test_all_lost_is_a_ratio_of_zero_without_interval() -> None:
    wins = win_statistics(score_pairs(by_change([0, 1, 4, 5]), groups=[1, 1, 0, 0]), 1, 0)
    assert wins.win_ratio.estimate == 0
    assert math.isnan(wins.win_ratio.high) and math.isnan(wins.win_odds.low)


def test_all_tied() -> None:
    wins = win_statistics(score_pairs(by_change([2, 2, 2]), groups=[1, 0, 0]), 1, 0)
    assert (wins.ties, wins.win_probability.estimate, wins.win_odds.estimate) == (2, 0.5, 1.0)
    assert math.isnan(wins.win_ratio.estimate)


def test_a_third_arm_does_not_enter() -> None:
    rng = np.random.default_rng(3)
    change, arm = rng.normal(size=45), np.arange(45) % 3
    three = win_statistics(score_pairs(by_change(change), groups=arm), 2, 0)
    two = win_statistics(score_pairs(by_change(change[arm != 1]), groups=arm[arm != 1]), 2, 0)
    assert three == two


def test_interval_covers_the_truth() -> None:
    """Normal shift 0.5 SD: true win probability Phi(0.5 / sqrt 2) = 0.638; of 400 trials of 2 x 100 about 95 % cover it."""
    truth = 0.5 * (1 + math.erf(0.5 / 2))
    rng = np.random.default_rng(4)
    arm = np.arange(200) % 2
    hits = 0
    for _ in range(400):
        found = win_statistics(score_pairs(by_change(rng.normal(size=200) + 0.5 * arm), groups=arm), 1, 0).win_probability
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_level_widens_the_interval() -> None:
    rank = score_pairs(by_change([3, 1, 2, 0, 1.5]), groups=[1, 1, 0, 0, 0])
    wide, narrow = win_statistics(rank, 1, 0, level=0.75), win_statistics(rank, 1, 0, level=0.5)
    assert wide.net_benefit.low < narrow.net_benefit.low < narrow.net_benefit.high < wide.net_benefit.high
