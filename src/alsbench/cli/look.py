"""Looking at what there is: ``alsbench arms``, ``subject``, ``data``, ``subgroup``, ``check``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import dataset_names, defined_subgroups
from alsbench.cli.output import show
from alsbench.errors import UsageError

commands = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
subgroup_commands = typer.Typer(help="List, show, add, edit and remove subgroups", no_args_is_help=True, rich_markup_mode=None)
commands.add_typer(subgroup_commands, name="subgroup")


@command(commands, "arms")
def arms(
    common: Common,
    subgroup: Annotated[
        str, typer.Option("--subgroup", "-s", metavar="S", help="Count members of this subgroup only.")
    ] = "overall",
    mask: MaskOption = 0,
) -> int:
    """Subjects per planned arm: randomised, in each population, discontinued, dead."""
    from alsbench.service.subjects import arms as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, subgroup, mask=mask))


@command(commands, "subject", short_help="One subject: baseline, visits, events, doses")
def subject(
    common: Common,
    subject_id: Annotated[str, typer.Argument(metavar="ID", help="Subject id, as in the data.")],
    mask: MaskOption = 0,
) -> int:
    """One subject: baseline facts, every analysed parameter by visit, events, doses. CSV and TSV hold the course."""
    from alsbench.service.subjects import subject as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, subject_id, mask=mask))


SHOWN = 500  # rows of a table, as service.tables cuts it


@command(commands, "data")
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


NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The subgroup's name.", autocompletion=defined_subgroups)]
WhereOption = Annotated[str, typer.Option("--where", metavar="E", help='Baseline expression: "LEADRATE <= mean(LEADRATE)".')]
LabelOption = Annotated[str, typer.Option("--label", help="Label in tables.")]
RationaleOption = Annotated[str, typer.Option("--rationale", help="Why this subgroup.")]
ComplementOption = Annotated[str, typer.Option("--complement", metavar="NAME", help="A name for everybody else.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Allow columns measured after randomisation; labelled so wherever it is shown.")
]


@command(subgroup_commands, "list")
def list_subgroups(common: Common, mask: MaskOption = 0) -> int:
    """Every subgroup of the study with its expression and, once data are loaded, its size per arm."""
    from alsbench.service.subgroups import listed  # waits: duckdb, numpy

    return show(common, listed(common.access, mask=mask))


@command(subgroup_commands, "show")
def show_subgroup(common: Common, name: NameArgument, mask: MaskOption = 0) -> int:
    """One subgroup (or a phrase such as 'not slow'): definition, realised cut, members per arm, its complement."""
    from alsbench.service.subgroups import described  # waits: duckdb, numpy

    return show(common, described(common.access, name, mask=mask))


@command(subgroup_commands, "add")
def add_subgroup(
    common: Common,
    name: NameArgument,
    where: WhereOption,
    label: LabelOption = "",
    prespecified: Annotated[bool, typer.Option("--prespecified", help="Defined before the data were seen.")] = False,
    rationale: RationaleOption = "",
    complement: ComplementOption = "",
    force: ForceOption = False,
) -> None:
    """Add a subgroup to study.toml; comments and layout stay. It is post hoc unless --prespecified."""
    from alsbench.service import subgroups  # waits: duckdb, numpy

    given = {"label": label, "where": where, "prespecified": prespecified, "rationale": rationale, "complement": complement}
    common.note(subgroups.add(common.access, name=name, force=force, **given))


@command(subgroup_commands, "edit")
def edit_subgroup(
    common: Common,
    name: NameArgument,
    where: WhereOption = "",
    label: Annotated[str | None, typer.Option("--label", help="Label in tables.")] = None,
    prespecified: Annotated[bool | None, typer.Option("--prespecified/--post-hoc", help="When it was defined.")] = None,
    rationale: Annotated[str | None, typer.Option("--rationale", help="Why this subgroup.")] = None,
    complement: Annotated[str | None, typer.Option("--complement", metavar="NAME", help="A name for everybody else.")] = None,
    rename: Annotated[str, typer.Option("--rename", metavar="NAME", help="A new name.")] = "",
    force: ForceOption = False,
) -> None:
    """Change a subgroup in study.toml; what is not named stays as it is."""
    from alsbench.service import subgroups  # waits: duckdb, numpy

    given: dict[str, Any] = {
        "name": rename or None,
        "where": where or None,
        "label": label,
        "prespecified": prespecified,
        "rationale": rationale,
        "complement": complement,
    }
    changes = {k: v for k, v in given.items() if v is not None}
    common.note(subgroups.edit(common.access, name, changes, force=force))


@command(subgroup_commands, "remove")
def remove_subgroup(common: Common, name: NameArgument) -> None:
    """Take a subgroup out of study.toml."""
    from alsbench.service import subgroups  # waits: duckdb, numpy

    common.note(subgroups.remove(common.access, name))


@command(commands, "check")
def check(common: Common, mask: MaskOption = 0) -> int:
    """Run every data check on the current snapshot. Exits 1 if an error-level finding stands that was not accepted."""
    from alsbench.service.tables import check as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, mask=mask))
