"""Counts of a plain table without small cells: subjects by subgroup and arm, under what column they stand.

The sums are those of a result: subgroup and complement make overall, arms make the total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alsbench.analysis.result import Row
from alsbench.render.formats import absent
from alsbench.render.mask import check_limit, is_masked, mask_rows
from alsbench.render.mask_audit import Sets


@dataclass(frozen=True)
class Count:
    """Where a count stands: the subgroup phrase, the arm (None: all of them), the column."""

    subgroup: str
    arm: str | None
    column: str = "n"


def masked_counts(counts: Mapping[Count, int | None], k: int, sets: Sets | None = None) -> dict[Count, int | str | None]:
    """Every count as it may be shown: the number, ``<k`` or ``masked``. What is no count (None) stays so.

    Give the counts of complement and overall too, so that what is hidden does not depend on what is asked for.
    """
    check_limit(k)
    known = {place: n for place, n in counts.items() if n is not None}
    rows = mask_rows([_row(place, n) for place, n in known.items()], k, sets)
    shown = {place: absent(r.error) if is_masked(r) else n for (place, n), r in zip(known.items(), rows, strict=True)}
    return {place: shown.get(place) for place in counts}


def small(count: int | None, k: int) -> int | str | None:
    """A count that stands alone."""
    return f"<{k}" if k and count is not None and count < k else count


def _row(place: Count, n: int) -> Row:
    return Row("", "mmrm", "", place.subgroup, "subgroup", "n", n, arm=place.arm, variable=place.column)
