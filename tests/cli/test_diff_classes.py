"""`diff` sorts what differs into classes: noise is one line and no verdict, what a reviewer must see stands on top.

The expected counts are of what was done to the data here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.cdisc_pilot.conftest import STUDY, pilot_data

Run = Callable[..., Any]
ONE_ULP = Path(__file__).parent.parent / "data" / "one_ulp"
NO_EVENTS = "endpoint-dataset=events are not compared here"
SAMPLE = Path(__file__).parents[2] / "sample_data"
STUDY_ONE_ULP = """
schema = 1
[study]
id = "X"
[arms]
planned = "TRT01P"
actual = "TRT01A"
reference = "Placebo"
order = ["Placebo", "Drug"]
[populations]
ITT = "ITTFL"
default = "ITT"
[visits]
number = "AVISITN"
label = "AVISIT"
unit = "week"
baseline = 0
[[comparisons]]
treatment = "Drug"
[endpoints.total]
method = "{method}"
dataset = "ADQS"
paramcd = "TOT"
level = "primary"
"""


def _sheets(ran: Any) -> dict[str, Any]:
    found = json.loads(ran.out)
    return {t["table"]: t for t in (found, *found["more"])}


@pytest.mark.parametrize("method", ["ancova", "mmrm"])
def test_one_unit_in_the_last_place_is_noise(run: Run, tmp_path: Path, method: str) -> None:
    (tmp_path / "study.toml").write_text(STUDY_ONE_ULP.format(method=method))
    for side in ("a", "b"):
        ran = run("load", ONE_ULP / side, "-w", tmp_path / "ws", "--study", tmp_path / "study.toml", "-q")
        assert ran.code == 0, ran.err
    ran = run("diff", "previous", "-w", tmp_path / "ws", "--format", "json")
    assert ran.code == 0, ran.err
    found = _sheets(ran)
    assert {r["class"] for r in found["classes"]["rows"]} == {"noise"}
    assert len(found["classes"]["rows"]) == 1
    assert found["records"]["rows"] == found["results"]["rows"] == []
    assert found["results"]["title"].startswith("Results: 0 of 1")


def test_a_regenerated_transport_file_is_noise(run: Run, tmp_path: Path) -> None:
    """2e-11 added to one total of the sample, whose largest is above 20: 1e-12 of that is more."""
    import pyreadstat

    from alsbench.simulate.xport import XportColumn, XportTable, to_xport

    again = tmp_path / "again"
    shutil.copytree(SAMPLE, again)
    frame, meta = pyreadstat.read_xport(str(again / "adqs.xpt"), disable_datetime_conversion=True)
    row = int(frame.index[frame["AVAL"] > 20][3])
    before = float(frame.loc[row, "AVAL"])
    frame.loc[row, "AVAL"] = before + 2e-11
    assert frame.loc[row, "AVAL"] != before
    columns = []
    for name in frame.columns:
        values, label = frame[name], meta.column_names_to_labels.get(name) or ""
        if pd.api.types.is_numeric_dtype(values):
            day = name.endswith("DT")  # SAS counts days from 1960, `to_xport` takes them from 1970
            plain = values.to_numpy(float) - (3653 if day else 0)
            columns.append(XportColumn(name, label, "date" if day else "number", plain))
        else:
            columns.append(XportColumn(name, label, "text", values.to_numpy(object)))
    made = to_xport(XportTable("ADQS", meta.file_label or "", tuple(columns)), created=datetime(2024, 1, 1))
    (again / "adqs.xpt").write_bytes(made)
    for folder in (SAMPLE, again):
        ran = run("load", *sorted(folder.glob("*.xpt")), "-w", tmp_path / "ws", "--study", SAMPLE / "study.toml", "-q")
        assert ran.code == 0, ran.err
    ran = run("diff", "previous", "-w", tmp_path / "ws", "--no-results", "--format", "json")
    found = _sheets(ran)
    assert [(r["class"], r["table"], r["column"], r["values"]) for r in found["classes"]["rows"]] == [
        ("noise", "ADQS", "AVAL", 1)
    ]
    assert ran.code == 0 and found["records"]["rows"] == []
    adqs = next(r for r in found["tables"]["rows"] if r["table"] == "ADQS")
    assert (adqs["changed"], adqs["noise"], adqs["added"], adqs["removed"]) == (1, 1, 0, 0)


@pytest.fixture
def deliveries(run: Run, tmp_path: Path) -> Path:
    """Two deliveries of the CDISC pilot: in the second a column has another name, 19 carried-forward records of ADADAS are not
    there, 3,711 of its values are one unit in the last place off, and an age group is coded."""
    adsl, adadas = pilot_data("adsl"), pilot_data("adadas")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, frames in ((first, (adsl, adadas)), (second, _second(adsl, adadas))):
        folder.mkdir()
        for name, frame in zip(("adsl", "adadas"), frames, strict=True):
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        ran = run("load", folder, "-w", tmp_path / "ws", "--study", STUDY, "--accept", NO_EVENTS, "-q")
        assert ran.code == 0, ran.err
    return tmp_path / "ws"


def _second(adsl: pd.DataFrame, adadas: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    adsl, adadas = adsl.copy(), adadas.copy()
    assert set(adsl["AGEGR1"]) == {"<65", "65-80", ">80"}
    adsl["AGEGR1"] = adsl["AGEGR1"].map({"<65": "1", "65-80": "2", ">80": "3"})
    adadas["AGEGR1"] = adadas["AGEGR1"].map({"<65": "1", "65-80": "2", ">80": "3"})
    adsl = adsl.rename(columns={"VISIT1DT": "SCREENDT"})
    carried = adadas.index[(adadas["DTYPE"] == "LOCF") & (adadas["PARAMCD"] == "ACTOT")][:19]
    assert len(carried) == 19
    adadas = adadas.drop(index=carried).reset_index(drop=True)
    some = adadas.index[adadas["PCHG"].notna() & (adadas["PCHG"] != 0)][:3711]
    assert len(some) == 3711
    adadas.loc[some, "PCHG"] = np.nextafter(adadas.loc[some, "PCHG"].to_numpy(), np.inf)
    return adsl, adadas


def test_a_pair_of_deliveries(run: Run, deliveries: Path) -> None:
    ran = run("diff", "previous", "-w", deliveries, "--no-results", "--format", "json", "--records", "30")
    assert ran.code == 1
    found = _sheets(ran)
    lines = found["classes"]["rows"]
    assert [(r["class"], r["table"], r["column"], r["values"]) for r in lines] == [
        ("only old", "ADADAS", "records", 19),
        ("different", "ADADAS", "AGEGR1", 12463 - 19),
        ("different", "ADSL", "VISIT1DT", 254),
        ("different", "ADSL", "AGEGR1", 254),
        ("noise", "ADADAS", "PCHG", 3711),
    ]
    assert "'<65' is '1'" in lines[1]["what"]
    assert lines[2]["what"] == "the same values under another name: SCREENDT"
    records = found["records"]["rows"]
    assert len(records) == 19
    assert {(r["table"], r["change"]) for r in records} == {("ADADAS", "removed")}
    gone = pilot_data("adadas").query("DTYPE == 'LOCF' and PARAMCD == 'ACTOT'")[:19]
    wanted = sorted(f"{s} ACTOT {v:g}" for s, v in zip(gone["USUBJID"], gone["AVISITN"], strict=True))
    assert [r["key"].startswith(w) for r, w in zip(sorted(records, key=lambda r: r["key"]), wanted, strict=True)] == [True] * 19


def test_a_change_is_not_hidden_by_noise_or_by_a_recode(run: Run, deliveries: Path, tmp_path: Path) -> None:
    """One value of the second delivery changed by a point: it is the one changed record that is listed."""
    again = tmp_path / "third"
    shutil.copytree(tmp_path / "second", again)
    frame = pd.read_parquet(again / "adadas.parquet")
    row = int(frame.index[frame["PARAMCD"] == "ACTOT"][5])
    frame.loc[row, "AVAL"] += 1
    frame.to_parquet(again / "adadas.parquet", index=False)
    assert run("load", again, "-w", deliveries, "--accept", NO_EVENTS, "-q").code == 0
    names = [r["name"] for r in run("snapshots", "-w", deliveries, "--format", "json").json["rows"]]
    found = _sheets(run("diff", names[0], names[2], "-w", deliveries, "--no-results", "--format", "json"))
    changed = [r for r in found["records"]["rows"] if r["change"] == "changed"]
    assert [(r["column"], r["class"], float(r["new"]) - float(r["old"])) for r in changed] == [("AVAL", "different", 1.0)]
    assert frame.loc[row, "USUBJID"] in changed[0]["key"]
    assert ("different", "ADADAS", "AVAL", 1) in [
        (r["class"], r["table"], r["column"], r["values"]) for r in found["classes"]["rows"]
    ]


def test_arms_that_change_places_are_no_new_names(run: Run, deliveries: Path, tmp_path: Path) -> None:
    """Only a name that was none before can be a new name: Low and High exchanged is a difference of every record."""
    again = tmp_path / "swapped"
    shutil.copytree(tmp_path / "first", again)
    frame = pd.read_parquet(again / "adsl.parquet")
    low, high = "Xanomeline Low Dose", "Xanomeline High Dose"
    frame["TRT01P"] = frame["TRT01P"].replace({low: high, high: low})
    frame.to_parquet(again / "adsl.parquet", index=False)
    assert run("load", again, "-w", deliveries, "--accept", NO_EVENTS, "-q").code == 0
    names = [r["name"] for r in run("snapshots", "-w", deliveries, "--format", "json").json["rows"]]
    found = _sheets(run("diff", names[0], names[2], "-w", deliveries, "--no-results", "--format", "json", "--records", "300"))
    of_arms = [r for r in found["records"]["rows"] if r["table"] == "ADSL"]
    assert {r["column"] for r in of_arms} == {"TRT01P"}
    assert len(of_arms) == int(frame["TRT01P"].isin([low, high]).sum())


def test_rounded_values_are_the_same_as_printed(run: Run, tmp_path: Path) -> None:
    """A delivery whose changes in percent are rounded to two decimals, half away from zero, by decimal arithmetic; one of them
    is a hundredth off. Of ties and of values that have no more decimals the double is the same or the rounded one."""
    adsl, adadas = pilot_data("adsl"), pilot_data("adadas")
    rounded = adadas.copy()
    hundredth = Decimal("0.01")
    half_up = {
        v: float(Decimal(repr(v)).quantize(hundredth, ROUND_HALF_UP)) for v in rounded["PCHG"].dropna().unique().tolist()
    }
    rounded["PCHG"] = rounded["PCHG"].map(half_up)
    row = int(rounded.index[rounded["PCHG"].abs() > 1][0])
    rounded.loc[row, "PCHG"] = round(rounded.loc[row, "PCHG"] + 0.01, 2)
    raw = adadas["PCHG"].to_numpy()
    told = int(np.nansum(np.abs(raw - rounded["PCHG"].to_numpy()) > 1e-12 * np.nanmax(np.abs(raw)))) - 1
    assert told > 1800
    for folder, frame in ((tmp_path / "raw", adadas), (tmp_path / "rounded", rounded)):
        folder.mkdir()
        adsl.to_parquet(folder / "adsl.parquet", index=False)
        frame.to_parquet(folder / "adadas.parquet", index=False)
        assert run("load", folder, "-w", tmp_path / "ws", "--study", STUDY, "--accept", NO_EVENTS, "-q").code == 0
    found = _sheets(run("diff", "previous", "-w", tmp_path / "ws", "--no-results", "--format", "json"))
    classes = {(r["class"], r["column"]): r["values"] for r in found["classes"]["rows"]}
    off = int(np.nansum(raw != rounded["PCHG"].to_numpy())) - int(np.isnan(raw).sum()) - told - 1
    assert classes == {("different", "PCHG"): 1, ("same as printed", "PCHG"): told, ("noise", "PCHG"): off}
