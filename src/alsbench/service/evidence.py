"""The whole trial at a glance, and one endpoint across its subgroups."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.analysis.bottom_lines import bottom_lines_of, judged_evidence
from alsbench.analysis.cells import cached_piece
from alsbench.analysis.evidence import Evidence, assemble, evidence_columns, iter_evidence
from alsbench.analysis.gates import gated
from alsbench.analysis.methods import evidence_endpoints, method_info
from alsbench.analysis.question import evidence_command
from alsbench.analysis.scrutiny import BOTTOM_LINE
from alsbench.errors import UsageError
from alsbench.render.evidence import evidence_page
from alsbench.render.forest import forest_page
from alsbench.render.marks import unjudged
from alsbench.service.access import Access
from alsbench.service.masks import MOST_DECLARED, mask_check, mask_evidence
from alsbench.service.output import Output, results_output
from alsbench.service.trail import log_result

if TYPE_CHECKING:
    from alsbench.analysis.result import Row
    from alsbench.analysis.source import Source


def evidence(
    access: Access,
    *,
    subgroups: Sequence[str] | None = None,
    comparisons: Sequence[str] = (),
    population: str = "",
    judge: bool = False,
    mask: int = 0,
) -> Output:
    """Every endpoint with a single contrast, overall and in each subgroup beside its complement (None: all of the study).

    ``judge`` gives every p below 0.05 outside the plan its bottom line, which takes minutes where nothing is kept yet."""
    with access.opened() as source:
        made = made_evidence(access, source, subgroups, tuple(comparisons), population, access.mask(mask), judge=judge)
        result = log_result(access, made.result, source.study)
        return results_output(access, [result], lambda: evidence_page(replace(made, result=result)), source.study)


def forest(
    access: Access,
    name: str,
    *,
    subgroups: Sequence[str] | None = None,
    comparisons: Sequence[str] = (),
    population: str = "",
    judge: bool = False,
    mask: int = 0,
) -> Output:
    """One endpoint overall, in each subgroup and in its complement, drawn to scale, with interaction p; ``judge`` as for the
    evidence.

    Raises UsageError for an endpoint without a single contrast."""
    with access.opened() as source:
        if method_info(source.endpoint(name).method).summary is None:
            raise UsageError(
                f"endpoint {name} has no single contrast to draw", where="forest", hint=f"alsbench endpoint {name}"
            )
        made = made_forest(access, source, name, subgroups, tuple(comparisons), population, access.mask(mask), judge=judge)
        result = log_result(access, made.result, source.study)
        return results_output(access, [result], lambda: forest_page(replace(made, result=result)), source.study)


def chosen_subgroups(source: Source, subgroups: Sequence[str] | None) -> tuple[str, ...]:
    """Those asked for; every one of the study where none were."""
    return tuple(subgroups) if subgroups is not None else tuple(s.name for s in source.study.subgroups)


def made_evidence(
    access: Access,
    source: Source,
    subgroups: Sequence[str] | None = None,
    comparisons: tuple[str, ...] = (),
    population: str = "",
    k: int = 0,
    *,
    judge: bool = False,
) -> Evidence:
    """The table with counts below ``k`` masked; progress is shown, nothing is logged."""
    chosen = chosen_subgroups(source, subgroups)
    columns = evidence_columns(source, chosen)
    total = len(columns) * len(evidence_endpoints(source))
    found = list(access.steps(iter_evidence(source, chosen, comparisons, population), total, "evidence"))
    made = assemble(source, columns, chosen, comparisons, found, population)
    if population:
        text = f"{made.result.provenance.command} --population {shlex.quote(population)}"
        made = replace(made, result=made.result.with_command(text))
    beside = hidden_columns(source, chosen, comparisons, population) if k else ()
    return _finished(access, source, made, population, k, beside, judge=judge)


def _finished(
    access: Access, source: Source, made: Evidence, population: str, k: int, beside: Sequence[Row], *, judge: bool
) -> Evidence:
    """The table with its bottom lines, where they were asked for, and counts below ``k`` masked: what is hidden is not
    judged, nor is what cannot be scrutinised under the mask."""
    if not judge:
        return mask_evidence(made, source, k, population, beside)
    made = replace(made, result=made.result.with_command(f"{made.result.provenance.command} --judge"))
    made = mask_evidence(made, source, k, population, beside)
    asked = dict.fromkeys((c.endpoint, c.subgroup) for c in made.cells if unjudged(c))
    found = {}
    for endpoint, phrase in access.steps(asked, len(asked), "bottom lines"):
        result = bottom_lines_of(source, endpoint, phrase, population)
        found[endpoint, phrase] = mask_check(BOTTOM_LINE.id, result, source, phrase, population, k)
    return judged_evidence(made, found, source)


def hidden_columns(
    source: Source, chosen: Sequence[str], comparisons: tuple[str, ...], population: str, only: str = ""
) -> tuple[Row, ...]:
    """Rows of the study's subgroups that are not among those chosen: what a mask hides does not depend on what is asked."""
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


def made_forest(
    access: Access,
    source: Source,
    name: str,
    subgroups: Sequence[str] | None = None,
    comparisons: tuple[str, ...] = (),
    population: str = "",
    k: int = 0,
    *,
    judge: bool = False,
) -> Evidence:
    """What the plot is drawn from, with counts below ``k`` masked; progress is shown, nothing is logged."""
    chosen = chosen_subgroups(source, subgroups)
    columns = evidence_columns(source, chosen)
    compared = source.comparisons(comparisons)
    pieces = (gated(source, cached_piece(source, name, phrase, compared, population), population) for phrase in columns)
    found = list(access.steps(pieces, len(columns), "forest"))
    made = assemble(source, columns, chosen, comparisons, found, population, only=name)
    words = evidence_command(chosen if subgroups is not None else (), comparisons).split(" ", 2)
    text = " ".join(
        ["alsbench forest", shlex.quote(name), *words[2:], *(["--population", shlex.quote(population)] if population else [])]
    )
    beside = hidden_columns(source, chosen, comparisons, population, name) if k else ()
    made = replace(made, result=made.result.with_command(text))
    return _finished(access, source, made, population, k, beside, judge=judge)
