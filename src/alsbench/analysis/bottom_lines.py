"""The bottom lines of a table: of every small p outside the plan that stands in it, each as scrutiny gives it.

They are asked for by endpoint and subgroup, for all comparisons at once, as ``alsbench scrutinise`` does: what one has computed
the other finds kept. A bottom line that rests on a search that has been widened since is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from alsbench.analysis.contrast import NOT_JUDGED, EvidenceCell
from alsbench.analysis.evidence import Evidence
from alsbench.analysis.kept import cached_check, known_check
from alsbench.analysis.result import Result, Row
from alsbench.analysis.scrutiny.catalogue import BOTTOM_LINE
from alsbench.analysis.source import Source


def bottom_lines_of(source: Source, endpoint: str, subgroup: str, population: str = "") -> Result:
    """The bottom lines of an endpoint in a subgroup, one for each comparison. Raises what ``run_check`` raises."""
    own = _other_population(source, endpoint, population)
    return cached_check(BOTTOM_LINE.id, source, subgroup, endpoint=endpoint, population=own)


def known_bottom_lines(source: Source, endpoint: str, subgroup: str, population: str = "") -> Result | None:
    """The same, where they are known; else None."""
    own = _other_population(source, endpoint, population)
    return known_check(BOTTOM_LINE.id, source, subgroup, endpoint=endpoint, population=own)


def rows_by_comparison(result: Result, source: Source) -> dict[str, tuple[Row, ...]]:
    """The rows of a result by comparison: those of each begin with its level. Empty where a mask has hidden them."""
    parts: list[list[Row]] = []
    for row in result.rows:
        if row.stat_name == "level":
            parts.append([])
        parts[-1].append(row)
    names = result.question.get("comparisons") or [c.name for c in source.study.comparisons]
    return dict(zip(names, map(tuple, parts), strict=True)) if parts else {}


def with_bottom_line(cell: EvidenceCell, rows: Iterable[Row]) -> EvidenceCell:
    """The cell with the level that its rows give; as it is without any."""
    level = next((str(row.stat) for row in rows if row.stat_name == "level"), None)
    return cell if level is None else replace(cell, bottom_line=level)


def judged_evidence(made: Evidence, found: Mapping[tuple[str, str], Result], source: Source) -> Evidence:
    """A table with the bottom lines ``found`` by endpoint and subgroup: the level in the cell of every small p outside the
    plan; level, rule and inputs as rows."""
    wanted = [c for c in made.cells if c.bottom_line == NOT_JUDGED and (c.endpoint, c.subgroup) in found]
    rows = {
        (endpoint, phrase, name): mine
        for (endpoint, phrase), result in found.items()
        for name, mine in rows_by_comparison(result, source).items()
    }
    mine = {c: rows.get((c.endpoint, c.subgroup, c.comparison), ()) for c in wanted}
    cells = tuple(with_bottom_line(c, mine.get(c, ())) for c in made.cells)
    more = dict.fromkeys(row for c in made.cells for row in mine.get(c, ()))
    question = {**made.result.question, "judge": True}
    return replace(made, cells=cells, result=replace(made.result, rows=(*made.result.rows, *more), question=question))


def _other_population(source: Source, endpoint: str, population: str) -> str:
    """The population where it is another than the endpoint's own: by no name the finding is the one scrutiny is asked for."""
    return "" if population == source.default_population(source.endpoint(endpoint)) else population
