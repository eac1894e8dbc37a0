"""How far max-t is off: exact integrals in one and two dimensions, a Markov chain carried forward, and 10^8 independent draws.

What is promised up to 24 statistics and p from 0.001 to 0.1: the p of ``max_t`` is within 5e-5 of the exact one.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import chi2

from alsbench.stats import equicoordinate
from alsbench.stats.equicoordinate import outside
from alsbench.stats.max_t import max_t

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from draws_max_t import MATRICES

PROMISED = 5e-5
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def panels(low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights, 20 in each of so many panels."""
    edges = np.linspace(low, high, count + 1)
    half = (edges[1:] - edges[:-1]) / 2
    middle = (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * NODES).ravel(), (half[:, None] * WEIGHTS).ravel()


def over_chi(inside: object, bound: float, df: float) -> float:
    """1 - inside(b) of a normal, or its mean over the chi of a t."""
    if math.isinf(df):
        return 1 - inside(bound)  # type: ignore[operator]
    root, weight = panels(math.sqrt(chi2.ppf(1e-13, df)), math.sqrt(chi2.isf(1e-13, df)), 4 if df < 10 else 2)
    density = 2 * root * chi2.pdf(root**2, df)
    return float(sum(w * d * (1 - inside(bound * r / math.sqrt(df))) for r, w, d in zip(root, weight, density, strict=True)))  # type: ignore[operator]


def equal(bound: float, m: int, rho: float) -> float:
    """P(inside) of m normals, all correlations ``rho``: the integral over their common factor."""
    own, common = math.sqrt(1 - rho), math.sqrt(rho)
    z, weight = panels(-9, 9, int(max(12, 9 / own)))
    each = ndtr((bound - common * z) / own) - ndtr((-bound - common * z) / own)
    return float((weight * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)) @ each**m)


def bound_of(target: float, m: int, rho: float, df: float) -> float:
    """A bound whose exact p is about ``target``."""
    low, high = 1.0, 60.0
    while high - low > 0.05:
        middle = (low + high) / 2
        low, high = (middle, high) if over_chi(lambda b: equal(b, m, rho), middle, df) > target else (low, middle)
    return low


@pytest.mark.parametrize("df", [math.inf, 60.0, 20.0, 5.0])
@pytest.mark.parametrize("m", [2, 9, 24])
def test_equal_correlations_against_the_integral_over_their_factor(m: int, df: float) -> None:
    for rho, target in ((0.0, 0.05), (0.1, 0.1), (0.5, 0.01), (0.7, 0.1), (0.9, 0.001), (0.95, 0.05), (0.99, 0.01)):
        bound = bound_of(target, m, rho, df)
        exact = over_chi(lambda b, rho=rho: equal(b, m, rho), bound, df)
        t = np.r_[bound, np.zeros(m - 1)]
        R = np.full((m, m), rho) + (1 - rho) * np.eye(m)
        assert max_t(t, R, df, only=[0])[0] == pytest.approx(exact, abs=1e-6), (rho, bound)


def test_twenty_statistics_at_3_15() -> None:
    """0.016769: the integral over the common factor at correlation 0.7024, by :func:`equal`."""
    R = np.full((20, 20), 0.7024) + (1 - 0.7024) * np.eye(20)
    assert 1 - equal(3.15, 20, 0.7024) == pytest.approx(0.016769, abs=5e-7)
    assert max_t(np.full(20, 3.15), R, math.inf) == pytest.approx(0.016769, abs=1e-6)


def test_one_factor_with_unequal_loadings_of_either_sign_is_exact() -> None:
    """Dunnett's comparisons of arms of unequal size, one of them reversed: X_k = l_k Z + e_k."""
    loadings = np.array([0.9, -0.7, 0.55, 0.3, 0.8, -0.95])
    R = np.outer(loadings, loadings)
    np.fill_diagonal(R, 1.0)
    z, weight = panels(-9, 9, 40)
    inside = np.ones(z.size)
    for loading in loadings:
        own = math.sqrt(1 - loading**2)
        inside *= ndtr((2.5 - loading * z) / own) - ndtr((-2.5 - loading * z) / own)
    exact = 1 - float((weight * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)) @ inside)
    found = outside([2.5], R, math.inf)
    assert found.probability[0] == pytest.approx(exact, abs=1e-9)
    assert found.error[0] == 0


