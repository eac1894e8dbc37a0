"""The terminal app: a frame of one header and one footer line around nine screens, one session, one command registry.

Keys, palette, command line and mouse all end in :meth:`Workbench.run_command`, which builds an action; :func:`reduce` moves the
session; the screens show it. Work runs in threads that post reports back here. First paint needs no study and no data:
both are opened by a worker.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.segment import Segments
from rich.text import Text
from rich.traceback import Traceback
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.events import Key, Resize
from textual.screen import Screen

from alsbench.errors import AlsbenchError, UnavailableError, UsageError
from alsbench.tui import actions as act
from alsbench.tui import help as help_pages
from alsbench.tui import opening, taking, twin
from alsbench.tui.commands import COMMANDS, SCREEN_TITLES, TEXTUAL_KEYS, THEMES, Command, Registry, choices, entries
from alsbench.tui.paint import compact
from alsbench.tui.place import keep_place, kept_actions
from alsbench.tui.safetext import safe
from alsbench.tui.screens.base import View
from alsbench.tui.session import Catalogue, Session, reduce
from alsbench.tui.state import SessionLog, new_log
from alsbench.tui.theme import look, no_color, plain_terminal, textual_themes, theme_name
from alsbench.tui.views import make_view
from alsbench.tui.widgets.bars import Bar, Piece, footer_pieces
from alsbench.tui.widgets.pane import Pane
from alsbench.tui.widgets.table import VirtualTable
from alsbench.tui.worker import Jobs, Report

NEWER = "newer data were loaded; r opens them"
NEWER_SECONDS = 10.0  # between looks for a newer snapshot
FROM_TEXTUAL = {name: char for char, name in TEXTUAL_KEYS.items()}


class Frame(Screen[None], inherit_bindings=False):
    """The one screen under all dialogs."""

    DEFAULT_CSS = "Frame { layout: vertical; overflow: hidden; }"


class Workbench(App[int], inherit_bindings=False):
    """The workbench on one workspace."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = "Container#body { height: 1fr; }"

    def __init__(
        self,
        workspace: Path,
        *,
        ascii: bool = False,
        theme: str = "",
        log: SessionLog | None = None,
        keymap: dict[str, tuple[str, ...]] | None = None,
        audit: bool = True,
        restore: bool = False,
    ) -> None:
        plain = no_color()
        super().__init__(ansi_color=True if plain else None)
        self.animation_level = "none"
        for each in textual_themes():
            self.register_theme(each)
        self.ascii = ascii or plain_terminal()
        self.look = look("mono" if plain else theme or default_theme(), ascii=self.ascii)
        self.theme = theme_name(self.look.name)
        self.workspace = workspace
        self.registry = Registry(COMMANDS, keymap)
        self.session = Session()
        self.catalogue = Catalogue()
        self.opened: opening.Opened | None = None
        self.answers = opening.Answers()
        self.jobs = Jobs(self)
        self.log_file = log
        self.audit = audit
        self.restore = restore  # start where the last session on this workspace was left
        self.counted: set[str] = set()  # questions already counted as looks since the workspace was opened
        self.done: list[act.Action] = []
        self.views: dict[str, View] = {}
        self.header = Bar(self.look, id="header")
        self.footer = Bar(self.look, id="footer")
        self.body = Container(id="body")
        self._status = ""
        self._progress = ""

    @property
    def ready(self) -> opening.Opened:
        """The opened workspace. Raises UnavailableError while it is still being opened."""
        if self.opened is None:
            raise UnavailableError("the workspace is still being opened")
        return self.opened

    def _fatal_error(self) -> None:
        """End on a fault with its traceback, without the values of local variables: those hold subjects' data."""
        self._exit_renderables.append(Segments(self.console.render(Traceback(width=None), self.console.options)))
        self._close_messages_no_wait()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, compact(renderable))

    # ---- the frame

    def get_default_screen(self) -> Screen[Any]:
        return Frame(id="frame")

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.body
        yield self.footer

    async def on_mount(self) -> None:
        self._end_on_signals()
        await self.show_view()
        self.show_frame()
        self.set_interval(NEWER_SECONDS, self.look_for_newer_data)
        self.call_after_refresh(self.open_workspace)

    def _end_on_signals(self) -> None:
        """SIGTERM and a lost terminal end the app as ``q`` does, so that the terminal is left sane and the log complete."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        self.jobs.cancel_all()
        self.exit(128 + number, return_code=128 + number)

    def look_for_newer_data(self) -> None:
        """Offer a snapshot that was published meanwhile; nothing is sent when there is none."""
        if self.opened is None:
            return
        from alsbench.data.workspace import Workspace

        try:
            newer = not self.opened.source.snapshot.is_current(Workspace(self.workspace))
        except AlsbenchError as error:
            self.fault(error)
            return
        if newer and self._status != NEWER:
            self.status(NEWER)

    def on_resize(self, event: Resize) -> None:
        self.show_frame(event.size.width)

    def show_frame(self, width: int = 0) -> None:
        """Header and footer as the session now is."""
        self.header.show(self.header_pieces())
        keys = self.registry.footer(self.session)
        text = self._progress or self._status
        self.footer.show(footer_pieces(keys, f"{safe(text, ascii=self.ascii)} " if text else "", width or self.size.width))

    def header_pieces(self) -> list[Piece]:
        """Study, marks, snapshot, population, active subgroups as chips, comparison."""
        if self.opened is None:
            return [(f" alsbench {SCREEN_TITLES[self.session.screen][0]}", "key"), (f"  {self.workspace}", "bar")]
        choice, study = self.session.choice, self.opened.source.study
        pieces: list[Piece] = [(f" {safe(study.info.id, ascii=self.ascii)} ", "key")]
        if study.info.synthetic:
            pieces += [(" SYNTHETIC ", "chip"), (" ", "bar")]
        if self.opened.source.blinded:
            pieces += [(" BLINDED ", "chip"), (" ", "bar")]
        pieces.append((f"{self.session.snapshot[: opening.HASH]} {choice.population} ", "bar"))
        for name in choice.subgroups:
            found = study.subgroup(name)
            mark = "" if found is not None and found.prespecified else " post hoc"
            pieces += [(f" {name}{mark} ", "chip"), (" ", "bar")]
        pieces.append((f"{choice.comparison} {self._horizon()}".rstrip(), "bar"))
        return pieces

    def _horizon(self) -> str:
        name = self.session.choice.comparison
        note = next((i.note for i in self.catalogue.comparisons if i.name == name), "")
        return "" if note in name else note

    def status(self, text: str) -> None:
        """Say something in the footer."""
        self._status = text
        self.show_frame()

    def fault(self, error: AlsbenchError) -> None:
        """Say what went wrong: what first, since a line may be cut; then where, why and what to do."""
        parts = (error.what, error.where, *error.why.split("\n"), error.hint)
        self.status("; ".join(p.strip() for p in parts if p.strip()))

    def progress(self, text: str) -> None:
        """Say what is running; empty when nothing is."""
        self._progress = text
        self.show_frame()

    # ---- views

    @property
    def view(self) -> View:
        return self.views[self.session.screen]

    async def show_view(self) -> None:
        """Bring the session's screen to the front, made when first needed."""
        name = self.session.screen
        if name not in self.views:
            self.views[name] = make_view(self, name)
            await self.body.mount(self.views[name])
        for other, view in self.views.items():
            view.display = other == name
        self.view.focus_main()
        self.view.refresh_view()

    async def dispatch_action(self, action: act.Action) -> None:
        """Move the session, log the action, show what changed; an action that changes nothing is not logged."""
        before = self.session
        self.session = reduce(before, action)
        if self.session == before:
            return
        self.done.append(action)
        if self.log_file is not None:
            self.log_file.append(action)
        self._status = ""
        await self.show_view()
        self.show_frame()

    # ---- opening and work

    def open_workspace(self) -> None:
        """Open the study and the newest snapshot in a worker."""
        self.progress("opening ...")
        self.jobs.start("open", "opening", lambda _: opening.open_workspace(self.workspace))

    async def on_report(self, report: Report) -> None:
        """A worker says something: route it to its panel, unless somebody asked again since."""
        if not self.jobs.current(report):
            return
        panel = report.job.panel
        if report.kind == "part" and report.total:
            self.progress(f"{report.job.label} {report.done}/{report.total}  ^c cancels")
        if report.kind != "part":
            self.jobs.finish(report)
            self.progress("")
        if report.kind == "failed":
            self.fault(report.payload)
        if panel == "open":
            await self._opened(report)
        elif panel in self.views:
            self.views[panel].report(report)
        else:
            for screen in self.screen_stack:
                if getattr(screen, "panel", "") == panel:
                    screen.report(report)  # type: ignore[attr-defined]

    async def _opened(self, report: Report) -> None:
        if report.kind == "failed":
            self.view.show_lines(help_pages.failure(report.payload, self.workspace, self.look))
            return
        if report.kind != "done":
            return
        first = self.opened is None
        opened: opening.Opened = report.payload
        self.opened, self.catalogue = opened, opened.catalogue
        self.blinded = opened.source.blinded
        if not first:
            self.answers.clear()
            self.counted.clear()
        if first:
            actions = kept_actions(self.workspace, opened.start, opened.catalogue) if self.restore else (opened.start,)
            for action in actions:
                await self.dispatch_action(action)
        else:
            await self._reopened(opened)
        self.jobs.start("warm", "", lambda _: warm())

    async def _reopened(self, opened: opening.Opened) -> None:
        """A newer snapshot or study: what was chosen stays where it still exists."""
        known = {i.name for i in opened.catalogue.subgroups}
        choice = self.session.choice
        start = act.Open(
            study=opened.start.study,
            snapshot=opened.start.snapshot,
            population=choice.population,
            subgroups=tuple(n for n in choice.subgroups if n in known),
            endpoint=choice.endpoint,
            comparison=choice.comparison,
        )
        await self.dispatch_action(start)
        await self.show_view()
        self.show_frame()

    # ---- the audit log

    def looked(self, result: Any) -> None:
        """Count a look: each question once while this snapshot and study are open."""
        from alsbench.tui.looks import question_digest

        digest = question_digest(result.question)
        if self.audit and digest not in self.counted:
            self.counted.add(digest)
            self.record("look", result)

    def record(self, action: str, result: Any, file: str = "") -> None:
        """Append to the workspace's audit log, off the interface thread."""
        from alsbench.tui.looks import record

        if self.audit:
            path = self.workspace / "audit.jsonl"
            self.jobs.start(f"audit-{self.jobs.started}", "", lambda _: record(path, action, result, file))

    def record_subject(self, command: str) -> None:
        """Append that one subject was looked at: the command that shows it, not what it shows."""
        from alsbench.tui.looks import record_subject

        if self.audit:
            path, digest = self.workspace / "audit.jsonl", self.session.snapshot
            self.jobs.start(f"audit-{self.jobs.started}", "", lambda _: record_subject(path, command, digest))

    # ---- commands

    async def on_key(self, event: Key) -> None:
        if len(self.screen_stack) > 1:
            return
        key = FROM_TEXTUAL.get(event.key, event.key)
        command = self.registry.for_key(key, self.session)
        if command is None and event.character:
            command = self.registry.for_key(event.character, self.session)
        if command is not None:
            event.stop()
            event.prevent_default()
            await self.run_command(command)

    async def run_command(self, command: Command, argument: str = "") -> None:
        """Do what a command says; errors go to the status line."""
        try:
            if argument and command.with_argument is not None:
                action = command.with_argument(argument)
            elif command.build is not None:
                action = command.build(self.session, self.catalogue)
            elif command.method:
                action = None
                await self._run_method(command, argument)
            else:
                self.status(f":{command.id} takes a {command.argument}")
                return
        except AlsbenchError as error:
            self.fault(error)
            return
        except ValueError as error:
            self.status(str(error))
            return
        if action is not None:
            await self.dispatch_action(action)

    async def _run_method(self, command: Command, argument: str) -> None:
        name = f"do_{command.method}"
        method = getattr(self.view, name, None) or getattr(self, name, None)
        if method is None:
            self.status(f"{command.name}: nothing to do here")
            return
        found = method(argument) if argument else method()
        if hasattr(found, "__await__"):
            found = await found
        if command.id == "back" and found is False:
            await self.dispatch_action(act.Back())

    async def run_line(self, line: str) -> None:
        """A line of the command line: a command's id or name, then its argument."""
        words = line.strip().split(None, 1)
        if not words:
            return
        name, argument = words[0].lower(), words[1] if len(words) > 1 else ""
        known_as = [c for c in self.registry.commands if name in {c.id, c.id.split(".")[-1], c.name.lower()}]
        found = next(iter(sorted(known_as, key=lambda c: c.id != name)), None)
        if found is None and name.isdigit():
            found = self.registry.for_key(name, self.session)
        if found is None:
            self.status(f"no command {safe(name)}; ^p finds commands")
            return
        known = choices(found.argument, self.session, self.catalogue)
        if argument and known and argument not in {i.name for i in known}:
            near = next((i.name for i in known if i.name.lower().startswith(argument.lower())), "")
            if not near:
                self.status(f"no {found.argument} {safe(argument)}; known: {', '.join(i.name for i in known)}")
                return
            argument = near
        if found.id == "endpoint" and not argument:
            found = self.registry["screen.endpoint"]
        await self.run_command(found, argument)

    def ask(
        self,
        title: str,
        value: str,
        then: Callable[[str], Any],
        *,
        hint: str = "",
        check: Callable[[str], str] | None = None,
    ) -> None:
        """Ask for a line of text; ``then`` gets it unless the dialog was closed."""
        from alsbench.tui.screens.dialogs import Prompt

        def done(text: str | None) -> None:
            if text is not None:
                then(text)

        self.push_screen(Prompt(self.look, title, value, hint=hint, check=check), done)

    def read(self, title: str, lines: Sequence[Text], actions: dict[str, tuple[str, Callable[[], str]]] | None = None) -> None:
        """Show a text to read."""
        from alsbench.tui.screens.dialogs import Reader

        self.push_screen(Reader(self.look, title, lines, actions))

    def confirm(self, question: str, lines: Sequence[str], then: Callable[[], None]) -> None:
        from alsbench.tui.screens.dialogs import Confirm

        self.push_screen(Confirm(self.look, question, lines), lambda yes: then() if yes else None)

    def do_help(self) -> None:
        self.read(f"Keys on {SCREEN_TITLES[self.session.screen][0]}", help_pages.keys(self.registry, self.session, self.look))

    def do_palette(self) -> None:
        from alsbench.tui.screens.dialogs import Picker

        def find(query: str) -> list[tuple[Any, tuple[str, ...]]]:
            found = entries(self.registry, self.session, self.catalogue, query)
            return [(e, (safe(e.label), " ".join(help_pages.labels(e.command)), e.command.help)) for e in found]

        def run(entry: Any) -> None:
            if entry is not None:
                self.call_next(self.run_command, entry.command, entry.argument)

        self.push_screen(Picker(self.look, "Commands", find, heads=("command", "keys", "what it does")), run)

    def do_command(self) -> None:
        def check(text: str) -> str:
            found = entries(self.registry, self.session, self.catalogue, text)
            return "" if not text else "\n".join(f"{e.command.id} {e.argument}  {e.label}" for e in found[:12])

        self.ask(":", "", lambda text: self.call_next(self.run_line, text), hint="a command and its argument", check=check)

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

    def do_reload(self) -> None:
        self.jobs.cancel_all()
        self.open_workspace()

    def do_cancel(self) -> None:
        count = self.jobs.cancel_all()
        self._progress = ""
        self.status(f"cancelled {count} running" if count else "nothing is running; q quits")

    def do_quit(self) -> None:
        self.jobs.cancel_all()
        self.exit(0)

    def do_back(self) -> bool:
        return False

    # ---- taking away

    def shell_command(self) -> str:
        """The command that prints this view."""
        population = self.opened.source.study.populations.default if self.opened else ""
        here = self.workspace.resolve() == Path.cwd()
        return twin.command(
            self.session,
            workspace="" if here else str(self.workspace),
            default_population=population,
            **self.view.shell_words(),
        )

    def do_shell(self) -> None:
        command = self.shell_command()
        if not command:
            self.status("this screen has no shell command in this version")
            return
        lines = [Text(safe(command, ascii=self.ascii), self.look["bold"]), Text(), Text("prints the same numbers in the shell")]
        self.read("Shell command", lines, {"y": ("copy", partial(self.copy, command, "the command"))})

    def copy(self, text: str, what: str) -> str:
        """Put text on the clipboard and into a file; says where it went."""
        path = taking.clipboard_file(text)
        sequence = taking.osc52(text)
        driver = self._driver
        if sequence and driver is not None and sys.__stdout__ is not None and sys.__stdout__.isatty():
            driver.write(sequence)
        return f"copied {what} to the clipboard and {path}" if sequence else f"copied {what} to {path} (too long for OSC 52)"

    def do_copy_cell(self) -> None:
        text = self.view.cell_text()
        self.status(self.copy(text, "the cell") if text else "nothing to copy here")

    def do_copy_table(self) -> None:
        page = self.view.page()
        if page is None:
            self.status("this view has no table to copy")
            return
        count = sum(len(b.lines) for b in page.blocks)
        self.status(self.copy(taking.page_in(page, "txt"), f"{count} rows"))

    def do_export(self) -> None:
        name = f"{self.session.screen}.txt"
        hint = "a new file; its ending says the format: " + ", ".join(f".{f}" for f in taking.FORMATS)
        self.ask("Export this view to", str(Path.cwd() / name), self.export, hint=hint, check=_check_export)

    def export(self, target: str) -> None:
        """Write the view to a file in the format of its ending."""
        path = Path(target)
        kind: Any = path.suffix.lstrip(".")
        try:
            if kind == "svg":
                from alsbench.tui.picture import picture

                text = picture(self)
            else:
                page = self.view.page()
                if page is None:
                    raise UsageError("this view has no table; .svg takes a picture of it")
                text = taking.page_in(page, kind, self.view.taken())
            written = taking.write_new(path, text)
            for result in self.view.taken():
                self.record("export", result, written.name)
        except AlsbenchError as error:
            self.fault(error)
            return
        self.status(f"wrote {written}")

    def page_facts(self) -> tuple[tuple[str, str], ...]:
        """What any exported table of this session must say."""
        if self.opened is None:
            return ()
        study, choice = self.opened.source.study, self.session.choice
        facts = [("Study", f"{study.info.id} {study.info.title}".strip()), ("Population", choice.population)]
        for name in choice.subgroups:
            found = study.subgroup(name)
            if found is not None:
                facts.append((f"Subgroup {name}", f"{found.where} ({'pre-specified' if found.prespecified else 'post hoc'})"))
        return (*facts, ("Snapshot", self.session.snapshot[:12]), ("Command", self.shell_command()))

    def page_footnotes(self) -> tuple[str, ...]:
        notes = []
        if self.opened is not None and self.opened.source.study.info.synthetic:
            notes.append("SYNTHETIC DATA")
        study = self.opened.source.study if self.opened else None
        active = [study.subgroup(n) for n in self.session.choice.subgroups] if study else []
        if any(s is not None and not s.prespecified for s in active):
            notes.append("Post hoc: at least one subgroup was defined after the data were seen.")
        if self.opened is not None and self.opened.source.blinded:
            notes.append("BLINDED: the arms are dummies.")
        return tuple(notes)


