"""Dates: in order, before death, and in step with study days."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data.rules.core import SUBJECT_TABLE, Fault, Trial, fault, rule
from alsbench.data.sql import quote

_ORDER = (
    ("RANDDT", "TRTSDT"),
    ("TRTSDT", "TRTEDT"),
    ("TRTSDT", "EOSDT"),
    ("RANDDT", "EOSDT"),
    ("TRTSDT", "DTHDT"),
    ("RFICDT", "RANDDT"),
)


@rule("dates-order", "warning", "dates of ADSL follow each other")
def dates_order(trial: Trial) -> Iterator[Fault]:
    if trial.adsl is None:
        return
    for first, later in _ORDER:
        if trial.adsl.kinds.get(first) == "date" and trial.adsl.kinds.get(later) == "date":
            yield from fault(
                trial.adsl,
                f"{later} is before {first} in {{n}} rows",
                trial.where(trial.adsl, f"{quote(later)} < {quote(first)}"),
            )


@rule("interval-order", "warning", "nothing ends before it starts")
def interval_order(trial: Trial) -> Iterator[Fault]:
    for table in trial.snapshot.tables.values():
        if table.kinds.get("ASTDT") == "date" and table.kinds.get("AENDT") == "date":
            yield from fault(table, "AENDT is before ASTDT in {n} rows", trial.where(table, '"AENDT" < "ASTDT"'))


@rule("after-death", "warning", "nothing is recorded after death")
def after_death(trial: Trial) -> Iterator[Fault]:
    if trial.adsl is None or trial.adsl.kinds.get("DTHDT") != "date":
        return
    for table in trial.records:
        if table.kinds.get("ADT") == "date" and "CNSR" not in table:
            yield from fault(
                table, "{n} records are dated after the subject's death", trial.joined(table, 'r."ADT" > s."DTHDT"')
            )


@rule("after-event", "warning", "no visit after death told by the time-to-event data")
def after_event(trial: Trial) -> Iterator[Fault]:
    """Only events described as a death count: function is measured after a tracheostomy."""
    subject = quote(trial.subject)
    for events in trial.records:
        if events.kinds.get("ADT") != "date" or events.kinds.get("CNSR") != "number" or events.kinds.get("EVNTDESC") != "text":
            continue
        deaths = (
            f'SELECT {subject}, min("ADT") AS died FROM {quote(events.name)} '
            f"WHERE \"CNSR\" = 0 AND upper(trim(\"EVNTDESC\")) IN ('DEATH', 'DEAD', 'DIED') GROUP BY {subject}"
        )
        for table in trial.records:
            dated = table.name != events.name and table.kinds.get("ADT") == "date" and "CNSR" not in table
            if dated and trial.same_subjects(table, events):
                hits = trial.find(
                    f"SELECT r.rowid AS row, r.{subject} AS key FROM {quote(table.name)} r JOIN ({deaths}) d "
                    f'ON r.{subject} = d.{subject} WHERE r."ADT" > d.died'
                )
                yield from fault(table, f"{{n}} records are dated after the death in {events.name}", hits)


@rule("death-flag", "warning", "DTHFL and DTHDT agree")
def death_flag(trial: Trial) -> Iterator[Fault]:
    if trial.adsl is not None and trial.adsl.kinds.get("DTHFL") == "text" and trial.adsl.kinds.get("DTHDT") == "date":
        hits = trial.where(trial.adsl, '"DTHDT" IS NOT NULL AND "DTHFL" IS DISTINCT FROM \'Y\'')
        yield from fault(trial.adsl, "{n} rows have a date of death without DTHFL = 'Y'", hits)


@rule("study-day", "warning", "ADY is ADT - TRTSDT, plus one from the first dose on")
def study_day(trial: Trial) -> Iterator[Fault]:
    if trial.adsl is None or trial.adsl.kinds.get("TRTSDT") != "date":
        return
    for table in trial.records:
        if table.kinds.get("ADT") == "date" and table.kinds.get("ADY") == "number":
            days = 'date_diff(\'day\', s."TRTSDT", r."ADT")'
            off = f'r."ADY" <> {days} + CASE WHEN {days} >= 0 THEN 1 ELSE 0 END'
            yield from fault(table, "ADY does not follow from ADT and TRTSDT in {n} records", trial.joined(table, off))


@rule("baseline-after-dose", "warning", "baseline is not after the first dose")
def baseline_after_dose(trial: Trial) -> Iterator[Fault]:
    if trial.adsl is None or trial.adsl.kinds.get("TRTSDT") != "date":
        return
    for table in trial.records:
        if table.kinds.get("ADT") == "date" and table.kinds.get("ABLFL") == "text":
            hits = trial.joined(table, 'r."ABLFL" = \'Y\' AND r."ADT" > s."TRTSDT"')
            yield from fault(table, "{n} baseline records are dated after the first dose", hits)


@rule("event-date", "note", "times to event in days are ADT - STARTDT + 1")
def event_date(trial: Trial) -> Iterator[Fault]:
    for table in trial.records:
        if (
            all(table.kinds.get(c) == "date" for c in ("ADT", "STARTDT"))
            and "CNSR" in table
            and table.kinds.get("PARAM") == "text"
        ):
            off = '"AVAL" <> date_diff(\'day\', "STARTDT", "ADT") + 1 AND contains(lower("PARAM"), \'(days)\')'
            yield from fault(table, "AVAL is not ADT - STARTDT + 1 in {n} records", trial.where(table, off))


@rule("visit-date-order", "note", "later visits have later dates")
def visit_date_order(trial: Trial) -> Iterator[Fault]:
    """Subjects whose visits, all parameters together, are in order are set aside first: few tables need the sort by row."""
    number = trial.study_or_none.visits.number if trial.study_or_none else "AVISITN"
    subject, visit = quote(trial.subject), quote(number)
    for table in trial.records:
        if table.kinds.get("ADT") == "date" and table.kinds.get(number) == "number" and table.name != SUBJECT_TABLE:
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
            yield from fault(table, f"{{n}} records are dated before the record of an earlier {number}", hits)
