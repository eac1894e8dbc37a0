"""The sample trial and the CDISC pilot study, each loaded once into a workspace; apps on them driven headless; screens as
plain text."""

from __future__ import annotations

import asyncio
import importlib.util
import shlex
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.shared import workspace_copy
from tests.shell import run_here
from textual.pilot import Pilot

from alsbench.audit.log import append
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.tui.app import Workbench
from alsbench.tui.opening import Answers, CheckKey

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
PILOT = Path(__file__).resolve().parents[1] / "cdisc_pilot"
PILOT_PLAN = """
[multiplicity]
method = "fixed_sequence"
[[multiplicity.hypotheses]]
name = "high"
endpoint = "adas_locf"
comparison = "Xanomeline High Dose"
[[multiplicity.hypotheses]]
name = "low"
endpoint = "adas_locf"
comparison = "Xanomeline Low Dose"
"""
ANSWERS = {"sample": Answers(), "pilot": Answers()}  # of the shared workspaces: models are fitted once for all tests
TURNS = 20  # of the event loop, which a message needs to go from widget to widget, however slow the machine
PATIENCE = 300.0  # seconds a test waits for work to finish on a busy machine


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample trial, loaded. Shared: do not edit it."""
    return workspace_copy(tmp_path_factory, "sample", load_sample)


def load_sample(folder: Path) -> None:
    folder.mkdir()
    for name in ("study.toml", "claims.toml"):
        shutil.copy(SAMPLE / name, folder / name)
    space = Workspace(folder)
    space.create()
    append(space.audit_path, "load", load(sorted(SAMPLE.glob("*.xpt")), space, study=space.read_study()).for_audit())


@pytest.fixture(scope="session")
def pilot_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CDISC pilot study under a multiplicity plan, loaded. Shared: do not edit it."""
    return workspace_copy(tmp_path_factory, "pilot", lambda folder: load_pilot(folder, tmp_path_factory.mktemp("files")))


def load_pilot(folder: Path, written: Path) -> None:
    spec = importlib.util.spec_from_file_location("cdisc_pilot_files", PILOT / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    files = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(files)
    folder.mkdir()
    (folder / "study.toml").write_text(files.STUDY.read_text() + PILOT_PLAN)
    space = Workspace(folder)
    space.create()
    made = load(files.write_pilot(written, "parquet"), space, study=space.read_study())
    append(space.audit_path, "load", made.for_audit())


@pytest.fixture
def workspace_of(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """The shared workspace of a trial, loaded when first asked for."""
    names = {"sample": "workspace", "pilot": "pilot_workspace"}
    return lambda trial: request.getfixturevalue(names[trial])


@pytest.fixture
def own_workspace(workspace: Path, tmp_path: Path) -> Path:
    """A copy of the sample workspace that a test may edit, where answers are kept with those of the shared one."""
    target = tmp_path / "trial"
    shutil.copytree(workspace, target, symlinks=True)
    return target


@pytest.fixture
def here(own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that a test may edit, as the current directory, with an audit log that holds its load only."""
    monkeypatch.chdir(own_workspace)
    log = own_workspace / "audit.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:1]))
    return own_workspace


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """State under a temporary folder; a terminal with 24-bit colour unless a test says otherwise.

    The user is the same in every test: what one keeps in a shared workspace another may read.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    key = tmp_path / "state" / "alsbench" / "seal.key"
    key.parent.mkdir(parents=True, mode=0o700)
    key.touch(mode=0o600)
    key.write_bytes(b"the same user in each of the tests"[:32])
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name in ("NO_COLOR", "TMUX", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)


def screen_text(app: Workbench) -> str:
    """What is on the screen, one line a row, spaces at the end cut."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until no work is running and every message was handled."""
    app = pilot.app
    assert isinstance(app, Workbench)
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        if await _quiet(app):
            await pilot.pause(0)
            if not _busy(app):
                return
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"still running: {app.jobs.labels}")


async def _quiet(app: Workbench) -> bool:
    """Whether nothing is at work, nor after a few turns of the loop: a message still on its way may start work.

    Waiting costs no processor here: a pause of the pilot asks every widget, and stands only at the end.
    """
    for _ in range(3):
        if _busy(app):
            await asyncio.sleep(0.02)
            return False
        await asyncio.sleep(0.015)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    return not _busy(app)


def _busy(app: Workbench) -> bool:
    """Whether something is being computed, a panel waits for the cursor to rest, or the workspace is not open yet."""
    waiting = any(getattr(view, "resting", None) is not None for view in app.views.values())
    return bool(app.jobs.labels) or waiting or app.opened is None


@asynccontextmanager
async def running(workspace: Path, *, size: tuple[int, int] = (80, 24), **options: Any) -> AsyncIterator[Pilot[Any]]:
    """The app on a workspace, opened and settled."""
    app = Workbench(workspace, **{"audit": False, **options})
    shared = next((a for name, a in ANSWERS.items() if workspace.name.startswith(name)), None)
    if shared is not None:
        app.answers = shared
        for key in [k for k in shared.found if isinstance(k, CheckKey)]:
            del shared.found[key]  # a screen of checks starts with none computed
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        yield pilot


@dataclass(frozen=True)
class Driving:
    """What a test needs to drive the app."""

    run: Callable[..., Any] = running
    text: Callable[[Workbench], str] = screen_text
    settle: Callable[[Pilot[Any]], Any] = settle

    async def press(self, pilot: Pilot[Any], *keys: str) -> str:
        """Press keys one after the other, wait for the work they start, return the screen; ``:line`` is a command line."""
        for key in keys:
            if key.startswith(":"):
                await pilot.app.run_line(key[1:])  # type: ignore[attr-defined]
            else:
                await pilot.press(key)
            await settle(pilot)
        return screen_text(pilot.app)  # type: ignore[arg-type]

    def shell(self, line: str, workspace: Path, *more: str, code: int = 0) -> str:
        """The output of a command that the app has shown, run in the workspace by this process."""
        words = shlex.split(line)
        assert words[0] == "alsbench"
        ran = run_here([*words[1:], *more], cwd=workspace)
        assert ran.code == code, ran.err
        return ran.out


@pytest.fixture
def tui() -> Driving:
    return Driving()
