"""``alsbench diff OLD NEW``: what a new load changed, in the data and in the results."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "diff")(diff)


def diff(
    common: Common,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A snapshot: its name, the beginning of it, current or previous.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another; default: current.")] = "current",
    results: Annotated[
        bool, typer.Option("--results/--no-results", help="Ask the study's contrasts of both and list those that changed.")
    ] = True,
    records: Annotated[
        int, typer.Option("--records", metavar="N", min=0, help="How many records of each kind and table are listed.")
    ] = 20,
    mask: MaskOption = 0,
) -> int:
    """Records added, removed and changed between two snapshots, by key, and which results changed; 1 where they differ.

    The study as it stands is asked of both: every endpoint with a contrast, overall and in every subgroup and complement.
    Two snapshots beside each other tell of single records: under a mask they are not compared.
    """
    from alsbench.service.snapshots import diff as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, old, new, results=results, records=records, mask=mask))
