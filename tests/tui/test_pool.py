"""Answers in processes: the same bits, cancelled at once, nobody waits behind a long fit, what dies is said, nothing is left.

The long fit is of an unstructured covariance over sixty visits (1,830 parameters): it takes minutes, so that a test which sees
it end in seconds has seen it cancelled.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.shared import workspace_copy
from tests.test_compute import children, gone

from alsbench.analysis.source import Source, open_source
from alsbench.audit.log import append, entries
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.errors import AlsbenchError
from alsbench.processes import Companion
from alsbench.tui.answers import AnswerKey, Answers, CheckKey, PieceKey, Question, compute_or_fault
from alsbench.tui.app import Workbench
from alsbench.tui.pool import MOST_DEATHS, Pool
from alsbench.tui.worker import Job, Jobs

LONG = Question("long")
PATIENCE = 120.0  # seconds, on a busy machine, for what takes one or two
STUDY = """schema = 1
[study]
id = "SIXTY"
title = "Sixty visits"
[arms]
planned = "TRT01P"
actual = "TRT01P"
order = ["A", "P"]
reference = "P"
[populations]
FAS = "FASFL"
default = "FAS"
[visits]
unit = "week"
number = "AVISITN"
baseline = 0
[[comparisons]]
treatment = "A"
horizon = 3
primary = true
"""
ENDPOINT = """
[endpoints.{}]
title = "{}"
dataset = "ADQS"
paramcd = "T"
method = "mmrm"
better = "higher"
covariance = "{}"
"""


class Nobody:
    """An app that reads no messages."""

    def post_message(self, _message: Any) -> bool:
        return True


def load_sixty(folder: Path) -> None:
    """100 subjects of two arms, 60 weekly visits, none missing."""
    draw = random.Random(1)
    folder.mkdir()
    study = STUDY + ENDPOINT.format("short", "Three visits", "cs") + "visits = [1, 2, 3]\n"
    (folder / "study.toml").write_text(study + ENDPOINT.format("long", "Sixty visits", "us"))
    subjects, records = ["USUBJID,TRT01P,FASFL"], ["USUBJID,PARAMCD,AVISITN,AVISIT,AVAL,BASE,CHG"]
    for i in range(100):
        subjects.append(f"S{i:03},{'AP'[i % 2]},Y")
        level = base = draw.gauss(40, 3)
        for visit in range(61):
            level += draw.gauss(-0.2, 1) if visit else 0
            records.append(f"S{i:03},T,{visit},Week {visit},{level:.3f},{base:.3f},{level - base:.3f}")
    files = folder / "adsl.csv", folder / "adqs.csv"
    for path, lines in zip(files, (subjects, records), strict=True):
        path.write_text("\n".join(lines) + "\n")
    space = Workspace(folder)
    space.create()
    append(space.audit_path, "load", load(list(files), space, study=space.read_study()).for_audit())


@pytest.fixture
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace_copy(tmp_path_factory, "sixty", load_sixty)


@pytest.fixture
def pooled(request: pytest.FixtureRequest) -> Any:
    """A pool on a source that keeps nothing, closed at the end; what it says is in ``heard``."""

    def opened(workspace: Path, processes: int = 1, shown: Callable[[], str] = lambda: "panel") -> tuple[Pool, Source]:
        source = replace(open_source(workspace), results_dir=None)
        pool = Pool(Answers(), processes, shown, heard.append)
        request.addfinalizer(source.snapshot.close)
        request.addfinalizer(pool.close)
        pool.open(source)
        return pool, source

    heard: list[str] = []
    opened.heard = heard  # type: ignore[attr-defined]
    return opened


def job(panel: str = "panel") -> Job:
    return Job(panel, 1, panel, Nobody())  # type: ignore[arg-type]


def until(true: Callable[[], Any], what: str = "") -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def in_background(pool: Pool, keys: list[AnswerKey], source: Source, who: Job) -> Any:
    """Ask in a thread, as a job does."""
    app: Any = Nobody()
    jobs = Jobs(app)
    return jobs.start(who.panel, "", lambda mine: list(pool.answered(keys, source, mine)))


def running(pool: Pool, text: str) -> Callable[[], bool]:
    return lambda: "1 running" in pool.state() and text in pool.state()


def test_the_same_bits_as_in_this_process(workspace: Path, pooled: Any) -> None:
    """Every endpoint of the sample trial, its evidence in a subgroup, and a check: equal, not close."""
    pool, source = pooled(workspace, 2)
    names = list(source.study.endpoints)
    keys: list[AnswerKey] = [Question(n, ("slow",)) for n in names]
    keys += [PieceKey(n, "slow") for n in names]
    keys.append(CheckKey("disposition", "slow", "alsfrs"))
    asked = list(pool.answered([*keys, keys[0]], source, job()))
    assert sorted(map(repr, asked)) == sorted(map(repr, keys)), "each once"
    here = replace(source)
    for key in keys:
        found, wanted = pool.answers.get(key), compute_or_fault(key, here)
        assert repr(found) == repr(wanted), key
        assert type(found) is type(wanted)
    assert not pooled.heard


def test_a_fit_of_sixty_visits_ends_when_it_is_cancelled(sixty: Path, pooled: Any) -> None:
    pool, source = pooled(sixty)
    asked = in_background(pool, [LONG], source, job())
    until(running(pool, "long overall"), "never begun")
    (before,) = pool.pids
    begun = time.monotonic()
    asked.stop.set()
    for interrupt in asked.interrupts:
        interrupt(asked.thread)
    pool.sweep()
    assert gone({before}, within=5.0), "budget 0.3 s"
    assert time.monotonic() - begun < 5.0
    assert pool.answers.get(LONG) is None
    assert not pool.state()
    assert list(pool.answered([Question("short")], source, job())) == [Question("short")], "another process took its place"
    assert not pooled.heard, "it is no death that was our doing"


def test_what_the_screen_shown_asks_does_not_wait_behind_a_long_fit(sixty: Path, pooled: Any) -> None:
    shown = ["hidden"]
    pool, source = pooled(sixty, 1, lambda: shown[0])
    hidden = in_background(pool, [LONG, Question("short", ("overall",), df="residual")], source, job("hidden"))
    until(running(pool, "long overall"))
    shown[0] = "panel"
    assert list(pool.answered([Question("short")], source, job())) == [Question("short")]
    assert pool.answers.get(LONG) is None
    until(running(pool, "long overall"), "it begins anew when there is room")
    assert "1 waiting" in pool.state()
    hidden.stop.set()
    for interrupt in hidden.interrupts:
        interrupt(hidden.thread)
    pool.sweep()
    assert not pool.state()


def test_what_two_ask_is_computed_once_and_goes_on_when_one_leaves(sixty: Path, pooled: Any) -> None:
    pool, source = pooled(sixty)
    one, other = (in_background(pool, [LONG], source, job(name)) for name in ("panel", "other"))
    until(running(pool, "long overall"))
    until(lambda: one.interrupts and other.interrupts)
    time.sleep(0.1)
    (before,) = pool.pids
    one.stop.set()
    for interrupt in one.interrupts:
        interrupt(one.thread)
    pool.sweep()
    assert pool.state() == "1 running: long overall"
    assert pool.pids == (before,)
    other.stop.set()
    for interrupt in other.interrupts:
        interrupt(other.thread)
    assert gone({before}, within=10.0), "in a moment, without a sweep"


def test_a_process_that_dies_is_said_and_its_question_asked_again(sixty: Path, pooled: Any) -> None:
    pool, source = pooled(sixty)
    asked = in_background(pool, [LONG, Question("short")], source, job())
    for death in range(1, MOST_DEATHS + 1):
        until(running(pool, "long overall"))
        until(lambda: pool.pids)
        time.sleep(0.2)
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)  # as the kernel does where memory is short
        assert gone({pid})
        if death < MOST_DEATHS:
            until(lambda: pooled.heard)
    until(lambda: pool.answers.get(LONG) is not None)
    lost = pool.answers.get(LONG)
    assert pooled.heard == ["a process that computed ended by signal 9: long overall is computed again"]
    assert isinstance(lost, AlsbenchError)
    assert "2 processes ended while they computed long overall" in lost.message
    assert "by signal 9" in lost.message
    until(lambda: pool.answers.get(Question("short")) is not None, "the next question is answered")
    assert not isinstance(pool.answers.get(Question("short")), AlsbenchError)
    assert not asked.cancelled


def test_without_processes_the_answers_are_computed_here(sixty: Path, pooled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under a limit of processes (RLIMIT_NPROC), which does not hold for root: what fork then says."""

    def refused(*_: Any, **__: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    pool, source = pooled(sixty, 2)
    assert list(pool.answered([Question("short")], source, job())) == [Question("short")]
    assert not isinstance(pool.answers.get(Question("short")), AlsbenchError)
    assert not pool.apart(source)
    (said,) = pooled.heard
    assert said.startswith("answers are computed in this process, one after the other:")
    assert "Resource temporarily unavailable" in said


@pytest.mark.skipif(os.getuid() == 0 or sys.platform != "linux", reason="root has no limit of processes")
def test_a_limit_of_processes_refuses_them() -> None:
    """What the test above says of fork is so."""
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, before[1]))
    try:
        with pytest.raises(BlockingIOError):
            Companion(print)
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, before)


