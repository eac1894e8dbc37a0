"""``alsbench unblind``: one way, with the key and a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, command


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "unblind")(unblind)


def unblind(
    common: Common,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The key written by load --blinded.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why the blind is lifted; kept in the log.")],
) -> None:
    """Publish the current data under their real arms. It is logged and cannot be taken back."""
    from alsbench.cli.blinded import unblind as lift
    from alsbench.cli.load import receipt_sheets
    from alsbench.cli.output import emit_sheets

    emit_sheets(common, *receipt_sheets(lift(common, key, reason)))
