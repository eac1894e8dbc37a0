"""What is wrong with real files: two arms, blank arms, unknown words, visits twice, impossible dates, mixed units.

A trial with one thing wrong is proposed and loaded; what must be said, and what the data must be, follows from the change.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.data.derive.foreign import answered, changed, findings, holds, init, subjects, values

from alsbench.__main__ import main
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace


def sheet() -> pd.DataFrame:
    """A row a visit, with the facts of the subject beside it."""
    visits = values().merge(subjects().drop(columns="first_dose"), on="patient_id")
    visits["visit"] = visits.month.map(lambda m: "Baseline" if m == 0 else f"Month {m}")
    named = {"date": "visit_date", "total": "alsfrs_total", "fvc": "fvc_pct"}
    return visits.rename(columns=named).drop(columns=[f"q{k}" for k in range(1, 13)] + ["month"])


def loaded(tmp_path: Path, frame: pd.DataFrame, *, code: int = 0) -> Snapshot:
    frame.to_csv(tmp_path / "v.csv", index=False)
    init(tmp_path, tmp_path / "v.csv")
    assert main(["load", str(tmp_path / "v.csv"), "-w", str(tmp_path / "ws"), "-q"]) == code
    return Workspace(tmp_path / "ws").open_current()


def arms_of(snapshot: Snapshot) -> dict[str, str | None]:
    return {str(s): a for s, a in snapshot.rows("SELECT USUBJID, TRT01P FROM ADSL")}


def test_a_subject_with_two_arms_is_in_none(tmp_path: Path) -> None:
    frame = sheet()
    frame.loc[2, "arm"] = "Drug 50 mg"  # the third visit of P000, Placebo otherwise
    snapshot = loaded(tmp_path, frame)
    assert arms_of(snapshot)["P000"] is None
    assert dict(snapshot.rows("SELECT USUBJID, FASFL FROM ADSL"))["P000"] == "N"
    said = findings(snapshot)["source-two-arms"]
    assert said == ["1 subjects have more than one arm in arm: they are in no arm and in no analysis set"]


def test_a_blank_arm_is_in_no_set_and_spellings_of_an_arm_are_one(tmp_path: Path) -> None:
    frame = sheet()
    frame.loc[frame.patient_id == "P001", "arm"] = None
    frame.loc[frame.patient_id == "P003", "arm"] = " PLACEBO "
    snapshot = loaded(tmp_path, frame)
    arms = arms_of(snapshot)
    assert arms["P001"] is None and arms["P003"] == "Placebo"
    said = findings(snapshot)
    assert said["source-no-arm"] == ["1 subjects have no arm; they are in no analysis set"]
    assert said["source-arm-spelling"] == ["1 subjects have another spelling of the arm Placebo: PLACEBO"]
    assert '"PLACEBO"' not in (tmp_path / "ws" / "study.toml").read_text()


def test_a_flag_keeps_nobody_without_an_arm(tmp_path: Path) -> None:
    frame = sheet()
    frame["ITT"] = "ja"
    frame.loc[frame.patient_id == "P005", "ITT"] = "nein"
    frame.loc[frame.patient_id == "P001", "arm"] = None
    snapshot = loaded(tmp_path, frame)
    flags = dict(snapshot.rows("SELECT USUBJID, ITTFL FROM ADSL"))
    assert {s for s, v in flags.items() if v == "N"} == {"P001", "P005"}


def test_unknown_words_are_named_and_the_study_can_say_what_they_mean(tmp_path: Path) -> None:
    frame = sheet()
    frame.loc[frame.patient_id == "P002", "sex"] = "divers"
    frame["onset_site"] = frame.onset_site.replace({"bulbar": "Hals"})
    frame.loc[frame.patient_id == "P004", "riluzole"] = "vielleicht"
    snapshot = loaded(tmp_path, frame)
    said = findings(snapshot)["source-word"]
    assert any("in sex that the table of words does not know ([words] may say): divers" in w for w in said)
    assert any(w.startswith("9 subjects have a word in onset_site") and w.endswith("Hals") for w in said)
    assert any("1 subjects have a word in riluzole that says neither yes nor no" in w and "vielleicht" in w for w in said)
    study = tmp_path / "ws" / "study.toml"
    study.write_text(study.read_text() + '[words]\nno = ["vielleicht"]\nsex = { divers = "U" }\nonset = { Hals = "BULBAR" }\n')
    assert main(["load", str(tmp_path / "v.csv"), "-w", str(tmp_path / "ws"), "-q"]) == 0
    again = Workspace(tmp_path / "ws").open_current()
    rows = {s: (x, o, r) for s, x, o, r in again.rows("SELECT USUBJID, SEX, ONSETSIT, RILUFL FROM ADSL")}
    assert rows["P002"][0] == "U" and rows["P004"] == ("F", "BULBAR", "N") and rows["P003"][1] == "LIMB"


def test_a_visit_twice_counts_once_and_the_nearest_to_its_day(tmp_path: Path) -> None:
    frame = sheet()
    twice = frame[(frame.patient_id == "P010") & (frame.visit == "Month 3")].copy()
    twice["visit_date"] += pd.Timedelta(days=9)
    twice["alsfrs_total"] = 1
    snapshot = loaded(tmp_path, pd.concat([frame, twice]))
    said = findings(snapshot)["source-repeated"]
    assert said[0] == "1 records of ALSFRSR stand at a visit with another of the subject: the nearest to the visit's day counts"
    holds(snapshot, values(), "ALSFRSR", "total")


def test_impossible_dates_are_missing_and_wrong_years_are_named(tmp_path: Path) -> None:
    frame = sheet()
    frame["visit_date"] = frame.visit_date.dt.strftime("%Y-%m-%d")
    frame.loc[7, "visit_date"] = "2021-02-30"
    frame.loc[11, "visit_date"] = frame.visit_date[11].replace("2021", "2012")
    snapshot = loaded(tmp_path, frame)
    said = findings(snapshot)
    assert said["source-date"] == ["1 values of visit_date are no dates and count as missing: 2021-02-30"]
    assert said["source-visit-date"] == [
        "1 dates are more than 45 days and half the time from the day of their visit",
        "1 dates of later visits are before the first dose: the day of the visit counts instead",
    ]
    holds(snapshot, values(), "ALSFRSR", "total")


def test_what_stands_for_something_else_is_a_doubt(tmp_path: Path) -> None:
    """No first dose, no flags, no column of visits: dates alone place the records."""
    frame = sheet().drop(columns="visit")
    snapshot = loaded(tmp_path, frame)
    holds(snapshot, values(), "ALSFRSR", "total")
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert "# - source.visit: nothing tells the visit; each date of visit_date is rounded to the month" in text
    assert "# - source.first_dose: nothing tells it; the date of visit 0, else the first date, stands for it" in text
    assert "# - source.flags: no flag of an analysis set; FASFL and SAFFL are everybody with an arm" in text


def test_one_arm_is_no_trial_to_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet().assign(arm="Placebo").to_csv(tmp_path / "v.csv", index=False)
    assert main(["init", str(tmp_path / "ws"), str(tmp_path / "v.csv")]) == 3
    assert "names one arm only, Placebo" in capsys.readouterr().err
    assert not (tmp_path / "ws" / "study.toml").exists()


def test_dates_with_a_time_of_day_are_days(tmp_path: Path) -> None:
    frame = sheet()
    frame["visit_date"] = frame.visit_date.dt.strftime("%Y-%m-%dT") + [f"{9 + i % 3:02d}:30" for i in range(len(frame))]
    snapshot = loaded(tmp_path, frame)
    starts = {s: str(d)[:10] for s, d in snapshot.rows("SELECT USUBJID, TRTSDT FROM ADSL")}
    assert starts == {r.patient_id: str(r.first_dose)[:10] for r in subjects().itertuples()}


def test_mixed_units_are_named(tmp_path: Path) -> None:
    frame = sheet()
    rows = frame.index % 5 == 0
    frame.loc[rows, "fvc_pct"] = (frame.fvc_pct[rows] / 25).round(2)  # as litres
    frame.loc[3, "nfl"] *= 1000  # pg/mL among ng/mL
    said = findings(loaded(tmp_path, frame))["source-unit"]
    named = f"{int(rows.sum())} values of FVCPP look as if in another unit than most"
    assert any(w.startswith(named) for w in said)
    assert any(w.startswith("1 values of NFL look as if") for w in said)


def test_a_capacity_in_litres_is_no_per_cent(tmp_path: Path) -> None:
    frame = sheet()
    frame["fvc"] = (frame.fvc_pct / 25).round(2)
    frame = frame.drop(columns="fvc_pct")
    snapshot = answered(tmp_path, *_written(tmp_path, frame), endpoints=("fvc",))
    assert snapshot.rows("SELECT DISTINCT PARAMCD, PARAM FROM ADRE") == [("FVC", "Forced Vital Capacity (L)")]
    assert "the values of fvc are below 10: litres, not % predicted" in (tmp_path / "ws" / "study.toml").read_text()


def _written(tmp_path: Path, frame: pd.DataFrame) -> tuple[Path]:
    frame.to_csv(tmp_path / "v.csv", index=False)
    return (tmp_path / "v.csv",)


def test_visits_that_are_numbered_are_no_months(tmp_path: Path) -> None:
    """Visits 1 to 5 are at months 0, 1, 3, 6 and 9 by their dates."""
    frame = sheet()
    frame["visit"] = frame.visit.map({"Baseline": 1, "Month 1": 2, "Month 3": 3, "Month 6": 4, "Month 9": 5})
    snapshot = loaded(tmp_path, frame)
    holds(snapshot, values(), "ALSFRSR", "total")
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert "the numbers of visit are no months by their dates, which count" in text
    assert 'visit_times = { "1" = 0, "2" = 1, "3" = 3, "4" = 6, "5" = 9 }  # CHECK' in text


def test_a_number_no_visit_can_have_stands_by_its_date(tmp_path: Path) -> None:
    frame = sheet()
    frame["visit"] = values().month.astype(object)
    frame.loc[6, "visit"] = "999999999999999999999"
    snapshot = loaded(tmp_path, frame)
    holds(snapshot, values(), "ALSFRSR", "total")
    assert values().month[6] == 3
    assert "by the median of their dates: 999999999999999999999 is month 3" in (tmp_path / "ws" / "study.toml").read_text()


def test_numbers_of_visits_without_dates_are_a_doubt(tmp_path: Path) -> None:
    frame = sheet().drop(columns=["visit_date", "death_date", "last_contact", "onset_date"])
    frame["visit"] = values().month
    loaded(tmp_path, frame)
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert "# - source.visit: the numbers of visit are taken for months: nothing tells" in text


def test_numbers_of_visits_are_weeks_where_their_dates_say_so(tmp_path: Path) -> None:
    frame = sheet()
    week = frame.visit.map({"Baseline": 0, "Month 1": 4, "Month 3": 13, "Month 6": 26, "Month 9": 39})
    frame["visit"] = week
    snapshot = loaded(tmp_path, frame)
    assert 'unit = "week"' in (tmp_path / "ws" / "study.toml").read_text()
    raw = values()
    raw["month"] = week
    holds(snapshot, raw, "ALSFRSR", "total")


def test_unplanned_visits_count_at_none_and_screening_is_before_baseline(tmp_path: Path) -> None:
    frame = sheet()
    extra = frame[frame.visit == "Month 3"].copy()
    extra["visit"], extra["alsfrs_total"] = "Unscheduled", 5
    extra["visit_date"] += pd.Timedelta(days=20)
    early = frame[frame.visit == "Baseline"].copy()
    early["visit"], early["alsfrs_total"] = "Screening", 48
    early["visit_date"] -= pd.Timedelta(days=10)
    snapshot = loaded(tmp_path, pd.concat([frame, extra, early]))
    query = "SELECT AVISIT, AVISITN, ANL01FL, count(*) FROM ADQS WHERE PARAMCD = 'ALSFRSR' AND AVAL IN (5, 48) GROUP BY ALL"
    assert sorted(snapshot.rows(query)) == [("Month -1", -1.0, "Y", 36), ("Unscheduled", None, None, len(extra))]
    kept = snapshot.rows("SELECT USUBJID, BASE FROM ADQS WHERE PARAMCD = 'ALSFRSR' AND AVISITN = 3")
    base = values().query("month == 0").set_index("patient_id").total
    assert all(b == base[s] for s, b in kept)
    assert findings(snapshot)["source-unplanned"][0].startswith(f"{len(extra)} rows of unplanned visits")
    starts = dict(snapshot.rows("SELECT USUBJID, TRTSDT FROM ADSL"))
    assert str(starts["P003"])[:10] == "2021-01-25"  # baseline of the fourth: 4 January and three weeks


def test_weeks_and_months_in_one_trial_are_weeks(tmp_path: Path) -> None:
    frame = sheet()
    frame["visit"] = frame.visit.replace({"Month 1": "Week 4"})
    snapshot = loaded(tmp_path, frame)
    found = sorted({(v, n) for v, n in snapshot.rows("SELECT AVISIT, AVISITN FROM ADQS")}, key=lambda x: x[1])
    assert found == [("Baseline", 0), ("Week 4", 4), ("Week 13", 13), ("Week 26", 26), ("Week 39", 39)]
    assert "visits name months and weeks; all are in weeks" in (tmp_path / "ws" / "study.toml").read_text()


def test_two_texts_at_one_visit_are_named(tmp_path: Path) -> None:
    frame = sheet()
    frame.loc[frame.patient_id == "P004", "visit"] = frame.visit.replace({"Month 6": "Monat 6"})
    snapshot = loaded(tmp_path, frame)
    assert any("stand at one visit, month 6" in w for w in findings(snapshot)["source-same-visit"])
    holds(snapshot, values(), "ALSFRSR", "total")


def test_a_column_of_dead_or_alive_is_no_date_of_death(tmp_path: Path) -> None:
    frame = sheet()
    frame["death"] = ["yes" if pd.notna(d) else "no" for d in frame.death_date]
    frame = frame.drop(columns="death_date")
    snapshot = loaded(tmp_path, frame)
    who = subjects()
    ours = {s: (d, c) for s, d, c in snapshot.rows("SELECT USUBJID, AVAL, CNSR FROM ADTTE")}
    for row in who.itertuples():
        assert ours[row.patient_id] == ((row.last_contact - row.first_dose).days + 1, float(pd.isna(row.death_date)))
    dead = {s: str(d)[:10] for s, d in snapshot.rows("SELECT USUBJID, DTHDT FROM ADSL WHERE DTHFL = 'Y'")}
    assert dead == {r.patient_id: str(r.death_date)[:10] for r in who.itertuples() if pd.notna(r.death_date)}
    assert "the day of last_contact is taken for the day of death" in (tmp_path / "ws" / "study.toml").read_text()


def test_a_column_named_like_a_date_that_holds_none_is_a_doubt(tmp_path: Path) -> None:
    frame = sheet()
    frame["start_date"] = "soon"
    loaded(tmp_path, frame)
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert "source.first_dose: start_date of V is named like it and holds no dates" in text


def test_contradicting_tables_are_named(tmp_path: Path) -> None:
    """The arm of one subject is another in the second file, which repeats another subject's row."""
    visits, who = sheet(), subjects()
    who.loc[5, "arm"] = "Placebo"
    who = pd.concat([who, who.iloc[[8]]])
    who.iloc[-1, who.columns.get_loc("age")] = 99
    visits.to_csv(tmp_path / "v.csv", index=False)
    who.to_csv(tmp_path / "who.csv", index=False)
    init(tmp_path, tmp_path / "v.csv", tmp_path / "who.csv")
    assert main(["load", str(tmp_path / "v.csv"), str(tmp_path / "who.csv"), "-w", str(tmp_path / "ws"), "-q"]) == 0
    snapshot = Workspace(tmp_path / "ws").open_current()
    assert arms_of(snapshot)["P005"] is None
    assert "1 subjects have more than one value of age: the first counts" in findings(snapshot)["source-conflict"]
    assert dict(snapshot.rows("SELECT USUBJID, AGE FROM ADSL"))["P008"] == 58


