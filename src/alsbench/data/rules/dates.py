"""Dates: written as dates, in order, before death, and in step with study days.

A rule asks for its columns with ``trial.dates``: one that found none to compare is "not applicable", not passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data.rules.core import SUBJECT_TABLE, RuleData, Violation, broken, rule
from alsbench.data.sanitize import visible_line
from alsbench.data.snapshot import TableInfo
from alsbench.data.sql import constant, quote
from alsbench.data.text_dates import detect_format, is_date_name

_ORDER = (
    ("RANDDT", "TRTSDT"),
    ("TRTSDT", "TRTEDT"),
    ("TRTSDT", "EOSDT"),
    ("RANDDT", "EOSDT"),
    ("TRTSDT", "DTHDT"),
    ("RFICDT", "RANDDT"),
)


_ISO_8601 = r"(\d{4}|-)(-(\d{2}|-)(-(\d{2}|-))?)?(T(\d{2}|-)(:(\d{2}|-)(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?)?"
_MOST_NAMED = 1_000


@rule("date-values", "warning", "columns named as dates hold dates")
def date_values(trial: RuleData) -> Iterator[Violation]:
    """``...DT`` is a date of the analysis data, ``...DTM`` and ``...DTC`` are ISO 8601 texts, the latter perhaps partial."""
    for table in trial.snapshot.tables.values():
        for name, kind in table.kinds.items():
            if is_date_name(name) and kind in ("text", "number"):
                yield from _no_date(trial, table, name, kind)
            elif name.upper().endswith(("DTM", "DTC")) and kind == "text":
                value = f"trim({quote(name)})"
                whole = f"NOT regexp_full_match({value}, {constant(f'{_ISO_8601}(/{_ISO_8601})?')})"
                real = f"(regexp_full_match({value}, '\\d{{4}}-\\d\\d-\\d\\d.*') AND TRY_CAST({value}[:10] AS DATE) IS NULL)"
                what = "is not written as ISO 8601 has it (2021-06-30)"
                yield from _named(trial, table, name, f"{value} <> '' AND ({whole} OR {real})", what)


def _no_date(trial: RuleData, table: TableInfo, name: str, kind: str) -> Iterator[Violation]:
    if kind == "number":
        yield from _named(trial, table, name, f"{quote(name)} IS NOT NULL", "holds numbers without a date format")
        return
    found = trial.snapshot.rows(f"SELECT {quote(name)}, count(*) FROM {quote(table.name)} WHERE {quote(name)} <> '' GROUP BY 1")
    verdict = detect_format({str(value): int(n) for value, n in found})
    others = sorted(verdict.others)
    some = verdict.most is not None and 0 < len(others) <= _MOST_NAMED
    condition = f"{quote(name)} IN ({', '.join(map(constant, others))})" if some else f"{quote(name)} <> ''"
    what = "is text: day and month cannot be told apart" if verdict.ambiguous else "is text, for not every value is a date"
    yield from _named(trial, table, name, condition, what)


def _named(trial: RuleData, table: TableInfo, name: str, condition: str, what: str) -> Iterator[Violation]:
    """A fault with the first value that is none."""
    hits = trial.where(table, condition)
    if hits.count:
        sql = f"SELECT CAST({quote(name)} AS VARCHAR) FROM {quote(table.name)} WHERE {condition} ORDER BY rowid LIMIT 1"
        shown = visible_line(str(trial.snapshot.rows(sql)[0][0]), limit=30)
        hint = "write dates in one way (2021-06-30, 30JUN2021, 30.06.2021), leave unknown ones empty, and load again"
        said = f"{name} {what}: {shown} in row {hits.rows[0]}, {hits.count} in all"
        yield Violation(table.name, said, hits.count, hits.rows, hits.keys, hint=hint)


@rule("dates-order", "warning", "dates of ADSL follow each other")
def dates_order(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    for first, later in _ORDER:
        if trial.dates(trial.adsl, first, later):
            yield from broken(
                trial.adsl,
                f"{later} is before {first} in {{n}} rows",
                trial.where(trial.adsl, f"{quote(later)} < {quote(first)}"),
            )


@rule("interval-order", "warning", "nothing ends before it starts")
def interval_order(trial: RuleData) -> Iterator[Violation]:
    for table in trial.snapshot.tables.values():
        if trial.dates(table, "ASTDT", "AENDT"):
            yield from broken(table, "AENDT is before ASTDT in {n} rows", trial.where(table, '"AENDT" < "ASTDT"'))


@rule("after-death", "warning", "nothing is recorded after death")
def after_death(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None or not trial.dates(trial.adsl, "DTHDT", more=True):
        return
    for table in trial.records:
        if "CNSR" not in table and trial.dates(table, "ADT"):
            yield from broken(
                table, "{n} records are dated after the subject's death", trial.joined(table, 'r."ADT" > s."DTHDT"')
            )


@rule("after-event", "warning", "no visit after death told by the time-to-event data")
def after_event(trial: RuleData) -> Iterator[Violation]:
    """Only events described as a death count: function is measured after a tracheostomy."""
    subject = quote(trial.subject)
    for events in trial.records:
        if (
            events.kinds.get("CNSR") != "number"
            or events.kinds.get("EVNTDESC") != "text"
            or not trial.dates(events, "ADT", more=True)
        ):
            continue
        deaths = (
            f'SELECT {subject}, min("ADT") AS died FROM {quote(events.name)} '
            f"WHERE \"CNSR\" = 0 AND upper(trim(\"EVNTDESC\")) IN ('DEATH', 'DEAD', 'DIED') GROUP BY {subject}"
        )
        for table in trial.records:
            dated = table.name != events.name and "CNSR" not in table and trial.dates(table, "ADT")
            if dated and trial.same_subjects(table, events):
                hits = trial.find(
                    f"SELECT r.rowid AS row, r.{subject} AS key FROM {quote(table.name)} r JOIN ({deaths}) d "
                    f'ON r.{subject} = d.{subject} WHERE r."ADT" > d.died'
                )
                yield from broken(table, f"{{n}} records are dated after the death in {events.name}", hits)


@rule("death-flag", "warning", "DTHFL and DTHDT agree")
def death_flag(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is not None and trial.adsl.kinds.get("DTHFL") == "text" and trial.dates(trial.adsl, "DTHDT"):
        hits = trial.where(trial.adsl, '"DTHDT" IS NOT NULL AND "DTHFL" IS DISTINCT FROM \'Y\'')
        yield from broken(trial.adsl, "{n} rows have a date of death without DTHFL = 'Y'", hits)


@rule("study-day", "warning", "ADY is ADT - TRTSDT, plus one from the first dose on")
def study_day(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None or not trial.dates(trial.adsl, "TRTSDT", more=True):
        return
    for table in trial.records:
        if table.kinds.get("ADY") == "number" and trial.dates(table, "ADT"):
            days = 'date_diff(\'day\', s."TRTSDT", r."ADT")'
            off = f'r."ADY" <> {days} + CASE WHEN {days} >= 0 THEN 1 ELSE 0 END'
            yield from broken(table, "ADY does not follow from ADT and TRTSDT in {n} records", trial.joined(table, off))


@rule("baseline-after-dose", "warning", "baseline is not after the first dose")
def baseline_after_dose(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None or not trial.dates(trial.adsl, "TRTSDT", more=True):
        return
    for table in trial.records:
        if table.kinds.get("ABLFL") == "text" and trial.dates(table, "ADT"):
            hits = trial.joined(table, 'r."ABLFL" = \'Y\' AND r."ADT" > s."TRTSDT"')
            yield from broken(table, "{n} baseline records are dated after the first dose", hits)


@rule("event-date", "note", "times to event in days are ADT - STARTDT + 1")
def event_date(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if "CNSR" in table and table.kinds.get("PARAM") == "text" and trial.dates(table, "ADT", "STARTDT"):
            off = '"AVAL" <> date_diff(\'day\', "STARTDT", "ADT") + 1 AND contains(lower("PARAM"), \'(days)\')'
            yield from broken(table, "AVAL is not ADT - STARTDT + 1 in {n} records", trial.where(table, off))


@rule("visit-date-order", "note", "later visits have later dates")
def visit_date_order(trial: RuleData) -> Iterator[Violation]:
    """Subjects whose visits, all parameters together, are in order are set aside first: few tables need the sort by row."""
    number = trial.study_or_none.visits.number if trial.study_or_none else "AVISITN"
    subject, visit = quote(trial.subject), quote(number)
    for table in trial.records:
        if table.name != SUBJECT_TABLE and table.kinds.get(number) == "number" and trial.dates(table, "ADT"):
            dated = f'{quote(table.name)} WHERE {visit} IS NOT NULL AND "ADT" IS NOT NULL'
            suspects = (
                f'SELECT hash(subject) FROM (SELECT {subject} AS subject, {visit} AS visit, min("ADT") AS first, '
                f'max("ADT") AS last FROM {dated} GROUP BY 1, 2) QUALIFY first < max(last) OVER '
                "(PARTITION BY subject ORDER BY visit ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
            )
            if not trial.snapshot.rows(f"SELECT 1 FROM ({suspects}) LIMIT 1"):
                continue
            hits = trial.find(
                f"SELECT rowid AS row, {subject} AS key FROM {dated} AND hash({subject}) IN ({suspects}) "
                f'QUALIFY "ADT" < lag("ADT") OVER (PARTITION BY {subject}, "PARAMCD" ORDER BY {visit}, "ADT")'
            )
            yield from broken(table, f"{{n}} records are dated before the record of an earlier {number}", hits)
