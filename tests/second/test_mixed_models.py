"""MMRM and random slopes by the second program: agreement with the first, and with R directly.

The expected numbers of the first half are the other program's (METHODS.md states both), within the tolerance of their kind;
those of the second half are R's (tests/reference/README.md: mmrm with emmeans, lme4 with lmerTest and pbkrtest, polished to
the optimum), within METHODS 11.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.second.verifying import TESTS, Both, disagreements, left_out

from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer as first_answer
from alsbench.second.imputation import default_grid
from alsbench.second.numbers import Number
from alsbench.second.program import answer
from alsbench.second.trial import TrialTables, read_tables

Trials = Callable[[str], Both]
LEFT = ["not covered: model iterations", "not covered: model gradient", "not covered: model condition"]


def agrees(trial: Both, endpoint: str, phrase: str = "overall", at_least: int = 0, **options: Any) -> None:
    found = trial.asked(endpoint, phrase, **options)
    assert disagreements(found) == []
    assert left_out(found) == LEFT  # what is meaningless to compare, and nothing else
    assert len(found.compared) >= at_least


@pytest.mark.parametrize(
    ("name", "endpoint", "phrase", "at_least"),
    [("als-ref-1", "alsfrs", "overall", 400), ("als-ref-1", "nfl", "slow", 300), ("als-ref-1", "svc", "not slow", 400),
     ("als-ref-2", "svc", "slow", 250), ("als-ref-2", "nfl", "overall", 250), ("als-ref-2", "alsfrs", "not slow", 250),
     ("sample", "svc", "bulbar", 400)]
    + [(name, "alsfrs_slope", phrase, 45) for name in ("als-ref-1", "sample") for phrase in ("overall", "slow", "not slow")]
    + [("als-ref-2", "alsfrs_slope", "slow", 45)],
)  # fmt: skip
def test_both_programs_agree(both: Trials, name: str, endpoint: str, phrase: str, at_least: int) -> None:
    agrees(both(name), endpoint, phrase, at_least)


@pytest.mark.parametrize("phrase", ["overall", "slow", "not slow"])
@pytest.mark.parametrize("covariance", ["cs", "us", "ar1h"])
def test_a_trial_with_gaps(both: Trials, covariance: str, phrase: str) -> None:
    """The built trial: values missing, an arm of one subject, an arm without anybody outside of slow."""
    agrees(both("built"), "alsfrs", phrase, 180, covariance=covariance)


@pytest.mark.parametrize(
    ("endpoint", "phrase", "options", "structure"),
    [("alsfrs", "slow and nfl_low and older", {}, "ar1"), ("nfl", "slow and nfl_low and older", {}, "ar1"),
     ("alsfrs", "slow and nfl_low and older", {"df": "satterthwaite"}, "ar1"),
     ("nfl", "not slow", {"covariance_by_arm": True}, "ar1h")],
)  # fmt: skip
def test_both_fall_back_to_the_same_structure(
    both: Trials, endpoint: str, phrase: str, options: dict[str, Any], structure: str
) -> None:
    """Eight subjects at twelve visits, or eight of one arm with a covariance of their own: no unstructured covariance."""
    found = both("sample").asked(endpoint, phrase, **options)
    assert disagreements(found) == [] and left_out(found) == LEFT and len(found.compared) > 300
    assert [c.second for c in found.compared if c.row.stat_name == "covariance"] == [structure]


def test_a_visit_that_nobody_of_an_arm_has(both: Trials) -> None:
    """Among eight subjects no one of Group 1 is seen at month 12: there is no LS mean, and what is estimable is tested."""
    found = both("sample").asked("alsfrs", "slow and nfl_low and older", covariance="ar1")
    rows = {(c.row.stat_name, c.row.arm): c.first for c in found.compared if c.row.context == "arm" and visit_of(c.row) == 12}
    assert rows["n", "Group 1"] == 0 and ("ls_mean", "Group 1") not in rows and ("ls_mean", "Placebo") in rows
    assert disagreements(found) == []


def visit_of(row: Any) -> float | None:
    return row.visit if isinstance(row, Number) else row.visit_number


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize("covariance", ["us", "toep", "toeph", "ar1", "ar1h", "cs", "csh", "ad", "adh"])
def test_every_covariance_with_both_degrees_of_freedom(both: Trials, covariance: str, df: str) -> None:
    agrees(both("sample"), "nfl", "slow", 350, covariance=covariance, df=df)


@pytest.mark.parametrize(
    "options",
    [
        {"estimation": "ml", "df": "satterthwaite", "covariance": "toeph"},
        {"covariance_by_arm": True, "covariance": "csh"},
        {"covariance_by_arm": True, "covariance": "ar1", "df": "satterthwaite"},
        {"ls_means": "proportional", "covariates": ["LEADRATE", "ONSETSIT", "RILUFL", "SEX"], "covariance": "cs"},
        {"at": "{BASE=38, LEADRATE=1.0}", "covariance": "cs"},
        {"covariates": ["RILUFL", "DURDIS"], "factors": ["RILUFL"], "covariance": "ar1h"},
        {"covariates": [], "covariance": "ad"},
        {"visits": [4], "covariance": "us"},
        {"visits": [2, 12], "covariance": "us"},
        {"visit_contrasts": '{late={"10"=0.5,"12"=0.5}, bend={"1"=1,"7"=-2,"12"=1}}', "covariance": "cs"},
    ],
    ids=lambda o: ",".join(f"{k}={v}" for k, v in o.items()),
)  # fmt: skip
def test_options_of_an_mmrm(both: Trials, options: dict[str, Any]) -> None:
    agrees(both("sample"), "nfl", "overall", 60, **options)


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
def test_weights_divide_the_variance(both: Trials, df: str) -> None:
    agrees(both("sample"), "alsfrs", "bulbar", 400, weights="AGE", covariance="ar1h", df=df)


def test_the_p_of_the_largest_t_is_held_to_its_integration_error(both: Trials) -> None:
    found = both("sample").asked("nfl", "overall", adjust="max-t", covariance="csh")
    adjusted = [c for c in found.compared if c.row.stat_name == "p_adjusted"]
    assert disagreements(found) == [] and len(adjusted) == 12
    assert max(c.deviation for c in adjusted) < 5e-4


@pytest.mark.parametrize("how", ["mar", "jump-to-reference", "copy-reference", "copy-increments"])
def test_missing_values_imputed_by_conditional_means(both: Trials, how: str) -> None:
    """With the jackknife's standard errors, delta and a grid of them."""
    agrees(both("sample"), "nfl", "slow", 430, imputation=how, covariance="cs", delta=0.1, tipping_deltas=[0, 0.1, 0.2])