def test_the_number_of_a_row_is_no_subject(tmp_path: Path) -> None:
    frame = sheet()
    frame.insert(0, "id", range(1000, 1000 + len(frame)))
    frame.insert(0, "case", range(len(frame)))
    loaded(tmp_path, frame)
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert 'subject = "patient_id"  # CHECK' in text
    assert "source.subject: patient_id is taken, case, id is named like it too" in text


def test_two_columns_of_one_meaning_are_said(tmp_path: Path) -> None:
    frame = sheet()
    frame["group"] = "A"
    loaded(tmp_path, frame)
    assert "source.arm: arm is taken, group of V is named like it too" in (tmp_path / "ws" / "study.toml").read_text()


def test_an_empty_file_beside_the_data_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("patient_id,remark\n")
    _written(tmp_path, sheet())
    text = init(tmp_path, tmp_path / "v.csv", tmp_path / "notes.csv")
    assert "source.files: NOTES has no rows" in text


def test_visits_of_the_study_file_count_before_texts_and_dates(tmp_path: Path) -> None:
    _written(tmp_path, sheet())
    init(tmp_path, tmp_path / "v.csv")
    changed(tmp_path / "ws" / "study.toml", 'date = "visit_date"', 'visit_times = { "Month 9" = 10 }\ndate = "visit_date"')
    assert main(["load", str(tmp_path / "v.csv"), "-w", str(tmp_path / "ws"), "-q"]) == 0
    snapshot = Workspace(tmp_path / "ws").open_current()
    assert {n for (n,) in snapshot.rows("SELECT DISTINCT AVISITN FROM ADQS")} == {0.0, 1.0, 3.0, 6.0, 10.0}


