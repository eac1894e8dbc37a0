"""What tells the arm without naming it: columns, records and data sets that follow it by subject.

Dummy arms say already who belongs together; what may not be said is which of them is which. A column gives that away where an
arm (or several together) is set apart by it: a value that all of its subjects have and nobody else, values that are only its
own, a column that is filled or empty, or constant, for it alone, numbers that lie all above or all below everybody else's. That
all subjects of an arm agree by chance is possible only where there are few of them; where some of an arm's subjects do, it is
taken for a sign once allocation at random would give it with a probability of at most ``RARE`` (hypergeometric).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import lgamma
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FEWEST = 2  # subjects on either side before a column can be taken for the arm
RARE = 1e-3
SELDOM = 0.01  # for the columns of one parameter: there are many of them, and some have few subjects
MOST_ARMS = 8  # with more, each arm is only compared with all others

# Trial design, subject elements, drug accountability, concentrations and antibodies: each row is of an arm, or has values only
# where the drug was given.
LEFT_OUT = frozenset(
    ("TA", "TE", "TV", "TX", "TS", "SE", "DA", "PC", "PP", "IS", "ADPC", "ADPP", "ADIS", "ADDA", "ADPPK", "ADNCA", "POOLDEF")
)

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Allocation:
    """The subjects of a trial by number, and the arm of each, by number too."""

    numbers: Mapping[str, int]
    arm: Codes
    arms: int

    @classmethod
    def of(cls, arm_of: Mapping[str, str]) -> Allocation:
        order = sorted(set(arm_of.values()))
        return cls({s: k for k, s in enumerate(arm_of)}, np.array([order.index(a) for a in arm_of.values()], int), len(order))

    def rows(self, table: pa.Table, subject: str) -> Codes:
        """The number of the subject of every row, -1 where it has no known arm."""
        known = pa.array(list(self.numbers), pa.string())
        found = pc.index_in(table[subject].cast(pa.string()), known)
        return np.asarray(pc.fill_null(found, -1).combine_chunks().to_numpy(zero_copy_only=False), dtype=np.int64)

    @cached_property
    def sides(self) -> tuple[tuple[int, ...], ...]:
        """Every way to set arms apart from the others, each once."""
        every = range(self.arms)
        if self.arms > MOST_ARMS:
            return tuple((a,) for a in every)
        found = (s for size in range(1, self.arms // 2 + 1) for s in combinations(every, size))
        return tuple(s for s in found if 2 * len(s) < self.arms or 0 in s)


def coded(column: Any) -> Codes:
    """A column's values as numbers from 0, -1 where missing."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    indices = whole.dictionary_encode().indices
    return np.asarray(pc.fill_null(indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def tells(
    codes: Codes, who: Codes, subjects: Allocation, numbers: NDArray[np.float64] | None = None, *, seldom: bool = False
) -> str:
    """``same`` where a column is the arm under other names, ``part`` where it sets arms apart, else empty.

    ``codes`` and ``who`` are of its rows (subjects of a known arm only); ``numbers`` are its values where they have an order.
    ``seldom`` asks that even a perfect agreement would hardly be chance.
    """
    here = np.unique(who)
    sizes = np.bincount(subjects.arm[here], minlength=subjects.arms)
    if np.count_nonzero(sizes) < 2:
        return ""
    pairs = np.unique((codes + 1) * len(subjects.arm) + who)
    value, whose = np.divmod(pairs, len(subjects.arm))
    width = int(codes.max(initial=-1)) + 2
    having = _by_arm(value, whose, width, subjects)
    different = np.bincount(whose, minlength=len(subjects.arm))
    alone = different[whose] == 1  # the only value of its subject
    constant = _by_arm(value[alone], whose[alone], width, subjects)
    if _is_same(having, sizes):
        return "same"
    single = bool(alone.all())
    filled = np.bincount(subjects.arm[np.unique(whose[value > 0])], minlength=subjects.arms)
    for side in subjects.sides:
        inside, outside = _split(sizes, side)
        if not inside or not outside:
            continue
        total = inside + outside
        enough = min(inside, outside) >= FEWEST and not (seldom and _log_choose(total, inside) < -np.log(SELDOM))
        if enough and any(_exactly(c, side, inside, outside) for c in (having, constant)):
            return "part"
        if _rare(*_split(filled, side), inside, outside) or _apart(having[1:], side, inside / total):
            return "part"
        if single and len(side) == 1 and any(_rare(*_split(row, side), inside, outside) for row in having[1:]):
            return "part"
        if numbers is not None and _in_order(numbers, who, side, subjects):
            return "part"
    return ""


def follow(keys: Codes, who: Codes, subjects: Allocation) -> tuple[int, ...]:
    """The keys (of rows; -1 for none) whose having a record at all sets arms apart."""
    sizes = np.bincount(subjects.arm, minlength=subjects.arms)
    used = (keys >= 0) & (who >= 0)
    pairs = np.unique(keys[used] * len(subjects.arm) + who[used])
    value, whose = np.divmod(pairs, len(subjects.arm))
    having = _by_arm(value, whose, int(keys.max(initial=-1)) + 1, subjects)
    held = having.sum(axis=1)
    odd = ((having == 0) | (having == sizes)).any(axis=1) & (held > 0) & (held < sizes.sum())
    return tuple(int(k) for k in np.flatnonzero(odd) if any(_follows(having[k], sizes, s) for s in subjects.sides))


def _follows(having: Codes, sizes: Codes, side: tuple[int, ...]) -> bool:
    inside, outside = _split(sizes, side)
    here, there = _split(having, side)
    exact = min(inside, outside) >= FEWEST and (here, there) in ((inside, 0), (0, outside))
    return exact or _rare(here, there, inside, outside)


def _by_arm(value: Codes, whose: Codes, width: int, subjects: Allocation) -> Codes:
    """Allocation with each value (rows; missing is the first) by arm (columns)."""
    cells = np.bincount(value * subjects.arms + subjects.arm[whose], minlength=width * subjects.arms)
    return cells.reshape(width, subjects.arms)


def _split(counts: Codes, side: tuple[int, ...]) -> tuple[int, int]:
    inside = int(counts[list(side)].sum())
    return inside, int(counts.sum()) - inside


def _is_same(having: Codes, sizes: Codes) -> bool:
    """Each arm has one value, no two the same one, and none is missing."""
    held = having[:, sizes > 0] > 0
    return bool((held.sum(axis=0) == 1).all() and (held.sum(axis=1) <= 1).all() and not held[0].any())


def _exactly(counts: Codes, side: tuple[int, ...], inside: int, outside: int) -> bool:
    """Whether a value is that of all subjects on one side and of nobody on the other."""
    here = counts[:, list(side)].sum(axis=1)
    there = counts.sum(axis=1) - here
    return bool((((here == inside) & (there == 0)) | ((there == outside) & (here == 0))).any())


def _apart(counts: Codes, side: tuple[int, ...], share: float) -> bool:
    """Whether the two sides have no value in common, which values shared by several subjects would have by chance."""
    here = counts[:, list(side)].sum(axis=1)
    there = counts.sum(axis=1) - here
    if np.minimum(here, there).any() or not here.any() or not there.any():
        return False
    many = (here + there).astype(float)
    return bool(np.log(share**many + (1.0 - share) ** many).sum() <= np.log(RARE))


def _rare(here: int, there: int, inside: int, outside: int) -> bool:
    """Whether ``here`` and ``there`` subjects, of as many on the two sides, leave one side with none or with all, too seldom to
    be chance."""
    drawn, total = here + there, inside + outside
    none = (here == 0 and _draws(outside, drawn, total)) or (there == 0 and _draws(inside, drawn, total))
    left = total - drawn
    whole = (here == inside and _draws(outside, left, total)) or (there == outside and _draws(inside, left, total))
    return bool(drawn and left and (none or whole))


def _draws(pool: int, drawn: int, total: int) -> bool:
    """Whether ``drawn`` of ``total`` all come from ``pool`` of them with a probability of at most RARE."""
    return drawn <= pool and bool(_log_choose(pool, drawn) - _log_choose(total, drawn) <= np.log(RARE))


def _log_choose(n: int, m: int) -> float:
    return lgamma(n + 1) - lgamma(m + 1) - lgamma(n - m + 1)


def _in_order(numbers: NDArray[np.float64], who: Codes, side: tuple[int, ...], subjects: Allocation) -> bool:
    """Whether all values of one side lie above all of the other, with so many subjects that it is no chance."""
    known = np.isfinite(numbers)
    here = np.isin(subjects.arm[who], side)
    a, b = numbers[known & here], numbers[known & ~here]
    if not a.size or not b.size or not (a.max() < b.min() or b.max() < a.min()):
        return False
    n, m = (len(np.unique(who[known & part])) for part in (here, ~here))
    return bool(np.log(2.0) - _log_choose(n + m, n) <= np.log(RARE))
