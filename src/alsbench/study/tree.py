"""The tree of an expression: its parts as small frozen dataclasses, and the one canonical spelling of each tree.

``position`` is the 0-based offset of a part in the text it came from; it takes no part in equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Comparator = Literal["==", "!=", "<", "<=", ">", ">="]
AggregateFunction = Literal["mean", "median", "quantile"]


@dataclass(frozen=True)
class Column:
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


Operand = Column | Value | Aggregate


@dataclass(frozen=True)
class Comparison:
    op: Comparator
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Membership:
    column: Column
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True)
class Between:
    """``column in (low..high)``, both ends included."""

    column: Column
    low: Value
    high: Value
    negated: bool = False


@dataclass(frozen=True)
class Missing:
    column: Column


@dataclass(frozen=True)
class Not:
    term: Node


@dataclass(frozen=True)
class Junction:
    word: Literal["and", "or"]
    terms: tuple[Node, ...]


Node = Comparison | Membership | Between | Missing | Not | Junction


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

    def _named(self) -> Iterator[Column | Aggregate]:
        return (o for o in operands(self.root) if not isinstance(o, Value))


def operands(node: Node) -> Iterator[Operand]:
    """Every operand under ``node`` from left to right."""
    match node:
        case Comparison(_, left, right):
            yield left
            yield right
        case Membership(column, values):
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
        case Comparison(op, left, right):
            return f"{left} {op} {right}"
        case Membership(column, values, negated):
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
