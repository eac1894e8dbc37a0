"""PRO-ACT's subjects: arms, onset, death and follow-up from its one-row-per-subject files, and ADSL.

A subject is anybody any file names. ALSHISTORY has several rows per subject: the first value that is there counts, column by
column. Rows of the other files that contradict each other are quarantined, and what they say is then unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.proact_tables import RawTable, first_known, one_per_subject
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.tables import DerivedColumn, Floats, SubjectArms, Values, build, number, text
from alsbench.study.als import MAX_TOTAL
from alsbench.study.model import DAYS_PER_UNIT

STUDY = "PROACT"
Baseline = tuple[float, float]  # value, and its day from trial entry
MONTH = DAYS_PER_UNIT["month"]
SHORTEST_ONSET = 30  # days before baseline; a rate over less is missing
_OLD_MAX = 40
_CONTROL = "placebo"
_YEAR = 365.25
_SEX = {"male": "M", "m": "M", "female": "F", "f": "F"}


@dataclass(frozen=True)
class ProactSubjects:
    """What is known of each subject id. ``facts`` holds further columns of ADSL by name."""

    subjects: SubjectArms
    died: Mapping[str, str]
    death_day: Mapping[str, float]
    last_contact: Mapping[str, float]
    treated: Mapping[str, float]
    onset: Mapping[str, float]
    facts: tuple[DerivedColumn, ...]


def read_subjects(tables: Mapping[str, RawTable], report: DerivationReport) -> ProactSubjects:
    """Subjects of all files, in the order of their ids."""
    ids = sorted({s for t in tables.values() for s in t.subjects.tolist()}, key=lambda s: (len(s), s))
    arms, treated = _treatment(tables.get("TREATMENT"), report)
    died, death_day = _deaths(tables.get("DEATHDATA"), report)
    without = [s for s in ids if s not in arms]
    what = "{n} subjects have no arm; they are in no analysis set"
    report.found("proact-no-arm", "warning", "ADSL", what, [i for i, s in enumerate(ids, start=1) if s not in arms], without)
    held = np.array(ids, dtype=object)
    onset, facts = _history(tables.get("ALSHISTORY"), held, report)
    facts = (*_demographics(tables.get("DEMOGRAPHICS"), held, report), *facts, _riluzole(tables.get("RILUZOLE"), held, report))
    subjects = SubjectArms(STUDY, held, arms, arms)
    return ProactSubjects(subjects, died, death_day, _last_contact(tables, death_day, report), treated, onset, facts)


def subject_table(who: ProactSubjects, baselines: Mapping[str, Mapping[str, Baseline]], report: DerivationReport) -> Dataset:
    """ADSL: arms, analysis sets, history, baselines and rates. ``baselines`` are by parameter and subject."""
    ids = who.subjects.ids
    arm = [who.subjects.planned.get(s) for s in ids]
    known = np.array([a is not None for a in arm])
    absent = (np.nan, np.nan)
    base = {code: np.array([by.get(s, absent)[0] for s in ids]) for code, by in baselines.items()}
    duration = np.array([-who.onset.get(s, np.nan) for s in ids])

    def rate(most: float, code: str) -> Floats:
        found = [baselines.get(code, {}).get(s, absent) for s in ids]
        values, since = np.array([v for v, _ in found]), duration + np.array([day for _, day in found])
        return (most - values) / np.where(since >= SHORTEST_ONSET, since / MONTH, np.nan)

    rates = [
        number("PROGRATE", "(48 - Baseline ALSFRS-R) / Months since Onset", rate(MAX_TOTAL, "ALSFRSR")),
        number("PROGRT40", "(40 - Baseline ALSFRS) / Months since Onset", rate(_OLD_MAX, "ALSFRS")),
    ]
    flag = np.where(known, "Y", "N")
    report.step("ADSL", "subjects: everybody any file names; arms from Study_Arm (planned and actual are not told apart)")
    report.step("ADSL", "FASFL, SAFFL: an arm is known")
    report.step("ADSL", "ALSHISTORY: first value per column; onset and diagnosis in months before trial entry")
    report.step(
        "ADSL",
        f"PROGRATE: (48 - baseline total) / months from onset to the baseline record; missing below {SHORTEST_ONSET} days",
    )
    columns: list[DerivedColumn] = [
        *who.subjects.head(ids),
        number("TRT01PN", "Planned Treatment for Period 01 (N)", [np.nan if a is None else float(_active(a)) for a in arm]),
        text("SUBJID", "Subject Identifier for the Study", ids),
        *who.facts,
        number("DURDIS", "Months from Onset to Trial Entry", duration / MONTH),
        *rates,
        *(
            number(column, label, base[code])
            for column, label, code in (
                ("BLALSFR", "Baseline ALSFRS-R Total", "ALSFRSR"),
                ("BLALSFRS", "Baseline ALSFRS Total (10 items)", "ALSFRS"),
                ("BLFVC", "Baseline FVC (% predicted)", "FVCPP"),
                ("BLSVC", "Baseline SVC (% predicted)", "SVCPP"),
            )
            if code in base
        ),
        number("TRTDELAY", "Start of Treatment, Days from Trial Entry", [who.treated.get(s, np.nan) for s in ids]),
        text("FASFL", "Full Analysis Set Population Flag", flag),
        text("SAFFL", "Safety Population Flag", flag),
        text("DTHFL", "Subject Death Flag", [who.died.get(s) for s in ids]),
        number("DTHDY", "Day of Death from Trial Entry", [who.death_day.get(s, np.nan) for s in ids]),
        number("LSTDY", "Last Day on Record from Trial Entry", [who.last_contact.get(s, np.nan) for s in ids]),
    ]
    return build("ADSL", "Subject-Level Analysis Dataset", columns, report.remarks("ADSL"))


def _active(arm: str) -> bool:
    return arm.lower() != _CONTROL


def _treatment(raw: RawTable | None, report: DerivationReport) -> tuple[dict[str, str], dict[str, float]]:
    """Arm and day of the start of treatment by subject."""
    if raw is None:
        return {}, {}
    raw = one_per_subject(raw, ["studyarm"], report)
    start = raw.numbers(report, "treatmentgroupdelta")
    arms = {s: a for s, a in zip(raw.subjects.tolist(), raw.texts("studyarm", "arm").tolist(), strict=True) if a is not None}
    arms = {s: a.capitalize() if a.lower() in ("active", _CONTROL) else a for s, a in arms.items()}
    return arms, {s: d for s, d in zip(raw.subjects.tolist(), start.tolist(), strict=True) if d == d}


def _deaths(raw: RawTable | None, report: DerivationReport) -> tuple[dict[str, str], dict[str, float]]:
    """Whether each subject died, as far as told, and on which day, as far as known."""
    if raw is None:
        return {}, {}
    raw = one_per_subject(raw, ["subjectdied", "deathdays"], report)
    day = raw.numbers(report, "deathdays")
    said = np.array([(v or "").lower() for v in raw.texts("subjectdied")], dtype=object)
    yes = (said == "yes") | (said == "y")
    no = ((said == "no") | (said == "n")) & np.isnan(day)
    against = np.isfinite(day) & ~yes
    what = "{n} subjects have a day of death but are not said to have died; the day counts"
    report.found("proact-death", "warning", raw.source, what, raw.rows[against], raw.subjects[against])
    unknown = yes & np.isnan(day)
    what = "{n} subjects died on an unknown day; they are censored at their last contact"
    report.found("proact-death-day", "warning", raw.source, what, raw.rows[unknown], raw.subjects[unknown])
    dead = yes | np.isfinite(day)
    ids = raw.subjects.tolist()
    died = {s: "Y" if d else "N" for s, d, n in zip(ids, dead, no, strict=True) if d or n}
    return died, {s: float(d) for s, d in zip(ids, day, strict=True) if d == d}


def _history(raw: RawTable | None, ids: Values, report: DerivationReport) -> tuple[dict[str, float], tuple[DerivedColumn, ...]]:
    if raw is None:
        return {}, (text("ONSETSIT", "Site of Onset", [None] * len(ids)),)
    site = first_known(raw, raw.texts("siteofonset"))
    onset = {s: float(str(v)) for s, v in first_known(raw, raw.numbers(report, "onsetdelta")).items()}
    diagnosis = {s: float(str(v)) for s, v in first_known(raw, raw.numbers(report, "diagnosisdelta")).items()}
    return onset, (
        text("ONSETSIT", "Site of Onset", [_site(site.get(s)) for s in ids]),
        number("DIAGDUR", "Months from Diagnosis to Trial Entry", [-diagnosis.get(s, np.nan) / MONTH for s in ids]),
    )


def _site(said: object) -> str | None:
    """``Onset: Limb and Bulbar`` as LIMB AND BULBAR."""
    if said is None:
        return None
    return str(said).rpartition(":")[2].strip().upper() or None


def _demographics(raw: RawTable | None, ids: Values, report: DerivationReport) -> tuple[DerivedColumn, ...]:
    """Age (from a negative date of birth where there is no age), sex and race."""
    if raw is None:
        return ()
    races = [n for n in raw.matching(r"race.+") if n != "raceothersspecify"]
    raw = one_per_subject(raw, ["age", "dateofbirth", "sex", *races], report)
    age, born = raw.numbers(report, "age"), raw.numbers(report, "dateofbirth")
    from_birth = np.isnan(age) & (born < 0)
    age = np.where(from_birth, np.floor(-born / _YEAR), age)
    report.step("ADSL", "AGE: as given, else from Date_of_Birth (days before trial entry)")
    sex = [_SEX.get((v or "").lower()) for v in raw.texts("sex")]
    race = _races(raw, races)
    held = {s: i for i, s in enumerate(raw.subjects.tolist())}
    row = np.array([held.get(s, -1) for s in ids], dtype=np.int64)
    return (
        number("AGE", "Age", np.append(age, np.nan)[row]),
        text("SEX", "Sex", [[*sex, None][i] for i in row]),
        text("RACE", "Race", [[*race, None][i] for i in row]),
    )


def _races(raw: RawTable, names: list[str]) -> list[str | None]:
    """The race flagged 1; MULTIPLE where several are."""
    chosen: list[list[str]] = [[] for _ in range(len(raw))]
    for name in names:
        for i, v in enumerate(raw.texts(name)):
            if v in ("1", "1.0", "Y", "Yes"):
                chosen[i].append(name.removeprefix("race").upper())
    return [None if not c else c[0] if len(c) == 1 else "MULTIPLE" for c in chosen]


def _riluzole(raw: RawTable | None, ids: Values, report: DerivationReport) -> DerivedColumn:
    said: dict[str, str] = {}
    if raw is not None:
        raw = one_per_subject(raw, ["subjectusedriluzole"], report)
        for s, v in zip(raw.subjects.tolist(), raw.texts("subjectusedriluzole").tolist(), strict=True):
            if v is not None and v[0].upper() in "YN":
                said[s] = v[0].upper()
    return text("RILUFL", "Riluzole Use Flag", [said.get(s) for s in ids])


def _last_contact(tables: Mapping[str, RawTable], death_day: Mapping[str, float], report: DerivationReport) -> dict[str, float]:
    """The last day any file records for a subject; the day of death itself where it is known."""
    last: dict[str, float] = {}
    for name, raw in tables.items():
        if name in ("ALSHISTORY", "DEMOGRAPHICS", "DEATHDATA"):
            continue
        for column in raw.matching(r".*delta"):
            days: Floats = raw.numbers(report, column)
            for s, d in zip(raw.subjects.tolist(), days.tolist(), strict=True):
                if d == d:
                    last[s] = max(last.get(s, -np.inf), d)
    return last | dict(death_day)
