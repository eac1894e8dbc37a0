"""``alsbench replay LOG``: the views of a recorded session of the app, printed by the commands that print them."""

from __future__ import annotations

import contextlib
import io
import shlex
from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, Format, MaskOption, command
from alsbench.cli.output import show
from alsbench.cli.tui import recorded_views
from alsbench.errors import INTERRUPTED, AlsbenchError, UsageError
from alsbench.render.text import visible_lines
from alsbench.service.access import at_least


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "replay")(replay)


def replay(
    common: Common,
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="The log of a session; the app keeps them in its state directory.")
    ],
    listed: Annotated[bool, typer.Option("--list", help="List the commands and run none.")] = False,
    mask: MaskOption = 0,
) -> int:
    """Print every view that was looked at in a session, in order, each once, as its own command prints it.

    Data, study and workspace are those of today: the one the session was recorded on, unless -w names another. JSON is one
    array of {command, exit_code, output}. A view that cannot be shown any more says why; the exit code is then its own.
    """
    from alsbench.service import replay as service  # waits: rich
    from alsbench.service.output import Output  # waits: rich

    if common.format in (Format.HTML, Format.RTF):
        raise UsageError(
            "a session is no one document", where=f"--format {common.format.value}", hint="md, or `alsbench report` for one"
        )
    lines = recorded_views(log, common.workspace if common.given else None)
    if listed:
        return show(common, Output(lambda _form: (f"{line}\n" for line in lines)))
    codes: list[int] = []

    def run(line: str) -> tuple[int, str]:
        code, text = _run(common, line)
        codes.append(code)
        return code, text

    with at_least(common.access.mask(mask)):
        show(common, service.replay(lines, run))
    return next((code for code in codes if code), 0)


def _run(common: Common, line: str) -> tuple[int, str]:
    """The exit code of one command and its output, or its error message."""
    from alsbench.cli.app import program

    words = [*shlex.split(line)[1:], "--format", common.format.value, "--quiet"]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            code = program().main(args=words, prog_name="alsbench", standalone_mode=False)
    except AlsbenchError as error:
        return error.exit_code, f"{visible_lines(error.message)}\n"
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0, out.getvalue()
