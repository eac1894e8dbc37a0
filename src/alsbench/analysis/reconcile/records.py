"""Why they differ, by records: with both data sets, which changed records account for their numbers?

The records by which the tables that the endpoint reads differ are found; our analysis is made of our data with some of those
changes applied. Delta debugging (Zeller and Hildebrandt 2002, doi 10.1109/32.988498: ``ddmin``) then looks for a set of changes
that gives their numbers and of which none can be left out: first of whole groups (a kind of change in a table), then of the
subjects in what is left, of their visits, of single records, so that few analyses are needed. Such a set is 1-minimal, not the
smallest there is, and another may exist; where the budget of analyses ends first, the smallest set so far is given as that.
A data set that cannot be analysed (a visit twice) gives no number and so not theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from alsbench.analysis.question import Question
from alsbench.analysis.reconcile.reproduced import (
    ComputedRows,
    TheirNumber,
    computed_rows,
    reproduced,
    row_place,
    tables_read,
    without_plan,
)
from alsbench.analysis.run import apply_overrides
from alsbench.analysis.source import Source
from alsbench.data.altered import RecordChange, TwoDeliveries
from alsbench.data.snapshot import Snapshot
from alsbench.errors import AlsbenchError, UsageError
from alsbench.progress import tell

BUDGET = 400  # analyses
SHOWN = 10  # subjects, visits or columns named in the sentence
Ending = Literal["same records", "same number", "not by records", "minimal", "budget ended"]
Group = tuple[int, ...]  # numbers of changes that are applied together
KINDS = {"added": "that only they have", "removed": "that they do not have"}
OF_SNAPSHOTS = {"added": "added", "removed": "removed"}


@dataclass(frozen=True)
class ByRecords:
    """The answer of the search. ``changes`` give ``numbers`` ("minimal": and none of them can be left out), of ``differing``
    records by which the tables read differ; ``values`` are ours with all of those applied. ``apart`` are columns and
    tables that only one side has: they were left as ours are. With a ``mask`` no subject is named, and no count below it.
    ``snapshots``: theirs is a later load of our own data, and is called so."""

    numbers: tuple[TheirNumber, ...]
    ending: Ending
    changes: tuple[RecordChange, ...]
    differing: int
    values: tuple[float | None, ...]
    analyses: int
    budget: int
    apart: tuple[str, ...] = ()
    mask: int = 0
    snapshots: bool = False

    @property
    def explained(self) -> bool:
        return self.ending in ("minimal", "budget ended")

    @property
    def sentence(self) -> str:
        """The answer in words."""
        it = "it" if len(self.numbers) == 1 else "them"
        one = len(self.changes) == 1
        if self.ending == "same number":
            return "ours are theirs at the digits given: there is nothing to explain"
        if self.ending == "same records":
            return f"the tables that are read hold the same records on both sides: they do not account for {it}{self._apart}"
        if self.ending == "not by records":
            told = "the changed record does" if self.differing == 1 else f"all {self._count(self.differing)} changed records do"
            return f"even {told} not give {it} ({self._given}){self._apart}"
        what = " and ".join(self._parts())
        if self.ending == "minimal":
            alone = "it cannot be left out" if one else "none of them can be left out"
            return f"{what} account{'s' * one} for {it}; {alone}; another such set may exist"
        return (
            f"{what} account{'s' * one} for {it}; the budget of {self.budget} analyses ended before it was known whether "
            "some of them can be left out"
        )

    def _parts(self) -> Iterator[str]:
        """The changes, one table and kind at a time."""

        def part(change: RecordChange) -> tuple[str, str]:
            return change.table, change.kind

        for (table, kind), found in groupby(sorted(self.changes, key=part), key=part):
            these = list(found)
            columns = dict.fromkeys(c for change in these for c in change.columns)
            how = (OF_SNAPSHOTS if self.snapshots else KINDS).get(kind) or f"changed in {_listed(list(columns))}"
            where = "; ".join(t for t in (self._subjects(these), _listed(_distinct(c.visit for c in these))) if t)
            yield f"{self._count(len(these))} record{'s' * (len(these) != 1)} of {table} {how}{f' ({where})' if where else ''}"

    def _subjects(self, changes: Sequence[RecordChange]) -> str:
        names = _distinct(c.subject for c in changes)
        if not names:
            return ""
        word = f"subject{'s' * (len(names) != 1)}"
        return f"{self._count(len(names))} {word}" if self.mask else f"{word} {_listed(names)}"

    def _count(self, n: int) -> str:
        return f"fewer than {self.mask}" if n < self.mask else str(n)

    @property
    def _given(self) -> str:
        values = ["none" if v is None else f"{v:.6g}" for v in self.values]
        return f"with them ours is {values[0]}" if len(values) == 1 else f"with them ours are {', '.join(values)}"

    @property
    def _apart(self) -> str:
        return f"; only one side has {_listed(list(self.apart))}" if self.apart else ""


def explain_by_records(
    ours: Source,
    theirs: Snapshot,
    question: Question,
    numbers: Sequence[TheirNumber],
    *,
    budget: int = BUDGET,
    mask: int = 0,
    snapshots: bool = False,
) -> ByRecords:
    """Search the records by which two snapshots of a study differ for those that give their ``numbers``, all of one table.
    At most ``budget`` analyses are made, by our study file; equal arguments give equal answers. Progress is told by
    ``alsbench.progress``.

    Raises UsageError where there are no numbers or no budget, UnavailableError where more than 100,000 records differ, and what
    the analysis of our own data raises."""
    if not numbers:
        raise UsageError("there is no number to explain")
    if budget < 1:
        raise UsageError(f"{budget} analyses are none", where="--budget", hint="1 or more")
    endpoint = apply_overrides(ours.endpoint(question.endpoint), question)
    visits = ours.study.visits
    with TwoDeliveries(
        ours.snapshot,
        theirs,
        tables_read(ours, endpoint),
        subject=ours.study.info.subject,
        visits=(visits.label, visits.number),
    ) as deliveries:
        found = _RecordSearch(ours, deliveries, question, tuple(numbers), budget, mask).run()
    return replace(found, snapshots=snapshots)


class _Ended(Exception):
    """The budget of analyses has ended."""


class _RecordSearch:
    """One search: analyses made so far, and the smallest set of changes that gave the numbers."""

    def __init__(
        self,
        ours: Source,
        deliveries: TwoDeliveries,
        question: Question,
        numbers: tuple[TheirNumber, ...],
        budget: int,
        mask: int,
    ) -> None:
        self.ours, self.deliveries, self.question = _at_visits_of(numbers, ours, question), deliveries, question
        self.numbers, self.budget, self.mask = numbers, budget, mask
        self.places = [row_place(n.row) for n in numbers]
        self.whole = False
        self.analyses = 0
        self.known: dict[frozenset[int], bool] = {}
        self.smallest: frozenset[int] = frozenset()
        self.values: tuple[float | None, ...] = ()

    def run(self) -> ByRecords:
        changes = self.deliveries.changes
        if not changes:
            return self._answer("same records", ())
        rows = self._analysed(frozenset())
        if not rows.has(self.places):
            self.whole = True
            rows = self._analysed(frozenset())
        if self._given(rows):
            return self._answer("same number", ())
        everything = frozenset(c.number for c in changes)
        self.known[frozenset()] = False
        if not self._gives(everything):
            return self._answer("not by records", ())
        found = [tuple(sorted(everything))]
        try:
            for grouped in (_by_kind, _by_subject, _by_visit, _by_record):
                found = minimal_groups(self._groups(found, grouped), self._some_give)
        except _Ended:
            return self._answer("budget ended", sorted(self.smallest))
        return self._answer("minimal", sorted(n for group in found for n in group))

    def _groups(self, found: Sequence[Group], grouped: Callable[[RecordChange], Hashable]) -> list[Group]:
        """What is left, in groups of what ``grouped`` does not tell apart; what is more than noise first."""
        left = sorted((self.deliveries.changes[n] for group in found for n in group), key=lambda c: (c.noise, c.number))
        groups: dict[Hashable, list[int]] = {}
        for change in left:
            groups.setdefault(grouped(change), []).append(change.number)
        return [tuple(g) for g in groups.values()]

    def _some_give(self, groups: Sequence[Group]) -> bool:
        return self._gives(frozenset(n for group in groups for n in group))

    def _gives(self, chosen: frozenset[int]) -> bool:
        """Whether our data with these changes give their numbers."""
        if chosen not in self.known:
            if self.analyses >= self.budget:
                raise _Ended
            self.analyses += 1
            tell("data sets analysed", self.analyses, self.budget)
            try:
                rows: ComputedRows | None = self._analysed(chosen)
            except AlsbenchError:  # data that cannot be analysed give no number
                rows = None
            self.known[chosen] = rows is not None and self._given(rows)
            if not self.smallest:
                self.values = tuple(None if rows is None else rows.number(p) for p in self.places)
            if self.known[chosen] and (not self.smallest or len(chosen) < len(self.smallest)):
                self.smallest = chosen
        return self.known[chosen]

    def _analysed(self, chosen: frozenset[int]) -> ComputedRows:
        source = without_plan(self.ours, snapshot=self.deliveries.mixed(chosen))
        return computed_rows(source, self.question, whole=self.whole)

    def _given(self, rows: ComputedRows) -> bool:
        values = {i: rows.number(place) for i, place in enumerate(self.places)}
        return all(reproduced(self.numbers, values, rows))

    def _answer(self, ending: Ending, chosen: Sequence[int]) -> ByRecords:
        return ByRecords(
            self.numbers,
            ending,
            tuple(self.deliveries.changes[n] for n in chosen),
            len(self.deliveries.changes),
            self.values,
            self.analyses,
            self.budget,
            (*self.deliveries.absent, *self.deliveries.columns_apart),
            self.mask,
        )


def _at_visits_of(numbers: Sequence[TheirNumber], source: Source, question: Question) -> Source:
    """The source whose ANCOVA is fitted only at the visits of the numbers: each visit has a model of its own."""
    visits = sorted({n.row.visit_number for n in numbers if n.row.visit_number is not None})
    planned = source.endpoint(question.endpoint)
    over_visits = any(n.row.visit_number is None for n in numbers)  # the first significant visit is of them all
    if apply_overrides(planned, question).method != "ancova" or over_visits or "visits" in dict(question.options):
        return source
    endpoints = {**source.study.endpoints, planned.name: planned.model_copy(update={"visits": tuple(visits)})}
    return replace(source, study=source.study.model_copy(update={"endpoints": endpoints}))


def minimal_groups(groups: list[Group], gives: Callable[[Sequence[Group]], bool]) -> list[Group]:
    """``ddmin`` of Zeller and Hildebrandt: groups of which none can be left out. All together must give what is looked for,
    and none of them must not."""
    parts = 2
    while len(groups) > 1:
        split = [groups[i * len(groups) // parts : (i + 1) * len(groups) // parts] for i in range(parts)]
        part = next((s for s in split if gives(s)), None)
        if part is not None:
            groups, parts = part, 2
            continue
        left = next((k for k, s in enumerate(split) if parts > 2 and gives([g for g in groups if g not in s])), None)
        if left is not None:
            groups, parts = [g for g in groups if g not in split[left]], max(parts - 1, 2)
        elif parts == len(groups):
            break
        parts = min(2 * parts, len(groups)) if left is None else min(parts, len(groups))
    return groups


def _by_kind(change: RecordChange) -> Hashable:
    return change.table, change.kind, change.noise, change.columns


def _by_subject(change: RecordChange) -> Hashable:
    """All of a subject: a record that was moved is one that is gone and one that is new."""
    return change.subject or change.number


def _by_visit(change: RecordChange) -> Hashable:
    return change.subject or change.number, change.table, change.visit


def _by_record(change: RecordChange) -> Hashable:
    return change.number


def _distinct(values: Iterator[str]) -> list[str]:
    return [v for v in dict.fromkeys(values) if v]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
