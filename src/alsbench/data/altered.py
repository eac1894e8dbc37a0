"""Data sets that are not loaded: a snapshot with some columns written otherwise, or with some of another delivery's records.

The tables that an analysis reads are copied into a database in memory, and a :class:`Snapshot` over those copies answers as one
from disk would; neither the workspace nor a file is touched. Two deliveries are first held against each other record by record
(as ``data/diff`` does: by the customary key as far as needed to tell records apart, rows that are equal in every column never
being a change); then any subset of the differences can be applied to the first of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import duckdb

from alsbench.data.diff import KEY_ORDER
from alsbench.data.sanitize import visible
from alsbench.data.snapshot import LOCK_DOWN, SCHEMA_VERSION, Snapshot, TableInfo
from alsbench.data.sql import constant, quote
from alsbench.errors import DataError, UnavailableError

ChangeKind = Literal["added", "removed", "changed"]
NOISE = 1e-12  # of a column's largest absolute value: no more than rounding in the last places
MOST_CHANGES = 100_000
_OURS, _THEIRS, _PARTS = "our_side", "their_side", "memory.parts"
_MAIN = "memory.main"


@dataclass(frozen=True)
class RecordChange:
    """A record by which two deliveries of a table differ. ``added`` and ``removed`` are seen from ours to theirs; ``columns``
    are those that differ in a record both have; ``noise``: only in the last places of numbers. ``subject``, ``parameter`` and
    ``visit`` (its label, else its number) are empty where the table has no such column."""

    number: int
    table: str
    kind: ChangeKind
    subject: str
    parameter: str
    visit: str
    columns: tuple[str, ...] = ()
    noise: bool = False


class CopiedSnapshot(Snapshot):
    """A snapshot whose tables are copies in memory: not to be copied again, since its file holds them as they were."""


class CopiedTables:
    """Copies in memory of the ``tables`` of a snapshot. ``snapshot`` reads them, and only them. Use as a context manager."""

    def __init__(self, original: Snapshot, tables: Iterable[str], *, others: Mapping[str, Path] | None = None) -> None:
        config = {k: v for k, v in LOCK_DOWN.items() if k not in ("enable_external_access", "lock_configuration")}
        if isinstance(original, CopiedSnapshot):
            raise TypeError("copies are made of a snapshot on disk")
        self.original = original
        self.tables = tuple(t for t in dict.fromkeys(tables) if t in original.tables)
        self._connection = duckdb.connect(":memory:", config=config)
        try:
            for alias, path in {_OURS: original.path, **(others or {})}.items():
                self.run(f"ATTACH '{str(path).replace(chr(39), 2 * chr(39))}' AS {alias} (READ_ONLY)")
            self.run("SET enable_external_access = false")
            self.run("SET lock_configuration = true")
            for table in self.tables:
                self.run(f"CREATE TABLE {_MAIN}.{quote(table)} AS SELECT * FROM {_OURS}.{quote(table)} ORDER BY rowid")
        except BaseException:
            self._connection.close()
            raise
        self.snapshot = self._reader([original.tables[t] for t in self.tables])

    def rewrite(self, table: str, columns: Mapping[str, str], *, without: Sequence[str] = ()) -> Snapshot:
        """The snapshot with columns of a table given by SQL of this program's own (``{name: expression}``), or left out."""
        info = self.original.tables[table]
        kept = [c for c in info.columns if c.name not in without]
        written = ", ".join(f"{columns.get(c.name, quote(c.name))} AS {quote(c.name)}" for c in kept)
        source = f"{_OURS}.{quote(table)}"
        self.run(f"CREATE OR REPLACE TABLE {_MAIN}.{quote(table)} AS SELECT {written} FROM {source} ORDER BY rowid")
        changed = {**asdict(info), "columns": [asdict(c) for c in kept]}
        others = [asdict(self.original.tables[t]) for t in self.tables if t != table]
        return self._reader_of([changed, *others])

    def run(self, sql: str) -> duckdb.DuckDBPyConnection:
        """A statement of this program. Raises DataError for a damaged snapshot, UnavailableError for want of memory."""
        try:
            return self._connection.execute(sql)
        except duckdb.OutOfMemoryException as fault:
            raise UnavailableError("the tables do not fit into memory to be altered", why=visible(str(fault))[:200]) from fault
        except duckdb.InterruptException:
            raise
        except duckdb.Error as fault:
            why = visible(str(fault).split("\n")[0])[:300]
            raise DataError("the snapshots cannot be compared", where=self.original.name, why=why) from fault

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _reader(self, tables: Sequence[TableInfo]) -> Snapshot:
        return self._reader_of([asdict(t) for t in tables])

    def _reader_of(self, tables: Sequence[Mapping[str, Any]]) -> Snapshot:
        meta = {
            "schema": SCHEMA_VERSION,
            "digest": self.original.digest,
            "created": self.original.created,
            "data_cut": self.original.data_cut,
            "receipt": dict(self.original.receipt),
            "tables": list(tables),
        }
        return CopiedSnapshot(self.original.path, self._connection, meta)


