"""What may stand for one variable in a formula: a column, ``C(column)``, or arithmetic on columns. No text is evaluated.

patsy splits a formula into terms; each piece of code in it is read here with the standard library's ``ast`` under a whitelist
and computed by NumPy, in place of patsy's own ``eval``. No attribute, index, lambda, comprehension, keyword of another function
or name of the caller's is known. C takes patsy's codings (Treatment, Sum, Poly, Helmert, Diff) with literal arguments.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alsbench.errors import UsageError

Array = NDArray[np.float64]
Values = Mapping[str, Any]  # columns by name: float arrays or pandas categoricals; whole factors by FACTOR + code

FACTOR = "\0"
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "I": lambda x: x,
    "abs": np.abs,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "sqrt": np.sqrt,
}
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
CODINGS = ("Treatment", "Sum", "Poly", "Helmert", "Diff")
KNOWN = "known: columns, C(column), Q('column'), " + ", ".join(f"{name}(...)" for name in FUNCTIONS)


@dataclass(frozen=True)
class FormulaFactor:
    """One variable of a formula, in the form patsy takes factors; equal where the code is."""

    code: str
    origin: ClassVar[None] = None  # patsy's place in the text, for messages of its own

    @cached_property
    def tree(self) -> ast.expr:
        """The checked syntax tree. UsageError for anything not on the list."""
        try:
            tree = ast.parse(self.code, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise _refused(self.code, "it cannot be read") from None
        _check(tree, self.code, depth=0)
        if not _columns(tree):
            raise _refused(self.code, "it names no column")
        return tree

    @cached_property
    def classified(self) -> str | None:
        """The column of ``C(column)``."""
        if isinstance(self.tree, ast.Call) and _function(self.tree) == "C":
            return _column(self.tree.args[0])
        return None

    @cached_property
    def bare(self) -> str | None:
        """The column, where the factor is nothing but its name."""
        return _column(self.tree)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every column the factor reads, in order of appearance."""
        if self.classified is not None:
            return (self.classified,)
        return tuple(dict.fromkeys(_columns(self.tree)))

    # the protocol of patsy's factors: nothing is memorised, so any rows give the coding of the fitted ones
    def name(self) -> str:
        return self.code

    def memorize_passes_needed(self, state: dict[str, Any], eval_env: object) -> int:
        del state, eval_env
        return 0

    def eval(self, state: dict[str, Any], data: Values) -> Any:
        del state
        if FACTOR + self.code in data:
            return data[FACTOR + self.code]
        if self.classified is not None:
            return self._coded(data[self.classified])
        if self.bare is not None:
            return data[self.bare]
        return _compute(self.tree, data, self.code)

    def _coded(self, values: pd.Categorical) -> Any:
        from patsy.categorical import C  # waits: patsy

        assert isinstance(self.tree, ast.Call)  # noqa: S101 - checked when read
        coding, levels = _coding(self.tree, self.code)
        if levels is not None:
            unknown = [v for v in values.categories if v not in levels]
            if unknown:
                raise UsageError(f"{self.code} leaves out the level {unknown[0]}", where="formula")
            values = values.reorder_categories([v for v in levels if v in values.categories])
        return C(values, coding)


def _refused(code: str, why: str, hint: str = KNOWN) -> UsageError:
    return UsageError(f"{code} cannot stand in a formula: {why}", where="formula", hint=hint)


