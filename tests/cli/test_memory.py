"""Too little memory is said in one message with exit code 4, at once, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from alsbench.errors import DataError, out_of_memory


def limited(words: list[str], megabytes: int, folder: Path) -> subprocess.CompletedProcess[str]:
    size = megabytes * 2**20
    return subprocess.run(
        [sys.executable, "-m", "alsbench", *words],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)),
    )


@pytest.mark.parametrize("megabytes", [300, 1400])
@pytest.mark.parametrize("name", ["load", "demo", "evidence"])
def test_scarce_address_space_is_refused_before_anything_starts(
    loaded: Path, reference: Path, tmp_path: Path, name: str, megabytes: int
) -> None:
    """Below it libraries of algebra abort (exit 134, 127) or hang when their threads find no room."""
    folder = reference / "als-ref-1"
    words = {
        "load": ["load", str(folder), "--study", str(folder / "study.toml"), "-w", "ws"],
        "demo": ["demo", "--no-tui", "-w", "ws"],
        "evidence": ["evidence", "-w", str(loaded)],
    }[name]
    ran = limited(words, megabytes, tmp_path)
    assert ran.returncode == 4, ran.stderr
    assert "there is not enough memory" in ran.stderr and f"{megabytes:,} MB" in ran.stderr and "ulimit -v" in ran.stderr
    assert ran.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_help_needs_little(tmp_path: Path) -> None:
    ran = limited(["--help"], 300, tmp_path)
    assert ran.returncode == 0 and "Usage" in ran.stdout


def test_with_a_limit_that_is_enough_the_bytes_are_the_same(loaded: Path, tmp_path: Path) -> None:
    words = ["endpoint", "alsfrs_ancova", "--visit", "6", "-w", str(loaded), "--format", "json", "-q"]
    ran = limited(words, 1600, tmp_path)
    assert ran.returncode == 0, ran.stderr
    free = subprocess.run([sys.executable, "-m", "alsbench", *words], capture_output=True, text=True, check=True)
    assert ran.stdout == free.stdout


def refused_by(library: str) -> BaseException:
    """The exception a library raises when it is asked for a petabyte, or for more than it may take."""
    try:
        if library == "numpy":
            np.empty(2**50)
        elif library == "arrow":
            pa.allocate_buffer(2**50)
        elif library == "duckdb":
            with duckdb.connect(config={"memory_limit": "2MB", "threads": 1, "max_temp_directory_size": "0KB"}) as connection:
                connection.execute("SELECT list(i) FROM range(10000000) t(i)").fetchone()
        else:
            bytearray(2**60)
    except (MemoryError, duckdb.Error) as fault:
        return fault
    raise AssertionError(library)


@pytest.mark.parametrize("library", ["numpy", "arrow", "duckdb", "python"])
def test_every_library_says_it_in_its_own_words(library: str) -> None:
    fault = refused_by(library)
    assert out_of_memory(fault)
    try:
        raise DataError("the file is not a readable snapshot") from fault
    except DataError as error:
        assert out_of_memory(error), "what came of it counts too"


@pytest.mark.parametrize(
    ("fault", "is_it"),
    [
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (ImportError("libopenblas.so: failed to map segment from shared object"), True),
        (RuntimeError("can't start new thread"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (ImportError("No module named x"), False),
        (DataError("Out of Memory Error: a study of memory"), False),
    ],
)
def test_what_else_is_and_is_not(fault: Any, is_it: bool) -> None:
    assert out_of_memory(fault) is is_it
