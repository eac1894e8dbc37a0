"""Keys: how they are written, how Textual calls them, which cannot be bound."""

from __future__ import annotations

# Textual's names for characters that are not names themselves.
TEXTUAL_KEYS = {
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "{": "left_curly_bracket",
    "}": "right_curly_bracket",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "?": "question_mark",
    "/": "slash",
    ":": "colon",
}
FORBIDDEN_KEYS = frozenset({"ctrl+b", "ctrl+h", "ctrl+i", "ctrl+j"})  # tmux and terminals take them
KEY_NAMES = {"escape": "esc", "pagedown": "PgDn", "pageup": "PgUp"}


def key_label(key: str) -> str:
    """A key as written in help: ``^p`` for ctrl+p, ``esc``."""
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return KEY_NAMES.get(key, key)
