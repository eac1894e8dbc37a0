"""Deaths, tracheostomies and permanent assisted ventilation of an SDTM trial, and follow-up: ADTTE.

The event is the first of death, tracheostomy, or permanent assisted ventilation: more than 22 hours a day on 10 consecutive
days, from a log of hours, or the event itself where it is recorded as such. Hours, days and whether a tracheostomy counts
are settings. Nobody without an event is followed beyond the last date on record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.columns import Values, build, date, number, text
from alsbench.data.derive.qc import Report
from alsbench.data.derive.sdtm_domains import FINDINGS, Domain
from alsbench.data.derive.sdtm_subjects import NAT, Days, Trial, study_day
from alsbench.data.derive.ventilation import first_permanent_ventilation
from alsbench.study.model import Derive

_CONTACTS = (
    ("DS", ("DSSTDTC",)),
    ("EX", ("EXSTDTC", "EXENDTC")),
    ("AE", ("AESTDTC", "AEENDTC")),
    ("SV", ("SVSTDTC", "SVENDTC")),
    *((d, (f"{d}DTC",)) for d in FINDINGS),
)
_DIED = ("DEATH", "DIED", "DEAD")


_NONINVASIVE = ("NON-INVASIVE", "NONINVASIVE", "NON INVASIVE", "(NIV)", "BIPAP")
Found = Mapping[str, Sequence[Domain]]


def deaths(found: Found, report: Report) -> Days:
    """Day of death by subject: DM, else disposition, else a fatal adverse event."""
    died: dict[str, np.datetime64] = {}
    unknown: dict[str, int] = {}
    for subject, dead, when in _death_sources(found):
        for i, (s, yes, d) in enumerate(zip(subject, dead, when, strict=True), start=1):
            if s is not None and yes:
                if np.isnat(d):
                    unknown.setdefault(s, i)
                else:
                    died.setdefault(s, d)
    lost = [s for s in unknown if s not in died]
    what = "{n} subjects died on an unknown day; they are censored at their last contact"
    report.found("sdtm-death-day", "warning", "DM", what, [unknown[s] for s in lost], lost)
    report.step("ADTTE", "death: DTHDTC of DM, else DSSTDTC of a death in DS, else the end of a fatal adverse event")
    return died


def _death_sources(found: Found) -> Iterator[tuple[Values, Sequence[bool], Values]]:
    for dm in found.get("DM", ()):
        when = dm.dates("DTHDTC")
        flagged = np.array([v == "Y" for v in dm.upper("DTHFL")]) | ~np.isnat(when)
        yield dm.subject, flagged.tolist(), when
    for ds in found.get("DS", ()):
        yield ds.subject, [t in _DIED for t in ds.upper("DSDECOD", "DSTERM")], ds.dates("DSSTDTC")
    for ae in found.get("AE", ()):
        fatal = [a == "Y" or o == "FATAL" for a, o in zip(ae.upper("AESDTH"), ae.upper("AEOUT"), strict=True)]
        yield ae.subject, fatal, ae.dates("AEENDTC")


def time_to_event(found: Found, trial: Trial, died: Days, settings: Derive, report: Report) -> Dataset:
    """ADTTE: DTHPAV and DEATH, days from the first dose, which is day 1. Subjects without a first dose have no record."""
    ids = np.array([s for s in trial.subjects.ids if not np.isnat(trial.start.get(s, NAT))], dtype=object)
    starts = trial.starts(ids)
    last = _last_contact(found, died)
    ventilated, opened = _ventilated(found, settings), _tracheostomies(found) if settings.tracheostomy else {}
    report.step(
        "ADTTE",
        f"DTHPAV: first of death, {'tracheostomy, ' if settings.tracheostomy else ''}permanent assisted ventilation "
        f"(recorded as such, or > {settings.ventilation_hours:g} h a day on {settings.ventilation_days} consecutive days"
        f"{'' if settings.ventilation == 'any' else f' of {settings.ventilation} ventilation'}, from the first of them)",
    )
    report.step("ADTTE", "censored at the last date on record in DS, EX, AE, SV and the findings; AVAL = ADT - TRTSDT + 1")
    columns: dict[str, list[Values]] = {}
    for code, title, kinds in (
        ("DTHPAV", "Time to Death, Tracheostomy or Permanent Assisted Ventilation (days)",
         (("DEATH", died), ("TRACHEOSTOMY", opened), ("PERMANENT ASSISTED VENTILATION", ventilated))),
        ("DEATH", "Time to Death (days)", (("DEATH", died),)),
    ):  # fmt: skip
        when = np.array([min((k[s] for _, k in kinds if s in k), default=NAT) for s in ids], dtype="datetime64[D]")
        what = [next((n for n, k in kinds if s in k and k[s] == d), "LAST CONTACT") for s, d in zip(ids, when, strict=True)]
        censored = np.isnat(when)
        end = np.where(censored, np.array([last.get(s, NAT) for s in ids], dtype="datetime64[D]"), when)
        end = np.where(np.isnat(end) | (end < starts), starts, end)
        for name, values in (
            ("id", ids), ("code", np.full(ids.size, code, object)), ("title", np.full(ids.size, title, object)),
            ("day", study_day(end, starts)), ("censored", censored.astype(float)), ("what", np.array(what, object)),
            ("start", starts), ("end", end),
        ):  # fmt: skip
            columns.setdefault(name, []).append(values)
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return build(
        "ADTTE",
        "Time to Event",
        (
            *trial.subjects.head(joined["id"]),
            text("PARAMCD", "Parameter Code", joined["code"]),
            text("PARAM", "Parameter", joined["title"]),
            number("AVAL", "Analysis Value", joined["day"]),
            number("CNSR", "Censor", joined["censored"]),
            text("EVNTDESC", "Event or Censoring Description", joined["what"]),
            date("STARTDT", "Time to Event Origin Date for Subject", joined["start"]),
            date("ADT", "Analysis Date", joined["end"]),
        ),
        report.remarks("ADTTE"),
    )


def _last_contact(found: Found, died: Days) -> Days:
    last: dict[str, np.datetime64] = {}
    for code, columns in _CONTACTS:
        for domain in found.get(code, ()):
            for column in columns:
                for s, d in zip(domain.subject, domain.dates(column), strict=True):
                    if s is not None and not np.isnat(d) and (s not in died or d <= died[s]):
                        last[s] = max(last.get(s, d), d)
    return last


def _recorded(found: Found, words: str) -> dict[str, np.datetime64]:
    """First date of an event or procedure that begins with these words, in CE, PR or DS."""
    held: dict[str, np.datetime64] = {}
    for code, coded, term in (("CE", "CEDECOD", "CETERM"), ("PR", "PRDECOD", "PRTRT"), ("DS", "DSDECOD", "DSTERM")):
        for domain in found.get(code, ()):
            said = zip(domain.subject, domain.upper(coded), domain.upper(term), domain.dates(f"{code}STDTC"), strict=True)
            for s, a, b, d in said:
                if s is not None and not np.isnat(d) and (a.startswith(words) or b.startswith(words)):
                    held[s] = min(held.get(s, d), d)
    return held


def _tracheostomies(found: Found) -> Days:
    return _recorded(found, "TRACHEOSTOMY")


def _hours_that_count(test: str, settings: Derive) -> bool:
    """Whether a test logs hours of ventilation, of the kind that counts."""
    if "HOUR" not in test or "VENTILAT" not in test:
        return False
    without = any(word in test for word in _NONINVASIVE)
    return settings.ventilation == "any" or without == (settings.ventilation == "non-invasive")


def _ventilated(found: Found, settings: Derive) -> Days:
    """Recorded as permanent assisted ventilation, or the first day of a long enough run in a log of hours."""
    held = _recorded(found, "PERMANENT ASSISTED VENTILATION") | {}
    for domain in (d for code in FINDINGS for d in found.get(code, ())):
        tests = domain.upper(f"{domain.code}TEST")
        logged = np.array([_hours_that_count(t, settings) for t in tests])
        if not logged.any():
            continue
        hours = domain.numbers(f"{domain.code}STRESN")
        hours = np.where(np.isnan(hours), domain.numbers(f"{domain.code}ORRES"), hours)
        dates = domain.dates(f"{domain.code}DTC")
        logged &= ~np.isnat(dates)
        for s in dict.fromkeys(domain.subject[logged].tolist()):
            mine = logged & (domain.subject == s)
            day = dates[mine].astype(np.int64).astype(np.float64)
            first = first_permanent_ventilation(
                day, hours[mine], over=settings.ventilation_hours, days=settings.ventilation_days
            )
            if first == first:
                d = np.datetime64(int(first), "D")
                held[s] = min(held.get(s, d), d)
    return held
