"""For whom an expression holds, over arrays: the same language as subgroups, evaluated without a database.

Unknown (a missing value) counts as not holding.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.errors import UsageError
from alsbench.study.expression import Expression
from alsbench.study.names import nearest
from alsbench.study.tree import Aggregate, Between, Column, Comparison, Junction, Membership, Missing, Node, Not, Operand, Value

BoolArray = NDArray[np.bool_]
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(expression: Expression, columns: Mapping[str, NDArray[np.generic]]) -> BoolArray:
    """True (n,) where ``expression`` holds over complete ``columns`` (n,). Raises UsageError for an unknown column."""
    for name in expression.columns:
        if name not in columns:
            raise UsageError(f"an effect's where names no baseline column {name}", hint=nearest(name, columns))
    return _node(expression.root, columns)


def _node(node: Node, columns: Mapping[str, NDArray[np.generic]]) -> BoolArray:
    match node:
        case Comparison(op, left, right):
            return np.asarray(_COMPARE[op](_operand(left, columns), _operand(right, columns)), dtype=np.bool_)
        case Membership(column, values, negated):
            inside: BoolArray = np.isin(columns[column.name], [v.value for v in values])
            return ~inside if negated else inside
        case Between(column, low, high, negated):
            x = columns[column.name]
            inside = np.asarray((x >= low.value) & (x <= high.value), dtype=np.bool_)  # type: ignore[operator]
            return ~inside if negated else inside
        case Missing(column):
            x = columns[column.name]
            gone: BoolArray = np.isnan(x) if x.dtype.kind == "f" else np.asarray(x == "", dtype=np.bool_)
            return gone
        case Not(term):
            return ~_node(term, columns)
        case Junction(word, terms):
            parts = [_node(t, columns) for t in terms]
            joined: BoolArray = np.logical_and.reduce(parts) if word == "and" else np.logical_or.reduce(parts)
            return joined
    raise TypeError(f"not a part of an expression: {type(node).__name__}")


def _operand(operand: Operand, columns: Mapping[str, NDArray[np.generic]]) -> Any:
    match operand:
        case Value(value):
            return value
        case Column(name):
            return columns[name]
        case Aggregate("mean", name):
            return float(np.mean(columns[name].astype(np.float64)))
        case Aggregate(_, name, q):
            share = 0.5 if q is None else q
            return float(np.quantile(columns[name].astype(np.float64), share, method="averaged_inverted_cdf"))
    raise TypeError(f"not an operand: {type(operand).__name__}")
