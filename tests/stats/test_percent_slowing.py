"""Percent slowing with its intervals, and the model in which all arms start from one mean."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from alsbench.stats.design import Factor
from alsbench.stats.slopes import DfMethod, percent_slowing, random_slopes, slope_differences, slope_rows

sys.path.insert(0, str(Path(__file__).parent))
from slope_cases import ALS, als_case, fit


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_percent_slowing(df: DfMethod) -> None:
    path = next(p for p in ALS if "als-ref-2" in str(p) and "overall" in p.stem)
    ours = fit(als_case(path))
    slowing = percent_slowing(ours, "Drug 40 mg", "Placebo", df=df)
    # slopes in the file: Placebo -0.96933192, Drug 40 mg -0.73946253
    assert slowing.percent == pytest.approx(100 * (1 - 0.7394625277117656 / 0.9693319220098068), rel=1e-6)
    assert slowing.fieller_shape == "interval"
    assert slowing.fieller_low < slowing.percent < slowing.fieller_high
    assert slowing.delta_low < slowing.percent < slowing.delta_high
    # a Fieller limit is the slowing at which treatment - ratio x reference is just significant
    rows = slope_rows(ours)
    from scipy.special import stdtrit

    for limit in (slowing.fieller_low, slowing.fieller_high):
        c = ours.contrast(rows[3] - (1 - limit / 100) * rows[0], df=df)
        assert abs(c.t[0]) == pytest.approx(stdtrit(slowing.df, 0.975), rel=1e-9)


def test_fieller_set_without_bounds_says_so() -> None:
    rng = np.random.default_rng(3)
    subject = np.repeat(np.arange(12), 4)
    time = np.tile([0.0, 1.0, 2.0, 3.0], 12)
    arm = Factor("ARM", (subject % 2).astype(np.int64), ("P", "A"))
    y = 40 + rng.normal(0, 2, 12)[subject] + rng.normal(0, 1, 12)[subject] * time + rng.normal(0, 1, 48)
    slowing = percent_slowing(random_slopes(y, time, arm, subject), "A", "P")
    assert slowing.fieller_shape == "unbounded"
    assert np.isnan(slowing.fieller_low)
    assert np.isnan(slowing.fieller_high)


def test_shared_baseline_has_no_arm_difference_at_time_zero() -> None:
    case = als_case(ALS[0])
    assert case.arm is not None
    shared = random_slopes(case.y, case.time, case.arm, case.subject, covariates=case.covariates, shared_baseline=True)
    start = [shared.design.ls_mean({"ARM": a}, at={"TIME": 0.0}) @ shared.beta for a in case.arm.levels]
    assert np.ptp(start) < 1e-12
    assert not any(name.startswith("ARM") for name in shared.design.names)
    assert slope_differences(shared).estimate.size == 2
