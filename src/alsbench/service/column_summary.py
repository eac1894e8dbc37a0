"""One column of a stored table in the rows that meet a condition: how many, missing, distinct; range, quantiles, mean and SD of
numbers; the commonest values; what the source file said of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alsbench.data.frames import ColumnInfo
from alsbench.data.sas import counts_text, special_counts
from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.data.sql import fill, quote
from alsbench.errors import ExpressionError
from alsbench.render.formats import format_number, format_stored
from alsbench.study.expression import equality, parse
from alsbench.study.sql import Where, compile_sql

MOST_VALUES = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class ColumnSummary:
    """``facts`` as (name, text); ``common`` the commonest values and how often each stands, a missing one as empty text."""

    facts: tuple[tuple[str, str], ...]
    common: tuple[tuple[str, int], ...]


def filter_condition(info: TableInfo, text: str) -> Where | None:
    """The bound condition of an expression over a table's columns; None for no text. Raises ExpressionError."""
    if not text.strip():
        return None
    expression = parse(equality(text))
    if expression.aggregates:
        raise ExpressionError("a filter compares with values, not with a mean or quantile", text=text)
    return compile_sql(expression, {**info.kinds}, {})


def cell_condition(column: ColumnInfo, value: Any, *, excluded: bool = False) -> str:
    """The expression for the rows that hold a value in a column; ``excluded`` for all other rows, a missing value among them.

    Raises ExpressionError where the language cannot say it: a column whose name is no name in it, a text that it cannot quote.
    """
    name = column.name
    if not _NAME.fullmatch(name):
        raise ExpressionError(f"an expression cannot name the column {name}", text=name)
    if not value_text(value):
        return f"not missing({name})" if excluded else f"missing({name})"
    written = _written(column, value)
    return f"({name} != {written} or missing({name}))" if excluded else f"{name} == {written}"


def _written(column: ColumnInfo, value: Any) -> str:
    """A value as the expression language writes it, a number with every digit that tells it from its neighbours."""
    if column.kind == "number":
        return repr(float(value)).removesuffix(".0")
    if column.kind == "boolean":
        return str(bool(value))
    text = value_text(value)
    mark = next((m for m in "\"'" if m not in text), "")
    if not mark or not text.isprintable() or "\\" in text:
        raise ExpressionError("an expression cannot quote this text", text=text)
    return f"{mark}{text}{mark}"


def column_summary(
    snapshot: Snapshot, table: str, column: str, where: str, check: Callable[[], None], most: int = MOST_VALUES
) -> ColumnSummary:
    """The summary of a column where an expression holds, with its ``most`` commonest values; ``check`` raises where nobody
    wants it any more."""
    info = snapshot.table(table)
    condition = filter_condition(info, where)
    clause = f" WHERE {fill(condition.sql, condition.params)}" if condition is not None else ""
    name, source = quote(column), quote(info.name)
    total, present, distinct = snapshot.rows(f"SELECT count(*), count({name}), count(DISTINCT {name}) FROM {source}{clause}")[0]
    facts = [("rows", str(total)), ("missing", str(total - present)), ("distinct", str(distinct))]
    check()
    if info.kinds[column] == "number" and present:
        values = snapshot.rows(
            f"SELECT min({name}), quantile_disc({name}, 0.25), quantile_disc({name}, 0.5), "
            f"quantile_disc({name}, 0.75), max({name}) FROM {source}{clause}"
        )[0]
        names = ("min", "lower quartile", "median", "upper quartile", "max")
        facts += list(zip(names, map(value_text, values), strict=True))
        check()
        mean, sd = snapshot.rows(f"SELECT avg({name}), stddev_samp({name}) FROM {source}{clause}")[0]
        facts += [("mean", _rounded(mean)), ("SD", _rounded(sd))]
    special = special_counts(snapshot, table).get(column)
    if special:
        facts.append(("special missing", counts_text(special) + (", in all rows" if condition is not None else "")))
    facts += [(k, v) for k, v in _source_words(next(c for c in info.columns if c.name == column)) if v]
    check()
    common = snapshot.rows(
        f"SELECT {name}, count(*) AS n FROM {source}{clause} GROUP BY {name} ORDER BY n DESC, {name} NULLS LAST "
        f"LIMIT {int(most)}"
    )
    return ColumnSummary(tuple(facts), tuple((value_text(v), int(n)) for v, n in common))


def value_text(value: object) -> str:
    """A data value as text, all its digits; missing is empty."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return format_stored(float(value))
    return "" if str(value) == "NaT" else str(value)


def _source_words(column: ColumnInfo) -> tuple[tuple[str, str], ...]:
    """What the source file said of a column."""
    length = f", length {column.length}" if column.length else ""
    return ("label", column.label), ("source type", f"{column.type}{length}".removeprefix(", ")), ("format", column.format)


def _rounded(value: float | None) -> str:
    return "" if value is None or value != value else format_number(float(value), 4)
