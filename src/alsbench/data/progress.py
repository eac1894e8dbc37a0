"""How far a load is, told to whoever asked: from deep inside a reader without a parameter through every function.

``report_progress`` may raise: that is how a load is cancelled. It does nothing where nobody listens, and outside the thread
that does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Progress = Callable[[str, int], None]

_LISTENER: ContextVar[Progress | None] = ContextVar("progress of a load", default=None)


@contextlib.contextmanager
def listening(progress: Progress | None) -> Iterator[None]:
    """Within, what is told goes to ``progress(what, how far)``."""
    token = _LISTENER.set(progress)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def report_progress(what: str, done: int) -> None:
    """Say how far something is: rows of a file, checks made."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(what, done)
