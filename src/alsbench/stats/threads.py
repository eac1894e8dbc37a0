"""One BLAS thread inside a fit: same bits whatever the machine, and faster for matrices of this size.

OpenBLAS has one number of threads for the whole process. threadpoolctl 3.8 lets only the thread that set it first change it,
and does nothing, silently, for any other while the first is alive: a model fitted in a second worker would run unlimited and
differ in its last bit. Here the users are counted under a lock, so that the thread which opens or closes the limit may always
take the control over.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_state: dict[str, Any] = {"users": 0, "controller": None, "limit": None}


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread; nested and concurrent users share one limit, lifted when the last one leaves."""
    with _lock:
        if _state["users"] == 0:
            if _state["controller"] is None:
                from threadpoolctl import ThreadpoolController  # waits: threadpoolctl

                _state["controller"] = ThreadpoolController()
            _take_control()
            _state["limit"] = _state["controller"].limit(limits=1)
        _state["users"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["users"] -= 1
            if _state["users"] == 0:
                _take_control()
                _state["limit"].restore_original_limits()
                _take_control()


def _take_control() -> None:
    """No thread controls the BLAS libraries: whoever sets a number next does. Versions before 3.8 have no such control."""
    for library in _state["controller"].lib_controllers:
        clear = getattr(library, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)
