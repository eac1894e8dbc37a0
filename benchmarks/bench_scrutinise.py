"""What the bottom line of a finding costs, and all checks of it: CPU seconds of the command, nothing kept and everything kept.

    python benchmarks/bench_scrutinise.py [--against DIR] [--repeats 3] [--endpoints cafs alsfrs]

Each figure is user and system time of ``alsbench scrutinise -s slow -e ENDPOINT`` on the sample trial, start of the program
included, in a process of its own with one BLAS thread; the best of the repeats. "Cold": the folder of kept answers is removed
before. With ``--against`` a checkout of another version (``git worktree add DIR v0.4.0``) is measured in turn with this one,
with the same libraries; on a busy machine CPU seconds swell with what else runs, and the ratio is the steady figure.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
WANTED = {"bottom line": ("--check", "bottom_line"), "all checks": ()}


def cpu_of(tree: Path, *words: str) -> float:
    """User and system seconds of one Python process that imports the program of ``tree``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *words], env=environment, cwd=tempfile.gettempdir(), capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measured(tree: Path, space: Path, endpoint: str, more: tuple[str, ...]) -> tuple[float, float]:
    """CPU seconds with nothing kept, then with everything kept."""
    shutil.rmtree(space / "results", ignore_errors=True)
    words = ("-m", "alsbench", "scrutinise", "-w", str(space), "-s", "slow", "-e", endpoint, "-q", *more)
    return cpu_of(tree, *words), cpu_of(tree, *words)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--endpoints", nargs="+", default=["cafs", "alsfrs"])
    asked = parser.parse_args()
    trees = {"this": HERE, **({"other": asked.against.resolve()} if asked.against else {})}
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "duckdb"))
    print(f"Python {platform.python_version()}, {libraries}, {platform.machine()}, one BLAS thread, best of {asked.repeats}")
    print(f"{'CPU seconds':<34}" + "".join(f"{name:>10}" for name in trees) + ("     ratio" if len(trees) > 1 else ""))
    with tempfile.TemporaryDirectory() as directory:
        spaces = {name: Path(directory) / name for name in trees}
        for name, tree in trees.items():
            spaces[name].mkdir()
            shutil.copy(tree / "sample_data" / "study.toml", spaces[name])
            files = sorted(str(file) for file in (tree / "sample_data").glob("*.xpt"))
            cpu_of(tree, "-m", "alsbench", "load", *files, "-w", str(spaces[name]), "-q")
        for endpoint in asked.endpoints:
            for title, more in WANTED.items():
                runs: dict[str, list[tuple[float, float]]] = {name: [] for name in trees}
                for _ in range(asked.repeats):
                    for name, tree in trees.items():
                        runs[name].append(measured(tree, spaces[name], endpoint, more))
                for place, state in enumerate(("cold", "kept")):
                    best = [min(run[place] for run in runs[name]) for name in trees]
                    ratio = f"{best[1] / best[0]:>10.2f}" if len(best) > 1 else ""
                    print(f"{f'{endpoint}, {title}, {state}':<34}" + "".join(f"{value:>10.2f}" for value in best) + ratio)


if __name__ == "__main__":
    main()
