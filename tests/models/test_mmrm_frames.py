"""Frames as they come: the same rows in other clothes give the same model; what cannot be meant is said.

The model of mmrm's fev_data that agrees with R (test_mmrm_r) is fitted once, as ``plain``; each frame here holds the same
values in another form, so that its numbers must be the same. Expected messages are this program's own.
"""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import alsbench as als
from alsbench.models.frames import CategoricalColumn

sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))
from mmrm_cases import fev_case

FEV = Path(__file__).parents[1] / "reference/public/fev_data.csv"
MEAN = "FEV1 ~ RACE + SEX + ARMCD * AVISIT + FEV1_BL"


def fit(frame: Any, formula: str = MEAN, **options: Any) -> als.MMRMResults:
    return als.mmrm(formula, frame, **{"subject": "USUBJID", "visit": "AVISIT", **options})


@pytest.fixture(scope="module")
def fev() -> pd.DataFrame:
    return pd.read_csv(FEV)


@pytest.fixture(scope="module")
def plain(fev: pd.DataFrame) -> als.MMRMResults:
    return fit(fev)


def same(a: als.MMRMResults, b: als.MMRMResults) -> None:
    """Log-likelihood, coefficients and their errors and df, in whatever order and by whatever names of levels."""
    assert a.llf == pytest.approx(b.llf, abs=1e-9)
    for name in ("params", "bse", "df"):
        assert np.allclose(np.sort(getattr(a, name)), np.sort(getattr(b, name)), rtol=1e-8, atol=1e-10), name
    found, wanted = (m.contrasts("ARMCD", by="AVISIT").to_numpy() for m in (a, b))
    assert np.allclose(found, wanted, rtol=1e-7, atol=1e-10)


def with_a_category_nobody_has(f: pd.DataFrame) -> pd.DataFrame:
    races = pd.Categorical(f.RACE, [*sorted(f.RACE.unique()), "Nobody"])
    return f.assign(RACE=races, AVISIT=pd.Categorical(f.AVISIT, ["VIS0", "VIS1", "VIS2", "VIS2B", "VIS3", "VIS4"]))


def object_numbers(f: pd.DataFrame) -> pd.DataFrame:
    numbers = [None if np.isnan(x) else Decimal(repr(x)) for x in f.FEV1]
    return f.assign(FEV1=pd.Series(numbers, dtype=object), FEV1_BL=f.FEV1_BL.astype(object))


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "ordered categories": lambda f: f.assign(AVISIT=pd.Categorical(f.AVISIT, ordered=True), SEX=f.SEX.astype("category")),
    "a category nobody has": with_a_category_nobody_has,
    "truth values": lambda f: f.assign(SEX=f.SEX == "Male"),
    "nullable truth values": lambda f: f.assign(SEX=(f.SEX == "Male").astype("boolean")),
    "truth values as objects": lambda f: f.assign(SEX=(f.SEX == "Male").astype(object)),
    "an object column of numbers": object_numbers,
    "nullable numbers": lambda f: f.convert_dtypes(),
    "Arrow-backed columns": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
    "object texts": lambda f: f.astype(dict.fromkeys(("AVISIT", "RACE", "SEX", "ARMCD", "USUBJID"), object)),
    "visits as text numbers": lambda f: f.assign(AVISIT=f.AVISIT.map({"VIS1": "2", "VIS2": "9", "VIS3": "10", "VIS4": "100"})),
    "rows in another order": lambda f: f.sample(frac=1, random_state=1),
    "one index label for all rows": lambda f: f.set_axis([0] * len(f)),
    "a MultiIndex": lambda f: f.set_index([f.USUBJID + "x", f.AVISIT + "x"]),
    "subject and visit in the index": lambda f: f.set_index(["USUBJID", "AVISIT"]),
    "numbers for subjects": lambda f: f.assign(USUBJID=f.USUBJID.str[2:].astype(int)),
    "an Arrow table": pa.Table.from_pandas,
    "a mapping": lambda f: {c: f[c].to_numpy() for c in f},
    "columns that are not needed": lambda f: f.assign(WHEN=pd.Timestamp("2024-01-01"), Z=1j, M=[{}] * len(f)),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_values_in_another_form(form: str, fev: pd.DataFrame, plain: als.MMRMResults) -> None:
    frame = FORMS[form](fev)
    before = frame.copy() if isinstance(frame, pd.DataFrame) else None
    same(fit(frame), plain)
    if before is not None:
        pd.testing.assert_frame_equal(frame, before)


