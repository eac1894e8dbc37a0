"""``alsbench evidence``: the whole trial at a glance."""

from __future__ import annotations

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption, SubgroupsOption
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "evidence", short_help="Every endpoint and comparison, overall and in subgroups")(evidence)


def evidence(
    common: Common,
    subgroup: SubgroupsOption = None,
    comparison: ComparisonsOption = None,
    population: PopulationOption = "",
    mask: MaskOption = 0,
) -> None:
    """Every endpoint and comparison, overall and in each subgroup beside its complement (default: all subgroups)."""
    from alsbench.service.evidence import evidence as ask  # waits: duckdb, numpy

    show(common, ask(common.access, subgroups=subgroup, comparisons=comparison or (), population=population, mask=mask))
