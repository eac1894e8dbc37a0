"""Snapshots against the log: every load is announced before it is published and entered when it is done.

A load that is killed between the two leaves its announcement, so that no snapshot can stand without an entry; one that was put
there by other means has none. What was loaded and is gone must have been pruned. The current snapshot is the one published
last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from alsbench.audit.log import entries

ANNOUNCED, LOADED, PRUNED = "load announced", "load", "prune"
State = Literal["no entry", "not completed", "gone"]


@dataclass(frozen=True)
class Odd:
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


def odd_snapshots(log: Path, present: Iterable[str]) -> tuple[Odd, ...]:
    """Where the snapshots that are there and the log do not agree."""
    known = published(log)
    there = list(present)
    found = [Odd(n, "not completed" if n in known else "no entry") for n in there if n not in known or not known[n].completed]
    return (*found, *(Odd(n, "gone") for n, each in known.items() if each.completed and n not in there))


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
