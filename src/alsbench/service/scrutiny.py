"""The checks of a finding in a subgroup: computed, masked, not yet logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alsbench.service.access import Access

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.analysis.scrutiny import Check
    from alsbench.analysis.source import Source


def made_scrutiny(
    access: Access,
    source: Source,
    subgroup: str = "",
    chosen: Sequence[Check] = (),
    endpoint: str = "",
    comparisons: tuple[str, ...] = (),
    population: str = "",
    k: int = 0,
) -> list[tuple[Check, Result]]:
    """Each check (default: all) with what it found, counts below ``k`` masked; progress is shown, nothing is logged."""
    from alsbench.analysis.kept import cached_check
    from alsbench.analysis.scrutiny import CHECKS
    from alsbench.service.masks import mask_check

    chosen = chosen or CHECKS
    phrase = subgroup or (source.study.subgroups[0].name if source.study.subgroups else "overall")
    found = []
    for each in access.steps(dict.fromkeys(chosen), len(chosen), "scrutiny"):
        result = cached_check(each.id, source, phrase, endpoint=endpoint, comparisons=comparisons, population=population)
        found.append((each, mask_check(each.id, result, source, phrase, population, k)))
    return found
