"""Claims as a page: the verdicts, then claim by claim every published number beside that of the data, and why.

A recomputed number keeps the row of the analysis it comes from, so that a screen can open it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from alsbench.analysis.claims import Checked, Recomputed, SizeRange
from alsbench.render.claims import (
    NOBODY_NOTE,
    PARTS,
    RELATION_NOTE,
    SIZES_NOTE,
    SURVIVAL_NOTE,
    coherent_words,
    nobody_record,
    reasons,
    reproduced_words,
    robust_words,
    shown_value,
    size_records,
    span,
)
from alsbench.render.formats import format_p
from alsbench.render.page import EMPTY, Column, Line, Page, PageBlock, TextCell

Facts = tuple[tuple[str, str], ...]
YES_NO = {True: "yes", False: "no", None: ""}


def claims_page(checked: Sequence[Checked], facts: Facts, notes: tuple[str, ...]) -> Page:
    """The verdicts on all claims, and what each rests on."""
    return Page("Claims", (verdicts_block(checked), *claim_blocks(checked)), facts, notes)


def verdicts_block(checked: Sequence[Checked]) -> PageBlock:
    """A line for every claim: what it is of, and the three verdicts; robustness only where it was asked for."""
    asked = any(c.survived is not None for c in checked)
    heads = ("Claim", "Endpoint", "Subgroup", "Comparison", "Coherent", "Reproduced", *(("Robust",) if asked else ()))
    columns = tuple(Column(h, justify="left", label=i == 0) for i, h in enumerate(heads))
    lines = []
    for c in checked:
        subgroup = f"{c.claim.subgroup} ({', '.join(c.marks)})" if c.marks else c.claim.subgroup
        cells = [TextCell(c.claim.name), TextCell(c.claim.endpoint), TextCell(subgroup), TextCell(c.claim.comparison)]
        cells.append(TextCell(coherent_words(c), style="bad" if c.coherent is False else ""))
        cells.append(TextCell(reproduced_words(c), style="bad" if c.reproduced is False else ""))
        cells += [TextCell(robust_words(c, brief=True))] if asked else []
        lines.append(Line(tuple(cells)))
    return PageBlock("", columns, tuple(lines))


def claim_blocks(checked: Sequence[Checked], *, headed: bool = True) -> tuple[PageBlock, ...]:
    """Numbers, relations, implied sizes and checks, each with the claims below one another; ``headed``: under their names."""
    found = (
        *(_numbers(checked, headed), _relations(checked, headed), _nobody(checked, headed)),
        *(_sizes(checked, headed), _survival(checked, headed)),
    )
    return tuple(block for block in found if block.lines)


def _numbers(checked: Sequence[Checked], headed: bool) -> PageBlock:
    columns = (_left("Statistic", label=True), _left("At"), Column("Published"), Column("Recomputed"), _left("Outcome"))
    why = reasons(checked)
    lines = _sections(checked, lambda c: map(_number, c.numbers), headed, sources=True)
    return PageBlock("Published numbers and those of the data", columns, lines, why, aligned=False)


def _number(found: Recomputed) -> Line:
    rows = () if found.row is None else (found.row,)
    style = "" if found.outcome in ("reproduced", "not checkable") else "bad"
    cells = (found.visit or "", found.published.text)
    return Line(
        (
            TextCell(PARTS[found.part] + found.stat),
            *map(TextCell, cells),
            TextCell(shown_value(found) or "", rows),
            TextCell(found.outcome, style=style),
        )
    )


def _relations(checked: Sequence[Checked], headed: bool) -> PageBlock:
    columns = (_left("Relation", label=True), _left("Published"), _left("Implied"), _left("Coherent"))

    def lines(c: Checked) -> Iterable[Line]:
        for r in c.relations:
            verdict = TextCell("yes") if r.coherent else TextCell("NO", style="bad")
            yield Line((TextCell(r.what), TextCell(span(r.published)), TextCell(span(r.implied)), verdict))

    return PageBlock(
        "Do the published numbers agree with each other?", columns, _sections(checked, lines, headed), (RELATION_NOTE,)
    )


def _nobody(checked: Sequence[Checked], headed: bool) -> PageBlock:
    columns = (_left("None", label=True), Column("n"), Column("Upper bound, %"))
    lines = _sections(checked, lambda c: [Line(tuple(map(TextCell, nobody_record(f)))) for f in c.nobody], headed)
    return PageBlock("What a count of none leaves open", columns, lines, (NOBODY_NOTE,), aligned=False)


def _sizes(checked: Sequence[Checked], headed: bool) -> PageBlock:
    columns = (_left("Implied", label=True), Column("Best"), Column("From"), Column("To"))
    groups: dict[tuple[str, ...], SizeRange] = {s.claims: s for c in checked for s in c.sizes}
    lines: list[Line] = []
    for claims, sizes in groups.items():
        if headed or len(claims) > 1:
            lines.append(_heading(", ".join(claims), len(columns)))
        lines += [Line(tuple(TextCell(text or "") for text in record)) for record in size_records(sizes)]
    return PageBlock("What mean ranks say of the subgroup", columns, tuple(lines), (SIZES_NOTE,), aligned=False)


def _survival(checked: Sequence[Checked], headed: bool) -> PageBlock:
    columns = (_left("Check", label=True), Column("Largest p"), _left("< 0.05"))

    def lines(c: Checked) -> Iterable[Line]:
        for s in c.survived or ():
            p = "" if s.largest is None else format_p(s.largest)
            yield Line((TextCell(f"{s.check.number}. {s.check.title}"), TextCell(p), TextCell(YES_NO[s.survived])))

    return PageBlock("Does it survive scrutiny?", columns, _sections(checked, lines, headed), (SURVIVAL_NOTE,))


def _sections(
    checked: Sequence[Checked], lines: Callable[[Checked], Iterable[Line]], headed: bool, *, sources: bool = False
) -> tuple[Line, ...]:
    """The lines of each claim that has some, under what the claim is about (and ``sources``: where it was published)."""
    out: list[Line] = []
    for c in checked:
        found = list(lines(c))
        if found and headed:
            out.append(
                _heading(f"{c.claim.name}: {c.about}{''.join(f', {word.upper()}' for word in c.marks)}", len(found[0].cells))
            )
            if sources and c.claim.source:
                out.append(_heading(f"  {c.claim.source}", len(found[0].cells)))
        out += found
    return tuple(out)


def _heading(text: str, width: int) -> Line:
    return Line((TextCell(text), *(EMPTY,) * (width - 1)), heading=True)


def _left(title: str, *, label: bool = False) -> Column:
    return Column(title, justify="left", label=label)
