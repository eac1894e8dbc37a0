"""The whole corridor on a reference trial: its files loaded into a workspace, questions answered, every number compared.

What each reference file holds, and how its name says so, stands in ``tests/reference/README.md``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from alsbench.analysis.qualification.checks import ReferenceCheck, Tally
from alsbench.analysis.qualification.material import Archive, software
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace

Answers = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One comparison with one reference file: the methods it speaks of, its name, and the work."""

    methods: tuple[str, ...]
    name: str
    compare: Callable[[], list[ReferenceCheck]]


Compare = Callable[[Source, str, Answers], list[ReferenceCheck]]
Numbers = dict[str, float]
_INFINITE = 10.0  # a log hazard ratio beyond this is R's optimiser on its way to infinity


def load_trial(archive: Archive, directory: Path) -> Source:
    """Load the packed trial as a user would: study file and tables into an empty workspace."""
    files = directory / "files"
    files.mkdir(parents=True)
    tables = archive.extract(files)
    workspace = Workspace(directory / "workspace").create()
    workspace.study_path.write_bytes((files / "study.toml").read_bytes())
    load(tables, workspace, study=workspace.read_study(), expect={})
    return open_source(workspace.path)


def trial_cases(trial: str, archive: Archive, source: Callable[[], Source]) -> Iterator[Case]:
    """Every reference file of the trial as a case; ``source`` loads the trial when first called."""
    kinds: tuple[tuple[str, tuple[str, ...], Compare], ...] = (
        ("ancova_", ("ancova",), _ancova),
        ("cafs_", ("joint-rank", "joint-rank-ancova", "gehan-wilcoxon", "wins"), _joint_rank),
        ("slope_", ("slope-satterthwaite", "slope-kenward-roger", "slope-likelihood"), _slope),
        ("surv_", ("kaplan-meier", "log-rank", "cox", "rmst"), _time_to_event),
    )
    meta = archive.answers("meta")["meta"]
    yield Case(("subgroup",), f"{trial}/meta", partial(asked, _subgroup, source, f"{trial}/meta", meta))
    for stem, wanted in archive.answers("mmrm_").items():
        name = f"{trial}/{stem}"
        yield Case((mmrm_method(stem),), name, partial(asked, _mmrm, source, name, wanted))
    for prefix, methods, compare in kinds:
        for stem, wanted in archive.answers(prefix).items():
            name = f"{trial}/{stem}"
            yield Case(methods, name, partial(asked, compare, source, name, wanted))
    yield Case(("repeatability",), f"{trial}/twice", partial(asked, _twice, source, f"{trial}/twice", {}))


def asked(compare: Compare, source: Callable[[], Source], name: str, wanted: Answers) -> list[ReferenceCheck]:
    return compare(source(), name, wanted)


def mmrm_method(stem: str) -> str:
    return "mmrm-kenward-roger" if stem.endswith("_krl") else "mmrm-satterthwaite"


def arm_of(source: Source, squeezed: str) -> str:
    """``drug10mg`` of a file name -> ``Drug 10 mg``."""
    return next(a for a in source.study.arms.order if re.sub(r"\W", "", a).lower() == squeezed)


def parts_of(name: str) -> list[str]:
    return name.rsplit("/", 1)[1].split("_")


def _numbers(result: Result, **where: Any) -> Numbers:
    return {r.stat_name: r.number() for r in result.select(**where)}


def _inference(tally: Tally, where: str, wanted: Answers, first: str, found: Numbers) -> None:
    """One row of R's table against the rows of a result; statistics a result does not show are not compared."""
    names = {first: "estimate", "se": "se", "df": "df", "t": "t", "p_value": "p", "conf_low": "low", "conf_high": "high"}
    ours = {mine: found.get(stat, math.nan) for stat, mine in names.items() if stat in found or stat in (first, "se", "df")}
    tally.inference(where, wanted, ours)


