"""``alsbench unblind``: one way, with the key and a reason. Data and study file become what they were before the blind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.load import accepted_rules
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "unblind")(unblind)


def unblind(
    common: Common,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The key written by load --blinded.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why the blind is lifted; kept in the log.")],
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="RULE=REASON", help="Let errors of this check stand, for a reason; repeats."),
    ] = None,
) -> None:
    """Publish the current data under their real arms. It is logged and cannot be taken back."""
    from alsbench.service.unblinding import unblind as ask  # waits: duckdb, numpy

    show(common, ask(common.access, key, reason, accepted_rules(accept or (), "")))
