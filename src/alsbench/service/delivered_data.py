"""A side of data as a snapshot: that of a workspace, or files and folders read into one of their own, gone when it is closed.

Nothing of theirs is loaded into a workspace: the readers fill a snapshot in a private folder of the system's, without checks
and without a study, which only the comparison sees."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from alsbench.data.dataset import Dataset
from alsbench.data.integrity import snapshot_digest
from alsbench.data.publish import Builder
from alsbench.data.readers.files import find_files, named_in_archive, read, unpack
from alsbench.data.snapshot import Snapshot, open_snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import UnavailableError, unwritable

FOLDER = "alsbench-reconcile-"


def is_workspace(path: Path) -> bool:
    """Whether a folder is a workspace that holds data."""
    return path.is_dir() and (path / "study.toml").exists() and Workspace(path).current_name() is not None


@contextlib.contextmanager
def data_side(path: Path, beside: Snapshot | None = None) -> Iterator[Snapshot]:
    """The data of a side: the current snapshot of a workspace, or a file or folder read for as long as this lasts. Columns are
    called as ``beside`` calls them where they differ in case only. Raises DataError for files that cannot be read whole."""
    if is_workspace(path):
        space = Workspace(path)
        with open_snapshot(space.snapshot_path(str(space.current_name()))) as snapshot:
            yield snapshot
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix=FOLDER)
    except OSError as fault:
        raise unwritable(fault, tempfile.gettempdir()) from fault
    with folder as name:
        space = Workspace(Path(name))
        space.create()
        _fill(space, path, beside)
        with open_snapshot(space.snapshot_path(space.snapshot_names()[-1])) as snapshot:
            yield snapshot


def _fill(space: Workspace, path: Path, beside: Snapshot | None) -> None:
    try:
        with Builder(space) as builder:
            for source in (s for file in find_files([path]) for s in unpack(file, space.snapshots_dir)):
                with named_in_archive(source):
                    for dataset in read(source.path):
                        builder.add(_called_alike(dataset, beside), source.name)
            digest = snapshot_digest((t.dataset.name, t.sha256) for t in builder.tables)
            now = datetime.now(UTC)
            builder.seal(now=now, digest=digest, data_cut=None, receipt={})
            builder.publish(builder.name(now=now, digest=digest))
    except MemoryError as fault:
        raise UnavailableError("there is not enough memory for these files", where=str(path)) from fault


def _called_alike(dataset: Dataset, beside: Snapshot | None) -> Dataset:
    """The data set with the table's name in upper case, its columns in the case of the other side's."""
    dataset = replace(dataset, name=dataset.name.upper())
    other = None if beside is None else beside.tables.get(dataset.name)
    if other is None:
        return dataset
    known = {c.name.upper(): c.name for c in other.columns}
    names = {c.name: known.get(c.name.upper(), c.name) for c in dataset.columns}
    if all(new == old for old, new in names.items()):
        return dataset
    columns = tuple(replace(c, name=names[c.name]) for c in dataset.columns)
    return replace(dataset, columns=columns, batches=lambda: _renamed(dataset, names))


def _renamed(dataset: Dataset, names: Mapping[str, str]) -> Iterator[Any]:
    for batch in dataset.batches():
        fields = [f.with_name(names[f.name]) for f in batch.schema]
        yield pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields, metadata=batch.schema.metadata))


def side_name(path: Path) -> str:
    """How a side is called: its file or folder."""
    return path.name or os.fspath(path.resolve())
