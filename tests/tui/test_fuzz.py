"""Random keys, lines and sizes over a real pty: the app does not end by itself, no work is stuck, the terminal is sane then.

``ALSBENCH_FUZZ_KEYS`` asks for more keys than the suite presses, ``ALSBENCH_FUZZ_SEED`` for other ones. A run that fails names
its seed and its last keys.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from tests.tui.test_pty import START

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from ptyterm import Terminal  # noqa: E402

pytestmark = pytest.mark.terminal
KEYS, SEED = int(os.environ.get("ALSBENCH_FUZZ_KEYS", "2000")), int(os.environ.get("ALSBENCH_FUZZ_SEED", "1"))
PRINTED = "abcdefghijklmnoprstuvwxyzABCDFGHIJKLMNOPRSTUVWXYZ0123456789/:?[]{}<>=!' \"()-+*.,;#@~^|&%$"  # q, E, Q: see below
MOVES = tuple(b"\x1b[" + end for end in (b"A", b"B", b"C", b"D", b"5~", b"6~", b"H", b"F"))
SPECIAL = (b"\r", b"\x1b", b"\t", b"\x7f", *MOVES, b"\x03", b"\x04", b"\x10", b"\x12", b"\x15", b"\x0c")
MOUSE = "\x1b[<{};{};{}{}"
SIZES = ((80, 24), (120, 40), (160, 45), (100, 30), (60, 15), (200, 60), (40, 10), (81, 25))


def stroke(draw: random.Random) -> bytes:
    """A key, a click or a turn of the wheel."""
    kind = draw.random()
    if kind < 0.55:
        return draw.choice(PRINTED).encode()
    if kind < 0.95:
        return draw.choice(SPECIAL)
    x, y = draw.randint(1, 80), draw.randint(1, 24)
    button = draw.choice((0, 64, 65))
    return MOUSE.format(button, x, y, "M").encode() + (MOUSE.format(button, x, y, "m").encode() if button == 0 else b"")


def test_random_keys_and_sizes(own_workspace: Path, tmp_path: Path) -> None:
    """``q`` and ``:q`` leave and are pressed at the end; ``E`` hands over to an editor, which is `true` here. What is confirmed
    with ``y`` may change study.toml of this copy of the workspace: it must stay readable."""
    draw = random.Random(SEED)
    env = {"XDG_STATE_HOME": str(tmp_path / "state"), "NO_COLOR": "", "EDITOR": "true", "VISUAL": "true", "PAGER": "true"}
    term = Terminal.start([sys.executable, "-c", START, str(own_workspace), "-"], env=env, cwd=tmp_path)
    pressed: list[bytes] = []
    try:
        term.wait("Evidence")
        for number in range(KEYS):
            key = stroke(draw)
            pressed.append(key)
            term.write(key)
            if number % 37 == 0:
                columns, rows = draw.choice(SIZES)
                term.process.setwinsize(rows, columns)
                term.screen.resize(rows, columns)
            term.read(0.01 if number % 10 else 0.15)
            assert term.process.isalive(), f"seed {SEED} after {pressed[-30:]}:\n{term.text}"
        term.process.setwinsize(24, 80)
        term.screen.resize(24, 80)
        for _ in range(20):  # out of every dialog, and every line that is being typed
            term.write(b"\x1b")
            term.read(0.3)
        term.write(b"\x03")  # what runs is ended
        term.settle(1.0)
        term.send(b"1")
        term.wait(lambda text: "Evidence" in text.splitlines()[1] and "cancels" not in text, 240.0)
        told = term.send(b"q", quiet=1.0, seconds=60.0)
        term.process.wait()
        assert term.process.exitstatus == 0, f"seed {SEED}: {pressed[-30:]}\n{term.text}"
        assert b"\x1b[?1049l" in told or b"\x1b[?1049l" in bytes(term.found[-4000:]), "the main screen is back"
        assert b"\x1b[?25h" in bytes(term.found[-4000:]), "the cursor is back"
        assert b"Traceback" not in bytes(term.found)
    finally:
        term.stop()
