"""From text to tree: the standard library's ``ast`` under a whitelist.

The text has been checked token by token (:mod:`alsbench.study.lexis`) before Python's parser sees it, and every node that
comes back is matched against the few that are allowed; all else is refused with its position.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Literal

from alsbench.errors import ExpressionError
from alsbench.study.lexis import MAX_DEPTH, fault, scan
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
    Operand,
    Value,
)

_COMPARATORS: dict[type[ast.cmpop], Comparator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def parse(text: str) -> Expression:
    """Read an expression. Raises ExpressionError with ``.position``, the 0-based offset of the fault in ``text``."""
    tokens = scan(text)
    lead = len(tokens.source) - len(tokens.source.lstrip())
    try:
        tree = ast.parse(tokens.source.lstrip(), mode="eval")
    except SyntaxError as error:
        at = lead + error.offset - 1 if error.offset and error.lineno == 1 else len(text.rstrip())
        raise fault("the expression cannot be read", text, at, hint=_syntax_hint(text, at, error.msg)) from None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        raise fault("the expression is too deep or a number in it too long", text, 0) from None
    reader = _Reader(text, tokens.source.lstrip(), lead, tokens.ranges)
    root = reader.term(tree.body, 0)
    reader.check_ranges()
    return Expression(text, root)


def _syntax_hint(text: str, position: int, message: str) -> str:
    if "leading zeros" in message:
        return 'codes with leading zeros are text: write "01"'
    if "never closed" in message or "unterminated" in message or not text[position:].strip():
        return "the expression stops too early"
    return 'for instance: LEADRATE <= mean(LEADRATE), SEX == "M" and AGE in (50..65)'


class _Reader:
    """Turns the whitelisted part of Python's syntax tree into ours."""

    def __init__(self, text: str, source: str, lead: int, ranges: frozenset[int]) -> None:
        self.text = text
        self.lines = source.encode()
        self.lead = lead
        self.ranges = ranges
        self.used: set[int] = set()

    def at(self, node: ast.expr) -> int:
        return self.lead + len(self.lines[: node.col_offset].decode())

    def end(self, node: ast.expr) -> int:
        return self.lead + len(self.lines[: node.end_col_offset].decode())

    def refuse(self, what: str, node: ast.expr, hint: str = "") -> ExpressionError:
        return fault(what, self.text, self.at(node), hint=hint)

    def check_ranges(self) -> None:
        for position in sorted(self.ranges - self.used):
            raise fault("a range may only stand in a list: COLUMN in (50..65)", self.text, position - 1)

    def term(self, node: ast.expr, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.refuse("the expression is nested too deeply", node)
        match node:
            case ast.BoolOp(op=op, values=values):
                word: Literal["and", "or"] = "and" if isinstance(op, ast.And) else "or"
                return Junction(word, tuple(self._flat(word, [self.term(v, depth + 1) for v in values])))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.term(operand, depth + 1))
            case ast.Compare():
                return self._compare(node)
            case ast.Call(func=ast.Name(id="missing")):
                return Missing(self._only_column(node))
            case ast.Name(id=name):
                raise self.refuse(f"{name} alone is not a condition", node, f'compare it: {name} == "Y", {name} > 0')
            case ast.Tuple():
                raise self.refuse("a list or range is not a condition", node, "write COLUMN in (50..65)")
        raise self.refuse("this is not a condition", node, "a condition compares a column with something")

    @staticmethod
    def _flat(word: str, terms: list[Node]) -> Iterator[Node]:
        for term in terms:
            if isinstance(term, Junction) and term.word == word:
                yield from term.terms
            else:
                yield term

    def _compare(self, node: ast.Compare) -> Node:
        chain = [node.left, *node.comparators]
        pairs = [self._pair(op, chain[i], chain[i + 1]) for i, op in enumerate(node.ops)]
        return pairs[0] if len(pairs) == 1 else Junction("and", tuple(self._flat("and", pairs)))

    def _pair(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> Node:
        if isinstance(op, (ast.In, ast.NotIn)):
            return self._membership(left, right, negated=isinstance(op, ast.NotIn))
        if type(op) not in _COMPARATORS:
            raise self.refuse("only == != < <= > >= and in compare", right, "write missing(COLUMN) for a missing value")
        a, b = self._operand(left), self._operand(right)
        if not isinstance(a, Column) and not isinstance(b, Column):
            raise self.refuse("a comparison needs a column on one side", left)
        return Comparison(_COMPARATORS[type(op)], a, b)

    def _membership(self, left: ast.expr, right: ast.expr, *, negated: bool) -> Node:
        column = self._operand(left)
        if not isinstance(column, Column):
            raise self.refuse("only a column can be in a list", left)
        items = right.elts if isinstance(right, (ast.Tuple, ast.List)) else [right]
        if not items:
            raise self.refuse("the list is empty", right)
        values: list[Value] = []
        for item in items:
            value = self._operand(item)
            if not isinstance(value, Value):
                raise self.refuse("a list holds numbers or texts", item)
            if values and value.kind != values[0].kind:
                raise self.refuse("a list holds values of one kind", item)
            values.append(value)
        between = [r for r in self.ranges if self.at(right) <= r < self.end(right)]
        if not between:
            return Membership(column, tuple(dict.fromkeys(values)), negated)
        self.used.update(between)
        low, high = values[0], values[-1]
        if len(values) != 2 or len(between) != 1 or low.kind == "boolean":
            raise self.refuse("a range has two ends and stands alone", right, "write COLUMN in (50..65)")
        if low.kind == "number" and float(low.value) > float(high.value):
            raise self.refuse("the range ends before it begins", right)
        return Between(column, low, high, negated)

    def _operand(self, node: ast.expr) -> Operand:
        position = self.at(node)
        match node:
            case ast.Name(id=name):
                return Column(name, position)
            case ast.Constant(value=bool() as truth):
                return Value(truth, "boolean", position)
            case ast.Constant(value=str() as text):
                return Value(text, "text", position)
            case ast.Constant(value=int() | float()):
                return Value(self._number(node), "number", position)
            case ast.UnaryOp(op=sign, operand=ast.Constant(value=int() | float() as size) as inner) if not (
                isinstance(size, bool) or isinstance(sign, (ast.Not, ast.Invert))
            ):
                number = self._number(inner)
                return Value(-number if isinstance(sign, ast.USub) else number, "number", position)
            case ast.Call():
                return self._aggregate(node)
        raise self.refuse("expected a column, number, text, mean(), median() or quantile()", node)

    def _number(self, node: ast.Constant) -> float:
        try:
            value = float(node.value)  # type: ignore[arg-type]
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self.refuse("the number is too large", node)
        return value

    def _aggregate(self, node: ast.Call) -> Aggregate:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in {"mean", "median", "quantile"}:
            hint = (
                "missing(COLUMN) is a condition of its own" if name == "missing" else "known: mean, median, quantile, missing"
            )
            raise self.refuse(f"{name or 'this'} is not a function of this language", node, hint)
        if name != "quantile":
            column = self._only_column(node)
            return Aggregate("mean" if name == "mean" else "median", column.name, None, self.at(node))
        if len(node.args) != 2 or node.keywords:
            raise self.refuse("quantile takes a column and a share", node, "for instance: quantile(AGE, 0.25)")
        share = self._operand(node.args[1])
        if not isinstance(share, Value) or share.kind != "number" or not 0 <= float(share.value) <= 1:
            raise self.refuse("the share of a quantile lies between 0 and 1", node.args[1])
        return Aggregate("quantile", self._column(node.args[0]).name, float(share.value), self.at(node))

    def _only_column(self, node: ast.Call) -> Column:
        if len(node.args) != 1 or node.keywords:
            raise self.refuse("this function takes one column", node)
        return self._column(node.args[0])

    def _column(self, node: ast.expr) -> Column:
        if not isinstance(node, ast.Name):
            raise self.refuse("expected a column name", node)
        return Column(node.id, self.at(node))