def test_a_polars_frame(fev: pd.DataFrame, plain: als.MMRMResults) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({c: fev[c].to_list() for c in fev})
    same(fit(frame), plain)
    with pytest.raises(als.UsageError, match=r"collect\(\)\.to_pandas\(\)"):
        fit(frame.lazy())


@pytest.mark.parametrize("data", [None, 3, "data.csv", [1, 2], np.zeros((3, 3))])
def test_no_frame_names_to_pandas(data: Any) -> None:
    with pytest.raises(als.UsageError, match=r"a pandas DataFrame is needed.*\n.*\.to_pandas\(\)"):
        fit(data)


def test_levels_that_nobody_has_are_said(fev: pd.DataFrame) -> None:
    m = fit(with_a_category_nobody_has(fev))
    assert "RACE: no analysed row has the level Nobody, left out of the model" in m.notes
    assert "AVISIT: no analysed row has the levels VIS0, VIS2B, left out of the model" in m.notes
    assert m.visits == ("VIS1", "VIS2", "VIS3", "VIS4")
    assert "Nobody" not in str(m.ls_means("RACE").index)


def test_codes_of_the_levels_that_are_left() -> None:
    """Missing stays missing when levels go: by hand."""
    column = CategoricalColumn("X", np.array([-1, 2, 0, 2]), ("a", "b", "c"), "texts")
    assert (column.observed().codes.tolist(), column.observed().levels) == ([-1, 1, 0, 1], ("a", "c"))


@pytest.mark.parametrize("form", ["visits as text numbers", "ordered categories"])
def test_the_order_of_visits(form: str, fev: pd.DataFrame, plain: als.MMRMResults) -> None:
    """ar1h depends on the order in time; text would put 10 and 100 before 2."""
    m = fit(FORMS[form](fev), covariance="ar1h")
    assert m.llf == pytest.approx(fit(fev, covariance="ar1h").llf, abs=1e-9)
    assert list(m.visit_covariance.index) == list(m.visits) == list(m.visit_covariance.columns)
    said = "visits in the order of the numbers they are: 2, 9, 10, 100"
    assert (said in m.notes) == (form == "visits as text numbers")
    assert "visits in the order of the numbers in their texts: VIS1, VIS2, VIS3, VIS4" in plain.notes


@pytest.mark.parametrize("covariance", ["ar1h", "toeph", "adh", "us"])
def test_visits_named_by_months_stand_in_time(fev: pd.DataFrame, covariance: str) -> None:
    """Sorted as texts Month 10 and 12 would stand before Month 2, and neighbours in time would not be neighbours."""
    named = {"VIS1": "Month 2", "VIS2": "Month 9", "VIS3": "Month 10", "VIS4": "Month 12.5"}
    m = fit(fev.assign(AVISIT=fev.AVISIT.map(named)), covariance=covariance)
    assert m.visits == tuple(named.values())
    assert m.llf == pytest.approx(fit(fev, covariance=covariance).llf, abs=1e-9)


@pytest.mark.parametrize("names", [("first", "second", "third", "fourth"), ("Day 1", "Week 1", "Week 4", "Month 3")])
def test_an_order_in_time_that_no_text_tells_is_not_guessed(fev: pd.DataFrame, names: tuple[str, ...]) -> None:
    frame = fev.assign(AVISIT=fev.AVISIT.map(dict(zip(("VIS1", "VIS2", "VIS3", "VIS4"), names, strict=True))))
    for covariance in ("toep", "toeph", "ar1", "ar1h", "ad", "adh"):
        with pytest.raises(als.UsageError, match="needs the order of the visits in time") as said:
            fit(frame, covariance=covariance)
        assert "pd.Categorical" in str(said.value.hint)
    with pytest.raises(als.UsageError, match="needs the order"):
        fit(frame, covariance="us", fallback=True)
    assert any("order of their texts" in note for note in fit(frame).notes)
    ordered = frame.assign(AVISIT=pd.Categorical(frame.AVISIT, names))
    assert fit(ordered, covariance="ar1h").llf == pytest.approx(fit(fev, covariance="ar1h").llf, abs=1e-9)


