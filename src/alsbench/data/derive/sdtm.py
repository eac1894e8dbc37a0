"""An SDTM trial without analysis data: ADSL, ADQS, ADRE, ADLB, ADTTE, ADAE and ADEX from its domains (METHODS 2).

DM and EX give subjects and first doses; QS, RS and FT questionnaires, RE breathing tests, LB laboratory values; DM, DS, AE,
CE and PR the events. Baseline is the last value on or before the day of the first dose. Every derivation is listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.sdtm_domains import FINDINGS, Domain, domains, visit_number, visit_unit
from alsbench.data.derive.sdtm_events import deaths, time_to_event, treatment_ends
from alsbench.data.derive.sdtm_records import TOTAL, als_blocks, als_records, blocks_of, read_rows
from alsbench.data.derive.sdtm_subjects import Baselines, SdtmTrial, read_trial, study_day, subject_table
from alsbench.data.derive.tables import DerivedColumn, ParameterRecords, bds, build, date, flag, number, text
from alsbench.data.derive.windows import which_record
from alsbench.data.receipt import RuleFinding
from alsbench.errors import DataError
from alsbench.study.model import DAYS_PER_UNIT, Derive, VisitUnit

_TABLES = {"QS": "ADQS", "RS": "ADQS", "FT": "ADQS", "RE": "ADRE", "LB": "ADLB"}
_TITLES = {"ADQS": "Questionnaires and Functional Tests", "ADRE": "Respiratory Analysis", "ADLB": "Laboratory Analysis"}
_AE_TEXTS = ("AESPID", "AETERM", "AELLT", "AEDECOD", "AEBODSYS", "AESOC", "AESER", "AESEV", "AETOXGR", "AEREL", "AEACN",
             "AEOUT", "AESDTH", "AESHOSP", "AESLIFE", "AESTDTC", "AEENDTC")  # fmt: skip
_EX_TEXTS = ("EXTRT", "EXDOSU", "EXDOSFRM", "EXROUTE", "VISIT")


def derive_sdtm(datasets: Sequence[Dataset], report: DerivationReport, settings: Derive) -> list[Dataset]:
    """The analysis tables. Raises DataError where there is no usable DM or no measurement."""
    found = domains(datasets)
    if not any(found.get(d) for d in FINDINGS):
        raise DataError("the SDTM data hold no measurements", hint=f"expected one of {', '.join(FINDINGS)}")
    trial = read_trial(found, report)
    unit = visit_unit([v for d in FINDINGS for x in found.get(d, ()) for v in dict.fromkeys(x.texts("VISIT").tolist())])
    tables: dict[str, list[ParameterRecords]] = {}
    for code in FINDINGS:
        for domain in found.get(code, ()):
            tables.setdefault(_TABLES[code], []).extend(_blocks(domain, trial, unit, settings, report))
    made = []
    for name, blocks in tables.items():
        if not blocks:
            continue
        _steps(name, unit, settings, report)
        made.append(bds(name, _TITLES[name], blocks, None, trial.subjects, remarks=report.remarks(name)))
    _name_absent_drops(found, unit, settings, report)
    died = deaths(found, report)
    trial = replace(trial, end=treatment_ends(trial, found, died, report))
    adsl = subject_table(trial, found, _measured(tables, settings), died, report)
    made = [adsl, *made, time_to_event(found, trial, died, settings, report)]
    made += [_adae(trial, d, report) for d in found.get("AE", ())[:1]]
    return [*made, *(_adex(trial, d, report) for d in found.get("EX", ())[:1])]


def _name_absent_drops(
    found: Mapping[str, Sequence[Domain]], unit: VisitUnit, settings: Derive, report: DerivationReport
) -> None:
    """A visit to be dropped that no record names is a slip of the pen, or of the data."""
    labels = {v for d in FINDINGS for x in found.get(d, ()) for v in x.upper("VISIT") if v}
    told = {label: visit_number(label) for label in labels}
    numbers = {f"{n[0]:g}" for n in told.values() if n is not None and n[1] == unit}
    for visit in settings.drop_visits:
        if visit.strip().upper() not in labels | numbers:
            report.findings.append(
                RuleFinding("derive-visit", "warning", "study.toml", f"derive.drop_visits has {visit!r}, a visit of no record")
            )


def _blocks(
    domain: Domain, trial: SdtmTrial, unit: VisitUnit, settings: Derive, report: DerivationReport
) -> list[ParameterRecords]:
    rows = read_rows(domain, trial, report)
    if not len(rows):
        return []
    mine, codes = als_records(rows)
    blocks: list[ParameterRecords] = []
    if mine.any():
        chosen = [c for c in codes if c]
        blocks += als_blocks(domain.source, rows.take(mine), chosen, unit, settings, report)
        report.step("ADQS", "ALSFRSR: sum of the twelve items of one day; missing with one, as delivered without any")
    return [*blocks, *blocks_of(domain.source, rows.take(~mine), unit, settings, report, best=domain.code == "RE")]


def _steps(table: str, unit: VisitUnit, settings: Derive, report: DerivationReport) -> None:
    report.step(table, "AVAL: --STRESN, else --ORRES; CHG = AVAL - BASE; ADY from --DTC and TRTSDT, day 1 the first dose")
    low, high = settings.baseline_days
    last = "the last value on or before the day of the first dose"
    baseline = {
        "last": last,
        "closest": f"the value closest to the first dose, from {low:g} to {high:g} days from it",
    }.get(settings.baseline or "", f"--LOBXFL or --BLFL where delivered, else {last}")
    report.step(table, f"ABLFL, BASE: {baseline}")
    report.step(
        table,
        f"AVISITN in {unit}s: windows at midpoints between the target days of the visits planned for the test "
        f"(VISITDY, else the visit's name; VISITNUM is no time); {which_record(settings)}",
    )
    if settings.drop_visits:
        report.step(table, f"left out of the schedule by the study: {', '.join(settings.drop_visits)}")
    report.given_windows(table, settings.windows)
    if table == "ADLB":
        report.step(table, "below the limit of quantification: half of --LLOQ (or of the number after <), DTYPE HALFLLOQ")
    if table == "ADRE":
        report.step(table, "of several values of a test on one day the highest")


def _measured(tables: Mapping[str, Sequence[ParameterRecords]], settings: Derive) -> Baselines:
    baselines: dict[str, dict[str, float]] = {}
    day: dict[str, float] = {}
    lead: dict[str, float] = {}
    for block in (b for blocks in tables.values() for b in blocks):
        at = block.placed.baseline
        baselines[block.code] = dict(zip(block.subject[at].tolist(), block.value[at].tolist(), strict=True))
        if block.code == TOTAL:
            day = dict(zip(block.subject[at].tolist(), block.day[at].tolist(), strict=True))
            lead = _lead_in(block, settings.lead_in_days)
    return Baselines(baselines, day, lead)


def _lead_in(block: ParameterRecords, shortest: float) -> dict[str, float]:
    """Decline per month by least squares over the values up to baseline; positive for decline. None over fewer days."""
    rates: dict[str, float] = {}
    known = np.isfinite(block.value) & (block.day <= 1)
    for subject in dict.fromkeys(block.subject[known].tolist()):
        mine = known & (block.subject == subject)
        day = block.day[mine]
        month = (day - (day > 0)) / DAYS_PER_UNIT["month"]
        if np.ptp(day) >= shortest:
            centred = month - month.mean()
            rates[subject] = -float(np.sum(centred * block.value[mine]) / np.sum(centred**2))
    return rates


def _dated(trial: SdtmTrial, domain: Domain, code: str) -> list[DerivedColumn]:
    """Start and end of events as dates and study days."""
    begin, end = domain.dates(f"{code}STDTC"), domain.dates(f"{code}ENDTC")
    starts = trial.starts(domain.subject)
    return [
        date("ASTDT", "Analysis Start Date", begin),
        date("AENDT", "Analysis End Date", end),
        number("ASTDY", "Analysis Start Relative Day", study_day(begin, starts)),
        number("AENDY", "Analysis End Relative Day", study_day(end, starts)),
    ]


def _adae(trial: SdtmTrial, ae: Domain, report: DerivationReport) -> Dataset:
    """Adverse events, emergent unless they began, or ended, before the first dose.

    A partial start counts by the days it may mean: the last of them before the first dose is before it.
    """
    timed, starts = _dated(trial, ae, "AE"), trial.starts(ae.subject)
    (begin, begin_last), (_, over) = ae.bounds("AESTDTC"), ae.bounds("AEENDTC")
    told = ae.numbers("AESTDY")
    before = (begin_last < starts) | (np.isnat(begin) & (told < 0))
    before |= ~(begin >= starts) & ~(told > 0) & (over < starts)
    dosed = np.array([s in trial.dosed for s in ae.subject])
    unsure = dosed & ~before & ~(begin >= starts) & ~(np.isnat(begin) & (told > 0))
    how = (
        "start on or after the first dose; a partial start by the days it may mean, and Y where it may be either or is unknown"
    )
    report.step("ADAE", f"TRTEMFL: {how}; an event that ended before the first dose is not; other variables as in AE")
    what = "{n} adverse events may have begun before or after the first dose (start partial or unknown): treatment-emergent"
    report.found("sdtm-ae-start", "note", ae.source, what, np.flatnonzero(unsure) + 1, ae.subject[unsure])
    columns = [
        *trial.subjects.head(ae.subject),
        number("AESEQ", "Sequence Number", ae.numbers("AESEQ")),
        *(text(n, n, ae.texts(n)) for n in _AE_TEXTS if n in ae),
        *timed,
        flag("TRTEMFL", "Treatment Emergent Analysis Flag", dosed & ~before),
    ]
    return build("ADAE", "Adverse Events", columns, report.remarks("ADAE"))


def _adex(trial: SdtmTrial, ex: Domain, report: DerivationReport) -> Dataset:
    report.step("ADEX", "doses as in EX, with dates and study days")
    columns = [
        *trial.subjects.head(ex.subject),
        *(text(n, n, ex.texts(n)) for n in _EX_TEXTS if n in ex),
        *([number("EXDOSE", "Dose", ex.numbers("EXDOSE"))] if "EXDOSE" in ex else []),
        *_dated(trial, ex, "EX"),
    ]
    return build("ADEX", "Exposure", columns, report.remarks("ADEX"))
