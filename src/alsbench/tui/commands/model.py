"""What a command of the app is: name, keys, help, where it does something, and the action it builds or the method it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alsbench.tui import actions as act
from alsbench.tui.session import Catalogue, Session

Build = Callable[[Session, Catalogue], act.Action | None]
WithArgument = Callable[[str], act.Action | None]

MOVE = "Moving"
CHOOSE = "Choosing what is asked"
SHOW = "Showing and taking away"
CHOICE_SCREENS = frozenset({"evidence", "endpoint", "forest", "scrutiny", "safety", "subgroups", "arms"})
ENDPOINT_SCREENS = frozenset({"endpoint", "forest", "scrutiny"})
COMPARISON_SCREENS = frozenset({"endpoint", "forest"})


@dataclass(frozen=True)
class Command:
    """One thing the app can do. Empty ``screens`` means everywhere; ``rank`` orders the footer, 0 leaves a command out;
    ``idle`` is said where it finds nothing to change."""

    id: str
    name: str
    keys: tuple[str, ...]
    help: str
    method: str = ""
    build: Build | None = None
    argument: str = ""
    with_argument: WithArgument | None = None
    screens: frozenset[str] = frozenset()
    group: str = "General"
    footer: str = ""
    rank: int = 0
    when: Callable[[Session], bool] | None = None
    shown: Callable[[Session], bool] | None = None  # whether the footer offers it, where it is enabled
    idle: str = ""

    def enabled(self, session: Session) -> bool:
        """Whether the command does something where the session stands."""
        if self.screens and session.screen not in self.screens:
            return False
        return self.when is None or self.when(session)


def on_profile(session: Session) -> bool:
    """Whether one subject is shown."""
    return session.place.record is not None


def on_data(session: Session) -> bool:
    """Whether the rows of a data table are shown."""
    return session.place.table is not None


def sortable(session: Session) -> bool:
    """Whether there are rows to sort: an arm's subjects, or a data table."""
    place = session.place
    return place.table is not None if place.screen == "data" else place.arm is not None and place.record is None


def on_table(session: Session) -> bool:
    """Whether there are cells under a cursor: not on a profile, a plot or a model's facts."""
    place = session.place
    return place.record is None and not (place.screen == "endpoint" and place.tab in {"plot", "model"})
