"""The whole trial at a glance: every endpoint and comparison, overall and in each active subgroup and its complement.

A cell holds the contrast at the comparison's horizon (the last analysed visit up to it), its interval and p, the
subgroup-by-arm interaction p, and the first visit from which p stays below 0.05. Cells come one endpoint and subgroup at a
time, so that an app can show them as they arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from alsbench.analysis.cells import piece_or_fault
from alsbench.analysis.contrast import EvidenceCell, Piece
from alsbench.analysis.gates import gated, plan_lines
from alsbench.analysis.methods import evidence_endpoints
from alsbench.analysis.plan import marked, provenance, synthetic_line
from alsbench.analysis.question import OVERALL, evidence_command
from alsbench.analysis.result import Facts, Provenance, Result, merge_warnings
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import complement, members, subgroup_line
from alsbench.study.model import Endpoint


@dataclass(frozen=True)
class Evidence:
    """All cells; ``columns`` are subgroup phrases, overall first, each subgroup before its complement."""

    cells: tuple[EvidenceCell, ...]
    columns: tuple[str, ...]
    result: Result

    def cell(self, endpoint: str, comparison: str, subgroup: str) -> EvidenceCell | None:
        """The cell of that endpoint, comparison and column, or None."""
        return next((c for c in self.cells if (c.endpoint, c.comparison, c.subgroup) == (endpoint, comparison, subgroup)), None)


def evidence_columns(source: Source, subgroups: Sequence[str]) -> tuple[str, ...]:
    """Overall, then each subgroup phrase followed by its complement where it has a single one."""
    columns = [OVERALL]
    for phrase in subgroups:
        if phrase == OVERALL:
            continue
        columns.append(phrase)
        if " and " not in phrase:
            columns.append(complement(source, phrase))
    return tuple(dict.fromkeys(columns))


def iter_evidence(
    source: Source,
    subgroups: Sequence[str] = (),
    comparisons: Sequence[str] = (),
    population: str = "",
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Piece]:
    """Pieces in reading order: overall for every endpoint first, then subgroup by subgroup. Stops when ``cancelled()``.

    An endpoint whose data cannot be analysed has cells that say why; the others are not lost with it."""
    chosen = source.comparisons(tuple(comparisons))
    for phrase in evidence_columns(source, subgroups):
        for endpoint in evidence_endpoints(source):
            if cancelled():
                return
            yield gated(source, piece_or_fault(source, endpoint.name, phrase, chosen, population), population)


def evidence(source: Source, subgroups: Sequence[str] = (), comparisons: Sequence[str] = (), population: str = "") -> Evidence:
    """The whole table. Raises UsageError for an unknown name."""
    columns = evidence_columns(source, subgroups)
    pieces = list(iter_evidence(source, subgroups, comparisons, population))
    return assemble(source, columns, subgroups, comparisons, pieces, population)


def assemble(
    source: Source,
    columns: tuple[str, ...],
    subgroups: Sequence[str],
    comparisons: Sequence[str],
    pieces: Sequence[Piece],
    population: str = "",
    *,
    only: str = "",
) -> Evidence:
    """Pieces put together, with provenance and the facts the table prints; ``only`` names the endpoint of a forest plot."""
    one = source.endpoint(only) if only else None
    name = population or (one.population if one else "") or source.study.populations.default
    parts = [members(source, phrase, name) for phrase in columns]
    endpoints = [one] if one else evidence_endpoints(source)
    left_out = [] if one else [e.name for e in source.study.endpoints.values() if e not in endpoints]
    lines = [("Population", f"{name} ({source.population_words(name)})")]
    lines += [("Subgroup", subgroup_line(source, part)) for part in parts]
    lines += [] if population or one else _own_populations(source, endpoints, columns)
    lines.append(("Visit", "the comparison's horizon, or the last analysed visit before it"))
    lines.append(("p-values", "two-sided, not adjusted for multiplicity"))
    lines += plan_lines(source, population)
    if left_out:
        lines.append(("Not in this table", f"endpoints without a contrast: {', '.join(left_out)}"))
    lines += synthetic_line(source.study)
    title = f"{one.title or one.name}: forest plot" if one else f"{source.study.info.title or source.study.info.id}: evidence"
    origin: Provenance = provenance(source, parts, evidence_command(subgroups, comparisons), *endpoints)
    rows = tuple(dict.fromkeys(row for piece in pieces for row in piece.rows))
    result = Result(
        question={
            "endpoint": one.name if one else None,
            "method": one.method if one else "evidence",
            "population": name,
            "subgroups": list(columns),
            "comparisons": list(comparisons),
        },
        provenance=origin,
        rows=rows,
        facts=Facts(title=title, lines=tuple(lines)),
        warnings=merge_warnings(piece.warnings for piece in pieces),
    )
    result = marked(
        result,
        source,
        endpoints=endpoints,
        comparisons=source.comparisons(tuple(comparisons)),
        parts=parts,
        population=population if any(source.default_population(e) != population for e in endpoints) else "",
    )
    return Evidence(tuple(c for piece in pieces for c in piece.cells), columns, result)


def _own_populations(source: Source, endpoints: Sequence[Endpoint], columns: Sequence[str]) -> list[tuple[str, str]]:
    """Lines for the endpoints analysed in a population of their own, with their subjects in each column."""
    study, lines = source.study, []
    for e in endpoints:
        if e.population and e.population != study.populations.default:
            if study.populations.flags[e.population] not in source.subjects.columns:
                continue  # its cells say so
            sizes = "; ".join(f"{c} n = {members(source, c, e.population).n}" for c in columns)
            lines.append(("Population", f"{e.name}: {e.population} ({source.population_words(e.population)}); {sizes}"))
    return lines
