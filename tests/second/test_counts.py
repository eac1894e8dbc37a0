"""Baseline characteristics and adverse events of the second program: against published numbers, and against the first program.

Neither program is the reference where they are held against each other: METHODS states both. Published: the study report of the
CDISC pilot trial (final report of 27 June 2006), Table 14-2.01; Newcombe 1998 (doi 10.1002/(SICI)1097-0258(19980430)17:8<873),
by hand; Garwood 1936 (doi 10.1093/biomet/28.3-4.437): half of quantiles of chi-squared (R: qchisq(0.025, 20) / 2 is 4.795389).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from tests.second.verifying import Both, disagreements, left_out

from alsbench.second.baseline import mahalanobis
from alsbench.second.numbers import Number
from alsbench.second.program import answer
from alsbench.second.proportions import difference, none_of, poisson_limits
from alsbench.second.trial import TrialTables, read_tables

TRIALS = {
    "built": ("overall", "slow", "not slow", "nfl_low", "not slow and limb"),
    "pilot": ("overall", "women and old", "not mild"),
    "sample": ("overall", "slow", "not slow", "bulbar", "early", "not early and older"),
    "als-ref-1": ("overall", "slow", "not slow", "nfl_low"),
    "als-ref-2": ("overall", "slow", "not slow", "nfl_low"),
}
PLACEBO, LOW, HIGH = "Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"


@pytest.mark.parametrize("name", TRIALS)
@pytest.mark.parametrize("endpoint", ["ae", "baseline"])
def test_both_programs_agree_on_every_number(both: Callable[[str], Both], name: str, endpoint: str) -> None:
    for phrase in TRIALS[name]:
        found = both(name).asked(endpoint, phrase)
        assert disagreements(found) == []
        assert left_out(found) == [] and len(found.compared) > 50


def second_alone(both: Both, endpoint: str, phrase: str = "overall") -> list[Number]:
    source = both.source
    trial = TrialTables(source.study, read_tables(source.snapshot.path))
    return answer(trial, source.study.endpoints[endpoint], phrase)


def value(numbers: list[Number], stat_name: str, arm: str, variable: str, level: str | None = None) -> float:
    (found,) = [n for n in numbers if (n.stat_name, n.arm, n.variable, n.level) == (stat_name, arm, variable, level)]
    assert isinstance(found.stat, int | float)
    return found.stat


def test_age_and_sex_are_the_study_reports_table_14_2_01(both: Callable[[str], Both]) -> None:
    found = second_alone(both("pilot"), "baseline")
    printed = {
        PLACEBO: (86, 75.2, 8.59, 76.0, 52, 89),
        LOW: (84, 75.7, 8.29, 77.5, 51, 88),
        HIGH: (84, 74.4, 7.89, 76.0, 56, 88),
    }
    for arm, (n, mean, sd, median, least, most) in printed.items():
        assert value(found, "n", arm, "AGE") == n
        assert round(value(found, "mean", arm, "AGE"), 1) == mean and round(value(found, "sd", arm, "AGE"), 2) == sd
        assert [value(found, name, arm, "AGE") for name in ("median", "min", "max")] == [median, least, most]
    assert [value(found, "count", arm, "SEX", "M") for arm in printed] == [33, 34, 44]


def test_newcombe_s_interval_by_hand() -> None:
    """Newcombe 1998, method 10: each share's Wilson limits are the roots of (p - share)^2 = z^2 p (1 - p) / n; the distances of
    the shares from them are squared and added. Among the examples are shares of none and of all."""

    def wilson(events: int, n: int) -> tuple[float, float]:
        share, z2 = events / n, 1.959963984540054**2
        low, high = sorted(np.roots([1 + z2 / n, -2 * share - z2 / n, share**2]).real)
        return low, high

    for one, n1, other, n0 in ((56, 70, 48, 80), (9, 10, 3, 10), (0, 10, 0, 20), (10, 10, 0, 20)):
        (low1, high1), (low0, high0) = wilson(one, n1), wilson(other, n0)
        p1, p0 = one / n1, other / n0
        low, high = p1 - p0 - math.hypot(p1 - low1, high0 - p0), p1 - p0 + math.hypot(high1 - p1, p0 - low0)
        made = difference((one, n1), (other, n0))
        assert made["risk_difference"] == pytest.approx(100 * (p1 - p0), abs=1e-12)
        assert made["risk_difference_low"] == pytest.approx(100 * low, abs=1e-9)
        assert made["risk_difference_high"] == pytest.approx(100 * high, abs=1e-9)
    assert set(difference((1, 0), (1, 5)).values()) == {None}


def test_limits_of_counts_and_of_none() -> None:
    """Zero of 100: 1 - 0.05^(1/100), about three in a hundred (Hanley and Lippman-Hand 1983)."""
    assert poisson_limits(10) == (pytest.approx(4.795, abs=5e-4), pytest.approx(18.390, abs=5e-4))
    assert poisson_limits(0) == (0.0, pytest.approx(-math.log(0.025), rel=1e-12))
    assert none_of(100) == pytest.approx(2.951, abs=5e-4)


def test_the_distance_of_two_classes_is_that_of_a_share() -> None:
    """With two classes: |p - q| over the root of the mean of p(1 - p) and q(1 - q); none where neither arm varies."""
    one, other = pd.Series([16, 30]), pd.Series([9, 12])
    p, q = 16 / 46, 9 / 21
    assert mahalanobis(one, other) == pytest.approx(abs(p - q) / math.sqrt((p * (1 - p) + q * (1 - q)) / 2), rel=1e-12)
    assert mahalanobis(pd.Series([5, 0]), pd.Series([0, 5])) is None
    assert mahalanobis(pd.Series([5, 0, 0]), pd.Series([7, 0, 0])) == 0.0
    assert mahalanobis(pd.Series([0, 0]), pd.Series([1, 1])) is None
