"""Quade and Koch rank analyses of covariance, and the rank tests they rest on, against R (coin 1.4.2) and by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from alsbench.stats.design import Covariate
from alsbench.stats.errors import StatsError
from alsbench.stats.rank_ancova import quade, rank_ancova
from alsbench.stats.ranks import kruskal_wallis, mid_ranks, wilcoxon

sys.path.insert(0, str(Path(__file__).parent))
from trial_data import REFERENCE, expected, fev_model, files, trial_model

ANCOVA_FILES = files("als-ref-*/expected/ancova_*.json")
FEV = REFERENCE / "public/expected/ancova_fev_vis4.json"


@pytest.mark.parametrize("path", [*ANCOVA_FILES, FEV], ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_quade_agrees_with_r(path: Path) -> None:
    y, (arm, *covariates) = fev_model() if path == FEV else trial_model(path)
    ours, theirs = quade(y, arm.codes, covariates), expected(path)["quade"]
    assert (ours.df1, ours.df2) == (theirs["df1"], theirs["df2"])
    assert [ours.f, ours.p] == pytest.approx([theirs["f"], theirs["p"]], rel=1e-8)


@pytest.mark.parametrize("path", [*ANCOVA_FILES, FEV], ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_koch_agrees_with_r(path: Path) -> None:
    """The FEV file is stratified by sex; only the numeric covariates enter."""
    y, (arm, *covariates) = fev_model() if path == FEV else trial_model(path)
    numeric = [v for v in covariates if isinstance(v, Covariate)]
    ours = rank_ancova(y, arm.codes, numeric, strata=fev_sex() if path == FEV else None)
    theirs = expected(path)["koch_rank_ancova"]
    for row in (theirs["overall"], *theirs["vs_ref"].values()):
        assert ours.df == row["df"]
        assert [ours.statistic, ours.p] == pytest.approx([row["statistic"], row["p"]], rel=1e-8)


def fev_sex() -> np.ndarray:
    import pandas as pd

    rows = pd.read_csv(REFERENCE / "public/fev_data.csv")
    return (rows[(rows.AVISIT == "VIS4") & rows.FEV1.notna()].SEX == "Male").to_numpy().astype(int)


def test_mid_ranks_by_hand() -> None:
    assert mid_ranks([3, 1, 3, 2, 3]).tolist() == [4, 1, 4, 2, 4]
    assert mid_ranks([]).size == 0
    with pytest.raises(StatsError, match="missing"):
        mid_ranks([1.0, np.nan])


def test_wilcoxon_by_hand() -> None:
    """Treated 1, 3 against 2, 4: ranks 1 + 3 = 4, W = 4 - 3 = 1; Var = 2*2/(4*3) * (2.25 + .25 + .25 + 2.25) = 5/3;
    z = (1 - 2) / sqrt(5/3)."""
    test = wilcoxon([1, 2, 3, 4], [True, False, True, False])
    assert test.statistic == 1
    assert test.z == pytest.approx(-1 / np.sqrt(5 / 3))
    assert kruskal_wallis([1, 2, 3, 4], [1, 0, 1, 0]).statistic == pytest.approx(test.z**2)


def test_kruskal_wallis_by_hand() -> None:
    """Groups {1, 2}, {3, 4}, {5, 6}: H = 12/(6*7) * (3^2/2 + 7^2/2 + 11^2/2) - 3*7 = 32/7, two degrees of freedom."""
    test = kruskal_wallis([1, 2, 3, 4, 5, 6], [0, 0, 1, 1, 2, 2])
    assert (test.statistic, test.df) == (pytest.approx(32 / 7), 2)
    assert test.p == pytest.approx(np.exp(-16 / 7))


def test_without_covariates_koch_is_wilcoxon() -> None:
    y, arm = np.array([3.0, 1, 4, 1, 5, 9, 2, 6]), np.arange(8) % 2 == 0
    assert rank_ancova(y, arm, []).statistic == pytest.approx(wilcoxon(y, arm).z ** 2)


def test_nothing_to_compare() -> None:
    same = np.full(6, 2.0)
    arm = np.arange(6) % 2
    assert np.isnan(wilcoxon(same, arm == 1).p) and np.isnan(kruskal_wallis(same, arm).p)
    assert np.isnan(rank_ancova(same, arm, []).p) and np.isnan(quade(same, arm, []).p)
    with pytest.raises(StatsError):
        wilcoxon(same, np.ones(6, dtype=bool))
    with pytest.raises(StatsError):
        kruskal_wallis(same, np.zeros(6))
    with pytest.raises(StatsError):
        quade(same, np.zeros(6), [])
