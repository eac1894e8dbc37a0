"""Building a snapshot beside the others and publishing it: all or nothing.

A load holds a lock on the workspace, writes a new file under a temporary name, syncs it to disk, renames it, and only then
replaces the ``current`` pointer (each step atomic, each directory synced). Killed at any instant it leaves the old
snapshot current; what it left behind is removed by the next load. The lock is the kernel's: it ends with its holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import queue
import socket
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from alsbench.data.dataset import ContentHash, Dataset
from alsbench.data.progress import Progress
from alsbench.data.sanitize import visible_line
from alsbench.data.sas import CELLS, CELLS_SQL, cell_records
from alsbench.data.snapshot import META_SCHEMA, SCHEMA_VERSION, SUFFIX
from alsbench.data.sql import constant, quote
from alsbench.data.workspace import POINTER, Workspace
from alsbench.errors import DataError, PublishedError, UnavailableError, unwritable

BUILDING = ".building-"
LOCK = ".lock"
_FILE_MODE = 0o600
_BUILD_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "preserve_insertion_order": "true",
    "memory_limit": "600MB",
    "threads": "1",  # the other core reads and hashes ahead; more only take turns, and cut row groups short
}
# FSST costs as much as all other methods together and saves little beside a dictionary. Not in the configuration above: it is
# ignored there.
_NO_FSST = "SET disabled_compression_methods = 'fsst'"


@dataclass(frozen=True)
class StoredTable:
    """What was stored of one data set: rows counted on the way in and again in the file, and the hash of the contents."""

    dataset: Dataset
    source: str
    rows: int
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """The table's description as the snapshot keeps it."""
        columns = [asdict(c) for c in self.dataset.columns]
        return {
            "name": self.dataset.name,
            "label": self.dataset.label,
            "rows": self.rows,
            "columns": columns,
            "source": self.source,
            "sha256": self.sha256,
        }


