"""Dialogs over the frame: a text to read (help, shell command, a number opened), a list to choose from (palette), a line to
type, a question to answer. Each closes with ``esc``; none blinks or animates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input

from alsbench.tui.models import Grid, GridRow, grid
from alsbench.tui.theme import Look
from alsbench.tui.widgets.bars import Bar, footer_pieces
from alsbench.tui.widgets.pane import Pane
from alsbench.tui.widgets.table import VirtualTable

MOVES: dict[str, tuple[str, int]] = {
    "j": ("row", 1), "down": ("row", 1), "k": ("row", -1), "up": ("row", -1), "ctrl+d": ("half", 1), "ctrl+u": ("half", -1),
    "pagedown": ("page", 1), "space": ("page", 1), "pageup": ("page", -1), "g": ("end", -1), "home": ("end", -1),
    "G": ("end", 1), "end": ("end", 1),
}  # fmt: skip


class Dialog(ModalScreen[Any], inherit_bindings=False):
    """Base: an opaque screen with a title and a footer line."""

    DEFAULT_CSS = """
    Dialog { background: $background; layout: vertical; }
    """
    ALLOW_SELECT = False

    def __init__(self, look: Look, title: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.look = look
        self.head = Bar(look)
        self.foot = Bar(look)
        self.head.show([(f" {title}", "key")])
        self._keys = tuple(keys)

    def on_mount(self) -> None:
        self.foot.show(footer_pieces(self._keys, "", self.size.width or 80))

    def on_resize(self) -> None:
        self.foot.show(footer_pieces(self._keys, "", self.size.width or 80))

    def say(self, text: str) -> None:
        self.foot.show(footer_pieces(self._keys, text + " ", self.size.width))


class Reader(Dialog):
    """A text to read. ``esc``, ``q`` or ``enter`` closes; keys of ``actions`` run something and say what they did."""

    def __init__(
        self, look: Look, title: str, lines: Sequence[Text], actions: dict[str, tuple[str, Callable[[], str]]] | None = None
    ) -> None:
        self.actions = actions or {}
        super().__init__(
            look, title, [("esc", "close"), *((k, label) for k, (label, _) in self.actions.items()), ("j k", "scroll")]
        )
        self.pane = Pane(look)
        self.pane.lines = tuple(lines)

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.pane
        yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.pane.focus(scroll_visible=False)

    def on_key(self, event: Key) -> None:
        event.stop()
        if event.key in {"escape", "q", "enter", "question_mark"}:
            self.dismiss(None)
        elif event.key in self.actions:
            self.say(self.actions[event.key][1]())
        elif event.key in MOVES:
            scroll(self.pane, event.key)


class Picker(Dialog):
    """A list with a line to type in: every word typed must occur. Returns the chosen index of ``find``'s list, or None.

    ``find(query)`` gives (what is returned, columns of text). With ``marks`` the list is a check-list: ``space`` toggles and
    ``enter`` returns the set of chosen values.
    """

    def __init__(
        self,
        look: Look,
        title: str,
        find: Callable[[str], Sequence[tuple[Any, tuple[str, ...]]]],
        *,
        heads: Sequence[str] = ("", "", ""),
        marks: Sequence[Any] | None = None,
        query: bool = True,
    ) -> None:
        keys = [("enter", "choose"), ("esc", "close")]
        super().__init__(look, title, [*keys, ("space", "on/off")] if marks is not None else keys)
        self.find = find
        self.heads = heads
        self.marks = list(marks) if marks is not None else None
        self.query_line = QuietInput(placeholder="type any words", classes="line") if query else None
        self.table = VirtualTable(look, row_cursor=True)
        self.found: Sequence[tuple[Any, tuple[str, ...]]] = ()

    def compose(self) -> ComposeResult:
        yield self.head
        if self.query_line is not None:
            yield self.query_line
        yield self.table
        yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.search("")
        (self.query_line or self.table).focus(scroll_visible=False)

    def search(self, query: str) -> None:
        self.found = self.find(query)
        glyphs = self.look.glyphs
        rows = []
        for value, texts in self.found:
            mark = () if self.marks is None else (glyphs.on if value in self.marks else glyphs.off,)
            rows.append(GridRow(tuple((t, "") for t in (*mark, *texts)), source=value))
        heads = (["", *self.heads] if self.marks is not None else list(self.heads))[: len(rows[0].cells) if rows else 1]
        self.table.placeholder = "nothing matches"
        model = Grid((grid(heads, rows, frozen=1, most=70),))
        if len(model) == len(self.table.model):
            self.table.update_model(model)
        else:
            self.table.show(model)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.search(event.value)
        self.table.go(0)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.choose()

    def choose(self) -> None:
        if self.marks is not None:
            self.dismiss(tuple(self.marks))
        elif self.table.cursor_row < len(self.found):
            self.dismiss(self.found[self.table.cursor_row][0])

    def on_key(self, event: Key) -> None:
        key = event.key
        typing = self.query_line is not None
        if key == "escape" or (key == "q" and not typing):
            event.stop()
            self.dismiss(None)
        elif key in {"up", "down", "pageup", "pagedown", "ctrl+n", "ctrl+p"} or (
            not typing and key in MOVES and key != "space"
        ):
            event.stop()
            event.prevent_default()
            scroll(self.table, {"ctrl+n": "down", "ctrl+p": "up"}.get(key, key))
        elif key == "enter" and not typing:
            event.stop()
            self.choose()
        elif key == "space" and self.marks is not None and self.table.cursor_row < len(self.found):
            event.stop()
            value = self.found[self.table.cursor_row][0]
            self.marks = [m for m in self.marks if m != value] if value in self.marks else [*self.marks, value]
            self.search(self.query_line.value if self.query_line else "")


class Prompt(Dialog):
    """One line to type; returns the text, or None. ``check`` says what is wrong with it while typing."""

    def __init__(
        self, look: Look, title: str, value: str = "", *, hint: str = "", check: Callable[[str], str] | None = None
    ) -> None:
        super().__init__(look, title, [("enter", "accept"), ("esc", "close")])
        self.line = QuietInput(value=value, classes="line")
        self.note = Pane(look)
        self.hint = hint
        self.check = check

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.line
        yield self.note
        yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.line.focus(scroll_visible=False)
        self.show_note(self.line.value)

    def show_note(self, value: str) -> None:
        said = self.check(value) if self.check else ""
        self.note.show(
            [Text(line, self.look["warn"] if said else self.look["dim"]) for line in (said or self.hint).split("\n")]
        )

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.show_note(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)

    def on_key(self, event: Key) -> None:
        if event.key == "escape":
            event.stop()
            self.dismiss(None)


class Confirm(Dialog):
    """A question; ``y`` returns True, anything else False."""

    def __init__(self, look: Look, question: str, lines: Sequence[str] = ()) -> None:
        super().__init__(look, question, [("y", "yes"), ("n", "no")])
        self.pane = Pane(look)
        self.pane.lines = tuple(Text(line) for line in lines)

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.pane
        yield self.foot

    def on_key(self, event: Key) -> None:
        event.stop()
        self.dismiss(event.key == "y")


class QuietInput(Input):
    """An input line whose cursor does not blink."""

    DEFAULT_CSS = """
    QuietInput, QuietInput:focus { border: none; height: 1; padding: 0; background: $background; }
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cursor_blink = False
        self.select_on_focus = False


def scroll(target: VirtualTable | Pane, key: str) -> None:
    """Move a table's cursor or a pane by a key."""
    kind, step = MOVES[key]
    if kind == "row":
        target.move(rows=step)
    elif kind == "half":
        target.move(rows=step * max(target.page // 2, 1))
    elif kind == "page":
        target.move(rows=step * target.page)
    else:
        target.go(0 if step < 0 else 10**9)
