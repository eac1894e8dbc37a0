"""``alsbench config``: a user's own settings, shown and checked."""

from __future__ import annotations

import typer

from alsbench.cli.common import Common, command
from alsbench.cli.output import show
from alsbench.cli.tui import checked_settings
from alsbench.settings import KEYS, KNOWN, Settings, settings_path


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True, help="Your own settings: theme, keys, ASCII, default format", rich_markup_mode=None
    )
    command(group, "show", configured=False, placed=False)(show_settings)
    command(group, "path", configured=False, placed=False)(path)
    command(group, "validate", configured=False, placed=False)(validate)
    app.add_typer(group, name="config")


def show_settings(common: Common) -> None:
    """Every setting: its value, and whether it is the default."""
    from alsbench.render.sheet import Field, Sheet  # waits: rich
    from alsbench.service.output import sheets_output  # waits: rich

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
    show(common, sheets_output(common.access, Sheet("settings", "Settings", fields, tuple(records), facts)))


def path(common: Common) -> None:
    """Where the settings are looked for."""
    from alsbench.service.output import Output  # waits: rich

    show(common, Output(lambda _form: [f"{settings_path()}\n"]))


def validate(common: Common) -> None:
    """Check the file: unknown names, values that are none, keys that are taken. Exits 2 where something is wrong."""
    checked_settings()
    common.note(f"{settings_path()}: {'valid' if settings_path().is_file() else 'not there; every setting has its default'}")


def _word(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