def test_categories_decide_the_order_of_visits(fev: pd.DataFrame) -> None:
    turned = fev.assign(AVISIT=pd.Categorical(fev.AVISIT, ["VIS4", "VIS2", "VIS3", "VIS1"]))
    m = fit(turned, covariance="ar1")
    assert m.visits == ("VIS4", "VIS2", "VIS3", "VIS1")
    assert abs(m.llf - fit(fev, covariance="ar1").llf) > 0.1


MISSING = ("FEV1_BL", "SEX", "AVISIT", "USUBJID", "W", "RACE")


def test_missing_values_anywhere_leave_the_row_out_and_are_counted(fev: pd.DataFrame) -> None:
    """R: complete cases of all model variables. The rows are taken out by hand for the second fit."""
    holed = fev.assign(W=fev.WEIGHT)
    seen = np.flatnonzero(fev.FEV1.notna())
    for k, name in enumerate(MISSING):
        holed[name] = holed[name].mask(holed.index.isin(seen[[7 * k, 7 * k + 3]]))
    holed["SEX"] = holed["SEX"].astype("category")
    m = fit(holed, weights="W")
    by_hand = fit(holed.dropna(subset=[*MISSING, "FEV1"]), weights="W")
    assert m.params.equals(by_hand.params) and m.llf == by_hand.llf
    assert "3 subjects have no complete row" in fit(fev).notes
    assert m.nobs == 537 - 12 and by_hand.dropped.sum() == 0
    assert dict(m.dropped) == {"FEV1": 263, "ARMCD": 0, **dict.fromkeys(MISSING, 2)}
    assert m.notes[0].startswith(
        "275 of 800 rows are left out for missing values: FEV1 in 263, RACE in 2, SEX in 2, AVISIT in 2"
    )


def test_every_row_with_a_missing_value_is_an_error_that_counts(fev: pd.DataFrame) -> None:
    with pytest.raises(als.DataError, match=r"no row has a value in every column the model needs\n.*FEV1_BL in 800"):
        fit(fev.assign(FEV1_BL=np.nan))


def test_residuals_stand_on_the_frames_index_in_its_order(fev: pd.DataFrame, plain: als.MMRMResults) -> None:
    shuffled = fev.set_axis([f"row {i}" for i in range(800)]).sample(frac=1, random_state=2)
    m = fit(shuffled)
    analysed = shuffled.index[shuffled.FEV1.notna()]
    assert m.resid.index.equals(analysed) and m.fittedvalues.index.equals(analysed)
    assert np.allclose(m.resid + m.fittedvalues, shuffled.FEV1.dropna(), rtol=1e-14)
    straight = plain.resid.set_axis([f"row {i}" for i in plain.resid.index])
    assert np.allclose(m.resid, straight.loc[analysed], atol=1e-8)
    assert m.resid.reindex(shuffled.index).isna().sum() == 263


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: pd.concat([f, f.iloc[[1]]]), r"subject PT1 \(USUBJID\) has 2 rows at visit VIS2 \(AVISIT\)"),
        (lambda f: f.assign(FEV1=f.FEV1.replace(f.FEV1[1], np.inf)), "FEV1 is infinite in 1 rows"),
        (lambda f: f.assign(SEX="Male"), "SEX has one level Male in the analysed rows"),
        (lambda f: f.iloc[:0], "the frame has no rows"),
        (lambda f: f.iloc[1:6], "rows do not determine"),
        (lambda f: f.assign(W=-1.0), "W is zero or negative in 800 rows"),
    ],
)
def test_data_that_no_model_fits(change: Callable[[pd.DataFrame], pd.DataFrame], says: str, fev: pd.DataFrame) -> None:
    frame = change(fev)
    with pytest.raises(als.DataError, match=says):
        fit(frame, weights="W" if "W" in frame else None)


