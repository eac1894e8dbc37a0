"""Whether what is printed tells what is hidden, found by membership: who is in which subgroup, not what it is called.

Subjects with the same memberships in all subgroups are one *atom*; a printed count is the sum of its atoms' unknown counts. A
hidden count below k is safe where the printed ones leave it free from 0 to k - 1, as the sign ``<k`` does: the least and the
greatest value that linear programming finds for it, unknowns at least 0 and every ``<k`` cell at most k - 1. Where they do not,
the smallest count in the argument that bounds it (the dual solution) is hidden too, and so on until all are safe. Unions,
partitions and nestings of subgroups are found whatever their names (Cox 1980, doi 10.1080/01621459.1980.10477481). Atoms
without subjects are taken to be known as empty, which errs on the safe side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

OVERALL = "overall"
SLACK = 1e-6
Sets = Mapping[str, NDArray[np.bool_]]  # canonical phrase -> who is in it
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Atoms:
    """``inside``: for each phrase the atoms that it is made of; ``between``: a phrase and others within it, where the rest of
    it is no phrase: one that lies within another, and those of whom it is not known whether they are in a subgroup."""

    inside: Mapping[str, NDArray[np.bool_]]
    between: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, sets: Sets) -> Atoms:
        names = list(sets)
        rows = np.array([sets[n] for n in names], dtype=bool).reshape(len(names), -1)
        patterns = np.unique(rows[:, rows.any(axis=0)], axis=1)
        inside = dict(zip(names, patterns, strict=True))
        known = {pattern.tobytes() for pattern in inside.values()}
        between = []
        pairs = [(whole, (part,)) for whole, part in product(names, names)]
        halves = [(OVERALL, (n, f"not {n}")) for n in names if OVERALL in inside and f"not {n}" in inside]
        for whole, parts in (*pairs, *halves):
            taken = np.any([inside[p] for p in parts], axis=0)
            rest = inside[whole] & ~taken
            if rest.any() and not (taken & ~inside[whole]).any() and rest.tobytes() not in known:
                between.append((whole, parts))
                known.add(rest.tobytes())
        return cls(inside, tuple(between))


def named_sets(phrases: Collection[str], undecided: Collection[str] = ()) -> dict[str, NDArray[np.bool_]]:
    """Sets by the words of phrases only, every combination of names being possible: where nobody's membership is known.

    ``undecided`` are names of which some subjects are neither in nor out.
    """
    names = sorted({p.removeprefix("not ") for phrase in phrases for p in phrase.split(" and ")} - {OVERALL})
    subjects = list(product(*((True, False, None) if n in undecided else (True, False) for n in names)))
    at = {n: k for k, n in enumerate(names)}

    def holds(part: str, subject: Sequence[bool | None]) -> bool:
        return part == OVERALL or subject[at[part.removeprefix("not ")]] is (not part.startswith("not "))

    return {p: np.array([all(holds(part, s) for part in p.split(" and ")) for s in subjects]) for p in phrases}


@dataclass(frozen=True)
class System:
    """Counts that add up: row i of ``made_of`` says of which unknowns count i is the sum."""

    counts: NDArray[np.int64]
    made_of: Matrix
    secret: Matrix  # further sums that must not be known although nothing prints them
    secret_counts: NDArray[np.int64]


def suppressed(system: System, hidden: Collection[int], k: int, may_hide: Callable[[int], bool]) -> set[int]:
    """The counts to hide: those below k, those ``hidden`` already, and what would tell one below k.

    ``may_hide`` are the counts to be hidden first; others are only where nothing else helps.
    """
    small = {int(i) for i in np.flatnonzero(system.counts < k)}
    gone = small | set(hidden)
    protected = np.vstack([system.made_of[sorted(small)], system.secret[system.secret_counts < k]])
    if not len(protected):
        return gone
    _hide_other_halves(system, gone, small, may_hide)
    audit = _Audit(system, protected, k)
    while told := audit.told(gone):
        first = [i for i in told if may_hide(i)] or told
        gone.add(min(first, key=lambda i: (int(system.counts[i]), i)))
    return gone


def _hide_other_halves(system: System, gone: set[int], small: set[int], may_hide: Callable[[int], bool]) -> None:
    """Where a printed count is the sum of a small one and another, the other goes: no need to ask."""
    at = {row.tobytes(): i for i, row in enumerate(system.made_of)}
    for i in sorted(small):
        for whole in sorted(set(range(len(system.counts))) - gone):
            other = at.get((system.made_of[whole] - system.made_of[i]).tobytes())
            if other is not None and whole not in gone and may_hide(other):
                gone.add(other)


class _Audit:
    """What can be said about the protected sums. A solution stays one when more is hidden, so that what was free stays free."""

    def __init__(self, system: System, protected: Matrix, k: int) -> None:
        self.system, self.protected, self.k = system, protected, k
        self.free = {1.0: np.zeros(len(protected), bool), -1.0: np.zeros(len(protected), bool)}  # down to 0, up to k - 1

    def told(self, gone: set[int]) -> list[int]:
        """The printed counts by which a protected sum is known better than ``<k``; none where all are safe."""
        shown = [i for i in range(len(self.system.counts)) if i not in gone]
        if not shown or not (self.protected[:, self.system.made_of[shown].any(axis=0)] > 0).any():
            return []
        for way, free in self.free.items():
            if not free.all():
                self._solve(shown, way, self.protected[~free].sum(axis=0))  # often all at once
            while not free.all():
                j = int(np.flatnonzero(~free)[0])
                prices = self._solve(shown, way, self.protected[j])
                if not free[j]:
                    return [shown[i] for i in np.flatnonzero(np.abs(prices) > SLACK)] or shown
        return []

    def _solve(self, shown: list[int], way: float, goal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take a sum down or up as far as it goes and note what the solution shows free; the dual values of what is printed."""
        from scipy.optimize import linprog  # waits: scipy

        most = np.full(len(self.protected), self.k - 1.0)
        equal, right = self.system.made_of[shown], self.system.counts[shown].astype(float)
        made = linprog(way * goal, A_ub=self.protected, b_ub=most, A_eq=equal, b_eq=right)
        if made.x is None:  # counts that the memberships do not make: nothing is known of what they tell
            return np.ones(len(shown))
        values = self.protected @ made.x
        self.free[1.0] |= values <= SLACK
        self.free[-1.0] |= values >= self.k - 1 - SLACK
        return np.asarray(made.eqlin.marginals, dtype=np.float64)
