"""A forest plot in text: estimates with their intervals drawn to a common scale, the number behind each in print.

Squares grow with n, an arrow says that an interval leaves the scale, and the line of no difference is marked. Ratios are
drawn on a log scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from alsbench.render.evidence import estimate_text, nominal_note, p_text
from alsbench.render.figures import forest_figures
from alsbench.render.formats import MASKED, NOT_ESTIMABLE, format_p
from alsbench.render.marks import sign_notes, style
from alsbench.render.page import Column, Figure, Line, Page, PageBlock, TextCell, label
from alsbench.render.titles_footnotes import CI, marked_title, page_facts, page_footnotes

if TYPE_CHECKING:
    from alsbench.analysis.contrast import EvidenceCell
    from alsbench.analysis.evidence import Evidence

BARS = 21
SIZES = ("▪", "■")
LEGEND = f"{SIZES[1]} estimate, {SIZES[0]} where n is less than half the largest; < > the interval goes on; | no difference."
Point = tuple[float, float, float]  # estimate, low, high
CLIP = 2.5  # the scale spans at most this many median half-intervals beyond the estimates


def forest_page(evidence: Evidence) -> Page:
    """A block for each comparison, overall first, each subgroup before its complement."""
    result = evidence.result
    names = dict.fromkeys(c.comparison for c in evidence.cells)
    blocks = tuple(_block([c for c in evidence.cells if c.comparison == name]) for name in names)
    notes = (LEGEND, *nominal_note(evidence), *sign_notes(evidence.cells), *page_footnotes(result))
    title = marked_title(result.facts.title, result.provenance)
    figures = tuple(f for name in names for f in _figures([c for c in evidence.cells if c.comparison == name], title))
    return Page(title, blocks, page_facts(result), notes, figures)


def _figures(cells: list[EvidenceCell], title: str) -> tuple[Figure, ...]:
    visit = next((c.visit for c in cells if c.visit), "")
    about = " · ".join(t for t in (title, f"{cells[0].treatment} vs {cells[0].reference}", visit) if t)
    return forest_figures(cells, scale_of(cells), [estimate_text(c) for c in cells], about)


def _block(cells: list[EvidenceCell]) -> PageBlock:
    first = cells[0]
    low, high = scale_of(cells)
    lines = []
    most = max(c.n for c in cells)
    for c in cells:
        name = f"{c.subgroup}{' *' if c.post_hoc else ''}"
        bar = draw(c, low, high, big=2 * c.n >= most)
        p = p_text(c.p, c) or NOT_ESTIMABLE
        inter = "" if c.interaction_p is None else format_p(c.interaction_p)
        n = str(c.n) if c.n >= 0 else MASKED
        look = style(c)
        numbers = (TextCell(estimate_text(c), style=look), TextCell(p, style=look), TextCell(inter))
        lines.append(Line((TextCell(name), TextCell(n), TextCell(bar), *numbers)))
    visit = next((c.visit for c in cells if c.visit), "")
    title = ", ".join(t for t in (f"{first.treatment} vs {first.reference}", visit, first.plan) if t)
    better = "right" if next((c.upward for c in cells if c.favourable is not None), True) else "left"
    columns = (
        label("Subgroup"),
        Column("n"),
        Column(f"better: {better}", justify="left"),
        Column(f"Estimate {CI}"),
        Column("p"),
        Column("p int"),
    )
    post_hoc = ("* post hoc",) if any(c.post_hoc for c in cells) else ()
    errors = tuple(dict.fromkeys(f"{NOT_ESTIMABLE}: {c.subgroup}: {c.error}" for c in cells if c.error and c.error != MASKED))
    return PageBlock(title, columns, tuple(lines), (*post_hoc, *errors))


def scale_of(cells: list[EvidenceCell]) -> tuple[float, float]:
    """The drawn range, holding no difference and every estimate; very wide intervals are clipped."""
    found = [c for c in cells if c.estimate is not None and c.low is not None and c.high is not None]
    if not found:
        return -1.0, 1.0
    points = [_drawn(c, c.estimate) for c in found]
    halves = sorted((_drawn(c, c.high) - _drawn(c, c.low)) / 2 for c in found)
    reach = CLIP * halves[len(halves) // 2]
    low = min(0.0, *points, max(min(_drawn(c, c.low) for c in found), min(points) - reach))
    high = max(0.0, *points, min(max(_drawn(c, c.high) for c in found), max(points) + reach))
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def draw(cell: EvidenceCell, low: float, high: float, *, big: bool) -> str:
    """``──■──`` with ``|`` at no difference, on a line of BARS characters."""
    return interval_bar(_point(cell), (low, high), BARS, SIZES[big])


def _point(cell: EvidenceCell) -> Point | None:
    """Estimate and limits on the scale of the drawing, logs of ratios."""
    if cell.estimate is None or cell.low is None or cell.high is None:
        return None
    estimate, low, high = (math.log(v) if cell.ratio and v > 0 else v for v in (cell.estimate, cell.low, cell.high))
    return estimate, low, high


def interval_scale(points: Sequence[Point]) -> tuple[float, float]:
    """The drawn range, holding no difference and every estimate; very wide intervals are clipped."""
    halves = sorted((high - low) / 2 for _, low, high in points)
    reach = CLIP * halves[len(halves) // 2]
    estimates = [p[0] for p in points]
    low = min(0.0, *estimates, max(min(p[1] for p in points), min(estimates) - reach))
    high = max(0.0, *estimates, min(max(p[2] for p in points), max(estimates) + reach))
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def interval_bar(point: Point | None, scale: tuple[float, float], width: int, mark: str) -> str:
    """The interval of ``width`` characters with its estimate as ``mark``; without one the line of no difference."""

    def column(value: float) -> int:
        return round((min(max(value, scale[0]), scale[1]) - scale[0]) / (scale[1] - scale[0]) * (width - 1))

    line = [" "] * width
    zero = column(0.0)
    line[zero] = "|"
    if point is None:
        return "".join(line).rstrip()
    estimate, left, right = point
    for k in range(column(left), column(right) + 1):
        line[k] = "┼" if k == zero else "─"
    if left < scale[0]:
        line[0] = "<"
    if right > scale[1]:
        line[-1] = ">"
    line[column(estimate)] = mark
    return "".join(line)


def _drawn(cell: EvidenceCell, value: float | None) -> float:
    number = float(value) if value is not None else 0.0
    return math.log(number) if cell.ratio and number > 0 else number


def _column(value: float, low: float, high: float) -> int:
    share = (min(max(value, low), high) - low) / (high - low)
    return round(share * (BARS - 1))
