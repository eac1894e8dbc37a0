"""Data an MMRM cannot be fitted to, or only in part: a named error, a recorded fallback or an aliased coefficient, never
a wrong number, a hang or a RuntimeWarning."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alsbench.stats.covariance import COVARIANCES
from alsbench.stats.design import Covariate, Design, Factor, build_design
from alsbench.stats.errors import NotConverged, NotEstimable, StatsError
from alsbench.stats.lsmeans import ls_differences, ls_means, type3_rows, type3_tests
from alsbench.stats.mmrm import fit_mmrm

pytestmark = pytest.mark.filterwarnings("error")
Change = Callable[[np.ndarray, np.ndarray], None]


def trial(n: int, T: int, seen: Change | None = None, *, extra: bool = False) -> tuple[Any, Design, Any, Any, int]:
    """Two arms, T visits, a baseline; ``seen(mask, arm)`` takes visits away."""
    rng = np.random.default_rng(20)
    arm, base = np.arange(n) % 2, rng.normal(40, 4, n)
    y = rng.normal(0, 1, (n, 1)) + rng.normal(0, 1, (n, T)) + np.arange(T)
    mask = np.ones((n, T), dtype=bool)
    if seen is not None:
        seen(mask, arm)
    i, v = np.nonzero(mask)
    variables = [
        Factor("ARM", arm[i], ("P", "A")),
        Factor("VISIT", v, tuple(f"V{k}" for k in range(T))),
        Covariate("BASE", base[i]),
    ]
    terms = [("ARM",), ("VISIT",), ("BASE",), ("ARM", "VISIT")]
    if extra:
        variables.append(Covariate("TWICE", 2 * base[i] + 1))
        terms.append(("TWICE",))
    return y[i, v], build_design(variables, terms), i, v, T


def fit(data: tuple[Any, Design, Any, Any, int], **options: Any) -> Any:
    y, design, subject, visit, T = data
    return fit_mmrm(y, design, subject, visit, n_visits=T, **options)


def test_a_visit_with_one_subject_falls_back_and_aliases() -> None:
    def one(mask: np.ndarray, arm: np.ndarray) -> None:
        mask[1:, 2] = False

    data = trial(40, 4, one)
    found = fit(data)
    assert [a.covariance for a in found.attempts][:2] == ["us", "toeph"]
    assert not found.attempts[0].converged and "singular" in found.attempts[0].reason
    assert "visit 3 has 1 rows for 1 coefficients" in found.attempts[0].reason
    assert found.attempts[-1].converged and found.attempts[-1].covariance == found.covariance
    assert found.aliased.sum() == 1 and math.isnan(found.beta[found.aliased][0])
    means = ls_means(found, data[1], ("ARM", "VISIT"))
    gone = {label for label, error in zip(means.labels, means.errors, strict=True) if error}
    assert gone == {("A", "V2")}
    with pytest.raises(NotConverged, match=r"us: .*singular"):
        fit(data, fallback=False)


def test_an_arm_missing_at_a_visit_is_reported_and_the_rest_estimated() -> None:
    def none(mask: np.ndarray, arm: np.ndarray) -> None:
        mask[arm == 1, 2] = False

    data = trial(40, 4, none)
    found = fit(data)
    assert found.covariance == "us"
    assert [n for n, a in zip(found.names, found.aliased, strict=True) if a] == ["ARMA:VISITV2"]
    table = ls_differences(found, data[1], "ARM", by=("VISIT",))
    assert [label[2] for label, error in zip(table.labels, table.errors, strict=True) if error] == ["V2"]
    assert "not estimable" in str(table.errors[2])
    assert np.isnan(table.values.estimate[2]) and np.all(np.isfinite(np.delete(table.values.estimate, 2)))
    row = np.zeros(found.aliased.size)
    row[found.aliased] = 1.0
    with pytest.raises(NotEstimable, match="ARMA:VISITV2"):
        found.contrast(row)
    tests = type3_tests(found, data[1])
    assert tests["ARM", "VISIT"].num_df == 2


def test_aliased_columns_do_not_move_what_is_estimable() -> None:
    plain, twice = trial(40, 3), trial(40, 3, extra=True)
    one, two = fit(plain), fit(twice)
    assert two.aliased.sum() == 1 and np.isnan(two.vcov[two.aliased]).all()
    assert np.allclose(one.beta, two.beta[~two.aliased], rtol=1e-10)
    a = ls_means(one, plain[1], ("ARM", "VISIT")).values
    b = ls_means(two, twice[1], ("ARM", "VISIT")).values
    assert np.allclose(a.estimate, b.estimate) and np.allclose(a.se, b.se) and np.allclose(a.df, b.df)
    assert np.isnan(two.coefficients().estimate[two.aliased]).all()


@pytest.mark.parametrize("value", [0.0, 3.0, 1e15])
def test_a_constant_response_has_no_variance(value: float) -> None:
    y, design, subject, visit, T = trial(40, 4)
    with pytest.raises(StatsError, match="does not vary"):
        fit((np.full(y.shape, value), design, subject, visit, T))


def test_a_response_the_model_explains_wholly_has_no_variance() -> None:
    _, design, subject, visit, T = trial(40, 4)
    with pytest.raises(StatsError, match="does not vary"):
        fit((design.X @ np.arange(design.X.shape[1]), design, subject, visit, T))


def test_a_visit_of_constant_values_leaves_no_heterogeneous_structure() -> None:
    y, design, subject, visit, T = trial(40, 4)
    found = fit((np.where(visit == 2, 3.0, y), design, subject, visit, T))
    assert found.covariance in ("ar1", "cs")
    assert [a.converged for a in found.attempts[:-1]] == [False] * (len(found.attempts) - 1)


def test_visits_never_seen_together_say_so() -> None:
    def apart(mask: np.ndarray, arm: np.ndarray) -> None:
        mask[:20, 2] = False
        mask[20:, 1] = False

    found = fit(trial(40, 4, apart))
    assert found.attempts[0].reason == "visits 2 and 3 are never observed in the same subject"
    assert found.covariance == "toeph"


def test_one_visit_per_subject_determines_no_correlation() -> None:
    def single(mask: np.ndarray, arm: np.ndarray) -> None:
        mask[:] = False
        mask[np.arange(60), (np.arange(60) // 2) % 4] = True

    with pytest.raises(NotConverged, match=r"no covariance structure could be fitted: us: .* cs: "):
        fit(trial(60, 4, single))


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_a_single_visit_is_an_analysis_of_covariance(covariance: str) -> None:
    y, design, subject, visit, _ = trial(30, 1)
    design = build_design([v for v in design.variables if v.name != "VISIT"], [("ARM",), ("BASE",)])
    found = fit((y, design, subject, visit, 1), covariance=covariance)
    b, rss, *_ = np.linalg.lstsq(design.X, y, rcond=None)
    variance = float(rss[0]) / (30 - 3)
    assert np.allclose(found.beta, b) and found.sigma[0, 0] == pytest.approx(variance, rel=1e-9)
    table = found.coefficients()
    assert np.allclose(table.df, 27.0)
    assert np.allclose(table.se, np.sqrt(variance * np.diag(np.linalg.inv(design.X.T @ design.X))))


def test_three_subjects_give_an_error_or_a_recorded_fallback() -> None:
    with pytest.raises(StatsError, match="do not determine"):
        y, design, subject, visit, T = trial(3, 2)
        crossed = build_design(design.variables, [*design.terms[1:], ("VISIT", "BASE")])
        fit((y, crossed, subject, visit, T))
    found = fit(trial(3, 4))
    assert not found.attempts[0].converged and found.covariance != "us"


@pytest.mark.parametrize("seed", range(12))
def test_few_subjects_and_many_gaps_end_in_a_fit_or_a_named_error(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def gaps(mask: np.ndarray, arm: np.ndarray) -> None:
        mask &= rng.random(mask.shape) > 0.35
        mask[:, 0] |= ~mask.any(axis=1)

    data = trial(int(rng.integers(6, 16)), int(rng.integers(2, 7)), gaps)
    y = data[0] * np.exp(rng.normal(0, 2, data[4]))[data[3]]
    try:
        found = fit((y, *data[1:]))
    except StatsError:
        return
    assert found.gradient < 1e-6
    assert np.all(np.linalg.eigvalsh(found.sigma) > 0)
    assert np.all(np.isfinite(found.contrast(np.eye(found.beta.size)[~found.aliased]).se)) or found.aliased.any()


def test_wrong_input_is_named() -> None:
    y, design, subject, visit, T = trial(20, 3)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"y": np.append(y[1:], np.nan)}, "missing or infinite"),
        ({"y": y[1:]}, "the response has"),
        ({"visit": visit + 1}, "whole numbers from 0"),
        ({"visit": visit * 0}, "no observations at visit 2, 3"),
        ({"subject": subject * 0}, "subject 0 has more than one row at visit 1"),
        ({"covariance": "banded"}, "unknown covariance structure 'banded'"),
        ({"df": "residual"}, "unknown df"),
        ({"method": "map"}, "unknown method"),
        ({"method": "ml"}, "Kenward-Roger needs REML"),
        ({"df": "kenward-roger-mmrm"}, "not offered"),
        ({"weights": -np.ones(y.size)}, "weights must be positive"),
        ({"group": visit}, "more than one covariance group"),
    ]
    for change, message in cases:
        given = {"y": y, "X": design, "subject": subject, "visit": visit, "n_visits": T} | change
        with pytest.raises(StatsError, match=message):
            fit_mmrm(**given)
    with pytest.raises(StatsError, match="no rows"):
        fit_mmrm([], np.zeros((0, 2)), [], [], n_visits=1)
    with pytest.raises(StatsError, match="a contrast has 2 entries"):
        fit((y, design, subject, visit, T)).contrast([[1.0, 0.0]])


@pytest.mark.parametrize("covariance", ["cs", "ar1"])
def test_f_of_one_contrast_is_the_square_of_its_t(covariance: Any) -> None:
    """Kenward and Roger (1997), section 4, with one contrast: E = 1/(1 - A), V = 2 (1 - A/2) / ((1 - A)^2 (1 - 2A)), so that
    the scale is 1 and the denominator degrees of freedom are 2/A, those of t. Few subjects leave so few of them (below 4) that
    F has no variance; the algebra and the t-test do not mind."""
    data = trial(5, 2)
    found = fit(data, covariance=covariance, df="kenward-roger")
    (line, test) = (of(type3_rows(data[1], ("BASE",))) for of in (found.contrast, found.joint_test))
    assert found.covariance == covariance and line.df[0] < 4
    assert (test.num_df, test.den_df) == (1, pytest.approx(line.df[0], rel=1e-9))
    assert test.f == pytest.approx(line.t[0] ** 2, rel=1e-9) and test.p == pytest.approx(line.p[0], abs=1e-12)
