"""``alsbench scrutinise``: what a sceptical reviewer asks of a finding in a subgroup."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import check_names, endpoint_names, subgroup_names
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "scrutinise")(scrutinise)


def scrutinise(
    common: Common,
    subgroup: Annotated[
        str,
        typer.Option(
            "--subgroup",
            "-s",
            metavar="S",
            autocompletion=subgroup_names,
            help="The subgroup under scrutiny. Default: the study's first.",
        ),
    ] = "",
    endpoint: Annotated[
        str,
        typer.Option(
            "--endpoint",
            "-e",
            metavar="NAME",
            autocompletion=endpoint_names,
            help="Default: the study's first of the highest level.",
        ),
    ] = "",
    comparison: ComparisonsOption = None,
    population: PopulationOption = "",
    check: Annotated[
        list[str] | None,
        typer.Option(
            "--check",
            metavar="ID",
            autocompletion=check_names,
            help="Only this check, by id or number; repeats. Default: all.",
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the checks and compute none.")] = False,
    mask: MaskOption = 0,
) -> None:
    """Put a finding through what a sceptical reviewer asks: 22 checks, each with a verdict and a table."""
    from alsbench.service import scrutiny  # waits: duckdb, numpy

    if listed:
        show(common, scrutiny.checks_listed(common.access))
        return
    made = scrutiny.scrutinise(
        common.access,
        endpoint,
        subgroup=subgroup,
        comparisons=comparison or (),
        population=population,
        checks=check or (),
        mask=mask,
    )
    show(common, made)
