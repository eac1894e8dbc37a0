"""The likelihood and its derivatives against their definitions: dense matrices, one block per subject, finite differences."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mmrm_cases import fev_case, trial_case

from alsbench.stats import mmrm_likelihood
from alsbench.stats.covariance import COVARIANCES, structure
from alsbench.stats.mmrm import fit_mmrm
from alsbench.stats.mmrm_layout import lay_out
from alsbench.stats.mmrm_likelihood import MMRMLikelihood, evaluate, information, slope
from alsbench.stats.mmrm_sums import build_sums

T = 4


@dataclass(frozen=True)
class Small:
    """30 subjects, gaps, a covariate that changes from visit to visit, weights."""

    y: Any
    X: Any
    subject: Any
    visit: Any
    weights: Any
    group: Any


def small() -> Small:
    rng = np.random.default_rng(7)
    i, v = np.nonzero(rng.random((30, T)) > 0.25)
    arm = (i % 2).astype(float)
    X = np.column_stack([np.ones(i.size), arm, v == 1, v == 2, v == 3, rng.normal(size=i.size), arm * (v == 3)]).astype(float)
    y = X @ rng.normal(size=X.shape[1]) + rng.normal(size=30)[i] + rng.normal(size=i.size) * (1 + 0.3 * v)
    return Small(y, X, i, v, rng.uniform(0.5, 2.0, i.size), i % 2)


def dense_sigma(data: Small, sigmas: list[Any], weights: Any, group: Any) -> Any:
    """The covariance of all rows at once, weights dividing it."""
    n = data.y.size
    same = data.subject[:, None] == data.subject[None, :]
    which = np.zeros(n, dtype=int) if group is None else group
    full = np.stack(sigmas)[which[:, None], data.visit[:, None], data.visit[None, :]] * same
    root = np.ones(n) if weights is None else 1 / np.sqrt(weights)
    return full * np.outer(root, root)


def dense_log_likelihood(data: Small, S: Any, method: str) -> tuple[float, Any, Any]:
    """Harville's restricted likelihood written out; coefficients and their covariance."""
    W = np.linalg.inv(S)
    XWX = data.X.T @ W @ data.X
    b = np.linalg.solve(XWX, data.X.T @ W @ data.y)
    r = data.y - data.X @ b
    n, p = data.X.shape
    value = np.linalg.slogdet(S)[1] + r @ W @ r + (n - (p if method == "reml" else 0)) * np.log(2 * np.pi)
    if method == "reml":
        value += np.linalg.slogdet(XWX)[1]
    return -0.5 * value, b, np.linalg.inv(XWX)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_log_likelihood_and_coefficients_by_definition(method: str, weighted: bool, grouped: bool) -> None:
    data = small()
    weights, group = (data.weights if weighted else None), (data.group if grouped else None)
    fit = fit_mmrm(
        data.y, data.X, data.subject, data.visit, n_visits=T, covariance="csh", method=method, df="satterthwaite",
        weights=weights, group=group, fallback=False,
    )  # fmt: skip
    sigmas = list(fit.sigma) if grouped else [fit.sigma]
    value, b, cov = dense_log_likelihood(data, dense_sigma(data, sigmas, weights, group), method)
    assert fit.log_likelihood == pytest.approx(value, abs=1e-9)
    assert np.allclose(fit.beta, b, rtol=1e-10) and np.allclose(fit.vcov, cov, rtol=1e-9, atol=1e-14)


def model_of(data: Small, covariance: str, method: str, group: Any = None) -> MMRMLikelihood:
    sums = build_sums(data.y, data.X, lay_out(data.subject, data.visit, T, group), data.weights)
    return MMRMLikelihood(sums, structure(covariance, T), method)  # type: ignore[arg-type]


def differences(f: Any, x: Any, h: float) -> Any:
    """Central differences of ``f`` along each coordinate, stacked first."""
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(x.size)])


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_structures_match_their_derivatives(covariance: str) -> None:
    s = structure(covariance, T)
    theta = s.start(np.diag([1.0, 1.5, 2.0, 2.5]) + 0.4)
    assert len(s.names) == s.n_theta == theta.size
    assert np.linalg.eigvalsh(s.sigma(theta)).min() > 0
    assert np.allclose(differences(s.sigma, theta, 1e-6), s.jacobian(theta), atol=1e-8)
    assert np.allclose(differences(s.jacobian, theta, 1e-6), s.second(theta), atol=1e-7)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_gradient_and_information_match_differences(covariance: str, method: str) -> None:
    data = small()
    model = model_of(data, covariance, method, data.group if covariance == "ar1h" else None)
    theta = np.concatenate(
        [model.structure.start(np.diag([1.0, 1.5, 2.0, 1.2]) * (1 + k) + 0.3) for k in range(len(model.sums.groups))]
    )
    point = evaluate(model, theta)
    assert point is not None
    here = slope(model, point)
    assert np.allclose(differences(lambda t: evaluate(model, t).value, theta, 1e-5), here.gradient, rtol=1e-6, atol=1e-6)
    exact = information(model, point, here).hessian
    assert np.allclose(
        differences(lambda t: slope(model, evaluate(model, t)).gradient, theta, 1e-6), exact, rtol=1e-6, atol=1e-5
    )


