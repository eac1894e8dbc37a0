"""What workers and a cluster give: tiles of a search per second, what a block costs, what travels, and 1,000 cores on paper.

The search of the sample trial (every definition, endpoint, comparison and visit), tiles of 256 trials dealt again. Workers are
warm: they have had a tile before. On a busy machine the ratio says how busy it is. With ``--dask`` also a scheduler and workers
of Dask on the loopback, without TLS.

    python benchmarks/bench_workers.py [--tiles 40] [--dask]
"""

from __future__ import annotations

import argparse
import operator
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

import alsbench as als
from alsbench.analysis.search import WholeSearch
from alsbench.analysis.source import open_source
from alsbench.compute import IN_PROCESS, Compute, LocalProcesses
from alsbench.stats.permutation_search import TILE, DealtSearch, dealt_extremes

SMALL = 500  # blocks of next to nothing, to see what a block costs
CORES, GIGABIT = 1000, 125e6


def seconds(compute: Compute, dealt: DealtSearch, tiles: int) -> float:
    """Wall time of so many blocks of one tile, the workers warm."""
    blocks = [range(k, k + 1) for k in range(tiles)]
    list(compute.submit(dealt_extremes, dealt, blocks[:4]))
    start = time.perf_counter()
    list(compute.submit(dealt_extremes, dealt, blocks))
    return time.perf_counter() - start


def block_cost(compute: Compute) -> float:
    """Seconds of a block in which nothing is computed."""
    list(compute.submit(operator.add, 0, range(4)))
    start = time.perf_counter()
    list(compute.submit(operator.add, 0, range(SMALL)))
    return (time.perf_counter() - start) / SMALL


@contextmanager
def dask(workers: int) -> Iterator[Compute]:
    """A scheduler and so many workers of one thread on the loopback."""
    from alsbench.cluster import Cluster

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, quiet = f"tcp://127.0.0.1:{port}", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    here = ["--host", "127.0.0.1"]
    lines = [["scheduler", *here, "--port", str(port), "--dashboard-address", "127.0.0.1:0"]]
    lines += [["worker", address, *here, "--nthreads", "1", "--no-dashboard"]] * workers
    running = [subprocess.Popen([sys.executable, "-m", "dask", *line], **quiet) for line in lines]  # type: ignore[call-overload]
    made = Cluster(address)
    try:
        made._connected().wait_for_workers(workers, timeout=60)
        yield made
    finally:
        made.close()
        for process in reversed(running):
            process.terminate()
            process.wait()


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--tiles", type=int, default=40)
    words.add_argument("--dask", action="store_true")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        als.demo(folder)
        source = replace(open_source(Path(folder)), results_dir=None)
        search = WholeSearch(source)
        dealt = search._dealt([np.arange(len(search.places))])
        measure(dealt, asked.tiles, asked.dask, len(search.places))
        source.snapshot.close()


def measure(dealt: DealtSearch, tiles: int, with_dask: bool, places: int) -> None:
    """Everything, as lines."""
    job = len(pickle.dumps((dealt_extremes, dealt), protocol=5))
    block, result = (len(pickle.dumps(x, protocol=5)) for x in (range(1), dealt_extremes(dealt, range(1))))
    print(f"{places} tests; sent once to a worker {job / 1e6:.1f} MB; with a block {block} bytes, back {result:,} bytes")
    start = time.perf_counter()
    first = LocalProcesses(1)
    list(first.submit(dealt_extremes, dealt, [range(1)]))
    begun = time.perf_counter() - start
    alone = seconds(IN_PROCESS, dealt, tiles)
    print(f"in process   {tiles / alone:6.2f} tiles/s ({tiles * TILE / alone:,.0f} trials/s)")
    one = seconds(first, dealt, tiles)
    cost = block_cost(first)
    first.close()
    two_workers = LocalProcesses(2)
    two = seconds(two_workers, dealt, tiles)
    two_workers.close()
    print(
        f"1 worker     {tiles / one:6.2f} tiles/s; start, job and a first tile {begun:.2f} s; a block costs {1e3 * cost:.2f} ms"
    )
    print(f"2 workers    {tiles / two:6.2f} tiles/s, ratio {one / two:.2f} (goal 1.7 on an idle machine of two processors)")
    if with_dask:
        with dask(1) as cluster:
            one = seconds(cluster, dealt, tiles)
            cost = block_cost(cluster)
        with dask(2) as cluster:
            two = seconds(cluster, dealt, tiles)
        print(f"Dask, 1      {tiles / one:6.2f} tiles/s; a block costs {1e3 * cost:.2f} ms")
        print(f"Dask, 2      {tiles / two:6.2f} tiles/s, ratio {one / two:.2f}")
    on_paper(alone / tiles, cost, job, result)


def on_paper(tile: float, cost: float, job: int, result: int) -> None:
    """1,000 cores: a block of k tiles takes k tiles' time on one of them; blocks and results pass one scheduler, one after the
    other; the job reaches all in 10 rounds, each worker handing it to another, over a network of 1 Gbit/s."""
    spread = 10 * job / GIGABIT
    print(
        f"{CORES} cores on paper: a tile {tile:.3f} s, a block {1e3 * cost:.2f} ms to deal out, the job {spread:.1f} s to all"
    )
    for total in (1_000, 10_000, 100_000):
        for k in (1, 4, 16, 64):
            blocks = -(-total // k)
            computed = -(-blocks // CORES) * k * tile
            passed = blocks * (cost + k * result / GIGABIT)
            whole = spread + max(computed, passed)
            gain = total * tile / whole
            print(f"  {total * TILE:11,} trials in blocks of {k:2d} tiles: {whole:8.1f} s, {gain:5.0f} times one core")


if __name__ == "__main__":
    main()