def test_the_tipping_point_over_the_default_grid(both: Trials) -> None:
    """In points, in SDs and per month, as the other program has it: one comparison of the sample is significant and tips."""
    found = both("sample").asked("nfl", "slow", imputation="mar", covariance="cs")
    assert disagreements(found) == [] and left_out(found) == LEFT
    tips = {c.row.stat_name: c.second for c in found.compared if c.row.stat_name.startswith("tipping") and c.second is not None}
    assert set(tips) == {"tipping_delta", "tipping_sd", "tipping_per_month"}
    assert all(float(v) > 0 for v in tips.values())  # more neurofilament is worse
    assert sum("delta" in str(c.row.level) for c in found.compared) >= 4 * 12


@pytest.mark.parametrize(
    ("sd", "worse", "step", "steps"),
    [(4.0, -1, 1.0, 12), (4.1, -1, 2.0, 7), (0.5, 1, 0.2, 8), (1.0, 1, 0.5, 6), (16.0, -1, 5.0, 10), (0.0, 1, 1.0, 1)],
)  # fmt: skip
def test_the_default_grid_by_hand(sd: float, worse: float, step: float, steps: int) -> None:
    """Three SDs are 12, 12.3, 1.5, 3, 48; a twelfth of them 1, 1.025, 0.125, 0.25, 4."""
    assert default_grid(worse, sd) == pytest.approx([worse * step * k for k in range(steps + 1)])


