"""Tables in which two sets of data differ: what of each class, worst first and noise in one line, and the first records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alsbench.data.diff import SnapshotDiff, TableDiff
from alsbench.render.sheet import Field, Sheet
from alsbench.stats.agreement import WORST_FIRST, Agreement

RANK: dict[Agreement, int] = {name: i for i, name in enumerate(WORST_FIRST)}
RECORDS = "records"
LISTED = 20  # records of each kind and table, unless otherwise asked
CODES_SHOWN = 6  # values of a recoded column that are named
Side = tuple[str, str]


@dataclass(frozen=True)
class ClassLine:
    """``values`` of one class in one column of a table; records and columns that one side lacks are lines too. ``what`` says it
    in words where a class does not: a new name, of the column or of its values."""

    table: str
    column: str
    agreement: Agreement
    values: int
    what: str = ""


def class_lines(found: SnapshotDiff, sides: Side = ("old", "new")) -> list[ClassLine]:
    """What differs, worst first: records and columns that one side lacks, then values by class; noise is one line for all."""
    whole = [line for t in found.tables for line in _of_table(t, sides)]
    loud = sorted((x for x in whole if x.agreement != "noise"), key=lambda x: (_order(x), x.table))
    quiet = [x for x in whole if x.agreement == "noise"]
    if not quiet:
        return loud
    tables, columns = (", ".join(dict.fromkeys(names)) for names in ((x.table for x in quiet), (x.column for x in quiet)))
    records = sum(t.noise for t in found.tables)
    return [
        *loud,
        ClassLine(tables, columns, "noise", sum(x.values for x in quiet), f"{records:,} records differ by noise only"),
    ]


def _order(line: ClassLine) -> tuple[int, int]:
    """Records that are missing before values that differ before what has a new name."""
    return (0 if line.column == RECORDS else 2 if line.what else 1, RANK[line.agreement])


def _of_table(table: TableDiff, sides: Side) -> Iterator[ClassLine]:
    if table.removed:
        yield ClassLine(table.table, RECORDS, "only ours", table.removed)
    if table.added:
        yield ClassLine(table.table, RECORDS, "only theirs", table.added)
    for name in table.columns_removed:
        yield ClassLine(table.table, name, "only ours", table.rows_old, "the column")
    for name in table.columns_added:
        yield ClassLine(table.table, name, "only theirs", table.rows_new, "the column")
    for name, kinds in table.columns_retyped.items():
        yield ClassLine(table.table, name, "different", table.rows_new, f"{kinds[0]} in {sides[0]}, {kinds[1]} in {sides[1]}")
    for old, new in table.renamed.items():
        yield ClassLine(table.table, old, "different", table.rows_new, f"the same values under another name: {new}")
    for name, pairs in table.recoded.items():
        shown = [f"{_quoted(a)} is {_quoted(b)}" for a, b, _ in pairs[:CODES_SHOWN]]
        more = [f"and {len(pairs) - CODES_SHOWN} more"] if len(pairs) > CODES_SHOWN else []
        count = sum(n for _, _, n in pairs)
        yield ClassLine(table.table, name, "different", count, f"the same groups under other names: {', '.join(shown + more)}")
    for name, counts in table.classes.items():
        for agreement, values in counts.items():
            if name not in table.recoded or agreement != "different":
                yield ClassLine(table.table, name, agreement, values)


def _quoted(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else value_word(value) or "missing"


def class_sheet(found: SnapshotDiff, sides: Side = ("old", "new")) -> Sheet:
    """The lines of :func:`class_lines`; each side is called by its name."""
    fields = (
        Field("class", "Class"),
        Field("table", "Table"),
        Field("column", "Column"),
        Field("values", "Values", number=True),
        Field("what", "In words", optional=True),
    )
    records = tuple(
        (class_word(x.agreement, sides), x.table, x.column, x.values, x.what or None) for x in class_lines(found, sides)
    )
    return Sheet("classes", "How the data differ, worst first", fields, records)


def class_word(agreement: Agreement, sides: Side) -> str:
    """A class, with the side named as it is here (``only old``)."""
    return {"only ours": f"only {sides[0]}", "only theirs": f"only {sides[1]}"}.get(agreement, agreement)


def class_count(n: int, agreement: Agreement) -> str:
    """``44 different``, ``1 changes a conclusion``, ``4 change a conclusion``."""
    return f"{n} change a conclusion" if agreement == "changes a conclusion" and n != 1 else f"{n} {agreement}"


def table_sheet(found: SnapshotDiff, title: str, sides: Side = ("old", "new")) -> Sheet:
    """Table by table: rows of both, records added, removed, changed (of these by noise only), the key, the columns."""
    records = tuple(
        (
            *(t.table, t.state, t.rows_old, t.rows_new, t.added, t.removed, t.changed, t.noise),
            " ".join(t.keys) or None,
            _columns(t) or None,
        )
        for t in found.tables
    )
    fields = (
        Field("table", "Table"),
        Field("state", "State"),
        *(Field(f"rows_{s}", f"Rows {s}", number=True) for s in sides),
        *(Field(k, k.capitalize(), number=True) for k in ("added", "removed", "changed")),
        Field("noise", "By noise", number=True),
        Field("keys", "Key"),
        Field("columns", "Columns", prose=True),
    )
    said = "the same" if found.same else "the same but for noise and print" if found.good else "differ"
    facts = ((sides[0].capitalize(), found.old), (sides[1].capitalize(), found.new), ("Data", said))
    notes = tuple(
        f"{t.table}: {t.repeated} rows share their key with another row of their side; they were compared whole"
        for t in found.tables
        if t.repeated
    )
    return Sheet("tables", title, fields, records, facts, notes=notes)


def _columns(table: TableDiff) -> str:
    parts = [f"{name} ({n} changed)" for name, n in (table.by_column or {}).items()]
    parts += [f"{name} (new)" for name in table.columns_added] + [f"{name} (gone)" for name in table.columns_removed]
    parts += [f"{name} (now {new})" for name, new in table.renamed.items()]
    parts += [f"{name} ({now}, was {was})" for name, (was, now) in table.columns_retyped.items()]
    return ", ".join(parts)


def record_sheet(found: SnapshotDiff, shown: int, sides: Side = ("old", "new")) -> Sheet:
    """The first records of each kind; the counts above are complete. Records that differ by noise only are not among them."""
    fields = (
        *(Field("table", "Table"), Field("change", "Change"), Field("key", "Key"), Field("column", "Column")),
        *(Field(s, s.capitalize()) for s in sides),
        Field("class", "Class"),
    )
    records = tuple(r for t in found.tables if t.state == "changed" for r in _record_lines(t))
    cut = [t.table for t in found.tables if t.state == "changed" and _most(t) > shown]
    notes = (f"the first {shown} of each kind in {', '.join(cut)}; the counts above are complete",) if cut else ()
    return Sheet("records", "Records", fields, records, notes=notes)


def _most(table: TableDiff) -> int:
    return max(table.added, table.removed, table.changed - table.noise - table.coded)


def _record_lines(table: TableDiff) -> Iterator[tuple[str | None, ...]]:
    for change, keys in (("added", table.added_keys), ("removed", table.removed_keys)):
        for key in keys:
            yield table.table, change, _words(key), None, None, None, None
    for each in table.records:
        for column, (was, now) in each.columns.items():
            both = value_word(was), value_word(now)
            yield table.table, "changed", _words(each.key), column, *both, each.classes.get(column)


def _words(key: tuple[object, ...]) -> str:
    return " ".join(value_word(part) or "-" for part in key)


def value_word(value: object) -> str | None:
    """A value as it is shown beside another: a number with every digit, None for a missing one."""
    return None if value is None else repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
