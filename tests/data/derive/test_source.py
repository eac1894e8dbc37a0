"""Data that are not ADaM: proposed, loaded and answered without editing; numbers a second way with pandas from the raw file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from alsbench.__main__ import main
from alsbench.data.workspace import Workspace

ARMS = ("Placebo", "Drug 50 mg", "Drug 100 mg")


def visits(n: int = 36) -> pd.DataFrame:
    """A row a visit: items, capacity with an NA, NfL, death and last contact; one total is not the sum of its items."""
    rows = []
    for i in range(n):
        start = pd.Timestamp("2021-01-04") + pd.Timedelta(days=7 * i)
        died = start + pd.Timedelta(days=200 + i) if i % 9 == 0 else None
        for month in (0, 1, 3, 6, 9):
            when = start + pd.Timedelta(days=round(month * 30.4375))
            if died is not None and when > died:
                continue
            lost = (month * (1 + i % 3)) // 3
            items = [3 + (k + i) % 2 - (1 if k < lost else 0) for k in range(12)]
            rows.append({
                "patient_id": f"P{i:03d}", "arm": ARMS[i % 3], "age": 50 + i % 20, "sex": "FM"[i % 2],
                "onset_site": ("limb", "bulbar")[i % 4 == 0], "onset_date": (start - pd.Timedelta(days=300 + 11 * i)).date(),
                "visit": "Baseline" if month == 0 else f"Month {month}", "visit_date": when.date(),
                **{f"alsfrs_q{k + 1}": v for k, v in enumerate(items)}, "alsfrs_total": sum(items),
                "fvc_pct": "NA" if (i, month) == (2, 3) else f"{90 - month - (i * 7) % 13 / 2:.1f}",
                "nfl": round(40 + 5 * (i % 7) + month * (i % 5) / 4, 1), "riluzole": ("yes", "no")[i % 2],
                "death_date": died.date() if died is not None else None, "last_contact": when.date(),
            })  # fmt: skip
    frame = pd.DataFrame(rows)
    frame.loc[7, "alsfrs_total"] += 2
    return frame


def answered(tmp_path: Path, data: Path, endpoints: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """The tables of a workspace that was proposed and loaded without editing, after every endpoint has answered."""
    ws = tmp_path / "ws"
    assert main(["init", str(ws), str(data), "--quiet"]) == 0
    assert main(["load", str(data), "-w", str(ws), "--quiet"]) == 0
    for endpoint in endpoints:
        assert main(["endpoint", endpoint, "-w", str(ws), "--quiet", "--format", "csv"]) == 0, endpoint
    with Workspace(ws).open_current() as snapshot:
        columns = {"ADSL": ["USUBJID", "TRT01P"], "ADQS": ["USUBJID", "TRT01P", "PARAMCD", "AVISITN", "AVAL", "CHG"]}
        found = {}
        for name, wanted in columns.items():
            listed = [c for c in wanted if c in {x.name for x in snapshot.table(name).columns}]
            found[name] = pd.DataFrame(snapshot.rows(f"SELECT {', '.join(listed)} FROM {name}"), columns=listed)
        return found


def test_a_row_a_visit(tmp_path: Path) -> None:
    raw = visits()
    raw.to_csv(tmp_path / "followup.csv", index=False)
    endpoints = ("cafs", "alsfrs", "fvc", "nfl", "survival")
    made = answered(tmp_path, tmp_path / "followup.csv", endpoints)
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert 'death = "death_date"  # CHECK' in text
    total = made["ADQS"][made["ADQS"].PARAMCD == "ALSFRSR"]
    raw["month"] = raw.visit.map(lambda v: 0 if v == "Baseline" else int(v.split()[1]))
    raw["total"] = raw[[f"alsfrs_q{k}" for k in range(1, 13)]].sum(axis=1)  # the sum of the items, not the total delivered
    base = raw[raw.month == 0].set_index("patient_id").total
    raw["change"] = raw.total - raw.patient_id.map(base)
    later = raw[raw.month > 0].groupby(["arm", "month"]).change.agg(["count", "mean"])
    ours = total[total.AVISITN > 0].groupby(["TRT01P", "AVISITN"]).CHG.agg(["count", "mean"])
    assert ours["count"].tolist() == later["count"].tolist()
    assert ours["mean"].tolist() == pytest.approx(later["mean"].tolist(), abs=1e-12)


def test_time_to_death_and_the_rate_of_progression(tmp_path: Path) -> None:
    raw = visits()
    raw.to_csv(tmp_path / "followup.csv", index=False)
    answered(tmp_path, tmp_path / "followup.csv", ())
    first = raw.groupby("patient_id").first()
    with Workspace(tmp_path / "ws").open_current() as snapshot:
        rows = {r[0]: r[1:] for r in snapshot.rows("SELECT USUBJID, AVAL, CNSR FROM ADTTE")}
        rates = dict(snapshot.rows("SELECT USUBJID, PROGRATE FROM ADSL"))
    for who, row in first.iterrows():
        start = pd.Timestamp(row.visit_date)
        end = pd.Timestamp(row.death_date) if row.death_date else pd.Timestamp(raw[raw.patient_id == who].visit_date.max())
        assert rows[who] == ((end - start).days + 1, 0.0 if row.death_date else 1.0)
        months = (start - pd.Timestamp(row.onset_date)).days / 30.4375
        score = sum(row[f"alsfrs_q{k}"] for k in range(1, 13))
        assert rates[who] == pytest.approx((48 - score) / months, rel=1e-12)


def test_totals_and_words_that_are_no_numbers_are_reported(tmp_path: Path) -> None:
    """One total delivered is two more than its items; one capacity says NA."""
    visits().to_csv(tmp_path / "followup.csv", index=False)
    answered(tmp_path, tmp_path / "followup.csv", ())
    with Workspace(tmp_path / "ws").open_current() as snapshot:
        said = dict(snapshot.rows("SELECT RULE, WHAT FROM QCREPORT"))
    assert said["source-total"] == "1 totals are not the sum of their items: the sum counts"
    assert said["source-missing-word"] == "1 values of fvc_pct are missing: NA"


def test_a_column_that_is_not_there_is_named_with_its_neighbours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    visits().to_csv(tmp_path / "followup.csv", index=False)
    ws = tmp_path / "ws"
    assert main(["init", str(ws), str(tmp_path / "followup.csv"), "--quiet"]) == 0
    study = ws / "study.toml"
    study.write_text(study.read_text().replace('nfl = "nfl"', 'nfl = "nfll"'))
    assert main(["load", str(tmp_path / "followup.csv"), "-w", str(ws)]) == 3
    err = capsys.readouterr().err
    assert "there is no column nfll" in err
    assert "nfl" in err.replace("nfll", "")


def test_korean_columns_for_each_visit(tmp_path: Path) -> None:
    """Flags and sexes in Korean, a column for each visit."""
    raw = visits()
    raw["month"] = raw.visit.map(lambda v: 0 if v == "Baseline" else int(v.split()[1]))
    raw["fvc_pct"] = pd.to_numeric(raw.fvc_pct, errors="coerce")
    wide = raw.pivot(index="patient_id", columns="month", values=["alsfrs_total", "nfl"])
    wide.columns = [f"{'ALSFRS' if n == 'alsfrs_total' else 'NfL'}_{m}개월" for n, m in wide.columns]
    wide = wide.join(raw.groupby("patient_id").first()[["arm", "sex"]]).reset_index()
    wide["ITT"] = ["아니오" if i == 3 else "예" for i in range(len(wide))]
    wide = wide.rename(columns={"patient_id": "대상자번호", "arm": "투여군", "sex": "성별"})
    wide["성별"] = wide["성별"].map({"F": "여", "M": "남"})
    wide.to_csv(tmp_path / "trial.csv", index=False, encoding="utf-8")
    made = answered(tmp_path, tmp_path / "trial.csv", ("alsfrs", "nfl"))
    ours = made["ADQS"].groupby(["TRT01P", "AVISITN"]).AVAL.agg(["count", "mean"])
    theirs = raw.groupby(["arm", "month"]).alsfrs_total.agg(["count", "mean"])
    assert ours["count"].tolist() == theirs["count"].tolist()
    assert ours["mean"].tolist() == pytest.approx(theirs["mean"].tolist(), abs=1e-12)
    with Workspace(tmp_path / "ws").open_current() as snapshot:
        assert sorted(snapshot.rows("SELECT ITTFL, count(*) FROM ADSL GROUP BY 1")) == [("N", 1), ("Y", 35)]
        assert {s for (s,) in snapshot.rows("SELECT DISTINCT SEX FROM ADSL")} == {"F", "M"}


def test_adam_in_small_letters_with_local_words(tmp_path: Path) -> None:
    """Flags J and N, visits as "Monat 3" without a number, decimal commas, dates as dd.mm.yyyy."""
    raw = visits()
    folder = tmp_path / "adam"
    folder.mkdir()
    first = raw.groupby("patient_id").first().reset_index()
    day = lambda d: pd.Timestamp(d).strftime("%d.%m.%Y") if d else ""  # noqa: E731
    lines = ["usubjid;trtp;sex;onset;ittfl;saffl;trtsdt"]
    lines += [
        f"{r.patient_id};{r.arm};{r.sex};{r.onset_site};{'N' if i == 4 else 'J'};J;{day(r.visit_date)}"
        for i, r in enumerate(first.itertuples())
    ]
    (folder / "adsl.csv").write_text("\n".join(lines) + "\n")
    lines = ["usubjid;paramcd;param;avisit;adt;aval"]
    for r in raw.itertuples():
        visit = r.visit.replace("Month", "Monat")
        lines.append(f"{r.patient_id};ALSFRST;ALSFRS-R Gesamtscore;{visit};{day(r.visit_date)};{r.alsfrs_total}")
        lines.append(f"{r.patient_id};SNFL;Serum NfL (pg/mL);{visit};{day(r.visit_date)};{str(r.nfl).replace('.', ',')}")
    (folder / "adqs.csv").write_text("\n".join(lines) + "\n")
    end = raw.groupby("patient_id").visit_date.max()
    lines = ["usubjid;paramcd;param;aval;cnsr"]
    for r in first.itertuples():
        when = pd.Timestamp(r.death_date or end[r.patient_id])
        lines.append(
            f"{r.patient_id};OS;Gesamtüberleben (Tage);{(when - pd.Timestamp(r.visit_date)).days + 1};{int(not r.death_date)}"
        )
    (folder / "adtte.csv").write_text("\n".join(lines) + "\n")
    made = answered(tmp_path, folder, ("cafs", "alsfrs", "nfl", "survival"))
    counted = made["ADQS"][made["ADQS"].PARAMCD == "ALSFRST"].groupby("AVISITN").AVAL.agg(["count", "mean"])
    raw["month"] = raw.visit.map(lambda v: 0 if v == "Baseline" else int(v.split()[1]))
    theirs = raw.groupby("month").alsfrs_total.agg(["count", "mean"])
    assert counted["count"].tolist() == theirs["count"].tolist()
    assert counted["mean"].tolist() == pytest.approx(theirs["mean"].tolist(), abs=1e-12)
    with Workspace(tmp_path / "ws").open_current() as snapshot:
        assert sorted(snapshot.rows("SELECT ITTFL, count(*) FROM ADSL GROUP BY 1")) == [("N", 1), ("Y", 35)]
        assert snapshot.rows("SELECT count(*) FROM SRC_ADQS")[0][0] == 2 * len(raw)
