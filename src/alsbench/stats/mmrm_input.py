"""What an MMRM may be fitted to: the checks every fit makes of its input before any number is computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.design import Design, aliased_columns
from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]


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
