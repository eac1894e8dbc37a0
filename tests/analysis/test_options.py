"""Options of the methods, from ``study.toml`` keys and from a question, reach the numbers and the table's footer."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alsbench.analysis.question import Question, endpoint_command
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.errors import AlsbenchError, UsageError
from alsbench.study.checks import READ_BY, unread_faults
from alsbench.study.model import Endpoint

EXPECTED = Path(__file__).parent.parent / "reference" / "als-ref-1" / "expected"
NFL_ROWS = Path(__file__).parent.parent / "reference" / "als-ref-1" / "adlb.xpt"


def ask(source: Source, endpoint: str, **options: str) -> Result:
    visits = (12.0,) if endpoint in ("cafs", "alsfrs_ancova") else ()
    question = Question(endpoint, comparisons=("G2-M12",), visits=visits, options=tuple(sorted(options.items())))
    return answer(question, source)


def stat(result: Result, name: str, **where: object) -> float:
    return result.get(name, **where).number()


def test_proportional_ls_means_are_emmeans(trial: Source) -> None:
    """emmeans 1.8.4.1, weights = "proportional"."""
    wanted = json.loads((EXPECTED / "ancova_alsfrs_v12_group2_overall.json").read_text())["raw"]["lsm_proportional"]
    result = ask(trial, "alsfrs_ancova", ls_means="proportional")
    for row in wanted["lsmeans"]:
        assert stat(result, "ls_mean", arm=row["TRT01P"]) == pytest.approx(row["estimate"], abs=1e-9)
        assert stat(result, "se", context="arm", arm=row["TRT01P"]) == pytest.approx(row["se"], rel=1e-9)


def test_ls_means_at_a_chosen_value(trial: Source) -> None:
    """A linear model: moving BASE by one moves every LS mean by its coefficient, and no difference."""
    low, high = (ask(trial, "alsfrs_ancova", at=f"{{BASE = {b}}}") for b in (38, 39))
    step = [stat(high, "ls_mean", arm=a) - stat(low, "ls_mean", arm=a) for a in ("Placebo", "Group 2")]
    assert step[0] == pytest.approx(step[1], abs=1e-9)
    assert step[0] != 0
    assert stat(low, "difference", level=None) == pytest.approx(stat(high, "difference", level=None), abs=1e-9)
    assert any("BASE = 38" in text for _, text in low.facts.lines)
    with pytest.raises(UsageError, match="LEADRATE"):
        ask(trial, "alsfrs_ancova", at="{LEDRATE = 1}")


def test_maximum_likelihood_is_not_reml(trial: Source) -> None:
    ml = answer(Question("alsfrs", df="satterthwaite", options=(("estimation", "ml"),)), trial)
    reml = answer(Question("alsfrs", df="satterthwaite"), trial)
    assert stat(ml, "log_likelihood") > stat(reml, "log_likelihood")
    assert any("ML" in text for _, text in ml.facts.lines)


def test_kenward_roger_with_ml_is_refused_in_the_result(trial: Source) -> None:
    result = answer(Question("alsfrs", options=(("estimation", "ml"),)), trial)
    assert all("REML" in r.error for r in result.select(stat_name="p_value"))


def test_one_covariance_per_arm(trial: Source) -> None:
    result = answer(Question("alsfrs", covariance="ar1h", df="satterthwaite", options=(("covariance_by_arm", "true"),)), trial)
    sigma = list(result.select(context="model", stat_name="sigma"))
    assert {r.level for r in sigma} == set(trial.study.arms.order)
    assert stat(result, "log_likelihood") >= stat(
        answer(Question("alsfrs", covariance="ar1h", df="satterthwaite"), trial), "log_likelihood"
    )


def test_sigma_is_the_standard_deviation_of_a_visit(trial: Source) -> None:
    """R mmrm 0.3.18, heterogeneous autoregression: the square roots of the diagonal of its covariance matrix."""
    path = Path(__file__).parents[1] / "reference/als-ref-1/expected/mmrm_alsfrs_overall_ar1h_satt.json"
    matrix = json.loads(path.read_text())["cov_matrix"]
    result = answer(Question("alsfrs", covariance="ar1h", df="satterthwaite"), trial)
    found = {r.visit: r.number() for r in result.select(context="model", stat_name="sigma")}
    assert found == {v: pytest.approx(math.sqrt(matrix["data"][i][i]), rel=1e-6) for i, v in enumerate(matrix["rows"])}


def test_max_t_lies_between_p_and_bonferroni(trial: Source) -> None:
    result = ask(trial, "nfl", adjust="max-t")
    p = {r.visit: r.number() for r in result.select(stat_name="p_value", level=None)}
    adjusted = {r.visit: r.number() for r in result.select(stat_name="p_adjusted")}
    assert p.keys() == adjusted.keys()
    for visit, raw in p.items():
        assert raw <= adjusted[visit] <= min(1.0, len(p) * raw) + 1e-3


def test_a_first_significant_visit_has_its_max_t_p(trial: Source) -> None:
    """Beside the month a press release names stands what it is worth among all months tested: the p of ``adjust = "max-t"``."""
    result = answer(Question("nfl"), trial)
    whole = answer(Question("nfl", options=(("adjust", "max-t"),)), trial)
    firsts = {(r.treatment, r.number()) for r in result.rows if r.stat_name.startswith("first_") and r.stat is not None}
    found = {(r.treatment, r.visit_number): r for r in result.select(stat_name="p_adjusted")}
    assert firsts and found.keys() == firsts
    every = {(r.treatment, r.visit_number): r.stat for r in whole.select(stat_name="p_adjusted")}
    assert {k: r.stat for k, r in found.items()} == {k: every[k] for k in firsts}
    assert {r.level for r in found.values()} == {"max-t over 6 visits"}
    assert not list(answer(Question("nfl", visits=(12.0,)), trial).select(stat_name="p_adjusted"))  # rows of that visit only
    keys = [r.key() for r in result.rows]
    assert len(keys) == len(set(keys))


def test_max_t_goes_over_the_visits_that_have_a_difference(trial: Source) -> None:
    """An arm that is missing at a visit leaves that visit out of the family; its other visits keep their adjusted p."""
    arms = {s: trial.study.arms.order[c] for s, c in zip(trial.subject_ids, trial.planned_arm.tolist(), strict=True) if c >= 0}
    gone = ", ".join(f"'{s}'" for s, arm in arms.items() if arm == "Group 1")
    where = f"not (AVISITN == 4 and USUBJID in ({gone}))"
    result = answer(Question("nfl", options=(("adjust", "max-t"), ("where", where))), trial)
    visits = lambda arm: [r.visit_number for r in result.select(stat_name="p_adjusted", treatment=arm)]  # noqa: E731
    assert visits("Group 1") == [1, 2, 7, 10, 12]
    assert visits("Group 2") == [1, 2, 4, 7, 10, 12]


def test_an_answer_for_one_visit_has_no_rows_of_others(trial: Source) -> None:
    result = answer(Question("alsfrs", visits=(6.0,)), trial)
    assert {r.visit_number for r in result.rows if r.visit_number is not None} == {6.0}


def test_death_always_loses_changes_scores_as_the_method_says(trial: Source) -> None:
    """With the rule on, nobody with an event ranks above anybody without one."""
    options = ((), (("death_always_loses", "true"),))
    usual, strict = (answer(Question("cafs", comparisons=("G2-M12",), subjects=True, options=o), trial) for o in options)
    scores = [{r.level: r.number() for r in x.select(stat_name="score")} for x in (usual, strict)]
    assert scores[0] != scores[1]
    frame = trial.snapshot.frame("ADTTE")
    dead = {s for s, day, c in zip(frame["USUBJID"], frame["AVAL"], frame["CNSR"], strict=True) if c == 0 and day <= 365}
    assert max(v for s, v in scores[1].items() if s in dead) < min(v for s, v in scores[1].items() if s not in dead)
    assert any("loses" in text for _, text in strict.facts.lines)


@pytest.mark.parametrize(
    "options",
    [
        {"function_at": "horizon", "missing": "worst"},
        {"function_at": "horizon", "missing": "locf"},
        {"change": "percent"},
        {"rank_within_strata": "true"},
        {"arms": "all"},
    ],
)
def test_joint_rank_options_keep_the_invariants(trial: Source, options: dict[str, str]) -> None:
    result = answer(Question("cafs", comparisons=("G2-M12",), subjects=True, options=tuple(sorted(options.items()))), trial)
    scores = [r.number() for r in result.select(context="subject", stat_name="score")]
    assert sum(scores) == 0
    wins, losses, ties = (stat(result, n) for n in ("wins", "losses", "ties"))
    n = {r.arm: r.number() for r in result.select(context="arm", stat_name="n")}
    assert wins + losses + ties == n["Group 2"] * n["Placebo"]


def test_unit_ranks(trial: Source) -> None:
    raw, unit = (
        answer(Question("cafs", comparisons=("G2-M12",), options=(("rank_scale", scale),)), trial) for scale in ("rank", "unit")
    )
    n = sum(r.number() for r in raw.select(context="arm", stat_name="n"))
    assert stat(unit, "difference") == pytest.approx(stat(raw, "difference") / (n + 1), rel=1e-12)
    assert stat(unit, "p_value", level=None) == pytest.approx(stat(raw, "p_value", level=None), abs=1e-12)


def test_permutation_p_is_repeatable_and_near_the_asymptotic_one(trial: Source) -> None:
    """10,000 draws: a Monte Carlo standard error of p near 0.003; the normal approximation adds about as much at n = 93."""
    one, two = (ask(trial, "cafs", permutations="10000", seed="7") for _ in range(2))
    assert stat(one, "permutation_p") == stat(two, "permutation_p")
    assert stat(one, "permutation_p") == pytest.approx(stat(one, "p_value", level=None), abs=0.02)
    assert stat(one, "permutation_gehan_p") == pytest.approx(stat(one, "gehan_p"), abs=0.02)
    assert one.get("permutations").stat == 10_000


def test_lloq(trial: Source) -> None:
    """A limit of 50 pg/mL puts every lower delivered value at 25 and counts it."""
    limit = 50.0
    result = answer(Question("nfl", options=(("lloq", "50"),)), trial)
    frame = trial.snapshot.frame("ADLB")
    fas = set(np.array(trial.subject_ids)[trial.population()])
    rows = [
        (s, v)
        for s, v, x in zip(frame["USUBJID"], frame["AVISITN"], frame["AVAL"], strict=True)
        if v > 0 and x < limit and s in fas
    ]
    counted = sum(r.number() for r in result.select(context="arm", stat_name="n_below_lloq"))
    assert counted == len(rows)
    assert any("half" in text for _, text in result.facts.lines)


def test_slope_with_a_shared_baseline(trial: Source) -> None:
    free, shared = (answer(Question("alsfrs_slope", options=o), trial) for o in ((), (("shared_baseline", "true"),)))
    assert stat(free, "difference") != stat(shared, "difference")
    models = [dict(r.facts.lines)["Model"] for r in (free, shared)]
    assert models[0].startswith("AVAL ~ months*TRT01P + ") and models[1].startswith("AVAL ~ months + months:TRT01P + ")


def test_unknown_options_and_values_are_refused(trial: Source) -> None:
    with pytest.raises(UsageError, match="death_always_loses"):
        ask(trial, "cafs", death_alway_loses="true")
    with pytest.raises(UsageError, match="adjust"):
        ask(trial, "alsfrs", adjust="tukey")


def test_the_command_repeats_the_options(trial: Source) -> None:
    question = Question("cafs", options=(("change", "percent"), ("seed", "3")))
    assert endpoint_command(question) == "alsbench endpoint cafs --option change=percent --option seed=3"
    assert replace(question, options=()) == Question.from_dict(Question("cafs").as_dict())


def test_weights_divide_the_variance(trial: Source) -> None:
    """A constant weight changes nothing; unequal ones give the weighted least squares of statsmodels (WLS)."""
    import pandas as pd
    import statsmodels.formula.api as smf

    from alsbench.analysis.records import endpoint_records

    plain, constant = ask(trial, "alsfrs_ancova"), ask(trial, "alsfrs_ancova", weights="AVISITN")
    assert stat(constant, "difference", level=None) == pytest.approx(stat(plain, "difference", level=None), rel=1e-9)
    weighted = ask(trial, "alsfrs_ancova", weights="AGE")
    records = endpoint_records(trial, trial.endpoint("alsfrs_ancova"))
    who = records.subject
    frame = pd.DataFrame({"chg": records.chg, "base": records.base, "visit": records.visit, "arm": trial.planned_arm[who]})
    for name in ("LEADRATE", "ONSETSIT", "RILUFL", "AGE"):
        frame[name] = trial.subjects[name][who]
    frame = frame[(frame.visit == 12) & trial.population()[who] & frame.arm.isin([0, 2]) & frame.chg.notna()]
    fit = smf.wls("chg ~ C(arm) + base + LEADRATE + ONSETSIT + RILUFL", frame, weights=frame.AGE).fit()
    assert stat(weighted, "difference", level=None) == pytest.approx(fit.params["C(arm)[T.2]"], rel=1e-8)
    assert stat(weighted, "p_value", level=None) == pytest.approx(fit.pvalues["C(arm)[T.2]"], abs=1e-9)


def test_mmrm_weights(trial: Source) -> None:
    """Unequal weights reach the fit (its own numbers are held in tests/stats against dense matrices)."""
    plain = answer(Question("alsfrs", visits=(12.0,)), trial)
    weighted = answer(Question("alsfrs", visits=(12.0,), options=(("weights", "BLALSFR"),)), trial)
    for result in (plain, weighted):
        assert not [r for r in result.rows if r.error and not r.stat_name.startswith("first")]
    assert stat(plain, "difference", level=None) != stat(weighted, "difference", level=None)


def test_chosen_contrasts_over_visits(trial: Source) -> None:
    """Equal weights over all visits are the average over visits; a slope-like contrast is the sum of its parts."""
    visits = [v for v in trial.snapshot.frame("ADQS")["AVISITN"].tolist() if v > 0]
    numbers = sorted(set(visits))
    equal = ", ".join(f'"{v:g}" = {1 / len(numbers)!r}' for v in numbers)
    text = f'{{ all = {{ {equal} }}, change = {{ "1" = -1, "12" = 1 }} }}'
    result = ask(trial, "alsfrs", visit_contrasts=text)
    where = {"context": "contrast", "treatment": "Group 2"}
    for name in ("difference", "se", "df", "p_value"):
        average = stat(result, name, level="average over visits", **where)
        assert stat(result, name, level="all", **where) == pytest.approx(average, rel=1e-9)
    ends = [stat(result, "difference", visit_number=v, level=None, **where) for v in (1.0, 12.0)]
    assert stat(result, "difference", level="change", **where) == pytest.approx(ends[1] - ends[0], rel=1e-9)
    with pytest.raises(UsageError, match="visit number"):
        ask(trial, "alsfrs", visit_contrasts='{ late = { "Month 9" = 1 } }')
    absent = ask(trial, "alsfrs", visit_contrasts='{ late = { "99" = 1 } }')
    assert "99" in absent.get("difference", level="late").error


def model_of(result: Result) -> str:
    return dict(result.facts.lines)["Model"]


def test_the_footer_names_the_terms_that_were_fitted(trial: Source) -> None:
    """By the model's definition: with one visit, or without variation, a term has no columns and is not in the formula."""
    every = model_of(answer(Question("alsfrs"), trial))
    assert "TRT01P*AVISIT + BASE*AVISIT" in every
    endpoint = trial.endpoint("alsfrs").model_copy(update={"visits": (12.0,)})
    single = replace(trial, study=trial.study.model_copy(update={"endpoints": {**trial.study.endpoints, "alsfrs": endpoint}}))
    assert model_of(answer(Question("alsfrs"), single)) == every.replace("*AVISIT", "")


