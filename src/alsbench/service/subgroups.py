"""Named subgroups of study.toml: added, changed, taken out; each change is checked against the data and entered in the log.

``Subgroups`` and ``Members`` are what Python sees of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alsbench.errors import UsageError
from alsbench.service.access import Access
from alsbench.study.model import Subgroup

if TYPE_CHECKING:
    import pandas as pd


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
    return subgroup.model_copy(update={"post_randomisation": bool(late) or subgroup.post_randomisation})


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


class Members:
    """Who is in a subgroup: ``trial.subgroup("slow")``. ``n`` and ``n_undecided`` are texts such as ``<5`` where a mask of the
    study or of the user's settings hides them."""

    def __init__(self, access: Access, phrase: str) -> None:
        self._access, self.phrase = access, phrase
        with access.opened() as source:
            from alsbench.analysis.subgroups import members
            from alsbench.render.mask_counts import Count
            from alsbench.service.masks import mask_members

            found = members(source, phrase)
            shown = mask_members(source, {phrase: found}, access.mask())
            self.n, self.n_undecided = shown[Count(phrase, None)], shown[Count(phrase, None, "undecided")]
            self._ids, self._mask, self._decided = source.subject_ids, found.mask, found.decided
            self._inside = source.population("")
        self.definition, self.cuts, self.post_hoc = found.definition, dict(found.cuts), found.post_hoc

    def members(self) -> pd.Series[Any]:
        """For every subject of the default population whether it is a member: True, False, or NA where a value is missing.

        Raises UsageError where a mask holds.
        """
        import pandas as pd

        self._access.refuse_mask(0, "single subjects")
        truth = [bool(m) if d else pd.NA for m, d in zip(self._mask, self._decided, strict=True)]
        found = pd.Series(truth, index=pd.Index(self._ids, name="subject"), name=self.phrase, dtype="boolean")
        return found[self._inside]

    def __repr__(self) -> str:
        return f"<subgroup {self.phrase}: {self.definition}, {self.n} members{', POST HOC' if self.post_hoc else ''}>"


class Subgroups:
    """The named subgroups of a study file."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def add(
        self,
        name: str,
        where: str,
        *,
        label: str = "",
        prespecified: bool = False,
        rationale: str = "",
        complement: str = "",
        force: bool = False,
    ) -> None:
        """Add a subgroup to study.toml; comments and layout stay. It is post hoc unless ``prespecified``.

        Raises UsageError for a name that is taken or none, ExpressionError for a condition that cannot be read, or that is
        known only after randomisation (``force`` keeps it, labelled so).
        """
        given: Mapping[str, Any] = {
            "label": label,
            "prespecified": prespecified,
            "rationale": rationale,
            "complement": complement,
        }
        add(self._access, name=name, where=where, force=force, **given)

    def edit(self, name: str, *, force: bool = False, **changes: Any) -> None:
        """Change ``where``, ``label``, ``prespecified``, ``rationale``, ``complement`` or ``rename`` of a subgroup."""
        given = {("name" if k == "rename" else k): v for k, v in changes.items()}
        known = {"name", "where", "label", "prespecified", "rationale", "complement"}
        for key in given:
            if key not in known:
                raise UsageError(f"a subgroup has no {key}", hint=f"one of {', '.join(sorted(known - {'name'}))}, rename")
        edit(self._access, name, given, force=force)

    def remove(self, name: str) -> None:
        """Take a subgroup out of study.toml."""
        remove(self._access, name)

    def frame(self) -> pd.DataFrame:
        """``name``, ``where``, ``prespecified``, ``label``, ``complement``, ``rationale`` of each."""
        import pandas as pd

        from alsbench.data.workspace import Workspace

        keys = ["name", "where", "prespecified", "label", "complement", "rationale"]
        return pd.DataFrame(
            [{k: getattr(s, k) for k in keys} for s in Workspace(self._access.path).read_study().subgroups], columns=keys
        )
