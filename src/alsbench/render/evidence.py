"""The evidence table: endpoints and comparisons down, subgroups across; nothing hidden that a reader needs to doubt it.

Each cell gives the estimate with its interval, p, the interaction p, and the first visit from which p stays below 0.05; a
sign says which side is better (``+`` favours the treatment), another what may be taken away of a p below 0.05 outside the
plan. Overall always stands first, each subgroup before its complement, and post hoc columns say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from alsbench.analysis.result import Row
from alsbench.render.formats import MASKED, MISSING, NOT_ESTIMABLE, absent, format_number, format_p, format_stat
from alsbench.render.marks import sign, sign_notes, style
from alsbench.render.page import EMPTY, Column, Line, Page, PageBlock, TextCell, label
from alsbench.render.titles_footnotes import CI, marked_title, page_facts, page_footnotes

if TYPE_CHECKING:  # building evidence needs numpy; printing it does not
    from alsbench.analysis.contrast import EvidenceCell
    from alsbench.analysis.evidence import Evidence

LEGEND = (
    "+ favours the treatment, - the reference.",
    "from: first visit from which p stays below 0.05 at every later visit; never: not at the last visit.",
    "p int: subgroup-by-arm interaction, on the subgroup's column.",
)


def evidence_page(evidence: Evidence) -> Page:
    """The whole table as a page."""
    result = evidence.result
    return Page(
        marked_title(result.facts.title, result.provenance),
        (evidence_block(evidence),),
        page_facts(result),
        (
            *LEGEND,
            *nominal_note(evidence),
            *sign_notes(evidence.cells),
            *page_footnotes(result, told=[c.error for c in evidence.cells if c.error]),
        ),
    )


def evidence_block(evidence: Evidence) -> PageBlock:
    """Endpoints as sections, a line for each comparison, a group of columns for each subgroup."""
    behind = _rows_behind(evidence.result.rows)
    with_p = {phrase: _has_interaction(evidence, phrase) for phrase in evidence.columns}
    columns = [label("Comparison"), Column("at", justify="left", label=True)]
    for phrase in evidence.columns:
        group = _group(evidence, phrase)
        columns += [Column(f"Estimate {CI}", group), Column("", group), Column("p", group), Column("from", group)]
        columns += [Column("p int", group)] if with_p[phrase] else []
    lines: list[Line] = []
    for endpoint in dict.fromkeys(c.endpoint for c in evidence.cells):
        mine = [c for c in evidence.cells if c.endpoint == endpoint]
        lines.append(
            Line((TextCell(_section(next((c for c in mine if c.ratio), mine[0]))), *(EMPTY for _ in columns[1:])), heading=True)
        )
        for comparison in dict.fromkeys(c.comparison for c in mine):
            found = {c.subgroup: c for c in mine if c.comparison == comparison}
            cells = list(_names(next(iter(found.values()))))
            for phrase in evidence.columns:
                cells += _cells(found.get(phrase), behind, interaction=with_p[phrase])
            lines.append(Line(tuple(cells)))
    notes = list(_errors(evidence.cells))
    if any(c.primary for c in evidence.cells):
        notes.append("* primary comparison")
    return PageBlock("", tuple(columns), tuple(lines), tuple(notes))


def nominal_note(evidence: Evidence) -> tuple[str, ...]:
    """The legend of the mark n, where it stands."""
    if not any(c.nominal for c in evidence.cells):
        return ()
    return ("n: nominal, outside the multiplicity plan or behind a gate that stayed closed.",)


def _section(cell: EvidenceCell) -> str:
    return f"{cell.title} [{cell.method}, {cell.level}{', ratio' if cell.ratio else ''}]"


def _names(cell: EvidenceCell) -> tuple[TextCell, TextCell]:
    mark = " *" if cell.primary else ""
    plan = f", {cell.plan}" if cell.plan else ""
    return TextCell(f" {cell.treatment} vs {cell.reference}{mark}{plan}"), TextCell(cell.visit or "")


def _group(evidence: Evidence, phrase: str) -> str:
    mine = [c for c in evidence.cells if c.subgroup == phrase]
    usual = Counter(c.n for c in mine).most_common(1)  # an endpoint with a population of its own says so above
    n = f", n = {usual[0][0]}" if usual else ""
    n = f", n {MASKED}" if any(c.n < 0 for c in mine) else n
    return f"{phrase}{n}{', post hoc' if any(c.post_hoc for c in mine) else ''}"


def _has_interaction(evidence: Evidence, phrase: str) -> bool:
    return any(c.interaction_p is not None for c in evidence.cells if c.subgroup == phrase)


def _cells(
    cell: EvidenceCell | None, behind: dict[tuple[object, ...], tuple[Row, ...]], *, interaction: bool
) -> list[TextCell]:
    if cell is None:
        return [EMPTY] * (5 if interaction else 4)
    rows = behind.get((cell.endpoint, cell.subgroup, cell.treatment, cell.reference, cell.visit_number), ())
    look = style(cell)
    made = [
        TextCell(estimate_text(cell), rows, look),
        TextCell("" if cell.favourable is None else "+" if cell.favourable else "-", rows, look),
        TextCell(p_text(cell.p, cell), rows, look),
        TextCell(_from_text(cell), rows),
    ]
    return [*made, TextCell(p_text(cell.interaction_p, None), rows)] if interaction else made


def estimate_text(cell: EvidenceCell) -> str:
    """``1.12 (-1.23, 3.46)``, with the decimals that the endpoint's own page has; ``NE`` where there is none."""
    if cell.estimate is None:
        return absent(cell.error or NOT_ESTIMABLE)
    name = "difference" if not cell.ratio else "hazard_ratio" if cell.method == "time_to_event" else "ratio"
    inner = ", ".join(format_stat(name, v) for v in (cell.low, cell.high))
    return f"{format_stat(name, cell.estimate)} ({inner})"


def p_text(p: float | None, cell: EvidenceCell | None) -> str:
    """p as printed, ``n`` after it where it is nominal, then the sign of its bottom line; why there is none where the cell
    says so."""
    if p is not None:
        marks = [] if cell is None else [m for m in ("n" if cell.nominal else "", sign(cell)) if m]
        return " ".join((format_p(p), *marks))
    return absent(cell.error) if cell is not None and cell.error else ""


def _from_text(cell: EvidenceCell) -> str:
    if cell.visits_tested is None:
        return ""
    if cell.estimate is None:
        return MISSING
    return "never" if cell.first_lasting_visit is None else format_number(cell.first_lasting_visit)


def _errors(cells: Sequence[EvidenceCell]) -> tuple[str, ...]:
    """Why cells are empty: each reason once for an endpoint, with the subgroups it holds for."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for c in cells:
        if c.error and c.error != MASKED:
            arm = "" if c.treatment in c.error else f", {c.treatment}"
            found.setdefault((c.title, arm, c.error), {})[c.subgroup] = None
    return tuple(f"{NOT_ESTIMABLE}: {title}{arm} [{', '.join(where)}]: {why}" for (title, arm, why), where in found.items())


def _rows_behind(rows: Sequence[Row]) -> dict[tuple[object, ...], tuple[Row, ...]]:
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row.treatment is not None and row.level is None and row.context in {"contrast", "subgroup"}:
            key = (row.endpoint, row.subgroup, row.treatment, row.reference, row.visit_number)
            found.setdefault(key, []).append(row)
    return {key: tuple(value) for key, value in found.items()}
