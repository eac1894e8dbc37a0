"""What a cold evidence table costs: the sample's seven endpoints, overall and in two subgroups with their complements.

    python benchmarks/bench_evidence.py [--against DIR] [--repeats 3]

Each figure is of a fresh process in which nothing is kept: reads of a data set, questions to the database, models fitted, max-t
integrations, and CPU seconds (user and system) of the table, best of the repeats. The second table is asked under a max-t plan
of four hypotheses. With ``--against`` a checkout of another version (``git worktree add DIR v0.1.0``) is measured in turn with
this one; ratios of CPU times are the steady figure on a busy machine. Counts are held by tests/analysis/test_evidence_cost.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
COUNTED = {
    "models fitted": ("fit_mmrm", "fit_ols", "fit_slopes", "fit_cox"),
    "pairs scored": ("score_pairs",),
    "max-t integrations": ("max_t",),
}
CHILD = """
import collections, dataclasses, importlib, json, pkgutil, resource, sys, tempfile
from pathlib import Path

root, plan, counted = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
import alsbench.analysis
from alsbench.analysis.source import open_source
from alsbench.data.load import load
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace

for room in ("analysis", "stats"):
    package = importlib.import_module(f"alsbench.{room}")
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
counts = collections.Counter()

def counting(label, function):
    def call(*args, **more):
        counts[label] += 1
        return function(*args, **more)
    return call

for name, label in (("frame", "data sets read"), ("truth", "subgroups asked of the database")):
    setattr(Snapshot, name, counting(label, getattr(Snapshot, name)))
for module in [m for n, m in sys.modules.items() if n.startswith("alsbench.")]:
    for label, names in counted.items():
        for name in names:
            if callable(getattr(module, name, None)):
                setattr(module, name, counting(label, getattr(module, name)))
with tempfile.TemporaryDirectory() as directory:
    space = Workspace(Path(directory) / "ws")
    space.create()
    space.study_path.write_text((root / "sample_data" / "study.toml").read_text() + plan)
    load(sorted((root / "sample_data").glob("*.xpt")), space, study=space.read_study(), expect={})
    source = dataclasses.replace(open_source(space.path), results_dir=None)
    from alsbench.analysis.evidence import evidence

    def used():
        spent = resource.getrusage(resource.RUSAGE_SELF)
        return spent.ru_utime + spent.ru_stime

    start = used()
    made = evidence(source, ["slow", "nfl_low"])
    counts["CPU seconds"] = round(used() - start, 3)
    rows = [[str(v) for v in vars(row).values()] for row in made.result.rows]
print(json.dumps({"counts": counts, "rows": rows}))
"""
PLAN = '\n[multiplicity]\nmethod = "max_t"\n' + "".join(
    f'[[multiplicity.hypotheses]]\nendpoint = "{endpoint}"\ncomparison = "{comparison}"\n'
    for endpoint in ("cafs", "alsfrs")
    for comparison in ("G1-M6", "G2-M12")
)


def once(tree: Path, plan: str) -> dict[str, object]:
    """Counts and CPU seconds of one table in a process of its own that imports the program of ``tree``."""
    command = [sys.executable, "-c", CHILD, str(tree), plan, json.dumps(COUNTED)]
    ran = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(tree / "src")}, cwd=tempfile.gettempdir(), capture_output=True, check=True
    )
    return json.loads(ran.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    trees = {"this": HERE, **({"other": asked.against.resolve()} if asked.against else {})}
    for title, plan in (("no plan", ""), ("max-t plan of 4 hypotheses", PLAN)):
        runs: dict[str, list[dict[str, object]]] = {name: [] for name in trees}
        for _ in range(asked.repeats):
            for name, tree in trees.items():
                runs[name].append(once(tree, plan))
        print(f"{title:<34}" + "".join(f"{name:>10}" for name in trees) + ("     ratio" if len(trees) > 1 else ""))
        for label in ("data sets read", "subgroups asked of the database", *COUNTED, "CPU seconds"):
            best = [min(run["counts"].get(label, 0) for run in runs[name]) for name in trees]  # type: ignore[attr-defined]
            ratio = f"{best[1] / best[0]:>10.2f}" if len(best) > 1 and best[0] else ""
            print(f"  {label:<32}" + "".join(f"{value:>10g}" for value in best) + ratio)
        if len(trees) > 1:
            rows = [{tuple(row) for row in runs[name][0]["rows"]} for name in trees]  # type: ignore[attr-defined]
            print(f"  rows of this {len(rows[0])}, of the other {len(rows[1])}, the same in every bit {len(rows[0] & rows[1])}")


if __name__ == "__main__":
    main()
