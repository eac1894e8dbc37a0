"""Values: finite, within their range, and consistent with each other (CHG = AVAL - BASE)."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data.codelists import WORDS_FOR_MISSING
from alsbench.data.rules.core import SHOWN, RuleData, Violation, broken, rule
from alsbench.data.sanitize import visible_line
from alsbench.data.snapshot import TableInfo
from alsbench.data.sql import constant, quote

TOLERANCE = 1e-6  # relative to the values; what decimal fractions lose in subtraction is far less
PERCENT_TOLERANCE = 0.06  # PCHG is often stored rounded to one decimal
FIRST_LOOK = 2_000  # rows that tell a column of numbers with a few words from one of words
WORDS_NAMED = 3


@rule("not-finite", "error", "numbers are finite")
def not_finite(trial: RuleData) -> Iterator[Violation]:
    for table in trial.snapshot.tables.values():
        numbers = [c.name for c in table.columns if c.kind == "number"]
        if not numbers:
            continue
        off = [f"isinf({quote(n)}) OR isnan({quote(n)})" for n in numbers]
        found = trial.snapshot.rows(f"SELECT {', '.join(f'bool_or({o})' for o in off)} FROM {quote(table.name)}")[0]
        for name, condition, any_ in zip(numbers, off, found, strict=True):
            if any_:
                yield from broken(table, f"{name} is infinite in {{n}} rows", trial.where(table, condition))


@rule("text-among-numbers", "warning", "a column of numbers holds no words")
def text_among_numbers(trial: RuleData) -> Iterator[Violation]:
    """A few words (NA) make a column of a text file text: no mean, no covariate, no cut. Codes with leading zeros are no
    numbers, and a text that stands beside its number (AVALC beside AVAL, LBSTRESC beside LBSTRESN) is meant to be text."""
    for table in trial.snapshot.tables.values():
        names = [n for n, kind in table.kinds.items() if kind == "text" and n != trial.subject and not _spelled(n, table)]
        for name in _mostly_numbers(trial, table, names):
            column, number = quote(name), _number(name)
            n, others, words, coded = trial.snapshot.rows(
                f"SELECT count(*), count(*) - count({number}), "
                f"list_sort(list(DISTINCT trim({column})) FILTER (WHERE {number} IS NULL)), "
                f"coalesce(bool_or(regexp_matches(trim({column}), '^0[0-9]')), FALSE) "
                f"FROM {quote(table.name)} WHERE {column} IS NOT NULL"
            )[0]
            missing = bool(words) and all(word.upper() in WORDS_FOR_MISSING for word in words)
            if coded or not others or (not missing and others > 0.05 * n) or others > n - 2:
                continue
            shown = ", ".join(visible_line(word, limit=20) for word in words[:WORDS_NAMED])
            more = f" and {len(words) - WORDS_NAMED} more" if len(words) > WORDS_NAMED else ""
            hits = trial.where(table, f"{column} IS NOT NULL AND {number} IS NULL")
            yield Violation(
                table.name,
                f"{name} is text: {others:,} of {n:,} values are not numbers: {shown}{more}",
                hits.count,
                hits.rows,
                hits.keys,
                hint="leave missing values empty, or load --missing WORD" if missing else "",
            )


def _number(name: str) -> str:
    """SQL of a text column's value as a finite number, NULL where it is none."""
    value = f"TRY_CAST({quote(name)} AS DOUBLE)"
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def _spelled(name: str, table: TableInfo) -> bool:
    """Whether a text column stands for another: the character form of a number, or a result as it was collected."""
    stem = name[:-1] if name.endswith("C") else ""
    return name.endswith("ORRES") or (bool(stem) and (stem in table or f"{stem}N" in table))


def _mostly_numbers(trial: RuleData, table: TableInfo, names: list[str]) -> list[str]:
    """Those of the text columns whose first values are numbers for the greater part, or that begin without any value."""
    if not names or not table.rows:
        return []
    counts = ", ".join(f"count({quote(n)}), count({_number(n)})" for n in names)
    listed = ", ".join(quote(n) for n in names)
    row = trial.snapshot.rows(f"SELECT {counts} FROM (SELECT {listed} FROM {quote(table.name)} LIMIT {FIRST_LOOK})")[0]
    return [n for n, filled, numbers in zip(names, row[::2], row[1::2], strict=True) if 2 * numbers > filled or filled == 0]


