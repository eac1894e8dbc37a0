"""The registry: every command with its keys, possibly overridden; which key does what where; what words find. The palette and
the command line: commands with their arguments filled in from what there is to choose from. The page of keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from alsbench.tui.commands.model import FORBIDDEN_KEYS, Command, key_label
from alsbench.tui.commands.table import COMMANDS, SCREEN_TITLES
from alsbench.tui.session import SCREENS, Catalogue, CatalogueItem, Session

THEMES = ("dark", "light", "ansi", "contrast")
LINEUPS = {"months": "means by visit", "km": "Kaplan-Meier", "forest": "forest", "evidence": "evidence"}


class Registry:
    """The commands of a session, with keys possibly overridden: ``keymap`` maps a command id to its keys."""

    def __init__(self, commands: tuple[Command, ...] = COMMANDS, keymap: Mapping[str, tuple[str, ...]] | None = None) -> None:
        keymap = keymap or {}
        known = {c.id for c in commands}
        for name, keys in keymap.items():
            if name not in known:
                raise ValueError(f"no command is named {name!r}")
            if FORBIDDEN_KEYS & set(keys):
                raise ValueError(f"{name}: {', '.join(sorted(FORBIDDEN_KEYS & set(keys)))} cannot be bound")
        self.commands = tuple(replace(c, keys=tuple(keymap[c.id])) if c.id in keymap else c for c in commands)
        self._by_id = {c.id: c for c in self.commands}

    def __getitem__(self, command_id: str) -> Command:
        return self._by_id[command_id]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key bound to something, once."""
        return tuple(dict.fromkeys(k for c in self.commands for k in c.keys))

    def for_key(self, key: str, session: Session) -> Command | None:
        """The command a key runs where the session stands."""
        return next((c for c in self.commands if key in c.keys and c.enabled(session)), None)

    def available(self, session: Session) -> tuple[Command, ...]:
        return tuple(c for c in self.commands if c.enabled(session))

    def footer(self, session: Session) -> tuple[tuple[str, str], ...]:
        """(key, label) pairs of the footer, most useful first."""
        offered = (c for c in self.available(session) if c.keys and (c.shown is None or c.shown(session)))
        shown = sorted(((*c.footer[::-1], c.keys[0]) for c in offered if c.footer), key=lambda f: f[0])
        ends = [key_label(c.keys[0]) for c in self.commands if c.group == "Screens" and c.keys]
        leads = (("-".join(dict.fromkeys((min(ends), max(ends)))), "screens"),) if ends else ()
        return (*((key_label(key), label) for _, label, key in shown), *leads)


def haystack(command: Command) -> str:
    """All words by which a command is found."""
    keys = " ".join(key_label(k) for k in command.keys)
    return f"{command.id} {command.name} {command.group} {command.help} {keys}".lower()


@dataclass(frozen=True)
class PaletteEntry:
    """A line of the palette: a command, with its argument filled in where it takes one."""

    command: Command
    argument: str = ""
    label: str = ""
    elsewhere: str = ""  # where the command does something, if not here


def entries(registry: Registry, session: Session, catalogue: Catalogue, query: str = "") -> tuple[PaletteEntry, ...]:
    """What the palette offers for a query: commands, and commands with each of their arguments; with a query also those of
    other places, last."""
    found: list[PaletteEntry] = []
    words = query.lower().split()
    for command in registry.available(session):
        known = choices(command.argument, session, catalogue)
        if not command.argument or command.keys or not known:
            found.append(PaletteEntry(command, "", command.name))
        found.extend(PaletteEntry(command, i.name, f"{command.name}: {i.label}") for i in known)
    if words:
        here = {c.id for c in registry.available(session)}
        found += [PaletteEntry(c, "", c.name, elsewhere(c)) for c in registry.commands if c.id not in here]
    hits = [e for e in found if all(w in f"{e.label} {e.argument} {haystack(e.command)}".lower() for w in words)]
    return tuple(sorted(hits, key=lambda e: (bool(e.elsewhere), not all(w in e.label.lower() for w in words))))


def elsewhere(command: Command) -> str:
    """Where a command does something that does nothing here."""
    return " and ".join(SCREEN_TITLES[s][0] for s in SCREENS if s in command.screens) or "a table"


def choices(argument: str, session: Session, catalogue: Catalogue) -> tuple[CatalogueItem, ...]:
    """What an argument of that kind can be."""
    if argument == "visit":
        visits = catalogue.visits_of(session.choice.endpoint)
        return (CatalogueItem("all", "all visits"), *(CatalogueItem(f"{v:g}") for v in visits))
    if argument == "theme":
        return tuple(CatalogueItem(t) for t in THEMES)
    if argument == "lineup":
        return tuple(CatalogueItem(view, title) for view, title in LINEUPS.items())
    known: dict[str, tuple[CatalogueItem, ...]] = {
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


def keys_markdown(registry: Registry | None = None) -> str:
    """The reference page ``docs/keys.md``: every command by group."""
    registry = registry or Registry()
    lines = ["# Keys", "", "Made from the command registry; `?` in the app shows the part that applies where you are.", ""]
    for group in dict.fromkeys(c.group for c in registry.commands):
        lines += [f"## {group}", "", "| keys | command | what it does | where |", "|---|---|---|---|"]
        for c in (c for c in registry.commands if c.group == group):
            keys = " ".join(f"`{key_label(k)}`" for k in c.keys) or f"`:{c.id}`"
            where = ", ".join(SCREEN_TITLES[s][0] for s in SCREENS if s in c.screens) or "everywhere"
            lines.append(f"| {keys} | {c.name} | {c.help} | {where} |")
        lines.append("")
    return "\n".join(lines)
