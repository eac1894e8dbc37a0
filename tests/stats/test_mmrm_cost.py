"""What a fit costs, counted rather than timed: it grows with the patterns of observed visits, not with the subjects."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mmrm_cases import trial_case

from alsbench.stats import mmrm_likelihood
from alsbench.stats.design import Covariate, Design, Factor, build_design
from alsbench.stats.mmrm import MMRMFit, fit_mmrm


def monotone(n: int, T: int = 8) -> tuple[Any, Design, Any, Any]:
    """Three arms with monotone dropout: T patterns whatever the number of subjects."""
    rng = np.random.default_rng(11)
    arm, base = rng.integers(0, 3, n), rng.normal(38, 5, n)
    last = np.where(np.arange(n) < T, np.arange(n), np.minimum(rng.geometric(0.05, n), T - 1))
    Y = rng.normal(0, 1, (n, 1)) + rng.normal(0, 1, (n, T)).cumsum(axis=1)
    i, v = np.nonzero(np.arange(T)[None, :] <= last[:, None])
    variables = [
        Factor("ARM", arm[i], ("P", "A", "B")),
        Factor("V", v, tuple(f"{k}" for k in range(T))),
        Covariate("BASE", base[i]),
    ]
    return Y[i, v], build_design(variables, [("ARM",), ("V",), ("BASE",), ("ARM", "V"), ("V", "BASE")]), i, v


def count_calls(data: tuple[Any, Design, Any, Any]) -> tuple[int, MMRMFit]:
    """Python functions entered during one fit."""
    calls = 0

    def see(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    y, design, subject, visit = data
    fit_mmrm(y, design, subject, visit, n_visits=8)
    sys.setprofile(see)
    try:
        fit = fit_mmrm(y, design, subject, visit, n_visits=8)
    finally:
        sys.setprofile(None)
    return calls, fit


def test_no_python_work_per_subject() -> None:
    few, small = count_calls(monotone(150))
    many, large = count_calls(monotone(3000))
    assert small.n_subjects == 150 and large.n_subjects == 3000
    assert small.n_patterns == large.n_patterns == 8
    assert many / (large.iterations + 5) < 1.25 * few / (small.iterations + 5)


@pytest.mark.parametrize("endpoint", ["alsfrs", "svc", "nfl"])
@pytest.mark.parametrize("trial", ["als-ref-1", "als-ref-2"])
def test_few_steps_and_one_exact_information(trial: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    formed = 0
    original = mmrm_likelihood.information

    def counted(*arguments: Any) -> Any:
        nonlocal formed
        formed += 1
        return original(*arguments)

    monkeypatch.setattr(mmrm_likelihood, "information", counted)
    fit = trial_case(trial, endpoint, "overall").fit()
    assert fit.iterations <= 20
    assert formed == 1
    assert fit.n_patterns < fit.n_subjects / 3


def test_memory_does_not_hold_the_model_matrix_many_times_over() -> None:
    data = monotone(4000)
    tracemalloc.start()
    fit_mmrm(data[0], data[1], data[2], data[3], n_visits=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * data[1].X.nbytes