def _check_export(text: str) -> str:
    path = Path(text).expanduser()
    if path.suffix.lstrip(".") not in taking.FORMATS:
        return "the ending must be one of " + ", ".join(f".{f}" for f in taking.FORMATS)
    return "the file exists; exports never overwrite" if path.exists() else ""


def default_theme() -> str:
    """16 colours where the terminal promises no more."""
    colours = os.environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"} or "256" in os.environ.get("TERM", "")
    return "dark" if colours else "ansi"


def warm() -> None:
    """Import what the first model needs, after the first paint and off the interface thread."""
    import alsbench.analysis.run  # noqa: F401


def refuse(workspace: Path) -> None:
    """Raise UsageError where no terminal app can run, naming the shell twin."""
    twin_command = f"alsbench evidence -w {workspace}"
    if os.environ.get("TERM", "") == "dumb":
        raise UsageError("TERM=dumb cannot show the terminal app", hint=f"the shell prints the same tables: {twin_command}")
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "the terminal app needs a terminal on stdin, stdout and stderr", hint=f"in a pipe, use: {twin_command}"
        )


def run(
    workspace: Path,
    *,
    ascii: bool = False,
    no_mouse: bool = False,
    theme: str = "",
    keymap: dict[str, tuple[str, ...]] | None = None,
) -> int:
    """Open the app on a workspace; the exit code. Refuses (UsageError, exit 2) without a usable terminal."""
    try:
        refuse(workspace)
    except UsageError as error:
        sys.stderr.write(f"alsbench: {error.message}\n")
        return error.exit_code
    try:
        log = new_log(workspace)
    except OSError as error:
        raise UnavailableError("the session log cannot be written", why=str(error), hint="set XDG_STATE_HOME") from error
    app = Workbench(workspace, ascii=ascii, theme=theme, log=log, keymap=keymap, restore=True)
    try:
        code = app.run(mouse=not no_mouse)
    finally:
        app.jobs.cancel_all()
        log.close()
        try:
            keep_place(workspace, app.session)
        except OSError as error:
            sys.stderr.write(f"alsbench: where you were could not be kept: {error}\n")
    return app.return_code or code or 0
