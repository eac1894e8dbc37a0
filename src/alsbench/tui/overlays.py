"""Dialogs over the frame: asking for a line, a text to read, a question; help, palette, command line, subgroups, themes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.text import Text

from alsbench.errors import UsageError
from alsbench.tui import actions as act
from alsbench.tui import help as help_pages
from alsbench.tui.commands import SCREEN_TITLES, THEMES, completions, entries
from alsbench.tui.running import Running
from alsbench.tui.safetext import safe
from alsbench.tui.theme import look, theme_name
from alsbench.tui.widgets.bars import Bar
from alsbench.tui.widgets.pane import Pane
from alsbench.tui.widgets.table import VirtualTable


class Overlaid(Running):
    """The frame with its dialogs."""

    def ask(
        self,
        title: str,
        value: str,
        then: Callable[[str], Any],
        *,
        hint: str = "",
        check: Callable[[str], str] | None = None,
        complete: Callable[[str], Sequence[str]] | None = None,
        kind: str = "",
    ) -> None:
        """Ask for a line of text; ``then`` gets it unless the dialog was closed. Lines of a ``kind`` can be recalled."""
        from alsbench.tui.screens.dialogs import Prompt

        past = self.typed.setdefault(kind, []) if kind else []

        def done(text: str | None) -> None:
            if text is None:
                return
            if text.strip() and text not in past[-1:]:
                past.append(text)
            then(text)

        self.push_screen(Prompt(self.look, title, value, hint=hint, check=check, complete=complete, past=tuple(past)), done)

    def read(self, title: str, lines: Sequence[Text], actions: dict[str, tuple[str, Callable[[], str]]] | None = None) -> None:
        """Show a text to read."""
        from alsbench.tui.screens.dialogs import Reader

        self.push_screen(Reader(self.look, title, lines, actions))

    def confirm(self, question: str, lines: Sequence[str], then: Callable[[], None]) -> None:
        from alsbench.tui.screens.dialogs import Confirm

        self.push_screen(Confirm(self.look, question, lines), lambda yes: then() if yes else None)

    def do_help(self) -> None:
        lines = help_pages.keys(self.registry, self.session, self.look, self.size.width)
        self.read(f"Keys on {SCREEN_TITLES[self.session.screen][0]}", lines)

    def do_palette(self) -> None:
        from alsbench.tui.screens.dialogs import Picker

        def find(query: str) -> list[tuple[Any, tuple[str, ...]]]:
            found = entries(self.registry, self.session, self.catalogue, query)
            told = ((e, f"on {e.elsewhere}: {e.command.help}" if e.elsewhere else e.command.help) for e in found)
            return [(e, (safe(e.label), " ".join(help_pages.labels(e.command)), what)) for e, what in told]

        def run(entry: Any) -> None:
            if entry is not None and entry.elsewhere:
                self.status(f"{entry.command.name} does something on {entry.elsewhere}")
            elif entry is not None and entry.command.argument and not (entry.argument or entry.command.keys):
                self.do_command(f"{entry.command.id} ")
            elif entry is not None:
                self.call_next(self.run_command, entry.command, entry.argument)

        self.push_screen(Picker(self.look, "Commands", find, heads=("command", "keys", "what it does")), run)

    def do_command(self, typed: str = "") -> None:
        def check(text: str) -> str:
            found = (
                [e for e in entries(self.registry, self.session, self.catalogue, text) if not e.elsewhere][:12] if text else []
            )
            lines = [(f"{e.command.id} {e.argument}".rstrip(), safe(e.label, ascii=self.ascii)) for e in found]
            room = max((len(line) for line, _ in lines), default=0)
            return "\n".join(f"{line:<{room}}  {label}" for line, label in lines)

        def complete(text: str) -> tuple[str, ...]:
            return completions(self.registry, self.session, self.catalogue, text)

        hint = "a command and its argument; tab completes, up recalls"
        self.ask(
            ":",
            typed,
            lambda text: self.call_next(self.run_line, text),
            hint=hint,
            check=check,
            complete=complete,
            kind="command",
        )

    def do_chips(self) -> None:
        from alsbench.tui.screens.dialogs import Picker

        items = [(i.name, (i.name, safe(i.label), i.note)) for i in self.catalogue.subgroups]

        def done(names: tuple[str, ...] | None) -> None:
            if names is not None:
                self.call_next(self.dispatch_action, act.SetSubgroups(names))

        chosen = self.session.choice.subgroups
        heads = ("subgroup", "label", "defined")
        self.push_screen(Picker(self.look, "Active subgroups", lambda _: items, heads=heads, marks=chosen, query=False), done)

    def do_theme(self, name: str = "") -> None:
        """Switch to a theme, the next one without a name; NO_COLOR stays without colour."""
        if self.look.name == "mono":
            self.status("NO_COLOR is set: no other theme")
            return
        name = name or THEMES[(THEMES.index(self.look.name) + 1) % len(THEMES)]
        if name not in THEMES:
            raise UsageError(f"no theme {name}; known: {', '.join(THEMES)}")
        self.look = look(name, ascii=self.ascii)
        self.theme = theme_name(name)
        for widget in self.query("*"):
            if isinstance(widget, Bar | Pane | VirtualTable):
                widget.look = self.look
                widget.refresh()
        self.status(f"theme {name}")
