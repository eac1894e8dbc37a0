"""``alsbench forest NAME``: one endpoint across subgroups, with interaction p."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import endpoint_names
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption, SubgroupsOption
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "forest", short_help="One endpoint across the subgroups, drawn to scale")(forest)


def forest(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An endpoint of study.toml.", autocompletion=endpoint_names)],
    subgroup: SubgroupsOption = None,
    comparison: ComparisonsOption = None,
    population: PopulationOption = "",
    mask: MaskOption = 0,
) -> None:
    """One endpoint overall, in each subgroup and in its complement, drawn to scale (default: all subgroups)."""
    from alsbench.service.evidence import forest as ask  # waits: duckdb, numpy

    compared = comparison or ()
    show(common, ask(common.access, name, subgroups=subgroup, comparisons=compared, population=population, mask=mask))
