"""``alsbench evidence``: the whole trial at a glance."""

from __future__ import annotations

import shlex
from dataclasses import replace

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption, SubgroupsOption
from alsbench.cli.masking import MaskOption


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
    from alsbench.analysis.evidence import Evidence, assemble, evidence_columns, iter_evidence
    from alsbench.analysis.methods import evidence_endpoints
    from alsbench.cli.masking import limit, mask_evidence
    from alsbench.cli.output import emit_page, emit_result
    from alsbench.cli.progress import steps
    from alsbench.cli.source import opened
    from alsbench.cli.trail import looked
    from alsbench.render.evidence import evidence_page

    with opened(common) as source:
        chosen = tuple(subgroups) if subgroups is not None else tuple(s.name for s in source.study.subgroups)
        columns = evidence_columns(source, chosen)
        total = len(columns) * len(evidence_endpoints(source))
        found = list(steps(common, iter_evidence(source, chosen, comparisons, population), total, "evidence"))
        made: Evidence = assemble(source, columns, chosen, comparisons, found, population)
        command_text = made.result.provenance.command
        if population:
            command_text += f" --population {shlex.quote(population)}"
        made = replace(made, result=made.result.with_command(common.repeat(command_text)))
        made = mask_evidence(made, source, limit(common, mask))
        looked(common, made.result, source)
        if common.format.printed:
            emit_page(common, evidence_page(made))
        else:
            emit_result(common, made.result)
