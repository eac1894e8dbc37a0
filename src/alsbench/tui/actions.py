"""What a user can do to a session, as data: frozen dataclasses that can be written to a log and read back.

Keys, the palette, the command line, shell flags and a replayed log all build the same actions. An action carries names,
never positions in a list, so that a log means the same after the study gained an endpoint. A subject is carried as its
record number in ADSL (1 = first), so that a log holds no subject identifier. Imports nothing but the standard library.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Action:
    """Base of every action; ``kind`` names it in a log."""

    kind: ClassVar[str] = ""


@dataclass(frozen=True)
class Open(Action):
    """A workspace was opened: where the session starts."""

    kind: ClassVar[str] = "open"
    study: str
    snapshot: str
    population: str
    subgroups: tuple[str, ...] = ()
    endpoint: str = ""
    comparison: str = ""


@dataclass(frozen=True)
class GoTo(Action):
    """Show a screen at its top level; ``origin`` is the screen that ``Back`` returns to, where it was opened from one."""

    kind: ClassVar[str] = "go"
    screen: str
    origin: str = ""


@dataclass(frozen=True)
class SetTab(Action):
    kind: ClassVar[str] = "tab"
    tab: str


@dataclass(frozen=True)
class ToggleSubgroup(Action):
    """Switch a named subgroup on or off."""

    kind: ClassVar[str] = "toggle_subgroup"
    name: str


@dataclass(frozen=True)
class SetSubgroups(Action):
    """Choose the active subgroups, in that order."""

    kind: ClassVar[str] = "set_subgroups"
    names: tuple[str, ...]


@dataclass(frozen=True)
class SetEndpoint(Action):
    kind: ClassVar[str] = "endpoint"
    name: str


@dataclass(frozen=True)
class SetComparison(Action):
    kind: ClassVar[str] = "comparison"
    name: str


@dataclass(frozen=True)
class SetVisit(Action):
    """Look at one visit; None looks at all the endpoint's visits."""

    kind: ClassVar[str] = "visit"
    visit: float | None


@dataclass(frozen=True)
class SetPopulation(Action):
    kind: ClassVar[str] = "population"
    name: str


@dataclass(frozen=True)
class SetOption(Action):
    """An analysis option (covariance, df, method); an empty value returns to the study's own."""

    kind: ClassVar[str] = "option"
    name: str
    value: str


@dataclass(frozen=True)
class OpenArm(Action):
    """List the subjects of an arm."""

    kind: ClassVar[str] = "arm"
    arm: str


@dataclass(frozen=True)
class OpenSubject(Action):
    """Show one subject's profile; ``record`` is the 1-based record number in ADSL."""

    kind: ClassVar[str] = "subject"
    record: int


@dataclass(frozen=True)
class OpenTable(Action):
    """Browse one table of the snapshot."""

    kind: ClassVar[str] = "table"
    table: str


@dataclass(frozen=True)
class Back(Action):
    """One level up; at the top of a screen nothing happens."""

    kind: ClassVar[str] = "back"


@dataclass(frozen=True)
class Undo(Action):
    """Return to the choices before the last change (subgroups, endpoint, comparison, visit, population, options)."""

    kind: ClassVar[str] = "undo"


@dataclass(frozen=True)
class Redo(Action):
    kind: ClassVar[str] = "redo"


KINDS: dict[str, type[Action]] = {
    cls.kind: cls
    for cls in (
        Open,
        GoTo,
        SetTab,
        ToggleSubgroup,
        SetSubgroups,
        SetEndpoint,
        SetComparison,
        SetVisit,
        SetPopulation,
        SetOption,
        OpenArm,
        OpenSubject,
        OpenTable,
        Back,
        Undo,
        Redo,
    )
}


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
