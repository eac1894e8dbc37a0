"""Does the finding hang on one control? All comparisons share the reference arm, so one unusual subject moves them all.

The analysis is repeated with each reference subject of the subgroup left out in turn.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, contrasts, spreads

EVERYBODY = "nobody"  # what is left out of the analysis as it was


def controls(finding: Finding) -> CheckAnswer:
    """Check 17: effect and p without each control; ``level`` says who was left out."""
    source, member = finding.source, finding.member()
    arms = source.study.arms.order
    shared = {arms.index(c.reference) for c in finding.comparisons}
    inside = np.flatnonzero(member.mask & np.isin(source.planned_arm, sorted(shared)))
    rows: list[Row] = contrasts(finding, finding.endpoint, member, variable="left out", level=EVERYBODY)
    for index in inside.tolist():
        mask = member.mask.copy()
        mask[index] = False
        without = replace(member, mask=mask, n=member.n - 1)
        rows += contrasts(finding, finding.endpoint, without, variable="left out", level=source.subject_ids[index])
    without_one = [r for r in rows if r.level != EVERYBODY]
    return CheckAnswer(rows, spreads(finding, without_one), (("Controls left out in turn", str(inside.size)),))
