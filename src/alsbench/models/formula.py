"""Formulas: ``CHG ~ ARM * AVISIT + BASE * AVISIT + SEX``, in patsy's language (statsmodels' default).

patsy parses the text and codes the model matrix; what stands for a variable is read by ``models.factors``, so that no text of a
user's is evaluated as Python. The response is one column, or a function of columns such as ``log(AVAL)``.

The model matrix is over the rows of a frame; LS means and type 3 hypotheses are read off it. patsy codes the columns (treatment
coding, or what C(...) asks for; full-rank coding where a margin or the intercept is left out). A least-squares mean is the
average of the model matrix over a reference grid (Lenth 2016, doi 10.18637/jss.v069.i01): factors averaged with equal or
proportional weights, covariates at their mean over the analysed rows. As in emmeans a function of a column is taken at the
column's mean: ``log(BASE)`` stands at log(mean(BASE)). Unlike emmeans, which takes a column of two numbers for a factor,
numbers stay covariates: write C(X). Terms are treated one at a time, since they add up.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import patsy
from numpy.typing import NDArray
from patsy.parse_formula import parse_formula

from alsbench.errors import DataError, UsageError
from alsbench.models.factors import FACTOR, FormulaFactor
from alsbench.models.frames import CategoricalColumn, Column, NumericColumn
from alsbench.stats.design import MOST_CELLS, MOST_COLUMNS, Covariate, Design, Factor, Term, Variable, Weights, aliased_columns
from alsbench.stats.errors import StatsError
from alsbench.study.names import nearest

LONGEST = 10_000  # characters
MOST_TERMS = 500
Array = NDArray[np.float64]
Columns = Mapping[str, Column]
Basis = Literal["sum", "first"]


@dataclass(frozen=True)
class Formula:
    """A formula that has been read: its response, and the terms of its mean as tuples of factors; () is the intercept."""

    text: str
    response: FormulaFactor
    terms: tuple[tuple[FormulaFactor, ...], ...]

    @property
    def factors(self) -> tuple[FormulaFactor, ...]:
        """The factors of the mean, each once, in order of appearance."""
        return tuple(dict.fromkeys(f for term in self.terms for f in term))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named: the response's first."""
        return tuple(dict.fromkeys(c for f in (self.response, *self.factors) for c in f.columns))

    @property
    def classified(self) -> frozenset[str]:
        """The columns that stand in ``C(...)``."""
        return frozenset(f.classified for f in self.factors if f.classified is not None)

    def right_side(self) -> list[Any]:
        """The terms as patsy takes them."""
        return [patsy.desc.Term(list(term)) for term in self.terms]


def read_formula(text: Any) -> Formula:
    """``text`` read and checked. UsageError where it is no formula, has not one response, or names what is not allowed."""
    if not isinstance(text, str):
        raise UsageError(f"a formula is a text, not {type(text).__name__}", hint="such as 'CHG ~ ARM * AVISIT + BASE'")
    if len(text) > LONGEST:
        raise UsageError(f"the formula has {len(text):,} characters; at most {LONGEST:,} are read")
    if "|" in re.sub(r"'[^']*'|\"[^\"]*\"", "", text):
        raise UsageError(
            "subjects and visits are no part of the formula",
            where=f"formula: {text}",
            hint='leave "(1 | ID)" or "us(VISIT | ID)" out and say subject=, visit= and covariance=',
        )
    try:
        tree = parse_formula(text)
        if _terms(tree) > MOST_TERMS:
            raise UsageError(f"the formula has more than {MOST_TERMS} terms", where=f"formula: {text}")
        parsed = patsy.ModelDesc.from_formula(tree)
    except patsy.PatsyError as error:
        raise UsageError(f"the formula cannot be read: {str(error).splitlines()[0]}", where=f"formula: {text}") from None
    except (RecursionError, MemoryError):
        raise UsageError("the formula is nested too deeply") from None
    if len(parsed.lhs_termlist) != 1 or len(parsed.lhs_termlist[0].factors) != 1:
        what = "names no response" if not parsed.lhs_termlist else "has more than one response"
        raise UsageError(f"the formula {what}", where=f"formula: {text}", hint="one column left of ~, such as CHG ~ ARM")
    response = FormulaFactor(parsed.lhs_termlist[0].factors[0].code)
    terms = tuple(tuple(FormulaFactor(f.code) for f in term.factors) for term in parsed.rhs_termlist)
    formula = Formula(text, response, terms)
    if response.classified is not None:
        raise UsageError("the response is a number, not C(...)", where=f"formula: {text}")
    _ = formula.columns  # reads, and so checks, every factor
    return formula


