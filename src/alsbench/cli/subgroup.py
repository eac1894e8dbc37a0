"""``alsbench subgroup``: list, show, add, edit and remove named subgroups of study.toml."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import defined_subgroups
from alsbench.cli.output import show

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The subgroup's name.", autocompletion=defined_subgroups)]
WhereOption = Annotated[str, typer.Option("--where", metavar="E", help='Baseline expression: "LEADRATE <= mean(LEADRATE)".')]
LabelOption = Annotated[str, typer.Option("--label", help="Label in tables.")]
RationaleOption = Annotated[str, typer.Option("--rationale", help="Why this subgroup.")]
ComplementOption = Annotated[str, typer.Option("--complement", metavar="NAME", help="A name for everybody else.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Allow columns measured after randomisation; labelled so wherever it is shown.")
]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="List, show, add, edit and remove subgroups", no_args_is_help=True, rich_markup_mode=None)
    command(group, "list")(list_subgroups)
    command(group, "show")(show_subgroup)
    command(group, "add")(add)
    command(group, "edit")(edit)
    command(group, "remove")(remove)
    app.add_typer(group, name="subgroup")


def list_subgroups(common: Common, mask: MaskOption = 0) -> None:
    """Every subgroup of the study with its expression and, once data are loaded, its size per arm."""
    from alsbench.service.subgroups import listed  # waits: duckdb, numpy

    show(common, listed(common.access, mask=mask))


def show_subgroup(common: Common, name: NameArgument, mask: MaskOption = 0) -> None:
    """One subgroup (or a phrase such as 'not slow'): definition, realised cut, members per arm, its complement."""
    from alsbench.service.subgroups import described  # waits: duckdb, numpy

    show(common, described(common.access, name, mask=mask))


def add(
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
    from alsbench.service.subgroups import add as add_subgroup  # waits: duckdb, numpy

    given = {"label": label, "where": where, "prespecified": prespecified, "rationale": rationale, "complement": complement}
    common.note(add_subgroup(common.access, name=name, force=force, **given))


def edit(
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
    from alsbench.service.subgroups import edit as edit_subgroup  # waits: duckdb, numpy

    given: dict[str, Any] = {
        "name": rename or None,
        "where": where or None,
        "label": label,
        "prespecified": prespecified,
        "rationale": rationale,
        "complement": complement,
    }
    changes = {k: v for k, v in given.items() if v is not None}
    common.note(edit_subgroup(common.access, name, changes, force=force))


def remove(common: Common, name: NameArgument) -> None:
    """Take a subgroup out of study.toml."""
    from alsbench.service.subgroups import remove as remove_subgroup  # waits: duckdb, numpy

    common.note(remove_subgroup(common.access, name))
