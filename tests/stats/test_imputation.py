"""Reference-based imputation by hand and by its invariants; a trial from the MMRM to the tipping point.

The strategies and their moments are those of R's rbmi (strategies.R: MAR, JR, CR, CIR); the small cases are worked out below.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.stats.ancova import fit_ols
from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.imputation import (
    Moments,
    Outcomes,
    Strategy,
    conditional_means,
    draw,
    draw_parameters,
    joint_moments,
    moments,
    outcomes,
)
from alsbench.stats.imputed_analysis import (
    Analysis,
    delta_shift,
    jackknives,
    multiple_imputations,
    rubin,
    tipping_point,
)
from alsbench.stats.mmrm import fit_mmrm

sys.path.insert(0, str(Path(__file__).parent))
from trial_data import load_trial

NAN = np.nan
STRATEGIES: tuple[Strategy, ...] = ("mar", "jump-to-reference", "copy-reference", "copy-increments")

# two visits, own mean (-1, -3), reference mean (-2, -6), covariance [[4, 2], [2, 5]]; visit 1 observed as 0, so with
# regression 2/4: MAR -3 + (0 + 1)/2; J2R -6 + (0 + 1)/2; CR -6 + (0 + 2)/2; CIR (-1 - 4) + (0 + 1)/2
HAND = {"mar": -2.5, "jump-to-reference": -5.5, "copy-reference": -5.0, "copy-increments": -4.5}
SIGMA = np.array([[4.0, 2.0], [2.0, 5.0]])
OWN, REFERENCE = np.array([[-1.0, -3.0]]), np.array([[-2.0, -6.0]])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_subject_by_hand(strategy: Strategy) -> None:
    data = outcomes(np.array([[0.0, NAN]]), np.array([1]), 0)
    assert data.deviation.tolist() == [1]
    completed = conditional_means(data, Moments(OWN, REFERENCE, SIGMA), strategy=strategy)
    assert completed[0] == pytest.approx([0.0, HAND[strategy]], rel=1e-14)


def test_covariance_per_arm_by_hand() -> None:
    """Reference [[9, 3], [3, 8]]: visit 2 regresses on visit 1 by 3/9, with residual variance 8 - 1 = 7 as in the reference."""
    control = np.array([[9.0, 3.0], [3.0, 8.0]])
    _, S = joint_moments(OWN, REFERENCE, SIGMA, control, 1, "jump-to-reference")
    assert np.allclose(S, [[4, 4 / 3], [4 / 3, 8 - 5 / 9]], rtol=1e-14)
    assert S[1, 1] - S[0, 1] ** 2 / S[0, 0] == pytest.approx(7.0)
    data = outcomes(np.array([[0.0, NAN]]), np.array([1]), 0)
    completed = conditional_means(data, Moments(OWN, REFERENCE, np.stack([control, SIGMA])), strategy="jump-to-reference")
    assert completed[0, 1] == pytest.approx(-6 + 1 / 3)


def test_without_any_observation_everything_is_the_reference_mean() -> None:
    data = outcomes(np.array([[NAN, NAN]]), np.array([1]), 0)
    model = Moments(OWN, REFERENCE, SIGMA)
    for strategy in STRATEGIES[1:]:
        assert conditional_means(data, model, strategy=strategy)[0] == pytest.approx(REFERENCE[0])
    assert conditional_means(data, model, strategy="mar")[0] == pytest.approx(OWN[0])


def test_gaps_before_the_deviation_are_missing_at_random() -> None:
    values = np.array([[NAN, 1.0, NAN]])
    own, reference = np.array([[-1.0, -2.0, -3.0]]), np.array([[-2.0, -4.0, -6.0]])
    S = 0.5 + 0.5 * np.eye(3)
    data = outcomes(values, np.array([1]), 0)
    mar, jump = (conditional_means(data, Moments(own, reference, S), strategy=s) for s in ("mar", "jump-to-reference"))
    assert jump[0, 0] == pytest.approx(mar[0, 0])
    assert jump[0, 2] == pytest.approx(mar[0, 2] - 3.0)


def test_values_after_the_deviation_are_refused() -> None:
    with pytest.raises(StatsError, match="values after"):
        outcomes(np.array([[1.0, 2.0]]), np.array([1]), 0, deviation=np.array([1]))


@st.composite
def studies(draw_from: st.DrawFn) -> tuple[Outcomes, Moments]:
    n, T, seed = draw_from(st.integers(2, 12)), draw_from(st.integers(1, 5)), draw_from(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(T, T))
    values = np.where(rng.random((n, T)) < 0.6, rng.normal(size=(n, T)), NAN)
    arm = rng.integers(0, 3, n)
    own, reference = rng.normal(size=(n, T)), rng.normal(size=(n, T))
    own[arm == 0] = reference[arm == 0]
    return outcomes(values, arm, 0), Moments(own, reference, A @ A.T + 0.3 * np.eye(T))


@given(studies())
@settings(max_examples=60, deadline=None)
def test_invariants(study: tuple[Outcomes, Moments]) -> None:
    data, model = study
    mar = conditional_means(data, model, strategy="mar")
    assert np.all(np.isfinite(mar))
    never = Outcomes(data.values, data.arm, data.reference, np.full(data.n, data.n_visits))
    for strategy in STRATEGIES:
        completed = conditional_means(data, model, strategy=strategy)
        # observed values are never touched; the reference arm is imputed at random whatever the strategy
        assert np.array_equal(completed[data.observed], data.values[data.observed])
        assert np.allclose(completed[data.arm == 0], mar[data.arm == 0], atol=1e-12)
        # no deviation: missing at random
        assert np.array_equal(conditional_means(never, model, strategy=strategy), mar)
        # the order of subjects does not matter
        index = np.arange(data.n)[::-1]
        assert np.allclose(conditional_means(data.take(index), model.take(index), strategy=strategy), completed[index])
    # same means in both arms: all strategies are one
    alike = Moments(model.own, model.own, model.sigma)
    for strategy in STRATEGIES:
        assert np.allclose(conditional_means(data, alike, strategy=strategy), conditional_means(data, alike, strategy="mar"))


def test_draws_are_seeded_and_have_the_right_moments() -> None:
    data = outcomes(np.array([[0.0, NAN]]), np.array([1]), 0)
    own, reference, sigma = (np.broadcast_to(a, (40_000, *a.shape)) for a in (OWN, REFERENCE, SIGMA))
    first = draw(data, own, reference, sigma, strategy="jump-to-reference", rng=np.random.default_rng(7))
    again = draw(data, own, reference, sigma, strategy="jump-to-reference", rng=np.random.default_rng(7))
    assert first.tobytes() == again.tobytes()
    drawn = first[:, 0, 1]
    # residual variance 5 - 2 * 2 / 4 = 4: the mean of 40,000 draws is within 5 standard errors of 0.01
    assert drawn.mean() == pytest.approx(HAND["jump-to-reference"], abs=0.05)
    assert drawn.var() == pytest.approx(4.0, rel=0.05)
    assert np.all(first[:, 0, 0] == 0.0)


def test_parameter_draws() -> None:
    rng = np.random.default_rng(1)
    vcov = np.array([[0.5, 0.2], [0.2, 0.3]])
    beta, sigma = draw_parameters(np.array([1.0, 2.0]), vcov, SIGMA, 50.0, 20_000, rng=rng)
    assert beta.mean(axis=0) == pytest.approx([1, 2], abs=0.03)
    assert np.allclose(np.cov(beta.T), vcov, atol=0.02)
    # the mean of an inverse Wishart with scale 50 SIGMA is 50 SIGMA / (50 - T - 1)
    assert np.allclose(sigma.mean(axis=0), SIGMA * 50 / 47, rtol=0.02)
    aliased, _ = draw_parameters(np.array([1.0, NAN]), np.array([[0.5, NAN], [NAN, NAN]]), SIGMA, 50.0, 10, rng=rng)
    assert np.all(aliased[:, 1] == 0.0)
    assert np.all(np.isfinite(aliased))
    with pytest.raises(StatsError, match="do not determine"):
        draw_parameters(np.zeros(2), vcov, SIGMA, 1.0, 5, rng=rng)


def test_rubin_by_hand() -> None:
    # estimates 1, 2, 3 with variances 1, 1, 1: W 1, B 1, T 1 + 4/3 = 7/3, lambda 4/7; old df 2 / (16/49) = 6.125;
    # complete df 20: 21/23 * 20 * 3/7 = 7.8261; pooled 1 / (1/6.125 + 1/7.8261)
    pooled = rubin(np.array([1.0, 2.0, 3.0]), np.ones(3), 20.0)
    assert (pooled.estimate, pooled.se) == pytest.approx((2.0, math.sqrt(7 / 3)))
    assert pooled.df == pytest.approx(1 / (1 / 6.125 + 23 * 7 / (21 * 20 * 3)), rel=1e-12)
    same = rubin(np.full(5, 2.0), np.full(5, 0.25), math.inf)
    assert (same.se, same.df) == (0.5, math.inf)
    with pytest.raises(StatsError, match="two imputations"):
        rubin(np.ones(1), np.ones(1), 10.0)


@dataclass(frozen=True)
class Study:
    """als-ref-1, ALSFRS-R change at months 3, 6, 9 and 12 with extra dropout so that imputation has something to do."""

    data: Outcomes
    X_own: np.ndarray
    X_reference: np.ndarray
    analysis: Analysis
    months: np.ndarray

    def fit(self, index: np.ndarray) -> Moments:
        seen = self.data.observed.copy()
        seen[np.setdiff1d(np.arange(self.data.n), index)] = False
        row, visit = np.nonzero(seen)
        found = fit_mmrm(
            self.data.values[row, visit], self.X_own[row, visit], row, visit, n_visits=4, df="satterthwaite", fallback=False
        )
        return moments(self.X_own, self.X_reference, found.beta, found.sigma)


@cache
def study() -> Study:
    trial = load_trial("als-ref-1")
    wide = trial.adqs.pivot(index="USUBJID", columns="AVISITN", values="AVAL")
    wide = wide.loc[[s for s in trial.adsl.USUBJID if s in wide.index]]
    base = wide[0.0].to_numpy()
    visits = np.array([3.0, 6.0, 9.0, 12.0])
    values = wide[visits].to_numpy() - base[:, None]
    rng = np.random.default_rng(20)
    leave = rng.integers(1, 9, values.shape[0])
    values[np.arange(4)[None, :] >= leave[:, None]] = NAN
    arms = ("Placebo", "Group 1", "Group 2")
    by_subject = trial.adsl.set_index("USUBJID").TRT01P.loc[wide.index]
    arm = np.array([arms.index(a) for a in by_subject])
    n = arm.size

    def design(codes: np.ndarray) -> np.ndarray:
        variables = [
            Factor("ARM", np.repeat(codes, 4), arms),
            Factor("VISIT", np.tile(np.arange(4), n), ("3", "6", "9", "12")),
            Covariate("BASE", np.repeat(base, 4)),
        ]
        terms = [("ARM",), ("VISIT",), ("BASE",), ("ARM", "VISIT"), ("VISIT", "BASE")]
        return build_design(variables, terms).X.reshape(n, 4, -1)

    X = np.column_stack([np.ones(n), arm == 1, arm == 2, base])
    analysis = Analysis(X, np.array([0.0, 0.0, 1.0, 0.0]), 3)
    return Study(outcomes(values, arm, 0), design(arm), design(np.zeros(n, dtype=np.int64)), analysis, visits)


def test_conditional_means_agree_with_the_mmrm_when_missing_at_random() -> None:
    """Under MAR the arm difference of conditional means is close to the MMRM's own: both are its best predictions."""
    s = study()
    everybody = np.arange(s.data.n)
    completed = conditional_means(s.data, s.fit(everybody), strategy="mar")
    weights, _, _ = s.analysis.solve()
    model = s.fit(everybody)
    direct = float((model.own - model.reference)[s.data.arm == 2, 3].mean())
    assert float(weights @ completed[:, 3]) == pytest.approx(direct, abs=0.05)


