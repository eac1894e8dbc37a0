"""Analysis data from tables that are no ADaM, by the ``[source]`` table of the study file (METHODS 19; rules of SDTM).

A row a visit, in one table or several, or a row a subject with a column for each visit: the study says which column is what.
Baseline is visit 0; a total is the sum of its items where they are there; day 1 is the first dose; of several records of a
subject at a visit the nearest to its day counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alsbench.data.dataset import Dataset
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.source_columns import NAT, SourceTable, named_tables, safe, table_of
from alsbench.data.derive.source_subjects import TOTAL, SubjectFacts, subject_table, time_to_death
from alsbench.data.derive.source_visits import SourceVisits, column_visits, is_timed, names_of, read_visits, told_times
from alsbench.data.derive.tables import Floats, ParameterRecords, Values, bds
from alsbench.data.derive.windows import AssignedVisits, Flags, Grid, closest, target_day
from alsbench.errors import DataError
from alsbench.study.als import ITEM_CODES, MAX_ITEM
from alsbench.study.local_words import Words, said_word
from alsbench.study.model import SourceMap, SourceParameter, VisitUnit

KNOWN = {
    "alsfrs": ("ADQS", TOTAL, "ALSFRS-R Total Score"),
    "fvc": ("ADRE", "FVCPP", "Forced Vital Capacity (% predicted)"),
    "svc": ("ADRE", "SVCPP", "Slow Vital Capacity (% predicted)"),
    "fvc_litres": ("ADRE", "FVC", "Forced Vital Capacity (L)"),
    "svc_litres": ("ADRE", "SVC", "Slow Vital Capacity (L)"),
    "nfl": ("ADLB", "NFL", "Neurofilament Light (NfL)"),
}
ITEM_LIST = tuple(c for c in ITEM_CODES if c != "ALSFR05B")
ITEMS_5A_5B = 13  # items in order with 5a and 5b apart
LITRES = 10  # a capacity below is in litres, in per cent of predicted above
OTHER_UNIT = 100  # times the median: a value that is further from it is in another unit
_TITLES = {"ADQS": "Questionnaires", "ADRE": "Respiratory Analysis", "ADLB": "Laboratory Analysis"}


@dataclass(frozen=True)
class _Measured:
    """Values of one code at visits (rows,)."""

    visits: SourceVisits
    code: str
    title: str
    value: Floats


def derive_source(
    datasets: Sequence[Dataset], source: SourceMap, words: Words, unit: VisitUnit, report: DerivationReport
) -> list[Dataset]:
    """ADSL, a table of each kind of outcome, and ADTTE. Raises DataError for a column or table that is not there."""
    tables = named_tables(datasets, source)
    facts = SubjectFacts(tables, source, words, report)
    start = first_doses(facts, unit)
    visits = _Visits(facts, unit, start)
    blocks: dict[str, list[ParameterRecords]] = {}
    latest = np.full(facts.ids.size, NAT)
    for name, given in source.parameters.items():
        parameter = given if isinstance(given, SourceParameter) else SourceParameter(total=given)
        by_code: dict[str, list[_Measured]] = {}
        for table in _tables_of(name, parameter, tables, source):
            for measured in _measured(table, name, parameter, visits):
                by_code.setdefault(measured.code, []).append(measured)
        for parts in by_code.values():
            block = _block(parts, facts, unit)
            dataset = KNOWN.get(name, ("ADQS", "", ""))[0]
            blocks.setdefault(dataset, []).append(block)
            if block.date is not None:
                np.fmax.at(latest, block.group, block.date)
    if not any(b.value.size for held in blocks.values() for b in held):
        raise DataError("the columns of source.parameters hold no number", where="study.toml source.parameters")
    made = []
    for dataset, held in blocks.items():
        _steps(dataset, unit, report)
        made.append(bds(dataset, _TITLES[dataset], held, None, facts.arms, remarks=report.remarks(dataset)))
    adsl = subject_table(facts, start, blocks)
    return [adsl, *made, *time_to_death(facts, start, latest)]


def first_doses(facts: SubjectFacts, unit: VisitUnit) -> Values:
    """The day of the first dose (subjects,): its column, else the date of visit 0, else the first date on record."""
    source, report = facts.source, facts.report
    start = facts.dates(source.first_dose)
    own = int((~np.isnat(start)).sum())
    for only_baseline in (True, False):
        earliest = np.full(facts.ids.size, NAT)
        for table in facts.tables:
            for who, when in _dated_rows(table, facts, unit, only_baseline):
                there = (who >= 0) & ~np.isnat(when)
                np.fmin.at(earliest, who[there], when[there])
        start = np.where(np.isnat(start), earliest, start)
    if source.first_dose:
        missing = np.flatnonzero(np.isnat(facts.dates(source.first_dose)) & ~np.isnat(start))
        what = f"{{n}} subjects have no {safe(source.first_dose)}: the date of visit 0, else the first date, stands for it"
        report.found("source-no-dose", "warning", "ADSL", what, missing + 1, facts.ids[missing])
    if own or not np.isnat(start).all():
        report.step("ADSL", "TRTSDT: the first dose where a column tells, else the date of visit 0, else the first date")
    return start


def _dated_rows(table: SourceTable, facts: SubjectFacts, unit: VisitUnit, only_baseline: bool) -> list[tuple[Values, Values]]:
    """Subjects and dates of rows, or of a table's columns of dates; those of visit 0 alone, or all."""
    source = facts.source
    found: list[tuple[Values, Values]] = []
    for number, column in source.date_columns.items():
        if column in table and (not only_baseline or float(number.replace(",", ".")) == 0):
            found.append((facts.who(table), table.dates(column, source.dates)))
    visit, date = names_of(table, source)
    if not date:
        return found
    when = table.dates(date, source.dates)
    if only_baseline:
        told = told_times(table, visit, source, unit) if visit else {}
        at_baseline = table.coded(visit).where(lambda w: told.get(w) == 0) if visit else np.full(len(table), False)
        if table.columns.at is not None:
            at_baseline = np.full(len(table), table.columns.at == 0)
        when = np.where(at_baseline, when, NAT)
    return [*found, (facts.who(table), when)]


