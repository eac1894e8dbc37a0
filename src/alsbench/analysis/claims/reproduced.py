"""A claim's numbers computed again from the loaded data, each compared at the digits that were printed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from alsbench.analysis.contrast import NO_VISIT, horizon_visit
from alsbench.analysis.methods import method_info
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.records import resolve_visit
from alsbench.analysis.result import Result, Row
from alsbench.analysis.run import apply_overrides
from alsbench.analysis.source import Source
from alsbench.errors import AlsbenchError, UsageError
from alsbench.stats.proportions import percent, zero_events
from alsbench.study.claims import Claim, Printed
from alsbench.study.model import Comparison
from alsbench.study.names import nearest

# not available: the study or the data do not have it; not checkable: no data here, or those of other subjects
Outcome = Literal["reproduced", "not reproduced", "not available", "not checkable"]
Answer = Callable[[Question], Result]
NEVER = "never"
NO_DATA = "no data are loaded here"
FIRST = frozenset({"first_visit", "first_lasting_visit"})  # what these find may be that there is none
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Recomputed:
    """One published number of a claim and the same statistic of the data, with its ``row`` in the answer; ``why`` where
    there is none, or it was altered."""

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
        comparisons=(claim.comparison,) if claim.comparison else (),
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


def reproduce(claim: Claim, source: Source | None, answer: Answer) -> tuple[list[Recomputed], Result | None]:
    """Every number of a claim beside that of the data, and the answer they came from; without data none can be checked."""
    if source is None:
        return [Recomputed(claim.name, *number, "not checkable", why=NO_DATA) for number in claim.numbers()], None
    try:
        _check_arms(claim, source)
        others = _other_subjects(claim, source)
        if others:
            return [Recomputed(claim.name, *number, "not checkable", why=others) for number in claim.numbers()], None
        result = answer_of(claim, source, answer)
        comparison = source.comparisons((claim.comparison,))[0] if claim.comparison else None
    except AlsbenchError as error:
        why = "; ".join(filter(None, (error.what, error.hint)))
        return [Recomputed(claim.name, *number, "not available", why=why) for number in claim.numbers()], None
    return [_compared(claim, *number, result, comparison) for number in claim.numbers()], result


def _other_subjects(claim: Claim, source: Source) -> str:
    """Why a claim is about other subjects than these: it has more than the whole trial. Empty where it may be about these."""
    here = len(source.subjects)
    of_arms = [claim.number(part, "n") for part in ("treatment", "reference")]
    for numbers in (of_arms, [claim.number("group", "n")]):
        least = sum(n.low for n in numbers if n is not None and n.relation != "<")
        if least > here:
            return f"the claim is of more subjects ({math.ceil(least)}) than are loaded here ({here}): of another trial"
    return ""


def _check_arms(claim: Claim, source: Source) -> None:
    """Raises UsageError for an arm the study does not have."""
    known = source.study.arms.order
    for arm in claim.arms:
        if arm not in known:
            raise UsageError(f"no arm is named {arm}", hint=nearest(arm, known))


def agrees(published: Printed, value: float) -> bool:
    """Whether a number would have been printed as it was: by either rule for halves."""
    margin = _ROUNDING * max(1.0, abs(value))
    if published.relation == "<":
        return value < published.value
    if published.relation == ">":
        return value > published.value
    return published.low - margin <= value <= published.high + margin


def _compared(
    claim: Claim, part: str, stat: str, published: Printed, result: Result, comparison: Comparison | None
) -> Recomputed:
    if part == "group" or comparison is None:  # numbers of two arms have a comparison
        return _of_group(claim, stat, published, result)
    row, why = _row(claim, part, stat, result, comparison)
    if row is not None and row.stat is None and stat in FIRST and why.startswith(NEVER):
        return Recomputed(claim.name, part, stat, published, "not reproduced", why=why)
    if row is None or row.stat is None or isinstance(row.stat, str):
        return Recomputed(claim.name, part, stat, published, "not available", why=why or "the statistic is a word")
    value = row.number()
    outcome: Outcome = "reproduced" if agrees(published, value) else "not reproduced"
    return Recomputed(claim.name, part, stat, published, outcome, value, row.visit, row.warning or "", row)


def _of_group(claim: Claim, stat: str, published: Printed, result: Result) -> Recomputed:
    """A count of several arms together: the sum of the arms' own, and what follows from the sums."""
    arms = claim.arms or tuple(dict.fromkeys(r.arm for r in result.rows if r.context == "arm" and r.arm is not None))
    rows = [r for r in result.rows if r.context == "arm" and r.arm in arms and r.treatment is None]
    sums: dict[str, float] = {}
    why = ""
    for name in ("n", "count", "events", "total"):
        found, why_not = _named(claim, name, [r for r in rows if r.stat_name == name])
        if found and all(r.stat is not None and not isinstance(r.stat, str) for r in found) and len(found) == len(arms):
            sums[name] = sum(r.number() for r in found)
        elif name == ("count" if stat in ("percent", "upper_one_sided") else stat):
            why = why_not or next((r.error or "" for r in found if r.stat is None), "")
    if sums.get("n") and "count" in sums:
        sums["percent"] = percent(round(sums["count"]), round(sums["n"]))
        if sums["count"] == 0:
            sums["upper_one_sided"] = 100.0 * zero_events(round(sums["n"])).one_sided
    if stat not in sums:
        why = why or "of arms together there are n, count, events and percent, and the upper bound of a count of 0"
        return Recomputed(claim.name, "group", stat, published, "not available", why=why)
    outcome: Outcome = "reproduced" if agrees(published, sums[stat]) else "not reproduced"
    return Recomputed(claim.name, "group", stat, published, outcome, sums[stat])


