"""What changed between two snapshots: records added, removed and changed, by key.

A record's key is what makes it one record: subject, parameter and visit where the table has them (with time point, date and
sequence as far as needed to tell rows apart), the subject alone in ADSL. Rows whose key is not theirs alone in both snapshots
are compared whole, and a change among them is a removal and an addition; so are all rows where no key tells most apart.

The comparison is made by the database, in bounded memory. Both snapshot files are attached, read-only, to one locked database
in memory. Rows are split by a hash of their key into pieces of at most ``CELLS`` cells (smaller ones where memory does not
suffice); each piece is a full outer join on the key, of which only counts, and the row numbers of the first differences, leave
the database. Nothing is written to disk. Values are compared by IS NOT DISTINCT FROM: NULL equals NULL, NaN equals NaN, 0
equals -0, as in the content hash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import duckdb

from alsbench.data.sanitize import visible
from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.data.sql import quote
from alsbench.errors import DataError, UnavailableError

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
DiffProgress = Callable[[str, int, int], None]
CELLS = 6_000_000
_MOST_PIECES = 4096
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "memory_limit": "600MB",
    "threads": "2",
    "temp_directory": "",
    "preserve_insertion_order": "false",
}
_OLD, _NEW = "old_side", "new_side"
_REPEATED = "repeated_keys"
_PIECE = "piece"


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


def diff(old: Snapshot, new: Snapshot, *, shown: int = SHOWN, progress: DiffProgress | None = None) -> SnapshotDiff:
    """Compare two snapshots; equal content hashes spare the comparison.

    ``shown`` bounds the records listed of each kind; ``progress(table, done, of)`` counts pieces and may raise to cancel.
    """
    names = sorted({*old.tables, *new.tables})
    found = {n: _without_rows(old, new, n) for n in names}
    if all(found.values()):
        return SnapshotDiff(old.name, new.name, tuple(t for t in found.values() if t))
    with SnapshotComparison(old, new, shown=shown, progress=progress) as comparison:
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


@dataclass
class _Tally:
    """What the pieces added up to; first row numbers are kept in load order."""

    columns: Sequence[str]
    added: int = 0
    removed: int = 0
    changed: int = 0
    first_added: list[int] = field(default_factory=list)
    first_removed: list[int] = field(default_factory=list)
    first_changed: list[tuple[int, int]] = field(default_factory=list)
    by_column: dict[str, int] = field(default_factory=dict)


class SnapshotComparison:
    """Compares tables of two snapshots that are both there and differ. Use as a context manager."""

    def __init__(self, old: Snapshot, new: Snapshot, *, shown: int, progress: DiffProgress | None = None) -> None:
        self.old, self.new, self.shown, self.progress = old, new, shown, progress
        self._connection = duckdb.connect(":memory:", config=_CONFIG)
        try:
            for alias, snapshot in ((_OLD, old), (_NEW, new)):
                self._connection.execute(f"ATTACH {_literal(str(snapshot.path))} AS {alias} (READ_ONLY)")
            self._connection.execute("SET enable_external_access = false")
            self._connection.execute("SET lock_configuration = true")
        except duckdb.InterruptException:
            self._connection.close()
            raise
        except duckdb.Error as fault:
            self._connection.close()
            raise _unreadable(fault) from fault

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def table(self, name: str) -> TableDiff:
        """One table of both. Raises DataError for a damaged snapshot, UnavailableError where memory does not suffice."""
        before, after = self.old.tables[name], self.new.tables[name]
        shared = [c.name for c in after.columns if before.kinds.get(c.name) == c.kind]
        retyped = {c.name: (before.kinds[c.name], c.kind) for c in after.columns if before.kinds.get(c.name, c.kind) != c.kind}
        with _guarded():
            keys, repeated = self._key(before, after, shared)
            tally = self._tally(before, after, shared, keys, repeated)
            told = keys or shared
            return TableDiff(
                table=name,
                state="changed",
                rows_old=before.rows,
                rows_new=after.rows,
                keys=tuple(keys),
                repeated=repeated,
                added=tally.added,
                removed=tally.removed,
                changed=tally.changed,
                added_keys=tuple(self._values(_NEW, name, told, tally.first_added)),
                removed_keys=tuple(self._values(_OLD, name, told, tally.first_removed)),
                records=tuple(self._records(name, keys, shared, tally.first_changed)),
                columns_added=tuple(c.name for c in after.columns if c.name not in before),
                columns_removed=tuple(c.name for c in before.columns if c.name not in after),
                columns_retyped=retyped,
                by_column=tally.by_column,
            )

    # ---- keys

    def _key(self, before: TableInfo, after: TableInfo, shared: Sequence[str]) -> tuple[list[str], int]:
        """The shortest run of the customary key columns that is unique in both, else the longest if it tells most rows apart;
        and how many rows it does not, whose keys' hashes then stand in the table of repeated keys."""
        columns = [c for c in KEY_ORDER if c in shared]
        for end in range(1, len(columns) + 1):
            if not self._repeats(before, after, columns[:end], end == len(columns)):
                return columns[:end], 0
        if not columns:
            return [], 0
        repeated = sum(
            self._one(f"SELECT count(*) FROM {side}.{quote(before.name)} WHERE {_hash(columns)} IN (FROM {_REPEATED})")[0]
            for side in (_OLD, _NEW)
        )
        return (columns, int(repeated)) if 2 * repeated <= before.rows + after.rows else ([], 0)

    def _repeats(self, before: TableInfo, after: TableInfo, keys: Sequence[str], last: bool) -> bool:
        """Whether a key stands twice in either; for the ``last`` run all that do are noted."""
        names, hashed = _names(keys), _hash(keys)
        self._run(f"CREATE OR REPLACE TEMP TABLE {_REPEATED} (h UBIGINT)")
        for side, info in ((_OLD, before), (_NEW, after)):
            source = f"{side}.{quote(info.name)}"
            pieces = -(-info.rows // CELLS) or 1
            for piece in range(pieces):
                mine = f"{hashed} % {pieces} = {piece}"
                suspects = f"SELECT {hashed} FROM {source} WHERE {mine} GROUP BY 1 HAVING count(*) > 1"
                again = f"GROUP BY {names}, h HAVING count(*) > 1{'' if last else ' LIMIT 1'}"
                sql = f"SELECT {hashed} AS h FROM {source} WHERE {mine} AND {hashed} IN ({suspects}) {again}"
                self._run(f"INSERT INTO {_REPEATED} SELECT DISTINCT h FROM ({sql})")
                if not last and self._one(f"SELECT count(*) FROM {_REPEATED}")[0]:
                    return True
        return bool(self._one(f"SELECT count(*) FROM {_REPEATED}")[0])

    # ---- rows

    def _tally(self, before: TableInfo, after: TableInfo, shared: Sequence[str], keys: Sequence[str], repeated: int) -> _Tally:
        cells = max(before.rows, after.rows) * max(len(shared), 1)
        pieces = -(-cells // CELLS) or 1
        while True:
            tally = _Tally([c for c in shared if c not in keys])
            try:
                for piece in range(pieces):
                    if self.progress is not None:
                        self.progress(before.name, piece, pieces)
                    if keys:
                        self._by_key(before.name, keys, tally, pieces, piece, repeated)
                    if repeated or not keys:
                        only = f"{_hash(keys)} IN (FROM {_REPEATED})" if keys else "TRUE"
                        self._whole(before.name, shared, tally, pieces, piece, only)
                return tally
            except duckdb.OutOfMemoryException:
                if pieces >= _MOST_PIECES:
                    raise
                pieces *= 4

    def _by_key(self, name: str, keys: Sequence[str], tally: _Tally, pieces: int, piece: int, repeated: int) -> None:
        hashed = _hash(keys)
        alone = f" AND {hashed} NOT IN (FROM {_REPEATED})" if repeated else ""
        sides = [
            f"(SELECT rowid AS r, {hashed} AS h, {_names([*keys, *tally.columns])} FROM {side}.{quote(name)} "
            f"WHERE {hashed} % {pieces} = {piece}{alone})"
            for side in (_OLD, _NEW)
        ]
        on = " AND ".join(["o.h = n.h", *(f"o.{quote(k)} IS NOT DISTINCT FROM n.{quote(k)}" for k in keys)])
        differs = [f"o.{quote(c)} IS DISTINCT FROM n.{quote(c)}" for c in tally.columns]
        flags = "".join(f", {d} AS d{i}" for i, d in enumerate(differs))
        changed = " OR ".join(["o.r IS NULL", "n.r IS NULL", *differs])
        self._run(
            f"CREATE OR REPLACE TEMP TABLE {_PIECE} AS SELECT o.r AS o, n.r AS n{flags} "
            f"FROM {sides[0]} o FULL JOIN {sides[1]} n ON {on} WHERE {changed}"
        )
        both = "o IS NOT NULL AND n IS NOT NULL"
        sums = "".join(f", count(*) FILTER ({both} AND d{i})" for i in range(len(differs)))
        row = self._one(
            f"SELECT count(*) FILTER (o IS NULL), count(*) FILTER (n IS NULL), count(*) FILTER ({both}){sums} FROM {_PIECE}"
        )
        tally.added, tally.removed, tally.changed = tally.added + row[0], tally.removed + row[1], tally.changed + row[2]
        for column, count in zip(tally.columns, row[3:], strict=True):
            if count:
                tally.by_column[column] = tally.by_column.get(column, 0) + count
        self._first(tally.first_added, f"SELECT n FROM {_PIECE} WHERE o IS NULL ORDER BY n")
        self._first(tally.first_removed, f"SELECT o FROM {_PIECE} WHERE n IS NULL ORDER BY o")
        found = self._run(f"SELECT n, o FROM {_PIECE} WHERE {both} ORDER BY n LIMIT {self.shown}").fetchall()
        tally.first_changed[:] = sorted([*tally.first_changed, *((int(n), int(o)) for n, o in found)])[: self.shown]

    def _whole(self, name: str, shared: Sequence[str], tally: _Tally, pieces: int, piece: int, only: str) -> None:
        """Rows that stand more often in one than in the other."""
        if not shared:
            return
        names = _names(shared)
        both = " UNION ALL ".join(
            f"SELECT rowid AS r, {i} AS side, {names} FROM {side}.{quote(name)} "
            f"WHERE {_hash(shared)} % {pieces} = {piece} AND {only}"
            for i, side in enumerate((_OLD, _NEW))
        )
        self._run(
            f"CREATE OR REPLACE TEMP TABLE {_PIECE} AS SELECT CAST(2 * sum(side) - count(*) AS BIGINT) AS more, "
            f"min(r) FILTER (side = 0) AS o, min(r) FILTER (side = 1) AS n FROM ({both}) GROUP BY {names} HAVING more <> 0"
        )
        row = self._one(
            f"SELECT coalesce(sum(more) FILTER (more > 0), 0), coalesce(-sum(more) FILTER (more < 0), 0) FROM {_PIECE}"
        )
        tally.added, tally.removed = tally.added + int(row[0]), tally.removed + int(row[1])
        times = f"range(least(abs(more), {self.shown}))"
        self._first(tally.first_added, f"SELECT n FROM {_PIECE}, {times} WHERE more > 0 ORDER BY n")
        self._first(tally.first_removed, f"SELECT o FROM {_PIECE}, {times} WHERE more < 0 ORDER BY o")

    def _first(self, held: list[int], sql: str) -> None:
        """The first row numbers, in load order, of those held and those found."""
        held[:] = sorted([*held, *(int(r) for (r,) in self._run(f"{sql} LIMIT {self.shown}").fetchall())])[: self.shown]

    # ---- what is shown

    def _values(self, side: str, name: str, columns: Sequence[str], rows: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        if not rows or not columns:
            return
        numbers = ", ".join(str(r) for r in dict.fromkeys(rows))
        sql = f"SELECT rowid, {_names(columns)} FROM {side}.{quote(name)} WHERE rowid IN ({numbers})"
        found = {int(r[0]): tuple(r[1:]) for r in self._run(sql).fetchall()}
        yield from (found[r] for r in rows)

    def _records(
        self, name: str, keys: Sequence[str], shared: Sequence[str], rows: Sequence[tuple[int, int]]
    ) -> Iterator[ChangedRecord]:
        columns = [*keys, *(c for c in shared if c not in keys)]
        now = self._values(_NEW, name, columns, [n for n, _ in rows])
        was = self._values(_OLD, name, columns, [o for _, o in rows])
        for after, before in zip(now, was, strict=True):
            pairs = zip(columns, before, after, strict=True)
            changed = {c: (a, b) for c, a, b in pairs if a != b and not (a is not None and b is not None and a != a and b != b)}
            yield ChangedRecord(after[: len(keys)], changed)

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql)

    def _one(self, sql: str) -> tuple[Any, ...]:
        row = self._run(sql).fetchone()
        return tuple(row) if row else ()


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as fault:
        raise UnavailableError("the tables do not fit into memory for comparison", why=visible(str(fault))[:200]) from fault
    except duckdb.InterruptException:
        raise
    except duckdb.Error as fault:
        raise _unreadable(fault) from fault


def _unreadable(fault: Exception) -> DataError:
    return DataError("the snapshots cannot be compared", why=visible(str(fault).split("\n")[0])[:300])


def _names(columns: Sequence[str]) -> str:
    return ", ".join(quote(c) for c in columns)


def _hash(columns: Sequence[str]) -> str:
    return f"hash({_names(columns)})"


def _literal(path: str) -> str:
    """A path as an SQL text: ATTACH takes no expression."""
    return "'" + path.replace("'", "''") + "'"
