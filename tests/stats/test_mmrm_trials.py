"""MMRMs of the two synthetic trials against R: mmrm 0.3.18 refitted to the optimum, emmeans 1.8.4.1 (named in each file).

Tolerances: estimates 1e-6 of the larger of R's value and its SE, standard errors 1e-6 and df 1e-4 relative, p and
log-likelihood 1e-6 absolute; the covariance matrix 1e-6 of its largest entry.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mmrm_cases import Case, parts_of, trial_case
from trial_data import expected, files

from alsbench.stats.contrasts import Contrasts
from alsbench.stats.lsmeans import Cells, ls_differences, ls_means, type3_tests
from alsbench.stats.mmrm import MMRMFit

FILES = files("als-ref-*/expected/mmrm_*.json")
DF = {"Satterthwaite": "satterthwaite", "Kenward-Roger": "kenward-roger"}


def agree(found: Contrasts, wanted: list[dict[str, Any]]) -> None:
    """Estimate, SE, df, t, p and both limits of each row."""
    R = {
        k: np.array([w[k] for w in wanted])
        for k in ("estimate", "se", "df", "lower", "upper", "statistic", "p")
        if k in wanted[0]
    }
    size = np.maximum(np.abs(R["estimate"]), R["se"])
    assert np.all(np.abs(found.estimate - R["estimate"]) <= 1e-6 * size)
    assert np.all(np.abs(found.se / R["se"] - 1) <= 1e-6)
    assert np.all(np.abs(found.df / R["df"] - 1) <= 1e-4)
    assert np.all(np.abs(found.p - R["p"]) <= 1e-6)
    if "lower" in R:
        assert np.all(np.abs(found.low - R["lower"]) <= 1e-5 * size)
        assert np.all(np.abs(found.high - R["upper"]) <= 1e-5 * size)


def labelled(cells: Cells, wanted: list[dict[str, Any]], *names: str) -> Contrasts:
    """The rows of ``cells`` put in R's order; ``contrast`` in R's words is "treatment - reference"."""
    key = [" - ".join(label[:2]) if names[0] == "contrast" else label[0] for label in cells.labels]
    rest = [label[2:] if names[0] == "contrast" else label[1:] for label in cells.labels]
    where = {(k, *r): i for i, (k, r) in enumerate(zip(key, rest, strict=True))}
    order = [where[tuple(w[n] for n in names)] for w in wanted]
    assert len(order) == len(cells.labels)
    v = cells.values
    return Contrasts(*(getattr(v, n)[order] for n in ("estimate", "se", "df", "t", "p", "low", "high")))


def agree_on_model(fit: MMRMFit, wanted: dict[str, Any]) -> None:
    assert fit.covariance == wanted["covariance"]
    assert (fit.n_observations, fit.n_subjects, fit.n_theta) == (wanted["n_obs"], wanted["n_subjects"], wanted["n_theta"])
    for name, value in (("log_likelihood", "loglik"), ("deviance", "deviance"), ("aic", "aic"), ("bic", "bic")):
        assert getattr(fit, name) == pytest.approx(wanted[value], abs=1e-6)
    vcov = np.array(wanted["vcov_used"]["data"])
    assert np.abs(fit.vcov - vcov).max() <= 1e-6 * np.abs(vcov).max()


def agree_on_means(fit: MMRMFit, case: Case, wanted: dict[str, Any], arm: str) -> None:
    weights = wanted["lsm_weights"]
    means = ls_means(fit, case.design, (arm, "AVISIT"), weights=weights)
    agree(labelled(means, wanted["lsmeans"], arm, "AVISIT"), wanted["lsmeans"])
    against = ls_differences(fit, case.design, arm, by=("AVISIT",), weights=weights)
    agree(labelled(against, wanted["contrasts_vs_ref"], "contrast", "AVISIT"), wanted["contrasts_vs_ref"])
    pairs = ls_differences(fit, case.design, arm, by=("AVISIT",), against="pairwise", weights=weights)
    agree(labelled(pairs, wanted["contrasts_pairwise"], "contrast", "AVISIT"), wanted["contrasts_pairwise"])
    average = ls_means(fit, case.design, (arm,), weights=weights)
    agree(labelled(average, wanted["lsmeans_over_visits"], arm), wanted["lsmeans_over_visits"])
    average = ls_differences(fit, case.design, arm, weights=weights)
    agree(labelled(average, wanted["contrasts_over_visits"], "contrast"), wanted["contrasts_over_visits"])


def agree_on_tests(fit: MMRMFit, case: Case, wanted: dict[str, Any]) -> None:
    found = {":".join(term): test for term, test in type3_tests(fit, case.design).items()}
    assert set(found) == {w["term"] for w in wanted["type3"]}
    for w in wanted["type3"]:
        test = found[w["term"]]
        assert test.num_df == w["num_df"]
        assert test.f == pytest.approx(w["f"], rel=1e-6)
        assert test.den_df == pytest.approx(w["den_df"], rel=1e-4)
        assert test.p == pytest.approx(w["p"], abs=1e-6)


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_agrees_with_r(path: Path) -> None:
    wanted = expected(path)
    case = trial_case(*parts_of(path))
    fit = case.fit(covariance=wanted["covariance"], df=DF[wanted["method"]], fallback=False)
    assert fit.gradient < 1e-8
    assert len(fit.attempts) == 1 and fit.attempts[0].converged
    agree_on_model(fit, wanted)
    sigma = np.array(wanted["cov_matrix"]["data"])
    assert np.abs(fit.sigma - sigma).max() <= 1e-6 * np.abs(sigma).max()
    beta = np.array([wanted["beta"][name] for name in wanted["beta"]])
    agree(fit.coefficients(), wanted["coefficients"])
    assert np.allclose(fit.beta, beta, rtol=1e-6, atol=1e-6)
    agree_on_means(fit, case, wanted, "TRT01P")
    agree_on_tests(fit, case, wanted)
