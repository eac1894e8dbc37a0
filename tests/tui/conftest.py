"""The sample trial and the CDISC pilot study, each loaded once into a workspace; apps on them driven headless; screens as
plain text."""

from __future__ import annotations

import asyncio
import importlib.util
import shlex
import shutil
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.cli.conftest import Small, load_small
from tests.shared import workspace_copy
from tests.shell import run_here
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.events import Key
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot
from textual.screen import Screen

from alsbench.audit.log import append
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.tui.answers import Answers, CheckKey
from alsbench.tui.app import Workbench

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
def twice(tmp_path: Path) -> Path:
    """The small trial of the shell's tests, loaded again with one value changed, one record gone, ages that differ by noise, a
    new column, and a table more."""
    load_small(tmp_path)
    small = Small.of(tmp_path)
    rows = small.records()
    rows[5]["AVAL"] += 3  # S01 at visit 2
    rows[5]["CHG"] += 3
    rows.pop(8)  # S02 at visit 2
    subjects = [{**s, "AGE": s["AGE"] + 1e-14 * (i + 50), "SEX": "MF"[i % 2]} for i, s in enumerate(small.subjects)]
    folder = small.data(adsl=subjects, adqs=rows)
    (folder / "adxx.csv").write_text("USUBJID,XVAL\nS01,1\n")
    ran = run_here(["load", folder, "-w", small.workspace, "-q"])
    assert ran.code == 0, ran.err
    return small.workspace


@pytest.fixture
def workspace_of(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """The shared workspace of a trial, loaded when first asked for."""
    names = {"sample": "workspace", "pilot": "pilot_workspace", "twice": "twice"}
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
    """What is on the screen, painted now, one line a row, spaces at the end cut."""
    with app._context():
        visible_screen_stack.set(app._background_screens)
        strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


@pytest.fixture(autouse=True)
def paint_what_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A headless app makes no updates for a terminal that is not there: its screen is painted whole when a test looks at it.

    What a terminal is sent is the matter of the tests on a pseudo-terminal, whose programs are processes of their own.
    """

    def nothing(self: Compositor, *_args: Any, **_more: Any) -> None:
        self._dirty_regions.clear()

    monkeypatch.setattr(Compositor, "render_update", nothing)


async def settle(pilot: Pilot[Any], *, work: bool = True) -> str:
    """Wait until no work is running (unless it need not end), every message was handled and what that changed is laid out.

    Returns the screen: it is painted once all is quiet, and painting may ask for more, as a table does for rows not read yet.
    """
    app = pilot.app
    assert isinstance(app, Workbench)
    end = asyncio.get_running_loop().time() + PATIENCE
    painted = ""
    while asyncio.get_running_loop().time() < end:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if work and _busy(app):
            painted = ""
            await asyncio.sleep(0.01)
        elif _unread(app):
            painted = ""
        elif _changed(app.screen):
            painted = ""
            with app._context():
                app.screen._on_timer_update()  # as the screen does itself sixty times a second
        elif painted:
            return painted
        else:
            painted = screen_text(app)
    raise AssertionError(f"still running: {app.jobs.labels}")


def _busy(app: Workbench) -> bool:
    """Whether something is being computed, a panel waits for the cursor to rest, or the workspace is not open yet."""
    waiting = any(getattr(view, "resting", None) is not None for view in app.views.values())
    return bool(app.jobs.labels) or waiting or app.opened is None


def _unread(app: Workbench) -> bool:
    """Whether a message waits for the app, a screen or a widget of the one shown."""
    pumps = [app, *app.screen_stack, *app.screen.walk_children()]
    return any(pump.message_queue_size or pump._next_callbacks for pump in pumps)


def _changed(screen: Screen[Any]) -> bool:
    """Whether a screen has still to be laid out, or somebody waits for it to be painted."""
    layout = screen._layout_required or screen._scroll_required or screen._recompose_required
    return bool(layout or screen._repaint_required or screen._dirty_widgets or screen._callbacks)


def strike(app: Workbench, key: str) -> None:
    """A key as a terminal sends it; nobody waits for what it does."""
    name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
    try:
        char: str | None = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
    except KeyError:
        char = name if len(name) == 1 else None
    event = Key(name, char)
    event.set_sender(app)
    assert app._driver is not None
    app._driver.send_message(event)


@asynccontextmanager
async def running(
    workspace: Path, *, size: tuple[int, int] = (80, 24), kept: bool = False, **options: Any
) -> AsyncIterator[Pilot[Any]]:
    """The app on a workspace, opened and settled. ``kept``: what other tests have left in the folder of answers is looked for
    too, of what the app shows where it is known and does not compute by itself."""
    app = Workbench(workspace, **{"audit": False, **options})
    shared = next((a for name, a in ANSWERS.items() if workspace.name.startswith(name)), None)
    if shared is not None:
        app.answers = app.pool.answers = shared
        for key in [k for k in shared.found if isinstance(k, CheckKey)]:
            del shared.found[key]  # a screen of checks starts with none computed
    absent = nullcontext() if kept else mock.patch("alsbench.analysis.bottom_lines.known_check", lambda *_, **__: None)
    with absent:
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            yield pilot


@dataclass(frozen=True)
class Driving:
    """What a test needs to drive the app."""

    run: Callable[..., Any] = running
    text: Callable[[Workbench], str] = screen_text
    settle: Callable[..., Any] = settle
    strike: Callable[[Workbench, str], None] = strike

    async def press(self, pilot: Pilot[Any], *keys: str) -> str:
        """Press keys one after the other, wait for the work they start, return the screen; ``:line`` is a command line."""
        app = pilot.app
        assert isinstance(app, Workbench)
        text = ""
        for key in keys:
            if key.startswith(":"):
                await app.keys.run_line(key[1:])
            else:
                strike(app, key)
            text = await settle(pilot)
        return text or screen_text(app)

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
