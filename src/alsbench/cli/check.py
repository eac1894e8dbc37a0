"""``alsbench check``: the data rules, run again on the current snapshot."""

from __future__ import annotations

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "check")(check)


def check(common: Common, mask: MaskOption = 0) -> int:
    """Run every data check on the current snapshot. Exits 1 if an error-level finding stands that was not accepted."""
    from alsbench.service.checks import check as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, mask=mask))
