"""Analysis records: one per subject, parameter and visit; consistent labels, baselines and events."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data.rules.core import DUPLICATED, NONE, RuleData, Violation, broken, rule
from alsbench.data.rules.endpoints import VISIT_METHODS
from alsbench.data.snapshot import TableInfo
from alsbench.data.sql import constant, fill, quote
from alsbench.errors import ExpressionError
from alsbench.study.expression import parse
from alsbench.study.model import Endpoint
from alsbench.study.sql import compile_sql


@rule("duplicate-visit", "error", "an endpoint has one record per subject and visit", needs_study=True)
def duplicate_visit(trial: RuleData) -> Iterator[Violation]:
    """Judged after the endpoint's ``where``: a real data set tells its rows apart by flags."""
    number = trial.study.visits.number
    for name, endpoint, table in trial.endpoints(*VISIT_METHODS):
        if all(c in table for c in (trial.subject, "PARAMCD", number)) and (kept := _kept(endpoint, table)):
            hits = trial.among(table, [trial.subject, number], DUPLICATED, f"{kept} AND {quote(number)} IS NOT NULL")
            hint = f"say which records count: endpoints.{name}.where = \"ANL01FL == 'Y'\"" if not endpoint.where else ""
            what = f"endpoint {name}: {{n}} records of {endpoint.paramcd} share subject and {number} with another"
            yield from broken(table, what, hits, hint=hint)


@rule("duplicate-event", "error", "a time-to-event parameter has one record per subject", needs_study=True)
def duplicate_event(trial: RuleData) -> Iterator[Violation]:
    for name, table, kept, _ in _events(trial):
        if trial.subject in table:
            hits = trial.among(table, [trial.subject], DUPLICATED, kept)
            yield from broken(table, f"endpoint {name}: {{n}} records share their subject with another", hits)


