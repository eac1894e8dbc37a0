"""What a load survives: kills at random instants, readers while it publishes, damaged files.

    python benchmarks/bench_faults.py [--kills 50] [--loads 30] [--readers 20] [--mutations 10000]

Counts, not times: every kill must leave the old snapshot or the new one current; no reader may fail; no damaged file may do
anything but load or be refused.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TRIAL = ROOT / "tests" / "reference" / "als-ref-1"

LOAD = """
import sys
from pathlib import Path
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
print("ready", flush=True)
load([Path(p) for p in sys.argv[2:]], Workspace(Path(sys.argv[1])))
"""
READ = """
import json, sys, time
from pathlib import Path
from alsbench.data.workspace import Workspace
workspace, reads, newer = Workspace(Path(sys.argv[1])), 0, 0
stop = Path(sys.argv[1]) / "stop"
while not stop.exists():
    with workspace.open_current() as snapshot:
        assert snapshot.count("ADSL") == 115 and len(snapshot.frame("ADTTE")) == 115
        time.sleep(0.05)
        newer += not snapshot.is_current(workspace)
        reads += 1
print(json.dumps([reads, newer]))
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def kills(folder: Path, count: int) -> str:
    """Kill a load at random instants of its life; what the workspace opens on afterwards."""
    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    workspace = Workspace(folder / "kills")
    load([TRIAL / "adsl.xpt"], workspace)
    random_, old, new = random.Random(1), 0, 0
    for _ in range(count):
        before = workspace.current_name()
        child = start(LOAD, workspace.path, TRIAL)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random_.uniform(0, 0.6))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        with workspace.open_current() as snapshot:
            assert snapshot.count("ADSL") == 115
            old, new = old + (snapshot.name == before), new + (snapshot.name != before)
    return f"{count} kills: {old} left the old snapshot current, {new} came after the new one was published, 0 anything else"


def readers(folder: Path, loads: int, count: int) -> str:
    """Readers query without pause while loads publish."""
    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    workspace = Workspace(folder / "readers")
    load([TRIAL], workspace)
    processes = [start(READ, workspace.path) for _ in range(count)]
    for _ in range(loads):
        load([TRIAL], workspace)
    (workspace.path / "stop").touch()
    reads = newer = failed = 0
    for process in processes:
        out, _ = process.communicate(timeout=120)
        failed += process.returncode != 0
        if process.returncode == 0:
            mine, told = json.loads(out)
            reads, newer = reads + mine, newer + told
    return (
        f"{count} readers, {loads} loads: {reads} snapshots opened, {newer} times told of newer data, {failed} readers failed"
    )


def mutations(folder: Path, count: int) -> str:
    """Damaged files read in a child with limits."""
    sys.path.insert(0, str(ROOT))
    from tests.data.mutations import make_originals

    originals = folder / "originals"
    originals.mkdir()
    make_originals(originals)
    command = [sys.executable, "-m", "tests.data.mutations", str(originals), "1", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + count / 10, check=True, cwd=ROOT)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    crashed = [r for r in results if "crash" in r]
    refused = sum("refused" in r for r in results)
    for case in crashed[:5]:
        print(case)
    return f"{len(results)} mutations: {refused} refused, {len(results) - refused - len(crashed)} read, {len(crashed)} crashed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("kills", 50), ("loads", 30), ("readers", 20), ("mutations", 10_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(kills(Path(folder), options.kills))
        print(readers(Path(folder), options.loads, options.readers))
        print(mutations(Path(folder), options.mutations))


if __name__ == "__main__":
    main()
