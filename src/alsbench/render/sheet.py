"""A plain table that is no analysis result: arms, subjects, files, checks; the same records in every format.

JSON gives raw values under stable keys; CSV and TSV the same columns; text and Markdown the printed form with headings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from alsbench.render.ard import dump, plain_number
from alsbench.render.delimited import TITLE_COLUMNS, Dialect, delimited, title_cells
from alsbench.render.formats import format_number, format_stored
from alsbench.render.layout import PAGE_WIDTH
from alsbench.render.page import Column, Line, Page, PageBlock, TextCell

SCHEMA = "alsbench.table/1"
SHORT = 24  # records up to which a table too wide for the page is continued below itself; a longer one stays wide
Value = str | float | int | bool | None


@dataclass(frozen=True)
class Field:
    """A column: its key in JSON and CSV, its heading in print, whether it holds numbers (``stored``: printed with every
    digit), prose that may be folded, or a ``time`` (printed to the second).

    A table continued below itself repeats the columns that say ``repeats``, else the first; print leaves out an ``optional``
    one that no record fills.
    """

    key: str
    heading: str = ""
    number: bool = False
    prose: bool = False
    stored: bool = False
    repeats: bool = False
    optional: bool = False
    time: bool = False


@dataclass(frozen=True)
class Sheet:
    """``name`` is stable for scripts; ``facts`` and ``notes`` are printed above and below and kept in JSON.

    With ``titled`` CSV and TSV carry title, facts and notes too, in the columns that files of results have: that something is
    post hoc or a deviation leaves with the numbers.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    records: tuple[tuple[Value, ...], ...]
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    titled: bool = False


def sheet_json(sheet: Sheet) -> str:
    """One object per record; what is missing is null; a whole double is written as an integer."""
    keys = [f.key for f in sheet.fields]
    return dump(
        {
            "schema": SCHEMA,
            "table": sheet.name,
            "title": sheet.title,
            "facts": dict(sheet.facts),
            "notes": list(sheet.notes),
            "columns": keys,
            "rows": [dict(zip(keys, map(raw_value, record), strict=True)) for record in sheet.records],
        }
    )


def sheets_json(sheets: Sequence[Sheet]) -> str:
    """Several sheets in one document: the first as the body, the others under ``more``."""
    first = json.loads(sheet_json(sheets[0]))
    return dump(first | {"more": [json.loads(sheet_json(s)) for s in sheets[1:]]}) if len(sheets) > 1 else sheet_json(sheets[0])


def sheet_delimited(sheet: Sheet, dialect: Dialect) -> str:
    heads, records = [f.key for f in sheet.fields], ([raw_value(v) for v in record] for record in sheet.records)
    if not sheet.titled:
        return delimited(heads, records, dialect)
    beside = title_cells(sheet.title, sheet.facts, sheet.notes)
    return delimited([*heads, *TITLE_COLUMNS], ([*r, *more] for r, more in zip(records, beside, strict=False)), dialect)


def sheet_block(sheet: Sheet) -> PageBlock:
    """The printed form: numbers right-justified, missing values empty."""
    sheet = _without_empty(sheet)
    first = 0 if not any(f.repeats for f in sheet.fields) else None
    columns = tuple(
        Column(f.heading or f.key, justify="right" if f.number else "left", label=i == first or f.repeats or f.prose)
        for i, f in enumerate(sheet.fields)
    )
    lines = tuple(
        Line(tuple(TextCell(_printed(v, f)) for v, f in zip(record, sheet.fields, strict=True))) for record in sheet.records
    )
    return PageBlock("", columns, lines, sheet.notes, wide=_wide(sheet, columns, lines))


def _without_empty(sheet: Sheet) -> Sheet:
    kept = [j for j, f in enumerate(sheet.fields) if not f.optional or any(_shown(r[j]) for r in sheet.records)]
    return replace(
        sheet, fields=tuple(sheet.fields[j] for j in kept), records=tuple(tuple(r[j] for j in kept) for r in sheet.records)
    )


def _wide(sheet: Sheet, columns: Sequence[Column], lines: Sequence[Line]) -> bool:
    """Whether a table is left as wide as it is: a long one, or one with a column that has no room beside the first."""
    if any(f.prose for f in sheet.fields):
        return False
    widths = [max(cell_len(t) for t in (c.title, *(line.cells[j].text for line in lines))) for j, c in enumerate(columns)]
    label = max(w for w, c in zip(widths, columns, strict=True) if c.label)
    return len(lines) > SHORT or any(label + 2 + w > PAGE_WIDTH for w, c in zip(widths, columns, strict=True) if not c.label)


def sheets_page(sheets: Sequence[Sheet]) -> Page:
    """Several sheets below each other under the title and facts of the first, which may be nothing but its facts."""
    first, *rest = sheets
    blocks = (*([sheet_block(first)] if first.fields else []), *(replace(sheet_block(s), title=s.title) for s in rest))
    return Page(first.title, blocks, first.facts)


def raw_value(value: Value) -> Value:
    """A value as scripts get it: a whole double as an integer, NaN as missing."""
    if isinstance(value, float):
        return plain_number(float(value)) if math.isfinite(value) else None
    return value


def _printed(value: Value, field: Field) -> str:
    if field.time and isinstance(value, str):
        return value[:19].replace("T", " ")  # 2026-01-31 14:05:59; what follows is the fraction and the zone
    return _shown(value, field.stored)


def _shown(value: Value, stored: bool = False) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return format_stored(value) if stored else format_number(value)
