"""What ``init`` proposes of ADaM as sites and CROs deliver it: every outcome known, and no column that is not there."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.data.derive.foreign import answered, holds, init, subjects, values

from alsbench.study.als import ITEM_CODES

ITEMS = [c for c in ITEM_CODES if c != "ALSFR05B"]
TITLES = {"ALSFRSR": "ALSFRS-R Total Score", "FVCPP": "FVC % predicted", "NFL": "Neurofilament light (pg/mL)"}


def adam(*, items: bool = False) -> dict[str, pd.DataFrame]:
    """ADSL, ADQS with all outcomes in one data set, and ADTTE."""
    who, raw = subjects(), values()
    adsl = pd.DataFrame({
        "USUBJID": who.patient_id, "TRT01P": who.arm, "ITTFL": "Y", "SAFFL": "Y", "AGE": who.age, "SEX": who.sex,
        "ONSETSIT": who.onset_site.str.upper(), "RILUFL": who.riluzole.map({"yes": "Y", "no": "N"}),
        "LEADRATE": np.linspace(0.4, 1.6, len(who)), "TRTSDT": who.first_dose.dt.strftime("%Y-%m-%d"),
    })  # fmt: skip
    named = {"ALSFRSR": "total", "FVCPP": "fvc", "NFL": "nfl"} | ({c: f"q{i}" for i, c in enumerate(ITEMS, 1)} if items else {})
    parts = [
        pd.DataFrame({
            "USUBJID": raw.patient_id, "PARAMCD": code, "PARAM": TITLES.get(code, f"ALSFRS-R item {code}"),
            "AVISIT": raw.month.map(lambda m: "Baseline" if m == 0 else f"Month {m}"), "AVISITN": raw.month,
            "ADT": raw.date.dt.strftime("%Y-%m-%d"), "AVAL": raw[column],
        }) for code, column in named.items()
    ]  # fmt: skip
    days = (who.death_date.fillna(who.last_contact) - who.first_dose).dt.days + 1
    adtte = pd.DataFrame({
        "USUBJID": who.patient_id, "PARAMCD": "DEATH", "PARAM": "Time to death (days)", "AVAL": days,
        "CNSR": who.death_date.isna().astype(int),
    })  # fmt: skip
    return {"adsl": adsl, "adqs": pd.concat(parts), "adtte": adtte}


def proposed(tmp_path: Path, data: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """The study proposed, read; no column that it names is absent from the data, loaded and answered without editing."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, frame in data.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    study = tomllib.loads(init(tmp_path, folder))
    snapshot = answered(tmp_path, folder, endpoints=tuple(study["endpoints"]))
    adsl = {c.name for c in snapshot.table("ADSL").columns}
    wanted = {*study["populations"].values()} - {study["populations"]["default"]}
    wanted |= {study["arms"]["planned"], study["arms"]["actual"]}
    for endpoint in study["endpoints"].values():
        wanted |= set(endpoint.get("covariates", ())) | set(endpoint.get("factors", ()))
    assert wanted <= adsl
    return study


def test_everything_that_is_known_is_proposed(tmp_path: Path) -> None:
    study = proposed(tmp_path, adam(items=True))
    assert set(study["endpoints"]) == {
        "alsfrs", "fvc", "nfl", "alsfrs_slope", "alsfrs_responder", "stages", "survival", "cafs", "baseline",
    }  # fmt: skip
    assert study["arms"]["order"] == ["Placebo", "Drug 50 mg", "Drug 100 mg"]
    assert study["populations"]["default"] == "ITT"
    assert study["endpoints"]["alsfrs"]["covariates"] == ["LEADRATE", "ONSETSIT", "RILUFL"]
    assert {c["horizon"] for c in study["comparisons"]} == {9}
    levels = {n: e.get("level", "") for n, e in study["endpoints"].items()}
    assert [n for n, v in levels.items() if v == "primary"] == ["cafs"]


def test_items_in_a_data_set_of_their_own(tmp_path: Path) -> None:
    data = adam(items=True)
    mine = data["adqs"].PARAMCD.isin(ITEMS)
    data["adfrs"], data["adqs"] = data["adqs"][mine], data["adqs"][~mine]
    assert proposed(tmp_path, data)["endpoints"]["stages"]["dataset"] == "ADFRS"


