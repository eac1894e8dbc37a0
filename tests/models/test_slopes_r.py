"""``als.slopes`` through formula and frame against R: lme4 1.1.31, lmerTest 3.1.3, pbkrtest 0.5.2, emmeans 1.8.4.1.

Variance components to 2e-5: lme4 stops where the deviance is flat to about 1e-9.
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

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))
from r_answers import agree, coefficients, met, r_name
from slope_cases import ALS, PUBLIC
from trial_data import REFERENCE, REFERENCE_ARM, load_trial

import alsbench as als

FILES = [*ALS, *PUBLIC]
METHODS = {"satterthwaite": "satterthwaite", "kenward-roger": "kenward_roger"}


@cache
def frame_of(path: Path) -> tuple[pd.DataFrame, str, str, str | None]:
    """The records of a file, and the names of its subject, time and arm."""
    if "sleepstudy" in path.stem:
        return pd.read_csv(REFERENCE / "public/sleepstudy.csv"), "Subject", "Days", None
    if "orthodont" in path.stem:
        frame = pd.read_csv(REFERENCE / "public/Orthodont.csv")
        return frame.assign(Sex=pd.Categorical(frame.Sex, ["Male", "Female"])), "Subject", "age", "Sex"
    trial = load_trial(path.parts[-3])
    adsl = trial.adsl[trial.adsl.SLOW] if "slow" in path.stem else trial.adsl
    frame = trial.adqs.drop(columns="TRT01P").merge(adsl[["USUBJID", "TRT01P", "LEADRATE", "ONSETSIT"]], on="USUBJID")
    arms = [REFERENCE_ARM, *sorted(set(adsl.TRT01P) - {REFERENCE_ARM})]
    month = frame.AVISITN * (7 / 30.4375 if trial.name == "als-ref-2" else 1.0)
    return frame.assign(MONTH=month, TRT01P=pd.Categorical(frame.TRT01P, arms)), "USUBJID", "MONTH", "TRT01P"


@cache
def fit(path: Path, df_method: str = "kenward-roger", reml: bool = True) -> als.SlopeResults:
    frame, subject, time, _ = frame_of(path)
    formula = json.loads(path.read_text())["formula"].split(" + (")[0]
    return als.slopes(formula, frame, subject=subject, time=time, df_method=df_method, reml=reml)


def named(path: Path) -> str:
    return f"{path.parts[-3]}/{path.stem}"


@pytest.mark.parametrize("path", FILES, ids=named)
@pytest.mark.parametrize("df_method", METHODS)
def test_every_number_of_a_file(path: Path, df_method: str) -> None:
    r = json.loads(path.read_text())
    m, answer, model = fit(path, df_method), r[METHODS[df_method]], r["reml"]
    assert (m.nobs, m.nsubjects, m.singular) == (model["n_obs"], model["n_subjects"], model["singular"])
    for ours, theirs in ((m.llf, "loglik"), (m.aic / 2, "aic"), (m.bic / 2, "bic")):
        met("llf", ours - (model[theirs] if theirs == "loglik" else model[theirs] / 2))
    assert np.allclose(m.random_effects_cov, model["re_cov"]["data"], rtol=2e-5, atol=2e-5)
    assert m.scale**0.5 == pytest.approx(model["sigma"], rel=2e-5)
    agree(coefficients(m, answer["coefficients"]), answer["coefficients"])
    adjusted = df_method == "kenward-roger"
    wanted = np.array((answer["vcov_adjusted"] if adjusted else model["vcov_beta"])["data"])
    scale = np.sqrt(np.diag(wanted))
    found = m.cov_params().rename(index=r_name, columns=r_name)
    names = list(model["beta"])
    assert (np.abs(found.loc[names, names].to_numpy() - wanted) <= 2e-6 * np.outer(scale, scale)).all()
    table = m.anova()
    for w in answer["type3"]:
        row = table.loc[w["term"]]
        assert row["num_df"] == w["num_df"]
        assert row["F"] == pytest.approx(w["f"], rel=2e-6, abs=4e-6 * np.sqrt(w["f"]))
        met("df", row["den_df"] / w["den_df"] - 1)
        met("p", row["p"] - w["p"])
    arm = frame_of(path)[3]
    if "slopes" in answer and arm:
        agree(m.slopes(arm).loc[[w[arm] for w in answer["slopes"]]], answer["slopes"])
        found = m.slope_differences(arm).loc[[w["contrast"] for w in answer["slope_diff_vs_ref"]]]
        agree(found, answer["slope_diff_vs_ref"], "difference")
        last = m.slopes(arm).index[-1]
        turned = m.slope_differences(arm, reference=last)
        assert turned.index[0] == f"{m.slopes(arm).index[0]} - {last}"
        assert turned.difference.iloc[0] == pytest.approx(-found.difference.iloc[-1], rel=1e-9)
    for w in answer.get("lsmeans_at_times", []):
        agree(m.ls_means("Sex", at={"age": w["age"]}).loc[[w["Sex"]]], [w])


@pytest.mark.parametrize("path", FILES, ids=named)
def test_maximum_likelihood(path: Path) -> None:
    r = json.loads(path.read_text())
    m = fit(path, "satterthwaite", False)
    met("llf", m.llf - r["ml"]["loglik"])
    agree(coefficients(m, r["satterthwaite_ml"]["coefficients"]), r["satterthwaite_ml"]["coefficients"])


def test_percent_slowing_is_read_off_the_slopes() -> None:
    """The delta method and Fieller's limits are held by tests/stats/test_percent_slowing; here that the right slopes go in."""
    path = ALS[0]
    m, arm = fit(path), str(frame_of(path)[3])
    slopes = m.slopes(arm).estimate
    treated = slopes.index[-1]
    found = m.percent_slowing(arm, treated, REFERENCE_ARM)
    assert found["percent"] == pytest.approx(100 * (1 - slopes[treated] / slopes[REFERENCE_ARM]), rel=1e-12)
    assert found["fieller_low"] < found["percent"] < found["fieller_high"] and found["fieller_shape"] == "interval"


