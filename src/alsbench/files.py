"""Writing a file whole or not at all, and never through a link.

The content goes into a new file beside the target (0600), to the disk, and then takes the target's place in one step: a reader
sees the old file or the new one. A link is refused: what it leads to is not what was named, and replacing the link would
silently part the two. Links among the directories above are followed, as everywhere. A device or a pipe is written to and stays
what it is; ``/dev/stdout``, ``/dev/stderr`` and ``/dev/fd/N`` are the streams this process was given.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from alsbench.errors import UnavailableError, UsageError, unwritable

_STREAM = re.compile(r"/dev/(?P<name>stdout|stderr|fd/(?P<number>\d+))|/proc/self/fd/(?P<proc>\d+)")
_NAMED = {"stdout": 1, "stderr": 2}


def write_file(path: Path, chunks: Iterable[str]) -> None:
    """Write text piece by piece: what is written need not fit in memory. What UTF-8 cannot hold is written as an escape.

    Raises UsageError for a directory or a link, UnavailableError where the system refuses.
    """
    write_bytes(path, (chunk.encode("utf-8", "backslashreplace") for chunk in chunks))


def write_bytes(path: Path, chunks: Iterable[bytes], *, mode: int = 0o600, last: Callable[[], None] = lambda: None) -> None:
    """As :func:`write_file`, of bytes. ``mode`` is the new file's; ``last`` is called when it is whole, before it takes its
    place, and may raise to leave everything as it was."""
    number = stream_number(path)
    if number is not None:
        with _guarded(path), os.fdopen(os.dup(number), "wb") as stream:
            _write(stream, chunks)
        return
    refuse_link(path)
    if path.is_dir():
        raise UsageError("this is a directory", where=str(path), hint="name a file")
    if path.exists() and not path.is_file():
        with _guarded(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "wb") as stream:
            _write(stream, chunks)
        return
    _replace(path, chunks, mode, last)


def typed_path(text: str) -> Path:
    """A path as somebody types it, ``~`` and ``~NAME`` being homes. Raises UsageError where there is no such home, and for a
    name that no file can have."""
    try:
        path = Path(text).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            path.lstat()  # which a name that is too long, or holds a NUL, does not survive
    except (RuntimeError, ValueError, OSError) as fault:
        raise UsageError("no file can be named so", where=text[:80], why=str(fault)[:200], hint="type another name") from fault
    return path


def refuse_link(path: Path) -> None:
    """Raises UsageError where the last part of a path is a symbolic link."""
    if path.is_symlink():
        leads = path.readlink()
        raise UsageError("this is a link; it is not written through", where=str(path), hint=f"name the file itself: {leads}")


def stream_number(path: Path) -> int | None:
    """The file descriptor that a path such as ``/dev/stdout`` names; None for any other."""
    found = _STREAM.fullmatch(str(path))
    if found is None:
        return None
    number = found["number"] or found["proc"]
    return int(number) if number else _NAMED[found["name"]]


def _replace(path: Path, chunks: Iterable[bytes], mode: int, last: Callable[[], None]) -> None:
    with _guarded(path):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".tmp")  # created 0600
    temporary = Path(name)
    try:
        with _guarded(path), os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            _write(stream, chunks)
            os.fsync(stream.fileno())
        last()
        refuse_link(path)  # made meanwhile
        with _guarded(path):
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    confirm(path)


def confirm(path: Path) -> None:
    """Make sure that a file's name is on disk. Raises UnavailableError that says that the file itself was written."""
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as fault:
        what = "the file was written, but the system could not confirm that it is on disk"
        raise UnavailableError(what, where=str(path), why=str(fault.strerror)) from fault


def file_mode(path: Path, default: int = 0o600) -> int:
    """The permissions of a file that is there."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return default


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """What the system refuses, as an error a user can act on."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as fault:
        raise unwritable(fault, str(path)) from fault


def _write(stream: IO[bytes], chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        stream.write(chunk)
    stream.flush()