def test_a_slope_of_logs_says_what_is_below_the_limit(trial: Source) -> None:
    nfl = trial.endpoint("nfl").model_copy(update={"method": "slope"})
    source = replace(trial, study=trial.study.model_copy(update={"endpoints": {**trial.study.endpoints, "nfl": nfl}}))
    result = answer(Question("nfl"), source)
    assert "counted per arm" in dict(result.facts.lines)["Below LLOQ"]
    by_visit = answer(Question("nfl"), trial)
    for arm in ("Placebo", "Group 1", "Group 2"):  # the slope reads the baseline too
        visits = sum(r.number() for r in by_visit.rows if r.stat_name == "n_below_lloq" and r.arm == arm)
        assert stat(result, "n_below_lloq", arm=arm) >= visits


# a value for each key that a method may not read, and what has to be said beside it to be read at all
SAID: dict[str, tuple[object, dict[str, object]]] = {
    "covariance": ("ar1", {}),
    "covariance_by_arm": (True, {"df": "satterthwaite"}),
    "adjust": ("max-t", {}),
    "visit_contrasts": ({"late": {"6": 0.5, "12": 0.5}}, {}),
    "imputation_method": ("multiple", {"imputation": "mar", "imputations": 5}),
    "imputations": (7, {"imputation": "mar", "imputation_method": "multiple"}),
    "delta": (1.0, {"imputation": "mar"}),
    "tipping_deltas": ((0.0, -1.0), {"imputation": "mar"}),
    "df": ("satterthwaite", {}),
    "estimation": ("ml", {"df": "satterthwaite"}),
    "shared_baseline": (True, {}),
    "ls_means": ("proportional", {"covariates": ("ONSETSIT",)}),
    "at": ({"LEADRATE": 2.0}, {}),
    "weights": ("AGE", {}),
    "arms": ("all", {}),
    "lloq": (30.0, {"scale": "log"}),
    "scale": ("log", {}),
    "function": ("nfl", {}),
    "death_always_loses": (True, {}),
    "event_ties": ("function", {}),
    "win_intervals": ("transformed", {}),
    "function_at": ("horizon", {}),
    "missing": ("worst", {"function_at": "horizon"}),
    "rank_within_strata": (True, {"strata": ("ONSETSIT",)}),
    "rank_scale": ("unit", {}),
    "permutations": (99, {}),
    "change": ("percent", {}),
    "event": (None, {}),
    "threshold": (-2.0, {}),
    "nonresponse": ("left-out", {}),
    "worsening": (2.0, {}),
    "confirmed": (True, {}),
    "items": (tuple(f"X{i:02d}" for i in range(12)), {}),
    "systems": (("kings",), {}),
    "ties": ("breslow", {}),
    "intervals": ("plain", {}),
}

