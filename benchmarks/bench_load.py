"""What a load costs: against DuckDB's own CREATE TABLE AS on the same CSV and Parquet, and against pyreadstat alone on XPT.

    python benchmarks/bench_load.py [--rows 300000] [--repeats 3]

Each figure is the best wall time of the repeats, each in a fresh process with its peak memory; on a busy machine the ratio
of CPU times is the steadier one. Targets: CSV and Parquet at most twice DuckDB, XPT at most 1.5 times pyreadstat. A load
does more than either: it hashes file and contents, counts rows twice, runs the checks and syncs to disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

LIMITS = {"csv": 2.0, "parquet": 2.0, "xpt": 1.5}

STEPS = {
    "load": (
        "from alsbench.data.load import load; from alsbench.data.workspace import Workspace\n"
        "import alsbench.data.readers.xpt, alsbench.data.readers.parquet, alsbench.data.readers.delimited, tempfile\n"
        "with tempfile.TemporaryDirectory() as d:\n"
        "    start, cpu = time.perf_counter(), time.process_time()\n"
        "    receipt = load([path], Workspace(Path(d) / 'ws'))\n"
        "    took, cpu = time.perf_counter() - start, time.process_time() - cpu\n"
    ),
    "duckdb": (
        "import duckdb, tempfile\n"
        "with tempfile.TemporaryDirectory() as d:\n"
        "    start, cpu = time.perf_counter(), time.process_time()\n"
        "    con = duckdb.connect(d + '/x.duckdb')\n"
        "    con.execute('SET enable_progress_bar = false')\n"  # it would draw on stdout
        "    con.execute(f\"CREATE TABLE t AS SELECT * FROM '{path}'\"); con.execute('CHECKPOINT'); con.close()\n"
        "    took, cpu = time.perf_counter() - start, time.process_time() - cpu\n"
    ),
    "pyreadstat": (
        "import pyreadstat\n"
        "start, cpu = time.perf_counter(), time.process_time()\n"
        "pyreadstat.read_xport(str(path), disable_datetime_conversion=True)\n"
        "took, cpu = time.perf_counter() - start, time.process_time() - cpu\n"
    ),
    "read": (
        "from alsbench.data.readers.files import read\n"
        "import alsbench.data.readers.xpt, alsbench.data.readers.parquet, alsbench.data.readers.delimited\n"
        "start, cpu = time.perf_counter(), time.process_time()\n"
        "[b for d in read(path) for b in d.batches()]\n"
        "took, cpu = time.perf_counter() - start, time.process_time() - cpu\n"
    ),
}


def make_files(folder: Path, rows: int) -> dict[str, Path]:
    """A table like ADQS of ``rows`` rows, as CSV, Parquet and XPT."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq
    import pyreadstat

    random = np.random.default_rng(1)
    subject = np.arange(rows) // 180
    visit = np.arange(rows) % 13
    aval = random.integers(0, 49, rows).astype(float)
    base = np.repeat(aval[::180], 180)[:rows]
    texts = {
        "STUDYID": np.full(rows, "BENCH01"),
        "USUBJID": np.char.add("BENCH01-", subject.astype("U7")),
        "TRT01P": np.where(subject % 2, "Placebo", "Group 1"),
        "AVISIT": np.char.add("Month ", visit.astype("U2")),
        "PARAMCD": np.char.add("ALSFR", (np.arange(rows) % 14).astype("U2")),
        "PARAM": np.char.add("ALSFRS-R Item ", (np.arange(rows) % 14).astype("U2")),
        "ABLFL": np.where(visit == 0, "Y", ""),
    }
    numbers = {"AVISITN": visit.astype(float), "ADY": visit * 30.0 + 1, "AVAL": aval, "BASE": base, "CHG": aval - base}
    days = 18000 + visit * 30
    table = pa.table(
        {k: pa.array(v.tolist()) for k, v in texts.items()}
        | {"ADT": pa.array(days, pa.int32()).cast(pa.date32())}
        | {k: pa.array(v) for k, v in numbers.items()}
    )
    paths = {form: folder / f"adqs.{form}" for form in LIMITS}
    pacsv.write_csv(table, paths["csv"])
    pq.write_table(table, paths["parquet"])
    import pandas as pd

    frame = pd.DataFrame(texts | {"ADT": days + 3653.0} | numbers)
    pyreadstat.write_xport(
        frame, str(paths["xpt"]), table_name="ADQS", variable_format={"ADT": "DATE9."}, file_format_version=5
    )
    return paths


def measure(step: str, path: Path, repeats: int) -> tuple[float, float, float]:
    """Best wall and CPU seconds and largest peak memory (MB) of a step, each time in a fresh process."""
    code = (
        "import json, sys, time\nfrom pathlib import Path\n"
        f"path = Path(sys.argv[1])\n{STEPS[step]}"
        "peak = next(int(x.split()[1]) for x in open('/proc/self/status') if x.startswith('VmHWM'))\n"  # ru_maxrss is inherited
        "print(json.dumps([took, cpu, peak / 1024]))"
    )
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout)
        for _ in range(repeats)
    ]
    return min(r[0] for r in runs), min(r[1] for r in runs), max(r[2] for r in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder), options.rows)
        print(f"{options.rows} rows x 13 columns, best of {options.repeats}")
        for form, path in paths.items():
            other = "pyreadstat" if form == "xpt" else "duckdb"
            read, _, _ = measure("read", path, options.repeats)
            load, cpu, memory = measure("load", path, options.repeats)
            theirs, their_cpu, their_memory = measure(other, path, options.repeats)
            print(
                f"{form:8s} {path.stat().st_size / 2**20:7.1f} MB  read {read:6.2f} s  load {load:6.2f} s ({memory:.0f} MB)  "
                f"{other} {theirs:6.2f} s ({their_memory:.0f} MB)  "
                f"load/{other} {load / theirs:5.2f} (CPU {cpu / their_cpu:.2f}, limit {LIMITS[form]})"
            )


if __name__ == "__main__":
    main()
