"""The analysis plan locked: the pre-specified part of the study, hashed and kept, and what departs from it."""

from __future__ import annotations

import json

from alsbench.audit.chain import verify
from alsbench.audit.lock import Lock, changes, lock_plan, read_lock
from alsbench.audit.log import head
from alsbench.data.workspace import Workspace
from alsbench.errors import UnavailableError
from alsbench.render.sheet import Field, Sheet
from alsbench.service.access import Access
from alsbench.service.output import Facts, Output, sheets_output


def lock(access: Access) -> Output:
    """Lock the analysis plan: endpoints, comparisons, pre-specified subgroups, populations, arms, visits, multiplicity. Done
    once: what is added afterwards is post hoc and what is edited a deviation, wherever it is shown. The locked plan, with the
    head of the log: only who has that outside the workspace finds out that log and lock were rewritten together."""
    space = Workspace(access.path)
    made = lock_plan(space.read_study(), space.path, space.audit_path, sealed=_sealed(space), held=access.held)
    entered = head(space.audit_path)
    access.note(f"the plan is {made.words()}: from now on additions are post hoc and edits are deviations")
    access.note(f"note this hash outside the workspace; later: alsbench audit verify --head {entered}")
    return sheets_output(access, _plan(made, ("Log head", entered)))


def locked_plan(access: Access) -> Output:
    """The locked plan. Raises UnavailableError where none is locked."""
    return sheets_output(access, _plan(_locked(access)))


def departures(access: Access) -> Output:
    """Everything by which study file, lock file and log depart from the locked plan; one is a negative verdict. Raises
    UnavailableError where none is locked."""
    sheet = departures_sheet(Workspace(access.path), _locked(access))
    return sheets_output(access, sheet, failed=bool(sheet.records))


def _locked(access: Access) -> Lock:
    space = Workspace(access.path)
    found = read_lock(space.path, space.audit_path)
    if found is None:
        raise UnavailableError("no plan is locked here", where=str(access.path), hint="alsbench lock")
    return found


def _sealed(space: Workspace) -> str:
    """The fingerprint of the blinding key where the current snapshot is blinded."""
    if space.current_name() is None:
        return ""
    with space.open_current() as snapshot:
        return str(snapshot.receipt.get("blinded") or "")


def _facts(found: Lock) -> Facts:
    facts = [("Plan", found.words()), ("SHA-256", found.hash)]
    if found.sealed:
        facts.append(("Sealed", f"arms, comparisons and multiplicity, until unblinded with key {found.sealed[:12]}"))
    return (*facts, *(("WARNING", text) for text in (found.note, found.doubt) if text))


def _plan(found: Lock, *more: tuple[str, str]) -> Sheet:
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
    records = [(c.word, c.part, c.name or None, c.words()) for c in changes(found, space.read_study())]
    if found.doubt:
        records.insert(0, ("deviation", "lock", None, found.doubt))
    if found.note:
        records.insert(0, ("deviation", "lock", None, found.note))
    records += [("broken", "audit log", f"line {line}", fault) for line, fault in verify(space.audit_path).faults]
    fields = (Field("word", "Word"), Field("part", "Part"), Field("name", "Name"), Field("what", "What", prose=True))
    facts = (*_facts(found), ("Departures", str(len(records)) if records else "none"))
    return Sheet("departures", "Locked plan against study.toml", fields, tuple(records), facts)
