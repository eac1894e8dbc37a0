"""Where numbers do not exist: an empty arm, an empty subgroup, too few subjects, missing values, unknown names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.endpoints import time_to_event
from alsbench.analysis.model_data import CovariateColumns, covariate_columns, unplaced_warning, unusable_warnings
from alsbench.analysis.question import Question
from alsbench.analysis.records import endpoint_records
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import complement, describe, members
from alsbench.errors import DataError, ExpressionError, UsageError
from alsbench.study.model import Endpoint, Subgroup

FIRST = ("first_lasting_visit", "first_visit")  # "never" is a row without a number that says so
ENDPOINTS = ("alsfrs", "nfl", "cafs", "alsfrs_ancova", "alsfrs_slope", "survival", "baseline", "ae")


def with_subgroup(source: Source, where: str, name: str = "edge") -> Source:
    subgroups = (*source.study.subgroups, Subgroup(name=name, where=where))
    return replace(source, study=source.study.model_copy(update={"subgroups": subgroups}))


def with_endpoint(source: Source, name: str, **changes: object) -> Source:
    endpoint = source.endpoint(name).model_copy(update=changes)
    return replace(source, study=source.study.model_copy(update={"endpoints": {**source.study.endpoints, name: endpoint}}))


def says_why(result: Result) -> bool:
    """Every row without a number says why."""
    return all(r.error for r in result.rows if r.stat is None)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_subject_in_one_arm(trial: Source, endpoint: str) -> None:
    source = with_subgroup(trial, "TRT01PN != 1")
    result = answer(Question(endpoint, subgroups=("edge",)), source)
    assert says_why(result)
    gone = [r for r in result.rows if r.treatment == "Group 1" and r.stat_name in ("p_value", "smd", "risk_difference")]
    assert gone and all(r.stat is None and r.error for r in gone)
    if endpoint not in ("baseline", "ae"):
        kept = [r for r in result.rows if r.treatment == "Group 2" and r.stat_name == "p_value"]
        assert kept and all(r.stat is not None for r in kept)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("where", ["AGE > 200", "USUBJID == 'ALSREF01-02-1001'", "AGE >= 74"])
def test_empty_or_tiny_subgroup(trial: Source, endpoint: str, where: str) -> None:
    result = answer(Question(endpoint, subgroups=("edge",)), with_subgroup(trial, where))
    assert says_why(result)
    keys = [r.key() for r in result.rows]
    assert len(keys) == len(set(keys))
    if where == "AGE > 200":
        assert result.get("n", context="subgroup", arm=None).stat == 0


@pytest.mark.parametrize("endpoint", ["cafs", "survival", "alsfrs_ancova"])
def test_nobody_is_said_in_the_same_words_of_every_statistic_of_a_comparison(trial: Source, endpoint: str) -> None:
    """Both arms are named, the reference first; no covariate is said to have been left out of a model that was not fitted."""
    result = answer(Question(endpoint, subgroups=("edge",)), with_subgroup(trial, "AGE > 200"))
    pair = [r for r in result.rows if (r.treatment, r.context) == ("Group 1", "contrast") and r.stat is None]
    said = {r.error.split(" at this visit")[0] for r in pair if r.error != "never" and r.stat_name not in FIRST}
    what = {"cafs": "ranked subjects", "survival": "subjects", "alsfrs_ancova": "analysed rows"}[endpoint]
    assert said == {f"no {what} of Placebo or Group 1{'' if endpoint == 'alsfrs_ancova' else ' in this subgroup'}"}
    assert not [w for w in result.warnings if "does not vary" in w]


def test_an_answer_does_not_depend_on_when_it_is_asked(trial: Source) -> None:
    for endpoint in ("alsfrs", "cafs", "alsfrs_slope"):
        question = Question(endpoint, subgroups=("slow", "not slow"))
        assert answer(question, trial) == answer(question, trial)


def test_a_missing_value_is_in_neither_part(built_trial: Source) -> None:
    """Two subjects of the built trial's analysis set have no BLNFL: they, and nobody else, are in neither part."""
    inside, outside = members(built_trial, "nfl_low"), members(built_trial, "not nfl_low")
    everybody = members(built_trial, "overall")
    assert inside.n_undecided == outside.n_undecided == 2
    assert inside.n + outside.n == everybody.n - 2 and inside.n and outside.n
    assert not (inside.mask & outside.mask).any()
    gone = everybody.mask & ~inside.mask & ~outside.mask
    assert {built_trial.subject_ids[i] for i in np.flatnonzero(gone)} == {"B-03", "B-28"}


