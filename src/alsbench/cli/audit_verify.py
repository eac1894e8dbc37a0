"""What ``alsbench audit verify`` computes again beside the chain of the log: all that the log refers to, and what is kept.

The bytes and tables of every snapshot, which of them is current, the locked plan, the study and the claims as the log last
names them, and every kept answer of the data and study in use. Each fault names what it is in; anything else is a count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsbench.cli.common import Common

if TYPE_CHECKING:
    from alsbench.analysis.kept import Kept
    from alsbench.analysis.source import Source
    from alsbench.data.workspace import Workspace
    from alsbench.render.sheet import Sheet


@dataclass(frozen=True)
class Found:
    """Something that is not as the log says: of what kind, its name, what is wrong with it."""

    kind: str
    name: str
    what: str


@dataclass(frozen=True)
class Checked:
    """Faults, and for every kind what was checked, in words."""

    faults: tuple[Found, ...]
    facts: tuple[tuple[str, str], ...]

    def sheet(self) -> Sheet:
        from alsbench.render.sheet import Field, Sheet

        fields = (Field("kind", "Kind"), Field("name", "Name"), Field("what", "What", prose=True))
        records = tuple((f.kind, f.name, f.what) for f in self.faults)
        return Sheet("changed", "Not as the log says", fields, records)


def check_all(common: Common, *, answers: bool) -> Checked:
    """Compute everything again; kept answers only where they are asked for, since each costs what it cost to make."""
    from alsbench.data.workspace import Workspace

    space = Workspace(common.workspace)
    parts = [_snapshots(common, space), _documents(space)]
    if answers:
        parts.append(_answers(common, space))
    else:
        parts.append(Checked((), (("Answers", "those kept were not computed again"),)))
    return Checked(tuple(f for p in parts for f in p.faults), tuple(f for p in parts for f in p.facts))


def _snapshots(common: Common, space: Workspace) -> Checked:
    from alsbench.audit.loads import current_fault, published
    from alsbench.cli.progress import steps
    from alsbench.data.integrity import snapshot_faults
    from alsbench.data.snapshot import open_snapshot
    from alsbench.errors import DataError

    there = {n: each for n, each in published(space.audit_path).items() if space.snapshot_path(n).exists()}
    faults: list[Found] = []
    tables = unknown = 0
    for name, each in steps(common, list(there.items()), len(there), "snapshots"):
        path = space.snapshot_path(name)
        found = snapshot_faults(path, digest=each.digest, sha256=each.sha256)
        faults += [Found("table" if f.table else "snapshot", f"{name} {f.table}".strip(), f.what) for f in found]
        unknown += not each.sha256
        if not any(not f.table for f in found):
            with open_snapshot(path) as snapshot:
                tables += len(snapshot.tables)
    try:
        if fault := current_fault(space.audit_path, space.current_name()):
            faults.append(Found("pointer", "snapshots/current", fault))
    except DataError as error:
        faults.append(Found("pointer", "snapshots/current", error.what))
    said = f"{tables} tables of {len(there)} snapshots hashed again"
    said += f"; the log has no SHA-256 of the files of {unknown}" if unknown else ""
    wrong = sum(f.kind in ("table", "snapshot") for f in faults)
    return Checked(tuple(faults), (("Contents", f"{said}: {f'{wrong} faults' if wrong else 'as they were loaded'}"),))


def _documents(space: Workspace) -> Checked:
    """The locked plan, study.toml and the claims, as the log last names each."""
    faults = [*_plan(space), *_study(space), *_claims(space)]
    return Checked(
        tuple(faults), (("Documents", f"{len(faults)} faults" if faults else "plan, study and claims are as the log has them"),)
    )


def _plan(space: Workspace) -> Iterator[Found]:
    from alsbench.audit.lock import LOCK_NAME, read_lock
    from alsbench.errors import DataError

    try:
        lock = read_lock(space.path, space.audit_path)
    except DataError as error:
        yield Found("plan", LOCK_NAME, error.what)
        return
    for text in (lock.note, lock.doubt) if lock is not None else ():
        if text:
            yield Found("plan", LOCK_NAME, text)


def _study(space: Workspace) -> Iterator[Found]:
    from alsbench.audit.log import entries
    from alsbench.errors import AlsbenchError
    from alsbench.study.reading import study_digest

    named = [(e.number, e.action, e.facts["study"]) for e in entries(space.audit_path, strict=False) if "study" in e.facts]
    if not named:
        return
    number, action, digest = named[-1]
    try:
        now = study_digest(space.read_study())
    except AlsbenchError as error:
        yield Found("study", space.study_path.name, f"it cannot be read: {error.what}")
        return
    if now != digest:
        what = f"it was changed since entry {number} ({action}); the next result of it enters it as it is"
        yield Found("study", space.study_path.name, what)


def _claims(space: Workspace) -> Iterator[Found]:
    """Of the files that were checked against the data, those that lie in the workspace."""
    from alsbench.audit.log import entries

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
            yield Found("claims", name, f"it was changed since its claims were checked (entry {number})")


def _answers(common: Common, space: Workspace) -> Checked:
    from alsbench.analysis.kept import check_kept, kept_files
    from alsbench.cli.progress import steps

    files = kept_files(space.results_dir)
    if not files:
        return Checked((), (("Answers", "none is kept"),))
    source = _source(common)
    try:
        found = [check_kept(path, source) for path in steps(common, files, len(files), "kept answers")]
    finally:
        if source is not None:
            source.snapshot.close()
    faults = tuple(Found("answer", k.file, _kept_words(k)) for k in found if k.fault)
    counts = {state: sum(k.state == state for k in found) for state in ("same", "of other data or program", "of somebody else")}
    said = [f"{counts['same']} of {len(found)} kept computed again, the same"]
    said += [f"{n} {state}, not computed again" for state, n in counts.items() if n and state != "same"]
    forged, wrong = (sum(k.state == state for k in found) for state in ("not sealed", "different"))
    said += [f"{forged} without their seal: never shown, computed anew"] if forged else []
    said += [f"{wrong} different: kept while data or program were others; remove {space.results_dir.name}/"] if wrong else []
    return Checked(faults, (("Answers", "; ".join(said)),))


def _kept_words(kept: Kept) -> str:
    if kept.state == "not sealed":
        return kept.what
    return f"it differs from what is computed now: {kept.what} ({kept.question})"


def _source(common: Common) -> Source | None:
    """The study and data in use; None where they cannot be opened, which is a fault of its own."""
    from alsbench.analysis.source import open_source
    from alsbench.errors import AlsbenchError

    try:
        return open_source(common.workspace)
    except AlsbenchError as error:
        common.note(f"kept answers cannot be computed again: {error.what}")
        return None