@pytest.mark.parametrize(
    "options",
    [
        {"df": "satterthwaite"},
        {"df": "satterthwaite", "estimation": "ml"},
        {"shared_baseline": True},
        {"shared_baseline": True, "df": "satterthwaite"},
        {"visits": [3, 6, 9, 12]},
        {"covariates": ["ONSETSIT", "AGE", "RILUFL"]},
    ],
    ids=lambda o: ",".join(f"{k}={v}" for k, v in o.items()),
)
def test_options_of_random_slopes(both: Trials, options: dict[str, Any]) -> None:
    agrees(both("sample"), "alsfrs_slope", "overall", 45, **options)


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize(
    ("endpoint", "phrase"), [("svc_slope", "overall"), ("nfl_slope", "not slow"), ("nfl_raw_slope", "slow")]
)
def test_slopes_whose_variance_is_nil(both: Trials, endpoint: str, phrase: str, df: str) -> None:
    """Of NfL there is no variance of slopes to be seen: the optimum lies on the boundary, as lme4's does."""
    agrees(both("als-ref-1").with_study(SLOPES, study_of("als-ref-1")), endpoint, phrase, 40, df=df)


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize("phrase", ["slow and bulbar and older", "nfl_low and bulbar and older"])
def test_slopes_whose_variances_are_not_determined_are_nobodys_number(both: Trials, phrase: str, df: str) -> None:
    """Three subjects, three coefficients of their levels: Kenward-Roger would say 1/2000 df, Satterthwaite 23."""
    trial = both("sample")
    found = trial.asked("alsfrs_slope", phrase, df=df)
    assert disagreements(found) == [] and not [c for c in found.compared if c.row.context in ("arm", "contrast", "model")]
    assert left_out(found) == []
    result = first_answer(Question("alsfrs_slope", (phrase,), df=df), trial.source)
    rows = [r for r in result.rows if r.context in ("arm", "contrast") and r.stat_name != "n"]
    assert {r.stat for r in rows} == {None} and {"difference", "se", "p_value"} <= {r.stat_name for r in rows}
    (reason,) = {r.error for r in rows}
    assert reason is not None and "do not determine the variances of intercept, slope and residual: 3 subjects" in reason
    endpoint = trial.source.endpoint("alsfrs_slope").model_copy(update={"df": df})
    cells = evidence_piece(trial.source, endpoint, phrase, trial.source.comparisons(())).cells
    assert [(c.estimate, c.p, c.low, c.high) for c in cells] == [(None, None, None, None)] * 2


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
def test_an_interaction_of_four_subjects_is_none(both: Trials, df: str) -> None:
    """Two arms by two parts are four coefficients of the levels of four subjects."""
    source = both("sample").source
    bulbar = np.array([v == "BULBAR" for v in source.subject_column("ONSETSIT")])
    arms = [
        source.study.arms.order.index(a) for a in (source.study.comparisons[0].treatment, source.study.comparisons[0].reference)
    ]
    four = [
        np.flatnonzero((source.planned_arm == a) & (bulbar == part) & source.population("FAS"))[0]
        for a in arms
        for part in (0, 1)
    ]
    names = ", ".join(f"'{source.subject_column('USUBJID')[i]}'" for i in four)
    changes = {"where": f"USUBJID in ({names})", "covariates": (), "df": df}
    endpoint = source.endpoint("alsfrs_slope").model_copy(update=changes)
    rows = evidence_piece(source, endpoint, "bulbar", source.comparisons(())).rows
    found = [r for r in rows if r.stat_name == "interaction_p"]
    assert found and {r.stat for r in found} == {None}
    assert all("do not determine the variances" in (r.error or "") for r in found)


SLOPES = """
[endpoints.nfl_slope]
method = "slope"
scale = "log"
dataset = "ADLB"
paramcd = "NFL"
covariates = ["LEADRATE"]
better = "lower"
[endpoints.nfl_raw_slope]
method = "slope"
dataset = "ADLB"
paramcd = "NFL"
better = "lower"
[endpoints.svc_slope]
method = "slope"
dataset = "ADRE"
paramcd = "SVCPP"
covariates = ["LEADRATE", "ONSETSIT"]
"""


def study_of(name: str) -> str:
    return (TESTS / "reference" / name / "study.toml").read_text("utf-8")


# ---- R's numbers


def second_alone(trial: Both, endpoint: str, phrase: str, **changed: Any) -> list[Number]:
    tables = TrialTables(trial.source.study, read_tables(trial.source.snapshot.path))
    return answer(tables, trial.source.endpoint(endpoint).model_copy(update=changed), phrase)


def close(found: Number, expected: float, tolerance: float) -> bool:
    return isinstance(found.stat, int | float) and abs(found.stat - expected) <= tolerance


