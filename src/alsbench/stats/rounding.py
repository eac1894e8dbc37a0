"""How a number is rounded, in sentences as in tables: once, half away from zero; a percentage from the counts themselves.

A double is rounded from its shortest decimal (``repr``), as SAS and a hand calculator do: 2.675 becomes 2.68 although the
double lies just below it. A share of counts is rounded from the whole numbers: 23 of 80 is 28.75 % and becomes 28.8 %.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal


def round_half_away(value: float, places: int) -> str:
    """``value`` with ``places`` decimals, rounded half away from zero; a negative that rounds to zero loses its sign.

    What is not finite has no decimals."""
    if not math.isfinite(value):
        return str(value)
    quantum = Decimal(1).scaleb(-places)
    rounded = Decimal(repr(float(value))).quantize(quantum, rounding=ROUND_HALF_UP)
    if rounded == 0:
        rounded = abs(rounded)
    return f"{rounded:f}"


def percent_text(count: int, n: int, places: int = 0) -> str:
    """``count`` of ``n`` in percent with ``places`` decimals, exactly half away from zero; counts are not negative."""
    tenths = (200 * count * 10**places + n) // (2 * n)  # floor(x + 1/2) of x in units of the last decimal
    return f"{Decimal(tenths).scaleb(-places):f}"
