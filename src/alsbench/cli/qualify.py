"""``alsbench qualify``: the installation report, every reference number computed again on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "qualify", placed=False, short_help="Compute every reference number again on this installation")(qualify)


def qualify(
    common: Common,
    numbers: Annotated[bool, typer.Option("--numbers", help="Every number compared, instead of one line per method.")] = False,
    method: Annotated[
        list[str] | None, typer.Option("--method", metavar="ID", help="Only this method (repeatable). Default: all.")
    ] = None,
) -> int:
    """Compute every reference number of R, SAS and the published tables again on this installation, and compare.

    The reference trials are in the package; nothing is fetched, no data of yours are read. Exits 1 if a number is out of
    tolerance.
    """
    from alsbench.service.qualification import qualify as ask  # waits: duckdb, numpy, scipy

    return show(common, ask(common.access, tuple(method or ()), numbers=numbers))
