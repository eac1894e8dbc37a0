"""Estimates of linear combinations with their inference: the shape every model of this room answers in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Contrasts:
    """k linear combinations: estimate, standard error, df, t, two-sided p, and confidence limits; each an array (k,)."""

    estimate: Array
    se: Array
    df: Array
    t: Array
    p: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class FTest:
    """F on ``num_df`` and ``den_df`` degrees of freedom that ``num_df`` independent rows L b are zero; for Kenward-Roger F is
    already scaled. NaN where no F exists that has the moments of the statistic."""

    f: float
    num_df: int
    den_df: float
    p: float


def t_contrasts(estimate: Array, se: Array, df: Array, *, level: float = 0.95) -> Contrasts:
    """Student-t inference for estimates (k,), standard errors (k,) and degrees of freedom (k,).

    An estimate with a zero standard error has no t or p: both are NaN.
    """
    df = np.broadcast_to(np.asarray(df, dtype=np.float64), estimate.shape).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(se > 0, estimate / se, np.nan)
    p = 2.0 * stdtr(df, -np.abs(t))
    half = stdtrit(df, 0.5 + level / 2) * se
    return Contrasts(estimate, se, df, t, p, estimate - half, estimate + half)
