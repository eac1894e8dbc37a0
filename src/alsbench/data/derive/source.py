"""Analysis data from tables that are no ADaM, by the ``[source]`` table of the study file (METHODS 19; rules of SDTM).

A row a visit, or a row a subject with a column for each visit: the study says which column is what and nothing is guessed here.
Visits are those the data name; one that names no time ("V3") stands at the median time of its dates over subjects, rounded to
the unit. Baseline is visit 0; a total is the sum of its items where they are there; day 1 is the first dose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.source_columns import SourceTable, named_tables
from alsbench.data.derive.tables import (
    DerivedColumn,
    Floats,
    ParameterRecords,
    SubjectArms,
    Values,
    bds,
    build,
    date,
    flag,
    number,
    text,
)
from alsbench.data.derive.windows import AssignedVisits, Grid, closest, target_day
from alsbench.errors import DataError
from alsbench.study.als import ITEM_CODES, MAX_ITEM, MAX_TOTAL
from alsbench.study.local_words import ONSET_WORDS, SEX_WORDS, Words, said_word, visit_time
from alsbench.study.model import DAYS_PER_UNIT, SourceMap, SourceParameter, VisitUnit

TOTAL = "ALSFRSR"
KNOWN = {
    "alsfrs": ("ADQS", TOTAL, "ALSFRS-R Total Score"),
    "fvc": ("ADRE", "FVCPP", "Forced Vital Capacity (% predicted)"),
    "svc": ("ADRE", "SVCPP", "Slow Vital Capacity (% predicted)"),
    "nfl": ("ADLB", "NFL", "Neurofilament Light (NfL)"),
}
ITEM_LIST = tuple(c for c in ITEM_CODES if c != "ALSFR05B")
SHORTEST_ONSET = 30  # days before baseline; a rate over less is missing
_LABELS = {
    "AGE": "Age", "SEX": "Sex", "ONSETSIT": "Site of Onset", "RILUFL": "Riluzole Use Flag",
    "LEADRATE": "Progression Rate before Baseline",
}  # fmt: skip
_TITLES = {"ADQS": "Questionnaires", "ADRE": "Respiratory Analysis", "ADLB": "Laboratory Analysis"}
NAT = np.datetime64("NaT", "D")
Days = Mapping[str, np.datetime64]


@dataclass(frozen=True)
class _Visits:
    """Records (rows,) of the visit table: subject, visit number (NaN: none), label, date and day from the first dose."""

    table: SourceTable
    subject: Values
    number: Floats
    date: Values
    day: Floats


def derive_source(
    datasets: Sequence[Dataset], source: SourceMap, words: Words, unit: VisitUnit, report: DerivationReport
) -> list[Dataset]:
    """ADSL, a table of each kind of outcome, and ADTTE. Raises DataError for a column or table that is not there."""
    tables = named_tables(datasets, source)
    subjects = tables[-1]
    facts = _Facts(tables, source, words, report)
    start = _starts(tables[0], source, unit, facts)
    blocks: dict[str, list[ParameterRecords]] = {}
    latest: dict[str, np.datetime64] = {}
    for name, given in source.parameters.items():
        parameter = given if isinstance(given, SourceParameter) else SourceParameter(total=given)
        for visits, code, title, value in _measured(tables[0], source, name, parameter, unit, start, report):
            dataset = KNOWN.get(name, ("ADQS", "", ""))[0]
            blocks.setdefault(dataset, []).append(_block(visits, code, title, value, unit, report))
            for s, when in zip(visits.subject, visits.date, strict=True):
                if not np.isnat(when) and (s not in latest or when > latest[s]):
                    latest[s] = when
    if not any(np.isfinite(b.value).any() for held in blocks.values() for b in held):
        raise DataError("the columns of source.parameters hold no number", where="study.toml source.parameters")
    made = []
    for dataset, held in blocks.items():
        _steps(dataset, unit, report)
        made.append(bds(dataset, _TITLES[dataset], held, None, facts.arms, remarks=report.remarks(dataset)))
    adsl = _subject_table(facts, start, blocks, report, subjects)
    return [adsl, *made, *_time_to_death(facts, start, latest, source, report)]


class _Facts:
    """What the tables say of each subject: arms and dates, the first value that is there; contradictions are reported."""

    def __init__(self, tables: Sequence[SourceTable], source: SourceMap, words: Words, report: DerivationReport) -> None:
        self.source, self.words, self.report = source, words, report
        self.tables = tables
        ids = dict.fromkeys(s for t in reversed(tables) for s in t.subjects if s is not None)
        arms = {s: str(v) for s, v in self.first(source.arm, SourceTable.texts).items()}
        study = "STUDY"
        self.ids = np.array(list(ids), dtype=object)
        self.arms = SubjectArms(study, self.ids, arms, arms)
        without = [s for s in ids if s not in arms]
        what = "{n} subjects have no arm; they are in no analysis set"
        report.found("source-no-arm", "warning", tables[-1].name, what, list(range(1, len(without) + 1)), without)

    def first(self, column: str, read: Callable[[SourceTable, str], Values]) -> dict[str, object]:
        """By subject the first value of a column, in the table of subjects or of visits."""
        if not column:
            return {}
        table = next((t for t in reversed(self.tables) if column in t), None)
        if table is None:
            raise self.tables[0].absent(column, [n for t in self.tables for n in t.names])
        found: dict[str, object] = {}
        clash: dict[str, int] = {}
        for i, (s, v) in enumerate(zip(table.subjects, read(table, column).tolist(), strict=True), start=1):
            if s is None or v is None or v != v:
                continue
            if found.setdefault(s, v) != v:
                clash.setdefault(s, i)
        what = f"{{n}} subjects have more than one value of {column}: the first counts"
        self.report.found("source-conflict", "warning", table.name, what, list(clash.values()), list(clash))
        return found

    def dates(self, column: str) -> Days:
        found = self.first(column, lambda t, c: t.dates(c, self.source.dates, self.report).astype(object))
        return {s: np.datetime64(str(v), "D") for s, v in found.items()}


def _starts(table: SourceTable, source: SourceMap, unit: VisitUnit, facts: _Facts) -> Days:
    """The day of the first dose: its column, else the date of visit 0, else the first date on record."""
    given = dict(facts.dates(source.first_dose)) if source.first_dose else {}
    if source.date and source.layout == "visits":
        when = table.dates(source.date, source.dates, facts.report)
        told, _ = _told(table, source, unit)
        for only in (told == 0, np.full(len(table), True)):
            earliest: dict[str, np.datetime64] = {}
            for s, d, use in zip(table.subjects, when, only, strict=True):
                if s is not None and use and not np.isnat(d) and (s not in earliest or d < earliest[s]):
                    earliest[s] = d
            given = {**earliest, **given}
    facts.report.step("ADSL", "TRTSDT: the first dose where a column tells, else the date of visit 0, else the first date")
    return given


def _told(table: SourceTable, source: SourceMap, unit: VisitUnit) -> tuple[Floats, Values]:
    """The visit numbers that the visit column itself says (NaN where it says none), and its texts."""
    if not source.visit:
        return np.full(len(table), np.nan), np.full(len(table), None, dtype=object)
    labels = table.texts(source.visit)
    read: dict[str, float] = {}
    for label in dict.fromkeys(v for v in labels if v is not None):
        time = visit_time(label)
        if time is not None and time[1] in ("", unit):
            read[label] = time[0]
        elif table.is_number(source.visit):
            read[label] = float(label)
    return np.array([read.get(v, np.nan) if v is not None else np.nan for v in labels]), labels


def _visits(table: SourceTable, source: SourceMap, unit: VisitUnit, start: Days, report: DerivationReport) -> _Visits:
    told, labels = _told(table, source, unit)
    subject = table.subjects
    when = table.dates(source.date, source.dates, report) if source.date else np.full(len(table), NAT)
    begin = np.array([start.get(s, NAT) for s in subject], dtype="datetime64[D]")
    away = (when - begin).astype("timedelta64[D]").astype(float)
    away[np.isnat(when) | np.isnat(begin)] = np.nan
    per = DAYS_PER_UNIT[unit]
    for label in dict.fromkeys(v for v, n in zip(labels, told, strict=True) if v is not None and np.isnan(n)):
        mine = np.array([v == label for v in labels]) & np.isfinite(away)
        if mine.any():
            told[np.array([v == label for v in labels])] = _whole(float(np.median(away[mine])) / per)
            report.step("ADSL", f"visit {label} names no time: {unit} {told[mine][0]:g} by the median of its dates")
    if not source.visit:
        told = np.where(np.isfinite(away), _whole(away / per), np.nan)
        report.step("ADSL", f"visits by date, rounded to the {unit}")
    lost = np.isnan(told)
    what = "{n} rows stand at no visit: neither the visit nor a date tells when"
    report.found("source-no-visit", "warning", table.name, what, np.flatnonzero(lost) + 1, subject[lost])
    nominal = np.array([target_day(n, unit) if n == n else np.nan for n in told])
    days = np.where(np.isfinite(away), away, nominal)
    return _Visits(table, subject, told, when, np.where(days >= 0, days + 1, days))


def _whole(value: Floats | float) -> Floats:
    return np.floor(np.abs(value) + 0.5) * np.sign(value)


def _measured(
    table: SourceTable,
    source: SourceMap,
    name: str,
    parameter: SourceParameter,
    unit: VisitUnit,
    start: Days,
    report: DerivationReport,
) -> list[tuple[_Visits, str, str, Floats]]:
    """Visits, code, title and values of a parameter's columns."""
    _, code, title = KNOWN.get(name, ("ADQS", name.upper()[:8], name))
    if source.layout == "columns":
        melted, value = _melted(table, parameter.columns, unit, report, code)
        return [(melted, code, title, value)]
    visits = _visits(table, source, unit, start, report)
    delivered = table.numbers(parameter.total, report) if parameter.total else np.full(len(table), np.nan)
    if not parameter.items:
        return [(visits, code, title, delivered)]
    items = np.column_stack([table.numbers(c, report) for c in parameter.items])
    odd = np.isfinite(items) & ((items < 0) | (items > MAX_ITEM) | (items != np.round(items)))
    what = f"{{n}} rows have an item that is none of 0 to {MAX_ITEM}: it is missing"
    report.found(
        "source-item", "warning", table.name, what, np.flatnonzero(odd.any(axis=1)) + 1, visits.subject[odd.any(axis=1)]
    )
    items = np.where(odd, np.nan, items)
    summed = items.sum(axis=1)
    apart = np.isfinite(summed) & np.isfinite(delivered) & (summed != delivered)
    what = "{n} totals are not the sum of their items: the sum counts"
    report.found("source-total", "warning", table.name, what, np.flatnonzero(apart) + 1, visits.subject[apart])
    none = np.isnan(items).all(axis=1)
    total = np.where(none, delivered, summed)
    report.step("ADQS", f"{code}: sum of the twelve items of a visit; missing with one, as delivered without any")
    names = [(c, f"ALSFRS-R Item {i}", items[:, i - 1]) for i, c in enumerate(ITEM_LIST, start=1)]
    return [(visits, c, t, v) for c, t, v in ((code, title, total), *names)]


