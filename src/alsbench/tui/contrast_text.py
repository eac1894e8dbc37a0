"""What the screens say of a contrast: estimate, standard error or limits, p, direction.

The numbers are the contrast's (:mod:`alsbench.analysis.contrast`); nothing is computed here.
"""

from __future__ import annotations

import math

from alsbench.analysis.contrast import SMALL, Contrast
from alsbench.render.formats import format_p, format_stat


def small_p(contrast: Contrast) -> bool:
    return contrast.p is not None and contrast.p < SMALL


def finite(contrast: Contrast) -> tuple[float, float, float] | None:
    """Estimate, lower and upper limit; None unless all three are finite."""
    found = tuple(math.nan if v is None else v for v in (contrast.estimate, contrast.low, contrast.high))
    return (found[0], found[1], found[2]) if all(map(math.isfinite, found)) else None


def visit_text(contrast: Contrast) -> str:
    """Where it was estimated: the visit's name, else its number; empty for a contrast of no visit."""
    return contrast.visit or ("" if contrast.visit_number is None else f"{contrast.visit_number:g}")


def short_text(contrast: Contrast, up: str, down: str, *, limits: bool = False, room: int = 6) -> str:
    """``1.23 (0.51) 0.024▲`` with the SE, or with the limits, ``room`` cells for p; ``NE`` where it could not be estimated."""
    if contrast.estimate is None:
        return "NE"
    beside = (contrast.low, contrast.high) if limits else (contrast.own_se,)
    spread = ", ".join(_stat("difference", v) for v in beside)
    mark = {True: up, False: down, None: " "}[contrast.favourable]
    p = "NE" if contrast.p is None else format_p(contrast.p)
    return f"{format_stat('difference', contrast.estimate)} ({spread}) {p:>{room}}{mark}"


def brief_text(contrast: Contrast) -> str:
    """``1.23 (95% CI 0.21, 2.25) p 0.024``: one line, whatever was estimated."""
    if contrast.estimate is None:
        return interval_text(contrast)
    return f"{_interval(contrast)} p {'NE' if contrast.p is None else format_p(contrast.p)}"


def interval_text(contrast: Contrast) -> str:
    """``difference 1.23 (95% CI 0.21, 2.25), p 0.024``."""
    if contrast.estimate is None:
        return f"NE: {contrast.error}" if contrast.error else "NE"
    p = "NE" if contrast.p is None else format_p(contrast.p)
    return f"{contrast.unit.replace('_', ' ')} {_interval(contrast)}, p {p}"


def _interval(contrast: Contrast) -> str:
    estimate, low, high = estimate_texts(contrast)
    return f"{estimate} (95% CI {low}, {high})"


def estimate_texts(contrast: Contrast) -> tuple[str, str, str]:
    """Estimate, lower and upper limit as printed."""
    return _stat(contrast.unit, contrast.estimate), _stat(contrast.unit, contrast.low), _stat(contrast.unit, contrast.high)


def _stat(name: str, value: float | None) -> str:
    return format_stat(name, math.nan if value is None else value)
