"""Everything the app can do, once: the registry that feeds key bindings, footer, palette, ``?``, ``:`` and docs/keys.md.

A command that changes the session carries a function that builds its action from the session and the catalogue; one that
only moves a cursor or opens a dialog names the method that does it (``do_<method>`` of the focused view, else of the app).
``argument`` says what a command takes on the command line: ``:endpoint alsfrs`` and the palette entry of the same meaning
build the same action. Imports no terminal library.

``model`` says what a command is; ``screens``, ``moving``, ``subgroups``, ``choosing``, ``showing`` and ``general`` list them
by subject; ``registry`` finds them by key and word; ``palette`` fills in arguments; ``reference`` writes the page of keys.
"""

from alsbench.tui.commands.keys import FORBIDDEN_KEYS, TEXTUAL_KEYS, key_label
from alsbench.tui.commands.model import Command
from alsbench.tui.commands.palette import THEMES, Entry, choices, common_start, completions, entries
from alsbench.tui.commands.reference import keys_markdown
from alsbench.tui.commands.registry import COMMANDS, Registry
from alsbench.tui.commands.screens import SCREEN_TITLES

__all__ = [
    "COMMANDS",
    "FORBIDDEN_KEYS",
    "SCREEN_TITLES",
    "TEXTUAL_KEYS",
    "THEMES",
    "Command",
    "Entry",
    "Registry",
    "choices",
    "common_start",
    "completions",
    "entries",
    "key_label",
    "keys_markdown",
]