def test_kenward_roger_adjustment_by_definition() -> None:
    """Phi + 2 Phi [sum w (Q - P Phi P)] Phi with every Q_kl formed from dense matrices, unstructured and toeph."""
    data = small()
    for covariance in ("us", "toeph"):
        fit = fit_mmrm(data.y, data.X, data.subject, data.visit, n_visits=T, covariance=covariance, fallback=False)
        s = structure(covariance, T)
        S = dense_sigma(data, [fit.sigma], None, None)
        W = np.linalg.inv(S)
        D = [dense_sigma(data, [d], None, None) for d in s.jacobian(fit.theta)]
        Phi = np.linalg.inv(data.X.T @ W @ data.X)
        WX = W @ data.X
        P = [-WX.T @ d @ WX for d in D]
        middle = sum(
            fit.theta_cov[k, j] * (WX.T @ D[k] @ W @ D[j] @ WX - P[k] @ Phi @ P[j])
            for k in range(len(D))
            for j in range(len(D))
        )
        assert np.allclose(fit.vcov_unadjusted, Phi, rtol=1e-9, atol=1e-14)
        assert np.allclose(fit.vcov, Phi + 2 * Phi @ middle @ Phi, rtol=1e-6, atol=1e-9)


def test_row_order_labels_and_reruns_change_no_bit() -> None:
    case = fev_case()
    first = case.fit()
    again = case.fit()
    order = np.random.default_rng(3).permutation(case.y.size)
    shuffled = fit_mmrm(case.y[order], case.design.X[order], case.subject[order], case.visit[order], n_visits=4)
    for other in (again, shuffled):
        assert np.array_equal(first.theta, other.theta)
        assert first.log_likelihood == other.log_likelihood
        assert np.array_equal(first.precision.A, other.precision.A) and np.array_equal(first.vcov, other.vcov)


def test_units_of_the_response_only_rescale() -> None:
    case = fev_case()
    one = case.fit(covariance="toeph")
    milli = fit_mmrm(case.y * 1e-3 + 5, case.design, case.subject, case.visit, n_visits=4, covariance="toeph")
    assert np.allclose(milli.sigma, one.sigma * 1e-6, rtol=1e-9)
    assert np.allclose(milli.coefficients().df, one.coefficients().df, rtol=1e-7)
    assert np.allclose(milli.beta[1:], one.beta[1:] * 1e-3, rtol=1e-8, atol=1e-12)


def test_equal_weights_change_nothing_but_the_scale_of_sigma() -> None:
    case = fev_case()
    plain, weighted = case.fit(), case.fit(weights=np.full(case.y.size, 4.0))
    assert np.allclose(weighted.sigma, 4 * plain.sigma, rtol=1e-8)
    assert np.allclose(weighted.vcov, plain.vcov, rtol=1e-8, atol=1e-12)
    assert weighted.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-8)


def test_weighted_fit_is_at_the_optimum_of_the_weighted_likelihood() -> None:
    """No neighbouring covariance matrix has a higher likelihood, by the dense definition."""
    data = small()
    fit = fit_mmrm(data.y, data.X, data.subject, data.visit, n_visits=T, covariance="us", weights=data.weights, fallback=False)
    best = dense_log_likelihood(data, dense_sigma(data, [fit.sigma], data.weights, None), "reml")[0]
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(size=(T, T)) * 0.02
        near = fit.sigma + step + step.T
        assert dense_log_likelihood(data, dense_sigma(data, [near], data.weights, None), "reml")[0] < best


def test_both_ways_to_the_information_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many patterns take the Hessian parameter by parameter, few take it from pairs of visits."""
    data = small()
    for covariance in ("us", "toeph"):
        model = model_of(data, covariance, "reml")
        point = evaluate(model, model.structure.start(np.diag([1.0, 1.5, 2.0, 1.2]) + 0.3))
        assert point is not None
        here = slope(model, point)
        found = []
        for pairs in (True, False):
            monkeypatch.setattr(mmrm_likelihood, "_cheaper_by_pairs", lambda *_, pairs=pairs: pairs)
            found.append(information(model, point, here))
        assert np.allclose(found[0].hessian, found[1].hessian, rtol=1e-9, atol=1e-9)
        assert np.allclose(found[0].P, found[1].P, rtol=1e-9, atol=1e-11)


FINGERPRINT = """
import hashlib, sys
sys.path.insert(0, {here!r})
from mmrm_cases import trial_case
fit = trial_case("als-ref-1", "nfl", "overall").fit()
print(hashlib.sha256(fit.theta.tobytes() + fit.beta.tobytes() + fit.vcov.tobytes()).hexdigest())
"""


def test_thread_settings_change_no_bit() -> None:
    """The same fit in processes that allow BLAS one and two threads, and in two threads of one process."""
    script = FINGERPRINT.format(here=str(Path(__file__).parent))
    seen = set()
    for threads in ("1", "2"):
        settings = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | settings)
        seen.add(done.stdout.strip())
    case = trial_case("als-ref-1", "nfl", "overall")
    with ThreadPoolExecutor(2) as pool:
        fits = [future.result() for future in [pool.submit(case.fit) for _ in range(4)]]
    for fit in fits:
        seen.add(hashlib.sha256(fit.theta.tobytes() + fit.beta.tobytes() + fit.vcov.tobytes()).hexdigest())
    assert len(seen) == 1


def test_a_shifted_covariate_moves_only_the_intercept() -> None:
    """Large means lose no digits: a baseline in units of a million off is the same model."""
    case = fev_case("FEV1 ~ RACE + SEX + ARMCD * AVISIT + FEV1_BL")
    X = case.design.X.copy()
    j = case.design.names.index("FEV1_BL")
    X[:, j] += 1e6
    one, far = case.fit(), fit_mmrm(case.y, X, case.subject, case.visit, n_visits=4)
    others = [k for k in range(X.shape[1]) if k > 0]
    assert np.allclose(far.beta[others], one.beta[others], rtol=1e-6, atol=1e-8)
    assert np.allclose(far.contrast(np.eye(X.shape[1])[others]).se, one.contrast(np.eye(X.shape[1])[others]).se, rtol=1e-6)
    assert far.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-5)
