"""The locked plan: what was pre-specified, hashed before the data were looked at, and what departs from it afterwards.

A lock is written twice, as an entry of the audit log with a canonical copy of the plan and as ``plan.lock.json`` beside the
study file. The log's copy counts wherever the two differ, so that deleting or editing the file takes no word away. There is
one lock to a workspace: an amended plan shows as deviations. Wording (titles, labels, rationales) may change freely.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from alsbench.audit.chain import Entry, escaped, is_genuine, parse_entry
from alsbench.audit.log import LOOK_ACTIONS, append, entries
from alsbench.audit.workspace_identity import WorkspaceIdentity
from alsbench.errors import AlsbenchError, DataError, UnavailableError
from alsbench.files import write_file
from alsbench.study.model import (
    Arms,
    Comparison,
    Derive,
    Endpoint,
    JudgementRule,
    Multiplicity,
    Populations,
    Study,
    Subgroup,
    Visits,
)
from alsbench.study.study_file import study_digest

LOCK_NAME = "plan.lock.json"
LOCKED, COMPLETED = "plan locked", "plan completed"
SCHEMA = "alsbench.plan-lock/1"
WORDING = frozenset({"title", "label", "labels", "rationale"})
_PARTS: tuple[tuple[str, Any], ...] = (
    ("arms", Arms), ("populations", Populations), ("visits", Visits), ("multiplicity", Multiplicity),
)  # fmt: skip
SEALED_PARTS = ("arms", "comparisons", "multiplicity")
Kind = Literal["added", "edited", "removed"]


@dataclass(frozen=True)
class Change:
    """One departure of a study from its locked plan. ``part`` is endpoint, comparison, subgroup, arms ..."""

    part: str
    name: str
    kind: Kind
    detail: str = ""

    @property
    def word(self) -> str:
        """``post hoc`` for what was added, ``deviation`` for what was edited or removed."""
        return "post hoc" if self.kind == "added" else "deviation"

    def words(self) -> str:
        """``endpoint alsfrs: covariance "ar1" instead of "us"``."""
        about = f"{self.part} {self.name}".strip()
        match self.kind:
            case "added":
                return f"{about}: added after the plan was locked"
            case "removed":
                return f"{about}: removed after the plan was locked"
            case "edited":
                return f"{about}: {self.detail}"


@dataclass(frozen=True)
class Lock:
    """A locked plan: who, when (UTC), the hash of its canonical copy, and how many looks at results came before it.

    ``sealed`` is the fingerprint of the blinding key where the plan was locked under blinding: arms, comparisons and
    multiplicity are then known to the key only, and compared once the workspace is unblinded. ``note`` says that the file
    is not what was locked; ``doubt`` that the lock itself may not be the one that was made: a deviation of everything.
    """

    hash: str
    who: str
    time: str
    looks: int
    plan: Mapping[str, Any]
    sealed: str = ""
    note: str = ""
    doubt: str = ""

    @cached_property
    def endpoints(self) -> dict[str, Endpoint]:
        return {name: Endpoint.model_validate(values) for name, values in self.plan["endpoints"].items()}

    @cached_property
    def subgroups(self) -> dict[str, Subgroup]:
        """Those pre-specified when the plan was locked."""
        return {s["name"]: Subgroup.model_validate(s) for s in self.plan["subgroups"]}

    @cached_property
    def comparisons(self) -> dict[str, Comparison] | None:
        """By name; None while they are sealed."""
        found = self.plan["comparisons"]
        return None if found is None else {c["name"]: Comparison.model_validate(c) for c in found}

    def words(self) -> str:
        """``locked 2026-11-22T20:00:00.000+00:00 by ann (sha256 0123456789ab), before any look at results``."""
        looks = (
            "before any look at results" if not self.looks else f"after {self.looks} look{'s' * (self.looks > 1)} at results"
        )
        return f"locked {self.time} by {self.who} (sha256 {self.hash[:12]}), {looks}"


def plan_of(study: Study, *, sealed: bool = False) -> dict[str, Any]:
    """The pre-specified part of a study as plain JSON values. A sealed plan leaves out what blinding hides.

    Rules of derivation are part of it where they are not the defaults: windows and baselines decide which records count; so
    are the constants of the bottom line.
    """
    plan: dict[str, Any] = {
        "study": study.info.id,
        "subject": study.info.subject,
        "arms": study.arms.model_dump(mode="json"),
        "populations": study.populations.model_dump(mode="json"),
        "visits": study.visits.model_dump(mode="json"),
        "comparisons": [c.model_dump(mode="json") for c in study.comparisons],
        "endpoints": {name: e.model_dump(mode="json") for name, e in study.endpoints.items()},
        "subgroups": [s.model_dump(mode="json") for s in study.subgroups if s.prespecified],
        "multiplicity": None if study.multiplicity is None else study.multiplicity.model_dump(mode="json"),
    }
    if study.derive is not None and study.derive != Derive():
        plan["derive"] = study.derive.model_dump(mode="json")
    if study.judgement is not None and study.judgement != JudgementRule():
        plan["judgement"] = study.judgement.model_dump(mode="json")
    found: dict[str, Any] = escaped(plan | dict.fromkeys(SEALED_PARTS) if sealed else plan)
    return found


def plan_hash(plan: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a plan."""
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def lock_plan(
    study: Study, directory: Path, log: Path, *, sealed: str = "", who: str | None = None, held: WorkspaceIdentity | None = None
) -> Lock:
    """Lock the plan of ``study``: an entry of the log, then the file. Raises UnavailableError where one is locked already."""
    standing = read_lock(directory, log)
    if standing is not None:
        raise UnavailableError(
            "the plan is locked already",
            where=str(directory / LOCK_NAME),
            why=standing.words(),
            hint="a lock is not replaced: what changes after it is shown as post hoc or as a deviation",
        )
    looks = sum(e.action in LOOK_ACTIONS for e in entries(log))
    plan = plan_of(study, sealed=bool(sealed))
    facts = {"hash": plan_hash(plan), "looks": looks, "sealed": sealed, "plan": plan, "study": study_digest(study)}
    return _written(directory, append(log, LOCKED, facts, who=who, held=held))


