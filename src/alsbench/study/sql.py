"""From tree to SQL: column names quoted, every value bound, types checked against the columns as loaded.

Numbers that differ by floating-point noise are equal: a cut is widened by ``NOISE`` of its size before it is bound, so that
0.30000000000000004 is 0.3 and whoever stands at the mean is at the mean, however it was summed. Whole numbers stay apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from alsbench.errors import ExpressionError
from alsbench.study import syntax_tree as tree
from alsbench.study.expression import fault
from alsbench.study.names import nearest

NOISE = 1e-12  # relative: values read from files or made by a few operations agree to this, different ones never do
APART = 0.25  # and no more: numbers that identify (1000000000001) are whole

Kind = Literal["number", "text", "date", "boolean"]

_SQL_COMPARATORS: dict[tree.Comparator, str] = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_EXAMPLES: dict[Kind, str] = {"number": "{} > 50", "text": '{} == "Y"', "date": '{} < "2024-01-31"', "boolean": "{} == True"}


@dataclass(frozen=True)
class Where:
    """A condition ready to run: ``sql`` holds quoted columns and ``?`` only, ``params`` the values in their order."""

    sql: str
    params: tuple[object, ...] = ()

    def __and__(self, other: Where) -> Where:
        return Where(f"({self.sql}) AND ({other.sql})", self.params + other.params)

    def __invert__(self) -> Where:
        return Where(f"NOT ({self.sql})", self.params)


def compile_sql(expr: tree.Expression, kinds: Mapping[str, Kind], cuts: Mapping[tree.Aggregate, float] | None = None) -> Where:
    """The condition of ``expr`` over columns of ``kinds`` (name -> kind), aggregates replaced by their realised ``cuts``.

    A cut that is NaN makes its comparison unknown for everybody. Raises ExpressionError for an unknown column (naming the
    nearest), for kinds that cannot be compared and for an aggregate without a cut.
    """
    return _Compiler(expr, kinds, cuts or {}).node(expr.root)


def check_columns(expr: tree.Expression, kinds: Mapping[str, Kind]) -> None:
    """Raise as :func:`compile_sql` would, without needing the cuts."""
    compile_sql(expr, kinds, dict.fromkeys(expr.aggregates, 0.0))


def quote(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def noise(value: float) -> float:
    """By how much a number may differ from ``value`` and be it."""
    return min(NOISE * abs(value), APART)


def _within(column: str, ranges: list[tuple[float, float]], negated: bool) -> Where:
    """``column`` in one of the closed ranges, each wider by the noise of its ends."""
    marks = " OR ".join(f"({column} BETWEEN ? AND ?)" for _ in ranges)
    params = tuple(v for low, high in ranges for v in (low - noise(low), high + noise(high)))
    return Where(f"{'NOT ' if negated else ''}({marks})", params)


SqlOperand = tuple[str, tuple[object, ...]]


def _compared(op: tree.Comparator, left: SqlOperand, right: SqlOperand) -> Where:
    """A comparison of numbers: a column with a bound number on either side, or two columns."""
    if left[0] == "?":
        return _compared(tree.MIRRORED[op], right, left)
    if right[0] != "?":
        return _columns_compared(op, left[0], right[0])
    (value,) = right[1]
    if value is None:
        return Where(f"{left[0]} {_SQL_COMPARATORS[op]} ?", (None,))
    number = float(str(value))
    if op in ("==", "!="):
        return _within(left[0], [(number, number)], op == "!=")
    wider = noise(number) if op in ("<=", ">") else -noise(number)
    return Where(f"{left[0]} {_SQL_COMPARATORS[op]} ?", (number + wider,))


def _columns_compared(op: tree.Comparator, a: str, b: str) -> Where:
    """Two columns: equal where they differ by no more than the noise of the larger."""
    slack = f"least({NOISE!r} * greatest(abs({a}), abs({b})), {APART!r})"
    if op in ("==", "!="):
        return Where(f"{'NOT ' if op == '!=' else ''}({a} BETWEEN {b} - {slack} AND {b} + {slack})")
    sign = "+" if op in ("<=", ">") else "-"
    return Where(f"{a} {_SQL_COMPARATORS[op]} {b} {sign} {slack}")


class _Compiler:
    def __init__(self, expr: tree.Expression, kinds: Mapping[str, Kind], cuts: Mapping[tree.Aggregate, float]) -> None:
        self.expr = expr
        self.kinds = kinds
        self.cuts = cuts

    def refuse(self, what: str, operand: tree.Operand, hint: str = "") -> ExpressionError:
        return fault(what, self.expr.text, operand.position, hint=hint)

    def node(self, node: tree.Node) -> Where:
        match node:
            case tree.Compare():
                return self._comparison(node)
            case tree.InList(column, values, negated):
                kind = self._column(column)
                marks, params = zip(*(self._value(v, kind, column) for v in values), strict=True)
                if kind == "number":
                    return _within(quote(column.name), [(float(str(p)), float(str(p))) for p in params], negated)
                return Where(f"{quote(column.name)} {'NOT ' if negated else ''}IN ({', '.join(marks)})", params)
            case tree.Between(column, low, high, negated):
                kind = self._column(column)
                self._ordered(kind, column)
                (first, a), (last, b) = self._value(low, kind, column), self._value(high, kind, column)
                if kind == "number":
                    return _within(quote(column.name), [(float(str(a)), float(str(b)))], negated)
                return Where(f"{quote(column.name)} {'NOT ' if negated else ''}BETWEEN {first} AND {last}", (a, b))
            case tree.Missing(column):
                self._column(column)
                return Where(f"{quote(column.name)} IS NULL")
            case tree.Not(term):
                return ~self.node(term)
            case tree.Junction(word, terms):
                parts = [self.node(t) for t in terms]
                joined = f" {word.upper()} ".join(f"({p.sql})" for p in parts)
                return Where(joined, tuple(v for p in parts for v in p.params))
        raise TypeError(f"not a part of an expression: {type(node).__name__}")

    def _comparison(self, node: tree.Compare) -> Where:
        left, right = node.left, node.right
        anchor = left if isinstance(left, tree.ColumnRef) else right
        if not isinstance(anchor, tree.ColumnRef):
            raise self.refuse("a comparison needs a column on one side", left)
        kind = self._column(anchor)
        if node.op not in {"==", "!="}:
            self._ordered(kind, anchor)
        (a, before), (b, after) = self._operand(left, kind, anchor), self._operand(right, kind, anchor)
        if kind == "number":
            return _compared(node.op, (a, before), (b, after))
        return Where(f"{a} {_SQL_COMPARATORS[node.op]} {b}", (*before, *after))

    def _operand(self, operand: tree.Operand, kind: Kind, anchor: tree.ColumnRef) -> tuple[str, tuple[object, ...]]:
        if isinstance(operand, tree.Value):
            mark, value = self._value(operand, kind, anchor)
            return mark, (value,)
        if isinstance(operand, tree.Aggregate):
            return "?", (self._cut(operand, kind, anchor),)
        other = self._column(operand)
        if other != kind:
            raise self.refuse(f"{anchor.name} is a {kind} and {operand.name} a {other}: they cannot be compared", operand)
        return quote(operand.name), ()

    def _cut(self, aggregate: tree.Aggregate, kind: Kind, anchor: tree.ColumnRef) -> float | None:
        of = self._column(tree.ColumnRef(aggregate.column, aggregate.position))
        if of != "number":
            raise self.refuse(f"{aggregate} needs a number; {aggregate.column} is a {of}", aggregate)
        if kind != "number":
            raise self.refuse(f"{anchor.name} is a {kind} and {aggregate} a number: they cannot be compared", anchor)
        if aggregate not in self.cuts:
            raise self.refuse(f"no value is known for {aggregate}", aggregate)
        value = float(self.cuts[aggregate])
        return None if math.isnan(value) else value

    def _column(self, column: tree.ColumnRef) -> Kind:
        if column.name not in self.kinds:
            raise self.refuse(f"there is no column {column.name}", column, nearest(column.name, self.kinds))
        return self.kinds[column.name]

    def _ordered(self, kind: Kind, column: tree.ColumnRef) -> None:
        if kind in {"text", "boolean"}:
            hint = (
                f'write {column.name} == "A" or {column.name} in ("A", "B")'
                if kind == "text"
                else f"write {column.name} == True"
            )
            raise self.refuse(f"{column.name} is a {kind} and has no order", column, hint)

    def _value(self, value: tree.Value, kind: Kind, column: tree.ColumnRef) -> tuple[str, object]:
        wanted = "text" if kind == "date" else kind
        if value.kind != wanted:
            article = f"{column.name} is a {kind} and {value} a {value.kind}: they cannot be compared"
            raise self.refuse(article, value, f"for instance: {_EXAMPLES[kind].format(column.name)}")
        if kind != "date":
            return "?", value.value
        try:
            return "CAST(? AS DATE)", date.fromisoformat(str(value.value)).isoformat()
        except ValueError:
            raise self.refuse(f"{value} is not a date", value, "dates are written YYYY-MM-DD") from None
