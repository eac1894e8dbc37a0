"""Does a claim survive scrutiny? Every check that computes a p-value of the claimed contrast again is asked whether it stays
below the level throughout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alsbench.analysis.contrast import horizon_visit
from alsbench.analysis.kept import cached_check
from alsbench.analysis.result import Result, Row
from alsbench.analysis.scrutiny import ALL, BOTTOM_LINE, Check
from alsbench.analysis.source import Source
from alsbench.study.claims import Claim
from alsbench.study.model import Comparison

ALPHA = 0.05
# other subjects, other arms, other endpoints: shown, not counted
NOT_OF_THE_CLAIM = frozenset({BOTTOM_LINE.id, "overall", "complement", "dose", "multiplicity", "surrogate"})
SUP_TESTS = {
    "sweep": "sup_p",
    "stepp": "sup_interaction_p",
}  # the largest p over cuts or windows fails every true effect in a part
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
        found = [] if check.id in NOT_OF_THE_CLAIM else [r.number() for r in _claimed(check, result, claim, comparison)]
        yield Survival(claim.name, check, max(found, default=None), len(found))


def level_of(claim: Claim, source: Source, results: Iterable[tuple[Check, Result]]) -> str:
    """The bottom line of the claimed contrast; empty where it was not asked for. The rule is for the visit at which the
    comparison is read: a claim about another one is told so."""
    comparison = source.comparisons((claim.comparison,))[0]
    for check, result in results:
        if check == BOTTOM_LINE:
            row = next((r for r in result.rows if r.stat_name == "level" and r.treatment == comparison.treatment), None)
            if row is not None and claim.visit is not None and row.visit_number not in (None, claim.visit):
                return f"judged at {row.visit} only: {row.stat}"
            return str(row.stat) if row is not None else "not judged"
    return ""


def checks_of(claim: Claim, source: Source) -> Iterator[tuple[Check, Result]]:
    """Every check of this version, run on what a claim is about. Raises what ``run_check`` raises."""
    for check in ALL:
        if check.available:
            asked = {"endpoint": claim.endpoint, "comparisons": (claim.comparison,), "population": claim.population}
            yield check, cached_check(check.id, source, claim.subgroup, **asked)  # type: ignore[arg-type]


def _claimed(check: Check, result: Result, claim: Claim, comparison: Comparison) -> list[Row]:
    """The p-values of the claimed contrast in the claimed subgroup: of its own endpoint, by the sup-test where a check
    looks at many cuts or windows, at the claimed visit where it looks at many visits."""
    pair = (comparison.treatment, comparison.reference)
    subgroup = result.question["subgroups"][0]
    rows = [r for r in result.rows if r.stat is not None and (r.treatment, r.reference) == pair and r.subgroup == subgroup]
    rows = [r for r in rows if r.endpoint == claim.endpoint]
    if check.id in SUP_TESTS:
        return [r for r in rows if r.stat_name == SUP_TESTS[check.id]]
    if check.id == "visits":
        at = horizon_visit((r.visit_number for r in rows), comparison.horizon) if claim.visit is None else claim.visit
        rows = [r for r in rows if r.visit_number == at]
    return [r for r in rows if (r.stat_name == "p_value" or r.stat_name.endswith("_p")) and r.stat_name not in NOT_OF_AN_EFFECT]
