"""Max-t: closed forms, Dunnett's published critical values, SciPy's multivariate t, and the permutation form by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alsbench.stats.errors import StatsError
from alsbench.stats.max_t import inside_probability, max_t, westfall_young


def compound(m: int, rho: float) -> np.ndarray:
    return np.full((m, m), rho) + (1 - rho) * np.eye(m)


@pytest.mark.parametrize(
    ("m", "df", "critical"),
    [(2, 10, 2.57), (3, 20, 2.54), (4, 30, 2.58), (5, 60, 2.58), (9, 20, 2.95), (2, math.inf, 2.21), (9, math.inf, 2.69)],
)
def test_dunnett_critical_values(m: int, df: float, critical: float) -> None:
    """Dunnett (1964, Biometrics 20:482): two-sided 5 % points for m treatments against a control, correlation 1/2, printed to
    two decimals."""
    R = compound(m, 0.5)
    assert inside_probability(critical - 0.006, R, df) < 0.95 < inside_probability(critical + 0.006, R, df)


def test_independent_normals_are_sidak() -> None:
    t = [2.8, 2.0, 0.4, 1.1, 2.5]
    p = 2 * 0.5 * np.array([math.erfc(x / math.sqrt(2)) for x in t])
    ours = max_t(t, np.eye(5), math.inf)
    assert ours == pytest.approx(1 - (1 - p) ** 5, abs=2e-5)


def test_one_statistic_is_its_own_p_and_copies_of_it_too() -> None:
    from scipy.special import stdtr

    p = 2 * stdtr(17, -2.3)
    assert max_t([2.3], [[1.0]], 17) == pytest.approx([p])
    copies = max_t([2.3, 2.3, -2.3], np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1.0]]), 17)
    assert copies == pytest.approx([p] * 3, abs=5e-5), "the lattice's own error, a quarter of what the module allows itself"


@pytest.mark.parametrize("df", [8.0, 40.0, math.inf])
def test_against_scipy(df: float) -> None:
    """SciPy integrates the same probability by a randomised rule; agreement within its error."""
    from scipy.stats import multivariate_normal, multivariate_t

    rng = np.random.default_rng(5)
    A = rng.normal(size=(6, 8))
    S = A @ A.T
    R = S / np.sqrt(np.outer(np.diag(S), np.diag(S)))
    for bound in (1.0, 2.2, 3.1):
        limits = np.full(6, bound)
        if math.isinf(df):
            theirs = multivariate_normal(np.zeros(6), R).cdf(limits, lower_limit=-limits)
        else:
            theirs = multivariate_t(np.zeros(6), R, df=df, seed=1).cdf(limits, lower_limit=-limits, maxpts=200_000)
        assert inside_probability(bound, R, df) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize(("m", "rho", "inside"), [(12, 0.9, 0.81453), (24, 0.95, 0.79223)])
def test_closely_correlated_visits_within_the_stated_error(m: int, rho: float, inside: float) -> None:
    """An autoregressive correlation at |t| < 2.1, 30 and 40 df. Expected: Genz's integrand on 2 097 152 points of another
    lattice (square roots of primes, with mirror images), in two orders of the visits that agreed to 1e-4."""
    R = rho ** np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
    assert inside_probability(2.1, R, 30.0 if m == 12 else 40.0) == pytest.approx(inside, abs=4e-4)


def test_more_statistics_than_the_lattice_was_made_for() -> None:
    """Independent normals again, where the probability is a product."""
    m = 70
    one = math.erf(3.2 / math.sqrt(2))
    assert inside_probability(3.2, np.eye(m), math.inf) == pytest.approx(one**m, abs=1e-9)


def test_step_down_by_its_definition() -> None:
    R, df = compound(3, 0.6), 25.0
    single, stepped = max_t([1.2, 3.0, 2.1], R, df), max_t([1.2, 3.0, 2.1], R, df, step_down=True)
    assert stepped[1] == single[1] == pytest.approx(1 - inside_probability(3.0, R, df))
    assert stepped[2] == pytest.approx(1 - inside_probability(2.1, compound(2, 0.6), df))
    assert stepped[0] == pytest.approx(1 - inside_probability(1.2, np.eye(1), df))
    assert (stepped <= single + 1e-12).all()


def test_same_numbers_same_bits() -> None:
    R = compound(8, 0.8)
    t = np.linspace(0.2, 3.1, 8)
    assert np.array_equal(max_t(t, R, 90), max_t(t, R, 90))


def test_adjusted_lies_between_the_raw_p_and_bonferroni() -> None:
    from scipy.special import stdtr

    t = np.array([0.3, 1.4, 2.0, 2.6, 3.4])
    raw = 2 * stdtr(50, -t)
    for step_down in (False, True):
        adjusted = max_t(t, compound(5, 0.7), 50, step_down=step_down)
        assert (raw <= adjusted + 1e-12).all()
        assert (adjusted <= np.minimum(5 * raw, 1) + 2e-5).all()


def test_a_missing_statistic_leaves_the_family() -> None:
    with_gap = max_t([2.0, np.nan, 1.0], compound(3, 0.5), 30)
    without = max_t([2.0, 1.0], compound(2, 0.5), 30)
    assert np.isnan(with_gap[1])
    assert with_gap[[0, 2]] == pytest.approx(without)


def test_westfall_young_by_hand() -> None:
    """Four resamples of two statistics, observed 2 and 3. Largest per resample: 2.5, 3.5, 1, 2: for 3 one is as large, p = 2/5;
    for 2 three are, p = 4/5. Step-down leaves 3 out: the second column's 2.5, 0.5, 1, 2 reach 2 twice: p = 3/5."""
    null = np.array([[0.1, 2.5], [-3.5, 0.5], [1, -1], [0, 2.0]])
    ours = westfall_young([3, -2], null)
    assert ours.single_step.tolist() == [2 / 5, 4 / 5]
    assert ours.step_down.tolist() == [2 / 5, 3 / 5]


def test_bad_input_is_named() -> None:
    with pytest.raises(StatsError, match="symmetric"):
        max_t([1, 2], [[1, 0.5], [0.2, 1]], 10)
    with pytest.raises(StatsError, match="eigenvalue"):
        max_t([1, 2, 3], [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], 10)
    with pytest.raises(StatsError, match="one row"):
        max_t([1, 2], [[1.0]], 10)
    with pytest.raises(StatsError, match="positive"):
        max_t([1], [[1.0]], 0)
    with pytest.raises(StatsError, match="one column"):
        westfall_young([1, 2], [[1.0]])


def test_some_of_a_family_have_the_p_they_have_in_all_of_it() -> None:
    t, R = [1.2, -3.0, 2.1, 0.4], compound(4, 0.6)
    every, some = max_t(t, R, 40), max_t(t, R, 40, only=(1, 2))
    assert np.array_equal(np.isnan(some), [True, False, False, True])
    assert np.array_equal(some[1:3], every[1:3])
