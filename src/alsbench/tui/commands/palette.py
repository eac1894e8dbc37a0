"""The palette and the command line: commands with their arguments filled in from what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alsbench.tui.commands.model import Command
from alsbench.tui.commands.registry import Registry, haystack
from alsbench.tui.commands.screens import SCREEN_TITLES
from alsbench.tui.session import SCREENS, Catalogue, Item, Session

THEMES = ("dark", "light", "ansi", "contrast")


@dataclass(frozen=True)
class Entry:
    """A line of the palette: a command, with its argument filled in where it takes one."""

    command: Command
    argument: str = ""
    label: str = ""
    elsewhere: str = ""  # where the command does something, if not here


def entries(registry: Registry, session: Session, catalogue: Catalogue, query: str = "") -> tuple[Entry, ...]:
    """What the palette offers for a query: commands, and commands with each of their arguments; with a query also those of
    other places, last."""
    found: list[Entry] = []
    words = query.lower().split()
    for command in registry.available(session):
        known = choices(command.argument, session, catalogue)
        if not command.argument or command.keys or not known:
            found.append(Entry(command, "", command.name))
        found.extend(Entry(command, i.name, f"{command.name}: {i.label}") for i in known)
    if words:
        here = {c.id for c in registry.available(session)}
        found += [Entry(c, "", c.name, elsewhere(c)) for c in registry.commands if c.id not in here]
    hits = [e for e in found if all(w in f"{e.label} {e.argument} {haystack(e.command)}".lower() for w in words)]
    return tuple(sorted(hits, key=lambda e: (bool(e.elsewhere), not all(w in e.label.lower() for w in words))))


def elsewhere(command: Command) -> str:
    """Where a command does something that does nothing here."""
    return " and ".join(SCREEN_TITLES[s][0] for s in SCREENS if s in command.screens) or "a table"


def choices(argument: str, session: Session, catalogue: Catalogue) -> tuple[Item, ...]:
    """What an argument of that kind can be."""
    if argument == "visit":
        visits = catalogue.visits_of(session.choice.endpoint)
        return (Item("all", "all visits"), *(Item(f"{v:g}") for v in visits))
    if argument == "theme":
        return tuple(Item(t) for t in THEMES)
    known: dict[str, tuple[Item, ...]] = {
        "endpoint": catalogue.endpoints,
        "comparison": catalogue.comparisons,
        "population": catalogue.populations,
        "subgroup": catalogue.subgroups,
        "arm": catalogue.arms,
        "table": catalogue.tables,
    }
    return known.get(argument, ())


def completions(registry: Registry, session: Session, catalogue: Catalogue, line: str) -> tuple[str, ...]:
    """The command lines that a beginning could become: a command's id, then a name its argument can be."""
    name, space, argument = line.lstrip().partition(" ")
    known = registry.available(session)
    if not space:
        return tuple(f"{c.id} " if c.argument else c.id for c in known if c.id.startswith(name.lower()))
    found = next((c for c in known if c.id == name.lower()), None)
    if found is None:
        return ()
    names = (i.name for i in choices(found.argument, session, catalogue))
    return tuple(f"{found.id} {n}" for n in names if n.lower().startswith(argument.lower()))


def common_start(texts: Sequence[str]) -> str:
    """The longest beginning that all texts share, any case, as the first writes it."""
    if not texts:
        return ""
    first, last = min(t.lower() for t in texts), max(t.lower() for t in texts)
    k = 0
    while k < min(len(first), len(last)) and first[k] == last[k]:
        k += 1
    return texts[0][:k]
