"""Kaplan-Meier curves as steps, a tick where somebody was censored, the number at risk of each arm under the axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from alsbench.render.figures.svg import Drawing, dash
from alsbench.render.page import Figure
from alsbench.render.ticks import nice_ticks

if TYPE_CHECKING:
    from alsbench.stats.survival import SurvivalCurve


def survival_figures(curves: Mapping[str, SurvivalCurve], about: str) -> tuple[Figure, ...]:
    """The curves of the arms in one figure; nothing where no arm has subjects."""
    if not curves:
        return ()
    floor = _floor(curves)
    axis = f"; the axis starts at {floor:g}" if floor else ""
    caption = f"{about} · Kaplan-Meier estimate; ticks: censored; below: at risk{axis}"
    return (Figure(caption, lambda: _draw(curves, floor, caption)),)


def _floor(curves: Mapping[str, SurvivalCurve]) -> float:
    """0, or the tenth below every curve where all stay above a half."""
    lowest = min(float(c.survival.min()) for c in curves.values())
    return math.floor(lowest * 10 - 1e-9) / 10 if lowest > 0.5 else 0.0


def _draw(curves: Mapping[str, SurvivalCurve], floor: float, caption: str) -> str:
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
