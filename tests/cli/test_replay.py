"""A recorded session prints the tables its views showed, without a terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alsbench.tui import actions as act
from alsbench.tui.session_log import SessionLog

Run = Callable[..., Any]


@pytest.fixture
def log(workspace: Path, tmp_path: Path) -> Path:
    """A session: evidence, an endpoint in a subgroup, the same again, the arms, one subject."""
    made = SessionLog(tmp_path / "session.jsonl", workspace)
    start = act.Open("REF", "x", "FAS", ("slow",), "alsfrs_ancova", "Group 1")
    for action in (
        start,
        act.GoTo("endpoint"),
        act.SetVisit(6.0),
        act.SetVisit(None),
        act.GoTo("arms"),
        act.OpenSubject(3),
    ):
        made.append(action)
    made.close()
    return made.path


def test_each_view_is_printed_as_its_command_prints_it(run: Run, log: Path) -> None:
    listed = run("replay", log, "--list").out.splitlines()
    assert len(listed) == 5
    assert len(set(listed)) == 5
    ran = run("replay", log)
    assert ran.code == 0, ran.err
    at = 0
    for line in listed:
        import shlex

        alone = run(*shlex.split(line)[1:], "-q")
        at = ran.out.index(f"$ {line}\n{alone.out}", at)


def test_json_is_one_document(run: Run, log: Path) -> None:
    found = run("replay", log, "--format", "json").json
    assert [f["exit_code"] for f in found] == [0] * 5
    assert found[1]["output"]["question"]["endpoint"] == "alsfrs_ancova"
    assert found[4]["command"].split()[1] == "subject"


def test_a_view_that_is_gone_says_why_and_the_rest_is_printed(run: Run, log: Path, workspace: Path) -> None:
    study = workspace / "study.toml"
    study.write_text(study.read_text().replace('name = "slow"', 'name = "slower"'))
    ran = run("replay", log)
    assert ran.code == 2
    assert "slow" in ran.out
    assert ran.out.count("$ alsbench") == 5


def test_what_is_no_session_log_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n")
    assert run("replay", path).code == 3
    assert run("replay", tmp_path / "none").code == 3


def test_no_terminal_library_is_imported(log: Path) -> None:
    code = (
        "import sys\nfrom alsbench.__main__ import main\n"
        f"main(['replay', {str(log)!r}, '-q'])\nsys.exit('textual' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_an_interrupt_ends_the_whole_replay(run: Run, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def stopped(*_args: object, **_more: object) -> None:
        asked.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr("alsbench.analysis.source.open_source", stopped)
    assert run("replay", log).code == 130
    assert asked == [1]
