"""What a check says of a finding, in one word: it speaks for it, leaves doubt, speaks against it, or weighs neither way.

Each check has its own rule, of the comparison asked about; the thresholds are those of the bottom line
(:mod:`alsbench.analysis.judgement`), so that a sign in the list and the level above it do not contradict each other. A small p
alone is never the rule: a sup-test counts for all cuts and windows, a sign must hold in every variant, and the grid of a
tipping point, which turns every result somewhere, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from alsbench.analysis.contrast import STATISTICS, at_horizon, rows_of, visits_to_horizon
from alsbench.analysis.judgement import METHODS, Thresholds
from alsbench.analysis.result import Result, Row
from alsbench.analysis.scrutiny.catalogue import Check
from alsbench.study.model import Comparison

Speaks = Literal["for", "doubt", "against", "neither"]
FAR = 0.25  # standard deviations from which an imbalance at baseline is in doubt
IMPUTED_LEVELS = ("completers", "mar", "jump-to-reference", "copy-reference", "copy-increments")
AS_IT_WAS = ("nobody", "as analysed")  # levels of the analysis as it was, nobody left out
GROUPS: dict[str, tuple[str, ...]] = {  # the checks by what they ask, in the order of the screen
    "Selection": ("selection", "multiplicity", "shrinkage", "sweep", "stepp"),
    "Robustness": ("rerandomisation", "controls", "specification", "missingness", "alternatives", "visits"),
    "Plausibility": ("overall", "complement", "interaction", "dose", "components", "concordance", "surrogate", "regression"),
    "Design": ("balance", "errors", "iceman"),
}


def speaks(check: Check, result: Result, comparison: Comparison, limits: Thresholds = METHODS) -> Speaks:
    """What a check says of its finding in one comparison; "neither" where it has no rule or could not be computed."""
    rule = RULES.get(check.id)
    return "neither" if rule is None else rule(result, comparison, limits)


def _by_p(name: str, keep: Callable[[Row], bool] = lambda _: True) -> Callable[..., Speaks]:
    """For at most the threshold of holding up, in doubt at most that of a new trial, else against; the last row of that name,
    which of a search is the whole of it."""

    def rule(result: Result, comparison: Comparison, limits: Thresholds) -> Speaks:
        rows = [r for r in at_horizon(result.rows, comparison) if r.stat_name == name and keep(r)]
        if not rows or rows[-1].stat is None:
            return "neither"
        p = rows[-1].number()
        return "for" if p <= limits.holds_up else "doubt" if p <= limits.new_trial else "against"

    return rule


def _overall(result: Result, comparison: Comparison, limits: Thresholds) -> Speaks:
    """For where the whole trial shows it too; in doubt where only its direction agrees; against where it points elsewhere."""
    everybody, mine = (_effect(result, comparison, phrase) for phrase in ("overall", result.question["subgroups"][0]))
    if everybody is None or mine is None or mine == 0:
        return "neither"
    if everybody * mine <= 0:
        return "against"
    p = next((r.number() for r in _at(result, comparison, "overall") if r.stat_name == "p_value" and r.stat is not None), None)
    return "for" if p is not None and p <= limits.nominal else "doubt"


def _complement(result: Result, comparison: Comparison, _: Thresholds) -> Speaks:
    """For where the effect is larger than in the complement, as METHODS asks of a subgroup; else against."""
    subgroup = result.question["subgroups"][0]
    other = next((r.subgroup for r in result.rows if r.subgroup != subgroup), "")
    mine, rest = (_effect(result, comparison, phrase) for phrase in (subgroup, other))
    if mine is None or rest is None or mine == 0:
        return "neither"
    return "for" if abs(mine) > rest * math.copysign(1.0, mine) else "against"


def _signs(keep: Callable[[Row], bool]) -> Callable[..., Speaks]:
    """For where every variant has the sign of the analysis as it was (of each other, where that is none of them); against where
    one has not, or cannot be computed: what is not known counts against."""

    def rule(result: Result, comparison: Comparison, _: Thresholds) -> Speaks:
        rows = [r for r in at_horizon(result.rows, comparison) if r.stat_name in STATISTICS and r.context == "contrast"]
        kept = [_scaled(r) for r in rows if keep(r)]
        own = [_scaled(r) for r in rows if r.level in AS_IT_WAS]
        if not kept:
            return "neither"
        first = (own or kept)[0]
        return "for" if first is not None and all(v is not None and v * first > 0 for v in kept) else "against"

    return rule


def _visits(result: Result, comparison: Comparison, _: Thresholds) -> Speaks:
    """For where the estimate keeps the side it has at the horizon at every visit before, else in doubt; never by one visit."""
    rows = [r for r in rows_of(result.rows, comparison) if r.stat_name in STATISTICS]
    found = {r.visit_number: _scaled(r) for r in rows if r.visit_number is not None}
    until = visits_to_horizon(found, comparison.horizon)
    if not until or (last := found[max(until)]) is None:
        return "neither"
    return "for" if all((v := found[at]) is not None and v * last > 0 for at in until) else "doubt"


def _alternatives(result: Result, comparison: Comparison, limits: Thresholds) -> Speaks:
    """For where every way of analysing it has a small p, against where none has, else in doubt."""
    rows = [r for r in at_horizon(result.rows, comparison) if r.stat_name == "p_value" and r.stat is not None]
    small = [r.number() <= limits.nominal for r in rows]
    return "neither" if not small else "for" if all(small) else "doubt" if any(small) else "against"


def _balance(result: Result, comparison: Comparison, _: Thresholds) -> Speaks:
    """In doubt where a characteristic differs by a quarter of a standard deviation or more."""
    found = [abs(r.number()) for r in rows_of(result.rows, comparison) if r.stat_name == "smd" and r.stat is not None]
    return "neither" if not found else "doubt" if max(found) >= FAR else "for"


def _at(result: Result, comparison: Comparison, phrase: str) -> Sequence[Row]:
    return [r for r in at_horizon(result.rows, comparison) if r.subgroup == phrase]


def _effect(result: Result, comparison: Comparison, phrase: str) -> float | None:
    """The estimate in a subgroup where the comparison is read, above 0 where it is above no effect."""
    return next(
        (v for r in _at(result, comparison, phrase) if r.stat_name in STATISTICS and (v := _scaled(r)) is not None), None
    )


def _scaled(row: Row) -> float | None:
    """A difference as it is, a ratio as its logarithm: no effect is 0."""
    if row.stat is None:
        return None
    value = row.number()
    return value if row.stat_name == "difference" else math.log(value) if value > 0 else None


RULES: dict[str, Callable[..., Speaks]] = {
    "overall": _overall,
    "complement": _complement,
    "interaction": _by_p("interaction_permutation_p", lambda r: r.variable is None),
    "balance": _balance,
    "sweep": _by_p("sup_interaction_p"),
    "stepp": _by_p("sup_interaction_p"),
    "selection": _by_p("selection_p"),
    "visits": _visits,
    "specification": _signs(lambda r: r.variable == "specification"),
    "alternatives": _alternatives,
    "missingness": _signs(lambda r: r.level in IMPUTED_LEVELS),
    "rerandomisation": _by_p("permutation_p"),
    "controls": _signs(lambda r: r.variable == "left out" and r.level not in AS_IT_WAS),
}
