"""Why numbers differ, as a table: one search for an endpoint in a subgroup, over all its numbers that both sides have.

What is searched is in ``analysis/reconcile``: the options that give their numbers (``options``), or the changed records that do
(``records``). Each search has the same budget of analyses: a larger one looks at more pairs of options, or splits a set of
records further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from alsbench.analysis.changes import ContrastChange
from alsbench.analysis.question import Question
from alsbench.analysis.reconcile.options import BUDGET as OPTION_BUDGET
from alsbench.analysis.reconcile.options import explain_by_options
from alsbench.analysis.reconcile.records import BUDGET as RECORD_BUDGET
from alsbench.analysis.reconcile.records import explain_by_records
from alsbench.analysis.reconcile.reproduced import TheirNumber
from alsbench.analysis.result import Row
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.data.snapshot import Snapshot
from alsbench.errors import AlsbenchError
from alsbench.render.mask import is_masked
from alsbench.render.sheet import Field, Sheet
from alsbench.service.access import Access
from alsbench.stats.agreement import GOOD, Agreement, SaidValue

FIELDS = (
    Field("endpoint", "Endpoint"),
    Field("subgroup", "Subgroup"),
    Field("numbers", "Numbers", number=True),
    Field("explained", "Explained"),
    Field("analyses", "Analyses", number=True),
    Field("why", "Why", prose=True),
)
TITLE = "Why they differ"


@dataclass(frozen=True)
class DifferingNumbers:
    """What both sides have of one endpoint in one subgroup: our question, their numbers where we have rows."""

    question: Question
    numbers: tuple[TheirNumber, ...]


def their_number(row: Row, said: SaidValue) -> TheirNumber | None:
    """What they say where we have a row; None where that is no number, or the mask hides ours."""
    value = said.value
    if is_masked(row) or isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return TheirNumber(row, float(value), said.decimals if said.rounded else None, said.bound)


def option_reasons(access: Access, source: Source, differing: Sequence[DifferingNumbers], *, budget: int = 0) -> Sheet:
    """The options that give their numbers, one line an endpoint and subgroup; ``budget`` 0: the usual number of analyses."""
    budget = budget or OPTION_BUDGET

    def why(found: DifferingNumbers) -> tuple[bool, int, str]:
        reason = explain_by_options(source, found.question, found.numbers, budget=budget)
        return reason.explained, reason.analyses, reason.sentence

    return _sheet(access, differing, why, budget)


def record_reasons(
    access: Access,
    ours: Source,
    theirs: Snapshot,
    differing: Sequence[DifferingNumbers],
    *,
    budget: int = 0,
    mask: int = 0,
    snapshots: bool = False,
) -> Sheet:
    """The changed records that give their numbers, one line an endpoint and subgroup; ``budget`` 0: the usual number."""
    budget = budget or RECORD_BUDGET

    def why(found: DifferingNumbers) -> tuple[bool, int, str]:
        more = {"budget": budget, "mask": mask, "snapshots": snapshots}
        reason = explain_by_records(ours, theirs, found.question, found.numbers, **more)  # type: ignore[arg-type]
        return reason.explained, reason.analyses, reason.sentence

    return _sheet(access, differing, why, budget)


def changed_contrasts(
    ours: Source, changed: Iterable[ContrastChange], decimals: Callable[[str], int]
) -> list[DifferingNumbers]:
    """Contrasts that changed by more than print shows, those of an endpoint together, in the first subgroup where any did."""
    of: dict[tuple[str, str], list[ContrastChange]] = {}
    for change in changed:
        of.setdefault((change.endpoint, change.subgroup), []).append(change)
    first: dict[str, DifferingNumbers] = {}
    for (endpoint, subgroup), changes in of.items():
        loud: list[Agreement] = [a for c in changes if (a := c.agreement(decimals)) not in GOOD]
        if endpoint not in first and loud:
            question = Question(endpoint, subgroups=(subgroup,))
            numbers = tuple(n for c in changes for n in _numbers(ours, question, c))
            if numbers:
                first[endpoint] = DifferingNumbers(question, numbers)
    return list(first.values())


def _numbers(ours: Source, question: Question, change: ContrastChange) -> list[TheirNumber]:
    """The estimate and p of a contrast where it is read, as they are on the other side."""
    wanted: Mapping[str, float | None] = {change.statistic: change.new.estimate, "p_value": change.new.p}
    rows = answer(question, ours).rows
    at = [
        r
        for r in rows
        if (r.context, r.treatment, r.reference, r.visit) == ("contrast", change.treatment, change.reference, change.visit)
        and r.variable is None
        and r.level is None
    ]
    return [TheirNumber(r, value) for r in at if (value := wanted.get(r.stat_name)) is not None and r.stat is not None]


def _sheet(
    access: Access,
    differing: Sequence[DifferingNumbers],
    why: Callable[[DifferingNumbers], tuple[bool, int, str]],
    budget: int,
) -> Sheet:
    records = []
    for found in access.steps(differing, len(differing), "why they differ"):
        try:
            explained, analyses, sentence = why(found)
        except AlsbenchError as fault:
            explained, analyses, sentence = False, 0, f"not searched: {fault.what}"
        about = (found.question.endpoint, found.question.subgroups[0], len(found.numbers))
        records.append((*about, "yes" if explained else "no", analyses, sentence))
    notes = (f"at most {budget} analyses for each line; another explanation may exist",) if records else ("nothing to explain",)
    return Sheet("why", TITLE, FIELDS, tuple(records), notes=notes)
