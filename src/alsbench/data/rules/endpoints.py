"""Whether the data hold what the study's endpoints ask for: data sets, parameters, columns, visits, covariates; and whether
adverse events do: flags, severity, relatedness, action and outcome say something known on every record."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data import codelists as coded
from alsbench.data.rules.core import SHOWN, SUBJECT_TABLE, RuleData, Violation, broken, rule
from alsbench.data.sanitize import visible_line
from alsbench.data.snapshot import TableInfo
from alsbench.data.sql import constant, quote
from alsbench.errors import ExpressionError
from alsbench.study.expression import parse
from alsbench.study.model import Endpoint
from alsbench.study.names import nearest
from alsbench.study.sql import compile_sql

VISIT_METHODS = ("mmrm", "ancova", "slope")
TERMS = ("AETERM", "AEDECOD")  # a data set with one of them holds adverse events
CRITERIA = ("AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", "AESCAN", "AESMIE", "AESOD")
# column, what is read in it, how a record that says nothing is counted, whether a blank is such a record
COLUMNS: tuple[tuple[str, coded.Reader, str, bool], ...] = (
    ("AESER", coded.yes, "counted as serious", True),
    ("AEREL", coded.related, "counted as related", True),
    ("AESEV", coded.severe, "counted as severe", True),
    ("AETOXGR", coded.severe, "counted as severe where no other column says", False),
    ("AEACN", coded.withdrawn, "counted as leading to discontinuation", True),
    ("AEOUT", coded.fatal_outcome, "counted as fatal unless another column says not", False),
    *((c, coded.yes, "counted as fatal unless another column says not" if c == "AESDTH" else "", False) for c in CRITERIA),
)


@rule("endpoint-dataset", "error", "the data set of every endpoint is loaded", needs_study=True)
def endpoint_dataset(trial: RuleData) -> Iterator[Violation]:
    for name, endpoint in trial.study.endpoints.items():
        wanted = [endpoint.dataset] if endpoint.dataset else []
        wanted += [endpoint.event.dataset] if endpoint.event else []
        for dataset in wanted:
            if dataset.upper() not in trial.snapshot.tables:
                yield Violation(
                    dataset.upper(),
                    f"endpoint {name} needs it and it is not loaded",
                    hint=nearest(dataset.upper(), trial.snapshot.tables),
                )


@rule("endpoint-parameter", "error", "the parameter of every endpoint is in its data set", needs_study=True)
def endpoint_parameter(trial: RuleData) -> Iterator[Violation]:
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
                yield Violation(
                    table.name, f"endpoint {name} needs PARAMCD {paramcd}, which no row has", hint=nearest(paramcd, known)
                )


@rule("endpoint-column", "error", "the data set of every endpoint has the columns its method reads", needs_study=True)
def endpoint_column(trial: RuleData) -> Iterator[Violation]:
    for name, endpoint, table in trial.endpoints():
        for column in _needed(trial, endpoint):
            if column not in table:
                yield Violation(
                    table.name, f"endpoint {name} needs column {column}, which is not there", hint=nearest(column, table.kinds)
                )


def not_numbers(trial: RuleData, table: TableInfo, column: str, what: str, *, hint: str = "") -> Violation:
    """A column that should be numeric: which rows hold something else, and what the first of them says."""
    if table.kinds[column] != "text":
        return Violation(table.name, what, hint=hint)
    found = trial.snapshot.rows(
        f"SELECT rowid + 1, {quote(column)} FROM {quote(table.name)} "
        f"WHERE {quote(column)} IS NOT NULL AND TRY_CAST({quote(column)} AS DOUBLE) IS NULL ORDER BY rowid"
    )
    if not found:
        return Violation(table.name, what, hint=hint)
    value = visible_line(str(found[0][1]), limit=40)
    rows = tuple(int(r[0]) for r in found[:SHOWN])
    return Violation(table.name, f"{what} (row {rows[0]}: {value!r})", count=len(found), rows=rows, hint=hint)


@rule("endpoint-value", "error", "the values of every endpoint are numbers", needs_study=True)
def endpoint_value(trial: RuleData) -> Iterator[Violation]:
    for name, endpoint, table in trial.endpoints(*VISIT_METHODS, "time_to_event"):
        for column in ("AVAL", "BASE", "CHG") if endpoint.method in VISIT_METHODS else ("AVAL", "CNSR"):
            if table.kinds.get(column, "number") != "number":
                what = f"endpoint {name} needs numbers in {column}; it is a {table.kinds[column]}"
                yield not_numbers(trial, table, column, what)


@rule("visit-number", "error", "the visit number is a number", needs_study=True)
def visit_number(trial: RuleData) -> Iterator[Violation]:
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
def visit_horizon(trial: RuleData) -> Iterator[Violation]:
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
                yield Violation(table.name, f"endpoint {name} is asked for visit {visit:g}, which no row has")


@rule("endpoint-where", "error", "every record expression fits its data set", needs_study=True)
def endpoint_where(trial: RuleData) -> Iterator[Violation]:
    for name, endpoint, table in trial.endpoints():
        if endpoint.where:
            try:
                compile_sql(parse(endpoint.where), table.kinds, {})
            except ExpressionError as wrong:
                yield Violation(table.name, f"endpoints.{name}.where does not fit: {wrong.what}", hint=wrong.hint)


@rule("covariate", "error", "the covariates and strata of every endpoint are in ADSL", needs_study=True)
def covariate(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    missing: dict[str, list[str]] = {}
    for name, endpoint in trial.study.endpoints.items():
        for column in (*endpoint.covariates, *endpoint.factors, *endpoint.strata):
            if column not in trial.adsl and column not in _own_columns(trial, endpoint):
                missing.setdefault(column, []).append(name)
    for column, names in missing.items():
        what = f"there is no column {column}, a covariate of {', '.join(dict.fromkeys(names))}"
        yield Violation(SUBJECT_TABLE, what, hint=nearest(column, trial.adsl.kinds))


@rule("covariate-missing", "warning", "covariates are known for everybody in the default population", needs_study=True)
def covariate_missing(trial: RuleData) -> Iterator[Violation]:
    populations = trial.study.populations
    flag = populations.flags.get(populations.default, "")
    if trial.adsl is None or trial.adsl.kinds.get(flag) != "text":
        return
    used = [c for e in trial.study.endpoints.values() for c in (*e.covariates, *e.strata) if c in trial.adsl]
    for column in dict.fromkeys(used):
        hits = trial.where(trial.adsl, f"{quote(column)} IS NULL AND {quote(flag)} = 'Y'")
        yield from broken(trial.adsl, f"{column} is missing for {{n}} subjects of the default population", hits)


def _needed(trial: RuleData, endpoint: Endpoint) -> tuple[str, ...]:
    if endpoint.method in VISIT_METHODS:
        return ("PARAMCD", "AVAL", trial.study.visits.number)
    if endpoint.method == "time_to_event":
        return ("PARAMCD", "AVAL", "CNSR")
    return ()


def _own_columns(trial: RuleData, endpoint: Endpoint) -> dict[str, str] | dict[str, object]:
    table: TableInfo | None = trial.snapshot.tables.get(endpoint.dataset.upper())
    return {} if table is None else dict.fromkeys(table.kinds, None)


@rule("event-words", "warning", "what adverse event data say is known")
def event_words(trial: RuleData) -> Iterator[Violation]:
    """A blank TRTEMFL is no by ADaM's convention, unless the column says N elsewhere. Columns wholly blank are not judged."""
    for table in trial.snapshot.tables.values():
        if not any(t in table for t in TERMS):
            continue
        for column, reader, how, blanks in (("TRTEMFL", coded.yes, "counted as treatment-emergent", False), *COLUMNS):
            if table.kinds.get(column) in ("text", "number", "boolean"):
                yield from _unknown(trial, table, column, reader, how, blanks=blanks)


def _unknown(
    trial: RuleData, table: TableInfo, column: str, reader: coded.Reader, how: str, *, blanks: bool
) -> Iterator[Violation]:
    held = quote(column)
    values = [v for (v,) in trial.snapshot.rows(f"SELECT DISTINCT {held} FROM {quote(table.name)}")]
    said = {v: coded.word(float(v) if isinstance(v, bool) else v) for v in values}
    if not any(said.values()):
        return  # rule empty-column
    blanks = blanks or (column == "TRTEMFL" and any(reader(w) == 0.0 for w in said.values()))
    wrong = [v for v in values if (reader(said[v]) != reader(said[v]) if said[v] else blanks)]
    parts = [f"{held} IS NULL"] * (None in wrong)
    constants = [constant(v) for v in wrong if v is not None]
    parts += [f"{held} IN ({', '.join(constants)})"] if constants else []
    if parts:
        hits = trial.where(table, " OR ".join(parts))
        words = coded.listed({said[v] for v in wrong})
        what = f"{column} says nothing known in {hits.count:,} rows ({words})" + (f": {how}" if how else "")
        yield Violation(table.name, what, hits.count, hits.rows, hits.keys)
