"""Data that random slopes cannot be fitted to, or only in part: a boundary optimum, a named error, an aliased coefficient."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.errors import NotConverged, StatsError
from alsbench.stats.slopes import arm_slopes, fit_slopes, random_slopes, slope_differences

sys.path.insert(0, str(Path(__file__).parent))
from slope_cases import ALS, als_case, fit


def test_singular_fit_is_reported_and_is_the_constrained_optimum() -> None:
    """Parallel lines, each subject with a mirror image in time, so that intercept and slope are uncorrelated by symmetry."""
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(20), 4)
    time = np.tile([-1.5, -0.5, 0.5, 1.5], 20)
    e = rng.normal(0, 1, (10, 4))
    e -= (e @ time[:4])[:, None] / (time[:4] @ time[:4]) * time[:4] * 0.9
    e = (e + rng.normal(0, 2, (10, 1))).repeat(2, axis=0)
    e[1::2] = e[1::2, ::-1]
    y = 30 - time + e.ravel()
    design = build_design([Covariate("TIME", time)], [("TIME",)])
    ours = fit_slopes(y, design, subject, time)
    assert ours.singular
    assert ours.notes[0].startswith("singular fit")
    assert abs(ours.G[1, 1]) < 1e-6
    assert abs(ours.G[0, 1]) < 1e-6
    # balanced data: REML for a random intercept is the one-way analysis of variance with the common slope removed
    table = y.reshape(20, 4)
    slope = ((time - time.mean()) @ y) / (time @ time)
    within = table - table.mean(axis=1, keepdims=True) - slope * time[:4]
    mse = (within**2).sum() / (20 * 3 - 1)
    msb = 4 * table.mean(axis=1).var(ddof=1)
    assert ours.residual_variance == pytest.approx(mse, rel=1e-6)
    assert ours.G[0, 0] == pytest.approx((msb - mse) / 4, rel=1e-6)
    c = ours.contrast(np.eye(2), df="satterthwaite")
    # the intercept's variance is msb / 80 with 19 degrees of freedom, the slope's mse / sum(t^2) with 59
    assert c.df == pytest.approx([19, 59], rel=1e-4)
    assert np.all(np.isfinite(ours.contrast(np.eye(2)).p))


def test_degenerate_data_are_named() -> None:
    subject = np.repeat(np.arange(6), 3)
    time = np.tile([0.0, 1.0, 2.0], 6)
    rng = np.random.default_rng(2)
    y = rng.normal(size=18)
    design = build_design([Covariate("TIME", time)], [("TIME",)])
    with pytest.raises(StatsError, match="constant"):
        fit_slopes(np.full(18, 4.0), design, subject, time)
    with pytest.raises(StatsError, match="time does not vary"):
        fit_slopes(y, design, subject, np.zeros(18))
    with pytest.raises(StatsError, match="missing"):
        fit_slopes(np.where(np.arange(18) == 3, np.nan, y), design, subject, time)
    with pytest.raises(StatsError, match="three subjects"):
        fit_slopes(y, design, subject % 2, time)
    with pytest.raises(StatsError, match="residual variance is zero"):
        fit_slopes(10 + subject - time * (1 + subject), design, subject, time)
    two = np.tile([True, True, False], 6)
    short = build_design([Covariate("TIME", time[two])], [("TIME",)])
    with pytest.raises(NotConverged):
        fit_slopes(y[two], short, subject[two], time[two])
    with pytest.raises(StatsError, match="no term"):
        fit_slopes(y, design, subject, time).type3(("ARM",))


def test_aliased_columns_are_left_out_and_said() -> None:
    case = als_case(ALS[0])
    assert case.arm is not None
    twice = Covariate("TWICE", 2 * case.covariates[0].values)  # type: ignore[union-attr]
    ours = random_slopes(case.y, case.time, case.arm, case.subject, covariates=(*case.covariates, twice))
    plain = fit(case)
    assert np.isnan(ours.beta[ours.design.names.index("TWICE")])
    assert "TWICE" in ours.notes[0]
    assert ours.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-9)
    assert slope_differences(ours).p == pytest.approx(slope_differences(plain).p, rel=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_small_data_give_numbers_or_a_named_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    subjects, visits = int(rng.integers(3, 20)), int(rng.integers(2, 7))
    subject, time = np.repeat(np.arange(subjects), visits), np.tile(np.arange(visits, dtype=float), subjects)
    effects = rng.normal(size=(2, subjects)) * rng.choice([0, 0.1, 3], (2, 1))
    y = effects[0, subject] + effects[1, subject] * time + rng.normal(0, rng.choice([0.01, 1, 5]), time.size)
    keep = rng.random(time.size) > rng.choice([0, 0.4])
    arm = Factor("ARM", (subject % 2)[keep], ("P", "A"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            ours = random_slopes(y[keep], time[keep], arm, subject[keep])
            found = [arm_slopes(ours), arm_slopes(ours, df="satterthwaite"), slope_differences(ours)]
        except StatsError:
            return
    for c in found:
        assert np.all(c.se > 0)
        assert np.all(c.df > 0)
        assert np.all((c.p >= 0) & (c.p <= 1))


def test_kenward_roger_holds_where_a_variance_is_all_but_zero() -> None:
    """Lines through the origin, slope variance 40,000 times the residual's: the adjustment is small, not noise."""
    rng = np.random.default_rng(9)
    subject, time = np.repeat(np.arange(20), 6), np.tile(np.arange(6.0), 20)
    y = rng.normal(0, 2, 20)[subject] * time + rng.normal(0, 0.01, 120)
    ours = fit_slopes(y, build_design([Covariate("TIME", time)], [("TIME",)]), subject, time)
    kr, satterthwaite = ours.contrast(np.eye(2)), ours.contrast(np.eye(2), df="satterthwaite")
    assert kr.se[1] == pytest.approx(satterthwaite.se[1], rel=1e-3)
    assert kr.df[1] == pytest.approx(19, rel=1e-2)
