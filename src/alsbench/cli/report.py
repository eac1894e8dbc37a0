"""``alsbench report``: the tables of a trial in one document that stands alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import endpoint_names
from alsbench.cli.endpoint import SubgroupsOption
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "report", short_help="All tables in one document: HTML, RTF, Markdown, text")(report)


def report(
    common: Common,
    subgroup: SubgroupsOption = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint",
            "-e",
            metavar="NAME",
            autocompletion=endpoint_names,
            help="Tables and forests of this endpoint only; repeats. Default: all.",
        ),
    ] = None,
    scrutinise: Annotated[
        bool, typer.Option("--scrutinise", help="Add the 22 checks of each subgroup asked for (default: the study's first).")
    ] = False,
    claims: Annotated[
        Path | None, typer.Option("--claims", metavar="FILE", help="Add the published numbers of FILE beside the data's.")
    ] = None,
    mask: MaskOption = 0,
) -> None:
    """All tables of the trial in one document: front page, contents, numbered tables that each stand alone.

    Disposition, baseline, evidence, every endpoint overall and in each subgroup asked for, forest plots, scrutiny and claims
    where asked for, safety, departures from the locked plan, the multiplicity ledger, the checks of the data. Evidence and
    forest plots hold every subgroup of the study. Write it with -o FILE: .html, .rtf, .md, .txt. A table that cannot be made
    says why in its place.
    """
    from alsbench.service.report import report as ask  # waits: duckdb, numpy

    made = ask(
        common.access, subgroups=subgroup or (), endpoints=endpoint or (), scrutinise=scrutinise, claims=claims, mask=mask
    )
    show(common, made)
