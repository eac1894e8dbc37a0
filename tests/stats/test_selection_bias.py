"""Estimates after selection: a hand calculation, the plain bootstrap for one estimate, and what happens under a global null."""

from __future__ import annotations

import numpy as np
import pytest

from alsbench.stats.errors import StatsError
from alsbench.stats.selection_bias import bias_reduced, shrunken


def test_one_estimate_is_the_ordinary_bootstrap_correction() -> None:
    samples = np.random.default_rng(1).normal(2.3, 1, (5000, 1))
    found = bias_reduced([2.0], samples, 50, r=0.1)
    assert found.reduced == pytest.approx(2 * 2.0 - samples.mean(), rel=1e-12)
    assert found.bound == pytest.approx(2 * 2.0 - np.quantile(samples, 0.95), rel=1e-12)


def test_by_hand() -> None:
    """Estimates 4 and 2, n = 16, r = 1/4: the second is raised by (1 - 16^-0.25) 2 = 1. Samples (4, 5), (6, 1), (3, 2): maxima
    6, 6, 3; mean overshoot 1; reduced 3."""
    found = bias_reduced([4, 2], [[4, 5], [6, 1], [3, 2], [np.nan, 9]], 16, r=0.25)
    assert found.best == 0
    assert found.reduced == pytest.approx(3.0)


def test_under_a_global_null_the_best_of_four_overshoots_and_the_reduced_does_so_less() -> None:
    """E max of four standard normals is 1.0294 (order statistics of the normal); 300 trials, 400 bootstrap samples."""
    rng = np.random.default_rng(2)
    naive, reduced, covered = [], [], []
    for _ in range(300):
        y = rng.standard_normal(4)
        found = bias_reduced(y, rng.normal(y, 1.0, (400, 4)), 100, r=1 / 6)
        naive.append(found.naive)
        reduced.append(found.reduced)
        covered.append(found.bound <= 0)
    assert np.mean(naive) == pytest.approx(1.0294, abs=4 * 0.7 / np.sqrt(300))
    assert abs(np.mean(reduced)) < 0.6 * np.mean(naive)
    assert np.mean(covered) > 0.88


def test_shrinkage_by_hand() -> None:
    """y = 9, -1 with variances 16: Q = 50/16 = 3.125, C = 2/16 - (2/256)/(2/16) = 1/16, tau^2 = 2.125 * 16 = 34; kept 34/50;
    centre 4, estimates 4 +/- 0.68 * 5; variance 0.68 * 16 + 0.32^2 * 25 = 13.44."""
    found = shrunken([9, -1], [4, 4])
    assert found.tau**2 == pytest.approx(34)
    assert found.estimate == pytest.approx([7.4, 0.6])
    assert found.se**2 == pytest.approx([13.44, 13.44])


def test_alike_groups_become_one() -> None:
    found = shrunken([1.0, 1.2], [1.0, 2.0])
    assert found.tau == 0
    assert found.estimate == pytest.approx([1.04, 1.04])  # (1 + 1.2/4) / 1.25
    assert found.se == pytest.approx(np.full(2, np.sqrt(1 / 1.25)))
    assert shrunken([1, 5], [1, 1], tau=1e6).estimate == pytest.approx([1, 5], abs=1e-6)


def test_refusals() -> None:
    with pytest.raises(StatsError):
        shrunken([1], [1])
    with pytest.raises(StatsError):
        bias_reduced([1, 2], np.ones((3, 2)), 10, r=0.7)
