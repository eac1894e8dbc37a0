"""Odd but legal data must not change an answer: visits that share a label, long numbers as classes, nested factors.

Each answer is compared with that of the same trial written the usual way, or with R 4.2.2 (emmeans 1.8.4-1).
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.question import Question
from alsbench.analysis.records import _unscheduled, endpoint_records
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError
from alsbench.study.model import Endpoint, Study

TRIAL = Path(__file__).parent.parent / "reference" / "als-ref-2"
P_WEIGHTED = {"Drug 10 mg": 0.426645319217779, "Drug 20 mg": 0.512933556948512, "Drug 40 mg": 0.552975522941419}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The weekly trial with two visits called Unscheduled, seven-digit sites, regions of sites, and lost visit numbers."""
    made = tmp_path_factory.mktemp("odd")
    adsl, adqs = pd.read_csv(TRIAL / "adsl.csv"), pd.read_csv(TRIAL / "adqs.csv")
    adqs.loc[adqs.AVISITN.isin([8, 20]), "AVISIT"] = "Unscheduled"
    lost = adqs.sample(5, random_state=1)[["USUBJID"]].assign(
        PARAMCD=["ALSTOT", "ALSTOT", "ALSFR01", "ALSFR02", "ALSFR10"], AVAL=[30, 31, 2, 3, 4], ANL01FL="Y", AVISIT="Unscheduled"
    )
    adqs = pd.concat([adqs, lost], ignore_index=True)
    adqs["DTYPE"] = ""
    adqs.loc[adqs.query("PARAMCD == 'ALSTOT' and AVISITN == 24").index[:4], "DTYPE"] = "LOCF"
    order = {s: i % 6 for i, s in enumerate(sorted(adsl.USUBJID))}
    site = adsl.USUBJID.map(order)
    adsl["SITEN"] = 1000001 + site
    adsl["RATETEXT"] = adsl.LEADRATE.astype(str).mask(adsl.index == 3, "NA")
    adsl["SITE"] = "S" + site.astype(str)
    adsl["REGION"] = np.where(site < 2, "EU", "US")
    unfinished = adsl.USUBJID[adsl.TRT01A.eq("Placebo")].head(10)
    adsl.loc[adsl.USUBJID.isin(unfinished), "TRTEDT"] = ""
    adae = pd.read_csv(TRIAL / "adae.csv")
    adae["AETOXGR"] = adae.AESEV.map({"MILD": 1, "MODERATE": 2, "SEVERE": 3})
    adae["AESEV"] = ""
    for name, table in (("adsl", adsl), ("adqs", adqs), ("adae", adae)):
        table.to_csv(made / f"{name}.csv", index=False)
    adtte = pd.read_csv(TRIAL / "adtte.csv")
    months = adtte.assign(PARAMCD="DTHMON", PARAM="Time to death (months)", AVAL=(adtte.AVAL / 30.4375).round(3))
    pd.concat([adtte, months]).to_csv(made / "adtte.csv", index=False)
    doses = [adsl.assign(PARAMCD=code, AVAL=value)[["USUBJID", "PARAMCD", "AVAL"]] for code, value in (("DOSE", 3), ("DUR", 9))]
    pd.concat(doses).to_csv(made / "adex.csv", index=False)
    directory = tmp_path_factory.mktemp("odd-ws")
    workspace = Workspace(directory)
    workspace.create()
    shutil.copy(TRIAL / "study.toml", workspace.study_path)
    accept = {"endpoint-dataset": "neither SVC nor NfL is asked for"}
    load(sorted(made.glob("*.csv")), workspace, study=workspace.read_study(), expect={}, accept=accept)
    return replace(open_source(directory), results_dir=None)


@pytest.fixture(scope="module")
def plain(sources: dict[str, Source]) -> Source:
    return sources["als-ref-2"]


def asked(source: Source, name: str, base: str = "alsfrs_ancova", **changes: object) -> Result:
    endpoint: Endpoint = source.endpoint(base).model_copy(update=changes | {"name": name})
    study: Study = source.study.model_copy(update={"endpoints": {**source.study.endpoints, name: endpoint}})
    return answer(Question(name, visits=(24.0,) if base.endswith("ancova") else ()), replace(source, study=study))


def numbers(result: Result, *names: str) -> dict[tuple[object, ...], object]:
    return {
        (r.context, r.stat_name, r.arm, r.treatment, r.visit_number, r.level): r.stat
        for r in result.rows
        if r.stat_name in names
    }


