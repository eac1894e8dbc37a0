"""``alsbench arms``: who is in the trial, by planned arm."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "arms")(arms)


def arms(
    common: Common,
    subgroup: Annotated[
        str, typer.Option("--subgroup", "-s", metavar="S", help="Count members of this subgroup only.")
    ] = "overall",
    mask: MaskOption = 0,
) -> None:
    """Subjects per planned arm: randomised, in each population, discontinued, dead."""
    from alsbench.service.subjects import arms as ask  # waits: duckdb, numpy

    show(common, ask(common.access, subgroup, mask=mask))
