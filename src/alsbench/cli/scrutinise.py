"""``alsbench scrutinise``: what a sceptical reviewer asks of a finding in a subgroup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, Format, MaskOption, command
from alsbench.cli.complete import check_names, endpoint_names, subgroup_names
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption

if TYPE_CHECKING:
    pass


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
    from alsbench.analysis.scrutiny import CHECKS, find_check
    from alsbench.cli.output import emit_page, write_text
    from alsbench.render.scrutiny import scrutiny_delimited, scrutiny_json, scrutiny_page
    from alsbench.service.scrutiny import made_scrutiny
    from alsbench.service.trail import looked

    if listed:
        _list(common)
        return
    k = common.access.mask(mask)
    chosen = [find_check(name) for name in check] if check else list(CHECKS)
    with common.access.opened() as source:
        made = made_scrutiny(common.access, source, subgroup, chosen, endpoint, tuple(comparison or ()), population, k)
        found = [(each, result.with_command(common.repeat(result.provenance.command))) for each, result in made]
        for _, result in found:
            looked(common.access, result, source)
        if common.format is Format.JSON:
            write_text(common, scrutiny_json(found))
        elif common.format in (Format.CSV, Format.TSV):
            write_text(common, scrutiny_delimited(found, common.format.value))
        else:
            emit_page(common, scrutiny_page(found))


def _list(common: Common) -> None:
    from alsbench.analysis.scrutiny import CHECKS
    from alsbench.cli.output import emit_sheets
    from alsbench.render.sheet import Field, Sheet

    fields = (
        Field("number", "", number=True),
        Field("id", "Id"),
        Field("title", "Check"),
    )
    records = tuple((c.number, c.id, c.title) for c in CHECKS)
    emit_sheets(common, Sheet("checks", "Checks of a finding in a subgroup", fields, records))
