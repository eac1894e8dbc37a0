"""The whole corridor, files to result, against R on the two synthetic reference trials.

Sources of the expected numbers: R 4.2.2 with mmrm 0.3.18, emmeans 1.8.4.1, survival 3.5.3, WINS and BuyseTest, as each JSON
of tests/reference/*/expected says. Tolerances: LS means and differences 1e-6 of the larger of value and SE, SEs 1e-6 relative,
df 1e-4 relative, p 1e-6 absolute, log-likelihood 1e-6; ranks, U, W and wins exactly.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source

REFERENCE = Path(__file__).parent.parent / "reference"
FIRST = ("first_lasting_visit", "first_visit")  # "never" is a row without a number that says so
TRIALS = ("als-ref-1", "als-ref-2")


def files(pattern: str) -> list[tuple[str, str]]:
    return [(t, p.stem) for t in TRIALS for p in sorted((REFERENCE / t / "expected").glob(pattern))]


def expected(trial: str, stem: str) -> dict[str, Any]:
    return json.loads((REFERENCE / trial / "expected" / f"{stem}.json").read_text())


def arm_name(source: Source, squeezed: str) -> str:
    """``drug10mg`` of a file name -> ``Drug 10 mg``."""
    return next(a for a in source.study.arms.order if re.sub(r"\W", "", a).lower() == squeezed)


def check_inference(result: Result, first: str, wanted: dict[str, Any], **where: Any) -> None:
    """Estimate, SE, df, limits and (for contrasts) p of one row of R's table."""
    got = {r.stat_name: r.number() for r in result.select(**where)}
    se = wanted["se"]
    near = 1e-6 * max(abs(wanted["estimate"]), se)
    assert got[first] == pytest.approx(wanted["estimate"], abs=near, rel=0)
    assert got["se"] == pytest.approx(se, rel=1e-6)
    assert got["df"] == pytest.approx(wanted["df"], rel=1e-4)
    assert got["conf_low"] == pytest.approx(wanted["lower"], abs=1e-4 * se)
    assert got["conf_high"] == pytest.approx(wanted["upper"], abs=1e-4 * se)
    if where["context"] == "contrast":
        assert got["p_value"] == pytest.approx(wanted["p"], abs=1e-6)
        assert got["t"] == pytest.approx(wanted["statistic"], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("name", "stem"), files("mmrm_*"))
def test_mmrm(sources: dict[str, Source], name: str, stem: str) -> None:
    source, wanted = sources[name], expected(name, stem)
    _, endpoint, part, covariance, df = stem.split("_")
    question = Question(
        endpoint,
        subgroups=(part,),
        covariance=covariance,
        df="kenward-roger" if df == "krl" else "satterthwaite",
    )
    result = answer(question, source)
    assert not [r for r in result.rows if r.error and r.stat_name not in FIRST]
    assert result.get("covariance", context="model").stat == covariance
    assert result.get("n_observations", context="model").stat == wanted["n_obs"]
    assert result.get("n_subjects", context="model").stat == wanted["n_subjects"]
    assert result.get("log_likelihood", context="model").stat == pytest.approx(wanted["loglik"], abs=1e-6, rel=0)
    assert result.get("aic", context="model").stat == pytest.approx(wanted["aic"], abs=1e-5, rel=0)
    assert result.get("bic", context="model").stat == pytest.approx(wanted["bic"], abs=1e-5, rel=0)
    for row in wanted["lsmeans"]:
        check_inference(result, "ls_mean", row, context="arm", arm=row["TRT01P"], visit=row["AVISIT"])
    for row in wanted["contrasts_vs_ref"]:
        treatment, reference = row["contrast"].split(" - ")
        where = {"treatment": treatment, "reference": reference, "visit": row["AVISIT"]}
        check_inference(result, "difference", row, context="contrast", **where)
    for row in wanted["contrasts_over_visits"]:
        treatment, _ = row["contrast"].split(" - ")
        check_inference(
            result, "difference", row, context="contrast", treatment=treatment, visit=None, level="average over visits"
        )


@pytest.mark.parametrize(("name", "stem"), files("ancova_*"))
def test_ancova(sources: dict[str, Source], name: str, stem: str) -> None:
    source, wanted = sources[name], expected(name, stem)["raw"]
    _, endpoint, visit, arm, part = stem.split("_")
    treatment = arm_name(source, arm)
    question = Question(f"{endpoint}_ancova", subgroups=(part,), comparisons=(treatment,), visits=(float(visit[1:]),))
    result = answer(question, source)
    assert sum(r.number() for r in result.select(context="arm", stat_name="n")) == wanted["n"]
    for row in wanted["lsm_equal"]["lsmeans"]:
        check_inference(result, "ls_mean", row, context="arm", arm=row["TRT01P"])
    check_inference(
        result,
        "difference",
        wanted["lsm_equal"]["vs_ref"][0],
        context="contrast",
        treatment=treatment,
        visit_number=float(visit[1:]),
    )


