"""The life of a process that computes answers for the app: it opens what the app has open, and answers one question at a time.

It knows nothing of screens and logs. It gives way to other programs, and where memory is short it is the one to go.
"""

from __future__ import annotations

import os
import pickle
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.compute import IN_PROCESS, LocalProcesses
from alsbench.errors import AlsbenchError
from alsbench.processes import attached, packed, send
from alsbench.progress import listening
from alsbench.tui.answers import compute_or_fault, unexpected

if TYPE_CHECKING:
    from alsbench.analysis.source import Source

OPEN, ASK, READY, TOLD, ANSWER = b"o", b"q", b"r", b"t", b"a"  # kinds of messages
NICE = 5  # less than the threads that fit models: on a machine that others use too an answer is still to come
FIRST_TO_GO = "500"  # of 1000, where the kernel must end somebody
KEPT = ("study", "study_digest", "results_dir", "lock", "held", "log")  # of a source, as it is


@dataclass(frozen=True)
class Opening:
    """What a source is made of: its fields but for the snapshot, the snapshot's file, and the workers of its resampling."""

    kept: dict[str, Any]
    snapshot: Path
    workers: int

    @classmethod
    def of(cls, source: Source) -> Opening:
        workers = getattr(source.compute, "workers", 0)
        return cls({name: getattr(source, name) for name in KEPT}, source.snapshot.path, workers)

    def source(self) -> Source:
        """The same source, opened here. Raises DataError where the snapshot is not there any more."""
        from alsbench.analysis.source import Source  # waits: duckdb, pydantic
        from alsbench.data.snapshot import open_snapshot  # waits: duckdb

        compute = LocalProcesses(self.workers) if self.workers else IN_PROCESS
        return Source(snapshot=open_snapshot(self.snapshot), compute=compute, **self.kept)


def live(descriptor: int) -> None:
    """Open, answer, open, answer ... until the app ends, or ends us."""
    link, inbox = attached(descriptor)
    source: Source | None = None
    told: tuple[str, int] = ("", -1)

    def tell(title: str, done: int, total: int) -> None:
        nonlocal told
        if told != (title, done):
            told = title, done
            send(link, TOLD, pickle.dumps((title, done, total), protocol=5))

    while True:
        kind, content = inbox.get()
        value = pickle.loads(content)  # noqa: S301  from the app that started us
        if kind == OPEN:
            if source is not None:
                source.snapshot.close()
            fault = None
            try:
                source = value.source()
                make_ready(source)
            except AlsbenchError as error:
                fault = error
            except Exception as error:  # noqa: BLE001 - said where it was asked
                fault = unexpected(error)
            send(link, READY, pickle.dumps(fault, protocol=5))
            give_way()  # once what the user may wait for is there
        elif source is not None:
            told = "", -1
            with listening(tell):
                answer = compute_or_fault(value, source)
            send(link, ANSWER, packed(True, answer))


def give_way() -> None:
    """Let other programs go before us, and where memory is short go first; a system may not let us."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)


def make_ready(source: Source) -> None:
    """Import what most questions need and read the subjects, before anything is asked."""
    from alsbench.analysis.cache import program_print  # waits: pydantic
    from alsbench.analysis.methods import METHODS, analyse_with  # waits: duckdb, pydantic
    from alsbench.analysis.run import answer  # waits: numpy
    from alsbench.analysis.source import SUBJECT_TABLE  # waits: duckdb, pydantic

    _ = answer
    for method in dict.fromkeys(e.method for e in source.study.endpoints.values()):
        if method in METHODS:
            analyse_with(method)
    program_print()
    if SUBJECT_TABLE in source.snapshot.tables:
        _ = source.subjects
