"""The parametric part is least squares; the permutation is exact where nothing else is in the model, and uniform under null."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from alsbench.stats.ancova import fit_ols
from alsbench.stats.design import Covariate, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.permutation import permute_residuals


def test_the_t_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(1)
    Z, x, y = rng.standard_normal((30, 3)), rng.standard_normal(30), rng.standard_normal(30)
    variables = [*(Covariate(f"z{k}", Z[:, k]) for k in range(3)), Covariate("x", x)]
    table = fit_ols(y, build_design(variables, [(v.name,) for v in variables])).coefficients()
    found = permute_residuals(y, np.column_stack([Z, Z[:, 0]]), x, draws=99, seed=1)
    assert found.t == pytest.approx(table.t[-1], rel=1e-10)
    assert found.p == pytest.approx(table.p[-1], rel=1e-10)
    assert found.estimate == pytest.approx(table.estimate[-1], rel=1e-10)
    assert found.df == 25


def test_without_other_terms_it_is_the_permutation_test_of_a_correlation() -> None:
    """All 720 orders of six values by hand: p is the share with |r| at least the observed one."""
    x, y = np.array([1.0, 2, 3, 4, 5, 6]), np.array([2.0, 1, 4, 3, 7, 5])
    r = [abs(np.corrcoef(x, np.array(order))[0, 1]) for order in itertools.permutations(y)]
    exact = np.mean(np.array(r) >= abs(np.corrcoef(x, y)[0, 1]) - 1e-12)
    found = permute_residuals(y, np.zeros((6, 0)), x, draws=20_000, seed=3)
    assert found.permutation_p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_uniform_without_effect_whatever_the_errors() -> None:
    """Skewed errors, a strong covariate: 200 trials; the share at or below 0.2 lies within four binomial SDs."""
    rng = np.random.default_rng(2)
    p = []
    for _ in range(200):
        Z, x = rng.standard_normal((24, 2)), rng.standard_normal(24)
        p.append(permute_residuals(Z @ [3, -3] + rng.exponential(size=24), Z, x, draws=199, seed=5).permutation_p)
    assert abs(np.mean(np.array(p) <= 0.2) - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 200)


def test_what_cannot_be_tested_is_refused() -> None:
    x = np.arange(6.0)
    with pytest.raises(StatsError, match="determine"):
        permute_residuals(x**2, x[:, None], x, draws=9, seed=1)
    with pytest.raises(StatsError, match="degrees"):
        permute_residuals(x[:2], np.zeros((2, 0)), x[:2], draws=9, seed=1)
    with pytest.raises(StatsError, match="nothing"):
        permute_residuals(np.zeros(6), np.zeros((6, 0)), x, draws=9, seed=1)
