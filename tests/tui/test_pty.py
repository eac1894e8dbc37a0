"""The app on a real pty: it starts, obeys keys, leaves the terminal sane, spends few bytes, and refuses where it cannot run."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

ROOT = Path(__file__).resolve().parents[2]
START = (
    "import sys; from pathlib import Path; from alsbench.tui.launch import run; "
    "sys.exit(run(Path(sys.argv[1]), ascii='a' in sys.argv[2]))"
)
BYTES_PER_CURSOR_KEY = 300
BYTES_PER_PAGE = 5000
SGR = re.compile(rb"\x1b\[([0-9;]*)m")

_spec = importlib.util.spec_from_file_location("bench_tui", ROOT / "benchmarks" / "bench_tui.py")
assert _spec is not None
assert _spec.loader is not None
bench_tui = importlib.util.module_from_spec(_spec)
sys.modules["bench_tui"] = bench_tui
_spec.loader.exec_module(bench_tui)


class Watched:
    """A terminal whose bytes are also shown on an emulated screen."""

    def __init__(self, terminal: Any, columns: int, rows: int) -> None:
        self.terminal = terminal
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.all = b""

    def read(self, seconds: float, *, quiet: float = 0.0) -> bytes:
        found: bytes = self.terminal.read(seconds, quiet=quiet)
        self.stream.feed(found.replace(b"\x1b[>25u", b""))
        self.all += found
        return found

    def wait(self, text: str, seconds: float = 60.0) -> str:
        """Read until the text is on the screen."""
        end = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < end, f"{text!r} never came:\n{self.text}"
            self.read(0.5, quiet=0.05)
        return self.text

    def send(self, keys: bytes, *, quiet: float = 0.25) -> bytes:
        os.write(self.terminal.process.fd, keys)
        return self.read(10.0, quiet=quiet)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)


@pytest.fixture
def on_pty(own_workspace: Path, tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    opened = []

    def start(*, columns: int = 80, rows: int = 24, flags: str = "-", **env: str) -> Watched:
        terminal = bench_tui.Terminal.start(
            [sys.executable, "-c", START, str(own_workspace), flags],
            columns=columns,
            rows=rows,
            env={"XDG_STATE_HOME": str(tmp_path), "NO_COLOR": "", **env},
        )
        opened.append(terminal)
        return Watched(terminal, columns, rows)

    yield start
    for terminal in opened:
        terminal.stop()


def test_start_keys_and_quit(on_pty: Callable[..., Watched], tmp_path: Path) -> None:
    term = on_pty()
    term.wait("Group 2 vs Placebo, month 12")
    term.send(b"2")
    term.wait("five doses")
    term.send(b"\x1b")
    assert "five doses" in term.text, "esc never quits"
    term.send(b"q")
    term.terminal.process.wait()
    assert term.terminal.process.exitstatus == 0
    assert b"\x1b[?1049l" in term.all, "the main screen is back"
    logs = list((tmp_path / "alsbench" / "sessions").glob("*.jsonl"))
    kinds = [line.split(",")[0] for line in logs[0].read_text().splitlines()[1:]]
    assert kinds == ['{"action":"open"', '{"action":"go"'], "esc at the top changed nothing"


def test_bytes_of_cursor_keys_pages_and_idleness(on_pty: Callable[..., Watched]) -> None:
    term = on_pty()
    term.wait("alsfrs_slope")
    quiet = 0
    while quiet < 2:  # until evidence is filled
        quiet = quiet + 1 if not term.read(1.5) else 0
    cost = {f"{key!r} {k}": len(term.send(key, quiet=0.15)) for k in range(3) for key in (b"j", b"l", b"j", b"k", b"h")}
    assert max(cost.values()) <= BYTES_PER_CURSOR_KEY, cost
    assert min(cost.values()) > 0, cost
    assert term.read(2.0) == b"", "idle costs nothing"
    term.send(b"8")
    term.send(b"jjj\r")
    term.wait("Month 1 ")
    moves = [len(term.send(b"j", quiet=0.15)) for _ in range(5)]
    assert max(moves) <= BYTES_PER_CURSOR_KEY
    page = len(term.send(b"\x06", quiet=0.4))
    assert 0 < page <= BYTES_PER_PAGE
    assert term.read(1.5) == b""


def test_no_color_sends_no_colour(on_pty: Callable[..., Watched]) -> None:
    term = on_pty(NO_COLOR="1")
    term.wait("alsfrs_slope")
    for key in (b"j", b"3", b"4", b"p", b"?"):
        term.send(key)
    coloured = [c for c in SGR.findall(term.all) for part in c.split(b";") if part in COLOURS]
    assert not coloured
    assert b"38;" not in b" ".join(SGR.findall(term.all))


COLOURS = {str(n).encode() for n in (*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108))}


def test_sixteen_colours(on_pty: Callable[..., Watched]) -> None:
    term = on_pty(TERM="xterm", COLORTERM="")
    term.wait("alsfrs_slope")
    assert not [c for c in SGR.findall(term.all) if c.startswith((b"38;2", b"48;2")) or b";38;2" in c or b";48;2" in c]


def test_ascii_draws_with_ascii(on_pty: Callable[..., Watched]) -> None:
    term = on_pty(flags="a")
    term.wait("alsfrs_slope")
    for key in (b"4", b"p", b"}", b"5", b"2", b"jj\r", b"\r", b"?"):
        term.send(key)
    assert all(ord(c) < 127 for c in term.text)
    printed = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", term.all)
    assert max(printed) < 0x80


def test_killed_leaves_the_log_complete(on_pty: Callable[..., Watched], tmp_path: Path) -> None:
    term = on_pty()
    term.wait("Group 1 vs Placebo")
    term.send(b"3")
    os.kill(term.terminal.process.pid, signal.SIGTERM)
    term.read(5.0, quiet=1.0)
    assert b"\x1b[?1049l" in term.all
    assert b"\x1b[?25h" in term.all
    log = next((tmp_path / "alsbench" / "sessions").glob("*.jsonl"))
    assert log.read_text().endswith('{"action":"go","screen":"subgroups"}\n')


@pytest.mark.parametrize(("env", "said"), [({"TERM": "dumb"}, "TERM=dumb"), ({}, "needs a terminal")])
def test_refuses_and_names_the_shell_twin(workspace: Path, env: dict[str, str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, str(workspace), "-"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **env},
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "alsbench evidence" in done.stderr
    assert done.stdout == ""


def test_dumb_terminal_is_refused_on_a_pty(on_pty: Callable[..., Watched]) -> None:
    term = on_pty(TERM="dumb")
    term.read(10.0, quiet=1.0)
    term.terminal.process.wait()
    assert term.terminal.process.exitstatus == 2
    assert "alsbench evidence" in term.text


def test_the_first_screen_imports_nothing_heavy() -> None:
    code = (
        "import sys, alsbench.tui.app as a, alsbench.tui.screens.evidence;"
        "print([m for m in ('pandas', 'statsmodels', 'scipy.stats', 'plotext', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
