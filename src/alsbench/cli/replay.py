"""``alsbench replay LOG``: the views of a recorded session of the app, printed by the commands that print them."""

from __future__ import annotations

import contextlib
import importlib
import io
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from alsbench.cli.common import Common, Format, MaskOption, command
from alsbench.errors import INTERRUPTED, AlsbenchError, UsageError
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
    from alsbench.cli.output import write_chunks, write_text

    if common.format in (Format.HTML, Format.RTF):
        raise UsageError(
            "a session is no one document", where=f"--format {common.format.value}", hint="md, or `alsbench report` for one"
        )
    session = importlib.import_module("alsbench.tui.session_log")  # by name: shell and app stand beside each other
    lines: tuple[str, ...] = session.replay_commands(log, common.workspace if common.given else None)
    if listed:
        write_text(common, "".join(f"{line}\n" for line in lines))
        return 0
    codes: list[int] = []
    with at_least(common.access.mask(mask)):
        write_chunks(common, _array(common, lines, codes) if common.format is Format.JSON else _texts(common, lines, codes))
    return next((code for code in codes if code), 0)


def _texts(common: Common, lines: tuple[str, ...], codes: list[int]) -> Iterator[str]:
    """Each command and what it printed, a blank line between."""
    from alsbench.render.text import visible

    for number, line in enumerate(lines):
        code, text = _run(common, line)
        codes.append(code)
        mark = "`$ {}`\n\n" if common.format is Format.MD else "$ {}\n"
        yield ("\n" if number else "") + mark.format(visible(line)) + text


def _array(common: Common, lines: tuple[str, ...], codes: list[int]) -> Iterator[str]:
    import json

    from alsbench.render.ard import dump

    yield "["
    for number, line in enumerate(lines):
        code, text = _run(common, line)
        codes.append(code)
        output: Any = json.loads(text) if code in {0, 1} and text else text
        yield ("," if number else "") + "\n" + dump({"command": line, "exit_code": code, "output": output}).rstrip()
    yield "\n]\n"


def _run(common: Common, line: str) -> tuple[int, str]:
    """The exit code of one command and its output, or its error message."""
    from alsbench.cli.app import program
    from alsbench.render.text import visible_lines

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
