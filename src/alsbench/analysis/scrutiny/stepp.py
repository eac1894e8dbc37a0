"""Where along the column does the effect lie? Overlapping windows of subjects, none of them chosen for its result (STEPP).

Subjects are ordered by the subgroup's column; windows of a third of them slide by a twelfth, subjects equal to a window's last
value included. The test: the window whose effect is furthest from everybody's, against windows whose column was dealt again
within arm (Bonetti and Gelber 2004, doi 10.1093/biostatistics/5.3.465; Bonetti et al. 2009, doi 10.1002/sim.3524).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from alsbench.analysis.contrast import at_horizon
from alsbench.analysis.p_text import p_text
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, contrasts, per_comparison, spread_words
from alsbench.analysis.scrutiny.modifier import Floats, sup_difference
from alsbench.analysis.scrutiny.outcomes import place
from alsbench.analysis.scrutiny.sweep import cut_of
from alsbench.analysis.source import BoolArray
from alsbench.analysis.subgroups import members
from alsbench.errors import UsageError
from alsbench.stats.errors import StatsError
from alsbench.stats.ties import merge_ties
from alsbench.study.model import Comparison

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
            "Test",
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
