"""The likelihood of random slopes by itself: its density, derivatives, invariances, steps and bits."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from alsbench.stats.design import Covariate, build_design
from alsbench.stats.slope_likelihood import evaluate, maximise, reduce
from alsbench.stats.slopes import random_slopes, slope_differences

sys.path.insert(0, str(Path(__file__).parent))
from slope_cases import ALS, als_case, fit


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


def test_steps_grow_with_nothing() -> None:
    """Few steps from any sensible start: the count gates speed without a clock."""
    for path in ALS:
        assert fit(als_case(path)).steps <= 8
    case = als_case(ALS[0])
    X = build_design([Covariate("TIME", case.time)], [("TIME",)]).X
    assert maximise(reduce(case.y, X, case.subject, case.time), reml=True).steps <= 12
