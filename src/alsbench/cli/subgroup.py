"""``alsbench subgroup``: list, show, add, edit and remove named subgroups of study.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import defined_subgroups

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.study.model import Subgroup

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

    with common.trial.opened() as source:
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
        k = common.trial.mask(mask)
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

    with common.trial.opened() as source:
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
        shown = mask_members(source, {p.phrase: p for p in parts}, common.trial.mask(mask))
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
    from alsbench.data.workspace import Workspace
    from alsbench.study.edit import add_subgroup

    made = _subgroup(name=name, label=label, where=where, prespecified=prespecified, rationale=rationale, complement=complement)
    made = _checked(common, made, force)
    add_subgroup(Workspace(common.workspace).study_path, made)
    _changed(common, "subgroup added", made)


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
    from alsbench.data.workspace import Workspace
    from alsbench.errors import UsageError
    from alsbench.study.edit import replace_subgroup
    from alsbench.study.names import nearest

    space = Workspace(common.workspace)
    study = space.read_study()
    old = study.subgroup(name)
    if old is None:
        raise UsageError(f"no subgroup is named {name}", hint=nearest(name, [s.name for s in study.subgroups]))
    given: dict[str, Any] = {
        "name": rename or None,
        "where": where or None,
        "label": label,
        "prespecified": prespecified,
        "rationale": rationale,
        "complement": complement,
    }
    changes = {k: v for k, v in given.items() if v is not None}
    if not changes:
        raise UsageError(
            "nothing was changed", hint="say what: --where, --label, --rationale, --complement, --prespecified, --rename"
        )
    made = _subgroup(**(old.model_dump(exclude={"post_randomisation"}) | changes))
    made = _checked(common, made, force or (old.post_randomisation and not where))
    replace_subgroup(space.study_path, name, made)
    _changed(common, "subgroup edited", made)


def remove(common: Common, name: NameArgument) -> None:
    """Take a subgroup out of study.toml."""
    from alsbench.data.workspace import Workspace
    from alsbench.service.trail import record, study_facts
    from alsbench.study.edit import remove_subgroup

    remove_subgroup(Workspace(common.workspace).study_path, name)
    record(common.trial, "subgroup removed", {"name": name, **study_facts(common.trial)})
    common.note(f"removed subgroup {name}")


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


def _subgroup(**values: Any) -> Subgroup:
    from pydantic import ValidationError

    from alsbench.errors import UsageError
    from alsbench.study.model import RESERVED_NAMES, Subgroup

    if values["name"] in RESERVED_NAMES:
        raise UsageError(f"{values['name']} is a word of the language, not a name", hint="choose another name")
    try:
        return Subgroup(**values)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {first['msg']}", hint="a name starts with a letter: letters, digits, underscores") from None


def _checked(common: Common, subgroup: Subgroup, force: bool) -> Subgroup:
    """The subgroup with its post-randomisation mark. Raises ExpressionError for what cannot be read or is not there."""
    from alsbench.analysis.source import open_source
    from alsbench.analysis.subgroups import describe
    from alsbench.errors import ExpressionError, UnavailableError
    from alsbench.study.als import is_post_baseline
    from alsbench.study.expression import parse

    expression = parse(subgroup.where)
    late = [c for c in expression.columns if is_post_baseline(c)]
    if late and not force:
        raise ExpressionError(
            f"{', '.join(late)} is known only after randomisation",
            text=subgroup.where,
            why="a subgroup defined by what happened after treatment began is no subgroup",
            hint="--force keeps it, labelled post-randomisation wherever it is shown",
        )
    try:
        source = open_source(common.workspace)
    except UnavailableError:  # nothing is loaded yet: the columns are checked when something is
        source = None
    if source is not None:
        with source.snapshot:
            describe(source, subgroup.where)
    return subgroup.model_copy(update={"post_randomisation": bool(late)})


def _planned(common: Common, subgroup: Subgroup) -> bool:
    """Whether it counts as pre-specified: as the locked plan has it, where there is one."""
    from alsbench.audit.lock import judged, read_lock
    from alsbench.data.workspace import Workspace

    space = Workspace(common.workspace)
    found = judged(read_lock(space.path, space.audit_path), space.read_study()).subgroup(subgroup.name)
    return found is not None and found.prespecified


def _changed(common: Common, action: str, subgroup: Subgroup) -> None:
    from alsbench.service.trail import record, study_facts

    record(common.trial, action, {**subgroup.model_dump(), **study_facts(common.trial)})
    status = "pre-specified" if _planned(common, subgroup) else "post hoc"
    late = ", POST-RANDOMISATION" if subgroup.post_randomisation else ""
    common.note(f"{action.split()[1]} subgroup {subgroup.name} ({status}{late})")
