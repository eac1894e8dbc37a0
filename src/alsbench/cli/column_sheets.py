"""What a table's columns are, and which cells hold a special missing value: ``data TABLE --columns``, ``--special``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alsbench.data.snapshot import Snapshot, TableInfo
    from alsbench.render.sheet import Sheet

Facts = tuple[tuple[str, str], ...]
_SUBJECT = ("USUBJID", "SUBJID", "SUBJECT_ID")


def subject_columns(info: TableInfo) -> list[str]:
    """The column that names the subject, by its usual names; empty where there is none."""
    return [c.name for c in info.columns if c.name.upper() in _SUBJECT][:1]


def column_sheet(snapshot: Snapshot, info: TableInfo, names: Sequence[str], about: Facts) -> Sheet:
    """A line for each column: what the source file said of it, and how much of it is missing."""
    from alsbench.data.special import counted, special_counts
    from alsbench.data.sql import quote
    from alsbench.render.sheet import Field, Sheet

    present = snapshot.rows(f"SELECT {', '.join(f'count({quote(n)})' for n in names)} FROM {quote(info.name)}")[0]
    special = special_counts(snapshot, info.name)
    chosen = {c.name: c for c in info.columns}
    fields = (
        Field("column", "Column"),
        Field("label", "Label"),
        Field("kind", "Kind"),
        Field("type", "Source type"),
        Field("length", "Length", number=True),
        Field("format", "Format"),
        Field("missing", "Missing", number=True),
        Field("special", "Special missing"),
    )
    records = tuple(
        (
            n,
            chosen[n].label or None,
            chosen[n].kind,
            chosen[n].type or None,
            chosen[n].length or None,
            chosen[n].format or None,
            info.rows - count,
            counted(special.get(n, {})) or None,
        )
        for n, count in zip(names, present, strict=True)
    )
    facts = (*about, ("Rows", str(info.rows)), ("Source", info.source))
    return Sheet(f"{info.name} columns", f"{_title(info)}: columns", fields, records, facts)


def special_sheet(
    snapshot: Snapshot, info: TableInfo, names: Sequence[str], about: Facts, *, offset: int, most: int | None
) -> Sheet:
    """A line for each cell with a special missing value: row in load order, subject, column, code."""
    from alsbench.data.special import special_cells, special_counts
    from alsbench.render.sheet import Field, Sheet

    subject = subject_columns(info)
    total = sum(sum(codes.values()) for column, codes in special_counts(snapshot, info.name).items() if column in names)
    cells = (c for c in special_cells(snapshot, info.name, subject) if c[1] in names)
    last = None if most is None else offset + most
    records: tuple[tuple[Any, ...], ...] = tuple(
        (row, *keys, column, code) for row, column, code, *keys in islice(cells, offset, last)
    )
    fields = (
        Field("row", "Row", number=True),
        *(Field("subject", s) for s in subject),
        Field("column", "Column"),
        Field("code", "Code"),
    )
    cut = f"{len(records)} of {total} cells" if len(records) < total else f"{total} cells"
    notes = (f"{cut} shown: --limit {total} for all, or --format csv",) if len(records) < total else ()
    facts = (*about, ("Special missing", cut), ("Source", info.source))
    return Sheet(
        f"{info.name} special",
        f"{_title(info)}: special missing values",
        fields,
        records,
        facts,
        notes,
    )


def _title(info: TableInfo) -> str:
    return f"{info.name} {info.label}".strip()
