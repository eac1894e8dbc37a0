"""Re-randomisation tests: exact cases by hand, sampled against exact, the ANCOVA t against refits, repeatability, cost."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from alsbench.stats import permutation
from alsbench.stats.ancova import fit_ols
from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.permutation import arrangements, permute_ancova, permute_scores


def test_exact_by_hand() -> None:
    """U = -3, -1, 1, 3 with the last two treated: W = 4; of the 6 arrangements only {3,4} and {1,2} reach |W| = 4: p = 2/6."""
    test = permute_scores([-3, -1, 1, 3], [0, 0, 1, 1], seed=1)
    assert (test.observed, test.p, test.extreme, test.draws, test.exact) == (4.0, 2 / 6, 2, 6, True)


def test_exact_within_strata_by_hand() -> None:
    """Two strata of two, one treated each: 4 arrangements, W of +-1 +-2; observed 3, so |W| >= 3 in two of four."""
    test = permute_scores([1, -1, 2, -2], [1, 0, 1, 0], strata=[0, 0, 1, 1], seed=1)
    assert (test.observed, test.p, test.draws) == (3.0, 0.5, 4)


def test_sampled_p_has_the_plus_one_and_is_near_the_exact() -> None:
    rng = np.random.default_rng(8)
    U, arm = rng.integers(-9, 10, 14).astype(float), np.arange(14) % 2
    exact = permute_scores(U, arm, seed=1)
    sampled = permute_scores(U, arm, seed=1, exact_limit=0, draws=20_000)
    assert exact.exact and not sampled.exact
    assert sampled.p == (1 + sampled.extreme) / 20_001
    assert abs(sampled.p - exact.p) < 4 * math.sqrt(exact.p * (1 - exact.p) / 20_000)
    wide = permute_scores(np.arange(60) - 29.5, np.arange(60) >= 30, seed=1, draws=99)
    assert wide.p == 1 / 100


def ancova_case(n: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    Z = np.column_stack([rng.normal(38, 4, n), rng.integers(0, 2, n)])
    return rng.permutation(n) + 1.0, np.arange(n) % 3 == 0, Z, (np.arange(n) >= n // 2).astype(int)


def ancova_t(y: np.ndarray, arm: np.ndarray, Z: np.ndarray) -> float:
    variables = [Factor("ARM", np.asarray(arm).astype(np.int64), ("0", "1"))]
    variables += [Covariate(f"Z{k}", Z[:, k]) for k in range(Z.shape[1])]
    return float(fit_ols(y, build_design(variables, [(v.name,) for v in variables])).coefficients().t[1])


def test_ancova_permutation_is_a_refit_of_every_arrangement() -> None:
    y, arm, Z, strata = ancova_case()
    ours = permute_ancova(y, arm, Z, strata=strata, seed=1)
    observed = ancova_t(y, arm, Z)
    values = []
    halves = [np.flatnonzero(strata == s) for s in (0, 1)]
    for first in itertools.combinations(halves[0], int(arm[halves[0]].sum())):
        for second in itertools.combinations(halves[1], int(arm[halves[1]].sum())):
            other = np.isin(np.arange(y.size), [*first, *second])
            values.append(abs(ancova_t(y, other, Z)))
    assert ours.exact and ours.draws == len(values) == arrangements(arm, strata) == 15 * 15
    assert ours.observed == pytest.approx(observed, abs=1e-10)
    assert ours.p == pytest.approx(np.mean(np.array(values) >= abs(observed) - 1e-9))


def test_same_seed_same_answer_other_seed_another() -> None:
    rng = np.random.default_rng(4)
    y, arm, Z = rng.normal(size=60), np.arange(60) % 2, rng.normal(size=(60, 3))
    a, b = (permute_ancova(y, arm, Z, seed=11, draws=3000) for _ in range(2))
    assert a == b
    assert permute_ancova(y, arm, Z, seed=12, draws=3000).extreme != a.extreme


def test_p_is_uniform_under_the_null() -> None:
    """300 null trials: the share of p <= 0.05 stays within four standard errors of 5 %, and never above in expectation."""
    rng = np.random.default_rng(6)
    arm = np.arange(40) % 2
    ps = [permute_ancova(rng.normal(size=40), arm, rng.normal(size=(40, 2)), seed=k, draws=199).p for k in range(300)]
    assert abs(np.mean(np.array(ps) <= 0.05) - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 300)


def test_what_cannot_be_tested_is_named() -> None:
    with pytest.raises(StatsError, match="both arms"):
        permute_scores([1, 2], [1, 1], seed=1)
    with pytest.raises(StatsError, match="does not exist"):
        permute_ancova([1.0, 2, 3, 5], [1, 0, 1, 0], [[1.0], [0], [1], [0]], seed=1)
    with pytest.raises(StatsError, match="degrees of freedom"):
        permute_ancova([1.0, 2, 3], [1, 0, 1], [[1.0], [0.5], [2.0]], seed=1)
    with pytest.raises(StatsError, match="one length"):
        permute_scores([1, 2], [1, 0, 1], seed=1)
    with pytest.raises(StatsError, match="at least one draw"):
        permute_scores(np.arange(40), np.arange(40) % 2, seed=1, draws=0)


def test_cost_is_one_product_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 re-randomisations are five matrix products, not ten thousand fits."""
    calls: list[int] = []
    whole = permutation._arm_t

    def counted(arms: np.ndarray, *rest: object) -> np.ndarray:
        calls.append(arms.shape[0])
        return whole(arms, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(permutation, "_arm_t", counted)
    rng = np.random.default_rng(9)
    permute_ancova(rng.normal(size=115), np.arange(115) % 2, rng.normal(size=(115, 4)), seed=1, draws=10_000)
    assert calls == [1, 1] + [2000] * 5