def complete_lock(
    lock: Lock,
    study: Study,
    directory: Path,
    log: Path,
    *,
    who: str | None = None,
    withheld: Mapping[str, Sequence[str]] | None = None,
    held: WorkspaceIdentity | None = None,
) -> Lock:
    """Put into a plan that was locked under blinding what its key held: arms, comparisons and multiplicity of ``study``, and
    the endpoints, subgroups and populations that were ``withheld`` because they tell an arm."""
    whole, names = plan_of(study), withheld or {}
    plan = {**lock.plan, **{part: whole[part] for part in SEALED_PARTS}}
    for part in ("endpoints", "populations"):
        plan[part] = {**plan[part], **{n: v for n, v in whole[part].items() if n in names.get(part, ())}}
    plan["subgroups"] = [*plan["subgroups"], *(s for s in whole["subgroups"] if s["name"] in names.get("subgroups", ()))]
    facts = {"hash": plan_hash(plan), "looks": lock.looks, "sealed": "", "plan": plan, "locked": [lock.who, lock.time]}
    return _written(directory, append(log, COMPLETED, facts, who=who, held=held))


def read_lock(directory: Path, log: Path) -> Lock | None:
    """The lock of a workspace, from its audit log; from the file alone, in doubt, where the log knows of none; else None.

    Raises DataError where there is only a file and its content does not have its hash.
    """
    logged = _logged(log)
    filed, fault = _filed(directory / LOCK_NAME)
    if logged is None:
        if fault:
            raise DataError(fault, where=str(directory / LOCK_NAME), hint="restore the file, or the audit log it belongs to")
        if filed is None:
            return None
        return replace(filed, doubt=f"the audit log holds no entry of {LOCK_NAME}: the log was cut, or the file put there")
    if filed is None:
        return replace(logged, note=f"{fault or LOCK_NAME + ' is missing'}; the copy in the audit log counts")
    if (filed.hash, filed.who, filed.time, filed.looks) != (logged.hash, logged.who, logged.time, logged.looks):
        return replace(logged, note=f"{LOCK_NAME} is not what was locked; the copy in the audit log counts")
    return logged


