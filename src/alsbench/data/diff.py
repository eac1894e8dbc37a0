"""What changed between two snapshots: records added, removed and changed, by key.

A record's key is what makes it one record: subject, parameter and visit where the table has them (with time point, date and
sequence as far as needed to tell rows apart), the subject alone in ADSL. Rows whose key is not theirs alone in both snapshots
are compared whole, and a change among them is a removal and an addition; so are all rows where no key tells most apart.
Missing equals missing. The comparison is made by the database in :mod:`alsbench.data.compare`, in pieces of bounded size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alsbench.data.snapshot import Snapshot

KEY_ORDER = (
    "USUBJID",
    "PARAMCD",
    "AVISITN",
    "ATPTN",
    "ADT",
    "DTYPE",
    "BASETYPE",
    "ASEQ",
    "AESEQ",
    "QSSEQ",
    "VSSEQ",
    "LBSEQ",
    "EXSEQ",
    "ASTDT",
    "AETERM",
)
SHOWN = 20
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ChangedRecord:
    """A record in both, with the columns that differ: name -> (old, new)."""

    key: tuple[Any, ...]
    columns: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class TableDiff:
    """One table: counts are complete; ``records`` and keys are the first, in load order.

    ``state`` is same, changed, added (only in the new snapshot) or removed. ``keys`` is empty where whole rows were compared,
    ``repeated`` counts rows of both snapshots whose key is not theirs alone and which were therefore compared whole; what is
    shown of those among ``added_keys`` and ``removed_keys`` is their key. ``columns_retyped``: name -> (old kind, new kind).
    """

    table: str
    state: str
    rows_old: int
    rows_new: int
    keys: tuple[str, ...] = ()
    repeated: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    added_keys: tuple[tuple[Any, ...], ...] = ()
    removed_keys: tuple[tuple[Any, ...], ...] = ()
    records: tuple[ChangedRecord, ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    by_column: Mapping[str, int] | None = None


@dataclass(frozen=True)
class SnapshotDiff:
    """Two snapshots compared, table by table."""

    old: str
    new: str
    tables: tuple[TableDiff, ...]

    @property
    def same(self) -> bool:
        return all(t.state == "same" for t in self.tables)


def diff(old: Snapshot, new: Snapshot, *, shown: int = SHOWN, progress: Told | None = None) -> SnapshotDiff:
    """Compare two snapshots; equal content hashes spare the comparison.

    ``shown`` bounds the records listed of each kind; ``progress(table, done, of)`` counts pieces and may raise to cancel.
    """
    from alsbench.data.compare import Comparison

    names = sorted({*old.tables, *new.tables})
    found = {n: _without_rows(old, new, n) for n in names}
    if all(found.values()):
        return SnapshotDiff(old.name, new.name, tuple(t for t in found.values() if t))
    with Comparison(old, new, shown=shown, progress=progress) as comparison:
        return SnapshotDiff(old.name, new.name, tuple(found[n] or comparison.table(n) for n in names))


def _without_rows(old: Snapshot, new: Snapshot, name: str) -> TableDiff | None:
    """What names and content hashes tell; None where rows have to be looked at."""
    before, after = old.tables.get(name), new.tables.get(name)
    if before is None and after is not None:
        return TableDiff(name, "added", 0, after.rows, added=after.rows)
    if after is None and before is not None:
        return TableDiff(name, "removed", before.rows, 0, removed=before.rows)
    if before is not None and after is not None and before.sha256 == after.sha256:
        return TableDiff(name, "same", before.rows, after.rows)
    return None
