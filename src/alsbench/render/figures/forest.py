"""One endpoint across subgroups: estimates as squares with intervals on a common scale, their numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from alsbench.render.figures.svg import TOP, WIDTH, Drawing
from alsbench.render.formats import MASKED, NOT_ESTIMABLE, format_p
from alsbench.render.page import Figure
from alsbench.render.ticks import close_ratio_ticks, nice_ticks, tick_text

if TYPE_CHECKING:
    from alsbench.analysis.contrast import EvidenceCell

ROW = 21.0
LEFT, RIGHT = 230.0, 270.0
LEAST, MOST = 3.0, 6.5  # half a square's side


def forest_figures(
    cells: Sequence[EvidenceCell], scale: tuple[float, float], texts: Sequence[str], about: str
) -> tuple[Figure, ...]:
    """One comparison: a line for each of its cells, with ``texts`` as its estimate in print; ``scale`` is the drawn range (logs
    of ratios). Nothing where no subgroup has an estimate."""
    if not any(c.estimate is not None for c in cells):
        return ()
    starred = "; * post hoc" if any(c.post_hoc for c in cells) else ""
    caption = f"{about} · estimate with 95% CI by subgroup; squares grow with n{starred}"
    return (Figure(caption, lambda: _draw(cells, scale, texts, caption)),)


def _draw(cells: Sequence[EvidenceCell], scale: tuple[float, float], texts: Sequence[str], caption: str) -> str:
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
            middle, low, high = (_drawn(cell, v) for v in (cell.estimate, cell.low, cell.high))
            _interval(made, y, low, high, scale)
            size = LEAST + (MOST - LEAST) * math.sqrt(max(cell.n, 0) / most)
            made.marker(made.px(middle), y, 0, size, "square")
    made.horizontal([(t, f"{math.exp(t):g}" if logs else tick_text(t, ticks)) for t in ticks], "")
    _sides(made, cells)
    return made.svg(caption)


def _p(cell: EvidenceCell) -> str:
    if cell.p is None:
        return MASKED if cell.error == MASKED else NOT_ESTIMABLE
    return format_p(cell.p)


def _interval(made: Drawing, y: float, low: float, high: float, scale: tuple[float, float]) -> None:
    """The line of an interval; where it leaves the scale an arrow points on."""
    start, end = made.px(max(low, scale[0])), made.px(min(high, scale[1]))
    made.stroke([(start, y), (end, y)], width=1.3)
    for beyond, x, way in ((low < scale[0], start, 1), (high > scale[1], end, -1)):
        if beyond:
            made.stroke([(x + 5 * way, y - 4), (x, y), (x + 5 * way, y + 4)], width=1.3)
        else:
            made.stroke([(x, y - 3), (x, y + 3)], width=1.3)


def _drawn(cell: EvidenceCell, value: float) -> float:
    return math.log(value) if cell.ratio and value > 0 else value


def _sides(made: Drawing, cells: Sequence[EvidenceCell]) -> None:
    """Which way favours the treatment, on both sides of no difference."""
    for c in cells:
        if c.favourable is not None:
            words = ("reference better", "treatment better") if c.upward else ("treatment better", "reference better")
            made.write(made.px(0.0) - 8, made.height - 6, words[0], anchor="end")
            made.write(made.px(0.0) + 8, made.height - 6, words[1])
            return
