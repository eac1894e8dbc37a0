"""Python in a namespace without a network, with the loopback up: ``python tests/apart.py -m pytest ...``.

`unshare` hands over a namespace whose loopback is down, and to a user (``--keep-caps``) the capabilities to raise it. Those are
given away again before anything runs: with them a file that nobody may read could be read.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h
AMBIENT, CLEAR_ALL = 47, 4  # linux/prctl.h


def raise_loopback() -> bool:
    """Whether the loopback is up now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            asked = struct.pack("16sH14x", b"lo", 0)
            (flags,) = struct.unpack("16xH14x", fcntl.ioctl(any_socket, GET_FLAGS, asked))
            if not flags & UP:
                fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14x", b"lo", flags | UP))
        except OSError:  # not Linux, or not ours to raise
            return False
    return True


if __name__ == "__main__":
    raise_loopback()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(AMBIENT, CLEAR_ALL, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
