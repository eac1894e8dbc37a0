"""Snapshots compared by key inside the database: against a slow comparison in Python, and in bounded memory.

The expected figures come from `by_hand`, which walks dictionaries of rows, and from what was done to the tables.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.small_trial import NOW

import alsbench.data.diff as compare
from alsbench.data.dataset import from_table
from alsbench.data.diff import TableDiff, diff
from alsbench.data.frames import ColumnInfo
from alsbench.data.load import load
from alsbench.data.publish import Builder
from alsbench.data.snapshot import open_snapshot
from alsbench.data.workspace import Workspace

Rows = list[tuple[Any, ...]]
NAMES = ("USUBJID", "PARAMCD", "AVISITN", "AVAL", "NOTE")
KINDS = ("text", "text", "number", "number", "text")
KEYS = 3


def _store(workspace: Workspace, rows: Rows, day: int, names: tuple[str, ...] = NAMES, kinds: tuple[Any, ...] = KINDS) -> None:
    """A snapshot of one table TAB, without reader or checks: as only the comparison is looked at."""
    columns = tuple(ColumnInfo(n, kind=k) for n, k in zip(names, kinds, strict=True))
    types = {"text": pa.string(), "number": pa.float64()}
    arrays = [pa.array([r[i] for r in rows], types[k]) for i, k in enumerate(kinds)]
    with Builder(workspace) as builder:
        builder.add(from_table("TAB", pa.Table.from_arrays(arrays, names=list(names)), columns=columns), "tab.csv")
        moment = NOW + timedelta(days=day)
        digest = builder.tables[0].sha256
        builder.seal(now=moment, digest=digest, data_cut=None, receipt={})
        builder.publish(builder.name(now=moment, digest=digest))


def _table(workspace: Workspace, **options: Any) -> TableDiff:
    first, second = (workspace.snapshot_path(n) for n in workspace.snapshot_names()[-2:])
    with open_snapshot(first) as old, open_snapshot(second) as new:
        (table,) = diff(old, new, **options).tables
    return table


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple("NaN" if v != v else v for v in row)


def by_hand(old: Rows, new: Rows) -> tuple[int, int, int, Counter[str], int]:
    """added, removed, changed, changes by column, rows compared whole."""
    times = [Counter(_plain(r[:KEYS]) for r in rows) for rows in (old, new)]
    shared = {k for t in times for k, n in t.items() if n > 1}
    alone = [{_plain(r[:KEYS]): r for r in rows if _plain(r[:KEYS]) not in shared} for rows in (old, new)]
    whole = [Counter(_plain(r) for r in rows if _plain(r[:KEYS]) in shared) for rows in (old, new)]
    columns: Counter[str] = Counter()
    changed = 0
    for key in alone[0].keys() & alone[1].keys():
        apart = [n for n, a, b in zip(NAMES, alone[0][key], alone[1][key], strict=True) if not _same(a, b)]
        changed += bool(apart)
        columns.update(apart)
    added = len(alone[1].keys() - alone[0].keys()) + sum((whole[1] - whole[0]).values())
    removed = len(alone[0].keys() - alone[1].keys()) + sum((whole[0] - whole[1]).values())
    return added, removed, changed, columns, sum(sum(w.values()) for w in whole)


def _random_rows(random_: random.Random, count: int) -> Rows:
    values: tuple[Any, ...] = (1.0, 2.0, None, float("nan"), 0.0, -0.0)
    return [
        (
            random_.choice([f"S{i}" for i in range(9)] + [None]),
            random_.choice(["A", "B", None]),
            random_.choice([0.0, 1.0, 2.0, 3.0, None]),
            random_.choice(values),
            random_.choice(["x", "", None, "Ünïcode", 'it\'s "quoted"']),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(25))
def test_against_a_comparison_by_hand(seed: int, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    random_ = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(compare, "CELLS", 100)  # many pieces
    workspace.create()
    old = list({_plain(r[:KEYS]): r for r in _random_rows(random_, 90)}.values())
    new = [(*r[:KEYS], *(_random_rows(random_, 1)[0][KEYS:] if random_.random() < 0.2 else r[KEYS:])) for r in old]
    new = [r for r in new if random_.random() > 0.1]
    for side in (old, new):
        side += random_.choices(side, k=random_.randint(0, 6)) if seed % 5 else []
        side += _random_rows(random_, 3)
        random_.shuffle(side)
    _store(workspace, old, 0)
    _store(workspace, new, 1)
    table = _table(workspace, shown=1000)
    added, removed, changed, columns, repeated = by_hand(old, new)
    assert table.keys == NAMES[:KEYS]
    assert (table.added, table.removed, table.changed) == (added, removed, changed)
    assert table.by_column == dict(columns)
    assert table.repeated == repeated
    assert (len(table.added_keys), len(table.removed_keys), len(table.records)) == (added, removed, changed)
    assert Counter(c for r in table.records for c in r.columns) == columns


def test_no_key_tells_rows_apart(workspace: Workspace) -> None:
    workspace.create()
    old = [("S1", "A", 1.0, float(i % 3), None) for i in range(30)]
    _store(workspace, old, 0)
    _store(workspace, [*old[1:], ("S1", "A", 1.0, float("nan"), "x")], 1)
    table = _table(workspace)
    assert (table.keys, table.added, table.removed, table.changed) == ((), 1, 1, 0)
    assert table.removed_keys == (("S1", "A", 1.0, 0.0, None),)


def test_the_same_values_in_another_order_have_no_change(workspace: Workspace) -> None:
    workspace.create()
    old = [("S1", "A", None, float("nan"), None), ("S1", "A", 1.0, 0.0, "x"), (None, None, None, 5.0, "y")]
    _store(workspace, old, 0)
    _store(workspace, [(*old[1][:3], -0.0, "x"), old[2], old[0]], 1)
    table = _table(workspace)
    assert (table.state, table.added, table.removed, table.changed, table.repeated) == ("changed", 0, 0, 0, 0)


def test_columns_that_come_go_and_change_their_kind(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "tab.csv"
    path.write_text("USUBJID,AVAL,CODE,GONE\n1,5,7,a\n2,6,8,b\n", "utf-8")
    load([path], workspace, now=NOW)
    path.write_text("USUBJID,AVAL,CODE,CAME\n1,5,x7,p\n2,7,x8,b\n", "utf-8")
    load([path], workspace, now=NOW + timedelta(days=1))
    table = _table(workspace)
    assert (table.columns_added, table.columns_removed) == (("CAME",), ("GONE",))
    assert table.columns_retyped == {"CODE": ("number", "text")}
    assert (table.changed, table.by_column) == (1, {"AVAL": 1})


def test_a_key_that_changes_its_kind_is_no_key(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "tab.csv"
    path.write_text("USUBJID,AVISITN,AVAL\n1,1,5\n1,2,6\n", "utf-8")
    load([path], workspace, now=NOW)
    path.write_text("USUBJID,AVISITN,AVAL\n1,V1,5\n1,V2,6\n", "utf-8")
    load([path], workspace, now=NOW + timedelta(days=1))
    table = _table(workspace)
    assert table.columns_retyped == {"AVISITN": ("number", "text")}
    assert (table.keys, table.added, table.removed) == ((), 0, 0)


def test_pieces_shrink_where_memory_does_not_suffice(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.create()
    old = [(f"S{i}", "A", 1.0, float(i), "x") for i in range(200)]
    _store(workspace, old, 0)
    _store(workspace, [*old[:-1], ("S199", "A", 1.0, -1.0, "x")], 1)
    real, pieces = compare.SnapshotComparison._by_key, []

    def scarce(self: Any, name: str, keys: Any, tally: Any, of: int, piece: int, repeated: int) -> None:
        pieces.append(of)
        if of < 16:
            raise duckdb.OutOfMemoryException("no")
        real(self, name, keys, tally, of, piece, repeated)

    monkeypatch.setattr(compare.SnapshotComparison, "_by_key", scarce)
    table = _table(workspace)
    assert (table.added, table.removed, table.changed) == (0, 0, 1)
    assert pieces == [1, 4, *[16] * 16]


def test_progress_is_told_and_may_cancel(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "CELLS", 100)
    workspace.create()
    _store(workspace, [(f"S{i}", "A", 1.0, 1.0, "x") for i in range(200)], 0)
    _store(workspace, [(f"S{i}", "A", 1.0, 2.0, "x") for i in range(200)], 1)
    told: list[tuple[str, int, int]] = []
    assert _table(workspace, progress=lambda *step: told.append(step)).changed == 200
    assert told == [("TAB", i, 10) for i in range(10)]

    def cancel(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _table(workspace, progress=cancel)


CHILD = """
import sys
from pathlib import Path
from alsbench.data.diff import diff
from alsbench.data.snapshot import open_snapshot
from alsbench.data.workspace import Workspace
space = Workspace(Path(sys.argv[1]))
first, second = (space.snapshot_path(n) for n in space.snapshot_names()[-2:])
with open_snapshot(first) as old, open_snapshot(second) as new:
    (t,) = diff(old, new).tables
    print(t.added, t.removed, t.changed, len(t.records), len(t.added_keys))
"""


def test_a_large_table_is_compared_in_little_memory(workspace: Workspace, tmp_path: Path) -> None:
    """400,000 rows, every one changed but the added: as Python rows they would take more than a gigabyte for both."""
    sql = (
        "COPY (SELECT 'SUBJECT-' || (i // 40) AS USUBJID, 'P' || (i % 10) AS PARAMCD, "
        "CAST((i // 10) % 4 AS DOUBLE) AS AVISITN, CAST(i AS DOUBLE) + {plus} AS AVAL, "
        "'a note of ' || i AS NOTE, CAST(i % 7 AS DOUBLE) AS BASE "
        "FROM range({first}, {last}) t(i)) TO '{path}' (FORMAT parquet)"
    )
    path = tmp_path / "big.parquet"
    for day, (plus, first) in enumerate(((0, 0), (1, 40))):
        duckdb.sql(sql.format(plus=plus, first=first, last=400_000 + first, path=path))
        load([path], workspace, now=NOW + timedelta(days=day))
    assert pq.ParquetFile(path).metadata.num_rows == 400_000
    limit = 2500 * 2**20  # of address space: libraries and their threads reserve most of it
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(workspace.path)],
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["40", "40", "399960", "20", "20"]
