"""King's and MiToS stages from the twelve items of the ALSFRS-R.

King's (Balendra et al. 2014, doi 10.3109/21678421.2013.865753): 4 with a gastrostomy, item 10 at 0 or item 12 below 4;
otherwise the number of regions involved: bulbar (any of items 1-3 below 4), upper limb (item 4 or 5 below 4), lower limb
(item 8 below 4); 5 is death. MiToS (Chio et al. 2015, doi 10.1136/jnnp-2013-306589): the number of functions lost: movement
(item 8 or 6 at most 1), swallowing (item 3 at most 1), communication (items 1 and 4 at most 1), breathing (item 10 at most 1
or item 12 at most 2); 5 is death.

A missing item leaves a condition unknown only where it could still turn it: one involved item settles its region. A stage that
hangs on an unknown condition is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]

N_ITEMS = 12
DEATH = 5.0


def kings_stage(items: ArrayLike, *, gastrostomy: ArrayLike | None = None, died: ArrayLike | None = None) -> Array:
    """Stage 0-5 of each row (n,), NaN where unknown.

    ``items`` (n, 12) are scores 0-4, NaN where missing; item 5 is 5a or 5b, whichever was asked. ``gastrostomy`` and ``died``
    (n,) are truth values, NaN where unknown, all false unless given. Raises StatsError for a score outside 0-4.
    """
    score = _scores(items)
    late = _any(_truth(gastrostomy, score), _at_most(score, 10, 0), _at_most(score, 12, 3))
    regions = (
        _any(*(_at_most(score, k, 3) for k in (1, 2, 3)))
        + _any(*(_at_most(score, k, 3) for k in (4, 5)))
        + _at_most(score, 8, 3)
    )
    stage = np.where(late == 1, 4.0, np.where(late == 0, regions, np.nan))
    return _with_death(stage, _truth(died, score))


def mitos_stage(items: ArrayLike, *, died: ArrayLike | None = None) -> Array:
    """Stage 0-5 of each row (n,), NaN where unknown; arguments as ``kings_stage``."""
    score = _scores(items)
    stage = (
        _any(_at_most(score, 8, 1), _at_most(score, 6, 1))
        + _at_most(score, 3, 1)
        + _all(_at_most(score, 1, 1), _at_most(score, 4, 1))
        + _any(_at_most(score, 10, 1), _at_most(score, 12, 2))
    )
    return _with_death(stage, _truth(died, score))


def _scores(items: ArrayLike) -> Array:
    score = np.asarray(items, dtype=np.float64)
    if score.ndim != 2 or score.shape[1] != N_ITEMS:
        raise StatsError("the ALSFRS-R has twelve items: give one column for each")
    known = score[~np.isnan(score)]
    if np.any((known < 0) | (known > 4)):
        raise StatsError("an ALSFRS-R item is scored 0 to 4")
    return score


def _truth(flags: ArrayLike | None, score: Array) -> Array:
    n = score.shape[0]
    truth = np.zeros(n) if flags is None else np.asarray(flags, dtype=np.float64)
    if truth.shape != (n,):
        raise StatsError("flags must be one per row of items")
    return np.where(np.isnan(truth), np.nan, (truth != 0).astype(np.float64))


def _at_most(score: Array, item: int, limit: int) -> Array:
    """1, 0, or NaN where the item is missing."""
    value = score[:, item - 1]
    return np.where(np.isnan(value), np.nan, (value <= limit).astype(np.float64))


def _any(*conditions: Array) -> Array:
    """Three-valued "or": true if one is, else unknown if one is."""
    stacked = np.array(conditions)
    return np.where((stacked == 1).any(axis=0), 1.0, np.where(np.isnan(stacked).any(axis=0), np.nan, 0.0))


def _all(*conditions: Array) -> Array:
    """Three-valued "and": false if one is, else unknown if one is."""
    return 1.0 - _any(*(1.0 - c for c in conditions))


def _with_death(stage: Array, died: Array) -> Array:
    return np.where(died == 1, DEATH, np.where(died == 0, stage, np.nan))
