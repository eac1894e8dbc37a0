"""Rows that say from which visit a difference is significant, and how many visits were tested."""

from __future__ import annotations

from collections.abc import Sequence

from alsbench.analysis.ask import Ask
from alsbench.analysis.result import Row
from alsbench.stats.first_visit import first_significant_visit


def first_visit_rows(
    ask: Ask, visits: Sequence[float], p_values: Sequence[float], *, treatment: str, reference: str
) -> list[Row]:
    """The first visit from which p stays below 0.05, the first with p below 0.05 at all, and the number of visits tested."""
    first = first_significant_visit(visits, p_values)
    never = f"never: p is not below 0.05 at the last of {first.tested} visits"
    none = f"never: p is not below 0.05 at any of {first.tested} visits"
    where = {"treatment": treatment, "reference": reference}
    return [
        ask.row("contrast", "first_lasting_visit", first.lasting, error=never if first.lasting is None else None, **where),
        ask.row("contrast", "first_visit", first.first, error=none if first.first is None else None, **where),
        ask.row("contrast", "visits_tested", first.tested, **where),
    ]
