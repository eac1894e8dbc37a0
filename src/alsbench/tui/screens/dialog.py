"""What every dialog is: an opaque screen with a title and a footer line, and a key taken at once.

The app hands a dialog its keys one by one (:meth:`Dialog.take`), never by way of the focused widget: a key typed right after
the one that opened or closed a dialog finds the screen it was typed for, however fast it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input

from alsbench.tui.theme import Look
from alsbench.tui.widgets.bars import Bar, footer_pieces
from alsbench.tui.widgets.pane import Pane
from alsbench.tui.widgets.table import VirtualTable

MOVES: dict[str, tuple[str, int]] = {
    "j": ("row", 1), "down": ("row", 1), "k": ("row", -1), "up": ("row", -1), "ctrl+d": ("half", 1), "ctrl+u": ("half", -1),
    "pagedown": ("page", 1), "ctrl+f": ("page", 1), "space": ("page", 1), "pageup": ("page", -1), "g": ("end", -1),
    "home": ("end", -1), "G": ("end", 1), "end": ("end", 1),
}  # fmt: skip


class Dialog(ModalScreen[Any], inherit_bindings=False):
    """Base: an opaque screen with a title and a footer line. ``esc`` closes it."""

    DEFAULT_CSS = """
    Dialog { background: $background; layout: vertical; }
    """
    ALLOW_SELECT = False
    lets_through = False  # whether the keys of the screens leave it for their screen

    def __init__(self, look: Look, title: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.look = look
        self.head = Bar(look)
        self.foot = Bar(look)
        self.head.show([(f" {title}", "key")])
        self._keys = tuple(keys)
        self._said = ""

    def on_mount(self) -> None:
        self.show_foot()

    def on_resize(self) -> None:
        self.show_foot()

    def show_foot(self) -> None:
        self.foot.show(footer_pieces(self._keys, f"{self._said} " if self._said else "", self.size.width or 80))

    def say(self, text: str) -> None:
        """Say something in the footer."""
        self._said = text
        self.show_foot()

    def cancelled(self, count: int) -> None:
        """Running work was told to stop: so many pieces of it."""
        self.say(f"cancelled {count} running" if count else "nothing is running; esc goes back")

    def leave(self) -> None:
        """Another screen is gone to: end what this dialog has running."""

    @property
    def ascii(self) -> bool:
        return not self.look.glyphs.dots

    async def take(self, event: Key) -> None:
        """Do what a key says."""
        if event.key == "escape":
            self.dismiss(None)


class QuietInput(Input):
    """An input line whose cursor does not blink. ``take`` does at once what a key says."""

    DEFAULT_CSS = """
    QuietInput, QuietInput:focus { border: none; height: 1; padding: 0; background: $background; }
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cursor_blink = False
        self.select_on_focus = False

    async def take(self, event: Key) -> None:
        """Insert a character, or do the editing that a key is bound to."""
        if event.is_printable and event.character:
            if self.selection.is_empty:
                self.insert_text_at_cursor(event.character)
            else:
                self.replace(event.character, *self.selection)
            return
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            await self.run_action(binding.action)


def scroll(target: VirtualTable | Pane, key: str) -> None:
    """Move a table's cursor or a pane by a key of :data:`MOVES`."""
    kind, step = MOVES[key]
    if kind == "row":
        target.move(rows=step)
    elif kind == "half":
        target.move(rows=step * max(target.page // 2, 1))
    elif kind == "page":
        target.move(rows=step * target.page)
    else:
        target.go(0 if step < 0 else 10**9)
