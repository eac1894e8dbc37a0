"""The effect at every visit, not only at those that were picked: all are shown, the horizon among them."""

from __future__ import annotations

from dataclasses import replace

from alsbench.analysis.contrast import BY_VISIT, rows_of, summary_names
from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, per_comparison, spread_words
from alsbench.analysis.scrutiny.outcomes import searched_visits


def visits(finding: Finding) -> CheckAnswer:
    """Check 10: estimate, interval and p at each analysed visit; a joint rank is made at each visit as its horizon."""
    endpoint = finding.endpoint
    if endpoint.method not in BY_VISIT:
        return CheckAnswer([], f"not applicable: {endpoint.method.replace('_', ' ')} has no visits")
    asked = searched_visits(finding.source, endpoint) if endpoint.method == "joint_rank" else ()
    question = Question(
        endpoint.name,
        subgroups=(finding.subgroup,),
        comparisons=tuple(c.name for c in finding.comparisons),
        visits=tuple(v for v in asked if v is not None),
        population=finding.population,
    )
    names = summary_names(endpoint)
    found = answer(question, finding.source).select(context="contrast", stat_name=names, level=None)
    rows: list[Row] = [_marked(finding, r) for r in found if r.visit_number is not None]
    words = {c.name: spread_words(rows_of(rows, c)) for c in finding.comparisons}
    return CheckAnswer(rows, per_comparison(finding, words))


def _marked(finding: Finding, row: Row) -> Row:
    pair = (row.treatment, row.reference)
    here = any((c.treatment, c.reference) == pair and c.horizon == row.visit_number for c in finding.comparisons)
    return replace(row, warning=row.warning or "the comparison's horizon") if here else row
