"""The ten screens: their titles, what they hold, and the keys that lead to them."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.tui import actions as act
from alsbench.tui.commands.model import Build, Command
from alsbench.tui.session import SCREENS

SCREEN_TITLES: dict[str, tuple[str, str]] = {
    "evidence": ("Evidence", "the whole trial at a glance: endpoints by comparison down, subgroups across"),
    "arms": ("Arms", "arms, their subjects, one subject's profile"),
    "subgroups": ("Subgroups", "who is in each subgroup: toggle, add, edit, delete"),
    "endpoint": ("Endpoint", "one endpoint: table, plot, model, options"),
    "forest": ("Forest", "one endpoint across the subgroups, with interaction p"),
    "scrutiny": ("Scrutiny", "what a sceptical reviewer asks"),
    "safety": ("Safety", "adverse events by class and term, with exposure"),
    "data": ("Data", "any table of the snapshot, paged"),
    "log": ("Log", "looks, loads and exports; the chain verified"),
    "claims": ("Claims", "published numbers beside those of the data"),
}


def _screen_commands() -> Iterator[Command]:
    for number, screen in enumerate(SCREENS, start=1):
        title, what = SCREEN_TITLES[screen]
        yield Command(
            f"screen.{screen}", title, (str(number % 10),), f"Go to {title}: {what}", group="Screens", build=_go(screen)
        )


def _go(screen: str) -> Build:
    return lambda _s, _c: act.GoTo(screen)


COMMANDS: tuple[Command, ...] = tuple(_screen_commands())
