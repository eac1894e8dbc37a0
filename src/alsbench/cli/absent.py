"""Commands this version does not have: they say so instead of failing as typing errors, and are not listed."""

from __future__ import annotations

from collections.abc import Callable

import typer

from alsbench.errors import UnavailableError

ABSENT = {
    "config": "configuration commands",
}
_LENIENT = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    """Add each as a hidden command that takes anything."""
    for name, what in ABSENT.items():
        app.command(name, hidden=True, context_settings=_LENIENT)(_refusal(name, what))


def _refusal(name: str, what: str) -> Callable[[], None]:
    def refuse() -> None:
        raise UnavailableError(f"not in this version: {what} (alsbench {name})", hint="alsbench --help lists what is")

    return refuse
