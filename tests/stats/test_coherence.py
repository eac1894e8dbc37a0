"""Published numbers that agree are never called incoherent; those that do not are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from alsbench.stats import coherence as c


def span(value: float, places: int) -> c.Interval:
    """What a number printed with so many decimals stands for."""
    half = 0.5 * 10.0**-places
    return round(value, places) - half, round(value, places) + half


@given(
    estimate=st.floats(-20, 20),
    error=st.floats(0.05, 8),
    df=st.floats(12, 400),
    places=st.integers(1, 4),
)
def test_numbers_of_one_t_distribution_agree(estimate: float, error: float, df: float, places: int) -> None:
    assume(10.0**-places < error)
    quantile = float(stdtrit(df, 0.975))
    low, high = (span(estimate + k * quantile * error, places) for k in (-1, 1))
    p = 2.0 * float(stdtr(df, -abs(estimate) / error))
    printed_p = span(p, 3)
    for dfs in ((df,), c.degrees()):
        assert c.overlap(printed_p, c.p_of_limits(span(estimate, places), low, high, dfs=dfs))
        assert c.overlap(printed_p, c.p_of_error(span(estimate, places), span(error, places), dfs=dfs))
        assert c.overlap(span(error, places), c.standard_errors_of(low, high, dfs=dfs))
    assert c.overlap(span(estimate, places), c.centre_of(low, high))


def test_a_p_value_of_another_interval_is_found() -> None:
    # difference 2.0 with 95% limits 0.1 and 3.9: half width 1.9, z = 1.96 * 2 / 1.9 = 2.063, p = 0.039 (normal tables)
    limits = span(0.1, 1), span(3.9, 1)
    low, high = c.p_of_limits(span(2.0, 1), *limits, dfs=c.NORMAL)
    assert low < 0.0391 < high
    assert not c.overlap(span(0.01, 2), c.p_of_limits(span(2.0, 1), *limits, dfs=c.degrees()))
    assert not c.overlap(span(0.008, 3), c.p_of_limits(span(2.0, 1), *limits, dfs=c.NORMAL))


def test_the_interval_of_a_ratio_is_symmetric_in_its_logarithm() -> None:
    # sqrt(0.50 * 2.00) = 1
    low, high = c.centre_of(span(0.5, 2), span(2.0, 2), ratio=True)
    assert low < 1.0 < high
    assert c.overlap(span(1.0, 2), (low, high))
    assert not c.overlap(span(1.25, 2), (low, high))


def test_a_difference_of_printed_means() -> None:
    # 20.95 - 13.66 = 7.29: printed means allow 7.28 to 7.30
    assert c.difference_of(span(20.95, 2), span(13.66, 2)) == pytest.approx((7.28, 7.30))
    assert not c.overlap(span(7.4, 1), c.difference_of(span(20.95, 2), span(13.66, 2)))


@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 10_000))
def test_mean_ranks_tie_the_sizes(treated: int, control: int, seed: int) -> None:
    ranks = np.random.default_rng(seed).permutation(np.arange(1.0, treated + control + 1.0))
    means = ranks[:treated].mean(), ranks[treated:].mean()
    low, high = c.mean_rank_total((means[0],) * 2, treated, (means[1],) * 2, control)
    assert low == pytest.approx(treated + control)
    assert high == pytest.approx(treated + control)
    wins = (ranks[:treated, None] > ranks[None, treated:]).mean()
    assert 0.5 + (means[0] - means[1]) / (treated + control) == pytest.approx(wins)


def test_the_published_pair_of_the_slow_progressors() -> None:
    """Company announcement of the slow subgroup of a trial of 23, 46 and 46: LS means 20.95 and 13.66 (p 0.024), 24.78 and
    17.92 (p 0.041). By hand, 12 : 22 : 20 gives (12 x 20.95 + 20 x 13.66) / 32 = 16.39 against (32 + 1) / 2 = 16.5, and
    (22 x 24.78 + 20 x 17.92) / 42 = 21.51 against 21.5; win probabilities 1/2 + 7.29 / 32 = 0.73 and 1/2 + 6.86 / 42 = 0.66."""
    found = c.rank_sizes([c.RankPair(20.95, 13.66, 0.024), c.RankPair(24.78, 17.92, 0.041)], (23, 46, 46))
    assert all(low <= n <= high for low, n, high in zip(found.low, (12, 22, 20), found.high, strict=True))
    assert all(abs(best - n) <= 2 for best, n in zip(found.best, (12, 22, 20), strict=True))
    assert [round(win[0], 1) for win in found.win_probability] == [0.7, 0.7]
    for win, expected in zip(found.win_probability, (0.73, 0.66), strict=True):
        assert win[1] <= expected <= win[2]
        assert win[0] == pytest.approx(expected, abs=0.01)


def test_a_second_comparison_narrows_the_sizes() -> None:
    one = c.rank_sizes([c.RankPair(20.95, 13.66)], (23, 46))
    two = c.rank_sizes([c.RankPair(20.95, 13.66), c.RankPair(24.78, 17.92)], (23, 46, 46))
    assert one.low[1] <= two.low[2] <= two.high[2] <= one.high[1]


def test_impossible_mean_ranks_have_no_sizes() -> None:
    # Two mean ranks of one ranking lie on both sides of (N + 1) / 2, which is at most 35 in a trial of 23 and 46.
    assert not c.rank_sizes([c.RankPair(60.0, 50.0)], (23, 46)).any
    # 20 against 2: the difference is more than half of any N they can have.
    assert not c.rank_sizes([c.RankPair(20.0, 2.0)], (23, 46)).any


def test_what_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="one or two"):
        c.rank_sizes([], (23,))
