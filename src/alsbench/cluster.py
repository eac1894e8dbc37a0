"""Blocks on a Dask cluster that somebody else runs (Rocklin 2015, doi 10.25080/Majora-7b98e3ed-013).

The scheduler at the address is the only thing we connect to. It is sent a job (a function by its name, and arrays) and blocks;
workers must have the same version of this program, NumPy and SciPy, which every block checks. A job is a task of its own: where
the last worker that held it dies, the scheduler makes it again from what it was sent.

Dask runs what it is sent, for whoever reaches it: an address that is not of this machine must be ``tls://``. Certificates are
those given, or those of Dask's own configuration (``distributed.comm.tls``).
"""

from __future__ import annotations

import ipaddress
import itertools
import logging
import pickle
import platform
import queue
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import distributed
from distributed.scheduler import KilledWorker
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from alsbench.compute import TICK
from alsbench.errors import AlsbenchError, UnavailableError, UsageError
from alsbench.progress import tell
from alsbench.stats.threads import one_blas_thread
from alsbench.version import __version__

S = TypeVar("S")
B = TypeVar("B")
R = TypeVar("R")

PATIENCE = 10  # seconds for a first connection
PORT = 8786
GATHERED = 64  # results fetched at once
TLS_SETTINGS = "cluster_ca, cluster_cert, cluster_key of your settings, or distributed.comm.tls of Dask's configuration"
TALKATIVE = ("distributed", "distributed.client", "tornado.application")  # loggers that write to the terminal by themselves


@dataclass(frozen=True)
class Certificates:
    """Files of TLS, each empty where Dask's configuration is to say: of whom the scheduler's certificate must be (``ca``), our
    own certificate and its key."""

    ca: str = ""
    cert: str = ""
    key: str = ""


def programs() -> dict[str, str]:
    """The versions that must be the same on both sides."""
    import numpy as np
    import scipy

    python = ".".join(platform.python_version_tuple()[:2])
    return {"alsbench": __version__, "Python": python, "NumPy": np.__version__, "SciPy": scipy.__version__}


def blas_words() -> str:
    """The library that makes matrix products here, and for which processor: ``openblas 0.3.30 SkylakeX``."""
    import numpy as np  # noqa: F401  brings its library
    from threadpoolctl import threadpool_info

    found = [i for i in threadpool_info() if i.get("user_api") == "blas" and "numpy" in i.get("filepath", "")]
    words = {" ".join(str(i[n]) for n in ("internal_api", "version", "architecture") if i.get(n)) for i in found}
    return ", ".join(sorted(words)) or "a BLAS that does not say its name"


def _worker_words() -> tuple[dict[str, str], str]:
    """What a worker says of itself."""
    return programs(), blas_words()


class OtherProgramError(Exception):
    """A block reached a worker with other versions: ``args`` are what it has and what it was asked for."""


def _opened(job: bytes, asked: dict[str, str]) -> tuple[Callable[[Any, Any], Any], Any]:
    """A job as a worker holds it."""
    if programs() != asked:
        raise OtherProgramError(programs(), asked)
    function, shared = pickle.loads(job)  # noqa: S301  the cluster runs what it is sent: hence TLS
    return function, shared


def _block(block: Any, job: tuple[Callable[[Any, Any], Any], Any], asked: dict[str, str]) -> Any:
    """One block, on a worker."""
    if programs() != asked:
        raise OtherProgramError(programs(), asked)
    with one_blas_thread():
        return job[0](job[1], block)


