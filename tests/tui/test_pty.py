"""The app on a real pty: it starts, obeys keys, leaves the terminal sane, spends few bytes, and refuses where it cannot run.

Everything waits for what must be on the screen, or for the app to have nothing more to say; counts are held, times are not.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from bench_tui import NUMBER, SCREENS  # noqa: E402 - the harness the benchmark measures with
from ptyterm import Terminal  # noqa: E402

pytestmark = pytest.mark.terminal
START = (
    "import sys; from pathlib import Path; from alsbench.tui.launch import launch; "
    "sys.exit(launch(Path(sys.argv[1]), ascii='a' in sys.argv[2]))"
)
BYTES_PER_CURSOR_KEY = 300
BYTES_PER_PAGE = 5000
HELD = {"subgroups"}  # the subgroup's own panel follows a cursor that rests: a page for that, a key's budget while it moves
WIDE = {"claims"}  # not all columns fit 80: sideways they shift, and that is a page
SGR = re.compile(rb"\x1b\[([0-9;]*)m")


@pytest.fixture
def on_pty(own_workspace: Path, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened = []

    def start(*, columns: int = 80, rows: int = 24, flags: str = "-", **env: str) -> Terminal:
        terminal = Terminal.start(
            [sys.executable, "-c", START, str(own_workspace), flags],
            columns=columns,
            rows=rows,
            env={"XDG_STATE_HOME": str(tmp_path), "NO_COLOR": "", **env},
        )
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.stop()


def full(term: Terminal) -> None:
    """Wait until Evidence has all its cells and nothing is running."""
    term.wait(lambda text: bool(NUMBER.search(text)) and " ... " not in text and "cancels" not in text)
    term.settle(1.5)


def test_start_keys_and_quit(on_pty: Callable[..., Terminal], tmp_path: Path) -> None:
    term = on_pty()
    term.wait("vs Placebo, month 12")
    term.send(b"2")
    term.wait(lambda text: "five doses" in text and "vs Placebo" not in text)
    term.send(b"\x1b")
    assert "five doses" in term.text, "esc never quits"
    term.send(b"q")
    term.process.wait()
    assert term.process.exitstatus == 0
    left = bytes(term.found).split(b"\x1b[?1049l")
    assert len(left) == 2, "the main screen is back"
    assert b"\x1b[2J" in left[0][-200:], "the other one is left empty: tmux mixes its lines into the shell's after it has grown"
    logs = list((tmp_path / "alsbench" / "sessions").glob("*.jsonl"))
    kinds = [line.split(",")[0] for line in logs[0].read_text().splitlines()[1:]]
    assert kinds == ['{"action":"open"', '{"action":"go"'], "esc at the top changed nothing"


def held(term: Terminal, times: int = 12) -> int:
    """Bytes per key of keys that follow each other as a held key's do, with what is painted once they stop."""
    cost = 0
    for key in (b"\x1b[B", b"\x1b[A") * times:
        term.write(key)
        cost += len(term.read(0.03))
    return (cost + len(term.read(2.0, quiet=0.5))) // (2 * times)


def test_bytes_of_keys_and_pages_on_every_screen(on_pty: Callable[..., Terminal]) -> None:
    """A cursor key at most 300 bytes, a page at most 5 kB, nothing while nobody presses a key."""
    term = on_pty()
    full(term)
    keys: dict[str, int] = {}
    pages: dict[str, int] = {}
    idle: dict[str, int] = {}
    for name, way, seen in SCREENS:
        for key in way:
            term.send(key, quiet=0.3)
        term.wait(lambda text, seen=seen: seen in text and "cancels" not in text)
        term.settle(0.7)
        for direction in ("B", "B", "A", "B", "C", "D"):
            cost = len(term.send(f"\x1b[{direction}".encode(), quiet=0.2, seconds=0.5))
            taken = pages if name in HELD or (name in WIDE and direction in "CD") else keys
            taken[name] = max(taken.get(name, 0), cost)
        if name in HELD:
            keys[name] = held(term)
        for key in (b"\x1b[6~", b"\x1b[6~", b"\x1b[5~"):
            pages[name] = max(pages.get(name, 0), len(term.send(key, quiet=0.3, seconds=0.6)))
        term.settle(0.5)
        idle[name] = len(term.read(0.7))
    assert {n: b for n, b in keys.items() if b > BYTES_PER_CURSOR_KEY} == {}, keys
    assert {n: b for n, b in pages.items() if b > BYTES_PER_PAGE} == {}, pages
    assert set(idle.values()) == {0}, idle
    assert sum(cost > 0 for cost in keys.values()) >= len(SCREENS) - 2, keys


def test_bytes_of_walking_through_the_columns_of_a_list(on_pty: Callable[..., Terminal]) -> None:
    """Sideways through all columns of an arm's subjects: a key while the cursor moves in view, a page where columns shift."""
    term = on_pty()
    full(term)
    for key in (b"2", b"\r"):
        term.send(key, quiet=0.3)
    term.wait("subjects;")
    term.settle(0.7)
    costs = [len(term.send(key, quiet=0.2, seconds=0.5)) for key in (*[b"\x1b[C"] * 16, *[b"\x1b[D"] * 16)]
    assert max(costs) <= BYTES_PER_PAGE, costs
    assert max(costs[:6]) <= BYTES_PER_CURSOR_KEY, costs


