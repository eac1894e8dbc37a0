"""What a wide CSV of visits costs to load and derive: against DuckDB's CREATE TABLE AS and the same derivation in SQL.

    python benchmarks/bench_source.py [--rows 1000000] [--repeats 1]

Ours: ``load`` with a ``[source]`` table: 12 items and their total, vital capacity, NfL, ADSL and time to death; hashes, checks
and receipt are in it. Theirs: read_csv into a table, UNPIVOT of the same columns with baseline, change and day, a row a
subject, times to death; no check and no hash. Each in a fresh process: wall and CPU seconds, peak memory, the ratios.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

VISITS = 10
STUDY = """schema = 1
[study]
id = "BENCH"
[arms]
reference = "Placebo"
order = ["Placebo", "Drug 50 mg", "Drug 100 mg"]
[populations]
FAS = "FASFL"
default = "FAS"
[visits]
unit = "month"
[[comparisons]]
treatment = "Drug 100 mg"
horizon = 9
[source]
layout = "visits"
files = ["VISITS"]
subject = "patient_id"
arm = "arm"
visit = "visit"
date = "visit_date"
death = "death_date"
last_contact = "last_contact"
onset_date = "onset_date"
baseline = { "AGE" = "age", "SEX" = "sex", "ONSETSIT" = "onset_site" }
[source.parameters]
alsfrs = { total = "alsfrs_total", items = [ITEMS] }
fvc = "fvc_pct"
nfl = "nfl"
""".replace("ITEMS", ", ".join(f'"q{k}"' for k in range(1, 13)))
ITEMS = ", ".join(f"q{k}" for k in range(1, 13))
TOTAL = ITEMS.replace(",", " +")
SQL = f"""
CREATE TABLE visits AS SELECT * FROM read_csv('PATH');
CREATE TABLE timed AS SELECT *,
  CASE visit WHEN 'Baseline' THEN 0 ELSE CAST(split_part(visit, ' ', 2) AS DOUBLE) END AS avisitn,
  min(visit_date) FILTER (visit = 'Baseline') OVER (PARTITION BY patient_id) AS trtsdt FROM visits;
CREATE TABLE records AS UNPIVOT (
  SELECT patient_id, arm, visit, avisitn, visit_date, trtsdt, {ITEMS}, fvc_pct, nfl, CAST({TOTAL} AS DOUBLE) AS total
  FROM timed)
  ON COLUMNS(* EXCLUDE (patient_id, arm, visit, avisitn, visit_date, trtsdt)) INTO NAME paramcd VALUE aval;
CREATE TABLE adqs AS SELECT r.patient_id AS usubjid, r.arm AS trt01p, r.arm AS trt01a, paramcd, r.visit AS avisit, avisitn,
  visit_date AS adt, visit_date - trtsdt + 1 AS ady, avisitn * 30.4375 AS awtarget,
  CASE WHEN avisitn = 0 THEN 'Y' END AS ablfl, 'Y' AS anl01fl, r.aval, b.base,
  CASE WHEN avisitn > 0 THEN r.aval - b.base END AS chg
  FROM records r LEFT JOIN (SELECT patient_id, paramcd, aval AS base FROM records WHERE avisitn = 0) b
  USING (patient_id, paramcd) ORDER BY r.patient_id, visit_date, paramcd;
CREATE TABLE adsl AS SELECT patient_id AS usubjid, first(arm) AS trt01p, first(age) AS age, first(sex) AS sex,
  first(onset_site) AS onsetsit, first(trtsdt) AS trtsdt, first(death_date) AS dthdt,
  (48 - max(CASE WHEN avisitn = 0 THEN {TOTAL} END)) / (first(trtsdt - onset_date) / 30.4375) AS prograte
  FROM timed GROUP BY patient_id;
CREATE TABLE adtte AS SELECT patient_id AS usubjid,
  coalesce(first(death_date), max(last_contact)) - first(trtsdt) + 1 AS aval,
  CASE WHEN first(death_date) IS NULL THEN 1 ELSE 0 END AS cnsr FROM timed GROUP BY patient_id;
