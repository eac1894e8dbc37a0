"""The terminal app: one header and one footer line around ten screens, one session, one command registry.

Keys, palette, command line and mouse all end in :meth:`KeyRouter.run_command`, which builds an action; :func:`reduce` moves the
session; the screens show it. What leaves the app is the exporter's, its dialogs the overlays', its entries in the audit log the
access log's. Work runs in threads that post reports back here, answers in processes of the pool. First paint needs no study and
no data: both are opened by a worker.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.segment import Segments
from rich.traceback import Traceback
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.driver import Driver
from textual.events import Event, Key, Resize
from textual.screen import Screen

from alsbench.errors import AlsbenchError, UnavailableError, UsageError
from alsbench.tui import actions as act
from alsbench.tui.access_log import AccessLog
from alsbench.tui.answers import AnswerKey, Answers
from alsbench.tui.cell_text import safe
from alsbench.tui.commands import COMMANDS, SCREEN_TITLES, THEMES, Registry
from alsbench.tui.exporter import EXPORT, Exporter
from alsbench.tui.external_programs import editor, run_on_terminal, subgroup_line
from alsbench.tui.keys import KeyRouter
from alsbench.tui.overlays import Overlays, failure_lines
from alsbench.tui.pool import Pool
from alsbench.tui.screens.base import QueryView, View
from alsbench.tui.session import SCREENS, Catalogue, Session, reduce
from alsbench.tui.session_log import SessionLog
from alsbench.tui.session_restore import actions_to, restore_path, restored_actions, still_there
from alsbench.tui.terminal import LastingDriver, Painter, Written
from alsbench.tui.theme import appearance, default_theme, no_color, plain_terminal, textual_themes, theme_name
from alsbench.tui.widgets.bars import Bar, TabLine, footer_pieces, header_pieces
from alsbench.tui.widgets.pane import Pane
from alsbench.tui.widgets.table import VirtualTable
from alsbench.tui.worker import Job, JobReport, Jobs

if TYPE_CHECKING:
    from alsbench.tui.opening import OpenedWorkspace

TABS_WIDTH, TABS_HEIGHT = 100, 30  # of a terminal that has room for a line of tabs
SMALL = 1000  # bytes that a terminal gets in one piece anyway: they need no marks of where an update begins and ends
WELCOME = "0 to 9 are screens, ? the keys here, ^p finds any command"  # the first time on a workspace
NEWER = "newer data were loaded; r opens them"
NEWER_SECONDS = 10.0  # between looks for a newer snapshot


class MainScreen(Screen[None], inherit_bindings=False):
    """The one screen under all dialogs."""

    DEFAULT_CSS = "MainScreen { layout: vertical; overflow: hidden; }"


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
        processes: int = 0,
    ) -> None:
        plain = no_color()
        super().__init__(ansi_color=True if plain else None)
        self.animation_level = "none"
        for each in textual_themes():
            self.register_theme(each)
        self.ascii = ascii or plain_terminal()
        self.look = appearance("mono" if plain else theme or default_theme(), ascii=self.ascii)
        self.theme = theme_name(self.look.name)
        self.workspace = workspace
        self.registry = Registry(COMMANDS, keymap)
        self.session = Session()
        self.catalogue = Catalogue()
        self.opened: OpenedWorkspace | None = None
        self.answers = Answers()
        self.jobs = Jobs(self)
        self.pool = Pool(self.answers, processes, lambda: self.session.screen, self.said)
        self.log_file = log
        self.audit = audit
        self.restore = restore  # start where the last session on this workspace was left
        self.gone = False  # whether another folder, or none, stands where the workspace was
        self.warmed = False  # whether what the first model needs was imported ahead
        self.done: list[act.Action] = []
        self.views: dict[str, View] = {}
        self.painter = Painter()
        self.header = Bar(self.look, id="header")
        self.tabs = TabLine(self.look, self.go_to_screen, id="tabs")
        self.footer = Bar(self.look, id="footer")
        self.body = Container(id="body")
        self._status = ""
        self._fault = ""  # what went wrong, said until the next key
        self._progress = ""
        self.access_log = AccessLog(self)
        self.keys = KeyRouter(self, lambda: (self.view, self, self.exporter, self.overlays))
        self.overlays = Overlays(self, self.keys.run_command, self.keys.run_line)
        self.exporter = Exporter(self, self.overlays, self.access_log)

    # ---- starting and ending

    def get_default_screen(self) -> Screen[Any]:
        return MainScreen(id="frame")

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.tabs
        yield self.body
        yield self.footer

    async def on_mount(self) -> None:
        self._end_on_signals()
        self.app_resume_signal.subscribe(self, lambda _: self.paint_anew())
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

    def on_unmount(self) -> None:
        self.pool.close()

    def _fatal_error(self) -> None:
        """End on a fault with its traceback, without the values of local variables: those hold subjects' data."""
        self._exit_renderables.append(Segments(self.console.render(Traceback(width=None), self.console.options)))
        self._close_messages_no_wait()

    # ---- the terminal

    def get_driver_class(self) -> type[Driver]:
        """The driver for this platform; where Textual has one for Linux and the like, one that outlives its terminal."""
        found = super().get_driver_class()
        return LastingDriver if found.__name__ == "LinuxDriver" else found

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        dropped = self._batch_count or not self._running or self._closed or self.is_headless or self._driver is None
        if renderable is None or dropped:
            super()._display(screen, renderable)
            return
        update = self.painter.update(renderable, self.console)
        if not isinstance(update, Written) or update.text:  # nothing changed: nothing is sent
            known, small = self._sync_available, len(getattr(update, "text", "")) <= SMALL
            self._sync_available = known and not small
            super()._display(screen, update)
            self._sync_available = known

    def send_to_terminal(self, sequence: str) -> None:
        """Send a sequence that is no picture, where there is a terminal."""
        if sequence and self._driver is not None and sys.__stdout__ is not None and sys.__stdout__.isatty():
            self._driver.write(sequence)

    def hand_over(self, words: list[str], text: str | None = None) -> int:
        """Run another program on the terminal, then paint everything anew; its exit code."""
        try:
            return run_on_terminal(self, words, text)
        finally:
            self.paint_anew()

    def paint_anew(self) -> None:
        """Paint everything: what the terminal shows is not known any more."""
        self.post_message(Resize(self.size, self.size))
        self.call_later(self.refresh, layout=True)

    def do_suspend(self) -> None:
        """Stop, as other programs do on ^z; the shell's ``fg`` goes on."""
        if self._driver is None or not self._driver.can_suspend:
            self.status("this terminal cannot be given back")
            return
        self.action_suspend_process()

    def on_resize(self, event: Resize) -> None:
        self.painter.forget()  # also sent when the terminal comes back from another program
        self.tabs.display = event.size.width >= TABS_WIDTH and event.size.height >= TABS_HEIGHT
        self.show_frame(event.size.width)

    async def on_event(self, event: Event) -> None:
        """Take keys one at a time and each to its end; everything else goes Textual's way."""
        if not isinstance(event, Key) or event.is_forwarded:
            await super().on_event(event)
            return
        await self.keys.take(event)
        await self._flush_next_callbacks()  # what was to follow a closed dialog
        await self.keys.top()

    # ---- header and footer

    def show_frame(self, width: int = 0) -> None:
        """Header and footer as the session now is."""
        width = width or self.size.width
        source = self.opened.source if self.opened else None
        if source is None:
            pieces = [(f" alsbench {SCREEN_TITLES[self.session.screen][0]}", "key"), (f"  {self.workspace}", "bar")]
        else:
            pieces = header_pieces(source, self.session, self.catalogue, self.look, width, gone=self.gone)
        self.header.show(pieces)
        titles = [(s, str(k % 10), SCREEN_TITLES[s][0]) for k, s in enumerate(SCREENS, start=1)]
        self.tabs.tabs(titles, self.session.screen)
        text = self._progress or self._status
        said = f"{safe(text, ascii=self.ascii)} " if text else ""
        self.footer.show(footer_pieces(self.registry.footer(self.session), said, width))

    def status(self, text: str) -> None:
        """Say something in the footer."""
        self._status = text
        self.show_frame()

    def said(self, text: str) -> None:
        """Say something, from any thread."""
        self.call_later(self.status, text)

    def progress(self, text: str) -> None:
        """Say what is running; empty when nothing is."""
        self._progress = text
        self.show_frame()

    def fault(self, error: AlsbenchError) -> None:
        """Say what went wrong: what first, since a line may be cut; then where, why and what to do."""
        parts = (error.what, error.where, *error.why.split("\n"), error.hint)
        self._fault = "; ".join(p.strip() for p in parts if p.strip())
        self.status(self._fault)

    def forget_fault(self) -> None:
        """Say no longer what went wrong."""
        if self._fault and self._status == self._fault:
            self.status("")
        self._fault = ""

    # ---- the session and its screen

    @property
    def view(self) -> View:
        return self.views[self.session.screen]

    async def show_view(self) -> None:
        """Bring the session's screen to the front, made when first needed."""
        name = self.session.screen
        if name not in self.views:
            self.views[name] = view_class(name)(self, name)
            await self.body.mount(self.views[name])
        for other, view in self.views.items():
            view.display = other == name
        self.view.focus_main()
        self.view.refresh_view()

    async def go_to_screen(self, name: str) -> None:
        """Go to a screen, as its key does."""
        await self.keys.run_command(self.registry[f"screen.{name}"])

    async def dispatch_action(self, action: act.Action) -> None:
        """Move the session, log the action, show what changed; an action that changes nothing is not logged. Opening a
        subject's profile is entered in the audit log too."""
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
        if isinstance(action, act.OpenSubject):
            self.access_log.subject(self.exporter.shell_command())

    # ---- the workspace

    @property
    def ready(self) -> OpenedWorkspace:
        """The opened workspace. Raises UnavailableError while it is still being opened."""
        if self.opened is None:
            raise UnavailableError("the workspace is still being opened")
        return self.opened

    def open_workspace(self) -> None:
        """Open the study and the newest snapshot in a worker."""

        def work(_: Job) -> OpenedWorkspace:
            from alsbench.tui.opening import open_workspace  # waits: duckdb, pydantic

            return open_workspace(self.workspace, audit=self.audit)

        self.progress("opening ...")
        self.jobs.start("open", "opening", work)

    def still_here(self) -> None:
        """Raises UnavailableError where the workspace opened is not there any more: nothing is written into another."""
        if self.opened is None or self.opened.source.held is None:
            return
        try:
            self.opened.source.held.check()
        except UnavailableError:
            self.gone = True
            self.show_frame()
            raise

    def look_for_newer_data(self) -> None:
        """Offer a snapshot that was published meanwhile, and say that the workspace is gone; nothing is sent otherwise."""
        if self.opened is None:
            return
        try:
            self.still_here()
            newer = self.opened.newer_data
        except AlsbenchError as error:
            self.fault(error)
            return
        if newer and self._status != NEWER:
            self.status(NEWER)

    def compute(self, panel: str, label: str, keys: Sequence[AnswerKey], *, lane: str = "", last: object = None) -> Job:
        """Have answers computed for a panel, and stored: a part is reported for each, ``last`` when all are there."""
        source, pool, total = self.ready.source, self.pool, len(keys)

        def work(job: Job) -> object:
            for done, key in enumerate(pool.answered(keys, source, job), start=1):
                job.post(key, done=done, total=total)
            return last

        heavy, interrupt = not pool.apart(source), source.snapshot.interrupt
        job = self.jobs.start(panel, f"{label}:", work, heavy=heavy, interrupt=interrupt, lane=lane, total=total)
        self.show_running()
        return job

    def show_running(self) -> None:
        """Say how far the work is, that of the screen shown first, and what runs and what waits in the processes."""
        jobs = sorted((job for job in self.jobs.running if job.words), key=lambda job: job.panel != self.session.screen)
        state = self.pool.state() if jobs else ""
        self.progress("; ".join(t for t in (jobs[0].words, state) if t) + "  ^c cancels" if jobs else "")

    async def on_job_report(self, report: JobReport) -> None:
        """A worker says something: route it to its panel, unless somebody asked again since."""
        if not self.jobs.current(report):
            return
        panel = report.job.panel
        job = report.job
        if report.kind == "part" and report.total:
            job.far, job.step = (report.done, report.total), ""
        if report.kind == "blocks":
            job.step = f"{report.payload} {report.done}/{report.total}" if report.payload else ""
            job.far = (job.far[0], max(job.far[1], 1))
            self.show_running()
            if not report.payload and panel in self.views:
                self.views[panel].work_begun()
            return
        if report.kind != "part":
            self.jobs.finish(report)
        self.show_running()
        if report.kind == "failed":
            self.fault(report.payload)
        if panel == "open":
            await self._opened(report)
            collect_again()
        elif panel in self.views:
            self.views[panel].report(report)
        elif panel.startswith(EXPORT):
            self.exporter.report(report)
        else:
            for screen in self.screen_stack:
                if getattr(screen, "panel", "") == panel:
                    screen.report(report)  # type: ignore[attr-defined]
        if not self.warmed and self.opened is not None and not self.jobs.labels:
            self.warmed = True
            apart = self.pool.apart(self.opened.source)
            self.jobs.start("warm", "", lambda _: self.pool.warm() if apart else warm())

    async def _opened(self, report: JobReport) -> None:
        if report.kind == "failed":
            self.view.show_lines(failure_lines(report.payload, self.workspace, self.look))
            return
        if report.kind != "done":
            return
        first, opened = self.opened is None, report.payload
        self.opened, self.catalogue, self.gone = opened, opened.catalogue, False
        self.pool.open(opened.source)
        if not first:
            self.answers.clear()
            self.access_log.counted.clear()
            await self._reopened(opened)
            return
        new = self.restore and not restore_path(self.workspace).exists()
        actions = restored_actions(self.workspace, opened.start, opened.catalogue) if self.restore else (opened.start,)
        for action in actions:
            await self.dispatch_action(action)
        if new:
            self.status(WELCOME)

    async def _reopened(self, opened: OpenedWorkspace) -> None:
        """A newer snapshot or study: what was chosen stays where it still exists."""
        chosen = [a for a in actions_to(self.session) if isinstance(a, act.Open | act.SetVisit | act.SetOption)]
        other = opened.start.snapshot != self.session.snapshot
        for action in still_there(chosen, opened.start, opened.catalogue):
            await self.dispatch_action(action)
        if other and self.session.place.record is not None:  # a record number of the old data names somebody else in the new
            await self.dispatch_action(act.Back())
        await self.show_view()
        if self._status == NEWER:
            self.status("the newest data are open")
        self.show_frame()

    # ---- commands of the app itself

    async def do_subgroup_add(self) -> None:
        """Define a subgroup from the screen shown: Subgroups does it and comes back."""
        from alsbench.tui.screens.subgroups import SubgroupsView  # waits: numpy

        here = self.session.screen
        if self.opened is None:
            return
        await self.dispatch_action(act.GoTo("subgroups"))
        if isinstance(self.view, SubgroupsView):
            self.view.add_for(here)

    def do_reload(self) -> None:
        self.jobs.cancel_all()
        self.open_workspace()

    def do_editor(self, subgroup: str = "") -> None:
        """Change study.toml in $EDITOR, at a subgroup if one is named; then read it again."""
        path = self.workspace / "study.toml"
        if self.edited(path, subgroup_line(path, subgroup)):
            self.do_reload()

    def edited(self, path: Path, line: int = 0) -> bool:
        """Hand a file to $EDITOR; whether it was changed. What did not change is said."""
        self.still_here()
        words = editor(path, line)
        before = path.read_bytes() if path.is_file() else b""
        code = self.hand_over(words)
        changed = not path.is_file() or path.read_bytes() != before
        if not changed:
            self.status(f"{path.name} is unchanged{f'; {words[0]} ended with {code}' if code else ''}")
        return changed

    def do_lineup(self, view: str = "") -> None:
        """The trial hidden among copies of it without any effect, as this screen shows it or as ``view`` says."""
        if self.opened is None:
            return
        from alsbench.tui.screens.lineup import LineupScreen, fits, view_of  # waits: scipy

        choice, study = self.session.choice, self.ready.source.study
        endpoint = study.endpoints.get(choice.endpoint)
        method = endpoint.method if endpoint is not None else ""
        shown = view or view_of(self.session.screen, method)
        words = {"view": shown, "population": "" if choice.population == study.populations.default else choice.population}
        words["endpoint"] = "" if shown == "evidence" or not fits(shown, method) else choice.endpoint
        words["subgroup"] = "" if shown == "forest" else next(iter(choice.subgroups), "")
        words["comparison"] = choice.comparison if shown == "forest" else ""
        self.push_screen(LineupScreen(self, words))

    def do_reconcile(self, theirs: str = "") -> None:
        """Another program's numbers, tables or data beside those of the workspace."""
        if self.opened is None:
            return
        if not theirs:
            hint = "results, tables or data of another program: FILE, or FILE --mapping MAPPING"
            self.overlays.ask("Reconcile with", "", self.do_reconcile, hint=hint, kind="reconcile")
            return
        from alsbench.tui.screens.reconcile import ReconcileTable, sides_named  # waits: duckdb, pydantic

        try:
            file, mapping = sides_named(theirs)
        except UsageError as fault:
            self.fault(fault)
            return
        self.push_screen(ReconcileTable(self, file, mapping))

    def do_diff(self, named: str = "") -> None:
        """An earlier snapshot (the one before, unless it is named) beside the current one, or beside a second one named."""
        if self.opened is None:
            return
        from alsbench.tui.screens.reconcile import SnapshotsTable, snapshots_named  # waits: duckdb, pydantic

        try:
            sides = snapshots_named(self.workspace, named)
        except AlsbenchError as fault:
            self.fault(fault)
            return
        self.push_screen(SnapshotsTable(self, *sides))

    def do_verify(self) -> None:
        """What is on the screen, computed again by a second program."""
        view = self.view
        asked = view.to_verify() if self.opened is not None and isinstance(view, QueryView) else []
        if not asked:
            self.status("nothing here that a second program computes")
            return
        from alsbench.tui.screens.verification import VerificationTable  # waits: duckdb, pydantic

        self.push_screen(VerificationTable(self, asked), lambda _: view.refresh_view())

    def do_theme(self, name: str = "") -> None:
        """Switch to a theme, the next one without a name; NO_COLOR stays without colour."""
        if self.look.name == "mono":
            self.status("NO_COLOR is set: no other theme")
            return
        name = name or THEMES[(THEMES.index(self.look.name) + 1) % len(THEMES)]
        if name not in THEMES:
            raise UsageError(f"no theme {name}; known: {', '.join(THEMES)}")
        self.look = appearance(name, ascii=self.ascii)
        self.theme = theme_name(name)
        for widget in self.query("*"):
            if isinstance(widget, Bar | Pane | VirtualTable):
                widget.look = self.look
                widget.refresh()
        self.status(f"theme {name}")

    def do_cancel(self) -> None:
        count = self.cancel_work()
        self.status(f"cancelled {count} running" if count else "nothing is running; q quits")

    def cancel_work(self) -> int:
        """End all work, and have the views say so; how much there was."""
        count = self.jobs.cancel_all()
        self.pool.sweep()
        self.progress("")
        for view in self.views.values():
            view.work_cancelled()
        return count

    def do_quit(self) -> None:
        self.jobs.cancel_all()
        self.exit(0)

    def do_back(self) -> bool:
        return False


def view_class(screen: str) -> type[View]:
    """The class of a screen, imported when it is first shown, so that first paint pays for one."""
    found: type[View] = getattr(import_module(f"alsbench.tui.screens.{screen}"), f"{screen.title()}View")
    return found


def warm() -> object:
    """What the first model needs, imported once the first screen has its numbers and off the interface thread."""
    from alsbench.analysis.run import answer  # waits: numpy

    return answer


def collect_again() -> None:
    """Garbage collection as usual where starting had switched it off. What starting made lives as long as the app: it is set
    aside, since visiting it would hold up keys."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
