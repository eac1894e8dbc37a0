"""Where blocks of resampling and simulation are computed: in this process, in others of this machine, or on a cluster.

There is one seam: ``submit(function, shared, blocks)`` yields ``function(shared, block)`` in the order of the blocks. A block
is whole tiles of draws, each from a seed of its own, and a function uses nothing but its arguments, so that the same bits come
out wherever the blocks are computed, however they are cut, and when a worker dies: its block is computed again by another.
``function`` stands at the top of a module; ``shared`` is sent once to each worker, a block with each call: arrays and numbers,
no identifiers and no paths.

Local workers are programs of their own (:mod:`alsbench.processes`).
"""

from __future__ import annotations

import pickle
import selectors
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from alsbench.errors import UnavailableError, UsageError
from alsbench.processes import Companion, attached, ended, packed, send
from alsbench.progress import tell
from alsbench.stats.threads import one_blas_thread

S = TypeVar("S")
B = TypeVar("B")
R = TypeVar("R")

TICK = 0.1  # seconds after which a listener is told again, so that it can end the work
MOST_DEATHS = 3  # of workers at one block
MOST_WORKERS = 1024


class Compute(Protocol):
    """Where blocks are computed. ``away`` is where arrays go if they leave this machine, empty if they do not; ``said`` what an
    audit log is to say of where arrays went, empty as long as they went nowhere."""

    @property
    def away(self) -> str: ...

    @property
    def said(self) -> str: ...

    def submit(self, function: Callable[[S, B], R], shared: S, blocks: Sequence[B], *, title: str = "blocks") -> Iterator[R]:
        """``function(shared, block)`` of every block, in order. Whatever ``function`` raises is raised here.

        Raises UnavailableError where workers die again and again at the same block, or cannot be had.
        """
        ...

    def close(self) -> None:
        """End the workers, if there are any; the next :meth:`submit` starts others."""
        ...


class InProcess:
    """Blocks are computed here, one after the other, when the result is asked for."""

    away = said = ""

    def submit(self, function: Callable[[S, B], R], shared: S, blocks: Sequence[B], *, title: str = "blocks") -> Iterator[R]:
        for done, block in enumerate(blocks):
            tell(title, done, len(blocks))
            with one_blas_thread():
                result = function(shared, block)
            yield result
        tell(title, len(blocks), len(blocks))

    def close(self) -> None:
        """There is nothing to end."""


IN_PROCESS = InProcess()


class LocalProcesses:
    """Blocks are computed by ``workers`` other processes of this machine, each with one BLAS thread.

    They are started by the first :meth:`submit` and kept until :meth:`close`, or until this process ends in whatever way.
    """

    away = said = ""

    def __init__(self, workers: int) -> None:
        """Raises UsageError for a number of workers that cannot be meant."""
        if not 1 <= workers <= MOST_WORKERS:
            raise UsageError(
                f"{workers} is no number of workers", where="--workers", hint=f"0 (this process) to {MOST_WORKERS}"
            )
        self.workers = workers
        self._staff: list[_Worker] = []
        self._lock = threading.Lock()

    def submit(self, function: Callable[[S, B], R], shared: S, blocks: Sequence[B], *, title: str = "blocks") -> Iterator[R]:
        job = pickle.dumps((function, shared), protocol=5)
        waiting = deque(enumerate(blocks))
        deaths = [0] * len(blocks)
        found: dict[int, tuple[bool, Any]] = {}
        done = 0
        team = self._team(min(self.workers, len(blocks)), job)
        try:
            for number in range(len(blocks)):
                while number not in found:
                    tell(title, done, len(blocks))
                    for worker in team:
                        if not worker.busy and waiting:
                            worker.give(*waiting.popleft())
                    for worker in _ready(team):
                        place, answer = worker.place, worker.answer()
                        if answer is not None:
                            found[place] = answer
                            done += 1
                            continue
                        self._dismissed(worker)
                        team.remove(worker)
                        deaths[place] += 1
                        if deaths[place] == MOST_DEATHS:
                            raise _died(worker.process.code)
                        waiting.appendleft((place, blocks[place]))
                        team.append(self._hired(job))
                good, answer = found.pop(number)
                if not good:
                    raise answer
                yield answer
            tell(title, done, len(blocks))
        finally:
            self._back(team)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes there are."""
        with self._lock:
            return tuple(worker.process.pid for worker in self._staff)

    def _team(self, size: int, job: bytes) -> list[_Worker]:
        """So many workers that know the job: those that are free, and new ones."""
        with self._lock:
            team = [worker for worker in self._staff if not worker.taken][:size]
            for worker in team:
                worker.taken = True
        for worker in team:
            worker.process.send(JOB, job)
        return [*team, *(self._hired(job) for _ in range(size - len(team)))]

    def _hired(self, job: bytes) -> _Worker:
        worker = _Worker(job)
        with self._lock:
            self._staff.append(worker)
        return worker

    def _dismissed(self, worker: _Worker) -> None:
        worker.process.end()
        with self._lock:
            self._staff.remove(worker)

    def _back(self, team: list[_Worker]) -> None:
        """Workers that have nothing to do are kept; what the others do is wanted by nobody."""
        for worker in team:
            if worker.busy:
                self._dismissed(worker)
            worker.taken = False

    def close(self) -> None:
        with self._lock:
            free = [worker for worker in self._staff if not worker.taken]
        for worker in free:
            self._dismissed(worker)


def _died(code: int) -> UnavailableError:
    return UnavailableError(
        f"{MOST_DEATHS} worker processes ended at the same piece of work",
        why=f"the last one ended {ended(code)}",
        hint="each needs 200 MB of memory or more: ask for fewer with --workers, or 0 to compute in this process",
    )


JOB, BLOCK, ANSWER = b"j", b"b", b"a"  # kinds of messages


class _Worker:
    """Another process; ``place`` is that of the block that it was given last, ``busy`` whether there is no answer yet,
    ``taken`` whether somebody's blocks are being computed."""

    def __init__(self, job: bytes) -> None:
        self.place, self.busy, self.taken = 0, False, True
        self.process = Companion(serve)
        self.process.send(JOB, job)

    def give(self, place: int, block: Any) -> None:
        """Let it compute a block."""
        self.place, self.busy = place, True
        self.process.send(BLOCK, pickle.dumps(block, protocol=5))

    def answer(self) -> tuple[bool, Any] | None:
        """Whether the block could be computed, and the result or what was raised; None where the worker has died."""
        message = self.process.receive()
        if message is None:
            return None
        self.busy = False
        good, value = pickle.loads(message[1])  # noqa: S301  from a process that we started
        return good, value


def _ready(team: list[_Worker]) -> list[_Worker]:
    """The workers that have answered, or died, after a tick at most."""
    with selectors.DefaultSelector() as watched:
        for worker in team:
            if worker.busy:
                watched.register(worker.process.link, selectors.EVENT_READ, worker)
        return [key.data for key, _ in watched.select(TICK)]


def serve(descriptor: int) -> None:
    """The life of a worker, at its end of the socket: a job and blocks of it, then another job."""
    link, inbox = attached(descriptor)
    job = b""
    known: tuple[Callable[[Any, Any], Any], Any] | None = None
    while True:
        kind, content = inbox.get()
        if kind == JOB:
            job, known = content, None
            continue
        try:
            known = known or pickle.loads(job)  # noqa: S301  from the process that started us
            answer = packed(True, known[0](known[1], pickle.loads(content)))  # noqa: S301
        except Exception as fault:  # noqa: BLE001  it is raised where the blocks were submitted
            answer = packed(False, fault)
        send(link, ANSWER, answer)
