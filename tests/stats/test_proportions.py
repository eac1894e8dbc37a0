"""Intervals against the tables of Newcombe 1998a (17:857, single proportions) and 1998b (17:873, differences)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsbench.stats.errors import StatsError
from alsbench.stats.proportions import clopper_pearson, fisher_exact, poisson_rate, risk_difference, wilson, zero_events

PRINTED = 5.1e-5  # the tables give four decimals

# Newcombe 1998a, Table I: method 5 (Clopper-Pearson), method 3 (Wilson score)
SINGLE = [
    (81, 263, (0.2527, 0.3676), (0.2553, 0.3662)),
    (15, 148, (0.0578, 0.1617), (0.0624, 0.1605)),
    (0, 20, (0.0, 0.1684), (0.0, 0.1611)),
    (1, 29, (0.0009, 0.1776), (0.0061, 0.1718)),
]

# Newcombe 1998b, Table II, method 10 (hybrid score), examples (a) to (h)
DIFFERENCE = [
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1.0)),
    ((10, 10, 0, 10), (0.6075, 1.0)),
]


@pytest.mark.parametrize("count,n,exact,score", SINGLE)
def test_single_proportions(count: int, n: int, exact: tuple[float, float], score: tuple[float, float]) -> None:
    for ours, printed in ((clopper_pearson(count, n), exact), (wilson(count, n), score)):
        assert ours.estimate == count / n
        assert (ours.low, ours.high) == pytest.approx(printed, rel=0, abs=PRINTED)


@pytest.mark.parametrize("table,printed", DIFFERENCE)
def test_risk_differences(table: tuple[int, int, int, int], printed: tuple[float, float]) -> None:
    ours = risk_difference(*table)
    assert ours.estimate == pytest.approx(table[0] / table[1] - table[2] / table[3], abs=1e-15)
    assert (ours.low, ours.high) == pytest.approx(printed, rel=0, abs=PRINTED)


def test_zero_events() -> None:
    # 1 - 0.05^(1/190) and 1 - 0.025^(1/190): about 3/190 and 3.7/190
    bound = zero_events(190)
    assert bound.one_sided == pytest.approx(1 - 0.05 ** (1 / 190), rel=1e-12)
    assert bound.one_sided == pytest.approx(3 / 190, rel=0.02)
    assert bound.two_sided == pytest.approx(clopper_pearson(0, 190).high, rel=1e-12)
    assert bound.two_sided == pytest.approx(3.7 / 190, rel=0.02)
    assert zero_events(10**9).one_sided == pytest.approx(-math.log(0.05) / 1e9, rel=1e-8)


def test_poisson_rates() -> None:
    # Garwood's table: 10 observed events have exact 95 % limits 4.795 and 18.390; none has 0 and 3.689
    ours = poisson_rate(10, 50.0)
    assert (ours.estimate, ours.low, ours.high) == pytest.approx((20.0, 2 * 4.7954, 2 * 18.3904), rel=1e-4)
    none = poisson_rate(0, 100.0)
    assert (none.estimate, none.low, none.high) == pytest.approx((0.0, 0.0, -math.log(0.025)), rel=1e-12)
    assert poisson_rate(3, 10.0, per=1000.0).estimate == pytest.approx(300.0)


@given(st.integers(1, 60), st.data())
def test_exact_limits_leave_the_tail_they_claim(n: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, n))
    ci = clopper_pearson(count, n)

    def at_least(k: int, p: float) -> float:
        return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))

    if count > 0:
        assert at_least(count, ci.low) == pytest.approx(0.025, rel=1e-8)
    if count < n:
        assert 1 - at_least(count + 1, ci.high) == pytest.approx(0.025, rel=1e-8)


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_swapping_the_arms_mirrors_the_interval(n1: int, n0: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n0))
    one, other = risk_difference(a, n1, b, n0), risk_difference(b, n0, a, n1)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-14)
    assert -1 - 1e-12 <= one.low <= one.estimate <= one.high <= 1 + 1e-12


def test_impossible_counts_are_named() -> None:
    with pytest.raises(StatsError, match="no subjects"):
        clopper_pearson(0, 0)
    with pytest.raises(StatsError, match="5 of 4"):
        risk_difference(5, 4, 1, 4)
    with pytest.raises(StatsError, match="exposure"):
        poisson_rate(1, 0.0)


def test_fisher_exact() -> None:
    """Fisher's lady tasting tea, 3 of 4 against 1 of 4: 34/70 (R's fisher.test prints 0.4857). Convicted twins of criminals,
    2 of 17 dizygotic against 10 of 13 monozygotic: 0.0005367 (R's fisher.test, example Convictions)."""
    assert fisher_exact(3, 4, 1, 4) == pytest.approx(34 / 70, rel=1e-12)
    assert fisher_exact(2, 17, 10, 13) == pytest.approx(0.0005367, abs=5e-8)
    assert fisher_exact(0, 5, 0, 9) == 1.0
    assert fisher_exact(5, 9, 2, 7) == pytest.approx(fisher_exact(2, 7, 5, 9), rel=1e-12)
