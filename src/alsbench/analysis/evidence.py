"""The whole trial at a glance: every endpoint and comparison, overall and in each active subgroup and its complement.

A cell holds the contrast at the comparison's horizon (the last analysed visit up to it), its interval and p, the
subgroup-by-arm interaction p, and the first visit from which p stays below 0.05. Cells come one endpoint and subgroup at a
time, so that an app can show them as they arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from alsbench.analysis.ask import Ask
from alsbench.analysis.cache import piece_or_fault
from alsbench.analysis.cells import Cell, Piece
from alsbench.analysis.command import evidence_command
from alsbench.analysis.gates import gated, plan_lines
from alsbench.analysis.methods import analyse_with, evidence_endpoints, interaction_with, method_info
from alsbench.analysis.plan import marked, plan_word
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Facts, Provenance, Result, Row, merge_warnings
from alsbench.analysis.run import default_population, guarded, provenance, subgroup_line, subgroup_rows
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import complement, members
from alsbench.errors import AlsbenchError, UsageError
from alsbench.stats.errors import StatsError
from alsbench.study.model import Comparison, Endpoint


@dataclass(frozen=True)
class Evidence:
    """All cells; ``columns`` are subgroup phrases, overall first, each subgroup before its complement."""

    cells: tuple[Cell, ...]
    columns: tuple[str, ...]
    result: Result

    def cell(self, endpoint: str, comparison: str, subgroup: str) -> Cell | None:
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


def evidence_piece(
    source: Source,
    endpoint: Endpoint,
    phrase: str,
    comparisons: Sequence[Comparison],
    population: str = "",
    *,
    interactions: bool = True,
) -> Piece:
    """One endpoint in one subgroup. ``interactions`` adds the subgroup-by-arm interaction (one more fit)."""
    population = population or endpoint.population or source.study.populations.default
    member = members(source, phrase, population)
    question = Question(endpoint.name, subgroups=(phrase,), population=population)
    rows: list[Row] = []
    warnings: list[str] = []
    cells: list[Cell] = []
    info = method_info(endpoint.method)
    ask = Ask(source, endpoint, question, population, member, tuple(comparisons))
    block = guarded(analyse_with(endpoint.method), ask)
    rows += [*subgroup_rows(ask), *block.rows]
    warnings += block.warnings
    found = [_cell(ask, rows, c) for c in comparisons]
    if interactions and phrase != OVERALL and not phrase.startswith("not ") and member.n:
        found = _with_interaction(ask, found, rows)
    cells += found
    kept = _at_horizons(rows, found, by_visit=info.by_visit)
    return Piece(tuple(cells), tuple(kept), tuple(warnings))


def fault_piece(
    source: Source, endpoint: Endpoint, phrase: str, comparisons: Sequence[Comparison], population: str, fault: AlsbenchError
) -> Piece:
    """The cells of an endpoint whose data cannot be analysed: no estimate, and why. Raises what is wrong with the subgroup or
    the population asked for: these are the asker's, not the endpoint's."""
    name = population or endpoint.population or source.study.populations.default
    try:
        member = members(source, phrase, name)
    except UsageError:
        if population or not endpoint.population:
            raise
        name = source.study.populations.default  # the endpoint's own population is what is wrong
        member = members(source, phrase, name)
    ask = Ask(source, endpoint, Question(endpoint.name, (phrase,), population=name), name, member, tuple(comparisons))
    names = method_info(endpoint.method).summary or ()
    rows = subgroup_rows(ask)
    for treatment, reference in ask.pairs:
        rows += ask.failed("contrast", names, fault.what, treatment=treatment, reference=reference)
    why = "; ".join(text for text in (fault.what, fault.hint) if text)
    return Piece(tuple(_cell(ask, rows, c) for c in comparisons), tuple(rows), (f"{endpoint.name}: {why}",))


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
    if source.study.info.synthetic:
        lines.append(("Data", "SYNTHETIC: no real patient stands behind these numbers"))
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
        population=population if any(default_population(source, e) != population for e in endpoints) else "",
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


def _cell(ask: Ask, rows: list[Row], comparison: Comparison) -> Cell:
    cell = Cell(
        endpoint=ask.endpoint.name,
        title=ask.endpoint.title or ask.endpoint.name,
        method=ask.endpoint.method,
        level=ask.endpoint.level,
        comparison=comparison.name,
        treatment=comparison.treatment,
        reference=comparison.reference,
        primary=comparison.primary,
        subgroup=ask.member.phrase,
        post_hoc=ask.member.post_hoc,
        n=ask.member.n,
        plan=plan_word(ask.source, ask.endpoint, comparison),
    )
    info = method_info(ask.endpoint.method)
    if info.summary is None:
        return cell
    mine = [
        r
        for r in rows
        if r.context == "contrast" and (r.treatment, r.reference) == (comparison.treatment, comparison.reference)
    ]
    where = _cell_visit(mine, info.summary[3], comparison.horizon) if info.by_visit else None
    if info.by_visit and where is None:
        reason = next((r.error for r in mine if r.error), "no analysed visit up to the horizon")
        return replace(cell, error=reason)
    at = {r.stat_name: r for r in mine if r.visit_number == where and r.level is None}
    log = ask.endpoint.scale == "log" and "ratio" in at
    names = ("ratio", "ratio_low", "ratio_high", info.summary[3]) if log else info.summary
    found = [at.get(n) for n in names]
    values = [r.number() if r is not None and r.stat is not None else None for r in found]
    ratio = log or names[0].endswith("ratio")
    favourable = None
    if values[0] is not None:
        null = 1.0 if ratio else 0.0
        # below one is better for a hazard of bad events, a higher joint rank is better: whatever the endpoint's direction
        upward = {"hazard_ratio": False}.get(names[0], ask.endpoint.better == "higher" or ask.endpoint.method == "joint_rank")
        favourable = None if values[0] == null else (values[0] > null) == upward
    firsts = {r.stat_name: r.stat for r in mine if r.visit_number is None and r.level is None}
    tested = firsts.get("visits_tested")
    return replace(
        cell,
        visit=next((r.visit for r in found if r is not None), None),
        visit_number=where,
        ratio=ratio,
        estimate=values[0],
        low=values[1],
        high=values[2],
        p=values[3],
        favourable=favourable,
        first_lasting_visit=_float(firsts.get("first_lasting_visit")),
        first_visit=_float(firsts.get("first_visit")),
        visits_tested=tested if isinstance(tested, int) else None,
        error=next((r.error for r in found if r is not None and r.error), None),
    )


def _cell_visit(rows: list[Row], p_name: str, horizon: float | None) -> float | None:
    """The last visit with a p-value row up to the horizon; the last of all without a horizon."""
    visits = sorted({r.visit_number for r in rows if r.stat_name == p_name and r.visit_number is not None})
    reached = [v for v in visits if horizon is None or v <= horizon]
    return reached[-1] if reached else None


def _with_interaction(ask: Ask, cells: list[Cell], rows: list[Row]) -> list[Cell]:
    function = interaction_with(ask.endpoint.method)
    if function is None:
        return cells
    asked = [(c, cell) for c, cell in zip(ask.comparisons, cells, strict=True) if not _without_visit(cell)]
    if not asked:
        return cells
    visits = tuple(cell.visit_number if cell.visit_number is not None else 0.0 for _, cell in asked)
    try:
        block = function(replace(ask, comparisons=tuple(c for c, _ in asked)), ask.member.decided, visits)
    except StatsError as error:
        rows += [
            ask.row("subgroup", "interaction_p", None, treatment=c.treatment, reference=c.reference, error=str(error))
            for c, _ in asked
        ]
        return cells
    rows += block.rows
    p = {(r.treatment, r.reference, r.visit_number): r.stat for r in block.rows}
    return [
        replace(
            c, interaction_p=_float(p.get((c.treatment, c.reference, c.visit_number), p.get((c.treatment, c.reference, None))))
        )
        for c in cells
    ]


def _without_visit(cell: Cell) -> bool:
    return method_info(cell.method).by_visit and cell.visit_number is None


def _at_horizons(rows: list[Row], cells: list[Cell], *, by_visit: bool) -> list[Row]:
    """The rows behind the cells: those at their visits, and those that belong to no visit."""
    visits = {c.visit_number for c in cells}
    keep = ("contrast", "subgroup", "arm")
    return [
        r
        for r in rows
        if r.context in keep and r.level is None and (not by_visit or r.visit_number is None or r.visit_number in visits)
    ]


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
