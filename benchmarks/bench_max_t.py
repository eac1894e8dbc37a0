"""How long a max-t adjusted p takes: process time of one call, best of several, for 6, 12 and 24 visits.

One statistic of the family, as beside a first significant visit, and all of them, as with ``adjust = "max-t"``; correlations
0.96 * 0.93^|i - j|, t with 40 df, statistics spread from 2.9 down to 0.6.

    python benchmarks/bench_max_t.py
"""

from __future__ import annotations

import time

import numpy as np
from draws_max_t import ar_like

from alsbench.stats.max_t import max_t


def best(call: object, repeats: int = 5) -> float:
    """Microseconds of the quickest of several calls."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()  # type: ignore[operator]
        times.append(time.process_time() - start)
    return 1e6 * min(times)


def main() -> None:
    start = time.process_time()
    max_t(np.r_[2.9, np.zeros(11)], ar_like(12), 40, only=[0])
    print(f"first call of a process {1e3 * (time.process_time() - start):.0f} ms")
    print(f"{'visits':>6} {'one p, us':>12} {'all p, us':>12}")
    for m in (6, 12, 24):
        t, R = np.linspace(2.9, 0.6, m), ar_like(m)
        one, every = best(lambda t=t, R=R: max_t(t, R, 40, only=[0])), best(lambda t=t, R=R: max_t(t, R, 40))  # type: ignore[misc]
        print(f"{m:6d} {one:12.0f} {every:12.0f}")


if __name__ == "__main__":
    main()
