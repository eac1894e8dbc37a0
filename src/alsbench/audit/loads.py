"""Snapshots against the log: every load is announced before it is published and entered when it is done.

A load that is killed between the two leaves its announcement, so that no snapshot can stand without an entry; one that was put
there by other means has none. What was loaded and is gone must have been pruned.
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


def odd_snapshots(log: Path, present: Iterable[str]) -> tuple[Odd, ...]:
    """Where the snapshots that are there and the log do not agree."""
    announced: dict[str, None] = {}
    loaded: dict[str, None] = {}
    pruned: set[str] = set()
    for entry in entries(log):
        name = str(entry.facts.get("snapshot") or "")
        if entry.action == ANNOUNCED:
            announced[name] = None
        elif entry.action == LOADED:
            loaded[name] = None
        elif entry.action == PRUNED:
            pruned |= {str(n) for n in entry.facts.get("removed") or ()}
    there = list(present)
    found = [Odd(n, "not completed" if n in announced else "no entry") for n in there if n not in loaded]
    return (*found, *(Odd(n, "gone") for n in loaded if n not in there and n not in pruned))