def test_visits_that_share_a_label_are_different_visits(odd: Source, plain: Source) -> None:
    """The label is a name: the numbers are those of the same trial with a label for every visit."""
    question = Question("alsfrs")
    ours, wanted = answer(question, odd), answer(question, plain)
    names = ("ls_mean", "se", "difference", "p_value", "first_visit", "first_lasting_visit")
    assert numbers(ours, *names) == numbers(wanted, *names)
    labels = {r.visit for r in ours.rows if r.visit_number in (8.0, 20.0)}
    assert labels == {"Unscheduled (8)", "Unscheduled (20)"}
    keys = [r.key() for r in ours.rows]
    assert len(keys) == len(set(keys))


def test_long_numbers_stay_apart_as_classes(odd: Source) -> None:
    """Sites 1000001, 1000002, ... are six classes and not one called 1e+06."""
    by_number = asked(odd, "by_number", covariates=("SITEN",), factors=("SITEN",))
    by_text = asked(odd, "by_text", covariates=("SITE",))
    assert numbers(by_number, "ls_mean", "difference", "p_value") == numbers(by_text, "ls_mean", "difference", "p_value")
    assert not any("SITEN" in w for w in by_number.warnings)
    table = asked(odd, "who", base="baseline", covariates=("SITEN",), factors=("SITEN",))
    assert {r.level for r in table.rows if r.stat_name == "count"} == {str(1000001 + i) for i in range(6)}


def test_a_measure_that_stands_as_text_is_no_factor(odd: Source) -> None:
    """One NA makes a CSV column text; ninety lead-in rates as ninety classes turned a difference of 0.2 into -1.8."""
    with pytest.raises(DataError, match="RATETEXT is text because of 'NA', though its values are numbers"):
        asked(odd, "rates", covariates=("RATETEXT",))
    as_classes = asked(odd, "classes", covariates=("RATETEXT",), factors=("RATETEXT",))
    assert as_classes.get("n", context="arm", arm="Placebo", treatment="Drug 10 mg").stat


def test_a_difference_outlives_nested_factors(odd: Source) -> None:
    """With region and its sites no LS mean is estimable, yet the difference is, and is that of the model with sites alone.

    R: ``contrast(emmeans(lm(CHG ~ TRT01P + BASE + SITE + REGION), "TRT01P"))`` prints the same estimate, SE and p in both.
    """
    both = asked(odd, "nested", covariates=("SITE", "REGION"))
    sites = asked(odd, "sites", covariates=("SITE",))
    names = ("difference", "df", "p_value", "conf_low")
    theirs = {k: v for k, v in numbers(sites, *names).items() if k[0] == "contrast"}
    found = {k: v for k, v in numbers(both, *names).items() if k[0] == "contrast"}
    assert found.keys() == theirs.keys() and len(found) == 12
    for key, value in found.items():
        assert value == pytest.approx(theirs[key], rel=1e-9), key
    assert all("not estimable" in (r.error or "") for r in both.select(stat_name="ls_mean"))


def test_slopes_and_imputed_differences_outlive_them_too(odd: Source) -> None:
    """Neither rests on the level of the nested factors."""
    both = asked(odd, "nested", base="alsfrs_slope", covariates=("SITE", "REGION"))
    sites = asked(odd, "nested", base="alsfrs_slope", covariates=("SITE",))
    names = ("slope", "difference", "se", "df")
    assert numbers(both, *names) == {k: pytest.approx(v, rel=1e-6) for k, v in numbers(sites, *names).items()}
    multiple = {"imputation": "jump-to-reference", "imputation_method": "multiple", "imputations": 3}
    imputed = asked(odd, "filled", base="alsfrs", covariates=("SITE", "REGION"), **multiple)
    assert [r.stat is not None for r in imputed.select(stat_name="difference", variable="imputed")] == [True] * 3
    assert all("not estimable" in (r.error or "") for r in imputed.select(stat_name="ls_mean", variable="imputed"))


