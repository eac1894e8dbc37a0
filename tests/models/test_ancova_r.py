"""``als.ancova`` through formula and frame against R 4.2.2: lm, emmeans 1.8.4.1, car 3.1.1, sandwich 3.0.2 (see each file)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))
from r_answers import agree, coefficients, met, r_name
from trial_data import arm_of, load_trial

import alsbench as als

REFERENCE = Path(__file__).parents[1] / "reference"
FILES = [REFERENCE / "public/expected/ancova_fev_vis4.json", *sorted(REFERENCE.glob("als-ref-*/expected/ancova_*.json"))]


def frame_of(path: Path) -> tuple[str, pd.DataFrame]:
    """The arm's column and the rows of a file, with what the analysis does not need besides."""
    if "fev" in path.name:
        frame = pd.read_csv(REFERENCE / "public/fev_data.csv")
        return "ARMCD", frame[frame.AVISIT == "VIS4"]
    trial = load_trial(path.parts[-3])
    arm, visit = arm_of(path, trial), float(path.name.split("_v")[1].split("_")[0])
    adsl = trial.adsl[trial.adsl.SLOW] if path.stem.endswith("slow") else trial.adsl
    adsl = adsl[adsl.TRT01P.isin(["Placebo", arm])][["USUBJID", "TRT01P", "LEADRATE", "ONSETSIT", "RILUFL"]]
    rows = trial.adqs[visit == trial.adqs.AVISITN][["USUBJID", "CHG", "BASE"]].merge(adsl, on="USUBJID")
    return "TRT01P", rows.assign(TRT01P=pd.Categorical(rows.TRT01P, ["Placebo", arm]))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_every_number_of_a_file(path: Path) -> None:
    wanted: dict[str, Any] = json.loads(path.read_text())["raw"]
    arm, frame = frame_of(path)
    m = als.ancova(wanted["formula"], frame)
    assert (m.nobs, m.df_resid) == (wanted["n"], wanted["df_residual"])
    facts = [m.rsquared, m.rsquared_adj, m.llf, m.scale**0.5]
    assert np.allclose(facts, [wanted[k] for k in ("r_squared", "adj_r_squared", "loglik", "sigma")], rtol=1e-9)
    agree(coefficients(m, wanted["coefficients"]), wanted["coefficients"])
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        errors = m.robust_se(kind).rename(r_name)  # type: ignore[arg-type]
        met("se", [errors[w["term"]] / w[f"se_{kind.lower()}"] - 1 for w in wanted["coefficients"]])
    table = m.anova(type=3)
    tests = [w for w in wanted["type3"] if w["term"] not in ("(Intercept)", "Residuals")]
    assert set(table.index) == {w["term"] for w in tests} and set(table.den_df) == {wanted["df_residual"]}
    for w in tests:
        assert table.loc[w["term"], "num_df"] == w["df"]
        met("F", table.loc[w["term"], "F"] / w["f"] - 1)
        met("p", table.loc[w["term"], "p"] - w["p"])
    for weights in ("equal", "proportional"):
        answers = wanted[f"lsm_{weights}"]
        agree(m.ls_means(arm, weights=weights).loc[[w[arm] for w in answers["lsmeans"]]], answers["lsmeans"])
        agree(
            m.contrasts(arm, weights=weights).loc[[w["contrast"] for w in answers["vs_ref"]]], answers["vs_ref"], "difference"
        )


def test_rows_left_out_are_counted_and_residuals_stand_on_the_index() -> None:
    frame = pd.read_csv(REFERENCE / "public/fev_data.csv")
    frame = frame[frame.AVISIT == "VIS4"].set_index("USUBJID")
    m = als.ancova("FEV1 ~ ARMCD + FEV1_BL + RACE", frame)
    assert m.dropped["FEV1"] == 66 and m.notes[0].startswith("66 of 200 rows are left out")
    assert m.resid.index.equals(frame.index[frame.FEV1.notna()]) and abs(m.resid.sum()) < 1e-9
    assert "ANCOVA Results" in str(m) and "R-squared" in m._repr_html_()


def test_weights_are_inverse_variances() -> None:
    """A weight of two is the row twice, but for the residual degrees of freedom."""
    frame = pd.DataFrame({"Y": [1.0, 2, 4, 3, 7, 5], "A": list("aabbab"), "W": [1.0, 2, 1, 1, 2, 1]})
    m = als.ancova("Y ~ A", frame, weights="W")
    twice = als.ancova("Y ~ A", pd.concat([frame, frame[frame.W == 2]]))
    assert np.allclose(m.params, twice.params) and np.allclose(m.bse**2 * 4, twice.bse**2 * 6)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ({"Y": [1.0, 2.0], "A": ["a", "b"]}, "no standard error: 2 rows for 2 coefficients"),
        ({"Y": [1.0, 1.0, 1.0], "A": ["a", "b", "a"]}, "the model fits every value exactly"),
        ({"Y": [1.0, np.nan], "A": ["a", "b"]}, "A has one level a"),
    ],
)
def test_data_that_leave_nothing_to_estimate(frame: dict[str, Any], says: str) -> None:
    with pytest.raises(als.DataError, match=says):
        als.ancova("Y ~ A", frame)


def test_an_unknown_kind_of_error() -> None:
    m = als.ancova("Y ~ A", {"Y": [1.0, 2.0, 4.0], "A": ["a", "b", "a"]})
    with pytest.raises(als.UsageError, match="unknown kind 'HC4'"):
        m.robust_se("HC4")  # type: ignore[arg-type]
