"""``alsbench data TABLE``: rows of a snapshot table, as stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alsbench.cli.common import Common, Format, MaskOption, command
from alsbench.cli.complete import dataset_names

if TYPE_CHECKING:
    from alsbench.data.snapshot import Snapshot, TableInfo
    from alsbench.render.sheet import Field
    from alsbench.study.sql import Where

PAGE = 20_000
SHOWN = 500


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "data")(data)


def data(
    common: Common,
    table: Annotated[
        str,
        typer.Argument(
            metavar="[TABLE]",
            help="Table name, any case; without it, the tables there are.",
            autocompletion=dataset_names,
        ),
    ] = "",
    where: Annotated[
        str | None, typer.Option("--where", metavar="E", help='Rows that meet this expression: "AVISITN == 6".')
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--column", "-c", metavar="NAME", help="Only these columns; repeats.")
    ] = None,
    order_by: Annotated[
        list[str] | None, typer.Option("--order-by", metavar="NAME", help="Sort; -NAME descends; repeats.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=0, help=f"At most this many rows (tables: {SHOWN}).")] = None,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Leave out the first rows.")] = 0,
    describe: Annotated[
        bool, typer.Option("--columns", help="The columns instead: label, kind, source type, length, format, missing.")
    ] = False,
    special: Annotated[
        bool, typer.Option("--special", help="The cells with a special missing value (.A to .Z, ._) instead of the rows.")
    ] = False,
    mask: MaskOption = 0,
) -> None:
    """Rows of a snapshot table. A table that is cut says so; CSV, TSV and JSON hold every row unless --limit is given."""
    from alsbench.cli.column_sheets import column_sheet, special_sheet
    from alsbench.cli.output import emit_sheets
    from alsbench.data.order import row_order
    from alsbench.data.workspace import Workspace

    with Workspace(common.workspace).open_current() as snapshot:
        if not table:
            emit_sheets(common, _tables(common, snapshot, common.access.mask(mask)))
            return
        common.access.refuse_mask(mask, "the rows of a table")
        info = snapshot.table(table)
        if describe or special:
            _refuse_choice(describe and special, where, order_by)
        names = [_column(info, c) for c in columns] if columns else [c.name for c in info.columns]
        most = limit if limit is not None else SHOWN if common.format.printed else None
        if describe:
            emit_sheets(common, column_sheet(snapshot, info, names, _about(common, snapshot)))
            return
        if special:
            _entered(common, snapshot, info.name, None, ["--special"])
            emit_sheets(common, special_sheet(snapshot, info, names, _about(common, snapshot), offset=offset, most=most))
            return
        condition = _condition(common, snapshot, info, where) if where is not None else None
        rows = row_order(snapshot, info.name, where=condition, order_by=tuple(order_by or ()))
        total = rows.count
        last = total if most is None else min(total, offset + most)

        def pages() -> Iterator[list[tuple[Any, ...]]]:
            for start in range(offset, last, PAGE):
                yield rows.page(snapshot, names, offset=start, limit=min(PAGE, last - start))

        facts = _about(common, snapshot)
        _entered(common, snapshot, info.name, where, _flags("-c", columns) + _flags("--order-by", order_by))
        _emit(common, info, names, pages(), facts, shown=max(0, last - offset), total=total)


def _entered(common: Common, snapshot: Snapshot, table: str, where: str | None, options: list[str]) -> None:
    """Rows of subjects are about to be shown: the log keeps which table and which filter, never what they hold."""
    import shlex

    from alsbench.service.trail import shown

    asked = shlex.join(["alsbench", "data", table, *_flags("--where", [where] if where is not None else None), *options])
    shown(
        common.access,
        "data",
        {"asked": common.repeat(asked), "table": table, "where": where or "", "snapshot": snapshot.digest},
    )


def _flags(option: str, values: list[str] | None) -> list[str]:
    return [word for value in values or () for word in (option, value)]


def _refuse_choice(both: bool, where: str | None, order_by: list[str] | None) -> None:
    from alsbench.errors import UsageError

    if both:
        raise UsageError("--columns and --special are two tables", where="--special", hint="ask for one of them")
    if where is not None or order_by:
        raise UsageError("this table is of all rows, in load order", where="--where" if where is not None else "--order-by")


def _emit(
    common: Common,
    info: TableInfo,
    names: list[str],
    pages: Iterator[list[tuple[Any, ...]]],
    about: tuple[tuple[str, str], ...],
    *,
    shown: int,
    total: int,
) -> None:
    from alsbench.cli.output import BLINDED, emit_sheets, log_words, write_chunks
    from alsbench.cli.subject import plain
    from alsbench.render.delimited import delimited
    from alsbench.render.sheet import Sheet, raw_value

    cut = f"{shown} of {total} rows" if shown < total else f"{total} rows"
    if common.format in (Format.CSV, Format.TSV):
        dialect = common.format.value
        words = log_words(common)
        mark = {"blinded": BLINDED} if ("Arms", BLINDED) in about else {}
        mark |= {"audit_log": words} if words else {}

        def chunks() -> Iterator[str]:
            yield delimited([*names, *mark], (), dialect)
            for page in pages:
                yield delimited(None, ([*(raw_value(plain(v)) for v in row), *mark.values()] for row in page), dialect)

        write_chunks(common, chunks())
        if shown < total:
            common.note(f"{info.name}: {cut}")
        return
    records = tuple(tuple(plain(v) for v in row) for page in pages for row in page)
    facts = (*about, ("Rows", cut), ("Source", info.source))
    notes = (f"{cut} shown: --limit {total} for all, or --format csv",) if shown < total else ()
    emit_sheets(common, Sheet(info.name, f"{info.name} {info.label}".strip(), _fields(info, names), records, facts, notes))


def _fields(info: TableInfo, names: list[str]) -> tuple[Field, ...]:
    from alsbench.cli.column_sheets import subject_columns
    from alsbench.render.sheet import Field

    kinds, subject = info.kinds, subject_columns(info)
    return tuple(Field(n, n, number=kinds[n] == "number", stored=True, repeats=n in subject) for n in names)


def _about(common: Common, snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """Study, snapshot, and the words that must stand wherever data are shown."""
    from alsbench.cli.output import BLINDED
    from alsbench.service.about import snapshot_words, study_words

    blinded = (("Arms", BLINDED),) if snapshot.receipt.get("blinded") else ()
    return (*study_words(common.workspace), snapshot_words(snapshot), *blinded)


def _tables(common: Common, snapshot: Snapshot, k: int) -> Any:
    from alsbench.render.mask_counts import small
    from alsbench.render.sheet import Field, Sheet

    fields = (
        Field("table", "Table"),
        Field("label", "Label"),
        Field("rows", "Rows", number=True),
        Field("columns", "Columns", number=True),
        Field("source", "Source"),
    )
    records = tuple((t.name, t.label or None, small(t.rows, k), len(t.columns), t.source) for t in snapshot.tables.values())
    return Sheet("tables", "Tables of the current snapshot", fields, records, _about(common, snapshot))


def _column(info: TableInfo, name: str) -> str:
    from alsbench.errors import UsageError
    from alsbench.study.names import nearest

    found = next((c.name for c in info.columns if c.name.casefold() == name.casefold()), None)
    if found is None:
        raise UsageError(
            f"{info.name} has no column {name}", where="--column", hint=nearest(name, [c.name for c in info.columns])
        )
    return found


def _condition(common: Common, snapshot: Snapshot, info: TableInfo, text: str) -> Where:
    """The expression compiled for this table; cut-offs such as mean(LEADRATE) are those of the study's population."""
    from alsbench.study.expression import compile_sql, parse

    expression = parse(text)
    cuts = {}
    if expression.aggregates:
        from alsbench.analysis.source import Source
        from alsbench.analysis.subgroups import realise
        from alsbench.data.workspace import Workspace
        from alsbench.study.spec import study_digest

        study = Workspace(common.workspace).read_study()
        cuts = realise(Source(study, snapshot, study_digest(study)), expression.aggregates)
    return compile_sql(expression, info.kinds, cuts)
