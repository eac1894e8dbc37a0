"""``alsbench claims FILE``: published numbers beside those of the loaded data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "claims", short_help="Check published numbers: coherent, reproduced?")(claims)


def claims(
    common: Common,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The claims. Default: claims.toml of the workspace.", show_default=False),
    ] = None,
    claim: Annotated[
        list[str] | None, typer.Option("--claim", metavar="NAME", help="Only this claim; repeats. Default: all.")
    ] = None,
    scrutinise: Annotated[
        bool, typer.Option("--scrutinise", help="Also whether each survives the checks of `alsbench scrutinise`.")
    ] = False,
    mask: MaskOption = 0,
) -> int:
    """Check published numbers: do they agree with each other, with the data, and (asked for) with scrutiny?

    Without data, or a workspace, whether they agree with each other. Exits 1 where a claim contradicts itself, another one or
    the data. CSV and TSV hold every number; the other formats all tables.
    """
    from alsbench.service.claims import claims as ask  # waits: duckdb, numpy, scipy

    return show(common, ask(common.access, file, names=claim or (), scrutinise=scrutinise, mask=mask))
