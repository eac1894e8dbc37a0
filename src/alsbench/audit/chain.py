"""Whether the audit log holds: every entry has the hash of its content and names the hash of the one before.

A line that is no entry is a fault. What was appended after one names, instead of the hash of an entry, the SHA-256 of all bytes
of the file before it, so that the damage itself is held by the chain and cannot be changed again. A break is *explained* by an
entry that gives a reason and the SHA-256 of everything before it: it covers the faults that were there then and no later one,
and it counts only as long as not a byte before it changes. An explained log is never intact again.

Following ten thousand entries costs about a second; what was followed once need not be again: its length, hash and verdict are
kept under the user's key (:mod:`alsbench.audit.signature`), and only its bytes are hashed the next time.

One line of the audit log: what it must be, how it is written, and the hash that ties it to the line before.

A line is an entry only if it is written exactly as this program writes one: UTF-8, one JSON object with the seven fields in
their order, no key twice, no NaN or infinity, no lone surrogate, no blank between tokens, facts of the types they are read as.
Whatever else stands on a line (blank, CRLF, a byte order mark, another program's JSON) is no entry: it is a fault of the log,
never of who reads it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from alsbench.audit.signature import read_signed, write_signed
from alsbench.errors import UnavailableError
from alsbench.study import NOT_VERIFIED

GENESIS = "0" * 64
LONGEST_LINE = 2**20
FIELDS = ("number", "time", "who", "action", "facts", "previous", "hash")
DEEPEST = 40  # of lists and objects in each other; the canonical copy of a plan has fewer than ten
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]")
_HASH_PART = len(f',"hash":"{GENESIS}"' + "}")  # the end of every line: what precedes it is hashed

_TEXTS = (
    "asked", "complement", "digest", "file", "format", "hash", "key", "label", "name", "question", "reason", "sealed", "sha256",
    "snapshot", "study", "table", "unblinded", "where",
)  # fmt: skip
_LISTS_OF_TEXTS = ("claims", "contrasts", "locked", "removed")


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
        return {name: getattr(self, name) for name in FIELDS}


def parse_entry(raw: bytes) -> Entry | None:
    """The entry of one line, with or without its line feed, or None where the line is none."""
    line = raw.removesuffix(b"\n")
    try:
        values = json.loads(line.decode("utf-8"))
        if not _is_entry(values, line) or canonical(values).encode() != line:
            return None
    except (ValueError, RecursionError):  # no UTF-8, no JSON, NaN, a lone surrogate, an integer or nesting without end
        return None
    return Entry(**values)


def is_genuine(entry: Entry) -> bool:
    """Whether the entry's content has its hash."""
    return entry_hash({name: value for name, value in entry.as_dict().items() if name != "hash"}) == entry.hash


def line_hash(line: bytes) -> str:
    """The hash that a line which :func:`parse_entry` took must have: of its bytes but for the hash itself."""
    return hashlib.sha256(line.removesuffix(b"\n")[:-_HASH_PART] + b"}").hexdigest()


def entry_hash(bare: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical form of an entry without its hash."""
    return hashlib.sha256(canonical(bare).encode()).hexdigest()


def canonical(values: Mapping[str, Any]) -> str:
    """The one way an entry is written. Raises ValueError for what JSON does not have."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def escaped(value: Any) -> Any:
    """A JSON value with every control character of its texts as a visible escape: what an entry holds."""
    if isinstance(value, str):
        return _CONTROL.sub(lambda m: f"\\u{ord(m.group()):04x}", value)
    if isinstance(value, list):
        return [escaped(v) for v in value]
    if isinstance(value, dict):
        return {escaped(k): escaped(v) for k, v in value.items()}
    return value


def _is_entry(values: Any, line: bytes) -> bool:
    if not isinstance(values, dict) or tuple(values) != FIELDS or len(line) >= LONGEST_LINE:
        return False
    if not isinstance(values["number"], int) or isinstance(values["number"], bool) or not isinstance(values["facts"], dict):
        return False
    if not all(isinstance(values[name], str) for name in ("time", "who", "action", "previous", "hash")):
        return False
    deep = line.count(b"{") + line.count(b"[") > DEEPEST and _depth(values) > DEEPEST
    return not deep and len(values["hash"]) == len(GENESIS) and _facts_are_readable(values["facts"])


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(v) if isinstance(v, dict | list) else 1 for v in inner), default=0)


