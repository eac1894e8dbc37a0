"""What an Evidence or Forest cell says of a contrast: estimate, standard error, p, direction, at a comparison's horizon.

The numbers are those of :mod:`alsbench.analysis.contrast`, NaN where there is none; nothing is computed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from alsbench.analysis.contrast import Contrast, EvidenceCell, Piece, rows_behind
from alsbench.analysis.result import Row
from alsbench.render.formats import format_p, format_stat

ALPHA = 0.05


@dataclass(frozen=True)
class ContrastCell:
    """One contrast and the rows it came from."""

    contrast: Contrast
    rows: tuple[Row, ...] = ()

    @property
    def kind(self) -> str:
        return self.contrast.unit

    @property
    def estimate(self) -> float:
        return _number(self.contrast.estimate)

    @property
    def low(self) -> float:
        return _number(self.contrast.low)

    @property
    def high(self) -> float:
        return _number(self.contrast.high)

    @property
    def p(self) -> float:
        return _number(self.contrast.p)

    @property
    def visit(self) -> str:
        number = self.contrast.visit_number
        return self.contrast.visit or ("" if number is None else f"{number:g}")

    def text(self, up: str, down: str, *, limits: bool = False) -> str:
        """``1.23 (0.51) 0.024▲`` with the SE, or with the limits; ``NE`` where it could not be estimated."""
        if not math.isfinite(self.estimate):
            return "NE"
        shown = (self.low, self.high) if limits else (_number(self.contrast.own_se),)
        spread = ", ".join(format_stat("difference", v) for v in shown)
        mark = {True: up, False: down, None: " "}[self.contrast.favourable]
        p = format_p(self.p) if math.isfinite(self.p) else "NE"
        return f"{format_stat('difference', self.estimate)} ({spread}) {p:>6}{mark}"

    def brief(self) -> str:
        """``1.23 (95% CI 0.21, 2.25) p 0.024``: one line, whatever was estimated."""
        if not math.isfinite(self.estimate):
            return self.interval()
        values = [format_stat(self.kind, v) for v in (self.estimate, self.low, self.high)]
        return f"{values[0]} (95% CI {values[1]}, {values[2]}) p {format_p(self.p)}"

    def interval(self) -> str:
        """``difference 1.23 (95% CI 0.21, 2.25), p 0.024``."""
        if not math.isfinite(self.estimate):
            return f"NE: {self.contrast.error}" if self.contrast.error else "NE"
        values = [format_stat(self.kind, v) for v in (self.estimate, self.low, self.high)]
        return f"{self.kind.replace('_', ' ')} {values[0]} (95% CI {values[1]}, {values[2]}), p {format_p(self.p)}"


def effect_at(piece: Piece, cell: EvidenceCell) -> ContrastCell:
    """An evidence cell with the rows behind it."""
    return ContrastCell(cell, rows_behind(piece.rows, cell))


def _number(value: float | None) -> float:
    return math.nan if value is None else value