def test_a_changed_study_is_what_is_asked(own_workspace: Path, pooled: Any) -> None:
    """A subgroup that is added while the processes are open, as the app opens the workspace again."""
    pool, source = pooled(own_workspace, 1)
    key = Question("baseline", ("young",))
    list(pool.answered([key], source, job()))
    assert isinstance(pool.answers.get(key), AlsbenchError), "there is no such subgroup yet"
    study = own_workspace / "study.toml"
    study.write_text(study.read_text() + '\n[[subgroups]]\nname = "young"\nwhere = "AGE < 50"\n')
    (pid,) = pool.pids
    other = replace(open_source(own_workspace), results_dir=None)
    pool.answers.clear()
    pool.open(other)
    try:
        list(pool.answered([key], other, job()))
        assert repr(pool.answers.get(key)) == repr(compute_or_fault(key, replace(other)))
        assert not isinstance(pool.answers.get(key), AlsbenchError)
        assert pool.pids == (pid,), "by the same process"
    finally:
        other.snapshot.close()


# ---- in the app


async def shows(app: Workbench, text: Callable[[], str], *words: str) -> str:
    end = time.monotonic() + PATIENCE
    while not all(word in text() for word in words):
        assert time.monotonic() < end, text()
        await asyncio.sleep(0.05)
    return text()


