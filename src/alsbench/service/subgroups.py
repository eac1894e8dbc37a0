"""Named subgroups of study.toml: listed, shown, added, changed, taken out; each change is checked against the data and entered
in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from alsbench.analysis.source import open_source
from alsbench.analysis.subgroups import complement, describe, members
from alsbench.audit.lock import judged, read_lock
from alsbench.data.workspace import Workspace
from alsbench.errors import ExpressionError, UnavailableError, UsageError
from alsbench.files import write_file
from alsbench.render.mask_counts import Count
from alsbench.render.sheet import Field, Sheet, Value
from alsbench.service.access import Access
from alsbench.service.masks import mask_members
from alsbench.service.output import Facts, Output, sheets_output, source_facts
from alsbench.service.trail import log_entry, study_facts
from alsbench.study.als import is_post_baseline
from alsbench.study.edit import add_subgroup, remove_subgroup, replace_subgroup
from alsbench.study.expression import parse
from alsbench.study.model import RESERVED_NAMES, Subgroup
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.analysis.subgroups import Membership


def listed(access: Access, *, mask: int = 0) -> Output:
    """Every subgroup of the study with its expression, realised cut and size per arm."""
    with access.opened() as source:
        arms = source.study.arms.order
        k = access.mask(mask)
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
        for s in source.study.subgroups:
            member = members(source, s.name)
            shown = mask_members(source, {s.name: member}, k)
            sizes = (shown[Count(s.name, arm)] for arm in (None, *arms))
            cut = member.cut_text() or None
            records.append((s.name, s.where, s.prespecified, cut, *sizes, s.complement or None, s.label or None))
        return sheets_output(access, Sheet("subgroups", "Subgroups", fields, tuple(records), source_facts(source)))


def described(access: Access, name: str, *, mask: int = 0) -> Output:
    """One subgroup (or a phrase such as ``not slow``): definition, realised cut, members per arm, its complement."""
    with access.opened() as source:
        member = members(source, name)
        phrases = ["overall", member.phrase]
        if member.phrase != "overall" and " and " not in member.phrase:
            phrases.append(complement(source, member.phrase))
        parts = [members(source, phrase) for phrase in dict.fromkeys(phrases)]
        arms = source.study.arms.order
        fields = (
            Field("subgroup", "Subgroup"),
            Field("n", "n", number=True),
            *(Field(arm, arm, number=True) for arm in arms),
            Field("undecided", "Undecided", number=True),
        )
        shown = mask_members(source, {p.phrase: p for p in parts}, access.mask(mask))
        records: tuple[tuple[Value, ...], ...] = tuple(
            (p.phrase, *(shown[Count(p.phrase, a)] for a in (None, *arms)), shown[Count(p.phrase, None, "undecided")])
            for p in parts
        )
        facts = (*source_facts(source), *_facts(source, member))
        sheet = Sheet("subgroup", f"Subgroup {member.phrase}", fields, records, facts, titled=True)
        return sheets_output(access, sheet)


def _facts(source: Source, member: Membership) -> Facts:
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


def add(access: Access, *, force: bool = False, **values: Any) -> str:
    """Add a subgroup (``name``, ``where``, ``label``, ``prespecified``, ``rationale``, ``complement``); comments and layout of
    the file stay. What was done, in words. Raises UsageError and ExpressionError for what cannot be meant."""

    made = _checked(access, _subgroup(**values), force)
    add_subgroup(Workspace(access.path).study_path, made)
    return _changed(access, "subgroup added", made)


def edit(access: Access, name: str, changes: dict[str, Any], *, force: bool = False) -> str:
    """Change what ``changes`` names (``name`` renames); what is not named stays as it is. What was done, in words."""
    space = Workspace(access.path)
    study = space.read_study()
    old = study.subgroup(name)
    if old is None:
        raise UsageError(f"no subgroup is named {name}", hint=nearest(name, [s.name for s in study.subgroups]))
    if not changes:
        raise UsageError(
            "nothing was changed", hint="say what: --where, --label, --rationale, --complement, --prespecified, --rename"
        )
    made = _subgroup(**(old.model_dump(exclude={"post_randomisation"}) | changes))
    made = _checked(access, made, force or (old.post_randomisation and "where" not in changes))
    replace_subgroup(space.study_path, name, made)
    return _changed(access, "subgroup edited", made)


def remove(access: Access, name: str) -> str:
    """Take a subgroup out of study.toml. What was done, in words."""
    remove_subgroup(Workspace(access.path).study_path, name)
    log_entry(access, "subgroup removed", {"name": name, **study_facts(access)})
    return f"removed subgroup {name}"


def take_back(access: Access, kind: str, name: str, before: bytes, after: bytes) -> str:
    """study.toml as it was ``before`` a subgroup was added, edited or removed (``kind``), with its comments and layout; entered
    in the log as the opposite change. What was done, in words.

    Raises UsageError where the file is not any more what it was ``after`` that change.
    """
    path = Workspace(access.path).study_path
    if path.read_bytes() != after:
        raise UsageError("study.toml was changed since: nothing is taken back", where=str(path), hint="E opens it in $EDITOR")
    write_file(path, (before.decode("utf-8"),))
    found = Workspace(access.path).read_study().subgroup(name)
    if kind == "remove" and found is not None:
        _changed(access, "subgroup added", found)
    elif kind == "edit" and found is not None:
        _changed(access, "subgroup edited", found)
    else:
        log_entry(access, "subgroup removed", {"name": name, **study_facts(access)})
    words = {"add": f"{name} is removed again", "edit": f"{name} is as it was", "remove": f"{name} is back"}
    return f"{words[kind]} in study.toml"


def _subgroup(**values: Any) -> Subgroup:

    if values["name"] in RESERVED_NAMES:
        raise UsageError(f"{values['name']} is a word of the language, not a name", hint="choose another name")
    try:
        return Subgroup(**values)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {first['msg']}", hint="a name starts with a letter: letters, digits, underscores") from None


def _checked(access: Access, subgroup: Subgroup, force: bool) -> Subgroup:
    """The subgroup with its post-randomisation mark. Raises ExpressionError for what cannot be read or is not there."""
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
        source = open_source(access.path)
    except UnavailableError:  # nothing is loaded yet: the columns are checked when something is
        source = None
    if source is not None:
        with source.snapshot:
            describe(source, subgroup.where)
    return subgroup.model_copy(update={"post_randomisation": bool(late) or subgroup.post_randomisation})


def _planned(access: Access, subgroup: Subgroup) -> bool:
    """Whether it counts as pre-specified: as the locked plan has it, where there is one."""
    space = Workspace(access.path)
    found = judged(read_lock(space.path, space.audit_path), space.read_study()).subgroup(subgroup.name)
    return found is not None and found.prespecified


def _changed(access: Access, action: str, subgroup: Subgroup) -> str:
    log_entry(access, action, {**subgroup.model_dump(), **study_facts(access)})
    status = "pre-specified" if _planned(access, subgroup) else "post hoc"
    late = ", POST-RANDOMISATION" if subgroup.post_randomisation else ""
    return f"{action.split()[1]} subgroup {subgroup.name} ({status}{late})"
