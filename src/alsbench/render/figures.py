"""Figures of results as SVG drawings inside an HTML page: LS means by visit, forest plots, survival as steps.

Arms are told apart by marker and dash, never by colour alone; what could not be estimated is a gap; nothing is loaded from
anywhere. The table beside a figure has every number that is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from alsbench.render.formats import MASKED, NOT_ESTIMABLE, format_p
from alsbench.render.marks import sign
from alsbench.render.page import Figure
from alsbench.render.svg import TOP, WIDTH, Drawing, dash
from alsbench.render.ticks import close_ratio_ticks, nice_ticks, tick_text

if TYPE_CHECKING:
    from alsbench.analysis.contrast import EvidenceCell


from collections.abc import Iterator

from alsbench.analysis.result import Result, Row
from alsbench.render.formats import absent
from alsbench.render.svg import padded

if TYPE_CHECKING:
    from alsbench.stats.survival import SurvivalCurve

APART = 0.012  # of the axis: between arms at one visit
MOST_NUMBERS = 26  # visits under which there is room for n
Stats = dict[str, Row]
Group = tuple[str | None, str | None]
ROW = 21.0
LEFT, RIGHT = 230.0, 270.0
LEAST, MOST = 3.0, 6.5  # half a square's side


def visit_figures(result: Result, subgroup: str, about: str) -> Iterator[Figure]:
    """A figure for each fit of the subgroup with means at two visits or more; ``about`` begins its caption."""
    for (treatment, reference), arms in _fits(result, subgroup).items():
        visits = sorted({v for by in arms.values() for v in by})
        if len({v for line in _points(arms).values() for v, *rest in line if all(map(math.isfinite, rest))}) < 2:
            continue
        pair = f"{treatment} vs {reference}" if treatment and reference else ""
        what = "geometric mean ratio to baseline" if _logs(arms) else "LS mean"
        caption = " · ".join(t for t in (about, pair, f"{what} with 95% CI by visit") if t)
        yield Figure(caption, lambda arms=arms, visits=visits, caption=caption: _draw_visits(arms, visits, caption))  # type: ignore[misc]


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


def _draw_visits(arms: dict[str, dict[float, Stats]], visits: Sequence[float], caption: str) -> str:
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


def forest_figures(
    cells: Sequence[EvidenceCell], scale: tuple[float, float], texts: Sequence[str], about: str
) -> tuple[Figure, ...]:
    """One comparison: a line for each of its cells, with ``texts`` as its estimate in print; ``scale`` is the drawn range (logs
    of ratios). Nothing where no subgroup has an estimate."""
    if not any(c.estimate is not None for c in cells):
        return ()
    starred = "; * post hoc" if any(c.post_hoc for c in cells) else ""
    caption = f"{about} · estimate with 95% CI by subgroup; squares grow with n{starred}"
    return (Figure(caption, lambda: _draw_forest(cells, scale, texts, caption)),)


def _draw_forest(cells: Sequence[EvidenceCell], scale: tuple[float, float], texts: Sequence[str], caption: str) -> str:
    made = Drawing(scale, (0.0, 1.0), height=TOP + (len(cells) + 1) * ROW + 52, left=LEFT, right=RIGHT)
    logs = any(c.ratio for c in cells)
    ticks = close_ratio_ticks(*scale, 6) if logs else [t for t in nice_ticks(*scale, 6) if scale[0] <= t <= scale[1]]
    made.rule(made.px(0.0), TOP + ROW - 6, made.px(0.0), made.bottom, dash="4 4", grey=True)
    right = WIDTH - RIGHT + 16
    for x, head, anchor in ((4.0, "subgroup", "start"), (LEFT - 24, "n", "end"), (right, "estimate (95% CI)", "start")):
        made.write(x, TOP + 10, head, anchor=anchor, bold=True)
    made.write(WIDTH - 64, TOP + 10, "p", anchor="end", bold=True)
    made.write(WIDTH - 4, TOP + 10, "p int", anchor="end", bold=True)
    most = max((c.n for c in cells), default=1) or 1
    for k, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        y = TOP + (k + 1.5) * ROW
        made.write(4, y + 4, f"{cell.subgroup}{' *' if cell.post_hoc else ''}", bold=k == 0)
        made.write(LEFT - 24, y + 4, str(cell.n) if cell.n >= 0 else MASKED, anchor="end")
        made.write(right, y + 4, text)
        made.write(WIDTH - 64, y + 4, _p(cell), anchor="end")
        if cell.interaction_p is not None:
            made.write(WIDTH - 4, y + 4, format_p(cell.interaction_p), anchor="end")
        if cell.estimate is not None and cell.low is not None and cell.high is not None:
            middle, low, high = ((math.log(v) if cell.ratio and v > 0 else v) for v in (cell.estimate, cell.low, cell.high))
            _interval(made, y, low, high, scale)
            size = LEAST + (MOST - LEAST) * math.sqrt(max(cell.n, 0) / most)
            made.marker(made.px(middle), y, 0, size, "square")
    made.horizontal([(t, f"{math.exp(t):g}" if logs else tick_text(t, ticks)) for t in ticks], "")
    _sides(made, cells)
    return made.svg(caption)


def _p(cell: EvidenceCell) -> str:
    if cell.p is None:
        return MASKED if cell.error == MASKED else NOT_ESTIMABLE
    return " ".join(t for t in (format_p(cell.p), sign(cell)) if t)


def _interval(made: Drawing, y: float, low: float, high: float, scale: tuple[float, float]) -> None:
    """The line of an interval; where it leaves the scale an arrow points on."""
    start, end = made.px(max(low, scale[0])), made.px(min(high, scale[1]))
    made.stroke([(start, y), (end, y)], width=1.3)
    for beyond, x, way in ((low < scale[0], start, 1), (high > scale[1], end, -1)):
        if beyond:
            made.stroke([(x + 5 * way, y - 4), (x, y), (x + 5 * way, y + 4)], width=1.3)
        else:
            made.stroke([(x, y - 3), (x, y + 3)], width=1.3)


def _sides(made: Drawing, cells: Sequence[EvidenceCell]) -> None:
    """Which way favours the treatment, on both sides of no difference."""
    for c in cells:
        if c.estimate is not None and c.favourable is not None:
            right = c.favourable == (c.estimate > (1.0 if c.ratio else 0.0))
            words = ("reference better", "treatment better") if right else ("treatment better", "reference better")
            made.write(made.px(0.0) - 8, made.height - 6, words[0], anchor="end")
            made.write(made.px(0.0) + 8, made.height - 6, words[1])
            return


def survival_figures(curves: Mapping[str, SurvivalCurve], about: str) -> tuple[Figure, ...]:
    """The curves of the arms in one figure; nothing where no arm has subjects."""
    if not curves:
        return ()
    floor = _floor(curves)
    axis = f"; the axis starts at {floor:g}" if floor else ""
    caption = f"{about} · Kaplan-Meier estimate; ticks: censored; below: at risk{axis}"
    return (Figure(caption, lambda: _draw_survival(curves, floor, caption)),)


def _floor(curves: Mapping[str, SurvivalCurve]) -> float:
    """0, or the tenth below every curve where all stay above a half."""
    lowest = min(float(c.survival.min()) for c in curves.values())
    return math.floor(lowest * 10 - 1e-9) / 10 if lowest > 0.5 else 0.0


def _draw_survival(curves: Mapping[str, SurvivalCurve], floor: float, caption: str) -> str:
    last = max(float(c.time[-1]) for c in curves.values())
    made = Drawing((0.0, last), (floor, 1.0), under=len(curves))
    made.vertical([(t, f"{t:.2g}") for t in nice_ticks(floor, 1.0, 5)], "without event")
    days = nice_ticks(0.0, last, 9)
    made.horizontal([(d, f"{d:g}") for d in days], "days")
    for k, curve in enumerate(curves.values()):
        times, alive = [0.0, *map(float, curve.time)], [1.0, *map(float, curve.survival)]
        steps = [(times[0], alive[0])]
        for (_, before), (time, after) in pairwise(zip(times, alive, strict=True)):
            steps += [(time, before), (time, after)]
        made.stroke([(made.px(t), made.py(s)) for t, s in steps], arm=k, width=1.8, dash=dash(k))
        for time, share, gone in zip(curve.time, curve.survival, curve.n_censor, strict=True):
            if gone:
                x, y = made.px(float(time)), made.py(float(share))
                made.stroke([(x, y - 4), (x, y + 4)], arm=k, width=1.2)
        made.row(k, "", [(d, str(curve.at(d).n_risk)) for d in days])
        made.marker(made.left - 30, made.bottom + 13 + (k + 1) * 15, k)
    made.legend([(arm, k) for k, arm in enumerate(curves)])
    return made.svg(caption)