@pytest.mark.parametrize(("name", "stem"), files("cafs_*"))
def test_cafs(sources: dict[str, Source], name: str, stem: str) -> None:
    source, wanted = sources[name], expected(name, stem)["C"]
    _, visit, arm, part = stem.split("_")
    treatment = arm_name(source, arm)
    horizon = float(visit[1:])
    question = Question("cafs", subgroups=(part,), comparisons=(treatment,), visits=(horizon,), subjects=True)
    result = answer(question, source)
    scores = {r.level: r.stat for r in result.select(context="subject", stat_name="score")}
    ranks = {r.level: r.stat for r in result.select(context="subject", stat_name="rank")}
    assert scores == {s["id"]: s["score"] for s in wanted["subjects"]}
    assert ranks == {s["id"]: s["rank"] for s in wanted["subjects"]}
    assert sum(r.number() for r in result.select(context="arm", stat_name="events")) == wanted["deaths"]
    against = wanted["vs_ref"][treatment]
    contrast = {r.stat_name: r.number() for r in result.select(context="contrast", treatment=treatment, level=None)}
    test = against["finkelstein_schoenfeld_stratified"] or against["finkelstein_schoenfeld"]
    if not source.endpoint("cafs").strata or against["finkelstein_schoenfeld_stratified"]:
        assert contrast["gehan_w"] == test["T"]
        assert contrast["gehan_var"] == pytest.approx(test["V"], rel=1e-12)
        assert contrast["gehan_z"] == pytest.approx(test["z"], rel=1e-12)
        assert contrast["gehan_p"] == pytest.approx(test["p"], abs=1e-12)
    wins = against["win_statistics"]
    assert [contrast[k] for k in ("wins", "losses", "ties")] == [wins[k] for k in ("wins", "losses", "ties")]
    for ours, theirs, interval in (
        ("win_ratio", "win_ratio", "wr_ci"),
        ("win_odds", "win_odds", "wo_ci"),
        ("net_benefit", "net_benefit", "nb_ci"),
    ):
        assert contrast[ours] == pytest.approx(wins[theirs], rel=1e-12)
        assert [contrast[f"{ours}_low"], contrast[f"{ours}_high"]] == pytest.approx(wins[interval], rel=1e-9)
    assert contrast["win_probability"] == pytest.approx((1 + wins["net_benefit"]) / 2, rel=1e-12)
    ancova = against["joint_rank"]["ancova_on_ranks"]
    for row in ancova["lsmeans"]:
        check_inference(result, "ls_mean", row, context="arm", arm=row["a"])
    check_inference(result, "difference", ancova["vs_ref"][0], context="contrast", treatment=treatment, level=None)
    for row in against["joint_rank"]["ranks_summary"]:
        assert result.get("mean", context="arm", arm=row["arm"]).stat == pytest.approx(row["mean_rank"], rel=1e-12)
        assert result.get("n", context="arm", arm=row["arm"]).stat == row["n"]


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize(("name", "stem"), files("slope_*"))
def test_slope(sources: dict[str, Source], name: str, stem: str, df: str) -> None:
    """lme4 1.1.31 with lmerTest 3.1.3 (Satterthwaite) and pbkrtest 0.5.2 (Kenward-Roger)."""
    source, wanted = sources[name], expected(name, stem)
    result = answer(Question("alsfrs_slope", subgroups=(stem.split("_")[2],), df=df), source)
    assert result.get("log_likelihood", context="model").stat == pytest.approx(wanted["reml"]["loglik"], abs=1e-6, rel=0)
    table = wanted[df.replace("-", "_")]
    for row in table["slopes"]:
        check_inference(result, "slope", row, context="arm", arm=row["TRT01P"])
    for row in table["slope_diff_vs_ref"]:
        check_inference(result, "difference", row, context="contrast", treatment=row["contrast"].split(" - ")[0])


