"""From which visit is a difference significant? Two answers, both with the number of looks taken.

*Lasting*: the first visit from which p < alpha at that and every later visit. *First*: the first visit with p < alpha at all.
The second is what a press release quotes; the first is what a reader takes it to mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FirstVisit:
    """Visit numbers (None: never), and how many visits were tested."""

    lasting: float | None
    first: float | None
    tested: int


def first_significant_visit(visits: Sequence[float], p_values: Sequence[float], *, alpha: float = 0.05) -> FirstVisit:
    """The first lasting and the first significant visit. A visit without a p-value (NaN) counts as not significant.

    ``visits`` need not be sorted; they are taken in ascending order.
    """
    ordered = sorted(zip(visits, p_values, strict=True))
    significant = [p < alpha for _, p in ordered]  # NaN compares false
    lasting: float | None = None
    for (visit, _), below in zip(reversed(ordered), reversed(significant), strict=True):
        if not below:
            break
        lasting = visit
    first = next((visit for (visit, _), below in zip(ordered, significant, strict=True) if below), None)
    return FirstVisit(lasting, first, sum(p == p for _, p in ordered))
