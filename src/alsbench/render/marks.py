"""The bottom line of a small p, in a sign beside it and in words below the table: chance must not look like success.

Green is only what the plan asked for. Every other p below 0.05 carries a sign: a dagger until somebody asks for its bottom
line, then a letter of its level (:mod:`alsbench.analysis.judgement`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from alsbench.analysis.contrast import NOT_JUDGED, SMALL

if TYPE_CHECKING:
    from alsbench.analysis.contrast import EvidenceCell

UNJUDGED, BORDERLINE = "†", "~"
IN_THIS = "worth a new trial: in this subgroup"
# by the beginning of a level: its letter, what stands in a column, and what the letter means
LEVELS: Mapping[str, tuple[str, str, str]] = {
    "what chance offers": ("C", "chance", "what chance offers"),
    "the whole trial's": ("W", "whole trial", "the whole trial's, more for this subgroup is not shown"),
    IN_THIS: ("S", "new trial: in this subgroup", "worth a new trial in this subgroup"),
    "worth a new trial": ("T", "new trial", "worth a new trial, in a subgroup: in whom is open"),
    "holds up": ("H", "holds up", "holds up, post hoc"),
    "against the treatment": ("A", "against", "against the treatment"),
    "no finding": ("N", "no finding", "no finding by the study file's rule"),
    "not judged": ("-", "not judged", "cannot be judged"),
    "confirmed as planned": ("P", "as planned", "confirmed as planned"),
    "as declared": ("D", "as declared", "as declared, no lock proves it"),
}
MORE_THAN_CHANCE = ("S", "T", "H")
ASK = "`--judge` added to the command says of each what may be taken away"


def sign(cell: EvidenceCell) -> str:
    """A dagger, or the letter of the level; nothing for a p that is not small, or is the plan's own."""
    if cell.p is None or cell.p >= SMALL or cell.bottom_line == "":
        return ""
    return UNJUDGED if unjudged(cell) else letter(cell.bottom_line or "")


def unjudged(cell: EvidenceCell) -> bool:
    """Whether a small p outside the plan has no bottom line yet."""
    return cell.p is not None and cell.p < SMALL and cell.bottom_line in (None, NOT_JUDGED)


def letter(level: str) -> str:
    """``C``, ``T~``: the letter of a level, and whether it is borderline."""
    return _of(level)[0] + (BORDERLINE if "(borderline)" in level else "")


def brief(level: str) -> str:
    """A level in a few words."""
    return _of(level)[1] + (" (borderline)" if "(borderline)" in level else "")


def style(cell: EvidenceCell) -> str:
    """The style of a cell: green is the plan's only, amber a small p that may be more than chance, or is not judged."""
    if cell.p is None or cell.p >= SMALL or cell.favourable is None:
        return ""
    if not cell.favourable:
        return "bad"
    return "good" if cell.met else "doubt" if unjudged(cell) or sign(cell)[0] in MORE_THAN_CHANCE else ""


def sign_notes(cells: Iterable[EvidenceCell]) -> tuple[str, ...]:
    """What the signs mean, and how many small p are not judged, with how to ask."""
    every = list(cells)
    signs = {sign(c) for c in every if sign(c) not in ("", UNJUDGED)}
    used = [f"{mark} {words}" for mark, _, words in LEVELS.values() if any(s[0] == mark for s in signs)]
    used += [f"{BORDERLINE} borderline"] if any(BORDERLINE in s for s in signs) else []
    notes = [f"Bottom line of a p below 0.05 outside the plan: {'; '.join(used)}."] if used else []
    count = sum(unjudged(c) for c in every)
    if count:
        notes.append(f"{UNJUDGED} {count} p below 0.05 {'is' if count == 1 else 'are'} outside the plan and not judged: {ASK}.")
    return tuple(notes)


def _of(level: str) -> tuple[str, str, str]:
    return next(found for beginning, found in LEVELS.items() if level.startswith(beginning))
