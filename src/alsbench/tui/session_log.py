"""The log of a session: its actions, and the shell commands that show again what was looked at. Under XDG state, versioned, no
patient data.

A log is a text file of JSON lines: a header naming the format, then one action a line, flushed as it happens, so that a
killed session leaves a complete log. ``alsbench replay LOG`` reproduces its tables without a terminal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from alsbench.errors import DataError
from alsbench.tui import actions as act
from alsbench.tui.session import Session, reduce
from alsbench.tui.shell_command import ViewRequest, view_request

FORMAT = "alsbench.session/1"
KEPT_LOGS = 50


def state_dir() -> Path:
    """``$XDG_STATE_HOME/alsbench`` (``~/.local/state/alsbench``); created if missing, readable by its owner only."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    path = Path(base) / "alsbench"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def open_private(path: Path, mode: str) -> IO[str]:
    """``path`` opened to write text, readable by its owner only whatever the umask says; ``x`` makes a file that is not there.
    No link is followed."""
    how = os.O_EXCL if mode == "x" else os.O_APPEND
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | how, 0o600)
    os.fchmod(handle, 0o600)
    return os.fdopen(handle, mode.replace("x", "w"), encoding="utf-8", errors="backslashreplace")


class SessionLog:
    """Appends actions to a file. ``workspace`` is recorded so that a replay knows what to open."""

    def __init__(self, path: Path, workspace: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file: IO[str] = open_private(path, "a")
        self._line({"format": FORMAT, "workspace": str(workspace.resolve())})

    def append(self, action: act.Action) -> None:
        self._file.write(act.dumps(action) + "\n")
        self._file.flush()

    def _line(self, values: dict[str, str]) -> None:
        self._file.write(json.dumps(values, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def new_log(workspace: Path) -> SessionLog:
    """A fresh log under the state directory; the oldest are removed past :data:`KEPT_LOGS`."""
    folder = state_dir() / "sessions"
    folder.mkdir(exist_ok=True, mode=0o700)
    for old in sorted(folder.glob("*.jsonl"))[: -KEPT_LOGS + 1]:
        old.unlink(missing_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return SessionLog(folder / f"{stamp}-{os.getpid()}.jsonl", workspace)


def read_log(path: Path) -> tuple[Path, tuple[act.Action, ...]]:
    """The workspace and the actions of a log. Raises DataError naming the line that cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError("the session log cannot be read", where=str(path), why=error.strerror or "") from error
    except UnicodeDecodeError:
        raise DataError("this is not a session log: it is not text", where=str(path)) from None
    return _workspace(path, lines), tuple(_actions(path, lines))


def _workspace(path: Path, lines: list[str]) -> Path:
    try:
        header = json.loads(lines[0]) if lines else {}
    except ValueError:
        header = {}
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError("this is not a session log", where=f"{path}:1", why=f"the first line must name the format {FORMAT}")
    return Path(str(header.get("workspace", ".")))


def _actions(path: Path, lines: list[str]) -> Iterator[act.Action]:
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            yield act.loads(line)
        except ValueError as error:
            raise DataError("an action cannot be read", where=f"{path}:{number}", why=str(error)) from error


def recorded_views(log: Path, workspace: Path | None = None) -> tuple[Path, dict[str, ViewRequest]]:
    """The workspace of a log (or another one), and the views that were looked at by the shell command of each, in order, each
    once. Raises DataError for a damaged log."""
    recorded, actions = read_log(log)
    space = workspace or recorded
    subjects = _subjects(space) if any(isinstance(a, act.OpenSubject) for a in actions) else ()
    arm_column, default = _study_names(space)
    return space, {v.command(str(space)): v for v in _views(actions, subjects, arm_column, default)}


def _views(actions: Sequence[act.Action], subjects: Sequence[str], arm_column: str, default: str) -> Iterator[ViewRequest]:
    session = Session()
    for action in actions:
        session = reduce(session, action)
        place = session.place
        known = place.record is not None and 1 <= place.record <= len(subjects)
        subject = subjects[place.record - 1] if known and place.record is not None else ""
        if place.record is not None and not subject:
            continue
        where = f"{arm_column} == {place.arm!r}" if place.screen == "arms" and place.arm and place.record is None else ""
        if session.study:
            yield view_request(session, default_population=default, subject=subject, where=where)


def _subjects(workspace: Path) -> tuple[str, ...]:
    from alsbench.analysis.source import open_source  # waits: duckdb, pydantic

    source = open_source(workspace)
    with source.snapshot:
        return source.subject_ids


def _study_names(workspace: Path) -> tuple[str, str]:
    """The planned arm's column and the default population."""
    from alsbench.study.study_file import read_study  # waits: pydantic

    study = read_study(workspace / "study.toml")
    return study.arms.planned, study.populations.default
