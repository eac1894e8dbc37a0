"""Every trial of a batch is the ordinary analysis of that trial: least squares, joint ranks and log-rank done one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsbench.stats.ancova import fit_ols
from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.joint_rank import Rules, cut_at_horizon, pair_scores, score_pairs
from alsbench.stats.mid_ranks import mid_ranks
from alsbench.stats.permuted_trials import (
    Outcome,
    arm_tests,
    bootstrap_weights,
    log_rank_z,
    permute_arms,
)
from alsbench.stats.survival import log_rank

N = 40
RULES = (Rules(), Rules(death_always_loses=True), Rules(better="lower", function="horizon", missing="locf"))


def trial(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariates (n, 2), response, arms 0 1 2."""
    rng = np.random.default_rng(seed)
    Z = np.column_stack([rng.standard_normal(N), rng.integers(0, 2, N)])
    return Z, Z @ [1.0, -2.0] + rng.standard_normal(N), rng.permutation(np.repeat([0, 1, 2], [16, 8, 16])).astype(np.int8)


def follow_up(seed: int):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    changes = np.round(-rng.random((N, 6)).cumsum(axis=1) * 2)
    changes[rng.random((N, 6)) < 0.15] = np.nan
    days = rng.integers(30, 400, N).astype(float)
    visits = np.arange(1.0, 7.0)
    return cut_at_horizon(days, (rng.random(N) < 0.7) * 1.0, changes, visits, horizon=6, horizon_day=183)


def one_at_a_time(Z: np.ndarray, y: np.ndarray, arm: np.ndarray, *, whole: bool) -> tuple[float, float, int]:
    """Coefficient, SE and df of arm 1 against arm 0 by the library's least squares (checked against R elsewhere)."""
    kept = np.ones(N, dtype=bool) if whole else np.isin(arm, (0, 1))
    levels = ("a", "b", "c") if whole else ("a", "b")
    variables = [Factor("ARM", arm[kept].astype(np.int64), levels), Covariate("x", Z[kept, 0]), Covariate("s", Z[kept, 1])]
    design = build_design(variables, [(v.name,) for v in variables])
    found = fit_ols(y[kept], design).contrast(design.ls_mean({"ARM": "b"}) - design.ls_mean({"ARM": "a"}))
    return float(found.estimate[0]), float(found.se[0]), int(found.df[0])


@pytest.mark.parametrize("whole", [False, True])
def test_each_trial_is_its_own_least_squares(whole: bool) -> None:
    Z, y, arm = trial(1)
    dealt = permute_arms(arm, np.zeros(N), 7, seed=3)
    found = arm_tests(Outcome(Z, y, whole=whole), dealt, 1, 0)
    for b in range(7):
        estimate, se, df = one_at_a_time(Z, y, dealt[b], whole=whole)
        assert found.estimate[b] == pytest.approx(estimate, rel=1e-10)
        assert found.se[b] == pytest.approx(se, rel=1e-10)
        assert found.df[b] == df


@pytest.mark.parametrize("whole", [False, True])
def test_each_trial_is_ranked_anew(whole: bool) -> None:
    Z, _, arm = trial(2)
    followup = follow_up(5)
    dealt = permute_arms(arm, np.zeros(N), 5, seed=4)
    included = followup.has_event | np.isfinite(followup.changes).any(axis=1)
    assert included.all()
    found = arm_tests(Outcome(Z, scores=pair_scores(followup), whole=whole), dealt, 1, 0)
    for b in range(5):
        kept = np.ones(N, dtype=bool) if whole else np.isin(dealt[b], (0, 1))
        y = np.zeros(N)
        y[kept] = score_pairs(followup.take(kept)).ranks
        estimate, se, _ = one_at_a_time(Z, y, dealt[b], whole=whole)
        assert found.estimate[b] == pytest.approx(estimate, rel=1e-10)
        assert found.se[b] == pytest.approx(se, rel=1e-10)


@pytest.mark.parametrize(
    "rules", [Rules(), Rules(death_always_loses=True), Rules(better="lower", function="horizon", missing="locf")]
)
def test_rows_of_the_pair_matrix_add_up_to_the_scores(rules: Rules) -> None:
    followup = follow_up(6)
    strata = np.arange(N) % 3
    won = pair_scores(followup, rules=rules, strata=strata)
    ranked = score_pairs(followup, rules=rules, strata=strata)
    assert np.array_equal(won, -won.T)
    assert np.array_equal(won.sum(axis=1), ranked.scores)
    assert np.array_equal(mid_ranks(won, np.ones((1, N)), strata)[0], ranked.ranks)
    assert np.allclose(mid_ranks(won, np.ones((1, N)), strata, unit=True)[0], ranked.unit_ranks, rtol=1e-15)


