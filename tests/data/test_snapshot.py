"""Reading a snapshot: typed columns, stable order, bound conditions, and no way out of the file."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.small_trial import NOW

from alsbench.data.load import load
from alsbench.data.snapshot import LOCK_DOWN, Snapshot, open_snapshot
from alsbench.data.sql import constant, fill, quote
from alsbench.data.workspace import Workspace
from alsbench.errors import UnavailableError, UsageError
from alsbench.study.sql import Where


@pytest.fixture
def snapshot(workspace: Workspace, trial: Path) -> Snapshot:
    load([trial], workspace, now=NOW)
    return workspace.open_current()


def test_kinds_become_arrays(snapshot: Snapshot) -> None:
    frame = snapshot.frame("adsl")
    assert [frame.kind(n) for n in frame.names] == ["text", "text", "text", "text", "number", "date"]
    assert frame["LEADRATE"].dtype == np.float64
    np.testing.assert_array_equal(frame["LEADRATE"], [0.8, 1.1, np.nan])
    assert frame["TRTSDT"].dtype == np.dtype("datetime64[D]")
    assert frame["TRTSDT"][2] == np.datetime64("2024-01-02")
    assert list(frame["USUBJID"]) == ["01", "02", "03"]
    assert list(snapshot.frame("ADQS")["ABLFL"]) == ["Y", None, "Y", None, "Y"]
    with pytest.raises(ValueError, match="read-only"):
        frame["LEADRATE"][0] = 1
    assert list(frame.take(np.array([2, 0]))["USUBJID"]) == ["03", "01"]


def test_conditions_orders_and_pages(snapshot: Snapshot) -> None:
    slow = Where('"LEADRATE" <= ?', (0.8,))
    assert snapshot.count("ADSL", slow) == 1
    np.testing.assert_array_equal(snapshot.truth("ADSL", slow), [1, 0, np.nan])
    np.testing.assert_array_equal(snapshot.truth("ADSL", slow, ["-USUBJID"]), [np.nan, 0, 1])
    assert list(snapshot.frame("ADSL", ["USUBJID"], order_by=["-LEADRATE"])["USUBJID"]) == ["02", "01", "03"]
    assert list(snapshot.frame("ADSL", ["USUBJID"], order_by=["TRT01P"])["USUBJID"]) == ["02", "03", "01"], "ties in load order"
    assert snapshot.page("ADSL", ["USUBJID", "TRTSDT"], offset=1, limit=1) == [("02", dt.date(2024, 1, 1))]
    assert len(snapshot.frame("ADSL", where=Where('"TRT01P" = ?', ("x' OR 1=1 --",)))) == 0


def test_unknown_names_are_refused_with_the_nearest(snapshot: Snapshot) -> None:
    for call in (
        lambda: snapshot.frame("ADSK"),
        lambda: snapshot.frame("ADSL", ["LEADRAT"]),
        lambda: snapshot.frame("ADSL", order_by=["LEADRAT"]),
        lambda: snapshot.count('ADSL"; DROP TABLE "ADSL'),
    ):
        with pytest.raises(UsageError, match=r"did you mean|known:"):
            call()


def test_many_threads_read_at_once(snapshot: Snapshot) -> None:
    found: list[tuple[int, int]] = []

    def work() -> None:
        for _ in range(30):
            found.append((len(snapshot.frame("ADQS")), snapshot.count("ADSL", Where('"FASFL" = ?', ("Y",)))))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(5, 3)] * 240


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "COPY \"ADSL\" TO '/tmp/alsbench-leak.csv'",
        "ATTACH '/tmp/alsbench-leak.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET threads = 1",
        'DELETE FROM "ADSL"',
        "CREATE TABLE x AS SELECT 1",
        'DROP TABLE "ADSL"',
        "EXPORT DATABASE '/tmp/alsbench-leak'",
        "SELECT * FROM frames",
    ],
)
def test_no_statement_leaves_or_changes_the_file(snapshot: Snapshot, sql: str) -> None:
    frames = {"x": [1]}  # a local name DuckDB would otherwise read
    assert frames
    with pytest.raises(duckdb.Error):
        snapshot.cursor().execute(sql)
    assert snapshot.count("ADSL") == 3


def test_a_query_is_bounded_in_memory(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert snapshot.rows("SELECT current_setting('memory_limit'), current_setting('temp_directory')") == [("953.6 MiB", "")]
    snapshot.close()
    monkeypatch.setitem(LOCK_DOWN, "memory_limit", "20MB")
    with open_snapshot(snapshot.path) as bounded:
        with pytest.raises(UnavailableError, match="more memory than the database may take") as told:
            bounded.rows("SELECT range AS n FROM range(5000000) ORDER BY hash(n)")
        assert told.value.why == "at most 20MB"
        assert bounded.count("ADSL") == 3, "the next query finds the snapshot as it was"
    assert not [p for p in snapshot.path.parent.iterdir() if "tmp" in p.name], "no records are written beside it"


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.dates(), st.none()))
def test_a_value_is_nothing_but_a_value(value: object) -> None:
    if isinstance(value, str):
        value = value.encode("utf-8", "ignore").decode().replace("\0", "")
    (back,) = duckdb.sql(f"SELECT {constant(value)} AS v").fetchall()[0]
    if isinstance(value, float) and np.isnan(value):
        assert np.isnan(back)
    else:
        assert back == (float(value) if isinstance(value, int) and abs(value) >= 2**63 else value)


@given(st.text(max_size=30), st.text(max_size=30))
def test_names_and_values_never_become_sql(name: str, value: str) -> None:
    name = name.encode("utf-8", "ignore").decode().replace("\0", "") or "x"
    value = value.encode("utf-8", "ignore").decode().replace("\0", "")
    sql = fill(f"SELECT ? AS {quote(name)}, '?' AS q", (value,))
    assert duckdb.sql(sql).fetchall() == [(value, "?")]


def test_placeholders_and_values_must_agree() -> None:
    for params in ((), (1, 2)):
        with pytest.raises(ValueError, match="placeholders"):
            fill('"a?b" = ?', params)
    with pytest.raises(TypeError):
        constant(object())
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0")


def test_opening_imports_neither_pandas_nor_pyarrow(workspace: Workspace, trial: Path) -> None:
    load([trial], workspace)
    code = (
        "import sys; from pathlib import Path; from alsbench.study.sql import Where\n"
        "from alsbench.data.workspace import Workspace\n"
        f"s = Workspace(Path({str(workspace.path)!r})).open_current()\n"
        "s.frame('ADSL'); s.truth('ADSL', Where('\"TRT01P\" = ? AND \"LEADRATE\" < ?', ('Active', 1.0)))\n"
        "s.page('ADQS', None, offset=0, limit=3, where=Where('\"AVAL\" > ?', (1.0,)))\n"
        "print(sorted({'pandas', 'pyarrow', 'scipy', 'statsmodels', 'pyreadstat'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
