"""Answers computed beside each other, in processes that are kept warm.

A fit holds the interpreter, and a thread cannot be ended: so a process computes (:mod:`alsbench.tui.pool_process`), with the
same study, the same snapshot opened read-only and one BLAS thread, and what it answers are the same bits. Cancelling ends the
process in the middle of whatever it does, and another takes its place. Here is the queue before them: what the screen shown
asks for goes first, whatever was asked before; what two ask is computed once; what a process that died was computing is asked
once more, then said to be lost; and long work of a screen that is not shown makes room for one that is.

Nothing is written to the audit log from there: looks are entered where they are looked at. Where the system lets no process be
started, and where resampling goes to a cluster, answers are computed in this process, one after the other.
"""

from __future__ import annotations

import os
import pickle
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from alsbench.errors import AlsbenchError, UnavailableError
from alsbench.processes import Companion, ended
from alsbench.tui.answers import AnswerKey, Answers, kept, words
from alsbench.tui.pool_process import ANSWER, ASK, OPEN, READY, TOLD, Opening, live

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.tui.worker import Job

MOST_PROCESSES = 4
TICK = 0.1  # seconds after which a job that waits looks whether it is still wanted, and whether it can be given room
GRACE = 0.1  # seconds that what nobody waits for goes on, for somebody who asks the same again
LONG = 1.0  # seconds after which the work of a screen that is not shown makes room
MOST_DEATHS = 2  # of processes at one question


