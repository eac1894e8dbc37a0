"""On a terminal: the same text as in a pipe apart from colour; the app opens where it can and refuses where it cannot."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import ptyprocess
import pytest

from alsbench.__main__ import main

pytestmark = pytest.mark.terminal
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]")


def _on_terminal(words: list[str], **environment: str) -> tuple[int, str]:
    """Exit code and everything written, of a command line run on a pseudo-terminal of 80 by 24."""
    env = {**os.environ, "TERM": "xterm-256color", **environment}
    child = ptyprocess.PtyProcessUnicode.spawn([sys.executable, "-m", "alsbench", *words], env=env, dimensions=(24, 80))
    written = []
    while True:
        try:
            written.append(child.read(65536))
        except EOFError:
            break
    child.wait()
    return child.exitstatus, "".join(written)


@pytest.mark.parametrize("words", [["endpoint", "alsfrs", "-s", "slow"], ["data", "ADSL", "--limit", "5"], ["arms"]])
def test_a_terminal_shows_what_a_pipe_gets(loaded: Path, words: list[str]) -> None:
    line = [*words, "-w", str(loaded)]
    code, shown = _on_terminal(line)
    piped = subprocess.run([sys.executable, "-m", "alsbench", *line], capture_output=True, text=True, check=True).stdout
    assert code == 0
    assert ANSI.search(shown)  # colour
    assert ANSI.sub("", shown).replace("\r\n", "\n") == piped
    code, plain = _on_terminal(line, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", plain)


def test_without_a_usable_terminal_the_app_refuses_and_demo_prints(loaded: Path, tmp_path: Path) -> None:
    code, shown = _on_terminal(["tui", "-w", str(loaded)], TERM="dumb")
    assert code == 2
    assert "alsbench evidence" in shown
    code, shown = _on_terminal(["-w", str(loaded)], TERM="dumb")
    assert code == 2
    assert "alsbench evidence" in shown


def test_an_interrupt_exits_130_and_says_so(
    loaded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("alsbench.analysis.source.open_source", stopped)
    assert main(["arms", "-w", str(loaded)]) == 130
    assert capsys.readouterr() == ("", "alsbench: interrupted\n")
    assert main(["arms", "-w", str(loaded), "--json-errors"]) == 130
    assert json.loads(capsys.readouterr().err) == {"error": "interrupted", "kind": "interrupted", "exit_code": 130}


def test_an_interrupt_of_workers_leaves_the_terminal_as_it_was(workspace: Path) -> None:
    """Blocks are counted with the time left; after Ctrl-C the bar is gone, the cursor is back, and the exit code is 130."""
    (workspace / "results").unlink()  # nothing is kept: it is computed
    words = ["scrutinise", "--check", "selection", "--workers", "2", "-w", str(workspace)]
    child = ptyprocess.PtyProcessUnicode.spawn(
        [sys.executable, "-m", "alsbench", *words], env={**os.environ, "TERM": "xterm-256color"}, dimensions=(24, 100)
    )
    written, asked = "", False
    while True:
        try:
            written += child.read(65536)
        except EOFError:
            break
        if not asked and re.search(r"permuted trials .* [1-9]\d*/40 +\d:\d\d:\d\d", ANSI.sub("", written)):
            child.sendintr()
            asked = True
    child.wait()
    assert asked and child.exitstatus == 130
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert written.endswith("\x1b[2Kalsbench: interrupted\r\n")
