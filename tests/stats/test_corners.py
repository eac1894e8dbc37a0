"""Corners the reference trials do not reach, against R: weights, ML, singular slopes, tied times, interval types, rank tests.

Inputs and answers are tests/reference/extra/corners.in.json and corners.out.json (make_corners.py, corners.R; R 4.2.2 with
nlme 3.1-162, lme4 1.1-31, lmerTest 3.1-3, pbkrtest 0.5.2, survival 3.5-3, coin 1.4-2, mvtnorm 1.1-3, mice 3.15.0). METHODS 11's
tolerances, but where R's optimiser stops first: coefficients of gls and lmer to 1e-5, SEs to 1e-4, df to 1e-3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsbench.stats.cox import fit_cox
from alsbench.stats.design import Covariate, Factor, Term, build_design
from alsbench.stats.imputed_analysis import rubin
from alsbench.stats.max_t import max_t
from alsbench.stats.mmrm import fit_mmrm
from alsbench.stats.slopes import random_slopes, slope_differences, slope_rows
from alsbench.stats.survival import kaplan_meier, log_rank

EXTRA = Path(__file__).parent.parent / "reference" / "extra"
INPUT: dict[str, list[dict[str, Any]]] = json.loads((EXTRA / "corners.in.json").read_text())
R: dict[str, list[Any]] = json.loads((EXTRA / "corners.out.json").read_text())


def paired(what: str) -> list[Any]:
    return [
        pytest.param(case, wanted, id=f"{what}-{i}") for i, (case, wanted) in enumerate(zip(INPUT[what], R[what], strict=True))
    ]


def numbers(values: list[float | str | None]) -> np.ndarray:
    """R's numbers; NA is NaN."""
    return np.array([np.nan if v is None or isinstance(v, str) else v for v in values], dtype=np.float64)


def codes(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(("case", "wanted"), paired("mmrm"))
def test_mmrm(case: dict[str, Any], wanted: dict[str, Any]) -> None:
    variables = [
        Factor("A", codes(case["arm"]), ("a", "b")),
        Factor("V", codes(case["v"]), ("1", "2", "3")),
        Covariate("B", np.array(case["base"])),
    ]
    terms: list[Term] = [("A",), ("V",), ("B",), ("A", "V"), *([("A", "B")] if case["by_arm"] else [])]
    fit = fit_mmrm(
        case["y"],
        build_design(variables, terms),
        case["id"],
        case["v"],
        n_visits=3,
        covariance=case["covariance"],
        method=case["method"],
        df="satterthwaite",
        weights=case["w"],
        fallback=False,
    )
    assert fit.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-6)
    np.testing.assert_allclose(fit.beta, wanted["beta"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), wanted["se"], rtol=1e-4)


@pytest.mark.parametrize(("case", "wanted"), paired("slopes"))
def test_random_slopes(case: dict[str, Any], wanted: dict[str, Any]) -> None:
    arm = Factor("ARM", codes(case["arm"]), ("a", "b", "c"))
    shared, reml = case["shared"], case["reml"]
    fit = random_slopes(np.array(case["y"]), np.array(case["t"]), arm, codes(case["id"]), shared_baseline=shared, reml=reml)
    assert fit.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-6)
    assert slope_rows(fit).shape[0] == 3
    for method in ("satterthwaite", "kenward-roger") if reml else ("satterthwaite",):
        found = slope_differences(fit, df=method)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.estimate, wanted[method]["estimate"], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found.se, wanted[method]["se"], rtol=1e-4)
        np.testing.assert_allclose(found.df, wanted[method]["df"], rtol=1e-3)


@pytest.mark.parametrize(("case", "wanted"), paired("survival"))
def test_survival(case: dict[str, Any], wanted: dict[str, Any]) -> None:
    time, event = np.array(case["time"]), np.array(case["event"]) == 1
    arm, strata = codes(case["arm"]), codes(case["stratum"])
    terms: list[Term] = [("A",), ("X",), *([("A", "X")] if case["crossed"] else [])]
    design = build_design([Factor("A", arm, ("a", "b")), Covariate("X", np.array(case["x"]))], terms)
    fit = fit_cox(time, event, design, strata=strata, ties=case["ties"])
    np.testing.assert_allclose(fit.beta, wanted["beta"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(fit.se, wanted["se"], rtol=1e-6)
    assert [fit.log_likelihood_null, fit.log_likelihood] == pytest.approx(wanted["loglik"], abs=1e-6)
    assert fit.score.chisq == pytest.approx(wanted["score"], rel=1e-6)
    assert [t.chisq for t in fit.proportional_hazards().values()] == pytest.approx(wanted["zph"], rel=1e-6)
    curve = kaplan_meier(time, event, conf_type=case["interval"])
    np.testing.assert_allclose(curve.low, numbers(wanted["low"]), rtol=1e-8)
    np.testing.assert_allclose(curve.high, numbers(wanted["high"]), rtol=1e-8)
    found = [curve.quantile(q) for q in (0.25, 0.5, 0.75)]
    for name, values in (("quantile", "estimate"), ("q_low", "low"), ("q_high", "high")):
        np.testing.assert_allclose([getattr(q, values) for q in found], numbers(wanted[name]), rtol=1e-12)
    assert log_rank(time, event, arm, strata=strata).chisq == pytest.approx(wanted["log_rank"], rel=1e-9)
    assert log_rank(time, event, arm, rho=1.0).chisq == pytest.approx(wanted["peto"], rel=1e-9)


@pytest.mark.parametrize(("case", "wanted"), paired("several"))
def test_max_t(case: dict[str, Any], wanted: list[float]) -> None:
    """Both integrate numerically: mvtnorm to 1e-6, this lattice to about 1e-4."""
    np.testing.assert_allclose(max_t(case["t"], case["R"], case["df"]), wanted, atol=2e-4)


@pytest.mark.parametrize(("case", "wanted"), paired("pooled"))
def test_rubin(case: dict[str, Any], wanted: dict[str, float]) -> None:
    found = rubin(np.array(case["estimate"]), np.array(case["variance"]), case["df"])
    assert [found.estimate, found.se, found.df] == pytest.approx([wanted["estimate"], wanted["se"], wanted["df"]], rel=1e-9)