def _melted(
    table: SourceTable, columns: Mapping[str, str], unit: VisitUnit, report: DerivationReport, code: str
) -> tuple[_Visits, Floats]:
    """A column for each visit as records of visits; dates are not told by such a table."""
    if not columns:
        raise DataError(f"source.parameters.{code.lower()} names no columns", hint='columns = { "0" = "...", "6" = "..." }')
    try:
        numbers = [float(n) for n in columns]
    except ValueError as fault:
        raise DataError("a visit of source.parameters is no number", where="study.toml", why=str(fault)) from fault
    value = np.concatenate([table.numbers(c, report) for c in columns.values()])
    subject = np.tile(table.subjects, len(numbers))
    told = np.repeat(numbers, len(table))
    days = np.array([target_day(n, unit) for n in told], dtype=float)
    return _Visits(table, subject, told, np.full(told.size, NAT), np.where(days >= 0, days + 1, days)), value


def _block(
    visits: _Visits, code: str, title: str, value: Floats, unit: VisitUnit, report: DerivationReport
) -> ParameterRecords:
    """Records at the visits the data name; of several of a subject at a visit the one nearest to its day counts."""
    known = np.array([s is not None for s in visits.subject]) & np.isfinite(visits.number)
    usable = known & np.isfinite(value)
    numbers = tuple(sorted({0.0, *visits.number[usable].tolist()}))
    grid = Grid(
        numbers,
        tuple("Baseline" if n == 0 else f"{unit.capitalize()} {n:g}" for n in numbers),
        tuple(float(target_day(n, unit)) + (n >= 0) for n in numbers),
    )
    window = np.array([numbers.index(n) if n in numbers else -1 for n in visits.number], dtype=np.int64)
    group = np.unique(visits.subject.astype(str), return_inverse=True)[1].astype(np.int64)
    slot = group * len(numbers) + np.maximum(window, 0)
    day = np.nan_to_num(visits.day)
    counts = closest(slot, np.abs(day - np.array(grid.targets)[np.maximum(window, 0)]), day, usable & (window >= 0))
    again = usable & ~counts
    what = f"{{n}} records of {code} stand at a visit with another of the subject: the nearest to the visit's day counts"
    report.found("source-repeated", "warning", visits.table.name, what, np.flatnonzero(again) + 1, visits.subject[again])
    placed = AssignedVisits(np.where(counts, window, -1), counts & (visits.number == 0), counts)
    block = ParameterRecords(code, title, visits.subject, group, day, value, placed, visits.date, grid=grid)
    return block.take(usable)


