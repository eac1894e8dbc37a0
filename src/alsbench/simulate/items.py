"""Item scores from total scores: which of the 48 points a person has lost, in the order in which that person loses them.

Every person has an order of losing the twelve items' four points each: the domain of onset first (bulbar, upper or lower
limb), breathing last, with personal variation. A total of T means that the first 48 - T points of that order are gone, so
items sum to the total and move with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alsbench.simulate.draws import Stream
from alsbench.study.als import DOMAINS, MAX_ITEM, MAX_TOTAL

IntArray = NDArray[np.int64]

_FIRST = {"BULBAR": ("bulbar",), "UPPER": ("fine motor",), "LOWER": ("gross motor",)}
_LATE = {"bulbar": 1.6, "fine motor": 1.2, "gross motor": 1.2, "respiratory": 2.4}
_PER_POINT = 0.8
_SPREAD = 0.7


def loss_orders(onset: NDArray[np.object_], stream: Stream) -> IntArray:
    """For each person, the item (0-11) of each of the 48 points in the order they are lost: (n, 48).

    ``onset`` (n,) holds BULBAR, UPPER or LOWER.
    """
    n = onset.shape[0]
    start = np.empty((n, 12))
    for domain, items in DOMAINS.items():
        first = np.array([domain in _FIRST[str(o)] for o in onset])
        start[:, [i - 1 for i in items]] = np.where(first, 0.0, _LATE[domain])[:, None]
    start += _SPREAD * stream.normal(n, 12)
    times = start[:, :, None] + _PER_POINT * np.arange(MAX_ITEM) + _SPREAD * stream.normal(n, 12, MAX_ITEM)
    order = np.argsort(times.reshape(n, MAX_TOTAL), axis=1, kind="stable")
    return order // MAX_ITEM


def item_scores(totals: IntArray, people: IntArray, orders: IntArray) -> IntArray:
    """Scores 0-4 of the twelve items (m, 12) whose sums are ``totals`` (m,); ``people`` (m,) are rows of ``orders``."""
    lost = np.arange(MAX_TOTAL)[None, :] < (MAX_TOTAL - totals)[:, None]
    items = orders[people]
    scores = np.full((totals.shape[0], 12), MAX_ITEM, dtype=np.int64)
    for item in range(12):
        scores[:, item] -= ((items == item) & lost).sum(axis=1)
    return scores
