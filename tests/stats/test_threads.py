"""The BLAS limit holds inside the block, nests, holds in every thread, and is lifted afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from alsbench.stats.threads import one_blas_thread


def _threads() -> list[int]:
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """BLAS may use two threads, whatever the machine and its environment say."""
    np.eye(2) @ np.eye(2)
    with threadpool_limits(limits=2, user_api="blas"):
        yield


def test_one_thread_inside_and_restored_outside() -> None:
    before = _threads()
    assert set(before) == {2}
    with one_blas_thread():
        with one_blas_thread():
            assert set(_threads()) == {1}
        assert set(_threads()) == {1}
    assert _threads() == before


def test_a_second_thread_is_limited_while_the_first_user_lives() -> None:
    used, end = threading.Event(), threading.Event()
    seen: list[int] = []

    def first() -> None:
        with one_blas_thread():
            pass
        used.set()
        end.wait(30)

    def second() -> None:
        with one_blas_thread():
            seen.extend(_threads())

    one = threading.Thread(target=first)
    one.start()
    assert used.wait(30)
    two = threading.Thread(target=second)
    two.start()
    two.join(30)
    end.set()
    one.join(30)
    assert set(seen) == {1}
    assert set(_threads()) == {2}


def test_the_last_of_two_threads_lifts_the_limit() -> None:
    inside, leave = threading.Event(), threading.Event()
    seen: list[int] = []

    def longer() -> None:
        with one_blas_thread():
            inside.set()
            leave.wait(30)
            seen.extend(_threads())

    other = threading.Thread(target=longer)
    with one_blas_thread():
        other.start()
        assert inside.wait(30)
    leave.set()
    other.join(30)
    assert set(seen) == {1}
    assert set(_threads()) == {2}
