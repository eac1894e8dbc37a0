"""The audit log: every load, look and export, in an append-only file whose entries are chained by hash.

One JSON object a line: number, UTC time, who, action, facts (question or file hashes, reasons, counts; never a row of data),
the hash of the entry before, and its own hash over all of that. Changing, removing or reordering any entry breaks the
chain; a cut at the end is found by whoever noted the last hash. Appending takes a kernel lock, so writers on one machine
may be many. The method is Schneier and Kelsey's (1999, doi 10.1145/317087.317089) without the key: it shows tampering by
those who cannot rewrite the whole file.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from alsbench.audit.chain import (
    EXPLAINED,
    GENESIS,
    LONGEST_LINE,
    Entry,
    canonical,
    entry_hash,
    escaped,
    parse_entry,
    verify,
)
from alsbench.audit.workspace_identity import WorkspaceIdentity
from alsbench.errors import DataError, UnavailableError, UsageError

LOOK_ACTIONS = frozenset({"look", "export"})
_MODE = 0o600


@dataclass(frozen=True)
class Look:
    """A distinct question, ``what`` in words, whose answer was seen: by which command first, how often, by whom, since when."""

    question: str
    what: str
    asked: str
    times: int
    who: tuple[str, ...]
    first: str
    last: str
    post_hoc: bool = False
    actions: tuple[str, ...] = field(default=())


def append(
    path: Path,
    action: str,
    facts: Mapping[str, Any] | None = None,
    *,
    who: str | None = None,
    now: datetime | None = None,
    reason: str = "",
    held: WorkspaceIdentity | None = None,
    before: bool = False,
) -> Entry:
    """Add an entry and return it. ``facts`` must be JSON; control characters in texts are written as visible escapes.

    With ``before`` the SHA-256 of everything before it is one of its facts.
    An entry is added to a damaged log too: it then names the damage (:mod:`alsbench.audit.chain`). ``held`` is the workspace as
    this program found it. Raises UnavailableError where it is not there any more, or the file cannot be written.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
    content = {**(facts or {}), **({"reason": reason} if reason else {})}
    try:
        safe = escaped(json.loads(json.dumps(content, ensure_ascii=False, allow_nan=False)))
    except (TypeError, ValueError) as fault:
        raise UsageError("an audit entry holds what JSON cannot", where=str(path), why=str(fault)) from fault
    handle = _opened(path, held)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnavailableError("the audit log cannot be written: it is no file", where=str(path))
        fcntl.flock(handle, fcntl.LOCK_EX)
        if held is not None:
            held.check_log(handle)
        number, previous = _tail(handle)
        if before:
            safe["before"] = _whole(handle)[0]
        bare = {
            "number": number + 1,
            "time": moment,
            "who": escaped(who if who is not None else _user()),
            "action": escaped(action),
            "facts": safe,
            "previous": previous,
        }
        entry = Entry(**bare, hash=entry_hash(bare))
        line = (canonical(entry.as_dict()) + "\n").encode()
        if len(line) < LONGEST_LINE and parse_entry(line) is None:
            raise UsageError("an audit entry holds what could not be read back", where=str(path), why=f"action {action}")
        _write(handle, line, path)
    finally:
        os.close(handle)
    return entry


def explain(path: Path, reason: str, *, who: str | None = None, held: WorkspaceIdentity | None = None) -> Entry:
    """Enter why the chain is broken: a reason for every fault that nobody has explained. Raises UsageError without a reason,
    UnavailableError where there is nothing to explain."""
    if not reason.strip():
        raise UsageError("a broken log is explained by a reason", where="--reason")
    faults = verify(path).open_faults
    if not faults:
        raise UnavailableError("there is nothing to explain: every entry of the audit log follows", where=str(path))
    facts = {"line": faults[0][0], "faults": len(faults), "fault": faults[0][1]}
    return append(path, EXPLAINED, facts, who=who, reason=reason.strip(), held=held, before=True)


def entries(path: Path, *, strict: bool = True) -> Iterator[Entry]:
    """The entries as they stand, without judging the chain. Raises DataError at a line that is no entry, or, where the verdict
    on the chain is shown beside what they are read for, passes over it."""
    for line, raw in enumerate(_lines(path), start=1):
        entry = parse_entry(raw)
        if entry is not None:
            yield entry
        elif strict:
            raise DataError(
                f"line {line} of the audit log is no entry",
                where=f"{path}:{line}",
                hint="alsbench audit verify shows every fault",
            )


