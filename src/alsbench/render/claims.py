"""Claims in print and for scripts: the verdicts, then every published number beside that of the data, then why.

Scripts get a table of each kind; a page has them claim by claim. A recomputed number keeps the row of the analysis it comes
from, so that a screen can open it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from alsbench.analysis.claims.checked import Checked
from alsbench.analysis.claims.coherent import SizeRange
from alsbench.analysis.claims.reproduced import NEVER, NO_DATA, Recomputed
from alsbench.analysis.contrast import NOT_JUDGED
from alsbench.analysis.scrutiny import BOTTOM_LINE
from alsbench.render.formats import MISSING, format_number, format_p, is_p_value
from alsbench.render.marks import ASK
from alsbench.render.page import EMPTY, Column, Line, Page, PageBlock, TextCell, label
from alsbench.render.sheet import Field, Sheet, Value
from alsbench.stats.rounding import round_half_away

Facts = tuple[tuple[str, str], ...]
PARTS = {"contrast": "", "treatment": "treated ", "reference": "control ", "group": "all "}
RELATION_NOTE = "each printed number stands for every value that is printed so; an interval is what these values allow"
NOBODY_NOTE = "none among n: the one-sided upper 95 % bound of how many percent it may be of others like them, about 300 / n"
SIZES_NOTE = (
    "ranks 1 to N add up to N(N + 1) / 2, so that mean ranks imply sizes; N is allowed to be off by 7 %, since LS means "
    "are adjusted, and the arms to be unequal as by chance (95 %)"
)
SURVIVAL_NOTE = (
    "the largest of the p-values that a check computes for the claimed contrast in the claimed subgroup; empty where it "
    "computes none; `alsbench scrutinise` shows what each check says"
)


@dataclass(frozen=True)
class ClaimSection:
    """A table with ``records`` of each claim: for scripts under ``name`` with the claim in the first column, in print claim by
    claim. ``words`` are what true, false and missing values of its last column are in print; a word in capitals is a fault."""

    name: str
    title: str
    fields: tuple[Field, ...]
    records: Callable[[Checked], Iterable[tuple[Value, ...]]]
    note: str
    words: tuple[str, str, str] = ("yes", "no", "")

    def sheet(self, checked: Sequence[Checked]) -> Sheet:
        records = tuple((c.claim.name, *record) for c in checked for record in self.records(c))
        return Sheet(self.name, self.title, (Field("claim", "Claim"), *self.fields), records, notes=(self.note,))

    def block(self, checked: Sequence[Checked], headed: bool) -> PageBlock:
        columns = tuple(
            Column(f.heading, justify="right" if f.number else "left", label=not i) for i, f in enumerate(self.fields)
        )
        lines = _sections(checked, lambda c: (Line(tuple(map(self._cell, record))) for record in self.records(c)), headed)
        return PageBlock(self.title, columns, lines, (self.note,), aligned=False)

    def _cell(self, value: Value) -> TextCell:
        text = value if isinstance(value, str) else self.words[2 if value is None else 0 if value else 1]
        return TextCell(text, style="bad" if text == "NO" else "")


RELATIONS = ClaimSection(
    "relations",
    "Do the published numbers agree with each other?",
    (
        Field("relation", "Relation"),
        Field("published", "Published"),
        Field("implied", "Implied"),
        Field("coherent", "Coherent"),
    ),
    lambda c: ((r.what, span(r.published), span(r.implied), r.coherent) for r in c.relations),
    RELATION_NOTE,
    ("yes", "NO", ""),
)
NOBODY = ClaimSection(
    "none",
    "What a count of none leaves open",
    (Field("count", "None"), Field("n", "n", number=True), Field("upper", "Upper bound, %", number=True)),
    lambda c: ((f.of, str(f.n), round_half_away(f.upper, 2)) for f in c.nobody),
    NOBODY_NOTE,
)
SCRUTINY = ClaimSection(
    "scrutiny",
    "Does it survive scrutiny?",
    (Field("check", "Check"), Field("largest_p", "Largest p", number=True), Field("survived", "< 0.05")),
    lambda c: (
        (f"{s.check.number}. {s.check.title}", None if s.largest is None else format_p(s.largest), s.survived)
        for s in c.survived or ()
    ),
    SURVIVAL_NOTE,
)


def post_hoc_notes(checked: Sequence[Checked]) -> tuple[str, ...]:
    """The claims whose analyses are post hoc, and by what others deviate from the locked plan."""
    late = [c.claim.name for c in checked if c.post_hoc]
    by_claim = {c.claim.name: c.result.provenance.deviations for c in checked if c.result is not None}
    notes = [f"Post hoc: {', '.join(late)}"] if late else []
    for words in dict.fromkeys(d for found in by_claim.values() for d in found):
        names = ", ".join(name for name, found in by_claim.items() if words in found)
        notes.append(f"Deviation from the locked plan ({names}): {words}")
    return tuple(notes)


def claims_sheets(checked: Sequence[Checked], facts: Facts, notes: tuple[str, ...]) -> tuple[Sheet, ...]:
    """The verdicts; the numbers; the relations; the implied sizes; the checks, where they were asked for."""
    more = (
        _bottom_line_sheet(checked),
        RELATIONS.sheet(checked),
        NOBODY.sheet(checked),
        _sizes(checked),
        SCRUTINY.sheet(checked),
    )
    return (_verdicts(checked, facts, notes), numbers_sheet(checked, facts, notes), *(s for s in more if s.records))


def numbers_sheet(checked: Sequence[Checked], facts: Facts, notes: tuple[str, ...]) -> Sheet:
    """Every published number with that of the data."""
    fields = (
        Field("claim", "Claim"),
        Field("statistic", "Statistic"),
        Field("visit", "At"),
        Field("published", "Published", number=True),
        Field("recomputed", "Recomputed", number=True),
        Field("outcome", "Outcome"),
        Field("bottom_line", "Bottom line"),
    )
    records = tuple(
        (c.claim.name, PARTS[n.part] + n.stat, n.visit, n.published.text, shown_value(n), n.outcome, c.level or None)
        for c in checked
        for n in c.numbers
    )
    why = reasons(checked)
    return Sheet("numbers", "Published numbers and those of the data", fields, records, facts, (*why, *notes), titled=True)


def reasons(checked: Sequence[Checked]) -> tuple[str, ...]:
    """Why numbers could not be compared, or what was altered, each reason once; of a claim as a whole without a number's name.
    That there are no data is said in the verdicts."""
    told = [
        f"{n.claim}: {n.why}" if n.outcome == "not checkable" else f"{n.claim}, {PARTS[n.part]}{n.stat}: {n.why}"
        for c in checked
        for n in c.numbers
        if n.why and n.why != NO_DATA
    ]
    return tuple(dict.fromkeys(told))


def _verdicts(checked: Sequence[Checked], facts: Facts, notes: tuple[str, ...]) -> Sheet:
    fields = (
        Field("claim", "Claim"),
        Field("bottom_line", "Bottom line"),
        Field("coherent", "Coherent"),
        Field("reproduced", "Reproduced"),
        Field("robust", "Robust"),
        Field("about", "About", prose=True),
    )
    about = [f"{c.about} ({c.claim.source})" if c.claim.source else c.about for c in checked]
    records = tuple(
        (c.claim.name, c.level or None, coherent_words(c), reproduced_words(c), robust_words(c), what)
        for c, what in zip(checked, about, strict=True)
    )
    return Sheet("claims", "Claims", fields, records, facts, notes)


def coherent_words(c: Checked) -> str:
    """Do the published numbers agree with each other?"""
    if c.coherent is None:
        return "nothing to check"
    return "yes" if c.coherent else "NO"


def reproduced_words(c: Checked) -> str:
    """How many of the published numbers the data give."""
    if c.reproduced is None:
        return "no data" if all(n.why == NO_DATA for n in c.numbers) else "not checkable"
    good = sum(n.outcome == "reproduced" for n in c.numbers)
    return "yes" if good == len(c.numbers) else f"NO: {good} of {len(c.numbers)}"


def robust_words(c: Checked, *, brief: bool = False) -> str:
    """In how many checks the claimed contrast stays below the level."""
    if c.survived is None:
        return "not asked"
    counted = [s for s in c.survived if s.survived is not None]
    share = f"{sum(bool(s.survived) for s in counted)} of {len(counted)}"
    if brief:
        return share if counted else "-"
    return f"in {share} checks" if counted else "no check applies"


def _sizes(checked: Sequence[Checked]) -> Sheet:
    fields = (
        Field("claims", "Claims"),
        Field("what", "Implied"),
        *(Field(k, h, number=True) for k, h in (("best", "Best"), ("low", "From"), ("high", "To"))),
    )
    records: list[tuple[str | None, ...]] = []
    for found in dict.fromkeys(s.claims for c in checked for s in c.sizes):
        sizes = next(s for c in checked for s in c.sizes if s.claims == found)
        records += [(", ".join(found), *record) for record in size_records(sizes)]
    return Sheet("sizes", "What mean ranks say of the subgroup", fields, tuple(records), notes=(SIZES_NOTE,))


def size_records(sizes: SizeRange) -> list[tuple[str | None, ...]]:
    """What is implied, with the best value and the range it lies in."""
    records: list[tuple[str | None, ...]] = [(f"subjects of {arm}", *map(str, span)) for arm, span in sizes.sizes.items()]
    for claim, span in sizes.win_probability.items():
        records.append((f"win probability, {claim}", *(round_half_away(p, 2) for p in span)))
    if not sizes.coherent:
        records.append(("no sizes of the arms agree with these mean ranks", None, None, None))
    return records


def claims_page(checked: Sequence[Checked], facts: Facts, notes: tuple[str, ...]) -> Page:
    """The verdicts on all claims, and what each rests on."""
    return Page("Claims", (*_bottom_lines(checked), verdicts_block(checked), *claim_blocks(checked)), facts, notes)


def _bottom_lines(checked: Sequence[Checked]) -> tuple[PageBlock, ...]:
    """What may be taken away of each claim, at its own visit; how to ask where it is not known."""
    lines = tuple(Line((TextCell(f"{c.claim.name}: {c.level}"),)) for c in checked if c.level)
    count = sum(c.level == NOT_JUDGED for c in checked)
    notes = (f"{count} not judged: {ASK}, `--scrutinise` puts them to every check too",) if count else ()
    return (PageBlock(BOTTOM_LINE.title, (label("What to take away"),), lines, notes),) if lines else ()


def _bottom_line_sheet(checked: Sequence[Checked]) -> Sheet:
    """Level, rule and inputs of each claim that is judged."""
    fields = (Field("claim", "Claim"), Field("statistic", "Statistic"), Field("value", "Value"))
    records = tuple((c.claim.name, name, str(value)) for c in checked for name, value in c.bottom_line.values.items())
    return Sheet("bottom_lines", BOTTOM_LINE.title, fields, records)


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
        *(_numbers(checked, headed), RELATIONS.block(checked, headed), NOBODY.block(checked, headed)),
        *(_sizes_block(checked, headed), SCRUTINY.block(checked, headed)),
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


def _sizes_block(checked: Sequence[Checked], headed: bool) -> PageBlock:
    columns = (_left("Implied", label=True), Column("Best"), Column("From"), Column("To"))
    groups: dict[tuple[str, ...], SizeRange] = {s.claims: s for c in checked for s in c.sizes}
    lines: list[Line] = []
    for claims, sizes in groups.items():
        if headed or len(claims) > 1:
            lines.append(_heading(", ".join(claims), len(columns)))
        lines += [Line(tuple(TextCell(text or "") for text in record)) for record in size_records(sizes)]
    return PageBlock("What mean ranks say of the subgroup", columns, tuple(lines), (SIZES_NOTE,), aligned=False)


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


def shown_value(found: Recomputed) -> str | None:
    """The recomputed number with two decimals more than were published; None where there is none."""
    if found.value is None:
        return NEVER if found.outcome == "not reproduced" else None
    if is_p_value(found.stat):
        return format_p(found.value) if found.value < 0.001 else format_number(found.value, 4)
    return f"{found.value:.0f}" if found.value.is_integer() else round_half_away(found.value, _places(found) + 2)


def _places(found: Recomputed) -> int:
    return max(0, round(-math.log10(2.0 * found.published.half)))


def span(interval: tuple[float, float]) -> str:
    """An interval in words."""
    low, high = (_bound(x) for x in interval)
    return low if low == high else f"{low} to {high}"


def _bound(value: float) -> str:
    if math.isinf(value):
        return MISSING
    places = 4 if abs(value) < 1 else 3 if abs(value) < 100 else 1
    if 0 < value < 0.5 * 10.0**-places:
        return f"<{10.0**-places:.{places}f}"
    return format_number(value, places)
