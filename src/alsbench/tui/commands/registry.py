"""The registry: every command with its keys, possibly overridden; which key does what where; what words find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from alsbench.tui.commands import choosing, general, moving, screens, showing, subgroups
from alsbench.tui.commands.keys import FORBIDDEN_KEYS, key_label
from alsbench.tui.commands.model import Command
from alsbench.tui.session import Session

COMMANDS: tuple[Command, ...] = (
    *screens.COMMANDS,
    *moving.COMMANDS,
    *subgroups.COMMANDS,
    *choosing.COMMANDS,
    *showing.COMMANDS,
    *general.COMMANDS,
)


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
        offered = (c for c in self.available(session) if c.rank and c.keys and (c.shown is None or c.shown(session)))
        shown = sorted(offered, key=lambda c: c.rank)
        ends = [key_label(c.keys[0]) for c in screens.COMMANDS for c in (self[c.id],) if c.keys]
        leads = (("-".join(dict.fromkeys((min(ends), max(ends)))), "screens"),) if ends else ()
        return (*((key_label(c.keys[0]), c.footer) for c in shown), *leads)


def haystack(command: Command) -> str:
    """All words by which a command is found."""
    keys = " ".join(key_label(k) for k in command.keys)
    return f"{command.id} {command.name} {command.group} {command.help} {keys}".lower()
