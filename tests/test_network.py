"""The suite runs without a network: in a namespace of its own where the kernel allows one, behind a guard everywhere."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

MAKEFILE = (Path(__file__).parents[1] / "Makefile").read_text()


def test_the_guard_refuses_every_way_out() -> None:
    with socket.socket() as tcp, pytest.raises(AssertionError, match="network"):
        tcp.connect(("127.0.0.1", 9))
    with socket.socket(type=socket.SOCK_DGRAM) as udp, pytest.raises(AssertionError, match="network"):
        udp.sendto(b"x", ("127.0.0.1", 9))
    with pytest.raises(AssertionError, match="looked up"):
        socket.getaddrinfo("example.org", 80)


def test_make_test_takes_the_network_away_and_installs_before() -> None:
    recipe = re.search(r"^test: (?P<needs>.*?)\n(?P<lines>(?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    assert ".installed-test" in recipe["needs"]  # with a network, as a target of its own
    assert 'for apart in "unshare -n" "unshare -c -n --keep-caps" ""' in recipe["lines"]
    assert "pip" not in recipe["lines"] and "tests/apart.py -m pytest" in recipe["lines"]
