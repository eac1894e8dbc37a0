"""``alsbench snapshots``: what was loaded, when, and which is current; old ones removed on request."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "snapshots")(snapshots)


def snapshots(
    common: Common,
    prune: Annotated[
        int | None,
        typer.Option(
            "--prune",
            metavar="KEEP",
            min=1,
            help="Remove all but the newest KEEP; never the current one. Entered in the audit log.",
        ),
    ] = None,
) -> None:
    """Published snapshots, oldest first; the current one is marked."""
    from alsbench.service.snapshots import snapshots as ask  # waits: duckdb, numpy

    show(common, ask(common.access, prune=prune))