def _row(claim: Claim, part: str, stat: str, result: Result, comparison: Comparison) -> tuple[Row | None, str]:
    """The row that a published number is of: at the claim's visit or the comparison's horizon, else the one without a visit."""
    pair = (comparison.treatment, comparison.reference)
    if part == "contrast":
        mine = [r for r in result.rows if r.context == "contrast" and (r.treatment, r.reference) == pair]
    else:
        arm = comparison.treatment if part == "treatment" else comparison.reference
        of_arm = [r for r in result.rows if r.context == "arm" and r.arm == arm]
        mine = [r for r in of_arm if (r.treatment, r.reference) == pair] or [r for r in of_arm if r.treatment is None]
    if not mine:
        return None, "the analysis has no such arm"
    named, why = _named(claim, stat, [r for r in mine if r.stat_name == stat])
    if not named:
        known = sorted({r.stat_name for r in mine if claim.line or (r.level is None and r.variable is None)})
        return None, why or f"the analysis has no {stat}; {nearest(stat, known)}"
    visits = [r.visit_number for r in named]
    # the answer to a claim that names its visit has that visit only
    number = horizon_visit(visits, None if result.question["visits"] else comparison.horizon)
    found = next((r for r in named if r.visit_number == number), None)
    return found, (found.error or "" if found is not None else f"{NO_VISIT}: give the claim a visit")


def _named(claim: Claim, stat: str, rows: list[Row]) -> tuple[list[Row], str]:
    """Those of the rows of a statistic that stand on the claim's line, and why there are none.

    A line is a level (``related serious``, whatever the order of its words), or the variable of a row without one; a claim
    without a line is of the rows that have neither."""
    if not claim.line:
        plain = [r for r in rows if r.level is None and r.variable is None]
        if plain or not rows:
            return plain, ""
        lines = list(dict.fromkeys(r.level or r.variable or "" for r in rows))
        return [], f"{stat} of which line? give the claim one of: {', '.join(lines[:8])}{' ...' if len(lines) > 8 else ''}"
    wanted = _words(claim.line)
    found = [r for r in rows if _words(r.level or r.variable or "") == wanted]
    if found or not rows:
        return found, ""
    lines = list(dict.fromkeys(r.level or r.variable or "" for r in rows))
    return [], f"there is no line {claim.line}; {nearest(claim.line, lines)}"


def _words(line: str) -> list[str]:
    return sorted(line.casefold().replace(",", " ").replace("-", " ").split())


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
