"""Tables of least-squares means and type 3 hypotheses: identities and hand-written rows; R's numbers are in test_mmrm_*."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mmrm_cases import fev_case

from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.lsmeans import ls_differences, ls_means, type3_rows

A = Factor("A", np.arange(12) % 3, ("a", "b", "c"))
B = Factor("B", np.arange(12) // 6, ("x", "y"))
Z = Covariate("Z", np.arange(12.0) ** 2)


def test_type_3_rows_by_hand() -> None:
    """A and B crossed, Z crossed with B: sum-to-zero effects, averaged over the other factor; Z inside B:Z stands at zero."""
    design = build_design([A, B, Z], [("A",), ("B",), ("Z",), ("A", "B"), ("B", "Z")])
    assert design.names == ("(Intercept)", "Ab", "Ac", "By", "Z", "Ab:By", "Ac:By", "By:Z")
    third = 1 / 3
    assert np.allclose(
        type3_rows(design, ("A",)),
        [[0, -third, -third, 0, 0, -third / 2, -third / 2, 0], [0, 1 - third, -third, 0, 0, (1 - third) / 2, -third / 2, 0]],
    )
    assert np.allclose(type3_rows(design, ("B",)), [[0, 0, 0, -0.5, 0, -third / 2, -third / 2, 0]])
    assert np.allclose(type3_rows(design, ("Z",)), [[0, 0, 0, 0, 1, 0, 0, 0.5]])
    assert np.allclose(type3_rows(design, ("B", "Z")), [[0, 0, 0, 0, 0, 0, 0, -0.5]])
    with pytest.raises(StatsError, match="no term A:Z"):
        type3_rows(design, ("A", "Z"))


def test_differences_are_differences_of_means() -> None:
    case = fev_case()
    fit = case.fit(df="satterthwaite")
    means = ls_means(fit, case.design, ("ARMCD", "AVISIT"))
    assert means.labels[0] == ("PBO", "VIS1") and means.labels[-1] == ("TRT", "VIS4")
    found = ls_differences(fit, case.design, "ARMCD", by=("AVISIT",))
    assert found.labels[0] == ("TRT", "PBO", "VIS1") and found.errors == (None,) * 4
    assert np.allclose(found.values.estimate, means.values.estimate[4:] - means.values.estimate[:4])
    turned = ls_differences(fit, case.design, "ARMCD", by=("AVISIT",), reference="TRT").values
    assert np.allclose(turned.estimate, -found.values.estimate) and np.allclose(turned.p, found.values.p)
    with pytest.raises(StatsError, match="no level 'X'"):
        ls_differences(fit, case.design, "ARMCD", reference="X")


def test_covariates_can_be_set_and_levels_of_confidence_chosen() -> None:
    case = fev_case("FEV1 ~ RACE + SEX + ARMCD * AVISIT + FEV1_BL")
    fit = case.fit()
    at = ls_means(fit, case.design, ("ARMCD",), at={"FEV1_BL": 30.0}).values
    mean = ls_means(fit, case.design, ("ARMCD",)).values
    slope = fit.beta[case.design.names.index("FEV1_BL")]
    shift = case.frame.FEV1_BL.mean() - 30.0
    assert np.allclose(mean.estimate - at.estimate, slope * shift)
    wide = ls_means(fit, case.design, ("ARMCD",), level=0.99).values
    assert np.all(wide.high - wide.low > mean.high - mean.low)