def test_the_first_dose_is_the_date_of_baseline_where_screening_was_before(tmp_path: Path) -> None:
    frame = sheet()
    early = frame[frame.visit == "Baseline"].assign(visit="Screening")
    early["visit_date"] -= pd.Timedelta(days=20)
    snapshot = loaded(tmp_path, pd.concat([early, frame]))
    starts = {s: str(d)[:10] for s, d in snapshot.rows("SELECT USUBJID, TRTSDT FROM ADSL")}
    assert starts == {r.patient_id: str(r.first_dose)[:10] for r in subjects().itertuples()}


def test_a_total_with_a_missing_item_is_missing_and_said(tmp_path: Path) -> None:
    """Delivered totals count where no item is there, and not where one of twelve is missing."""
    raw = values()
    frame = raw.merge(subjects(), on="patient_id").rename(columns={"date": "visit_date", "total": "alsfrs_total"})
    frame.loc[4, "q7"] = None
    frame.loc[9, [f"q{k}" for k in range(1, 13)]] = None
    snapshot = loaded(tmp_path, frame)
    raw.loc[4, "total"] = None
    holds(snapshot, raw, "ALSFRSR", "total")
    assert findings(snapshot)["source-total"] == ["1 totals stand where an item is missing: they are missing"]


@pytest.mark.parametrize(("days", "rate"), [(29, None), (30, (48 - 42) / (30 / 30.4375))])
def test_a_rate_over_less_than_thirty_days_is_missing(tmp_path: Path, days: int, rate: float | None) -> None:
    """P000 has a total of 42 at baseline: (48 - 42) / (days / 30.4375)."""
    frame = sheet()
    mine = frame.patient_id == "P000"
    frame.loc[mine, "onset_date"] = frame.visit_date[mine].min() - pd.Timedelta(days=days)
    found = dict(loaded(tmp_path, frame).rows("SELECT USUBJID, PROGRATE FROM ADSL"))["P000"]
    assert values().total[0] == 42
    assert found == (None if rate is None else pytest.approx(rate, rel=1e-12))
