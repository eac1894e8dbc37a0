"""``als.kaplan_meier`` and ``als.cox`` through a frame against R 4.2.2: survival 3.5.3, survRM2 1.0.4 (every surv_*.json).

Closed forms to 1e-9; Cox estimates 1e-6 of the larger of R's value and its error, p and log-likelihood 1e-6 absolute.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))
from survival_data import FILES, case_of, name_of

import alsbench as als

CASES = pytest.mark.parametrize("path", FILES, ids=name_of)
AT = {"n_risk": "n_risk", "survival": "survival", "se": "se_greenwood", "low": "lower", "high": "upper"}
MODELS = ("unadjusted", "adjusted", "stratified", "stratified_adjusted")


@cache
def frame_of(path: Path) -> pd.DataFrame:
    """One row for each subject: time, event, arm with the reference first, covariates as R calls them, and the stratum."""
    case = case_of(path)
    columns: dict[str, Any] = {"time": case.time, "event": case.event}
    columns["arm"] = pd.Categorical.from_codes(case.arm.codes, list(case.arm.levels))
    columns |= {f"X_{c.name}": c.values for c in case.covariates}
    columns["stratum"] = np.where(case.strata < 0, None, case.strata.astype(object))
    return pd.DataFrame(columns)


def close(ours: Any, theirs: Any, rtol: float = 1e-9) -> None:
    """Equal, with R's null for NaN."""
    wanted = np.array([np.nan if x is None else float(x) for x in np.ravel(np.array(theirs, dtype=object))])
    np.testing.assert_allclose(np.ravel(np.asarray(ours, float)), wanted, rtol=rtol, atol=1e-12)


@CASES
def test_curves_and_medians(path: Path) -> None:
    r = json.loads(path.read_text())
    for conf_type in r["km"]:
        km = als.kaplan_meier(frame_of(path), time="time", event="event", by="arm", conf_type=conf_type)
        assert (km.nobs, km.nevents) == (r["n"], r["events"])
        for arm, answers in r["km"][conf_type].items():
            found = km.at([row["time"] for row in answers["at_times"]]).loc[arm]
            for ours, theirs in AT.items():
                close(found[ours], [row[theirs] for row in answers["at_times"]])
            for row in answers["quantiles"]:
                quantile = km.quantile(row["prob"]).loc[arm]
                close(quantile[["estimate", "low", "high"]], [row["estimate"], row["lower"], row["upper"]])
    for arm, rows in r["km_curve"].items():
        curve = km.table.loc[arm]
        assert curve.index.tolist() == [row["time"] for row in rows]
        for name in ("n_risk", "n_event", "n_censor", "survival"):
            close(curve[name], [row[name] for row in rows])
    assert km.median.columns.tolist() == ["n", "events", "median", "low", "high"]


@CASES
def test_log_rank_and_restricted_means(path: Path) -> None:
    r = json.loads(path.read_text())
    km = als.kaplan_meier(frame_of(path), time="time", event="event", by="arm")
    within = als.kaplan_meier(frame_of(path), time="time", event="event", by="arm", strata="stratum")
    tests = [(km.log_rank(), "logrank"), (km.log_rank(rho=1), "peto_wilcoxon_rho1"), (within.log_rank(), "logrank_stratified")]
    for found, name in tests:
        close(found[["chisq", "df"]], [r[name]["chisq"], r[name]["df"]])
        assert found["p"] == pytest.approx(r[name]["p"], rel=1e-8)
        close([found["z"]], [r[name]["signed_z_arm2"]])
    means = km.rmst(r["tau"])
    close(means[["mean", "se"]], [[row["rmean"], row["se_rmean"]] for row in r["arms"]])
    for arm, row in r["rmst"].items():
        found = km.rmst_difference(r["tau"], arm, r["ref"])
        d, q = row["difference"], row["ratio"]
        answer = [d["Est."], row["se_difference"], d["lower .95"], d["upper .95"], d["p"]]
        close(found[["difference", "se", "low", "high", "p"]], answer, 1e-8)
        close(found[["ratio", "ratio_low", "ratio_high", "ratio_p"]], [q["Est."], q["lower .95"], q["upper .95"], q["p"]], 1e-8)


