"""What a user can do to a session, as data: frozen dataclasses that can be written to a log and read back.

Keys, the palette, the command line, shell flags and a replayed log all build the same actions. An action carries names,
never positions in a list, so that a log means the same after the study gained an endpoint. A subject is carried as its
record number in ADSL (1 = first), so that a log holds no subject identifier. Imports nothing but the standard library.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

KINDS: dict[str, type[Action]] = {}


@dataclass(frozen=True)
class Action:
    """Base of every action; ``kind`` names it in a log."""

    kind: ClassVar[str]

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind
        KINDS[kind] = cls


@dataclass(frozen=True)
class Open(Action, kind="open"):
    """A workspace was opened: where the session starts."""

    study: str
    snapshot: str
    population: str
    subgroups: tuple[str, ...] = ()
    endpoint: str = ""
    comparison: str = ""


@dataclass(frozen=True)
class GoTo(Action, kind="go"):
    """Show a screen at its top level; ``origin`` is the screen that ``Back`` returns to, where it was opened from one."""

    screen: str
    origin: str = ""


@dataclass(frozen=True)
class SetTab(Action, kind="tab"):
    tab: str


@dataclass(frozen=True)
class ToggleSubgroup(Action, kind="toggle_subgroup"):
    """Switch a named subgroup on or off."""

    name: str


@dataclass(frozen=True)
class SetSubgroups(Action, kind="set_subgroups"):
    """Choose the active subgroups, in that order."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class SetEndpoint(Action, kind="endpoint"):
    name: str


@dataclass(frozen=True)
class SetComparison(Action, kind="comparison"):
    name: str


@dataclass(frozen=True)
class SetVisit(Action, kind="visit"):
    """Look at one visit; None looks at all the endpoint's visits."""

    visit: float | None


@dataclass(frozen=True)
class SetPopulation(Action, kind="population"):
    name: str


@dataclass(frozen=True)
class SetOption(Action, kind="option"):
    """An analysis option (covariance, df, method); an empty value returns to the study's own."""

    name: str
    value: str


@dataclass(frozen=True)
class OpenArm(Action, kind="arm"):
    """List the subjects of an arm."""

    arm: str


@dataclass(frozen=True)
class OpenSubject(Action, kind="subject"):
    """Show one subject's profile; ``record`` is the 1-based record number in ADSL."""

    record: int


@dataclass(frozen=True)
class OpenTable(Action, kind="table"):
    """Browse one table of the snapshot."""

    table: str


@dataclass(frozen=True)
class Back(Action, kind="back"):
    """One level up; at the top of a screen nothing happens."""


@dataclass(frozen=True)
class Undo(Action, kind="undo"):
    """Return to the choices before the last change (subgroups, endpoint, comparison, visit, population, options)."""


@dataclass(frozen=True)
class Redo(Action, kind="redo"):
    """The opposite of :class:`Undo`."""


def as_dict(action: Action) -> dict[str, Any]:
    """Plain JSON values with ``action`` first."""
    values = asdict(action)
    if isinstance(action, GoTo) and not action.origin:
        del values["origin"]
    return {"action": action.kind} | values


def from_dict(values: dict[str, Any]) -> Action:
    """The inverse of :func:`as_dict`. Raises ValueError for an unknown action or field."""
    cls = KINDS.get(str(values.get("action")))
    if cls is None:
        raise ValueError(f"unknown action {values.get('action')!r}; known: {', '.join(KINDS)}")
    known = {f.name for f in fields(cls)}
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k != "action"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"action {cls.kind!r} has no field {unknown[0]!r}")
    try:
        return cls(**given)
    except TypeError as error:
        raise ValueError(f"action {cls.kind!r}: {error}") from error


def dumps(action: Action) -> str:
    """One JSON line."""
    return json.dumps(as_dict(action), ensure_ascii=False, separators=(",", ":"))


def loads(line: str) -> Action:
    """The inverse of :func:`dumps`. Raises ValueError."""
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("an action is a JSON object")
    return from_dict(values)
