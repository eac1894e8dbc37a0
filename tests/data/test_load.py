"""Loading: whole files or nothing, checked, published at once, and never at the cost of the snapshot before."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import stat
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.data.small_trial import ADQS, NOW, REFERENCE

from alsbench.data.load import load
from alsbench.data.publish import exclusive
from alsbench.data.snapshot import open_snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.study.model import Study
from alsbench.study.study_file import read_study


def _state(workspace: Workspace) -> dict[str, str]:
    """Every published file and the pointer, by content."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in workspace.snapshots_dir.iterdir() if p.name != ".lock"}


@pytest.mark.parametrize(
    ("name", "rows", "subjects", "blank_relatedness"), [("als-ref-1", 19215, 115, 15), ("als-ref-2", 42035, 424, 42)]
)
def test_reference_trials_load_without_an_error(
    workspace: Workspace, name: str, rows: int, subjects: int, blank_relatedness: int
) -> None:
    receipt = load([REFERENCE / name], workspace, study=read_study(REFERENCE / name / "study.toml"), now=NOW)
    assert receipt.rows == rows
    found = {(f.rule, f.severity): f.count for f in receipt.findings if f.severity != "note"}
    assert found == {("event-words", "warning"): blank_relatedness}  # AEREL is blank there: counted as related, and said
    assert all(f.messages == ("row count not verifiable",) for f in receipt.files)
    with workspace.open_current() as snapshot:
        assert snapshot.name == receipt.snapshot == f"20240506T070809Z-{receipt.digest[:12]}"
        assert snapshot.digest == receipt.digest
        adsl = snapshot.frame("ADSL")
        assert len(adsl) == subjects
        assert adsl.kind("TRTSDT") == "date"
        assert adsl.kind("BLNFL") == "number"
        assert adsl.kind("SITEID") == "text"
        assert set(adsl["SITEID"]) <= {f"{i:02d}" for i in range(1, 100)}, "leading zeros stay"


def test_a_receipt_says_what_came_in(workspace: Workspace, trial: Path, study: Study) -> None:
    receipt = load([trial], workspace, study=study, expect={"adqs.csv": 5, "ADSL": 3})
    by_name = {f.dataset: f for f in receipt.files}
    assert by_name["ADQS"].sha256 == hashlib.sha256(ADQS.encode()).hexdigest()
    assert by_name["ADQS"].row_count_verifiable
    assert not by_name["ADTTE"].row_count_verifiable
    assert (by_name["ADQS"].rows, by_name["ADQS"].columns) == (5, 10)
    assert "subject-unique" in receipt.passed
    assert receipt.data_cut == "2024-07-01"


def test_files_may_be_named_one_by_one(workspace: Workspace, trial: Path) -> None:
    receipt = load([trial / "adsl.csv", trial / "adsl.csv"], workspace)
    assert [f.name for f in receipt.files] == ["adsl.csv"]


