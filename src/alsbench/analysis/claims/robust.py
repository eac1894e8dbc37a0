"""Does a claim survive scrutiny? Every check that computes a p-value of the claimed contrast again is asked whether it stays
below the level throughout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alsbench.analysis.kept import cached_check
from alsbench.analysis.result import Result, Row
from alsbench.analysis.scrutiny import CHECKS, Check
from alsbench.analysis.source import Source
from alsbench.study.claims import Claim
from alsbench.study.model import Comparison

ALPHA = 0.05
# other subjects, other arms, other endpoints: shown, not counted
NOT_OF_THE_CLAIM = frozenset({"overall", "complement", "dose", "multiplicity", "surrogate"})
NOT_OF_AN_EFFECT = frozenset({"ph_p", "missing_p", "smallest_p"})  # tests of the model, of who is missing, of others


@dataclass(frozen=True)
class Survival:
    """One check of a claim: ``largest`` p of the claimed contrast among ``count``; None where the check recomputes none."""

    claim: str
    check: Check
    largest: float | None
    count: int

    @property
    def survived(self) -> bool | None:
        return None if self.largest is None else self.largest < ALPHA


def survival(claim: Claim, source: Source, results: Iterable[tuple[Check, Result]]) -> Iterator[Survival]:
    """What each check says of a claim."""
    comparison = source.comparisons((claim.comparison,))[0]
    for check, result in results:
        found = [] if check.id in NOT_OF_THE_CLAIM else [r.number() for r in _claimed(result, comparison)]
        yield Survival(claim.name, check, max(found, default=None), len(found))


def checks_of(claim: Claim, source: Source) -> Iterator[tuple[Check, Result]]:
    """Every check of this version, run on what a claim is about. Raises what ``run_check`` raises."""
    for check in CHECKS:
        if check.available:
            asked = {"endpoint": claim.endpoint, "comparisons": (claim.comparison,), "population": claim.population}
            yield check, cached_check(check.id, source, claim.subgroup, **asked)  # type: ignore[arg-type]


def _claimed(result: Result, comparison: Comparison) -> list[Row]:
    """The p-values of the claimed contrast in the claimed subgroup."""
    pair = (comparison.treatment, comparison.reference)
    subgroup = result.question["subgroups"][0]
    rows = [r for r in result.rows if r.stat is not None and (r.treatment, r.reference) == pair and r.subgroup == subgroup]
    return [r for r in rows if (r.stat_name == "p_value" or r.stat_name.endswith("_p")) and r.stat_name not in NOT_OF_AN_EFFECT]
