"""``alsbench forest NAME``: one endpoint across subgroups, with interaction p."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import endpoint_names
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption, SubgroupsOption

if TYPE_CHECKING:
    pass


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
    from alsbench.analysis.methods import method_info
    from alsbench.cli.evidence import show
    from alsbench.errors import UsageError
    from alsbench.render.forest import forest_page
    from alsbench.service.evidence import made_forest

    with common.access.opened() as source:
        if method_info(source.endpoint(name).method).summary is None:
            raise UsageError(
                f"endpoint {name} has no single contrast to draw", where="forest", hint=f"alsbench endpoint {name}"
            )
        made = made_forest(common.access, source, name, subgroup, tuple(comparison or ()), population, common.access.mask(mask))
        show(common, source, made, forest_page)
