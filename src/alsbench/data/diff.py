"""What changed between two snapshots: records added, removed and changed, by key.

A record's key is what makes it one record: subject, parameter and visit where the table has them (with time point, date and
sequence as far as needed to tell rows apart), the subject alone in ADSL. Rows whose key is not theirs alone in both snapshots
are compared whole, and a change among them is a removal and an addition; so are all rows where no key tells most apart.

The comparison is made by the database, in bounded memory. Both snapshot files are attached, read-only, to one locked database
in memory. Rows are split by a hash of their key into pieces of at most ``CELLS`` cells (smaller ones where memory does not
suffice). Of each piece, rows whose key and whole content hash alike (64 bits each) are the same; the others are joined by key,
and only counts, and the row numbers of the first differences, leave the database. Nothing is written to disk. Values are equal
by IS NOT DISTINCT FROM: NULL equals NULL, NaN equals NaN, 0 equals -0, as in the content hash.

How a value differs is a class of :mod:`alsbench.stats.agreement`: old is ours, new is theirs. A column that comes under another
name, and one whose every value got another name, are recognised: they are told once, not by record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import duckdb

from alsbench.data.renames import recoded_columns, renamed_columns
from alsbench.data.sanitize import visible
from alsbench.data.snapshot import Snapshot, TableInfo
from alsbench.data.sql import quote
from alsbench.data.value_classes import (
    CODES,
    DIFFERENT,
    MOST_DECIMALS,
    NOISE,
    ColumnRule,
    class_sql,
    decimals_sql,
    largest_sql,
)
from alsbench.errors import DataError, UnavailableError
from alsbench.stats.agreement import ACCEPTED, Agreement

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
Tolerances = Mapping[tuple[str, str], tuple[float, float]]  # (table, column) -> declared, absolute and relative
CELLS = 12_000_000
_MOST_PIECES = 4096
FIRST = 20_000  # rows that are looked at before all are
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
_PIECE, _ALONE = "piece", "alone"


@dataclass(frozen=True)
class ChangedRecord:
    """A record in both, with the columns that differ by more than noise: name -> (old, new), and name -> the class."""

    key: tuple[Any, ...]
    columns: Mapping[str, tuple[Any, Any]]
    classes: Mapping[str, Agreement] = field(default_factory=dict)


@dataclass(frozen=True)
class TableDiff:
    """One table: counts are complete; ``records`` and keys are the first, in load order.

    ``state`` is same, changed, added (only in the new snapshot) or removed. ``keys`` is empty where whole rows were compared,
    ``repeated`` counts rows of both snapshots whose key is not theirs alone and which were therefore compared whole; what is
    shown of those among ``added_keys`` and ``removed_keys`` is their key. ``columns_retyped``: name -> (old kind, new kind).

    ``changed`` counts records in both with any difference, ``noise`` those among them that differ by noise alone, ``coded``
    those that differ by nothing worse than the new names of values; ``records`` are the first of the others, worst first.
    ``by_column`` counts values that differ, ``classes`` the same by class. ``renamed``: old name -> new name of a column that
    holds the same values; ``recoded``: column -> (old value, new value, how many) where each value has one new name.
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
    noise: int = 0
    coded: int = 0
    classes: Mapping[str, Mapping[Agreement, int]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    recoded: Mapping[str, tuple[tuple[Any, Any, int], ...]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing differs but by noise, decimals that one side was rounded to, or a tolerance that was declared."""
        columns = (*self.columns_added, *self.columns_removed, *self.columns_retyped, *self.renamed)
        worse = any(c not in ACCEPTED for counts in self.classes.values() for c in counts)
        return self.state in ("same", "changed") and not (columns or worse or self.added or self.removed)


@dataclass(frozen=True)
class SnapshotDiff:
    """Two snapshots compared, table by table."""

    old: str
    new: str
    tables: tuple[TableDiff, ...]

    @property
    def same(self) -> bool:
        return all(t.state == "same" for t in self.tables)

    @property
    def good(self) -> bool:
        """Whether nothing differs but by noise, decimals that one side was rounded to, or a tolerance that was declared."""
        return all(t.good for t in self.tables)


def diff(
    old: Snapshot,
    new: Snapshot,
    *,
    shown: int = SHOWN,
    progress: DiffProgress | None = None,
    tolerances: Tolerances | None = None,
) -> SnapshotDiff:
    """Compare two snapshots; equal content hashes spare the comparison.

    ``shown`` bounds the records listed of each kind; ``progress(table, done, of)`` counts pieces and may raise to cancel.
    """
    names = sorted({*old.tables, *new.tables})
    found = {n: _without_rows(old, new, n) for n in names}
    if all(found.values()):
        return SnapshotDiff(old.name, new.name, tuple(t for t in found.values() if t))
    with SnapshotComparison(old, new, shown=shown, progress=progress, tolerances=tolerances) as comparison:
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

    rules: dict[str, ColumnRule]
    coded_columns: frozenset[str] = frozenset()
    added: int = 0
    removed: int = 0
    changed: int = 0
    noise: int = 0
    coded: int = 0
    first_added: list[int] = field(default_factory=list)
    first_removed: list[int] = field(default_factory=list)
    first_changed: list[tuple[int, int, int]] = field(default_factory=list)  # the worst class turned, new row, old row
    classes: dict[str, dict[Agreement, int]] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        return list(self.rules)

    def count(self, column: str, code: int, number: int) -> None:
        found = self.classes.setdefault(column, {})
        found[CODES[code]] = found.get(CODES[code], 0) + number


class SnapshotComparison:
    """Compares tables of two snapshots that are both there and differ. Use as a context manager."""

    def __init__(
        self,
        old: Snapshot,
        new: Snapshot,
        *,
        shown: int,
        progress: DiffProgress | None = None,
        tolerances: Tolerances | None = None,
    ) -> None:
        self.old, self.new, self.shown, self.progress, self.tolerances = old, new, shown, progress, tolerances or {}
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
            recoded = recoded_columns(self._run, name, keys, [c for c in shared if c not in keys])
            tally = self._tally(before, after, shared, keys, repeated, frozenset(recoded))
            gone, come = ([c for c in a.columns if c.name not in b] for a, b in ((before, after), (after, before)))
            renamed = renamed_columns(self._run, name, keys, gone, come)
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
                records=tuple(self._records(name, keys, tally)),
                columns_added=tuple(c.name for c in come if c.name not in renamed.values()),
                columns_removed=tuple(c.name for c in gone if c.name not in renamed),
                columns_retyped=retyped,
                by_column={c: sum(k.values()) for c, k in tally.classes.items()},
                noise=tally.noise,
                coded=tally.coded,
                classes=tally.classes,
                renamed=renamed,
                recoded=recoded,
            )

    # ---- keys

    def _key(self, before: TableInfo, after: TableInfo, shared: Sequence[str]) -> tuple[list[str], int]:
        """The shortest run of the customary key columns that is unique in both, else the longest if it tells most rows apart;
        and how many rows it does not, whose keys' hashes then stand in the table of repeated keys."""
        columns = [c for c in KEY_ORDER if c in shared]
        for end in range(1, len(columns) + 1):
            if end < len(columns) and self._clearly_repeats(after, columns[:end]):
                continue
            if not self._repeats(before, after, columns[:end], end == len(columns)):
                return columns[:end], 0
        if not columns:
            return [], 0
        repeated = sum(
            self._one(f"SELECT count(*) FROM {side}.{quote(before.name)} WHERE {_hash(columns)} IN (FROM {_REPEATED})")[0]
            for side in (_OLD, _NEW)
        )
        return (columns, int(repeated)) if 2 * repeated <= before.rows + after.rows else ([], 0)

    def _clearly_repeats(self, after: TableInfo, keys: Sequence[str]) -> bool:
        """Whether a key stands twice among the first rows already: no need to look at all."""
        first = f"SELECT {_hash(keys)} AS h FROM {_NEW}.{quote(after.name)} LIMIT {FIRST}"
        distinct, rows = self._one(f"SELECT count(DISTINCT h), count(*) FROM ({first})")
        return bool(distinct < rows)

    def _repeats(self, before: TableInfo, after: TableInfo, keys: Sequence[str], last: bool) -> bool:
        """Whether a key stands twice in either; for the ``last`` run all that do are noted."""
        names, hashed = _names(keys), _hash(keys)
        self._run(f"CREATE OR REPLACE TEMP TABLE {_REPEATED} (h UBIGINT)")
        for side, info in ((_OLD, before), (_NEW, after)):
            source = f"{side}.{quote(info.name)}"
            pieces = -(-info.rows // CELLS) or 1
            if pieces == 1 and self._one(f"SELECT count(DISTINCT {hashed}) FROM {source}")[0] == info.rows:
                continue
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

    def _tally(
        self,
        before: TableInfo,
        after: TableInfo,
        shared: Sequence[str],
        keys: Sequence[str],
        repeated: int,
        coded: frozenset[str],
    ) -> _Tally:
        cells = max(before.rows, after.rows) * max(len(shared), 1)
        pieces = -(-cells // CELLS) or 1
        rules = self._rules(after, [c for c in shared if c not in keys])
        while True:
            tally = _Tally(dict(rules), coded)
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

    def _rules(self, info: TableInfo, columns: Sequence[str]) -> dict[str, ColumnRule]:
        """What the values of each column are judged by; numbers with the size of their column on either side."""
        numbers = [c for c in columns if info.kinds[c] == "number"]
        largest = dict.fromkeys(numbers, 0.0)
        for side in (_OLD, _NEW) if numbers else ():
            row = self._one(f"SELECT {', '.join(largest_sql(quote(c)) for c in numbers)} FROM {side}.{quote(info.name)}")
            largest = {c: max(largest[c], v or 0.0) for c, v in zip(numbers, row, strict=True)}
        declared = {c: self.tolerances.get((info.name, c), (0.0, 0.0)) for c in columns}
        return {c: ColumnRule(info.kinds[c], largest.get(c, 0.0), *declared[c]) for c in columns}

    def _by_key(self, name: str, keys: Sequence[str], tally: _Tally, pieces: int, piece: int, repeated: int) -> None:
        self._differing(name, keys, tally, pieces, piece, repeated)
        counts = self._classified(name, keys, tally)
        if self._look_at_decimals(name, tally, counts):
            counts = self._classified(name, keys, tally)
        for column, codes in zip(tally.columns, counts, strict=True):
            for code, number in codes.items():
                tally.count(column, code, number)
        both = "o IS NOT NULL AND n IS NOT NULL"
        row = self._one(
            f"SELECT count(*) FILTER (o IS NULL), count(*) FILTER (n IS NULL), count(*) FILTER ({both}), "
            f"count(*) FILTER ({both} AND rest <= {NOISE} AND coded <= {NOISE}), "
            f"count(*) FILTER ({both} AND rest <= {NOISE} AND coded > {NOISE}) FROM {_PIECE}"
        )
        tally.added, tally.removed, tally.changed = tally.added + row[0], tally.removed + row[1], tally.changed + row[2]
        tally.noise, tally.coded = tally.noise + row[3], tally.coded + row[4]
        self._first(tally.first_added, f"SELECT n FROM {_PIECE} WHERE o IS NULL ORDER BY n")
        self._first(tally.first_removed, f"SELECT o FROM {_PIECE} WHERE n IS NULL ORDER BY o")
        found = self._run(
            f"SELECT -CAST(rest AS INTEGER), n, o FROM {_PIECE} WHERE {both} AND rest > {NOISE} "
            f"ORDER BY rest DESC, n LIMIT {self.shown}"
        ).fetchall()
        tally.first_changed[:] = sorted([*tally.first_changed, *((int(w), int(n), int(o)) for w, n, o in found)])[: self.shown]

    def _differing(self, name: str, keys: Sequence[str], tally: _Tally, pieces: int, piece: int, repeated: int) -> None:
        """The row numbers of a piece that have no equal on the other side: equal by the hashes of key and content."""
        hashed = _hash(keys)
        alone = f" AND {hashed} NOT IN (FROM {_REPEATED})" if repeated else ""
        sides = [
            f"(SELECT rowid AS r, {hashed} AS k, {_hash([*keys, *tally.columns])} AS h FROM {side}.{quote(name)} "
            f"WHERE {hashed} % {pieces} = {piece}{alone})"
            for side in (_OLD, _NEW)
        ]
        self._run(
            f"CREATE OR REPLACE TEMP TABLE {_ALONE} AS SELECT o.r AS o, n.r AS n "
            f"FROM {sides[0]} o FULL JOIN {sides[1]} n ON o.k = n.k AND o.h = n.h WHERE o.r IS NULL OR n.r IS NULL"
        )

    def _classified(self, name: str, keys: Sequence[str], tally: _Tally) -> list[dict[int, int]]:
        """Join the differing rows by key and class their values: how many of each class a column has."""
        columns = tally.columns
        sides = [
            f"(SELECT rowid AS r, {_names([*keys, *columns])} FROM {side}.{quote(name)} "
            f"WHERE rowid IN (SELECT {mine} FROM {_ALONE} WHERE {mine} IS NOT NULL))"
            for side, mine in ((_OLD, "o"), (_NEW, "n"))
        ]
        on = " AND ".join(f"o.{quote(k)} IS NOT DISTINCT FROM n.{quote(k)}" for k in keys)
        both = "o.r IS NOT NULL AND n.r IS NOT NULL"
        codes = [
            f", CASE WHEN {both} THEN {class_sql(f'o.{quote(c)}', f'n.{quote(c)}', rule)} ELSE 0 END AS c{i}"
            for i, (c, rule) in enumerate(tally.rules.items())
        ]
        worst = {
            word: ", ".join(["0", *(f"c{i}" for i, c in enumerate(columns) if (c in tally.coded_columns) is coded)])
            for word, coded in (("rest", False), ("coded", True))
        }
        joined = f"SELECT o.r AS o, n.r AS n{''.join(codes)} FROM {sides[0]} o FULL JOIN {sides[1]} n ON {on}"
        self._run(
            f"CREATE OR REPLACE TEMP TABLE {_PIECE} AS SELECT *, greatest({worst['rest']}) AS rest, "
            f"greatest({worst['coded']}) AS coded FROM ({joined})"
        )
        if not columns:
            return []
        sums = ", ".join(f"count(*) FILTER (c{i} = {code})" for i in range(len(columns)) for code in range(1, len(CODES)))
        row = self._one(f"SELECT {sums} FROM {_PIECE}")
        width = len(CODES) - 1
        return [{code: n for code, n in enumerate(row[i * width : (i + 1) * width], start=1) if n} for i in range(len(columns))]

    def _look_at_decimals(self, name: str, tally: _Tally, counts: Sequence[Mapping[int, int]]) -> bool:
        """Find out whether a side of a column of numbers that differ was rounded; whether any was."""
        ask = [
            c
            for (c, rule), found in zip(tally.rules.items(), counts, strict=True)
            if rule.kind == "number" and DIFFERENT in found and rule.decimals == (None, None)
        ]
        if not ask:
            return False
        for column in ask:
            ours, theirs = (self._decimals(f"{side}.{quote(name)}", quote(column)) for side in (_OLD, _NEW))
            tally.rules[column] = replace(tally.rules[column], decimals=(ours, theirs))
        return any(tally.rules[c].coarser is not None for c in ask)

    def _decimals(self, source: str, column: str) -> int:
        """The most decimals in a column; the first raw number decides, where there is one."""
        if self._run(f"SELECT 1 FROM {source} WHERE {column} <> round({column}, {MOST_DECIMALS}) LIMIT 1").fetchone():
            return MOST_DECIMALS + 1
        return int(self._one(f"SELECT {decimals_sql(column)} FROM {source}")[0] or 0)

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

    def _records(self, name: str, keys: Sequence[str], tally: _Tally) -> Iterator[ChangedRecord]:
        columns = [*keys, *(c for c in tally.columns if c not in tally.coded_columns)]
        now = self._values(_NEW, name, columns, [n for _, n, _ in tally.first_changed])
        was = self._values(_OLD, name, columns, [o for _, _, o in tally.first_changed])
        for after, before in zip(now, was, strict=True):
            pairs = dict(zip(columns, zip(before, after, strict=True), strict=True))
            classes = {c: code for c, code in self._class_names(tally, pairs).items() if code not in ("identical", "noise")}
            yield ChangedRecord(after[: len(keys)], {c: pairs[c] for c in classes}, classes)

    def _class_names(self, tally: _Tally, pairs: Mapping[str, tuple[Any, Any]]) -> dict[str, Agreement]:
        """The classes of the values of one record, by the same expression as those of all."""
        columns = [c for c in pairs if c in tally.rules]
        if not columns:
            return {}
        types = {"number": "DOUBLE", "text": "VARCHAR", "date": "DATE", "boolean": "BOOLEAN"}
        parts = []
        for i, column in enumerate(columns):
            ours, theirs = (f"CAST(${2 * i + side} AS {types[tally.rules[column].kind]})" for side in (1, 2))
            parts.append(class_sql(ours, theirs, tally.rules[column]))
        sql = ", ".join(parts)
        row = self._connection.execute(f"SELECT {sql}", [v for c in columns for v in pairs[c]]).fetchone() or ()
        return {c: CODES[code] for c, code in zip(columns, row, strict=True)}

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
