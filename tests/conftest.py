"""What holds for every test: no network but a port that it opened, one BLAS thread, and programs that need not be compiled
again for each process."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from tests.shared import REACHABLE, shared_folder

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # tests run side by side: threads that wait for work by spinning take theirs
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every program that a test starts compiles the package anew
sys.dont_write_bytecode = False
settings.register_profile("counts", deadline=None)  # tests gate on counts, never on seconds
settings.load_profile("counts")


@pytest.fixture(scope="session", autouse=True)
def one_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings and state of nobody's home, the same in all processes of a run unless a test sets its own."""
    home = shared_folder(tmp_path_factory)
    with pytest.MonkeyPatch.context() as environment:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            environment.setenv(name, str(home / name.lower()))
        yield


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting, sending and resolving fail for every address family but AF_UNIX: no test may reach a network. What stands in
    ``REACHABLE`` is a port of the loopback that a test opened itself."""
    connect, send, look_up = socket.socket.connect, socket.socket.sendto, socket.getaddrinfo

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and address[:2] not in REACHABLE:
            raise AssertionError(f"a network connection was tried: {address}")
        return connect(self, address)

    def guarded_send(self: socket.socket, *args: Any) -> Any:
        if self.family != socket.AF_UNIX:
            raise AssertionError("a network datagram was tried")
        return send(self, *args)

    def refuse(*args: Any, **more: Any) -> Any:
        if args[0] in {host for host, _ in REACHABLE}:  # a number, which nobody is asked about
            return look_up(*args, **more)
        raise AssertionError(f"a name was looked up: {args[:1]}")

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "sendto", guarded_send)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
