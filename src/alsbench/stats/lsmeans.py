"""Least-squares means, their differences and type 3 tests of a fitted model, as tables of linear combinations.

A least-squares mean is the model's prediction for a cell of factors, other factors averaged with equal weights (or in the
proportions observed) and covariates at their mean over the analysed rows or at a chosen value (Searle, Speed and Milliken 1980,
doi 10.1080/00031305.1980.10483031; Lenth 2016, doi 10.18637/jss.v069.i01). The model is anything with ``contrast(L)``; a cell
that the data do not determine becomes a row of NaN with the reason. Type 3 hypotheses follow SAS and R's car: a term's effects
averaged with equal weights over the levels of the factors it is crossed with; a covariate crossed with it stands at zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.contrasts import Contrasts, FTest
from alsbench.stats.design import Design, Factor, Term, Weights
from alsbench.stats.errors import NotEstimable, StatsError

Array = NDArray[np.float64]
Against = Literal["reference", "pairwise"]


class Fitted(Protocol):
    """A model that can estimate linear combinations of its coefficients."""

    def contrast(self, L: ArrayLike, *, level: float = ...) -> Contrasts: ...


class Testable(Protocol):
    """A model that can test several linear combinations together."""

    def joint_test(self, L: ArrayLike) -> FTest: ...


@dataclass(frozen=True)
class Cells:
    """Linear combinations with a label each: ``labels`` (m tuples), ``rows`` (m, p), inference ``values`` (m,), and per row the
    reason why it could not be estimated, or None."""

    labels: tuple[tuple[str, ...], ...]
    rows: Array
    values: Contrasts
    errors: tuple[str | None, ...]


def ls_means(
    fit: Fitted,
    design: Design,
    by: Sequence[str],
    *,
    weights: Weights = "equal",
    at: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> Cells:
    """One least-squares mean per combination of the levels of the factors ``by``; the last factor varies fastest."""
    labels = list(itertools.product(*(design.factor(name).levels for name in by)))
    found = [_row(design, [(dict(zip(by, label, strict=True)), 1.0)], weights, at) for label in labels]
    return _cells(fit, labels, found, level)


def ls_differences(
    fit: Fitted,
    design: Design,
    factor: str,
    *,
    by: Sequence[str] = (),
    reference: str | None = None,
    against: Against = "reference",
    weights: Weights = "equal",
    at: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> Cells:
    """Differences between levels of ``factor`` within each combination of ``by``: labels are (level, other level, *by).

    Each level against ``reference`` (the first level unless given), or with ``against="pairwise"`` every later level against
    every earlier one.
    """
    levels = design.factor(factor).levels
    base = levels[0] if reference is None else reference
    if base not in levels:
        raise StatsError(f"{factor} has no level {base!r}; there are {', '.join(levels)}")
    if against == "pairwise":
        pairs = [(b, a) for i, a in enumerate(levels) for b in levels[i + 1 :]]
    else:
        pairs = [(x, base) for x in levels if x != base]
    labels = []
    found = []
    for pair in pairs:
        for where in itertools.product(*(design.factor(name).levels for name in by)):
            held = dict(zip(by, where, strict=True))
            parts = [({factor: pair[0], **held}, 1.0), ({factor: pair[1], **held}, -1.0)]
            labels.append((*pair, *where))
            found.append(_row(design, parts, weights, at))
    return _cells(fit, labels, found, level)


def type3_tests(fit: Testable, design: Design) -> dict[Term, FTest]:
    """The type 3 F test of every term but the intercept, in the order of the model."""
    return {term: fit.joint_test(type3_rows(design, term)) for term in design.terms if term}


def type3_rows(design: Design, term: Term) -> Array:
    """The hypothesis matrix (m, p) of a type 3 test: the term's effects in sum-to-zero coding, one row per effect.

    Where cells are empty only the combinations of effects that can be estimated are tested. The coding does not change F but
    enters a Satterthwaite denominator of several rows; sum-to-zero is what R's car uses.
    """
    if term not in design.terms:
        raise StatsError(f"the model has no term {':'.join(term)}")
    sizes = {v.name: len(v.levels) for v in design.variables if isinstance(v, Factor)}
    effects = list(itertools.product(*(range(sizes[name] - 1) for name in term if name in sizes)))
    own = [name for name in term if name in sizes]
    L = np.zeros((len(effects), design.X.shape[1]))
    for other in design.terms:
        extra = [name for name in other if name not in term]
        if not set(term) <= set(other) or any(name not in sizes for name in extra):
            continue
        share = float(np.prod([1.0 / sizes[name] for name in extra]))
        for column, level in _columns_of(design, other):
            for i, effect in enumerate(effects):
                signs = [float(level[f] == e) - 1.0 / sizes[f] for f, e in zip(own, effect, strict=True)]
                L[i, column] = share * float(np.prod(signs))
    return design.estimable_part(L)


def _columns_of(design: Design, term: Term) -> list[tuple[int, dict[str, int]]]:
    """Each column of a term with the level of every factor in it; the first variable varies fastest, as in the model matrix."""
    sizes = [len(v.levels) - 1 if isinstance(v, Factor) else 1 for v in (_variable(design, name) for name in term)]
    columns = np.flatnonzero(design.column_terms == design.terms.index(term))
    out = []
    for position, column in enumerate(columns.tolist()):
        levels: dict[str, int] = {}
        for name, size in zip(term, sizes, strict=True):
            position, place = divmod(position, size)
            if isinstance(_variable(design, name), Factor):
                levels[name] = place + 1
        out.append((column, levels))
    return out


def _variable(design: Design, name: str) -> object:
    return next(v for v in design.variables if v.name == name)


def _row(
    design: Design, parts: Sequence[tuple[Mapping[str, str], float]], weights: Weights, at: Mapping[str, float] | None
) -> Array | str:
    """The sum of weighted cells, or why it cannot be estimated. Only the sum needs to be estimable."""
    row = np.zeros(design.X.shape[1])
    for cell, weight in parts:
        row += weight * design.ls_mean_row(cell, weights=weights, at=at)
    try:
        design.check_estimable(row, " - ".join(" ".join(cell.values()) for cell, _ in parts))
    except NotEstimable as error:
        return str(error)
    return row


def _cells(fit: Fitted, labels: Sequence[tuple[str, ...]], found: Sequence[Array | str], level: float) -> Cells:
    errors = tuple(row if isinstance(row, str) else None for row in found)
    good = [i for i, row in enumerate(found) if not isinstance(row, str)]
    width = max((row.size for row in found if not isinstance(row, str)), default=0)
    rows = np.full((len(found), width), np.nan)
    for i in good:
        rows[i] = found[i]
    values = fit.contrast(rows[good], level=level) if good else None
    columns = []
    for name in ("estimate", "se", "df", "t", "p", "low", "high"):
        column = np.full(len(found), np.nan)
        if values is not None:
            column[good] = getattr(values, name)
        columns.append(column)
    return Cells(tuple(labels), rows, Contrasts(*columns), errors)
