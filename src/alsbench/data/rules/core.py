"""What a rule is, and what it may look at.

A rule has a stable id (a user accepts or looks up findings by it), a severity and a title, and yields one fault per table or
column that breaks it. Rows are named by their number in load order, counted from 1: the record number in the source file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from alsbench.data.receipt import Severity
from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.data.sql import fill, quote
from alsbench.study.model import Endpoint, Study

SHOWN = 20
FEW = 1000  # groups of rows that a query may name one by one
PART_ROWS = 4_000_000  # whose groups the database holds within its memory
SUBJECT_TABLE = "ADSL"
DUPLICATED = "count(*){over} > 1"


@dataclass(frozen=True)
class Violation:
    """A place where a rule is broken: ``rows`` and ``keys`` (subjects) are the first ``SHOWN`` of ``count``."""

    table: str
    what: str
    count: int = 1
    rows: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    severity: Severity | None = None
    hint: str = ""


@dataclass(frozen=True)
class Rule:
    """A check by id. ``needs_study`` rules are not run without a study."""

    id: str
    severity: Severity
    title: str
    check: Callable[[RuleData], Iterator[Violation]]
    needs_study: bool = False


@dataclass
class DatesAsked:
    """Which date columns a rule asked for: whether it had any to work with, and what was there but is no date."""

    asked: bool = False
    had: bool = False
    unusable: dict[str, None] = field(default_factory=dict)

    def clear(self) -> None:
        """Begin with the next rule."""
        self.asked = self.had = False
        self.unusable.clear()

    @property
    def reason(self) -> str:
        """Why the rule could not be applied, or not everywhere; empty where it was."""
        if self.unusable:
            return ", ".join(self.unusable)
        return "the dates it compares are not in the data" if self.asked and not self.had else ""


@dataclass(frozen=True)
class MatchedRows:
    """Rows a query found: how many, and the first of them."""

    count: int
    rows: tuple[int, ...]
    keys: tuple[str, ...]


NONE = MatchedRows(0, (), ())
REGISTRY: dict[str, Rule] = {}


def rule(
    id_: str, severity: Severity, title: str, *, needs_study: bool = False
) -> Callable[[Callable[[RuleData], Iterator[Violation]]], Callable[[RuleData], Iterator[Violation]]]:
    """Register a check under an id."""

    def register(check: Callable[[RuleData], Iterator[Violation]]) -> Callable[[RuleData], Iterator[Violation]]:
        if id_ in REGISTRY:
            raise ValueError(f"two rules are named {id_}")
        REGISTRY[id_] = Rule(id_, severity, title, check, needs_study)
        return check

    return register


@dataclass(frozen=True)
class RuleData:
    """The data under check, and the study they are to fit, if there is one."""

    snapshot: Snapshot
    study_or_none: Study | None = None
    dates_asked: DatesAsked = field(default_factory=DatesAsked, compare=False)

    def dates(self, table: TableInfo, *columns: str, more: bool = False) -> bool:
        """Whether these columns of a table are dates; a rule that asks for dates asks here, so that it is known to have had
        none to check. With ``more`` they are not yet all that it compares."""
        kinds = table.kinds
        here = all(c in kinds for c in columns)
        off = [f"{c} of {table.name} is no date" for c in columns if here and kinds[c] != "date"]
        self.dates_asked.asked = True
        self.dates_asked.unusable |= dict.fromkeys(off)
        usable = here and not off
        self.dates_asked.had |= usable and not more
        return usable

    @property
    def study(self) -> Study:
        """The study; only rules that need one may ask."""
        if self.study_or_none is None:
            raise ValueError("this rule needs a study")
        return self.study_or_none

    @property
    def subject(self) -> str:
        """The subject column's name."""
        return self.study_or_none.info.subject if self.study_or_none else "USUBJID"

    @cached_property
    def adsl(self) -> TableInfo | None:
        """The subject-level table, if it is there and has a subject column."""
        table = self.snapshot.tables.get(SUBJECT_TABLE)
        return table if table is not None and self.subject in table else None

    @cached_property
    def records(self) -> tuple[TableInfo, ...]:
        """Tables of analysis records: subject, PARAMCD and AVAL."""
        return tuple(
            t
            for t in self.snapshot.tables.values()
            if t.name != SUBJECT_TABLE
            and all(c in t for c in (self.subject, "PARAMCD", "AVAL"))
            and (t.kinds["PARAMCD"], t.kinds["AVAL"]) == ("text", "number")
        )

    @cached_property
    def _distinct(self) -> dict[tuple[str, ...], bool]:
        return {}

    def distinct(self, table: TableInfo, keys: Sequence[str]) -> bool:
        """Whether no two rows share these columns; False also where 64-bit hashes of them happen to be the same."""
        asked = (table.name, *keys)
        if asked not in self._distinct:
            hashed = f"hash({', '.join(quote(k) for k in keys)})"
            found = self.snapshot.rows(f"SELECT count(*) FROM (SELECT 1 FROM {quote(table.name)} GROUP BY {hashed})")
            self._distinct[asked] = found[0][0] == table.rows
        return self._distinct[asked]

    @cached_property
    def _codes(self) -> dict[str, frozenset[str]]:
        return {}

    def codes(self, table: TableInfo) -> frozenset[str]:
        """The parameters of a table of analysis records."""
        if table.name not in self._codes:
            found = self.snapshot.rows(f'SELECT DISTINCT CAST("PARAMCD" AS VARCHAR) FROM {quote(table.name)}')
            self._codes[table.name] = frozenset(code for (code,) in found if code is not None)
        return self._codes[table.name]

    def endpoints(self, *methods: str) -> Iterator[tuple[str, Endpoint, TableInfo]]:
        """Endpoints of the study by these methods (all by default) whose data set is loaded."""
        for name, endpoint in self.study.endpoints.items():
            table = self.snapshot.tables.get(endpoint.dataset.upper())
            if table is not None and (not methods or endpoint.method in methods):
                yield name, endpoint, table

    def find(self, sql: str, params: Sequence[object] = ()) -> MatchedRows:
        """Run a query that yields ``row`` (0-based) and ``key``; how many and which rows."""
        rows = self.snapshot.rows(
            f"SELECT row + 1, CAST(key AS VARCHAR), count(*) OVER () FROM ({sql}) ORDER BY row LIMIT {SHOWN}", params
        )
        count = int(rows[0][2]) if rows else 0
        return MatchedRows(count, tuple(int(r[0]) for r in rows), tuple(dict.fromkeys(r[1] for r in rows if r[1] is not None)))

    @cached_property
    def _held(self) -> dict[tuple[str, str], bool]:
        return {}

    def holds(self, table: TableInfo, condition: str, params: Sequence[object] = ()) -> bool:
        """Whether any row of a table meets a condition: asked once, and without sorting or counting."""
        asked = (table.name, fill(condition, params))
        if asked not in self._held:
            self._held[asked] = bool(self.snapshot.rows(f"SELECT 1 FROM {quote(table.name)} WHERE {asked[1]} LIMIT 1"))
        return self._held[asked]

    def where(self, table: TableInfo, condition: str, params: Sequence[object] = ()) -> MatchedRows:
        """Rows of a table meeting a condition."""
        if not self.holds(table, condition, params):
            return NONE
        key = quote(self.subject) if self.subject in table else "NULL"
        return self.find(f"SELECT rowid AS row, {key} AS key FROM {quote(table.name)} WHERE {condition}", params)

    def same_subjects(self, one: TableInfo, other: TableInfo) -> bool:
        """Whether the subjects of two tables can be compared."""
        return self.subject in one and self.subject in other and one.kinds[self.subject] == other.kinds[self.subject]

    def joined(self, table: TableInfo, condition: str, params: Sequence[object] = ()) -> MatchedRows:
        """Rows of a table (alias ``r``) meeting a condition that may also use the subject's row of ADSL (alias ``s``).

        None where the subject is not of the same kind in both (rule ``subject-kind``).
        """
        if self.adsl is None or not self.same_subjects(table, self.adsl):
            return NONE
        subject = quote(self.subject)
        return self.find(
            f"SELECT r.rowid AS row, r.{subject} AS key FROM {quote(table.name)} r JOIN "
            f"(SELECT * FROM {quote(SUBJECT_TABLE)} QUALIFY row_number() OVER (PARTITION BY {subject} ORDER BY rowid) = 1) s "
            f"ON r.{subject} = s.{subject} WHERE {condition}",
            params,
        )

    def among(self, table: TableInfo, keys: Sequence[str], aggregate: str, keep: str = "TRUE") -> MatchedRows:
        """Rows meeting ``keep`` whose group by ``keys`` meets an aggregate condition, such as ``count(*){over} > 1``.

        Groups are first judged by a 64-bit hash of their keys, so that a large table is not sorted; the few rows left are then
        judged by the keys themselves. Where no group is suspect, that is all.
        """
        names = ", ".join(quote(k) for k in keys)
        key = quote(self.subject) if self.subject in table else "NULL"
        source = quote(table.name)
        judged = f"GROUP BY 1 HAVING {aggregate.format(over='')}"
        suspects = f"SELECT hash({names}) FROM {source} WHERE {keep} {judged}"
        parts = -(-table.rows // PART_ROWS)  # of a large table a part of the groups at a time
        first: list[tuple[object, ...]] = []
        for part in range(parts):
            own = f"AND hash({names}) % {parts} = {part} " if parts > 1 else ""
            wanted = f"SELECT hash({names}) FROM {source} WHERE {keep} {own}{judged} LIMIT {FEW + 1 - len(first)}"
            first += self.snapshot.rows(wanted) if len(first) <= FEW else []
        if not first:
            return NONE
        if len(first) <= FEW:
            suspects = ", ".join(str(h) for (h,) in first)
        found = f'rowid AS "found row", {key} AS "found key"'
        window = aggregate.format(over=f" OVER (PARTITION BY {names})")
        return self.find(
            f'SELECT "found row" AS row, "found key" AS key FROM (SELECT {found}, * FROM {source} '
            f"WHERE {keep} AND hash({names}) IN ({suspects})) QUALIFY {window}"
        )


def broken(
    table: TableInfo | str, what: str, hits: MatchedRows, *, severity: Severity | None = None, hint: str = ""
) -> Iterator[Violation]:
    """One fault for what was found, none where nothing was."""
    if hits.count:
        name = table if isinstance(table, str) else table.name
        yield Violation(name, what.format(n=hits.count), hits.count, hits.rows, hits.keys, severity, hint)
