"""What changed between two snapshots is told by key, and whole where there is none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.data.small_trial import ADQS, ADSL, NOW

from alsbench.data.diff import diff
from alsbench.data.load import load
from alsbench.data.snapshot import Snapshot, open_snapshot
from alsbench.data.workspace import Workspace


def opened(workspace: Workspace, name: str) -> Snapshot:
    return open_snapshot(workspace.snapshot_path(name))


@pytest.fixture
def three(workspace: Workspace, trial: Path) -> tuple[str, ...]:
    """Three loads a day apart, the trial changing a little each time."""
    names = [load([trial], workspace, now=NOW).snapshot]
    changed = (
        ADQS.replace("35,40,-5", "34,40,-6").rsplit("\n", 2)[0]
        + "\n"
        + "02,ALSFRSR,ALSFRS-R Total,Month 9,9,2024-10-01,40,42,-2,\n"
    )
    (trial / "adqs.csv").write_text(changed, "utf-8")
    names.append(load([trial], workspace, now=NOW + timedelta(days=1)).snapshot)
    (trial / "adsl.csv").write_text(ADSL.replace("LEADRATE", "RATE"), "utf-8")
    (trial / "adtte.csv").unlink()
    names.append(load([trial], workspace, now=NOW + timedelta(days=2)).snapshot)
    return tuple(names)


def test_what_changed_is_told_by_key(workspace: Workspace, three: tuple[str, ...]) -> None:
    with opened(workspace, three[0]) as old, opened(workspace, three[1]) as new:
        result = diff(old, new)
    by_table = {t.table: t for t in result.tables}
    assert by_table["ADSL"].state == by_table["ADTTE"].state == "same"
    adqs = by_table["ADQS"]
    assert adqs.keys == ("USUBJID", "PARAMCD", "AVISITN")
    assert (adqs.added, adqs.removed, adqs.changed) == (1, 1, 1)
    assert adqs.added_keys == (("02", "ALSFRSR", 9.0),)
    assert adqs.removed_keys == (("03", "ALSFRSR", 0.0),)
    assert adqs.records[0].key == ("01", "ALSFRSR", 6.0)
    assert adqs.records[0].columns == {"AVAL": (35.0, 34.0), "CHG": (-5.0, -6.0)}
    assert adqs.by_column == {"AVAL": 1, "CHG": 1}
    assert not result.same


def test_tables_and_columns_that_come_and_go(workspace: Workspace, three: tuple[str, ...]) -> None:
    with opened(workspace, three[1]) as old, opened(workspace, three[2]) as new:
        by_table = {t.table: t for t in diff(old, new).tables}
        assert diff(new, new).same
    assert (by_table["ADTTE"].state, by_table["ADTTE"].removed) == ("removed", 3)
    assert by_table["ADSL"].renamed == {"LEADRATE": "RATE"}
    assert (by_table["ADSL"].columns_added, by_table["ADSL"].columns_removed) == ((), ())


def test_rows_without_a_key_are_compared_whole(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("A,B\n1,2\n1,2\n3,4\n")
    first = load([path], workspace, now=NOW).snapshot
    path.write_text("A,B\n1,2\n3,5\n")
    second = load([path], workspace, now=NOW + timedelta(days=1)).snapshot
    with opened(workspace, first) as old, opened(workspace, second) as new:
        (table,) = diff(old, new).tables
    assert (table.keys, table.added, table.removed, table.changed) == ((), 1, 2, 0)