def test_jump_to_reference_shrinks_the_difference() -> None:
    s = study()
    model = s.fit(np.arange(s.data.n))
    weights, _, _ = s.analysis.solve()
    found = {k: float(weights @ conditional_means(s.data, model, strategy=k)[:, 3]) for k in STRATEGIES}
    assert abs(found["jump-to-reference"]) < abs(found["mar"])
    assert abs(found["jump-to-reference"]) < abs(found["copy-increments"]) < abs(found["mar"])


def test_jackknife_is_repeatable_and_leaves_one_out() -> None:
    s = study()
    keep = np.arange(0, s.data.n, 3)
    small = Study(
        s.data.take(keep),
        s.X_own[keep],
        s.X_reference[keep],
        Analysis(s.analysis.X[keep], s.analysis.row, 3),
        s.months,
    )
    shift = delta_shift(small.data, s.months)
    first, second = (
        jackknives(small.data, small.fit, (small.analysis,), strategy="jump-to-reference", shift=shift)[0] for _ in "ab"
    )
    assert first.left_out.tobytes() == second.left_out.tobytes()
    assert first.left_out.size == keep.size
    # one of them done by hand: without subject 4, fit, impute, analyse
    without = np.delete(np.arange(keep.size), 4)
    completed = conditional_means(small.data.take(without), small.fit(without).take(without), strategy="jump-to-reference")
    coefficients = np.linalg.lstsq(small.analysis.X[without], completed[:, 3], rcond=None)[0]
    assert first.left_out[4] == pytest.approx(coefficients[2], rel=1e-9)
    n = keep.size
    values = first.left_out
    assert first.at().se == pytest.approx(math.sqrt((n - 1) / n * ((values - values.mean()) ** 2).sum()), rel=1e-10)
    assert math.isinf(first.at().df)
    # a shift of delta is a shift of delta: the whole analysis is linear in it
    moved = conditional_means(small.data, small.fit(np.arange(n)), strategy="jump-to-reference") - 2.0 * shift
    weights, _, _ = small.analysis.solve()
    assert first.at(-2.0).estimate == pytest.approx(float(weights @ moved[:, 3]), rel=1e-10)


