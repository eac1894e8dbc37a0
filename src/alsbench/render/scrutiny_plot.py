"""A check's estimates with their intervals drawn to one scale, a section for each comparison: the shape that a table hides."""

from __future__ import annotations

import math

from alsbench.analysis.result import Row
from alsbench.render.page import Block, Cell, Column, Line, label

BARS = 37
LEAST = 3  # lines worth a plot
CLIP = 2.5  # the scale goes at most this many median half-intervals beyond the estimates
RATIOS = frozenset({"ratio", "hazard_ratio"})
LEGEND = "■ estimate, ─ 95 % interval, < > it goes on, | no difference"
Point = tuple[float, float, float]


def plot_block(sections: dict[str, list[tuple[str, dict[str, Row]]]], limits: dict[str, tuple[str, str]]) -> Block | None:
    """A block of bars, None where no section has three estimates with intervals.

    ``sections`` hold labelled statistics by name, as the table has them; ``limits`` name the interval of each estimate.
    """
    lines: list[Line] = []
    for title, members in sections.items():
        drawn = [(name, stats, _point(stats, limits)) for name, stats in members]
        points = [p for _, _, p in drawn if p is not None]
        if len(points) < LEAST:
            continue
        low, high = _scale(points)
        lines.append(Line((Cell(title), Cell("")), heading=True))
        lines += [Line((Cell(name), Cell(_bar(p, low, high)))) for name, _, p in drawn if p is not None]
    columns = (label("Variant"), Column("estimate and interval", justify="left"))
    return Block("Plot", columns, tuple(lines), (LEGEND,)) if lines else None


def _point(stats: dict[str, Row], limits: dict[str, tuple[str, str]]) -> Point | None:
    for name, (low, high) in limits.items():
        rows = [stats.get(n) for n in (name, low, high)]
        if all(r is not None and r.stat is not None for r in rows):
            values = [r.number() for r in rows if r is not None]
            if name in RATIOS:
                if min(values) <= 0:
                    return None
                values = [math.log(v) for v in values]
            return values[0], values[1], values[2]
    return None


def _scale(points: list[Point]) -> tuple[float, float]:
    """The drawn range: no difference and every estimate in it, very wide intervals clipped."""
    halves = sorted((high - low) / 2 for _, low, high in points)
    reach = CLIP * halves[len(halves) // 2]
    estimates = [p[0] for p in points]
    low = min(0.0, *estimates, max(min(p[1] for p in points), min(estimates) - reach))
    high = max(0.0, *estimates, min(max(p[2] for p in points), max(estimates) + reach))
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _bar(point: Point, low: float, high: float) -> str:
    estimate, left, right = point
    line = [" "] * BARS
    zero = _column(0.0, low, high)
    line[zero] = "|"
    for k in range(_column(left, low, high), _column(right, low, high) + 1):
        line[k] = "┼" if k == zero else "─"
    if left < low:
        line[0] = "<"
    if right > high:
        line[-1] = ">"
    line[_column(estimate, low, high)] = "■"
    return "".join(line).rstrip()


def _column(value: float, low: float, high: float) -> int:
    return round((min(max(value, low), high) - low) / (high - low) * (BARS - 1))