def test_conjunction_follows_three_valued_logic(trial: Source) -> None:
    source = with_subgroup(trial, "BLNFL < 52", "low_nfl")
    both = members(source, "slow and low_nfl")
    assert (both.mask == (members(source, "slow").mask & members(source, "low_nfl").mask)).all()
    assert both.post_hoc


def test_complement_goes_back_and_forth(trial: Source) -> None:
    assert complement(trial, "slow") == "not slow"
    assert complement(trial, "not slow") == "slow"
    with pytest.raises(ExpressionError):
        complement(with_subgroup(trial, "AGE > 60"), "slow and edge")


@pytest.mark.parametrize(
    ("question", "names"),
    [
        (Question("alsfr"), "alsfrs"),
        (Question("alsfrs", subgroups=("slwo",)), "slow"),
        (Question("alsfrs", comparisons=("Group 3",)), "Group 2"),
        (Question("alsfrs", population="FSA"), "FAS"),
        (Question("alsfrs", covariance="un"), "us"),
        (Question("alsfrs", method="mrmm"), "mmrm"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(trial: Source, question: Question, names: str) -> None:
    with pytest.raises(UsageError, match=names):
        answer(question, trial)


def test_unknown_column_names_the_nearest(trial: Source) -> None:
    with pytest.raises(ExpressionError, match="LEADRATE"):
        describe(trial, "LEDRATE < 1")
    with pytest.raises(ExpressionError, match="LEADRATE"):
        describe(trial, "LEADRATE < mean(LEDRATE)")


def test_a_parameter_that_is_not_there(trial: Source) -> None:
    source = with_endpoint(trial, "alsfrs", paramcd="ALSFRSX")
    with pytest.raises(DataError, match="ALSFRSX"):
        answer(Question("alsfrs"), source)


def test_covariate_constant_in_a_subgroup_is_left_out_and_said(trial: Source) -> None:
    result = answer(Question("alsfrs", subgroups=("edge",)), with_subgroup(trial, 'ONSETSIT == "LIMB"'))
    assert any("ONSETSIT" in w and "left out" in w for w in result.warnings)
    assert not [r for r in result.rows if r.error and r.stat_name not in FIRST]


def test_a_visit_without_rows_is_an_error_row_or_a_warning(trial: Source) -> None:
    result = answer(Question("alsfrs", visits=(99.0,)), trial)
    assert any("99" in w for w in result.warnings)
    ancova = answer(Question("alsfrs_ancova", visits=(99.0,)), trial)
    assert says_why(ancova)
    assert ancova.get("p_value", context="contrast").error


def test_joint_rank_over_all_arms(trial: Source) -> None:
    """Ranks of one ranking of everybody sum to n (n + 1) / 2, and every comparison reads from it."""
    source = with_endpoint(trial, "cafs", arms="all")
    result = answer(Question("cafs", visits=(12.0,), subjects=True), source)
    ranks = [r.number() for r in result.select(context="subject", stat_name="rank")]
    assert sum(ranks) == len(ranks) * (len(ranks) + 1) / 2
    assert len(ranks) == sum(r.number() for r in result.select(context="arm", stat_name="n"))
    keys = [r.key() for r in result.rows]
    assert len(keys) == len(set(keys))


def test_where_restricts_the_records(trial: Source) -> None:
    all_rows = answer(Question("alsfrs_ancova", visits=(6.0,)), trial)
    source = with_endpoint(trial, "alsfrs_ancova", where="ADY < 183")
    some = answer(Question("alsfrs_ancova", visits=(6.0,)), source)
    count = lambda r: sum(x.number() for x in r.select(context="arm", stat_name="n"))  # noqa: E731
    assert 0 < count(some) < count(all_rows)


def test_endpoints_accept_visits(trial: Source) -> None:
    source = with_endpoint(trial, "alsfrs", visits=(6.0, 12.0))
    result = answer(Question("alsfrs"), source)
    assert {r.visit_number for r in result.select(context="arm", stat_name="ls_mean")} == {6.0, 12.0}


def test_method_override_needs_what_the_method_needs(trial: Source) -> None:
    ancova = answer(Question("alsfrs", method="ancova", visits=(6.0,)), trial)
    assert ancova.question["method"] == "ancova"
    with pytest.raises(UsageError, match="joint_rank"):
        answer(Question("alsfrs", method="joint_rank"), trial)
    assert isinstance(trial.endpoint("alsfrs"), Endpoint)


def test_from_which_visit_does_not_depend_on_the_visits_shown(trial: Source) -> None:
    """METHODS 4: "first significant" means at every later visit, so asking for one visit must not shorten the look."""
    for endpoint in ("alsfrs", "alsfrs_ancova"):
        whole, one = answer(Question(endpoint), trial), answer(Question(endpoint, visits=(6.0,)), trial)
        for name in (*FIRST, "visits_tested"):
            for arm in ("Group 1", "Group 2"):
                assert one.get(name, treatment=arm).stat == whole.get(name, treatment=arm).stat, (endpoint, name, arm)
        assert {r.visit_number for r in one.rows if r.stat_name == "p_value" and r.treatment} - {None} == {6.0}


def test_values_without_a_baseline_are_counted(trial: Source) -> None:
    """Where BASE is missing CHG is missing too: the loss must be counted by the values (docs/methods.md, Analysis frame)."""
    endpoint = trial.endpoint("alsfrs")
    question = Question("alsfrs")
    ask = AnalysisContext(trial, endpoint, question, "FAS", members(trial, "overall", "FAS"), trial.comparisons(()))
    records = endpoint_records(trial, endpoint)
    gone = records.subject == records.subject[records.visit > 0][0]
    nothing = np.where(gone, np.nan, records.base)
    holed = replace(records, base=nothing, chg=np.where(gone, np.nan, records.chg))
    after = holed.visit > 0
    n = int((gone & after & np.isfinite(records.aval)).sum())
    assert n > 1 and unusable_warnings(ask, holed, after) == [f"{n} rows left out: no baseline value"]
    assert unusable_warnings(ask, records, after) == []


def test_subjects_left_out_of_the_cox_model_are_counted(trial: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing covariate takes a subject out of the Cox model, though not out of the log-rank test: it is said."""

    def holed(ask: AnalysisContext) -> CovariateColumns:
        columns = covariate_columns(ask)
        complete = columns.complete.copy()
        complete[np.flatnonzero(trial.planned_arm == trial.study.arms.order.index("Placebo"))[:2]] = False
        return replace(columns, complete=complete)

    monkeypatch.setattr(time_to_event, "covariate_columns", holed)
    result = answer(Question("survival"), trial)
    for arm in ("Group 1", "Group 2"):
        assert f"{arm} against Placebo: 2 subjects left out of the Cox model: a covariate is missing" in result.warnings


def test_records_of_no_visit_are_counted(trial: Source) -> None:
    """An unscheduled record without a visit number is not analysed; the result says how many."""
    records = replace(endpoint_records(trial, trial.endpoint("alsfrs")), n_unknown_subject=3)
    assert unplaced_warning(records) == ["3 records left out: no visit number, or a subject that is not in ADSL"]
    assert unplaced_warning(replace(records, n_unknown_subject=0)) == []


def test_pairs_that_all_end_alike_say_why_there_is_no_ratio(trial: Source) -> None:
    """One subject of each arm: one pair. Its winner has no ratio, no interval, and a single rank no SD."""
    first = [next(i for i, arm in zip(trial.subject_ids, trial.planned_arm, strict=True) if arm == code) for code in (0, 1)]
    source = with_subgroup(trial, f"USUBJID in ('{first[0]}', '{first[1]}')")
    result = answer(Question("cafs", subgroups=("edge",), comparisons=("Group 1",)), source)
    assert says_why(result)
    assert "not a number" not in {r.error for r in result.rows}
    told = {r.stat_name: r.error for r in result.select(context="contrast") if r.stat is None}
    assert told["net_benefit_low"] == told["win_ratio_low"] == told["win_odds_high"]
    assert told["win_ratio_low"] in {
        "no pair is lost: there is no finite ratio or interval",
        "no pair is won: there is no finite ratio or interval",
        "every pair is tied",
    }
    assert {r.error for r in result.select(context="arm", stat_name="sd")} == {"a single rank has no SD"}
