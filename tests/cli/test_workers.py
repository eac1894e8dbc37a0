"""--workers and --cluster on the command line: the same answer, what they refuse, and what a workspace does not let out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.shared import REACHABLE
from tests.test_compute import children, gone

from alsbench.compute import LocalProcesses

Run = Callable[..., Any]
CHECK = ("scrutinise", "--subgroup", "actives", "--check", "selection", "--format", "json")
ELSEWHERE = "tcp://127.0.0.1:9"  # the port to which everything may be sent and nobody answers


@pytest.fixture
def settings(run: Run) -> Callable[[str], None]:
    def write(text: str) -> None:
        path = Path(os.environ["XDG_CONFIG_HOME"]) / "alsbench" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return write


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many workers each job was given to; they do it."""
    found: list[int] = []
    submit = LocalProcesses.submit

    def noted(self: LocalProcesses, *words: Any, **more: Any) -> Any:
        found.append(self.workers)
        return submit(self, *words, **more)

    monkeypatch.setattr(LocalProcesses, "submit", noted)
    return found


def asked(run: Run, small: Any, *words: object) -> Any:
    """A check that resamples, computed anew."""
    for kept in (small.workspace / "results").glob("*"):
        kept.unlink()
    return run(*CHECK, "-w", small.workspace, *words)


def test_the_same_bytes_with_workers_and_without(run: Run, small: Any, used: list[int], settings: Any) -> None:
    """The default is this process; the settings change it, and an option stands above them."""
    here = asked(run, small)
    assert here.code == 0 and json.loads(here.out) and used == []
    assert asked(run, small, "--workers", 2).out == here.out and set(used) == {2}
    settings("workers = 3\n")
    used.clear()
    assert asked(run, small).out == here.out and set(used) == {3}
    used.clear()
    assert asked(run, small, "--workers", 0).out == here.out and used == []
    assert children() == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--workers", "-1"), "no number of workers"),
        (("--workers", "5000"), "no number of workers"),
        (("--workers", "2", "--cluster", ELSEWHERE), "contradict each other"),
        (("--cluster", "http://node17"), "no address"),
        (("--cluster", "tcp://10.0.0.7:8786"), "not encrypted"),
        (("--cluster", "tls://node17:8786"), "TLS needs certificates"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_computed(
    run: Run, small: Any, words: tuple[str, ...], said: str
) -> None:
    ran = run(*CHECK, "-w", small.workspace, *words)
    assert (ran.code, ran.out) == (2, "") and said in ran.err


@pytest.mark.parametrize("text", ["workers = -1", "workers = true", "workers = '2'", "workers = 5000", "cluster = 3"])
def test_settings_that_cannot_be_meant(run: Run, settings: Any, text: str) -> None:
    settings(f"{text}\n")
    ran = run("config", "validate")
    assert ran.code == 2 and text.partition(" ")[0] in ran.err


def test_without_dask_everything_else_works_and_the_option_says_what_to_install(
    run: Run, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "alsbench.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run(*CHECK, "-w", small.workspace).code == 0
    ran = run(*CHECK, "-w", small.workspace, "--cluster", ELSEWHERE)
    assert ran.code == 4 and "pip install 'alsbench[cluster]'" in ran.err and ran.out == ""


# ---- what does not leave this machine


def mask(small: Any, extra: str = "") -> None:
    path = small.workspace / "study.toml"
    path.write_text(path.read_text().replace('id = "SMALL"', f'id = "SMALL"\nmask = 5\n{extra}'))


def test_a_masked_workspace_refuses_a_cluster(run: Run, small: Any) -> None:
    """Before anybody is connected with: the guard of the suite would tell."""
    mask(small)
    ran = asked(run, small, "--cluster", ELSEWHERE)
    assert (ran.code, ran.out) == (2, "") and "keeps to this machine: counts below 5 are hidden" in ran.err
    assert "cluster = true" in ran.err


def test_its_owner_may_say_otherwise(run: Run, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is that nobody answers at the address which ends it."""
    from alsbench import cluster

    monkeypatch.setattr(cluster, "PATIENCE", 1)
    mask(small, "cluster = true")
    REACHABLE.add(("127.0.0.1", 9))
    try:
        ran = asked(run, small, "--cluster", ELSEWHERE)
    finally:
        REACHABLE.discard(("127.0.0.1", 9))
    assert (ran.code, ran.out) == (4, "") and "cannot be reached" in ran.err and ELSEWHERE in ran.err


def test_a_cluster_of_the_settings_is_not_used_for_it(run: Run, small: Any, settings: Any, used: list[int]) -> None:
    """Nobody asked for it by name: it is computed here, by the workers of the settings, and said."""
    expected = asked(run, small, "--workers", 0)
    mask(small)
    settings(f'cluster = "{ELSEWHERE}"\nworkers = 2\n')
    ran = asked(run, small)
    assert ran.code == 0 and "keeps to this machine" in ran.err and set(used) == {2}
    assert json.loads(ran.out).keys() == json.loads(expected.out).keys()
    used.clear()
    assert asked(run, small, "--workers", 0).code == 0 and used == []


def test_a_mask_of_the_settings_holds_the_workspace_too(run: Run, small: Any, settings: Any) -> None:
    settings("mask = 4\n")
    ran = asked(run, small, "--cluster", ELSEWHERE)
    assert ran.code == 2 and "counts below 4 are hidden" in ran.err


def test_a_blinded_workspace_refuses_a_cluster(run: Run, small: Any, tmp_path: Path) -> None:
    blind = tmp_path / "blind"
    key = ("--blinded", "--key", tmp_path / "key.json")
    ran = run("load", small.data(), "--study", small.study, *key, "-w", blind)
    assert ran.code == 0, ran.err
    ran = run("scrutinise", "--check", "selection", "-w", blind, "--cluster", ELSEWHERE)
    assert ran.code == 2 and "keeps to this machine: it is blinded" in ran.err


# ---- Ctrl-C


def test_an_interrupt_ends_all_processes(workspace: Path) -> None:
    """As at a terminal, where Ctrl-C is for the whole process group; 130, and no worker is left."""
    (workspace / "results").unlink()  # nothing is kept: it is computed
    line = ["scrutinise", "--check", "selection", "--workers", "2", "-w", str(workspace)]
    program = f"import sys; from alsbench.__main__ import main; sys.exit(main({line!r}))"
    words, pipe = [sys.executable, "-c", program], subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, start_new_session=True) as ran:
        end = time.monotonic() + 60
        while len(children(ran.pid)) < 2 and ran.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        workers = children(ran.pid)
        assert len(workers) == 2
        os.killpg(ran.pid, signal.SIGINT)
        out, err = ran.communicate(timeout=30)
    assert (ran.returncode, out, err) == (130, b"", b"alsbench: interrupted\n")
    assert gone(workers)
