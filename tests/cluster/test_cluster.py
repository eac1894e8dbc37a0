"""Blocks on a real Dask cluster, a scheduler and two workers with TLS on the loopback: the same bits, whatever dies, and who is
not let in."""

from __future__ import annotations

import json
import operator
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.apart import raise_loopback
from tests.built.results import load_built
from tests.cluster.dask_cluster import DaskCluster, certificate, dask_cluster
from tests.shared import REACHABLE
from tests.shell import run_here

import alsbench
from alsbench import cluster as module
from alsbench.analysis.search import WholeSearch, interactions
from alsbench.analysis.source import Source
from alsbench.cluster import Certificates, Cluster
from alsbench.errors import UnavailableError, UsageError
from alsbench.progress import listening

DRAWS = 1100
asleep = (signal.sigtimedwait, (signal.SIGUSR1,))  # of a function and what is shared: a block is so many seconds
SOURCES = Path(alsbench.__file__).parent


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    if not raise_loopback():
        pytest.skip("the loopback is down, and not ours to raise: `make test` does it")
    with dask_cluster(tmp_path_factory.mktemp("dask"), workers=2) as made:
        made.until_joined(2)
        REACHABLE.add(("127.0.0.1", made.port))
        yield made
        REACHABLE.clear()


@pytest.fixture
def joined(dask: DaskCluster) -> Iterator[Cluster]:
    made = Cluster(dask.address, certificates=files(dask))
    made._connected().wait_for_workers(2, timeout=60)  # one that a test killed may be on its way back
    yield made
    made.close()


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return load_built(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def expected(trial: Source) -> np.ndarray:
    """The smallest p of every permuted trial, computed here."""
    return WholeSearch(trial, seed=2).run(scopes(WholeSearch(trial, seed=2)), DRAWS)[0]


def files(dask: DaskCluster) -> Certificates:
    return Certificates(str(dask.cert), str(dask.cert), str(dask.key))


def scopes(search: WholeSearch) -> list[np.ndarray]:
    return [np.arange(len(search.places)), np.arange(0, len(search.places), 3)]


def found_by(cluster: Cluster, trial: Source) -> np.ndarray:
    search = WholeSearch(replace(trial, compute=cluster), seed=2)
    return search.run(scopes(search), DRAWS)[0]


def test_the_same_bits_as_in_process(joined: Cluster, trial: Source, expected: np.ndarray) -> None:
    """The whole search, its p of every place, and the interactions; and the workers say which BLAS they have."""
    assert found_by(joined, trial).tobytes() == expected.tobytes()
    here, there = WholeSearch(trial, seed=2), WholeSearch(replace(trial, compute=joined), seed=2)
    assert here.p_values(300).tobytes() == there.p_values(300).tobytes()
    mine, theirs = interactions(here, 600), interactions(there, 600)
    assert all(theirs.largest[k].tobytes() == mine.largest[k].tobytes() for k in mine.largest) and mine.largest
    assert "2 workers" in joined.said and module.blas_words() in joined.said


def test_results_come_in_order_and_faults_at_their_block(joined: Cluster) -> None:
    told: list[tuple[str, int, int]] = []
    with listening(lambda *words: told.append(words)):
        assert list(joined.submit(operator.add, 1, range(150), title="sums")) == list(range(1, 151))
    assert told[0] == ("sums", 0, 150) and told[-1] == ("sums", 150, 150)
    results = joined.submit(operator.truediv, 1, [2, 1, 0, 4])
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(joined.submit(operator.add, 1, [])) == []


def test_workers_that_are_killed_cost_time_only(joined: Cluster, trial: Source, expected: np.ndarray) -> None:
    """All of them at once, with the job that they held: its nanny starts each again, and the scheduler still has the job."""
    killed: list[int] = []

    def kill(_title: str, done: int, _total: int) -> None:
        if done and not killed:
            killed.extend(joined._connected().run(os.getpid).values())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    with listening(kill):
        assert found_by(joined, trial).tobytes() == expected.tobytes()
    assert len(killed) == 2
    assert not set(killed) & set(joined._connected().run(os.getpid).values())


def test_whoever_listens_may_end_the_work(joined: Cluster) -> None:
    class EnoughError(Exception):
        """The listener's own."""

    def enough(_title: str, _done: int, _total: int) -> None:
        if time.monotonic() > begun + 0.5:
            raise EnoughError

    begun = time.monotonic()
    with listening(enough), pytest.raises(EnoughError):
        list(joined.submit(*asleep, [3.0] * 40))
    assert time.monotonic() < begun + 10
    assert list(joined.submit(operator.add, 1, [1])) == [2]  # after the blocks that were running, not after forty
    assert time.monotonic() < begun + 30


def test_a_command_line_and_its_entry_in_the_log(dask: DaskCluster, tmp_path: Path) -> None:
    """The same bytes as without; the certificates of the settings; and the log says where arrays went, and to which BLAS."""
    load_built(tmp_path)
    workspace = tmp_path / "ws"
    (tmp_path / "alsbench").mkdir()
    names = ("ca", dask.cert), ("cert", dask.cert), ("key", dask.key)
    (tmp_path / "alsbench" / "config.toml").write_text("".join(f'cluster_{n} = "{path}"\n' for n, path in names))
    line = ["scrutinise", "--subgroup", "slow", "--endpoint", "cafs", "--check", "selection", "--format", "json"]
    assert run_here([*line, "-w", workspace]).code == 0  # now there is a log
    shutil.rmtree(workspace / "results")
    here = run_here([*line, "-w", workspace])
    shutil.rmtree(workspace / "results")
    there = run_here([*line, "--cluster", dask.address, "-w", workspace], env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert here.code == there.code == 0, there.err
    assert json.loads(here.out) and there.out == here.out
    assert f"cluster {dask.address}, " in there.err and module.blas_words() in there.err
    looks = [json.loads(entry) for entry in (workspace / "audit.jsonl").read_text().splitlines()]
    told = [look["facts"].get("cluster") for look in looks if look["action"] == "look"]
    assert told[:2] == [None, None] and told[2].startswith(f"{dask.address}, 2 workers, ")


# ---- who is not let in, and what cannot be reached


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no address"),
        ("node17:port", "no address"),
        ("http://node17:8786", "no address"),
        ("tls://a b:8786", "no address"),
        ("tls://node17:99999", "no address"),
        ("node17:8786", "not encrypted"),
        ("tcp://10.0.0.7:8786", "not encrypted"),
        ("tcp://localhost.example.org:8786", "not encrypted"),
        ("tcp://[fe80::1]:8786", "not encrypted"),
    ],
)
def test_addresses_that_are_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as fault:
        module.checked_address(text)
    assert fault.value.where == "--cluster"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tls://node17:8786", "tls://node17:8786"),
        ("tls://node17", "tls://node17:8786"),
        ("127.0.0.1:80", "tcp://127.0.0.1:80"),
        ("localhost", "tcp://localhost:8786"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
    ],
)
def test_addresses_that_are_taken(text: str, meant: str) -> None:
    assert module.checked_address(text) == meant
    assert module.checked_address("tcp://10.0.0.7:8786", insecure=True) == "tcp://10.0.0.7:8786"


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 1 of the loopback: within the patience for a first connection, here 2 seconds."""
    monkeypatch.setattr(module, "PATIENCE", 2)
    REACHABLE.add(("127.0.0.1", 1))
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match="cannot be reached") as fault:
        list(Cluster("tcp://127.0.0.1:1").submit(operator.add, 1, [1]))
    REACHABLE.discard(("127.0.0.1", 1))
    assert fault.value.exit_code == 4 and time.monotonic() < begun + 15


def test_a_scheduler_is_believed_by_its_certificate(dask: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another certificate than its own is not; nor does it let in who has another; nor is there a way around TLS."""
    monkeypatch.setattr(module, "PATIENCE", 2)
    cert, key = map(str, certificate(tmp_path, "other"))
    own = str(dask.cert), str(dask.key)
    for wrong in (Certificates(cert, *own), Certificates(own[0], cert, key)):
        with pytest.raises(UnavailableError, match="cannot be reached"):
            list(Cluster(dask.address, certificates=wrong).submit(operator.add, 1, [1]))
    with pytest.raises(UnavailableError, match="cannot be reached"):
        list(Cluster(dask.address.replace("tls", "tcp")).submit(operator.add, 1, [1]))