@rule("duplicate-record", "warning", "flagged analysis records are one per subject, parameter and visit")
def duplicate_record(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        number = trial.study_or_none.visits.number if trial.study_or_none else "AVISITN"
        if number not in table:
            continue
        if trial.distinct(table, _record_key(trial, table)):
            continue
        keep = f"{quote(number)} IS NOT NULL" + (" AND \"ANL01FL\" = 'Y'" if "ANL01FL" in table else "")
        hits = trial.among(table, _record_key(trial, table), DUPLICATED, keep)
        yield from broken(table, f"{{n}} records share subject, parameter and {number} with another", hits)


def _record_key(trial: RuleData, table: TableInfo) -> list[str]:
    """The columns by which analysis records are told apart, as far as they are there."""
    number = trial.study_or_none.visits.number if trial.study_or_none else "AVISITN"
    return [trial.subject, "PARAMCD", *(c for c in (number, "ATPT", "ATPTN", "DTYPE", "BASETYPE", "ANL01FL") if c in table)]


@rule("exact-duplicate", "warning", "no row stands twice")
def exact_duplicate(trial: RuleData) -> Iterator[Violation]:
    for table in trial.snapshot.tables.values():
        if table in trial.records and trial.distinct(table, _record_key(trial, table)):
            continue  # rows told apart by their key are no duplicates
        hits = trial.among(table, [c.name for c in table.columns], DUPLICATED)
        yield from broken(table, "{n} rows equal another row in every column", hits)


@rule("repeated-record", "warning", "a value stands at one visit of its subject")
def repeated_record(trial: RuleData) -> Iterator[Violation]:
    """Same subject, parameter, date and value at two visits: the record of an "End of Treatment" row is analysed twice. Values
    carried forward by a DTYPE are no repeats."""
    number = trial.study_or_none.visits.number if trial.study_or_none else "AVISITN"
    for table in trial.records:
        date = next((c for c in ("ADTM", "ADT", "ADY") if c in table), "")
        if not date or number not in table or "CNSR" in table:
            continue
        keep = f'{quote(number)} IS NOT NULL AND {quote(date)} IS NOT NULL AND "AVAL" IS NOT NULL'
        keep += ' AND ("DTYPE" IS NULL OR trim("DTYPE") = \'\')' if table.kinds.get("DTYPE") == "text" else ""
        keep += " AND \"ANL01FL\" = 'Y'" if table.kinds.get("ANL01FL") == "text" else ""
        keys = [trial.subject, "PARAMCD", date, "AVAL", *(c for c in ("ATPT", "ATPTN", "BASETYPE") if c in table)]
        hits = trial.among(table, keys, f"min({quote(number)}){{over}} < max({quote(number)}){{over}}", keep)
        what = f"{{n}} records have the subject, parameter, {date} and value of a record at another {number}"
        hint = f'leave the visit that repeats others out: where = "{number} not in (99)"'
        yield from broken(table, what, hits, hint=hint)


@rule("visit-labels", "warning", "a visit number has one label, and a label one number")
def visit_labels(trial: RuleData) -> Iterator[Violation]:
    number, label = ("AVISITN", "AVISIT")
    if trial.study_or_none is not None:
        number, label = trial.study_or_none.visits.number, trial.study_or_none.visits.label
    for table in trial.records:
        if number in table and label in table:
            yield from _one_to_one(trial, table, number, label)


@rule("parameter-labels", "warning", "a PARAMCD has one PARAM, and a PARAM one PARAMCD")
def parameter_labels(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if "PARAM" in table:
            yield from _one_to_one(trial, table, "PARAMCD", "PARAM")


@rule("parameter-missing", "warning", "every analysis record names its parameter")
def parameter_missing(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        yield from broken(table, "{n} records have no PARAMCD", trial.where(table, '"PARAMCD" IS NULL'))


@rule("baseline-single", "warning", "at most one baseline record per subject and parameter")
def baseline_single(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if table.kinds.get("ABLFL") == "text":
            keys = [trial.subject, "PARAMCD", *(c for c in ("BASETYPE", "ATPT") if c in table)]
            hits = trial.among(table, keys, DUPLICATED, "\"ABLFL\" = 'Y'")
            yield from broken(table, "{n} records are a second baseline (ABLFL = 'Y') of their subject and parameter", hits)


@rule("baseline-constant", "warning", "BASE is one value per subject and parameter")
def baseline_constant(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if table.kinds.get("BASE") == "number":
            keys = [trial.subject, "PARAMCD", *(c for c in ("BASETYPE", "ATPT") if c in table)]
            hits = trial.among(table, keys, 'min("BASE"){over} < max("BASE"){over}', '"BASE" IS NOT NULL')
            yield from broken(table, "{n} records have a BASE that differs within their subject and parameter", hits)


@rule("baseline-value", "warning", "BASE is the value of the record flagged as baseline")
def baseline_value(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if table.kinds.get("ABLFL") == "text" and table.kinds.get("BASE") == "number":
            hits = trial.where(table, '"ABLFL" = \'Y\' AND "BASE" IS DISTINCT FROM "AVAL" AND "BASE" IS NOT NULL')
            yield from broken(table, "{n} baseline records have a BASE that is not their AVAL", hits)


@rule("baseline-absent", "warning", "subjects with a value after baseline have a baseline", needs_study=True)
def baseline_absent(trial: RuleData) -> Iterator[Violation]:
    number = trial.study.visits.number
    for name, endpoint, table in trial.endpoints(*VISIT_METHODS):
        if trial.subject in table and table.kinds.get("BASE") == "number" and table.kinds.get(number) == "number":
            after = f"{quote(number)} > {constant(trial.study.visits.baseline)}"
            condition = f'{after} AND "AVAL" IS NOT NULL AND "BASE" IS NULL AND {_kept(endpoint, table) or "FALSE"}'
            yield from broken(
                table, f"endpoint {name}: {{n}} records after baseline have no BASE", trial.where(table, condition)
            )


@rule("parameter-no-baseline", "warning", "an endpoint's parameter has baseline records", needs_study=True)
def parameter_no_baseline(trial: RuleData) -> Iterator[Violation]:
    number = trial.study.visits.number
    for name, endpoint, table in trial.endpoints(*VISIT_METHODS):
        kept = _kept(endpoint, table)
        if not kept or table.kinds.get(number) != "number":
            continue
        if not trial.holds(table, kept):
            continue
        at = f"{quote(number)} = {constant(trial.study.visits.baseline)}" + (
            " OR \"ABLFL\" = 'Y'" if table.kinds.get("ABLFL") == "text" else ""
        )
        known = ' OR "BASE" IS NOT NULL' if "BASE" in table else ""
        if trial.holds(table, f"{kept} AND ({at})"):
            continue
        carried = trial.holds(table, f"{kept} AND ({at}{known})")
        why = "is a baseline; BASE is used as delivered" if carried else "is a baseline and none carries BASE"
        found = trial.where(table, kept)
        what = f"endpoint {name}: no record of {endpoint.paramcd} {why}"
        yield Violation(table.name, what, found.count, found.rows, found.keys)


@rule("censoring", "error", "CNSR of a time-to-event parameter is a whole number from 0", needs_study=True)
def censoring(trial: RuleData) -> Iterator[Violation]:
    for name, table, kept, _ in _events(trial):
        if table.kinds.get("CNSR") == "number":
            hits = trial.where(table, f'{kept} AND ("CNSR" IS NULL OR "CNSR" < 0 OR "CNSR" <> round("CNSR"))')
            yield from broken(table, f"endpoint {name}: CNSR is missing, negative or not whole in {{n}} records", hits)


@rule("event-none", "warning", "a time-to-event parameter has events", needs_study=True)
def event_none(trial: RuleData) -> Iterator[Violation]:
    for name, table, kept, paramcd in _events(trial):
        if table.kinds.get("CNSR") == "number":
            found = NONE if trial.holds(table, f'{kept} AND "CNSR" = 0') else trial.where(table, kept)
            if found.count:
                what = f"endpoint {name}: no record of {paramcd} is an event: CNSR is 0 nowhere"
                yield Violation(table.name, what, found.count, found.rows, found.keys)


@rule("event-coding", "warning", "deaths are events and last contacts are not, as CNSR and EVNTDESC say", needs_study=True)
def event_coding(trial: RuleData) -> Iterator[Violation]:
    """Whoever is described as dead is no censored subject, and whoever was in contact last is no event."""
    for name, table, kept, _ in _events(trial):
        if table.kinds.get("CNSR") == "number" and table.kinds.get("EVNTDESC") == "text":
            said = 'upper(trim("EVNTDESC"))'
            dead, alive = f"{said} IN ('DEATH', 'DEAD', 'DIED')", f"({said} LIKE '%CENSORED%' OR {said} = 'LAST CONTACT')"
            hits = trial.where(table, f'{kept} AND ("CNSR" > 0 AND {dead} OR "CNSR" = 0 AND {alive})')
            yield from broken(table, f"endpoint {name}: CNSR contradicts EVNTDESC in {{n}} records", hits)


@rule("event-time", "error", "times to event are known and not negative", needs_study=True)
def event_time(trial: RuleData) -> Iterator[Violation]:
    for name, table, kept, _ in _events(trial):
        if table.kinds.get("AVAL") == "number":
            hits = trial.where(table, f'{kept} AND ("AVAL" IS NULL OR "AVAL" < 0)')
            yield from broken(table, f"endpoint {name}: AVAL is missing or negative in {{n}} records", hits)


@rule("event-missing", "warning", "everybody in the default population has a time-to-event record", needs_study=True)
def event_missing(trial: RuleData) -> Iterator[Violation]:
    flag = trial.study.populations.flags.get(trial.study.populations.default, "")
    if trial.adsl is None or trial.adsl.kinds.get(flag) != "text":
        return
    subject = quote(trial.subject)
    for name, table, kept, _ in _events(trial):
        if trial.same_subjects(table, trial.adsl):
            held = f"SELECT {subject} FROM {quote(table.name)} WHERE {kept} AND {subject} IS NOT NULL"
            hits = trial.where(trial.adsl, f"{quote(flag)} = 'Y' AND {subject} NOT IN ({held})")
            yield from broken(
                trial.adsl, f"endpoint {name}: {{n}} subjects of the default population have no record in {table.name}", hits
            )


def _kept(endpoint: Endpoint, table: TableInfo) -> str:
    """SQL of the records an endpoint counts: its parameter, its ``where``, a value; empty where that cannot be said."""
    if table.kinds.get("PARAMCD") != "text" or table.kinds.get("AVAL") != "number":
        return ""
    condition = f'"PARAMCD" = {constant(endpoint.paramcd)} AND "AVAL" IS NOT NULL'
    if not endpoint.where:
        return condition
    try:
        where = compile_sql(parse(endpoint.where), table.kinds, {})
    except ExpressionError:
        return ""  # reported by endpoint-where
    return f"{condition} AND ({fill(where.sql, where.params)})"


def _events(trial: RuleData) -> Iterator[tuple[str, TableInfo, str, str]]:
    """Endpoint, table, SQL condition and parameter of every time-to-event parameter, each once."""
    seen: set[tuple[str, str, str]] = set()
    for name, endpoint in trial.study.endpoints.items():
        asked = [(endpoint.dataset, endpoint.paramcd)] if endpoint.method == "time_to_event" else []
        asked += [(endpoint.event.dataset, endpoint.event.paramcd)] if endpoint.event else []
        for dataset, paramcd in asked:
            table = trial.snapshot.tables.get(dataset.upper())
            if table is None or table.kinds.get("PARAMCD") != "text":
                continue
            condition = f'"PARAMCD" = {constant(paramcd)}'
            where = endpoint.where if endpoint.method == "time_to_event" else ""
            if where:
                try:
                    compiled = compile_sql(parse(where), table.kinds, {})
                except ExpressionError:
                    continue  # reported by endpoint-where
                condition += f" AND ({fill(compiled.sql, compiled.params)})"
            if (table.name, paramcd, where) not in seen:
                seen.add((table.name, paramcd, where))
                yield name, table, condition, paramcd


def _one_to_one(trial: RuleData, table: TableInfo, left: str, right: str) -> Iterator[Violation]:
    for key, other in ((left, right), (right, left)):
        within = "" if key == "PARAM" else ', "PARAMCD"'
        several = f"min({quote(other)}) < max({quote(other)})"
        hits = trial.snapshot.rows(
            f"SELECT CAST({quote(key)} AS VARCHAR) FROM {quote(table.name)} WHERE {quote(key)} IS NOT NULL "
            f"GROUP BY {quote(key)}{within} HAVING {several} ORDER BY 1 LIMIT 5"
        )
        if hits:
            first = ", ".join(dict.fromkeys(str(h[0]) for h in hits))
            yield Violation(table.name, f"{key} {first} stands with more than one {other}", len(hits))