def _terms(node: Any) -> int:
    """No fewer terms than the formula has when it is multiplied out; found before it is."""
    sizes = [_terms(part) for part in node.args] if node.type in ("~", "+", "-", "*", "/", ":", "**") else []
    match node.type, sizes:
        case "*", [a, b]:
            return (a + 1) * (b + 1) - 1
        case ":", [a, b]:
            return a * b
        case "**", [a, _]:
            return sum(math.comb(a, k) for k in range(1, min(a, 64) + 1)) if a < 64 else MOST_TERMS + 1
        case _, []:
            return 1
    return min(sum(sizes), MOST_TERMS + 1)


@dataclass(frozen=True)
class FormulaDesign(Design):
    """A design whose columns are patsy's. ``terms`` hold the code of each factor, ``variables`` the frame's columns.

    ``classes`` are the classified columns of the mean, ``formula`` what it was made of.
    """

    formula: Formula
    classes: Mapping[str, CategoricalColumn]

    @cached_property
    def info(self) -> Any:
        """patsy's DesignInfo: how rows become columns."""
        return _design_info(self.formula, self.classes)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but patsy's DesignInfo, which cannot be pickled and is made again."""
        return {name: value for name, value in vars(self).items() if name != "info"}

    def ls_mean_row(self, by: Mapping[str, str], *, weights: Weights = "equal", at: Mapping[str, float] | None = None) -> Array:
        """The row (p,) of the least-squares mean at the levels ``by``, averaged over the other factors."""
        row = np.empty(self.X.shape[1])
        for index in range(len(self.terms)):
            block, inside = self._grid(index, tuple(sorted((at or {}).items())))
            free = tuple(name for name in inside if name not in by)
            share = self._share(free, weights, free)
            for axis, name in enumerate(inside):
                if name in by:
                    block = np.take(block, [self.factor(name).levels.index(by[name])], axis=axis)
                    share = np.expand_dims(share, axis)
            row[self.column_terms == index] = (block * share[..., None]).sum(axis=tuple(range(len(inside))))
        return row

    def _grid(self, index: int, at: tuple[tuple[str, float], ...]) -> tuple[Array, tuple[str, ...]]:
        """The columns of one term over all levels of the classified columns in it: (levels of each..., columns)."""
        key = (index, at)
        if key not in self._grids:
            names = dict.fromkeys(c for f in self.formula.terms[index] for c in f.columns)
            inside = tuple(name for name in names if name in self.classes)
            shape = [len(self.classes[name].levels) for name in inside]
            codes, cells = _cells(shape)
            data: dict[str, Any] = {}
            for name, column in self.classes.items():
                where = codes[inside.index(name)] if name in inside else np.zeros(cells, dtype=int)
                data[name] = _categorical(column, where)
            means = {**self._covariate_means, **dict(at)}
            data |= {name: np.full(cells, value) for name, value in means.items()}
            self._grids[key] = self._matrix(data, cells)[:, self.column_terms == index].reshape(*shape, -1), inside
        return self._grids[key]

    @cached_property
    def _grids(self) -> dict[object, tuple[Array, tuple[str, ...]]]:
        return {}

    def _matrix(self, data: Mapping[str, Any], cells: int) -> Array:
        """patsy's model matrix for the cells of a grid."""
        return _coded(self.info, data, cells)

    def type3(self, term: Term, *, basis: Basis = "sum") -> Array:
        """The hypothesis (m, p) of the type 3 test of ``term``: its effects in sum-to-zero coding, averaged with equal weights
        over the levels of the factors it is crossed with, covariates it is not made of at zero (SAS; R's car). With the basis
        "first" the rows are differences from the first level (lmerTest): the same hypothesis, but a Satterthwaite denominator
        of several rows depends on the basis.

        UsageError where the model has no intercept or leaves out a margin of a term: what is to be tested is then not settled.
        """
        self._check_hierarchy()
        target = set(term)
        sizes = self._factor_sizes()
        own = [code for code in term if code in sizes]
        numeric = {code for code in term if code not in sizes}
        effects = list(itertools.product(*(range(sizes[code] - 1) for code in own)))
        L = np.zeros((len(effects), self.X.shape[1]))
        for index, other in enumerate(self.terms):
            if not target <= set(other) or {c for c in other if c not in sizes} != numeric:
                continue
            block, inside = self._unit_grid(index, sizes)
            extra = tuple(axis for axis, code in enumerate(inside) if code not in target)
            means = block.mean(axis=extra) if extra else block
            order = [code for code in inside if code in target]
            means = np.moveaxis(means, [order.index(code) for code in own], range(len(own)))
            for i, effect in enumerate(effects):
                value = means
                for code, e in zip(own, effect, strict=True):
                    value = np.tensordot(_effect(sizes[code], e, basis), value, axes=(0, 0))
                L[i, self.column_terms == index] = value
        return self.estimable_part(L)

    def _unit_grid(self, index: int, sizes: Mapping[str, int]) -> tuple[Array, tuple[str, ...]]:
        """The columns of one term over all levels of its factors, with its covariates at one."""
        inside = tuple(code for code in self.terms[index] if code in sizes)
        shape = [sizes[code] for code in inside]
        codes, cells = _cells(shape)
        data: dict[str, Any] = {}
        for factor in self.formula.factors:
            name = factor.classified or factor.bare
            if factor.code in sizes and name is not None:
                where = codes[inside.index(factor.code)] if factor.code in inside else np.zeros(cells, dtype=int)
                data[name] = _categorical(self.classes[name], where)
            else:
                data[FACTOR + factor.code] = np.ones(cells)
        return self._matrix(data, cells)[:, self.column_terms == index].reshape(*shape, -1), inside

    def _factor_sizes(self) -> dict[str, int]:
        """The number of levels of each factor that is a classification, by its code."""
        found = {}
        for factor in self.formula.factors:
            name = factor.classified or factor.bare
            if name is not None and name in self.classes:
                found[factor.code] = len(self.classes[name].levels)
        return found

    def _check_hierarchy(self) -> None:
        known = {frozenset(term) for term in self.terms}
        if frozenset() not in known:
            hint = "leave 0 or -1 out of the formula, or test a matrix of contrasts"
            raise UsageError("type 3 tests need an intercept", hint=hint)
        sizes = self._factor_sizes()
        for term in self.terms:
            for left_out in (code for code in term if code in sizes):  # what decides how a classification is coded
                margin = [code for code in term if code != left_out]
                if frozenset(margin) not in known:
                    what = f"{':'.join(term)} stands without {':'.join(margin)}, so type 3 tests are not settled"
                    raise UsageError(what, hint=f"write {' * '.join(term)}, or test a matrix of contrasts")

    def term(self, name: str) -> Term:
        """The term a user calls ``ARM:AVISIT``, in any order; C(ARM) answers to ARM. UsageError, with the nearest, for none."""
        aliases = {f.code: {f.code, f.classified or f.bare or f.code} for f in self.formula.factors}
        wanted = [part.strip() for part in name.split(":")] if isinstance(name, str) else []
        for term in self.terms:
            if term and {":".join(p) for p in itertools.permutations(wanted)} & {
                ":".join(names) for names in itertools.product(*(aliases[code] for code in term))
            }:
                return term
        known = [":".join(term) for term in self.terms if term]
        raise UsageError(f"the model has no term {name}", hint=nearest(str(name), known))


