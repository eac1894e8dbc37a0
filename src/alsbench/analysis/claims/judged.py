"""The bottom line of what a claim is about, at its own visit.

Where the contrast's own p-values decide the level (nothing to explain, against the treatment, as planned) it is said at once;
else it takes the search and re-randomisation behind it, which are computed when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alsbench.analysis.contrast import NOT_JUDGED
from alsbench.analysis.judgement import limits_of
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.bottom_line import Chance, Gatherer, judged, judgement_values
from alsbench.analysis.scrutiny.finding import Finding, asked
from alsbench.analysis.scrutiny.outcomes import own_visit
from alsbench.analysis.search import Share
from alsbench.analysis.source import Source
from alsbench.errors import UsageError
from alsbench.study.claims import Claim, printed
from alsbench.study.model import Comparison


@dataclass(frozen=True)
class ClaimLevel:
    """The bottom line of a claim: its ``level`` (:data:`NOT_JUDGED` where it was not asked for, empty where there is nothing to
    judge), and ``values``: level, rule and inputs by name."""

    level: str = ""
    values: Mapping[str, float | int | str] = field(default_factory=dict)


NOTHING = ClaimLevel()


class Undecided(Exception):
    """The level takes more than the contrast's own p-values."""


class OwnNumbers(Gatherer):
    """Supposes a search by which every finding is more than chance, or one by which none is, and computes nothing."""

    def __init__(self, *, more: bool) -> None:
        shares = Share(0, 10**9) if more else None
        self.supposed = Chance(shares, 0, shares, shares)

    def chance(self, finding: Finding, comparison: Comparison, visit: float | None) -> Chance:  # noqa: ARG002 - supposed
        return self.supposed

    def check(self, finding: Finding, name: str, comparison: Comparison) -> Iterable[Row]:  # noqa: ARG002 - nothing is computed
        raise Undecided


def claim_level(claim: Claim, source: Source, *, search: bool) -> ClaimLevel:
    """What may be taken away of the claimed contrast; ``search`` computes what its own p-values do not decide."""
    try:
        finding = asked(
            source,
            claim.subgroup,
            endpoint=claim.endpoint,
            comparisons=(claim.comparison,),
            population=claim.population,
        )
        comparison = finding.comparisons[0]
        by_visit = own_visit(source, finding.endpoint, comparison) is not None
        visit = printed(claim.visit).value if claim.visit is not None and by_visit else None
        if search:
            found = judged(finding, comparison, visit)
        else:
            found, other = (judged(finding, comparison, visit, OwnNumbers(more=more), whole=False) for more in (True, False))
            if found.level != other.level:
                raise Undecided
    except Undecided:
        return ClaimLevel(NOT_JUDGED)
    except UsageError as fault:
        return ClaimLevel(f"not judged: {fault.what}")
    return ClaimLevel(found.words, judgement_values(found, limits_of(source.study)))
