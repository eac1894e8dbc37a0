"""The BLAS limit holds inside the block, nests, and is lifted afterwards."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from alsbench.stats.threads import one_blas_thread


def _threads() -> list[int]:
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


def test_one_thread_inside_and_restored_outside() -> None:
    np.eye(2) @ np.eye(2)
    before = _threads()
    with one_blas_thread():
        with one_blas_thread():
            assert set(_threads()) == {1}
        assert set(_threads()) == {1}
    assert _threads() == before
