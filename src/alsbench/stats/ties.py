"""When two numbers are one: values that differ by floating-point noise only are ties.

A day of 405.00000000000006 is day 405, a change of -6.6000000000000005 is one of -6.6: arithmetic and file formats leave such
digits. The rule is that of R's survival (``timefix``, ``aeqSurv``; Therneau, Grambsch and Lumley, package survival 3.8): among
the sorted distinct values those whose gap is at most sqrt(machine epsilon), absolutely or relative to their mean absolute
value, are one. It is applied once to all values before any two are compared, never pair by pair: "equal within a tolerance" is
not transitive, a partition is. Of several the one that is shortest to write stands for all, the day 405 as the data meant it
(R takes the smallest: the same but for the noise).

Mid-ranks: ties share the mean of their ranks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alsbench.stats.errors import StatsError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOLERANCE = math.sqrt(np.finfo(np.float64).eps)  # 1.49e-8, R's sqrt(.Machine$double.eps)
VISIT_DECIMALS = 6  # a visit number within noise of one with so many decimals is that number


def merge_ties(values: ArrayLike) -> Array:
    """``values`` (any shape) with ties made equal; missing and infinite values stay. The array itself where there are none."""
    return merge_together(values)[0]


def merge_together(*arrays: ArrayLike) -> tuple[Array, ...]:
    """Several arrays that are compared with each other, ties made equal over all of their values at once."""
    given = tuple(np.asarray(a, dtype=np.float64) for a in arrays)
    whole = np.concatenate([a.ravel() for a in given]) if given else np.empty(0)
    distinct = np.unique(whole[np.isfinite(whole)])
    first = np.r_[True, ~_tied(distinct)] if distinct.size else np.empty(0, dtype=bool)
    if first.all():
        return given
    stands_for = _shortest(distinct, np.flatnonzero(first))
    return tuple(_replaced(a, distinct, stands_for) for a in given)


def at_most(values: ArrayLike, limit: ArrayLike) -> Mask:
    """Where ``values`` are below ``limit`` (one, or one per value) or tied with it; False where either is missing."""
    a, b = merge_together(values, limit)
    return np.asarray(a <= b, dtype=np.bool_)


def at_least(values: ArrayLike, limit: ArrayLike) -> Mask:
    """Where ``values`` are above ``limit`` (one, or one per value) or tied with it; False where either is missing."""
    a, b = merge_together(values, limit)
    return np.asarray(a >= b, dtype=np.bool_)


def above(values: ArrayLike, limit: ArrayLike) -> Mask:
    """Where ``values`` are above ``limit`` (one, or one per value) and not tied with it; False where either is missing."""
    a, b = merge_together(values, limit)
    return np.asarray(a > b, dtype=np.bool_)


def below(values: ArrayLike, limit: ArrayLike) -> Mask:
    """Where ``values`` are below ``limit`` (one, or one per value) and not tied with it; False where either is missing."""
    a, b = merge_together(values, limit)
    return np.asarray(a < b, dtype=np.bool_)


def visit_numbers(numbers: ArrayLike) -> Array:
    """Visit numbers as a person writes them: 5.999999999999999 is 6, so that a horizon of 6 finds it; thirds stay thirds."""
    merged = merge_ties(numbers)
    written = np.round(merged, VISIT_DECIMALS)
    return np.asarray(np.where(np.abs(merged - written) <= TOLERANCE, written, merged))


def _tied(distinct: Array) -> Mask:
    """Whether each of the sorted ``distinct`` values (k,) but the first is tied with the one before it: (k - 1,)."""
    if distinct.size < 2:
        return np.empty(0, dtype=bool)
    with np.errstate(over="ignore"):
        gap = np.diff(distinct)
    size = float((np.abs(distinct) / distinct.size).sum())  # never 0: one value at most is
    return np.asarray((gap <= TOLERANCE) | (gap / size <= TOLERANCE))


def _shortest(distinct: Array, starts: NDArray[np.intp]) -> Array:
    """For each of the sorted ``distinct`` values the shortest written one of its ties, which begin at ``starts``."""
    found = distinct.copy()
    ends = np.r_[starts[1:], distinct.size]
    for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
        found[start:end] = min(distinct[start:end].tolist(), key=lambda value: (len(repr(value)), value))
    return found


def _replaced(values: Array, distinct: Array, stands_for: Array) -> Array:
    merged = values.copy()
    finite = np.isfinite(values)
    merged[finite] = stands_for[np.searchsorted(distinct, values[finite])]
    return merged


def mid_ranks(values: ArrayLike) -> Array:
    """Ranks 1..n of ``values`` (n,), ties (floating-point noise too) sharing the mean of theirs.

    Raises StatsError for a missing value.
    """
    x = np.asarray(values)
    if x.dtype.kind == "f":
        if np.isnan(x).any():
            raise StatsError("missing values have no rank")
        x = merge_ties(x)
    _, codes, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2.0)[codes.reshape(x.shape)]
    return ranks
