"""Generalised Gehan-Wilcoxon test of pairwise scores: does the treated arm win more pairs than it loses?

W is the sum over the treated of U, each subject's wins minus losses. Under re-randomisation it has mean 0 and variance
n1 n0 / (n (n - 1)) sum U^2; with strata only pairs within a stratum are scored, and W and its variance are summed over strata.
Finkelstein and Schoenfeld (1999, doi 10.1002/(SICI)1097-0258(19990615)18:11<1341). The p-value is two-sided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from alsbench.stats.errors import StatsError


@dataclass(frozen=True)
class FinkelsteinSchoenfeld:
    """``W``, its permutation variance, z and two-sided p (NaN where no pair was decided)."""

    W: float
    variance: float
    z: float
    p: float
    n_treated: int
    n_reference: int


def finkelstein_schoenfeld(scores: ArrayLike, treated: ArrayLike, *, strata: ArrayLike | None = None) -> FinkelsteinSchoenfeld:
    """The test of ``scores`` (n,) between ``treated`` (n,) boolean and the rest.

    With ``strata`` (n,) codes the scores must come from pairs within stratum. Scores are centred within stratum, which matters
    only where they were made against others besides the two arms. Raises StatsError for an empty arm.
    """
    U, arm = np.asarray(scores), np.asarray(treated, dtype=bool)
    stratum = np.zeros(U.size, dtype=np.int64) if strata is None else np.asarray(strata)
    if arm.shape != U.shape or stratum.shape != U.shape:
        raise StatsError("scores, arms and strata must be of one length")
    n_treated, n_reference = int(arm.sum()), int((~arm).sum())
    if n_treated == 0 or n_reference == 0:
        raise StatsError("a two-arm test needs subjects in both arms")
    W, variance = 0.0, 0.0
    for s in np.unique(stratum):
        u, a = U[stratum == s], arm[stratum == s]
        n, n1 = u.size, int(a.sum())
        if n < 2:
            continue
        total, squares = float(u.sum()), float((u**2).sum())
        W += float(u[a].sum()) - n1 * total / n
        variance += n1 * (n - n1) / (n * (n - 1)) * (squares - total * total / n)
    if variance <= 0:
        return FinkelsteinSchoenfeld(W, 0.0, math.nan, math.nan, n_treated, n_reference)
    z = W / math.sqrt(variance)
    return FinkelsteinSchoenfeld(W, variance, z, 2.0 * float(ndtr(-abs(z))), n_treated, n_reference)
