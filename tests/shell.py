"""A command line in this process: what a shell would see of it, without the half second of an interpreter that starts.

For tests of what a command says. What needs a process of its own (signals, terminals, imports, memory) is tested with one.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

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