def test_weights_are_subjects_repeated() -> None:
    Z, y, arm = trial(7)
    followup = follow_up(8)
    weights = bootstrap_weights(arm, 4, seed=9)
    for code in (0, 1, 2):
        assert (weights[:, arm == code].sum(axis=1) == (arm == code).sum()).all()
    plain = arm_tests(Outcome(Z, y), arm[None, :], 1, 0, weights=weights)
    ranked = arm_tests(Outcome(Z, scores=pair_scores(followup)), arm[None, :], 1, 0, weights=weights)
    for b in range(4):
        again = np.repeat(np.arange(N), weights[b].astype(int))
        assert plain.estimate[b] == pytest.approx(one_at_a_time(Z[again], y[again], arm[again], whole=False)[0], rel=1e-9)
        kept = again[np.isin(arm[again], (0, 1))]
        values = np.zeros(N)
        values[np.isin(arm[again], (0, 1))] = score_pairs(followup.take(kept)).ranks
        assert ranked.estimate[b] == pytest.approx(one_at_a_time(Z[again], values, arm[again], whole=False)[0], rel=1e-9)


def test_a_covariate_that_does_not_vary_costs_no_degree_of_freedom() -> None:
    Z, y, arm = trial(10)
    constant = np.column_stack([Z, np.zeros(N), Z[:, 0]])
    a, b = (arm_tests(Outcome(c, y), arm[None, :], 1, 0) for c in (Z, constant))
    assert a.df[0] == b.df[0]
    assert a.t[0] == pytest.approx(b.t[0], rel=1e-9)


def test_a_trial_without_an_arm_has_no_test() -> None:
    Z, y, arm = trial(11)
    assert np.isnan(arm_tests(Outcome(Z, y), np.where(arm == 1, 2, arm)[None, :].astype(np.int8), 1, 0).p[0])
    with pytest.raises(StatsError):
        arm_tests(Outcome(Z, y), arm[None, :5], 1, 0)


def test_log_rank_is_the_log_rank() -> None:
    """Against the library's log-rank, which is checked against R's survdiff."""
    rng = np.random.default_rng(12)
    day, event = rng.integers(1, 60, N).astype(float), rng.random(N) < 0.6
    _, _, arm = trial(12)
    strata = np.arange(N) % 2
    dealt = permute_arms(arm, strata, 3, seed=2)
    found = log_rank_z(day, event, dealt, 1, 0, strata)
    for b in range(3):
        kept = np.isin(dealt[b], (0, 1))
        direct = log_rank(day[kept], event[kept], dealt[b][kept].astype(np.int64), strata=strata[kept])
        assert found[b] ** 2 == pytest.approx(direct.chisq, rel=1e-10)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_dealing_keeps_every_stratum_and_swapping_arms_turns_the_sign(seed: int) -> None:
    Z, y, arm = trial(seed)
    strata = (Z[:, 1] > 0).astype(np.int64)
    dealt = permute_arms(arm, strata, 5, seed=seed)
    for s in (0, 1):
        for code in (0, 1, 2):
            assert (((dealt == code) & (strata == s)).sum(axis=1) == ((arm == code) & (strata == s)).sum()).all()
    assert np.array_equal(dealt, permute_arms(arm, strata, 5, seed=seed))
    one, other = (arm_tests(Outcome(Z, y), dealt, *pair) for pair in ((1, 0), (0, 1)))
    assert np.allclose(one.t, -other.t, rtol=1e-8, atol=1e-10)


def test_p_is_uniform_where_nothing_happens() -> None:
    """Normal data without an effect: p of the t test is uniform; 2,000 arrangements stay within four binomial SDs."""
    Z, y, arm = trial(13)
    p = arm_tests(Outcome(Z, y), permute_arms(arm, np.zeros(N), 2000, seed=1), 1, 0).p
    for q in (0.05, 0.2, 0.5, 0.8):
        assert abs((p <= q).mean() - q) < 4 * np.sqrt(q * (1 - q) / 2000)
