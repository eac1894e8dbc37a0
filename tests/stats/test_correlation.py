"""Correlations against R's printed examples, and against least squares with a term per group."""

from __future__ import annotations

import numpy as np
import pytest

from alsbench.stats.ancova import fit_ols
from alsbench.stats.correlation import correlation
from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.errors import StatsError


def test_pearson_as_r_prints_it() -> None:
    """Lightness of tuna against its quality, R's example of cor.test (Hollander and Wolfe 1973, p. 187): t = 1.8411, df = 7,
    p = 0.1082, interval -0.1497426 to 0.8955795, r = 0.5711816."""
    x = [44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1]
    y = [2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8]
    found = correlation(x, y)
    assert found.r == pytest.approx(0.5711816, abs=5e-8)
    assert (found.low, found.high) == pytest.approx((-0.1497426, 0.8955795), abs=5e-8)
    assert found.p == pytest.approx(0.1082, abs=5e-5)


def test_spearman_by_hand() -> None:
    """Ranks 1 2 3 4 5 6 against 2 1 4 3 6 5: sum of squared differences 6, rho = 1 - 6 * 6 / (6 * 35) = 29/35."""
    found = correlation([1, 2, 3, 4, 5, 60], [20, 10, 40, 30, 600, 50], ranks=True)
    assert found.r == pytest.approx(29 / 35, rel=1e-12)


def test_within_groups_it_is_a_regression_with_a_term_per_group() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1, 2], [8, 9, 10])
    x = rng.standard_normal(27) + 5 * group
    y = 0.4 * x - 6 * group + rng.standard_normal(27)
    variables = [Covariate("x", x), Factor("g", group, ("a", "b", "c"))]
    table = fit_ols(y, build_design(variables, [("x",), ("g",)])).coefficients()
    found = correlation(x, y, group)
    assert found.slope == pytest.approx(table.estimate[1], rel=1e-10)
    assert (found.slope_low, found.slope_high) == pytest.approx((table.low[1], table.high[1]), rel=1e-9)
    assert found.p == pytest.approx(table.p[1], rel=1e-9)


def test_missing_pairs_are_left_out_and_too_few_refused() -> None:
    assert correlation([1, 2, 3, 4, np.nan, 6], [1, 3, 2, 5, 6, np.nan]).n == 4
    with pytest.raises(StatsError, match="too few"):
        correlation([1, 2, 3], [1, 2, 3])
    with pytest.raises(StatsError, match="vary"):
        correlation([1, 1, 1, 1, 1], [1, 2, 3, 4, 5])