def changes(lock: Lock, study: Study) -> tuple[Change, ...]:
    """Everything by which the study as it is now departs from the plan."""
    found: list[Change] = []
    for part, kind in _PARTS:
        found += _part_changes(lock, study, part, kind)
    rules: tuple[tuple[str, type[Derive | JudgementRule]], ...] = (("derive", Derive), ("judgement", JudgementRule))
    for part, rule in rules:
        before, after = rule.model_validate(lock.plan.get(part) or {}), getattr(study, part) or rule()
        if detail := _difference(before.model_dump(mode="json"), after.model_dump(mode="json")):
            found.append(Change(part, "", "edited", detail))
    if lock.plan["subject"] != study.info.subject:
        found.append(Change("subject", "", "edited", f"{study.info.subject} instead of {lock.plan['subject']}"))
    if lock.comparisons is not None:
        now = {escaped(c.name): c for c in study.comparisons}
        found += _item_changes("comparison", lock.comparisons, now)
    found += _item_changes("endpoint", lock.endpoints, study.endpoints)
    declared = {s.name: s for s in study.subgroups if s.prespecified or s.name in lock.subgroups}
    return (*found, *_item_changes("subgroup", lock.subgroups, declared))


def endpoint_change(locked: Endpoint, now: Endpoint) -> str:
    """What differs between two endpoints apart from wording, in words; empty where nothing does."""
    return _difference(locked.model_dump(mode="json"), now.model_dump(mode="json"))


def judged(lock: Lock | None, study: Study) -> Study:
    """The study with ``prespecified`` as the lock has it: a subgroup added or redefined after it is post hoc whatever the
    file says. The same study without a lock."""
    if lock is None:
        return study
    kept = tuple(s.model_copy(update={"prespecified": _stands(lock.subgroups.get(s.name), s)}) for s in study.subgroups)
    return study.model_copy(update={"subgroups": kept})


def _stands(locked: Subgroup | None, now: Subgroup) -> bool:
    return locked is not None and not _difference(locked.model_dump(mode="json"), now.model_dump(mode="json"))


def _part_changes(lock: Lock, study: Study, part: str, kind: Any) -> list[Change]:
    before, after = lock.plan[part], getattr(study, part)
    if part in SEALED_PARTS and lock.sealed:
        return []
    if before is None or after is None:
        if before is None and after is None:
            return []
        return [Change(part, "", "added" if before is None else "removed")]
    detail = _difference(kind.model_validate(before).model_dump(mode="json"), after.model_dump(mode="json"))
    return [Change(part, "", "edited", detail)] if detail else []


