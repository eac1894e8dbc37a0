"""Influences against leave-one-out by hand, and correlations where they are known."""

from __future__ import annotations

import numpy as np
import pytest

from alsbench.stats.errors import StatsError
from alsbench.stats.influence import gls_influence, influence_correlation

rng = np.random.default_rng(11)
N = 60
X = np.column_stack([np.ones(N), np.arange(N) % 2, rng.normal(size=N)])
ONE = np.array([0.0, 1.0, 0.0])


def ols(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    A = np.linalg.inv(X.T @ X)
    residual = y - X @ (A @ X.T @ y)
    influence = gls_influence(X, residual, np.arange(N), np.zeros(N, dtype=int), np.eye(1), A, ONE, n_subjects=N)
    return influence, residual


def test_least_squares_influence_is_the_leave_one_out_change() -> None:
    """beta - beta without i = A x_i r_i / (1 - h_i) (Cook 1977): the influence times 1 / (1 - h_i)."""
    y = rng.normal(size=N)
    influence, _ = ols(y)
    whole = np.linalg.lstsq(X, y, rcond=None)[0]
    leverage = np.einsum("ij,jk,ik->i", X, np.linalg.inv(X.T @ X), X)
    for i in range(0, N, 7):
        rest = np.delete(np.arange(N), i)
        without = np.linalg.lstsq(X[rest], y[rest], rcond=None)[0]
        assert influence[i] / (1 - leverage[i]) == pytest.approx((whole - without)[1], rel=1e-9)


def test_sum_of_squares_is_the_heteroscedastic_variance() -> None:
    """White 1980 (HC0): c' A (sum x_i x_i' r_i^2) A c."""
    y = rng.normal(size=N)
    influence, residual = ols(y)
    A = np.linalg.inv(X.T @ X)
    meat = (X * residual[:, None] ** 2).T @ X
    assert (influence**2).sum() == pytest.approx((A @ meat @ A)[1, 1], rel=1e-12)


def test_correlation_of_known_endpoints() -> None:
    """The same endpoint twice, its negative, and one with correlation 0.6: estimated within four standard errors."""
    n = 4000
    arm = np.arange(n) % 2
    D = np.column_stack([np.ones(n), arm])
    A = np.linalg.inv(D.T @ D)
    noise = np.random.default_rng(3).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=n)

    def influence(y: np.ndarray) -> np.ndarray:
        r = y - D @ (A @ D.T @ y)
        codes = np.zeros(n, dtype=int)
        return gls_influence(D, r, np.arange(n), codes, np.eye(1), A, np.array([0.0, 1.0]), n_subjects=n)

    rows = np.array([influence(noise[:, 0]), influence(-noise[:, 0]), influence(noise[:, 1])])
    R = influence_correlation(rows)
    assert R[0, 1] == pytest.approx(-1.0, abs=1e-12)
    assert R[0, 2] == pytest.approx(0.6, abs=4 * (1 - 0.36) / np.sqrt(n))


def test_patterns_of_missing_visits_equal_a_loop_over_subjects() -> None:
    subject = np.repeat(np.arange(12), 3)
    visit = np.tile(np.arange(3), 12)
    keep = np.random.default_rng(5).random(36) > 0.25
    subject, visit = subject[keep], visit[keep]
    Z = np.column_stack([np.ones(subject.size), subject % 2, visit])
    sigma = np.array([[2.0, 1.0, 0.5], [1.0, 2.0, 1.0], [0.5, 1.0, 2.0]])
    A, row = np.diag([0.3, 0.2, 0.1]), np.array([0.0, 1.0, 0.5])
    residual = np.random.default_rng(6).normal(size=subject.size)
    got = gls_influence(Z, residual, subject, visit, sigma, A, row, n_subjects=13)
    for i in range(12):
        mine = subject == i
        V = sigma[np.ix_(visit[mine], visit[mine])]
        want = row @ A @ Z[mine].T @ np.linalg.solve(V, residual[mine]) if mine.any() else 0.0
        assert got[i] == pytest.approx(want, rel=1e-12)
    assert got[12] == 0.0


def test_an_estimate_nobody_moves() -> None:
    with pytest.raises(StatsError):
        influence_correlation(np.zeros((2, 5)))
