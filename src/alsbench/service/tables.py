"""The tables of a snapshot as stored: which there are, rows, columns, special missing values; and what the data rules find."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import realise
from alsbench.data.checks import run_checks
from alsbench.data.row_order import row_order
from alsbench.data.sas import counts_text, special_cells, special_counts
from alsbench.data.snapshot import open_snapshot
from alsbench.data.sql import quote
from alsbench.data.workspace import Workspace
from alsbench.errors import UsageError
from alsbench.render.delimited import Dialect, delimited
from alsbench.render.mask_counts import small
from alsbench.render.sheet import Field, Sheet, raw_value
from alsbench.render.titles_footnotes import BLINDED
from alsbench.service.access import Access
from alsbench.service.output import Facts, Output, log_words, sheets_output, snapshot_fact, study_fact
from alsbench.service.subjects import plain
from alsbench.service.trail import log_shown
from alsbench.study.expression import equality, parse
from alsbench.study.names import nearest
from alsbench.study.sql import compile_sql
from alsbench.study.study_file import study_digest

if TYPE_CHECKING:
    from alsbench.data.receipt import RuleFinding
    from alsbench.data.snapshot import Snapshot, TableInfo
    from alsbench.study.sql import Where

PAGE = 20_000  # rows that are read at a time
SHOWN = 500  # rows of a table that is read, where no limit is given
_SUBJECT = ("USUBJID", "SUBJID", "SUBJECT_ID")


def tables(access: Access, *, mask: int = 0) -> Output:
    """The tables of the current snapshot: label, rows, columns, source file."""
    with Workspace(access.path).open_current() as snapshot:
        k = access.mask(mask)
        fields = (
            Field("table", "Table"),
            Field("label", "Label"),
            Field("rows", "Rows", number=True),
            Field("columns", "Columns", number=True),
            Field("source", "Source"),
        )
        found = snapshot.tables.values()
        records = tuple((t.name, t.label or None, small(t.rows, k), len(t.columns), t.source) for t in found)
        return sheets_output(
            access, Sheet("tables", "Tables of the current snapshot", fields, records, _facts(access, snapshot))
        )


def rows(
    access: Access,
    table: str,
    *,
    where: str | None = None,
    columns: Sequence[str] = (),
    order_by: Sequence[str] = (),
    limit: int | None = None,
    offset: int = 0,
    mask: int = 0,
) -> Output:
    """Rows of a table that meet an expression of the subgroup language, in load order or sorted (``-NAME`` descends). What is
    read is cut after :data:`SHOWN` rows and says so; records are all there are, read as they are written.

    Raises UsageError for a table or column that is not there, or where a mask holds; ExpressionError for the expression.
    """
    with Workspace(access.path).open_current() as snapshot:
        access.refuse_mask(mask, "the rows of a table")
        info = snapshot.table(table)
        names = _columns(info, columns)
        most = limit if limit is not None else SHOWN if access.printed else None
        condition = condition_of(access, snapshot, info, where) if where is not None else None
        found = row_order(snapshot, info.name, where=condition, order_by=tuple(order_by))
        total = found.count
        last = total if most is None else min(total, offset + most)
        facts = _facts(access, snapshot)
        chosen = _flags("-c", columns) + _flags("--order-by", order_by) + _cut(limit, offset)
        entered(access, snapshot, info.name, where, chosen)

        def read(stored: Snapshot) -> Iterator[list[tuple[Any, ...]]]:
            for start in range(offset, last, PAGE):
                yield found.page(stored, names, offset=start, limit=min(PAGE, last - start))

        number = max(0, last - offset)
        cut = f"{number} of {total} rows" if number < total else f"{total} rows"
        if access.form in ("csv", "tsv"):  # piece by piece: they need not fit in memory
            remarks = (f"{info.name}: {cut}",) if number < total else ()
            return Output(partial(_delimited_rows, access, snapshot.path, names, facts, read), remarks=remarks)
        records = tuple(tuple(plain(v) for v in row) for page in read(snapshot) for row in page)
    kinds, subject = info.kinds, _subject_columns(info)
    fields = tuple(Field(n, n, number=kinds[n] == "number", stored=True, repeats=n in subject) for n in names)
    notes = (f"{cut} shown: --limit {total} for all, or --format csv",) if number < total else ()
    told = (*facts, ("Rows", cut), ("Source", info.source))
    return sheets_output(access, Sheet(info.name, _title(info), fields, records, told, notes))


def _delimited_rows(
    access: Access,
    path: Path,
    names: Sequence[str],
    facts: Facts,
    read: Callable[[Snapshot], Iterator[list[tuple[Any, ...]]]],
    form: str,
) -> Iterator[str]:
    """The rows as CSV or TSV, read from the snapshot of that path as they are written; ``facts`` say whether it is blinded."""
    dialect: Dialect = "tsv" if form == "tsv" else "csv"
    words = log_words(access)
    mark = {"blinded": BLINDED} if ("Arms", BLINDED) in facts else {}
    mark |= {"audit_log": words} if words else {}
    yield delimited([*names, *mark], (), dialect)
    with open_snapshot(path) as stored:
        for page in read(stored):
            yield delimited(None, ([*(raw_value(plain(v)) for v in row), *mark.values()] for row in page), dialect)


def columns(access: Access, table: str, *, columns: Sequence[str] = (), mask: int = 0) -> Output:
    """A line for each column of a table: what the source file said of it, and how much of it is missing."""
    with Workspace(access.path).open_current() as snapshot:
        access.refuse_mask(mask, "the rows of a table")
        info = snapshot.table(table)
        return sheets_output(access, _column_sheet(snapshot, info, _columns(info, columns), _facts(access, snapshot)))


def special_missing(
    access: Access, table: str, *, columns: Sequence[str] = (), limit: int | None = None, offset: int = 0, mask: int = 0
) -> Output:
    """A line for each cell of a table with a special missing value (.A to .Z, ._): row in load order, subject, column, code."""
    with Workspace(access.path).open_current() as snapshot:
        access.refuse_mask(mask, "the rows of a table")
        info = snapshot.table(table)
        names = _columns(info, columns)
        most = limit if limit is not None else SHOWN if access.printed else None
        entered(access, snapshot, info.name, None, ["--special", *_flags("-c", columns), *_cut(limit, offset)])
        sheet = _special_sheet(snapshot, info, names, _facts(access, snapshot), offset=offset, most=most)
        return sheets_output(access, sheet)


def entered(access: Access, snapshot: Snapshot, table: str, where: str | None, options: Sequence[str] = ()) -> None:
    """Rows of subjects are about to be shown: the log keeps which table and which filter, never what they hold."""
    asked = shlex.join(["alsbench", "data", table, *_flags("--where", [where] if where is not None else ()), *options])
    facts = {"asked": access.repeat(asked), "table": table, "where": where or "", "snapshot": snapshot.digest}
    log_shown(access, "data", facts)


def condition_of(access: Access, snapshot: Snapshot, info: TableInfo, text: str) -> Where:
    """The expression compiled for this table; cut-offs such as mean(LEADRATE) are those of the study's population."""
    expression = parse(equality(text))
    cuts = {}
    if expression.aggregates:
        study = Workspace(access.path).read_study()
        cuts = realise(Source(study, snapshot, study_digest(study)), expression.aggregates)
    return compile_sql(expression, info.kinds, cuts)


