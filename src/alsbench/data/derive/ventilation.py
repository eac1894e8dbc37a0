"""Permanent assisted ventilation from a log of hours per day: more than 22 hours on 10 consecutive days (METHODS 2).

The event is on the first day of the first such run. A day without an entry breaks a run.
"""

from __future__ import annotations

import numpy as np

from alsbench.data.derive.columns import Floats


def first_permanent_ventilation(day: Floats, hours: Floats, *, over: float = 22, days: int = 10) -> float:
    """The first day of ``days`` consecutive days with more than ``over`` hours each; NaN where there is none.

    ``day`` (n,) whole days in any order, ``hours`` (n,); of two entries for a day the larger counts.
    """
    most: dict[int, float] = {}
    for d, h in zip(day.tolist(), hours.tolist(), strict=True):
        if d == d and h == h:
            most[int(d)] = max(most.get(int(d), 0.0), h)
    start, length, before = np.nan, 0, None
    for d in sorted(d for d, h in most.items() if h > over):
        follows = before is not None and d == before + 1
        start, length = (start, length + 1) if follows else (float(d), 1)
        if length == days:
            return float(start)
        before = d
    return float("nan")
