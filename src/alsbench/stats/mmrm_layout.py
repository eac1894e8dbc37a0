"""Rows of repeated measures arranged by subject and visit, and the few distinct columns of their model matrix.

At one visit most columns of a model matrix are zero (the other visits' dummies) or repeat each other (an intercept and its
visit dummy). A row is [s, z_v] C_v: columns s that do not change within a subject, columns z_v that do, and a coefficient
matrix C_v per visit. Columns are told apart by their values, so that any model matrix will do.

What an MMRM may be fitted to is checked here too, before any number is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.design import Design, aliased_columns
from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class SubjectVisitRows:
    """Rows of the data by subject and visit: ``row`` (N, T) is the row's number or -1. Subjects are in the order of their
    labels, so that the order of the rows does not matter."""

    row: IntArray
    group: IntArray
    n_groups: int

    @property
    def seen(self) -> NDArray[np.bool_]:
        seen: NDArray[np.bool_] = self.row >= 0
        return seen


def codes_of(labels: NDArray[np.generic]) -> tuple[IntArray, list[object]]:
    """Codes (n,) and the sorted labels they index."""
    if labels.dtype.kind in "iufb":
        values, codes = np.unique(labels, return_inverse=True)
        return codes.reshape(-1).astype(np.int64), list(values.tolist())
    first_seen: dict[object, int] = {}
    raw = np.fromiter((first_seen.setdefault(x, len(first_seen)) for x in labels.tolist()), np.int64, labels.size)
    ordered = sorted(first_seen, key=str)
    rank = np.empty(len(ordered), dtype=np.int64)
    rank[[first_seen[x] for x in ordered]] = np.arange(len(ordered))
    return rank[raw], ordered


def lay_out(
    subject: NDArray[np.generic], visit: IntArray, n_visits: int, group: NDArray[np.generic] | None
) -> SubjectVisitRows:
    """Where each subject's visits stand. StatsError for a subject with two rows at a visit or in two groups."""
    code, labels = codes_of(subject)
    cell = code * n_visits + visit
    row = np.full(len(labels) * n_visits, -1, dtype=np.int64)
    row[cell] = np.arange(cell.size)
    if np.any(row[cell] != np.arange(cell.size)):
        twice = int(cell[np.flatnonzero(row[cell] != np.arange(cell.size))[0]])
        raise StatsError(f"subject {labels[twice // n_visits]} has more than one row at visit {twice % n_visits + 1}")
    if group is None:
        return SubjectVisitRows(row.reshape(-1, n_visits), np.zeros(len(labels), dtype=np.int64), 1)
    group_code, group_labels = codes_of(group)
    by_subject = np.full(len(labels), -1, dtype=np.int64)
    by_subject[code] = group_code
    if np.any(by_subject[code] != group_code):
        where = int(code[np.flatnonzero(by_subject[code] != group_code)[0]])
        raise StatsError(f"subject {labels[where]} is in more than one covariance group")
    return SubjectVisitRows(row.reshape(-1, n_visits), by_subject, len(group_labels))


def distinct_columns(X: Array, layout: SubjectVisitRows) -> tuple[Array, Array, Array]:
    """Subject-level columns S (N, s), visit-level columns Z (N, T, z), and C (T*(s+z), p) with X[row] = [S, Z_v] C_v."""
    seen = layout.seen
    N, T = seen.shape
    p = X.shape[1]
    values = np.full((0, N), np.nan)  # of each distinct column, NaN where not known yet
    used: list[list[tuple[int, int]]] = []  # (visit, model column) of each
    for v in range(T):
        who = np.flatnonzero(seen[:, v])
        at_visit = X[layout.row[who, v]]
        for j in np.flatnonzero(at_visit.any(axis=0)).tolist():
            at = at_visit[:, j]
            k = _compatible(values, who, at)
            if k == len(values):
                values = np.concatenate([values, np.full((1, N), np.nan)])
                used.append([])
            values[k, who] = at
            used[k].append((v, j))
    single = [len({v for v, _ in uses}) == 1 and T > 1 for uses in used]
    subject_level = [k for k, one in enumerate(single) if not one]
    slots = [[k for k, one in enumerate(single) if one and used[k][0][0] == v] for v in range(T)]
    s, z = len(subject_level), max((len(x) for x in slots), default=0)
    S = np.zeros((N, s))
    for place, column in enumerate(subject_level):
        S[:, place] = np.nan_to_num(values[column], nan=0.0)
    Z = np.zeros((N, T, z))
    C = np.zeros((T, s + z, p))
    for v, columns in enumerate(slots):
        for place, column in enumerate(columns):
            Z[:, v, place] = np.nan_to_num(values[column], nan=0.0)
            for _, j in used[column]:
                C[v, s + place, j] = 1.0
    for place, column in enumerate(subject_level):
        for v, j in used[column]:
            C[v, place, j] = 1.0
    if s:
        S, R = np.linalg.qr(S)
        reduced = np.zeros((T, S.shape[1] + z, p))
        reduced[:, : S.shape[1]] = np.matmul(R, C[:, :s])
        reduced[:, S.shape[1] :] = C[:, s:]
        C = reduced
    return S, Z, C.reshape(-1, p)