DROP TABLE records; DROP TABLE timed; CHECKPOINT;
"""
OURS = """
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.study.study_file import parse_study
study = parse_study(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    start, cpu = time.perf_counter(), time.process_time()
    load([path], Workspace(Path(folder) / "ws"), study=study)
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
"""
THEIRS = """
import duckdb
with tempfile.TemporaryDirectory() as folder:
    start, cpu = time.perf_counter(), time.process_time()
    con = duckdb.connect(folder + "/x.duckdb")
    con.execute("SET enable_progress_bar = false")
    con.execute(sys.argv[2].replace("PATH", str(path)))
    con.close()
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
"""


def make_file(path: Path, rows: int) -> None:
    """A row a visit of subjects with ten visits each."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pacsv

    random = np.random.default_rng(1)
    subjects = max(rows // VISITS, 1)
    subject, visit = np.repeat(np.arange(subjects), VISITS), np.tile(np.arange(VISITS), subjects)
    start = np.datetime64("2020-01-01") + random.integers(0, 700, subjects)
    items = random.integers(1, 5, (subject.size, 12))
    death = np.where(random.random(subjects) < 0.15, start + 290, np.datetime64("NaT")).astype("datetime64[D]")
    take = lambda words, at: pa.array(words).take(pa.array(at))  # noqa: E731
    columns = {
        "patient_id": take([f"P{i:06d}" for i in range(subjects)], subject),
        "arm": take(["Placebo", "Drug 50 mg", "Drug 100 mg"], subject % 3),
        "age": pa.array(50 + subject % 25),
        "sex": take(["F", "M"], subject % 2),
        "onset_site": take(["LIMB", "BULBAR"], subject % 4 // 3),
        "onset_date": pa.array((start - 400)[subject]),
        "visit": take(["Baseline", *(f"Month {m}" for m in range(1, VISITS))], visit),
        "visit_date": pa.array(start[subject] + np.round(visit * 30.4375).astype(int)),
        **{f"q{k + 1}": pa.array(items[:, k]) for k in range(12)},
        "alsfrs_total": pa.array(items.sum(axis=1)),
        "fvc_pct": pa.array(np.round(90 - visit + random.normal(0, 5, subject.size), 1)),
        "nfl": pa.array(np.round(np.exp(4 + random.normal(0, 0.4, subject.size)), 1)),
        "death_date": pa.array(death[subject]),
        "last_contact": pa.array((start + 300)[subject]),
    }
    pacsv.write_csv(pa.table(columns), path)


def measure(step: str, path: Path, given: str, repeats: int) -> tuple[float, float, float]:
    """Best wall and CPU seconds and largest peak memory (MB), each time in a fresh process."""
    code = (
        f"import json, sys, tempfile, time\nfrom pathlib import Path\npath = Path(sys.argv[1])\n{step}"
        "peak = next(int(x.split()[1]) for x in open('/proc/self/status') if x.startswith('VmHWM'))\n"
        "print(json.dumps([took, cpu, peak / 1024]))"
    )
    command = [sys.executable, "-c", code, str(path), given]
    runs = [json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(repeats)]
    return min(r[0] for r in runs), min(r[1] for r in runs), max(r[2] for r in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "visits.csv"
        make_file(path, options.rows)
        ours, our_cpu, our_memory = measure(OURS, path, STUDY, options.repeats)
        theirs, their_cpu, their_memory = measure(THEIRS, path, SQL, options.repeats)
        print(
            f"{options.rows} rows x 25 columns, {path.stat().st_size / 2**20:.0f} MB, best of {options.repeats}\n"
            f"load with [source] {ours:6.1f} s (CPU {our_cpu:.1f} s, {our_memory:.0f} MB)\n"
            f"DuckDB, in SQL     {theirs:6.1f} s (CPU {their_cpu:.1f} s, {their_memory:.0f} MB)\n"
            f"ratio {ours / theirs:.2f} (CPU {our_cpu / their_cpu:.2f})"
        )


if __name__ == "__main__":
    main()
