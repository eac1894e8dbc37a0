"""Rows that say from which visit a difference is significant, and how many visits were tested."""

from __future__ import annotations

from collections.abc import Sequence

from alsbench.analysis.ask import Ask
from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.result import Row
from alsbench.stats.multiplicity import first_significant_visit


def first_visit_rows(
    ask: Ask,
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
        worse = visit is not None and (differences[list(visits).index(visit)] > 0) != higher_is_better(ask.endpoint)
        warning = f"{treatment} is worse there" if worse else None
        found.append(ask.row("contrast", name, visit, error=why if visit is None else None, warning=warning, **where))
    return [*found, ask.row("contrast", "visits_tested", first.tested, **where)]