def test_a_fit_without_spare_subjects_says_so(odd: Source) -> None:
    """As many coefficients as rows: no statistic is "not a number", each says that no degrees of freedom are left."""
    ids = "'" + "', '".join(str(s) for s in np.array(odd.subject_ids)[[0, 1, 2, 3, 4, 5]]) + "'"
    result = asked(odd, "tiny", where=f"ANL01FL == 'Y' and USUBJID in ({ids})", covariates=("SITE",))
    reasons = {r.error for r in result.select(stat_name="p_value") if r.treatment}
    assert reasons and not any(x in (None, "not a number") for x in reasons)
    assert any("degrees of freedom" in str(x) for x in reasons)


def test_records_of_no_visit_are_counted_by_every_endpoint(odd: Source) -> None:
    responder = asked(odd, "resp", base="alsfrs", method="responder", threshold=-3.0)
    assert any(w.startswith("2 records left out") for w in responder.warnings)
    staging = asked(odd, "stages", base="alsfrs", method="staging", paramcd="", where="")
    assert any(w.startswith("3 records left out") for w in staging.warnings)


def test_severity_is_the_grade_where_no_word_was_delivered(odd: Source, plain: Source) -> None:
    """AESEV stands empty beside AETOXGR: the grade counts, not the worst case."""
    count = lambda s: [r.stat for r in answer(Question("ae"), s).rows if r.stat_name == "count" and r.level == "severe"]  # noqa: E731
    assert count(odd) == count(plain)


def test_visits_outside_the_schedule_are_said(odd: Source, plain: Source) -> None:
    """They enter a model like planned visits, which can cost it its covariance: the result says how to leave them out."""
    result = answer(Question("alsfrs"), odd)
    (said,) = [w for w in result.warnings if "unscheduled" in w]
    n = sum(int(r.number()) for r in result.select(context="arm", stat_name="n") if r.visit_number in (8.0, 20.0))
    assert int(said.split()[0]) >= n  # values of subjects outside the population, too, stand in the data set
    assert "(Unscheduled (8), Unscheduled (20))" in said
    assert 'where = "AVISITN not in (8, 20)"' in said
    left_out = asked(odd, "planned", base="alsfrs", where="ANL01FL == 'Y' and AVISITN not in (8, 20)")
    assert not any("unscheduled" in w for w in left_out.warnings)
    named = asked(odd, "named", base="alsfrs", visits=(12.0, 24.0))
    assert not any("unscheduled" in w for w in named.warnings)
    assert not any("unscheduled" in w for w in answer(Question("alsfrs"), plain).warnings)


def test_a_visit_between_months_that_few_attended_is_unscheduled() -> None:
    """Without a word for it in the label. A half month that everybody attends is in the schedule."""
    labels = {0.0: "Baseline", 0.5: "Month 0.5", 1.0: "Month 1", 1.3: "Visit 1.3"}
    number = np.repeat([0.0, 0.5, 1.0, 1.3], [20, 20, 18, 2])
    assert _unscheduled(labels, number, 0.0) == ((1.3, 2),)
    assert _unscheduled({**labels, 99.0: "Early Termination"}, np.append(number, 99.0), 0.0) == ((1.3, 2), (99.0, 1))


@pytest.mark.parametrize("endpoint", ["alsfrs", "alsfrs_ancova", "cafs", "alsfrs_slope"])
def test_an_aliased_covariate_is_named(trial: Source, endpoint: str) -> None:
    """A covariate that repeats another has no coefficient: every model says so, and the difference is that without it."""
    base = trial.endpoint(endpoint)
    changed = base.model_copy(update={"covariates": (*base.covariates, "TRT01PN", "TRT01AN"), "name": "twice"})
    source = replace(trial, study=trial.study.model_copy(update={"endpoints": {**trial.study.endpoints, "twice": changed}}))
    result = answer(Question("twice", visits=(6.0,)) if endpoint != "alsfrs_slope" else Question("twice"), source)
    (said,) = [w for w in result.warnings if w.startswith("aliased coefficients left out")]
    assert "TRT01AN" in said


def test_values_that_were_filled_in_are_said(odd: Source) -> None:
    for base in ("alsfrs", "alsfrs_ancova", "alsfrs_slope"):
        warnings = answer(Question(base), odd).warnings
        assert "4 records with DTYPE LOCF analysed as observed: leave them out with the endpoint's where" in warnings


