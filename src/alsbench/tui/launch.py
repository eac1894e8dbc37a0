"""Starting the app from the shell: whether the terminal can show it, the session log, and where it was left."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alsbench.errors import UnavailableError, UsageError
from alsbench.tui.app import Workbench
from alsbench.tui.session_log import new_log
from alsbench.tui.session_restore import save_session


def refuse(workspace: Path) -> None:
    """Raise UsageError where no terminal app can run, naming the shell twin."""
    shell_twin = f"alsbench evidence -w {workspace}"
    if os.environ.get("TERM", "") == "dumb":
        raise UsageError("TERM=dumb cannot show the terminal app", hint=f"the shell prints the same tables: {shell_twin}")
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError("the terminal app needs a terminal on stdin, stdout and stderr", hint=f"in a pipe, use: {shell_twin}")


def run(
    workspace: Path,
    *,
    ascii: bool = False,
    no_mouse: bool = False,
    theme: str = "",
    keymap: dict[str, tuple[str, ...]] | None = None,
) -> int:
    """Open the app on a workspace; the exit code. Refuses (UsageError, exit 2) without a usable terminal."""
    try:
        refuse(workspace)
    except UsageError as error:
        sys.stderr.write(f"alsbench: {error.message}\n")
        return error.exit_code
    try:
        log = new_log(workspace)
    except OSError as error:
        raise UnavailableError("the session log cannot be written", why=str(error), hint="set XDG_STATE_HOME") from error
    app = Workbench(workspace, ascii=ascii, theme=theme, log=log, keymap=keymap, restore=True)
    try:
        code = app.run(mouse=not no_mouse)
    finally:
        app.jobs.cancel_all()
        log.close()
        try:
            save_session(workspace, app.session)
        except OSError as error:
            sys.stderr.write(f"alsbench: where you were could not be kept: {error}\n")
    return app.return_code or code or 0
