"""Interactions of a whole search: statsmodels' HC2 for the t, fitted again copy by copy, and what permuting keeps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from alsbench.stats.interaction_search import InteractionOutcome, InteractionSearch, permuted_lines
from alsbench.stats.permutation_search import TILE

N = 70


def made(undecided: bool = False) -> tuple[NDArray[np.int8], InteractionOutcome]:
    """Three arms, three definitions (one nearly the other), a covariate, ten subjects without a value."""
    rng = np.random.default_rng(11)
    arm = rng.permuted(np.repeat([0, 1, 2], [20, 30, 20])).astype(np.int8)
    who = np.sort(rng.choice(N, 60, replace=False)).astype(np.int64)
    parts = np.array([rng.random(60) < share for share in (0.5, 0.3, 0.5)], dtype=float)
    parts[2] = np.where(np.arange(60) < 55, parts[0], 1 - parts[0])
    if undecided:
        for code in (0, 1, 2):
            parts[1, np.flatnonzero(arm[who] == code)[:3]] = np.nan
    y = rng.normal(size=60) * (1 + 2 * parts[0]) + 1.5 * parts[0] * (arm[who] == 1)
    return arm, InteractionOutcome(who, arm[who], y, rng.normal(size=(60, 1)), parts)


def design(outcome: InteractionOutcome, definition: int | None, treated: int = 1) -> NDArray[np.float64]:
    """Null model, and, for a definition, the crossed columns with that of the treated last."""
    dummies = [(outcome.arm == c).astype(float) for c in (1, 2)]
    columns = [np.ones(60), *dummies, outcome.covariates[:, 0]]
    for part in outcome.parts:
        columns.append(np.nan_to_num(part))
        if np.isnan(part).any():
            columns.append(np.isnan(part).astype(float))
    if definition is not None:
        part = outcome.parts[definition]
        own = dummies[treated - 1] * np.nan_to_num(part)
        columns.append(dummies[2 - treated] * np.nan_to_num(part))
        if np.isnan(part).any():
            columns += [dummy * np.isnan(part) for dummy in dummies]
        columns.append(own)
    return np.column_stack(columns)


@pytest.mark.parametrize("undecided", [False, True])
def test_each_copy_is_fitted_again_with_hc2(undecided: bool) -> None:
    """Residuals of the null model, exchanged within arm, added to its fitted values; statsmodels' OLS with cov_type HC2."""
    import statsmodels.api as sm

    arm, outcome = made(undecided)
    search = InteractionSearch(outcome, 1, 0, arm)
    null = sm.OLS(outcome.response, design(outcome, None)).fit()
    lines = permuted_lines(arm, [0], seed=3)
    sizes = search.permuted(lines)
    for d in range(3):
        full = design(outcome, d)
        fit = sm.OLS(outcome.response, full).fit(cov_type="HC2")
        assert search.observed()[d] == pytest.approx(abs(fit.tvalues[-1]), rel=1e-9)
        for copy in (0, 101):
            exchanged = np.empty(60)
            for code in (0, 1, 2):
                line = [s for s in lines[copy, np.flatnonzero(arm == code)] if s in outcome.subject]
                exchanged[outcome.arm == code] = null.resid[np.searchsorted(outcome.subject, line)]
            fit = sm.OLS(null.fittedvalues + exchanged, full).fit(cov_type="HC2")
            assert sizes[copy, d] == pytest.approx(abs(fit.tvalues[-1]), rel=1e-8)


def test_a_part_that_holds_everybody_or_an_arm_is_left_out() -> None:
    arm, outcome = made()
    outcome.parts[0] = 1.0
    outcome.parts[1] = outcome.arm == 1
    search = InteractionSearch(outcome, 1, 0, arm)
    assert np.isnan(search.observed()).tolist() == [True, True, False]
    assert np.isnan(search.permuted(permuted_lines(arm, [0], seed=3))).all(axis=0).tolist() == [True, True, False]
    assert np.isnan(InteractionSearch(outcome, 5, 0, arm).observed()).all()


def test_lines_stay_within_arms_and_tiles_are_independent_of_each_other() -> None:
    arm, outcome = made()
    lines = permuted_lines(arm, range(3), seed=2)
    assert (arm[lines] == arm).all()
    assert (np.sort(lines, axis=1) == np.arange(N)).all()
    np.testing.assert_array_equal(lines[TILE : 2 * TILE], permuted_lines(arm, [1], seed=2))
    search = InteractionSearch(outcome, 1, 0, arm)
    np.testing.assert_array_equal(search.permuted(lines)[TILE : 2 * TILE], search.permuted(lines[TILE : 2 * TILE]))