def test_without_an_event_the_scale_is_primary(tmp_path: Path) -> None:
    data = adam()
    del data["adtte"]
    study = proposed(tmp_path, data)
    assert "cafs" not in study["endpoints"]
    assert [n for n, e in study["endpoints"].items() if e.get("level") == "primary"] == ["alsfrs"]


@pytest.mark.parametrize(("column", "words", "default"), [
    ("ITT", ("ja", "nein"), "ITT"), ("FULLSET", ("1", "0"), "FAS"), ("ITTFL", ("예", "아니오"), "ITT"),
    ("MITTFL", ("J", "N"), "mITT"),
])  # fmt: skip
def test_flags_are_read_by_their_values(tmp_path: Path, column: str, words: tuple[str, str], default: str) -> None:
    data = adam()
    data["adsl"] = data["adsl"].drop(columns="ITTFL")
    data["adsl"][column] = [words[i == 3] for i in range(len(data["adsl"]))]
    study = proposed(tmp_path, data)
    assert study["populations"]["default"] == default


def test_safety_is_no_default(tmp_path: Path) -> None:
    """Only SAFFL, and a column of yes and no whose name tells nothing: FASFL is everybody with an arm, and that is said."""
    data = adam()
    data["adsl"] = data["adsl"].drop(columns="ITTFL").assign(INANAL="Y")
    study = proposed(tmp_path, data)
    assert study["populations"]["default"] == "FAS"
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert (
        "no flag of an efficacy set such as FASFL or ITTFL; FASFL is everybody with an arm; columns of yes and no: INANAL"
        in text
    )


def test_a_flag_that_holds_for_nobody_is_no_population(tmp_path: Path) -> None:
    data = adam()
    data["adsl"]["FASFL"] = "N"
    assert proposed(tmp_path, data)["populations"]["default"] == "ITT"


def test_visits_in_the_text_of_visit_and_in_two_units(tmp_path: Path) -> None:
    """No AVISITN and no AVISIT; weeks and months; an early termination with a date, which is no visit."""
    data = adam()
    frame = data["adqs"].drop(columns="AVISITN").rename(columns={"AVISIT": "VISIT"})
    frame["VISIT"] = frame.VISIT.replace({"Month 1": "Week 4"})
    early = frame[(frame.VISIT == "Month 6") & (frame.USUBJID == "P005")].assign(VISIT="Early termination", AVAL=1)
    data["adqs"] = pd.concat([frame, early])
    study = proposed(tmp_path, data)
    assert study["visits"]["unit"] == "week"
    assert {c["horizon"] for c in study["comparisons"]} == {39}
    raw = values()
    raw["month"] = raw.month.map({0: 0, 1: 4, 3: 13, 6: 26, 9: 39})
    holds(answered(tmp_path, tmp_path / "data", endpoints=()), raw, "ALSFRSR", "total")


@pytest.mark.parametrize("label", ["End of treatment", "Abbruch", "Fin de l'étude", "종료 방문", "予定外"])
def test_an_occasion_is_no_horizon(tmp_path: Path, label: str) -> None:
    data = adam()
    last = data["adqs"][data["adqs"].AVISITN == 9].assign(AVISIT=label, AVISITN=99)
    last["ADT"] = "2023-01-01"
    data["adqs"] = pd.concat([data["adqs"], last])
    study = proposed(tmp_path, data)
    assert {c["horizon"] for c in study["comparisons"]} == {9}


def test_the_horizon_is_that_of_the_scale(tmp_path: Path) -> None:
    """NfL is measured until month 18, in follow-up; the scale until month 9."""
    data = adam()
    late = data["adqs"][(data["adqs"].AVISITN == 9) & (data["adqs"].PARAMCD == "NFL")].assign(AVISIT="Month 18", AVISITN=18)
    data["adqs"] = pd.concat([data["adqs"], late])
    assert {c["horizon"] for c in proposed(tmp_path, data)["comparisons"]} == {9}


def test_a_visit_of_one_record_is_no_horizon(tmp_path: Path) -> None:
    data = adam()
    slip = data["adqs"][data["adqs"].AVISITN == 9].head(1).assign(AVISIT="Month 999", AVISITN=999)
    data["adqs"] = pd.concat([data["adqs"], slip])
    assert {c["horizon"] for c in proposed(tmp_path, data)["comparisons"]} == {9}


