"""``alsbench data TABLE``: rows of a snapshot table, as stored."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import dataset_names
from alsbench.cli.output import show
from alsbench.errors import UsageError

SHOWN = 500  # rows of a table, as service.tables cuts it


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
) -> int:
    """Rows of a snapshot table. A table that is cut says so; CSV, TSV and JSON hold every row unless --limit is given."""
    from alsbench.service import tables  # waits: duckdb, numpy

    access, chosen = common.access, columns or ()
    if not table:
        return show(common, tables.tables(access, mask=mask))
    if describe and special:
        raise UsageError("--columns and --special are two tables", where="--special", hint="ask for one of them")
    if (describe or special) and (where is not None or order_by):
        raise UsageError("this table is of all rows, in load order", where="--where" if where is not None else "--order-by")
    if describe:
        return show(common, tables.columns(access, table, columns=chosen, mask=mask))
    if special:
        return show(common, tables.special_missing(access, table, columns=chosen, limit=limit, offset=offset, mask=mask))
    made = tables.rows(
        access, table, where=where, columns=chosen, order_by=order_by or (), limit=limit, offset=offset, mask=mask
    )
    return show(common, made)
