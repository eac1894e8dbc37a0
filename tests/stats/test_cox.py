"""Cox regression against R: survival 3.5.3 (surv_*.json)."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.stats.cox import (
    ChiSquare,
    CoxFit,
    Ties,
    _event_moments,
    _event_moments_one_by_one,
    _problem,
    fit_cox,
)
from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.survival import log_rank

sys.path.insert(0, str(Path(__file__).parent))
from survival_data import FILES, SurvivalCase, case_of, name_of
from trial_data import expected

ESTIMATE = 1e-6  # of max(|R|, SE); coxph stops at a relative change of 1e-9 in the log-likelihood
SE = 1e-6
P = 1e-6
LOGLIK = 1e-6
CHISQ = 1e-6
INFINITE = 1e3  # a standard error R prints for a coefficient that has no maximum

MODELS = ("unadjusted", "adjusted", "stratified", "stratified_adjusted")


def fit(case: SurvivalCase, model: str, ties: Ties) -> CoxFit:
    stratified, adjusted = model.startswith("stratified"), model.endswith("adjusted") and model != "unadjusted"
    keep = case.complete(covariates=adjusted, strata=stratified)
    variables: list[Factor | Covariate] = [Factor("arm", case.arm.codes[keep], case.arm.levels)]
    if adjusted:
        variables += [Covariate(f"X_{c.name}", c.values[keep]) for c in case.covariates]
    design = build_design(variables, [(v.name,) for v in variables])
    strata = case.strata[keep] if stratified else None
    return fit_cox(case.time[keep], case.event[keep], design, strata=strata, ties=ties)


def assert_chi_square(ours: ChiSquare, theirs: dict[str, Any]) -> None:
    assert ours.df == theirs["df"]
    statistic = theirs["test"] if "test" in theirs else theirs["chisq"]
    assert ours.chisq == pytest.approx(statistic, rel=CHISQ, abs=CHISQ)
    assert ours.p == pytest.approx(theirs["pvalue"] if "pvalue" in theirs else theirs["p"], rel=0, abs=P)


@pytest.mark.parametrize("path", FILES, ids=name_of)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_against_coxph(path: Path, model: str, ties: Ties) -> None:
    ours, r = fit(case_of(path), model, ties), expected(path)["cox"][model][ties]
    assert (ours.n, ours.events) == (r["n"], r["events"])
    assert list(ours.names) == [c["term"] for c in r["coefficients"]]
    assert ours.log_likelihood_null == pytest.approx(r["loglik_null"], rel=0, abs=LOGLIK)
    assert ours.log_likelihood == pytest.approx(r["loglik"], rel=0, abs=LOGLIK)
    assert_chi_square(ours.likelihood_ratio, r["lr"])
    assert_chi_square(ours.score, r["score"])
    assert ours.infinite.tolist() == [c["se"] > INFINITE for c in r["coefficients"]]
    for i, c in enumerate(r["coefficients"]):
        if ours.infinite[i]:
            assert math.isnan(ours.beta[i])
            with pytest.raises(StatsError, match="no finite hazard ratio"):
                ours.hazard_ratio(c["term"])
            continue
        assert ours.beta[i] == pytest.approx(c["coef"], rel=0, abs=ESTIMATE * max(abs(c["coef"]), c["se"]))
        assert ours.se[i] == pytest.approx(c["se"], rel=SE)
        hr = ours.hazard_ratio(c["term"])
        assert hr.hr == pytest.approx(c["hr"], rel=ESTIMATE * max(1, abs(c["coef"]), c["se"]))
        assert hr.low == pytest.approx(c["hr_lower"], rel=3 * ESTIMATE * max(1, abs(c["coef"]), c["se"]))
        assert hr.high == pytest.approx(c["hr_upper"], rel=3 * ESTIMATE * max(1, abs(c["coef"]), c["se"]))
        assert hr.z == pytest.approx(c["z"], rel=2e-6, abs=2e-6)
        assert hr.p == pytest.approx(c["p"], rel=0, abs=P)
    if ours.infinite.any():
        assert "events happen on one side" in ours.notes[0]
        with pytest.raises(StatsError, match="infinite"):
            ours.proportional_hazards()
        return
    assert_chi_square(ours.wald, r["wald"])
    V, scale = np.array(r["vcov"]["data"]), ours.se
    assert np.all(np.abs(ours.vcov - V) <= 2 * SE * np.outer(scale, scale))
    tests = ours.proportional_hazards()
    assert list(tests) == [row["term"] for row in r["zph"]]
    for row in r["zph"]:
        assert_chi_square(tests[row["term"]], row)


def test_score_test_without_ties_is_the_log_rank() -> None:
    rng = np.random.default_rng(4)
    time, event, arm = rng.exponential(size=60), rng.random(60) < 0.7, rng.integers(0, 2, 60)
    design = build_design([Factor("arm", arm, ("0", "1"))], [("arm",)])
    strata = rng.integers(0, 3, 60)
    for codes in (None, strata):
        ours = fit_cox(time, event, design, strata=codes)
        assert ours.score.chisq == pytest.approx(log_rank(time, event, arm, strata=codes).chisq, rel=1e-9)


def test_efron_by_hand() -> None:
    """Times 1, 1, 2 with x = 1, 0, 1, all events: l(b) = 2b + 0 - log(2w + 1) - log(2w + 1 - (w + 1)/2) - log w, w = e^b.

    With u = 2w + 1, v = (3w + 1)/2: l = b - log u - log v, and l' = 1 - 2w/u - 3w/(3w + 1) = 0 where
    (2w + 1)(3w + 1) = 2w(3w + 1) + 3w(2w + 1), so 6w^2 = 1.
    """
    design = build_design([Covariate("x", np.array([1.0, 0.0, 1.0]))], [("x",)])
    ours = fit_cox(np.array([1.0, 1.0, 2.0]), np.ones(3, dtype=bool), design)
    assert ours.beta[0] == pytest.approx(-math.log(6) / 2, rel=1e-9)


def test_swapping_the_arms_inverts_the_hazard_ratio() -> None:
    case = case_of(next(p for p in FILES if p.stem == "surv_group2_overall"))
    flipped = Factor("arm", 1 - case.arm.codes, case.arm.levels[::-1])
    a, b = (
        fit_cox(case.time, case.event, build_design([f], [("arm",)])).hazard_ratio(f"arm{f.levels[1]}")
        for f in (case.arm, flipped)
    )
    assert a.hr == pytest.approx(1 / b.hr, rel=1e-7)
    assert a.low == pytest.approx(1 / b.high, rel=1e-7)


def test_few_or_no_events_are_named() -> None:
    arm = Factor("arm", np.array([0, 0, 1, 1]), ("P", "A"))
    design = build_design([arm], [("arm",)])
    time = np.array([1.0, 2.0, 3.0, 4.0])
    with pytest.raises(StatsError, match="no events"):
        fit_cox(time, np.zeros(4, dtype=bool), design)
    one_arm = fit_cox(time, np.array([True, True, False, False]), design)
    assert one_arm.infinite.all()
    assert math.isnan(one_arm.wald.chisq)
    assert one_arm.likelihood_ratio.chisq > 0
    with pytest.raises(StatsError, match="varies within strata"):
        fit_cox(time, np.ones(4, dtype=bool), design, strata=np.array([0, 0, 1, 1]))


def test_aliased_covariates_are_left_out_and_said() -> None:
    rng = np.random.default_rng(8)
    time, event = rng.exponential(size=40), np.ones(40, dtype=bool)
    x = rng.normal(size=40)
    arm = Factor("arm", rng.integers(0, 2, 40), ("P", "A"))
    design = build_design([arm, Covariate("x", x), Covariate("twice", 2 * x + 1)], [("arm",), ("x",), ("twice",)])
    ours = fit_cox(time, event, design)
    assert ours.aliased.tolist() == [False, False, True]
    assert "twice" in ours.notes[0]
    with pytest.raises(StatsError, match="determined by other covariates"):
        ours.hazard_ratio("twice")
    plain = fit_cox(time, event, build_design([arm, Covariate("x", x)], [("arm",), ("x",)]))
    assert ours.beta[:2] == pytest.approx(plain.beta, rel=1e-12)
    assert list(ours.proportional_hazards()) == ["arm", "x", "GLOBAL"]


@given(st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_small_data_give_numbers_or_a_named_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    time, event = np.ceil(rng.exponential(5, n)), rng.random(n) < rng.choice([0.05, 0.3, 0.9])
    variables = [Factor("arm", rng.integers(0, 2, n), ("P", "A")), Covariate("z", rng.normal(size=n) * rng.choice([1e-3, 1e3]))]
    strata = rng.integers(0, 3, n) if seed % 2 else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            ours = fit_cox(time, event, build_design(variables, [("arm",), ("z",)]), strata=strata)
        except StatsError as error:
            assert "no Cox model" in str(error)
            return
    left_out = ours.infinite | ours.aliased
    assert np.array_equal(np.isnan(ours.beta), left_out)
    assert np.all(ours.se[~left_out] > 0)
    assert len(ours.notes) == int(ours.infinite.sum()) + int(ours.aliased.any())
    assert ours.log_likelihood >= ours.log_likelihood_null


def test_one_event_with_nobody_else_at_risk_says_so() -> None:
    design = build_design([Factor("arm", np.array([0, 0, 1, 1]), ("P", "A"))], [("arm",)])
    with pytest.raises(StatsError, match="among those at risk"):
        fit_cox(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, False]), design)


def test_wide_linear_predictors_are_scaled_by_risk_set() -> None:
    rng = np.random.default_rng(6)
    time, event = np.ceil(rng.exponential(5, 40)), rng.random(40) < 0.6
    problem = _problem(time, event, rng.normal(size=(40, 2)), np.zeros(40, dtype=np.int64), "efron")
    stratum, beta = problem.strata[0], np.array([0.7, -0.4])
    together = _event_moments(stratum, beta)
    apart = _event_moments_one_by_one(stratum, stratum.X @ beta)
    for a, b in zip(together, apart, strict=True):
        assert np.allclose(a, b, rtol=1e-10, atol=1e-12)
    assert all(np.all(np.isfinite(part)) for part in _event_moments(stratum, 1e4 * beta))
