"""Snapshots listed, compared, restored and pruned."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from tests.data.small_trial import ADQS, ADSL, NOW

from alsbench.data.diff import as_json, diff
from alsbench.data.library import find, open_named, prune, restore, snapshots
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.errors import UsageError


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


def test_listed_newest_first(workspace: Workspace, three: tuple[str, ...]) -> None:
    listed = snapshots(workspace)
    assert [s.name for s in listed] == list(reversed(three))
    assert [s.current for s in listed] == [True, False, False]
    assert listed[-1].tables == (("ADQS", 5), ("ADSL", 3), ("ADTTE", 3))
    assert listed[0].data_cut == "2024-10-01"
    workspace.snapshot_path(three[0]).write_bytes(b"broken")
    assert snapshots(workspace)[-1].fault == "the file is not a readable snapshot"


def test_found_by_name_hash_or_place(workspace: Workspace, three: tuple[str, ...]) -> None:
    assert find(workspace, three[1]) == three[1]
    assert find(workspace, "20240507") == three[1]
    assert find(workspace, three[1].split("-")[1][:6]) == three[1]
    assert find(workspace, "current") == three[2]
    assert find(workspace, "previous") == three[1]
    for text in ("2024", "nothing", ""):
        with pytest.raises(UsageError):
            find(workspace, text)


def test_what_changed_is_told_by_key(workspace: Workspace, three: tuple[str, ...]) -> None:
    with open_named(workspace, three[0]) as old, open_named(workspace, three[1]) as new:
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
    assert json.loads(as_json(result))["tables"][0]["table"] == "ADQS"


def test_tables_and_columns_that_come_and_go(workspace: Workspace, three: tuple[str, ...]) -> None:
    with open_named(workspace, three[1]) as old, open_named(workspace, three[2]) as new:
        by_table = {t.table: t for t in diff(old, new).tables}
        assert diff(new, new).same
    assert (by_table["ADTTE"].state, by_table["ADTTE"].removed) == ("removed", 3)
    assert (by_table["ADSL"].columns_added, by_table["ADSL"].columns_removed) == (("RATE",), ("LEADRATE",))


def test_rows_without_a_key_are_compared_whole(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("A,B\n1,2\n1,2\n3,4\n")
    load([path], workspace, now=NOW)
    path.write_text("A,B\n1,2\n3,5\n")
    load([path], workspace, now=NOW + timedelta(days=1))
    with open_named(workspace, "previous") as old, open_named(workspace, "current") as new:
        (table,) = diff(old, new).tables
    assert (table.keys, table.added, table.removed, table.changed) == ((), 1, 2, 0)


def test_restoring_and_pruning(workspace: Workspace, three: tuple[str, ...]) -> None:
    assert restore(workspace, "previous") == three[1]
    assert workspace.current_name() == three[1]
    with workspace.open_current() as reader:
        assert prune(workspace, keep=1) == (three[0],), "the current one stays although it is not the newest"
        assert reader.count("ADSL") == 3
    assert workspace.snapshot_names() == three[1:]
    with pytest.raises(UsageError):
        prune(workspace, keep=0)