def _subgroup(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    tally = Tally("subgroup", name, "R 4.2.2")
    result = answer(Question("alsfrs", subgroups=("overall", "slow")), source)
    cut = result.get("cut", context="subgroup", variable="mean(LEADRATE)")
    tally.add("closed", "mean(LEADRATE)", wanted["cutoff_mean_leadrate"], cut.number() if cut else None)
    for part, counts in wanted["n_fas"].items():
        for arm, n in counts.items():
            row = result.get("n", context="subgroup", subgroup=part, arm=arm)
            tally.add("exact", f"{part} {arm} n", n, row.number() if row else None)
    return tally.checks


def _mmrm(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    _, endpoint, part, covariance, df = parts_of(name)
    tally = Tally(mmrm_method(name), name, software(wanted))
    question = Question(
        endpoint, subgroups=(part,), covariance=covariance, df="kenward-roger" if df == "krl" else "satterthwaite"
    )
    result = answer(question, source)
    model = _numbers(result, context="model", level=None)
    fitted = result.get("covariance", context="model")
    tally.texts("covariance", [covariance], [str(fitted.stat) if fitted else ""])
    tally.add("exact", "observations", wanted["n_obs"], model.get("n_observations"))
    tally.add("exact", "subjects", wanted["n_subjects"], model.get("n_subjects"))
    tally.add("log-likelihood", "log-likelihood", wanted["loglik"], model.get("log_likelihood"))
    tally.add("criterion", "AIC", wanted["aic"], model.get("aic"))
    tally.add("criterion", "BIC", wanted["bic"], model.get("bic"))
    for i, visit in enumerate(wanted["cov_matrix"]["rows"]):
        sigma = result.get("sigma", context="model", visit=visit)
        tally.add("se", f"{visit} SD", math.sqrt(wanted["cov_matrix"]["data"][i][i]), sigma.number() if sigma else None)
    for row in wanted["lsmeans"]:
        found = _numbers(result, context="arm", arm=row["TRT01P"], visit=row["AVISIT"])
        _inference(tally, f"{row['TRT01P']} / {row['AVISIT']}", row, "ls_mean", found)
    for row in wanted["contrasts_vs_ref"]:
        treatment, reference = row["contrast"].split(" - ")
        where = {"treatment": treatment, "reference": reference, "visit": row["AVISIT"]}
        found = _numbers(result, context="contrast", **where)
        _inference(tally, f"{row['contrast']} / {row['AVISIT']}", row, "difference", found)
    for row in wanted["contrasts_over_visits"]:
        treatment = row["contrast"].split(" - ")[0]
        found = _numbers(result, context="contrast", treatment=treatment, visit=None, level="average over visits")
        _inference(tally, f"{row['contrast']} / average", row, "difference", found)
    return tally.checks


def _ancova(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    _, endpoint, visit, arm, part = parts_of(name)
    tally = Tally("ancova", name, software(wanted))
    treatment = arm_of(source, arm)
    question = Question(f"{endpoint}_ancova", subgroups=(part,), comparisons=(treatment,), visits=(float(visit[1:]),))
    raw = wanted["raw"]
    for weights in ("equal", "proportional"):
        options = () if weights == "equal" else (("ls_means", weights),)
        result = answer(replace(question, options=options), source)
        table = raw[f"lsm_{weights}"]
        tally.add(
            "exact", f"n, {weights} weights", raw["n"], sum(r.number() for r in result.select(context="arm", stat_name="n"))
        )
        for row in table["lsmeans"]:
            found = _numbers(result, context="arm", arm=row["TRT01P"])
            _inference(tally, f"{row['TRT01P']}, {weights} weights", row, "ls_mean", found)
        found = _numbers(result, context="contrast", treatment=treatment, visit_number=float(visit[1:]))
        row = table["vs_ref"][0]
        _inference(tally, f"{row['contrast']}, {weights} weights", row, "difference", found)
    return tally.checks


def _joint_rank(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    _, visit, arm, part = parts_of(name)
    treatment = arm_of(source, arm)
    question = Question("cafs", subgroups=(part,), comparisons=(treatment,), visits=(float(visit[1:]),), subjects=True)
    result = answer(question, source)
    answers, versus, reference = wanted["C"], wanted["C"]["vs_ref"][treatment], software(wanted)
    ranks, ancova, tests, wins = (
        Tally(m, name, reference) for m in ("joint-rank", "joint-rank-ancova", "gehan-wilcoxon", "wins")
    )
    for stat in ("score", "rank"):
        ours = {r.level: r.number() for r in result.select(context="subject", stat_name=stat)}
        ranks.add("exact", f"subjects with a {stat}", len(answers["subjects"]), len(ours))
        for i, s in enumerate(answers["subjects"]):
            ranks.add("exact", f"{stat} of subject {i + 1}", s[stat], ours.get(s["id"]))
    events = sum(r.number() for r in result.select(context="arm", stat_name="events"))
    ranks.add("exact", "events", answers["deaths"], events)
    for row in versus["joint_rank"]["ranks_summary"]:
        found = _numbers(result, context="arm", arm=row["arm"])
        ranks.add("exact", f"{row['arm']} n", row["n"], found.get("n"))
        ranks.add("closed", f"{row['arm']} mean rank", row["mean_rank"], found.get("mean"))
    models = versus["joint_rank"]["ancova_on_ranks"]
    for row in models["lsmeans"]:
        _inference(ancova, row["a"], row, "ls_mean", _numbers(result, context="arm", arm=row["a"]))
    contrast = _numbers(result, context="contrast", treatment=treatment, level=None)
    _inference(ancova, models["vs_ref"][0]["contrast"], models["vs_ref"][0], "difference", contrast)
    _wins(wins, versus["win_statistics"], contrast)
    _gehan(tests, "unstratified", versus["finkelstein_schoenfeld"], _unstratified(source, question))
    if versus["finkelstein_schoenfeld_stratified"] and source.endpoint("cafs").strata:
        _gehan(tests, "stratified", versus["finkelstein_schoenfeld_stratified"], contrast)
    return [*ranks.checks, *ancova.checks, *tests.checks, *wins.checks]


def _unstratified(source: Source, question: Question) -> Numbers:
    """The same question of a study whose joint rank has no strata."""
    cafs = source.endpoint("cafs").model_copy(update={"strata": ()})
    study = source.study.model_copy(update={"endpoints": {**source.study.endpoints, "cafs": cafs}})
    plain = Source(study, source.snapshot, source.study_digest)
    return _numbers(answer(replace(question, subjects=False), plain), context="contrast", level=None)


def _gehan(tally: Tally, where: str, wanted: Answers, found: Numbers) -> None:
    tally.add("exact", f"{where} W", wanted["T"], found.get("gehan_w"))
    for key, stat in (("V", "gehan_var"), ("z", "gehan_z"), ("p", "gehan_p")):
        tally.add("closed", f"{where} {key}", wanted[key], found.get(stat))


def _wins(tally: Tally, wanted: Answers, found: Numbers) -> None:
    for key in ("wins", "losses", "ties"):
        tally.add("exact", key, wanted[key], found.get(key))
    for key, interval in (("win_ratio", "wr_ci"), ("win_odds", "wo_ci"), ("net_benefit", "nb_ci")):
        tally.add("closed", key, wanted[key], found.get(key))
        tally.add("closed", f"{key} low", wanted[interval][0], found.get(f"{key}_low"))
        tally.add("closed", f"{key} high", wanted[interval][1], found.get(f"{key}_high"))
    tally.add("closed", "win probability", (1 + wanted["net_benefit"]) / 2, found.get("win_probability"))


def _slope(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    part, checks = parts_of(name)[2], []
    for df in ("satterthwaite", "kenward-roger"):
        tally = Tally(f"slope-{df}", f"{name} {df}:", software(wanted))
        result = answer(Question("alsfrs_slope", subgroups=(part,), df=df), source)
        table = wanted[df.replace("-", "_")]
        for row in table["slopes"]:
            _inference(tally, row["TRT01P"], row, "slope", _numbers(result, context="arm", arm=row["TRT01P"]))
        for row in table["slope_diff_vs_ref"]:
            found = _numbers(result, context="contrast", treatment=row["contrast"].split(" - ")[0])
            _inference(tally, row["contrast"], row, "difference", found)
        checks += tally.checks
    fit = Tally("slope-likelihood", name, software(wanted))
    loglik = result.get("log_likelihood", context="model")
    fit.add("log-likelihood", "REML", wanted["reml"]["loglik"], loglik.number() if loglik else None)
    return checks + fit.checks


def _time_to_event(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    _, arm, part = parts_of(name)
    treatment, reference = arm_of(source, arm), software(wanted)
    horizon = max(c.horizon for c in source.study.comparisons if c.horizon is not None)
    question = Question("survival", subgroups=(part,), comparisons=(treatment,), visits=(horizon,))
    result = answer(question, source)
    found = _numbers(result, context="contrast", treatment=treatment)
    curves, test, cox, mean = (Tally(m, name, reference) for m in ("kaplan-meier", "log-rank", "cox", "rmst"))
    for summary in wanted["arms"]:
        for stat in ("n", "events"):
            row = result.get(stat, context="arm", arm=summary["arm"])
            curves.add("exact", f"{summary['arm']} {stat}", summary[stat], row.number() if row else None)
        middle = next(q for q in wanted["km"]["log-log"][summary["arm"]]["quantiles"] if q["prob"] == 0.5)
        shown = _numbers(result, context="arm", arm=summary["arm"], level=None)
        for key, stat in (("estimate", "median"), ("lower", "median_low"), ("upper", "median_high")):
            curves.add("closed", f"{summary['arm']} {stat}", middle[key], shown[stat])
    stratified = wanted["logrank_stratified"]
    test.add("closed", "stratified chi-square", stratified["chisq"], found.get("log_rank_chisq"))
    test.add("closed", "stratified p", stratified["p"], found.get("log_rank_p"))
    _hazard_ratio(cox, wanted["cox"]["stratified_adjusted"]["efron"], found)
    restricted = (wanted["rmst"] or {}).get(treatment)
    if restricted and "difference" in restricted and source.study.visits.horizon_day(horizon) == restricted["tau"]:
        names = {
            "Est.": "rmst_difference",
            "lower .95": "rmst_difference_low",
            "upper .95": "rmst_difference_high",
            "p": "rmst_p",
        }
        for key, stat in names.items():
            mean.add("closed", f"difference {key}", restricted["difference"][key], found[stat])
    return [*curves.checks, *test.checks, *cox.checks, *mean.checks]


def _hazard_ratio(tally: Tally, wanted: Answers, found: Numbers) -> None:
    """On the log scale; where R's coefficient runs to infinity, we must say that there is none."""
    row = wanted["coefficients"][0]
    if abs(row["coef"]) >= _INFINITE:
        tally.add("exact", "hazard ratio (infinite: none is shown)", None, found["hazard_ratio"])
        return
    scale = max(abs(row["coef"]), row["se"])
    tally.add("estimate", "log hazard ratio", row["coef"], _log(found.get("hazard_ratio")), scale=row["se"])
    tally.add("limit", "log lower limit", math.log(row["hr_lower"]), _log(found.get("hr_low")), scale=scale)
    tally.add("limit", "log upper limit", math.log(row["hr_upper"]), _log(found.get("hr_high")), scale=scale)
    tally.add("p", "p", row["p"], found.get("p_value"))
    zph = next(z for z in wanted["zph"] if z["term"] == "arm")
    tally.add("p", "proportional hazards p", zph["p"], found.get("ph_p"))


def _log(value: float | None) -> float | None:
    return None if value is None or not value > 0 else math.log(value)


def _twice(source: Source, name: str, _wanted: Answers) -> list[ReferenceCheck]:
    """Every method's question asked twice: the rows must be the same, bit for bit."""
    tally = Tally("repeatability", name, "the first of two runs")
    for endpoint in ("alsfrs", "nfl", "cafs", "alsfrs_ancova", "alsfrs_slope", "survival"):
        question = Question(endpoint, subgroups=("overall", "slow"))
        first, second = answer(question, source).rows, answer(question, source).rows
        same = sum(a == b for a, b in zip(first, second, strict=False))
        tally.add("exact", f"{endpoint}: rows alike", len(first), same if len(first) == len(second) else None)
    return tally.checks