def test_a_change_follows_a_value_that_was_halved(trial: Source) -> None:
    """A limit set in the study halves AVAL and BASE; the delivered CHG of those records would be that of other values."""
    endpoint = trial.endpoint("nfl").model_copy(update={"scale": "raw", "lloq": 40.0})
    before, after = endpoint_records(trial, trial.endpoint("nfl")), endpoint_records(trial, endpoint)
    touched = (after.aval != before.aval) | (after.base != before.base)
    touched &= np.isfinite(after.aval) & np.isfinite(after.base)
    assert 50 < touched.sum() < len(after)
    np.testing.assert_array_equal(after.chg[touched], (after.aval - after.base)[touched])
    np.testing.assert_array_equal(after.chg[~touched], before.chg[~touched])


def test_times_in_months_are_refused(odd: Source) -> None:
    """An event in month 3 read as day 3 would put every event before every horizon."""
    with pytest.raises(DataError, match="DTHMON is in months: times to event must be in days"):
        asked(odd, "months", base="survival", paramcd="DTHMON")


def test_a_rate_counts_the_events_of_the_time_it_counts(odd: Source, plain: Source) -> None:
    """Ten placebo subjects have no end of treatment: rate x patient-years / 100 is the others' events."""
    result = answer(Question("ae"), odd)
    assert any(w.startswith("10 of") and "TRTEDT" in w for w in result.warnings)
    years = result.get("total", arm="Placebo", level="patient-years").number()
    rate = result.get("rate", arm="Placebo", level="any").number()
    adsl, adae = pd.read_csv(TRIAL / "adsl.csv"), pd.read_csv(TRIAL / "adae.csv")
    gone = adsl.USUBJID[adsl.TRT01A.eq("Placebo")].head(10)
    safe = adsl.USUBJID[adsl.TRT01A.eq("Placebo") & adsl.SAFFL.eq("Y") & ~adsl.USUBJID.isin(gone)]
    assert rate * years / 100 == pytest.approx((adae.USUBJID.isin(safe) & adae.TRTEMFL.eq("Y")).sum())
    counts = [r.stat for r in result.rows if r.stat_name == "events" and r.level == "any"]
    assert counts == [r.stat for r in answer(Question("ae"), plain).rows if r.stat_name == "events" and r.level == "any"]


def test_parameters_of_exposure_are_no_doses(odd: Source) -> None:
    result = answer(Question("ae"), odd)
    assert "ADEX holds several parameters: its rows are not doses, and none are counted" in result.warnings
    assert result.get("mean", arm="Placebo", level="doses").stat is None


def test_where_nothing_declines_nothing_is_slowed(plain: Source) -> None:
    """Against a reference that gets better, 100 (1 - b1/b0) is positive for a treatment that does worse."""
    falling = list(answer(Question("alsfrs_slope"), plain).select(stat_name="percent_slowing"))
    rising = list(asked(plain, "up", base="alsfrs_slope", better="lower").select(stat_name="percent_slowing"))
    assert all(r.stat is not None for r in falling) and len(rising) == len(falling) == 3
    assert {r.error for r in rising} == {"Placebo does not get worse: there is no decline to slow"}


def test_a_slowing_without_limits_is_not_shown(plain: Source) -> None:
    """NfL of placebo rises by 0.5 a month, SE 0.3: no percentage of it has two limits (Fieller)."""
    nfl = plain.endpoint("nfl")
    result = asked(plain, "rising", base="alsfrs_slope", paramcd=nfl.paramcd, dataset=nfl.dataset, better="lower")
    (slope,) = result.select(stat_name="slope", arm="Placebo")
    (low,) = result.select(stat_name="conf_low", context="arm", arm="Placebo")
    assert low.number() < 0 < slope.number()
    rows = [r for r in result.rows if r.stat_name.startswith("percent_slowing")]
    assert len(rows) == 9 and {r.stat for r in rows} == {None}
    assert all((r.error or "").startswith("the slope of Placebo is not clearly different from zero") for r in rows)


def test_an_interaction_uses_the_weights_of_its_model(plain: Source) -> None:
    """R: ``lm(CHG ~ T * P + BASE + LEADRATE + ONSETSIT + RILUFL, weights = BLALSFR)`` at week 24, p of T:P for each dose."""
    endpoint = plain.endpoint("alsfrs_ancova").model_copy(update={"weights": "BLALSFR"})
    rows = evidence_piece(plain, endpoint, "slow", plain.comparisons(())).rows
    found = {r.treatment: r.stat for r in rows if r.stat_name == "interaction_p"}
    assert found == {arm: pytest.approx(p, abs=1e-9) for arm, p in P_WEIGHTED.items()}
