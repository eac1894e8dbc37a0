"""A snapshot: one immutable DuckDB file of loaded data, opened read-only and locked down.

No query can reach a file, the network or an extension, and the configuration cannot be changed back. Every method uses a
cursor of its own and may be called from any thread. Rows come in load order unless an order is asked for; load order breaks
ties.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb

from alsbench.data.frames import ColumnInfo, Frame, from_database
from alsbench.data.sanitize import visible
from alsbench.data.sql import fill, quote
from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.study.names import nearest
from alsbench.study.sql import Kind, Where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alsbench.data.workspace import Workspace

SUFFIX = ".duckdb"
PUBLISHED_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}(-\d+)?")
META_SCHEMA = "alsbench_meta"
SCHEMA_VERSION = 1
LOCK_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "memory_limit": "1GB",  # five million rows are sorted in a third of it
    "temp_directory": "",  # no records on disk but the snapshot's own
    "lock_configuration": "true",
}


@dataclass(frozen=True)
class TableInfo:
    """A table: ``sha256`` is of its canonical contents, ``source`` the file it came from."""

    name: str
    label: str
    rows: int
    columns: tuple[ColumnInfo, ...]
    source: str
    sha256: str

    @property
    def kinds(self) -> dict[str, Kind]:
        """Column name -> kind."""
        return {c.name: c.kind for c in self.columns}

    def __contains__(self, column: object) -> bool:
        return any(c.name == column for c in self.columns)


class Snapshot:
    """Read access to one snapshot. Use :func:`open_snapshot`."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, meta: Mapping[str, Any]) -> None:
        self.path = path
        self.name: str = path.name.removesuffix(SUFFIX)
        self.digest: str = meta["digest"]
        self.created: str = meta["created"]
        self.data_cut: str | None = meta["data_cut"]
        self.receipt: Mapping[str, Any] = MappingProxyType(meta.get("receipt") or {})
        self.tables: Mapping[str, TableInfo] = MappingProxyType({t["name"]: _table(t) for t in meta["tables"]})
        self._connection = connection
        self._lock = threading.Lock()
        self._running: dict[int, duckdb.DuckDBPyConnection] = {}

    def frame(
        self, table: str, columns: Sequence[str] | None = None, *, where: Where | None = None, order_by: Sequence[str] = ()
    ) -> Frame:
        """Columns (all by default) of the rows meeting ``where``. ``order_by`` names columns, ``-NAME`` for descending."""
        info = self.table(table)
        wanted = self._columns(info, columns)
        sql = f"SELECT {_list(wanted)} FROM {quote(info.name)}{self._filter(where)}{self._order(info, order_by)}"
        arrays = self._arrays(sql)
        kinds = {n: info.kinds[n] for n in wanted}
        columns_ = {n: from_database(a, kinds[n]) for n, a in zip(wanted, arrays.values(), strict=True)}
        return Frame(columns_, kinds)

    def truth(self, table: str, where: Where, order_by: Sequence[str] = ()) -> NDArray[np.float64]:
        """For every row whether it meets the condition: 1, 0, or NaN where that is unknown."""
        info = self.table(table)
        condition = fill(where.sql, where.params)
        sql = f"SELECT CAST(({condition}) AS DOUBLE) AS truth FROM {quote(info.name)}{self._order(info, order_by)}"
        return from_database(self._arrays(sql)["truth"], "number")

    def count(self, table: str, where: Where | None = None) -> int:
        """Number of rows meeting the condition."""
        sql = f"SELECT count(*) FROM {quote(self.table(table).name)}{self._filter(where)}"
        return int(self.rows(sql)[0][0])

    def page(
        self,
        table: str,
        columns: Sequence[str] | None,
        *,
        offset: int,
        limit: int,
        where: Where | None = None,
        order_by: Sequence[str] = (),
    ) -> list[tuple[Any, ...]]:
        """A window of rows as Python values (None where missing)."""
        info = self.table(table)
        wanted = self._columns(info, columns)
        first, most = max(int(offset), 0), max(int(limit), 0)
        sql = f"SELECT {_list(wanted)} FROM {quote(info.name)}"
        if where is None and not order_by:  # row ids count from 0 in load order: no need to sort to find a page
            return self.rows(f"{sql} WHERE rowid >= {first} AND rowid < {first + most} ORDER BY rowid")
        return self.rows(f"{sql}{self._filter(where)}{self._order(info, order_by)} LIMIT {most} OFFSET {first}")

    def row_ids(self, table: str, *, where: Where | None = None, order_by: Sequence[str] = ()) -> NDArray[np.int64]:
        """The rows meeting ``where``, as their numbers in load order counted from 0, in the order asked for."""
        info = self.table(table)
        sql = f"SELECT rowid AS row FROM {quote(info.name)}{self._filter(where)}{self._order(info, order_by)}"
        return self._arrays(sql)["row"].astype("int64", copy=False)

    def rows_by_id(self, table: str, columns: Sequence[str] | None, ids: Sequence[int]) -> list[tuple[Any, ...]]:
        """Rows by their numbers, in that order; what a few rows cost does not depend on where in the table they stand."""
        if not ids:
            return []
        info = self.table(table)
        wanted = self._columns(info, columns)
        numbers = [int(i) for i in ids]
        low, high = min(numbers), max(numbers)
        clause = f"rowid >= {low} AND rowid <= {high}"
        if len(numbers) <= high - low:
            clause += f" AND rowid IN ({', '.join(map(str, numbers))})"
        found = {r[0]: r[1:] for r in self.rows(f"SELECT rowid, {_list(wanted)} FROM {quote(info.name)} WHERE {clause}")}
        return [found[i] for i in numbers]

    def rows(self, sql: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query written by this program: identifiers quoted, values as ``params``."""
        with self._guarded(), self._query() as cursor:
            return cursor.execute(fill(sql, params)).fetchall()

    def table(self, name: str) -> TableInfo:
        """A table by name in any case; UsageError naming the nearest where there is none."""
        try:
            return self.tables[name.upper()]
        except KeyError:
            raise UsageError(
                f"there is no table {visible(name)}", where=self.name, hint=nearest(name.upper(), self.tables)
            ) from None

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A new cursor on the snapshot: one per thread."""
        with self._lock:
            return self._connection.cursor()

    def interrupt(self, thread: int | None = None) -> None:
        """Stop the query a thread is running here (of every thread without one): it raises ``duckdb.InterruptException``."""
        with self._lock:
            for running, cursor in self._running.items():
                if thread in (None, running):
                    cursor.interrupt()

    def is_current(self, workspace: Workspace) -> bool:
        """Whether no newer snapshot has been published in the workspace since this one was opened."""
        return workspace.current_name() == self.name

    def close(self) -> None:
        """Close the connection; further reads raise."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Snapshot({self.name!r}, tables={list(self.tables)})"

    def _arrays(self, sql: str) -> dict[str, NDArray[Any]]:
        with self._guarded(), self._query() as cursor:
            arrays: dict[str, NDArray[Any]] = cursor.execute(sql).fetchnumpy()
        return arrays

    @contextlib.contextmanager
    def _query(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that :meth:`interrupt` reaches while it is used."""
        thread = threading.get_ident()
        with self.cursor() as cursor:
            with self._lock:
                self._running[thread] = cursor
            try:
                yield cursor
            finally:
                with self._lock:
                    self._running.pop(thread, None)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """A damaged file shows as a data error, one too large for a query as that; an interrupted query as what it is."""
        try:
            yield
        except duckdb.InterruptException:
            raise
        except duckdb.OutOfMemoryException as fault:
            raise UnavailableError(
                "this needs more memory than the database may take",
                where=self.name,
                why=f"at most {LOCK_DOWN['memory_limit']}",
                hint="filter first, or sort by fewer columns",
            ) from fault
        except duckdb.Error as fault:
            raise DataError(
                "the snapshot cannot be read", where=self.name, why=visible(str(fault).split("\n")[0])[:300]
            ) from fault

    def _columns(self, info: TableInfo, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return [c.name for c in info.columns]
        for name in columns:
            self._known(info, name)
        return list(dict.fromkeys(columns))

    def _known(self, info: TableInfo, name: str) -> str:
        if name not in info:
            raise UsageError(
                f"{info.name} has no column {visible(name)}",
                where=self.name,
                hint=nearest(name, [c.name for c in info.columns]),
            )
        return name

    def _filter(self, where: Where | None) -> str:
        return "" if where is None else f" WHERE {fill(where.sql, where.params)}"

    def _order(self, info: TableInfo, order_by: Sequence[str]) -> str:
        keys = [
            f"{quote(self._known(info, key.removeprefix('-')))} {'DESC' if key.startswith('-') else 'ASC'} NULLS LAST"
            for key in order_by
        ]
        return f" ORDER BY {', '.join([*keys, 'rowid'])}"


def open_snapshot(path: Path) -> Snapshot:
    """Open a snapshot file, locked down and read-only. Raises DataError if it is missing, damaged or not a snapshot."""
    if not path.is_file():
        raise DataError("there is no such snapshot", where=str(path))
    if os.path.lexists(f"{path}.wal"):  # the database would take it for the end of the file
        hint = "no load leaves one: it was put there by other means; remove it"
        raise DataError("changes to a snapshot lie beside it", where=f"{path}.wal", hint=hint)
    try:
        connection = duckdb.connect(str(path), read_only=True, config=LOCK_DOWN)
    except duckdb.Error as fault:
        raise _damaged(path, fault) from fault
    try:
        row = connection.execute(f"SELECT content FROM {META_SCHEMA}.snapshot").fetchone()
        meta = json.loads(row[0]) if row else {}
        if meta.get("schema") != SCHEMA_VERSION:
            raise DataError(
                f"the snapshot has layout {meta.get('schema')}, this version reads {SCHEMA_VERSION}", where=str(path)
            )
        if not _named_by_digest(path, meta["digest"]):
            raise DataError("the file is another snapshot than its name says", where=str(path), hint="load the data again")
        snapshot = Snapshot(path, connection, meta)
        _BLINDED[_identity(path)] = str(snapshot.receipt.get("blinded") or "")
        return snapshot
    except duckdb.InterruptException:
        connection.close()
        raise
    except (duckdb.Error, ValueError, KeyError, TypeError) as fault:
        connection.close()
        raise _damaged(path, fault) from fault
    except DataError:
        connection.close()
        raise


_BLINDED: dict[tuple[str, int, int, int], str] = {}  # what each file that this process opened says


def blinded_by(path: Path) -> str:
    """The fingerprint of the key where a snapshot holds dummy arms, else empty: known of a file that has been opened, as long
    as it is the same file. Raises as :func:`open_snapshot`."""
    if path.is_file() and _identity(path) in _BLINDED:
        return _BLINDED[_identity(path)]
    with open_snapshot(path) as snapshot:
        return str(snapshot.receipt.get("blinded") or "")


def _identity(path: Path) -> tuple[str, int, int, int]:
    stat = path.stat()
    return str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns


def _named_by_digest(path: Path, digest: str) -> bool:
    """A published snapshot has the beginning of its digest in its name."""
    name = path.name.removesuffix(SUFFIX)
    return not PUBLISHED_NAME.fullmatch(name) or name.split("-")[1] == digest[:12]


def _damaged(path: Path, fault: Exception) -> DataError:
    return DataError(
        "the file is not a readable snapshot",
        where=str(path),
        why=visible(str(fault).split("\n")[0])[:300],
        hint="open another one (alsbench snapshots) or load the data again",
    )


def _table(values: Mapping[str, Any]) -> TableInfo:
    return TableInfo(**{**values, "columns": tuple(ColumnInfo(**c) for c in values["columns"])})


def _list(columns: Sequence[str]) -> str:
    return ", ".join(quote(c) for c in columns)
