"""The reference page of keys, made from the registry: ``python -m alsbench.tui.commands > docs/keys.md``."""

from __future__ import annotations

from alsbench.tui.commands.keys import key_label
from alsbench.tui.commands.registry import Registry
from alsbench.tui.commands.screens import SCREEN_TITLES
from alsbench.tui.session import SCREENS


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
