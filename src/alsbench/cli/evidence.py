"""``alsbench evidence``: the whole trial at a glance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption, SubgroupsOption

if TYPE_CHECKING:
    from alsbench.analysis.evidence import Evidence
    from alsbench.analysis.source import Source
    from alsbench.render.page import Page


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
    show_evidence(common, subgroup, tuple(comparison or ()), population, mask)


def show_evidence(
    common: Common, subgroups: list[str] | None, comparisons: tuple[str, ...], population: str, mask: int = 0
) -> None:
    """Compute, log and print the table. ``subgroups`` None means every subgroup of the study."""
    from alsbench.render.evidence import evidence_page
    from alsbench.service.evidence import made_evidence

    with common.access.opened() as source:
        made = made_evidence(common.access, source, subgroups, comparisons, population, common.access.mask(mask))
        show(common, source, made, evidence_page)


def show(common: Common, source: Source, made: Evidence, page: Callable[[Evidence], Page]) -> None:
    """Enter the look in the log and print it: as ``page`` makes it, or as long rows."""
    from alsbench.cli.output import emit_page, emit_result
    from alsbench.service.trail import looked

    result = made.result.with_command(common.repeat(made.result.provenance.command))
    looked(common.access, result, source)
    if common.format.printed:
        emit_page(common, page(replace(made, result=result)))
    else:
        emit_result(common, result)