@dataclass
class _Visits:
    """The visits of tables, each read once."""

    facts: SubjectFacts
    unit: VisitUnit
    start: Values

    def __post_init__(self) -> None:
        self._held: dict[str, SourceVisits] = {}

    def of(self, table: SourceTable) -> SourceVisits:
        if table.name not in self._held:
            who, facts = self.facts.who(table), self.facts
            self._held[table.name] = read_visits(table, facts.source, self.unit, who, self.start, facts.report)
        return self._held[table.name]

    def columns(self, table: SourceTable, columns: Mapping[str, object]) -> SourceVisits:
        facts = self.facts
        return column_visits(table, columns, facts.source, self.unit, facts.who(table), self.start, facts.report)


def _tables_of(name: str, parameter: SourceParameter, tables: Sequence[SourceTable], source: SourceMap) -> list[SourceTable]:
    """The tables an outcome is read from: the one named, else each with times that has its columns."""
    if parameter.file:
        chosen = [t for t in tables if t.name in (parameter.file.upper(), table_of(parameter.file))]
        if not chosen:
            listed = ", ".join(t.name for t in tables)
            raise DataError(
                f"there is no data set {parameter.file}", where=f"source.parameters.{name}", hint=f"known: {listed}"
            )
        return chosen
    by_visit = [*parameter.columns.values(), *(c for columns in parameter.item_columns.values() for c in columns)]
    wanted = [*by_visit, *parameter.items, *([parameter.total] if parameter.total else [])]
    if not wanted:
        raise DataError(f"source.parameters.{name} names no columns", hint='columns = { "0" = "...", "6" = "..." }')
    found = [t for t in tables if all(c in t for c in wanted) and (by_visit or is_timed(t, source))]
    if not found:
        absent = next((c for c in wanted if not any(c in t for t in tables)), None)
        if absent is not None:
            raise tables[0].absent(absent, list(dict.fromkeys(n for t in tables for n in t.names)))
        raise DataError(f"no data set has visits and the columns of source.parameters.{name}", where="study.toml source")
    return found if not by_visit else found[:1]


