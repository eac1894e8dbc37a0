"""A search in other processes: the same bits, the same counts, whatever is killed; and nothing but arrays travels."""

from __future__ import annotations

import math
import os
import pickle
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alsbench.analysis import search as module
from alsbench.analysis.search import WholeSearch, interactions
from alsbench.analysis.source import Source
from alsbench.compute import LocalProcesses
from alsbench.progress import listening

DRAWS = 1100  # four tiles and a part of a fifth


@pytest.fixture(scope="module")
def two() -> Iterator[LocalProcesses]:
    made = LocalProcesses(2)
    yield made
    made.close()


def scopes(search: WholeSearch) -> list[np.ndarray]:
    everything = np.arange(len(search.places))
    return [everything, everything[::3]]


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_the_same_bits_whoever_computes_and_in_blocks_of_any_size(
    built_trial: Source, two: LocalProcesses, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    here = WholeSearch(built_trial, seed=2)
    smallest, offers = here.run(scopes(here), DRAWS)
    p, crossed = here.p_values(300), interactions(here, DRAWS)
    assert smallest.shape == (DRAWS, 2) and (smallest[:, 0] <= smallest[:, 1]).all() and (smallest < 0.5).any()
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    there = WholeSearch(replace(built_trial, compute=two), seed=2)
    again = there.run(scopes(there), DRAWS)
    assert smallest.tobytes() == again[0].tobytes() and offers.tobytes() == again[1].tobytes()
    assert p.tobytes() == there.p_values(300).tobytes()
    elsewhere = interactions(there, DRAWS)
    assert repr(elsewhere.observed) == repr(crossed.observed) and crossed.largest  # NaN too
    assert all(elsewhere.largest[k].tobytes() == crossed.largest[k].tobytes() for k in crossed.largest)


def test_a_worker_that_is_killed_costs_time_only(built_trial: Source) -> None:
    """Each of the two is killed once, in the middle of a tile; others take their places."""
    here = WholeSearch(built_trial, seed=2)
    expected = here.run(scopes(here), DRAWS)[0]
    killed: list[int] = []
    workers = LocalProcesses(2)

    def kill(_title: str, done: int, _total: int) -> None:
        if len(killed) < 2 and done >= len(killed) and workers.pids:
            os.kill(workers.pids[-1], signal.SIGKILL)
            killed.append(workers.pids[-1])

    there = WholeSearch(replace(built_trial, compute=workers), seed=2)
    try:
        with listening(kill):
            found = there.run(scopes(there), DRAWS)[0]
        assert len(set(killed)) == 2 and not set(killed) & set(workers.pids)
        assert found.tobytes() == expected.tobytes()
    finally:
        workers.close()


def test_what_travels_are_arrays_without_identifiers_or_paths(built_trial: Source) -> None:
    """The job of a search as it is sent: of strings there are the names of our own classes and fields, and NumPy's."""
    sent = []

    class Recorded:
        away = ""

        def submit(self, function, shared, blocks, *, title="blocks"):  # type: ignore[no-untyped-def]
            sent.append(pickle.dumps((function, shared, blocks), protocol=5))
            return (function(shared, block) for block in blocks)

        def close(self) -> None: ...

    search = WholeSearch(replace(built_trial, compute=Recorded()), seed=2)
    search.run(scopes(search), 10)
    search.p_values(10)
    interactions(search, 10)
    assert len(sent) == 3 and min(len(job) for job in sent) > 10_000
    names = [*built_trial.study.endpoints, *(s.where for s in built_trial.study.subgroups), *built_trial.study.arms.order]
    secret = [*built_trial.subject_ids, *names, str(built_trial.results_dir or ""), str(Path.home()), built_trial.snapshot.name]
    assert len(built_trial.subject_ids) > 20
    for job in sent:
        assert not [word for word in secret if word and word.encode() in job and len(word) > 3]


@pytest.mark.parametrize(
    ("draws", "blocks", "largest"), [(1, 1, 1), (256, 1, 1), (257, 2, 1), (512_256, 667, 3), (10**7, 2442, 16)]
)
def test_every_tile_is_in_one_block(draws: int, blocks: int, largest: int) -> None:
    """257 draws are two tiles of 256; 512,256 are 2,001, in thousandths: 3 a block; ten million are 39,063, at most 16."""
    found = module.tile_blocks(draws)
    assert [tile for block in found for tile in block] == list(range(math.ceil(draws / 256)))
    assert len(found) == blocks and max(map(len, found)) == largest
