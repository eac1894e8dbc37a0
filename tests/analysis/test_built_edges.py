"""Edges of how records are read: values delivered as halved, weights of zero, visits few attended, the baseline as a visit.

Expected values are counted from the rows of the built trial, or by hand.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from tests.built import trial as built
from tests.built.counted import ADQS, ADSL, TIMES, number, of

from alsbench.analysis.model_data import CovariateColumns, covariate_variables
from alsbench.analysis.question import Question
from alsbench.analysis.records import _quantified, _unscheduled, resolve_visit, visit_labels
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.data.frames import Frame
from alsbench.errors import UsageError


def frame(**columns: list[object]) -> Frame:
    made = {n: np.asarray(v, dtype=object if any(isinstance(x, str) for x in v) else np.float64) for n, v in columns.items()}
    return Frame(made)


def test_a_value_delivered_as_halved_is_not_halved_again() -> None:
    """A laboratory whose limit was 24 delivers 12: below its limit, though not below 20; 20 is at the limit, not below it."""
    values = np.array([12.0, 12.0, 20.0, 19.0])
    found, below = _quantified(frame(AVAL=[12.0, 12.0, 20.0, 19.0], DTYPE=["HALFLLOQ", "", "", ""]), values, 20.0)
    assert found.tolist() == [12.0, 10.0, 20.0, 10.0] and below.tolist() == [True, True, False, True]
    found, below = _quantified(frame(AVAL=[12.0, 30.0, 20.0, 19.0], DTYPE=["", "HALFLLOQ", "", ""]), values, None)
    assert found.tolist() == values.tolist() and below.tolist() == [False, True, False, False]


def test_a_weight_that_is_not_positive_leaves_the_record_out(built_trial: Source) -> None:
    """The value itself as a weight: one is zero, others are missing. Counted from the rows."""
    result = answer(Question("nfl", options=(("weights", "AVAL"),)), built_trial)
    rows = [r for r in built.adlb() if r["AVAL"] != "" and r["BASE"] != "" and ADSL.LEADRATE.notna()[str(r["USUBJID"])]]
    zeros = 0
    for arm, visit in [(arm, visit) for arm in ("Placebo", "Low", "High") for visit in (3, 6, 12)]:
        values = [float(str(r["AVAL"])) for r in rows if r["AVISITN"] == visit and r["USUBJID"] in of("overall", arm)]
        zeros += values.count(0.0)
        found = [r for r in result.select(context="arm", stat_name="n", arm=arm) if r.visit_number == float(visit)]
        assert found and {r.stat or 0 for r in found} == {sum(v > 0 for v in values)}, (arm, visit)
    assert zeros == 1


def test_a_quarter_of_the_fullest_visit_is_a_schedule() -> None:
    """Of 8 records at the fullest visit, 2 at month 1.5 are a quarter; 1 is fewer. Nothing at baseline is off schedule."""
    labels = {0.0: "Unscheduled baseline", 1.5: "Month 1.5", 3.0: "Month 3"}
    assert _unscheduled(labels, np.repeat([0.0, 1.5, 3.0], [8, 2, 8]), 0.0) == ()
    assert _unscheduled(labels, np.repeat([0.0, 1.5, 3.0], [8, 1, 8]), 0.0) == ((1.5, 1),)


def test_two_visits_of_one_label_are_told_apart() -> None:
    number = np.array([1.0, 2.0, 3.0, 3.0])
    labels = visit_labels(frame(AVISIT=["Unscheduled", "Unscheduled", "Month 3", "Month 3"]), number, "AVISIT")
    assert labels == {1.0: "Unscheduled (1)", 2.0: "Unscheduled (2)", 3.0: "Month 3"}


@pytest.mark.parametrize("name", ["cafs", "alsfrs", "alsfrs_ancova"])
def test_baseline_is_no_visit_to_analyse(built_trial: Source, name: str) -> None:
    with pytest.raises(UsageError, match="no visit '0' after baseline"):
        resolve_visit(built_trial, built_trial.endpoint(name), "0")
    assert resolve_visit(built_trial, built_trial.endpoint(name), "6") == 6.0


def test_a_factor_is_a_covariate(built_trial: Source) -> None:
    """A number named in ``factors`` enters as a class: it costs a degree of freedom for each value but one."""
    plain = built_trial.endpoint("alsfrs_ancova")
    n = 0.0
    dfs = []
    for factors in ((), ("SITEID",)):
        study = built_trial.study.model_copy(
            update={"endpoints": {"alsfrs_ancova": plain.model_copy(update={"factors": factors})}}
        )
        result = answer(Question("alsfrs_ancova"), replace(built_trial, study=study))
        at = {"subgroup": "overall", "treatment": "Low", "visit_number": 3.0}
        n = number(result, "n", context="arm", arm="Low", **at) + number(result, "n", context="arm", arm="Placebo", **at)
        dfs.append(number(result, "df", context="contrast", level=None, **at))
    sites = {str(ADSL.SITEID[s]) for s in of("overall", "Low", "Placebo")}
    assert len(sites) > 1 and dfs[0] - dfs[1] == len(sites) - 1 and dfs[0] == n - 5


def test_responders_by_percent_of_baseline(built_trial: Source) -> None:
    """An item that kept 60 % of its baseline or more; a baseline of 0 has no percentage, so it counts as no response."""
    plain = built_trial.endpoint("responder")
    endpoint = plain.model_copy(update={"paramcd": "ALSFR01", "change": "percent", "threshold": -40.0, "worsening": None})
    study = built_trial.study.model_copy(update={"endpoints": {**built_trial.study.endpoints, "responder": endpoint}})
    result = answer(Question("responder"), replace(built_trial, study=study))
    items = ADQS[ADQS.PARAMCD == "ALSFR01"].set_index(["USUBJID", "AVISITN"])
    zeros = 0
    for arm, visit in itertools.product(("Placebo", "Low", "High"), (6, 12)):
        yes = missing = 0
        for s in of("overall", arm):
            if TIMES.get(s, ("", ""))[1] == 0 and TIMES[s][0] <= built.DAY[visit]:
                continue
            row = items.loc[(s, float(visit))] if (s, float(visit)) in items.index else None
            known = row is not None and row.BASE > 0 and row.CHG == row.CHG
            zeros += row is not None and row.BASE == 0
            missing += not known
            yes += row is not None and known and row.AVAL >= 0.6 * row.BASE
        at = {"context": "arm", "arm": arm, "subgroup": "overall", "visit_number": float(visit), "variable": None}
        assert (number(result, "count", **at), number(result, "n_missing", **at)) == (yes, missing)
    assert zeros >= 3


def test_the_baseline_is_never_a_response(built_trial: Source) -> None:
    """Its log ratio to itself is 0 and could be modelled: a list of visits that names it changes nothing."""
    plain = built_trial.endpoint("nfl").model_copy(update={"method": "mmrm", "covariance": "cs"})

    def asked_of(visits: tuple[float, ...]) -> list[object]:
        endpoints = {"nfl": plain.model_copy(update={"visits": visits})}
        source = replace(built_trial, study=built_trial.study.model_copy(update={"endpoints": endpoints}))
        return [(r.key(), r.stat) for r in answer(Question("nfl"), source).rows]

    assert asked_of((0.0, 3.0, 6.0)) == asked_of((3.0, 6.0))


@pytest.mark.parametrize("name", ["alsfrs", "alsfrs_ancova"])
def test_a_change_without_a_baseline_is_not_analysed(built_trial: Source, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivered change whose baseline is missing: one subject fewer at that visit, and it is said."""
    from alsbench.analysis.endpoints import ancova, mmrm

    def count() -> float:
        return number(answer(Question(name), built_trial), "n", context="arm", arm="Low", **at)

    at = {"subgroup": "overall", "visit_number": 3.0} | ({"treatment": "Low"} if name == "alsfrs_ancova" else {})
    before = count()
    read = ancova.endpoint_records

    def without_one(source: Source, endpoint: object) -> object:
        records = read(source, endpoint)
        one = np.flatnonzero(
            (records.visit == 3.0) & np.isfinite(records.chg) & (built_trial.planned_arm[records.subject] == 1)
        )
        whole = built_trial.population("")[records.subject[one]]
        known = np.array([ADSL.LEADRATE.notna()[built_trial.subject_ids[i]] for i in records.subject[one]])
        onset = np.array([ADSL.ONSETSIT.notna()[built_trial.subject_ids[i]] for i in records.subject[one]])
        base = records.base.copy()
        base[one[whole & known & onset][0]] = np.nan
        return replace(records, base=base)

    monkeypatch.setattr(ancova if name == "alsfrs_ancova" else mmrm, "endpoint_records", without_one)
    assert count() == before - 1


def test_a_baseline_to_hold_is_given_in_the_units_of_the_data(built_trial: Source) -> None:
    """Modelled as its logarithm: 20, 40 and 80 are equal steps."""
    found = []
    for base in (20, 40, 80):
        result = answer(Question("nfl", options=(("at", f"{{ BASE = {base} }}"),)), built_trial)
        at = {"subgroup": "overall", "treatment": "Low", "visit_number": 6.0}
        found.append(number(result, "ls_mean", context="arm", arm="Low", **at))
    assert found[2] - found[1] == pytest.approx(found[1] - found[0], rel=1e-9) and abs(found[1] - found[0]) > 1e-3


def test_a_number_that_does_not_vary_is_left_out_and_said() -> None:
    columns = CovariateColumns({"AGE": np.array([50.0, 50.0, 61.0])}, {}, np.ones(3, dtype=bool), ("AGE",))
    variables, warnings = covariate_variables(columns, np.array([0, 1]))
    assert variables == [] and warnings == ["AGE does not vary among the analysed rows and was left out of the model"]
    assert [v.name for v in covariate_variables(columns, np.array([0, 2]))[0]] == ["AGE"]
