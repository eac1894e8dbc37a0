"""No test may reach a network: a connection to anything but a local socket file is refused."""

from __future__ import annotations

import socket
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting, sending and resolving fail for every address family but AF_UNIX."""
    connect, send = socket.socket.connect, socket.socket.sendto

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX:
            raise AssertionError(f"a network connection was tried: {address}")
        return connect(self, address)

    def guarded_send(self: socket.socket, *args: Any) -> Any:
        if self.family != socket.AF_UNIX:
            raise AssertionError("a network datagram was tried")
        return send(self, *args)

    def refuse(*args: Any, **_more: Any) -> Any:
        raise AssertionError(f"a name was looked up: {args[:1]}")

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "sendto", guarded_send)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