def blocks_inside(bound: float, blocks: int, size: int, within: float, between: float) -> float:
    """P(inside) of normals in ``blocks`` of ``size``: a factor for all and one for each block, integrated one in the other."""
    own, common, shared = math.sqrt(1 - within), math.sqrt(within - between), math.sqrt(between)
    z, weight = panels(-8.5, 8.5, 12)
    density = weight * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    centre = shared * z[:, None] + common * z[None, :]
    each = (ndtr((bound - centre) / own) - ndtr((-bound - centre) / own)) ** size
    return float(density @ (each @ density) ** blocks)


@pytest.mark.parametrize("df", [math.inf, 20.0])
@pytest.mark.parametrize(
    ("blocks", "size", "within", "between", "bounds"),
    [
        (4, 6, 0.9, 0.7, (2.6, 3.0, 3.6)),
        (3, 4, 0.9, 0.6, (2.4, 3.0, 3.6)),
        (4, 6, 0.6, 0.2, (3.5,)),
        (6, 2, 0.8, 0.1, (2.7, 3.3, 4.0)),
    ],
)
def test_blocks_of_statistics_against_two_integrals(
    blocks: int, size: int, within: float, between: float, bounds: tuple[float, ...], df: float
) -> None:
    m = blocks * size
    group = np.repeat(np.arange(blocks), size)
    R = np.where(group[:, None] == group, within, between) + (1 - within) * np.eye(m)
    ours = max_t(np.r_[bounds, np.full(m - len(bounds), 0.1)], R, df, only=range(len(bounds)))
    for p, bound in zip(ours, bounds, strict=False):
        exact = over_chi(lambda b: blocks_inside(b, blocks, size, within, between), bound, df)
        assert p == pytest.approx(exact, abs=PROMISED)


@pytest.mark.parametrize(
    ("m", "rho", "df", "bound"),
    [(12, 0.9, math.inf, 2.4), (24, 0.95, math.inf, 2.5), (12, 0.9, 20.0, 2.6), (24, 0.97, 60.0, 2.9), (12, 0.5, 60.0, 3.0)],
)
def test_an_autoregressive_chain_against_its_density_carried_forward(m: int, rho: float, df: float, bound: float) -> None:
    """Given X_k the later ones do not depend on the earlier: the density of X_k with all so far inside, on 400 nodes."""

    def inside(limit: float) -> float:
        x, weight = panels(-limit, limit, 20)
        own = math.sqrt(1 - rho**2)
        step = np.exp(-(((x[:, None] - rho * x[None, :]) / own) ** 2) / 2) / (own * math.sqrt(2 * math.pi))
        density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        for _ in range(m - 1):
            density = step @ (weight * density)
        return float(weight @ density)

    R = rho ** np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
    ours = max_t(np.r_[bound, np.zeros(m - 1)], R, df, only=[0])[0]
    assert ours == pytest.approx(over_chi(inside, bound, df), abs=PROMISED)


# Shares of 10^8 independent draws beyond each bound, made by `python benchmarks/draws_max_t.py --seed 20261130`, the matrices
# by its formulas. Monte Carlo standard errors sqrt(p (1 - p) / 10^8): 3e-5 at p = 0.1, 1e-5 at 0.01, 3e-6 at 0.001.
DRAWS = 10**8
SHARES = {
    ("AR-like", 12, math.inf): {2.4: 0.07836102, 2.8: 0.02805729, 3.2: 0.00852515, 3.6: 0.00219598},
    ("AR-like", 12, 20): {2.6: 0.07541034, 3.0: 0.03402115, 3.6: 0.00955316, 4.4: 0.00163246},
    ("near-singular", 12, math.inf): {2.0: 0.08543093, 2.4: 0.03309298, 2.8: 0.01103565, 3.4: 0.00160624},
    ("near-singular", 12, 20): {2.2: 0.07344059, 2.6: 0.03323770, 3.2: 0.00927058, 3.8: 0.00242903},
    ("negative entries", 12, math.inf): {2.6: 0.08087933, 3.0: 0.02583641, 3.2: 0.01364529, 3.8: 0.00155717},
    ("negative entries", 12, 20): {2.8: 0.08513081, 3.4: 0.02435263, 3.8: 0.01009917, 4.6: 0.00165950},
    ("AR-like", 24, math.inf): {2.6: 0.08371641, 3.0: 0.02855597, 3.4: 0.00818512, 3.8: 0.00197530},
    ("AR-like", 24, 20): {2.8: 0.08621465, 3.4: 0.02575970, 3.8: 0.01097412, 4.6: 0.00190139},
    ("near-singular", 24, math.inf): {2.0: 0.09131808, 2.4: 0.03565113, 2.8: 0.01201426, 3.4: 0.00176738},
    ("near-singular", 24, 20): {2.2: 0.07842207, 2.6: 0.03568463, 3.2: 0.01003848, 4.0: 0.00168800},
    ("negative entries", 24, math.inf): {2.8: 0.07644674, 3.4: 0.01216682},
    ("negative entries", 24, 20): {3.0: 0.08716989, 4.0: 0.01069030},
}


