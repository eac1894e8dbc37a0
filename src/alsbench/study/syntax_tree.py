"""The tree of an expression: its parts as small frozen dataclasses, the one canonical spelling of each tree, and the CDISC
Analysis Results Standard where-clause (ARS v1.0, 2024) that it can be.

``position`` is the 0-based offset of a part in the text it came from; it takes no part in equality.

ARS compares one variable with constants: EQ NE GT GE LT LE IN NOTIN, joined by AND OR NOT. Data-driven cuts are exported as
the realised value; a comparison of two columns and ``missing()`` have no ARS form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Comparator = Literal["==", "!=", "<", "<=", ">", ">="]
MIRRORED: dict[Comparator, Comparator] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}  # a op b is b MIRRORED[op] a
AggregateFunction = Literal["mean", "median", "quantile"]
_NAMES: dict[Comparator, str] = {"==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}


@dataclass(frozen=True)
class ColumnRef:
    """A column by name; ``position`` is where it first stands in the text."""

    name: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Value:
    """A number (always a double), a text or a truth value."""

    value: float | str | bool
    kind: Literal["number", "text", "boolean"]
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if self.kind == "number":
            return format_number(float(self.value))
        text = str(self.value)
        if self.kind == "boolean":
            return text
        return f"'{text}'" if '"' in text else f'"{text}"'


@dataclass(frozen=True)
class Aggregate:
    """A cut taken from the data of the whole population: ``mean(X)``, ``median(X)``, ``quantile(X, q)``."""

    function: AggregateFunction
    column: str
    q: float | None = None
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return (
            f"{self.function}({self.column})" if self.q is None else f"{self.function}({self.column}, {format_number(self.q)})"
        )


Operand = ColumnRef | Value | Aggregate


@dataclass(frozen=True)
class Compare:
    op: Comparator
    left: Operand
    right: Operand


@dataclass(frozen=True)
class InList:
    column: ColumnRef
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True)
class Between:
    """``column in (low..high)``, both ends included."""

    column: ColumnRef
    low: Value
    high: Value
    negated: bool = False


@dataclass(frozen=True)
class Missing:
    column: ColumnRef


@dataclass(frozen=True)
class Not:
    term: Node


@dataclass(frozen=True)
class Junction:
    word: Literal["and", "or"]
    terms: tuple[Node, ...]


Node = Compare | InList | Between | Missing | Not | Junction


@dataclass(frozen=True)
class Expression:
    """A parsed expression. Two expressions are equal when their trees are."""

    text: str = field(compare=False)
    root: Node

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named, aggregated ones included, in order of first appearance."""
        return tuple(dict.fromkeys(o.column if isinstance(o, Aggregate) else o.name for o in self._named()))

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """Every cut to be taken from the data, each once."""
        return tuple(dict.fromkeys(o for o in self._named() if isinstance(o, Aggregate)))

    def canonical(self) -> str:
        """The one spelling of this tree: equal expressions have equal canonical texts, and it parses back to the same tree."""
        return _write(self.root)

    def __str__(self) -> str:
        return self.text

    def _named(self) -> Iterator[ColumnRef | Aggregate]:
        return (o for o in operands(self.root) if not isinstance(o, Value))


def operands(node: Node) -> Iterator[Operand]:
    """Every operand under ``node`` from left to right."""
    match node:
        case Compare(_, left, right):
            yield left
            yield right
        case InList(column, values):
            yield column
            yield from values
        case Between(column, low, high):
            yield from (column, low, high)
        case Missing(column):
            yield column
        case Not(term):
            yield from operands(term)
        case Junction(_, terms):
            for term in terms:
                yield from operands(term)


def format_number(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _write(node: Node) -> str:
    match node:
        case Compare(op, left, right):
            return f"{left} {op} {right}"
        case InList(column, values, negated):
            return f"{column} {'not in' if negated else 'in'} ({', '.join(map(str, values))})"
        case Between(column, low, high, negated):
            return f"{column} {'not in' if negated else 'in'} ({low}..{high})"
        case Missing(column):
            return f"missing({column})"
        case Not(term):
            return f"not {_bracket(term)}"
        case Junction(word, terms):
            return f" {word} ".join(map(_bracket, terms))
    raise TypeError(type(node))


def _bracket(node: Node) -> str:
    return f"({_write(node)})" if isinstance(node, (Junction, Not)) else _write(node)


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
        case Compare(op, left, right):
            if not isinstance(left, ColumnRef):
                op, left, right = MIRRORED[op], right, left
            if not isinstance(left, ColumnRef):
                raise _NoForm
            return place | {"condition": condition(left.name, _NAMES[op], [_constant(right, cuts)])}
        case InList(column, values, negated):
            listed = [_constant(v, cuts) for v in values]
            return place | {"condition": condition(column.name, "NOTIN" if negated else "IN", listed)}
        case Between(column, low, high, negated):
            ends: list[Node] = [Compare(">=", column, low), Compare("<=", column, high)]
            if negated:
                ends = [Compare("<", column, low), Compare(">", column, high)]
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
