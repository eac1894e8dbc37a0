"""A small trial that is no ADaM, written as sites write theirs; what it holds is asked of pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from alsbench.__main__ import main
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace

ARMS = ("Placebo", "Drug 50 mg", "Drug 100 mg")
MONTHS = (0, 1, 3, 6, 9)
ENDPOINTS = ("cafs", "alsfrs", "fvc", "nfl", "survival")


def start_of(subject: int) -> pd.Timestamp:
    return pd.Timestamp("2021-01-04") + pd.Timedelta(days=7 * subject)


def subjects(n: int = 36) -> pd.DataFrame:
    """A row a subject: arm, age, sex, site and date of onset, riluzole, first dose, death (every ninth) and last contact."""
    rows = []
    for i in range(n):
        start = start_of(i)
        died = start + pd.Timedelta(days=200 + i) if i % 9 == 0 else None
        last = died or start + pd.Timedelta(days=290)
        rows.append({
            "patient_id": f"P{i:03d}", "arm": ARMS[i % 3], "age": 50 + i % 20, "sex": "FM"[i % 2],
            "onset_site": ("limb", "bulbar")[i % 4 == 0], "onset_date": start - pd.Timedelta(days=300 + 11 * i),
            "riluzole": ("yes", "no")[i % 2], "first_dose": start, "death_date": died, "last_contact": last,
        })  # fmt: skip
    return pd.DataFrame(rows)


def values(n: int = 36) -> pd.DataFrame:
    """A row a subject and visit: month, date, twelve items, their total, capacity, NfL. Nobody is seen after death."""
    rows = []
    for i in range(n):
        for month in MONTHS:
            when = start_of(i) + pd.Timedelta(days=round(month * 30.4375))
            if i % 9 == 0 and (when - start_of(i)).days > 200 + i:
                continue
            lost = (month * (1 + i % 3)) // 3
            items = [3 + (k + i) % 2 - (1 if k < lost else 0) for k in range(12)]
            rows.append({
                "patient_id": f"P{i:03d}", "month": month, "date": when, **{f"q{k + 1}": v for k, v in enumerate(items)},
                "total": sum(items), "fvc": round(90 - month - (i * 7) % 13 / 2, 1),
                "nfl": round(40 + 5 * (i % 7) + month * (i % 5) / 4, 1),
            })  # fmt: skip
    return pd.DataFrame(rows)


def init(tmp_path: Path, *data: Path) -> str:
    """The study proposed for files, in tmp_path/ws."""
    assert main(["init", str(tmp_path / "ws"), *map(str, data), "--quiet", "--force"]) == 0
    return (tmp_path / "ws" / "study.toml").read_text()


def answered(tmp_path: Path, *data: Path, endpoints: tuple[str, ...] = ENDPOINTS) -> Snapshot:
    """Proposed, loaded without editing, every endpoint answered."""
    ws = tmp_path / "ws"
    init(tmp_path, *data)
    assert main(["load", *map(str, data), "-w", str(ws), "--quiet"]) == 0
    for endpoint in endpoints:
        assert main(["endpoint", endpoint, "-w", str(ws), "--quiet", "--format", "csv"]) == 0, endpoint
    return Workspace(ws).open_current()


def changed(study: Path, old: str, new: str) -> None:
    text = study.read_text()
    assert old in text, text
    study.write_text(text.replace(old, new))


def findings(snapshot: Snapshot) -> dict[str, list[str]]:
    """What a derivation found, by rule."""
    found: dict[str, list[str]] = {}
    for rule, what in snapshot.rows("SELECT RULE, WHAT FROM QCREPORT"):
        found.setdefault(str(rule), []).append(str(what))
    return found


def holds(snapshot: Snapshot, raw: pd.DataFrame, code: str, column: str, table: str = "ADQS") -> None:
    """Every value of ``column`` stands at its subject's month, its change from month 0 beside it, and no other does."""
    change = "CHG" if any(c.name == "CHG" for c in snapshot.table(table).columns) else "NULL"
    query = f"SELECT USUBJID, AVISITN, AVAL, {change} FROM {table} WHERE PARAMCD = '{code}' AND AVISITN IS NOT NULL"
    ours: dict[tuple[str, float], Any] = {(s, n): (v, c) for s, n, v, c in snapshot.rows(query)}
    base = raw[raw.month == 0].set_index("patient_id")[column]
    theirs = {(r.patient_id, float(r.month)): getattr(r, column) for r in raw.itertuples() if pd.notna(getattr(r, column))}
    assert {k: v[0] for k, v in ours.items()} == theirs
    for (subject, month), (value, own) in ours.items():
        if change == "CHG" and month > 0 and subject in base.index and pd.notna(base[subject]):
            assert abs(own - (value - base[subject])) < 1e-9


def holds_deaths(snapshot: Snapshot, raw: pd.DataFrame) -> None:
    """Days from the first dose, which is day 1, to death or the last contact."""
    ours = {r[0]: r[1:] for r in snapshot.rows("SELECT USUBJID, AVAL, CNSR FROM ADTTE")}
    for row in raw.itertuples():
        end = row.death_date if pd.notna(row.death_date) else row.last_contact
        assert ours[row.patient_id] == ((end - row.first_dose).days + 1, float(pd.isna(row.death_date)))
