"""Whether a condition holds, row by row, in three values: 1, 0, missing where it cannot be told (Kleene 1938).

NumberRows are equal that differ by no more than 1e-12 of their size, as the expression language says; cuts come from outside.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from alsbench.second.numbers import NotCovered
from alsbench.study import syntax_tree as tree

EQUAL = 1e-12
Cut = Callable[[str, str, "float | None"], float]  # of a function, a column, a share


def truth(node: tree.Node, rows: pd.DataFrame, cut: Cut) -> pd.Series:
    """1, 0 or NaN for every row."""
    match node:
        case tree.Junction(word, terms):
            values = pd.concat([truth(term, rows, cut) for term in terms], axis=1)
            decided = 0.0 if word == "and" else 1.0
            found = values.min(axis=1) if word == "and" else values.max(axis=1)
            return found.where((values == decided).any(axis=1) | values.notna().all(axis=1))
        case tree.Not(term):
            return 1 - truth(term, rows, cut)
        case tree.Missing(column):
            return _column(rows, column).isna().astype(float)
        case tree.InList(column, values, negated):
            each = [_compared("==", _column(rows, column), value.value) for value in values]
            return _negated(pd.concat(each, axis=1).max(axis=1, skipna=False), negated)
        case tree.Between(column, low, high, negated):
            values = _column(rows, column)
            inside = _compared(">=", values, low.value) * _compared("<=", values, high.value)
            return _negated(inside, negated)
        case tree.Compare(op, left, right):
            return _compare(op, left, right, rows, cut)
    raise NotCovered(f"the condition {node}")


def _negated(values: pd.Series, negated: bool) -> pd.Series:
    return 1 - values if negated else values


def _compare(op: str, left: tree.Operand, right: tree.Operand, rows: pd.DataFrame, cut: Cut) -> pd.Series:
    if not isinstance(left, tree.ColumnRef):
        turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
        return _compare(turned, right, left, rows, cut)
    values = _column(rows, left)
    if isinstance(right, tree.Aggregate):
        return _compared(op, values, cut(right.function, right.column, right.q))
    if isinstance(right, tree.ColumnRef):
        return _compared(op, values, _column(rows, right))
    return _compared(op, values, right.value)


def _column(rows: pd.DataFrame, column: tree.ColumnRef) -> pd.Series:
    if column.name not in rows:
        raise NotCovered(f"the column {column.name} is not in the table")
    return rows[column.name]


def _compared(op: str, values: pd.Series, other: pd.Series | float | str | bool) -> pd.Series:
    """1 or 0 where both sides are known."""
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if isinstance(other, bool) or pd.api.types.is_bool_dtype(values):
        raise NotCovered("a comparison of truth values")
    known = values.notna() & (other.notna() if isinstance(other, pd.Series) else True)
    if numbers and not isinstance(other, str):
        a = values.astype(float)
        equal = (a - other).abs() <= EQUAL * np.maximum(a.abs(), np.abs(other))
        less = (a < other) & ~equal
    elif not numbers and isinstance(other, str | pd.Series) and op in ("==", "!="):
        if not values.dropna().map(lambda v: isinstance(v, str)).all():
            raise NotCovered("a comparison of dates")
        equal, less = values.eq(other), pd.Series(False, index=values.index)
    else:
        raise NotCovered(f"{op} between a text and a number, or the order of texts")
    found = {
        "==": equal,
        "!=": ~equal,
        "<": less,
        "<=": less | equal,
        ">": ~less & ~equal,
        ">=": ~less,
    }[op]
    return found.astype(float).where(known)