@rule("one-unit", "warning", "the values of a parameter are in one unit")
def one_unit(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if table.kinds.get("AVALU") != "text":
            continue
        found = trial.snapshot.rows(
            f'SELECT "PARAMCD", trim("AVALU"), count(*) FROM {quote(table.name)} WHERE "AVAL" IS NOT NULL '
            "AND trim(\"AVALU\") <> '' GROUP BY 1, 2 "
            'QUALIFY count(*) OVER (PARTITION BY "PARAMCD") > 1 ORDER BY "PARAMCD", count(*) DESC, 2'
        )
        units: dict[str, list[tuple[str, int]]] = {}
        for code, unit, n in found:
            units.setdefault(str(code), []).append((str(unit), int(n)))
        for code, named in units.items():
            listed = ", ".join(f"{visible_line(unit, limit=20)} ({n:,})" for unit, n in named[:SHOWN])
            others = ", ".join(constant(unit) for unit, _ in named[1:])
            hits = trial.where(table, f'"PARAMCD" = {constant(code)} AND "AVAL" IS NOT NULL AND trim("AVALU") IN ({others})')
            yield Violation(
                table.name,
                f"{visible_line(code, limit=20)} is in {len(named)} units: {listed}",
                hits.count,
                hits.rows,
                hits.keys,
                hint=f"say which records count: where = \"AVALU == '{visible_line(named[0][0], limit=20)}'\"",
            )


@rule("change", "warning", "CHG is AVAL - BASE")
def change(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if table.kinds.get("BASE") == "number" and table.kinds.get("CHG") == "number":
            off = f'abs("CHG" - ("AVAL" - "BASE")) > {TOLERANCE} * greatest(1, abs("AVAL"), abs("BASE"))'
            yield from broken(table, "CHG is not AVAL - BASE in {n} records; CHG is used as delivered", trial.where(table, off))


@rule("percent-change", "warning", "PCHG is 100 (AVAL - BASE) / BASE")
def percent_change(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if table.kinds.get("BASE") == "number" and table.kinds.get("PCHG") == "number":
            off = f'"BASE" <> 0 AND abs("PCHG" - 100 * ("AVAL" - "BASE") / "BASE") > {PERCENT_TOLERANCE}'
            yield from broken(table, "PCHG is not 100 (AVAL - BASE) / BASE in {n} records", trial.where(table, off))


@rule("change-missing", "warning", "CHG is there wherever AVAL and BASE are, after baseline", needs_study=True)
def change_missing(trial: RuleData) -> Iterator[Violation]:
    visits = trial.study.visits
    used = {(e.dataset.upper(), e.paramcd) for e in trial.study.endpoints.values() if e.paramcd and e.scale == "raw"}
    for table in trial.records:
        if all(table.kinds.get(c) == "number" for c in ("BASE", "CHG", visits.number)):
            codes = [constant(p) for t, p in sorted(used) if t == table.name]
            if codes:
                after = f'{quote(visits.number)} > {constant(visits.baseline)} AND "PARAMCD" IN ({", ".join(codes)})'
                told = f'SELECT "PARAMCD" FROM {quote(table.name)} GROUP BY 1 HAVING count("CHG") > 0'  # else it is derived
                missing = f'"AVAL" IS NOT NULL AND "BASE" IS NOT NULL AND "CHG" IS NULL AND "PARAMCD" IN ({told})'
                hits = trial.where(table, f"{after} AND {missing}")
                yield from broken(table, "CHG is missing in {n} records that have AVAL and BASE; they are not analysed", hits)


@rule("log-scale", "error", "endpoints analysed on the log scale have positive values", needs_study=True)
def log_scale(trial: RuleData) -> Iterator[Violation]:
    for name, endpoint, table in trial.endpoints():
        if endpoint.scale == "log" and table.kinds.get("PARAMCD") == "text" and table.kinds.get("AVAL") == "number":
            low = '"AVAL" <= 0' + (' OR "BASE" <= 0' if table.kinds.get("BASE") == "number" else "")
            hits = trial.where(table, f'"PARAMCD" = {constant(endpoint.paramcd)} AND ({low})')
            yield from broken(table, f"endpoint {name}: {{n}} values are zero or negative and have no logarithm", hits)


@rule("percent-range", "warning", "percentages predicted lie between 0 and 200")
def percent_range(trial: RuleData) -> Iterator[Violation]:
    for table in trial.records:
        if table.kinds.get("PARAM") == "text":
            about = "contains(lower(\"PARAM\"), '% predicted') OR contains(lower(\"PARAM\"), 'percent predicted')"
            hits = trial.where(table, f'({about}) AND ("AVAL" < 0 OR "AVAL" > 200)')
            yield from broken(table, "{n} values in percent of predicted lie outside 0 to 200", hits)


@rule("empty-column", "note", "no column is wholly empty")
def empty_column(trial: RuleData) -> Iterator[Violation]:
    for table in trial.snapshot.tables.values():
        counts = ", ".join(f"count({quote(c.name)})" for c in table.columns)
        row = trial.snapshot.rows(f"SELECT {counts} FROM {quote(table.name)}")[0]
        empty = [c.name for c, n in zip(table.columns, row, strict=True) if n == 0]
        if empty and table.rows:
            yield Violation(table.name, f"without any value: {', '.join(empty)}", len(empty))


@rule("empty-table", "warning", "no data set is empty")
def empty_table(trial: RuleData) -> Iterator[Violation]:
    for table in trial.snapshot.tables.values():
        if table.rows == 0:
            yield Violation(table.name, "the data set has no rows")
