"""Everything the app can do, once: the registry that feeds key bindings, footer, palette, ``?``, ``:`` and docs/keys.md.

A command that changes the session carries a function that builds its action from the session and the catalogue; one that
only moves a cursor or opens a dialog is done by the method of its name (``do_...`` of the view shown, the app or a part of it).
``argument`` says what a command takes on the command line: ``:endpoint alsfrs`` and the palette entry of the same meaning
build the same action. Imports no terminal library.

``model`` says what a command is; ``table`` lists them; ``registry`` finds them by key and word and fills in arguments.
"""

from alsbench.tui.commands.model import FORBIDDEN_KEYS, TEXTUAL_KEYS, Command, key_label
from alsbench.tui.commands.registry import (
    THEMES,
    PaletteEntry,
    Registry,
    choices,
    common_start,
    completions,
    entries,
    keys_markdown,
)
from alsbench.tui.commands.table import COMMANDS, SCREEN_TITLES

__all__ = [
    "COMMANDS",
    "FORBIDDEN_KEYS",
    "SCREEN_TITLES",
    "TEXTUAL_KEYS",
    "THEMES",
    "Command",
    "PaletteEntry",
    "Registry",
    "choices",
    "common_start",
    "completions",
    "entries",
    "key_label",
    "keys_markdown",
]
