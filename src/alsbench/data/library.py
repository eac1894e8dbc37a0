"""The snapshots of a workspace: listed, made current again, pruned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alsbench.data.publish import exclusive, set_current
from alsbench.data.snapshot import Snapshot, open_snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UsageError
from alsbench.study.names import nearest


@dataclass(frozen=True)
class Listed:
    """A snapshot in a list. ``fault`` says why one cannot be opened; its other facts are then empty."""

    name: str
    current: bool
    size: int
    created: str = ""
    digest: str = ""
    data_cut: str | None = None
    tables: tuple[tuple[str, int], ...] = ()
    fault: str = ""


def snapshots(workspace: Workspace) -> tuple[Listed, ...]:
    """Every published snapshot, newest first."""
    current = workspace.current_name()
    return tuple(_listed(workspace, n, current) for n in reversed(workspace.snapshot_names()))


def find(workspace: Workspace, text: str) -> str:
    """The snapshot a user means: a name, the beginning of a name or of a hash, ``current`` or ``previous``.

    Raises UsageError where none or several fit.
    """
    names = workspace.snapshot_names()
    current = workspace.current_name()
    if text == "current" and current is not None:
        return current
    if text == "previous":
        before = [n for n in names if current is not None and n < current]
        if not before:
            raise UsageError("there is no snapshot before the current one", where=str(workspace.path))
        return before[-1]
    fits = [n for n in names if n == text] or [n for n in names if n.startswith(text) or n.split("-")[1].startswith(text[:12])]
    if len(fits) != 1 or not text:
        what = f"{len(fits)} snapshots are called {text}" if fits else f"no snapshot is called {text}"
        raise UsageError(what, where=str(workspace.path), hint=nearest(text, reversed(names)))
    return fits[0]


def open_named(workspace: Workspace, text: str) -> Snapshot:
    """Open the snapshot :func:`find` finds."""
    return open_snapshot(workspace.snapshot_path(find(workspace, text)))


def restore(workspace: Workspace, text: str) -> str:
    """Make an older snapshot current again; returns its name. Raises DataError if it cannot be opened."""
    name = find(workspace, text)
    with exclusive(workspace, purpose="restore"):
        open_snapshot(workspace.snapshot_path(name)).close()
        set_current(workspace, name)
    return name


def prune(workspace: Workspace, *, keep: int) -> tuple[str, ...]:
    """Delete all but the newest ``keep`` snapshots; the current one always stays. Returns the names deleted.

    Readers that have one open keep reading it: the file goes when the last of them closes it.
    """
    if keep < 1:
        raise UsageError("at least one snapshot has to be kept", hint="--keep 1 keeps the current one")
    with exclusive(workspace, purpose="prune"):
        current = workspace.current_name()
        names = workspace.snapshot_names()
        gone: Sequence[str] = [n for n in names[: max(len(names) - keep, 0)] if n != current]
        for name in gone:
            workspace.snapshot_path(name).unlink()
    return tuple(gone)


def _listed(workspace: Workspace, name: str, current: str | None) -> Listed:
    path: Path = workspace.snapshot_path(name)
    size = path.stat().st_size
    try:
        with open_snapshot(path) as s:
            tables = tuple((t.name, t.rows) for t in s.tables.values())
            return Listed(name, name == current, size, s.created, s.digest, s.data_cut, tables)
    except DataError as fault:
        return Listed(name, name == current, size, fault=fault.what)
