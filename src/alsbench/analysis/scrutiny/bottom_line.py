"""The bottom line of a finding: its inputs gathered from the other checks, the level by :mod:`alsbench.analysis.judgement`.

What is costly is computed only where there is a p below 0.05 to explain.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from alsbench.analysis.cells import cached_piece
from alsbench.analysis.contrast import EvidenceCell, at_horizon, p_text, place_words
from alsbench.analysis.gates import plan_met
from alsbench.analysis.judgement import (
    TAKE_AWAY,
    Inputs,
    Judgement,
    SignCount,
    Standing,
    Thresholds,
    changed_words,
    judge,
    limits_of,
    reasons,
    rule_words,
)
from alsbench.analysis.kept import cached_check
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.arms import effects_without_controls
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding
from alsbench.analysis.scrutiny.missingness import effects_assumed
from alsbench.analysis.scrutiny.outcomes import STAND_INS, own_visit, place, searched_visits
from alsbench.analysis.scrutiny.selection import late, search_share, search_table
from alsbench.analysis.search import Share
from alsbench.analysis.subgroups import complement as other_part
from alsbench.errors import ExpressionError, UsageError, shorten
from alsbench.study.model import Comparison

RESTING_ON_SIGNS = ("holds up, post hoc", "worth a new trial")

FOUND = 66  # characters of what was found: with its name one line


def bottom_line(finding: Finding) -> CheckAnswer:
    """The level of the finding for each comparison, with every input, for and against, and the search in natural
    frequencies."""
    rows: list[Row] = []
    said: list[str] = []
    lines: list[tuple[str, str]] = []
    limits = limits_of(finding.source.study)
    for comparison in finding.comparisons:
        found = judged(finding, comparison)
        said.append(f"{comparison.name}: {found.words.upper()}")
        own = _cell(finding, finding.subgroup, comparison)
        why = own.error if found.level == "not judged" and own.error else TAKE_AWAY[found.level].format(nominal=limits.nominal)
        lines += told_lines(own, found, why, limits)
        rows += _rows(finding, comparison, found)
    return CheckAnswer(rows, "; ".join(said), (*lines, *rule_lines(finding.endpoint.method, limits)))


def told_lines(own: EvidenceCell, found: Judgement, why: str, limits: Thresholds) -> list[tuple[str, str]]:
    """What is printed of one finding: with :func:`rule_lines` at most 12 lines of 80 columns, whatever its names."""
    lines = [(place_words(own.treatment, own.reference, own.visit), f"{found.words.upper()}: {why}")]
    lines += [("Found", _found(own))] if own.p is not None else []
    good, bad = reasons(found, limits)
    lines += [("Chance", found.sentence)] if found.sentence else []
    lines += [("For", "; ".join(good))] if good else []
    near = [f"borderline: {', '.join(dict.fromkeys(found.borderline))}"] if found.borderline else []
    return lines + ([("Against", "; ".join((*bad, *near)))] if bad or near else [])


def rule_lines(method: str, limits: Thresholds) -> list[tuple[str, str]]:
    """What is printed below all findings of an endpoint: how they stand in the search, and the rule."""
    lines = [("In the search", f"as the {STAND_INS[method].removesuffix(', all arms')}")] if method in STAND_INS else []
    changed = f"; changed by the study file: {words}" if (words := changed_words(limits)) else ""
    return [*lines, ("Rule", f"the first level that applies; docs/methods.md, The bottom line{changed}")]


def _found(own: EvidenceCell) -> str:
    """``CAFS (joint rank) in slow, post hoc: p 0.024 for the treatment``: one line, long names shortened; they stand above."""
    side = {True: "the treatment", False: "the reference", None: "neither"}[own.favourable]
    said = f"{', post hoc' if own.post_hoc else ''}: p {p_text(own.p or 0.0)} for {side}"
    room = FOUND - len(said) - len(" in ")
    subgroup = shorten(own.subgroup, max(room - len(own.title), room // 2))
    return f"{shorten(own.title, room - len(subgroup))} in {subgroup}{said}"


@dataclass(frozen=True)
class Chance:
    """How often trials without any effect offer as much: the search's p among ``tests`` tests, and the interaction's among
    definitions and in the search; None where there is none."""

    search: Share | None
    tests: int
    among_definitions: Share | None
    everywhere: Share | None


class Gatherer:
    """Where a judgement's costly inputs come from: pieces that are kept, or are made and kept."""

    def chance(self, finding: Finding, comparison: Comparison, visit: float | None) -> Chance:
        """``visit`` is None where the comparison is read."""
        table, name = search_table(finding), finding.endpoint.name
        here = table.place(finding.subgroup, name, comparison.name, visit)
        shared = None if here is None else search_share(finding, table, here, comparison)
        part = finding.subgroup.removeprefix("not ")
        if visit is None:
            crossed = table.interaction(name, comparison.name, part)
        elif finding.subgroup == OVERALL:
            crossed = None
        else:
            crossed = late(finding).interaction(name, comparison.name, part, visit)
        return Chance(shared, len(table.places), *(crossed or (None, None)))

    def check(self, finding: Finding, name: str, comparison: Comparison) -> Iterable[Row]:
        """The rows of a check of one comparison."""
        return cached_check(
            name,
            finding.source,
            finding.subgroup,
            endpoint=finding.endpoint.name,
            comparisons=(comparison.name,),
            population=finding.population,
        ).rows