@pytest.mark.parametrize(("name", "m", "df"), SHARES)
def test_unstructured_correlations_against_independent_draws(name: str, m: int, df: float) -> None:
    """Within the promised error and three standard errors of the reference, which are as large as it at p = 0.1."""
    shares = SHARES[name, m, df]
    ours = max_t(np.r_[list(shares), np.zeros(m - len(shares))], MATRICES[name](m), df, only=range(len(shares)))
    for p, (bound, share) in zip(ours, shares.items(), strict=False):
        error = 3 * math.sqrt(share * (1 - share) / DRAWS)
        assert abs(p - share) <= PROMISED + error, (bound, p, share)


def test_the_allowance_is_added() -> None:
    """p is the estimate and its standard error, so that what is left of the error makes it too large rather than too small."""
    R = MATRICES["AR-like"](12)
    found = outside([2.8], R, 20)
    assert 0 < found.error[0] <= equicoordinate.ERROR
    assert max_t(np.r_[2.8, np.zeros(11)], R, 20, only=[0])[0] == found.probability[0] + found.error[0]


def test_a_small_p_keeps_its_size() -> None:
    """Bonferroni is the upper limit, the unadjusted p the lower: nothing of the allowance shows in p = 1e-8."""
    R = MATRICES["negative entries"](12)
    p = max_t(np.r_[7.0, np.zeros(11)], R, math.inf, only=[0])[0]
    assert 2 * ndtr(-7.0) <= p <= 24 * ndtr(-7.0)


def test_only_some_statistics_of_many_bounds_have_the_bits_they_have_alone() -> None:
    R = MATRICES["AR-like"](12)
    t = np.array([2.9, 2.1, 3.4, 2.6, *np.linspace(0.1, 1.5, 8)])
    every = max_t(t, R, 20)
    for k in range(12):
        assert max_t(t, R, 20, only=[k])[k] == every[k]


def test_points_are_a_net_in_every_scramble() -> None:
    """Of 2^k Sobol points every dyadic interval of length 2^-k holds one, in every coordinate, scrambled or not; and every
    elementary rectangle of the first two coordinates, which are a net of their own."""
    for scramble in range(equicoordinate.SCRAMBLES):
        points = equicoordinate.sobol_block(scramble, 3, 24)
        assert points.shape == (24, equicoordinate.BLOCK)
        for coordinate in points:
            assert np.array_equal(np.sort(coordinate >> 4), np.arange(equicoordinate.BLOCK))
        for k in range(13):
            cells = (points[0].astype(int) >> (16 - k)) * (1 << (12 - k)) + (points[1].astype(int) >> (16 - (12 - k)))
            assert np.array_equal(np.sort(cells), np.arange(equicoordinate.BLOCK))


def test_more_coordinates_than_there_are_direction_numbers() -> None:
    points = equicoordinate.sobol_block(0, 1, equicoordinate.DIMENSIONS + 6)
    assert points.shape == (equicoordinate.DIMENSIONS + 6, equicoordinate.BLOCK)
    assert np.array_equal(points[: equicoordinate.DIMENSIONS], equicoordinate.sobol_block(0, 1, equicoordinate.DIMENSIONS))
    assert abs(points[-1].mean() / 65536 - 0.5) < 0.02
