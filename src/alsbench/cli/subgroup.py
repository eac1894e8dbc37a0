"""``alsbench subgroup``: list, show, add, edit and remove named subgroups of study.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import defined_subgroups

if TYPE_CHECKING:
    from alsbench.analysis.source import Source

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
    command(group, "show")(show)
    command(group, "add")(add)
    command(group, "edit")(edit)
    command(group, "remove")(remove)
    app.add_typer(group, name="subgroup")


def list_subgroups(common: Common, mask: MaskOption = 0) -> None:
    """Every subgroup of the study with its expression and, once data are loaded, its size per arm."""
    from alsbench.analysis.subgroups import members
    from alsbench.cli.output import emit_sheets
    from alsbench.render.mask_counts import Count
    from alsbench.render.sheet import Field, Sheet, Value
    from alsbench.service.about import about
    from alsbench.service.masks import mask_members

    with common.access.opened() as source:
        arms = source.study.arms.order
        fields = (
            Field("name", "Name"),
            Field("where", "Where"),
            Field("prespecified", "Pre-specified"),
            Field("cut", "Realised cut"),
            Field("n", "n", number=True),
            *(Field(arm, arm, number=True) for arm in arms),
            Field("complement", "Complement"),
            Field("label", "Label"),
        )
        records: list[tuple[Value, ...]] = []
        k = common.access.mask(mask)
        for s in source.study.subgroups:
            member = members(source, s.name)
            shown = mask_members(source, {s.name: member}, k)
            counts: tuple[Value, ...] = tuple(shown[Count(s.name, arm)] for arm in arms)
            records.append(
                (
                    s.name,
                    s.where,
                    s.prespecified,
                    member.cut_text() or None,
                    shown[Count(s.name, None)],
                    *counts,
                    s.complement or None,
                    s.label or None,
                )
            )
        emit_sheets(common, Sheet("subgroups", "Subgroups", fields, tuple(records), about(source)))


def show(common: Common, name: NameArgument, mask: MaskOption = 0) -> None:
    """One subgroup (or a phrase such as 'not slow'): definition, realised cut, members per arm, its complement."""
    from alsbench.analysis.subgroups import complement, members
    from alsbench.cli.output import emit_sheets
    from alsbench.render.mask_counts import Count
    from alsbench.render.sheet import Field, Sheet, Value
    from alsbench.service.about import about
    from alsbench.service.masks import mask_members

    with common.access.opened() as source:
        member = members(source, name)
        phrases = ["overall", member.phrase]
        if member.phrase != "overall" and " and " not in member.phrase:
            phrases.append(complement(source, member.phrase))
        parts = [members(source, phrase) for phrase in dict.fromkeys(phrases)]
        fields = (
            Field("subgroup", "Subgroup"),
            Field("n", "n", number=True),
            *(Field(arm, arm, number=True) for arm in source.study.arms.order),
            Field("undecided", "Undecided", number=True),
        )
        shown = mask_members(source, {p.phrase: p for p in parts}, common.access.mask(mask))
        arms = source.study.arms.order
        records: tuple[tuple[Value, ...], ...] = tuple(
            (p.phrase, *(shown[Count(p.phrase, a)] for a in (None, *arms)), shown[Count(p.phrase, None, "undecided")])
            for p in parts
        )
        facts = (*about(source), *_facts(source, member))
        emit_sheets(common, Sheet("subgroup", f"Subgroup {member.phrase}", fields, records, facts, standing=True))


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
    from alsbench.service.subgroups import add as add_subgroup

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
    from alsbench.service.subgroups import edit as edit_subgroup

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
    from alsbench.service.subgroups import remove as remove_subgroup

    common.note(remove_subgroup(common.access, name))


def _facts(source: Source, member: Any) -> tuple[tuple[str, str], ...]:
    facts = [("Where", member.definition), ("Label", member.label)]
    if member.cuts:
        facts.append(("Realised cut", member.cut_text()))
    facts.append(("Status", "post hoc" if member.post_hoc else "pre-specified"))
    if member.post_randomisation:
        facts.append(("Warning", "POST-RANDOMISATION: uses a column measured after randomisation"))
    found = source.study.subgroup(member.phrase.removeprefix("not "))
    if found is not None and found.rationale:
        facts.append(("Rationale", found.rationale))
    return tuple(facts)
