"""All nine covariances on mmrm's fev_data against R: mmrm 0.3.18 refitted to the optimum, emmeans 1.8.4.1 (named in each file).

``exact_fev_*`` were computed to full precision with analytic derivatives for the linear structures. Tolerances as for the
trials.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mmrm_cases import Case, fev_case
from test_mmrm_trials import agree, agree_on_means, agree_on_model, agree_on_tests
from trial_data import expected, files

from alsbench.stats.lsmeans import ls_differences

FILES = files("public/expected/fev_*_Satterthwaite_*.json") + files("public/expected/fev_*_Kenward-Roger-Linear_*.json")
FILES = [p for p in FILES if "Empirical" not in p.name]
FULL_FORM = [p for p in files("public/expected/fev_*_Kenward-Roger_reml.json") if "_us_" not in p.name]
EXACT = files("public/expected/exact_fev_*.json")


def case_of(wanted: dict[str, Any]) -> Case:
    """The data and design of a file; ``+ us(AVISIT | USUBJID)`` is not part of the mean."""
    mean = " + ".join(t for t in wanted["formula"].split(" + ") if "|" not in t)
    return fev_case(mean)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_agrees_with_r(path: Path) -> None:
    wanted = expected(path)
    case = case_of(wanted)
    fit = case.fit(
        covariance=wanted["covariance"],
        method="reml" if wanted["reml"] else "ml",
        df="kenward-roger" if "Linear" in path.name else "satterthwaite",
        group=case.frame.SEX.to_numpy() if "groupSEX" in path.name else None,
        fallback=False,
    )
    assert fit.gradient < 1e-8
    agree_on_model(fit, wanted)
    if "groupSEX" in path.name:
        assert fit.groups == ("Female", "Male")
        sigma = np.array([wanted["cov_matrix"][g]["data"] for g in fit.groups])
    else:
        sigma = np.array(wanted["cov_matrix"]["data"])
    assert np.abs(fit.sigma - sigma).max() <= 1e-6 * np.abs(sigma).max()
    agree(fit.coefficients(), wanted["coefficients"])
    agree_on_means(fit, case, wanted, "ARMCD")
    agree_on_tests(fit, case, wanted)


@pytest.mark.parametrize("path", EXACT, ids=lambda p: p.stem)
def test_agrees_with_exact_linear_fits(path: Path) -> None:
    wanted = expected(path)
    method = "reml" if wanted["reml"] else "ml"
    case = fev_case(wanted["formula"].replace("ARMCD*AVISIT", "ARMCD * AVISIT"))
    fit = case.fit(covariance=wanted["cov"], method=method, df="satterthwaite", fallback=False)
    assert fit.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-8)
    sigma = np.array(wanted["cov_matrix"]["data"])
    assert np.abs(fit.sigma - sigma).max() <= 1e-8 * np.abs(sigma).max()
    R = {
        key: np.array([c.get(key, np.nan) for c in wanted["coefficients"]])
        for key in wanted["coefficients"][0]
        if key != "term"
    }
    table = fit.coefficients()
    assert np.allclose(table.estimate, R["estimate"], rtol=1e-9, atol=1e-9)
    assert np.allclose(table.se, R["se_model"], rtol=1e-9)
    assert np.allclose(table.df, R["df_satterthwaite_observed"], rtol=1e-7)
    if method == "reml":
        kr = case.fit(covariance=wanted["cov"], df="kenward-roger", fallback=False).coefficients()
        assert np.allclose(kr.se, R["se_kr_linear_observed"], rtol=1e-9)
    if wanted["cov"] == "us":
        assert np.allclose(fit.theta_cov, np.array(wanted["theta_vcov_observed"]["data"]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("path", FULL_FORM, ids=lambda p: p.stem)
def test_full_kenward_roger_agrees_with_r_in_its_own_parameters(path: Path) -> None:
    wanted = expected(path)
    case = case_of(wanted)
    fit = case.fit(covariance=wanted["covariance"], df="kenward-roger-mmrm", fallback=False)
    agree_on_model(fit, wanted)
    agree(fit.coefficients(), wanted["coefficients"])
    agree_on_means(fit, case, wanted, "ARMCD")
    agree_on_tests(fit, case, wanted)


@pytest.mark.parametrize("covariance", ["us", "cs", "toep"])
def test_full_form_is_the_linear_one_where_sas_is_linear(covariance: str) -> None:
    linear, full = (fev_case().fit(covariance=covariance, df=df) for df in ("kenward-roger", "kenward-roger-full"))
    assert np.array_equal(linear.vcov, full.vcov)


def test_agrees_with_sas_unstructured_satterthwaite() -> None:
    """SAS PROC MIXED, ddfm=satterthwaite, as quoted in the reference README: estimate (SE, whole df) of TRT - PBO by visit."""
    case = fev_case()
    found = ls_differences(case.fit(df="satterthwaite"), case.design, "ARMCD", by=("AVISIT",)).values
    assert np.allclose(found.estimate, [3.7745, 3.7322, 3.0806, 4.3985], rtol=0, atol=3e-4)
    assert np.allclose(found.se, [1.0741, 0.8588, 0.6896, 1.6805], rtol=0, atol=3e-4)
    assert np.allclose(found.df, [146, 145, 131, 133], rtol=0, atol=0.5)
