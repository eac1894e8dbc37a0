"""Random slopes against R: lme4 1.1.31, lmerTest 3.1.3, pbkrtest 0.5.2, emmeans 1.8.4.1, nlme 3.1.162 (slope_*.json)."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from alsbench.stats.contrasts import Contrasts
from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.errors import NotConverged, StatsError
from alsbench.stats.slope_inference import FTest
from alsbench.stats.slope_likelihood import evaluate, maximise, reduce
from alsbench.stats.slopes import (
    DfMethod,
    SlopeFit,
    arm_slopes,
    fit_slopes,
    percent_slowing,
    random_slopes,
    slope_differences,
    slope_rows,
)

sys.path.insert(0, str(Path(__file__).parent))
from trial_data import REFERENCE, REFERENCE_ARM, expected, files, load_trial

LOGLIK = 1e-6
ESTIMATE = 1e-6  # of max(|R|, SE)
SE = 1e-6
DF = 1e-4
P = 1e-6
# lme4 stops where the deviance is flat to about 1e-9, which leaves the variance components this far from the optimum
VARIANCE = 2e-5

ALS = files("als-ref-*/expected/slope_*.json")
PUBLIC = files("public/expected/slope_*.json")
METHODS: tuple[tuple[DfMethod, str], ...] = (("satterthwaite", "satterthwaite"), ("kenward-roger", "kenward_roger"))


@dataclass(frozen=True)
class Case:
    y: np.ndarray
    time: np.ndarray
    subject: np.ndarray
    arm: Factor | None
    covariates: tuple[Factor | Covariate, ...]


def als_case(path: Path) -> Case:
    trial = load_trial(path.parts[-3])
    adsl = trial.adsl[trial.adsl.SLOW] if "slow" in path.stem else trial.adsl
    records = trial.adqs.drop(columns="TRT01P").merge(adsl[["USUBJID", "TRT01P", "LEADRATE", "ONSETSIT"]], on="USUBJID")
    month = records.AVISITN.to_numpy(np.float64) * (7 / 30.4375 if trial.name == "als-ref-2" else 1.0)
    arms = (REFERENCE_ARM, *sorted(set(adsl.TRT01P) - {REFERENCE_ARM}))
    onset = tuple(sorted(set(adsl.ONSETSIT)))
    return Case(
        records.AVAL.to_numpy(np.float64),
        month,
        pd.factorize(records.USUBJID)[0],
        Factor("ARM", np.array([arms.index(a) for a in records.TRT01P]), arms),
        (
            Covariate("LEADRATE", records.LEADRATE.to_numpy(np.float64)),
            Factor("ONSETSIT", np.array([onset.index(a) for a in records.ONSETSIT]), onset),
        ),
    )


def public_case(path: Path) -> Case:
    if "sleepstudy" in path.stem:
        d = pd.read_csv(REFERENCE / "public/sleepstudy.csv")
        return Case(d.Reaction.to_numpy(np.float64), d.Days.to_numpy(np.float64), pd.factorize(d.Subject)[0], None, ())
    d = pd.read_csv(REFERENCE / "public/Orthodont.csv")
    sexes = ("Male", "Female")
    arm = Factor("ARM", np.array([sexes.index(a) for a in d.Sex]), sexes)
    return Case(d.distance.to_numpy(np.float64), d.age.to_numpy(np.float64), pd.factorize(d.Subject)[0], arm, ())


def fit(case: Case, *, reml: bool = True) -> SlopeFit:
    if case.arm is None:
        return fit_slopes(case.y, build_design([Covariate("TIME", case.time)], [("TIME",)]), case.subject, case.time, reml=reml)
    return random_slopes(case.y, case.time, case.arm, case.subject, covariates=case.covariates, reml=reml)


def case_of(path: Path) -> Case:
    return als_case(path) if "als-ref" in str(path) else public_case(path)


def name_of(path: Path) -> str:
    return f"{path.parts[-3]}/{path.stem}"


def assert_contrasts(ours: Contrasts, theirs: list[dict[str, Any]]) -> None:
    assert len(theirs) == ours.estimate.size
    for i, r in enumerate(theirs):
        assert ours.estimate[i] == pytest.approx(r["estimate"], rel=0, abs=ESTIMATE * max(abs(r["estimate"]), r["se"]))
        assert ours.se[i] == pytest.approx(r["se"], rel=SE)
        assert ours.df[i] == pytest.approx(r["df"], rel=DF)
        assert ours.t[i] == pytest.approx(r["statistic"], rel=2 * SE, abs=2 * ESTIMATE)
        assert ours.p[i] == pytest.approx(r["p"], rel=0, abs=P)
        assert ours.low[i] == pytest.approx(r["lower"], rel=0, abs=1e-5 * r["se"])
        assert ours.high[i] == pytest.approx(r["upper"], rel=0, abs=1e-5 * r["se"])


def assert_f(ours: FTest, theirs: dict[str, Any]) -> None:
    assert ours.num_df == theirs["num_df"]
    assert ours.f == pytest.approx(theirs["f"], rel=2 * SE, abs=4 * ESTIMATE * np.sqrt(theirs["f"]))
    assert ours.den_df == pytest.approx(theirs["den_df"], rel=DF)
    assert ours.p == pytest.approx(theirs["p"], rel=0, abs=P)


@pytest.mark.parametrize("path", [*ALS, *PUBLIC], ids=name_of)
@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
def test_estimates_and_likelihood(path: Path, reml: bool) -> None:
    ours, r = fit(case_of(path), reml=reml), expected(path)["reml" if reml else "ml"]
    assert ours.log_likelihood == pytest.approx(r["loglik"], rel=0, abs=LOGLIK)
    assert -2 * ours.log_likelihood == pytest.approx(r["deviance"], rel=0, abs=2 * LOGLIK)
    assert ours.aic == pytest.approx(r["aic"], rel=0, abs=2 * LOGLIK)
    assert ours.bic == pytest.approx(r["bic"], rel=0, abs=2 * LOGLIK)
    assert (ours.n_observations, ours.n_subjects, ours.singular) == (r["n_obs"], r["n_subjects"], r["singular"])
    assert ours.sigma == pytest.approx(r["sigma"], rel=VARIANCE)
    assert np.allclose(ours.G, r["re_cov"]["data"], rtol=VARIANCE, atol=VARIANCE * np.sqrt(np.linalg.det(ours.G)))
    beta, V = np.array(list(r["beta"].values())), np.array(r["vcov_beta"]["data"])
    scale = np.sqrt(np.diag(V))
    assert np.all(np.abs(ours.beta - beta) <= ESTIMATE * np.maximum(np.abs(beta), scale))
    assert np.all(np.abs(ours.vcov - V) <= 2 * SE * np.outer(scale, scale))
    names = [n.replace("TIME", t).replace("ARM", a) for n in ours.design.names for t, a in [_r_names(path)]]
    assert names == list(r["beta"])
    assert ours.gradient < 1e-8
    assert ours.notes == ()


def _r_names(path: Path) -> tuple[str, str]:
    return {"slope_sleepstudy": ("Days", ""), "slope_orthodont": ("age", "Sex")}.get(path.stem, ("MONTH", "TRT01P"))


@pytest.mark.parametrize("path", [*ALS, *PUBLIC], ids=name_of)
@pytest.mark.parametrize("df,key", METHODS, ids=["satt", "kr"])
def test_inference(path: Path, df: DfMethod, key: str) -> None:
    ours, r = fit(case_of(path)), expected(path)[key]
    assert_contrasts(ours.contrast(np.eye(ours.beta.size), df=df), r["coefficients"])
    time_name, arm_name = _r_names(path)
    translate = {time_name: "TIME", arm_name: "ARM"}
    for row in r["type3"]:
        assert_f(ours.type3(tuple(translate.get(part, part) for part in row["term"].split(":")), df=df), row)
    if "slopes" in r:
        assert_contrasts(arm_slopes(ours, df=df), r["slopes"])
        assert_contrasts(slope_differences(ours, df=df), r["slope_diff_vs_ref"])
    if "lsmeans_at_times" in r:
        _at_times(ours, r, df)
    if key == "kenward_roger":
        V = np.array(r["vcov_adjusted"]["data"])
        scale = np.sqrt(np.diag(V))
        assert np.all(np.abs(ours.vcov_adjusted - V) <= 2 * SE * np.outer(scale, scale))


def _at_times(ours: SlopeFit, r: dict[str, Any], df: DfMethod) -> None:
    means = {(m["Sex"], m["age"]): ours.design.ls_mean({"ARM": m["Sex"]}, at={"TIME": m["age"]}) for m in r["lsmeans_at_times"]}
    assert_contrasts(ours.contrast(np.array(list(means.values())), df=df), r["lsmeans_at_times"])
    ages = [c["age"] for c in r["contrasts_at_times"]]
    rows = np.array([means["Female", a] - means["Male", a] for a in ages])
    assert_contrasts(ours.contrast(rows, df=df), r["contrasts_at_times"])


@pytest.mark.parametrize("path", [*ALS, *PUBLIC], ids=name_of)
def test_satterthwaite_under_ml(path: Path) -> None:
    ours, r = fit(case_of(path), reml=False), expected(path)["satterthwaite_ml"]
    assert_contrasts(ours.contrast(np.eye(ours.beta.size), df="satterthwaite"), r["coefficients"])
    with pytest.raises(StatsError, match="REML"):
        ours.contrast(np.eye(ours.beta.size))


@pytest.mark.parametrize("path", [*ALS, *PUBLIC], ids=name_of)
def test_nlme_agrees_as_far_as_it_goes(path: Path) -> None:
    """nlme 3.1.162 optimises less tightly than lme4: 1e-8 of the log-likelihood, 1e-4 of the variances."""
    ours, r = fit(case_of(path)), expected(path)["nlme_reml"]
    assert ours.log_likelihood == pytest.approx(r["loglik"], rel=0, abs=LOGLIK)
    assert ours.log_likelihood >= r["loglik"] - 1e-9
    assert ours.sigma == pytest.approx(r["sigma"], rel=1e-4)
    assert np.allclose(ours.G, r["re_cov"]["data"], rtol=1e-4, atol=1e-4 * np.sqrt(np.linalg.det(ours.G)))
    assert np.allclose(ours.beta, list(r["beta"].values()), rtol=1e-5, atol=1e-6)


def test_derivatives_agree_with_differences_of_the_likelihood() -> None:
    case = als_case(ALS[0])
    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(case.y.size), case.time, rng.normal(size=case.y.size)])
    data = reduce(case.y, X, case.subject, case.time)
    theta = np.array([10.0, 0.1, 0.2, 2.0])
    for reml in (True, False):
        at = evaluate(data, theta, reml=reml)
        step = 1e-4 * np.array([10.0, 1.0, 0.2, 2.0])
        for r in range(4):
            h = step * (np.arange(4) == r)
            up, down = (evaluate(data, theta + s * h, reml=reml) for s in (1, -1))
            assert at.score[r] == pytest.approx((up.loglik - down.loglik) / (2 * step[r]), rel=1e-6, abs=1e-6)
            assert at.observed[r] == pytest.approx(-(up.score - down.score) / (2 * step[r]), rel=1e-5, abs=1e-6)


def test_likelihood_is_the_multivariate_normal_density() -> None:
    """Against dense algebra on a small unbalanced set with single-record subjects and a time-varying covariate."""
    rng = np.random.default_rng(11)
    subject = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4])
    time = rng.uniform(0, 6, subject.size)
    time[4:6] = 2.0
    X = np.column_stack([np.ones(subject.size), time, rng.normal(size=subject.size)])
    y = rng.normal(size=subject.size)
    theta = np.array([2.0, 0.3, 0.5, 1.5])
    Z = np.zeros((subject.size, 10))
    Z[np.arange(13), 2 * subject] = 1.0
    Z[np.arange(13), 2 * subject + 1] = time
    V = Z @ np.kron(np.eye(5), [[2.0, 0.3], [0.3, 0.5]]) @ Z.T + 1.5 * np.eye(13)
    Vi = np.linalg.inv(V)
    XVX = X.T @ Vi @ X
    beta = np.linalg.solve(XVX, X.T @ Vi @ y)
    r = y - X @ beta
    ml = -0.5 * (13 * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + r @ Vi @ r)
    reml = ml + 0.5 * (3 * np.log(2 * np.pi) - np.linalg.slogdet(XVX)[1])
    data = reduce(y, X, subject, time)
    shuffled = rng.permutation(13)
    again = reduce(y[shuffled], X[shuffled], subject[shuffled], time[shuffled])
    for d in (data, again):
        assert evaluate(d, theta, reml=False).loglik == pytest.approx(ml, rel=1e-12)
        assert evaluate(d, theta, reml=True).loglik == pytest.approx(reml, rel=1e-12)
        assert np.allclose(evaluate(d, theta, reml=True).beta, beta, rtol=1e-11)


def test_kenward_roger_does_not_depend_on_the_origin_or_unit_of_time() -> None:
    case = als_case(ALS[0])
    months = fit(case)
    assert case.arm is not None
    days = random_slopes(case.y, 100 + case.time * 30.4375, case.arm, case.subject, covariates=case.covariates)
    a, b = slope_differences(months), slope_differences(days)
    assert np.allclose(a.estimate, b.estimate * 30.4375, rtol=1e-9)
    assert np.allclose(a.p, b.p, rtol=1e-8)
    assert np.allclose(a.df, b.df, rtol=1e-8)


def test_bit_stable_whatever_the_thread_setting() -> None:
    case = als_case(ALS[0])
    first = fit(case)
    with threadpool_limits(limits=2):
        second = fit(case)
    assert first.beta.tobytes() == second.beta.tobytes()
    assert first.vcov_adjusted.tobytes() == second.vcov_adjusted.tobytes()
    assert slope_differences(first).df.tobytes() == slope_differences(second).df.tobytes()


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


def test_steps_grow_with_nothing() -> None:
    """Few steps from any sensible start: the count gates speed without a clock."""
    for path in ALS:
        assert fit(als_case(path)).steps <= 8
    case = als_case(ALS[0])
    X = build_design([Covariate("TIME", case.time)], [("TIME",)]).X
    assert maximise(reduce(case.y, X, case.subject, case.time), reml=True).steps <= 12


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
