"""Subgroup phrases: ``overall``, ``slow``, ``not slow``, ``slow and nfl_low``, ``fast`` (a named complement).

A phrase combines named subgroups; expressions over columns are another language (:mod:`alsbench.study.expression`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsbench.errors import UsageError
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from alsbench.study.model import Study

OVERALL = "overall"
Names = Mapping[str, tuple[str, bool]]


@dataclass(frozen=True)
class Phrase:
    """``parts`` are (subgroup name, negated) pairs, all of which must hold; none means everybody."""

    text: str
    parts: tuple[tuple[str, bool], ...] = ()

    def canonical(self) -> str:
        """The phrase in subgroup names only: ``fast`` becomes ``not slow``."""
        return " and ".join(f"not {name}" if negated else name for name, negated in self.parts) or OVERALL


def subgroup_names(study: Study) -> dict[str, tuple[str, bool]]:
    """Every name a phrase may hold -> (subgroup, negated): subgroups and their named complements, in the study's order."""
    names: dict[str, tuple[str, bool]] = {}
    for subgroup in study.subgroups:
        names[subgroup.name] = (subgroup.name, False)
        if subgroup.complement:
            names[subgroup.complement] = (subgroup.name, True)
    return names


def parse_phrase(text: str, names: Names) -> Phrase:
    """Read a phrase over ``names`` (name -> (subgroup, negated)). Raises UsageError, naming the nearest known name."""
    words = text.split()
    if words == [OVERALL]:
        return Phrase(text=OVERALL)
    if not words:
        raise UsageError("the subgroup is empty", hint=nearest("", [OVERALL, *names]))
    parts: list[tuple[str, bool]] = []
    for chunk in _split(words):
        negated = chunk[:1] == ["not"]
        rest = chunk[1:] if negated else chunk
        if len(rest) != 1:
            raise UsageError(f"{text!r} is not a subgroup", hint="for instance: slow, 'not slow', 'slow and nfl_low'")
        name = rest[0]
        if name == OVERALL:
            raise UsageError(f"{OVERALL} is everybody: it can be neither negated nor combined", where=repr(text))
        if name not in names:
            raise UsageError(f"no subgroup is named {name}", hint=nearest(name, [OVERALL, *names]))
        subgroup, inverse = names[name]
        part = (subgroup, negated != inverse)
        if (subgroup, not part[1]) in parts:
            raise UsageError(f"{text!r} holds a subgroup and its complement: nobody is in both")
        if part not in parts:
            parts.append(part)
    return Phrase(" ".join(words), tuple(parts))


def is_post_hoc(study: Study, phrase: str, *, locked: bool = False) -> bool:
    """Whether a subgroup, or a part of it, was not pre-specified. Under a ``locked`` plan what two planned subgroups share was
    not planned. A phrase that the study does not have (any more) is of no plan."""
    try:
        parts = parse_phrase(phrase, subgroup_names(study)).parts
    except UsageError:
        return True
    planned = {s.name for s in study.subgroups if s.prespecified}
    return any(name not in planned for name, _ in parts) or (locked and len(parts) > 1)


def _split(words: list[str]) -> list[list[str]]:
    chunks: list[list[str]] = [[]]
    for word in words:
        if word == "and":
            chunks.append([])
        else:
            chunks[-1].append(word)
    return chunks
