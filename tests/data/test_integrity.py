"""A snapshot that was changed after it was published is found, and the table is named."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from alsbench.data import publish
from alsbench.data.integrity import file_sha256, snapshot_faults, table_sha256
from alsbench.data.load import load
from alsbench.data.receipt import Receipt
from alsbench.data.snapshot import open_snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, PublishedError, UnavailableError

SUBJECTS = "USUBJID,AGE,FASFL,TRTSDT\n" + "".join(
    f"S{i:03},{40 + i % 30},{'Y' if i % 7 else ''},2023-01-{1 + i % 28:02}\n" for i in range(300)
)
SCORES = "USUBJID,AVISITN,AVAL\n" + "".join(f"S{i % 300:03},{i // 300},{i % 48}.5\n" for i in range(1500))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Receipt]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "adsl.csv").write_text(SUBJECTS)
    (folder / "adqs.csv").write_text(SCORES)
    space = Workspace(tmp_path_factory.mktemp("ws"))
    return space, load([folder], space)


@pytest.fixture
def copy(loaded: tuple[Workspace, Receipt], tmp_path: Path) -> tuple[Path, Receipt]:
    """The snapshot's file, which a test may change, and what was published."""
    space, receipt = loaded
    path = tmp_path / f"{receipt.snapshot}.duckdb"
    shutil.copyfile(space.snapshot_path(receipt.snapshot), path)
    return path, receipt


def faults(path: Path, receipt: Receipt, *, bytes_known: bool = True) -> list[tuple[str, str]]:
    found = snapshot_faults(path, digest=receipt.digest, sha256=receipt.sha256 if bytes_known else "")
    return [(f.table, f.what) for f in found]


def test_what_was_published_has_no_faults(copy: tuple[Path, Receipt]) -> None:
    path, receipt = copy
    assert faults(path, receipt) == faults(path, receipt, bytes_known=False) == []
    assert receipt.sha256 == file_sha256(path), "the file is hashed as it is published"
    with open_snapshot(path) as snapshot:
        for info in snapshot.tables.values():
            assert table_sha256(snapshot, info) == info.sha256


EDITED = "UPDATE alsbench_meta.snapshot SET content = replace(content, '{old}', '{other}')"
CHANGES = {
    "a value": ("UPDATE main.ADQS SET AVAL = AVAL + 1 WHERE rowid = 700", "ADQS", "contents"),
    "the last bit of a value": ("UPDATE main.ADQS SET AVAL = nextafter(AVAL, 1e9) WHERE rowid = 3", "ADQS", "contents"),
    "a value made missing": ("UPDATE main.ADQS SET AVAL = NULL WHERE rowid = 3", "ADQS", "contents"),
    "a text": ("UPDATE main.ADSL SET FASFL = 'N' WHERE rowid = 1", "ADSL", "contents"),
    "a date": ("UPDATE main.ADSL SET TRTSDT = TRTSDT + 1 WHERE rowid = 1", "ADSL", "contents"),
    "a row less": ("DELETE FROM main.ADQS WHERE rowid = 1499", "ADQS", "contents"),
    "a row more": ("INSERT INTO main.ADQS SELECT * FROM main.ADQS LIMIT 1", "ADQS", "contents"),
    "two rows exchanged": (
        "CREATE TABLE x AS SELECT * FROM main.ADQS ORDER BY rowid DESC; DROP TABLE main.ADQS; ALTER TABLE x RENAME TO ADQS",
        "ADQS",
        "contents",
    ),
    "a column renamed": ("ALTER TABLE main.ADSL RENAME COLUMN AGE TO AGEX", "ADSL", "columns"),
    "a column more": ("ALTER TABLE main.ADSL ADD COLUMN SEX VARCHAR", "ADSL", "columns"),
    "a column less": ("ALTER TABLE main.ADSL DROP COLUMN AGE", "ADSL", "columns"),
    "a column of another type": ("ALTER TABLE main.ADSL ALTER AGE TYPE VARCHAR", "ADSL", "columns"),
    "a table gone": ("DROP TABLE main.ADQS", "ADQS", "gone"),
    "a table more": ("CREATE TABLE main.ADAE AS SELECT 1 AS one", "ADAE", "added"),
    "a table renamed": ("ALTER TABLE main.ADQS RENAME TO ADQX", "ADQX", "added"),
    "a view in the place of a table": (
        "ALTER TABLE main.ADQS RENAME TO OLD; CREATE VIEW main.ADQS AS SELECT USUBJID, AVISITN, AVAL + 1 AS AVAL FROM OLD",
        "ADQS",
        "contents",
    ),
    "a table of another schema": ("CREATE SCHEMA s; CREATE TABLE s.ADSL AS SELECT 1 AS one", "ADSL", "added"),
    "the description's digest": (EDITED.replace("{old}", "{digest}"), "", "another snapshot"),
    "the description's hash of a table": (EDITED.replace("{old}", "{adqs}"), "", "its digest is not that of its tables"),
    "the description": ("UPDATE alsbench_meta.snapshot SET content = '{}'", "", "opened"),
    "no description": ("DELETE FROM alsbench_meta.snapshot", "", "opened"),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "table", "word"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("bytes_known", [True, False], ids=["with the file's hash", "of an older log"])
def test_every_kind_of_change_is_named(copy: tuple[Path, Receipt], sql: str, table: str, word: str, bytes_known: bool) -> None:
    path, receipt = copy
    with open_snapshot(path) as snapshot:
        adqs = snapshot.tables["ADQS"].sha256
    for name, value in (("{digest}", receipt.digest), ("{other}", "0" * 64), ("{adqs}", adqs)):
        sql = sql.replace(name, value)
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)
    found = faults(path, receipt, bytes_known=bytes_known)
    assert [what for name, what in found if name == table and word in what], found
    if bytes_known:
        assert ("", "the bytes of the file are not those that were published") in found
    assert {name for name, _ in found} <= {"", table, "ADQS", "OLD", "ADSL"}