class Cluster:
    """Blocks are computed by the workers of a Dask scheduler at ``address``, with which we connect when the first are
    submitted. ``note`` takes narration."""

    def __init__(
        self,
        address: str | distributed.Client,
        *,
        certificates: Certificates | None = None,
        insecure: bool = False,
        note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """``address`` may be a client of the user's own, which stays open. Raises UsageError for an address that cannot be
        meant, one that is neither encrypted nor of this machine unless ``insecure``, and certificates that cannot be read."""
        self._note = note
        self._own = isinstance(address, str)
        self._client: distributed.Client | None = None
        self._levels: dict[str, int] = {}
        self._met, self.said = False, ""
        self._lock, self._users = threading.Lock(), 0
        if isinstance(address, str):
            self.away = checked_address(address, insecure=insecure)
            self._security = _security(self.away, certificates or Certificates())
        else:
            self._client = address
            self.away = str(address.scheduler_info().get("address", "a Dask cluster"))

    def submit(self, function: Callable[[S, B], R], shared: S, blocks: Sequence[B], *, title: str = "blocks") -> Iterator[R]:
        if not len(blocks):
            return
        with self._lock:
            self._users += 1
        try:
            yield from self._computed(function, shared, blocks, title)
        finally:
            with self._lock:
                self._users -= 1

    def _computed(self, function: Callable[[S, B], R], shared: S, blocks: Sequence[B], title: str) -> Iterator[R]:
        client, asked = self._connected(), programs()
        job = client.submit(_opened, pickle.dumps((function, shared), protocol=5), asked, pure=False)
        futures = dict(enumerate(client.map(_block, list(blocks), job=job, asked=asked, pure=False, key="alsbench")))
        ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        done: set[int] = set()
        try:
            for place, future in futures.items():
                future.add_done_callback(partial(_put, ended, place))
            while futures:
                first = min(futures)
                while first not in done:
                    tell(title, len(done), len(blocks))
                    done |= _all_of(ended)
                    self._still_there(client)
                due = list(itertools.takewhile(done.__contains__, range(first, first + GATHERED)))
                for place, result in zip(due, self._results(client, [futures[p] for p in due]), strict=False):
                    del futures[place]
                    self._meet(client)
                    yield result
            tell(title, len(done), len(blocks))
        finally:
            if futures and client.status == "running":
                client.cancel([job, *futures.values()], force=True)

    def _results(self, client: distributed.Client, futures: list[distributed.Future]) -> list[Any]:
        """The results of blocks that are done, up to the first that failed; what that raised where it is the first."""
        good = list(itertools.takewhile(lambda future: future.status == "finished", futures))
        try:
            return list(client.gather(good)) if good else [futures[0].result()]
        except OtherProgramError as fault:
            raise _other_program(self.away, *fault.args) from None
        except KilledWorker as fault:
            raise UnavailableError(
                "workers of the cluster died again and again at the same piece of work",
                where=self.away,
                why=str(fault),
                hint="look into the logs of the workers: memory?",
            ) from None
        except (ImportError, AttributeError) as fault:
            if "alsbench" not in str(fault):
                raise
            raise _not_there(self.away, fault) from None
        except distributed.client.FutureCancelledError as fault:
            raise UnavailableError("the cluster is gone", where=self.away, why=str(fault)) from None

    def _still_there(self, client: distributed.Client) -> None:
        if client.status not in ("running", "connecting"):
            raise UnavailableError("the cluster is gone", where=self.away)

    def _connected(self) -> distributed.Client:
        """The client, connected, with the versions of the workers there are found to be ours."""
        with self._lock:
            if self._client is None:
                self._client = self._joined()
        self._meet(self._client)
        return self._client

    def _joined(self) -> distributed.Client:
        """A client of our own; Dask does not write to the terminal while it is ours."""
        self._levels = {name: logging.getLogger(name).level for name in TALKATIVE}
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            return _connect(self.away, self._security)
        except AlsbenchError:
            self._let_dask_speak()
            raise

    def _let_dask_speak(self) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)

    def _meet(self, client: distributed.Client) -> None:
        """Look at the workers, unless some were looked at before: one that waits in a queue may come with the first result."""
        if not self._met:
            self._met, self.said = self._look_at_workers(client)
            self._note(f"cluster {self.said}")

    def _look_at_workers(self, client: distributed.Client) -> tuple[bool, str]:
        """Whether there are any, and ``tls://node:8786, 4 workers, openblas 0.3.30 SkylakeX``. Raises UnavailableError for a
        worker unlike us."""
        found: dict[str, Any] = client.run(_worker_words, on_error="return")
        blas: set[str] = set()
        for worker, words in found.items():
            if isinstance(words, BaseException):
                raise _not_there(worker, words)
            if words[0] != programs():
                raise _other_program(worker, words[0], programs())
            blas.add(words[1])
        count = f"{len(found)} worker{'s' * (len(found) != 1)}" if found else "no worker yet: waiting for one"
        return bool(found), ", ".join([self.away, count, *sorted(blas)])

    def close(self) -> None:
        """Leave the cluster, unless somebody's blocks are there; a client of the user's own stays."""
        with self._lock:
            if not self._own or self._client is None or self._users:
                return
            client, self._client = self._client, None
        client.close(timeout=PATIENCE)
        self._let_dask_speak()


