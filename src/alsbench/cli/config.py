"""``alsbench config``: a user's own settings, shown and checked."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import typer

from alsbench.cli.common import Common, command

if TYPE_CHECKING:
    from alsbench.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True, help="Your own settings: theme, keys, ASCII, default format", rich_markup_mode=None
    )
    command(group, "show", configured=False, placed=False)(show)
    command(group, "path", configured=False, placed=False)(path)
    command(group, "validate", configured=False, placed=False)(validate)
    app.add_typer(group, name="config")


def show(common: Common) -> None:
    """Every setting: its value, and whether it is the default."""
    from alsbench.cli.output import emit_sheets
    from alsbench.render.sheet import Field, Sheet
    from alsbench.settings import KEYS, KNOWN, Settings, settings_path

    found, default = checked_settings(), Settings()
    records = [
        (n, _word(getattr(found, n)), "default" if getattr(found, n) == getattr(default, n) else "file")
        for n in KNOWN
        if n != KEYS
    ]
    records += [(f"{KEYS}.{name}", " ".join(keys), "file") for name, keys in found.keys.items()]
    fields = (Field("setting", "Setting"), Field("value", "Value"), Field("source", "From"))
    at = settings_path()
    facts = (("File", f"{at}{'' if at.is_file() else ' (not there)'}"),)
    emit_sheets(common, Sheet("settings", "Settings", fields, tuple(records), facts))


def path(common: Common) -> None:
    """Where the settings are looked for."""
    from alsbench.cli.output import write_text
    from alsbench.settings import settings_path

    write_text(common, f"{settings_path()}\n")


def validate(common: Common) -> None:
    """Check the file: unknown names, values that are none, keys that are taken. Exits 2 where something is wrong."""
    from alsbench.settings import settings_path

    checked_settings()
    common.note(f"{settings_path()}: {'valid' if settings_path().is_file() else 'not there; every setting has its default'}")


def checked_settings() -> Settings:
    """The settings, with their keys held against the commands of the app. Raises UsageError."""
    from alsbench.errors import UsageError
    from alsbench.settings import read_settings, settings_path
    from alsbench.study.names import nearest

    found = read_settings()
    if not found.keys:
        return found
    known = importlib.import_module("alsbench.tui.commands")  # by name: shell and app stand beside each other
    commands = {c.id: c for c in known.COMMANDS}
    for name in found.keys:
        where = f"{settings_path()} keys.{name}"
        if name not in commands:
            raise UsageError(f"no command of the app is named {name}", where=where, hint=nearest(name, commands))
        taken = known.FORBIDDEN_KEYS & set(found.keys[name])
        if taken:
            raise UsageError(f"{', '.join(sorted(taken))} cannot be bound", where=where, why="terminals and tmux take it")
        for other in commands.values():
            own = found.keys.get(other.id, other.keys)
            meet = not (other.screens and commands[name].screens) or other.screens & commands[name].screens
            clash = set(own) & set(found.keys[name]) - set(commands[name].keys)
            if other.id != name and meet and clash:
                raise UsageError(
                    f"{', '.join(sorted(clash))} is the key of {other.id}", where=where, hint="give that one another"
                )
    return found


def _word(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
