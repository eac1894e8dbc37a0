"""A private folder outside the workspace for what must not stay in it: unpacked originals, data sets on their way in.

The workspace keeps the folder's path (nothing else) in a file that is locked as long as the load lives. Whoever finds it
unlocked, in any command, removes the folder that a killed load left.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from alsbench.errors import UnavailableError, UsageError

MARK = ".staging-"
_FOLDER = re.compile(r"alsbench-[0-9a-f]{16}")


@contextmanager
def private_folder(workspace: Path) -> Iterator[Path]:
    """An empty folder, 0700, gone at the end. Raises UsageError where temporary files would lie in the workspace."""
    where = Path(tempfile.gettempdir()).resolve()
    if where.is_relative_to(workspace.resolve()):
        raise UsageError(
            "temporary files would lie in the workspace that is blinded",
            where=str(where),
            why="TMPDIR leads there: originals would be unpacked beside the blinded data",
            hint="set TMPDIR to a folder outside the workspace",
        )
    sweep(workspace)
    folder = where / f"alsbench-{secrets.token_hex(8)}"
    made = [p for p in (workspace,) if not p.exists()]
    try:
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = workspace / f"{MARK}{folder.name.removeprefix('alsbench-')}"
        handle = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise UnavailableError(f"the workspace cannot be written: {fault.strerror}", where=str(workspace)) from fault
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, f"{folder}\n".encode())
        folder.mkdir(mode=0o700)
        yield folder
    except OSError as fault:
        raise UnavailableError(f"a temporary file cannot be written: {fault.strerror}", where=str(where)) from fault
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        mark.unlink(missing_ok=True)
        os.close(handle)
        for directory in made:
            with suppress(OSError):  # not empty: something was loaded
                directory.rmdir()


def sweep(workspace: Path) -> None:
    """Remove what killed loads left outside the workspace."""
    for mark in workspace.glob(f"{MARK}*"):
        try:
            handle = os.open(mark, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # another command sweeps it, or it is no file of ours
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = Path(os.read(handle, 4096).decode("utf-8", "replace").strip())
            if _is_ours(folder):
                shutil.rmtree(folder)
            mark.unlink(missing_ok=True)
        except (BlockingIOError, PermissionError):  # a load that lives; a folder of somebody else
            continue
        finally:
            os.close(handle)


def _is_ours(folder: Path) -> bool:
    """Whether a path is a folder that :func:`private_folder` made: nothing else is removed, whatever a file says."""
    plain = folder.is_absolute() and _FOLDER.fullmatch(folder.name) is not None
    return plain and folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid()
