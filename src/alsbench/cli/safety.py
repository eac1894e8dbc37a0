"""``alsbench safety``: the incidence endpoints of the study."""

from __future__ import annotations

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.endpoint import PopulationOption, SubgroupsOption
from alsbench.cli.output import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "safety")(safety)


def safety(common: Common, subgroup: SubgroupsOption = None, population: PopulationOption = "", mask: MaskOption = 0) -> None:
    """Exposure, adverse event overview, classes and terms, by actual arm: the study's first incidence endpoint."""
    from alsbench.service.endpoint import safety as ask  # waits: duckdb, numpy

    show(common, ask(common.access, subgroups=subgroup or (), population=population, mask=mask))