def test_everything_is_closed_to_others(workspace: Workspace, trial: Path) -> None:
    load([trial], workspace)
    for path in [workspace.path, *workspace.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize(
    ("expect", "error", "says"),
    [({"adqs.csv": 6}, DataError, "6 rows were expected, the file holds 5"), ({"adqq.csv": 5}, UsageError, "adqs.csv")],
)
def test_expected_row_counts(
    workspace: Workspace, trial: Path, expect: dict[str, int], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        load([trial], workspace, expect=expect)
    assert workspace.current_name() is None


def test_a_failed_load_leaves_the_old_snapshot(workspace: Workspace, trial: Path) -> None:
    load([trial], workspace, now=NOW)
    before = _state(workspace)
    (trial / "adtte.csv").write_text("USUBJID,AVAL\n01,5\n02\n", "utf-8")
    with pytest.raises(DataError, match="row 2 has 1 fields, the header has 2"):
        load([trial], workspace)
    assert _state(workspace) == before


def test_missing_files_and_folders(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load([tmp_path / "nowhere.csv"], workspace)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no data files"):
        load([tmp_path / "empty"], workspace)
    with pytest.raises(UsageError):
        load([], workspace)
    with pytest.raises(UnavailableError, match="no data have been loaded"):
        workspace.open_current()


def test_two_files_with_one_name(workspace: Workspace, trial: Path, tmp_path: Path) -> None:
    other = tmp_path / "ADSL.csv"
    other.write_bytes((trial / "adsl.csv").read_bytes())
    with pytest.raises(DataError, match="two files hold a data set named ADSL"):
        load([trial, other], workspace)


def test_the_digest_is_of_contents_not_of_files(workspace: Workspace, trial: Path) -> None:
    first = load([trial], workspace, now=NOW)
    quoted = "\n".join(",".join(f'"{f}"' for f in line.split(",")) for line in ADQS.splitlines())
    (trial / "adqs.csv").write_text(quoted + "\n", "utf-8")
    second = load([trial], workspace, now=NOW)
    assert first.files[1].sha256 != second.files[1].sha256 or first.files[0].sha256 != second.files[0].sha256
    assert first.digest == second.digest
    assert first.snapshot != second.snapshot, "a snapshot is never overwritten"
    (trial / "adqs.csv").write_text(ADQS.replace("35,40", "36,40"), "utf-8")
    assert load([trial], workspace, now=NOW).digest != first.digest


def test_snapshots_are_current_until_the_next_load(workspace: Workspace, trial: Path) -> None:
    load([trial], workspace, now=NOW)
    with workspace.open_current() as snapshot:
        assert snapshot.is_current(workspace)
        (trial / "adqs.csv").write_text(ADQS.replace("35,40", "36,40"), "utf-8")
        load([trial], workspace)
        assert not snapshot.is_current(workspace)
        assert snapshot.count("ADQS") == 5, "the old one is still readable"
    assert len(workspace.snapshot_names()) == 2


def test_accepting_a_rule_needs_a_reason_and_is_recorded(workspace: Workspace, trial: Path, study: Study) -> None:
    doubled = ADQS + ADQS.splitlines()[-1] + "\n"
    (trial / "adqs.csv").write_text(doubled, "utf-8")
    with pytest.raises(DataError, match="share subject and AVISITN"):
        load([trial], workspace, study=study)
    for accept in ({"duplicate-visit": " "}, {"no-such-rule": "because"}):
        with pytest.raises(UsageError):
            load([trial], workspace, study=study, accept=accept)
    receipt = load([trial], workspace, study=study, accept={"duplicate-visit": "known, query open"})
    assert receipt.accepted == {"duplicate-visit": "known, query open"}
    assert receipt.for_audit()["accepted"] == receipt.accepted


def test_before_publish_may_stop_a_load(workspace: Workspace, trial: Path) -> None:
    def refuse(_: object) -> None:
        raise UnavailableError("the audit log cannot be written")

    with pytest.raises(UnavailableError):
        load([trial], workspace, before_publish=refuse)
    assert workspace.current_name() is None
    assert list(workspace.snapshots_dir.glob("*.duckdb")) == []


def test_progress_counts_rows_and_may_cancel(workspace: Workspace, trial: Path) -> None:
    seen: list[tuple[str, int]] = []
    load([trial], workspace, progress=lambda name, rows: seen.append((name, rows)))
    assert ("adqs.csv", 5) in seen

    def cancel(_name: str, _rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load([trial], workspace, progress=cancel)
    assert list(workspace.snapshots_dir.glob(".building*")) == []


def test_a_second_loader_is_told_who_loads(workspace: Workspace, trial: Path) -> None:
    workspace.create()
    with exclusive(workspace, purpose="load"), pytest.raises(UnavailableError, match=f"process {os.getpid()} ") as told:
        load([trial], workspace)
    assert told.value.exit_code == 4
    load([trial], workspace)


def test_a_damaged_pointer_or_snapshot_is_said(workspace: Workspace, trial: Path) -> None:
    name = load([trial], workspace).snapshot
    pointer = workspace.snapshots_dir / "current"
    pointer.write_text("../../etc/passwd\n")
    with pytest.raises(DataError, match="pointer"):
        workspace.open_current()
    pointer.write_text(name + "\n")
    workspace.snapshot_path(name).write_bytes(b"not a database")
    with pytest.raises(DataError, match="not a readable snapshot"):
        workspace.open_current()


KILLED = """
import sys
from pathlib import Path
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
workspace = Workspace(Path(sys.argv[2]))
print("ready", flush=True)
load([Path(sys.argv[1])], workspace)
"""


@pytest.mark.parametrize("delay", [0.01, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_killed_at_any_instant_the_old_snapshot_or_the_new_is_current(workspace: Workspace, trial: Path, delay: float) -> None:
    old = load([trial], workspace, now=NOW)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(REFERENCE / "als-ref-1"), str(workspace.path)], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    child.stdout.close()
    with workspace.open_current() as snapshot:
        assert (snapshot.name == old.snapshot) == ("ADAE" not in snapshot.tables)
        assert snapshot.count("ADSL") in (3, 115)
    load([trial], workspace)
    assert list(workspace.snapshots_dir.glob(".building*")) == []


def test_the_same_table_from_csv_and_parquet_is_the_same(workspace: Workspace, trial: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from alsbench.data.readers.files import read

    first = load([trial], workspace, now=NOW)
    twin = tmp_path / "twin"
    twin.mkdir()
    for path in trial.iterdir():
        pq.write_table(read(path)[0].table(), twin / f"{path.stem}.parquet")
    second = load([twin], workspace)
    assert second.digest == first.digest
    assert all(f.row_count_verifiable for f in second.files)


def test_large_tables_keep_their_order(workspace: Workspace, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 400_000
    pq.write_table(pa.table({"N": np.arange(rows), "T": [f"v{i % 7}" for i in range(rows)]}), tmp_path / "big.parquet")
    load([tmp_path / "big.parquet"], workspace)
    with workspace.open_current() as snapshot:
        np.testing.assert_array_equal(snapshot.frame("BIG", ["N"])["N"], np.arange(rows))
        assert snapshot.page("BIG", ["N"], offset=399_999, limit=5) == [(399_999.0,)]


def test_receipts_hold_no_values(workspace: Workspace, trial: Path) -> None:
    receipt = load([trial], workspace)
    assert "Placebo" not in repr(dataclasses.asdict(receipt)["files"])


def test_open_snapshot_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such snapshot"):
        open_snapshot(tmp_path / "x.duckdb")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.errors import UnavailableError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.dont_write_bytecode = True  # what is imported from here on would be compiled to files cut short
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    load([Path(sys.argv[1])], Workspace(Path(sys.argv[2])))
except UnavailableError as full:
    print(full.message)
"""


@pytest.mark.parametrize("size", [5_000, 300_000, 700_000])
def test_a_full_disk_is_said_and_leaves_the_old_snapshot(workspace: Workspace, trial: Path, size: int) -> None:
    """Files may not grow beyond ``size`` bytes: the database's writes fail as on a full disk."""
    load([trial], workspace, now=NOW)
    before = _state(workspace)
    command = [sys.executable, "-c", FULL_DISK, str(REFERENCE / "als-ref-1"), str(workspace.path), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    assert "cannot be written" in done.stdout
    assert _state(workspace) == before


def test_a_damaged_snapshot_is_an_error_not_a_traceback(workspace: Workspace, trial: Path) -> None:
    name = load([trial], workspace, now=NOW).snapshot
    path = workspace.snapshot_path(name)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), max(len(whole) // 40, 1)):
        path.write_bytes(whole[:place] + bytes(b ^ 0x5A for b in whole[place : place + 64]) + whole[place + 64 :])
        try:
            with workspace.open_current() as snapshot:
                assert [len(snapshot.frame(t)) for t in snapshot.tables] == [5, 3, 3]
        except DataError:
            refused += 1
    assert refused


def test_a_folder_that_cannot_be_written_is_said(trial: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(UnavailableError):
        load([trial], Workspace(blocked))


def test_names_from_data_cannot_steer_a_terminal(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("A\x1b[31m,a\x1b[31m\n1,2\n", "utf-8")
    with pytest.raises(DataError) as refused:
        load([path], workspace)
    assert "\x1b" not in refused.value.message
    path.write_text("A\x1b[31m,B\n,2\n", "utf-8")
    (finding,) = load([path], workspace).findings
    assert finding.what == "without any value: A\\x1b[31m"


def test_texts_are_stored_without_fsst(workspace: Workspace, tmp_path: Path) -> None:
    """It costs as much as all other ways of storing together; a setting at connection is ignored by the database."""
    path = tmp_path / "texts.csv"
    path.write_text("USUBJID,NOTE\n" + "".join(f"S{i},a note of subject {i}\n" for i in range(5000)), "utf-8")
    load([path], workspace, now=NOW)
    with workspace.open_current() as snapshot:
        found = snapshot.rows("SELECT DISTINCT compression FROM pragma_storage_info('TEXTS') WHERE segment_type = 'VARCHAR'")
    assert found
    assert ("FSST",) not in found


def test_a_large_text_file_tells_how_far_its_types_are_known(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read twice: first for its types. Both times may be long, both are told, both may be cancelled."""
    from alsbench.data.readers import delimited

    path = tmp_path / "big.csv"
    path.write_text("USUBJID,AVAL\n" + "".join(f"S{i},{i}\n" for i in range(20_000)), "utf-8")
    load([path], workspace, now=NOW)
    before = workspace.current_name()
    monkeypatch.setattr(delimited, "_IN_MEMORY", 1000)
    monkeypatch.setattr(delimited, "_BLOCK", 20_000)
    told: list[tuple[str, int]] = []
    load([path], workspace, now=NOW + timedelta(days=1), progress=lambda what, done: told.append((what, done)))
    kinds = list(dict.fromkeys(what for what, _ in told))
    assert kinds == ["big.csv: types", "big.csv", "checks"]
    for kind in kinds[:2]:
        steps = [done for what, done in told if what == kind]
        assert len(steps) > 5
        assert steps == sorted(steps)
        assert steps[-1] == 20_000
    assert before != workspace.current_name()
    before = workspace.current_name()
    for kind in kinds:

        def cancel(what: str, _: int, kind: str = kind) -> None:
            if what == kind:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load([path], workspace, now=NOW + timedelta(days=2), progress=cancel)
        assert workspace.current_name() == before
        assert [p.name for p in workspace.snapshots_dir.iterdir() if p.name.startswith(".building")] == []


def test_a_pipe_is_not_a_missing_file(workspace: Workspace, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "adsl.csv")
    with pytest.raises(DataError, match="a device or a pipe"):
        load([tmp_path / "adsl.csv"], workspace)