def _facts_are_readable(facts: Mapping[str, Any]) -> bool:
    """Whether what is read back has the type it is read as; facts nobody reads may be anything."""
    for name in _TEXTS:
        if name in facts and not isinstance(facts[name], str):
            return False
    for name in _LISTS_OF_TEXTS:
        if name in facts and not (isinstance(facts[name], list) and all(isinstance(text, str) for text in facts[name])):
            return False
    questions, accepted = facts.get("questions"), facts.get("accepted")
    if questions is not None and not (isinstance(questions, dict) and all(isinstance(q, dict) for q in questions.values())):
        return False
    if accepted is not None and not (isinstance(accepted, dict) and all(isinstance(r, str) for r in accepted.values())):
        return False
    definitions, endpoints, comparisons = (facts.get(name) for name in ("definitions", "endpoints", "comparisons"))
    if definitions is not None and not (
        isinstance(definitions, dict) and all(isinstance(d, str) for d in definitions.values())
    ):
        return False
    if endpoints is not None and not (isinstance(endpoints, list) and all(isinstance(e, dict) for e in endpoints)):
        return False
    if comparisons is not None and not (isinstance(comparisons, list) and all(map(_is_comparison, comparisons))):
        return False
    looks = facts.get("looks", 0)
    return isinstance(looks, int) and isinstance(facts.get("plan", {}), dict)


def _is_comparison(value: object) -> bool:
    """``[treatment, reference, horizon or null]``."""
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(arm, str) for arm in value[:2]):
        return False
    return value[2] is None or (isinstance(value[2], int | float) and not isinstance(value[2], bool))


# ---- the chain

EXPLAINED = "break explained"
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
class ChainCheck:
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
class LogStatus:
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

    def verdict(self) -> ChainCheck:
        faults = (*self.faults, *(() if self.ended else ((self.line, "the last line is not complete"),)))
        return ChainCheck(self.entries, self.head, faults, tuple(self.explanations), self.covered, frozenset(self.loaded))


def verify(path: Path, head: str | None = None) -> ChainCheck:
    """Follow the chain from its beginning. With ``head``, a hash noted earlier, an entry with it must still be there: a cut
    end is found. An empty or missing log is intact, and holds nothing."""
    walk = _Walk()
    _follow(walk, path)
    found = walk.verdict()
    if head is None or head in walk.heads:
        return found
    gone = (walk.line, "no entry has the noted hash: the end was cut off or the log was rewritten")
    return replace(found, faults=(*found.faults, gone))


def log_status(path: Path, snapshot: str = "") -> LogStatus:
    """What every result of a workspace must say of its audit log: nothing where the chain holds and has an entry of the
    ``snapshot`` in use. As :func:`verify`, without following again what the user's own program has followed before."""
    if not path.exists():
        missing = f"{NOT_VERIFIED}: there is none, {path.name} is missing"
        return LogStatus((missing,)) if snapshot else LogStatus()
    known = _known(path)
    walk = _resumed(known) if known else _Walk()
    _follow(walk, path)
    found = walk.verdict()
    if walk.ended and walk.line - (known["line"] if known else 0) >= _WORTH_KEEPING:
        write_signed(_state_name(path), _kept(walk))
    words = found.words()
    if snapshot and snapshot not in found.loaded and not found.open_faults:
        words = (f"{NOT_VERIFIED}: it has no entry of the snapshot in use, {snapshot}", *words)
    return LogStatus(words, bool(found.open_faults))


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
    state = read_signed(_state_name(path))
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
