"""Named subgroups of study.toml: added, changed, taken out; each change is checked against the data and entered in the log."""

from __future__ import annotations

from typing import Any

from alsbench.service.access import Access
from alsbench.study.model import Subgroup


def add(access: Access, *, force: bool = False, **values: Any) -> str:
    """Add a subgroup (``name``, ``where``, ``label``, ``prespecified``, ``rationale``, ``complement``); comments and layout of
    the file stay. What was done, in words. Raises UsageError and ExpressionError for what cannot be meant."""
    from alsbench.data.workspace import Workspace
    from alsbench.study.edit import add_subgroup

    made = _checked(access, _subgroup(**values), force)
    add_subgroup(Workspace(access.path).study_path, made)
    return _changed(access, "subgroup added", made)


def edit(access: Access, name: str, changes: dict[str, Any], *, force: bool = False) -> str:
    """Change what ``changes`` names (``name`` renames); what is not named stays as it is. What was done, in words."""
    from alsbench.data.workspace import Workspace
    from alsbench.errors import UsageError
    from alsbench.study.edit import replace_subgroup
    from alsbench.study.names import nearest

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
    from alsbench.data.workspace import Workspace
    from alsbench.service.trail import record, study_facts
    from alsbench.study.edit import remove_subgroup

    remove_subgroup(Workspace(access.path).study_path, name)
    record(access, "subgroup removed", {"name": name, **study_facts(access)})
    return f"removed subgroup {name}"


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


def _checked(access: Access, subgroup: Subgroup, force: bool) -> Subgroup:
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
        source = open_source(access.path)
    except UnavailableError:  # nothing is loaded yet: the columns are checked when something is
        source = None
    if source is not None:
        with source.snapshot:
            describe(source, subgroup.where)
    return subgroup.model_copy(update={"post_randomisation": bool(late)})


def _planned(access: Access, subgroup: Subgroup) -> bool:
    """Whether it counts as pre-specified: as the locked plan has it, where there is one."""
    from alsbench.audit.lock import judged, read_lock
    from alsbench.data.workspace import Workspace

    space = Workspace(access.path)
    found = judged(read_lock(space.path, space.audit_path), space.read_study()).subgroup(subgroup.name)
    return found is not None and found.prespecified


def _changed(access: Access, action: str, subgroup: Subgroup) -> str:
    from alsbench.service.trail import record, study_facts

    record(access, action, {**subgroup.model_dump(), **study_facts(access)})
    status = "pre-specified" if _planned(access, subgroup) else "post hoc"
    late = ", POST-RANDOMISATION" if subgroup.post_randomisation else ""
    return f"{action.split()[1]} subgroup {subgroup.name} ({status}{late})"