def test_multiple_imputation_from_fit_to_pooled_estimate() -> None:
    s = study()
    row, visit = np.nonzero(s.data.observed)
    found = fit_mmrm(s.data.values[row, visit], s.X_own[row, visit], row, visit, n_visits=4, df="satterthwaite")
    rng = np.random.default_rng(12)
    df = s.data.n - s.X_own.shape[2] / 4
    betas, sigmas = draw_parameters(found.beta, found.vcov, found.sigma, df, 60, rng=rng)
    own, reference = (np.einsum("ntp,mp->mnt", X, betas) for X in (s.X_own, s.X_reference))
    results = {}
    for strategy in ("mar", "jump-to-reference"):
        imputed = draw(s.data, own, reference, sigmas, strategy=strategy, rng=np.random.default_rng(3))
        analysed = multiple_imputations(imputed, s.analysis, shift=delta_shift(s.data, s.months))
        results[strategy] = analysed.at()
        # every analysis is the least squares of that completed data set
        design = build_design([Covariate(f"x{j}", s.analysis.X[:, j]) for j in (1, 2, 3)], [("x1",), ("x2",), ("x3",)])
        ols = fit_ols(imputed[5, :, 3], design)
        assert analysed.base[5] == pytest.approx(ols.coef[2], rel=1e-9)
        variance = float((analysed.residual[5] ** 2).sum()) / analysed.df * analysed.unit_variance
        assert variance == pytest.approx(ols.cov[2, 2], rel=1e-9)
    direct = s.fit(np.arange(s.data.n))
    weights, _, _ = s.analysis.solve()
    for strategy, pooled in results.items():
        expected_mean = float(weights @ conditional_means(s.data, direct, strategy=strategy)[:, 3])
        assert pooled.estimate == pytest.approx(expected_mean, abs=0.5 * pooled.se)
        assert pooled.df < s.data.n
    assert abs(results["jump-to-reference"].estimate) < abs(results["mar"].estimate)


