"""An operation exported writes the bytes and the log entry of its shell command; Python gets the tables of the shell."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.service.test_python import SAMPLE, load_sample, shell
from tests.shared import workspace_copy
from tests.shell import run_here

import alsbench as als
from alsbench.audit.workspace_identity import identify
from alsbench.service import audit_log, claims, endpoint, evidence, scrutiny, snapshots, subgroups, subjects, tables
from alsbench.service.access import Access
from alsbench.service.output import Output, export

SUBJECT = "ALSDEMO-01-1001"


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """The sample trial in a workspace that a test may change."""
    return Path(shutil.copytree(workspace_copy(tmp_path_factory, "demo", load_sample), tmp_path / "trial", symlinks=True))


VIEWS: list[tuple[Callable[..., Output], dict[str, Any], str, str]] = [
    (endpoint.endpoint, {"name": "cafs", "subgroups": ["slow"], "mask": 5}, "endpoint cafs --subgroup slow --mask 5", "csv"),
    (endpoint.endpoint, {"name": "survival", "model": True}, "endpoint survival --model", "html"),
    (endpoint.life_table, {"name": "survival"}, "endpoint survival --curve", "tsv"),
    (endpoint.rank_reasons, {"name": "cafs", "subject": SUBJECT}, f"endpoint cafs --why {SUBJECT}", "table"),
    (endpoint.safety, {"mask": 5}, "safety --mask 5", "rtf"),
    (evidence.evidence, {"subgroups": ["slow"], "mask": 5}, "evidence --subgroup slow --mask 5", "table"),
    (evidence.forest, {"name": "nfl"}, "forest nfl", "json"),
    (scrutiny.scrutinise, {"checks": ["overall"], "mask": 20}, "scrutinise --check overall --mask 20", "json"),
    (claims.claims, {"file": SAMPLE / "claims.toml", "mask": 5}, f"claims {SAMPLE}/claims.toml --mask 5", "csv"),
    (tables.tables, {"mask": 30}, "data --mask 30", "md"),
    (tables.rows, {"table": "ADSL", "where": "AGE > 60"}, "data ADSL --where 'AGE > 60'", "csv"),
    (tables.columns, {"table": "ADSL"}, "data ADSL --columns", "table"),
    (subjects.arms, {"subgroup": "slow", "mask": 20}, "arms --subgroup slow --mask 20", "table"),
    (subjects.subject, {"subject_id": SUBJECT}, f"subject {SUBJECT}", "json"),
    (subgroups.listed, {"mask": 5}, "subgroup list --mask 5", "csv"),
    (subgroups.described, {"name": "not slow"}, "subgroup show 'not slow'", "md"),
    (tables.check, {"mask": 5}, "check --mask 5", "json"),
    (snapshots.snapshots, {}, "snapshots", "table"),
    (snapshots.diff, {"old": "current"}, "diff current", "json"),
    (audit_log.looks_seen, {}, "audit looks", "table"),
]


@pytest.mark.parametrize(("operation", "arguments", "words", "form"), VIEWS, ids=[v[2].split(" --")[0] for v in VIEWS])
def test_an_export_is_what_the_shell_writes(
    own: Path, tmp_path: Path, operation: Callable[..., Output], arguments: dict[str, Any], words: str, form: str
) -> None:
    line = [*shlex.split(words), "--format", form, "-o", tmp_path / "view", "-w", own, "-q"]
    code = run_here(line).code
    theirs = (tmp_path / "view").read_bytes()
    entered = last(own)
    made = export(Access(own, held=identify(own), named=True), operation, tmp_path / "view", form, **arguments)
    assert code == (1 if made.failed else 0)
    assert theirs and (tmp_path / "view").read_bytes() == theirs
    assert (tmp_path / "view").stat().st_mode & 0o077 == 0
    assert last(own) == entered


def last(workspace: Path) -> tuple[str, dict[str, Any]]:
    """What the log says last, but for when."""
    entry = json.loads((workspace / "audit.jsonl").read_text().splitlines()[-1])
    return entry["action"], entry["facts"]


def test_what_cannot_be_masked_or_written_is_refused_and_nothing_written(own: Path, tmp_path: Path) -> None:
    access, target = Access(own, held=identify(own)), tmp_path / "view.csv"
    for operation, arguments in (
        (tables.rows, {"table": "ADSL"}),
        (subjects.subject, {"subject_id": SUBJECT}),
        (endpoint.life_table, {"name": "survival"}),
        (snapshots.diff, {"old": "current"}),
    ):
        with pytest.raises(als.UsageError, match="cannot be masked"):
            export(access, operation, target, "csv", **arguments, mask=5)
    with pytest.raises(als.UsageError, match="there is no docx form"):
        export(access, subjects.arms, target, "docx")
    assert not target.exists()


def test_python_gets_the_tables_of_the_shell(own: Path) -> None:
    trial = als.open(own)
    for call, words in (
        (lambda: trial.subject(SUBJECT), f"subject {SUBJECT}"),
        (
            lambda: trial.rank_reasons("cafs", SUBJECT, comparison="G2-M12"),
            f"endpoint cafs --why {SUBJECT} --comparison G2-M12",
        ),
        (lambda: {"curve": trial.life_table("survival", subgroup="slow")}, "endpoint survival --curve --subgroup slow"),
        (lambda: {"snapshots": trial.snapshots()}, "snapshots"),
        (lambda: trial.diff("current", results=False), "diff current --no-results"),
        (lambda: {"plan": trial.lock()}, "lock --show"),
        (lambda: {"departures": trial.departures()}, "lock --verify"),
        (lambda: {"audit": trial.log()}, "audit"),
        (trial.looks, "audit looks"),
    ):
        frames = call()
        printed = shell(*shlex.split(words), "-w", own)
        for sheet, (name, frame) in zip([printed, *printed.get("more", ())], frames.items(), strict=True):
            assert sheet["table"] == name and sheet["columns"] == list(frame.columns)
            mine = [[None if v is None or v != v else v for v in row] for row in frame.astype(object).to_numpy().tolist()]
            assert mine == [list(row.values()) for row in sheet["rows"]], (words, name)
            assert frame.attrs["title"] == sheet["title"]


def test_a_report_from_python_is_that_of_the_shell(own: Path, tmp_path: Path) -> None:
    trial = als.open(own)
    written = trial.report(tmp_path / "r.md", endpoints=["cafs"], subgroups=["slow"], mask=5)
    entered = last(own)
    line = ["report", "--endpoint", "cafs", "--subgroup", "slow", "--mask", "5", "-w", own, "-q", "-o", tmp_path / "s.md"]
    assert run_here(line).code == 0
    assert written.read_text() == (tmp_path / "s.md").read_text()
    assert entered[0] == "export" and entered[1] == {**last(own)[1], "file": "r.md"}
    with pytest.raises(als.UsageError, match=r"nothing is written as \.pdf"):
        trial.report(tmp_path / "r.pdf")
    with pytest.raises(als.AlsbenchError, match="slwo"):
        trial.report(tmp_path / "x.md", subgroups=["slwo"])
    assert not (tmp_path / "x.md").exists()
