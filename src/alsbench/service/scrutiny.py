"""The checks of a finding in a subgroup: what a sceptical reviewer asks; and what chance offers beside the finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.analysis.kept import cached_check
from alsbench.analysis.scrutiny import ALL, Check, find_check
from alsbench.analysis.scrutiny.catalogue import REAL, SMALLEST
from alsbench.analysis.scrutiny.finding import asked
from alsbench.render.chance import chance_page
from alsbench.render.scrutiny import scrutiny_delimited, scrutiny_json, scrutiny_page
from alsbench.render.sheet import Field, Sheet
from alsbench.service.access import Access
from alsbench.service.masks import mask_check
from alsbench.service.output import Output, paged, results_output, sheets_output
from alsbench.service.trail import log_result

TOLD = ("headline", "difference", "ratio", "hazard_ratio")  # of a finding, in words and points


if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source


def scrutinise(
    access: Access,
    endpoint: str = "",
    *,
    subgroup: str = "",
    comparisons: Sequence[str] = (),
    population: str = "",
    checks: Sequence[str] = (),
    mask: int = 0,
) -> Output:
    """The bottom line of a finding and the 22 checks it rests on, or those named by id or number; each has a verdict and a
    table.

    Defaults: the study's first subgroup and its first endpoint of the highest level. Raises UsageError for a check that is
    not there.
    """
    k = access.mask(mask)
    chosen = [find_check(name) for name in checks]
    with access.opened() as source:
        made = made_scrutiny(access, source, subgroup, chosen, endpoint, tuple(comparisons), population, k)
        found = [(each, log_result(access, result, source.study)) for each, result in made]

        def records(form: str) -> str:
            return scrutiny_json(found) if form == "json" else scrutiny_delimited(found, "tsv" if form == "tsv" else "csv")

        results = tuple(result for _, result in found)
        return paged(access, lambda: scrutiny_page(found), records, results=results, study=source.study)


def chance(
    access: Access,
    endpoint: str = "",
    *,
    subgroup: str = "",
    comparisons: Sequence[str] = (),
    population: str = "",
    visit: str = "",
    draws: int = 0,
    mask: int = 0,
) -> Output:
    """A finding among ``draws`` copies of the trial without any effect: its rank among the best of each, how small the
    smallest p of a copy is, and the headlines of the first ten beside the real one.

    Defaults: those of :func:`scrutinise`, the horizon of each comparison, the draws of a check. Under a mask no headline is
    shown: copies are of small parts. Raises UsageError for a finding that has no test in permuted trials.
    """
    k = access.mask(mask)
    with access.opened() as source:
        phrase = subgroup or first_subgroup(source)
        made = made_chance(source, phrase, endpoint, tuple(comparisons), population, visit, draws, k)
        result = log_result(access, made, source.study)
        return results_output(access, [result], lambda: chance_page(result), source.study)


def made_chance(
    source: Source,
    subgroup: str,
    endpoint: str = "",
    comparisons: tuple[str, ...] = (),
    population: str = "",
    visit: str = "",
    draws: int = 0,
    k: int = 0,
) -> Result:
    """What :func:`chance` shows, counts below ``k`` masked; nothing is logged."""
    from alsbench.analysis.scrutiny import chance as copies  # waits: scipy

    finding = asked(source, subgroup, endpoint=endpoint, comparisons=comparisons, population=population)
    finding = replace(finding, command=copies.chance_command(finding, visit, draws), draws=draws or finding.draws)
    result = copies.chance(finding, visit)
    if not k:
        return result
    shown = tuple(r for r in result.rows if r.variable == SMALLEST or (r.level == REAL and r.stat_name not in TOLD))
    return mask_check("chance", replace(result, rows=shown), source, subgroup, population, k)


def first_subgroup(source: Source) -> str:
    """The subgroup that is scrutinised where none is named: the study's first."""
    return source.study.subgroups[0].name if source.study.subgroups else "overall"


def checks_listed(access: Access) -> Output:
    """The checks there are: number, id, title; nothing is computed."""
    fields = (Field("number", "", number=True), Field("id", "Id"), Field("title", "Check"))
    records = tuple((c.number, c.id, c.title) for c in ALL)
    return sheets_output(access, Sheet("checks", "Checks of a finding in a subgroup", fields, records))


def made_scrutiny(
    access: Access,
    source: Source,
    subgroup: str = "",
    chosen: Sequence[Check] = (),
    endpoint: str = "",
    comparisons: tuple[str, ...] = (),
    population: str = "",
    k: int = 0,
) -> list[tuple[Check, Result]]:
    """Each check (default: all) with what it found, counts below ``k`` masked; progress is shown, nothing is logged."""
    chosen = chosen or ALL
    phrase = subgroup or first_subgroup(source)
    found = []
    for each in access.steps(dict.fromkeys(chosen), len(chosen), "scrutiny"):
        result = cached_check(each.id, source, phrase, endpoint=endpoint, comparisons=comparisons, population=population)
        found.append((each, mask_check(each.id, result, source, phrase, population, k)))
    return found
