"""``alsbench evidence``: the whole trial at a glance."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption, SubgroupsOption
from alsbench.cli.masking import MaskOption

if TYPE_CHECKING:
    from alsbench.analysis.evidence import Evidence
    from alsbench.analysis.result import Row
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
    from alsbench.cli.masking import limit
    from alsbench.cli.source import opened
    from alsbench.render.evidence import evidence_page

    with opened(common) as source:
        made = made_evidence(common, source, subgroups, comparisons, population, limit(common, mask))
        show(common, source, made, evidence_page)


def show(common: Common, source: Source, made: Evidence, page: Callable[[Evidence], Page]) -> None:
    """Enter the look in the log and print it: as ``page`` makes it, or as long rows."""
    from alsbench.cli.output import emit_page, emit_result
    from alsbench.cli.trail import looked

    result = made.result.with_command(common.repeat(made.result.provenance.command))
    looked(common, result, source)
    if common.format.printed:
        emit_page(common, page(replace(made, result=result)))
    else:
        emit_result(common, result)


def chosen_subgroups(source: Source, subgroups: Sequence[str] | None) -> tuple[str, ...]:
    """Those asked for; every one of the study where none were."""
    return tuple(subgroups) if subgroups is not None else tuple(s.name for s in source.study.subgroups)


def made_evidence(
    common: Common,
    source: Source,
    subgroups: Sequence[str] | None = None,
    comparisons: tuple[str, ...] = (),
    population: str = "",
    k: int = 0,
) -> Evidence:
    """The table with counts below ``k`` masked; progress is shown, nothing is logged."""
    from alsbench.analysis.evidence import assemble, evidence_columns, iter_evidence
    from alsbench.analysis.methods import evidence_endpoints
    from alsbench.cli.masking import mask_evidence
    from alsbench.cli.progress import steps

    chosen = chosen_subgroups(source, subgroups)
    columns = evidence_columns(source, chosen)
    total = len(columns) * len(evidence_endpoints(source))
    found = list(steps(common, iter_evidence(source, chosen, comparisons, population), total, "evidence"))
    made = assemble(source, columns, chosen, comparisons, found, population)
    if population:
        text = f"{made.result.provenance.command} --population {shlex.quote(population)}"
        made = replace(made, result=made.result.with_command(text))
    return mask_evidence(made, source, k, population, hidden_columns(source, chosen, comparisons, population) if k else ())


def hidden_columns(
    source: Source, chosen: Sequence[str], comparisons: tuple[str, ...], population: str, only: str = ""
) -> tuple[Row, ...]:
    """Rows of the study's subgroups that are not among those chosen: what a mask hides does not depend on what is asked."""
    from alsbench.analysis.cache import cached_piece
    from alsbench.analysis.evidence import assemble, evidence_columns, iter_evidence
    from alsbench.cli.masking import MOST_DECLARED

    others = tuple(s.name for s in source.study.subgroups[:MOST_DECLARED] if s.name not in chosen)
    if not others:
        return ()
    columns = evidence_columns(source, others)
    compared = source.comparisons(comparisons)
    pieces = (
        (cached_piece(source, only, phrase, compared, population) for phrase in columns)
        if only
        else iter_evidence(source, others, comparisons, population)
    )
    made = assemble(source, columns, others, comparisons, list(pieces), population, only=only)
    return tuple(r for r in made.result.rows if r.subgroup not in evidence_columns(source, chosen))
