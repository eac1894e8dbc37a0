"""The subgroup's result beside what stands around it: the whole population, the complement, and their difference.

A small p inside a subgroup and a large one outside is no evidence that the effects differ; the interaction is (Altman and
Bland 2003, doi 10.1136/bmj.326.7382.219).
"""

from __future__ import annotations

from alsbench.analysis.cache import cached_piece
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import Answer, Finding, contrasts, p_words, per_comparison
from alsbench.analysis.subgroups import complement as other_part
from alsbench.errors import ExpressionError


def overall(finding: Finding) -> Answer:
    """Check 1: the endpoint in the whole population and in the subgroup."""
    return _beside(finding, OVERALL)


def complement(finding: Finding) -> Answer:
    """Check 2: the endpoint in the subgroup and in everybody else."""
    try:
        phrase = other_part(finding.source, finding.subgroup)
    except ExpressionError as error:
        return Answer([], f"not applicable: {error.what}")
    return _beside(finding, phrase)


def interaction(finding: Finding) -> Answer:
    """Check 3: the p of arm by subgroup, both parts in one model. A complement has the interaction of its subgroup."""
    if finding.subgroup == OVERALL:
        return Answer([], "not applicable: everybody is in it")
    phrase = finding.subgroup if " and " in finding.subgroup else finding.subgroup.removeprefix("not ")
    piece = cached_piece(finding.source, finding.endpoint.name, phrase, finding.comparisons, finding.population)
    rows: list[Row] = [r for r in piece.rows if r.stat_name == "interaction_p"]
    words = {c.name: p_words(rows, c, "interaction_p") for c in finding.comparisons}
    return Answer(rows, per_comparison(finding, words))


def _beside(finding: Finding, phrase: str) -> Answer:
    parts = [contrasts(finding, finding.endpoint, finding.member(p)) for p in (phrase, finding.subgroup)]
    words = {c.name: f"{phrase} {p_words(parts[0], c)}, {finding.subgroup} {p_words(parts[1], c)}" for c in finding.comparisons}
    return Answer([*parts[0], *parts[1]] if phrase != finding.subgroup else parts[0], per_comparison(finding, words))
