"""Random slopes against R: lme4 1.1.31, lmerTest 3.1.3, pbkrtest 0.5.2, emmeans 1.8.4.1, nlme 3.1.162 (slope_*.json)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsbench.stats.contrasts import Contrasts, FTest
from alsbench.stats.errors import StatsError
from alsbench.stats.slopes import (
    DfMethod,
    SlopeFit,
    arm_slopes,
    slope_differences,
)

sys.path.insert(0, str(Path(__file__).parent))
from slope_cases import ALS, PUBLIC, case_of, fit
from trial_data import expected

LOGLIK = 1e-6
ESTIMATE = 1e-6  # of max(|R|, SE)
SE = 1e-6
DF = 1e-4
P = 1e-6
# lme4 stops where the deviance is flat to about 1e-9, which leaves the variance components this far from the optimum
VARIANCE = 2e-5
METHODS: tuple[tuple[DfMethod, str], ...] = (("satterthwaite", "satterthwaite"), ("kenward-roger", "kenward_roger"))


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
