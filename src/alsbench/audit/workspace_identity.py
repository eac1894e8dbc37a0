"""The workspace as a program found it, so that nothing is written into another one that has taken its place.

A path is only a name. While the app is open, or a long command runs, a workspace can be moved, deleted, or replaced by a folder
of the same name; its log can be exchanged for a shorter one. What is held is what the kernel knows them by (device and inode,
as ``stat`` gives them) and the last bytes of the log, which only grows. Checked before anything is written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from alsbench.errors import UnavailableError

_END = 128  # bytes of the log's end that are compared: they hold the hash of its last entry
LOG_NAME, SNAPSHOTS_NAME = "audit.jsonl", "snapshots"
Known = tuple[int, int] | None


@dataclass(frozen=True)
class WorkspaceIdentity:
    """A workspace that was there: folder, snapshots and log (None where there was none yet), and the end of the log."""

    path: Path
    folder: Known
    snapshots: Known
    log: Known
    size: int = 0
    end: bytes = b""

    def check(self) -> None:
        """Raises UnavailableError where this workspace is not there any more."""
        found = _known(self.path)
        if found is None:
            raise self._gone("it was moved or deleted")
        if found != self.folder:
            raise self._gone("another folder stands in its place")
        if self.snapshots is not None and _known(self.path / SNAPSHOTS_NAME) != self.snapshots:
            raise self._gone("its snapshots were moved, deleted or replaced")
        if self.log is None:
            return
        try:
            handle = os.open(self.path / LOG_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as fault:
            raise self._gone(f"its audit log cannot be opened: {fault.strerror}") from fault
        try:
            self.check_log(handle)
        finally:
            os.close(handle)

    def check_log(self, handle: int) -> None:
        """Raises UnavailableError where an open file is not the log, or has lost what the log held."""
        if self.log is None:
            return
        found = os.fstat(handle)
        if (found.st_dev, found.st_ino) != self.log:
            raise self._gone("its audit log was replaced by another file")
        if found.st_size < self.size or os.pread(handle, len(self.end), self.size - len(self.end)) != self.end:
            raise self._gone("its audit log was cut or rewritten")

    def _gone(self, why: str) -> UnavailableError:
        hint = "nothing was written; open the workspace again, where it is now"
        return UnavailableError("the workspace is gone", where=str(self.path), why=why, hint=hint)


def identify(workspace: Path) -> WorkspaceIdentity | None:
    """The workspace as it is now; None where there is none yet."""
    path = workspace.absolute()
    folder = _known(path)
    if folder is None:
        return None
    size, end = 0, b""
    log = _known(path / LOG_NAME)
    if log is not None and (path / LOG_NAME).is_file():
        try:
            with (path / LOG_NAME).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - _END, 0))
                end = file.read(size - max(size - _END, 0))
        except OSError:  # it cannot be read: whoever needs it says so
            return WorkspaceIdentity(path, folder, _known(path / SNAPSHOTS_NAME), None)
    return WorkspaceIdentity(path, folder, _known(path / SNAPSHOTS_NAME), log, size, end)


def _known(path: Path) -> Known:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