def _steps(table: str, unit: VisitUnit, report: DerivationReport) -> None:
    report.step(
        table, "ABLFL, BASE: the record of visit 0; CHG = AVAL - BASE; ADY from the date and TRTSDT, day 1 the first dose"
    )
    report.step(table, f"AVISITN in {unit}s: the visit that the data name; without a date ADY is the visit's day")


def _subject_table(
    facts: _Facts,
    start: Days,
    blocks: Mapping[str, Sequence[ParameterRecords]],
    report: DerivationReport,
    subjects: SourceTable,
) -> Dataset:
    source, ids = facts.source, facts.ids
    columns: list[DerivedColumn] = list(facts.arms.head(ids))
    armed = np.array([s in facts.arms.planned for s in ids])
    if source.flags:
        for name, column in source.flags.items():
            said = facts.first(column, SourceTable.texts)
            columns.append(text(name, name, [facts.words.flag(said.get(s)) for s in ids]))
            _unread(facts, column, said, report)
        report.step(
            "ADSL", f"analysis sets: {', '.join(f'{n} from {c}' for n, c in source.flags.items())}, by the words of yes and no"
        )
    else:
        columns += [flag(n, t, armed, no="N") for n, t in (("FASFL", "Full Analysis Set Flag"), ("SAFFL", "Safety Flag"))]
        report.step("ADSL", "FASFL, SAFFL: an arm is known, for the data have no flag")
    for name, column in source.baseline.items():
        columns.append(_baseline_column(facts, name, column, report))
    if start:
        columns.append(date("TRTSDT", "Date of First Exposure", [start.get(s, NAT) for s in ids]))
    death = facts.dates(source.death)
    if source.death:
        columns += [
            date("DTHDT", "Date of Death", [death.get(s, NAT) for s in ids]),
            flag("DTHFL", "Death Flag", np.array([s in death for s in ids])),
        ]
    taken = {c.name for c in columns}
    names = {TOTAL: "BLALSFR", "SVCPP": "BLSVC", "FVCPP": "BLFVC", "NFL": "BLNFL"}
    for block in (b for held in blocks.values() for b in held if b.code in names and names[b.code] not in taken):
        at = block.placed.baseline
        base = dict(zip(block.subject[at].tolist(), block.value[at].tolist(), strict=True))
        columns.append(number(names[block.code], f"Baseline {block.title}", [base.get(s, np.nan) for s in ids]))
        if block.code == TOTAL and source.onset_date:
            onset = facts.dates(source.onset_date)
            since = np.array(
                [(start.get(s, NAT) - onset.get(s, NAT)).astype(float) if s in start and s in onset else np.nan for s in ids]
            )
            months = np.where(since >= SHORTEST_ONSET, since / DAYS_PER_UNIT["month"], np.nan)
            rate = (MAX_TOTAL - np.array([base.get(s, np.nan) for s in ids])) / months
            columns.append(number("PROGRATE", "(48 - Baseline ALSFRS-R) / Months since Onset", rate))
            report.step(
                "ADSL",
                f"PROGRATE: (48 - baseline total) / months from {source.onset_date} to TRTSDT; none below {SHORTEST_ONSET} d",
            )
    report.step(
        "ADSL",
        f"subjects: everybody {subjects.name} and the visits name; arms from {source.arm} (planned and actual are one)",
    )
    return build("ADSL", "Subject-Level Analysis", columns, report.remarks("ADSL"))


