"""Blocks in other processes: their order, what goes wrong in them, and that none of them outlives what it is for."""

from __future__ import annotations

import math
import operator
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alsbench.compute import IN_PROCESS, MOST_DEATHS, Compute, LocalProcesses
from alsbench.errors import UnavailableError, UsageError
from alsbench.progress import listening
from alsbench.stats.errors import StatsError
from alsbench.stats.selection_bias import subjects_per_arm


def children(of: int | None = None) -> set[int]:
    """The running processes that a process (default: this one) started."""
    mine = of or os.getpid()
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if int(parent) == mine and state != "Z":
            found.add(int(path.parent.name))
    return found


def gone(pids: set[int], within: float = 10.0) -> bool:
    """Whether all of them end in time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not any(Path(f"/proc/{pid}").exists() and "Z" not in _state(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


asleep = (signal.sigtimedwait, (signal.SIGUSR1,))  # of a function and what is shared: a block is so many seconds


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.fixture
def two() -> Iterator[LocalProcesses]:
    made = LocalProcesses(2)
    yield made
    made.close()
    assert children() == set()


def test_results_come_in_the_order_of_the_blocks(two: LocalProcesses) -> None:
    """Powers of 2; the second job follows in the same two processes."""
    backs: tuple[Compute, ...] = (IN_PROCESS, two)
    for back in backs:
        assert list(back.submit(math.pow, 2.0, range(60))) == [2.0**k for k in range(60)]
    started = children()
    assert len(started) == 2
    assert list(two.submit(operator.add, 1, [5, 4, 3])) == [6, 5, 4] and children() == started
    assert list(two.submit(operator.add, 1, [])) == list(IN_PROCESS.submit(operator.add, 1, [])) == []


def test_more_workers_than_blocks_are_not_started() -> None:
    many = LocalProcesses(9)
    try:
        assert list(many.submit(operator.add, 1, [1, 2])) == [2, 3] and len(children()) == 2
    finally:
        many.close()


@pytest.mark.parametrize("workers", [-1, 0, 5000])
def test_a_number_of_workers_that_cannot_be_meant(workers: int) -> None:
    with pytest.raises(UsageError, match="no number of workers"):
        LocalProcesses(workers)


def test_what_a_function_raises_is_raised_at_its_block(two: LocalProcesses) -> None:
    """1/2, 1/1, then 1/0: the third result raises what Python raises, in process and elsewhere; and the workers go on."""
    for back in (IN_PROCESS, two):
        results = back.submit(operator.truediv, 1, [2, 1, 0, 4])
        assert [next(results), next(results)] == [0.5, 1.0]
        with pytest.raises(ZeroDivisionError):
            next(results)
        assert list(back.submit(operator.truediv, 1, [4])) == [0.25]


def test_errors_with_words_arrive_as_they_are(two: LocalProcesses) -> None:
    from functools import partial

    asked = partial(subjects_per_arm, n_treated=3, n_reference=3, power=0.8)
    with pytest.raises(StatsError, match="effect of zero"):
        list(two.submit(asked, 0.0, [1.0]))
    fault = pickle.loads(pickle.dumps(UsageError("what", where="here", why="why", hint="hint")))
    assert (fault.what, fault.where, fault.why, fault.hint, fault.exit_code) == ("what", "here", "why", "hint", 2)


def test_a_block_that_kills_its_worker_again_and_again_is_given_up(two: LocalProcesses) -> None:
    """``os.kill(0, SIGKILL)`` ends the worker's process group, which is the worker."""
    with pytest.raises(UnavailableError) as fault:
        list(two.submit(os.kill, 0, [signal.SIGKILL]))
    assert str(MOST_DEATHS) in fault.value.what and "signal 9" in fault.value.why and fault.value.exit_code == 4
    assert list(two.submit(operator.add, 1, [1])) == [2]


def test_workers_that_were_killed_while_they_had_nothing_to_do(two: LocalProcesses) -> None:
    assert list(two.submit(operator.add, 1, [1, 2, 3])) == [2, 3, 4]
    dead = children()
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    assert gone(dead)
    assert list(two.submit(operator.add, 1, [1, 2, 3])) == [2, 3, 4]


def test_a_listener_is_told_and_may_end_the_work(two: LocalProcesses) -> None:
    class EnoughError(Exception):
        """The listener's own."""

    told: list[tuple[str, int, int]] = []
    with listening(lambda *words: told.append(words)):
        assert list(IN_PROCESS.submit(operator.add, 1, [1, 2], title="sums")) == [2, 3]
    assert told == [("sums", 0, 2), ("sums", 1, 2), ("sums", 2, 2)]

    def enough(_title: str, _done: int, _total: int) -> None:
        if len(children()) == 2 and time.monotonic() > begun + 0.3:
            raise EnoughError

    begun = time.monotonic()
    with listening(enough), pytest.raises(EnoughError):
        list(two.submit(*asleep, [60.0, 60.0]))
    assert children() == set() and time.monotonic() < begun + 30


def test_results_that_nobody_takes_end_their_workers(two: LocalProcesses) -> None:
    results = two.submit(*asleep, [0.0, 60.0])
    assert next(results) is None and len(children()) == 2
    results.close()  # type: ignore[attr-defined]
    assert len(children()) <= 1
    assert list(two.submit(operator.add, 1, [1, 2])) == [2, 3]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_whoever_started_them(ending: signal.Signals) -> None:
    """In the middle of a block of a minute, whatever ends their parent."""
    program = (
        "import signal, sys\nfrom alsbench.compute import LocalProcesses\nfrom alsbench.progress import listening\n"
        "told = lambda *_: print('.', flush=True)\n"
        "with listening(told):\n"
        "    list(LocalProcesses(2).submit(signal.sigtimedwait, (signal.SIGUSR1,), [60.0, 60.0]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        for _ in range(5):  # by the fifth tick both have their block
            assert parent.stdout.readline()
        workers = children(parent.pid)
        assert len(workers) == 2
        parent.send_signal(ending)
        assert parent.wait(20) != 0
    assert gone(workers)


def test_a_script_without_a_guard_is_not_run_again(tmp_path: Path) -> None:
    """What `multiprocessing` would do to it, where it does not fork."""
    script = tmp_path / "mine.py"
    script.write_text(
        "import operator\nfrom alsbench.compute import LocalProcesses\nprint('once')\n"
        "print(list(LocalProcesses(2).submit(operator.add, 1, [1, 2])))\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["once", "[2, 3]"]


def test_a_worker_brings_only_what_its_function_needs(two: LocalProcesses) -> None:
    """The seam itself brings no library, and gives BLAS one thread."""
    (brought,) = two.submit(eval, "sorted(m for m in __import__('sys').modules if '.' not in m)", [{}])
    assert not {"numpy", "duckdb", "pandas", "textual", "typer", "pydantic"} & set(brought)
    words = "[__import__('os').environ[n] for n in ('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS')]"
    assert list(two.submit(eval, words, [{}])) == [["1", "1", "1"]]
