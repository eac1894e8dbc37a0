"""ANCOVA against R: lm, emmeans 1.8.4.1, car 3.1.1, sandwich 3.0.2 (the versions stand in each file of tests/reference)."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alsbench.stats import lsmeans
from alsbench.stats.ancova import OLSFit, f_tests, fit_ols
from alsbench.stats.contrasts import Contrasts
from alsbench.stats.design import Covariate, Design, Factor, Variable, build_design
from alsbench.stats.errors import NotEstimable, StatsError
from alsbench.stats.ties import mid_ranks

sys.path.insert(0, str(Path(__file__).parent))
from trial_data import REFERENCE, expected, fev_model, files, trial_model

ANCOVA_FILES = files("als-ref-*/expected/ancova_*.json")
FEV = REFERENCE / "public/expected/ancova_fev_vis4.json"
PARTS = ("raw", "rank_response", "rank_response_and_covariates")


def ls_means(fit: OLSFit, factor: str, **options: Any) -> Contrasts:
    return lsmeans.ls_means(fit, fit.design, (factor,), **options).values


def ls_differences(fit: OLSFit, factor: str, reference: str, **options: Any) -> Contrasts:
    return lsmeans.ls_differences(fit, fit.design, factor, reference=reference, **options).values


def design_of(*variables: Variable) -> Design:
    return build_design(variables, [(v.name,) for v in variables])


def close(ours: Any, theirs: Any, *, rtol: float = 1e-9, atol: float = 1e-10) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=rtol, atol=atol)


def check_table(ours: Contrasts, theirs: list[dict[str, Any]]) -> None:
    """METHODS tolerances are 1e-6; least squares is held to more."""
    for name, key in [
        ("estimate", "estimate"),
        ("se", "se"),
        ("df", "df"),
        ("t", "statistic"),
        ("low", "lower"),
        ("high", "upper"),
    ]:
        close(getattr(ours, name), [row[key] for row in theirs])
    close(ours.p, [row["p"] for row in theirs], rtol=1e-7, atol=1e-12)


def check_part(y: np.ndarray, variables: list[Variable], r: dict[str, Any]) -> None:
    design = design_of(*variables)
    fit = fit_ols(y, design)
    arm = variables[0].name
    assert (fit.n, fit.df_residual) == (r["n"], r["df_residual"])
    close(
        [fit.sigma, fit.r_squared, fit.adj_r_squared, fit.log_likelihood],
        [r["sigma"], r["r_squared"], r["adj_r_squared"], r["loglik"]],
    )
    rows = {row["term"]: row for row in r["coefficients"]}
    assert set(design.names) == set(rows)
    ordered = [rows[name] for name in design.names]
    check_table(fit.coefficients(), ordered)
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        close(fit.robust_se(kind), [row[f"se_{kind.lower()}"] for row in ordered])
    at = [r["vcov"]["rows"].index(name) for name in design.names]
    close(fit.cov, np.array(r["vcov"]["data"])[np.ix_(at, at)], rtol=1e-8)
    for kind in (2, 3):
        theirs = {t["term"]: t for t in r[f"type{kind}"] if t["term"] != "Residuals"}
        ours = f_tests(fit, kind)
        assert {t.term for t in ours} == set(theirs)
        for t in ours:
            row = theirs[t.term]
            assert t.df == row["df"]
            close([t.sum_sq, t.f, t.p], [row["sum_sq"], row["f"], row["p"]], rtol=1e-7)
    reference = fit.design.factor(arm).levels[0]
    for weights in ("equal", "proportional"):
        check_table(ls_means(fit, arm, weights=weights), r[f"lsm_{weights}"]["lsmeans"])
        difference = ls_differences(fit, arm, reference, weights=weights)
        check_table(difference, r[f"lsm_{weights}"]["vs_ref"])
        check_table(difference, r[f"lsm_{weights}"]["pairwise"])
    # with two arms Dunnett's and Tukey's adjustments adjust nothing
    check_table(ls_differences(fit, arm, reference), r["dunnett_p_mvt_approx"])
    check_table(ls_differences(fit, arm, reference), r["tukey_p"])
    for name, mean in r["ref_grid_covariates"].items():
        ours_mean = next(v.values.mean() for v in variables if v.name == name)
        close(ours_mean, mean[0])


def ranked(y: np.ndarray, variables: list[Variable], part: str) -> tuple[np.ndarray, list[Variable]]:
    if part == "raw":
        return y, variables
    if part == "rank_response_and_covariates":
        variables = [Covariate(v.name, mid_ranks(v.values)) if isinstance(v, Covariate) else v for v in variables]
    return mid_ranks(y), variables


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("path", ANCOVA_FILES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_trial_files_agree_with_r(path: Path, part: str) -> None:
    y, variables = trial_model(path)
    check_part(*ranked(y, variables, part), expected(path)[part])


@pytest.mark.parametrize("part", PARTS)
def test_fev_visit_4_agrees_with_r(part: str) -> None:
    y, variables = fev_model()
    check_part(*ranked(y, variables, part), expected(FEV)[part])


def simulated(seed: int, n: int = 40) -> tuple[np.ndarray, list[Variable], np.ndarray]:
    rng = np.random.default_rng(seed)
    arm = Factor("ARM", rng.integers(0, 3, n), ("a", "b", "c"))
    sex = Factor("SEX", rng.integers(0, 2, n), ("F", "M"))
    base = Covariate("BASE", rng.normal(30, 4, n))
    return rng.normal(0, 2, n) + arm.codes - 0.2 * base.values, [arm, sex, base], rng.uniform(0.5, 2, n)


def test_weighted_fit_agrees_with_statsmodels() -> None:
    """statsmodels is an independent implementation: WLS coefficients, covariance, R squared, and its HC covariances."""
    import statsmodels.api as sm

    y, variables, w = simulated(1)
    design = build_design(variables, [("ARM",), ("SEX",), ("BASE",), ("ARM", "BASE")])
    ours, theirs = fit_ols(y, design, weights=w), sm.WLS(y, design.X, weights=w).fit()
    close(ours.coef, theirs.params, rtol=1e-8)
    close(ours.cov, theirs.cov_params(), rtol=1e-7)
    close([ours.r_squared, ours.adj_r_squared, ours.log_likelihood], [theirs.rsquared, theirs.rsquared_adj, theirs.llf])
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        close(ours.robust_cov(kind), getattr(theirs, f"cov_{kind}"), rtol=1e-7)
    L = np.eye(design.X.shape[1])[1:3]
    close(ours.contrast(L).p, theirs.t_test(L).pvalue)
    unweighted = sm.OLS(y, design.X).fit()
    close(fit_ols(y, design).leverage, unweighted.get_influence().hat_matrix_diag)


def test_type_2_and_3_with_interaction_agree_with_statsmodels() -> None:
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    y, (arm, sex, base), _ = simulated(2)
    fit = fit_ols(y, build_design([arm, sex, base], [("ARM",), ("SEX",), ("BASE",), ("ARM", "SEX")]))
    frame = pd.DataFrame({"y": y, "a": arm.codes, "s": sex.codes, "b": base.values})
    model = smf.ols("y ~ C(a, Sum) + C(s, Sum) + b + C(a, Sum):C(s, Sum)", frame).fit()
    names = {"(Intercept)": "Intercept", "ARM": "C(a, Sum)", "SEX": "C(s, Sum)", "BASE": "b", "ARM:SEX": "C(a, Sum):C(s, Sum)"}
    for kind in (2, 3):
        table = anova_lm(model, typ=kind)
        for test in f_tests(fit, kind):
            row = table.loc[names[test.term]]
            close([test.sum_sq, test.df, test.f, test.p], [row.sum_sq, row.df, row.F, row["PR(>F)"]], rtol=1e-7)


def test_equal_weights_are_weights_of_one() -> None:
    y, variables, _ = simulated(3)
    design = design_of(*variables)
    a, b = fit_ols(y, design), fit_ols(y, design, weights=np.full(y.size, 1.0))
    assert np.array_equal(a.coef, b.coef)
    assert a.log_likelihood == b.log_likelihood


def test_aliased_column_is_nan_and_the_rest_stands() -> None:
    y, (arm, sex, base), _ = simulated(4)
    twice = Covariate("TWICE", 2 * base.values)
    full, small = fit_ols(y, design_of(arm, sex, base, twice)), fit_ols(y, design_of(arm, sex, base))
    assert full.aliased == ("TWICE",)
    assert math.isnan(full.coef[-1])
    assert math.isnan(full.coefficients().p[-1])
    close(full.coef[:-1], small.coef)
    close(ls_means(full, "ARM").estimate, ls_means(small, "ARM").estimate)
    close(ls_means(full, "ARM").se, ls_means(small, "ARM").se)
    with pytest.raises(NotEstimable):
        full.contrast(np.eye(full.coef.size)[-1])


def test_an_empty_arm_level_is_a_row_of_nan() -> None:
    y, (arm, sex, base), _ = simulated(5)
    two = Factor("ARM", np.minimum(arm.codes, 1), ("a", "b", "c"))
    fit = fit_ols(y, design_of(two, sex, base))
    means, differences = ls_means(fit, "ARM"), ls_differences(fit, "ARM", "a")
    assert np.isfinite(means.estimate[:2]).all() and math.isnan(means.estimate[2])
    assert np.isfinite(differences.p[0]) and math.isnan(differences.low[1])


def test_saturated_model_has_estimates_but_no_inference() -> None:
    arm = Factor("ARM", np.array([0, 1]), ("a", "b"))
    fit = fit_ols([1.0, 3.0], design_of(arm))
    table = fit.coefficients()
    close(table.estimate, [1, 2])
    assert np.isnan(table.p).all() and np.isnan(table.low).all() and math.isnan(fit.sigma)
    assert math.isnan(f_tests(fit, 3)[1].p)


def test_constant_response_has_no_t() -> None:
    arm = Factor("ARM", np.array([0, 1, 0, 1, 0]), ("a", "b"))
    fit = fit_ols(np.full(5, 7.1), design_of(arm))
    close(ls_means(fit, "ARM").estimate, [7.1, 7.1])
    difference = ls_differences(fit, "ARM", "a")
    close(difference.estimate, [0])
    assert fit.sigma == 0 and difference.se[0] == 0
    assert math.isnan(difference.t[0]) and math.isnan(difference.p[0]) and math.isnan(fit.log_likelihood)
    assert math.isnan(f_tests(fit, 3)[1].p)


def test_exact_line_has_no_t() -> None:
    x = np.arange(6) * 0.1
    fit = fit_ols(1 + 0.3 * x, design_of(Covariate("X", x)))
    close(fit.coef, [1, 0.3])
    assert np.isnan(fit.coefficients().p).all()


def test_a_large_offset_is_no_exact_fit() -> None:
    arm = Factor("ARM", np.array([0, 1, 0, 1, 0, 1]), ("a", "b"))
    y = np.array([0.0, 1, 2, 4, 1, 3])
    close(fit_ols(y + 1e8, design_of(arm)).coefficients().t[1], fit_ols(y, design_of(arm)).coefficients().t[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("y", "weights", "says"),
    [
        ([1.0, 2.0], None, "2 values"),
        ([1.0, 2.0, np.nan], None, "missing"),
        ([1.0, 2.0, 3.0], [1.0, 0.0, 1.0], "positive"),
    ],
)
def test_bad_input_is_named(y: list[float], weights: list[float] | None, says: str) -> None:
    arm = Factor("ARM", np.array([0, 1, 0]), ("a", "b"))
    with pytest.raises(StatsError, match=says):
        fit_ols(y, design_of(arm), weights=weights)


def test_rows_in_another_order_give_the_same_answer() -> None:
    y, variables, _ = simulated(6)
    order = np.random.default_rng(0).permutation(y.size)
    shuffled = [
        Factor(v.name, v.codes[order], v.levels) if isinstance(v, Factor) else Covariate(v.name, v.values[order])
        for v in variables
    ]
    close(fit_ols(y, design_of(*variables)).coef, fit_ols(y[order], design_of(*shuffled)).coef, rtol=1e-10)


def test_a_difference_is_estimable_where_the_means_are_not() -> None:
    """R 4.2.2, emmeans 1.8.4-1: ``contrast(emmeans(lm(Y ~ ARM + X + SITE + REGION), "ARM"), "trt.vs.ctrl")``."""
    arm = Factor("ARM", np.array([0, 1] * 5, dtype=np.int64), ("A", "B"))
    arm.codes[8], arm.codes[9] = 0, 1
    site = Factor("SITE", np.array([0, 0, 1, 1, 2, 2, 3, 3, 0, 3], dtype=np.int64), ("s1", "s2", "s3", "s4"))
    region = Factor("REGION", (site.codes > 0).astype(np.int64), ("one", "rest"))
    nation = Factor("NATION", (site.codes > 1).astype(np.int64), ("eu", "us"))
    x = np.array([38.0, 41, 40, 36, 42, 39, 37, 40, 39, 43])
    y = np.array([-2.0, -1, -5, -3, -4, -2.5, -6, -1.5, -3, -4])
    for last in (region, nation):
        design = build_design([arm, Covariate("X", x), site, last], [("ARM",), ("X",), ("SITE",), (last.name,)])
        fit = fit_ols(y, design)
        found = ls_differences(fit, "ARM", "A")
        assert found.estimate[0] == pytest.approx(2.11738382099828, rel=1e-10)
        assert found.se[0] == pytest.approx(0.731923415493715, rel=1e-10)
        assert found.p[0] == pytest.approx(0.0444331795164896, abs=1e-10)
    assert np.isnan(
        ls_means(fit_ols(y, build_design([arm, site, region], [("ARM",), ("SITE",), ("REGION",)])), "ARM").estimate
    ).all()


def test_a_factor_of_one_level_has_no_f_test() -> None:
    one = Factor("ONE", np.zeros(6, dtype=np.int64), ("only",))
    arm = Factor("ARM", np.array([0, 1, 0, 1, 0, 1], dtype=np.int64), ("A", "B"))
    fit = fit_ols(np.array([1.0, 2, 4, 3, 5, 9]), build_design([arm, one], [("ARM",), ("ONE",)]))
    tests = {t.term: t for t in f_tests(fit, 3)}
    assert tests["ONE"].df == 0 and np.isnan(tests["ONE"].p) and np.isfinite(tests["ARM"].p)


def test_a_fit_without_residual_variance_is_named() -> None:
    arm = Factor("ARM", np.array([0, 0, 1], dtype=np.int64), ("A", "B"))
    design = build_design([arm, Covariate("X", np.array([1.0, 2, 5]))], [("ARM",), ("X",)])
    with pytest.raises(StatsError, match="3 rows for 3 coefficients leave no degrees of freedom"):
        fit_ols(np.array([1.0, 2, 4]), design).check_inference()
    with pytest.raises(StatsError, match="fits every value exactly"):
        fit_ols(np.ones(3), build_design([arm], [("ARM",)])).check_inference()
