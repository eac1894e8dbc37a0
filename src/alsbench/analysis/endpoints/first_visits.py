"""From which visit a difference is significant, and how surprising its p is, given how many visits were looked at.

Single-step max-t over the visits: the arm differences of one fit are a multivariate t with the covariance of its coefficients
(``stats.max_t``). Every visit has its adjusted p with ``adjust = "max-t"``; a first significant visit has it always.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.model_data import VISIT, difference_row
from alsbench.analysis.result import Row
from alsbench.stats.design import Design
from alsbench.stats.errors import StatsError
from alsbench.stats.max_t import max_t
from alsbench.stats.mmrm import MMRMFit
from alsbench.stats.multiplicity import first_significant_visit


def first_visit_rows(
    analysis: AnalysisContext,
    visits: Sequence[float],
    p_values: Sequence[float],
    differences: Sequence[float],
    *,
    treatment: str,
    reference: str,
) -> list[Row]:
    """The first visit from which p stays below 0.05, the first with p below 0.05 at all, and the number of visits tested.

    p is two-sided: a visit at which the treatment is significantly worse (by the sign of ``differences``) carries a warning.
    """
    first = first_significant_visit(visits, p_values)
    never = f"never: p is not below 0.05 at the last of {first.tested} visits"
    none = f"never: p is not below 0.05 at any of {first.tested} visits"
    where = {"treatment": treatment, "reference": reference}
    found: list[Row] = []
    for name, visit, why in (("first_lasting_visit", first.lasting, never), ("first_visit", first.first, none)):
        worse = visit is not None and (differences[list(visits).index(visit)] > 0) != higher_is_better(analysis.endpoint)
        warning = f"{treatment} is worse there" if worse else None
        found.append(analysis.row("contrast", name, visit, error=why if visit is None else None, warning=warning, **where))
    return [*found, analysis.row("contrast", "visits_tested", first.tested, **where)]


MAX_T = "max-t over"  # begins the level of an adjusted p that stands beside a first significant visit
Line = np.ndarray[tuple[int], np.dtype[np.float64]]


def adjusted_rows(
    analysis: AnalysisContext,
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
        analysis.row("contrast", "p_adjusted", float(p[k]), visit=labels[i], visit_number=visits[i], **where)
        for i, k in positions.items()
    ]


def first_visits_adjusted(
    analysis: AnalysisContext,
    fit: MMRMFit,
    design: Design,
    visits: tuple[float, ...],
    labels: tuple[str, ...],
    found: list[Row],
) -> list[Row]:
    """The max-t adjusted p over all visits of each first (lasting) significant visit among the rows
    ``found`` of the fit's ``visits`` and their ``labels``.

    A month named for its p was looked for among all of them. ``level`` says among how many. Nothing where every visit's p is
    adjusted already.
    """
    firsts = [r for r in found if r.stat_name in ("first_visit", "first_lasting_visit") and r.stat is not None]
    shown = [r for r in firsts if not analysis.question.visits or r.number() in analysis.question.visits]
    if analysis.endpoint.adjust != "none" or not shown:
        return []
    out: list[Row] = []
    for pair in analysis.pairs:
        wanted = sorted({visits.index(r.number()) for r in shown if (r.treatment, r.reference) == pair})
        lines = {i: line for i, label in enumerate(labels) if (line := _estimable(analysis, design, pair, label)) is not None}
        if wanted and len(lines) > 1:
            where = {"treatment": pair[0], "reference": pair[1], "level": f"{MAX_T} {len(lines)} visits"}
            out += adjusted_rows(analysis, fit, lines, visits, labels, wanted, **where)
    return out


def _estimable(analysis: AnalysisContext, design: Design, pair: tuple[str, str], label: str) -> Line | None:
    """The row of the difference at a visit, None where the analysed rows do not determine it."""
    try:
        row = difference_row(analysis, design, pair, **{VISIT: label})
        design.check_estimable(row)
    except StatsError:
        return None
    return row
