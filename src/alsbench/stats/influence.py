"""How much each subject moves an estimate, and from that the correlation of estimates made by different models.

For a generalised least-squares contrast the influence of subject i is c' A X_i' V_i^-1 r_i: its share of the estimate's error.
The cross-products of two contrasts' influences estimate their covariance, whatever models they come from, as long as the
subjects are the same people (Pipper, Ritz and Bisgaard 2012, doi 10.1111/j.1467-9876.2011.01005.x; R's ``multcomp::mmm``): what
a max-t test over endpoints needs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


def gls_influence(
    X: Array, residual: Array, subject: IntArray, visit: IntArray, sigma: Array, A: Array, row: Array, *, n_subjects: int
) -> Array:
    """Influence (n_subjects,) of each subject on the contrast ``row`` (p,), zero for those without a row.

    ``X`` (n, p) and ``residual`` (n,) are one row per subject (codes 0 .. n_subjects - 1) and visit (codes into ``sigma``
    (T, T), the covariance of a subject's visits); ``A`` (p, p) is the model-based covariance of the coefficients.
    """
    T = sigma.shape[0]
    place = np.full((n_subjects, T), -1, dtype=np.int64)
    place[subject, visit] = np.arange(subject.size)
    masks, pattern = np.unique(place >= 0, axis=0, return_inverse=True)
    out = np.zeros(n_subjects)
    direction = A @ row
    for k, mask in enumerate(masks):
        seen = np.flatnonzero(mask)
        if seen.size == 0:
            continue
        members = np.flatnonzero(pattern.ravel() == k)
        rows = place[np.ix_(members, seen)]
        weighted = np.linalg.solve(sigma[np.ix_(seen, seen)], residual[rows].T)
        out[members] = np.einsum("smp,p,ms->s", X[rows], direction, weighted)
    return out


def influence_correlation(influences: Array) -> Array:
    """Correlation (m, m) of m estimates from their influences (m, n). Raises StatsError where one has none at all."""
    size = np.sqrt((influences**2).sum(axis=1))
    if np.any(size == 0):
        raise StatsError("an estimate that no subject moves has no correlation")
    R: Array = influences @ influences.T / np.outer(size, size)
    R = np.clip((R + R.T) / 2.0, -1.0, 1.0)
    np.fill_diagonal(R, 1.0)
    return R