def build_formula_design(formula: Formula, columns: Columns) -> FormulaDesign:
    """The design of ``formula`` over complete rows. ``columns`` hold every column it names; levels nobody has are gone.

    DataError for a classification with one level or a function that is not finite somewhere, UsageError where text or
    classes stand in arithmetic.
    """
    classes = {c: v for c in formula.columns if isinstance(v := columns[c], CategoricalColumn) and _in_mean(formula, c)}
    for name, column in classes.items():
        if name in formula.classified and any(name in f.columns and f.classified is None for f in formula.factors):
            what = f"{name} stands in the formula both as C({name}) and as a number"
            raise UsageError(what, where=f"formula: {formula.text}", hint="make a copy of the column for one of them")
        if len(column.levels) < 2:
            only = f" {column.labels[0]}" if column.levels else ""
            raise DataError(f"{name} has one level{only} in the analysed rows", where="formula", hint=f"leave {name} out")
    data: dict[str, Any] = {name: _categorical(column, column.codes) for name, column in classes.items()}
    numbers = [v for c in formula.columns if isinstance(v := columns[c], NumericColumn)]
    data |= {v.name: v.values for v in numbers}
    n = next(v.codes.size if isinstance(v, CategoricalColumn) else v.values.size for v in columns.values())
    _check_factors(formula, data, classes, n)
    info = _design_info(formula, classes)
    p = len(info.column_names)
    if p > MOST_COLUMNS or n * p > MOST_CELLS:
        raise StatsError(f"a model of {p:,} coefficients for {n:,} rows is too large: at most {MOST_COLUMNS:,} are estimated")
    X = _coded(info, data, n)
    terms = tuple(tuple(f.code for f in term.factors) for term in info.terms)
    owner = np.empty(p, dtype=np.int64)
    for index, term in enumerate(info.terms):
        owner[info.term_slices[term]] = index
    order = {tuple(f.code for f in t): t for t in formula.terms}
    sorted_formula = Formula(formula.text, formula.response, tuple(order[t] for t in terms))
    variables: list[Variable] = [Factor(c.name, c.codes, c.labels) for c in classes.values()]
    variables += [Covariate(v.name, v.values) for v in numbers if _in_mean(formula, v.name)]
    names = tuple(info.column_names)
    return FormulaDesign(X, names, terms, owner, tuple(variables), aliased_columns(X), sorted_formula, classes)


