"""The command line: one file per command, heavy rooms imported only inside the command that needs them."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli import (
    arms,
    audit,
    check,
    claims,
    config,
    data,
    demo,
    diff,
    endpoint,
    evidence,
    forest,
    init,
    load,
    lock,
    qualify,
    replay,
    report,
    safety,
    scrutinise,
    simulate,
    snapshots,
    subgroup,
    subject,
    tui,
    unblind,
)
from alsbench.cli.common import JsonErrorsOption, WorkspaceOption
from alsbench.cli.listing import ListedCommands

app = typer.Typer(
    name="alsbench",
    cls=ListedCommands,
    help="A workbench for the analysis and scrutiny of ALS trials: files become a snapshot, a question becomes a result.",
    epilog="Exit codes: 0 done, 1 negative verdict, 2 usage or configuration, 3 data, 4 unavailable, 130 interrupted.",
    add_completion=True,
    no_args_is_help=False,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from alsbench import __version__

        print(f"alsbench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    workspace: WorkspaceOption = None,
    json_errors: JsonErrorsOption = False,  # noqa: ARG001  read from the command line by main
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,  # noqa: ARG001  acts in its callback
) -> int | None:
    """Without a command: opens the app on a workspace; help elsewhere."""
    ctx.obj = workspace
    if ctx.invoked_subcommand is not None:
        return None
    if tui.is_workspace(workspace):
        return tui.open_app(workspace)
    print(ctx.get_help())
    return None


COMMANDS = (
    demo,
    init,
    load,
    tui,
    arms,
    subject,
    data,
    subgroup,
    endpoint,
    evidence,
    forest,
    safety,
    scrutinise,
    claims,
    report,
    check,
    snapshots,
    diff,
    replay,
    audit,
    lock,
    unblind,
)
for _module in (*COMMANDS, config, simulate, qualify):
    _module.register(app)