@CASES
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("model", MODELS)
def test_cox(path: Path, model: str, ties: str) -> None:
    r = json.loads(path.read_text())["cox"][model][ties]
    frame = frame_of(path)
    adjusted = [f"Q('{c}')" for c in frame if c.startswith("X_")] if model in ("adjusted", "stratified_adjusted") else []
    strata = "stratum" if model.startswith("stratified") else None
    m = als.cox(f"time ~ {' + '.join(['arm', *adjusted])}", frame, event="event", strata=strata, ties=ties)
    assert (m.nobs, m.nevents) == (r["n"], r["events"])
    for ours, theirs in ((m.llf, "loglik"), (m.llnull, "loglik_null")):
        assert ours == pytest.approx(r[theirs], abs=1e-6)
    names = [n.replace("[T.", "").replace("]", "").replace("Q('", "").replace("')", "") for n in m.params.index]
    wanted = pd.DataFrame(r["coefficients"]).set_index("term").loc[names]
    ratios = m.hazard_ratios()
    endless = wanted["se"].astype(float).to_numpy() > 1e3  # R prints a number where the maximum lies at infinity
    assert (ratios.hr.isna().to_numpy() == endless).all()
    ours, theirs = m.params[~endless].to_numpy(), wanted[~endless].astype(float)
    size = np.maximum(np.abs(theirs.coef), theirs.se)
    assert (np.abs(ours - theirs.coef) <= 1e-6 * size).all()
    assert np.allclose(m.bse[~endless], theirs.se, rtol=1e-6)
    assert np.allclose(m.tvalues[~endless], theirs.z, rtol=1e-5, atol=1e-6)
    assert np.allclose(m.pvalues[~endless], theirs.p, rtol=0, atol=1e-6)
    found = ratios.loc[~endless, ["hr", "low", "high"]]
    assert np.allclose(found, theirs[["hr", "hr_lower", "hr_upper"]], rtol=1e-5)
    assert np.allclose(np.exp(m.conf_int()[~endless]), found[["low", "high"]])
    if endless.any():
        assert any("no finite hazard ratio" in note for note in m.notes)
        return
    for name, key in (("likelihood ratio", "lr"), ("wald", "wald"), ("score", "score")):
        found = m.tests.loc[name]
        assert found["df"] == r[key]["df"] and found["chisq"] == pytest.approx(r[key]["test"], rel=1e-6, abs=1e-6)
        assert found["p"] == pytest.approx(r[key]["pvalue"], abs=1e-6)
    zph = m.proportional_hazards().rename(index=lambda n: n.replace("Q('", "").replace("')", ""))
    for row in r["zph"]:
        found = zph.loc[row["term"]]
        assert found["df"] == row["df"] and found["chisq"] == pytest.approx(row["chisq"], rel=1e-5, abs=1e-6)
        assert found["p"] == pytest.approx(row["p"], abs=1e-6)


LUNG = next(p for p in FILES if p.stem == "surv_lung")


def test_rows_left_out_are_counted() -> None:
    m = als.cox("time ~ arm + Q('X_ph.ecog')", frame_of(LUNG), event="event")
    assert m.dropped["X_ph.ecog"] == 1 and m.notes == ("1 of 228 rows are left out for missing values: X_ph.ecog in 1",)
    km = als.kaplan_meier(frame_of(LUNG), time="time", event="event", strata=["stratum"], by="arm")
    assert km.dropped["stratum"] == 1 and km.nobs == 227


FORMS: list[Any] = [
    lambda f: f.convert_dtypes(),
    lambda f: f.assign(event=f.event.astype(int)),
    lambda f: f.sample(frac=1, random_state=1),
]