def _measured(table: SourceTable, name: str, parameter: SourceParameter, visits: _Visits) -> list[_Measured]:
    """Visits, code, title and values of a parameter's columns in one table."""
    _, code, title = KNOWN.get(name, ("ADQS", name.upper()[:8], name))
    report = visits.facts.report
    if parameter.columns or parameter.item_columns:
        return _by_columns(table, code, title, parameter, visits)
    at = visits.of(table)
    mine = _rows_of_test(table, parameter, visits.facts.source)
    delivered = table.numbers(parameter.total, report) if parameter.total else np.full(len(table), np.nan)
    delivered = np.where(mine, delivered, np.nan)
    _odd_units(code, delivered, at, report)
    if not parameter.items:
        return [_Measured(at, code, title, delivered)]
    items = np.column_stack([table.numbers(c, report) for c in parameter.items])
    return _with_items(at, code, title, items, delivered, report)


def _rows_of_test(table: SourceTable, parameter: SourceParameter, source: SourceMap) -> Flags:
    """The rows that hold an outcome where a column names what each row is."""
    if not parameter.test:
        return np.full(len(table), True)
    if not source.test:
        raise DataError("source.parameters has a test, but source.test names no column", where="study.toml source.test")
    found = table.coded(source.test).where(lambda w: said_word(w) == said_word(parameter.test))
    if not found.any():
        raise DataError(f"no row of {table.name} has {parameter.test} in {source.test}", where="study.toml source.parameters")
    return found


def _by_columns(table: SourceTable, code: str, title: str, parameter: SourceParameter, visits: _Visits) -> list[_Measured]:
    """A column, or the items, for each visit."""
    report = visits.facts.report
    keys = list(dict.fromkeys((*parameter.columns, *parameter.item_columns)))
    at = visits.columns(table, dict.fromkeys(keys))
    absent = np.full(len(table), np.nan)
    held = [table.numbers(parameter.columns[k], report) if k in parameter.columns else absent for k in keys]
    delivered = np.concatenate(held)
    _odd_units(code, delivered, at, report)
    if not parameter.item_columns:
        return [_Measured(at, code, title, delivered)]
    width = max(map(len, parameter.item_columns.values()))
    none = np.full((len(table), width), np.nan)
    parts = []
    for key in keys:
        columns = parameter.item_columns.get(key, ())
        if columns and len(columns) != width:
            raise DataError(f"visit {key} has {len(columns)} items and another {width}", where="study.toml item_columns")
        parts.append(np.column_stack([table.numbers(c, report) for c in columns]) if columns else none)
    return _with_items(at, code, title, np.concatenate(parts), delivered, report)


def _with_items(
    at: SourceVisits, code: str, title: str, items: Floats, delivered: Floats, report: DerivationReport
) -> list[_Measured]:
    """The total of twelve items, and each of them. Raises DataError for another number of items."""
    if items.shape[1] not in (len(ITEM_LIST), ITEMS_5A_5B):
        what = f"{code}: {items.shape[1]} items are named, the ALSFRS-R has {len(ITEM_LIST)} (5a and 5b apart: {ITEMS_5A_5B})"
        raise DataError(what, where="study.toml source.parameters")
    odd = np.isfinite(items) & ((items < 0) | (items > MAX_ITEM) | (items != np.round(items)))
    what = f"{{n}} rows have an item that is none of 0 to {MAX_ITEM}: it is missing"
    _found(at, report, "source-item", what, odd.any(axis=1))
    items = np.where(odd, np.nan, items)
    if items.shape[1] == ITEMS_5A_5B:
        items = _one_fifth(items, at, report)
    summed = items.sum(axis=1)
    apart = np.isfinite(summed) & np.isfinite(delivered) & (summed != delivered)
    _found(at, report, "source-total", "{n} totals are not the sum of their items: the sum counts", apart)
    none = np.isnan(items).all(axis=1)
    total = np.where(none, delivered, summed)
    lost = np.isnan(summed) & ~none & np.isfinite(delivered)
    _found(at, report, "source-total", "{n} totals stand where an item is missing: they are missing", lost)
    report.step("ADQS", f"{code}: sum of the twelve items of a visit; missing with one, as delivered without any")
    names = [(c, f"ALSFRS-R Item {i}", items[:, i - 1]) for i, c in enumerate(ITEM_LIST, start=1)]
    return [_Measured(at, c, t, v) for c, t, v in ((code, title, total), *names)]


