"""``--mask K``: small cells of a result hidden before it is shown or exported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alsbench.analysis.evidence import Evidence
    from alsbench.analysis.question import Question
    from alsbench.analysis.result import Result, Row
    from alsbench.analysis.source import Source


def mask_answer(result: Result, question: Question, source: Source, k: int) -> Result:
    """The answer without small cells; complements and overall are answered too, so that no other export tells them."""
    if not k:
        return result
    from alsbench.analysis.cache import cached_answer
    from alsbench.analysis.question import OVERALL
    from alsbench.analysis.subgroups import complement
    from alsbench.render.mask import masked

    asked = {row.subgroup for row in result.rows}
    others = {complement(source, p) for p in asked if p != OVERALL and " and " not in p} | {OVERALL}
    beside: list[Row] = []
    for phrase in sorted(others - asked):
        beside += cached_answer(replace(question.for_subgroup(phrase), subjects=False), source).rows
    hidden = masked(result, k, beside)
    return hidden.with_command(f"{hidden.provenance.command} --mask {k}")


def mask_evidence(evidence: Evidence, k: int) -> Evidence:
    """The evidence without small cells; its columns hold overall and every complement already."""
    if not k:
        return evidence
    from alsbench.render.mask import masked_evidence

    hidden = masked_evidence(evidence, k)
    return replace(hidden, result=hidden.result.with_command(f"{hidden.result.provenance.command} --mask {k}"))
