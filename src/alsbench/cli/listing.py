"""The list of commands in ``alsbench --help``: under what somebody wants to do, in the order in which a trial is worked on."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

SECTIONS = (
    ("Start here", ("demo", "init", "load", "tui")),
    ("Look", ("arms", "subject", "data", "subgroup", "check")),
    ("Analyse", ("evidence", "endpoint", "forest", "safety")),
    ("Scrutinise", ("scrutinise", "claims", "report", "replay")),
    ("Govern", ("snapshots", "diff", "audit", "lock", "unblind")),
    ("This program", ("config", "simulate", "qualify")),
)
NAMES = tuple(name for _, names in SECTIONS for name in names)


class ListedCommands(TyperGroup):
    """Commands in the order of :data:`SECTIONS`, each section under its heading; one of no section stands last."""

    def ordered(self) -> list[str]:
        """The names of all commands, as they are listed."""
        placed = [name for name in NAMES if name in self.commands]
        return [*placed, *(name for name in self.commands if name not in placed)]

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        return self.ordered()

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ARG002
        shown = {n: self.commands[n] for n in self.ordered() if not self.commands[n].hidden}
        widest = max(map(len, shown), default=0)
        limit = formatter.width - 6 - widest
        for title, names in (*SECTIONS, ("More", tuple(n for n in shown if n not in NAMES))):
            lines: list[Any] = [(n.ljust(widest), shown[n].get_short_help_str(limit)) for n in names if n in shown]
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)