def head(path: Path) -> str:
    """The hash of the last entry: note it elsewhere, and a later cut will be found. All zeros for an empty log."""
    last = GENESIS
    for entry in entries(path, strict=False):
        last = entry.hash
    return last


def looks(path: Path) -> tuple[Look, ...]:
    """The multiplicity ledger: every distinct question seen or exported, in first-seen order.

    ``facts.questions`` are the questions a look answered; where it is missing the look is one question, ``facts.question``.
    """
    found: dict[str, list[tuple[Entry, Mapping[str, Any]]]] = {}
    for entry in entries(path, strict=False):
        if entry.action in LOOK_ACTIONS:
            for question, about in _questions(entry.facts).items():
                found.setdefault(question, []).append((entry, about))
    return tuple(_look(q, group) for q, group in found.items())


def _questions(facts: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    several, one = facts.get("questions"), facts.get("question")
    if isinstance(several, dict) and several:
        return {str(q): about if isinstance(about, dict) else {} for q, about in several.items()}
    return {one: facts} if isinstance(one, str) else {}


def _look(question: str, group: list[tuple[Entry, Mapping[str, Any]]]) -> Look:
    held = [entry for entry, _ in group]
    asked = next((str(e.facts["asked"]) for e in held if "asked" in e.facts), "")
    return Look(
        question=question,
        what=next((str(about["what"]) for _, about in group if "what" in about), asked),
        asked=asked,
        times=len(held),
        who=tuple(dict.fromkeys(e.who for e in held)),
        first=held[0].time,
        last=held[-1].time,
        post_hoc=any(bool(about.get("post_hoc")) for _, about in group),
        actions=tuple(dict.fromkeys(e.action for e in held)),
    )


def check_writable(path: Path) -> None:
    """Raises UnavailableError where an entry could not be added to a log that is there."""
    if path.exists():
        os.close(_opened(path, None))


def _opened(path: Path, held: WorkspaceIdentity | None) -> int:
    """The log to append to; made where it is not there, unless it was."""
    if held is not None:
        held.check()
    made = 0 if held is not None and held.log is not None else os.O_CREAT
    try:
        return os.open(path, os.O_RDWR | made | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, _MODE)
    except OSError as fault:
        why = "it is a link" if path.is_symlink() else str(fault.strerror)
        hint = "every look is entered in the log: where that cannot be, nothing is shown; work on a copy of the workspace"
        raise UnavailableError(f"the audit log cannot be written: {why}", where=str(path), hint=hint) from fault


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of the log; of one too long for an entry its beginning only, which is none either."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UnavailableError("the audit log cannot be read: it is no file", where=str(path))
    try:
        with path.open("rb") as file:
            while raw := file.readline(LONGEST_LINE):
                yield raw
                while len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                    raw = file.readline(LONGEST_LINE)
    except FileNotFoundError:
        return
    except OSError as fault:
        raise UnavailableError(f"the audit log cannot be read: {fault.strerror}", where=str(path)) from fault


def _tail(handle: int) -> tuple[int, str]:
    """Number of the last line and what the next entry must name: the hash of the last entry, or, where the last line is none,
    the hash of everything (after a line feed, if the last line lacked one)."""
    size = os.fstat(handle).st_size
    if size == 0:
        return 0, GENESIS
    window = os.pread(handle, min(size, LONGEST_LINE), max(size - LONGEST_LINE, 0))
    if not window.endswith(b"\n"):
        os.write(handle, b"\n")
        return _tail(handle)
    last = parse_entry(window[:-1].rsplit(b"\n", 1)[-1])
    if last is not None:
        return last.number, last.hash
    whole, lines = _whole(handle)
    return lines, whole


def _whole(handle: int) -> tuple[str, int]:
    """SHA-256 of all that is in the file, and how many lines it has."""
    whole, lines, start = hashlib.sha256(), 0, 0
    while piece := os.pread(handle, LONGEST_LINE, start):
        whole.update(piece)
        lines += piece.count(b"\n")
        start += len(piece)
    return whole.hexdigest(), lines


def _write(handle: int, line: bytes, path: Path) -> None:
    if len(line) >= LONGEST_LINE:
        raise UsageError("an audit entry is too long", where=str(path))
    start = os.fstat(handle).st_size
    try:
        written = os.write(handle, line)
    except OSError as fault:
        os.ftruncate(handle, start)
        raise UnavailableError(f"the audit log cannot be written: {fault.strerror}", where=str(path)) from fault
    if written != len(line):
        os.ftruncate(handle, start)
        raise UnavailableError("the audit log cannot be written: the disk is full", where=str(path))
    try:
        os.fsync(handle)
    except OSError as fault:
        what = "the audit log was written, but the system could not confirm that it is on disk"
        raise UnavailableError(what, where=str(path), why=str(fault.strerror)) from fault


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


# ---- the multiplicity ledger by contrast: one question may show dozens of p-values, each distinct contrast (endpoint, method,
# subgroup, arms, visit) counts once, however often and by whomever it was seen


@dataclass(frozen=True)
class ContrastLook:
    """A contrast whose p-value was shown or exported: how often, in how many states of the data, by whom, first and last."""

    contrast: str
    times: int
    snapshots: int
    who: tuple[str, ...]
    first: str
    last: str
    post_hoc: bool
    blinded: bool


def contrasts_seen(path: Path) -> tuple[ContrastLook, ...]:
    """Every distinct contrast of the log's looks and exports, in first-seen order."""
    found: dict[str, list[Entry]] = {}
    for entry in entries(path, strict=False):
        if entry.action in LOOK_ACTIONS:
            for name in entry.facts.get("contrasts") or ():
                found.setdefault(str(name), []).append(entry)
    return tuple(
        ContrastLook(
            contrast=name,
            times=len(group),
            snapshots=len({e.facts.get("snapshot") for e in group}),
            who=tuple(dict.fromkeys(e.who for e in group)),
            first=group[0].time,
            last=group[-1].time,
            post_hoc=any(bool(e.facts.get("post_hoc")) for e in group),
            blinded=all(bool(e.facts.get("blinded")) for e in group),
        )
        for name, group in found.items()
    )


# ---- snapshots against the log: every load is announced before it is published and entered when it is done; one that is killed
# between the two leaves its announcement, so that no snapshot can stand without an entry

ANNOUNCED, LOADED, PRUNED = "load announced", "load", "prune"
State = Literal["no entry", "not completed", "gone"]


@dataclass(frozen=True)
class SnapshotMismatch:
    """A snapshot and the log at odds. ``not completed`` is no fault: the load was killed after it was announced."""

    snapshot: str
    state: State

    @property
    def fault(self) -> bool:
        return self.state != "not completed"

    def words(self) -> str:
        match self.state:
            case "no entry":
                return "is there without an entry: it was put there by other means, or the log is not the one of this workspace"
            case "not completed":
                return "was announced and published; its load was killed before it was entered as done"
            case "gone":
                return "was loaded and is gone, and was not pruned"


@dataclass(frozen=True)
class Published:
    """What the log says of a snapshot: the digest of its tables, and the SHA-256 of its file (empty in an older log)."""

    digest: str
    sha256: str
    completed: bool


def published(log: Path) -> dict[str, Published]:
    """The snapshots that were announced or loaded and not pruned since, in the order of the log."""
    found: dict[str, Published] = {}
    for entry in entries(log, strict=False):
        name = str(entry.facts.get("snapshot") or "")
        if entry.action in (ANNOUNCED, LOADED):
            before = found.pop(name, Published("", "", completed=False))
            digest, sha256 = (str(entry.facts.get(key) or "") for key in ("digest", "sha256"))
            found[name] = Published(digest or before.digest, sha256 or before.sha256, entry.action == LOADED)
        elif entry.action == PRUNED:
            for pruned in entry.facts.get("removed") or ():
                found.pop(pruned, None)
    return found


def snapshot_mismatches(log: Path, present: Iterable[str]) -> tuple[SnapshotMismatch, ...]:
    """Where the snapshots that are there and the log do not agree."""
    known = published(log)
    there = list(present)
    found = [
        SnapshotMismatch(n, "not completed" if n in known else "no entry")
        for n in there
        if n not in known or not known[n].completed
    ]
    return (*found, *(SnapshotMismatch(n, "gone") for n, each in known.items() if each.completed and n not in there))


def current_fault(log: Path, current: str | None) -> str:
    """Why the current snapshot is not the one published last; empty where it is. A load that was announced after it and never
    completed may or may not have published its own."""
    known = published(log)
    done = [n for n, each in known.items() if each.completed]
    last = done[-1] if done else None
    later = list(known)[list(known).index(last) + 1 :] if last is not None else list(known)
    if current == last or current in later:
        return ""
    return f"the current snapshot is {current or 'none'}, the one published last is {last or 'none'}"
