"""Model matrices and least-squares means: from named factors and covariates to X and to rows of contrasts.

Coding is R's: an intercept, treatment contrasts with the first level as reference, interactions as products, in
``model.matrix`` order. Least-squares means follow emmeans: a reference grid over the factors, covariates at the mean of
the analysed rows, and equal or proportional weights over the factors averaged out (Lenth 2016, doi 10.18637/jss.v069.i01;
SAS ``LSMEANS`` and its ``OM`` option).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import NotEstimable, StatsError

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Weights = Literal["equal", "proportional"]
Term = tuple[str, ...]

MOST_CELLS = 250_000_000  # of a model matrix: two gigabytes
MOST_COLUMNS = 5000
RANK_TOLERANCE = 1e-7  # R's lm.fit: a column whose pivoted norm falls below this share of its own norm is aliased


@dataclass(frozen=True)
class Factor:
    """A classification: ``codes`` (n,) index ``levels``; the first level is the reference."""

    name: str
    codes: IntArray
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Covariate:
    """A numeric column: ``values`` (n,), no missing values."""

    name: str
    values: Array


Variable = Factor | Covariate


@dataclass(frozen=True)
class Design:
    """``X`` (n, p) with one name and one term index per column; ``terms[0]`` is the intercept, an empty tuple."""

    X: Array
    names: tuple[str, ...]
    terms: tuple[Term, ...]
    column_terms: IntArray
    variables: tuple[Variable, ...]
    aliased: NDArray[np.bool_]

    @property
    def n(self) -> int:
        return int(self.X.shape[0])

    @property
    def estimable(self) -> Array:
        """``X`` without its aliased columns, (n, rank)."""
        return self.X[:, ~self.aliased]

    def factor(self, name: str) -> Factor:
        """The factor of that name; KeyError if there is none."""
        for v in self.variables:
            if v.name == name and isinstance(v, Factor):
                return v
        raise KeyError(name)

    def ls_mean(
        self,
        by: Mapping[str, str],
        *,
        weights: Weights = "equal",
        at: Mapping[str, float] | None = None,
    ) -> Array:
        """The row (p,) whose product with the coefficients is the least-squares mean at the levels ``by``.

        ``by`` maps factors to levels; other factors are averaged with ``weights``; covariates stand at their mean over the
        analysed rows unless ``at`` gives a value. Raises NotEstimable where aliased columns leave it undetermined.
        """
        row = self.ls_mean_row(by, weights=weights, at=at)
        self.check_estimable(row, " ".join(f"{k}={v}" for k, v in by.items()))
        return row

    def ls_mean_row(
        self,
        by: Mapping[str, str],
        *,
        weights: Weights = "equal",
        at: Mapping[str, float] | None = None,
    ) -> Array:
        """``ls_mean`` without the check: part of a combination that may be estimable although the part is not."""
        for name, level in by.items():
            if level not in self.factor(name).levels:
                raise StatsError(f"{name} has no level {level!r}; there are {', '.join(self.factor(name).levels)}")
        unknown = [name for name in at or {} if name not in self._covariate_means]
        if unknown:
            raise StatsError(f"the model has no covariate {unknown[0]}")
        settings = (weights, tuple(sorted((at or {}).items())), frozenset(by))
        return np.concatenate([self._term_block(term, by, settings, weights, at or {}) for term in self.terms])

    @cached_property
    def _covariate_means(self) -> dict[str, float]:
        return {v.name: float(np.mean(v.values)) for v in self.variables if isinstance(v, Covariate)}

    def check_estimable(self, row: Array, label: str = "") -> None:
        """Raise NotEstimable unless ``row`` lies in the row space of ``X``."""
        if not self.is_estimable(row):
            names = ", ".join(n for n, a in zip(self.names, self.aliased, strict=True) if a)
            raise NotEstimable(f"not estimable: {label or 'combination'} (aliased: {names})")

    def is_estimable(self, row: Array) -> bool:
        """Whether ``row`` (p,) lies in the row space of ``X``, so that the data determine its product with the coefficients."""
        if not self.aliased.any():
            return True
        scaled, rest = self._outside(row[None, :])
        return bool(np.linalg.norm(rest) <= 1e-8 * max(1.0, float(np.linalg.norm(scaled))))

    def estimable_part(self, L: Array) -> Array:
        """The combinations of the rows of ``L`` (m, p) that are estimable, (m or fewer, p); ``L`` itself if all are."""
        if not self.aliased.any() or L.shape[0] == 0:
            return L
        scaled, rest = self._outside(L)
        U, s, _ = np.linalg.svd(rest)
        outside = int((s > 1e-8 * max(1.0, float(np.linalg.norm(scaled)))).sum())
        return L if outside == 0 else np.asarray(U[:, outside:].T @ L, dtype=np.float64)

    def _outside(self, L: Array) -> tuple[Array, Array]:
        """Rows in units of column lengths, and what of them lies outside the row space."""
        basis, scale = self._row_space
        scaled = L / scale
        return scaled, scaled - (scaled @ basis.T) @ basis

    @cached_property
    def _row_space(self) -> tuple[Array, Array]:
        """An orthonormal basis of the row space of ``X`` with its columns scaled to length 1, and the lengths."""
        scale = np.sqrt((self.X**2).sum(axis=0))
        scale[scale == 0] = 1.0
        R = np.linalg.qr(self.X / scale, mode="r")
        _, s, Vt = np.linalg.svd(R, full_matrices=False)
        return np.asarray(Vt[s > RANK_TOLERANCE * s[0]], dtype=np.float64), scale

    def _term_block(
        self, term: Term, by: Mapping[str, str], settings: object, weights: Weights, at: Mapping[str, float]
    ) -> Array:
        """The columns of one term at a cell of the reference grid, averaged over the factors not in ``by``. Cells share most of
        their terms, so each is worked out once."""
        key = (term, tuple(by[name] for name in term if name in by), settings)
        if key not in self._blocks:
            free = tuple(v.name for v in self.variables if isinstance(v, Factor) and v.name not in by)
            block = self._share(free, weights, tuple(name for name in term if name in free))
            for place, name in enumerate(term):
                if name in free:
                    block = np.take(block, np.arange(1, block.shape[place]), axis=place)  # the reference level has no column
                else:
                    block = np.multiply.outer(block, self._value(name, by, at))
                    block = np.moveaxis(block, -1, place)
            self._blocks[key] = block.ravel(order="F")
        return self._blocks[key]

    def _share(self, free: tuple[str, ...], weights: Weights, inside: tuple[str, ...]) -> Array:
        """The weight of each combination of the factors ``inside``, of the ``free`` ones averaged over: one axis per factor."""
        factors = [self.factor(name) for name in inside]
        sizes = [len(f.levels) for f in factors]
        if weights == "equal" or not free or not inside:
            return np.full(sizes, 1.0 / float(np.prod(sizes)))
        cell = np.ravel_multi_index([f.codes for f in factors], sizes)
        return np.asarray(np.bincount(cell, minlength=int(np.prod(sizes))) / self.n, dtype=np.float64).reshape(sizes)

    def _value(self, name: str, by: Mapping[str, str], at: Mapping[str, float]) -> Array:
        """A fixed factor's treatment contrasts, or a covariate's value."""
        if name in by:
            levels = self.factor(name).levels
            return np.array([float(level == by[name]) for level in levels[1:]])
        return np.array([at[name] if name in at else self._covariate_means[name]])

    @cached_property
    def _blocks(self) -> dict[object, Array]:
        return {}


def build_design(variables: Sequence[Variable], terms: Sequence[Term]) -> Design:
    """The model matrix of ``1 + terms`` over ``variables``.

    ``terms`` name variables: ``("ARM",)``, ``("ARM", "VISIT")``. Main effects of an interaction must stand before it, so that
    treatment contrasts are R's. Raises StatsError for an unknown variable, rows of unequal length or a missing value.
    """
    known = {v.name: v for v in variables}
    if len(known) < len(variables):
        raise StatsError(f"two variables are called {_repeated([v.name for v in variables])}")
    for v in variables:
        if isinstance(v, Factor) and len(set(v.levels)) < len(v.levels):
            raise StatsError(f"{v.name} has two levels called {_repeated(v.levels)}")
    lengths = {(v.codes if isinstance(v, Factor) else v.values).shape[0] for v in variables}
    if len(lengths) > 1:
        raise StatsError("variables differ in length")
    for v in variables:
        if isinstance(v, Covariate) and not np.all(np.isfinite(v.values)):
            raise StatsError(f"covariate {v.name} has missing or infinite values")
    for term in terms:
        for name in term:
            if name not in known:
                raise StatsError(f"term {':'.join(term)} names an unknown variable {name}")
    all_terms: tuple[Term, ...] = ((), *terms)
    _check_size(known, all_terms, next(iter(lengths)) if lengths else 0)
    X, names, column_terms = _columns(list(variables), all_terms)
    return Design(X, names, all_terms, column_terms, tuple(variables), aliased_columns(X))


def _check_size(known: Mapping[str, Variable], terms: Sequence[Term], n: int) -> None:
    """StatsError for a model matrix that is too large, before it is made."""
    p = 0
    for term in terms:
        factors = [v for v in (known[name] for name in term) if isinstance(v, Factor)]
        p += math.prod(len(f.levels) - 1 for f in factors)
    if p > MOST_COLUMNS or n * p > MOST_CELLS:
        raise StatsError(f"a model of {p:,} coefficients for {n:,} rows is too large: at most {MOST_COLUMNS:,} are estimated")


def _repeated(names: Sequence[str]) -> str:
    return next(name for i, name in enumerate(names) if name in names[:i])


def aliased_columns(X: Array) -> NDArray[np.bool_]:
    """True for each column (p,) that is a linear combination of the columns before it (R's rule: earlier columns win)."""
    p = X.shape[1]
    aliased = np.zeros(p, dtype=bool)
    gram = X.T @ X
    norms = np.sqrt(np.diag(gram))
    if p and X.shape[0] >= p and np.all(norms > 0) and np.linalg.eigvalsh(gram / np.outer(norms, norms))[0] > 1e-10:
        return aliased  # no pivot is smaller than the root of the smallest eigenvalue, here 1e-5
    # columns of R depend on each other as those of X do, and are shorter
    R: Array = np.asarray(np.linalg.qr(X / np.where(norms > 0, norms, 1.0), mode="r"))
    basis = np.zeros((R.shape[0], 0))
    for j in range(p):
        column = R[:, j]
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        if norms[j] == 0 or size < RANK_TOLERANCE:
            aliased[j] = True
        else:
            basis = np.column_stack([basis, rest / size])
    return aliased


def _columns(variables: Sequence[Variable], terms: Sequence[Term]) -> tuple[Array, tuple[str, ...], IntArray]:
    """The model matrix, a name per column and the term it belongs to; the first variable of an interaction varies fastest."""
    known = {v.name: v for v in variables}
    labels = [_labels([known[name] for name in term]) for term in terms]
    first = variables[0]
    n = (first.codes if isinstance(first, Factor) else first.values).shape[0]
    X = np.zeros((n, sum(len(x) for x in labels)))
    start = 0
    for term, columns in zip(terms, labels, strict=True):
        if columns:
            _fill(X, start, [known[name] for name in term])
        start += len(columns)
    owner = np.repeat(np.arange(len(terms)), [len(x) for x in labels])
    return X, tuple(name for columns in labels for name in columns), owner.astype(np.int64)


def _fill(X: Array, start: int, variables: Sequence[Variable]) -> None:
    """Writes a term's columns: in each row one of them at most is not zero, that of the row's levels."""
    value = np.ones(X.shape[0])
    column = np.full(X.shape[0], start)
    present = np.ones(X.shape[0], dtype=bool)
    stride = 1
    for v in variables:
        if isinstance(v, Factor):
            present &= v.codes > 0
            column += (v.codes - 1) * stride
            stride *= len(v.levels) - 1
        else:
            value = value * v.values
    rows = np.flatnonzero(present)
    X[rows, column[rows]] = value[rows]


def _labels(variables: Sequence[Variable]) -> list[str]:
    labels = [""]
    for v in variables:
        own = [f"{v.name}{level}" for level in v.levels[1:]] if isinstance(v, Factor) else [v.name]
        labels = [f"{a}:{b}" if a else b for b in own for a in labels]
    return labels if variables else ["(Intercept)"]