def _unread(facts: _Facts, column: str, said: Mapping[str, object], report: DerivationReport) -> None:
    odd = [s for s, v in said.items() if facts.words.flag(v) is None]
    words = ", ".join(sorted({str(said[s]) for s in odd})).replace("{", "(").replace("}", ")")
    what = f"{{n}} subjects have a word in {column} that says neither yes nor no: {words}"
    report.found("source-word", "warning", "ADSL", what, list(range(1, len(odd) + 1)), odd)


def _baseline_column(facts: _Facts, name: str, column: str, report: DerivationReport) -> DerivedColumn:
    """A subject-level column under its ADaM name: numbers as is; flags, sexes and sites of onset by the table of words."""
    table = next((t for t in reversed(facts.tables) if column in t), None)
    if table is None:
        raise facts.tables[0].absent(column, [n for t in facts.tables for n in t.names])
    label = _LABELS.get(name, column)
    if table.is_number(column) and name != "RILUFL":
        held = facts.first(column, lambda t, c: t.numbers(c, report))
        return number(name, label, [float(str(held.get(s, "nan"))) for s in facts.ids])
    said = facts.first(column, SourceTable.texts)
    if name == "RILUFL":
        _unread(facts, column, said, report)
        return text(name, label, [facts.words.flag(said.get(s)) for s in facts.ids])
    known = {"SEX": SEX_WORDS, "ONSETSIT": ONSET_WORDS}.get(name, {})
    if known:
        report.step("ADSL", f"{name}: {column} by the table of words; a word that is not in it stays")
    return text(name, label, [None if s not in said else known.get(said_word(said[s]), str(said[s])) for s in facts.ids])


