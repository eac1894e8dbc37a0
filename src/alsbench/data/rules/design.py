"""Whether the data hold what the study's endpoints ask for: data sets, parameters, columns, visits, covariates."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data.rules.core import SHOWN, SUBJECT_TABLE, Fault, RuleData, fault, rule
from alsbench.data.safe_text import visible_line
from alsbench.data.snapshot import TableInfo
from alsbench.data.sql import constant, quote
from alsbench.errors import ExpressionError
from alsbench.study.expression import compile_sql, parse
from alsbench.study.model import Endpoint
from alsbench.study.names import nearest

VISIT_METHODS = ("mmrm", "ancova", "slope")


@rule("endpoint-dataset", "error", "the data set of every endpoint is loaded", needs_study=True)
def endpoint_dataset(trial: RuleData) -> Iterator[Fault]:
    for name, endpoint in trial.study.endpoints.items():
        wanted = [endpoint.dataset] if endpoint.dataset else []
        wanted += [endpoint.event.dataset] if endpoint.event else []
        for dataset in wanted:
            if dataset.upper() not in trial.snapshot.tables:
                yield Fault(
                    dataset.upper(),
                    f"endpoint {name} needs it and it is not loaded",
                    hint=nearest(dataset.upper(), trial.snapshot.tables),
                )


@rule("endpoint-parameter", "error", "the parameter of every endpoint is in its data set", needs_study=True)
def endpoint_parameter(trial: RuleData) -> Iterator[Fault]:
    for name, endpoint in trial.study.endpoints.items():
        asked = [(endpoint.dataset, endpoint.paramcd)]
        asked += [(endpoint.event.dataset, endpoint.event.paramcd)] if endpoint.event else []
        for dataset, paramcd in asked:
            table = trial.snapshot.tables.get(dataset.upper())
            if table is None or not paramcd or "PARAMCD" not in table:
                continue
            known = [
                str(r[0]) for r in trial.snapshot.rows(f'SELECT DISTINCT "PARAMCD" AS p FROM {quote(table.name)} ORDER BY p')
            ]
            if paramcd not in known:
                yield Fault(
                    table.name, f"endpoint {name} needs PARAMCD {paramcd}, which no row has", hint=nearest(paramcd, known)
                )


@rule("endpoint-column", "error", "the data set of every endpoint has the columns its method reads", needs_study=True)
def endpoint_column(trial: RuleData) -> Iterator[Fault]:
    for name, endpoint, table in trial.endpoints():
        for column in _needed(trial, endpoint):
            if column not in table:
                yield Fault(
                    table.name, f"endpoint {name} needs column {column}, which is not there", hint=nearest(column, table.kinds)
                )


def not_numbers(trial: RuleData, table: TableInfo, column: str, what: str, *, hint: str = "") -> Fault:
    """A column that should be numeric: which rows hold something else, and what the first of them says."""
    if table.kinds[column] != "text":
        return Fault(table.name, what, hint=hint)
    found = trial.snapshot.rows(
        f"SELECT rowid + 1, {quote(column)} FROM {quote(table.name)} "
        f"WHERE {quote(column)} IS NOT NULL AND TRY_CAST({quote(column)} AS DOUBLE) IS NULL ORDER BY rowid"
    )
    if not found:
        return Fault(table.name, what, hint=hint)
    value = visible_line(str(found[0][1]), limit=40)
    rows = tuple(int(r[0]) for r in found[:SHOWN])
    return Fault(table.name, f"{what} (row {rows[0]}: {value!r})", count=len(found), rows=rows, hint=hint)


@rule("endpoint-value", "error", "the values of every endpoint are numbers", needs_study=True)
def endpoint_value(trial: RuleData) -> Iterator[Fault]:
    for name, endpoint, table in trial.endpoints(*VISIT_METHODS, "time_to_event"):
        for column in ("AVAL", "BASE", "CHG") if endpoint.method in VISIT_METHODS else ("AVAL", "CNSR"):
            if table.kinds.get(column, "number") != "number":
                what = f"endpoint {name} needs numbers in {column}; it is a {table.kinds[column]}"
                yield not_numbers(trial, table, column, what)


@rule("visit-number", "error", "the visit number is a number", needs_study=True)
def visit_number(trial: RuleData) -> Iterator[Fault]:
    column = trial.study.visits.number
    judged: set[str] = set()
    for _, _, table in trial.endpoints(*VISIT_METHODS):
        if table.name not in judged and table.kinds.get(column, "number") != "number":
            judged.add(table.name)
            yield not_numbers(
                trial,
                table,
                column,
                f"{column} is a {table.kinds[column]}, not a number",
                hint="visits.number of the study names the numeric analysis visit; one text value makes a CSV column text",
            )


@rule("visit-horizon", "warning", "every horizon is a visit of the data", needs_study=True)
def visit_horizon(trial: RuleData) -> Iterator[Fault]:
    number = trial.study.visits.number
    for name, endpoint, table in trial.endpoints(*VISIT_METHODS):
        if table.kinds.get(number) != "number" or table.kinds.get("PARAMCD") != "text":
            continue
        rows = trial.snapshot.rows(
            f'SELECT DISTINCT {quote(number)} AS v FROM {quote(table.name)} WHERE "PARAMCD" = {constant(endpoint.paramcd)}'
        )
        seen = {r[0] for r in rows}
        asked = list(endpoint.visits) or [
            c.horizon for c in trial.study.comparisons if c.horizon is not None and endpoint.method == "ancova"
        ]
        for visit in dict.fromkeys(asked):
            if seen and visit not in seen:
                yield Fault(table.name, f"endpoint {name} is asked for visit {visit:g}, which no row has")


@rule("endpoint-where", "error", "every record expression fits its data set", needs_study=True)
def endpoint_where(trial: RuleData) -> Iterator[Fault]:
    for name, endpoint, table in trial.endpoints():
        if endpoint.where:
            try:
                compile_sql(parse(endpoint.where), table.kinds, {})
            except ExpressionError as wrong:
                yield Fault(table.name, f"endpoints.{name}.where does not fit: {wrong.what}", hint=wrong.hint)


@rule("covariate", "error", "the covariates and strata of every endpoint are in ADSL", needs_study=True)
def covariate(trial: RuleData) -> Iterator[Fault]:
    if trial.adsl is None:
        return
    missing: dict[str, list[str]] = {}
    for name, endpoint in trial.study.endpoints.items():
        for column in (*endpoint.covariates, *endpoint.factors, *endpoint.strata):
            if column not in trial.adsl and column not in _own_columns(trial, endpoint):
                missing.setdefault(column, []).append(name)
    for column, names in missing.items():
        what = f"there is no column {column}, a covariate of {', '.join(dict.fromkeys(names))}"
        yield Fault(SUBJECT_TABLE, what, hint=nearest(column, trial.adsl.kinds))


@rule("covariate-missing", "warning", "covariates are known for everybody in the default population", needs_study=True)
def covariate_missing(trial: RuleData) -> Iterator[Fault]:
    populations = trial.study.populations
    flag = populations.flags.get(populations.default, "")
    if trial.adsl is None or trial.adsl.kinds.get(flag) != "text":
        return
    used = [c for e in trial.study.endpoints.values() for c in (*e.covariates, *e.strata) if c in trial.adsl]
    for column in dict.fromkeys(used):
        hits = trial.where(trial.adsl, f"{quote(column)} IS NULL AND {quote(flag)} = 'Y'")
        yield from fault(trial.adsl, f"{column} is missing for {{n}} subjects of the default population", hits)


def _needed(trial: RuleData, endpoint: Endpoint) -> tuple[str, ...]:
    if endpoint.method in VISIT_METHODS:
        return ("PARAMCD", "AVAL", trial.study.visits.number)
    if endpoint.method == "time_to_event":
        return ("PARAMCD", "AVAL", "CNSR")
    return ()


def _own_columns(trial: RuleData, endpoint: Endpoint) -> dict[str, str] | dict[str, object]:
    table: TableInfo | None = trial.snapshot.tables.get(endpoint.dataset.upper())
    return {} if table is None else dict.fromkeys(table.kinds, None)
