"""The command line: one file per command, read and built when that command is asked for.

Heavy rooms are imported only inside the command that needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer

from alsbench.cli.common import JsonErrorsOption, WorkspaceOption
from alsbench.cli.listing import NAMES, ListedCommands

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
        from alsbench.version import __version__

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
    from alsbench.cli import tui

    if tui.is_workspace(workspace):
        return tui.open_app(workspace)
    print(ctx.get_help())
    return None


class Commands(MutableMapping[str, Any]):
    """The commands by name; ``cli/NAME.py`` registers the one of its name, when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = dict.fromkeys(NAMES)

    def __getitem__(self, name: str) -> Any:
        if self._made[name] is None:
            holder = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
            import_module(f"alsbench.cli.{name}").register(holder)
            self._made[name] = typer.main.get_group(holder).commands[name]
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


@cache
def program() -> Any:
    """``alsbench`` as a command of the option parser: :class:`ListedCommands`."""
    root = typer.main.get_command(app)
    root.commands = Commands()  # type: ignore[attr-defined]
    return root
