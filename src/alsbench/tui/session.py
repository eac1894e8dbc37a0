"""Where a session stands, and how an action moves it: one frozen :class:`Session`, one pure :func:`reduce`.

Screens watch the session and own no choices themselves, so that a recorded list of actions rebuilds every view. A
:class:`Choice` is what is asked of the data and can be undone; a :class:`ScreenPlace` is what is on the screen and cannot.
Imports no terminal library: ``alsbench replay`` runs this headless.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from alsbench.tui import actions as act

SCREENS = ("evidence", "arms", "subgroups", "endpoint", "forest", "scrutiny", "safety", "data", "log", "claims")
TABS = ("table", "plot", "difference", "model", "options")
OPTIONS = ("covariance", "df", "method")
HISTORY = 100  # choices kept for undo


@dataclass(frozen=True)
class Choice:
    """What is asked of the data."""

    population: str = ""
    subgroups: tuple[str, ...] = ()
    endpoint: str = ""
    comparison: str = ""
    visit: float | None = None
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ScreenPlace:
    """What is on the screen: a screen, an endpoint tab, and how deep the Arms and Data screens were entered."""

    screen: str = "evidence"
    tab: str = "table"
    arm: str | None = None
    record: int | None = None  # subject, as its record number in ADSL
    table: str | None = None
    origin: str = ""  # the screen this one was opened from, by its figure


@dataclass(frozen=True)
class Session:
    study: str = ""
    snapshot: str = ""
    choice: Choice = field(default_factory=Choice)
    place: ScreenPlace = field(default_factory=ScreenPlace)
    past: tuple[Choice, ...] = ()
    future: tuple[Choice, ...] = ()

    @property
    def screen(self) -> str:
        return self.place.screen

    @property
    def phrases(self) -> tuple[str, ...]:
        """Subgroup phrases shown side by side: overall, then each active subgroup and its complement."""
        return ("overall", *(p for name in self.choice.subgroups for p in (name, f"not {name}")))

    @property
    def options(self) -> dict[str, str]:
        return dict(self.choice.options)

    def choose(self, choice: Choice) -> Session:
        """The session with another choice; the old one can be undone. Unchanged when the choice is the same."""
        if choice == self.choice:
            return self
        return replace(self, choice=choice, past=(*self.past, self.choice)[-HISTORY:], future=())


def reduce(session: Session, action: act.Action) -> Session:
    """The session after ``action``. Pure: the same session and action give the same session, always."""
    choice, place = session.choice, session.place
    match action:
        case act.Open():
            start = Choice(action.population, action.subgroups, action.endpoint, action.comparison)
            return Session(action.study, action.snapshot, start, place)
        case act.GoTo() if action.screen in SCREENS:
            return replace(
                session, place=ScreenPlace(action.screen, place.tab, origin=action.origin if action.origin in SCREENS else "")
            )
        case act.SetTab() if action.tab in TABS:
            return replace(session, place=replace(place, tab=action.tab))
        case act.OpenArm():
            return replace(session, place=replace(place, screen="arms", arm=action.arm, record=None))
        case act.OpenSubject():
            return replace(session, place=replace(place, screen="arms", record=action.record))
        case act.OpenTable():
            return replace(session, place=replace(place, screen="data", table=action.table))
        case act.Back():
            return replace(session, place=_up(place))
        case act.Undo() if session.past:
            *past, last = session.past
            return replace(session, choice=last, past=tuple(past), future=(choice, *session.future))
        case act.Redo() if session.future:
            first, *future = session.future
            return replace(session, choice=first, past=(*session.past, choice), future=tuple(future))
        case _:
            return session.choose(_chosen(choice, action))


def replay(session: Session, actions: Iterable[act.Action]) -> Session:
    """The session after all of ``actions``, in order."""
    for action in actions:
        session = reduce(session, action)
    return session


def _chosen(choice: Choice, action: act.Action) -> Choice:
    """The choice after an action that asks something else of the data."""
    match action:
        case act.ToggleSubgroup():
            on = choice.subgroups
            names = tuple(n for n in on if n != action.name) if action.name in on else (*on, action.name)
            return replace(choice, subgroups=names)
        case act.SetSubgroups():
            return replace(choice, subgroups=tuple(dict.fromkeys(action.names)))
        case act.SetEndpoint():
            return replace(choice, endpoint=action.name, visit=None) if action.name != choice.endpoint else choice
        case act.SetComparison():
            return replace(choice, comparison=action.name)
        case act.SetVisit():
            return replace(choice, visit=action.visit)
        case act.SetPopulation():
            return replace(choice, population=action.name)
        case act.SetOption() if action.name in OPTIONS:
            options = {k: v for k, v in choice.options if k != action.name}
            if action.value:
                options[action.name] = action.value
            return replace(choice, options=tuple(sorted(options.items())))
        case _:
            return choice


def _up(place: ScreenPlace) -> ScreenPlace:
    """One level nearer the top of the screen."""
    if place.screen == "arms" and place.record is not None:
        return replace(place, record=None)
    if place.screen == "arms" and place.arm is not None:
        return replace(place, arm=None)
    if place.screen == "data" and place.table is not None:
        return replace(place, table=None)
    return ScreenPlace(place.origin, place.tab) if place.origin else place


@dataclass(frozen=True)
class CatalogueItem:
    """A thing that can be chosen: its name in the study, and what to call it on the screen."""

    name: str
    title: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        return self.title or self.name


@dataclass(frozen=True)
class Catalogue:
    """What there is to choose from: names from the study and the snapshot, in the order of the study."""

    endpoints: tuple[CatalogueItem, ...] = ()
    comparisons: tuple[CatalogueItem, ...] = ()
    populations: tuple[CatalogueItem, ...] = ()
    subgroups: tuple[CatalogueItem, ...] = ()
    arms: tuple[CatalogueItem, ...] = ()
    tables: tuple[CatalogueItem, ...] = ()
    visits: tuple[tuple[str, tuple[float, ...]], ...] = ()  # endpoint -> analysed visits

    def visits_of(self, endpoint: str) -> tuple[float, ...]:
        return dict(self.visits).get(endpoint, ())

    def arm(self, name: str) -> str:
        """An arm with the label that the study gives it: ``Group 1 (five doses)``."""
        note = next((i.note for i in self.arms if i.name == name), "")
        return f"{name} ({note})" if note and note != name else name

    def label(self, kind: str, name: str) -> str:
        """What to call ``name`` of that kind (``endpoints``, ``arms`` ...); the name itself when unknown."""
        return next((i.label for i in getattr(self, kind) if i.name == name), name)


def neighbour(items: Iterable[CatalogueItem], name: str, step: int) -> str:
    """The name ``step`` places along from ``name``, around the end; the first when ``name`` is not there."""
    names = [item.name for item in items]
    if not names:
        return name
    return names[(names.index(name) + step) % len(names)] if name in names else names[0]


def next_visit(visits: tuple[float, ...], visit: float | None, step: int) -> float | None:
    """The next or previous visit; None ("all visits") stands before the first and after the last."""
    ring: tuple[float | None, ...] = (None, *visits)
    return ring[((ring.index(visit) if visit in ring else 0) + step) % len(ring)]