def _one_fifth(items: Floats, at: SourceVisits, report: DerivationReport) -> Floats:
    """Item 5 as it was asked: 5a without, 5b with gastrostomy; both at one visit are missing."""
    first, second = items[:, 4], items[:, 5]
    both = np.isfinite(first) & np.isfinite(second)
    _found(at, report, "source-item-5", "{n} rows have item 5a and item 5b: item 5 is missing", both)
    fifth = np.where(both, np.nan, np.where(np.isfinite(first), first, second))
    report.step("ADQS", "item 5: 5a or 5b, whichever was asked; missing with both")
    return np.column_stack([items[:, :4], fifth, items[:, 6:]])


def _odd_units(code: str, value: Floats, at: SourceVisits, report: DerivationReport) -> None:
    """Values that look as if they were in another unit than most: capacity in litres and per cent, a thousandfold NfL."""
    known = np.isfinite(value)
    if not known.any():
        return
    middle = float(np.median(value[known]))
    if code in ("FVCPP", "SVCPP", "FVC", "SVC"):
        odd = known & ((value < LITRES) != (middle < LITRES))
        in_litres = middle < LITRES and code.endswith("PP")
        _found(at, report, "source-unit", f"{{n}} values of {code} are below {LITRES}: litres, no per cent?", known & in_litres)
    elif code == "NFL" and middle > 0:
        odd = known & ((value > OTHER_UNIT * middle) | (value * OTHER_UNIT < middle))
    else:
        return
    _found(at, report, "source-unit", f"{{n}} values of {code} look as if in another unit than most (median {middle:g})", odd)


def _found(at: SourceVisits, report: DerivationReport, rule: str, what: str, rows: Flags) -> None:
    found = np.flatnonzero(rows)
    subjects = at.table.subjects[at.row[found[:100]] - 1] if found.size else ()
    report.found(rule, "warning", at.table.name, what, at.row[found], subjects)


def _block(parts: Sequence[_Measured], facts: SubjectFacts, unit: VisitUnit) -> ParameterRecords:
    """Records at the visits the data name; of several of a subject at a visit the one nearest to its day counts."""
    code, title = parts[0].code, parts[0].title
    who = np.concatenate([p.visits.who for p in parts])
    number = np.concatenate([p.visits.number for p in parts])
    day = np.concatenate([p.visits.day for p in parts])
    value = np.concatenate([p.value for p in parts])
    when = np.concatenate([p.visits.date for p in parts])
    label = np.concatenate([p.visits.label.texts() for p in parts]) if np.isnan(number).any() else None
    usable = (who >= 0) & np.isfinite(value)
    planned = usable & np.isfinite(number)
    numbers = tuple(sorted({0.0, *np.unique(number[planned]).tolist()}))
    grid = Grid(
        numbers,
        tuple("Baseline" if n == 0 else f"{unit.capitalize()} {n:g}" for n in numbers),
        tuple(float(target_day(n, unit)) + (n >= 0) for n in numbers),
    )
    window = np.where(planned, np.searchsorted(np.array(numbers), np.where(planned, number, 0.0)), -1).astype(np.int64)
    at = np.maximum(window, 0)
    day = np.nan_to_num(day)
    distance = np.abs(day - np.array(grid.targets)[at])
    counts = closest(who * len(numbers) + at, distance, day, planned)
    again = np.flatnonzero(planned & ~counts)
    what = f"{{n}} records of {code} stand at a visit with another of the subject: the nearest to the visit's day counts"
    rows = np.concatenate([p.visits.row for p in parts])[again]
    facts.report.found("source-repeated", "warning", parts[0].visits.table.name, what, rows, facts.ids[who[again]])
    placed = AssignedVisits(np.where(counts, window, -1), counts & (number == 0), counts)
    subject = np.array([*facts.ids, None], dtype=object)[who]
    block = ParameterRecords(code, title, subject, who, day, value, placed, when, label=label, grid=grid)
    return block.take(usable)


def _steps(table: str, unit: VisitUnit, report: DerivationReport) -> None:
    report.step(
        table, "ABLFL, BASE: the record of visit 0; CHG = AVAL - BASE; ADY from the date and TRTSDT, day 1 the first dose"
    )
    report.step(table, f"AVISITN in {unit}s: the visit that the data name; without a date ADY is the visit's day")
