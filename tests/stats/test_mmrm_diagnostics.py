"""Residuals and influence against their definitions on fev_data."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mmrm_cases import fev_case

from alsbench.stats.errors import StatsError
from alsbench.stats.mmrm_diagnostics import diagnose


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_residuals_and_influence_by_definition(grouped: bool, weighted: bool) -> None:
    case = fev_case()
    weights = case.frame.WEIGHT.to_numpy() if weighted else None
    group = case.frame.SEX.to_numpy() if grouped else None
    fit = case.fit(df="satterthwaite", weights=weights, group=group)
    found = diagnose(fit, case.y, case.design, case.subject, case.visit, weights=weights, group=group)
    assert np.allclose(found.fitted, case.design.X @ fit.beta) and np.allclose(found.response, case.y - found.fitted)
    assert found.leverage.sum() == pytest.approx(11, rel=1e-9) and found.subject_leverage.sum() == pytest.approx(11, rel=1e-9)
    assert 0.9 < found.normalized.std() < 1.1
    for label in (found.subjects[0], found.subjects[50], found.subjects[-1]):
        rows = np.flatnonzero(case.subject == label)
        rows = rows[np.argsort(case.visit[rows])]
        visits = case.visit[rows]
        sigma = fit.sigma if not grouped else fit.sigma[fit.groups.index(case.frame.SEX[rows[0]])]
        root = np.ones(rows.size) if weights is None else np.sqrt(weights[rows])
        S = sigma[np.ix_(visits, visits)] / np.outer(root, root)
        r, X, W = found.response[rows], case.design.X[rows], np.linalg.inv(S)
        hat = X @ fit.vcov_unadjusted @ X.T @ W
        assert np.allclose(found.pearson[rows], r / np.sqrt(np.diag(S)))
        assert np.allclose(found.normalized[rows], np.linalg.solve(np.linalg.cholesky(S), r))
        assert np.allclose(found.leverage[rows], np.diag(hat))
        change = fit.vcov_unadjusted @ X.T @ W @ np.linalg.solve(np.eye(rows.size) - hat, r)
        i = found.subjects.index(label)
        assert found.cook[i] == pytest.approx(change @ np.linalg.solve(fit.vcov_unadjusted, change) / 11, rel=1e-8)


def test_cook_is_the_change_of_a_refit_with_sigma_held() -> None:
    case = fev_case()
    fit = case.fit(df="satterthwaite")
    found = diagnose(fit, case.y, case.design, case.subject, case.visit)
    label = found.subjects[int(np.argmax(found.cook))]
    keep = case.subject != label
    same = case.subject[:, None] == case.subject[None, :]
    S = fit.sigma[np.ix_(case.visit, case.visit)] * same
    W = np.linalg.inv(S[np.ix_(keep, keep)])
    X = case.design.X[keep]
    without = np.linalg.solve(X.T @ W @ X, X.T @ W @ case.y[keep])
    change = fit.beta - without
    assert found.cook.max() == pytest.approx(change @ np.linalg.solve(fit.vcov_unadjusted, change) / 11, rel=1e-7)
    assert found.change[int(np.argmax(found.cook))] == pytest.approx(change, rel=1e-7, abs=1e-10)


def test_other_rows_than_those_of_the_fit_are_refused() -> None:
    case = fev_case()
    fit = case.fit()
    with pytest.raises(StatsError, match="537 rows and 11 coefficients"):
        diagnose(fit, case.y[1:], case.design.X[1:], case.subject[1:], case.visit[1:])
    with pytest.raises(StatsError, match="group is to be given"):
        diagnose(fit, case.y, case.design, case.subject, case.visit, group=case.frame.SEX.to_numpy())