def usual_processes() -> int:
    """As many as there are processors for us, four at most."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    return max(1, min(MOST_PROCESSES, cores))


@dataclass(eq=False)
class Request:
    """One answer that somebody waits for. ``begun`` is when a process took it, 0.0 while none has; ``put_back`` that it makes
    room, ``deaths`` how many processes died of it."""

    key: AnswerKey
    source: Source
    number: int
    waiters: dict[Job, queue.SimpleQueue[AnswerKey]] = field(default_factory=dict)
    begun: float = 0.0
    deaths: int = 0
    put_back: bool = False

    @property
    def panels(self) -> set[str]:
        return {job.panel for job in self.waiters}


class _Seat:
    """A place for a process: who sits there, what it has open, what it computes, and whether it was ended by us."""

    def __init__(self) -> None:
        self.process: Companion | None = None
        self.opened: Source | None = None
        self.request: Request | None = None
        self.ended = False

    def leave(self) -> int:
        """Let go of the process; how it ended."""
        process, self.process, self.opened = self.process, None, None
        if process is None:
            return 0
        process.end()
        return process.code


class Pool:
    """``processes`` of them, 0 for none: then everything is computed by whoever asks. ``shown`` tells the panel that is on the
    screen; ``said`` takes what a user must know; both are called from any thread."""

    def __init__(self, answers: Answers, processes: int, shown: Callable[[], str], said: Callable[[str], None]) -> None:
        self.answers, self.shown, self.said = answers, shown, said
        self.most = self._wanted = processes
        self._source: Source | None = None
        self._requests: dict[AnswerKey, Request] = {}  # what waits, and what is being computed
        self._seats: list[_Seat] = []
        self._change = threading.Condition()
        self._alone = threading.Lock()  # one fit at a time where there are no processes
        self._here: AnswerKey | None = None  # what is computed in this process
        self._numbers = count()
        self._closed = False

    # ---- for the app

    def open(self, source: Source) -> None:
        """From now on answers are of this source. Where no process could be had, it is tried again."""
        with self._change:
            self._source = source
            if not self._seats:
                self.most = self._wanted
            self._change.notify_all()

    def warm(self) -> None:
        """Start the processes, which import the models and open the snapshot before anything is asked of them."""
        with self._change:
            if self._seats or self._closed or not self.most:
                return
            self._seats = [_Seat() for _ in range(self.most)]
            seats = tuple(self._seats)
        for seat in seats:
            threading.Thread(target=self._occupy, args=(seat,), name="pool", daemon=True).start()

    def apart(self, source: Source) -> bool:
        """Whether answers of a source are computed in other processes: arrays that leave the machine are sent from here, where
        the log is told."""
        return bool(self.most) and not source.compute.away and not self._closed

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes there are."""
        with self._change:
            return tuple(s.process.pid for s in self._seats if s.process is not None)

    @property
    def begun(self) -> frozenset[AnswerKey]:
        """What is being computed now."""
        with self._change:
            keys = {r.key for r in self._requests.values() if r.begun and r.waiters}
        return frozenset(keys | ({self._here} if self._here is not None else set()))

    def state(self) -> str:
        """What runs and what waits: ``2 running, 3 waiting: alsfrs slow ...``; empty where nothing is asked."""
        with self._change:
            running = [r for r in self._requests.values() if r.begun and r.waiters]
            waiting = sum(1 for r in self._requests.values() if not r.begun and r.waiters)
        if not running and not waiting:
            return ""
        first = min(running, key=lambda r: r.number, default=None)
        said = f"{len(running)} running" + (f", {waiting} waiting" if waiting else "")
        return said if first is None else f"{said}: {words(first.key)}{' ...' if len(running) + waiting > 1 else ''}"

    def close(self) -> None:
        """End the processes, and take no more questions."""
        with self._change:
            self._closed = True
            self._requests.clear()
            seats = tuple(self._seats)
            self._change.notify_all()
        for seat in seats:
            if (process := seat.process) is not None:
                process.kill()

    # ---- for jobs, each in its thread

    def answered(self, keys: Sequence[AnswerKey], source: Source, job: Job) -> Iterator[AnswerKey]:
        """Have answers computed and stored; each key when its answer is there. Raises Cancelled where the job is not wanted."""
        missing = []
        for key in dict.fromkeys(keys):
            job.check()
            if self.answers.get(key) is not None or self._kept(key, source):
                yield key
            else:
                missing.append(key)
        if not self.apart(source):
            yield from self._computed_here(missing, source, job)
            return
        self.warm()
        done = self._enter(missing, source, job)
        left = set(missing)
        while left:
            try:
                key = done.get(timeout=TICK)
            except queue.Empty:
                job.check()
                if not self.apart(source):  # no process can be had
                    yield from self._computed_here([k for k in missing if k in left], source, job)
                    return
                self._make_room(job)
                continue
            job.check()
            left.discard(key)
            yield key

    def _kept(self, key: AnswerKey, source: Source) -> bool:
        """Whether an answer lies beside the data; then it is known from now on. In one process whoever computes looks there."""
        if not self.apart(source):
            return False
        try:
            found = kept(key, source)
        except AlsbenchError:
            return False  # whoever computes it will say so
        if found is not None:
            self.answers.keep(key, found)
        return found is not None

    def _computed_here(self, keys: Sequence[AnswerKey], source: Source, job: Job) -> Iterator[AnswerKey]:
        for key in keys:
            job.check()
            with self._alone:
                job.check()
                self._here = key
                job.tell("", 0, 0)
                try:
                    self.answers.ask(key, source, job.check)
                finally:
                    self._here = None
            yield key

    def _enter(self, keys: Sequence[AnswerKey], source: Source, job: Job) -> queue.SimpleQueue[AnswerKey]:
        """Put questions into the queue; where the answered ones are told."""
        done: queue.SimpleQueue[AnswerKey] = queue.SimpleQueue()
        job.interrupts.append(lambda _: self._leave(job))
        with self._change:
            for key in keys:
                request = self._requests.get(key)
                if request is None or request.source is not source:
                    request = self._requests[key] = Request(key, source, next(self._numbers))
                request.waiters[job] = done
            self._change.notify_all()
        if job.cancelled:  # before it could be told what to leave
            self._leave(job)
        return done

    def _leave(self, job: Job) -> None:
        """A job does not want its answers any more; what nobody asks for in a moment is ended."""
        with self._change:
            for request in tuple(self._requests.values()):
                request.waiters.pop(job, None)
            idle = any(not r.waiters for r in self._requests.values())
        if idle:
            timer = threading.Timer(GRACE, self.sweep)
            timer.daemon = True
            timer.start()

    def sweep(self) -> None:
        """End what nobody waits for, now."""
        with self._change:
            for request in [r for r in self._requests.values() if not r.waiters]:
                del self._requests[request.key]
            self._end([s for s in self._seats if s.request is not None and not self._current(s.request)])

    def _current(self, request: Request) -> bool:
        return self._requests.get(request.key) is request

    def _end(self, seats: Sequence[_Seat]) -> None:
        for seat in seats:
            if seat.process is not None:
                seat.ended = True
                seat.process.kill()

    def _make_room(self, job: Job) -> None:
        """Where a job of the screen shown waits, and every process works long for others: the one that began last begins anew
        when there is room."""
        shown, now = self.shown(), time.monotonic()
        if job.panel != shown:
            return
        with self._change:
            busy = [(s, s.request) for s in self._seats if s.request is not None]
            waits = any(job in r.waiters and not r.begun for r in self._requests.values())
            if not waits or len(busy) < len(self._seats):
                return
            if any(shown in r.panels or r.put_back for _, r in busy):
                return  # the screen has a process already, or is about to
            seat, last = max(busy, key=lambda pair: pair[1].begun)
            if now - last.begun > LONG:
                last.put_back = True
                self._end([seat])

    # ---- the thread of a seat

    def _occupy(self, seat: _Seat) -> None:
        """Keep a process on a seat, and hand it one question after the other."""
        while not self._closed:
            source = self._source
            try:
                if source is not None and (seat.process is None or seat.opened is not source):
                    self._seated(seat, source)
            except (OSError, AlsbenchError) as fault:
                seat.leave()
                self._none_to_be_had(seat, fault)
                return
            request = self._next(seat)
            if request is not None:
                self._hand_over(seat, request)
        seat.leave()

    def _seated(self, seat: _Seat, source: Source) -> None:
        """A process on the seat that has opened the source. Raises OSError or AlsbenchError where there is none to be had."""
        if seat.process is None:
            seat.process = Companion(live)
        seat.process.send(OPEN, pickle.dumps(Opening.of(source), protocol=5))
        message = seat.process.receive()
        if message is None:
            code = seat.leave()
            if self._closed:
                return
            raise UnavailableError(f"a process that was to compute ended {ended(code)} before it could begin")
        fault = pickle.loads(message[1]) if message[0] == READY else None  # noqa: S301  from a process that we started
        if isinstance(fault, AlsbenchError):
            raise fault
        seat.opened = source

    def _none_to_be_had(self, seat: _Seat, fault: Exception) -> None:
        """One process less; with none left everything is computed by whoever asks."""
        with self._change:
            if seat in self._seats:
                self._seats.remove(seat)
            if self._seats or self._closed:
                return
            self.most = 0
            self._requests.clear()
        why = fault.what if isinstance(fault, AlsbenchError) else str(fault)
        self.said(f"answers are computed in this process, one after the other: {why}")

    def _next(self, seat: _Seat) -> Request | None:
        """The most urgent question, once there is one; None where the seat has to look around first."""
        with self._change:
            while True:
                if self._closed or seat.opened is not self._source:
                    return None
                shown = self.shown()
                waiting = [r for r in self._requests.values() if not r.begun and r.waiters and r.source is self._source]
                if waiting:
                    request = min(waiting, key=lambda r: (shown not in r.panels, r.number))
                    request.begun, seat.request = time.monotonic(), request
                    break
                self._change.wait()
        self._tell(request)
        return request

    def _hand_over(self, seat: _Seat, request: Request) -> None:
        """Have one question answered."""
        process = seat.process
        if process is None:
            return
        process.send(ASK, pickle.dumps(request.key, protocol=5))
        answer: Any = None
        while (message := process.receive()) is not None:
            value = pickle.loads(message[1])  # noqa: S301  from a process that we started
            if message[0] == ANSWER:
                answer = value[1]
                break
            if message[0] == TOLD:
                self._heard(request, *value)
        code = seat.leave() if answer is None else 0
        with self._change:
            seat.request, ours, seat.ended = None, seat.ended, False
            if self._current(request) and not self._closed:
                self._take(request, answer, code, ours)
        if ours:
            seat.leave()

    def _take(self, request: Request, answer: Any, code: int, ours: bool) -> None:
        """What a process said to a question: kept and told, asked again, or given up."""
        request.put_back = False
        if answer is None:
            request.begun = 0.0
            request.deaths += not ours
            if request.deaths < MOST_DEATHS:
                self._change.notify_all()
                if not ours:
                    self.said(f"a process that computed ended {ended(code)}: {words(request.key)} is computed again")
                return
            answer = _died(request, code)
        self.answers.keep(request.key, answer)
        del self._requests[request.key]
        for done in request.waiters.values():
            done.put(request.key)

    def _heard(self, request: Request, title: str, done: int, total: int) -> None:
        """How far blocks of resampling are."""
        for job in tuple(request.waiters):
            job.tell(title, done, total)

    def _tell(self, request: Request) -> None:
        """Another question is being computed: the status line names it."""
        for job in tuple(request.waiters):
            job.tell("", 0, 0)


def _died(request: Request, code: int) -> UnavailableError:
    return UnavailableError(
        f"{MOST_DEATHS} processes ended while they computed {words(request.key)}",
        why=f"the last one ended {ended(code)}; signal 9 is what the system sends where memory is short",
        hint="r asks again",
    )