KEPT = Gatherer()


def judged(
    finding: Finding, comparison: Comparison, visit: float | None = None, gatherer: Gatherer = KEPT, *, whole: bool = True
) -> Judgement:
    """One comparison's finding where the comparison is read, or at another ``visit``, in visit units: that is post hoc
    whatever the plan says, and the interaction is compared with those at every visit.

    ``whole`` gathers every input; else none that can no longer change the level. Raises UsageError for a visit at which the
    endpoint is not analysed.
    """
    there = own_visit(finding.source, finding.endpoint, comparison)
    if visit is not None and visit != there:
        if visit not in searched_visits(finding.source, finding.endpoint):
            raise UsageError(f"endpoint {finding.endpoint.name} is not analysed at visit {visit:g}")
        return _judged(finding, *read_at(finding, comparison, visit), visit, gatherer, whole=whole)
    return _judged(finding, finding, comparison, None, gatherer, whole=whole)


def read_at(finding: Finding, comparison: Comparison, visit: float) -> tuple[Finding, Comparison]:
    """The finding with a comparison read at another visit, and that comparison."""
    source = finding.source.read_at(comparison, visit)
    moved = next(c for c in source.study.comparisons if c.name == comparison.name)
    return replace(finding, source=source, comparisons=(moved,)), moved


def _judged(
    asked: Finding, finding: Finding, comparison: Comparison, off: float | None, gatherer: Gatherer, *, whole: bool
) -> Judgement:
    """``asked`` in the trial's own search, ``finding`` where it is read; ``off`` the comparison's horizon at that visit."""
    own = _cell(finding, finding.subgroup, comparison)
    everybody = _cell(finding, OVERALL, comparison)
    planned = off is None
    inputs = Inputs(
        subgroup=finding.subgroup != OVERALL,
        p=own.p,
        favourable=own.favourable,
        overall_p=everybody.p if finding.subgroup != OVERALL else None,
        overall_favourable=everybody.favourable,
        standing=_standing(finding, own) if planned else "post hoc",
        rejected=planned and plan_met(finding.source, own, finding.population),
        larger=_larger(finding, own, comparison),
    )
    limits = limits_of(asked.source.study)
    if own.p is None or own.favourable is None or inputs.rejected or (own.p <= limits.nominal and not own.favourable):
        return judge(inputs, limits)
    chance = gatherer.chance(asked, comparison, off)
    inputs = replace(inputs, p_search=chance.search, tests=chance.tests)
    inputs = replace(inputs, p_int_definitions=chance.among_definitions, p_int_search=chance.everywhere)
    if own.p > limits.nominal:
        return judge(inputs, limits)
    if not whole and judge(replace(inputs, p_rerandomised=0.0), limits).level not in RESTING_ON_SIGNS:
        return judge(inputs, limits)
    again = at_horizon(gatherer.check(finding, "rerandomisation", comparison), comparison)
    p = next((r.number() for r in again if r.stat_name == "permutation_p" and r.stat is not None), None)
    upward = 1.0 if (own.estimate or 0.0) > own.null else -1.0
    method = finding.endpoint.method
    signs = {"analyses without one control": _held(effects_without_controls(finding, comparison), 1.0)}
    if method == "joint_rank":
        rows = at_horizon(gatherer.check(finding, "specification", comparison), comparison)
        made = [r for r in rows if r.variable == "specification" and r.stat_name == "difference"]
        signs["specifications"] = _held([None if r.stat is None else r.number() for r in made], upward)
    if method in ("mmrm", "ancova"):
        signs["assumptions about the missing"] = _held(effects_assumed(finding, comparison), upward)
    return judge(replace(inputs, p_rerandomised=p, signs=signs), limits)


