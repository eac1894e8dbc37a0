"""King's and MiToS stages and ALSFRS-R domain totals of one subject, visit by visit, from the items.

Rules and references stand in :mod:`alsbench.study.als`. A stage or total that needs an item that is missing is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from alsbench.study.als import DOMAINS, ITEMS, KINGS_REGIONS, KINGS_STAGE_4, MITOS_DOMAINS, Threshold

ITEM_OF_CODE = {code: item.number for item in ITEMS for code in item.codes}
GASTROSTOMY = "ALSFR05B"


@dataclass(frozen=True)
class Staged:
    """One visit: stages (None where an item is missing) and domain totals."""

    kings: int | None
    mitos: int | None
    domains: tuple[float | None, ...]


def staged(scores: Mapping[str, float]) -> Staged:
    """Stages and domain totals of the item scores (by parameter code) of one visit."""
    items = {ITEM_OF_CODE[code]: v for code, v in scores.items() if code in ITEM_OF_CODE and math.isfinite(v)}
    gastrostomy = math.isfinite(scores.get(GASTROSTOMY, math.nan))
    totals = tuple(
        math.fsum(items[k] for k in numbers) if all(k in items for k in numbers) else None for numbers in DOMAINS.values()
    )
    return Staged(kings(items, gastrostomy=gastrostomy), mitos(items), totals)


def kings(items: Mapping[int, float], *, gastrostomy: bool) -> int | None:
    """King's stage 0 to 4; death (5) is not told by items."""
    fourth = [_holds(t, items) for t in KINGS_STAGE_4]
    if gastrostomy or any(fourth):
        return 4
    regions = [_holds(t, items) for t in KINGS_REGIONS]
    if None in fourth or None in regions:
        return None
    return sum(bool(r) for r in regions)


def mitos(items: Mapping[int, float]) -> int | None:
    """MiToS stage: the number of domains lost, 0 to 4."""
    lost = 0
    for alternatives in MITOS_DOMAINS.values():
        verdicts = [[_holds(t, items) for t in alternative] for alternative in alternatives]
        if any(all(v is True for v in alternative) for alternative in verdicts):
            lost += 1
        elif any(None in alternative and False not in alternative for alternative in verdicts):
            return None
    return lost


def _holds(threshold: Threshold, items: Mapping[int, float]) -> bool | None:
    """Whether any of the items is at or below the threshold; None where that cannot be told."""
    known = [items[k] for k in threshold.items if k in items]
    if any(v <= threshold.at_most for v in known):
        return True
    return False if len(known) == len(threshold.items) else None
