"""A claim's numbers computed again from the loaded data, each compared at the digits that were printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from alsbench.analysis.methods import method_info
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.records import resolve_visit
from alsbench.analysis.result import Result, Row
from alsbench.analysis.run import apply_overrides
from alsbench.analysis.source import Source
from alsbench.errors import AlsbenchError
from alsbench.study.claims import Claim, Printed
from alsbench.study.model import Comparison
from alsbench.study.names import nearest

Outcome = Literal["reproduced", "not reproduced", "not available"]
Answer = Callable[[Question], Result]
NEVER = "never"
FIRST = frozenset({"first_visit", "first_lasting_visit"})  # what these find may be that there is none
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Recomputed:
    """One published number of a claim and the same statistic of the data, with its ``row`` in the answer; ``why`` where there
    is none, or it was altered."""

    claim: str
    part: str
    stat: str
    published: Printed
    outcome: Outcome
    value: float | None = None
    visit: str | None = None
    why: str = ""
    row: Row | None = None


def answer_of(claim: Claim, source: Source, answer: Answer) -> Result:
    """The analysis that a claim is of. Raises UsageError or DataError where the study or the data do not have it."""
    question = Question(
        endpoint=claim.endpoint,
        subgroups=(claim.subgroup or OVERALL,),
        comparisons=(claim.comparison,),
        population=claim.population,
        method=claim.method,
        covariance=claim.covariance,
        df=claim.df,
        options=tuple(sorted((k, _text(v)) for k, v in claim.options.items())),
    )
    endpoint = apply_overrides(source.endpoint(claim.endpoint), question)
    if claim.visit is not None and method_info(endpoint.method).by_visit:
        question = replace(question, visits=(resolve_visit(source, endpoint, str(claim.visit)),))
    return answer(question)


def reproduce(claim: Claim, source: Source, answer: Answer) -> tuple[list[Recomputed], Result | None]:
    """Every number of a claim beside that of the data, and the answer they came from."""
    try:
        result = answer_of(claim, source, answer)
        comparison = source.comparisons((claim.comparison,))[0]
    except AlsbenchError as error:
        why = "; ".join(filter(None, (error.what, error.hint)))
        return [Recomputed(claim.name, *number, "not available", why=why) for number in claim.numbers()], None
    return [_compared(claim, *number, result, comparison) for number in claim.numbers()], result


def agrees(published: Printed, value: float) -> bool:
    """Whether a number would have been printed as it was: by either rule for halves."""
    margin = _ROUNDING * max(1.0, abs(value))
    if published.relation == "<":
        return value < published.value
    if published.relation == ">":
        return value > published.value
    return published.low - margin <= value <= published.high + margin


def _compared(claim: Claim, part: str, stat: str, published: Printed, result: Result, comparison: Comparison) -> Recomputed:
    row, why = _row(part, stat, result, comparison)
    if row is not None and row.stat is None and stat in FIRST and why.startswith(NEVER):
        return Recomputed(claim.name, part, stat, published, "not reproduced", why=why)
    if row is None or row.stat is None or isinstance(row.stat, str):
        return Recomputed(claim.name, part, stat, published, "not available", why=why or "the statistic is a word")
    value = row.number()
    outcome: Outcome = "reproduced" if agrees(published, value) else "not reproduced"
    return Recomputed(claim.name, part, stat, published, outcome, value, row.visit, row.warning or "", row)


def _row(part: str, stat: str, result: Result, comparison: Comparison) -> tuple[Row | None, str]:
    """The row that a published number is of: at the claim's visit or the comparison's horizon, else the one without a visit."""
    pair = (comparison.treatment, comparison.reference)
    if part == "contrast":
        mine = [r for r in result.rows if r.context == "contrast" and (r.treatment, r.reference) == pair]
    else:
        arm = comparison.treatment if part == "treatment" else comparison.reference
        of_arm = [r for r in result.rows if r.context == "arm" and r.arm == arm]
        mine = [r for r in of_arm if (r.treatment, r.reference) == pair] or [r for r in of_arm if r.treatment is None]
    mine = [r for r in mine if r.level is None and r.variable is None]
    named = [r for r in mine if r.stat_name == stat]
    if not named:
        known = sorted({r.stat_name for r in mine})
        return None, f"the analysis has no {stat}; {nearest(stat, known)}" if known else "the analysis has no such arm"
    found = _at_visit(named, comparison)
    return found, found.error or ""


def _at_visit(rows: list[Row], comparison: Comparison) -> Row:
    visits = _visits(rows)
    reached = [v for v in visits if comparison.horizon is None or v <= comparison.horizon] or visits
    wanted = max(reached) if reached else None
    return next(r for r in rows if r.visit_number == wanted)


def _visits(rows: Iterable[Row]) -> list[float]:
    return [r.visit_number for r in rows if r.visit_number is not None]


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
