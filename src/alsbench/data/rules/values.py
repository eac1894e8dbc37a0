"""Values: finite, within their range, and consistent with each other (CHG = AVAL - BASE)."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data.rules.core import Fault, Trial, fault, rule
from alsbench.data.sql import constant, quote

TOLERANCE = 1e-6  # relative to the values; what decimal fractions lose in subtraction is far less
PERCENT_TOLERANCE = 0.06  # PCHG is often stored rounded to one decimal


@rule("not-finite", "error", "numbers are finite")
def not_finite(trial: Trial) -> Iterator[Fault]:
    for table in trial.snapshot.tables.values():
        numbers = [c.name for c in table.columns if c.kind == "number"]
        if not numbers:
            continue
        off = [f"isinf({quote(n)}) OR isnan({quote(n)})" for n in numbers]
        found = trial.snapshot.rows(f"SELECT {', '.join(f'bool_or({o})' for o in off)} FROM {quote(table.name)}")[0]
        for name, condition, any_ in zip(numbers, off, found, strict=True):
            if any_:
                yield from fault(table, f"{name} is infinite in {{n}} rows", trial.where(table, condition))


@rule("change", "warning", "CHG is AVAL - BASE")
def change(trial: Trial) -> Iterator[Fault]:
    for table in trial.records:
        if table.kinds.get("BASE") == "number" and table.kinds.get("CHG") == "number":
            off = f'abs("CHG" - ("AVAL" - "BASE")) > {TOLERANCE} * greatest(1, abs("AVAL"), abs("BASE"))'
            yield from fault(table, "CHG is not AVAL - BASE in {n} records; CHG is used as delivered", trial.where(table, off))


@rule("percent-change", "warning", "PCHG is 100 (AVAL - BASE) / BASE")
def percent_change(trial: Trial) -> Iterator[Fault]:
    for table in trial.records:
        if table.kinds.get("BASE") == "number" and table.kinds.get("PCHG") == "number":
            off = f'"BASE" <> 0 AND abs("PCHG" - 100 * ("AVAL" - "BASE") / "BASE") > {PERCENT_TOLERANCE}'
            yield from fault(table, "PCHG is not 100 (AVAL - BASE) / BASE in {n} records", trial.where(table, off))


@rule("change-missing", "warning", "CHG is there wherever AVAL and BASE are, after baseline", needs_study=True)
def change_missing(trial: Trial) -> Iterator[Fault]:
    visits = trial.study.visits
    used = {(e.dataset.upper(), e.paramcd) for e in trial.study.endpoints.values() if e.paramcd and e.scale == "raw"}
    for table in trial.records:
        if all(table.kinds.get(c) == "number" for c in ("BASE", "CHG", visits.number)):
            codes = [constant(p) for t, p in sorted(used) if t == table.name]
            if codes:
                after = f'{quote(visits.number)} > {constant(visits.baseline)} AND "PARAMCD" IN ({", ".join(codes)})'
                hits = trial.where(table, f'{after} AND "AVAL" IS NOT NULL AND "BASE" IS NOT NULL AND "CHG" IS NULL')
                yield from fault(table, "CHG is missing in {n} records that have AVAL and BASE; they are not analysed", hits)


@rule("log-scale", "error", "endpoints analysed on the log scale have positive values", needs_study=True)
def log_scale(trial: Trial) -> Iterator[Fault]:
    for name, endpoint, table in trial.endpoints():
        if endpoint.scale == "log" and table.kinds.get("PARAMCD") == "text" and table.kinds.get("AVAL") == "number":
            low = '"AVAL" <= 0' + (' OR "BASE" <= 0' if table.kinds.get("BASE") == "number" else "")
            hits = trial.where(table, f'"PARAMCD" = {constant(endpoint.paramcd)} AND ({low})')
            yield from fault(table, f"endpoint {name}: {{n}} values are zero or negative and have no logarithm", hits)


@rule("percent-range", "warning", "percentages predicted lie between 0 and 200")
def percent_range(trial: Trial) -> Iterator[Fault]:
    for table in trial.records:
        if table.kinds.get("PARAM") == "text":
            about = "contains(lower(\"PARAM\"), '% predicted') OR contains(lower(\"PARAM\"), 'percent predicted')"
            hits = trial.where(table, f'({about}) AND ("AVAL" < 0 OR "AVAL" > 200)')
            yield from fault(table, "{n} values in percent of predicted lie outside 0 to 200", hits)


@rule("empty-column", "note", "no column is wholly empty")
def empty_column(trial: Trial) -> Iterator[Fault]:
    for table in trial.snapshot.tables.values():
        counts = ", ".join(f"count({quote(c.name)})" for c in table.columns)
        row = trial.snapshot.rows(f"SELECT {counts} FROM {quote(table.name)}")[0]
        empty = [c.name for c, n in zip(table.columns, row, strict=True) if n == 0]
        if empty and table.rows:
            yield Fault(table.name, f"without any value: {', '.join(empty)}", len(empty))


@rule("empty-table", "warning", "no data set is empty")
def empty_table(trial: Trial) -> Iterator[Fault]:
    for table in trial.snapshot.tables.values():
        if table.rows == 0:
            yield Fault(table.name, "the data set has no rows")