def _item_changes(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    found = [Change(part, name, "added") for name in after if name not in before]
    for name, item in before.items():
        if name not in after:
            found.append(Change(part, name, "removed"))
        elif detail := _difference(item.model_dump(mode="json"), after[name].model_dump(mode="json")):
            found.append(Change(part, name, "edited", detail))
    return found


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    before, after = escaped(dict(before)), escaped(dict(after))  # the log's copy holds no control characters
    keys = [k for k in dict.fromkeys([*before, *after]) if k not in WORDING and before.get(k) != after.get(k)]
    if len(keys) > 1 and "prespecified" in keys:
        keys.remove("prespecified")  # follows from the rest
    return "; ".join(f"{k} {_shown(after.get(k))} instead of {_shown(before.get(k))}" for k in keys)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _logged(log: Path) -> Lock | None:
    """The first lock of the log, completed where it was locked blind; lines that cannot be one are not parsed.

    No later entry replaces a lock, whoever wrote it.
    """
    try:
        lines = log.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise UnavailableError(f"the audit log cannot be read: {fault.strerror}", where=str(log)) from fault
    marks = [f'"action":"{action}"'.encode() for action in (LOCKED, COMPLETED)]
    found = [e for line in lines if any(mark in line for mark in marks) and (e := parse_entry(line)) is not None]
    found = [e for e in found if e.action in (LOCKED, COMPLETED)]  # not those that only name it
    made = [(e, lock) for e in found if e.action == LOCKED and (lock := _from_entry(e)) is not None]
    if not made:
        if found:
            hint = "alsbench audit verify says whether the entry was changed; a later version may have written it"
            raise DataError("the locked plan in the audit log cannot be read", where=str(log), hint=hint)
        return None
    entry, first = made[0]
    completed = next(((e, c) for e in found if e.action == COMPLETED and (c := _completion(first, e)) is not None), None)
    counted = [entry] if completed is None else [entry, completed[0]]
    lock = first if completed is None else completed[1]
    if not all(is_genuine(e) and plan_hash(e.facts["plan"]) == e.facts["hash"] for e in counted):
        return replace(lock, doubt="the entry of the lock in the audit log was edited")
    if len(found) > len(counted):
        return replace(lock, doubt="the audit log holds a second lock; the first counts")
    return lock


def _completion(lock: Lock, entry: Entry) -> Lock | None:
    """The lock of an entry that opens what blinding had sealed in a lock and changes nothing of what was locked, or None."""
    opened = _from_entry(entry)
    if opened is None or not lock.sealed:
        return None
    return opened if all(_holds(opened.plan.get(k), v) for k, v in lock.plan.items() if k not in SEALED_PARTS) else None


def _holds(later: Any, locked: Any) -> bool:
    """Whether a part of a plan is as it was locked; items that were with the key may have come to it."""
    if isinstance(locked, dict) and isinstance(later, dict):
        return all(later.get(name) == value for name, value in locked.items())
    if isinstance(locked, list) and isinstance(later, list):
        return later[: len(locked)] == locked
    return bool(later == locked)


def _from_entry(entry: Entry) -> Lock | None:
    facts = entry.facts
    who, time = facts.get("locked") or (entry.who, entry.time)
    return _usable({"who": who, "time": time, **{name: facts.get(name) for name in ("hash", "looks", "plan", "sealed")}})


def _usable(values: Mapping[str, Any]) -> Lock | None:
    """The lock of plain values, or None where they are none: of other types, or a plan that no study file could have made."""
    try:
        lock = Lock(**{name: values[name] for name in ("hash", "who", "time", "looks", "plan", "sealed")})
        texts = (lock.hash, lock.who, lock.time, lock.sealed, lock.plan["subject"])
        if not all(isinstance(text, str) for text in texts) or not isinstance(lock.looks, int):
            return None
        plan_hash(lock.plan)
        _ = lock.endpoints, lock.subgroups, lock.comparisons
        for part, kind in _PARTS:
            if lock.plan[part] is not None:
                kind.model_validate(lock.plan[part])
        Derive.model_validate(lock.plan.get("derive") or {})
        JudgementRule.model_validate(lock.plan.get("judgement") or {})
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):  # pydantic's is a ValueError
        return None
    return lock


def _filed(path: Path) -> tuple[Lock | None, str]:
    """The lock the file holds, or why it holds none."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, RecursionError):
        return None, f"{LOCK_NAME} cannot be read"
    lock = _usable(values) if isinstance(values, dict) else None
    if lock is None:
        return None, f"{LOCK_NAME} is no plan lock"
    if plan_hash(lock.plan) != lock.hash:
        return None, f"{LOCK_NAME} was edited: its plan does not have its hash"
    return lock, ""


def _written(directory: Path, entry: Entry) -> Lock:
    lock = _from_entry(entry)
    if lock is None:
        raise DataError("the plan cannot be locked: its copy is no plan", where=str(directory / LOCK_NAME))
    values = {"schema": SCHEMA, "entry": entry.hash, **{k: v for k, v in asdict(lock).items() if k not in ("note", "doubt")}}
    try:
        write_file(directory / LOCK_NAME, (json.dumps(values, indent=1, ensure_ascii=False) + "\n",))
    except AlsbenchError as fault:
        what = f"the plan is locked, its copy in the audit log counts; {LOCK_NAME} could not be written"
        raise UnavailableError(what, where=fault.where, why=fault.what) from fault
    return lock
