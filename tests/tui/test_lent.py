"""$PAGER or $EDITOR has the terminal: what ends the app ends that program first and leaves the terminal sane; a terminal that
goes away meanwhile leaves nothing running."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from ptyterm import Terminal  # noqa: E402 - the harness the benchmark measures with

pytestmark = pytest.mark.terminal
START = "import sys; from pathlib import Path; from alsbench.tui.launch import launch; sys.exit(launch(Path(sys.argv[1])))"
PAGER = """import os, pathlib, subprocess, sys, time
sys.stdin.read()
subprocess.run(["stty", "-icanon", "-echo"], stdin=open("/dev/tty"))
print("PAGER HAS IT", flush=True)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(120)
"""


PAGER_PID = re.compile(r"^\d+$")


def told(tmp_path: Path) -> str:
    """The pager's process, once it has the terminal."""
    path = tmp_path / "has-it"
    return path.read_text() if path.exists() else ""


@pytest.fixture
def lent(own_workspace: Path, tmp_path: Path) -> Iterator[Callable[[], Terminal]]:
    """The app with its terminal given to a pager that changes the terminal and never ends."""
    opened = []

    def start() -> Terminal:
        program = tmp_path / "pager.py"
        program.write_text(PAGER)
        terminal = Terminal.start(
            [sys.executable, "-c", START, str(own_workspace)],
            env={
                "XDG_STATE_HOME": str(tmp_path),
                "NO_COLOR": "",
                "PAGER": shlex.join([sys.executable, str(program), f"{tmp_path}/has-it"]),
            },
        )
        opened.append(terminal)
        terminal.wait("vs Placebo, month 12")
        terminal.send(b"2", quiet=0.3)
        terminal.wait("five doses")
        terminal.send(b"P")
        terminal.wait(lambda _: PAGER_PID.search(told(tmp_path)) is not None)
        return terminal

    yield start
    for terminal in opened:
        terminal.stop()


def ended(pids: list[int], seconds: float = 30.0) -> bool:
    """Whether programs end within a time; a parent has yet to hear of some."""
    end = time.monotonic() + seconds
    while any(alive(p) for p in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_the_app_ends_its_pager(lent: Callable[[], Terminal], tmp_path: Path, number: int) -> None:
    term = lent()
    pager = int(told(tmp_path))
    held = os.open(f"/proc/{term.process.pid}/fd/0", os.O_RDWR | os.O_NOCTTY)  # a terminal nobody holds forgets its settings
    os.kill(term.process.pid, number)
    term.read(10.0, quiet=1.0)
    term.process.wait()
    assert term.process.exitstatus == 128 + number
    assert ended([pager])
    assert b"\x1b[?1049l" in bytes(term.found).split(b"PAGER HAS IT")[1], "the main screen is back"
    flags = termios.tcgetattr(held)[3]
    os.close(held)
    assert flags & termios.ICANON, "lines again"
    assert flags & termios.ECHO, "and what is typed is seen"
    log = next((tmp_path / "alsbench" / "sessions").glob("*.jsonl"))
    assert log.read_text().endswith('{"action":"go","screen":"arms"}\n')


def test_a_terminal_that_goes_away_leaves_nothing_running(lent: Callable[[], Terminal], tmp_path: Path) -> None:
    term = lent()
    app = term.process.pid
    pager = int(told(tmp_path))
    term.process.fileobj.close()
    term.process.closed = True
    assert ended([app, pager])
    log = next((tmp_path / "alsbench" / "sessions").glob("*.jsonl"))
    assert log.read_text().endswith('{"action":"go","screen":"arms"}\n')


def test_told_to_go_on_without_having_stopped_it_reads_with_one_thread(own_workspace: Path, tmp_path: Path) -> None:
    """As ``kill -CONT`` does, and the system where a terminal hangs up: keys stay whole, and the app still ends."""
    env = {"XDG_STATE_HOME": str(tmp_path), "NO_COLOR": ""}
    term = Terminal.start([sys.executable, "-c", START, str(own_workspace)], env=env)
    app = term.process.pid
    try:
        term.wait("vs Placebo, month 12")
        term.read(3.0, quiet=1.0)
        before = len(list(Path(f"/proc/{app}/task").iterdir()))
        for _ in range(3):
            os.kill(app, signal.SIGCONT)
            term.read(2.0, quiet=0.5)
        assert len(list(Path(f"/proc/{app}/task").iterdir())) <= before
        term.send(b"2", quiet=0.3)
        term.wait("five doses")
        term.send(b"q", quiet=0.3)
        assert ended([app])
    finally:
        term.stop()