class TwoDeliveries(CopiedTables):
    """Two snapshots of one study, and every record by which the tables read differ.

    ``read`` names the tables and, for those that hold several parameters, which of them are read (None: all). Columns that only
    one side has, or has as another kind, are kept as ours are, and named in ``columns_apart``.
    """

    def __init__(
        self,
        ours: Snapshot,
        theirs: Snapshot,
        read: Mapping[str, frozenset[str] | None],
        *,
        subject: str,
        visits: Sequence[str],
    ) -> None:
        super().__init__(ours, read, others={_THEIRS: theirs.path})
        self.theirs = theirs
        self.columns_apart: tuple[str, ...] = ()
        self.absent = tuple(t for t in read if (t in ours.tables) != (t in theirs.tables))
        self._keep: dict[str, str] = {}
        found: list[RecordChange] = []
        try:
            self.run(f"CREATE SCHEMA {_PARTS}")
            self.run(f"CREATE TABLE {_PARTS}.chosen (n BIGINT)")
            for table in self.tables:
                if table in theirs.tables and ours.tables[table].sha256 != theirs.tables[table].sha256:
                    found += self._compared(table, read[table], subject, visits, len(found))
        except BaseException:
            self.close()
            raise
        self.changes = tuple(found)

    def mixed(self, chosen: Iterable[int]) -> Snapshot:
        """Our tables with the chosen changes, by their numbers, made to them; of a table that differs the parameters read."""
        numbers = sorted(set(chosen))
        self.run(f"DELETE FROM {_PARTS}.chosen")
        if numbers:
            self.run(f"INSERT INTO {_PARTS}.chosen SELECT unnest({numbers})")
        for sql in self._keep.values():
            self.run(sql)
        return self.snapshot

    def _compared(
        self, table: str, parameters: frozenset[str] | None, subject: str, visits: Sequence[str], first: int
    ) -> list[RecordChange]:
        mine, other = self.original.tables[table], self.theirs.tables[table]
        shared = [c.name for c in mine.columns if other.kinds.get(c.name) == c.kind]
        apart = {c.name for t in (mine, other) for c in t.columns} - set(shared)
        self.columns_apart += tuple(f"{table}.{c}" for c in sorted(apart))
        read = "TRUE"
        if parameters is not None and "PARAMCD" in shared:
            read = f"{quote('PARAMCD')} IN ({', '.join(constant(p) for p in sorted(parameters))})"
        every = ", ".join(quote(c) for c in shared)
        for side, alias in (("o", _OURS), ("n", _THEIRS)):
            twin = f"row_number() OVER (PARTITION BY {every} ORDER BY rowid) AS s__"
            rows = f"SELECT rowid AS r__, hash({every}) AS h__, {twin}, {every} FROM {alias}.{quote(table)} WHERE {read}"
            self.run(f"CREATE OR REPLACE TABLE {_PARTS}.{side} AS {rows}")
        equal = [f"a.{quote(c)} IS NOT DISTINCT FROM b.{quote(c)}" for c in shared]
        same = " AND ".join(["a.h__ = b.h__", "a.s__ = b.s__", *equal])
        keys = self._key(shared)
        nth = f"row_number() OVER (PARTITION BY {', '.join(quote(k) for k in keys) or 'r__'} ORDER BY r__) AS k__"
        for side, beside in (("o", "n"), ("n", "o")):
            alone = f"NOT EXISTS (SELECT 1 FROM {_PARTS}.{beside} b WHERE {same})"
            self.run(f"CREATE OR REPLACE TABLE {_PARTS}.{side}d AS SELECT *, {nth} FROM {_PARTS}.{side} a WHERE {alone}")
        matched = ["o.k__ = n.k__", *(f"o.{quote(k)} IS NOT DISTINCT FROM n.{quote(k)}" for k in keys)] if keys else ["FALSE"]
        number = f"{first} + row_number() OVER (ORDER BY o.r__ NULLS LAST, n.r__) - 1 AS c__"
        joined = f"{_PARTS}.od o FULL JOIN {_PARTS}.nd n ON {' AND '.join(matched)}"
        self.run(f"CREATE OR REPLACE TABLE {_PARTS}.pairs AS SELECT {number}, o.r__ AS o__, n.r__ AS n__ FROM {joined}")
        (count,) = self._row(f"SELECT count(*) FROM {_PARTS}.pairs")
        if first + count > MOST_CHANGES:
            raise UnavailableError(
                f"{first + count} records differ", where=table, why=f"a search is over {MOST_CHANGES} at most"
            )
        changes = self._described(table, shared, keys, subject, visits)
        self._pool(table, shared, read)
        return changes

    def _key(self, shared: Sequence[str]) -> list[str]:
        """The shortest run of the customary key columns that is unique on both sides, else all of them."""
        columns = [c for c in KEY_ORDER if c in shared]
        for end in range(1, len(columns)):
            names = ", ".join(quote(c) for c in columns[:end])
            unique = [
                self._row(f"SELECT count(*) FROM (SELECT 1 FROM {_PARTS}.{s} GROUP BY {names} HAVING count(*) > 1)")[0] == 0
                for s in ("o", "n")
            ]
            if all(unique):
                return columns[:end]
        return columns

    def _described(
        self, table: str, shared: Sequence[str], keys: Sequence[str], subject: str, visits: Sequence[str]
    ) -> list[RecordChange]:
        kinds = self.original.tables[table].kinds
        compared = [c for c in shared if c not in keys]

        def told(column: str) -> str:
            name = quote(column)
            return f"coalesce(CAST(o.{name} AS VARCHAR), CAST(n.{name} AS VARCHAR), '')" if column in shared else "''"

        visit = [told(v) for v in visits if v in shared]
        columns = [
            told(subject),
            told("PARAMCD"),
            f"coalesce({', '.join(f'nullif({v}, {chr(39) * 2})' for v in visit)}, '')" if visit else "''",
        ]
        for c in compared:
            name = quote(c)
            differs = f"o.{name} IS DISTINCT FROM n.{name}"
            if kinds[c] == "number":
                largest = self._row(f"SELECT max(abs({name})) FROM {_PARTS}.o")[0] or 0.0
                close = f"coalesce(abs(o.{name} - n.{name}) <= {constant(NOISE * float(largest))}, FALSE)"
                columns.append(f"CASE WHEN NOT ({differs}) THEN 0 WHEN {close} THEN 1 ELSE 2 END")
            else:
                columns.append(f"CASE WHEN {differs} THEN 2 ELSE 0 END")
        found = self.run(
            f"SELECT p.c__, o.r__, n.r__, {', '.join(columns)} FROM {_PARTS}.pairs p "
            f"LEFT JOIN {_PARTS}.od o ON o.r__ = p.o__ LEFT JOIN {_PARTS}.nd n ON n.r__ = p.n__ ORDER BY p.c__"
        ).fetchall()
        changes = []
        for number, mine, theirs, who, parameter, when, *levels in found:
            kind: ChangeKind = "added" if mine is None else "removed" if theirs is None else "changed"
            moved = tuple(c for c, level in zip(compared, levels, strict=True) if level) if kind == "changed" else ()
            noise = kind == "changed" and max(levels, default=0) == 1
            changes.append(RecordChange(int(number), table, kind, str(who), str(parameter), str(when), moved, noise))
        return changes

    def _pool(self, table: str, shared: Sequence[str], read: str) -> None:
        """Both sides of every record that is read in one table, and the statement that makes ours of it with the chosen
        changes."""
        own = [c.name for c in self.original.tables[table].columns]
        pool = f"{_PARTS}.{quote('pool ' + table)}"
        ours = ", ".join(f"t.{quote(c)}" for c in own)
        new = ", ".join(f"n.{quote(c)}" if c in shared else f"t.{quote(c)}" for c in own)
        mine, other = f"{_OURS}.{quote(table)}", f"{_THEIRS}.{quote(table)}"
        self.run(
            f"CREATE TABLE {pool} AS SELECT p.c__, FALSE AS theirs__, 0 AS part__, t.rowid AS at__, {ours} FROM {mine} t "
            f"LEFT JOIN {_PARTS}.pairs p ON p.o__ = t.rowid WHERE {read} UNION ALL "
            f"SELECT p.c__, TRUE, CASE WHEN p.o__ IS NULL THEN 1 ELSE 0 END, coalesce(p.o__, p.n__), {new} "
            f"FROM {_PARTS}.pairs p JOIN {other} n ON n.rowid = p.n__ LEFT JOIN {mine} t ON t.rowid = p.o__"
        )
        names = ", ".join(quote(c) for c in own)
        self._keep[table] = (
            f"CREATE OR REPLACE TABLE {_MAIN}.{quote(table)} AS SELECT {names} FROM {pool} WHERE c__ IS NULL OR "
            f"theirs__ = (c__ IN (SELECT n FROM {_PARTS}.chosen)) ORDER BY part__, at__"
        )

    def _row(self, sql: str) -> tuple[Any, ...]:
        row = self.run(sql).fetchone()
        return tuple(row) if row else ()
