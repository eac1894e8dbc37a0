"""A lineup as small multiples: every panel drawn by the same code on the same axes, numbered from the left and the top.

Nothing but a panel's own points and curves goes into its drawing; what is common (range, ticks, legend) is of all of them.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from alsbench.render.page import Figure, Page, PageBlock, TextCell, label
from alsbench.render.page import Line as PageLine
from alsbench.render.svg import BOTTOM, WIDTH, Drawing, dash, padded
from alsbench.render.ticks import close_ratio_ticks, nice_ticks, tick_text
from alsbench.render.titles_footnotes import marked_title, page_facts, page_footnotes

if TYPE_CHECKING:
    from alsbench.analysis.lineup import Lineup, LineupPanel

ACROSS = 4
NAMES = 146.0  # of lines, left of the first column of a forest
CELL, GAP, HEAD, FOOT = 118.0, 12.0, 18.0, 30.0  # of a panel: its height, the room between two, its number, the axis below all
LINE = 11.0  # between the lines of a forest
APART = 0.1  # of a visit's distance, between the arms of one visit
Range = tuple[float, float]


def lineup_page(lineup: Lineup) -> Page:
    """The panels in one figure, how to judge, and the facts."""
    result = lineup.result
    title = marked_title(result.facts.title, result.provenance)
    lines = tuple(PageLine((TextCell(text),)) for text in how_to(lineup))
    block = PageBlock("How to judge", (label("Which panel is the trial?"),), lines)
    caption = f"{title} · every panel on the same axes"
    return Page(title, (block,), page_facts(result), page_footnotes(result), (Figure(caption, lambda: draw(lineup, caption)),))


def how_to(lineup: Lineup) -> tuple[str, ...]:
    """What a judge is told."""
    n = len(lineup.panels)
    return (
        f"One of the {n} panels is the trial; in the others arms were dealt again, and no treatment has any effect.",
        "Let somebody who has not seen the data point at the panel that differs most from the others.",
        f"By guessing the trial is found once in {n} times: p = {1 / n:.3g} for one judge who finds it.",
        "alsbench lineup --reveal KEY --pick PANEL tells which it was; --pick repeats, once for each judge.",
    )


def draw(lineup: Lineup, caption: str) -> str:
    """The figure: four panels across."""
    rows = -(-len(lineup.panels) // ACROSS)
    lines = lineup.view in ("forest", "evidence")
    cell = max(CELL, len(lineup.series) * LINE + 8.0) if lines else CELL
    first = NAMES if lines else 44.0
    wide = (WIDTH - first - 6.0 - (ACROSS - 1) * GAP) / ACROSS
    height = rows * (cell + HEAD) + FOOT + 20.0
    whole = Drawing((0, 1), (0, 1), height=height)
    x, y = ranges(lineup)
    for k, panel in enumerate(lineup.panels):
        row, column = divmod(k, ACROSS)
        left, top = first + column * (wide + GAP), row * (cell + HEAD) + HEAD
        made = Drawing(x, y, height=top + cell + BOTTOM, left=left, right=WIDTH - left - wide, top=top, parts=whole.parts)
        made.write(left, top - 4, str(k + 1), bold=True)
        made.rule(left, made.bottom, left + wide, made.bottom)
        below = k + ACROSS >= len(lineup.panels)
        _frame(made, lineup, left_most=column == 0, below=below)
        _panel(made, lineup, panel)
    _legend(whole, lineup)
    return whole.svg(caption)


def ranges(lineup: Lineup) -> tuple[Range, Range]:
    """The horizontal and the vertical range of all panels together."""
    marks = [m for p in lineup.panels for m in p.marks]
    if lineup.view == "km":
        last = max((c.time[-1] for p in lineup.panels for c in p.curves), default=1.0)
        lowest = min((min(c.survival) for p in lineup.panels for c in p.curves), default=0.0)
        return (0.0, last), (math.floor(lowest * 10 - 1e-9) / 10 if lowest > 0.5 else 0.0, 1.0)
    reached = padded((v for m in marks for v in (m.low, m.value, m.high)), 0.0)
    if lineup.view == "months":
        visits = sorted({m.at for m in marks})
        room = 0.5 * min((b - a for a, b in pairwise(visits)), default=1.0)
        return (visits[0] - room, visits[-1] + room) if visits else (0.0, 1.0), reached
    values = sorted(v for m in marks for v in (m.low, m.high) if math.isfinite(v))
    if values:  # a very wide interval is cut off, in all panels alike
        cut = values[int(0.01 * len(values))], values[min(int(0.99 * len(values)), len(values) - 1)]
        reached = padded(cut, 0.0)
    return reached, (len(lineup.series) - 0.5, -0.5)


def _ticks(values: Range, count: int, logs: bool) -> list[tuple[float, str]]:
    if logs:
        return [(t, f"{math.exp(t):.3g}") for t in close_ratio_ticks(*values, count)]
    found = [t for t in nice_ticks(*values, count) if values[0] <= t <= values[1]]
    return [(t, tick_text(t, found)) for t in found]


def _frame(made: Drawing, lineup: Lineup, *, left_most: bool, below: bool) -> None:
    """Ticks of a panel; their texts stand at the left and below the last of a column."""
    lines = lineup.view in ("forest", "evidence")
    if lines:
        if made.x[0] <= 0.0 <= made.x[1]:
            made.rule(made.px(0.0), made.top, made.px(0.0), made.bottom, dash="3 3", grey=True)
        if left_most:
            for at, name in enumerate(lineup.series):
                made.write(made.left - 6, made.py(at) + 4, _short(name), anchor="end")
    else:
        made.rule(made.left, made.top, made.left, made.bottom)
        for value, text in _ticks(made.y, 4, lineup.logs and lineup.view == "months"):
            made.rule(made.left - 3, made.py(value), made.left, made.py(value))
            if left_most:
                made.write(made.left - 5, made.py(value) + 4, text, anchor="end")
        if made.y[0] < 0.0 < made.y[1]:
            made.rule(made.left, made.py(0.0), WIDTH - made.right, made.py(0.0), dash="3 3", grey=True)
    for value, text in _ticks(made.x, 3, lineup.logs and lines):
        made.rule(made.px(value), made.bottom, made.px(value), made.bottom + 3)
        if below:
            made.write(made.px(value), made.bottom + 14, text, anchor="middle")


def _short(name: str, most: int = 22) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _panel(made: Drawing, lineup: Lineup, panel: LineupPanel) -> None:
    arms = {name: k for k, name in enumerate(lineup.series)}
    for curve in panel.curves:
        points = [(curve.time[0], curve.survival[0])]
        for (_, before), (time, after) in pairwise(zip(curve.time, curve.survival, strict=True)):
            points += [(time, before), (time, after)]
        k = arms[curve.name]
        made.stroke([(made.px(t), made.py(s)) for t, s in points], arm=k, width=1.3, dash=dash(k))
    if lineup.view == "months":
        _means(made, panel, arms)
        return
    for mark in panel.marks:
        if math.isfinite(mark.value):
            y = made.py(mark.at)
            made.stroke([(made.px(_within(v, made.x)), y) for v in (mark.low, mark.high)], width=1.1)
            made.marker(made.px(_within(mark.value, made.x)), y, 0, 2.6, "square")


def _means(made: Drawing, panel: LineupPanel, arms: dict[str, int]) -> None:
    visits = sorted({m.at for m in panel.marks})
    step = APART * min((b - a for a, b in pairwise(visits)), default=1.0)
    for name, k in arms.items():
        mine = [m for m in panel.marks if m.name == name and math.isfinite(m.value)]
        shift = (k - (len(arms) - 1) / 2) * step
        made.stroke([(made.px(m.at + shift), made.py(m.value)) for m in mine], arm=k, width=1.2, dash=dash(k))
        for m in mine:
            x = made.px(m.at + shift)
            if math.isfinite(m.low) and math.isfinite(m.high):
                made.stroke([(x, made.py(m.low)), (x, made.py(m.high))], arm=k, width=0.8)
            made.marker(x, made.py(m.value), k, 2.2)


def _within(value: float, limits: Range) -> float:
    return min(max(value, limits[0]), limits[1])


def _legend(whole: Drawing, lineup: Lineup) -> None:
    """Below all panels: the arms, and what is on the axis."""
    y, x = whole.height - 8.0, 44.0
    if lineup.view in ("months", "km"):
        for k, name in enumerate(lineup.series):
            whole.stroke([(x, y - 4), (x + 24, y - 4)], arm=k, dash=dash(k))
            if lineup.view == "months":
                whole.marker(x + 12, y - 4, k, 3.0)
            whole.write(x + 29, y, name)
            x += 44 + 7.0 * len(name)
    whole.write(WIDTH - 6, y, axis_words(lineup), anchor="end")


def axis_words(lineup: Lineup) -> str:
    """What the axes are, in a line."""
    if lineup.view == "months":
        ratio = "ratio to baseline" if lineup.logs else "change"
        return f"{lineup.axis}: {ratio} by visit, 95% CI; {'higher' if lineup.upward else 'lower'} is better"
    if lineup.view == "km":
        return "share without event by day"
    if lineup.view == "evidence":
        return lineup.axis
    return f"{lineup.axis}: estimate with 95% CI; {'right' if lineup.upward else 'left'} is better"