def test_arms_that_share_their_baseline() -> None:
    """The arm's main effect left out: the interaction is still three slopes, and their equality is still tested."""
    frame, subject, time, arm = frame_of(ALS[0])
    m = als.slopes(f"AVAL ~ {time} + {time}:{arm}", frame, subject=subject, time=time)
    means = m.ls_means(str(arm), at={time: 0.0})
    assert np.ptp(means.estimate) < 1e-10
    assert m.test(f"{time}:{arm}").num_df == 2
    assert np.allclose(m.slope_differences(str(arm)).difference, m.params.iloc[-2:], rtol=1e-9)


def test_rows_residuals_and_print() -> None:
    frame, subject, time, _ = frame_of(PUBLIC[0]) if "orthodont" in PUBLIC[0].stem else frame_of(PUBLIC[1])
    holed = frame.assign(distance=frame.distance.mask(frame.index == 3)).sample(frac=1, random_state=1)
    m = als.slopes("distance ~ age * Sex", holed, subject=subject, time=time)
    assert m.resid.index.equals(holed.index[holed.distance.notna()]) and m.dropped["distance"] == 1
    untimed = holed.assign(age=holed.age.mask(holed.index == 5))
    assert als.slopes("distance ~ Sex", untimed, subject=subject, time="age").nobs == m.nobs - 1
    assert "Random Slopes Results" in str(m) and "Kenward-Roger" in m._repr_html_()


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"subject": "Subjet"}, als.UsageError, "there is no column Subjet\ndid you mean Subject"),
        ({"time": "Sex"}, als.UsageError, "Sex holds"),
        ({"df_method": "kr"}, als.UsageError, "unknown df_method 'kr'"),
        ({"reml": False}, als.UsageError, "Kenward-Roger needs REML"),
        ({"formula": "distance ~ C(age)"}, als.UsageError, "age is a classification in the formula"),
        ({"rows": 8.0}, als.DataError, "time does not vary"),
    ],
)
def test_what_cannot_be_asked(options: dict[str, Any], kind: type[Exception], says: str) -> None:
    frame = pd.read_csv(REFERENCE / "public/Orthodont.csv")
    frame = frame[frame.age == options.pop("rows")] if "rows" in options else frame
    with pytest.raises(kind, match=says):
        als.slopes(**{"formula": "distance ~ Sex", "data": frame, "subject": "Subject", "time": "age", **options})


def test_an_unknown_level() -> None:
    path = ALS[0]
    with pytest.raises(als.UsageError, match="TRT01P has no level Group"):
        fit(path).slope_differences("TRT01P", reference="Group")
