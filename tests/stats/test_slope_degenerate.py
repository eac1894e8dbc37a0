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
from alsbench.stats.slope_likelihood import determined, reduce
from alsbench.stats.slopes import DfMethod, arm_slopes, fit_slopes, random_slopes, slope_differences

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


def few(subjects: int, *, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, Factor, Covariate]:
    """Five records each of subjects of two arms in turn, with a covariate."""
    rng = np.random.default_rng(subjects)
    subject, time = np.repeat(np.arange(subjects), 5), np.tile(np.arange(5.0), subjects)
    y = (
        40
        + rng.normal(0, 3, subjects)[subject]
        + rng.normal(-1, 0.5, subjects)[subject] * time
        + rng.normal(0, noise, time.size)
    )
    arm = Factor("ARM", (subject % 2).astype(np.int64), ("P", "A"))
    return y, time, subject, arm, Covariate("LEADRATE", rng.normal(1, 0.3, subjects)[subject])


@pytest.mark.parametrize("reml", [True, False])
def test_three_subjects_do_not_determine_how_three_intercepts_vary(reml: bool) -> None:
    """Intercept, arm and covariate fit the levels of three subjects whatever they are; lmerTest: degenerate Hessian."""
    y, time, subject, arm, rate = few(3)
    with pytest.raises(NotConverged, match="do not determine the variances of intercept, slope and residual: 3 subjects"):
        random_slopes(y, time, arm, subject, covariates=[rate], reml=reml)
    # the units of time and response are no matter, nor is where time begins
    with pytest.raises(NotConverged, match="do not determine"):
        random_slopes(1e6 * y, 24 + time / 12, arm, subject, covariates=[rate], reml=reml)
    y, time, subject, arm, rate = few(4)
    found = random_slopes(y, time, arm, subject, covariates=[rate], reml=reml).contrast(np.eye(5)[1], df="satterthwaite")
    assert np.isfinite(found.low) and found.df > 0


def test_two_visits_do_not_determine_a_residual_variance_at_the_boundary_either() -> None:
    """Two records each have three second moments for four parameters; a slope variance of zero is no way out."""
    rng = np.random.default_rng(4)
    subject, time = np.repeat(np.arange(12), 2), np.tile([0.0, 1.0], 12)
    y = 40 + rng.normal(0, 3, 12)[subject] - time + rng.normal(0, 1, 24)
    y[1::2] -= 0.9 * (y[1::2] - y[::2] - (y[1::2] - y[::2]).mean())  # lines that are nearly parallel
    with pytest.raises(NotConverged, match="do not determine"):
        fit_slopes(y, build_design([Covariate("TIME", time)], [("TIME",)]), subject, time)


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
def test_two_subjects_an_arm_are_compared_on_two_degrees_of_freedom(df: DfMethod) -> None:
    """Balanced data, by hand: t of the subjects' own least-squares slopes, pooled variance."""
    y, time, subject, arm, _ = few(4, noise=0.1)
    fitted = random_slopes(y, time, arm, subject)
    assert not fitted.singular
    t = time[:5] - time[:5].mean()
    own = y.reshape(4, 5) @ t / (t @ t)
    means = np.array([own[::2].mean(), own[1::2].mean()])
    pooled = ((own - means[[0, 1, 0, 1]]) ** 2).sum() / 2
    found = slope_differences(fitted, df=df)
    assert found.estimate == pytest.approx([means[1] - means[0]], rel=1e-8)
    assert found.se == pytest.approx([np.sqrt(pooled)], rel=1e-6)
    assert found.df == pytest.approx([2.0], rel=1e-4)


@pytest.mark.parametrize(("subjects", "levels"), [(8, 2), (4, 3), (3, 3)])
def test_what_is_left_of_the_information_is_that_of_balanced_data(subjects: int, levels: int) -> None:
    """By hand: k centred visits with sum of squares s; ``levels`` columns for the levels of ``subjects``, two for their slopes.
    The traces of M V_r M V_s are then those of the projections off the columns among levels and among slopes."""
    k = 5
    t = np.arange(k) - 2.0
    s = float(t @ t)
    X = np.random.default_rng(7).normal(size=(subjects, levels))
    X[:, :2] = np.array([[1.0, 0.0], [0.0, 1.0]])[np.arange(subjects) % 2]
    level, slope = (np.eye(subjects) - Z @ np.linalg.pinv(Z) for Z in (X, X[:, :2]))
    left = np.diag([k**2 * np.trace(level), 2 * k * s * np.trace(level @ slope), s**2 * np.trace(slope), 0.0])
    left[0, 3] = left[3, 0] = k * np.trace(level)
    left[2, 3] = left[3, 2] = s * np.trace(slope)
    left[3, 3] = subjects * k - levels - 2
    known = np.sqrt([k**2 * subjects, 2 * k * s * subjects, s**2 * subjects, subjects * k])
    by_hand = np.linalg.eigvalsh(left / np.outer(known, known))[0]
    columns = np.column_stack([np.repeat(X, k, axis=0), np.repeat(X[:, :2], k, axis=0) * np.tile(t, subjects)[:, None]])
    data = reduce(np.arange(subjects * k, dtype=float), columns, np.repeat(np.arange(subjects), k), np.tile(t, subjects))
    assert determined(data) == pytest.approx(by_hand, rel=1e-9, abs=1e-12)
    assert (by_hand < 1e-12) == (subjects == levels)