def test_certificates_that_cannot_be_used(dask: DaskCluster, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="TLS needs certificates"):
        Cluster("tls://node17:8786")
    with pytest.raises(UsageError, match="is not there") as fault:
        Cluster("tls://node17:8786", certificates=Certificates(ca=str(tmp_path / "ca.pem")))
    assert fault.value.where.startswith("cluster_ca")
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(UsageError, match="cannot be read"):
        Cluster("tls://node17:8786", certificates=Certificates(str(tmp_path / "ca.pem"), str(dask.cert), str(dask.key)))


def test_workers_with_other_versions_are_refused(dask: DaskCluster, joined: Cluster, tmp_path: Path) -> None:
    """One with version 0.0.1 comes while we work; then we come while it is there."""
    shutil.copytree(SOURCES, tmp_path / "alsbench", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "alsbench" / "version.py").write_text('__version__ = "0.0.1"\n')
    assert list(joined.submit(operator.add, 1, [1])) == [2]
    with another_worker(dask, joined, tmp_path):
        late = Cluster(dask.address, certificates=files(dask))
        for cluster in (joined, late):
            with pytest.raises(UnavailableError, match="other versions") as fault:
                list(cluster.submit(*asleep, [0.05] * 60))
            assert "alsbench 0.0.1 there" in fault.value.why and "install" in fault.value.hint
            assert fault.value.exit_code == 4
        late.close()