async def test_cancelled_it_says_so_and_r_asks_again(
    sixty: Path, tui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``^c`` on a long fit that took the place of another endpoint's table: no other question's numbers stand there, other
    screens answer while it runs, nothing is copied or exported, and the same again with ``r``."""
    app = Workbench(sixty, audit=False, processes=1)
    text = lambda: tui.text(app)  # noqa: E731
    async with app.run_test(size=(110, 24)) as pilot:
        await shows(app, lambda: str(app.opened is not None), "True")
        await app.keys.run_line("endpoint short")
        await pilot.press("4")
        await shows(app, text, "Three visits", "Week 3")
        await app.keys.run_line("endpoint long")
        running = await shows(app, text, "1 running, 1 waiting: long overall", "^c cancels")  # and of Evidence, behind it
        assert "stale: being computed" in running.splitlines()[1]
        assert "not copied: it is still being computed" in await said(app, pilot, text, "Y")
        await pilot.press("2")
        await shows(app, text, "Arms", "1 running, 1 waiting: long overall")
        await pilot.press("4")
        before = set(app.pool.pids)
        await pilot.press("ctrl+c")
        assert gone(before, within=5.0)
        cancelled = await shows(app, text, "cancelled 2 running")
        assert "cancelled: r asks again" in cancelled.splitlines()[1]
        assert "Sixty visits" in cancelled.splitlines()[1]
        assert "overall: cancelled; r asks again" in cancelled
        assert "Week" not in cancelled, "of the endpoint before"
        assert app.exporter.shell_command().startswith("alsbench endpoint long")
        assert "not copied: cancelled" in await said(app, pilot, text, "Y")
        target = tmp_path / "long.html"
        app.exporter.export(str(target))
        await shows(app, text, "not exported: cancelled")
        assert not target.exists()
        await pilot.press("r")
        await shows(app, text, "1 running: long overall")
        await pilot.press("ctrl+c")
        await shows(app, text, "cancelled 1 running")
        left = children()
        assert left >= set(app.pool.pids)
    assert gone(left), "none outlives the app"


async def said(app: Workbench, pilot: Any, text: Callable[[], str], key: str) -> str:
    """What the status says after a key; work that runs says its own there."""
    await pilot.press(key)
    await pilot.pause()
    return str(app._status)


async def test_the_log_is_as_without_processes(here: Path, tui: Any) -> None:
    """Evidence, an endpoint and a check looked at: the same entries, each once, whoever computed."""
    found = []
    for processes in (0, 1):
        log = here / "audit.jsonl"
        log.write_text("".join(log.read_text().splitlines(keepends=True)[:1]))
        app = Workbench(here, audit=True, processes=processes)
        async with app.run_test(size=(110, 30)) as pilot:
            await tui.settle(pilot)
            await tui.press(pilot, "4", ":endpoint svc", ":subgroup.toggle bulbar", "5")
        told = [(e.action, {k: v for k, v in e.facts.items() if k not in ("at", "time")}) for e in entries(log)]
        found.append(sorted(map(repr, told)))
    assert len(found[0]) > 3
    assert found[0] == found[1]


START = "import sys; from pathlib import Path; from alsbench.tui.launch import launch; sys.exit(launch(Path(sys.argv[1])))"


@pytest.mark.terminal
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_no_process_outlives_the_app(sixty: Path, ending: signal.Signals) -> None:
    """Killed in the middle of a long fit, or its terminal hung up."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", START, str(sixty)])
    try:
        found: set[int] = set()
        end = time.monotonic() + PATIENCE

        def computing() -> bool:
            drain(terminal)
            found.update(children(child))
            return any(busy(pid) for pid in found)

        os.set_blocking(terminal, False)
        until(computing, "no process computes")
        assert time.monotonic() < end
        os.kill(child, ending)
        until(lambda: drain(terminal) or os.waitpid(child, os.WNOHANG)[0] == child, "the app ends")
        assert gone(found, within=60.0)
    finally:
        os.close(terminal)


def drain(terminal: int) -> None:
    """Read what the app paints, so that it can go on."""
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:
        return


def busy(pid: int) -> bool:
    """Whether a process has computed for more than starting takes."""
    try:
        used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]
    except OSError:
        return False
    return int(used) / os.sysconf("SC_CLK_TCK") > 4.0