@pytest.mark.parametrize(("name", "stem"), files("surv_*"))
def test_time_to_event(sources: dict[str, Source], name: str, stem: str) -> None:
    """survival 3.5.3 and survRM2 1.0.4: Cox with LEADRATE stratified by ONSETSIT (Efron), stratified log-rank, RMST."""
    source, wanted = sources[name], expected(name, stem)
    _, arm, part = stem.split("_")
    treatment = arm_name(source, arm)
    horizon = 12.0 if name == "als-ref-1" else 24.0
    question = Question("survival", subgroups=(part,), comparisons=(treatment,), visits=(horizon,))
    result = answer(question, source)
    got = {r.stat_name: r for r in result.select(context="contrast", treatment=treatment)}
    cox = wanted["cox"]["stratified_adjusted"]["efron"]
    row = cox["coefficients"][0]
    if abs(row["coef"]) < 10:
        assert got["hazard_ratio"].stat == pytest.approx(row["hr"], rel=1e-6)
        assert got["hr_low"].stat == pytest.approx(row["hr_lower"], rel=1e-6)
        assert got["hr_high"].stat == pytest.approx(row["hr_upper"], rel=1e-6)
        assert got["p_value"].stat == pytest.approx(row["p"], abs=1e-6)
        zph = next(z for z in cox["zph"] if z["term"] == "arm")
        assert got["ph_p"].stat == pytest.approx(zph["p"], abs=1e-6)
    else:  # R stops where the likelihood is flat: the estimate is infinite, and we say so
        assert got["hazard_ratio"].stat is None
        assert "no finite hazard ratio" in got["hazard_ratio"].error
    assert got["log_rank_p"].stat == pytest.approx(wanted["logrank_stratified"]["p"], abs=1e-9)
    for summary in wanted["arms"]:
        assert result.get("n", context="arm", arm=summary["arm"]).stat == summary["n"]
        assert result.get("events", context="arm", arm=summary["arm"]).stat == summary["events"]
    rmst = (wanted["rmst"] or {}).get(treatment)
    if rmst and "difference" in rmst and source.study.visits.horizon_day(horizon) == rmst["tau"]:
        assert got["rmst_difference"].stat == pytest.approx(rmst["difference"]["Est."], rel=1e-9)
        assert got["rmst_difference_low"].stat == pytest.approx(rmst["difference"]["lower .95"], rel=1e-6)


@pytest.mark.parametrize("name", TRIALS)
def test_unstratified_gehan_wilcoxon(sources: dict[str, Source], name: str) -> None:
    """Every stored Finkelstein-Schoenfeld test that has no strata, asked of a study whose CAFS has none."""
    source = sources[name]
    cafs = source.endpoint("cafs").model_copy(update={"strata": ()})
    study = source.study.model_copy(update={"endpoints": {**source.study.endpoints, "cafs": cafs}})
    plain = Source(study, source.snapshot, source.study_digest)
    for trial, stem in files("cafs_*"):
        if trial != name:
            continue
        _, visit, arm, part = stem.split("_")
        treatment = arm_name(source, arm)
        question = Question("cafs", subgroups=(part,), comparisons=(treatment,), visits=(float(visit[1:]),))
        contrast = {r.stat_name: r.number() for r in answer(question, plain).select(context="contrast", level=None)}
        test = expected(name, stem)["C"]["vs_ref"][treatment]["finkelstein_schoenfeld"]
        assert contrast["gehan_w"] == test["T"]
        assert contrast["gehan_var"] == pytest.approx(test["V"], rel=1e-12)
        assert contrast["gehan_p"] == pytest.approx(test["p"], abs=1e-12)


@pytest.mark.parametrize("name", TRIALS)
def test_realised_cut(sources: dict[str, Source], name: str) -> None:
    meta = json.loads((REFERENCE / name / "expected" / "meta.json").read_text())
    result = answer(Question("alsfrs", subgroups=("slow",)), sources[name])
    cut = result.get("cut", context="subgroup", variable="mean(LEADRATE)")
    assert cut.stat == pytest.approx(meta["cutoff_mean_leadrate"], rel=1e-15)
    counts = {r.arm: r.stat for r in result.select(context="subgroup", stat_name="n") if r.arm}
    assert counts == meta["n_fas"]["slow"]
    assert result.provenance.post_hoc
    assert result.provenance.synthetic


@pytest.mark.parametrize("name", TRIALS)
def test_rows_are_unique(sources: dict[str, Source], name: str) -> None:
    source = sources[name]
    for endpoint in ("alsfrs", "nfl", "cafs", "alsfrs_ancova", "baseline"):
        if endpoint not in source.study.endpoints:
            continue
        result = answer(Question(endpoint, subgroups=("overall", "slow", "not slow"), subjects=endpoint == "cafs"), source)
        keys = [r.key() for r in result.rows]
        assert len(keys) == len(set(keys)), endpoint
