"""A browsed table: its order is found once, every page comes by row numbers, and a text is found wherever it stands.

Expected rows are those of the database's own ORDER BY ... LIMIT ... OFFSET, and of a walk through all rows in Python.
"""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from tests.data.small_trial import NOW
from tests.shell import run_here

import alsbench.data.row_order as browsing
from alsbench.data.load import load
from alsbench.data.row_order import TextMatches, row_order, search_chunks
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace
from alsbench.study.expression import parse
from alsbench.study.sql import compile_sql

ROWS = 30_000
COLUMNS = ("USUBJID", "PARAMCD", "AVAL", "ADT", "NOTE")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("browse")
    path = folder / "big.parquet"
    duckdb.sql(
        f"COPY (SELECT 'S' || (hash(i) % 900) AS USUBJID, chr(CAST(65 + i % 7 AS INTEGER)) AS PARAMCD, "
        f"CASE WHEN i % 11 = 0 THEN NULL ELSE CAST(hash(i * 3) % 500 AS DOUBLE) / 4 END AS AVAL, "
        f"DATE '2024-01-01' + CAST(i % 97 AS INTEGER) AS ADT, CASE WHEN i % 1000 = 7 THEN 'Ünïcode 50% off_' || i END AS NOTE "
        f"FROM range({ROWS}) t(i)) TO '{path}' (FORMAT parquet)"
    )
    space = Workspace(folder / "workspace")
    load([path], space, now=NOW)
    with space.open_current() as opened:
        yield opened


@pytest.mark.parametrize("order_by", [(), *((sign + c,) for c in COLUMNS for sign in ("", "-")), ("PARAMCD", "-AVAL")])
@pytest.mark.parametrize("text", ["", "AVAL > 60 and PARAMCD != 'C'", "AVAL > 1000"])
def test_pages_are_those_of_the_database(snapshot: Snapshot, order_by: tuple[str, ...], text: str) -> None:
    where = compile_sql(parse(text), {**snapshot.table("BIG").kinds}, {}) if text else None
    rows = row_order(snapshot, "BIG", where=where, order_by=order_by)
    assert rows.count == snapshot.count("BIG", where)
    for offset in (0, 199, rows.count // 2, rows.count - 50, rows.count, rows.count + 7):
        wanted = snapshot.page("BIG", None, offset=max(offset, 0), limit=200, where=where, order_by=order_by)
        assert rows.page(snapshot, None, offset=offset, limit=200) == wanted


def test_a_page_sorts_nothing_and_keeps_four_bytes_a_row(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = row_order(snapshot, "BIG", order_by=("NOTE", "-AVAL"))
    assert rows.ids is not None
    assert rows.ids.nbytes == 4 * ROWS
    asked: list[str] = []
    real = Snapshot.rows
    monkeypatch.setattr(Snapshot, "rows", lambda self, sql, params=(): asked.append(sql) or real(self, sql, params))
    rows.page(snapshot, None, offset=ROWS - 200, limit=200)
    (sql,) = asked
    assert "ORDER BY" not in sql
    assert "OFFSET" not in sql
    assert row_order(snapshot, "BIG").ids is None


@pytest.mark.parametrize("text", ["s12", "B", "17.25", "2024-02-1", "ünïcode", "50% off_", "nothing at all", "NaN", "'; DROP"])
@pytest.mark.parametrize("start", [0, 12_345, ROWS - 1])
def test_a_text_is_found_in_every_column(snapshot: Snapshot, text: str, start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "PIECE", 7_000)
    info = snapshot.table("BIG")

    def holds(value: Any) -> bool:
        if isinstance(value, float):
            try:
                return value == float(text)
            except ValueError:
                return False
        return value is not None and text.lower() in str(value).lower()

    everything = snapshot.page("BIG", None, offset=0, limit=ROWS)
    by_hand = [i for i, row in enumerate(everything) if any(holds(v) for v in row)]
    pieces = list(search_chunks(snapshot, info, text, start=start))
    assert sum(n for _, n, _ in pieces) == ROWS
    assert pieces[0][0] == start // 7_000 * 7_000
    found = np.sort(np.concatenate([p for _, _, p in pieces]))
    assert found.tolist() == by_hand
    for order_by in (("-AVAL",), ("USUBJID",)):
        rows = row_order(snapshot, "BIG", order_by=order_by)
        places = rows.places(found)
        assert rows.ids is not None
        assert sorted(rows.ids[places].tolist()) == by_hand
        assert places.tolist() == sorted(places.tolist())


def test_hits_go_round() -> None:
    hits = TextMatches("x", np.array([3, 7, 9]), np.array([3, 7, 9]))
    assert [hits.after(p) for p in (0, 3, 4, 9, 10)] == [0, 0, 1, 2, 0]
    assert [hits.before(p) for p in (0, 3, 4, 9, 10)] == [2, 2, 0, 1, 2]
    assert [p in hits for p in (2, 3, 8, 9, 10)] == [False, True, False, True, False]
    assert TextMatches("x", np.empty(0, np.int64), np.empty(0, np.int64)).after(0) is None


def test_rows_come_in_the_order_of_their_numbers(snapshot: Snapshot) -> None:
    numbers = random.Random(3).sample(range(ROWS), 50)
    everything = snapshot.page("BIG", None, offset=0, limit=ROWS)
    assert snapshot.rows_by_id("BIG", None, numbers) == [everything[i] for i in numbers]
    assert snapshot.rows_by_id("BIG", ["AVAL"], []) == []


def test_an_interrupt_stops_one_thread_only(snapshot: Snapshot) -> None:
    slow = "SELECT count(*) FROM range(300000) a, range(1000000) b WHERE hash(a.range, b.range) = 0"
    ended: dict[str, str] = {}

    def run(name: str, sql: str) -> None:
        try:
            snapshot.rows(sql)
            ended[name] = "done"
        except duckdb.InterruptException:
            ended[name] = "interrupted"

    threads = {name: threading.Thread(target=run, args=(name, slow)) for name in ("one", "two")}
    for thread in threads.values():
        thread.start()
    _wait(lambda: len(snapshot._running) == 2)
    time.sleep(0.2)  # both are inside the database
    snapshot.interrupt(threads["one"].ident)
    threads["one"].join(20)
    assert ended == {"one": "interrupted"}
    assert threads["two"].is_alive()
    snapshot.interrupt()
    threads["two"].join(20)
    assert ended == {"one": "interrupted", "two": "interrupted"}
    assert snapshot.count("BIG") == ROWS


def _wait(ready: Any) -> None:
    end = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_shell_sorts_a_table_once(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    import alsbench.service.tables as command

    monkeypatch.setattr(command, "PAGE", 1_000)
    sorts: list[Any] = []
    real = Snapshot.row_ids
    monkeypatch.setattr(Snapshot, "row_ids", lambda self, *a, **o: sorts.append(o["order_by"]) or real(self, *a, **o))
    workspace = Path(snapshot.path).parent.parent
    ran = run_here(["data", "BIG", "--order-by", "-AVAL", "--format", "csv", "-w", workspace])
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert len(lines) == ROWS + 1
    assert len(sorts) == 1
    values = [float(line.split(",")[2]) for line in lines[1:] if line.split(",")[2]]
    assert values == sorted(values, reverse=True)
