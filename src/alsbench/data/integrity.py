"""Whether a snapshot still holds what was loaded: its tables hashed again, value by value, and its file byte by byte.

The canonical contents of every table (:class:`alsbench.data.dataset.ContentHash`) are compared with the hash taken when it was
read from its source, the hashes with the digest of the snapshot, the digest with what the audit log says was published, and the
bytes of the file with the SHA-256 that the log has of them. Nothing of this is done when a snapshot is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from alsbench.data.dataset import ARROW_TYPE, BATCH_ROWS, ContentHash
from alsbench.data.sanitize import visible
from alsbench.data.sas import CELLS
from alsbench.data.snapshot import META_SCHEMA, Snapshot, TableInfo, open_snapshot
from alsbench.data.sql import quote
from alsbench.errors import DataError, UnavailableError
from alsbench.study.sql import Kind


@dataclass(frozen=True)
class SnapshotFault:
    """What of a snapshot is not as it was published; an empty ``table`` is the file or its description."""

    table: str
    what: str


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def snapshot_digest(tables: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the tables' names and content hashes, in name order."""
    whole = hashlib.sha256(b"alsbench.snapshot/1\n")
    for name, sha256 in sorted(tables):
        whole.update(f"{name} {sha256}\n".encode())
    return whole.hexdigest()


def table_sha256(snapshot: Snapshot, info: TableInfo) -> str:
    """The hash of a table's contents as they are stored. Raises DataError where they cannot be read or are of other kinds."""
    content = ContentHash(info.columns)
    schema = pa.schema([(c.name, ARROW_TYPE[c.kind]) for c in info.columns])
    columns = ", ".join(quote(c.name) for c in info.columns)
    try:
        with snapshot.cursor() as cursor:
            for batch in cursor.sql(f"SELECT {columns} FROM main.{quote(info.name)}").to_arrow_reader(BATCH_ROWS):
                whole = pa.Table.from_batches([batch]).cast(schema).combine_chunks()
                for piece in whole.to_batches():
                    content.add(piece)
    except duckdb.InterruptException:
        raise
    except (duckdb.Error, pa.ArrowException, OSError) as fault:
        raise DataError("it cannot be read", where=info.name, why=visible(str(fault).split("\n")[0])[:200]) from fault
    return content.hexdigest()


def snapshot_faults(path: Path, *, digest: str, sha256: str = "") -> tuple[SnapshotFault, ...]:
    """All by which a snapshot's file differs from what was published with this digest and, where known, these bytes."""
    try:
        same = not sha256 or file_sha256(path) == sha256
    except OSError as fault:
        return (SnapshotFault("", f"the file cannot be read: {fault.strerror}"),)
    found = [] if same else [SnapshotFault("", "the bytes of the file are not those that were published")]
    try:
        snapshot = open_snapshot(path)
    except (DataError, UnavailableError) as fault:
        return (*found, SnapshotFault("", f"it cannot be opened: {'; '.join(t for t in (fault.what, fault.why) if t)}"))
    with snapshot:
        found += _content_faults(snapshot, digest)
    return tuple(found)


def _content_faults(snapshot: Snapshot, digest: str) -> Iterator[SnapshotFault]:
    if snapshot.digest != digest:
        yield SnapshotFault("", f"it is another snapshot: its digest is {snapshot.digest[:12]}, {digest[:12]} was published")
    if snapshot_digest((t.name, t.sha256) for t in snapshot.tables.values()) != snapshot.digest:
        yield SnapshotFault("", "its digest is not that of its tables: its description was edited")
    try:
        stored = {(str(schema), str(name)) for schema, name in snapshot.rows(_TABLES)}
    except DataError as fault:
        yield SnapshotFault("", f"its tables cannot be listed: {fault.why}")
        return
    for schema, name in sorted(stored):
        expected = name in snapshot.tables if schema == "main" else schema == META_SCHEMA and name in ("snapshot", CELLS)
        if not expected:
            yield SnapshotFault(visible(name), "this table was added")
    for info in snapshot.tables.values():
        if ("main", info.name) not in stored:
            yield SnapshotFault(info.name, "this table is gone")
            continue
        yield from _table_faults(snapshot, info)


def _table_faults(snapshot: Snapshot, info: TableInfo) -> Iterator[SnapshotFault]:
    try:
        columns = [(str(name), str(type_)) for name, type_ in snapshot.rows(_COLUMNS, [info.name])]
        if columns != [(c.name, _STORED_AS[c.kind]) for c in info.columns]:
            yield SnapshotFault(info.name, "its columns are not those that were loaded")
            return
        if table_sha256(snapshot, info) != info.sha256:
            yield SnapshotFault(
                info.name, "its contents are not those that were loaded: a value, a row or their order was changed"
            )
    except DataError as fault:
        yield SnapshotFault(info.name, f"{fault.what}: {fault.why}")


_STORED_AS: dict[Kind, str] = {"number": "DOUBLE", "text": "VARCHAR", "date": "DATE", "boolean": "BOOLEAN"}
_TABLES = "SELECT table_schema, table_name FROM information_schema.tables"
_COLUMNS = (
    "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'main' AND table_name = ? ORDER BY column_index"
)