def test_a_second_row_without_a_response_is_no_second_visit(fev: pd.DataFrame, plain: als.MMRMResults) -> None:
    same(fit(pd.concat([fev, fev.iloc[[1]].assign(FEV1=np.nan)])), plain)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"formula": "FEV ~ ARMCD"}, "there is no column FEV\ndid you mean FEV1"),
        ({"subject": "USUBJD"}, "there is no column USUBJD\ndid you mean USUBJID"),
        ({"visit": "VISIT"}, "there is no column VISIT\ndid you mean"),
        ({"covariance_by": "SX"}, "there is no column SX\ndid you mean SEX"),
        ({"weights": "WEIGTH"}, "there is no column WEIGTH\ndid you mean WEIGHT"),
        ({"weights": [1.0, 2.0]}, "2 weights for 800 rows"),
        ({"covariance": "unstructured"}, "unknown covariance 'unstructured'"),
        ({"covariance": "ar1_h"}, "unknown covariance 'ar1_h'\n.*did you mean ar1h"),
        ({"df_method": "kenward"}, "unknown df_method 'kenward'\n.*did you mean kenward-roger"),
        ({"df_method": "kenward-roger-mmrm"}, "is not offered"),
        ({"reml": False}, 'Kenward-Roger needs REML\n.*df_method="satterthwaite"'),
        ({"formula": "FEV1 ~ ARMCD * VISITN", "visit": "VISITN"}, r"a straight line over time\nwrite C\(VISITN\)"),
        ({"formula": "FEV1 ~ ARMCD * log(SEX)"}, "SEX is a classification, where numbers are needed"),
        ({"formula": "SEX ~ ARMCD"}, "SEX holds text, where numbers are needed\n.*pd.to_numeric"),
        ({"formula": "FEV1 ~ C(VISITN2) * VISITN2"}, "stands in the formula both as"),
    ],
)
def test_what_cannot_be_meant(options: dict[str, Any], says: str, fev: pd.DataFrame) -> None:
    with pytest.raises(als.UsageError, match="(?s)" + says):
        fit(fev, **options)


def test_a_function_that_is_not_finite_leaves_no_row_out_by_itself(fev: pd.DataFrame) -> None:
    bad = int((fev.FEV1_BL[fev.FEV1.notna()] <= 40).sum())
    with pytest.raises(als.DataError, match=rf"log\(FEV1_BL - 40\) is not a finite number in {bad} of 537 rows"):
        fit(fev, "FEV1 ~ ARMCD * log(FEV1_BL - 40)")


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ([1, "a", 2.0, None] * 200, "holds texts and other values, such as int"),
        (pd.Timestamp("2024-01-01"), "holds dates or durations"),
        (1j, "holds complex numbers"),
        ([[1]] * 800, "holds texts and other values, such as list"),
    ],
)
def test_columns_that_are_neither_numbers_nor_classes(column: Any, says: str, fev: pd.DataFrame) -> None:
    with pytest.raises(als.UsageError, match=says):
        fit(fev.assign(X=column), "FEV1 ~ ARMCD + X")


def test_two_columns_of_one_name(fev: pd.DataFrame) -> None:
    with pytest.raises(als.UsageError, match="2 columns are called SEX"):
        fit(pd.concat([fev, fev[["SEX"]]], axis=1))


def test_a_numeric_visit_in_classes_has_a_mean_per_visit(fev: pd.DataFrame, plain: als.MMRMResults) -> None:
    m = fit(fev, "FEV1 ~ RACE + SEX + ARMCD * C(VISITN) + FEV1_BL", visit="VISITN")
    assert m.visits == (1, 2, 3, 4) and m.llf == pytest.approx(plain.llf, abs=1e-9)
    found = m.contrasts("ARMCD", by="VISITN")
    assert np.allclose(found, plain.contrasts("ARMCD", by="AVISIT"), rtol=1e-7)
    assert found.index.get_level_values("VISITN").tolist() == [1, 2, 3, 4]
    assert np.isfinite(found.loc[("TRT - PBO", 4), "difference"])


