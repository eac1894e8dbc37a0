"""A command line in this process: what a shell would see of it, without the half second of an interpreter that starts.

For tests of what a command says. What needs a process of its own (signals, terminals, imports, memory) is tested with one.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb

from alsbench.__main__ import main


@dataclass(frozen=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str


def run_here(words: Sequence[object], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ran:
    """Run ``alsbench WORDS`` in a directory, with more in the environment; its streams are files, as in a pipe."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2))
    umask = os.umask(0o077)
    os.umask(umask)
    try:
        with (
            contextlib.chdir(cwd or Path.cwd()),
            mock.patch.dict(os.environ, env or {}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main([str(word) for word in words])
    finally:
        os.umask(umask)  # the program's own for all files it makes: not the tests'
    return Ran(code, *(stream.buffer.getvalue().decode("utf-8") for stream in (out, err)))


HELD = 4  # databases at most: those of a session, a test's own and one that is compared with it


@contextlib.contextmanager
def databases_stay_open() -> Iterator[None]:
    """Hold the databases that the program has read open from one command line to the next.

    To begin costs DuckDB 20 ms, most of what a small command needs. The program opens and closes as ever, with its own
    settings; a connection that is held here keeps DuckDB's instance of the file from ending with it. Before anything opens a
    file that was changed or replaced since, or opens it in another way, what is held of it is closed: what is read is what
    is there.
    """
    connect, lock = duckdb.connect, threading.Lock()
    held: dict[str, tuple[object, duckdb.DuckDBPyConnection]] = {}

    def opened(database: Any = ":memory:", *words: Any, **named: Any) -> duckdb.DuckDBPyConnection:
        name = str(database)
        how = (_identity(name), words, repr(named))
        with lock:
            if name in held and held[name][0] != how:
                held.pop(name)[1].close()
            connection = connect(database, *words, **named)
            if named.get("read_only"):
                held[name] = held.pop(name, None) or (how, connect(database, *words, **named))
                while len(held) > HELD:
                    held.pop(next(iter(held)))[1].close()
        return connection

    with mock.patch.object(duckdb, "connect", opened):
        try:
            yield
        finally:
            for _, connection in held.values():
                connection.close()


def _identity(name: str) -> tuple[int, ...]:
    try:
        stat = Path(name).stat()
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
