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
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alsbench.errors import DataError, UnavailableError, UsageError

GENESIS = "0" * 64
LOOK_ACTIONS = frozenset({"look", "export"})
_MODE = 0o600
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]")
_FIELDS = ("number", "time", "who", "action", "facts", "previous", "hash")
_LONGEST_LINE = 2**20


@dataclass(frozen=True)
class Entry:
    """One line of the log."""

    number: int
    time: str
    who: str
    action: str
    facts: Mapping[str, Any]
    previous: str
    hash: str

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values in the order of the file."""
        return {name: getattr(self, name) for name in _FIELDS}


@dataclass(frozen=True)
class Verdict:
    """Whether the chain holds: how many entries do, the hash of the last, and each fault with its line number."""

    entries: int
    head: str
    faults: tuple[tuple[int, str], ...] = ()

    @property
    def intact(self) -> bool:
        return not self.faults


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
) -> Entry:
    """Add an entry and return it. ``facts`` must be JSON; control characters in texts are written as visible escapes.

    Raises UnavailableError where the file cannot be written, DataError where its last entry is damaged.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
    content = {**(facts or {}), **({"reason": reason} if reason else {})}
    try:
        safe = _safe(json.loads(json.dumps(content, ensure_ascii=False, allow_nan=False)))
    except (TypeError, ValueError) as fault:
        raise UsageError("an audit entry holds what JSON cannot", where=str(path), why=str(fault)) from fault
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    except OSError as fault:
        why = "it is a link" if path.is_symlink() else str(fault.strerror)
        raise UnavailableError(f"the audit log cannot be written: {why}", where=str(path)) from fault
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnavailableError("the audit log cannot be written: it is no file", where=str(path))
        fcntl.flock(handle, fcntl.LOCK_EX)
        number, previous = _tail(handle, path)
        bare = {
            "number": number + 1,
            "time": moment,
            "who": _safe(who if who is not None else _user()),
            "action": _safe(action),
            "facts": safe,
            "previous": previous,
        }
        entry = Entry(**bare, hash=_hash(bare))
        _write(handle, (_canonical(entry.as_dict()) + "\n").encode(), path)
        os.fsync(handle)
    finally:
        os.close(handle)
    return entry


def entries(path: Path) -> Iterator[Entry]:
    """The entries as they stand, without judging the chain. Raises DataError at a line that is no entry."""
    for line, raw in enumerate(_lines(path), start=1):
        entry = parse_entry(raw)
        if entry is None:
            raise DataError(
                "this line of the audit log is not an entry", where=f"{path} line {line}", hint="alsbench audit --verify"
            )
        yield entry


def verify(path: Path, head: str | None = None) -> Verdict:
    """Follow the chain. With ``head``, a hash noted earlier, an entry with it must still be there: a cut end is found."""
    faults: list[tuple[int, str]] = []
    previous, count, seen = GENESIS, 0, {GENESIS}
    ended = True
    for line, raw in enumerate(_lines(path), start=1):
        ended = raw.endswith(b"\n")
        entry = parse_entry(raw)
        if entry is None:
            faults.append((line, "the line is not an entry"))
            continue
        count += 1
        if not is_genuine(entry) or raw.rstrip(b"\n") != _canonical(entry.as_dict()).encode():
            faults.append((line, "the entry was changed: its hash is not that of its content"))
        if entry.previous != previous:
            faults.append((line, "the entry does not follow the one before: something was removed, added or moved"))
        if entry.number != line:
            faults.append((line, f"the entry is number {entry.number}, {line} is expected"))
        previous = entry.hash
        seen.add(entry.hash)
    if not ended:
        faults.append((count, "the last line is not complete"))
    if head is not None and head not in seen:
        faults.append((count, "no entry has the noted hash: the end was cut off or the log was rewritten"))
    return Verdict(count, previous, tuple(faults))


def head(path: Path) -> str:
    """The hash of the last entry: note it elsewhere, and a later cut will be found. All zeros for an empty log."""
    last = GENESIS
    for entry in entries(path):
        last = entry.hash
    return last


def looks(path: Path) -> tuple[Look, ...]:
    """The multiplicity ledger: every distinct question seen or exported, in first-seen order.

    ``facts.questions`` are the questions a look answered; where it is missing the look is one question, ``facts.question``.
    """
    found: dict[str, list[tuple[Entry, Mapping[str, Any]]]] = {}
    for entry in entries(path):
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


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UnavailableError("the audit log cannot be read: it is no file", where=str(path))
    try:
        with path.open("rb") as file:
            while raw := file.readline(_LONGEST_LINE):
                yield raw
    except FileNotFoundError:
        return
    except OSError as fault:
        raise UnavailableError(f"the audit log cannot be read: {fault.strerror}", where=str(path)) from fault


def parse_entry(raw: bytes) -> Entry | None:
    """The entry of one line, or None where the line is none."""
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or tuple(values) != _FIELDS or not isinstance(values["facts"], dict):
        return None
    texts = (values["time"], values["who"], values["action"], values["previous"], values["hash"])
    if not isinstance(values["number"], int) or not all(isinstance(t, str) for t in texts):
        return None
    return Entry(**values)


def is_genuine(entry: Entry) -> bool:
    """Whether the entry's content has its hash."""
    bare = entry.as_dict()
    del bare["hash"]
    return _hash(bare) == entry.hash


def _tail(handle: int, path: Path) -> tuple[int, str]:
    """Number and hash of the last entry, read from the end of the file. Raises DataError if it is not whole."""
    size = os.fstat(handle).st_size
    if size == 0:
        return 0, GENESIS
    window = os.pread(handle, min(size, _LONGEST_LINE), max(size - _LONGEST_LINE, 0))
    last = parse_entry(window.rstrip(b"\n").rsplit(b"\n", 1)[-1]) if window.endswith(b"\n") else None
    if last is None:
        raise DataError(
            "the end of the audit log is damaged; nothing was added",
            where=str(path),
            hint="alsbench audit --verify shows where; keep the damaged file and start a new one",
        )
    return last.number, last.hash


def _write(handle: int, line: bytes, path: Path) -> None:
    if len(line) >= _LONGEST_LINE:
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


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _hash(bare: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(bare).encode()).hexdigest()


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROL.sub(lambda m: f"\\u{ord(m.group()):04x}", value)
    if isinstance(value, list):
        return [_safe(v) for v in value]
    if isinstance(value, dict):
        return {_safe(k): _safe(v) for k, v in value.items()}
    return value


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