def _all_of(ended: queue.SimpleQueue[int]) -> set[int]:
    """What has ended, after a tick at most."""
    found: set[int] = set()
    try:
        found.add(ended.get(timeout=TICK))
        while True:
            found.add(ended.get_nowait())
    except queue.Empty:
        return found


def _put(ended: queue.SimpleQueue[int], place: int, _future: distributed.Future) -> None:
    ended.put(place)


def checked_address(text: str, *, insecure: bool = False) -> str:
    """``tls://host:port`` or ``tcp://host:port``. Raises UsageError for anything else, and for a way that is not encrypted to
    another machine."""
    scheme, mark, rest = text.strip().rpartition("://")
    scheme = scheme if mark else "tcp"
    host, colon, port = rest.rpartition(":")
    if rest.endswith("]") or not colon:
        host, port = rest, str(PORT)
    host = host.strip("[]")
    if scheme not in ("tcp", "tls") or not host or not port.isdigit() or not 0 < int(port) < 65536 or set(host) & set("/ @"):
        hint = "for instance: tls://node17:8786, as the scheduler prints it when it starts"
        raise UsageError(f"{text!r} is no address of a Dask scheduler", where="--cluster", hint=hint)
    if scheme == "tcp" and not insecure and not _of_this_machine(host):
        raise UsageError(
            f"tcp://{host}:{port} is not encrypted",
            where="--cluster",
            why="arrays of the trial would travel in the open, and Dask runs what anybody who reaches it sends",
            hint="start the scheduler with TLS (docs/how-to/cluster.md), or say --insecure on a network of your own",
        )
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _of_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _security(address: str, files: Certificates) -> Security | None:
    """The certificates for a way that is encrypted; None for one that is not."""
    if not address.startswith("tls://"):
        return None
    for name, path in (("cluster_ca", files.ca), ("cluster_cert", files.cert), ("cluster_key", files.key)):
        if path and not Path(path).is_file():
            raise UsageError("this certificate or key is not there", where=f"{name} {path}")
    given = {"tls_ca_file": files.ca, "tls_client_cert": files.cert, "tls_client_key": files.key}
    try:
        made = Security(require_encryption=True, **{name: path for name, path in given.items() if path})
        context = made.get_connection_args("client").get("ssl_context")
    except (ssl.SSLError, OSError) as fault:
        raise UsageError("the certificates cannot be read", where=address, why=str(fault), hint=TLS_SETTINGS) from fault
    if context is None:
        raise UsageError("TLS needs certificates", where=f"--cluster {address}", hint=TLS_SETTINGS)
    return made


def _connect(address: str, security: Security | None) -> distributed.Client:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # _look_at_workers says what matters
            return distributed.Client(
                address, security=security, timeout=PATIENCE, set_as_default=False, direct_to_workers=False
            )
    except (OSError, TimeoutError, ValueError, RuntimeError) as fault:
        raise UnavailableError(
            "the cluster cannot be reached",
            where=address,
            why=str(fault.__cause__ or fault),
            hint="is the scheduler running there, and does it take these certificates?",
        ) from fault


def _other_program(where: str, there: dict[str, str], here: dict[str, str]) -> UnavailableError:
    differ = [f"{name} {there.get(name, 'missing')} there, {here[name]} here" for name in here if there.get(name) != here[name]]
    return UnavailableError(
        "a worker of the cluster has other versions", where=where, why="; ".join(differ), hint="install the same on the workers"
    )


def _not_there(where: str, fault: BaseException) -> AlsbenchError:
    return UnavailableError(
        f"a worker of the cluster cannot run alsbench {__version__}",
        where=where,
        why=f"{type(fault).__name__}: {fault}",
        hint=f"install it there: pip install 'alsbench[cluster]=={__version__}'",
    )
