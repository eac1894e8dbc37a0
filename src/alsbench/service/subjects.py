"""Who is in the trial: subjects by planned arm, and one of them with baseline, course and events."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from alsbench.analysis.roster import ALL_ARMS, COURSE, ArmDisposition, TableRows, arm_counts, roster_notes, subject_profile
from alsbench.analysis.subgroups import members
from alsbench.render.formats import format_number
from alsbench.render.mask_counts import Count, masked_counts, small
from alsbench.render.mask_words import hide_counts
from alsbench.render.sheet import Field, Sheet, Value
from alsbench.service.access import Access
from alsbench.service.masks import canonical_names, membership
from alsbench.service.output import Output, sheets_output, source_facts
from alsbench.service.trail import log_shown

if TYPE_CHECKING:
    from alsbench.analysis.source import Source


def arms(access: Access, subgroup: str = "overall", *, mask: int = 0) -> Output:
    """Subjects per planned arm: randomised, in each population, discontinued, dead."""
    with access.opened() as source:
        return sheets_output(access, arms_sheet(source, subgroup, access.mask(mask)))


def subject(access: Access, subject_id: str, *, mask: int = 0) -> Output:
    """One subject: baseline facts, every analysed parameter by visit (what CSV and TSV hold), events, doses.

    Raises UsageError for a subject that is not there, or where a mask holds.
    """
    access.refuse_mask(mask, "one subject")
    with access.opened() as source:
        profile = subject_profile(source, subject_id)
        asked = access.repeat(shlex.join(["alsbench", "subject", subject_id]))
        log_shown(access, "subject", {"asked": asked, "snapshot": source.snapshot.digest})
        facts = (*source_facts(source), *((name, _text(value)) for name, _, value in profile.facts))
    first, *rest = [_sheet(r) for r in (*_course(profile.course), *profile.events)] or [
        _sheet(TableRows("course", ("PARAMCD",), ()))
    ]
    return sheets_output(access, replace(first, title=f"Subject {profile.subject}", facts=facts), *rest)


def _course(parts: tuple[TableRows, ...]) -> list[TableRows]:
    """The course as one table: data sets below each other where they share columns."""
    columns = tuple(c for c in COURSE if any(c in p.columns for p in parts))
    rows = [tuple(dict(zip(p.columns, row, strict=True)).get(c) for c in columns) for p in parts for row in p.rows]
    return [TableRows("course", columns, tuple(rows))] if parts else []


def _sheet(found: TableRows) -> Sheet:
    numeric = [any(isinstance(row[j], float) for row in found.rows) for j in range(len(found.columns))]
    fields = tuple(Field(name, name, number=number) for name, number in zip(found.columns, numeric, strict=True))
    records = tuple(tuple(plain(v) for v in row) for row in found.rows)
    return Sheet(found.table.lower(), found.table, fields, records)


def plain(value: Any) -> Any:
    """A database value as a sheet holds it: dates as ISO text."""
    return value.isoformat() if isinstance(value, date) else value


def _text(value: Any) -> str:
    return format_number(value) if isinstance(value, float) else str(plain(value))


def arms_sheet(source: Source, subgroup: str = "overall", k: int = 0) -> Sheet:
    """The table of one subgroup, counts below ``k`` masked."""
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

    def cells(found: ArmDisposition, phrase: str) -> dict[Count, int | None]:
        arm = None if found.arm == ALL_ARMS else found.arm
        values = {"": found.randomised, **found.populations, "gone": found.discontinued, "dead": found.deaths}
        return {Count(phrase, arm, column): n for column, n in values.items()}

    shown: dict[Count, Value] = {place: n for c in counts for place, n in cells(c, "").items()}
    facts = source_facts(source)
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
    return Sheet("arms", "Arms", fields, records, facts, notes, titled=True)
