"""Moving about: open and back, the cursor, the filter, from subject to subject."""

from __future__ import annotations

from alsbench.tui.commands.model import MOVE, Command, on_data, on_profile, on_table
from alsbench.tui.session import Session


def _deep(session: Session) -> bool:
    place = session.place
    inside = (place.screen == "arms" and (place.arm or place.record)) or (place.screen == "data" and place.table)
    return bool(place.origin or inside)


COMMANDS: tuple[Command, ...] = (
    Command(
        "open",
        "Open",
        ("enter",),
        "Open what is under the cursor",
        "open",
        group=MOVE,
        footer="open",
        rank=1,
        when=on_table,
    ),
    Command("back", "Back", ("escape",), "Back one level; never quits", "back", group=MOVE, footer="back", rank=2, shown=_deep),
    Command("up", "Up", ("k", "up"), "One row up", "up", group=MOVE),
    Command("down", "Down", ("j", "down"), "One row down", "down", group=MOVE),
    Command("left", "Left", ("h", "left"), "One column left", "left", group=MOVE),
    Command("right", "Right", ("l", "right"), "One column right", "right", group=MOVE),
    Command("top", "First row", ("g", "home"), "First row", "top", group=MOVE),
    Command("bottom", "Last row", ("G", "end"), "Last row", "bottom", group=MOVE),
    Command("half_down", "Half a page down", ("ctrl+d",), "Half a page down", "half_down", group=MOVE),
    Command("half_up", "Half a page up", ("ctrl+u",), "Half a page up", "half_up", group=MOVE),
    Command("page_down", "Page down", ("pagedown", "ctrl+f"), "A page down", "page_down", group=MOVE),
    Command("page_up", "Page up", ("pageup",), "A page up", "page_up", group=MOVE),
    Command("row", "Go to row", (), "Go to a row by its number, counted from 1", "row", argument="row number", group=MOVE),
    Command("filter", "Filter", ("/",), "Show only the rows that hold a text; on Data, an expression", "filter", group=MOVE),
    Command(
        "search",
        "Search",
        ("w",),
        "Where a text is: go to the rows that hold it in any column",
        "search",
        argument="text",
        group=MOVE,
        screens=frozenset({"data"}),
        when=on_data,
        footer="search",
        rank=8,
    ),
    Command("next_match", "Next match", ("n",), "Next row that matches the filter or the search", "next_match", group=MOVE),
    Command("previous_match", "Previous match", ("N",), "Previous row that matches", "previous_match", group=MOVE),
    Command(
        "subject.next",
        "Next subject",
        ("]",),
        "Next subject of the arm",
        "next_subject",
        group=MOVE,
        screens=frozenset({"arms"}),
        when=on_profile,
        footer="next",
        rank=3,
    ),
    Command(
        "subject.previous",
        "Previous subject",
        ("[",),
        "Previous subject of the arm",
        "previous_subject",
        group=MOVE,
        screens=frozenset({"arms"}),
        when=on_profile,
        footer="previous",
        rank=4,
    ),
)
