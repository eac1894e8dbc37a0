"""What the Data screen tells about one column, and the condition its filter stands for. Read in a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.text import Text

from alsbench.data.frames import ColumnInfo
from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.render.formats import format_number
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.paged import value_text


def condition(info: TableInfo, text: str) -> Any:
    """The bound condition of an expression over a table's columns; None for no text. Raises ExpressionError."""
    if not text.strip():
        return None
    from alsbench.errors import ExpressionError
    from alsbench.study.expression import compile_sql, parse

    expression = parse(text)
    if expression.aggregates:
        raise ExpressionError("a filter compares with values, not with a mean or quantile", text=text)
    return compile_sql(expression, {**info.kinds}, {})


def _said(column: ColumnInfo) -> tuple[tuple[str, str], ...]:
    """What the source file said of a column."""
    length = f", length {column.length}" if column.length else ""
    return ("label", column.label), ("source type", f"{column.type}{length}".removeprefix(", ")), ("format", column.format)


def column_lines(snapshot: Snapshot, table: str, column: str, text: str, look: Any, check: Callable[[], None]) -> list[Text]:
    """Statistics of one column: how many, missing, distinct; range and quantiles of numbers; the commonest texts.

    ``check`` raises where nobody wants them any more.
    """
    from alsbench.data.special import counted, special_counts
    from alsbench.data.sql import fill, quote

    info = snapshot.table(table)
    column_info = next(c for c in info.columns if c.name == column)
    where = condition(info, text)
    clause = f" WHERE {fill(where.sql, where.params)}" if where is not None else ""
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
        facts.append(("special missing", counted(special) + (", in all rows" if where is not None else "")))
    facts += [(k, safe(v)) for k, v in _said(column_info) if v]
    lines = [Text.assemble((f"{k:<18}", look["dim"]), (v, look["text"])) for k, v in facts]
    check()
    common = snapshot.rows(
        f"SELECT {name}, count(*) AS n FROM {source}{clause} GROUP BY {name} ORDER BY n DESC, {name} NULLS LAST LIMIT 20"
    )
    lines += [Text(), Text("commonest values", look["head"])]
    lines += [Text(f"{fit(safe(value_text(v)) or '(missing)', 40)} {n:>8}", look["text"]) for v, n in common]
    return lines


def _rounded(value: float | None) -> str:
    return "" if value is None or value != value else format_number(float(value), 4)
