"""Whether the audit log holds: every entry has the hash of its content and names the hash of the one before.

A line that is no entry is a fault. What was appended after one names, instead of the hash of an entry, the SHA-256 of all bytes
of the file before it, so that the damage itself is held by the chain and cannot be changed again. A break is *explained* by an
entry that gives a reason and the SHA-256 of everything before it: it covers the faults that were there then and no later one,
and it counts only as long as not a byte before it changes. An explained log is never intact again.

Following ten thousand entries costs about a second; what was followed once need not be again: its length, hash and verdict are
kept under the user's key (:mod:`alsbench.audit.seal`), and only its bytes are hashed the next time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from alsbench.audit.entry import GENESIS, LONGEST_LINE, line_hash, parse_entry
from alsbench.audit.seal import read_sealed, write_sealed
from alsbench.errors import UnavailableError

EXPLAINED = "break explained"
NOT_VERIFIED = "the audit log does not verify"
NO_ENTRY = "the line is not an entry"
_ANNOUNCED, _LOADED = "load announced", "load"
_WORTH_KEEPING = 300  # entries: fewer are followed in less time than a state is read


@dataclass(frozen=True)
class Explanation:
    """Who gave which reason for how many faults, and where: ``line`` is the explanation's own, ``broken`` the first it
    covers."""

    line: int
    broken: int
    faults: int
    who: str
    time: str
    reason: str

    def words(self) -> str:
        return f"log broken at line {self.broken}, explained by {self.who} on {self.time[:10]}: {self.reason}"


@dataclass(frozen=True)
class Verdict:
    """Whether the chain holds: how many entries do, the hash of the last, and each fault with its line number.

    The first ``covered`` faults have ``explanations``. ``loaded`` are the snapshots that entries announce or enter.
    """

    entries: int
    head: str
    faults: tuple[tuple[int, str], ...] = ()
    explanations: tuple[Explanation, ...] = ()
    covered: int = 0
    loaded: frozenset[str] = frozenset()

    @property
    def intact(self) -> bool:
        return not self.faults

    @property
    def open_faults(self) -> tuple[tuple[int, str], ...]:
        """Those that nobody has explained."""
        return self.faults[self.covered :]

    def words(self) -> tuple[str, ...]:
        """What every result must say, what is not explained first; nothing of an intact log."""
        said = [e.words() for e in self.explanations]
        if self.open_faults:
            (line, fault), *more = self.open_faults
            others = f" (and {len(more)} more fault{'s' * (len(more) > 1)})" if more else ""
            said.insert(0, f"{NOT_VERIFIED}: line {line}: {fault}{others}")
        return tuple(said)


@dataclass(frozen=True)
class Standing:
    """What every result must say of the audit log (nothing: the chain holds), and whether it has faults that nobody
    explained."""

    words: tuple[str, ...] = ()
    broken: bool = False

    @property
    def text(self) -> str:
        return "; ".join(self.words)

    @property
    def explained(self) -> bool:
        """Whether all there is to say is how breaks were explained."""
        return bool(self.words) and not any(w.startswith(NOT_VERIFIED) for w in self.words)


@dataclass
class _Walk:
    """How far a log was followed. ``whole`` is over all bytes so far, ``link`` what the next entry must name."""

    whole: Any = field(default_factory=hashlib.sha256)
    length: int = 0
    line: int = 0
    number: int = 0
    entries: int = 0
    head: str = GENESIS
    link: str = GENESIS
    faults: list[tuple[int, str]] = field(default_factory=list)
    explanations: list[Explanation] = field(default_factory=list)
    covered: int = 0
    loaded: set[str] = field(default_factory=set)
    heads: set[str] = field(default_factory=lambda: {GENESIS})
    ended: bool = True

    def take(self, raw: bytes, rest: Iterable[bytes] = ()) -> None:
        """The next line; ``rest`` are further pieces of one that is too long for an entry."""
        self.line += 1
        damaged = not self.link
        if damaged:  # after a line that is no entry the next one names everything before it
            self.link = self.whole.hexdigest()
        entry = parse_entry(raw)
        before = self.whole.hexdigest() if entry is not None and entry.action == EXPLAINED else ""
        for piece in (raw, *rest):
            self.whole.update(piece)
            self.length += len(piece)
            self.ended = piece.endswith(b"\n")
        self.number += 1
        if entry is None:
            self.faults.append((self.line, NO_ENTRY))
            self.link = ""
            return
        self.entries += 1
        found = len(self.faults)
        if line_hash(raw) != entry.hash:
            self.faults.append((self.line, "the entry was changed: its hash is not that of its content"))
        if entry.previous != self.link:
            self.faults.append((self.line, "the entry does not follow the one before: something was removed, added or moved"))
        if entry.number != self.number and not (damaged and entry.number == self.line):
            self.faults.append((self.line, f"the entry is number {entry.number}, {self.number} is expected"))
        self.number = entry.number
        self.head = self.link = entry.hash
        self.heads.add(entry.hash)
        if entry.action in (_ANNOUNCED, _LOADED):
            self.loaded.add(str(entry.facts.get("snapshot") or ""))
        if before and len(self.faults) == found > self.covered and entry.facts.get("before") == before:
            reason = str(entry.facts.get("reason") or "")
            broken = self.faults[self.covered][0]
            self.explanations.append(Explanation(self.line, broken, found - self.covered, entry.who, entry.time, reason))
            self.covered = found

    def verdict(self) -> Verdict:
        faults = (*self.faults, *(() if self.ended else ((self.line, "the last line is not complete"),)))
        return Verdict(self.entries, self.head, faults, tuple(self.explanations), self.covered, frozenset(self.loaded))


def verify(path: Path, head: str | None = None) -> Verdict:
    """Follow the chain from its beginning. With ``head``, a hash noted earlier, an entry with it must still be there: a cut
    end is found. An empty or missing log is intact, and holds nothing."""
    walk = _Walk()
    _follow(walk, path)
    found = walk.verdict()
    if head is None or head in walk.heads:
        return found
    gone = (walk.line, "no entry has the noted hash: the end was cut off or the log was rewritten")
    return replace(found, faults=(*found.faults, gone))


def standing(path: Path, snapshot: str = "") -> Standing:
    """What every result of a workspace must say of its audit log: nothing where the chain holds and has an entry of the
    ``snapshot`` in use. As :func:`verify`, without following again what the user's own program has followed before."""
    if not path.exists():
        missing = f"{NOT_VERIFIED}: there is none, {path.name} is missing"
        return Standing((missing,)) if snapshot else Standing()
    known = _known(path)
    walk = _resumed(known) if known else _Walk()
    _follow(walk, path)
    found = walk.verdict()
    if walk.ended and walk.line - (known["line"] if known else 0) >= _WORTH_KEEPING:
        write_sealed(_state_name(path), _kept(walk))
    words = found.words()
    if snapshot and snapshot not in found.loaded and not found.open_faults:
        words = (f"{NOT_VERIFIED}: it has no entry of the snapshot in use, {snapshot}", *words)
    return Standing(words, bool(found.open_faults))


