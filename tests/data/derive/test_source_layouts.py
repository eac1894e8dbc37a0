"""Layouts that sites deliver: several sheets, a sheet a visit, a row a measurement, a column for each visit and item.

Each is proposed, loaded without editing and answered; every value is compared with the frame it was written from.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.data.derive.foreign import answered, changed, findings, holds, holds_deaths, init, subjects, values

from alsbench.__main__ import main
from alsbench.data.workspace import Workspace

MDY, DMY = "%m/%d/%Y", "%d.%m.%Y"


def holds_all(snapshot: object, raw: pd.DataFrame) -> None:
    for code, column, table in (("ALSFRSR", "total", "ADQS"), ("FVCPP", "fvc", "ADRE"), ("NFL", "nfl", "ADLB")):
        holds(snapshot, raw, code, column, table)  # type: ignore[arg-type]


def test_a_workbook_with_a_sheet_for_each_kind_of_data(tmp_path: Path) -> None:
    """Titles above the headers, other names for subject, visit and date on each sheet, an empty sheet, a sheet of notes."""
    raw, who = values(), subjects()
    visit = raw.month.map(lambda m: "Baseline" if m == 0 else f"Month {m}")
    items = {f"ALSFRS-R Q{k}": raw[f"q{k}"] for k in range(1, 13)}
    scale = pd.DataFrame({"Patient ID": raw.patient_id, "Visit": visit, "Visit Date": raw.date, **items})
    breath = pd.DataFrame({"Pat. No.": raw.patient_id, "Timepoint": visit, "Exam date": raw.date, "FVC % pred": raw.fvc})
    blood = pd.DataFrame({"patient_id": raw.patient_id, "visit": visit, "date": raw.date, "sNfL (pg/mL)": raw.nfl})
    book = tmp_path / "trial.xlsx"
    with pd.ExcelWriter(book, engine="openpyxl") as writer:
        scale.to_excel(writer, sheet_name="ALSFRS-R", index=False, startrow=2)
        breath.to_excel(writer, sheet_name="Lung function", index=False, startrow=1)
        blood.to_excel(writer, sheet_name="NfL", index=False)
        who.to_excel(writer, sheet_name="Patients", index=False, startrow=3)
        pd.DataFrame().to_excel(writer, sheet_name="Sheet5", index=False)
        for sheet, title in (("ALSFRS-R", "ALSFRS-R of all visits"), ("Lung function", "Spirometry"), ("Patients", "Patients")):
            writer.sheets[sheet]["A1"] = title
    snapshot = answered(tmp_path, book)
    holds_all(snapshot, raw)
    holds_deaths(snapshot, who)
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert '"LUNG FUNCTION" = { subject = "Pat. No.", visit = "Timepoint", date = "Exam date" }  # CHECK' in text


def test_a_sheet_for_each_visit(tmp_path: Path) -> None:
    raw, who = values(), subjects()
    book = tmp_path / "visits.xlsx"
    with pd.ExcelWriter(book, engine="openpyxl") as writer:
        who.drop(columns="first_dose").to_excel(writer, sheet_name="Demographics", index=False)
        for month, rows in raw.groupby("month"):
            sheet = "Baseline" if month == 0 else f"Month {month}"
            named = {"date": "visit_date", "total": "ALSFRS-R total", "fvc": "FVC_pct", "nfl": "NfL"}
            rows[["patient_id", *named]].rename(columns=named).to_excel(writer, sheet_name=sheet, index=False)
    snapshot = answered(tmp_path, book)
    holds_all(snapshot, raw)
    holds_deaths(snapshot, who)


def test_a_row_for_each_measurement_in_american_dates(tmp_path: Path) -> None:
    """Subject, visit, date, test, result; V1 to V5 name no time; mm/dd/yyyy; dead or alive beside the last contact."""
    raw, who = values(), subjects()
    rows = []
    for r in raw.itertuples():
        visit = f"V{1 + (0, 1, 3, 6, 9).index(r.month)}"
        for test, value in (("ALSFRS-R total", r.total), ("FVC % predicted", r.fvc), ("NfL", r.nfl)):
            rows.append((r.patient_id, visit, r.date.strftime(MDY), test, value))
    pd.DataFrame(rows, columns=["SubjectNo", "Visit", "Visit Date", "Test", "Result"]).to_csv(
        tmp_path / "results.csv", index=False
    )
    status = who.assign(
        vital_status=["dead" if pd.notna(d) else "alive" for d in who.death_date],
        last_contact=[d.strftime(MDY) for d in who.last_contact],
        onset_date=[d.strftime(MDY) for d in who.onset_date],
    ).rename(columns={"patient_id": "SubjectNo", "arm": "Treatment Group"})
    status.drop(columns=["first_dose", "death_date"]).to_csv(tmp_path / "patients.csv", index=False)
    snapshot = answered(tmp_path, tmp_path / "results.csv", tmp_path / "patients.csv")
    holds_all(snapshot, raw)
    holds_deaths(snapshot, who)
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert 'visit_times = { "V1" = 0, "V2" = 1, "V3" = 3, "V4" = 6, "V5" = 9 }  # CHECK' in text
    assert "by the median of their dates: V1 is month 0, V2 is month 1" in text
    assert 'died = "vital_status"  # CHECK' in text


def by_visit(raw: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """A row a subject; ``columns`` names each value by a pattern of its month."""
    wide = raw.pivot(index="patient_id", columns="month", values=list(columns))
    wide.columns = [columns[what].format(month) for what, month in wide.columns]
    return wide.reset_index()


def test_items_and_dates_of_a_column_for_each_visit(tmp_path: Path) -> None:
    raw, who = values(), subjects()
    columns = {f"q{k}": f"ALSFRS_Q{k}_M{{}}" for k in range(1, 13)} | {"fvc": "FVC_M{}", "nfl": "NfL_M{}", "date": "Date_M{}"}
    late = (raw.patient_id == "P010") & (raw.month == 6)
    raw.loc[late, "date"] += pd.Timedelta(days=10)
    wide = by_visit(raw, columns).merge(who.drop(columns="first_dose"), on="patient_id")
    wide.to_csv(tmp_path / "wide.csv", index=False)
    snapshot = answered(tmp_path, tmp_path / "wide.csv")
    holds_all(snapshot, raw)
    holds(snapshot, raw, "ALSFR07", "q7")
    holds_deaths(snapshot, who)
    days = dict(snapshot.rows("SELECT USUBJID, ADY FROM ADRE WHERE AVISITN = 6"))
    assert days.pop("P010") == 194.0  # 6 x 30.4375 = 182.6 days, 10 late, day 1 the first dose
    assert set(days.values()) == {184.0}


def test_columns_of_visits_that_are_only_counted_stand_by_their_dates(tmp_path: Path) -> None:
    raw, who = values(), subjects()
    raw = raw.assign(visit=raw.month.map({0: 1, 1: 2, 3: 3, 6: 4, 9: 5}))
    wide = raw.pivot(index="patient_id", columns="visit", values=["total", "date"])
    wide.columns = [f"V{v}_{'ALSFRS' if what == 'total' else 'date'}" for what, v in wide.columns]
    wide.reset_index().merge(who, on="patient_id").to_csv(tmp_path / "wide.csv", index=False)
    snapshot = answered(tmp_path, tmp_path / "wide.csv", endpoints=("alsfrs", "survival", "cafs"))
    holds(snapshot, raw, "ALSFRSR", "total")
    assert "the visits of WIDE are only counted; their times are by the dates" in (tmp_path / "ws" / "study.toml").read_text()


def test_item_5a_or_5b(tmp_path: Path) -> None:
    """Item 5 asked with gastrostomy (5b) from month 6 on; both at one visit is neither."""
    raw, who = values(), subjects()
    late = raw.month >= 6
    sheet = raw.drop(columns=["q5", "total"]).merge(who, on="patient_id").rename(columns={"date": "visit_date"})
    sheet.insert(6, "q5a", raw.q5.where(~late))
    sheet.insert(7, "q5b", raw.q5.where(late))
    sheet.loc[3, "q5a"] = 2  # month 6 of the first subject
    sheet.to_csv(tmp_path / "v.csv", index=False)
    snapshot = answered(tmp_path, tmp_path / "v.csv", endpoints=("alsfrs",))
    assert (raw.patient_id[3], raw.month[3]) == ("P000", 6)
    raw.loc[3, ["q5", "total"]] = None
    holds(snapshot, raw, "ALSFR05A", "q5")
    holds(snapshot, raw, "ALSFRSR", "total")
    assert findings(snapshot)["source-item-5"] == ["1 rows have item 5a and item 5b: item 5 is missing"]


def test_labels_tell_what_names_do_not(tmp_path: Path) -> None:
    """A SAS file of columns V1 to V5 with labels."""
    from datetime import datetime

    import numpy as np

    from alsbench.simulate.xport import XportColumn, XportTable, to_xport

    raw, who = values(), subjects()
    joined = raw.merge(who, on="patient_id")
    days = joined.date.to_numpy().astype("datetime64[D]").astype(np.float64)
    columns = (
        XportColumn("V1", "Patient number", "text", joined.patient_id.to_numpy(dtype=object)),
        XportColumn("V2", "Treatment group", "text", joined.arm.to_numpy(dtype=object)),
        XportColumn("V3", "Month", "number", joined.month.to_numpy(dtype=np.float64)),
        XportColumn("V4", "Visit date", "date", days),
        XportColumn("V5", "ALSFRS-R total score", "number", joined.total.to_numpy(dtype=np.float64)),
    )
    (tmp_path / "als.xpt").write_bytes(to_xport(XportTable("ALS", "", columns), created=datetime(2024, 1, 1)))
    snapshot = answered(tmp_path, tmp_path / "als.xpt", endpoints=("alsfrs",))
    holds(snapshot, raw, "ALSFRSR", "total")


@pytest.mark.parametrize("missing", ["arm", "outcome", "subject"])
def test_what_cannot_be_told_is_said_with_the_nearest_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    named = {"patient_id": "patient_id", "arm": "arm", "month": "month", "total": "alsfrs_total"}
    odd = {
        "arm": ("arm", "treatment_received_x"),
        "outcome": ("total", "alsfr_summe_x"),
        "subject": ("patient_id", "patient_key_x"),
    }
    column, name = odd[missing]
    frame = values().merge(subjects(), on="patient_id")[list(named)]
    frame.rename(columns={**named, column: name}).to_csv(tmp_path / "v.csv", index=False)
    assert main(["init", str(tmp_path / "ws"), str(tmp_path / "v.csv")]) == 3
    err = " ".join(capsys.readouterr().err.split())
    assert name in err
    assert not (tmp_path / "ws" / "study.toml").exists()


def test_load_without_a_study_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values().to_csv(tmp_path / "v.csv", index=False)
    assert main(["load", str(tmp_path / "v.csv"), "-w", str(tmp_path / "ws")]) == 0
    err = " ".join(capsys.readouterr().err.split())
    assert (
        f"nothing was derived: no ADSL, SDTM or PRO-ACT is among them. To have them recognised: alsbench init {tmp_path}" in err
    )


def test_a_table_of_another_name_for_its_subject_is_named_in_the_study(tmp_path: Path) -> None:
    raw, who = values(), subjects()
    raw.rename(columns={"total": "alsfrs_total", "date": "visit_date"}).to_csv(tmp_path / "v.csv", index=False)
    who.rename(columns={"patient_id": "Case No"}).to_csv(tmp_path / "who.csv", index=False)
    text = init(tmp_path, tmp_path / "v.csv", tmp_path / "who.csv")
    assert '"WHO" = { subject = "Case No" }  # CHECK' in text
    changed(tmp_path / "ws" / "study.toml", '"WHO" = { subject', '"WHOM" = { subject')
    assert main(["load", str(tmp_path / "v.csv"), str(tmp_path / "who.csv"), "-w", str(tmp_path / "ws"), "-q"]) == 3
    assert Workspace(tmp_path / "ws").current_name() is None