def test_no_color_sends_no_colour(on_pty: Callable[..., Terminal]) -> None:
    term = on_pty(NO_COLOR="1")
    term.wait("alsfrs_slope")
    for key in (b"j", b"3", b"4", b"p", b"?"):
        term.send(key)
    coloured = [c for c in SGR.findall(bytes(term.found)) for part in c.split(b";") if part in COLOURS]
    assert not coloured
    assert b"38;" not in b" ".join(SGR.findall(bytes(term.found)))


COLOURS = {str(n).encode() for n in (*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108))}


def test_sixteen_colours(on_pty: Callable[..., Terminal]) -> None:
    term = on_pty(TERM="xterm", COLORTERM="")
    term.wait("alsfrs_slope")
    assert not [c for c in SGR.findall(bytes(term.found)) if c.startswith((b"38;2", b"48;2")) or b";38;2" in c or b";48;2" in c]


def test_ascii_draws_with_ascii(on_pty: Callable[..., Terminal]) -> None:
    term = on_pty(flags="a")
    term.wait("alsfrs_slope")
    for key in (b"4", b"p", b"}", b"5", b"2", b"jj\r", b"\r", b"?"):
        term.send(key)
    assert all(ord(c) < 127 for c in term.text)
    printed = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", bytes(term.found))
    assert max(printed) < 0x80


def test_killed_leaves_the_log_complete(on_pty: Callable[..., Terminal], tmp_path: Path) -> None:
    term = on_pty()
    term.wait("vs Placebo, month 6")
    term.send(b"3")
    os.kill(term.process.pid, signal.SIGTERM)
    term.read(5.0, quiet=1.0)
    assert b"\x1b[?1049l" in bytes(term.found)
    assert b"\x1b[?25h" in bytes(term.found)
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


def test_dumb_terminal_is_refused_on_a_pty(on_pty: Callable[..., Terminal]) -> None:
    term = on_pty(TERM="dumb")
    term.read(10.0, quiet=1.0)
    term.process.wait()
    assert term.process.exitstatus == 2
    assert "alsbench evidence" in term.text


def modules_after(code: str) -> set[str]:
    """The modules a fresh interpreter has imported after some code."""
    told = f"import sys\n{code}\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


HEAVY = {"numpy", "scipy", "duckdb", "pydantic", "pyarrow", "pandas", "statsmodels", "tomlkit"}


def test_the_first_screen_imports_nothing_heavy() -> None:
    """First paint needs Textual and the frame: no study, no database, no numbers. 449 modules when this was written, 478
    since the frame has panes, plots and a pool of processes."""
    found = modules_after("import alsbench.tui.app, alsbench.tui.launch, alsbench.tui.screens.evidence")
    assert not found & HEAVY
    assert len(found) <= 480


def test_kept_numbers_need_no_model(workspace: Path) -> None:
    """The first numbers of Evidence, kept from before, come without SciPy, NumPy and any method's model. 631 modules."""
    code = (
        "from pathlib import Path\nimport alsbench.tui.app, alsbench.tui.launch, alsbench.tui.screens.evidence\n"
        "from alsbench.tui.answers import PieceKey, compute; from alsbench.tui.opening import open_workspace\n"
        f"opened = open_workspace(Path({str(workspace)!r}))\n"
        "compute(PieceKey(opened.catalogue.endpoints[0].name, 'overall'), opened.source)"
    )
    modules_after(code)  # now it is kept
    found = modules_after(code)
    assert not found & (HEAVY - {"duckdb", "pydantic"})
    assert len(found) <= 634


def test_help_of_the_shell_imports_little() -> None:
    """196 modules when this was written."""
    found = modules_after("import alsbench.__main__ as m\nm.main(['--help'])")
    assert not found & (HEAVY | {"textual"})
    assert len(found) <= 225


def test_stopped_by_control_z_and_going_on(on_pty: Callable[..., Terminal]) -> None:
    """The terminal is given back sane, the process stops, and goes on with its screen and its keys."""
    term = on_pty()
    term.wait("vs Placebo, month 6")
    term.settle(1.0)
    found = len(term.found)
    term.write(b"\x1a")
    pid = term.process.pid
    end = time.monotonic() + 20.0
    while stat_of(pid) != "T" and time.monotonic() < end:
        term.read(0.2)
    assert stat_of(pid) == "T"
    given_back = bytes(term.found[found:])
    assert b"\x1b[?1049l" in given_back
    assert b"\x1b[?25h" in given_back
    os.kill(pid, signal.SIGCONT)
    term.wait("vs Placebo, month 6")
    term.send(b"3")
    term.wait("Slow progressors")
    term.send(b"q", seconds=10.0)
    assert term.process.wait() == 0


def stat_of(pid: int) -> str:
    """The state of a process as the kernel has it: T for one that is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
