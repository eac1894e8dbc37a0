"""Does the finding depend on where the cut was put? The subgroup's column cut elsewhere, and the effect at each cut.

The cuts are the deciles of the column over the whole population (SAS PCTLDEF=5) and the subgroup's own. Each cut's group
contains the one before it, so the estimates are far from independent: the sweep shows shape, it adds no evidence. Two tests
over all cuts pay for the choice: is there an effect at any cut (arms dealt again), and does the effect differ across any cut
(who lies on which side dealt again within arm)?

Where along the column does the effect lie? Overlapping windows of subjects, none of them chosen for its result (STEPP).

Subjects are ordered by the subgroup's column; windows of a third of them slide by a twelfth, subjects equal to a window's last
value included. The test: the window whose effect is furthest from everybody's, against windows whose column was dealt again
within arm (Bonetti and Gelber 2004, doi 10.1093/biostatistics/5.3.465; Bonetti et al. 2009, doi 10.1002/sim.3524).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from alsbench.analysis.contrast import at_horizon, p_text
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, contrasts, per_comparison, spread_words
from alsbench.analysis.scrutiny.modifier import Floats, sup_difference, sup_effect
from alsbench.analysis.scrutiny.outcomes import place
from alsbench.analysis.source import BoolArray, Source
from alsbench.analysis.subgroups import members, realise
from alsbench.errors import UsageError
from alsbench.stats.errors import StatsError
from alsbench.stats.summaries import quantile
from alsbench.stats.ties import merge_ties
from alsbench.study.expression import parse
from alsbench.study.model import Comparison, Subgroup
from alsbench.study.syntax_tree import Aggregate, ColumnRef, Compare, Value

DECILES = tuple(i / 10 for i in range(1, 10))
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Cut:
    """A subgroup that is one cut of one numeric column: ``column op value``."""

    column: str
    op: str
    value: float


def sweep(finding: Finding) -> CheckAnswer:
    """Check 5: effect, interval, p and n per arm at each cut. The subgroup's own cut is marked by a warning on its rows."""
    try:
        own = cut_of(finding)
    except UsageError as error:
        return CheckAnswer([], f"not applicable: {error.what}")
    cuts = cut_points(finding, own)
    swept = _with_cuts(finding.source, own, cuts)
    rows: list[Row] = []
    masks: list[BoolArray] = []
    for number, cut in enumerate(cuts):
        member = replace(members(swept, _name(number), finding.population), phrase=finding.subgroup)
        masks.append(member.mask)
        made = contrasts(finding, finding.endpoint, member, source=swept, variable=own.column, level=f"{own.op} {cut:.6g}")
        rows += [replace(r, warning=r.warning or "the subgroup's own cut") for r in made] if cut == own.value else made
    words = {c.name: spread_words(at_horizon(rows, c)) for c in finding.comparisons}
    for comparison in finding.comparisons:
        mine, text = _sup_tests(finding, comparison, masks)
        rows += mine
        words[comparison.name] += text
    lines = (
        ("Cuts", f"deciles of {own.column}, and the subgroup's own"),
        ("Any effect", f"smallest p of all cuts, {finding.draws} trials whose arms were dealt again within strata"),
        (
            "Any difference",
            f"largest difference across a cut, {finding.draws} trials whose {own.column} was dealt again within arm",
        ),
    )
    return CheckAnswer(rows, per_comparison(finding, words), lines)


def _sup_tests(finding: Finding, comparison: Comparison, masks: list[BoolArray]) -> tuple[list[Row], str]:
    """Both tests over all cuts, as rows and in words."""
    at = place(finding.source, finding.endpoint, comparison) | {"variable": "all", "level": "all cuts"}
    effect = sup_effect(finding, comparison, masks)
    rows = [finding.row("sup_p", effect, comparison, **at)]
    column = cut_of(finding).column
    text = f", any effect p {p_text(effect)}"
    try:
        apart = sup_difference(finding, comparison, masks, against="rest")
        return [
            *rows,
            finding.row("sup_interaction_p", apart, comparison, **at),
        ], f"{text}, any difference p {p_text(apart)} of {column} alone"
    except StatsError as error:
        return [*rows, finding.row("sup_interaction_p", None, comparison, error=str(error), **at)], f"{text} of {column} alone"