def _cell(finding: Finding, phrase: str, comparison: Comparison) -> EvidenceCell:
    piece = cached_piece(finding.source, finding.endpoint.name, phrase, finding.source.study.comparisons, finding.population)
    return next(c for c in piece.cells if c.comparison == comparison.name)


def _standing(finding: Finding, own: EvidenceCell) -> Standing:
    """Where the finding stands in the plan. A plan's hypotheses are of everybody in the endpoint's own population; a lock
    proves them only if it was made before anybody had looked."""
    source = finding.source
    elsewhere = finding.subgroup != OVERALL or finding.population != source.default_population(finding.endpoint)
    if own.post_hoc or own.plan or elsewhere or source.doubt:
        return "post hoc"
    return "locked" if source.lock is not None and not source.lock.doubt and source.lock.looks == 0 else "declared"


def _larger(finding: Finding, own: EvidenceCell, comparison: Comparison) -> bool | None:
    """Whether the effect is larger, in favour, than in the complement; None where there is none to compare with."""
    if finding.subgroup == OVERALL or own.estimate is None or own.favourable is None:
        return None
    try:
        rest = _cell(finding, other_part(finding.source, finding.subgroup), comparison)
    except ExpressionError:
        return None
    if rest.estimate is None:
        return None
    mine, other = (math.log(x) if own.ratio and x > 0 else x for x in (own.estimate, rest.estimate))
    return mine > other if own.upward else mine < other


def _held(effects: Sequence[float | None], upward: float) -> SignCount:
    """How many of the analyses keep the side on which the estimate lies (``upward``: 1 above no effect, -1 below)."""
    made = [value for value in effects if value is not None]
    return SignCount(sum(value * upward > 0 for value in made), len(made), len(effects) - len(made))


def _rows(finding: Finding, comparison: Comparison, found: Judgement) -> list[Row]:
    """Level, rule and inputs as rows: what JSON, CSV and Python carry."""
    at = place(finding.source, finding.endpoint, comparison) | {"variable": "bottom line"}
    told = judgement_values(found, limits_of(finding.source.study))
    return [finding.row(name, value, comparison, **at) for name, value in told.items()]


def judgement_values(found: Judgement, limits: Thresholds) -> dict[str, float | int | str]:
    """Level, rule and inputs of a judgement by name, what there is of them."""
    i = found.inputs
    values: dict[str, float | int | str | None] = {
        "level": found.words,
        "rule": rule_words(limits),
        "p_value": i.p,
        "overall_p": i.overall_p,
        "search_p": None if i.p_search is None else i.p_search.p,
        "search_error": None if i.p_search is None else i.p_search.error,
        "search_tests": i.tests or None,
        "interaction_definitions_p": None if i.p_int_definitions is None else i.p_int_definitions.p,
        "interaction_search_p": None if i.p_int_search is None else i.p_int_search.p,
        "permutation_p": i.p_rerandomised,
        "larger_than_complement": None if i.larger is None else ("yes" if i.larger else "no"),
    }
    for name, signs in i.signs.items():
        values["sign_" + name.replace(" ", "_")] = "holds" if signs.hold else "does not hold"  # a number would count subjects
    return {name: value for name, value in values.items() if value is not None}


__all__ = ["bottom_line", "judged"]
