"""Claims as tables for scripts: the verdicts, then every published number beside that of the data, then why; and the words
in which print says the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

from alsbench.analysis.claims import NEVER, NO_DATA, Checked, NoneOf, Recomputed, SizeRange
from alsbench.render.formats import MISSING, format_number, format_p, is_p_value
from alsbench.render.sheet import Field, Sheet
from alsbench.stats.rounding import round_half_away

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


def standing_notes(checked: Sequence[Checked]) -> tuple[str, ...]:
    """The claims whose analyses are post hoc, and by what others deviate from the locked plan."""
    late = [c.claim.name for c in checked if c.post_hoc]
    by_claim = {c.claim.name: c.result.provenance.deviations for c in checked if c.result is not None}
    notes = [f"Post hoc: {', '.join(late)}"] if late else []
    for words in dict.fromkeys(d for found in by_claim.values() for d in found):
        names = ", ".join(name for name, found in by_claim.items() if words in found)
        notes.append(f"Deviation from the locked plan ({names}): {words}")
    return tuple(notes)


def claims_sheets(checked: Sequence[Checked], facts: tuple[tuple[str, str], ...], notes: tuple[str, ...]) -> tuple[Sheet, ...]:
    """The verdicts; the numbers; the relations; the implied sizes; the checks, where they were asked for."""
    sheets = [_verdicts(checked, facts, notes), numbers_sheet(checked, facts, notes)]
    if any(c.relations for c in checked):
        sheets.append(_relations(checked))
    if any(c.nobody for c in checked):
        sheets.append(_nobody(checked))
    if any(c.sizes for c in checked):
        sheets.append(_sizes(checked))
    if any(c.survived for c in checked):
        sheets.append(_survival(checked))
    return tuple(sheets)


def numbers_sheet(checked: Sequence[Checked], facts: tuple[tuple[str, str], ...], notes: tuple[str, ...]) -> Sheet:
    """Every published number with that of the data."""
    fields = (
        Field("claim", "Claim"),
        Field("statistic", "Statistic"),
        Field("visit", "At"),
        Field("published", "Published", number=True),
        Field("recomputed", "Recomputed", number=True),
        Field("outcome", "Outcome"),
    )
    records = tuple(
        (c.claim.name, PARTS[n.part] + n.stat, n.visit, n.published.text, shown_value(n), n.outcome)
        for c in checked
        for n in c.numbers
    )
    why = reasons(checked)
    return Sheet("numbers", "Published numbers and those of the data", fields, records, facts, (*why, *notes), standing=True)


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


def _verdicts(checked: Sequence[Checked], facts: tuple[tuple[str, str], ...], notes: tuple[str, ...]) -> Sheet:
    fields = (
        Field("claim", "Claim"),
        Field("coherent", "Coherent"),
        Field("reproduced", "Reproduced"),
        Field("robust", "Robust"),
        Field("about", "About", prose=True),
    )
    records = tuple((c.claim.name, coherent_words(c), reproduced_words(c), robust_words(c), _about(c)) for c in checked)
    return Sheet("claims", "Claims", fields, records, facts, notes)


def _about(c: Checked) -> str:
    return f"{c.about} ({c.claim.source})" if c.claim.source else c.about


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
    if not counted:
        return "-" if brief else "no check applies"
    share = f"{sum(bool(s.survived) for s in counted)} of {len(counted)}"
    return share if brief else f"in {share} checks"


def _relations(checked: Sequence[Checked]) -> Sheet:
    fields = (
        Field("claim", "Claim"),
        Field("relation", "Relation"),
        Field("published", "Published"),
        Field("implied", "Implied"),
        Field("coherent", "Coherent"),
    )
    records = tuple(
        (c.claim.name, r.what, span(r.published), span(r.implied), r.coherent) for c in checked for r in c.relations
    )
    return Sheet("relations", "Do the published numbers agree with each other?", fields, records, notes=(RELATION_NOTE,))


def _nobody(checked: Sequence[Checked]) -> Sheet:
    fields = (
        Field("claim", "Claim"),
        Field("count", "None"),
        *(Field(k, h, number=True) for k, h in (("n", "n"), ("upper", "Upper bound, %"))),
    )
    records = tuple((c.claim.name, *nobody_record(found)) for c in checked for found in c.nobody)
    return Sheet("none", "What a count of none leaves open", fields, records, notes=(NOBODY_NOTE,))


def nobody_record(found: NoneOf) -> tuple[str, str, str]:
    """Of what there were none, among how many, and the upper bound in percent."""
    return found.of, str(found.n), round_half_away(found.upper, 2)


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


def _survival(checked: Sequence[Checked]) -> Sheet:
    fields = (
        Field("claim", "Claim"),
        Field("check", "Check"),
        Field("largest_p", "Largest p", number=True),
        Field("survived", "< 0.05"),
    )
    records = tuple(
        (
            c.claim.name,
            f"{s.check.number}. {s.check.title}",
            None if s.largest is None else format_p(s.largest),
            s.survived,
        )
        for c in checked
        for s in c.survived or ()
    )
    return Sheet("scrutiny", "Does it survive scrutiny?", fields, records, notes=(SURVIVAL_NOTE,))


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
