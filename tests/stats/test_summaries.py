"""Descriptive statistics by hand; SMDs by Austin's and Yang and Dalton's formulas worked out beside the assertion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsbench.stats.errors import StatsError
from alsbench.stats.summaries import (
    count_levels,
    describe,
    mean,
    quantile,
    sd,
    smd_categorical,
    smd_numeric,
)


def test_summary_by_hand() -> None:
    s = describe([4.0, math.nan, 1.0, 3.0, 2.0])
    assert (s.n, s.n_missing, s.mean, s.median, s.q1, s.q3, s.min, s.max) == (4, 1, 2.5, 2.5, 1.5, 3.5, 1.0, 4.0)
    assert s.sd == pytest.approx(math.sqrt(5 / 3), rel=1e-15)
    assert s.se == pytest.approx(math.sqrt(5 / 12), rel=1e-15)


def test_quantiles_are_type_2() -> None:
    # of 1..10: n q = 1, 2.5, 3.3, 5, 7.5, 9; whole n q averages two neighbours, others step up
    x = np.arange(10.0, 0.0, -1.0)
    assert [quantile(x, q) for q in (0.1, 0.25, 0.33, 0.5, 0.75, 0.9)] == [1.5, 3.0, 4.0, 5.5, 8.0, 9.5]
    assert (quantile(x, 0.0), quantile(x, 1.0)) == (1.0, 10.0)
    # n q = 30 * 0.1 is 3.0000000000000004 in doubles but whole on paper: the mean of the 3rd and 4th
    assert quantile(np.arange(1.0, 31.0), 0.1) == 3.5
    assert quantile(np.arange(1.0, 8.0), 0.25) == 2.0


def test_empty_and_single() -> None:
    s = describe([math.nan])
    assert (s.n, s.n_missing) == (0, 1)
    assert all(math.isnan(v) for v in (s.mean, s.sd, s.median, s.min, s.se))
    one = describe([7.0])
    assert one.mean == one.median == one.q1 == one.max == 7.0
    assert math.isnan(one.sd)


def test_mean_and_sd_do_not_drown_in_a_large_offset() -> None:
    x = np.array([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16])
    assert mean(x) == 1e9 + 10
    assert sd(x) == pytest.approx(math.sqrt(30.0), rel=1e-14)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(values: list[float], rnd: object) -> None:
    shuffled = list(values)
    rnd.shuffle(shuffled)  # type: ignore[attr-defined]
    a, b = describe(values), describe(shuffled)
    assert a == b


def test_counts_keep_empty_levels_and_leave_missing_out() -> None:
    rows = count_levels([0, 2, 2, -1], ("A", "B", "C"))
    assert [(r.level, r.count, r.total) for r in rows] == [("A", 1, 3), ("B", 0, 3), ("C", 2, 3)]
    assert rows[2].percent == pytest.approx(200 / 3)
    with pytest.raises(StatsError, match="no level"):
        count_levels([3], ("A", "B", "C"))


def test_smd_numeric_by_hand() -> None:
    # treated 1 2 3: mean 2, variance 1; reference 2 4 6: mean 4, variance 4; pooled sqrt(2.5)
    assert smd_numeric([1, 2, 3, math.nan], [2, 4, 6]) == pytest.approx(-2 / math.sqrt(2.5), rel=1e-15)
    assert smd_numeric([5, 5], [5, 5]) == 0.0
    with pytest.raises(StatsError, match="does not vary"):
        smd_numeric([5, 5], [6, 6])
    with pytest.raises(StatsError, match="two values"):
        smd_numeric([5], [6, 6])


def test_smd_two_levels_by_hand() -> None:
    # 3 of 4 against 1 of 4: 0.5 / sqrt((0.1875 + 0.1875) / 2)
    a, b = [1, 1, 1, 0], [0, 0, 0, 1]
    expected = 0.5 / math.sqrt(0.1875)
    assert smd_categorical(b, a, 2) == pytest.approx(expected, rel=1e-14)
    assert smd_categorical(a, a, 2) == 0.0


def test_smd_three_levels_by_hand() -> None:
    # T = (1/4, 1/4, 1/2), C = (1/2, 1/4, 1/4); without the first level d = (0, 1/4)
    # S = [[3/16, -(1/8 + 1/16)/2], [., (1/4 + 3/16)/2]] = [[6/32, -3/32], [-3/32, 7/32]]
    # d' S^-1 d = (1/16) * (6/32) / ((42 - 9)/1024) = (6/512) * (1024/33) = 12/33
    treated, reference = [0, 1, 2, 2], [0, 0, 1, 2]
    assert smd_categorical(treated, reference, 3) == pytest.approx(math.sqrt(12 / 33), rel=1e-13)
    # a level nobody has, and missing values, change nothing
    assert smd_categorical([*treated, -1], reference, 4) == pytest.approx(math.sqrt(12 / 33), rel=1e-13)
    with pytest.raises(StatsError, match="separate"):
        smd_categorical([0, 0], [1, 1], 2)
    with pytest.raises(StatsError, match="each arm"):
        smd_categorical([-1], [1, 1], 2)
