"""A real Dask cluster on the loopback, with TLS: a scheduler, workers, and certificates made for it."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

START = 60.0  # seconds: a busy machine


def certificate(folder: Path, name: str = "own") -> tuple[Path, Path]:
    """A certificate that signs itself, and its key: who trusts it trusts whoever holds the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / f"{name}-cert.pem", folder / f"{name}-key.pem"
    cert_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key_path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return cert_path, key_path


class DaskCluster:
    """Its address, certificate and key; its processes end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cert, self.key = certificate(folder)
        self.running: list[subprocess.Popen[bytes]] = []
        told = folder / "scheduler.json"
        words = ["--port", "0", "--dashboard-address", "127.0.0.1:0", "--protocol", "tls", "--scheduler-file", str(told)]
        self.scheduler = self._start("scheduler", *words)
        self._until(lambda: told.exists() and told.read_text().strip().endswith("}"))
        self.address: str = json.loads(told.read_text())["address"]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def until_joined(self, workers: int) -> None:
        """Wait until so many workers have said that the scheduler took them in."""
        logs = [self.folder / f"worker-{number}.log" for number in range(workers)]
        self._until(lambda: all("Registered to" in log.read_text() for log in logs))

    def worker(self, name: str, path: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a worker; ``path`` is searched for programs before what is installed."""
        more = {} if path is None else {"PYTHONPATH": str(path)}
        words = [self.address, "--name", name, "--nthreads", "1", "--no-dashboard"]
        return self._start("worker", *words, log=name, **more)

    def _start(self, what: str, *words: str, log: str = "", **variables: str) -> subprocess.Popen[bytes]:
        tls = ["--tls-ca-file", str(self.cert), "--tls-cert", str(self.cert), "--tls-key", str(self.key)]
        command = [sys.executable, "-m", "dask", what, "--host", "127.0.0.1", *tls, *words]
        with (self.folder / f"{log or what}.log").open("wb") as output:
            made = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **variables},
                start_new_session=True,
            )
        self.running.append(made)
        return made

    def _until(self, true: object) -> None:
        end = time.monotonic() + START
        while not true():  # type: ignore[operator]
            assert time.monotonic() < end and self.scheduler.poll() is None, (self.folder / "scheduler.log").read_text()
            time.sleep(0.05)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End one of its processes, and the worker that a nanny looks after, at once."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def close(self) -> None:
        for process in [*self.running]:
            self.end(process)


@contextmanager
def dask_cluster(folder: Path, workers: int) -> Iterator[DaskCluster]:
    """A scheduler, and workers that may still be on their way to it."""
    made = DaskCluster(folder)
    try:
        for number in range(workers):
            made.worker(f"worker-{number}")
        yield made
    finally:
        made.close()
