"""Formulas: what they may say, in which codings the answers are the same, and that no text of a user's is run."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alsbench as als
from alsbench.models.formula import read_formula
from alsbench.stats.lsmeans import type3_rows

sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))
from mmrm_cases import fev_case

FEV = Path(__file__).parents[1] / "reference/public/fev_data.csv"


def fit(formula: str, **changes: Any) -> als.MMRMResults:
    frame = pd.read_csv(FEV).assign(**changes)
    return als.mmrm(formula, frame, subject="USUBJID", visit="AVISIT", df_method="satterthwaite", covariance="cs")


@pytest.fixture(scope="module")
def plain() -> als.MMRMResults:
    return fit("FEV1 ~ RACE + SEX + ARMCD * AVISIT + FEV1_BL * AVISIT")


ATTACKS = [
    "eval(FEV1_BL)",
    "exec(FEV1_BL)",
    "print(FEV1_BL)",
    "__import__('os').system('touch hacked')",
    "eval('1')",
    "exec('1')",
    "open('hacked', 'w')",
    "log(__import__('os').system('touch hacked'))",
    "I(open('hacked', 'w'))",
    "C(ARMCD, __import__('os'))",
    "C(ARMCD, Treatment(open('hacked', 'w')))",
    "C(ARMCD, levels=[open('hacked', 'w')])",
    "ARMCD.__class__.__mro__",
    "I(ARMCD.__class__.__subclasses__())",
    "(lambda: open('hacked', 'w'))()",
    "[open('hacked', 'w') for x in (1,)]",
    "I([open(x, 'w') for x in ('hacked',)])",
    "{open('hacked', 'w')}",
    "f\"{open('hacked', 'w')}\"",
    "I((x := open('hacked', 'w')))",
    "Q(open('hacked', 'w'))",
    "Q('FEV1_BL', open('hacked', 'w'))",
    "np.log(FEV1_BL)",
    "numpy.lib.npyio.os.system('touch hacked')",
    "patsy.C(ARMCD)",
    "bs(FEV1_BL, df=3)",
    "center(FEV1_BL)",
    "als.mmrm",
    "self",
    "builtins.open('hacked', 'w')",
    "log.__globals__",
    "log(FEV1_BL, out=ARMCD)",
    "I(FEV1_BL if open('hacked', 'w') else 1)",
    "await_(FEV1_BL)",
    "FEV1_BL[open('hacked', 'w')]",
    "'hacked'",
    "I(1)",
    "log(2)",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.usefixtures("plain")  # whatever a fit imports is imported
def test_nothing_of_a_users_is_run(attack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    ran: list[object] = []
    for module, name in ((builtins, "eval"), (builtins, "open"), (os, "system"), (subprocess, "Popen")):
        monkeypatch.setattr(module, name, lambda *a, **k: ran.append(a))
    for formula in (f"FEV1 ~ {attack}", f"{attack} ~ ARMCD", f"FEV1 ~ ARMCD * {attack}"):
        frame = {"FEV1": [1.0, 2.0], "ARMCD": ["a", "b"], "FEV1_BL": [1.0, 2.0]}
        with pytest.raises(als.UsageError) as caught:
            als.mmrm(formula, frame, subject="ARMCD", visit="ARMCD")
        assert caught.value.hint or caught.value.why or "cannot be read" in caught.value.what
    assert not ran and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("", "names no response"),
        ("FEV1", "names no response"),
        ("~ ARMCD", "names no response"),
        ("FEV1 + SEX ~ ARMCD", "more than one response"),
        ("C(FEV1) ~ ARMCD", "the response is a number"),
        ("FEV1 ~ ARMCD +", "cannot be read"),
        ("FEV1 ~ ARMCD ~ SEX", "cannot be read"),
        ("FEV1 ~ (1 | USUBJID)", "(?s)subjects and visits are no part of the formula.*subject="),
        ("FEV1 ~ ARMCD + us(AVISIT | USUBJID)", "subjects and visits are no part"),
        ("FEV1 ~ .", "cannot be read"),
        ("FEV1 ~ FEV1_BL^2", r"(?s)\^ is not read.*\*\*"),
        ("FEV1 ~ np.log(FEV1_BL)", r"(?s)functions of modules.*write log\(\.\.\.\)"),
        ("FEV1 ~ lgo(FEV1_BL)", "(?s)lgo is no function.*did you mean log"),
        ("FEV1 ~ I(FEV1_BL > 40)", "(?s)comparisons are not read.*make a column"),
        ("FEV1 ~ A.B", r"(?s)attributes are not read.*Q\('A\.B'\)"),
        ("FEV1 ~ C(ARMCD + SEX)", "C takes the name of a column"),
        ("FEV1 ~ log(C(ARMCD))", "C stands alone"),
        ("FEV1 ~ C(ARMCD, Trt)", "(?s)the coding is not known.*Treatment"),
        ("FEV1 ~ C(ARMCD, Treatment(base='PBO'))", "cannot stand in a formula"),
        ("FEV1 ~ " + " * ".join(f"X{i}" for i in range(30)), "more than 500 terms"),
        ("FEV1 ~ (" + " + ".join(f"X{i}" for i in range(40)) + ")**20", "more than 500 terms"),
        ("FEV1 ~ " + "log(" * 900 + "SEX" + ")" * 900, "cannot be read|nested"),
        ("FEV1 ~ X" + "X" * 20_000, "the formula has 20,0.. characters"),
        (3, "a formula is a text, not int"),
    ],
)
def test_what_is_no_formula(formula: Any, says: str) -> None:
    with pytest.raises(als.UsageError, match=says):
        als.mmrm(formula, {"FEV1": [1.0], "SEX": ["F"]}, subject="SEX", visit="SEX")


def test_a_formula_is_read_into_terms() -> None:
    read = read_formula("log(AVAL / BASE) ~ ARM * C(VISIT) + I(AGE**2 - 1) + Q('BL FEV')")
    assert read.columns == ("AVAL", "BASE", "ARM", "VISIT", "AGE", "BL FEV")
    assert [":".join(f.code for f in t) for t in read.terms] == [
        "",
        "ARM",
        "C(VISIT)",
        "ARM:C(VISIT)",
        "I(AGE ** 2 - 1)",
        "Q('BL FEV')",
    ]


SAME = {
    "a reference": "FEV1 ~ RACE + SEX + C(ARMCD, Treatment('TRT')) * AVISIT + FEV1_BL * AVISIT",
    "sums to zero": "FEV1 ~ C(RACE, Sum) + C(SEX, Sum) + C(ARMCD, Sum) * C(AVISIT, Sum) + FEV1_BL * C(AVISIT, Sum)",
    "polynomials, Helmert": "FEV1 ~ C(RACE, Helmert) + SEX + ARMCD * C(AVISIT, Poly) + FEV1_BL * C(AVISIT, Poly)",
    "levels": "FEV1 ~ RACE + SEX + C(ARMCD, levels=['TRT', 'PBO']) * AVISIT + FEV1_BL * AVISIT",
    "centred and stretched": "FEV1 ~ RACE + SEX + ARMCD * AVISIT + I(FEV1_BL * 10) * AVISIT",
    "without margins": "FEV1 ~ RACE + SEX + ARMCD:AVISIT + FEV1_BL:AVISIT",
    "without an intercept": "FEV1 ~ 0 + ARMCD:AVISIT + RACE + SEX + FEV1_BL:AVISIT",
    "written out": "FEV1 ~ AVISIT + FEV1_BL + ARMCD + SEX + RACE + AVISIT:FEV1_BL + AVISIT:ARMCD",
}


@pytest.mark.parametrize("coding", SAME)
def test_means_contrasts_and_likelihood_do_not_depend_on_the_coding(coding: str, plain: als.MMRMResults) -> None:
    m = fit(SAME[coding])
    if coding in ("a reference", "levels", "without margins", "without an intercept", "written out"):
        assert m.llf == pytest.approx(plain.llf, abs=1e-8)  # REML's determinant knows the coding of the others
    for weights in ("equal", "proportional"):
        options: dict[str, Any] = {"weights": weights, "at": {"FEV1_BL": 41.5}}
        assert np.allclose(m.ls_means("ARMCD", "AVISIT", **options), plain.ls_means("ARMCD", "AVISIT", **options), rtol=1e-6)
        found = m.contrasts("ARMCD", "AVISIT", reference="PBO", weights=weights)
        assert np.allclose(found, plain.contrasts("ARMCD", "AVISIT", weights=weights), rtol=1e-6)


def test_a_reference_and_an_order_of_levels() -> None:
    names = {"C(ARMCD, Treatment('TRT'))": "PBO", "C(ARMCD, Treatment(reference='PBO'))": "TRT", "C(ARMCD)": "TRT"}
    names["C(ARMCD, levels=['TRT', 'PBO'])"] = "PBO"
    for factor, other in names.items():
        assert list(fit(f"FEV1 ~ {factor}").params.index) == ["Intercept", f"{factor}[T.{other}]"]
    with pytest.raises(als.UsageError, match="leaves out the level PBO"):
        fit("FEV1 ~ C(ARMCD, levels=['TRT'])")


COMPUTED = {
    "I(-FEV1_BL + 2)": lambda x: -x + 2,
    "I(+FEV1_BL * 3 / 4 - 1)": lambda x: x * 3 / 4 - 1,
    "I(FEV1_BL ** 2)": lambda x: x**2,
    "FEV1_BL ** 1": lambda x: x,
    "abs(FEV1_BL - 40)": lambda x: np.abs(x - 40),
    "exp(FEV1_BL / 10)": lambda x: np.exp(x / 10),
    "expm1(FEV1_BL / 10)": lambda x: np.expm1(x / 10),
    "log(FEV1_BL)": np.log,
    "log2(FEV1_BL)": np.log2,
    "log10(FEV1_BL)": np.log10,
    "log1p(FEV1_BL)": np.log1p,
    "sqrt(FEV1_BL)": np.sqrt,
}


@pytest.mark.parametrize("code", COMPUTED)
def test_functions_are_those_of_numpy(code: str) -> None:
    frame = pd.read_csv(FEV)
    m, wanted = fit(f"FEV1 ~ {code}"), fit("FEV1 ~ X", X=COMPUTED[code](frame.FEV1_BL))
    assert m.params.to_list() == wanted.params.to_list() and m.llf == wanted.llf


@pytest.mark.parametrize("coding", ["sums to zero", "polynomials, Helmert", "levels", "written out"])
def test_type_3_tests_do_not_depend_on_the_coding(coding: str, plain: als.MMRMResults) -> None:
    found, wanted = fit(SAME[coding]).anova(), plain.anova()
    assert np.allclose(np.sort(found.F), np.sort(wanted.F), rtol=1e-6)
    assert np.allclose(np.sort(found.den_df), np.sort(wanted.den_df), rtol=1e-5)


def test_type_3_rows_are_those_of_the_statistics_room(plain: als.MMRMResults) -> None:
    """The same hypotheses as stats.lsmeans (held against R's car) makes from its own coding of the same model."""
    design = fev_case("FEV1 ~ RACE + SEX + ARMCD * AVISIT + FEV1_BL * AVISIT").design
    ours = plain._design
    names = [n.replace("[T.", "").replace("]", "").replace("Intercept", "(Intercept)") for n in ours.names]
    order = [names.index(n if n in names else ":".join(reversed(n.split(":")))) for n in design.names]
    for term in design.terms[1:]:
        other = ours.term(":".join(term))
        assert np.allclose(ours.type3(other)[:, order], type3_rows(design, term), atol=1e-12), term


@pytest.mark.parametrize("coding", ["without margins", "without an intercept"])
def test_a_test_that_is_not_settled_is_refused(coding: str) -> None:
    m = fit(SAME[coding])
    with pytest.raises(als.UsageError, match="type 3 tests"):
        m.anova()
    with pytest.raises(als.UsageError, match="type 3 tests need an intercept"):
        fit("FEV1 ~ 0 + RACE").test("RACE")
    L = np.zeros((1, len(m.params)))
    L[0, list(m.params.index).index("SEX[T.Male]")] = 1.0
    assert m.test(L).p == pytest.approx(m.pvalues["SEX[T.Male]"], rel=1e-9)


def test_a_function_of_a_covariate_stands_at_the_covariates_mean_as_in_emmeans() -> None:
    m = fit("FEV1 ~ ARMCD * AVISIT + log(FEV1_BL)")
    mean = pd.read_csv(FEV).dropna(subset="FEV1").FEV1_BL.mean()
    row = m.ls_means("ARMCD").loc["PBO", "estimate"]
    b = m.params
    visits = b[[f"AVISIT[T.VIS{k}]" for k in (2, 3, 4)]].sum() / 4
    assert row == pytest.approx(b["Intercept"] + visits + b["log(FEV1_BL)"] * np.log(mean), rel=1e-12)


def test_no_model_of_the_mean_but_an_intercept() -> None:
    m = fit("FEV1 ~ 1")
    assert list(m.params.index) == ["Intercept"] and m.anova().empty
    with pytest.raises(als.UsageError, match="the model has no factor ARMCD\nnone is known"):
        m.ls_means("ARMCD")


def test_coefficients_that_the_data_do_not_determine() -> None:
    """Nobody in the second arm was seen at the last visit: its mean there does not exist, and R gives NA too."""
    frame = pd.read_csv(FEV)
    m = fit("FEV1 ~ ARMCD * AVISIT", FEV1=frame.FEV1.mask((frame.ARMCD == "TRT") & (frame.AVISIT == "VIS4")))
    assert np.isnan(m.params["ARMCD[T.TRT]:AVISIT[T.VIS4]"]) and m.params.isna().sum() == 1
    assert any("do not determine ARMCD[T.TRT]:AVISIT[T.VIS4]" in note for note in m.notes)
    means = m.ls_means("ARMCD", by="AVISIT")
    assert means.estimate.isna().tolist() == [False] * 7 + [True] and "not estimable" in means.note.iloc[-1]
    assert m.anova().loc["ARMCD:AVISIT", "num_df"] == 2
    assert m.resid.notna().all()


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda m: m.ls_means("ARM"), "the model has no factor ARM\ndid you mean ARMCD"),
        (lambda m: m.ls_means("FEV1_BL"), r"a covariate of the model, no factor\nC\(FEV1_BL\)"),
        (lambda m: m.ls_means("ARMCD", by="ARMCD"), "each factor is named once"),
        (lambda m: m.ls_means([]), "name a factor"),
        (lambda m: m.ls_means("ARMCD", weights="om"), "unknown weights 'om'"),
        (lambda m: m.ls_means("ARMCD", at={"SEX": 1}), "the model has no covariate SEX\nknown: FEV1_BL"),
        (lambda m: m.ls_means("ARMCD", at={"FEV1_BL": np.nan}), "no finite number"),
        (lambda m: m.ls_means("ARMCD", level=95), "a confidence level lies between 0 and 1, not 95"),
        (lambda m: m.conf_int(2), "a confidence level lies between 0 and 1"),
        (lambda m: m.contrasts("ARMCD", reference="Placebo"), "ARMCD has no level Placebo\ndid you mean PBO.* known: PBO, TRT"),
        (lambda m: m.contrasts("ARMCD", against="all"), "unknown against='all'"),
        (lambda m: m.test("ARM:AVISIT"), "the model has no term ARM:AVISIT\ndid you mean ARMCD:AVISIT"),
        (lambda m: m.test([1.0, 0.0]), "a contrast has 2 entries, the model 15 coefficients"),
        (lambda m: m.test(np.zeros((2, 15))), "the contrasts are all zero, or not finite"),
        (lambda m: m.ls_means("ARMCD", at={"FEV1_BL": "40"}), "FEV1_BL is put at 40, which is no finite number"),
        (lambda m: m.ls_means("ARMCD", level="95"), "a confidence level lies between 0 and 1, not 95"),
        (lambda m: m.anova(type=2), "type 2 tests are not offered\ntype=3"),
    ],
)
def test_questions_that_cannot_be_meant(ask: Any, says: str, plain: als.MMRMResults) -> None:
    with pytest.raises(als.UsageError, match=says):
        ask(plain)


def test_terms_in_any_order_and_by_their_columns(plain: als.MMRMResults) -> None:
    assert plain.test("AVISIT:ARMCD") == plain.test("ARMCD:AVISIT")
    m = fit("FEV1 ~ C(ARMCD, Treatment('TRT')) * AVISIT")
    assert m.test("ARMCD:AVISIT") == m.test("C(ARMCD, Treatment('TRT')):AVISIT")
