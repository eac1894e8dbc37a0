"""One line of the audit log: what it must be, how it is written, and the hash that ties it to the line before.

A line is an entry only if it is written exactly as this program writes one: UTF-8, one JSON object with the seven fields in
their order, no key twice, no NaN or infinity, no lone surrogate, no blank between tokens, facts of the types they are read as.
Whatever else stands on a line (blank, CRLF, a byte order mark, another program's JSON) is no entry: it is a fault of the log,
never of who reads it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    looks = facts.get("looks", 0)
    return isinstance(looks, int) and isinstance(facts.get("plan", {}), dict)
