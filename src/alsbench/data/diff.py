"""What changed between two snapshots: records added, removed and changed, by key.

A record's key is what makes it one record: subject, parameter and visit where the table has them (with time point, date and
sequence as far as needed to tell rows apart), the subject alone in ADSL. Where no set of key columns is unique in both
snapshots, whole rows are compared instead and a change is a removal and an addition.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.data.sql import quote

_KEY_ORDER = (
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


@dataclass(frozen=True)
class ChangedRecord:
    """A record in both, with the columns that differ: name -> (old, new)."""

    key: tuple[Any, ...]
    columns: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class TableDiff:
    """One table: counts are complete; ``records`` and keys are the first ``SHOWN``.

    ``state`` is same, changed, added (only in the new snapshot) or removed. ``keys`` is empty where whole rows were compared.
    """

    table: str
    state: str
    rows_old: int
    rows_new: int
    keys: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    changed: int = 0
    added_keys: tuple[tuple[Any, ...], ...] = ()
    removed_keys: tuple[tuple[Any, ...], ...] = ()
    records: tuple[ChangedRecord, ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
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


def diff(old: Snapshot, new: Snapshot) -> SnapshotDiff:
    """Compare two snapshots; equal content hashes spare the comparison."""
    names = sorted({*old.tables, *new.tables})
    return SnapshotDiff(old.name, new.name, tuple(_table(old, new, n) for n in names))


def _table(old: Snapshot, new: Snapshot, name: str) -> TableDiff:
    before, after = old.tables.get(name), new.tables.get(name)
    if before is None or after is None:
        present = after or before
        rows = present.rows if present else 0
        if before is None:
            return TableDiff(name, "added", 0, rows, added=rows)
        return TableDiff(name, "removed", rows, 0, removed=rows)
    if before.sha256 == after.sha256:
        return TableDiff(name, "same", before.rows, after.rows)
    shared = [c.name for c in after.columns if c.name in before and before.kinds[c.name] == c.kind]
    keys = _keys(old, new, before, shared)
    left, right = _rows(old, name, shared, keys), _rows(new, name, shared, keys)
    added = [k for k in right if k not in left]
    removed = [k for k in left if k not in right]
    others = [c for c in shared if c not in keys]
    changed = list(_changes(left, right, others))
    counts: dict[str, int] = {}
    for record in changed:
        for column in record.columns:
            counts[column] = counts.get(column, 0) + 1
    return TableDiff(
        table=name,
        state="changed",
        rows_old=before.rows,
        rows_new=after.rows,
        keys=tuple(keys),
        added=len(added),
        removed=len(removed),
        changed=len(changed),
        added_keys=tuple(_shown(k, keys) for k in added[:SHOWN]),
        removed_keys=tuple(_shown(k, keys) for k in removed[:SHOWN]),
        records=tuple(changed[:SHOWN]),
        columns_added=tuple(c.name for c in after.columns if c.name not in shared),
        columns_removed=tuple(c.name for c in before.columns if c.name not in shared),
        by_column=counts,
    )


def _keys(old: Snapshot, new: Snapshot, table: TableInfo, shared: Sequence[str]) -> list[str]:
    """The shortest run of the customary key columns that is unique in both; empty where none is."""
    keys: list[str] = []
    for column in _KEY_ORDER:
        if column in shared:
            keys.append(column)
            if all(_unique(s, table.name, keys) for s in (old, new)):
                return keys
    return []


def _unique(snapshot: Snapshot, table: str, keys: Sequence[str]) -> bool:
    columns = ", ".join(quote(k) for k in keys)
    return not snapshot.rows(f"SELECT 1 FROM {quote(table)} GROUP BY {columns} HAVING count(*) > 1 LIMIT 1")


def _rows(snapshot: Snapshot, table: str, shared: Sequence[str], keys: Sequence[str]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Rows by key; without a key a row is its own, numbered so that equal rows count."""
    others = [c for c in shared if c not in keys]
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    repeats: dict[tuple[Any, ...], int] = {}
    for row in snapshot.page(table, [*keys, *others], offset=0, limit=snapshot.tables[table].rows):
        if keys:
            found[row[: len(keys)]] = row[len(keys) :]
        else:
            repeats[row] = repeats.get(row, 0) + 1
            found[(*row, repeats[row])] = ()
    return found


def _changes(
    left: Mapping[tuple[Any, ...], tuple[Any, ...]], right: Mapping[tuple[Any, ...], tuple[Any, ...]], columns: Sequence[str]
) -> Iterator[ChangedRecord]:
    for key, now in right.items():
        was = left.get(key)
        if was is not None and was != now:
            yield ChangedRecord(key, {c: (a, b) for c, a, b in zip(columns, was, now, strict=True) if a != b})


def _shown(key: tuple[Any, ...], keys: Sequence[str]) -> tuple[Any, ...]:
    return key if keys else key[:-1]


def as_json(result: SnapshotDiff) -> str:
    """The comparison as JSON; dates as ISO text."""
    return json.dumps(result, default=lambda o: o.isoformat() if hasattr(o, "isoformat") else dict(vars(o)), ensure_ascii=False)
