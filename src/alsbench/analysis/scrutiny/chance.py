"""Chance made visible: what a trial without any effect offers to somebody who looks wherever one could look.

The whole search (:mod:`alsbench.analysis.search`, everything the log says was looked at included) in copies of the trial whose
arms were dealt again within strata. Three answers: the rank of the finding among the smallest p of each copy, which is its p
over the search (min-p: Westfall and Young 1993, ISBN 978-0471557616; as check 7 has it); how the smallest p are distributed;
and, in words, the best favourable finding of the first ten copies beside the real one.

Real and copied findings are told by the same stand-ins (:mod:`alsbench.analysis.scrutiny.outcomes`): nobody can tell a copy
by its method.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.plan import marked, provenance, synthetic_line
from alsbench.analysis.records import resolve_visit
from alsbench.analysis.result import Facts, Result, Row
from alsbench.analysis.scrutiny.catalogue import BEST, COPY, REAL, SMALLEST
from alsbench.analysis.scrutiny.finding import Finding
from alsbench.analysis.scrutiny.headlines import Effect, effect_in, headline, visit_words
from alsbench.analysis.scrutiny.outcomes import STAND_INS
from alsbench.analysis.scrutiny.selection import search_of, search_share, search_table
from alsbench.analysis.search import Place, Share, WholeSearch
from alsbench.analysis.search_table import EDGES, QUANTILES, SearchPlace, SearchTable, class_of
from alsbench.analysis.subgroups import subgroup_line
from alsbench.errors import UsageError
from alsbench.stats.permutation_search import TILE
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison

COPIES = 10  # told in words
TITLE = "Chance made visible"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Told:
    """One place with its effect, p and headline; ``name`` says where: the finding, the best of the trial, ``copy 3``."""

    name: str
    place: Place
    effect: Effect
    p: float
    text: str


def chance(finding: Finding, visit: str = "") -> Result:
    """The finding of each comparison at its horizon, or at a visit (number or label), among copies without any effect.

    Raises UsageError for a finding that is not in the search, and for fewer than ten draws."""
    if finding.draws < COPIES:
        raise UsageError(f"{finding.draws} copies are too few", where="--draws", hint=f"at least {COPIES}")
    number = resolve_visit(finding.source, finding.endpoint, visit) if visit else None
    table = search_table(finding)
    here = {c.name: _found(finding, table, c, number) for c in finding.comparisons}
    search = search_of(finding)
    best = min(table.places, key=lambda p: p.p)
    rows: list[Row] = []
    for comparison in finding.comparisons:
        share = search_share(finding, table, here[comparison.name], comparison)
        rows += _real(finding, search, table, here[comparison.name], share, REAL)
    rows += _real(finding, search, table, best, table.share(best), BEST)
    rows += _distribution(finding, table, [best.p, *(place.p for place in here.values())])
    for told in copied(search, COPIES):
        rows += _rows(finding, told, "copy_p")
    return _result(finding, table, rows, visit)


def copied(search: WholeSearch, copies: int) -> Iterator[_Told]:
    """The best favourable finding of each of the first ``copies`` (at most 256) permuted trials; of a copy that offers none,
    nothing."""
    arms, t, df = search.tile(0)
    for copy in range(min(copies, TILE)):
        best = best_favourable(t[copy], df[copy], search.upward)
        if best is not None:
            yield _told(search, best[0], arms[copy], best[1], f"{COPY} {copy + 1}")


def best_favourable(t: Floats, df: Floats, upward: Floats) -> tuple[int, float] | None:
    """The place (of ``t``, ``df`` and ``upward``, each (places,)) with the smallest two-sided p among those on the better side,
    and its p; None where there is none."""
    from scipy.special import stdtr  # waits: scipy

    with np.errstate(invalid="ignore"):
        good = np.flatnonzero(t * upward > 0)
    if not good.size:
        return None
    p = 2.0 * stdtr(df[good], -np.abs(t[good]))
    return int(good[np.argmin(p)]), float(p.min())


def _told(search: WholeSearch, index: int, arms: NDArray[np.int8], p: float, name: str) -> _Told:
    place, source = search.places[index], search.source
    order = source.study.arms.order
    treated, reference = order.index(place.comparison.treatment), order.index(place.comparison.reference)
    with one_blas_thread():
        effect = effect_in(search.measured_at(place), place.endpoint, arms, treated, reference)
    return _Told(name, place, effect, p, headline(source, place, effect, p))


def _found(finding: Finding, table: SearchTable, comparison: Comparison, visit: float | None) -> SearchPlace:
    here = table.place(finding.subgroup, finding.endpoint.name, comparison.name, visit)
    if here is None or here.t is None:
        why = "an arm or a degree of freedom is missing" if here else "it has no test in permuted trials"
        at = "" if visit is None else f" at visit {visit:g}"
        raise UsageError(
            f"{finding.endpoint.name} in {finding.subgroup}, {comparison.name}{at}, cannot be compared with chance",
            why=why,
            hint="alsbench evidence shows every endpoint; --visit takes an analysed visit",
        )
    return here


def _real(finding: Finding, search: WholeSearch, table: SearchTable, found: SearchPlace, share: Share, name: str) -> list[Row]:
    index = search.at(found.definition, found.endpoint, found.comparison, None if found.at_horizon else found.visit)
    told = _told(search, index, search.arm, found.p, name)
    values = {
        "search_p": share.p,
        "search_error": share.error,
        "rank": 1 + share.hits,
        "copies": share.draws,
        "tests": len(table.places),
    }
    return [*_rows(finding, told, "p_value"), *(_row(finding, told, n, v) for n, v in values.items())]


def _rows(finding: Finding, told: _Told, p_name: str) -> list[Row]:
    stats: dict[str, float | str | None] = {"headline": told.text, told.effect.name: told.effect.value, p_name: told.p}
    return [_row(finding, told, name, value) for name, value in stats.items()]


def _row(finding: Finding, told: _Told, name: str, value: float | int | str | None) -> Row:
    place, source = told.place, finding.source
    at: dict[str, Any] = {}
    if place.visit is not None:
        at = {"visit": visit_words(source, place.endpoint, place.visit), "visit_number": place.visit}
    real = told.name in (REAL, BEST)
    return finding.row(
        name,
        value,
        place.comparison,
        endpoint=place.endpoint,
        subgroup=place.definition,
        variable="search" if real else COPY,
        level=told.name,
        error=None if value is not None else "not estimable",
        **at,
    )


def _distribution(finding: Finding, table: SearchTable, beside: Sequence[float]) -> list[Row]:
    """How many copies have their smallest p in which class, from the first class that holds one, or a p that stands ``beside``
    them, to the last; and quantiles."""
    filled = [k for k, n in enumerate(table.counts) if n] + [class_of(p) for p in beside]
    rows = [
        finding.row("copies", table.counts[k], context="model", variable=SMALLEST, level=f"{EDGES[k]:g} to {EDGES[k + 1]:g}")
        for k in range(min(filled), max(filled) + 1)
    ]
    rows += [
        finding.row("smallest_p", value, context="model", variable=SMALLEST, level=f"{100 * share:g} % of copies")
        for share, value in zip(QUANTILES, table.quantiles, strict=True)
    ]
    return rows


def _result(finding: Finding, table: SearchTable, rows: Sequence[Row], visit: str) -> Result:
    source, member, endpoint = finding.source, finding.member(), finding.endpoint
    within = f" within strata of {', '.join(table.strata)}" if table.strata else ""
    lines = [
        ("Finding", f"{endpoint.title or endpoint.name} in {finding.subgroup}"),
        ("Population", f"{finding.population} ({source.population_words(finding.population)})"),
        ("Subgroup", subgroup_line(source, member)),
        ("Search", f"{len(table.places):,} tests: {table.size}"),
        ("Copies", f"{table.draws:,} with arms dealt again{within}; seed {endpoint.seed}; no treatment has any effect in them"),
        ("Statistic", "smallest two-sided p of each copy's search; what cannot be tested counts as 1"),
        ("Headlines", f"the best favourable finding of the first {COPIES} copies; p is not adjusted for the search"),
    ]
    methods = dict.fromkeys(p.method for p in table.places if p.method in STAND_INS)
    lines += [("In the search", f"{m.replace('_', ' ')}: {STAND_INS[m]}") for m in methods]
    lines += synthetic_line(source.study)
    question = {
        "check": "chance",
        "endpoint": endpoint.name,
        "method": "chance",
        "population": finding.population,
        "subgroups": [member.phrase],
        "comparisons": [c.name for c in finding.comparisons],
        "visits": [visit] if visit else [],
        "draws": finding.draws,
    }
    result = Result(
        question,
        provenance(source, [member], finding.command, endpoint),
        tuple(rows),
        Facts(f"{TITLE}: {endpoint.title or endpoint.name} in {finding.subgroup}", tuple(lines)),
        tuple(f"not in the search: {name}" for name in table.left_out),
    )
    other = "" if finding.population == source.default_population(endpoint) else finding.population
    return marked(result, source, endpoints=[endpoint], comparisons=finding.comparisons, parts=[member], population=other)


def chance_command(finding: Finding, visit: str, draws: int | None) -> str:
    """``alsbench chance ...`` as it was asked."""
    text = finding.command.replace("alsbench scrutinise", "alsbench chance", 1)
    more = [w for name, value in (("--visit", visit), ("--draws", draws)) if value for w in (name, str(value))]
    return " ".join([text, *map(shlex.quote, more)])


__all__ = ["best_favourable", "chance", "chance_command", "copied"]
