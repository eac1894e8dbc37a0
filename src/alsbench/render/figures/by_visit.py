"""LS means with their intervals by visit, or geometric mean ratios on a log scale, the number analysed under the axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from alsbench.analysis.result import Result, Row
from alsbench.render.figures.svg import Drawing, dash, padded
from alsbench.render.formats import absent
from alsbench.render.page import Figure
from alsbench.render.ticks import close_ratio_ticks, nice_ticks, tick_text

APART = 0.012  # of the axis: between arms at one visit
MOST_NUMBERS = 26  # visits under which there is room for n
Stats = dict[str, Row]
Group = tuple[str | None, str | None]


def visit_figures(result: Result, subgroup: str, about: str) -> Iterator[Figure]:
    """A figure for each fit of the subgroup with means at two visits or more; ``about`` begins its caption."""
    for (treatment, reference), arms in _fits(result, subgroup).items():
        visits = sorted({v for by in arms.values() for v in by})
        if len({v for line in _points(arms).values() for v, *rest in line if all(map(math.isfinite, rest))}) < 2:
            continue
        pair = f"{treatment} vs {reference}" if treatment and reference else ""
        what = "geometric mean ratio to baseline" if _logs(arms) else "LS mean"
        caption = " · ".join(t for t in (about, pair, f"{what} with 95% CI by visit") if t)
        yield Figure(caption, lambda arms=arms, visits=visits, caption=caption: _draw(arms, visits, caption))  # type: ignore[misc]


def _fits(result: Result, subgroup: str) -> dict[Group, dict[str, dict[float, Stats]]]:
    """The statistics of every arm and visit, by the comparison they were fitted for; arms in the order of the result."""
    found: dict[Group, dict[str, dict[float, Stats]]] = {}
    for row in result.rows:
        if row.context != "arm" or row.subgroup != subgroup or row.visit_number is None or row.arm is None:
            continue
        if row.method == "joint_rank":  # ranks of other horizons are no course of one quantity
            continue
        if row.variable is None and row.level is None:
            fit = found.setdefault((row.treatment, row.reference), {})
            fit.setdefault(row.arm, {}).setdefault(row.visit_number, {})[row.stat_name] = row
    return found


def _logs(arms: dict[str, dict[float, Stats]]) -> bool:
    return any("gmr" in stats for by in arms.values() for stats in by.values())


def _draw(arms: dict[str, dict[float, Stats]], visits: Sequence[float], caption: str) -> str:
    logs, points = _logs(arms), _points(arms)
    y = padded((value for line in points.values() for point in line for value in point[1:]), 0.0)
    start = min(0.0, visits[0])
    span = visits[-1] - start
    numbered = len(visits) <= MOST_NUMBERS
    made = Drawing((start, visits[-1] + 0.02 * span), y, under=len(arms) if numbered else 0)
    ticks = close_ratio_ticks(*y, 6) if logs else nice_ticks(*y, 6)
    made.vertical(
        [(t, f"{math.exp(t):g}" if logs else tick_text(t, ticks)) for t in ticks if y[0] <= t <= y[1]],
        "geometric mean ratio" if logs else "LS mean",
    )
    step = max(1, math.ceil(len(visits) / 24))
    made.horizontal([(v, f"{v:g}") for v in dict.fromkeys((start, *visits[::step]))], _unit(arms))
    made.level(0.0)
    for k, (arm, line) in enumerate(points.items()):
        shift = (k - (len(points) - 1) / 2) * APART * span
        seen = [(made.px(v + shift), *(made.py(e) for e in rest)) for v, *rest in line if all(map(math.isfinite, rest))]
        made.stroke([(x, mid) for x, mid, _, _ in seen], arm=k, dash=dash(k))
        for x, mid, low, high in seen:
            made.stroke([(x, low), (x, high)], arm=k, width=1.2)
            for end in (low, high):
                made.stroke([(x - 3, end), (x + 3, end)], arm=k, width=1.2)
            made.marker(x, mid, k)
        if numbered:
            counts = [(v, _count(arms[arm][v])) for v in visits if v in arms[arm]]
            made.row(k, "", [(v, n) for v, n in counts])
            made.marker(made.left - 16, made.bottom + 13 + (k + 1) * 15, k)
            made.write(made.left - 26, made.bottom + 17 + (k + 1) * 15, "n", anchor="end")
    made.legend([(arm, k) for k, arm in enumerate(points)])
    return made.svg(caption)


def _points(arms: dict[str, dict[float, Stats]]) -> dict[str, list[tuple[float, ...]]]:
    """(visit, estimate, low, high) of every arm; logs of ratios, NaN where there is no number."""
    logs = _logs(arms)
    names = ("gmr", "gmr_low", "gmr_high") if logs else ("ls_mean", "conf_low", "conf_high")
    scale = math.log if logs else float
    return {arm: [(v, *(_value(by[v], n, scale) for n in names)) for v in sorted(by)] for arm, by in arms.items()}


def _value(stats: Stats, name: str, scale: object) -> float:
    row = stats.get(name)
    if row is None or not isinstance(row.stat, int | float):
        return math.nan
    return float(scale(row.stat))  # type: ignore[operator]


def _count(stats: Stats) -> str:
    """The number under a point; where it is masked, what stands in its place in tables: its mean is not drawn."""
    row = stats.get("n")
    if row is None:
        return ""
    return absent(row.error) if row.stat is None else str(row.stat)


def _unit(arms: dict[str, dict[float, Stats]]) -> str:
    """``Month`` where every visit is called so: else visits have only numbers in common."""
    labels = {(row.visit or "", row.visit_number) for by in arms.values() for stats in by.values() for row in stats.values()}
    words = {text.rsplit(" ", 1)[0] for text, number in labels if number is not None and text.endswith(f" {number:g}")}
    known = len(words) == 1 and all(number is not None and text.endswith(f" {number:g}") for text, number in labels)
    return words.pop() if known else "visit number"