UNSEEN = {  # of these data; what the keys do stands in tests/stats/test_ties.py and tests/analysis/test_imputed.py
    "cafs": ["event_ties"],  # no two events on one day
    "survival": ["ties"],
    "alsfrs": ["delta", "tipping_deltas"],  # an arm of one subject cannot be imputed
}


def said_of(source: Source, endpoint: Endpoint) -> object:
    """All that an endpoint answers overall, or why it cannot."""
    study = source.study.model_copy(update={"endpoints": {**source.study.endpoints, endpoint.name: endpoint}})
    try:
        rows = answer(Question(endpoint.name), replace(source, study=study)).rows
    except AlsbenchError as error:
        return str(error)
    return [(r.key(), r.stat, r.error) for r in rows]


@pytest.mark.parametrize("name", ["alsfrs", "nfl", "cafs", "alsfrs_slope", "survival", "responder", "stages", "ae", "baseline"])
def test_a_key_is_read_by_the_methods_it_belongs_to_and_refused_elsewhere(built_trial: Source, name: str) -> None:
    """Every key of a method changes an answer of it; said of another, it would change nothing and is an error."""
    assert READ_BY.keys() == SAID.keys()
    endpoint = built_trial.study.endpoints[name]
    unseen = []
    for key, (value, beside) in SAID.items():
        reads = endpoint.method in READ_BY[key]
        more = beside if reads else {k: v for k, v in beside.items() if endpoint.method in READ_BY.get(k, ())}
        plain = endpoint.model_copy(update={"scale": "raw", **more})
        changed = plain.model_copy(update={key: value})
        faults = [f.what for f in unread_faults(("endpoints", name), changed, [key] if value is not None else [])]
        what = f"{endpoint.method} does not read {key}, which belongs to {' and '.join(READ_BY[key])}"
        assert faults == ([] if reads or value is None else [what])
        if (said_of(built_trial, plain) != said_of(built_trial, changed)) != reads:
            unseen.append(key)
    assert unseen == UNSEEN.get(name, [])
