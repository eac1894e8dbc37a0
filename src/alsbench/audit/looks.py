"""The multiplicity ledger: how many tests somebody saw the outcome of, not only how many questions were asked.

One question may show dozens of p-values: each distinct contrast (endpoint, method, subgroup, arms, visit) counts once here,
however often and by whomever it was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alsbench.audit.log import LOOK_ACTIONS, Entry, entries


@dataclass(frozen=True)
class Seen:
    """A contrast whose p-value was shown or exported: how often, in how many states of the data, by whom, first and last."""

    contrast: str
    times: int
    snapshots: int
    who: tuple[str, ...]
    first: str
    last: str
    post_hoc: bool
    blinded: bool


def contrasts_seen(path: Path) -> tuple[Seen, ...]:
    """Every distinct contrast of the log's looks and exports, in first-seen order."""
    found: dict[str, list[Entry]] = {}
    for entry in entries(path, strict=False):
        if entry.action in LOOK_ACTIONS:
            for name in entry.facts.get("contrasts") or ():
                found.setdefault(str(name), []).append(entry)
    return tuple(
        Seen(
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