def is_r(found: list[Number], line: dict[str, float], **place: Any) -> None:
    """Estimate, SE, df and (of contrasts) p of one line of R's answer, within METHODS 11."""
    here = {n.stat_name: n for n in found if n.level is None and all(getattr(n, k) == v for k, v in place.items())}
    estimate = next(here[k] for k in ("ls_mean", "difference", "slope") if k in here)
    assert close(estimate, line["estimate"], 1e-6 * max(abs(line["estimate"]), line["se"])), (place, line)
    assert close(here["se"], line["se"], 1e-6 * line["se"]) and close(here["df"], line["df"], 1e-4 * line["df"]), (place, line)
    if "p_value" in here:
        assert close(here["p_value"], line["p"], 1e-6), (place, line)


@pytest.mark.parametrize(
    ("name", "endpoint", "phrase", "covariance", "df"),
    [("als-ref-1", "alsfrs", "overall", "us", "kenward-roger"), ("als-ref-1", "nfl", "slow", "us", "satterthwaite"),
     ("als-ref-1", "alsfrs", "slow", "toeph", "satterthwaite"), ("als-ref-2", "alsfrs", "overall", "ar1h", "satterthwaite"),
     ("als-ref-2", "svc", "slow", "us", "kenward-roger"), ("als-ref-2", "nfl", "overall", "us", "kenward-roger")],
)  # fmt: skip
def test_mmrm_is_rs(both: Trials, name: str, endpoint: str, phrase: str, covariance: str, df: str) -> None:
    short = {"kenward-roger": "krl", "satterthwaite": "satt"}[df]
    file = TESTS / "reference" / name / "expected" / f"mmrm_{endpoint}_{phrase}_{covariance}_{short}.json"
    r = json.loads(file.read_text("utf-8"))
    found = second_alone(both(name), endpoint, phrase, covariance=covariance, df=df)
    visit = {label: float(label.split()[1]) for label in r["levels"]["AVISIT"]}
    for line in r["lsmeans"]:
        is_r(found, line, context="arm", arm=line["TRT01P"], visit=visit[line["AVISIT"]])
    for line in r["contrasts_vs_ref"]:
        is_r(found, line, context="contrast", treatment=line["contrast"].split(" - ")[0], visit=visit[line["AVISIT"]])
    (likelihood,) = (n for n in found if n.stat_name == "log_likelihood")
    assert close(likelihood, r["loglik"], 1e-6)
    tested = {(n.level, n.stat_name): n for n in found if n.context == "model"}
    for line in r["type3"]:
        words = line["term"].replace("LBASE", "BASE").split(":")
        base = "ln(BASE)" if endpoint == "nfl" else "BASE"
        term = ":".join(base if w == "BASE" else w for w in (reversed(words) if words[-1] == "BASE" else words))
        assert tested[term, "num_df"].stat == line["num_df"]
        assert close(tested[term, "f"], line["f"], 1e-6 * max(1.0, line["f"])) and close(
            tested[term, "p_value"], line["p"], 1e-6
        )
        assert close(tested[term, "den_df"], line["den_df"], 1e-4 * line["den_df"])


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize("name", ["als-ref-1", "als-ref-2"])
def test_slopes_are_rs(both: Trials, name: str, df: str) -> None:
    r = json.loads((TESTS / "reference" / name / "expected" / "slope_alsfrs_overall.json").read_text("utf-8"))
    found = second_alone(both(name), "alsfrs_slope", "overall", df=df)
    said = r[df.replace("-", "_")]
    for line in said["slopes"]:
        is_r(found, line, context="arm", arm=line["TRT01P"])
    for line in said["slope_diff_vs_ref"]:
        is_r(found, line, context="contrast", treatment=line["contrast"].split(" - ")[0])
    by_name = {(n.stat_name, n.level): n for n in found if n.context == "model"}
    assert close(by_name["log_likelihood", None], r["reml"]["loglik"], 1e-6)
    for line in r["reml"]["varcorr"]:
        level = {"(Intercept)": "random intercept", "MONTH": "random slope", None: "residual"}[line["var1"]]
        if line["var2"] is None:
            assert close(by_name["sigma", level], line["sdcor"], 1e-6 * line["sdcor"])
