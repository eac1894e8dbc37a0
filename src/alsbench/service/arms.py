"""Who is in the trial, by planned arm."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.render.sheet import Sheet


def arms_sheet(source: Source, subgroup: str = "overall", k: int = 0) -> Sheet:
    """The table of one subgroup, counts below ``k`` masked."""
    from alsbench.analysis.roster import ALL_ARMS, ArmCount, arm_counts, roster_notes
    from alsbench.analysis.subgroups import members
    from alsbench.render.mask_counts import Count, masked_counts, small
    from alsbench.render.mask_words import hide_counts
    from alsbench.render.sheet import Field, Sheet, Value
    from alsbench.service.about import about
    from alsbench.service.masks import canonical_names, membership

    whole = subgroup == "overall"
    member = None if whole else members(source, subgroup)
    counts = arm_counts(source, None if member is None else member.mask)
    names = list(source.study.populations.flags)
    fields = (
        Field("arm", "Arm"),
        Field("label", "Label"),
        Field("randomised", "Randomised", number=True),
        *(Field(name, name, number=True) for name in names),
        Field("discontinued", "Discontinued", number=True),
        Field("deaths", "Deaths", number=True),
    )

    def cells(found: ArmCount, phrase: str) -> dict[Count, int | None]:
        arm = None if found.arm == ALL_ARMS else found.arm
        values = {"": found.randomised, **found.populations, "gone": found.discontinued, "dead": found.deaths}
        return {Count(phrase, arm, column): n for column, n in values.items()}

    shown: dict[Count, Value] = {place: n for c in counts for place, n in cells(c, "").items()}
    facts = about(source)
    if k:
        own = "overall" if member is None else canonical_names(source, [member.phrase])[member.phrase]
        every: dict[Count, int | None] = {}
        sets = membership(source, [own])
        for phrase, mask in sets.items():
            every |= {place: n for c in arm_counts(source, mask) for place, n in cells(c, phrase).items()}
        told = masked_counts(every, k, sets)
        hidden = {replace(place, subgroup=""): v for place, v in told.items() if place.subgroup == own and isinstance(v, str)}
        # overall counts everybody who was randomised, subgroups those of the default population
        shown = {place: hidden.get(place, small(n, k)) for c in counts for place, n in cells(c, "").items()}
        facts += (("Masked", f"counts below {k}, and what would tell them"),)
    records = tuple((c.arm, c.label or None, *(shown[place] for place in cells(c, ""))) for c in counts)
    if member is not None:
        facts += (("Subgroup", member.words()),)
    notes = tuple(hide_counts(n) if k else n for n in roster_notes(source))
    return Sheet("arms", "Arms", fields, records, facts, notes, standing=True)
