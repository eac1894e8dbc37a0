"""Claims checked whole: each claim beside its answer, with what its numbers say of each other and of the subgroup's size.

How an answer comes about (kept or computed, masked or not) and what is entered in the log is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from alsbench.analysis.claims.coherent import Relation, SizeRange, coherence, implied_sizes
from alsbench.analysis.claims.reproduced import Answer, Recomputed, reproduce
from alsbench.analysis.claims.robust import Survival, survival
from alsbench.analysis.result import Result
from alsbench.analysis.scrutiny import Check
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import counts_by_arm
from alsbench.errors import AlsbenchError
from alsbench.study.claims import Claim


@dataclass(frozen=True)
class Checked:
    """A claim with all that was found about it. ``result`` is None where the study or the data do not have the analysis;
    ``survived`` and ``scrutiny`` are None where robustness was not asked for."""

    claim: Claim
    about: str
    numbers: Sequence[Recomputed]
    relations: Sequence[Relation]
    sizes: Sequence[SizeRange] = ()
    result: Result | None = None
    survived: Sequence[Survival] | None = None
    scrutiny: Sequence[tuple[Check, Result]] | None = None

    @property
    def post_hoc(self) -> bool:
        return self.result is not None and self.result.provenance.post_hoc

    @property
    def marks(self) -> tuple[str, ...]:
        """``post hoc`` and ``deviation``, as far as they hold of the claim's analysis."""
        deviates = self.result is not None and bool(self.result.provenance.deviations)
        return (*(("post hoc",) if self.post_hoc else ()), *(("deviation",) if deviates else ()))

    @property
    def coherent(self) -> bool | None:
        """None where there is nothing that could be checked."""
        found = [r.coherent for r in self.relations] + [s.coherent for s in self.sizes]
        return all(found) if found else None

    @property
    def reproduced(self) -> bool:
        return all(n.outcome == "reproduced" for n in self.numbers)

    @property
    def refuted(self) -> bool:
        """Whether the claim contradicts itself or the data."""
        return self.coherent is False or not self.reproduced

    @property
    def results(self) -> tuple[Result, ...]:
        """Every answer that what was found rests on."""
        return tuple(r for r in (self.result, *(found for _, found in self.scrutiny or ())) if r is not None)


def check_claim(claim: Claim, source: Source, sizes: Sequence[SizeRange], answer: Answer) -> Checked:
    """A claim's numbers beside those of the data, and beside each other; ``sizes`` from :func:`sizes_by_claim`."""
    numbers, result = reproduce(claim, source, answer)
    rank = _of_ranks(claim, source)
    return Checked(claim, _about(claim, source), numbers, coherence(claim, rank=rank), sizes if rank else (), result)


def scrutinised(checked: Checked, source: Source, checks: Iterable[tuple[Check, Result]]) -> Checked:
    """The claim put to ``checks`` (of :func:`checks_of`); unchanged, and none run, where the data do not have its analysis."""
    if checked.result is None:
        return checked
    found = tuple(checks)
    return replace(checked, survived=tuple(survival(checked.claim, source, found)), scrutiny=found)


def sizes_by_claim(claims: Sequence[Claim], source: Source) -> dict[str, list[SizeRange]]:
    """What the mean ranks of each subgroup imply, by the names of the claims that were used for it."""
    groups: dict[tuple[str, str, str], list[tuple[Claim, str, str]]] = {}
    for claim in claims:
        if not _of_ranks(claim, source) or claim.endpoint not in source.study.endpoints:
            continue
        try:
            comparison = source.comparisons((claim.comparison,))[0]
            source.population(claim.population)
        except AlsbenchError:  # said where the claim's numbers are compared
            continue
        key = (claim.endpoint, claim.subgroup, claim.population)
        groups.setdefault(key, []).append((claim, comparison.treatment, comparison.reference))
    found: dict[str, list[SizeRange]] = {}
    for (_, _, population), members in groups.items():
        sizes = implied_sizes(members, counts_by_arm(source, source.population(population)))
        for name in sizes.claims if sizes is not None else ():
            found.setdefault(name, []).append(sizes)  # type: ignore[arg-type]
    return found


def _of_ranks(claim: Claim, source: Source) -> bool:
    endpoint = source.study.endpoints.get(claim.endpoint)
    return (claim.method or (endpoint.method if endpoint else "")) == "joint_rank"


def _about(claim: Claim, source: Source) -> str:
    endpoint = source.study.endpoints.get(claim.endpoint)
    parts = [endpoint.title if endpoint else claim.endpoint, claim.subgroup, claim.comparison]
    parts += [f"visit {claim.visit}"] if claim.visit is not None else []
    return ", ".join(parts)
