"""The command line: one module for each section of its help, read when a command of it is asked for.

Heavy rooms are imported only inside the command that needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from alsbench.cli.common import JsonErrorsOption, WorkspaceOption
from alsbench.cli.tui import is_workspace, open_app
from alsbench.version import __version__

# Of ``alsbench --help``: heading, the module of its commands, the commands in the order in which a trial is worked on.
SECTIONS = (
    ("Start here", "start", ("demo", "init", "load", "tui")),
    ("Look", "look", ("arms", "subject", "data", "subgroup", "check")),
    ("Analyse", "analyse", ("evidence", "endpoint", "forest", "safety")),
    ("Scrutinise", "scrutinise", ("scrutinise", "chance", "lineup", "verify", "reconcile", "claims", "report", "replay")),
    ("Govern", "govern", ("snapshots", "diff", "audit", "lock", "unblind")),
    ("This program", "installation", ("config", "simulate", "qualify", "calibrate")),
)
MODULES = {name: module for _, module, names in SECTIONS for name in names}


class ListedCommands(TyperGroup):
    """The list of ``--help``: in the order of :data:`SECTIONS`, each under its heading; a command of no section stands last."""

    def ordered(self) -> list[str]:
        """The names of all commands, as they are listed."""
        placed = [name for name in MODULES if name in self.commands]
        return [*placed, *(name for name in self.commands if name not in placed)]

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        return self.ordered()

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ARG002
        shown = {n: self.commands[n] for n in self.ordered() if not self.commands[n].hidden}
        widest = max(map(len, shown), default=0)
        limit = formatter.width - 6 - widest
        for title, _, names in (*SECTIONS, ("More", "", tuple(n for n in shown if n not in MODULES))):
            lines: list[Any] = [(n.ljust(widest), shown[n].get_short_help_str(limit)) for n in names if n in shown]
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)


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
    if is_workspace(workspace):
        return open_app(workspace)
    print(ctx.get_help())
    return None


class Commands(MutableMapping[str, Any]):
    """The commands by name; the module of a section holds its commands as ``commands``, one is built when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = dict.fromkeys(MODULES)

    def __getitem__(self, name: str) -> Any:
        if self._made[name] is None:
            section: typer.Typer = import_module(f"alsbench.cli.{MODULES[name]}").commands
            alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
            alone.registered_commands = [c for c in section.registered_commands if c.name == name]
            alone.registered_groups = [g for g in section.registered_groups if g.name == name]
            self._made[name] = typer.main.get_group(alone).commands[name]
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
