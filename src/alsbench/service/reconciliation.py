"""What came of a reconciliation, and how it is printed: classes, reasons, and what is worse than noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alsbench.analysis.reconcile.pairing import ReconciledPair
from alsbench.analysis.reconcile.stated import StatedNumber
from alsbench.data.diff import SnapshotDiff
from alsbench.render.sheet import Field, Sheet
from alsbench.service.access import Access
from alsbench.service.data_differences import LISTED, class_count, class_sheet, record_sheet, table_sheet
from alsbench.service.output import Output, sheets_output
from alsbench.stats.agreement import ACCEPTED, WORST_FIRST, Agreement

if TYPE_CHECKING:
    from alsbench.analysis.result import Result, Row

SIDES = ("ours", "theirs")
QUIET: frozenset[Agreement] = frozenset({"identical", "noise"})  # counted, and not printed one by one


@dataclass(frozen=True)
class Reconciliation:
    """What came of it. ``pairs`` of results, worst first; or ``data``, two deliveries by record. ``forms`` say what each side
    was; ``hidden`` counts numbers that a mask kept from being compared, ``left`` questions that could not be answered."""

    ours: str
    theirs: str
    forms: tuple[str, str]
    pairs: tuple[ReconciledPair, ...] = ()
    data: SnapshotDiff | None = None
    hidden: int = 0
    left: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    why: Sheet | None = None
    results: tuple[Result, ...] = ()  # ours, where a workspace was asked

    @property
    def counts(self) -> dict[Agreement, int]:
        """How many numbers are of each class, worst first."""
        found = Counter(p.agreement for p in self.pairs)
        return {name: found[name] for name in WORST_FIRST if found[name]}

    @property
    def sentence(self) -> str:
        """``cro.json beside ours: 920 identical, 8 noise, 4 different.``"""
        if self.data is not None:
            return f"{self.theirs} beside ours: the data {'agree' if self.good else 'differ'}."
        words = ", ".join(class_count(n, name) for name, n in reversed(self.counts.items()))
        return f"{self.theirs} beside ours: {words or 'no number was compared'}."

    @property
    def good(self) -> bool:
        """Whether nothing is worse than what print shows or a tolerance was declared for, and something was compared."""
        if self.data is not None:
            return self.data.good
        return bool(self.pairs) and all(p.agreement in ACCEPTED for p in self.pairs) and not self.left


def data_output(access: Access, found: Reconciliation, records: int) -> Output:
    """Two sides of data: tables, classes, records."""
    return sheets_output(access, *printed_sheets(found, records), failed=not found.good)


def results_output_of(access: Access, found: Reconciliation) -> Output:
    """Results: every pair for machines; for print the classes, and the pairs that are worse than noise."""
    summary, *rest = printed_sheets(found)
    every = _pair_sheet("pairs", "Their numbers beside ours, worst first", found.pairs)
    every = replace(every, facts=summary.facts, notes=summary.notes)
    return sheets_output(access, every, summary, *_reasons(found), printed=(summary, *rest), failed=not found.good)


def printed_sheets(found: Reconciliation, records: int = LISTED) -> tuple[Sheet, ...]:
    """What is read: of data tables, classes and so many ``records``; of results classes, reasons, and what is not noise."""
    if (data := found.data) is not None:
        tables = (table_sheet(data, "Data reconciled", SIDES), class_sheet(data, SIDES), record_sheet(data, records, SIDES))
        return (*tables, *_reasons(found))
    loud = [p for p in found.pairs if p.agreement not in QUIET]
    return (_summary(found), *_reasons(found), _pair_sheet("pairs", "What differs, worst first", loud))


def _reasons(found: Reconciliation) -> tuple[Sheet, ...]:
    return () if found.why is None else (found.why,)


def _summary(found: Reconciliation) -> Sheet:
    fields = (Field("class", "Class"), Field("numbers", "Numbers", number=True))
    facts = (("Ours", f"{found.ours}: {found.forms[0]}"), ("Theirs", f"{found.theirs}: {found.forms[1]}"), *found.facts)
    notes = [f"not answered: {text}" for text in found.left]
    if found.hidden:
        notes.append(f"{found.hidden} numbers that the mask hides were not compared")
    if not found.pairs:
        notes.append("No number was compared.")
    return Sheet("classes", "Their numbers against ours", fields, tuple(found.counts.items()), facts, tuple(notes))


def _pair_sheet(name: str, title: str, pairs: Sequence[ReconciledPair]) -> Sheet:
    fields = (
        *(Field(k, k.capitalize()) for k in ("class", "endpoint", "subgroup", "place", "statistic")),
        *(Field(k, k.capitalize(), number=True) for k in ("ours", "theirs")),
        Field("deviation", "Theirs - ours", number=True),
        Field("where", "Where"),
        Field("how", "Paired", optional=True),
    )
    return Sheet(name, title, fields, tuple(_pair_record(p) for p in pairs))


def _pair_record(pair: ReconciledPair) -> tuple[str | float | int | None, ...]:
    theirs, about = pair.theirs, pair_words(pair)
    ours = pair.ours.value if pair.ours is not None else None
    shown = ours if isinstance(ours, int | float | str) else None
    text = their_value(theirs) if theirs is not None else None
    where = theirs.where if theirs is not None else None
    return (pair.agreement, *about, shown, text, pair.deviation, where, pair.how or None)


def their_value(theirs: StatedNumber) -> str | float | int | None:
    """What theirs says: the raw number where it has one, else as it is printed."""
    said = theirs.said
    raw = isinstance(said.value, int | float) and not (said.rounded or said.bound)
    return said.value if raw and isinstance(said.value, int | float) else theirs.text or None


def pair_words(pair: ReconciledPair) -> tuple[str | None, str | None, str, str]:
    """What a pair is about: endpoint, subgroup, place, statistic, in our words where ours has it."""
    row = pair.row
    return (row.endpoint, row.subgroup, place_words(row), row.stat_name) if row is not None else _their_words(pair.theirs)


def _their_words(theirs: StatedNumber | None) -> tuple[str | None, str | None, str, str]:
    if theirs is None:
        return None, None, "", ""
    if theirs.row is not None:
        return theirs.row.endpoint, theirs.row.subgroup, place_words(theirs.row), theirs.row.stat_name
    return None, None, ", ".join(word for name, word in theirs.attributes if name != "is"), theirs.statistic


def place_words(row: Row) -> str:
    """Where a statistic stands: arm or contrast, visit, variable, level."""
    sides = f"{row.treatment} vs {row.reference}" if row.treatment and row.context == "contrast" else row.arm or ""
    visit = row.visit or (f"visit {row.visit_number:g}" if row.visit_number is not None else "")
    return ", ".join(w for w in (sides, visit, row.variable or "", row.level or "") if w)
