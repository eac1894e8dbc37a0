"""The audit log as it is shown, and whether it and all that it refers to are as they were.

``verify`` computes again what the log refers to: the bytes and tables of every snapshot, which of them is current, the locked
plan, the study and the claims as the log last names them, and every kept answer of the data and study in use. Each fault names
what it is in; anything else is a count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.analysis.kept import check_kept, kept_files
from alsbench.analysis.source import open_source
from alsbench.audit.chain import verify as verify_chain
from alsbench.audit.lock import LOCK_NAME, read_lock
from alsbench.audit.log import contrasts_seen, current_fault, entries, explain, looks, published, snapshot_mismatches
from alsbench.data.integrity import snapshot_faults
from alsbench.data.snapshot import open_snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import AlsbenchError, DataError, UnavailableError
from alsbench.render.sheet import Field, Sheet
from alsbench.render.titles_footnotes import LOG_FACT
from alsbench.service.access import Access
from alsbench.service.output import Facts, Output, sheets_output, some_columns
from alsbench.study.study_file import study_digest

if TYPE_CHECKING:
    from alsbench.analysis.kept import Kept
    from alsbench.analysis.source import Source
    from alsbench.audit.chain import ChainCheck
    from alsbench.audit.log import SnapshotMismatch


def log(access: Access, *, head: str = "") -> Output:
    """Every entry of the log, oldest first. A chain that is broken is a negative verdict, here and in what follows; ``head`` is
    a hash noted earlier, which must still be in it. Raises UnavailableError where there is no log."""
    path, chain, broken, _ = _verified(access, head)
    return sheets_output(access, *broken, _entries(path, chain), failed=bool(broken))


def looks_seen(access: Access, *, head: str = "") -> Output:
    """The multiplicity ledger: distinct questions that anybody asked, then the distinct contrasts whose p-values were shown."""
    path, chain, broken, _ = _verified(access, head)
    every, printed = (_looks(path, chain, printed=p) for p in (False, True))
    return sheets_output(access, *broken, *every, printed=(*broken, *printed), failed=bool(broken))


def verify(access: Access, *, head: str = "", answers: bool = True) -> Output:
    """The chain of the log, and all it refers to computed again; kept ``answers`` too, each of which costs what it
    cost to make. What is not as the log says is named, and a negative verdict."""
    _, chain, broken, odd = _verified(access, head)
    checked = check_all(access, answers=answers)
    said = _verdict(chain, odd, checked)
    rest = (*broken, *([_odd(odd)] if odd else []), *([checked.sheet()] if checked.faults else []))
    failed = bool(checked.faults) or any(each.fault for each in odd) or bool(broken)
    told = replace(said, fields=(), records=())  # the facts say it
    return sheets_output(access, said, *rest, printed=(told, *rest), failed=failed)


def explain_break(access: Access, reason: str, *, head: str = "") -> Output:
    """Enter why the chain is broken: results then say so instead of that the log does not verify. The log verified after."""
    entered = explain(_path(access), reason, held=access.held)
    access.note(f"entry {entered.number} explains the break at line {entered.facts['line']}; every result says so from now on")
    return verify(access, head=head, answers=False)


def _path(access: Access) -> Path:
    path = Workspace(access.path).audit_path
    if not path.exists():
        raise UnavailableError("there is no audit log here", where=str(path), hint="it begins with the first load")
    return path


def _verified(access: Access, head: str) -> tuple[Path, ChainCheck, list[Sheet], tuple[SnapshotMismatch, ...]]:
    """Where the log is; whether its chain holds, and a table of its faults where it does not; the snapshots that it does not
    account for, which are said."""
    path = _path(access)
    chain = verify_chain(path, head or None)
    odd = snapshot_mismatches(path, Workspace(access.path).snapshot_names())
    for each in odd:
        access.note(f"snapshot {each.snapshot} {each.words()}")
    return path, chain, [] if chain.intact else [_faults(chain)], odd


def _facts(verdict: ChainCheck) -> Facts:
    """Entries, chain and head; of a broken chain what results say of it."""
    chain = "intact" if verdict.intact else f"BROKEN: {len(verdict.faults)} faults"
    if verdict.covered:
        chain += f", {verdict.covered} of them explained"
    said = (("Entries", str(verdict.entries)), ("Chain", chain), ("Head", verdict.head))
    return said if verdict.intact else (*said, (LOG_FACT, "; ".join(verdict.words())))


def _faults(verdict: ChainCheck) -> Sheet:
    fields = (Field("line", "Line", number=True), Field("fault", "Fault"), Field("explained", "Explained", optional=True))
    reasons: list[str | None] = [e.reason for e in verdict.explanations for _ in range(e.faults)]
    reasons += [None] * (len(verdict.faults) - len(reasons))
    records = tuple((line, fault, reason) for (line, fault), reason in zip(verdict.faults, reasons, strict=True))
    return Sheet("faults", "Faults of the audit log", fields, records, _facts(verdict))


def _verdict(verdict: ChainCheck, odd: tuple[SnapshotMismatch, ...], checked: Verification) -> Sheet:
    fields = (Field("entries", "Entries", number=True), Field("intact", "Intact"), Field("head", "Head"))
    faults = sum(each.fault for each in odd)
    said = ("Snapshots", f"{faults} at odds with the log" if faults else "each has its entry")
    intact = verdict.intact and not faults and not checked.faults
    records = ((verdict.entries, intact, verdict.head),)
    return Sheet("verdict", "Audit log", fields, records, (*_facts(verdict), said, *checked.facts))


def _odd(odd: tuple[SnapshotMismatch, ...]) -> Sheet:
    """Snapshots that the log does not account for."""
    fields = (Field("snapshot", "Snapshot"), Field("state", "State"), Field("what", "What", prose=True))
    return Sheet("snapshots", "Snapshots and the log", fields, tuple((o.snapshot, o.state, o.words()) for o in odd))


def _entries(path: Path, verdict: ChainCheck) -> Sheet:
    fields = (
        Field("number", "No.", number=True),
        Field("time", "Time (UTC)", time=True),
        Field("who", "Who"),
        Field("action", "Action"),
        Field("hash", "Hash"),
        Field("what", "What"),
        Field("reason", "Reason", optional=True),
    )
    records = tuple(
        (e.number, e.time, e.who, e.action, e.hash[:12], _what(dict(e.facts)), _reason(dict(e.facts)))
        for e in entries(path, strict=False)
    )
    return Sheet("audit", "Audit log", fields, records, _facts(verdict))


def _what(facts: dict[str, object]) -> str:
    """The telling part of an entry: the command asked, the snapshot loaded, the subgroup changed."""
    for key in ("asked", "snapshot", "name"):
        if facts.get(key):
            return str(facts[key])
    return ""


def _reason(facts: dict[str, Any]) -> str | None:
    """Why: of an unblinding, and of every rule whose errors were accepted."""
    accepted = [f"{rule}: {reason}" for rule, reason in (facts.get("accepted") or {}).items()]
    return "; ".join([*([str(facts["reason"])] if facts.get("reason") else []), *accepted]) or None


def _looks(path: Path, verdict: ChainCheck, *, printed: bool) -> tuple[Sheet, Sheet]:
    """Questions, then the distinct contrasts whose p-values they showed. In print without what is the same in every line, and
    without what only a script compares, so that a page of 80 columns holds it."""
    fields = (
        Field("what", "Question", prose=True),
        Field("times", "Times", number=True),
        Field("who", "Who"),
        Field("post_hoc", "Post\nhoc"),
        Field("first", "First (UTC)"),
        Field("last", "Last (UTC)"),
        Field("asked", "Asked first"),
        Field("question", "Digest"),
    )
    found = looks(path)
    records = tuple((k.what, k.times, ", ".join(k.who), k.post_hoc, k.first, k.last, k.asked, k.question[:12]) for k in found)
    tests = contrasts_seen(path)
    counted = (
        ("Distinct questions", str(len(found))),
        ("Post hoc", str(sum(k.post_hoc for k in found))),
        ("Distinct contrasts with a p-value", str(len(tests))),
        ("At 0.05, by chance alone", f"about {0.05 * len(tests):.1f} of them below it if nothing were there"),
    )
    seen = tuple((s.contrast, s.times, s.snapshots, ", ".join(s.who), s.blinded, s.first, s.last) for s in tests)
    about = (
        Field("contrast", "Contrast", prose=True),
        Field("times", "Times", number=True),
        Field("snapshots", "Snap-\nshots", number=True),
        Field("who", "Who"),
        Field("blinded", "Blinded"),
        Field("first", "First (UTC)"),
        Field("last", "Last (UTC)"),
    )
    ledger = Sheet("looks", "Looks: the multiplicity ledger", fields, records, (*counted, *_facts(verdict)))
    contrasts = Sheet("contrasts", "Contrasts seen", about, seen)
    if not printed:
        return ledger, contrasts
    several, blinded = any(s.snapshots > 1 for s in tests), any(s.blinded for s in tests)
    kept = {"contrast", "times", "who", "first", *(["snapshots"] if several else []), *(["blinded"] if blinded else [])}
    note = (
        "a question counts once, however often and in whichever table it was answered; --format csv and json have more columns"
    )
    return (
        replace(_columns(ledger, {"what", "times", "who", "post_hoc", "first"}), notes=(note,)),
        _columns(contrasts, kept),
    )


def _columns(sheet: Sheet, kept: set[str]) -> Sheet:
    """Some columns of a sheet, times to the minute."""
    sheet = some_columns(sheet, kept)
    times = [f.key == "first" for f in sheet.fields]
    minute = (tuple(str(v)[:16].replace("T", " ") if t else v for v, t in zip(r, times, strict=True)) for r in sheet.records)
    return replace(sheet, records=tuple(minute))


# ---- what the log refers to, computed again


@dataclass(frozen=True)
class Departure:
    """Something that is not as the log says: of what kind, its name, what is wrong with it."""

    kind: str
    name: str
    what: str


@dataclass(frozen=True)
class Verification:
    """Faults, and for every kind what was checked, in words."""

    faults: tuple[Departure, ...]
    facts: tuple[tuple[str, str], ...]

    def sheet(self) -> Sheet:
        fields = (Field("kind", "Kind"), Field("name", "Name"), Field("what", "What", prose=True))
        records = tuple((f.kind, f.name, f.what) for f in self.faults)
        return Sheet("changed", "Not as the log says", fields, records)


def check_all(access: Access, *, answers: bool) -> Verification:
    """Compute everything again; kept answers only where they are asked for, since each costs what it cost to make."""
    space = Workspace(access.path)
    parts = [_snapshots(access, space), _documents(space)]
    if answers:
        parts.append(_answers(access, space))
    else:
        parts.append(Verification((), (("Answers", "those kept were not computed again"),)))
    return Verification(tuple(f for p in parts for f in p.faults), tuple(f for p in parts for f in p.facts))


def _snapshots(access: Access, space: Workspace) -> Verification:
    there = {n: each for n, each in published(space.audit_path).items() if space.snapshot_path(n).exists()}
    faults: list[Departure] = []
    tables = unknown = 0
    for name, each in access.steps(list(there.items()), len(there), "snapshots"):
        path = space.snapshot_path(name)
        found = snapshot_faults(path, digest=each.digest, sha256=each.sha256)
        faults += [Departure("table" if f.table else "snapshot", f"{name} {f.table}".strip(), f.what) for f in found]
        unknown += not each.sha256
        if not any(not f.table for f in found):
            with open_snapshot(path) as snapshot:
                tables += len(snapshot.tables)
    try:
        if fault := current_fault(space.audit_path, space.current_name()):
            faults.append(Departure("pointer", "snapshots/current", fault))
    except DataError as error:
        faults.append(Departure("pointer", "snapshots/current", error.what))
    said = f"{tables} tables of {len(there)} snapshots hashed again"
    said += f"; the log has no SHA-256 of the files of {unknown}" if unknown else ""
    wrong = sum(f.kind in ("table", "snapshot") for f in faults)
    return Verification(tuple(faults), (("Contents", f"{said}: {f'{wrong} faults' if wrong else 'as they were loaded'}"),))


def _documents(space: Workspace) -> Verification:
    """The locked plan, study.toml and the claims, as the log last names each."""
    faults = [*_plan(space), *_study(space), *_claims(space)]
    return Verification(
        tuple(faults), (("Documents", f"{len(faults)} faults" if faults else "plan, study and claims are as the log has them"),)
    )


def _plan(space: Workspace) -> Iterator[Departure]:
    try:
        lock = read_lock(space.path, space.audit_path)
    except DataError as error:
        yield Departure("plan", LOCK_NAME, error.what)
        return
    for text in (lock.note, lock.doubt) if lock is not None else ():
        if text:
            yield Departure("plan", LOCK_NAME, text)


def _study(space: Workspace) -> Iterator[Departure]:
    named = [(e.number, e.action, e.facts["study"]) for e in entries(space.audit_path, strict=False) if "study" in e.facts]
    if not named:
        return
    number, action, digest = named[-1]
    try:
        now = study_digest(space.read_study())
    except AlsbenchError as error:
        yield Departure("study", space.study_path.name, f"it cannot be read: {error.what}")
        return
    if now != digest:
        what = f"it was changed since entry {number} ({action}); the next result of it enters it as it is"
        yield Departure("study", space.study_path.name, what)


def _claims(space: Workspace) -> Iterator[Departure]:
    """Of the files that were checked against the data, those that lie in the workspace."""
    last = {
        e.facts["file"]: (e.number, e.facts["sha256"])
        for e in entries(space.audit_path, strict=False)
        if e.action == "claims" and "file" in e.facts and "sha256" in e.facts
    }
    for name, (number, sha256) in last.items():
        path = space.path / name
        if "/" in name or not path.is_file():
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            yield Departure("claims", name, f"it was changed since its claims were checked (entry {number})")


def _answers(access: Access, space: Workspace) -> Verification:
    files = kept_files(space.results_dir)
    if not files:
        return Verification((), (("Answers", "none is kept"),))
    source = _source(access)
    try:
        found = [check_kept(path, source) for path in access.steps(files, len(files), "kept answers")]
    finally:
        if source is not None:
            source.snapshot.close()
    faults = tuple(Departure("answer", k.file, _kept_words(k)) for k in found if k.fault)
    counts = {state: sum(k.state == state for k in found) for state in ("same", "of other data or program", "of somebody else")}
    said = [f"{counts['same']} of {len(found)} kept computed again, the same"]
    said += [f"{n} {state}, not computed again" for state, n in counts.items() if n and state != "same"]
    forged, wrong = (sum(k.state == state for k in found) for state in ("not sealed", "different"))
    said += [f"{forged} without their seal: never shown, computed anew"] if forged else []
    said += [f"{wrong} different: kept while data or program were others; remove {space.results_dir.name}/"] if wrong else []
    return Verification(faults, (("Answers", "; ".join(said)),))


def _kept_words(kept: Kept) -> str:
    if kept.state == "not sealed":
        return kept.what
    return f"it differs from what is computed now: {kept.what} ({kept.question})"


def _source(access: Access) -> Source | None:
    """The study and data in use; None where they cannot be opened, which is a fault of its own."""
    try:
        return open_source(access.path)
    except AlsbenchError as error:
        access.note(f"kept answers cannot be computed again: {error.what}")
        return None
