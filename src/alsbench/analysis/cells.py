"""The evidence cells of one endpoint in one subgroup: computed, or read back where they are kept.

A cell is the contrast at the comparison's horizon, with the subgroup-by-arm interaction p and the first visit from which p
stays below 0.05. A source remembers the cells it has given: whoever asks again (the multiplicity plan asks of each of its
hypotheses) has them without another fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alsbench.analysis.cache import entry_key, keep, piece_body, read_entry
from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.contrast import BY_VISIT, EvidenceCell, Piece, contrast_of, rows_of
from alsbench.analysis.methods import analysed, interaction_with, method_info
from alsbench.analysis.plan import plan_word
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.result import Row
from alsbench.analysis.source import Source
from alsbench.errors import AlsbenchError, DataError, UsageError
from alsbench.stats.errors import StatsError
from alsbench.stats.threads import one_blas_thread
from alsbench.study.model import Comparison, Endpoint


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
    from alsbench.analysis.subgroups import members, subgroup_rows  # waits: numpy

    population = population or source.default_population(endpoint)
    member = members(source, phrase, population)
    question = Question(endpoint.name, subgroups=(phrase,), population=population)
    analysis = AnalysisContext(source, endpoint, question, population, member, tuple(comparisons), at_horizon=True)
    block = analysed(analysis)
    rows = [*subgroup_rows(analysis), *block.rows]
    found = [_cell(analysis, rows, c) for c in comparisons]
    if interactions and phrase != OVERALL and not phrase.startswith("not ") and member.n:
        found = _with_interaction(analysis, found, rows)
    return Piece(tuple(found), tuple(_at_horizons(rows, found, by_visit=endpoint.method in BY_VISIT)), block.warnings)


def fault_piece(
    source: Source, endpoint: Endpoint, phrase: str, comparisons: Sequence[Comparison], population: str, fault: AlsbenchError
) -> Piece:
    """The cells of an endpoint whose data cannot be analysed: no estimate, and why. Raises what is wrong with the subgroup or
    the population asked for: these are the asker's, not the endpoint's."""
    from alsbench.analysis.subgroups import members, subgroup_rows  # waits: numpy

    name = population or source.default_population(endpoint)
    try:
        member = members(source, phrase, name)
    except UsageError:
        if population or not endpoint.population:
            raise
        name = source.study.populations.default  # the endpoint's own population is what is wrong
        member = members(source, phrase, name)
    analysis = AnalysisContext(
        source, endpoint, Question(endpoint.name, (phrase,), population=name), name, member, tuple(comparisons)
    )
    names = method_info(endpoint.method).summary or ()
    rows = subgroup_rows(analysis)
    for treatment, reference in analysis.pairs:
        rows += analysis.failed("contrast", names, fault.what, treatment=treatment, reference=reference)
    why = "; ".join(text for text in (fault.what, fault.hint) if text)
    return Piece(tuple(_cell(analysis, rows, c) for c in comparisons), tuple(rows), (f"{endpoint.name}: {why}",))


def cached_piece(source: Source, endpoint: str, phrase: str, comparisons: Sequence[Comparison], population: str) -> Piece:
    """One endpoint's cells in one subgroup: given before by this source, kept in its ``results_dir``, or computed."""
    known = known_piece(source, endpoint, phrase, comparisons, population)
    if known is not None:
        return known
    piece = evidence_piece(source, source.endpoint(endpoint), phrase, comparisons, population)
    key, asked = _piece_key(source, endpoint, phrase, comparisons, population)
    keep(source, key, "piece", asked, piece_body(piece))
    source.pieces[key] = piece
    return piece


def known_piece(source: Source, endpoint: str, phrase: str, comparisons: Sequence[Comparison], population: str) -> Piece | None:
    """As :func:`cached_piece`, where nothing has to be computed; else None."""
    key, _ = _piece_key(source, endpoint, phrase, comparisons, population)
    if key not in source.pieces:
        body = read_entry(source.results_dir, key)
        if body is None:
            return None
        rows = tuple(Row(**row) for row in body["rows"])
        cells = tuple(EvidenceCell(**cell) for cell in body["cells"])
        source.pieces[key] = Piece(cells, rows, tuple(body["warnings"]))
    return source.pieces[key]


def _piece_key(
    source: Source, endpoint: str, phrase: str, comparisons: Sequence[Comparison], population: str
) -> tuple[str, list[object]]:
    """Where a piece is kept, and what was asked."""
    asked: list[object] = [endpoint, phrase, [c.model_dump() for c in comparisons], population]
    return entry_key(source, "piece", asked), asked


def piece_or_fault(source: Source, endpoint: str, phrase: str, comparisons: Sequence[Comparison], population: str) -> Piece:
    """As :func:`cached_piece`; where the endpoint's own data cannot be analysed, cells that say why: in a table of many
    endpoints one does not take the others with it. Raises UsageError for a subgroup or population that cannot be meant."""
    try:
        return cached_piece(source, endpoint, phrase, comparisons, population)
    except (DataError, UsageError) as fault:
        return fault_piece(source, source.endpoint(endpoint), phrase, comparisons, population, fault)


def _cell(analysis: AnalysisContext, rows: list[Row], comparison: Comparison) -> EvidenceCell:
    contrast = contrast_of(rows, analysis.endpoint, comparison)
    mine = [r for r in rows_of(rows, comparison) if r.context == "contrast" and r.visit_number is None and r.level is None]
    firsts = {r.stat_name: r.stat for r in mine}
    if analysis.endpoint.method in BY_VISIT and contrast.visit_number is None:
        firsts = {}
    tested = firsts.get("visits_tested")
    return EvidenceCell(
        **vars(contrast),
        endpoint=analysis.endpoint.name,
        title=analysis.endpoint.title or analysis.endpoint.name,
        method=analysis.endpoint.method,
        level=analysis.endpoint.level,
        comparison=comparison.name,
        primary=comparison.primary,
        subgroup=analysis.member.phrase,
        post_hoc=analysis.member.post_hoc,
        n=analysis.member.n,
        plan=plan_word(analysis.source, analysis.endpoint, comparison),
        first_lasting_visit=_float(firsts.get("first_lasting_visit")),
        first_visit=_float(firsts.get("first_visit")),
        visits_tested=tested if isinstance(tested, int) else None,
    )


def _with_interaction(analysis: AnalysisContext, cells: list[EvidenceCell], rows: list[Row]) -> list[EvidenceCell]:
    function = interaction_with(analysis.endpoint.method)
    by_visit = analysis.endpoint.method in BY_VISIT
    asked = [
        (c, cell) for c, cell in zip(analysis.comparisons, cells, strict=True) if not by_visit or cell.visit_number is not None
    ]
    if function is None or not asked:
        return cells
    visits = tuple(cell.visit_number if cell.visit_number is not None else 0.0 for _, cell in asked)
    try:
        with one_blas_thread():
            block = function(replace(analysis, comparisons=tuple(c for c, _ in asked)), analysis.member.decided, visits)
    except StatsError as error:
        rows += [
            analysis.row("subgroup", "interaction_p", None, treatment=c.treatment, reference=c.reference, error=str(error))
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


def _at_horizons(rows: list[Row], cells: list[EvidenceCell], *, by_visit: bool) -> list[Row]:
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
