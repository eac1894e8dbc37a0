"""How surprising is an MMRM's p at this visit, given how many visits were looked at? Single-step max-t over the visits.

The arm differences of one fit are a multivariate t with the covariance of its coefficients (``stats.max_t``). Every visit has
its adjusted p with ``adjust = "max-t"``; a first significant visit has it always.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alsbench.analysis.ask import Ask
from alsbench.analysis.model_data import VISIT, difference_row
from alsbench.analysis.result import Row
from alsbench.stats.design import Design
from alsbench.stats.errors import StatsError
from alsbench.stats.max_t import max_t
from alsbench.stats.mmrm import MMRMFit

MAX_T = "max-t over"  # begins the level of an adjusted p that stands beside a first significant visit
Line = np.ndarray[tuple[int], np.dtype[np.float64]]


def adjusted_rows(
    ask: Ask,
    fit: MMRMFit,
    lines: dict[int, Line],
    visits: tuple[float, ...],
    labels: tuple[str, ...],
    wanted: list[int],
    **where: Any,
) -> list[Row]:
    """Single-step max-t adjusted p of the difference at each ``wanted`` visit, over all visits that have one (``lines``):
    multivariate t with the smallest df."""
    L = np.array(list(lines.values()))
    found = fit.contrast(L)
    covariance = L @ np.nan_to_num(fit.vcov) @ L.T
    sd = np.sqrt(np.diag(covariance))
    positions = {i: k for k, i in enumerate(lines) if i in wanted}
    p = max_t(found.t, covariance / np.outer(sd, sd), float(found.df.min()), only=tuple(positions.values()))
    return [
        ask.row("contrast", "p_adjusted", float(p[k]), visit=labels[i], visit_number=visits[i], **where)
        for i, k in positions.items()
    ]


def first_visits_adjusted(
    ask: Ask, fit: MMRMFit, design: Design, visits: tuple[float, ...], labels: tuple[str, ...], found: list[Row]
) -> list[Row]:
    """The max-t adjusted p over all visits of each first (lasting) significant visit among the rows
    ``found`` of the fit's ``visits`` and their ``labels``.

    A month named for its p was looked for among all of them. ``level`` says among how many. Nothing where every visit's p is
    adjusted already.
    """
    firsts = [r for r in found if r.stat_name in ("first_visit", "first_lasting_visit") and r.stat is not None]
    shown = [r for r in firsts if not ask.question.visits or r.number() in ask.question.visits]
    if ask.endpoint.adjust != "none" or not shown:
        return []
    out: list[Row] = []
    for pair in ask.pairs:
        wanted = sorted({visits.index(r.number()) for r in shown if (r.treatment, r.reference) == pair})
        lines = {i: line for i, label in enumerate(labels) if (line := _estimable(ask, design, pair, label)) is not None}
        if wanted and len(lines) > 1:
            where = {"treatment": pair[0], "reference": pair[1], "level": f"{MAX_T} {len(lines)} visits"}
            out += adjusted_rows(ask, fit, lines, visits, labels, wanted, **where)
    return out


def _estimable(ask: Ask, design: Design, pair: tuple[str, str], label: str) -> Line | None:
    """The row of the difference at a visit, None where the analysed rows do not determine it."""
    try:
        row = difference_row(ask, design, pair, **{VISIT: label})
        design.check_estimable(row)
    except StatsError:
        return None
    return row
