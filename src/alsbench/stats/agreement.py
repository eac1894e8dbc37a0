"""Whether two programs agree on a statistic: what each kind may differ by, against the larger of its size and standard error.

Counts, pair scores and wins are equal; closed forms (least squares, Kaplan-Meier, log-rank) agree to 1e-9, fits that iterate to
1e-6, p-values to 1e-6 absolutely, degrees of freedom to 1e-4.
"""

from __future__ import annotations

import math

COUNTS = frozenset({"n", "events", "pairs", "wins", "losses", "ties", "gehan_w", "visits_tested"})
ITERATED = frozenset({"hazard_ratio", "hr_low", "hr_high", "z"})
CLOSED_FORM, FITTED, DF = 1e-9, 1e-6, 1e-4


def tolerance(stat_name: str, value: float, se: float = 0.0) -> float:
    """The absolute deviation that a statistic of this name may have, ``value`` being the first program's."""
    if stat_name in COUNTS:
        return 0.0
    if stat_name == "df":
        return DF * abs(value)
    if stat_name.endswith(("_p", "p_value")):
        return FITTED
    return (FITTED if stat_name in ITERATED else CLOSED_FORM) * max(abs(value), se)


def agree(stat_name: str, one: float | str | None, other: float | str | None, se: float = 0.0) -> tuple[bool, float]:
    """Whether two values agree, and the deviation relative to the larger of value and SE (infinite where one has none)."""
    if one == other:
        return True, 0.0
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False, math.inf
    deviation = abs(one - other)
    size = max(abs(one), se)
    return deviation <= tolerance(stat_name, one, se), deviation / size if size else math.inf
