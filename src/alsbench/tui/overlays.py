"""Dialogs over the frame: asking for a line, a text to read, a question; help, palette, command line, subgroups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from rich.text import Text

from alsbench.errors import AlsbenchError
from alsbench.tui import actions as act
from alsbench.tui.cell_text import safe
from alsbench.tui.commands import SCREEN_TITLES, Command, PaletteEntry, Registry, completions, entries, key_label
from alsbench.tui.host import Host
from alsbench.tui.screens.dialogs import Confirm, Picker, Prompt, Reader, ReaderActions
from alsbench.tui.session import Session
from alsbench.tui.theme import Appearance

KEYS_WIDTH = 18  # cells of the column of keys


class Overlays:
    """The dialogs of the app. ``run_command`` and ``run_line`` do what the palette and the command line give."""

    def __init__(self, host: Host, run_command: Callable[[Command, str], Any], run_line: Callable[[str], Any]) -> None:
        self.host = host
        self.run_command = run_command
        self.run_line = run_line
        self.typed: dict[str, list[str]] = {}  # lines typed in this session, by kind, to be recalled

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
        strict: bool = False,
    ) -> None:
        """Ask for a line of text; ``then`` gets it unless the dialog was closed. Lines of a ``kind`` can be recalled; a
        ``strict`` one is accepted only where ``check`` has nothing to say."""
        past = self.typed.setdefault(kind, []) if kind else []

        def done(text: str | None) -> None:
            if text is None:
                return
            if text.strip() and text not in past[-1:]:
                past.append(text)
            then(text)

        prompt = Prompt(
            self.host.look, title, value, hint=hint, check=check, complete=complete, past=tuple(past), strict=strict
        )
        self.host.push_screen(prompt, done)

    def read(self, title: str, lines: Sequence[Text], actions: ReaderActions | None = None) -> None:
        """Show a text to read."""
        self.host.push_screen(Reader(self.host.look, title, lines, actions))

    def confirm(self, question: str, lines: Sequence[str], then: Callable[[], None]) -> None:
        """Ask a question; ``then`` is done after yes."""
        self.host.push_screen(Confirm(self.host.look, question, lines), lambda yes: then() if yes else None)

    # ---- commands

    def do_help(self) -> None:
        host = self.host
        lines = help_lines(host.registry, host.session, host.look, host.size.width)
        self.read(f"Keys on {SCREEN_TITLES[host.session.screen][0]}", lines)

    def do_palette(self) -> None:
        host = self.host

        def find(query: str) -> list[tuple[PaletteEntry, tuple[str, ...]]]:
            found = entries(host.registry, host.session, host.catalogue, query)
            told = ((e, f"on {e.elsewhere}: {e.command.help}" if e.elsewhere else e.command.help) for e in found)
            return [(e, (safe(e.label), " ".join(map(key_label, e.command.keys)), what)) for e, what in told]

        def run(entry: PaletteEntry | None) -> None:
            if entry is not None and entry.elsewhere:
                host.status(f"{entry.command.name} does something on {entry.elsewhere}")
            elif entry is not None and entry.command.argument and not (entry.argument or entry.command.keys):
                self.do_command(f"{entry.command.id} ")
            elif entry is not None:
                host.call_next(self.run_command, entry.command, entry.argument)

        host.push_screen(Picker(host.look, "Commands", find, heads=("command", "keys", "what it does")), run)

    def do_command(self, typed: str = "") -> None:
        host = self.host

        def check(text: str) -> str:
            found = entries(host.registry, host.session, host.catalogue, text) if text else ()
            here = [e for e in found if not e.elsewhere][:12]
            lines = [(f"{e.command.id} {e.argument}".rstrip(), safe(e.label, ascii=host.ascii)) for e in here]
            room = max((len(line) for line, _ in lines), default=0)
            return "\n".join(f"{line:<{room}}  {label}" for line, label in lines)

        def complete(text: str) -> tuple[str, ...]:
            return completions(host.registry, host.session, host.catalogue, text)

        hint = "a command and its argument; tab completes, up recalls"
        run = self.run_line
        self.ask(":", typed, lambda text: host.call_next(run, text), hint=hint, check=check, complete=complete, kind="command")

    def do_subgroup_chips(self) -> None:
        host = self.host
        items = [(i.name, (i.name, safe(i.label), i.note)) for i in host.catalogue.subgroups]

        def done(names: tuple[str, ...] | None) -> None:
            if names is not None:
                host.call_next(host.dispatch_action, act.SetSubgroups(names))

        heads, marks = ("subgroup", "label", "defined"), host.session.choice.subgroups
        host.push_screen(Picker(host.look, "Active subgroups", lambda _: items, heads=heads, marks=marks, query=False), done)


def help_lines(registry: Registry, session: Session, look: Appearance, width: int = 80) -> list[Text]:
    """Every command that does something on this screen, by group; what is special to the screen stands first."""
    title, what = SCREEN_TITLES[session.screen]
    lines = [Text(f"{title}: {what}", look["bold"])]
    commands = registry.available(session)
    special = [c for c in commands if c.screens and len(c.screens) < 3]
    groups: dict[str, list[Command]] = {"Here": special} if special else {}
    for command in commands:
        if command not in special:
            groups.setdefault(command.group, []).append(command)
    for group, members in groups.items():
        lines += [Text(), Text(group, look["head"])]
        for c in members:
            shown = " ".join(map(key_label, c.keys)) or f":{c.id}"
            parts = wrap(c.help, max(width - KEYS_WIDTH, 20))
            heads = [f"  {shown:<{KEYS_WIDTH - 2}}", *[" " * KEYS_WIDTH] * (len(parts) - 1)]
            lines += [Text.assemble((h, look["bold"]), (p, look["text"])) for h, p in zip(heads, parts, strict=True)]
    return lines


def failure_lines(error: AlsbenchError, workspace: Path, look: Appearance) -> list[Text]:
    """Why nothing is shown, and what to press or type."""
    lines = [Text("This workspace cannot be opened", look["error"]), Text()]
    lines += [Text(safe(part), look["text"]) for part in error.message.split("\n")]
    lines += [
        Text(),
        Text(f"  r  try again          q  quit          workspace  {safe(workspace)}", look["dim"]),
        Text("  alsbench load PATH... -w DIR   puts data into a workspace", look["dim"]),
        Text("  alsbench demo                  opens a sample trial", look["dim"]),
    ]
    return lines
