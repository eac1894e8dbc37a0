"""``alsbench forest NAME``: one endpoint across subgroups, with interaction p."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.complete import endpoint_names
from alsbench.cli.endpoint import ComparisonsOption, PopulationOption, SubgroupsOption
from alsbench.cli.masking import MaskOption

if TYPE_CHECKING:
    from alsbench.analysis.evidence import Evidence
    from alsbench.analysis.source import Source


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
    from alsbench.cli.masking import limit
    from alsbench.cli.source import opened
    from alsbench.errors import UsageError
    from alsbench.render.forest import forest_page

    with opened(common) as source:
        if method_info(source.endpoint(name).method).summary is None:
            raise UsageError(
                f"endpoint {name} has no single contrast to draw", where="forest", hint=f"alsbench endpoint {name}"
            )
        made = made_forest(common, source, name, subgroup, tuple(comparison or ()), population, limit(common, mask))
        show(common, source, made, forest_page)


def made_forest(
    common: Common,
    source: Source,
    name: str,
    subgroups: Sequence[str] | None = None,
    comparisons: tuple[str, ...] = (),
    population: str = "",
    k: int = 0,
) -> Evidence:
    """What the plot is drawn from, with counts below ``k`` masked; progress is shown, nothing is logged."""
    from alsbench.analysis.cache import cached_piece
    from alsbench.analysis.command import evidence_command
    from alsbench.analysis.evidence import assemble, evidence_columns
    from alsbench.analysis.gates import gated
    from alsbench.cli.evidence import chosen_subgroups, hidden_columns
    from alsbench.cli.masking import mask_evidence
    from alsbench.cli.progress import steps

    chosen = chosen_subgroups(source, subgroups)
    columns = evidence_columns(source, chosen)
    compared = source.comparisons(comparisons)
    pieces = (gated(source, cached_piece(source, name, phrase, compared, population), population) for phrase in columns)
    found = list(steps(common, pieces, len(columns), "forest"))
    made = assemble(source, columns, chosen, comparisons, found, population, only=name)
    words = evidence_command(chosen if subgroups is not None else (), comparisons).split(" ", 2)
    text = " ".join(
        ["alsbench forest", _quoted(name), *words[2:], *(["--population", _quoted(population)] if population else [])]
    )
    beside = hidden_columns(source, chosen, comparisons, population, name) if k else ()
    return mask_evidence(replace(made, result=made.result.with_command(text)), source, k, population, beside)


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