def _check(node: ast.AST, code: str, depth: int) -> None:
    """UsageError unless the tree is a column, a known function of checked trees, or arithmetic on them."""
    if depth > 40:
        raise _refused(code, "it is nested too deeply")
    match node:
        case ast.Name():
            return
        case ast.Constant(value=value) if type(value) in (int, float) and depth > 0:
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            _check(inner, code, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS and depth > 0:
            _check(left, code, depth + 1)
            _check(right, code, depth + 1)
        case ast.Call():
            _check_call(node, code, depth)
        case ast.Attribute():
            raise _refused(code, "attributes are not read", f"a column with a dot in its name is Q('A.B'); {KNOWN}")
        case ast.BinOp(op=ast.BitXor()):
            raise _refused(code, "^ is not read", f"a power is written **; {KNOWN}")
        case ast.Compare() | ast.BoolOp():
            raise _refused(code, "comparisons are not read", f"make a column of it first; {KNOWN}")
        case _:
            raise _refused(code, "this is not known", KNOWN)


def _check_call(node: ast.Call, code: str, depth: int) -> None:
    name = _function(node)
    if name == "Q" and _column(node) is not None:
        return
    if isinstance(node.func, ast.Attribute):
        raise _refused(code, "functions of modules are not called", f"write {node.func.attr}(...); {KNOWN}")
    if name == "C":
        if depth:
            raise _refused(code, "C stands alone, not inside of another function")
        if not node.args or _column(node.args[0]) is None:
            raise _refused(code, "C takes the name of a column")
        _coding(node, code)
        return
    if name not in FUNCTIONS:
        near = difflib.get_close_matches(str(name), FUNCTIONS, n=1) if name else []
        hint = (f"did you mean {near[0]}? " if near else "") + KNOWN
        raise _refused(code, f"{name or 'this call'} is no function of formulas", hint)
    if len(node.args) != 1 or node.keywords:
        raise _refused(code, f"{name} takes one argument")
    _check(node.args[0], code, depth + 1)


def _function(node: ast.Call) -> str | None:
    return node.func.id if isinstance(node.func, ast.Name) else None


def _column(node: ast.AST) -> str | None:
    """The column a node names: ``BASE`` or ``Q("BASE LINE")``."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="Q"), args=[ast.Constant(value=str(name))], keywords=[]):
            return name
    return None


def _columns(node: ast.AST) -> list[str]:
    own = _column(node)
    if own is not None:
        return [own]
    match node:
        case ast.Call(func=ast.Name(id="C"), args=[first, *_]):
            return _columns(first)
        case ast.Call(args=args):
            return [name for part in args for name in _columns(part)]
        case ast.BinOp(left=left, right=right):
            return _columns(left) + _columns(right)
        case ast.UnaryOp(operand=inner):
            return _columns(inner)
    return []


def _compute(node: ast.AST, data: Values, code: str) -> Any:
    own = _column(node)
    if own is not None:
        return numbers_of(data[own], own, code)
    with np.errstate(all="ignore"):  # what is not finite is refused where the rows are known
        match node:
            case ast.Constant(value=int(value) | float(value)):
                return float(value)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -_compute(inner, data, code)
            case ast.UnaryOp(operand=inner):
                return _compute(inner, data, code)
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](_compute(left, data, code), _compute(right, data, code))
            case ast.Call(args=[inner]):
                return FUNCTIONS[str(_function(node))](_compute(inner, data, code))
    raise TypeError(type(node))


def numbers_of(values: Any, name: str, code: str) -> Array:
    """A column as numbers; UsageError for a classification."""
    if isinstance(values, pd.Categorical):
        raise UsageError(f"{name} is a classification, where numbers are needed", where=f"formula: {code}")
    return np.asarray(values, dtype=np.float64)


def _coding(node: ast.Call, code: str) -> tuple[Any, list[Any] | None]:
    """The coding of ``C(column, coding, levels=[...])``: patsy's object or None, and the order of the levels or None."""
    import patsy  # waits: patsy

    keywords = {k.arg: k.value for k in node.keywords}
    given = node.args[1] if len(node.args) > 1 else keywords.pop("contrast", None)
    listed = node.args[2] if len(node.args) > 2 else keywords.pop("levels", None)
    if keywords or len(node.args) > 3:
        raise _refused(code, "C takes a column, a coding and levels")
    levels = None
    if listed is not None:
        levels = _literal(listed, code)
        if not isinstance(levels, (list, tuple)):
            raise _refused(code, "levels are a list")
    match given:
        case None:
            return None, levels
        case ast.Name(id=name) if name in CODINGS:
            return getattr(patsy, name), levels
        case ast.Call(func=ast.Name(id=name), args=args, keywords=options) if name in CODINGS:
            values = [_literal(a, code) for a in args]
            named = {str(k.arg): _literal(k.value, code) for k in options}
            try:
                return getattr(patsy, name)(*values, **named), levels
            except TypeError as error:
                raise _refused(code, str(error)) from None
    raise _refused(code, "the coding is not known", f"known: {', '.join(CODINGS)}, such as Treatment('Placebo')")


def _literal(node: ast.AST, code: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise _refused(code, "only texts and numbers may be given to it") from None
