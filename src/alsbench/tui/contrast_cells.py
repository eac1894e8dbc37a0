"""What an Evidence or Forest cell says of a result: estimate, standard error, p, direction, at a comparison's horizon.

The numbers are the result's rows; nothing is computed here but the choice of rows, and for a ratio its standard error by the
delta method, SE(ratio) = ratio x SE(log ratio), so that every cell has the same shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alsbench.analysis.contrast import EvidenceCell, Piece
from alsbench.analysis.result import Result, Row
from alsbench.render.formats import format_p, format_stat

if TYPE_CHECKING:
    from alsbench.study.model import Comparison, Direction

ESTIMATES = ("ratio", "difference", "hazard_ratio")
LIMITS = {"ratio": ("ratio_low", "ratio_high"), "difference": ("conf_low", "conf_high"), "hazard_ratio": ("hr_low", "hr_high")}
NAMES = {"ratio": "ratio", "difference": "difference", "hazard_ratio": "hazard ratio"}
ALPHA = 0.05


@dataclass(frozen=True)
class ContrastCell:
    """One contrast: what was estimated (``kind``), its value, SE, limits, p, where, and the rows it came from."""

    kind: str
    estimate: float
    se: float
    low: float
    high: float
    p: float
    visit: str
    rows: tuple[Row, ...]
    error: str = ""
    better: Direction = "higher"

    @property
    def null(self) -> float:
        return 0.0 if self.kind == "difference" else 1.0

    @property
    def favours(self) -> bool | None:
        """Whether the estimate favours the treatment; None at the null or where there is none."""
        if not math.isfinite(self.estimate) or self.estimate == self.null:
            return None
        above = self.estimate > self.null
        if self.kind == "hazard_ratio":
            return not above
        return above == (self.better == "higher")

    def text(self, up: str, down: str, *, limits: bool = False) -> str:
        """``1.23 (0.51) 0.024▲`` with the SE, or with the limits; ``NE`` where it could not be estimated."""
        if not math.isfinite(self.estimate):
            return "NE"
        spread = ", ".join(format_stat("difference", v) for v in ((self.low, self.high) if limits else (self.se,)))
        mark = {True: up, False: down, None: " "}[self.favours]
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
            return f"NE: {self.error}" if self.error else "NE"
        values = [format_stat(self.kind, v) for v in (self.estimate, self.low, self.high)]
        return f"{NAMES[self.kind]} {values[0]} (95% CI {values[1]}, {values[2]}), p {format_p(self.p)}"


def contrast_rows(result: Result, comparison: Comparison, phrase: str) -> list[dict[str, Row]]:
    """The contrast statistics of a comparison by place, in order of visit."""
    places: dict[tuple[str | None, float | None], dict[str, Row]] = {}
    for row in result.rows:
        mine = row.treatment == comparison.treatment and row.reference == comparison.reference
        if row.context == "contrast" and mine and row.subgroup == phrase and row.variable is None and row.level is None:
            places.setdefault((row.visit, row.visit_number), {})[row.stat_name] = row
    found = [stats for stats in places.values() if any(e in stats for e in ESTIMATES)]
    return sorted(found, key=lambda s: _visit_number(s) or 0.0)


def effect_at(piece: Piece, cell: EvidenceCell, better: Direction) -> ContrastCell:
    """The effect of an evidence cell, with the rows behind it."""
    places: dict[str, Row] = {}
    for row in piece.rows:
        mine = (row.treatment, row.reference) == (cell.treatment, cell.reference)
        if row.context == "contrast" and mine and row.visit_number == cell.visit_number and row.level is None:
            places[row.stat_name] = row
    if any(e in places for e in ESTIMATES):
        found = effect_of(places, better)
        return replace(found, error=cell.error or found.error)
    return ContrastCell(
        "difference", math.nan, math.nan, math.nan, math.nan, math.nan, cell.visit or "", (), cell.error or "not estimable"
    )


def effect_of(stats: dict[str, Row], better: Direction) -> ContrastCell:
    """The effect that the statistics of one place describe."""
    kind = next(e for e in ESTIMATES if e in stats)
    low, high = (_number(stats.get(name)) for name in LIMITS[kind])
    estimate, se = _number(stats[kind]), _number(stats.get("se"))
    if kind != "difference":
        se = estimate * (se if math.isfinite(se) else _log_se(low, high))
    main = stats[kind]
    used = tuple(stats[k] for k in (kind, "se", *LIMITS[kind], "p_value") if k in stats)
    return ContrastCell(
        kind=kind,
        estimate=estimate,
        se=se,
        low=low,
        high=high,
        p=_number(stats.get("p_value")),
        visit=main.visit or ("" if main.visit_number is None else f"{main.visit_number:g}"),
        rows=used,
        error=main.error or "",
        better="higher" if main.method == "joint_rank" else better,  # the ranking has turned lower-is-better round
    )


def _log_se(low: float, high: float) -> float:
    """SE on the log scale from 95 % limits."""
    return (math.log(high) - math.log(low)) / (2 * 1.959963984540054) if 0 < low <= high else math.nan


def _number(row: Row | None) -> float:
    return row.number() if row is not None else math.nan


def _visit_number(stats: dict[str, Row]) -> float | None:
    return next((r.visit_number for r in stats.values() if r.visit_number is not None), None)
