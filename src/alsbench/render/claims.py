"""Claims in print: the verdicts, then every published number beside that of the data, then why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from alsbench.analysis.claims import NEVER, Recomputed, Relation, SizeRange, Survival
from alsbench.render.formats import MISSING, format_number, format_p, is_p_value, round_half_away
from alsbench.render.sheet import Field, Sheet
from alsbench.study.claims import Claim

PARTS = {"contrast": "", "treatment": "treated ", "reference": "control "}


@dataclass(frozen=True)
class Checked:
    """A claim with all that was found about it; ``survived`` is None where robustness was not asked for."""

    claim: Claim
    about: str
    post_hoc: bool
    numbers: Sequence[Recomputed]
    relations: Sequence[Relation]
    sizes: Sequence[SizeRange] = ()
    survived: Sequence[Survival] | None = None

    @property
    def coherent(self) -> bool | None:
        """None where there is nothing that could be checked."""
        found = [r.coherent for r in self.relations] + [s.coherent for s in self.sizes]
        return all(found) if found else None

    @property
    def reproduced(self) -> bool:
        return all(n.outcome == "reproduced" for n in self.numbers)

    @property
    def refuted(self) -> bool:
        """Whether the claim contradicts itself or the data."""
        return self.coherent is False or not self.reproduced


def claims_sheets(checked: Sequence[Checked], facts: tuple[tuple[str, str], ...], notes: tuple[str, ...]) -> tuple[Sheet, ...]:
    """The verdicts; the numbers; the relations; the implied sizes; the checks, where they were asked for."""
    sheets = [_verdicts(checked, facts, notes), numbers_sheet(checked, facts, notes)]
    if any(c.relations for c in checked):
        sheets.append(_relations(checked))
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
        (c.claim.name, PARTS[n.part] + n.stat, n.visit, n.published.text, _value(n), n.outcome)
        for c in checked
        for n in c.numbers
    )
    why = dict.fromkeys(f"{n.claim}, {PARTS[n.part]}{n.stat}: {n.why}" for c in checked for n in c.numbers if n.why)
    return Sheet("numbers", "Published numbers and those of the data", fields, records, facts, (*why, *notes))


def _verdicts(checked: Sequence[Checked], facts: tuple[tuple[str, str], ...], notes: tuple[str, ...]) -> Sheet:
    fields = (
        Field("claim", "Claim"),
        Field("coherent", "Coherent"),
        Field("reproduced", "Reproduced"),
        Field("robust", "Robust"),
        Field("about", "About", prose=True),
    )
    records = tuple((c.claim.name, _coherent(c), _reproduced(c), _robust(c), _about(c)) for c in checked)
    return Sheet("claims", "Claims", fields, records, facts, notes)


def _about(c: Checked) -> str:
    return f"{c.about} ({c.claim.source})" if c.claim.source else c.about


def _coherent(c: Checked) -> str:
    if c.coherent is None:
        return "nothing to check"
    return "yes" if c.coherent else "NO"


def _reproduced(c: Checked) -> str:
    good = sum(n.outcome == "reproduced" for n in c.numbers)
    return "yes" if good == len(c.numbers) else f"NO: {good} of {len(c.numbers)}"


def _robust(c: Checked) -> str:
    if c.survived is None:
        return "not asked"
    counted = [s for s in c.survived if s.survived is not None]
    if not counted:
        return "no check applies"
    return f"in {sum(bool(s.survived) for s in counted)} of {len(counted)} checks"


def _relations(checked: Sequence[Checked]) -> Sheet:
    fields = (
        Field("claim", "Claim"),
        Field("relation", "Relation"),
        Field("published", "Published"),
        Field("implied", "Implied"),
        Field("coherent", "Coherent"),
    )
    records = tuple(
        (c.claim.name, r.what, _span(r.published), _span(r.implied), r.coherent) for c in checked for r in c.relations
    )
    note = "each printed number stands for every value that is printed so; an interval is what these values allow"
    return Sheet("relations", "Do the published numbers agree with each other?", fields, records, notes=(note,))


def _sizes(checked: Sequence[Checked]) -> Sheet:
    fields = (
        Field("claims", "Claims"),
        Field("what", "Implied"),
        *(Field(k, h, number=True) for k, h in (("best", "Best"), ("low", "From"), ("high", "To"))),
    )
    records: list[tuple[str | None, ...]] = []
    for found in dict.fromkeys(s.claims for c in checked for s in c.sizes):
        sizes = next(s for c in checked for s in c.sizes if s.claims == found)
        name = ", ".join(found)
        records += [(name, f"subjects of {arm}", *map(str, span)) for arm, span in sizes.sizes.items()]
        for claim, span in sizes.win_probability.items():
            records.append((name, f"win probability, {claim}", *(round_half_away(p, 2) for p in span)))
        if not sizes.coherent:
            records.append((name, "no sizes of the arms agree with these mean ranks", None, None, None))
    note = (
        "ranks 1 to N add up to N(N + 1) / 2, so that mean ranks imply sizes; N is allowed to be off by 7 %, since LS means "
        "are adjusted, and the arms to be unequal as by chance (95 %)"
    )
    return Sheet("sizes", "What mean ranks say of the subgroup", fields, tuple(records), notes=(note,))


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
    notes = (
        "the largest of the p-values that a check computes for the claimed contrast in the claimed subgroup; empty where it",
        "computes none; `alsbench scrutinise` shows what each check says",
    )
    return Sheet("scrutiny", "Does it survive scrutiny?", fields, records, notes=(" ".join(notes),))


def _value(found: Recomputed) -> str | None:
    if found.value is None:
        return NEVER if found.outcome == "not reproduced" else None
    if is_p_value(found.stat):
        return format_p(found.value) if found.value < 0.001 else format_number(found.value, 4)
    return format_number(found.value, _places(found) + 2)


def _places(found: Recomputed) -> int:
    return max(0, round(-math.log10(2.0 * found.published.half)))


def _span(interval: tuple[float, float]) -> str:
    low, high = (_bound(x) for x in interval)
    return low if low == high else f"{low} to {high}"


def _bound(value: float) -> str:
    if math.isinf(value):
        return MISSING
    places = 4 if abs(value) < 1 else 3 if abs(value) < 100 else 1
    if 0 < value < 0.5 * 10.0**-places:
        return f"<{10.0**-places:.{places}f}"
    return format_number(value, places)
