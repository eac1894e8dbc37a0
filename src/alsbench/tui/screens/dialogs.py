"""Dialogs over the frame: a text to read (help, shell command, a record), a list to choose from (palette), a line to type, a
question to answer. Each closes with ``esc``; none blinks or animates.

The app hands a dialog its keys one by one (:meth:`Dialog.take`), never by way of the focused widget: a key typed right after
the one that opened or closed a dialog finds the screen it was typed for, however fast it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from textual.widgets.input import Selection

from alsbench.tui.cell_text import safe
from alsbench.tui.commands import common_start
from alsbench.tui.table_models import GridModel, GridRow, grid
from alsbench.tui.theme import Appearance
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

    def __init__(self, look: Appearance, title: str, keys: Sequence[tuple[str, str]]) -> None:
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


ReaderActions = dict[str, tuple[str, Callable[[], str]]]  # key: what it does in the footer, and doing it


class Reader(Dialog):
    """A text to read. ``esc``, ``q`` or ``enter`` closes; ``/`` searches, ``n N`` go on; keys of ``actions`` run something and
    say what they did."""

    lets_through = True

    def __init__(
        self,
        look: Appearance,
        title: str,
        lines: Sequence[Text],
        actions: dict[str, tuple[str, Callable[[], str]]] | None = None,
    ) -> None:
        self.actions = actions or {}
        offered = ((k, label) for k, (label, _) in self.actions.items())
        super().__init__(look, title, [("esc", "close"), *offered, ("j k", "scroll"), ("/", "search")])
        self.pane = Pane(look)
        self.pane.lines = tuple(lines)
        self.wanted = ""

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.pane
        yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.set_focus(self.pane, scroll_visible=False)

    async def take(self, event: Key) -> None:
        if event.key in {"escape", "q", "enter", "question_mark"}:
            self.dismiss(None)
        elif event.key in self.actions:
            self.say(self.actions[event.key][1]())
        elif event.key == "slash":
            self.app.push_screen(Prompt(self.look, "/", self.wanted, hint="go to a line that holds this text"), self.search)
        elif event.key in {"n", "N"}:
            self.next_match(1 if event.key == "n" else -1)
        elif event.key in MOVES:
            scroll(self.pane, event.key)

    def search(self, text: str | None) -> None:
        """Go to the first line from here on that holds a text."""
        if text is not None:
            self.wanted = text
            self.next_match(0)

    def next_match(self, step: int) -> None:
        """Bring the next line that holds the text to the top, around the end."""
        if not self.wanted:
            self.say("nothing searched; / searches")
            return
        at, hits = self.pane.find(self.wanted, step)
        said = f"{at} of {hits}" if hits else "not here"
        self.say(f"/{safe(self.wanted, ascii=self.ascii)}: {said}")


class Picker(Dialog):
    """A list with a line to type in: every word typed must occur. Returns what was chosen of ``find``'s list, or None.

    ``find(query)`` gives (what is returned, columns of text). With ``marks`` the list is a check-list: ``space`` toggles and
    ``enter`` returns the set of chosen values. Without ``query`` the line opens with ``/``.
    """

    def __init__(
        self,
        look: Appearance,
        title: str,
        find: Callable[[str], Sequence[tuple[Any, tuple[str, ...]]]],
        *,
        heads: Sequence[str] = ("", "", ""),
        marks: Sequence[Any] | None = None,
        query: bool = True,
    ) -> None:
        keys = [("enter", "choose"), ("esc", "close" if marks is None else "leave as it was")]
        keys += [("space", "on/off")] if marks is not None else []
        super().__init__(look, title, keys if query else [*keys, ("/", "filter")])
        self.find = find
        self.heads = heads
        self.marks = list(marks) if marks is not None else None
        self.typing = query
        self.opens_typing = query
        self.line = QuietInput(placeholder="type any words", classes="line")
        self.line.display = query
        self.table = VirtualTable(look, row_cursor=True)
        self.found: Sequence[tuple[Any, tuple[str, ...]]] = ()

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.line
        yield self.table
        yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.search("")
        self.set_focus(self.line if self.typing else self.table, scroll_visible=False)

    def search(self, query: str) -> None:
        words = query.lower().split()
        found = self.find(query)
        self.found = found if self.opens_typing else [f for f in found if all(w in " ".join(f[1]).lower() for w in words)]
        glyphs = self.look.glyphs
        rows = []
        for value, texts in self.found:
            mark = () if self.marks is None else (glyphs.on if value in self.marks else glyphs.off,)
            rows.append(GridRow(tuple((t, "") for t in (*mark, *texts)), source=value))
        heads = (["", *self.heads] if self.marks is not None else list(self.heads))[: len(rows[0].cells) if rows else 1]
        self.table.placeholder = "nothing matches"
        most = max((self.size.width or 80) // 2, 24)
        model = GridModel((grid(heads, rows, frozen=1 if self.marks is None else 2, most=most),))
        if len(model) == len(self.table.model):
            self.table.update_model(model)
        else:
            self.table.show(model)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()

    def choose(self) -> None:
        if self.marks is not None:
            self.dismiss(tuple(self.marks))
        elif self.table.cursor_row < len(self.found):
            self.dismiss(self.found[self.table.cursor_row][0])

    async def take(self, event: Key) -> None:
        key = event.key
        if key == "escape" and self.typing and not self.opens_typing:
            self.type_query(on=False)
        elif key == "escape" or (key == "q" and not self.typing):
            self.dismiss(None)
        elif key == "enter":
            self.choose()
        elif key == "space" and self.marks is not None:
            self.toggle()
        elif key in {"up", "down", "pageup", "pagedown", "ctrl+n", "ctrl+p"} or (not self.typing and key in MOVES):
            scroll(self.table, {"ctrl+n": "down", "ctrl+p": "up"}.get(key, key))
        elif key == "slash" and not self.typing:
            self.type_query(on=True)
        elif key in {"h", "left", "l", "right"} and not self.typing:
            self.table.move(cols=1 if key in {"l", "right"} else -1)
        elif self.typing:
            before = self.line.value
            await self.line.take(event)
            if self.line.value != before:
                self.search(self.line.value)
                self.table.go(0)

    def type_query(self, *, on: bool) -> None:
        """Open the line to type in, or close it and show everything again."""
        self.typing = self.line.display = on
        if not on:
            self.line.value = ""
            self.search("")
        self.set_focus(self.line if on else self.table, scroll_visible=False)

    def toggle(self) -> None:
        if self.marks is not None and self.table.cursor_row < len(self.found):
            value = self.found[self.table.cursor_row][0]
            self.marks = [m for m in self.marks if m != value] if value in self.marks else [*self.marks, value]
            self.search(self.line.value)


class Prompt(Dialog):
    """A line to type at the bottom, with what is being asked about in view above it; what is prefilled is selected, so that
    typing replaces it. ``check`` says what it makes of the text; of a ``strict`` line that is a fault, and the text is not
    accepted until it is mended. ``tab`` completes, ``up`` and ``down`` recall earlier lines."""

    DEFAULT_CSS = """
    Prompt { background: transparent; }
    Prompt .box { dock: bottom; height: auto; background: $background; }
    Prompt .typed { height: 1; }
    Prompt .typed Static { width: auto; height: 1; }
    """

    def __init__(
        self,
        look: Appearance,
        title: str,
        value: str = "",
        *,
        hint: str = "",
        check: Callable[[str], str] | None = None,
        complete: Callable[[str], Sequence[str]] | None = None,
        past: Sequence[str] = (),
        strict: bool = False,
    ) -> None:
        keys = [("enter", "accept"), ("esc", "close")]
        keys += [("tab", "complete")] if complete else []
        super().__init__(look, title, [*keys, ("up", "earlier")] if past else keys)
        self.title_text = f"{safe(title, ascii=self.ascii)}{'' if len(title) == 1 else ' '}"  # of a key, as it was pressed
        self.line = QuietInput(value=value, classes="line")
        self.note = Pane(look)
        self.hint = hint
        self.check = check
        self.strict = strict
        self.complete = complete
        self.past = (*past, value)
        self.at = len(self.past) - 1

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield self.note
            with Horizontal(classes="typed"):
                yield Static(Text(self.title_text, self.look["key"]))
                yield self.line
            yield self.foot

    def on_mount(self) -> None:
        super().on_mount()
        self.set_focus(self.line, scroll_visible=False)
        self.line.selection = Selection(0, len(self.line.value))
        self.show_note(self.line.value)

    def show_note(self, value: str) -> None:
        said, width = self.check(value) if self.check else "", max(self.size.width or 80, 20)
        lines = [part for line in (said or self.hint).split("\n") for part in (wrap(line, width) if not said else [line])]
        self.note.styles.height = len(lines)
        self.note.show([Text(line, self.look["warn"] if said else self.look["dim"]) for line in lines])

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()

    def on_resize(self) -> None:
        super().on_resize()
        self.show_note(self.line.value)

    async def take(self, event: Key) -> None:
        before = self.line.value
        if event.key == "escape":
            self.dismiss(None)
        elif event.key == "enter":
            if not self.strict or self.check is None or not self.check(self.line.value):
                self.dismiss(self.line.value)
        elif event.key in {"up", "down"}:
            self.recall(1 if event.key == "down" else -1)
        elif event.key == "tab":
            self.fill_in()
        else:
            await self.line.take(event)
        if self.line.value != before:
            self.show_note(self.line.value)

    def put(self, text: str) -> None:
        self.line.value = text
        self.line.cursor_position = len(text)

    def recall(self, step: int) -> None:
        """An earlier line, or the one after it."""
        self.at = max(0, min(self.at + step, len(self.past) - 1))
        self.put(self.past[self.at])

    def fill_in(self) -> None:
        """As much as all the possible lines share; what they are where that adds nothing."""
        found = list(self.complete(self.line.value)) if self.complete else []
        if not found:
            self.say("nothing completes this" if self.complete else "")
            return
        text = common_start(found)
        self.say("" if len(found) == 1 else f"{len(found)} complete this")
        if len(text) >= len(self.line.value):
            self.put(text)


class Confirm(Dialog):
    """A question; ``y`` returns True, anything else False."""

    def __init__(self, look: Appearance, question: str, lines: Sequence[str] = ()) -> None:
        super().__init__(look, question, [("y", "yes"), ("n", "no")])
        self.pane = Pane(look)
        self.pane.lines = tuple(Text(line) for line in lines)

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.pane
        yield self.foot

    async def take(self, event: Key) -> None:
        self.dismiss(event.key == "y")
