"""Which results differ between two snapshots of one study: every contrast of the evidence, asked of both.

The study, as it stands now, is asked twice: every endpoint with a contrast, overall and in every subgroup and its complement.
How a contrast changed is the worst class (:mod:`alsbench.stats.agreement`) of its estimate, p, number of subjects and the first
visit from which its difference lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alsbench.analysis.cells import cached_piece
from alsbench.analysis.contrast import CONTRASTED, EvidenceCell
from alsbench.analysis.evidence import evidence_columns
from alsbench.analysis.methods import evidence_endpoints
from alsbench.analysis.source import Source
from alsbench.errors import AlsbenchError
from alsbench.stats.agreement import WORST_FIRST, Agreement, SaidValue, ValueRule, classify, origin_of


@dataclass(frozen=True)
class ContrastValues:
    """What one snapshot says of a contrast; ``error`` why it says nothing."""

    n: int | None = None
    estimate: float | None = None
    p: float | None = None
    error: str | None = None
    se: float | None = None
    first_lasting_visit: float | None = None


@dataclass(frozen=True)
class ContrastChange:
    """One contrast on both snapshots. ``measure`` says what the estimate is: difference or ratio."""

    endpoint: str
    subgroup: str
    comparison: str
    visit: str | None
    measure: str
    old: ContrastValues
    new: ContrastValues
    method: str = ""
    treatment: str = ""
    reference: str = ""

    def agreement(self, decimals: Callable[[str], int]) -> Agreement:
        """The class of the change; ``decimals`` says how a statistic is printed, by its name."""
        found = [
            self._of("n", self.old.n, self.new.n, 0),
            self._of(self.statistic, self.old.estimate, self.new.estimate, decimals(self.statistic)),
            self._of("p_value", self.old.p, self.new.p, decimals("p_value")),
            self._of("first_lasting_visit", self.old.first_lasting_visit, self.new.first_lasting_visit, 0),
        ]
        return min(found, key=WORST_FIRST.index)

    @property
    def statistic(self) -> str:
        """The name of the estimate, as rows of results have it."""
        return (
            "difference"
            if self.measure == "difference"
            else CONTRASTED.get(self.method, "ratio").replace("difference", "ratio")
        )

    def _of(self, name: str, old: float | None, new: float | None, places: int) -> Agreement:
        se = self.old.se or 0.0
        rule = ValueRule(origin_of(self.method, name), name, "contrast", se, largest=se)
        return classify(SaidValue(old, places), SaidValue(new, places), rule)


def contrast_count(source: Source) -> int:
    """How many (endpoint, column) pairs :func:`compare_results` asks of each snapshot."""
    return len(evidence_endpoints(source)) * len(evidence_columns(source, [s.name for s in source.study.subgroups]))


def compare_results(old: Source, new: Source) -> Iterator[tuple[ContrastChange, ...]]:
    """The contrasts of one endpoint in one subgroup after another, changed or not. Both sources hold the same study."""
    for phrase in evidence_columns(new, [s.name for s in new.study.subgroups]):
        for endpoint in evidence_endpoints(new):
            before, after = (_cells(source, endpoint.name, phrase) for source in (old, new))
            yield tuple(
                _pair(endpoint.name, phrase, c.name, before.get(c.name), after.get(c.name)) for c in new.study.comparisons
            )


def _cells(source: Source, endpoint: str, phrase: str) -> dict[str, EvidenceCell | AlsbenchError]:
    """By comparison; a snapshot that does not hold what is asked answers with the reason."""
    try:
        piece = cached_piece(source, endpoint, phrase, source.study.comparisons, "")
    except AlsbenchError as error:
        return {c.name: error for c in source.study.comparisons}
    return {cell.comparison: cell for cell in piece.cells}


def _pair(
    endpoint: str,
    phrase: str,
    comparison: str,
    before: EvidenceCell | AlsbenchError | None,
    after: EvidenceCell | AlsbenchError | None,
) -> ContrastChange:
    cell = next((c for c in (after, before) if isinstance(c, EvidenceCell)), None)
    return ContrastChange(
        endpoint,
        phrase,
        comparison,
        cell.visit if cell else None,
        "ratio" if cell is not None and cell.ratio else "difference",
        _answered(before),
        _answered(after),
        cell.method if cell else "",
        cell.treatment if cell else "",
        cell.reference if cell else "",
    )


def _answered(found: EvidenceCell | AlsbenchError | None) -> ContrastValues:
    if isinstance(found, EvidenceCell):
        return ContrastValues(found.n, found.estimate, found.p, found.error, found.own_se, found.first_lasting_visit)
    return ContrastValues(error=found.what if found is not None else "not asked")