def _compatible(values: Array, who: IntArray, column: Array) -> int:
    """The first of ``values`` (k, N) that equals ``column`` for the subjects ``who`` wherever it is known; k if none."""
    known = values[:, who]
    found = np.flatnonzero(((known == column) | np.isnan(known)).all(axis=1))
    return int(found[0]) if found.size else len(values)


def visit_rows(S: Array, Z: Array) -> Array:
    """[S, Z_v] for every subject and visit, (N, T, s+z)."""
    N, T, _ = Z.shape
    return np.concatenate([np.broadcast_to(S[:, None, :], (N, T, S.shape[1])), Z], axis=2)


@dataclass(frozen=True)
class MMRMData:
    """Checked input of a fit, one row per subject and visit; ``aliased`` (p,) marks columns of ``X`` the others determine."""

    y: Array
    X: Array
    subject: NDArray[np.generic]
    visit: NDArray[np.int64]
    weights: Array | None
    group: NDArray[np.generic] | None
    aliased: NDArray[np.bool_]
    names: tuple[str, ...]

    @property
    def kept(self) -> Array:
        return self.X[:, ~self.aliased] if self.aliased.any() else self.X


def checked_data(
    y: ArrayLike,
    X: ArrayLike | Design,
    subject: ArrayLike,
    visit: ArrayLike,
    n_visits: int,
    weights: ArrayLike | None,
    group: ArrayLike | None,
) -> MMRMData:
    """The arguments of ``fit_mmrm`` as arrays. StatsError for unequal lengths, missing values, wrong visits or weights."""
    response = np.asarray(y, dtype=np.float64)
    matrix = X.X if isinstance(X, Design) else np.asarray(X, dtype=np.float64)
    n = response.size
    if response.ndim != 1 or matrix.ndim != 2 or matrix.shape[0] != n:
        raise StatsError(f"the response has {response.shape} values, the model matrix is {matrix.shape}")
    if n == 0:
        raise StatsError("no rows to fit")
    if not np.all(np.isfinite(response)) or not np.all(np.isfinite(matrix)):
        raise StatsError("the response or the model matrix has missing or infinite values")
    labels, times = np.asarray(subject), np.asarray(visit)
    if labels.shape != (n,) or times.shape != (n,):
        raise StatsError("subject and visit need one value per row")
    whole = times.astype(np.int64)
    if np.any(whole != times) or whole.min() < 0 or whole.max() >= n_visits:
        raise StatsError(f"visits are whole numbers from 0 to {n_visits - 1}")
    missing = np.flatnonzero(np.bincount(whole, minlength=n_visits) == 0)
    if missing.size:
        raise StatsError("no observations at visit " + ", ".join(str(v + 1) for v in missing))
    w = None if weights is None else np.asarray(weights, dtype=np.float64)
    if w is not None and (w.shape != (n,) or not np.all(np.isfinite(w) & (w > 0))):
        raise StatsError("weights must be positive numbers, one per row")
    of_group = None if group is None else np.asarray(group)
    if of_group is not None and of_group.shape != (n,):
        raise StatsError("group needs one value per row")
    aliased = X.aliased if isinstance(X, Design) else aliased_columns(matrix)
    names = X.names if isinstance(X, Design) else tuple(f"x{j + 1}" for j in range(matrix.shape[1]))
    rank = int((~aliased).sum())
    if rank == 0 or n <= rank:
        raise StatsError(f"{n} rows do not determine {rank} coefficients and a variance")
    return MMRMData(response, matrix, labels, whole, w, of_group, aliased, names)