def _flags(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _cut(limit: int | None, offset: int) -> list[str]:
    """The options that leave rows out."""
    return _flags("--limit", [str(limit)] if limit is not None else ()) + _flags("--offset", [str(offset)] if offset else ())


def _facts(access: Access, snapshot: Snapshot) -> Facts:
    """Study, snapshot, and the words that must stand wherever data are shown."""
    blinded = (("Arms", BLINDED),) if snapshot.receipt.get("blinded") else ()
    return (*study_fact(access), snapshot_fact(snapshot), *blinded)


def _columns(info: TableInfo, wanted: Sequence[str]) -> list[str]:
    """The columns asked for, in any case; all where none were."""
    known = [c.name for c in info.columns]
    by_case = {name.casefold(): name for name in reversed(known)}
    for name in wanted:
        if name.casefold() not in by_case:
            raise UsageError(f"{info.name} has no column {name}", where="--column", hint=nearest(name, known))
    return [by_case[name.casefold()] for name in wanted] or known


def _subject_columns(info: TableInfo) -> list[str]:
    """The column that names the subject, by its usual names; empty where there is none."""
    return [c.name for c in info.columns if c.name.upper() in _SUBJECT][:1]


def _column_sheet(snapshot: Snapshot, info: TableInfo, names: Sequence[str], facts: Facts) -> Sheet:
    """A line for each column: what the source file said of it, and how much of it is missing."""
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
            counts_text(special.get(n, {})) or None,
        )
        for n, count in zip(names, present, strict=True)
    )
    facts = (*facts, ("Rows", str(info.rows)), ("Source", info.source))
    return Sheet(f"{info.name} columns", f"{_title(info)}: columns", fields, records, facts)