@pytest.mark.parametrize(("arms", "order"), [
    (("Xanomeline High Dose", "Placebo", "Xanomeline Low Dose"), ["Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"]),
    (("Wirkstoff 0,5 mg", "Plazebo", "Wirkstoff 0,25 mg"), ["Plazebo", "Wirkstoff 0,25 mg", "Wirkstoff 0,5 mg"]),
    (("고용량", "위약", "저용량"), ["위약", "저용량", "고용량"]),
])  # fmt: skip
def test_arms_stand_in_the_order_of_doses(tmp_path: Path, arms: tuple[str, ...], order: list[str]) -> None:
    data = adam()
    data["adsl"]["TRT01P"] = [arms[i % 3] for i in range(len(data["adsl"]))]
    assert proposed(tmp_path, data)["arms"]["order"] == order


@pytest.mark.parametrize(("names", "covariates"), [
    ({"LEADRATE": "DELTA_FS", "ONSETSIT": "ONSET", "RILUFL": "RILUZOLE"}, {"DELTA_FS", "ONSET", "RILUZOLE"}),
    ({"LEADRATE": "진행속도", "ONSETSIT": "발병부위", "RILUFL": "리루졸"}, {"진행속도", "발병부위", "리루졸"}),
    ({"LEADRATE": "Progressionsrate", "ONSETSIT": "Krankheitsbeginn", "RILUFL": "Riluzol"}, {"LEADRATE", "ONSETSIT", "RILUFL"}),
])  # fmt: skip
def test_covariates_by_what_their_names_mean(tmp_path: Path, names: dict[str, str], covariates: set[str]) -> None:
    data = adam()
    data["adsl"] = data["adsl"].rename(columns=names).assign(BL_ALSFRS=40)
    data["adsl"]["BL_ALSFRS"] = range(20, 20 + len(data["adsl"]))
    study = proposed(tmp_path, data)
    assert set(study["endpoints"]["alsfrs"]["covariates"]) == covariates
    assert len(study["endpoints"]["cafs"]["covariates"]) == 4  # and the score at baseline


@pytest.mark.parametrize("column", ["AVISITN", "AVAL", "CNSR", "TRT01PN"])
def test_a_word_among_numbers_stops_no_proposal(tmp_path: Path, column: str) -> None:
    """Whether the data can be loaded is for the checks of the load; no label stands where the number is the only one."""
    data = adam()
    data["adsl"]["TRT01PN"] = range(len(data["adsl"]))
    data["adqs"] = data["adqs"].drop(columns="AVISIT").reset_index(drop=True)
    for name, frame in data.items():
        if column in frame:
            data[name] = frame.astype({column: object})
            data[name].loc[0, column] = "V1"
    folder = tmp_path / "data"
    folder.mkdir()
    for name, frame in data.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    study = tomllib.loads(init(tmp_path, folder))
    assert {"alsfrs", "fvc", "nfl"} <= set(study["endpoints"])


def test_a_code_in_another_script_has_a_name_that_toml_reads(tmp_path: Path) -> None:
    data = adam()
    data["adqs"]["PARAMCD"] = data["adqs"].PARAMCD.replace({"FVCPP": "폐기능"})
    data["adqs"]["PARAM"] = data["adqs"].PARAM.replace({"FVC % predicted": "폐기능 검사"})
    data["adqs"] = data["adqs"][data["adqs"].PARAMCD != "ALSFRSR"]
    endpoints = proposed(tmp_path, data)["endpoints"]
    assert endpoints["endpoint"]["paramcd"] == "폐기능"


def test_parameters_without_visits_are_said(tmp_path: Path) -> None:
    data = adam()
    data["adlb"] = data["adqs"][data["adqs"].PARAMCD == "NFL"].drop(columns=["AVISIT", "AVISITN"])
    data["adqs"] = data["adqs"][data["adqs"].PARAMCD != "NFL"]
    study = proposed(tmp_path, data)
    assert "nfl" not in study["endpoints"]
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert "# - parameters of ADLB: none is proposed, for it has no AVISITN" in text