def test_weights_by_name_or_by_row(fev: pd.DataFrame) -> None:
    named = fit(fev, weights="WEIGHT")
    assert fit(fev, weights=fev.WEIGHT).llf == fit(fev, weights=fev.WEIGHT.to_list()).llf == named.llf
    case = fev_case(MEAN)
    arrays = case.fit(weights=case.frame.WEIGHT.to_numpy())
    assert named.llf == pytest.approx(arrays.log_likelihood, abs=1e-9)
    assert np.allclose(np.sort(named.bse), np.sort(arrays.coefficients().se), rtol=1e-8)
    with pytest.raises(als.UsageError, match="another index"):
        fit(fev, weights=fev.WEIGHT.set_axis(range(1, 801)))


def test_a_covariance_for_each_group(fev: pd.DataFrame) -> None:
    m = fit(fev, covariance_by="SEX", df_method="satterthwaite")
    assert m.visit_covariance.index.names == ["SEX", "AVISIT"]
    assert m.visit_covariance.loc["Male"].shape == (4, 4)
    moved = fev.assign(G=np.where(fev.AVISIT == "VIS2", "a", "b"))
    with pytest.raises(als.DataError, match="is in more than one covariance group"):
        fit(moved, covariance_by="G")


def test_a_covariance_that_cannot_be_fitted_is_an_error_unless_a_simpler_one_is_allowed(fev: pd.DataFrame) -> None:
    # nobody has both the first and the last visit, so neither us nor the third lag of toeph is determined
    apart = fev[~((fev.AVISIT == "VIS1") & fev.USUBJID.isin(fev.USUBJID[(fev.AVISIT == "VIS4") & fev.FEV1.notna()]))]
    with pytest.raises(als.DataError, match=r"(?s)visits 1 and 4 are never observed.*fallback=True"):
        fit(apart)
    m = fit(apart, fallback=True)
    assert (m.converged, m.covariance, [a.covariance for a in m.attempts]) == (False, "ar1h", ["us", "toeph", "ar1h"])
    assert any(note.startswith("covariance us was asked for and ar1h is fitted") for note in m.notes)
    assert "no: us; see notes" in str(m)


def test_texts_that_are_decimal_numbers_are_no_classification_by_accident(fev: pd.DataFrame, plain: als.MMRMResults) -> None:
    texts = fev.assign(FEV1_BL=fev.FEV1_BL.astype(str), WHEN=fev.VISITN.map({1: "0.5", 2: "1", 3: "1.5", 4: "12"}))
    with pytest.raises(als.UsageError, match=r"FEV1_BL holds texts that are numbers\n.*pd.to_numeric"):
        fit(texts)
    m = fit(texts.assign(FEV1_BL=fev.FEV1_BL), "FEV1 ~ RACE + SEX + ARMCD * WHEN + FEV1_BL", visit="WHEN")
    assert m.visits == ("0.5", "1", "1.5", "12") and m.llf == pytest.approx(plain.llf, abs=1e-9)


def test_one_visit_is_an_analysis_of_covariance(fev: pd.DataFrame) -> None:
    """Without a second visit the covariance is a residual variance, and every df is that of the residuals."""
    last = fev[fev.AVISIT == "VIS4"]
    m, a = fit(last, "FEV1 ~ ARMCD + FEV1_BL + RACE"), als.ancova("FEV1 ~ ARMCD + FEV1_BL + RACE", last)
    for name in ("params", "bse", "pvalues", "df"):
        assert np.allclose(getattr(m, name), getattr(a, name), rtol=1e-8), name


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_result_can_be_copied_and_kept(copied: Callable[[Any], Any], plain: als.MMRMResults) -> None:
    again = copied(plain)
    assert again.ls_means("ARMCD", by="AVISIT").equals(plain.ls_means("ARMCD", by="AVISIT"))
    assert again.anova().equals(plain.anova()) and str(again) == str(plain)


def test_a_fit_is_the_same_bits_every_time(fev: pd.DataFrame, plain: als.MMRMResults) -> None:
    again = fit(fev)
    assert again.cov_params().equals(plain.cov_params()) and str(again) == str(plain)
