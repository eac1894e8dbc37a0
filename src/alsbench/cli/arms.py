"""``alsbench arms``: who is in the trial, by planned arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command

if TYPE_CHECKING:
    pass


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
    from alsbench.cli.output import emit_sheets
    from alsbench.service.arms import arms_sheet

    with common.access.opened() as source:
        emit_sheets(common, arms_sheet(source, subgroup, common.access.mask(mask)))