def test_every_flipped_byte_is_found(copy: tuple[Path, Receipt]) -> None:
    """All over the file, dead space too: its bytes are hashed."""
    path, receipt = copy
    whole = path.read_bytes()
    chosen = random.Random(1)
    for place in [0, len(whole) - 1, *(chosen.randrange(len(whole)) for _ in range(40))]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << chosen.randrange(8))]) + whole[place + 1 :])
        assert faults(path, receipt)[0] == ("", "the bytes of the file are not those that were published"), place


def test_another_snapshot_under_a_name_is_not_opened(copy: tuple[Path, Receipt], tmp_path: Path) -> None:
    (tmp_path / "adsl.csv").write_text("USUBJID,AGE\nS1,50\n")
    space = Workspace(tmp_path / "other")
    other = load([tmp_path / "adsl.csv"], space)
    path, receipt = copy
    shutil.copyfile(space.snapshot_path(other.snapshot), path)
    with pytest.raises(DataError, match="another snapshot"):
        open_snapshot(path)
    assert any("another snapshot" in what for _, what in faults(path, receipt))


LEFT_OPEN = """
import os, sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("PRAGMA disable_checkpoint_on_shutdown")
connection.execute("PRAGMA wal_autocheckpoint = '1GB'")
connection.execute("UPDATE main.ADQS SET AVAL = AVAL + 1 WHERE rowid = 3")
os._exit(0)
"""


def test_changes_that_lie_beside_a_snapshot_are_not_taken_for_its_end(copy: tuple[Path, Receipt]) -> None:
    """The database reads a log of changes beside its file, even one opened read-only; the file itself stays as it was."""
    path, receipt = copy
    subprocess.run([sys.executable, "-c", LEFT_OPEN, str(path)], check=True)
    assert Path(f"{path}.wal").exists()
    assert file_sha256(path) == receipt.sha256
    with pytest.raises(DataError, match="lie beside it"):
        open_snapshot(path)
    assert any("lie beside it" in what for _, what in faults(path, receipt))


# -- a disk that fails just before and just after ---------------------------------------------------------------------


def failing(number: int, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Make the ``number``-th confirmation that something is on disk fail, as a broken disk does."""
    done: list[Path] = []
    sync = publish._sync

    def broken(path: Path) -> None:
        done.append(path)
        if len(done) == number:
            raise OSError(5, os.strerror(5))
        sync(path)

    monkeypatch.setattr(publish, "_sync", broken)
    return done


@pytest.fixture
def again(tmp_path: Path) -> Callable[[], Receipt]:
    """Loads once, and hands over how to load something else into the same workspace."""
    path = tmp_path / "adsl.csv"
    path.write_text("USUBJID,AGE\nS1,50\n")
    load([path], Workspace(tmp_path / "ws"))
    path.write_text("USUBJID,AGE\nS1,51\n")
    return lambda: load([path], Workspace(tmp_path / "ws"))


@pytest.mark.parametrize("number", [1, 2])
def test_a_disk_that_fails_before_the_pointer_leaves_the_old_snapshot(
    again: Callable[[], Receipt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    space = Workspace(tmp_path / "ws")
    before, names = space.current_name(), space.snapshot_names()
    failing(number, monkeypatch)
    with pytest.raises(UnavailableError, match="cannot be written") as caught:
        again()
    assert not isinstance(caught.value, PublishedError)
    assert (space.current_name(), space.snapshot_names()) == (before, names), "nothing is left that was not there"
    assert sorted(p.name for p in space.snapshots_dir.iterdir() if p.name != ".lock") == sorted([f"{before}.duckdb", "current"])


def test_a_disk_that_fails_after_the_pointer_says_that_the_snapshot_is_published(
    again: Callable[[], Receipt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Workspace(tmp_path / "ws")
    before = space.current_name()
    done = failing(3, monkeypatch)
    with pytest.raises(PublishedError, match="is published and current") as caught:
        again()
    assert len(done) == 3
    name = space.current_name()
    assert name != before
    assert str(name) in caught.value.what
    assert caught.value.exit_code == 4
    with space.open_current() as snapshot:
        assert snapshot.frame("ADSL")["AGE"].tolist() == [51.0]