@contextlib.contextmanager
def exclusive(workspace: Workspace, *, purpose: str) -> Iterator[None]:
    """Hold the workspace's load lock. Raises UnavailableError naming the holder if somebody else has it."""
    path = workspace.snapshots_dir / LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE)
    except OSError as fault:
        raise unwritable(fault, str(path)) from fault
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = visible_line(os.read(handle, 500).decode("utf-8", "replace").strip(), limit=200) or "another process"
            raise UnavailableError(
                "another load is running in this workspace",
                where=str(workspace.path),
                why=f"held by {holder}",
                hint="try again when it is done",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{getpass.getuser()}@{socket.gethostname()} process {os.getpid()} ({purpose})\n".encode(), 0)
        yield
    finally:
        os.close(handle)


class Builder:
    """A snapshot file in the making. Use as a context manager; unless published, it vanishes on exit."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        remove_leftovers(workspace)
        self.path = workspace.snapshots_dir / f"{BUILDING}{os.getpid()}{SUFFIX}"
        self.tables: list[StoredTable] = []
        self._sealed = False
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        remove_leftovers(self.workspace)

    def add(self, dataset: Dataset, source: str, progress: Progress | None = None) -> StoredTable:
        """Store a data set. Raises DataError if as many rows as were read are not stored, or as many as promised not read."""
        content = ContentHash(dataset.columns)
        if any(t.dataset.name == dataset.name for t in self.tables):
            raise DataError(f"two files hold a data set named {dataset.name}", where=source, hint="load one of them")

        def stream() -> Iterator[pa.RecordBatch]:
            done = 0
            with contextlib.closing(_ahead(_hashed(dataset.batches(), content))) as batches:
                for batch in batches:
                    done += batch.num_rows
                    if progress is not None:
                        progress(source, done)
                    yield batch

        stored = self._store(dataset, stream())
        if stored != content.rows or (dataset.rows is not None and dataset.rows != content.rows):
            promised = content.rows if dataset.rows is None else dataset.rows
            raise DataError(
                f"{promised} rows expected, {content.rows} read, {stored} stored",
                where=source,
                hint="the file is not complete",
            )
        table = StoredTable(dataset, source, stored, content.hexdigest())
        self.tables.append(table)
        return table

    def _store(self, dataset: Dataset, batches: Iterator[pa.RecordBatch]) -> int:
        """Insert batch by batch, in one transaction, from this thread.

        DuckDB is handed finished tables, never a generator: it would run Python on threads of its own, where an interrupt can
        leave Python's locks held for ever.
        """
        connection = self._open()
        target = f"main.{quote(dataset.name)}"
        connection.execute("BEGIN TRANSACTION")
        created, done = False, 0
        for batch in batches:
            connection.register("incoming", _stream(pa.Table.from_batches([batch], schema=dataset.schema)))
            verb = f"INSERT INTO {target}" if created else f"CREATE TABLE {target} AS"
            connection.execute(f"{verb} SELECT * FROM incoming")
            connection.unregister("incoming")  # not after a fault: it would fail too, and hide the fault (an interrupt, say)
            self._keep_special(dataset.name, batch, done)
            created, done = True, done + batch.num_rows
        if not created:
            connection.register("incoming", _stream(dataset.schema.empty_table()))
            connection.execute(f"CREATE TABLE {target} AS SELECT * FROM incoming")
            connection.unregister("incoming")
        connection.execute("COMMIT")
        row = connection.execute(f"SELECT count(*) FROM {target}").fetchone()
        return int(row[0]) if row else 0

    def _keep_special(self, table: str, batch: pa.RecordBatch, done: int) -> None:
        """Remember beside the data which cells of the batch hold a special missing value."""
        cells = cell_records(table, batch, done)
        if cells is None:
            return
        connection = self._open()
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {META_SCHEMA}")
        connection.execute(CELLS_SQL)
        connection.register("incoming", _stream(cells))
        connection.execute(f"INSERT INTO {META_SCHEMA}.{CELLS} SELECT * FROM incoming")
        connection.unregister("incoming")

    def seal(self, *, now: datetime, digest: str, data_cut: str | None, receipt: Mapping[str, Any]) -> None:
        """Write the description and close the file, so that it can be opened as a snapshot."""
        meta = {
            "schema": SCHEMA_VERSION,
            "digest": digest,
            "created": now.astimezone(UTC).isoformat(timespec="seconds"),
            "data_cut": data_cut,
            "tables": [t.as_dict() for t in sorted(self.tables, key=lambda t: t.dataset.name)],
            "receipt": dict(receipt),
        }
        connection = self._open()
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {META_SCHEMA}")
        connection.execute(f"CREATE OR REPLACE TABLE {META_SCHEMA}.snapshot (content VARCHAR)")
        connection.execute(f"INSERT INTO {META_SCHEMA}.snapshot VALUES ({constant(json.dumps(meta, ensure_ascii=False))})")
        connection.execute("CHECKPOINT")
        connection.close()
        self._connection, self._sealed = None, True

    def latest_date(self) -> str | None:
        """The latest date in any date column of the data, ISO; None where there is none."""
        dates = [
            row[0]
            for t in self.tables
            for c in t.dataset.columns
            if c.kind == "date"
            for row in self._open().execute(f"SELECT max({quote(c.name)}) FROM main.{quote(t.dataset.name)}").fetchall()
            if row[0] is not None
        ]
        return max(dates).isoformat() if dates else None

    def name(self, *, now: datetime, digest: str) -> str:
        """A name no snapshot has; none takes it while the lock is held."""
        base = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:12]}"
        name, extra = base, 1
        while self.workspace.snapshot_path(name).exists():
            name, extra = f"{base}-{extra}", extra + 1
        return name

    def publish(self, name: str) -> str:
        """Give the sealed file its name and make it current. Returns the name.

        Raises OSError where nothing is published, PublishedError where it is and the system could not confirm that it is on
        disk.
        """
        _sync(self.path)
        target = self.workspace.snapshot_path(name)
        self.path.rename(target)
        try:
            _sync(self.workspace.snapshots_dir)
            set_current(self.workspace, name)
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return name

    def _open(self) -> duckdb.DuckDBPyConnection:
        """The database, made when there is something to store: files that are refused at once cost none."""
        if self._sealed:
            raise UnavailableError("the snapshot is sealed", where=str(self.path))
        if self._connection is None:
            self._connection = duckdb.connect(str(self.path), config=_BUILD_CONFIG)
            self._connection.execute(_NO_FSST)
            self.path.chmod(_FILE_MODE)
        return self._connection


def set_current(workspace: Workspace, name: str) -> None:
    """Point the workspace at a published snapshot, atomically. Raises PublishedError where it does and only the confirmation
    that this is on disk failed."""
    pointer = workspace.snapshots_dir / POINTER
    beside = pointer.with_name(f"{BUILDING}{POINTER}-{os.getpid()}")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
    try:
        os.write(handle, f"{name}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    beside.replace(pointer)
    try:
        _sync(workspace.snapshots_dir)
    except OSError as fault:
        why = f"the system could not confirm that it is on disk: {fault.strerror}"
        raise PublishedError(f"snapshot {name} is published and current", where=str(workspace.path), why=why) from fault


def remove_leftovers(workspace: Workspace) -> None:
    """Remove what a killed load left behind. Only to be called while holding the lock."""
    for path in workspace.snapshots_dir.glob(f"{BUILDING}*"):
        if path.is_dir() and not path.is_symlink():
            for inner in path.iterdir():
                inner.unlink()
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


def _hashed(batches: Iterator[pa.RecordBatch], content: ContentHash) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        content.add(batch)
        yield batch


def _ahead(batches: Iterator[pa.RecordBatch], depth: int = 2) -> Generator[pa.RecordBatch, None, None]:
    """The batches, prepared by a thread of their own while the database stores the ones before."""
    ready: queue.Queue[tuple[pa.RecordBatch | None, BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def hand_over(item: tuple[pa.RecordBatch | None, BaseException | None]) -> None:
        waiting = True
        while waiting and not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.05)
                waiting = False

    def work() -> None:
        try:
            for batch in batches:
                hand_over((batch, None))
                if stop.is_set():
                    return
            hand_over((None, None))
        except BaseException as fault:  # noqa: BLE001 - raised again where the batches are used
            hand_over((None, fault))

    worker = threading.Thread(target=work, name="read ahead", daemon=True)
    worker.start()
    try:
        while True:
            batch, fault = ready.get()
            if fault is not None:
                raise fault
            if batch is None:
                return
            yield batch
    finally:
        stop.set()
        worker.join()


def _stream(table: pa.Table) -> Any:
    """A finished table as Arrow's bare C stream; given the table itself, DuckDB would import pandas to look at it."""
    return table.__arrow_c_stream__()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