def _follow(walk: _Walk, path: Path) -> None:
    """Take the lines from where the walk stands, as far as they were written when this began."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UnavailableError("the audit log cannot be read: it is no file", where=str(path))
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # whoever appends has done so whole
            end = os.fstat(file.fileno()).st_size
            fcntl.flock(file, fcntl.LOCK_UN)
            file.seek(walk.length)
            while walk.length < end and (raw := file.readline(LONGEST_LINE)):
                walk.take(raw, () if raw.endswith(b"\n") or len(raw) < LONGEST_LINE else _rest(file))
    except FileNotFoundError:
        return
    except OSError as fault:
        raise UnavailableError(f"the audit log cannot be read: {fault.strerror}", where=str(path)) from fault


def _rest(file: BinaryIO) -> Iterator[bytes]:
    """What is left of a line, in pieces."""
    while piece := file.readline(LONGEST_LINE):
        yield piece
        if piece.endswith(b"\n"):
            return


def _state_name(path: Path) -> str:
    return f"logs/{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}.json"


def _kept(walk: _Walk) -> dict[str, Any]:
    return {
        "length": walk.length,
        "sha256": walk.whole.hexdigest(),
        "line": walk.line,
        "number": walk.number,
        "entries": walk.entries,
        "head": walk.head,
        "link": walk.link,  # empty after a line that is no entry
        "faults": [list(f) for f in walk.faults],
        "explanations": [asdict(e) for e in walk.explanations],
        "covered": walk.covered,
        "loaded": sorted(walk.loaded),
    }


def _known(path: Path) -> dict[str, Any] | None:
    """The state this user's program kept of this log, where the log still begins with the very bytes it was kept of."""
    state = read_sealed(_state_name(path))
    if state is None:
        return None
    whole = hashlib.sha256()
    left = int(state["length"])
    with path.open("rb") as file:
        while left and (piece := file.read(min(left, LONGEST_LINE))):
            whole.update(piece)
            left -= len(piece)
    if left or whole.hexdigest() != state["sha256"]:
        return None
    return {**state, "whole": whole}


def _resumed(state: dict[str, Any]) -> _Walk:
    return _Walk(
        whole=state["whole"],
        length=state["length"],
        line=state["line"],
        number=state["number"],
        entries=state["entries"],
        head=state["head"],
        link=state["link"],
        faults=[(line, fault) for line, fault in state["faults"]],
        explanations=[Explanation(**e) for e in state["explanations"]],
        covered=state["covered"],
        loaded=set(state["loaded"]),
    )
