"""Mid-ranks of a joint score in many copies of a trial at once: who is in a copy differs, and with it everybody's sum.

The scores of subjects against each other stay; a copy takes some of the subjects, and each is ranked by the sum of its scores
against those taken. The sums of 256 copies are one matrix product, in single precision, which holds whole numbers exactly.
Ranks come from counting, never from sorting: how often does each sum occur in a copy, and how many lie below? Where one
order with ties gives all scores, the mid-rank follows from the sum alone (Kendall 1970, ISBN 978-0852641996). Subjects may
be drawn more than once, as in a bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TILE = 256  # copies worked on at once
FEW = 2**14  # so many ranks, doubled, fit into short integers, and their cells into single precision


@dataclass(frozen=True)
class RankedTogether:
    """Who is ranked together (positions in a model), the ``scores`` (n, n + 1) of them against each other and a one;
    ``ordered``: these come from one order with ties."""

    members: NDArray[np.int64]
    scores: NDArray[np.float32]
    ordered: bool


@dataclass(frozen=True)
class Taken:
    """Who of those ranked together is in each copy: ``count`` (copies,) of them, at ``most``; ``single`` (n, copies) is 1
    for who is, 0 for who is not, ``times`` (n, copies) how often where somebody is drawn more than once.

    Products with the scores and a one are, with ``halves`` (n + 1, copies), the sums and ``count`` + 1, halved; with
    ``cells``, the cell of each sum in a table (2 most, copies) of how often it occurs."""

    count: Floats
    most: int
    single: NDArray[np.float32]
    times: Floats | None
    halves: NDArray[np.float32]
    cells: NDArray[np.floating]


def mid_ranks(scores: Floats, taken: Floats, strata: NDArray[np.int64] | None = None, *, unit: bool = False) -> Floats:
    """Mid-ranks (copies, n) of the sums of ``scores`` (n, n) over those ``taken`` (copies, n: how often), 0 where not taken.

    A subject taken w times counts w times. Ranks are within ``strata`` (n,) where given; ``unit`` divides them by the number
    ranked plus one. Scores are antisymmetric: 1 where the row's subject beats the column's, -1 where it loses.
    """
    ranks = np.zeros(taken.shape)
    for members in groups_of(strata, taken.shape[1]):
        own = ranked_together(scores, members)
        for start in range(0, taken.shape[0], TILE):
            mine = taken_of(np.ascontiguousarray(taken[start : start + TILE, members].T))
            ranks[start : start + TILE, members] = ranks_of(own, mine, unit).T
    return ranks


def groups_of(strata: NDArray[np.int64] | None, n: int) -> list[NDArray[np.int64]]:
    """The members of each of the ``strata`` (n,); all n together where there are none."""
    if strata is None:
        return [np.arange(n, dtype=np.int64)]
    return [np.flatnonzero(strata == s) for s in np.unique(strata)]


def ranked_together(scores: Floats, members: NDArray[np.int64]) -> RankedTogether:
    """The ``members`` of a ranking by ``scores`` (n, n), and whether one order with ties gives all their scores."""
    own = scores[np.ix_(members, members)]
    sums = own.sum(axis=1)
    ordered = bool(np.array_equal(own, np.sign(sums[:, None] - sums)))
    return RankedTogether(members, np.column_stack([own, np.ones(members.size)]).astype(np.float32), ordered)


def taken_of(taken: Floats) -> Taken:
    """How often each of those ranked together is ``taken`` (n, copies), made ready for products."""
    n, copies = taken.shape
    count = taken.sum(axis=0)
    most = int(count.max())
    often = taken.astype(np.float32)
    single = np.minimum(often, np.float32(1.0))
    halves = np.empty((n + 1, copies), dtype=np.float32)
    halves[:n], halves[n] = 0.5 * often, 0.5 * (count + 1.0)
    cells = np.empty((n + 1, copies), dtype=np.float32 if most < FEW else np.float64)
    cells[:n], cells[n] = copies * often, copies * most + np.arange(copies)
    return Taken(count, most, single, taken if often.max(initial=0.0) > 1.0 else None, halves, cells)


def ranks_of(own: RankedTogether, taken: Taken, unit: bool) -> Floats:
    """Mid-ranks (n, copies) of those taken, 0 elsewhere.

    A sum is the number beaten less the number lost to: where the scores come from one order, among any that are taken the
    mid-rank is half of the sum, and of their number plus one. Elsewhere the sums are counted, copy by copy."""
    found = own.scores @ (taken.halves if own.ordered else taken.cells)
    found *= taken.single
    ranks = found.astype(np.float64) if own.ordered else counted(found.astype(np.int64), taken.most, taken.times)
    return ranks / (taken.count + 1.0) if unit else ranks


def counted(cell: NDArray[np.int64], most: int, times: Floats | None = None) -> Floats:
    """Mid-ranks (n, copies) from the cells (sum + ``most``, copy) of a table (2 most, copies), at most ``most`` of a copy; 0
    for those in a cell of the first row. ``times`` (n, copies) is how often each counts, once by default."""
    copies = cell.shape[1]
    weights = None if times is None else times.ravel()
    occurs = np.bincount(cell.ravel(), weights, minlength=max(2 * most, 1) * copies).reshape(-1, copies)
    held: NDArray[np.integer] = occurs.astype(np.int16 if most < FEW else np.int64)
    held[0] = 0
    below, further, step = held, np.empty_like(held), 1
    while step < len(held):  # how many lie at or below, by doubling the distance
        further[:step] = below[:step]
        np.add(below[step:], below[:-step], out=further[step:])
        below, further, step = further, np.empty_like(held) if below is held else below, 2 * step
    twice = 2 * below
    twice -= held
    twice += 1
    twice[0] = 0
    ranks: Floats = np.multiply(twice, 0.5, dtype=np.float64).ravel().take(cell)
    return ranks
