"""``alsbench subject ID``: one subject's baseline, course and events."""

from __future__ import annotations

import shlex
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alsbench.cli.common import Common, MaskOption, command

if TYPE_CHECKING:
    from alsbench.render.sheet import Sheet


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "subject", short_help="One subject: baseline, visits, events, doses")(subject)


def subject(
    common: Common,
    subject_id: Annotated[str, typer.Argument(metavar="ID", help="Subject id, as in the data.")],
    mask: MaskOption = 0,
) -> None:
    """One subject: baseline facts, every analysed parameter by visit, events, doses. CSV and TSV hold the course."""
    from alsbench.analysis.roster import subject_profile
    from alsbench.cli.output import emit_sheets
    from alsbench.service.about import about
    from alsbench.service.trail import shown

    common.access.refuse_mask(mask, "one subject")
    with common.access.opened() as source:
        profile = subject_profile(source, subject_id)
        asked = common.repeat(shlex.join(["alsbench", "subject", subject_id]))
        shown(common.access, "subject", {"asked": asked, "snapshot": source.snapshot.digest})
        facts = (*about(source), *((f"{name}", _text(value)) for name, _, value in profile.facts))
        sheets = [_sheet(r.table, r.columns, r.rows) for r in _course(profile.course)]
        sheets += [_sheet(r.table, r.columns, r.rows) for r in profile.events]
        first, *rest = sheets or [_sheet("course", ("PARAMCD",), ())]
        from dataclasses import replace

        emit_sheets(common, replace(first, title=f"Subject {profile.subject}", facts=facts), *rest)


def _course(parts: tuple[Any, ...]) -> list[Any]:
    """The course as one table: data sets below each other where they share columns."""
    from alsbench.analysis.roster import COURSE, Records

    columns = tuple(c for c in COURSE if any(c in p.columns for p in parts))
    rows = [tuple(dict(zip(p.columns, row, strict=True)).get(c) for c in columns) for p in parts for row in p.rows]
    return [Records("course", columns, tuple(rows))] if parts else []


def _sheet(table: str, columns: tuple[str, ...], rows: tuple[tuple[Any, ...], ...]) -> Sheet:
    from alsbench.render.sheet import Field, Sheet

    numeric = [any(isinstance(row[j], float) for row in rows) for j in range(len(columns))]
    fields = tuple(Field(name, name, number=number) for name, number in zip(columns, numeric, strict=True))
    return Sheet(table.lower(), table, fields, tuple(tuple(plain(v) for v in row) for row in rows))


def plain(value: Any) -> Any:
    """A database value as a sheet holds it: dates as ISO text."""
    return value.isoformat() if isinstance(value, date) else value


def _text(value: Any) -> str:
    from alsbench.render.formats import format_number

    return format_number(value) if isinstance(value, float) else str(plain(value))