def _special_sheet(
    snapshot: Snapshot, info: TableInfo, names: Sequence[str], facts: Facts, *, offset: int, most: int | None
) -> Sheet:
    """A line for each cell with a special missing value: row in load order, subject, column, code."""
    subject = _subject_columns(info)
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
    facts = (*facts, ("Special missing", cut), ("Source", info.source))
    return Sheet(f"{info.name} special", f"{_title(info)}: special missing values", fields, records, facts, notes)


def _title(info: TableInfo) -> str:
    return f"{info.name} {info.label}".strip()


# ---- what the data rules find


def check(access: Access, *, mask: int = 0) -> Output:
    """Every data rule run again on the current snapshot. An error that stands and was not accepted is a negative verdict."""
    with Workspace(access.path).open_current() as snapshot:
        sheet, errors = findings_of(access, snapshot, access.mask(mask))
    return sheets_output(access, sheet, failed=errors > 0)


def findings_of(access: Access, snapshot: Snapshot, k: int) -> tuple[Sheet, int]:
    """What the rules find in a snapshot, masked below ``k``, and how many errors of it stand."""
    space = Workspace(access.path)
    checked = run_checks(snapshot, space.read_study() if space.study_path.exists() else None)
    accepted = dict(snapshot.receipt.get("allowed") or {})
    judged = tuple(replace(f, accepted=accepted.get(f.rule, "")) for f in checked.findings)
    errors = [f for f in judged if f.severity == "error" and not f.accepted]
    verdict = f"{len(checked.passed)} rules passed, {len({f.rule for f in judged})} with findings, {len(errors)} errors stand"
    facts = (
        *study_fact(access),
        ("Snapshot", snapshot.name),
        ("Verdict", verdict),
        *unfit_words(checked.not_applicable),
    )
    sheet = findings_sheet(judged)
    return replace(_masked(sheet, k) if k else sheet, title="Checks", facts=facts), len(errors)


def _masked(sheet: Sheet, k: int) -> Sheet:
    """The findings without what tells a single subject: how often below ``k``, in which rows, of whom."""
    hidden = {"what", "rows", "keys"}
    keys = [f.key for f in sheet.fields]
    records = tuple(
        tuple(
            None if key in hidden else small(value, k) if key == "count" and isinstance(value, int) else value
            for key, value in zip(keys, record, strict=True)
        )
        for record in sheet.records
    )
    return replace(sheet, records=records, notes=(*sheet.notes, f"counts below {k}, rows and keys are masked"))


def unfit_words(not_applicable: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Checks that had no dates to compare, by reason."""
    reasons: dict[str, list[str]] = {}
    for text in not_applicable:
        rule, _, reason = text.partition(": ")
        reasons.setdefault(reason, []).append(rule)
    told = "; ".join(f"{', '.join(rules)} ({reason})" for reason, rules in reasons.items())
    return (("Not applicable", told),) if told else ()


def findings_sheet(findings: tuple[RuleFinding, ...]) -> Sheet:
    """What the checks found: rule, severity, where, how often, the first rows."""
    fields = (
        Field("rule", "Rule"),
        Field("severity", "Severity"),
        Field("table", "Table"),
        Field("count", "Count", number=True),
        Field("what", "What"),
        Field("rows", "First rows", optional=True),
        Field("keys", "First keys", optional=True),
        Field("accepted", "Accepted because", optional=True),
    )
    records = tuple(
        (
            f.rule,
            f.severity,
            f.table,
            f.count,
            f.what,
            ", ".join(str(r) for r in f.rows) or None,
            ", ".join(str(k) for k in f.keys) or None,
            f.accepted or None,
        )
        for f in findings
    )
    return Sheet("findings", "Findings", fields, records)
