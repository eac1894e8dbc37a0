"""Ctrl-C during a load, at any instant: the process ends soon, the old snapshot stays current or the new one is whole."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from alsbench.__main__ import main
from alsbench.data.dataset import Dataset
from alsbench.data.frames import ColumnInfo
from alsbench.data.load import load
from alsbench.data.publish import Builder
from alsbench.data.workspace import Workspace
from alsbench.errors import is_interrupt

REFERENCE = Path(__file__).parents[1] / "reference" / "als-ref-1"
LOAD = """
import sys
from pathlib import Path
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
print("started", flush=True)
space = Workspace(Path(sys.argv[1]))
load([Path(sys.argv[2])], space, study=space.read_study())
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for path in REFERENCE.glob("*.xpt"):
        shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def loaded(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trial, loaded. Tests get copies."""
    space = Workspace(tmp_path_factory.mktemp("loaded") / "workspace")
    space.create()
    shutil.copy(REFERENCE / "study.toml", space.study_path)
    load([files], space, study=space.read_study())
    return space.path


@pytest.mark.parametrize("seed", range(int(os.environ.get("ALSBENCH_INTERRUPTS", "6"))))
def test_interrupt_at_a_random_instant(seed: int, files: Path, loaded: Path, tmp_path: Path) -> None:
    space = Workspace(shutil.copytree(loaded, tmp_path / "workspace"))
    before = space.current_name()
    process = subprocess.Popen(
        [sys.executable, "-c", LOAD, str(space.path), str(files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.0, 0.8))
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with space.open_current() as snapshot:
        assert snapshot.count("ADQS") == 16744
    if process.returncode != 0:
        assert space.current_name() == before or space.current_name() is not None
    load([files / "adsl.xpt"], space, study=None)  # the lock is free again


@pytest.mark.parametrize("told", [RuntimeError("Query interrupted"), duckdb.InterruptException("Interrupted!")])
def test_interrupt_inside_a_query_of_the_database(
    told: Exception, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database passes Ctrl-C on as an error of its own; it is an interrupt all the same, not a fault of the program."""
    space = Workspace(tmp_path / "workspace")
    load([files / "adsl.xpt"], space)
    before = space.current_name()

    def interrupted(*_: object) -> int:
        raise told

    monkeypatch.setattr(Builder, "_store", interrupted)
    assert main(["load", str(files), "-w", str(space.path)]) == 130
    assert space.current_name() == before
    assert list(space.snapshots_dir.glob(".building*")) == []


def test_what_ends_an_insert_is_what_is_told(tmp_path: Path) -> None:
    """Ctrl-C or a fault leaves a transaction that refuses everything: tidying up in it must not hide what happened."""
    space = Workspace(tmp_path / "workspace")
    space.create()
    batch = pa.table({"X": pa.array(range(1_000_000), pa.float64())}).to_batches()[0]
    endless = Dataset("T", (ColumnInfo("X", kind="number"),), lambda: itertools.repeat(batch))
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with Builder(space) as builder, pytest.raises((KeyboardInterrupt, RuntimeError, duckdb.Error)) as fault:
            timer.start()
            builder.add(endless, "t.csv")
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, heard)
    assert isinstance(fault.value, KeyboardInterrupt) or is_interrupt(fault.value), fault.value