def cut_of(finding: Finding) -> Cut:
    """The subgroup as one cut. Raises UsageError where it is anything else."""
    name = finding.subgroup.removeprefix("not ")
    subgroup = next((s for s in finding.source.study.subgroups if s.name == name), None)
    if subgroup is None:
        raise UsageError(f"{finding.subgroup} is not one cut of one column")
    root = parse(subgroup.where).root
    if not isinstance(root, Compare) or root.op not in _MIRROR:
        raise UsageError(f"{finding.subgroup} is not one cut of one column: {subgroup.where}")
    op, column, bound = str(root.op), root.left, root.right
    if isinstance(bound, ColumnRef):
        op, column, bound = _MIRROR[op], root.right, root.left
    if not isinstance(column, ColumnRef) or not isinstance(bound, (Value, Aggregate)):
        raise UsageError(f"{finding.subgroup} is not one cut of one column: {subgroup.where}")
    if finding.subgroup != name:  # the complement lies on the other side
        op = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[op]
    if isinstance(bound, Aggregate):
        return Cut(column.name, op, realise(finding.source, (bound,))[bound])
    if bound.kind != "number":
        raise UsageError(f"{finding.subgroup} does not cut a number: {subgroup.where}")
    return Cut(column.name, op, float(bound.value))


def cut_points(finding: Finding, own: Cut) -> tuple[float, ...]:
    """The subgroup's own cut among the deciles of its column, in rising order."""
    inside = finding.source.population(finding.population)
    values = np.asarray(finding.source.subject_column(own.column), dtype=np.float64)[inside]
    values = values[np.isfinite(values)]
    return tuple(sorted({own.value, *(quantile(values, q) for q in DECILES)}))


def _with_cuts(source: Source, own: Cut, cuts: tuple[float, ...]) -> Source:
    """The source of a study that has each cut as a subgroup."""
    made = tuple(Subgroup(name=_name(i), where=f"{own.column} {own.op} {cut!r}") for i, cut in enumerate(cuts))
    return replace(source, study=source.study.model_copy(update={"subgroups": made}))


def _name(number: int) -> str:
    return f"cut_{number}"


WINDOW, STEP = 3, 12  # a window holds one in three subjects, the next begins one in twelve later
LEAST = 20  # subjects in a window


def stepp(finding: Finding) -> CheckAnswer:
    """Check 6: effect, interval, p and n per arm in each window of the comparison's subjects, and the test over all windows."""
    try:
        column = cut_of(finding).column
    except UsageError as error:
        return CheckAnswer([], f"not applicable: {error.what}")
    everybody = members(finding.source, "overall", finding.population)
    values = merge_ties(finding.source.subject_column(column))
    order = finding.source.study.arms.order
    rows: list[Row] = []
    words: dict[str, str] = {}
    for comparison in finding.comparisons:
        arms = [order.index(a) for a in (comparison.treatment, comparison.reference)]
        within = everybody.mask & np.isin(finding.source.planned_arm, arms) & np.isfinite(values)
        only = replace(finding, comparisons=(comparison,))
        found = windows(values, within)
        mine: list[Row] = []
        for low, high, mask in found:
            both = everybody.mask & (values >= low) & (values <= high) if finding.endpoint.arms == "all" else mask
            member = replace(everybody, mask=both, n=int(both.sum()), phrase=finding.subgroup)
            mine += contrasts(only, finding.endpoint, member, variable=column, level=f"{low:.6g} to {high:.6g}")
        test, text = _test(finding, comparison, [mask for _, _, mask in found])
        words[comparison.name] = f"{spread_words(at_horizon(mine, comparison))}, {text}"
        rows += [*mine, test]
    lines = (
        ("Windows", f"a third of the comparison's subjects in order of {column}, sliding by a twelfth"),
        (
            "SearchedTest",
            f"the window furthest from all's effect, {finding.draws} trials whose {column} was dealt again within arm",
        ),
    )
    return CheckAnswer(rows, per_comparison(finding, words), lines)


def windows(values: Floats, inside: BoolArray) -> list[tuple[float, float, BoolArray]]:
    """(lowest, highest value, mask) of every window of the subjects ``inside``; one window where they are few."""
    ordered = np.sort(values[inside])
    n = ordered.size
    size = max(math.ceil(n / WINDOW), min(LEAST, n))
    step = max(math.ceil(n / STEP), 1)
    starts = [*range(0, max(n - size, 0), step), max(n - size, 0)] if n else []
    found: dict[tuple[float, float], BoolArray] = {}
    for start in starts:
        low, high = float(ordered[start]), float(ordered[start + size - 1])
        found[low, high] = inside & (values >= low) & (values <= high)
    return [(low, high, mask) for (low, high), mask in found.items()]


def _test(finding: Finding, comparison: Comparison, masks: list[BoolArray]) -> tuple[Row, str]:
    at = place(finding.source, finding.endpoint, comparison) | {"variable": "all", "level": "all windows"}
    try:
        p = sup_difference(finding, comparison, masks, against="all")
    except StatsError as error:
        return finding.row("sup_interaction_p", None, comparison, error=str(error), **at), "no test over the windows"
    return finding.row("sup_interaction_p", p, comparison, **at), f"any window unlike all p {p_text(p)}"