def _time_to_death(facts: _Facts, start: Days, latest: Days, source: SourceMap, report: DerivationReport) -> list[Dataset]:
    """DEATH in days from the first dose, which is day 1; censored at the last contact, else at the last visit with a value."""
    death, contact = facts.dates(source.death), facts.dates(source.last_contact)
    if not source.death:
        return []
    if not start:
        raise DataError(
            "time to death needs a date of the first dose or of visits",
            where="study.toml source",
            hint="source.first_dose, or leave out source.death",
        )
    ids = np.array([s for s in facts.ids if s in start], dtype=object)
    begin = np.array([start[s] for s in ids], dtype="datetime64[D]")
    died = np.array([s in death for s in ids])
    last = [max((d for d in (contact.get(s), latest.get(s)) if d is not None), default=start[s]) for s in ids]
    end = np.array([death.get(s, e) for s, e in zip(ids, last, strict=True)], dtype="datetime64[D]")
    early = end < begin
    report.found(
        "source-early",
        "warning",
        "ADTTE",
        "{n} times end before the first dose: they end on it",
        np.flatnonzero(early) + 1,
        ids[early],
    )
    end = np.where(early, begin, end)
    report.step(
        "ADTTE",
        f"DEATH: {source.death}; censored at {source.last_contact or 'no date'} or the last value; AVAL = ADT - TRTSDT + 1",
    )
    columns = [
        *facts.arms.head(ids),
        text("PARAMCD", "Parameter Code", ["DEATH"] * ids.size),
        text("PARAM", "Parameter", ["Time to Death (days)"] * ids.size),
        number("AVAL", "Analysis Value", (end - begin).astype(float) + 1),
        number("CNSR", "Censor", (~died).astype(float)),
        text("EVNTDESC", "Event or Censoring Description", np.where(died, "DEATH", "LAST CONTACT")),
        date("STARTDT", "Time to Event Origin Date for Subject", begin),
        date("ADT", "Analysis Date", end),
    ]
    return [build("ADTTE", "Time to Death", columns, report.remarks("ADTTE"))]
