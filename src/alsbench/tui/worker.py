"""Work off the interface thread: one job per panel, the newest wins, and only messages come back.

A thread cannot be killed: a job that was replaced or cancelled is told so (``job.cancelled``), its running database query
is interrupted, and whatever it still posts is dropped because its generation number is old. Threads are daemons, so that
leaving the app never waits for a model.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from textual.app import App
from textual.message import Message

from alsbench.errors import AlsbenchError
from alsbench.progress import listening
from alsbench.tui.answers import unexpected

NICE = 10  # of the threads that fit models


class Cancelled(Exception):
    """Raised inside a job that was replaced or cancelled; never reaches the user."""


@dataclass(eq=False)
class Job:
    """A piece of work for a panel. ``post`` sends a part of the answer; ``check`` ends the job when nobody wants it."""

    panel: str
    generation: int
    label: str
    app: App[Any]
    stop: threading.Event = field(default_factory=threading.Event)
    interrupts: list[Callable[[int], None]] = field(default_factory=list)
    thread: int = 0
    lane: str = ""
    said: tuple[str, int] = ("", 0)
    far: tuple[int, int] = (0, 0)  # how many parts are done, of how many
    step: str = ""  # how far the blocks of a part are

    @property
    def words(self) -> str:
        """How far it is, for the status line; empty where nobody counts."""
        done, total = self.far
        return f"{self.label} {self.step or f'{done}/{total}'}" if total else ""

    @property
    def place(self) -> str:
        """Where only one job runs at a time: the panel, or a lane of it."""
        return f"{self.panel}/{self.lane}" if self.lane else self.panel

    @property
    def cancelled(self) -> bool:
        return self.stop.is_set()

    def check(self) -> None:
        if self.stop.is_set():
            raise Cancelled

    def post(self, payload: Any, *, done: int = 0, total: int = 0) -> None:
        """Hand over a part of the answer, with progress."""
        self.check()
        self.app.post_message(JobReport(self, "part", payload, done, total))

    def heard(self, title: str, done: int, total: int) -> None:
        """How far blocks of resampling are: told on, unless nobody wants them any more."""
        self.check()
        self.tell(title, done, total)

    def tell(self, title: str, done: int, total: int) -> None:
        """The same, from another thread; without a title, that other answers are computed now."""
        if self.said != (title, done) or not title:
            self.said = title, done
            self.app.post_message(JobReport(self, "blocks", title, done, total))


class JobReport(Message):
    """What a job says: ``part`` of an answer, ``done`` with the last one, ``failed`` with an error, ``cancelled``; and how far
    it is within a part (``blocks``)."""

    def __init__(self, job: Job, kind: str, payload: Any = None, done: int = 0, total: int = 0) -> None:
        super().__init__()
        self.job = job
        self.kind = kind
        self.payload = payload
        self.done = done
        self.total = total


class Jobs:
    """All running work, by panel."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._running: dict[str, Job] = {}
        self._generation = 0
        self._gate = threading.Lock()

    def start(
        self,
        panel: str,
        label: str,
        work: Callable[[Job], Any],
        *,
        heavy: bool = False,
        interrupt: Callable[[int], None] | None = None,
        lane: str = "",
        total: int = 0,
    ) -> Job:
        """Run ``work`` in a thread for a panel; a job running there is cancelled first.

        A panel with several kinds of work gives each a ``lane``: one does not cancel the other. ``total`` parts are to come.
        ``interrupt`` stops what a thread, given by its id, is waiting for: the query it runs, and nobody else's.

        ``heavy`` work (models) takes turns: two fits at once would only share the interpreter lock.
        """
        self._generation += 1
        job = Job(panel, self._generation, label, self._app, lane=lane, far=(0, total))
        self.cancel(panel, lane)
        if interrupt is not None:
            job.interrupts.append(interrupt)
        self._running[job.place] = job
        threading.Thread(target=self._run, args=(job, work, heavy), name=f"job-{panel}", daemon=True).start()
        return job

    def _run(self, job: Job, work: Callable[[Job], Any], heavy: bool) -> None:
        job.thread = threading.get_ident()
        if heavy:
            give_way()
        try:
            with self._gate if heavy else nullcontext():
                job.check()
                with listening(job.heard):
                    payload = work(job)
            report = JobReport(job, "done", payload)
        except Cancelled:
            report = JobReport(job, "cancelled")
        except AlsbenchError as error:
            report = JobReport(job, "failed", error)
        except Exception as error:  # noqa: BLE001 - a worker must never take the terminal down; the error is shown and logged
            report = JobReport(job, "cancelled") if job.cancelled else JobReport(job, "failed", unexpected(error))
        self._app.post_message(report)

    @property
    def started(self) -> int:
        """How many jobs were started so far."""
        return self._generation

    def current(self, report: JobReport) -> bool:
        """Whether a report comes from the newest job of its panel."""
        running = self._running.get(report.job.place)
        return running is not None and running.generation == report.job.generation

    def finish(self, report: JobReport) -> None:
        """Forget a job that said its last word."""
        if self.current(report) and report.kind not in ("part", "blocks"):
            del self._running[report.job.place]

    def cancel(self, panel: str, lane: str = "") -> bool:
        """Tell the job of a panel (of a lane of it) to stop; True when there was one."""
        return self._stop(f"{panel}/{lane}" if lane else panel)

    def _stop(self, place: str) -> bool:
        job = self._running.pop(place, None)
        if job is None:
            return False
        job.stop.set()
        for interrupt in job.interrupts:
            interrupt(job.thread)
        return True

    def cancel_all(self) -> int:
        """Stop everything; the number of jobs told."""
        return sum(self._stop(place) for place in tuple(self._running))

    @property
    def running(self) -> tuple[Job, ...]:
        return tuple(self._running.values())

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(job.label for job in tuple(self._running.values()))


def give_way() -> None:
    """Let the processor prefer other threads to this one: on a busy machine a key is then answered before a model is fitted
    on. Only Linux knows priorities of threads."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it; the work is the same
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
