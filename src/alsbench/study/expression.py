"""The subgroup and record language: ``LEADRATE <= mean(LEADRATE)``, ``BLNFL < 52 and ONSETSIT == "LIMB"``, ``AGE in (50..65)``.

Comparisons (chained ones too), ``and``/``or``/``not``, ``in`` and ``not in`` with lists and closed ranges, numbers, texts,
``True``/``False``, ``missing(COLUMN)`` and the data-driven cuts ``mean``, ``median`` and ``quantile(COLUMN, q)``. SQL's
three-valued logic is kept: where a value is missing the expression is unknown, and the subject is neither in the subgroup nor
in its complement.

A text is cut into tokens under a whitelist: names, numbers, plain strings without escapes, comparison signs, brackets, commas,
signs and the range mark ``..``. Anything else is refused where it stands, so that the parser behind never sees comments, string
prefixes, escapes, attribute dots or non-ASCII look-alikes of column names. That parser is the standard library's ``ast``: every
node that comes back is matched against the few that are allowed; all else is refused with its position.
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from alsbench.errors import ExpressionError
from alsbench.study import syntax_tree as tree

MAX_LENGTH = 2000
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"[^"\\\r\n]*"|'[^'\\\r\n]*')
      | (?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<range>\.\.)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign><=|>=|==|!=|<|>|\(|\)|\[|\]|,|-|\+)""",
    re.VERBOSE,
)
_EQUAL = re.compile(r"""("[^"]*"?|'[^']*'?|[<>=!]=)|=""")
_HINTS = {
    "=": "equality is written ==",
    "&": "write and",
    "|": "write or",
    "!": "write not, or != for not equal",
    "~": "write not",
    "\\": "strings hold no escapes: use the other kind of quote around a quote",
    '"': "a string is not closed",
    "'": "a string is not closed",
    ";": "an expression is one condition",
    "*": "there is no arithmetic in expressions",
    "/": "there is no arithmetic in expressions",
    "%": "there is no arithmetic in expressions",
}
_WORDS = {"and", "or", "not", "in"}
_FOREIGN = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "And": "and", "Or": "or", "Not": "not", "is": "missing(COLUMN)"}
_COMPARATORS: dict[type[ast.cmpop], tree.Comparator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


@dataclass(frozen=True)
class Tokens:
    """``source`` has the length of the text: range marks stand as `` ,`` (at offsets ``ranges``), line ends as blanks."""

    source: str
    ranges: frozenset[int]


def caret(text: str, position: int) -> str:
    """The text with a mark under ``position``, control characters shown as ``?``."""
    shown = "".join("?" if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c for c in text)
    start = max(0, position - 60)
    return f"  {shown[start : start + 100]}\n  {' ' * (position - start)}^"


def fault(what: str, text: str, position: int, *, hint: str = "") -> ExpressionError:
    """An ExpressionError that shows the text and the place."""
    position = min(max(position, 0), len(text))
    return ExpressionError(what, text=text, position=position, why=caret(text, position), hint=hint)


def scan(text: str) -> Tokens:
    """Check every token of ``text``. Raises ExpressionError at the first that is not allowed."""
    if len(text) > MAX_LENGTH:
        raise fault(f"the expression is longer than {MAX_LENGTH} characters", text, MAX_LENGTH)
    if not text.strip():
        raise fault("the expression is empty", text, 0, hint="for instance: AGE >= 65")
    source: list[str] = []
    ranges: set[int] = set()
    position, depth, before, before_text = 0, 0, "space", ""
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _strange(text, position)
        kind, token = str(match.lastgroup), match.group()
        _check_neighbours(text, position, (before, before_text), (kind, token))
        if kind == "range":
            ranges.add(position + 1)
            source.append(" ,")
        else:
            source.append(" " * len(token) if kind == "space" else token)
        depth += (token in {"(", "["}) - (token in {")", "]"})
        if depth > MAX_DEPTH:
            raise fault("brackets are nested too deeply", text, position)
        position = match.end()
        if kind != "space":
            before, before_text = kind, token
        elif before in {"name", "number"}:
            before = before + " "
    return Tokens("".join(source), frozenset(ranges))


def _strange(text: str, position: int) -> ExpressionError:
    char = text[position]
    shown = char if char.isprintable() and char.isascii() else f"U+{ord(char):04X}"
    hint = _HINTS.get(char, "")
    if char == "." and not hint:
        hint = "a range is written (50..65); names hold no dots"
    return fault(f"{shown} is not allowed here", text, position, hint=hint)


def _check_neighbours(text: str, position: int, before: tuple[str, str], now: tuple[str, str]) -> None:
    kind, token = now
    last, last_text = before
    if kind == "name" and last == "number":
        raise fault(f"{last_text}{token} is neither a number nor a name", text, position - len(last_text))
    if kind == "string":
        if last == "string":
            raise fault("two strings stand side by side", text, position, hint='a list is written ("A", "B")')
        if last.strip() == "name" and last_text not in _WORDS:
            raise fault(f"a string cannot follow {last_text}", text, position, hint='for instance: SEX == "M"')
        value = token[1:-1]
        if any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
            raise fault("a string holds a control character", text, position)
        if value == "":
            raise fault("an empty text is a missing value", text, position, hint="write missing(COLUMN)")
    if kind == "name" and token in _FOREIGN and last.strip() in {"name", "number", "string", "sign", "space"}:
        raise fault(f"{token} is not a word of this language", text, position, hint=f"write {_FOREIGN[token]}")


def equality(text: str) -> str:
    """A text where a lone ``=`` stands for ``==``, as in a filter that nobody can mean as an assignment; quoted text stays."""
    return _EQUAL.sub(lambda found: found[1] or "==", text)


def parse(text: str) -> tree.Expression:
    """Read an expression. Raises ExpressionError with ``.position``, the 0-based offset of the fault in ``text``."""
    tokens = scan(text)
    lead = len(tokens.source) - len(tokens.source.lstrip())
    try:
        parsed = ast.parse(tokens.source.lstrip(), mode="eval")
    except SyntaxError as error:
        at = lead + error.offset - 1 if error.offset and error.lineno == 1 else len(text.rstrip())
        raise fault("the expression cannot be read", text, at, hint=_syntax_hint(text, at, error.msg)) from None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        raise fault("the expression is too deep or a number in it too long", text, 0) from None
    reader = _Reader(text, tokens.source.lstrip(), lead, tokens.ranges)
    root = reader.term(parsed.body, 0)
    reader.check_ranges()
    return tree.Expression(text, root)


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

    def term(self, node: ast.expr, depth: int) -> tree.Node:
        if depth > MAX_DEPTH:
            raise self.refuse("the expression is nested too deeply", node)
        match node:
            case ast.BoolOp(op=op, values=values):
                word: Literal["and", "or"] = "and" if isinstance(op, ast.And) else "or"
                return tree.Junction(word, tuple(self._flat(word, [self.term(v, depth + 1) for v in values])))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return tree.Not(self.term(operand, depth + 1))
            case ast.Compare():
                return self._compare(node)
            case ast.Call(func=ast.Name(id="missing")):
                return tree.Missing(self._only_column(node))
            case ast.Name(id=name):
                raise self.refuse(f"{name} alone is not a condition", node, f'compare it: {name} == "Y", {name} > 0')
            case ast.Tuple():
                raise self.refuse("a list or range is not a condition", node, "write COLUMN in (50..65)")
        raise self.refuse("this is not a condition", node, "a condition compares a column with something")

    @staticmethod
    def _flat(word: str, terms: list[tree.Node]) -> Iterator[tree.Node]:
        for term in terms:
            if isinstance(term, tree.Junction) and term.word == word:
                yield from term.terms
            else:
                yield term

    def _compare(self, node: ast.Compare) -> tree.Node:
        chain = [node.left, *node.comparators]
        pairs = [self._pair(op, chain[i], chain[i + 1]) for i, op in enumerate(node.ops)]
        return pairs[0] if len(pairs) == 1 else tree.Junction("and", tuple(self._flat("and", pairs)))

    def _pair(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> tree.Node:
        if isinstance(op, (ast.In, ast.NotIn)):
            return self._membership(left, right, negated=isinstance(op, ast.NotIn))
        if type(op) not in _COMPARATORS:
            raise self.refuse("only == != < <= > >= and in compare", right, "write missing(COLUMN) for a missing value")
        a, b = self._operand(left), self._operand(right)
        if not isinstance(a, tree.ColumnRef) and not isinstance(b, tree.ColumnRef):
            raise self.refuse("a comparison needs a column on one side", left)
        return tree.Compare(_COMPARATORS[type(op)], a, b)

    def _membership(self, left: ast.expr, right: ast.expr, *, negated: bool) -> tree.Node:
        column = self._operand(left)
        if not isinstance(column, tree.ColumnRef):
            raise self.refuse("only a column can be in a list", left)
        items = right.elts if isinstance(right, (ast.Tuple, ast.List)) else [right]
        if not items:
            raise self.refuse("the list is empty", right)
        values: list[tree.Value] = []
        for item in items:
            value = self._operand(item)
            if not isinstance(value, tree.Value):
                raise self.refuse("a list holds numbers or texts", item)
            if values and value.kind != values[0].kind:
                raise self.refuse("a list holds values of one kind", item)
            values.append(value)
        between = [r for r in self.ranges if self.at(right) <= r < self.end(right)]
        if not between:
            return tree.InList(column, tuple(dict.fromkeys(values)), negated)
        self.used.update(between)
        low, high = values[0], values[-1]
        if len(values) != 2 or len(between) != 1 or low.kind == "boolean":
            raise self.refuse("a range has two ends and stands alone", right, "write COLUMN in (50..65)")
        if low.kind == "number" and float(low.value) > float(high.value):
            raise self.refuse("the range ends before it begins", right)
        return tree.Between(column, low, high, negated)

    def _operand(self, node: ast.expr) -> tree.Operand:
        position = self.at(node)
        match node:
            case ast.Name(id=name):
                return tree.ColumnRef(name, position)
            case ast.Constant(value=bool() as truth):
                return tree.Value(truth, "boolean", position)
            case ast.Constant(value=str() as text):
                return tree.Value(text, "text", position)
            case ast.Constant(value=int() | float()):
                return tree.Value(self._number(node), "number", position)
            case ast.UnaryOp(op=sign, operand=ast.Constant(value=int() | float() as size) as inner) if not (
                isinstance(size, bool) or isinstance(sign, (ast.Not, ast.Invert))
            ):
                number = self._number(inner)
                return tree.Value(-number if isinstance(sign, ast.USub) else number, "number", position)
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

    def _aggregate(self, node: ast.Call) -> tree.Aggregate:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in {"mean", "median", "quantile"}:
            hint = (
                "missing(COLUMN) is a condition of its own" if name == "missing" else "known: mean, median, quantile, missing"
            )
            raise self.refuse(f"{name or 'this'} is not a function of this language", node, hint)
        if name != "quantile":
            column = self._only_column(node)
            return tree.Aggregate("mean" if name == "mean" else "median", column.name, None, self.at(node))
        if len(node.args) != 2 or node.keywords:
            raise self.refuse("quantile takes a column and a share", node, "for instance: quantile(AGE, 0.25)")
        share = self._operand(node.args[1])
        if not isinstance(share, tree.Value) or share.kind != "number" or not 0 <= float(share.value) <= 1:
            raise self.refuse("the share of a quantile lies between 0 and 1", node.args[1])
        return tree.Aggregate("quantile", self._column(node.args[0]).name, float(share.value), self.at(node))

    def _only_column(self, node: ast.Call) -> tree.ColumnRef:
        if len(node.args) != 1 or node.keywords:
            raise self.refuse("this function takes one column", node)
        return self._column(node.args[0])

    def _column(self, node: ast.expr) -> tree.ColumnRef:
        if not isinstance(node, ast.Name):
            raise self.refuse("expected a column name", node)
        return tree.ColumnRef(node.id, self.at(node))
