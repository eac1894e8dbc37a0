"""What must not take the app down: a fault in a worker, a terminal that is gone, somebody else in the same workspace."""

from __future__ import annotations

import os
import pty
import select
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from alsbench.audit.chain import verify
from alsbench.audit.log import entries
from alsbench.data.workspace import Workspace
from alsbench.tui.answers import Answers

START = "import sys; from pathlib import Path; from alsbench.tui.launch import launch; sys.exit(launch(Path(sys.argv[1])))"


async def test_a_fault_in_a_worker_is_said_and_the_app_goes_on(
    own_workspace: Path, tui: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tui.run(own_workspace) as pilot:

        def broken(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("nobody foresaw this")

        with monkeypatch.context() as patched:
            patched.setattr(Answers, "ask", broken)
            text = await tui.press(pilot, "4", ":option covariance toep", ":endpoint svc")
            assert "ZeroDivisionError: nobody foresaw this" in text.splitlines()[-1]
        text = await tui.press(pilot, "2")
        assert "Placebo" in text
        text = await tui.press(pilot, "4", "r")
        assert "LS mean (SE)" in text, "asked again once it works"


async def test_two_sessions_on_one_workspace(own_workspace: Path, tui: Any) -> None:
    (own_workspace / "audit.jsonl").unlink(missing_ok=True)
    async with tui.run(own_workspace, audit=True) as one, tui.run(own_workspace, audit=True) as other:
        await tui.press(one, "4")
        await tui.press(other, "4", ":endpoint survival")
        await tui.press(one, "3", "a", *"AGE < 50", "down", *"young", "enter")
        assert "young" not in [i.name for i in other.app.catalogue.subgroups]
        await tui.press(other, "r", "3")
        assert "young" in tui.text(other.app)
        await tui.press(other, "a", *"AGE > 70", "down", *"old", "enter")
        study = Workspace(own_workspace).read_study()
        assert {"young", "old"} <= {s.name for s in study.subgroups}, "neither overwrote the other"
    assert verify(own_workspace / "audit.jsonl").intact
    assert len([e for e in entries(own_workspace / "audit.jsonl") if e.action == "look"]) >= 4


@pytest.mark.terminal
def test_a_lost_terminal_ends_the_app_with_its_log_complete(own_workspace: Path, tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"XDG_STATE_HOME": str(tmp_path / "lost"), "TERM": "xterm-256color"}
        os.execv(sys.executable, [sys.executable, "-c", START, str(own_workspace)])
    seen = read_until(terminal, b"alsfrs")
    assert b"alsfrs" in seen
    os.write(terminal, b"3")
    read_until(terminal, b"older")
    os.close(terminal)
    end = time.monotonic() + 60
    done, status = 0, 0
    while not done and time.monotonic() < end:
        time.sleep(0.05)
        done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert done, "still running without a terminal"
    assert os.WIFEXITED(status) or os.WIFSIGNALED(status)
    log = next((tmp_path / "lost" / "alsbench" / "sessions").glob("*.jsonl"))
    assert log.read_text().endswith('{"action":"go","screen":"subgroups"}\n')


def read_until(terminal: int, text: bytes, seconds: float = 60.0) -> bytes:
    """What the app sends, until a text is in it."""
    seen, end = b"", time.monotonic() + seconds
    while text not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536)
    return seen


async def test_models_give_way_to_keys(own_workspace: Path, tui: Any) -> None:
    """A thread that fits models is of low priority, others are not; what models need is imported once nothing else runs."""
    from alsbench.tui.app import Workbench
    from alsbench.tui.worker import NICE

    app = Workbench(own_workspace, audit=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await tui.settle(pilot)
        assert app.warmed
        usual = os.getpriority(os.PRIO_PROCESS, 0)
        found: dict[bool, int] = {}
        for heavy in (True, False):

            def work(_: Any, heavy: bool = heavy) -> None:
                found[heavy] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

            app.jobs.start("arms", "", work, heavy=heavy)
            await tui.settle(pilot)
        assert found == {True: NICE if sys.platform == "linux" else usual, False: usual}
