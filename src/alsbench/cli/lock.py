"""``alsbench lock``: the pre-specified part of the study, hashed and kept, and what departs from it."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show
from alsbench.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "lock")(lock)


def lock(
    common: Common,
    show_plan: Annotated[bool, typer.Option("--show", help="Show the locked plan.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare study.toml, lock file and audit log with it.")] = False,
) -> int:
    """Lock the analysis plan: endpoints, comparisons, pre-specified subgroups, populations, arms, visits, multiplicity.

    Done once. What is added afterwards is post hoc and what is edited a deviation, wherever it is shown. --verify exits 1
    where anything departs from the plan. Note the head of the log that it prints outside the workspace: only who has it
    finds out that log and lock were rewritten together.
    """
    from alsbench.service import lock as service  # waits: duckdb, pydantic

    if show_plan and verify:
        raise UsageError("--show and --verify are two questions", hint="ask one of them")
    asked = service.locked_plan if show_plan else service.departures if verify else service.lock
    return show(common, asked(common.access))
