"""The one way from the shell into the app: :func:`launch`.

It opens the app where the terminal can show it, with a session log, where it was left; and it answers what only the app knows:
whether the keys of the settings can be bound, and which views a recorded session showed.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.errors import UnavailableError, UsageError
from alsbench.settings import settings_path
from alsbench.study.names import nearest
from alsbench.tui.commands import COMMANDS, FORBIDDEN_KEYS
from alsbench.tui.pool import usual_processes
from alsbench.tui.session_log import new_log, recorded_views
from alsbench.tui.session_restore import save_session

if TYPE_CHECKING:
    from alsbench.service.output import Operation


def launch(
    workspace: Path | None,
    *,
    ascii: bool = False,
    no_mouse: bool = False,
    theme: str = "",
    keymap: Mapping[str, tuple[str, ...]] | None = None,
    recorded: Path | None = None,
    view: Callable[[Path, str, Callable[[], Operation], bool], object] | None = None,
) -> int:
    """Open the app on a workspace; the exit code. Refuses (2) where it is not on a usable terminal.

    ``keymap`` (keys by command, of the settings) is held against the commands of the app first: UsageError. Without a workspace
    that is all. With ``recorded``, the log of a session, nothing is opened either: ``view`` is called for each view that was
    looked at, in order, each once: with the workspace (the one given, else the one it was recorded on), the shell command of
    the view, what gives the operation of the service behind it, which takes an access and a mask, and whether the command takes
    a mask too.
    """
    _check_keys(keymap or {})
    if recorded is not None and view is not None:
        space, views = recorded_views(recorded, workspace)
        for line, request in views.items():
            view(space, line, request.operation, request.masks)
        return 0
    return 0 if workspace is None else _run(workspace, ascii=ascii, no_mouse=no_mouse, theme=theme, keymap=keymap or {})


def _check_keys(keymap: Mapping[str, tuple[str, ...]]) -> None:
    """Raises UsageError for a command that is not there, a key that terminals take, and one that another command has."""
    commands = {c.id: c for c in COMMANDS}
    for name, keys in keymap.items():
        where = f"{settings_path()} keys.{name}"
        if name not in commands:
            raise UsageError(f"no command of the app is named {name}", where=where, hint=nearest(name, commands))
        taken = FORBIDDEN_KEYS & set(keys)
        if taken:
            raise UsageError(f"{', '.join(sorted(taken))} cannot be bound", where=where, why="terminals and tmux take it")
        for other in commands.values():
            own = keymap.get(other.id, other.keys)
            meet = not (other.screens and commands[name].screens) or other.screens & commands[name].screens
            clash = set(own) & set(keys) - set(commands[name].keys)
            if other.id != name and meet and clash:
                raise UsageError(
                    f"{', '.join(sorted(clash))} is the key of {other.id}", where=where, hint="give that one another"
                )


def refuse(workspace: Path) -> None:
    """Raise UsageError where no terminal app can run, naming the shell twin."""
    shell_twin = shlex.join(["alsbench", "evidence", "-w", str(workspace)])
    if os.environ.get("TERM", "") == "dumb":
        raise UsageError("TERM=dumb cannot show the terminal app", hint=f"the shell prints the same tables: {shell_twin}")
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError("the terminal app needs a terminal on stdin, stdout and stderr", hint=f"in a pipe, use: {shell_twin}")


def _run(workspace: Path, *, ascii: bool, no_mouse: bool, theme: str, keymap: Mapping[str, tuple[str, ...]]) -> int:
    try:
        refuse(workspace)
    except UsageError as error:
        sys.stderr.write(f"alsbench: {error.message}\n")
        return error.exit_code
    try:
        log = new_log(workspace)
    except OSError as error:
        raise UnavailableError("the session log cannot be written", why=str(error), hint="set XDG_STATE_HOME") from error
    from alsbench.tui.app import Workbench  # waits: textual

    processes = usual_processes()
    app = Workbench(workspace, ascii=ascii, theme=theme, log=log, keymap=dict(keymap), restore=True, processes=processes)
    try:
        code = app.run(mouse=not no_mouse)
    finally:
        app.jobs.cancel_all()
        app.pool.close()
        log.close()
        try:
            save_session(workspace, app.session)
        except OSError as error:
            sys.stderr.write(f"alsbench: where you were could not be kept: {error}\n")
    return app.return_code or code or 0