@pytest.mark.parametrize("change", FORMS)
def test_the_same_values_in_another_form(change: Any) -> None:
    frame, other = frame_of(LUNG), change(frame_of(LUNG))
    a, b = (als.cox("time ~ arm + X_age", f, event="event") for f in (frame, other))
    assert np.allclose(a.tidy(), b.tidy(), rtol=1e-9)
    a, b = (als.kaplan_meier(f, time="time", event="event", by="arm") for f in (frame, other))
    assert np.allclose(a.table, b.table, rtol=1e-12, equal_nan=True) and a.log_rank()["p"] == pytest.approx(b.log_rank()["p"])


def test_without_groups_and_in_print() -> None:
    km = als.kaplan_meier(frame_of(LUNG), time="time", event="event")
    assert km.median.index.tolist() == ["all"] and list(km.curves) == ["all"]
    with pytest.raises(als.UsageError, match="a log-rank test compares groups"):
        km.log_rank()
    by = als.kaplan_meier(frame_of(LUNG), time="time", event="event", by="arm")
    assert "10.327 on 1 df" in str(by) and "Kaplan-Meier Results" in by._repr_html_()
    assert "0.5880" in str(als.cox("time ~ arm", frame_of(LUNG), event="event"))


def test_an_infinite_hazard_ratio_is_never_a_number() -> None:
    frame = pd.DataFrame({"t": [1.0, 2, 3, 4, 5, 6], "e": [1, 1, 1, 0, 0, 0], "a": list("xxxyyy")})
    m = als.cox("t ~ a", frame, event="e")
    assert m.hazard_ratios().hr.isna().all() and "no finite hazard ratio" in m.hazard_ratios().note.iloc[0]
    assert "inf" not in str(m).lower().replace("no finite", "")
    with pytest.raises(als.DataError, match="a hazard ratio is infinite"):
        m.proportional_hazards()


@pytest.mark.parametrize("formula", ["time ~ 0 + arm", "time ~ arm - 1", "time ~ arm"])
def test_an_intercept_is_no_part_of_the_model(formula: str) -> None:
    assert list(als.cox(formula, frame_of(LUNG), event="event").params.index) == ["arm[T.2]"]


BAD = {"t": [1.0, 2.0, 3.0], "e": [1, 0, 1], "a": ["x", "y", "x"], "n": [-1.0, 1, 2], "c": [2, 1, 2], "z": [0, 0, 0]}


@pytest.mark.parametrize(
    ("ask", "kind", "says"),
    [
        (lambda f: als.kaplan_meier(f, time="T", event="e"), als.UsageError, "there is no column T\ndid you mean t"),
        (lambda f: als.kaplan_meier(f, time="t", event="c"), als.UsageError, "c says whether there was an event"),
        (lambda f: als.kaplan_meier(f, time="t", event="e", conf_type="loglog"), als.UsageError, "did you mean log-log"),
        (lambda f: als.kaplan_meier(f, time="t", event="e", level=95), als.UsageError, "between 0 and 1"),
        (lambda f: als.kaplan_meier(f, time="n", event="e"), als.DataError, "missing, infinite or negative"),
        (lambda f: als.kaplan_meier(f, time="t", event="z", by="a").log_rank(), als.DataError, "there are no events"),
        (lambda f: als.kaplan_meier(f, time="t", event="e", by="a").rmst(50), als.DataError, "follow-up ends at"),
        (lambda f: als.kaplan_meier(f, time="t", event="e", by="a").rmst_difference(2, "x", "z"), als.UsageError, "no group z"),
        (lambda f: als.cox("t ~ a", f, event="z"), als.DataError, "there are no events"),
        (lambda f: als.cox("t ~ a", f, event="e", ties="exact"), als.UsageError, "unknown ties='exact'"),
        (lambda f: als.cox("t ~ a", f, event="e").hazard_ratios(95), als.UsageError, "between 0 and 1"),
        (lambda f: als.cox("t ~ 1", f, event="e"), als.DataError, "no Cox model"),
    ],
)
def test_what_cannot_be_asked(ask: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        ask(pd.DataFrame(BAD))
