"""``alsbench lock``: the pre-specified part of the study, hashed and kept, and what departs from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, command

if TYPE_CHECKING:
    from alsbench.audit.lock import Lock
    from alsbench.data.workspace import Workspace
    from alsbench.render.sheet import Sheet


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "lock")(lock)


def lock(
    common: Common,
    show: Annotated[bool, typer.Option("--show", help="Show the locked plan.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare study.toml, lock file and audit log with it.")] = False,
) -> int:
    """Lock the analysis plan: endpoints, comparisons, pre-specified subgroups, populations, arms, visits, multiplicity.

    Done once. What is added afterwards is post hoc and what is edited a deviation, wherever it is shown. --verify exits 1
    where anything departs from the plan. Note the head of the log that it prints outside the workspace: only who has it
    finds out that log and lock were rewritten together.
    """
    from alsbench.audit.lock import lock_plan, read_lock
    from alsbench.audit.log import head
    from alsbench.cli.output import emit_sheets
    from alsbench.data.workspace import Workspace
    from alsbench.errors import UnavailableError, UsageError

    space = Workspace(common.workspace)
    if show and verify:
        raise UsageError("--show and --verify are two questions", hint="ask one of them")
    if not (show or verify):
        study = space.read_study()
        made = lock_plan(study, space.path, space.audit_path, sealed=_sealed(space), held=common.held)
        entered = head(space.audit_path)
        common.note(f"the plan is {made.words()}: from now on additions are post hoc and edits are deviations")
        common.note(f"note this hash outside the workspace; later: alsbench audit verify --head {entered}")
        emit_sheets(common, _plan(made, ("Log head", entered)))
        return 0
    found = read_lock(space.path, space.audit_path)
    if found is None:
        raise UnavailableError("no plan is locked here", where=str(common.workspace), hint="alsbench lock")
    if show:
        emit_sheets(common, _plan(found))
        return 0
    sheet = departures_sheet(space, found)
    emit_sheets(common, sheet)
    return 1 if sheet.records else 0


def _sealed(space: Workspace) -> str:
    """The fingerprint of the blinding key where the current snapshot is blinded."""
    if space.current_name() is None:
        return ""
    with space.open_current() as snapshot:
        return str(snapshot.receipt.get("blinded") or "")


def _facts(found: Lock) -> tuple[tuple[str, str], ...]:
    facts = [("Plan", found.words()), ("SHA-256", found.hash)]
    if found.sealed:
        facts.append(("Sealed", f"arms, comparisons and multiplicity, until unblinded with key {found.sealed[:12]}"))
    return (*facts, *(("WARNING", text) for text in (found.note, found.doubt) if text))


def _plan(found: Lock, *more: tuple[str, str]) -> Sheet:
    import json

    from alsbench.render.sheet import Field, Sheet

    records: list[tuple[str, str, str]] = []
    for part, value in found.plan.items():
        items = {i.get("name") or str(n): i for n, i in enumerate(value)} if isinstance(value, list) else value
        if part == "endpoints" or isinstance(value, list):
            records += [(part, name, json.dumps(_given(item), ensure_ascii=False)) for name, item in items.items()]
        else:
            records.append((part, "", "sealed" if value is None and found.sealed else json.dumps(value, ensure_ascii=False)))
    fields = (Field("part", "Part"), Field("name", "Name"), Field("content", "Content", prose=True))
    return Sheet("plan", "Locked plan", fields, tuple(records), (*_facts(found), *more))


def _given(item: dict[str, object]) -> dict[str, object]:
    """Without what is empty or off."""
    return {k: v for k, v in item.items() if k != "name" and v not in (None, "", [], {}, False)}


def departures_sheet(space: Workspace, found: Lock) -> Sheet:
    """Everything by which study file, lock file and log depart from the locked plan."""
    from alsbench.audit.lock import changes
    from alsbench.audit.log import verify
    from alsbench.render.sheet import Field, Sheet

    records = [(c.word, c.part, c.name or None, c.words()) for c in changes(found, space.read_study())]
    if found.doubt:
        records.insert(0, ("deviation", "lock", None, found.doubt))
    if found.note:
        records.insert(0, ("deviation", "lock", None, found.note))
    records += [("broken", "audit log", f"line {line}", fault) for line, fault in verify(space.audit_path).faults]
    fields = (Field("word", "Word"), Field("part", "Part"), Field("name", "Name"), Field("what", "What", prose=True))
    facts = (*_facts(found), ("Departures", str(len(records)) if records else "none"))
    return Sheet("departures", "Locked plan against study.toml", fields, tuple(records), facts)
