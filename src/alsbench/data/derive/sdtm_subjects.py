"""Subjects of an SDTM trial: arms, first dose, disposition, history and what SUPPDM and SC say; ADSL.

First dose: the earliest EXSTDTC, else RFXSTDTC, else RFSTDTC; it is day 1. Where a partial EXSTDTC may be earlier, RFXSTDTC and
RFSTDTC go before it if they lie in it or before. Analysis sets are those of SUPPDM (FULLSET, ITT,
PPROT, SAFETY) where it has them; else FASFL is a planned arm and a first dose, SAFFL a dose.

A record of EX without an end is open where the others have ends or a frequency says that it goes on; where none has an end each
is a single administration. An open last dose lasts to RFXENDTC, else to the end of treatment or of the study in DS, else to the
last contact (:func:`alsbench.data.derive.sdtm_events.treatment_ends`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.sdtm_domains import Domain, as_days, partial
from alsbench.data.derive.tables import DerivedColumn, Floats, SubjectArms, Values, as_numbers, build, date, number, text
from alsbench.errors import DataError
from alsbench.study.als import MAX_TOTAL
from alsbench.study.model import DAYS_PER_UNIT

NAT = np.datetime64("NaT", "D")
ONCE = frozenset({"", "ONCE", "SINGLE", "1 TIME"})
MONTH = DAYS_PER_UNIT["month"]
SHORTEST_ONSET = 30
_NO_ARM = re.compile(r"screen\s*fail|not\s*(assigned|treated)|unplanned", re.IGNORECASE)
_SETS = {"FULLSET": "FASFL", "ITT": "ITTFL", "PPROT": "PPROTFL", "SAFETY": "SAFFL"}
_ONSET = ("ONSETDTC", "ONSETDT", "SYMONDTC", "ALSONDTC")
_LABELS = {
    "FASFL": "Full Analysis Set Population Flag",
    "PPROTFL": "Per-Protocol Population Flag",
    "SAFFL": "Safety Population Flag",
    "ITTFL": "Intent-To-Treat Population Flag",
}
Days = Mapping[str, np.datetime64]


@dataclass
class Doses:
    """By subject: the first whole start; the first and last possible day of a partial start; the last day known of any dose;
    the last day that the last dose may have reached where its end is partial; whose last dose has no end."""

    dosed: set[str] = field(default_factory=set)
    first: dict[str, np.datetime64] = field(default_factory=dict)
    maybe_first: dict[str, tuple[np.datetime64, np.datetime64]] = field(default_factory=dict)
    last: dict[str, np.datetime64] = field(default_factory=dict)
    at_most: dict[str, np.datetime64] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)


def read_doses(domains: Sequence[Domain]) -> Doses:
    """The doses given (EXOCCUR is not N) of EX."""
    doses = Doses()
    latest: dict[str, np.datetime64] = {}
    for ex in domains:
        (begin, begin_last), (end, end_last) = ex.bounds("EXSTDTC"), ex.bounds("EXENDTC")
        vague, vague_end = partial(begin, begin_last), partial(end, end_last)
        lasting = np.isnat(end) & (~np.isnat(end).all() | np.array([f not in ONCE for f in ex.upper("EXDOSFRQ")]))
        once = np.array([f in ONCE - {""} for f in ex.upper("EXDOSFRQ")])
        given = [v != "N" for v in ex.upper("EXOCCUR")]
        for i, s in enumerate(ex.subject.tolist()):
            if s is None or not given[i]:
                continue
            doses.dosed.add(s)
            if not np.isnat(begin[i]):
                if vague[i]:
                    before = doses.maybe_first.get(s, (begin[i], begin_last[i]))
                    doses.maybe_first[s] = min(before, (begin[i], begin_last[i]))
                else:
                    doses.first[s] = min(doses.first.get(s, begin[i]), begin[i])
            known = [d for d in (begin[i], end[i]) if not np.isnat(d)]
            if not known:
                continue
            doses.last[s] = max(doses.last.get(s, known[0]), *known)
            if s not in latest or begin[i] >= latest[s]:  # the dose that began last; of two on one day the later record
                latest[s] = begin[i] if not np.isnat(begin[i]) else latest.get(s, known[0])
                (doses.open.add if lasting[i] and not once[i] else doses.open.discard)(s)
                doses.at_most.pop(s, None)
                if vague_end[i]:
                    doses.at_most[s] = end_last[i]
    return doses


@dataclass(frozen=True)
class SdtmTrial:
    """The subjects of DM in order, and their dates by id (missing ids have none)."""

    subjects: SubjectArms
    demographics: Domain
    start: Days  # first dose
    end: Days  # last dose
    dosed: frozenset[str]
    extra: Mapping[str, Mapping[str, str]]  # SUPPDM and SC: values by name and subject
    doses: Doses

    def starts(self, subject: Values) -> Values:
        """Day 1 of the subjects of records (rows,), NaT where unknown."""
        return np.array([self.start.get(s, NAT) for s in subject], dtype="datetime64[D]")


def study_day(dates: Values, starts: Values) -> Floats:
    """Days from the first dose, which is day 1; there is no day 0."""
    known = ~(np.isnat(dates) | np.isnat(starts))
    delta = np.where(known, (dates - starts).astype(np.float64), np.nan)
    return np.where(delta >= 0, delta + 1, delta)


def read_trial(found: Mapping[str, Sequence[Domain]], report: DerivationReport) -> SdtmTrial:
    """Arms and doses. Raises DataError where DM is missing, split, or names a subject twice."""
    demographics = found.get("DM", ())
    if len(demographics) != 1:
        raise DataError(f"SDTM data need one DM, {len(demographics)} are here", hint="load the demographics domain dm")
    dm = demographics[0]
    ids = dm.subject
    known = [s for s in ids if s is not None]
    if len(set(known)) != len(ids):
        raise DataError("DM has rows without a subject, or a subject twice", where=dm.source)
    planned = _arms(ids, dm.texts("ARM"))
    actual = {**planned, **_arms(ids, dm.texts("ACTARM", "ARM"))}
    doses = read_doses(found.get("EX", ()))
    dosed = frozenset(doses.dosed)
    start = {s: doses.first.get(s, NAT) for s in known}
    vague = {s for s, (early, _) in doses.maybe_first.items() if s in start and not early >= start[s]}
    for column in ("RFXSTDTC", "RFSTDTC"):
        for s, said in zip(known, dm.dates(column), strict=True):
            if np.isnat(start[s]) or (s in vague and said < start[s] and said <= doses.maybe_first[s][1]):
                start[s] = said
    what = (
        "{n} subjects have a dose with a partial date that may be their first: RFXSTDTC or RFSTDTC counts, else the first dated"
    )
    rows = [i for i, s in enumerate(known, start=1) if s in vague]
    report.found("sdtm-dose-date", "warning", dm.source, what, rows, [s for s in known if s in vague])
    end = {s: doses.last.get(s, said) for s, said in zip(known, dm.dates("RFXENDTC"), strict=True)}
    if not found.get("EX"):
        dosed = frozenset(s for s, d in zip(known, dm.dates("RFXSTDTC"), strict=True) if not np.isnat(d))
    without = [s for s in known if np.isnat(start[s])]
    rows = [i for i, s in enumerate(known, start=1) if np.isnat(start[s])]
    what = "{n} subjects have no first dose: their records have no study day"
    report.found("sdtm-no-start", "warning", dm.source, what, rows, without)
    report.step("ADSL", "TRTSDT: earliest EXSTDTC, else RFXSTDTC, else RFSTDTC; TRTEDT: latest EXENDTC, else RFXENDTC")
    report.step("ADSL", "TRT01P: ARM; TRT01A: ACTARM, else ARM; screen failures have none")
    study = next((v for v in dm.texts("STUDYID") if v is not None), "STUDY")
    return SdtmTrial(SubjectArms(study, ids, planned, actual), dm, start, end, dosed, _qualifiers(found), doses)


def _arms(ids: Values, said: Values) -> dict[str, str]:
    return {s: a for s, a in zip(ids, said, strict=True) if a is not None and not _NO_ARM.search(a)}


def _qualifiers(found: Mapping[str, Sequence[Domain]]) -> dict[str, dict[str, str]]:
    """What SUPPDM and SC add to subjects, by name."""
    held: dict[str, dict[str, str]] = {}
    for code, name, value in (("SUPPDM", "QNAM", "QVAL"), ("SC", "SCTESTCD", "SCSTRESC")):
        for domain in found.get(code, ()):
            values = domain.texts(value, "SCORRES")
            for s, n, v in zip(domain.subject, domain.upper(name), values, strict=True):
                if s is not None and n and v is not None:
                    held.setdefault(_SETS.get(n, n), {}).setdefault(s, v)
    return held


@dataclass(frozen=True)
class Baselines:
    """Baselines by parameter and subject, and the slope of the total before the first dose, for ADSL."""

    baselines: Mapping[str, Mapping[str, float]]
    baseline_day: Mapping[str, float]
    lead_in: Mapping[str, float]


def subject_table(
    trial: SdtmTrial, found: Mapping[str, Sequence[Domain]], measured: Baselines, died: Days, report: DerivationReport
) -> Dataset:
    """ADSL. What SUPPDM or SC deliver is used as it is; rates are derived only where they do not."""
    dm, ids = trial.demographics, trial.subjects.ids
    starts = trial.starts(ids)
    columns: dict[str, DerivedColumn] = {}

    def add(column: DerivedColumn) -> None:
        columns.setdefault(column.name, column)

    for column in (*trial.subjects.head(ids), *_carried(dm), *_delivered(trial)):
        add(column)
    if trial.extra:
        report.step("ADSL", f"from SUPPDM and SC as delivered: {', '.join(sorted(trial.extra))}")
    if found.get("CM"):
        add(text("RILUFL", "Riluzole Use at Baseline Flag", _riluzole(found["CM"], trial)))
        report.step("ADSL", "RILUFL where not delivered: riluzole in CM begun on or before the first dose")
    onset = _onset(trial, found)
    duration = (starts - onset).astype("timedelta64[D]").astype(np.float64)
    duration = np.where(np.isnat(starts) | np.isnat(onset), np.nan, duration)
    base = np.array([measured.baselines.get("ALSFRSR", {}).get(s, np.nan) for s in ids])
    lead = np.array([measured.lead_in.get(s, np.nan) for s in ids])
    at = np.array([measured.baseline_day.get(s, np.nan) for s in ids])
    since = duration + np.where(at > 0, at - 1, at)  # onset to the baseline record
    months = np.where(since >= SHORTEST_ONSET, since / MONTH, np.nan)
    for name, label, values, how in (
        ("DURDIS", "Disease Duration at First Dose (Months)", duration / MONTH,
         "months of 30.4375 days from onset to first dose"),
        ("PROGRATE", "(48 - Baseline ALSFRS-R) / Months since Onset", (MAX_TOTAL - base) / months, "(48 - baseline total) / "
         f"months from onset to baseline; missing below {SHORTEST_ONSET} days"),
        ("LEADRATE", "ALSFRS-R Lead-in Decline (points/month)", lead,
         "least-squares decline of the total per month up to baseline"),
    ):  # fmt: skip
        if np.isfinite(values).any():
            if name not in columns:
                report.step("ADSL", f"{name}: {how}")
            add(number(name, label, values))
    for name, label, code in (
        ("BLALSFR", "Baseline ALSFRS-R Total", "ALSFRSR"),
        ("BLSVC", "Baseline SVC (% predicted)", "SVCPP"),
        ("BLNFL", "Baseline NfL", "NFL"),
    ):
        if code in measured.baselines:
            add(number(name, label, [measured.baselines[code].get(s, np.nan) for s in ids]))
    arms = np.array([s in trial.subjects.planned for s in ids])
    dosed = np.array([s in trial.dosed for s in ids])
    add(date("TRTSDT", "Date of First Exposure to Treatment", np.where(dosed, starts, NAT)))
    add(date("TRTEDT", "Date of Last Exposure to Treatment", [trial.end.get(s, NAT) for s in ids]))
    for name, flags, how in (("FASFL", arms & dosed, "a planned arm and a first dose"), ("SAFFL", dosed, "a dose")):
        if name not in columns:
            report.step("ADSL", f"{name}: {how}")
        add(text(name, _LABELS[name], np.where(flags, "Y", "N")))
    add(text("DTHFL", "Subject Death Flag", [("Y" if s in died else None) for s in ids]))
    add(date("DTHDT", "Date of Death", [died.get(s, NAT) for s in ids]))
    for column in _disposition(found.get("DS", ()), ids):
        add(column)
    return build("ADSL", "Subject-Level Analysis Dataset", list(columns.values()), report.remarks("ADSL"))


def _carried(dm: Domain) -> list[DerivedColumn]:
    """Columns of DM that ADSL has under the same name."""
    texts = (("SUBJID", "Subject Identifier for the Study"), ("SITEID", "Study Site Identifier"), ("AGEU", "Age Units"),
             ("SEX", "Sex"), ("RACE", "Race"), ("ETHNIC", "Ethnicity"), ("COUNTRY", "Country"),
             ("ARM", "Description of Planned Arm"))  # fmt: skip
    made = [text(n, label, dm.texts(n)) for n, label in texts if n in dm]
    return [*made, number("AGE", "Age", dm.numbers("AGE"))] if "AGE" in dm else made


def _delivered(trial: SdtmTrial) -> list[DerivedColumn]:
    """What SUPPDM and SC say, each a column: numbers where all values are, days where the name ends in DTC or DT."""
    made = []
    for name, by in trial.extra.items():
        held = np.array([by.get(s) for s in trial.subjects.ids], dtype=object)
        label = _LABELS.get(name, f"{name} as delivered")
        numbers, lost = as_numbers(held)
        if name.endswith(("DTC", "DT")):
            made.append(date(name.removesuffix("C"), label, as_days(held)))
        elif lost == 0:
            made.append(number(name, label, numbers))
        else:
            made.append(text(name, label, held))
    return made


def _onset(trial: SdtmTrial, found: Mapping[str, Sequence[Domain]]) -> Values:
    """Date of onset: SUPPDM or SC, else the medical history event that says onset."""
    held: dict[str, np.datetime64] = {}
    for name in _ONSET:
        by = trial.extra.get(name, {})
        days = as_days(np.array(list(by.values()), dtype=object))
        held = {s: d for s, d in zip(by, days, strict=True) if not np.isnat(d)} | held
    for mh in found.get("MH", ()):
        said = zip(mh.upper("MHEVDTYP"), mh.upper("MHTERM"), mh.upper("MHCAT"), strict=True)
        for s, words, d in zip(mh.subject, said, mh.dates("MHSTDTC"), strict=True):
            if s is not None and any("ONSET" in w for w in words) and not np.isnat(d):
                held.setdefault(s, d)
    return np.array([held.get(s, NAT) for s in trial.subjects.ids], dtype="datetime64[D]")


def _riluzole(domains: Sequence[Domain], trial: SdtmTrial) -> list[str]:
    using: set[str] = set()
    for cm in domains:
        earliest, _ = cm.bounds("CMSTDTC")
        for s, a, b, d in zip(cm.subject, cm.upper("CMDECOD"), cm.upper("CMTRT"), earliest, strict=True):
            begun = np.isnat(d) or np.isnat(trial.start.get(s, NAT)) or d <= trial.start[s]
            if s is not None and "RILUZOLE" in a + b and begun:
                using.add(s)
    return ["Y" if s in using else "N" for s in trial.subjects.ids]


def _disposition(domains: Sequence[Domain], ids: Values) -> list[DerivedColumn]:
    """Randomisation date, and end of study: status, date and reason, from DS."""
    randomised: dict[str, np.datetime64] = {}
    ended: dict[str, tuple[np.datetime64, str]] = {}
    for ds in domains:
        columns = zip(
            ds.subject, ds.upper("DSDECOD", "DSTERM"), ds.upper("DSCAT"), ds.upper("DSSCAT"), ds.dates("DSSTDTC"), strict=True
        )
        for s, term, category, part, d in columns:
            if s is None:
                continue
            if "RANDOMIZ" in term or "RANDOMIS" in term:
                randomised.setdefault(s, d)
            elif "DISPOSITION" in category and "TREATMENT" not in part:
                ended[s] = (d, term)
    reasons = [ended[s][1] if s in ended else None for s in ids]
    status = [None if r is None else "COMPLETED" if r == "COMPLETED" else "DISCONTINUED" for r in reasons]
    return [
        date("RANDDT", "Date of Randomization", [randomised.get(s, NAT) for s in ids]),
        text("EOSSTT", "End of Study Status", status),
        text("DCSREAS", "Reason for Discontinuation from Study", [None if r == "COMPLETED" else r for r in reasons]),
        date("EOSDT", "End of Study Date", [ended[s][0] if s in ended else NAT for s in ids]),
    ]