def _design_info(formula: Formula, classes: Mapping[str, CategoricalColumn]) -> Any:
    """patsy's DesignInfo, which depends on the formula and the levels only: UsageError where they do not go together."""
    rows = max((len(c.levels) for c in classes.values()), default=1)
    data: dict[str, Any] = {name: _categorical(c, np.arange(rows) % len(c.levels)) for name, c in classes.items()}
    data |= {name: np.ones(rows) for name in formula.columns if name not in data}
    try:
        return patsy.build.design_matrix_builders([formula.right_side()], lambda: iter([data]), 0, NA_action="raise")[0]
    except patsy.PatsyError as error:
        what = f"the formula does not fit these data: {str(error).splitlines()[0]}"
        raise UsageError(what, where=f"formula: {formula.text}") from None


def response_values(formula: Formula, columns: Columns) -> Array:
    """The response (n,), computed; DataError where it is not finite although its columns are known."""
    data = {c: v.values for c in formula.response.columns if isinstance(v := columns[c], NumericColumn)}
    values = np.asarray(formula.response.eval({}, data), dtype=np.float64)
    _check_finite(values, formula.response.code)
    return values


def _in_mean(formula: Formula, name: str) -> bool:
    return any(name in f.columns for f in formula.factors)


def _check_factors(formula: Formula, data: Mapping[str, Any], classes: Mapping[str, CategoricalColumn], n: int) -> None:
    for factor in formula.factors:
        if factor.classified is None and (factor.bare is None or factor.bare not in classes):
            _check_finite(np.broadcast_to(factor.eval({}, data), (n,)), factor.code)


def _check_finite(values: Sequence[float] | Array, code: str) -> None:
    bad = int((~np.isfinite(values)).sum())
    if bad:
        hint = "leave these rows out, or mend their values" if "(" in code else "set them to missing, or mend them"
        raise DataError(f"{code} is not a finite number in {bad} of {len(values)} rows", where="formula", hint=hint)


def _effect(size: int, e: int, basis: Basis) -> Array:
    """The weights (size,) of one effect of a factor: level e against the mean of all, or the next level against the first."""
    levels = np.arange(size)
    if basis == "sum":
        return np.asarray((levels == e) - 1.0 / size, dtype=np.float64)
    return np.asarray(1.0 * (levels == e + 1) - (levels == 0), dtype=np.float64)


def _coded(info: Any, data: Mapping[str, Any], n: int) -> Array:
    """The model matrix (n, p) of patsy's ``info`` for rows of ``data``."""
    if not info.factor_infos:
        return np.ones((n, len(info.column_names)))  # an intercept, or nothing
    return np.asarray(patsy.build_design_matrices([info], data, NA_action="raise")[0], dtype=np.float64)


def _cells(shape: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """Every combination of levels: codes (factors, cells), and the number of cells."""
    cells = math.prod(shape)
    return np.indices(shape, dtype=np.int64).reshape(len(shape), cells), cells


def _categorical(column: CategoricalColumn, codes: NDArray[Any]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(list(column.levels), dtype=object))
