"""Damaged files of every format: read or refused, never a traceback, a hang or a row lost in silence."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from tests.data.mutations import make_originals, mutate

from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.errors import AlsbenchError

CASES = 650
ROOT = Path(__file__).parents[2]


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    make_originals(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.mutations", str(tmp_path), "20240506", str(CASES)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=ROOT,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-500:]
    assert len(results) == CASES
    assert [r for r in results if "crash" in r] == []
    refused = [r for r in results if "refused" in r]
    assert all(r["code"] == 3 for r in refused)
    assert all(r["file"] in r["refused"] for r in refused), "the file is named"
    assert len(refused) > CASES / 4


def test_a_damaged_load_never_touches_the_current_snapshot(tmp_path: Path, workspace: Workspace, trial: Path) -> None:
    first = load([trial], workspace)
    bytes_before = workspace.snapshot_path(first.snapshot).read_bytes()
    random_ = random.Random(7)
    raw = (trial / "adqs.csv").read_bytes()
    for _ in range(60):
        path = tmp_path / "adqs.csv"
        path.write_bytes(mutate(raw, random_))
        before = workspace.current_name()
        try:
            receipt = load([path], workspace)
        except AlsbenchError as refused:
            assert refused.exit_code == 3
            assert workspace.current_name() == before
        else:
            assert workspace.current_name() == receipt.snapshot
    assert workspace.snapshot_path(first.snapshot).read_bytes() == bytes_before
