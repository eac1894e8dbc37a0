"""The effect at every visit, not only at those that were picked: all are shown, the horizon among them."""

from __future__ import annotations

from dataclasses import replace

from alsbench.analysis.methods import method_info
from alsbench.analysis.question import Question
from alsbench.analysis.records import endpoint_records
from alsbench.analysis.result import Row
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, per_comparison, spread_words, summary_names
from alsbench.study.model import Comparison


def visits(finding: Finding) -> CheckAnswer:
    """Check 10: estimate, interval and p at each analysed visit; a joint rank is made at each visit as its horizon."""
    endpoint = finding.endpoint
    if not method_info(endpoint.method).by_visit:
        return CheckAnswer([], f"not applicable: {endpoint.method.replace('_', ' ')} has no visits")
    asked = _numbers(finding) if endpoint.method == "joint_rank" else ()
    question = Question(
        endpoint.name,
        subgroups=(finding.subgroup,),
        comparisons=tuple(c.name for c in finding.comparisons),
        visits=asked,
        population=finding.population,
    )
    names = summary_names(endpoint)
    found = answer(question, finding.source).select(context="contrast", stat_name=names, level=None)
    rows: list[Row] = [_marked(finding, r) for r in found if r.visit_number is not None]
    words = {c.name: spread_words(_of_pair(rows, c)) for c in finding.comparisons}
    return CheckAnswer(rows, per_comparison(finding, words))


def _of_pair(rows: list[Row], comparison: Comparison) -> list[Row]:
    return [r for r in rows if (r.treatment, r.reference) == (comparison.treatment, comparison.reference)]


def _numbers(finding: Finding) -> tuple[float, ...]:
    """Post-baseline visits of the function that a joint rank compares."""
    source = finding.source
    function = source.endpoint(finding.endpoint.function)
    if function.visits:
        return function.visits
    seen = endpoint_records(source, function).visit
    return tuple(sorted({float(v) for v in seen if v > source.study.visits.baseline}))


def _marked(finding: Finding, row: Row) -> Row:
    pair = (row.treatment, row.reference)
    here = any((c.treatment, c.reference) == pair and c.horizon == row.visit_number for c in finding.comparisons)
    return replace(row, warning=row.warning or "the comparison's horizon") if here else row
