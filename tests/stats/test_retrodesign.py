"""Type S and M against the authors' own function, replication against Goodman's table, N against a textbook's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from alsbench.stats.errors import StatsError
from alsbench.stats.selection_bias import design_errors, replication_probability, subjects_per_arm


@pytest.mark.parametrize(
    ("effect", "se", "power", "type_s", "exaggeration"),
    [(0.1, 3.28, 0.05010648, 0.4644228, 76.8), (2.0, 8.1, 0.05701294, 0.2396177, 9.57)],
)
def test_the_examples_of_gelman_and_carlin(effect: float, se: float, power: float, type_s: float, exaggeration: float) -> None:
    """R's ``retrodesign(.1, 3.28)`` and ``retrodesign(2, 8.1)`` of the paper; its type M is a simulation of 10,000."""
    found = design_errors(effect, se)
    assert found.power == pytest.approx(power, abs=1e-8)
    assert found.type_s == pytest.approx(type_s, abs=1e-7)
    assert found.exaggeration == pytest.approx(exaggeration, rel=0.02)
    assert design_errors(-effect, se) == found


def test_type_m_is_the_mean_of_significant_estimates() -> None:
    draws = np.random.default_rng(1).normal(1.0, 0.7, 2_000_000)
    significant = np.abs(draws[np.abs(draws) > 1.959964 * 0.7])
    assert design_errors(1.0, 0.7).exaggeration == pytest.approx(significant.mean(), rel=2e-3)


@pytest.mark.parametrize(
    ("z", "as_observed"),
    [(1.960, 0.50), (2.576, 0.73), (3.291, 0.91)],
)
def test_replication_as_goodman_has_it(z: float, as_observed: float) -> None:
    """Goodman 1992: after p = 0.05, 0.01, 0.001, if the observed effect is the true one."""
    assert replication_probability(z) == pytest.approx(as_observed, abs=0.0055)
    assert replication_probability(-z) == replication_probability(z)


def test_the_predictive_probability_averages_over_what_the_truth_may_be() -> None:
    """Truth normal about the observed z with SD 1: the mean of Phi(truth - 1.96) over a fine grid."""
    for z in (0.5, 1.96, 2.6):
        grid = np.linspace(z - 8, z + 8, 20_001)
        weight = np.exp(-0.5 * (grid - z) ** 2)
        expected = (ndtr(grid - 1.959963984540054) * weight).sum() / weight.sum()
        assert replication_probability(z, predictive=True) == pytest.approx(expected, abs=1e-6)


def test_subjects_by_hand() -> None:
    """SD 1, difference 0.5, two-sided 0.05: 2 (1.959964 + 1.281552)^2 / 0.25 = 84.06 -> 85 an arm for 90 %, 63 for 80 %."""
    se = (1 / 40 + 1 / 60) ** 0.5
    assert subjects_per_arm(0.5, se, 40, 60, power=0.9) == 85
    assert subjects_per_arm(-0.5, se, 40, 60, power=0.8) == 63


def test_an_effect_of_zero_is_refused() -> None:
    for call in (lambda: design_errors(0.0, 1.0), lambda: subjects_per_arm(0.0, 1.0, 9, 9, power=0.8)):
        with pytest.raises(StatsError):
            call()
