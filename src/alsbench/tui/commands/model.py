"""What a command of the app is: name, keys, help, where it does something, and the action it builds; how keys are written,
how Textual calls them, which cannot be bound."""

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

# Textual's names for characters that are not names themselves.
TEXTUAL_KEYS = {
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "{": "left_curly_bracket",
    "}": "right_curly_bracket",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "?": "question_mark",
    "/": "slash",
    ":": "colon",
}
FORBIDDEN_KEYS = frozenset({"ctrl+b", "ctrl+h", "ctrl+i", "ctrl+j"})  # tmux and terminals take them
KEY_NAMES = {"escape": "esc", "pagedown": "PgDn", "pageup": "PgUp"}


@dataclass(frozen=True)
class Command:
    """One thing the app can do. Empty ``screens`` means everywhere; ``footer`` is its label there and its rank, 1 coming first;
    ``idle`` is said where it finds nothing to change. Without ``build`` it is done by the method :attr:`method`."""

    id: str
    name: str
    keys: tuple[str, ...]
    help: str
    build: Build | None = None
    argument: str = ""
    with_argument: WithArgument | None = None
    screens: frozenset[str] = frozenset()
    group: str = "General"
    footer: tuple[str, int] | None = None
    when: Callable[[Session], bool] | None = None
    shown: Callable[[Session], bool] | None = None  # whether the footer offers it, where it is enabled
    idle: str = ""

    @property
    def method(self) -> str:
        """Who does it has a method of this name: the view shown, the app, or a part of it."""
        return f"do_{self.id.replace('.', '_')}"

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
    return place.record is None and not (place.screen == "endpoint" and place.tab in {"plot", "difference", "model"})


def key_label(key: str) -> str:
    """A key as written in help: ``^p`` for ctrl+p, ``esc``."""
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return KEY_NAMES.get(key, key)
