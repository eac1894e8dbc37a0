"""A subgroup as a CDISC Analysis Results Standard where-clause (ARS v1.0, 2024), where it can be one.

ARS compares one variable with constants: EQ NE GT GE LT LE IN NOTIN, joined by AND OR NOT. Data-driven cuts are exported as
the realised value; a comparison of two columns and ``missing()`` have no ARS form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alsbench.study.tree import (
    Aggregate,
    Between,
    Column,
    Comparator,
    Comparison,
    Expression,
    Junction,
    Membership,
    Missing,
    Node,
    Not,
    Value,
    format_number,
)

_NAMES: dict[Comparator, str] = {"==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}
_MIRROR: dict[Comparator, Comparator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _NoForm(Exception):
    """This part has no ARS form."""


def to_ars(expr: Expression, *, dataset: str = "ADSL", cuts: Mapping[Aggregate, float] | None = None) -> dict[str, Any] | None:
    """The where-clause of ``expr``, or None where ARS cannot say it (a cut without a value in ``cuts`` included)."""
    try:
        return _clause(expr.root, dataset, cuts or {}, level=1, order=1)
    except _NoForm:
        return None


def _clause(node: Node, dataset: str, cuts: Mapping[Aggregate, float], *, level: int, order: int) -> dict[str, Any]:
    def condition(variable: str, comparator: str, values: list[str]) -> dict[str, Any]:
        return {"dataset": dataset, "variable": variable, "comparator": comparator, "value": values}

    def compound(operator: str, parts: list[Node]) -> dict[str, Any]:
        clauses = [_clause(p, dataset, cuts, level=level + 1, order=i) for i, p in enumerate(parts, 1)]
        return {"logicalOperator": operator, "whereClauses": clauses}

    place: dict[str, Any] = {"level": level, "order": order}
    match node:
        case Comparison(op, left, right):
            if not isinstance(left, Column):
                op, left, right = _MIRROR[op], right, left
            if not isinstance(left, Column):
                raise _NoForm
            return place | {"condition": condition(left.name, _NAMES[op], [_constant(right, cuts)])}
        case Membership(column, values, negated):
            listed = [_constant(v, cuts) for v in values]
            return place | {"condition": condition(column.name, "NOTIN" if negated else "IN", listed)}
        case Between(column, low, high, negated):
            ends: list[Node] = [Comparison(">=", column, low), Comparison("<=", column, high)]
            if negated:
                ends = [Comparison("<", column, low), Comparison(">", column, high)]
            return place | {"compoundExpression": compound("OR" if negated else "AND", ends)}
        case Not(term):
            return place | {"compoundExpression": compound("NOT", [term])}
        case Junction(word, terms):
            return place | {"compoundExpression": compound(word.upper(), list(terms))}
        case Missing():
            raise _NoForm
    raise TypeError(f"not a part of an expression: {type(node).__name__}")


def _constant(operand: object, cuts: Mapping[Aggregate, float]) -> str:
    if isinstance(operand, Aggregate) and operand in cuts:
        return repr(float(cuts[operand]))
    if isinstance(operand, Value):
        return format_number(float(operand.value)) if operand.kind == "number" else str(operand.value)
    raise _NoForm
