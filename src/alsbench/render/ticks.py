"""Round numbers on an axis, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers between ``low`` and ``high``."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def ratio_ticks(low: float, high: float, count: int) -> list[float]:
    """Logs of about ``count`` round ratios between ``exp(low)`` and ``exp(high)``, 1 among them."""
    first, last = math.floor(low / math.log(10)), math.ceil(high / math.log(10))
    for steps in ((1, 1.5, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [math.log(m * 10.0**k) for k in range(first, last + 1) for m in steps]
        found = [t for t in ticks if low - 1e-9 <= t <= high + 1e-9]
        if len(found) <= count + 1:
            break
    return found


def close_ratio_ticks(low: float, high: float, count: int) -> list[float]:
    """Logs of about ``count`` round ratios: evenly apart where the range is less than fourfold, else as :func:`ratio_ticks`."""
    if high - low >= math.log(4.0):
        return ratio_ticks(low, high, count)
    return [math.log(t) for t in nice_ticks(math.exp(low), math.exp(high), count) if t > 0]


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """A tick with as many decimals as the step between ticks needs."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    places = max(0, -math.floor(math.log10(abs(step)) + 1e-9)) if step else 0
    if places and abs(step * 10**places - round(step * 10**places)) > 1e-6:
        places += 1
    return f"{value:.{places}f}" if value or places == 0 else f"{0:.{places}f}"