def test_a_worker_without_the_program_is_refused(dask: DaskCluster, joined: Cluster, tmp_path: Path) -> None:
    """To somebody who is there already it costs time only: it cannot read what it is sent, and others are given it."""
    (tmp_path / "alsbench").mkdir()
    (tmp_path / "alsbench" / "__init__.py").write_text("")
    assert list(joined.submit(operator.add, 1, [1])) == [2]
    with another_worker(dask, joined, tmp_path):
        late = Cluster(dask.address, certificates=files(dask))
        with pytest.raises(UnavailableError, match="cannot run alsbench") as fault:
            list(late.submit(operator.add, 1, [1]))
        assert "No module named" in fault.value.why and "pip install" in fault.value.hint
        late.close()
        assert list(joined.submit(operator.add, 1, range(30))) == list(range(1, 31))


@contextmanager
def another_worker(dask: DaskCluster, joined: Cluster, path: Path) -> Iterator[None]:
    """Within, a third worker, which finds its programs in ``path`` first."""
    other = dask.worker(path.name, path)
    client = joined._connected()
    client.wait_for_workers(3, timeout=60)
    try:
        yield
    finally:
        dask.end(other)
        end = time.monotonic() + 30
        while len(client.scheduler_info(n_workers=-1)["workers"]) > 2:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_a_client_of_the_users_own(dask: DaskCluster, trial: Source, expected: np.ndarray) -> None:
    """As dask-jobqueue and dask-kubernetes hand it over; it stays open."""
    import distributed

    security = distributed.Security(
        tls_ca_file=str(dask.cert), tls_client_cert=str(dask.cert), tls_client_key=str(dask.key), require_encryption=True
    )
    with distributed.Client(dask.address, security=security, set_as_default=False) as client:
        cluster = Cluster(client)
        assert found_by(cluster, trial).tobytes() == expected.tobytes()
        cluster.close()
        assert client.status == "running" and cluster.away == dask.address


def test_a_scheduler_that_goes_away(tmp_path: Path) -> None:
    """In the middle of the work: said when it has not come back for as long as Dask waits, here 2 seconds."""
    import dask

    with dask_cluster(tmp_path, workers=0) as gone, dask.config.set({"distributed.comm.timeouts.connect": "2s"}):
        REACHABLE.add(("127.0.0.1", gone.port))
        cluster = Cluster(gone.address, certificates=files(gone))
        begun = time.monotonic()

        def kill(_title: str, _done: int, _total: int) -> None:
            if gone.scheduler in gone.running:
                gone.end(gone.scheduler)

        with listening(kill), pytest.raises(UnavailableError, match="the cluster is gone"):
            list(cluster.submit(operator.add, 1, [1]))
        assert time.monotonic() < begun + 30
        cluster.close()
