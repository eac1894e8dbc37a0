"""Two deliveries of a million records compared, beside DuckDB's own EXCEPT of the same two tables in the same run.

``python benchmarks/bench_reconcile.py [ROWS]``. The tables have ten columns (subject, parameter, visit, its label, three
numbers, a date, a flag, an age group). In the second, 19 records are missing, 3,711 values are one unit in the last place
off and 40 differ by one; then once more with every age group coded, and with every number off in the last place. EXCEPT
tells which rows of one are not in the other: both ways are what a comparison needs at least. ``diff`` also finds the key,
pairs the records, and classes each value. The least of three runs each, in turns.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from alsbench.data.dataset import from_table
from alsbench.data.diff import diff
from alsbench.data.frames import ColumnInfo
from alsbench.data.publish import Builder
from alsbench.data.snapshot import open_snapshot
from alsbench.data.workspace import Workspace
from alsbench.study.sql import Kind

KINDS: dict[str, Kind] = {"AVISITN": "number", "AVAL": "number", "BASE": "number", "CHG": "number", "ADT": "date"}
RUNS = 3


def table(rows: int, kind: str) -> pa.Table:
    """The first delivery (``kind`` empty), or what became of it."""
    draw = np.random.default_rng(3)
    subject = np.repeat(np.arange(rows // 100 + 1), 100)[:rows]
    visit = (np.arange(rows) % 20).astype(float)
    parameter = np.arange(rows) // 20 % 5
    aval, base = draw.normal(40, 5, rows), np.repeat(draw.normal(40, 5, rows // 20 + 1), 20)[:rows]
    change = aval - base
    if kind:
        where = np.random.default_rng(5).choice(rows, size=min(3711, rows), replace=False)
        aval[where] = np.nextafter(aval[where], np.inf)
        aval[np.random.default_rng(9).choice(rows, size=40, replace=False)] += 1
    if kind == "all noise":
        aval, base, change = (np.nextafter(v, np.inf) for v in (aval, base, change))
    groups = ("1", "2") if kind == "recoded" else ("<65", ">=65")
    columns = {
        "USUBJID": pa.array([f"SITE-{s:06d}" for s in subject.tolist()]),
        "PARAMCD": pa.array([f"PAR{p}" for p in parameter.tolist()]),
        "AVISITN": pa.array(visit),
        "AVISIT": pa.array([f"Month {int(v)}" for v in visit.tolist()]),
        "AVAL": pa.array(aval),
        "BASE": pa.array(base),
        "CHG": pa.array(change),
        "ADT": pa.array((18000 + visit * 30).astype("int32")).cast(pa.date32()),
        "ANL01FL": pa.array(["Y"] * rows),
        "AGEGR1": pa.array([groups[s % 2] for s in subject.tolist()]),
    }
    made = pa.table(columns)
    return made.slice(19) if kind else made


def store(workspace: Workspace, made: pa.Table, day: int) -> Path:
    columns = tuple(ColumnInfo(n, kind=KINDS.get(n, "text")) for n in made.column_names)
    with Builder(workspace) as builder:
        builder.add(from_table("TAB", made, columns=columns), "tab.parquet")
        now, digest = datetime(2026, 1, day, tzinfo=UTC), builder.tables[0].sha256
        builder.seal(now=now, digest=digest, data_cut=None, receipt={})
        name = builder.name(now=now, digest=digest)
        builder.publish(name)
    return workspace.snapshot_path(name)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(first: Path, second: Path) -> tuple[float, float, float, str]:
    """Seconds of EXCEPT one way, both ways, and of ``diff``; and what it found."""
    connection = duckdb.connect(":memory:", config={"threads": 2})
    for name, path in (("a", first), ("b", second)):
        connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")

    def one() -> object:
        return connection.execute("SELECT count(*) FROM (SELECT * FROM a.TAB EXCEPT SELECT * FROM b.TAB)").fetchall()

    def other() -> object:
        return connection.execute("SELECT count(*) FROM (SELECT * FROM b.TAB EXCEPT SELECT * FROM a.TAB)").fetchall()

    times: list[tuple[float, float, float]] = []
    said = ""
    with open_snapshot(first) as old, open_snapshot(second) as new:
        for _ in range(RUNS):
            way, back = seconds(one), seconds(other)
            start = time.perf_counter()
            (found,) = diff(old, new).tables
            times.append((way, way + back, time.perf_counter() - start))
            said = f"{found.removed} removed, {found.changed} changed, {found.noise} by noise"
    return min(t[0] for t in times), min(t[1] for t in times), min(t[2] for t in times), said


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        workspace.create()
        first = store(workspace, table(rows, ""), 1)
        print(f"{rows:,} rows, 10 columns; seconds, least of {RUNS}")
        print(f"{'second delivery':<16}{'EXCEPT':>8}{'both ways':>11}{'diff':>8}{'/ EXCEPT':>10}{'/ both':>8}  found")
        for day, kind in enumerate(("some", "recoded", "all noise"), start=2):
            way, both, ours, said = compare(first, store(workspace, table(rows, kind), day))
            print(f"{kind:<16}{way:>8.2f}{both:>11.2f}{ours:>8.2f}{ours / way:>10.2f}{ours / both:>8.2f}  {said}")


if __name__ == "__main__":
    main()
