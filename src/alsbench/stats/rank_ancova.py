"""Rank analysis of covariance without normal errors: Quade's F test and the stratified rank ANCOVA of Koch and co-workers.

Both ask whether the arms differ in what the covariates leave of the ranked response, and test under re-randomisation of the
arms: use them beside the ANCOVA on ranks, which borrows the normal model. Quade (1967, doi 10.1080/01621459.1967.10500925)
residualises over all subjects and compares the arms' residuals by an F test; Koch et al. (1982, doi 10.2307/2530053) and
Stokes, Davis and Koch (Categorical Data Analysis Using SAS) rank and residualise within stratum and use the extended
Mantel-Haenszel statistic. Neither gives an estimate of the size of the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, fdtrc

from alsbench.stats.ancova import fit_ols
from alsbench.stats.design import Array, Covariate, Variable, build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.finkelstein_schoenfeld import finkelstein_schoenfeld
from alsbench.stats.ranks import mid_ranks


@dataclass(frozen=True)
class Quade:
    """F with its degrees of freedom; NaN where the residuals do not vary within the arms."""

    f: float
    df1: int
    df2: int
    p: float


@dataclass(frozen=True)
class RankAncova:
    """Chi-square ``statistic`` with one degree of freedom; NaN where no stratum holds two arms and varying residuals."""

    statistic: float
    df: int
    p: float


def quade(y: ArrayLike, groups: ArrayLike, covariates: Sequence[Variable]) -> Quade:
    """Quade's test of ``y`` (n,) between ``groups`` (n,) of codes, given ``covariates``; numeric ones are ranked too.

    Raises StatsError for fewer than two groups or no spare subject.
    """
    codes = np.asarray(groups)
    residuals = _residuals(np.asarray(y, dtype=np.float64), covariates, np.ones(codes.size, dtype=bool))
    _, index, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    df1, df2 = int(sizes.size) - 1, int(codes.size - sizes.size)
    if df1 < 1 or df2 < 1:
        raise StatsError("comparing groups needs two of them and more subjects than groups")
    means = np.bincount(index, weights=residuals) / sizes
    between = float((sizes * (means - residuals.mean()) ** 2).sum())
    within = float(((residuals - means[index]) ** 2).sum())
    if within <= 0:
        return Quade(math.nan, df1, df2, math.nan)
    f = between / df1 / (within / df2)
    return Quade(f, df1, df2, float(fdtrc(df1, df2, f)))


def rank_ancova(
    y: ArrayLike, treated: ArrayLike, covariates: Sequence[Covariate], *, strata: ArrayLike | None = None
) -> RankAncova:
    """Koch's test of ``y`` (n,) between ``treated`` (n,) and the rest: ranks and residuals within ``strata`` (n,).

    Raises StatsError for an empty arm.
    """
    response, arm = np.asarray(y, dtype=np.float64), np.asarray(treated, dtype=bool)
    stratum = np.zeros(response.size, dtype=np.int64) if strata is None else np.asarray(strata)
    residuals = np.zeros(response.size)
    for s in np.unique(stratum):
        residuals[stratum == s] = _residuals(response, covariates, stratum == s)
    test = finkelstein_schoenfeld(residuals, arm, strata=stratum)
    statistic = test.z**2
    return RankAncova(statistic, 1, float(chdtrc(1, statistic)) if not math.isnan(statistic) else math.nan)


def _residuals(y: Array, variables: Sequence[Variable], members: NDArray[np.bool_]) -> Array:
    """What the ranked covariates leave of the ranks of ``y``, among ``members``."""
    ranks = mid_ranks(y[members])
    if not variables:
        centred: Array = ranks - ranks.mean()
        return centred
    own: list[Variable] = []
    for v in variables:
        if isinstance(v, Covariate):
            own.append(Covariate(v.name, mid_ranks(v.values[members])))
        else:
            own.append(type(v)(v.name, v.codes[members], v.levels))
    return fit_ols(ranks, build_design(own, [(v.name,) for v in own])).residuals
