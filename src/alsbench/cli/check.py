"""``alsbench check``: the data rules, run again on the current snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from alsbench.cli.common import Common, MaskOption, command

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "check")(check)


def check(common: Common, mask: MaskOption = 0) -> int:
    """Run every data check on the current snapshot. Exits 1 if an error-level finding stands that was not accepted."""
    from alsbench.cli.output import emit_sheets
    from alsbench.data.workspace import Workspace
    from alsbench.service.checks import findings_of

    with Workspace(common.workspace).open_current() as snapshot:
        sheet, errors = findings_of(common.access, snapshot, common.access.mask(mask))
    emit_sheets(common, sheet)
    return 1 if errors else 0
