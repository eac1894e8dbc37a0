"""Pages of text the app makes itself: the keys of a screen, and what to do when a workspace cannot be opened."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

from rich.text import Text

from alsbench.errors import AlsbenchError
from alsbench.tui.commands import SCREEN_TITLES, Command, Registry, key_label
from alsbench.tui.safetext import safe
from alsbench.tui.session import Session
from alsbench.tui.theme import Look

KEYS_WIDTH = 18  # cells of the column of keys


def labels(command: Command) -> tuple[str, ...]:
    return tuple(key_label(k) for k in command.keys)


def keys(registry: Registry, session: Session, look: Look, width: int = 80) -> list[Text]:
    """Every command that does something on this screen, by group; what is special to the screen stands first."""
    title, what = SCREEN_TITLES[session.screen]
    lines = [Text(f"{title}: {what}", look["bold"])]
    commands = registry.available(session)
    special = [c for c in commands if c.screens and len(c.screens) < 3]
    groups: dict[str, list[Command]] = {"Here": special} if special else {}
    for command in commands:
        if command not in special:
            groups.setdefault(command.group, []).append(command)
    for group, members in groups.items():
        lines += [Text(), Text(group, look["head"])]
        for c in members:
            shown = " ".join(labels(c)) or f":{c.id}"
            parts = wrap(c.help, max(width - KEYS_WIDTH, 20))
            heads = [f"  {shown:<{KEYS_WIDTH - 2}}", *[" " * KEYS_WIDTH] * (len(parts) - 1)]
            lines += [Text.assemble((h, look["bold"]), (p, look["text"])) for h, p in zip(heads, parts, strict=True)]
    return lines


def failure(error: AlsbenchError, workspace: Path, look: Look) -> list[Text]:
    """Why nothing is shown, and what to press or type."""
    lines = [Text("This workspace cannot be opened", look["error"]), Text()]
    lines += [Text(safe(part), look["text"]) for part in error.message.split("\n")]
    lines += [
        Text(),
        Text(f"  r  try again          q  quit          workspace  {safe(workspace)}", look["dim"]),
        Text("  alsbench load PATH... -w DIR   puts data into a workspace", look["dim"]),
        Text("  alsbench demo                  opens a sample trial", look["dim"]),
    ]
    return lines
