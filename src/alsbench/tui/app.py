"""The terminal app: a frame of one header and one footer line around ten screens, one session, one command registry.

Keys, palette, command line and mouse all end in :meth:`Workbench.run_command`, which builds an action; :func:`reduce` moves the
session; the screens show it. Work runs in threads that post reports back here. First paint needs no study and no data:
both are opened by a worker.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from pathlib import Path

from alsbench.errors import AlsbenchError
from alsbench.tui import actions as act
from alsbench.tui import help as help_pages
from alsbench.tui import opening, outside
from alsbench.tui.place import actions_to, kept_actions, place_path, still_there
from alsbench.tui.takeaway import Takeaway, subgroup_line
from alsbench.tui.worker import Report

WELCOME = "0 to 9 are screens, ? the keys here, ^p finds any command"  # the first time on a workspace
NEWER = "newer data were loaded; r opens them"
NEWER_SECONDS = 10.0  # between looks for a newer snapshot


class Workbench(Takeaway):
    """The workbench on one workspace."""

    warmed = False  # whether what the first model needs was imported ahead

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
        """Offer a snapshot that was published meanwhile, and say that the workspace is gone; nothing is sent otherwise."""
        if self.opened is None:
            return
        from alsbench.data.workspace import Workspace

        try:
            self.still_here()
            newer = not self.opened.source.snapshot.is_current(Workspace(self.workspace))
        except AlsbenchError as error:
            self.fault(error)
            return
        if newer and self._status != NEWER:
            self.status(NEWER)

    # ---- opening and work

    def open_workspace(self) -> None:
        """Open the study and the newest snapshot in a worker."""
        self.progress("opening ...")
        self.jobs.start("open", "opening", lambda _: opening.open_workspace(self.workspace, audit=self.audit))

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
            collect_again()
        elif panel in self.views:
            self.views[panel].report(report)
        else:
            for screen in self.screen_stack:
                if getattr(screen, "panel", "") == panel:
                    screen.report(report)  # type: ignore[attr-defined]
        if not self.warmed and self.opened is not None and not self.jobs.labels:
            self.warmed = True
            self.jobs.start("warm", "", lambda _: warm())

    async def _opened(self, report: Report) -> None:
        if report.kind == "failed":
            self.view.show_lines(help_pages.failure(report.payload, self.workspace, self.look))
            return
        if report.kind != "done":
            return
        first = self.opened is None
        opened: opening.Opened = report.payload
        self.opened, self.catalogue, self.gone = opened, opened.catalogue, False
        self.blinded = opened.source.blinded
        if not first:
            self.answers.clear()
            self.counted.clear()
        if first:
            new = self.restore and not place_path(self.workspace).exists()
            actions = kept_actions(self.workspace, opened.start, opened.catalogue) if self.restore else (opened.start,)
            for action in actions:
                await self.dispatch_action(action)
            if new:
                self.status(WELCOME)
        else:
            await self._reopened(opened)

    async def _reopened(self, opened: opening.Opened) -> None:
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
        words = outside.editor(path, line)
        before = path.read_bytes() if path.is_file() else b""
        code = self.hand_over(words)
        changed = not path.is_file() or path.read_bytes() != before
        if not changed:
            self.status(f"{path.name} is unchanged{f'; {words[0]} ended with {code}' if code else ''}")
        return changed

    def do_cancel(self) -> None:
        count = self.jobs.cancel_all()
        self._progress = ""
        self.status(f"cancelled {count} running" if count else "nothing is running; q quits")

    def do_quit(self) -> None:
        self.jobs.cancel_all()
        self.exit(0)

    def do_back(self) -> bool:
        return False


def warm() -> None:
    """Import what the first model needs, once the first screen has its numbers and off the interface thread."""
    import alsbench.analysis.run  # noqa: F401


def collect_again() -> None:
    """Garbage collection as usual where starting had switched it off. What starting made lives as long as the app: it is set
    aside, since visiting it would hold up keys."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
