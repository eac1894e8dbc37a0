"""Deaths, tracheostomies and permanent assisted ventilation of an SDTM trial, and follow-up: ADTTE.

The event is the first of death, tracheostomy, or permanent assisted ventilation: more than 22 hours a day on 10 consecutive
days, from a log of hours, or the event itself where it is recorded as such. Hours, days and whether a tracheostomy counts
are settings. Nobody without an event is followed beyond the last date on record. An event with a partial date is taken on the
first day it may have been, not before the subject's last contact where it is a death; contact is counted from the first day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from alsbench.data import codelists
from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.sdtm_domains import FINDINGS, Domain
from alsbench.data.derive.sdtm_subjects import NAT, Days, SdtmTrial, study_day
from alsbench.data.derive.tables import Floats, Values, build, date, number, text
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


def deaths(found: Found, report: DerivationReport) -> Days:
    """Day of death by subject: DM, else disposition, else a fatal adverse event; a whole date before a partial one."""
    died: dict[str, np.datetime64] = {}
    vague: dict[str, tuple[int, np.datetime64, np.datetime64]] = {}
    unknown: dict[str, int] = {}
    for subject, dead, (first, last) in _death_sources(found):
        for i, (s, yes, a, z) in enumerate(zip(subject, dead, first, last, strict=True), start=1):
            if s is not None and yes:
                if np.isnat(a):
                    unknown.setdefault(s, i)
                elif a < z:
                    vague.setdefault(s, (i, a, z))
                else:
                    died.setdefault(s, a)
    vague = {s: v for s, v in vague.items() if s not in died}
    contact = last_contact(found, {s: z for s, (_, _, z) in vague.items()})
    died |= {s: max(a, min(contact.get(s, a), z)) for s, (_, a, z) in vague.items()}
    what = "{n} deaths have a partial date: taken on the first day it may have been, not before the last contact"
    report.found("sdtm-death-day", "warning", "DM", what, [i for i, _, _ in vague.values()], list(vague))
    lost = [s for s in unknown if s not in died]
    what = "{n} subjects died on an unknown day; they are censored at their last contact"
    report.found("sdtm-death-day", "warning", "DM", what, [unknown[s] for s in lost], lost)
    report.step("ADTTE", "death: DTHDTC of DM, else DSSTDTC of a death in DS, else the end of a fatal adverse event")
    return died


def _death_sources(found: Found) -> Iterator[tuple[Values, Sequence[bool], tuple[Values, Values]]]:
    for dm in found.get("DM", ()):
        when = dm.bounds("DTHDTC")
        flagged = np.array([codelists.yes(v) == 1.0 for v in dm.upper("DTHFL")]) | ~np.isnat(when[0])
        yield dm.subject, flagged.tolist(), when
    for ds in found.get("DS", ()):
        yield ds.subject, [t in _DIED for t in ds.upper("DSDECOD", "DSTERM")], ds.bounds("DSSTDTC")
    for ae in found.get("AE", ()):
        said = zip(ae.upper("AESDTH"), ae.upper("AEOUT"), strict=True)
        fatal = [codelists.yes(a) == 1.0 or codelists.fatal_outcome(o) == 1.0 for a, o in said]
        yield ae.subject, fatal, ae.bounds("AEENDTC")


def time_to_event(found: Found, trial: SdtmTrial, died: Days, settings: Derive, report: DerivationReport) -> Dataset:
    """ADTTE: DTHPAV and DEATH, days from the first dose, which is day 1. Subjects without a first dose have no record."""
    ids = np.array([s for s in trial.subjects.ids if not np.isnat(trial.start.get(s, NAT))], dtype=object)
    starts = trial.starts(ids)
    last = last_contact(found, died)
    ventilated, opened = _ventilated(found, settings, report), _tracheostomies(found, report) if settings.tracheostomy else {}
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


def treatment_ends(trial: SdtmTrial, found: Found, died: Days, report: DerivationReport) -> Days:
    """The last day of treatment by subject: the last dose; where it is open or its end partial, as far as it may have gone."""
    contact, stopped = last_contact(found, died), _treatment_stopped(found)
    delivered = dict(zip(trial.demographics.subject, trial.demographics.dates("RFXENDTC"), strict=True))
    ends = dict(trial.end)
    closed: list[str] = []
    for s in trial.subjects.ids.tolist():
        least, most = ends.get(s, NAT), trial.doses.at_most.get(s)
        if np.isnat(least) or (s not in trial.doses.open and most is None):
            continue
        told = (delivered.get(s, NAT), stopped.get(s, NAT), contact.get(s, NAT))
        limit = next((d for d in told if not np.isnat(d) and d >= least), least)
        limit = max(least, min(limit, died.get(s, limit)))
        ends[s] = limit if most is None else min(limit, most)
        closed.append(s)
    rows = [i for i, s in enumerate(trial.subjects.ids.tolist(), start=1) if s in set(closed)]
    what = "{n} subjects have a last dose without an end, or with a partial one: TRTEDT is as far as it may have lasted"
    report.found("sdtm-open-dose", "warning", trial.demographics.source, what, rows, closed)
    if closed:
        how = "RFXENDTC, else the end of treatment or of the study in DS, else the last contact"
        report.step("ADSL", f"TRTEDT of a last dose without a whole end ({len(closed)} subjects): {how}")
    return ends


def _treatment_stopped(found: Found) -> Days:
    """The date of the disposition of treatment, else of the study, in DS."""
    of_treatment: dict[str, np.datetime64] = {}
    of_study: dict[str, np.datetime64] = {}
    for ds in found.get("DS", ()):
        parts = zip(ds.upper("DSCAT"), ds.upper("DSSCAT"), ds.upper("DSDECOD", "DSTERM"), strict=True)
        for s, (category, part, term), d in zip(ds.subject, parts, ds.dates("DSSTDTC"), strict=True):
            if s is not None and not np.isnat(d) and "DISPOSITION" in category:
                (of_treatment if "TREATMENT" in part + term else of_study)[s] = d
    return of_study | of_treatment


def last_contact(found: Found, died: Days) -> Days:
    """The last day on record by subject, none after death."""
    died_on = {s: int(d.astype("datetime64[D]").astype(np.int64)) for s, d in died.items()}
    last: dict[str, int] = {}
    for code, columns in _CONTACTS:
        for domain in found.get(code, ()):
            for column in columns:
                days = domain.bounds(column)[0].astype("datetime64[D]")
                known = ~np.isnat(days)
                for s, d in zip(domain.subject[known].tolist(), days[known].astype(np.int64).tolist(), strict=True):
                    if s is not None and (s not in died_on or d <= died_on[s]):
                        last[s] = max(last.get(s, d), d)
    return {s: np.datetime64(d, "D") for s, d in last.items()}


def _recorded(found: Found, words: str, report: DerivationReport) -> dict[str, np.datetime64]:
    """First date of an event or procedure that begins with these words, in CE, PR or DS; of a partial date the first day."""
    held: dict[str, np.datetime64] = {}
    unsure: dict[str, int] = {}
    for code, coded, term in (("CE", "CEDECOD", "CETERM"), ("PR", "PRDECOD", "PRTRT"), ("DS", "DSDECOD", "DSTERM")):
        for domain in found.get(code, ()):
            first, last = domain.bounds(f"{code}STDTC")
            said = zip(domain.subject, domain.upper(coded), domain.upper(term), first, last, strict=True)
            for i, (s, a, b, d, z) in enumerate(said, start=1):
                if s is not None and (a.startswith(words) or b.startswith(words)):
                    if not np.isnat(d):
                        held[s] = min(held.get(s, d), d)
                    if d != z:
                        unsure[s] = i
    what = f"{{n}} subjects have a {words.lower()} with a partial date (taken on its first day) or none (no event)"
    report.found("sdtm-event-day", "warning", "CE, PR, DS", what, list(unsure.values()), list(unsure))
    return held


def _tracheostomies(found: Found, report: DerivationReport) -> Days:
    return _recorded(found, "TRACHEOSTOMY", report)


def _hours_that_count(test: str, settings: Derive) -> bool:
    """Whether a test logs hours of ventilation, of the kind that counts."""
    if "HOUR" not in test or "VENTILAT" not in test:
        return False
    without = any(word in test for word in _NONINVASIVE)
    return settings.ventilation == "any" or without == (settings.ventilation == "non-invasive")


def _ventilated(found: Found, settings: Derive, report: DerivationReport) -> Days:
    """Recorded as permanent assisted ventilation, or the first day of a long enough run in a log of hours."""
    held = _recorded(found, "PERMANENT ASSISTED VENTILATION", report)
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


def first_permanent_ventilation(day: Floats, hours: Floats, *, over: float = 22, days: int = 10) -> float:
    """The first day of ``days`` consecutive days with more than ``over`` hours each; NaN where there is none.

    ``day`` (n,) whole days in any order, ``hours`` (n,); of two entries for a day the larger counts.
    """
    most: dict[int, float] = {}
    for d, h in zip(day.tolist(), hours.tolist(), strict=True):
        if d == d and h == h:
            most[int(d)] = max(most.get(int(d), 0.0), h)
    start, length, before = np.nan, 0, None
    for d in sorted(d for d, h in most.items() if h > over):
        follows = before is not None and d == before + 1
        start, length = (start, length + 1) if follows else (float(d), 1)
        if length == days:
            return float(start)
        before = d
    return float("nan")