def test_delta_shift_by_hand() -> None:
    data = outcomes(np.array([[1.0, NAN, NAN], [NAN, NAN, NAN], [1.0, NAN, 2.0], [1.0, NAN, NAN]]), np.array([1, 1, 1, 0]), 0)
    months = np.array([2.0, 4.0, 8.0])
    # a gap before the last observation is not shifted, nor the reference arm
    assert delta_shift(data, months).tolist() == [[0, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert delta_shift(data, months, unit="points per month").tolist() == [[0, 2, 6], [2, 4, 8], [0, 0, 0], [0, 0, 0]]
    assert delta_shift(data, months, arms=[0]).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 1]]


def test_tipping_point_by_hand() -> None:
    """Two arms of four at one visit; two treated values are imputed as 9, 11 around an observed 10, 10: the analysis
    is a t test.
    """
    values = np.array([[10.0], [10.5], [NAN], [NAN], [1.0], [2.0], [3.0], [2.5]])
    arm = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    data = outcomes(values, arm, 0)
    months = np.array([6.0])
    shift = delta_shift(data, months)
    X = np.column_stack([np.ones(8), arm])
    imputed = np.repeat(np.nan_to_num(values, nan=0.0)[None], 2, axis=0)
    imputed[:, 2:4, 0] = [[9.0, 11.0], [11.0, 9.0]]
    analysed = multiple_imputations(imputed, Analysis(X, np.array([0.0, 1.0]), 0), shift=shift)
    grid = np.arange(0.0, -20.5, -0.5)
    tip = tipping_point(analysed.at, grid, data, months, 0, shift=shift)
    assert analysed.at(0.0).p < 0.05
    assert analysed.at(tip.delta).p == pytest.approx(0.05, abs=1e-6)
    assert (tip.n_shifted, tip.shift, len(tip.rows)) == (2, tip.delta, 41)
    assert tip.per_month == pytest.approx(tip.delta / 6)
    observed = np.array([10.0, 10.5, 1.0, 2.0, 3.0, 2.5])
    assert tip.in_sd == pytest.approx(tip.delta / observed.std(ddof=1))
    # the same tip, asked for in points per month
    slope = delta_shift(data, months, unit="points per month")
    again = multiple_imputations(imputed, Analysis(X, np.array([0.0, 1.0]), 0), shift=slope)
    monthly = tipping_point(again.at, grid / 6, data, months, 0, shift=slope, unit="points per month")
    assert monthly.per_month == pytest.approx(tip.per_month, rel=1e-8)
    assert monthly.shift == pytest.approx(tip.shift, rel=1e-8)
    never = tipping_point(analysed.at, [0.0, -0.1], data, months, 0, shift=shift)
    assert math.isnan(never.delta)
    with pytest.raises(StatsError, match="not significant"):
        tipping_point(analysed.at, [-12.0, -13.0], data, months, 0, shift=shift)
