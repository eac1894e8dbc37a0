"""How far blocks of resampling are, told to whoever listens in this thread; a listener that raises ends the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]

_LISTENER: ContextVar[Listener | None] = ContextVar("progress of blocks", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Within, ``listener(title, done, total)`` is told how many blocks are done, in this thread; it may raise: that ends the
    work."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell(title: str, done: int, total: int) -> None:
    """Tell whoever listens in this thread."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(title, done, total)
