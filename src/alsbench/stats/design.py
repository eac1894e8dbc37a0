"""Model matrices and least-squares means: from named factors and covariates to X and to rows of contrasts.

Coding is R's: an intercept, treatment contrasts with the first level as reference, interactions as products, in
``model.matrix`` order. Least-squares means follow emmeans: a reference grid over the factors, covariates at the mean of
the analysed rows, and equal or proportional weights over the factors averaged out (Lenth 2016, doi 10.18637/jss.v069.i01;
SAS ``LSMEANS`` and its ``OM`` option).
"""

from __future__ import annotations

import itertools
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
        grid, share = self._grid(by, weights)
        means = self._covariate_means | dict(at or {})
        rows: list[Variable] = []
        for v in self.variables:
            if isinstance(v, Factor):
                rows.append(Factor(v.name, grid[v.name], v.levels))
            else:
                rows.append(Covariate(v.name, np.full(share.size, means[v.name])))
        X, _, _ = _columns(rows, self.terms)
        row: Array = share @ X
        return row

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

    def _grid(self, by: Mapping[str, str], weights: Weights) -> tuple[dict[str, IntArray], Array]:
        """Codes of every averaged-over combination of levels, and the weight of each."""
        factors = [v for v in self.variables if isinstance(v, Factor)]
        fixed = {name: self.factor(name).levels.index(level) for name, level in by.items()}
        free = [f for f in factors if f.name not in fixed]
        cells = list(itertools.product(*(range(len(f.levels)) for f in free)))
        combos = np.array(cells, dtype=np.int64).reshape(len(cells), len(free))
        if weights == "equal" or not free:
            share = np.full(combos.shape[0], 1.0 / combos.shape[0])
        else:
            sizes = [len(f.levels) for f in free]
            cell = np.ravel_multi_index([f.codes for f in free], sizes)
            share = np.bincount(cell, minlength=combos.shape[0]) / self.n
        grid = {f.name: combos[:, i] for i, f in enumerate(free)}
        grid |= {name: np.full(combos.shape[0], code, dtype=np.int64) for name, code in fixed.items()}
        return grid, share


def build_design(variables: Sequence[Variable], terms: Sequence[Term]) -> Design:
    """The model matrix of ``1 + terms`` over ``variables``.

    ``terms`` name variables: ``("ARM",)``, ``("ARM", "VISIT")``. Main effects of an interaction must stand before it, so that
    treatment contrasts are R's. Raises StatsError for an unknown variable, rows of unequal length or a missing value.
    """
    known = {v.name: v for v in variables}
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
    X, names, column_terms = _columns(list(variables), all_terms)
    return Design(X, names, all_terms, column_terms, tuple(variables), aliased_columns(X))


def aliased_columns(X: Array) -> NDArray[np.bool_]:
    """True for each column (p,) that is a linear combination of the columns before it (R's rule: earlier columns win)."""
    p = X.shape[1]
    aliased = np.zeros(p, dtype=bool)
    norms = np.sqrt((X**2).sum(axis=0))
    scaled = X / np.where(norms > 0, norms, 1.0)
    if p and np.all(norms > 0):
        if X.shape[0] >= p and np.linalg.eigvalsh(scaled.T @ scaled)[0] > 1e-10:
            return aliased  # no pivot is smaller than the root of the smallest eigenvalue, here 1e-5
        R: Array = np.asarray(np.linalg.qr(scaled, mode="r"))
        if R.shape[0] == p and np.abs(np.diag(R)).min() > RANK_TOLERANCE:
            return aliased
    basis = np.zeros((X.shape[0], 0))
    for j in range(p):
        column = scaled[:, j]
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        if norms[j] == 0 or size < RANK_TOLERANCE:
            aliased[j] = True
        else:
            basis = np.column_stack([basis, rest / size])
    return aliased


def _columns(variables: Sequence[Variable], terms: Sequence[Term]) -> tuple[Array, tuple[str, ...], IntArray]:
    known = {v.name: v for v in variables}
    first = variables[0]
    n = (first.codes if isinstance(first, Factor) else first.values).shape[0]
    blocks: list[Array] = []
    names: list[str] = []
    owner: list[int] = []
    for index, term in enumerate(terms):
        block, labels = np.ones((n, 1)), [""]
        for name in term:
            more, more_labels = _main(known[name])
            # R lets the first variable of an interaction vary fastest
            products = [block * more[:, [j]] for j in range(more.shape[1])]
            block = np.concatenate(products, axis=1) if products else np.zeros((n, 0))
            labels = [f"{a}:{b}" if a else b for b in more_labels for a in labels]
        blocks.append(block)
        names.extend(labels if term else ["(Intercept)"])
        owner.extend([index] * block.shape[1])
    return np.concatenate(blocks, axis=1), tuple(names), np.array(owner, dtype=np.int64)


def _main(v: Variable) -> tuple[Array, list[str]]:
    if isinstance(v, Covariate):
        return v.values.astype(np.float64)[:, None], [v.name]
    dummies = (v.codes[:, None] == np.arange(1, len(v.levels))[None, :]).astype(np.float64)
    return dummies, [f"{v.name}{level}" for level in v.levels[1:]]
