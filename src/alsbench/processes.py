"""Another program of ours on this machine, and the socket between it and us.

It is started anew: a fork would copy the threads' locks of DuckDB, BLAS and the app, and `multiprocessing` would run a user's
script again. It has a process group of its own, so that Ctrl-C in the terminal is for us, and ends as soon as nobody holds the
other end of its socket: it never outlives us, however we end.
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
Message = tuple[bytes, bytes]  # its kind, one byte, and what was sent

_HEAD = struct.Struct("<cQ")  # the kind of a message, and how many bytes follow
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from {} import {}; {}(int(sys.argv[1]))"


class Companion:
    """Another process and our end of the socket to it."""

    def __init__(self, life: Callable[[int], None]) -> None:
        """Start a process that lives ``life``, a function at the top of a module that gets the descriptor of its end of the
        socket; it has one BLAS thread. Raises OSError where the system lets no process be started."""
        self.link, theirs = socket.socketpair()
        try:
            with theirs:
                program = _PROGRAM.format(life.__module__, life.__qualname__, life.__qualname__)
                words = [sys.executable, "-c", program, str(theirs.fileno()), json.dumps(sys.path)]
                nowhere = subprocess.DEVNULL
                self._process = subprocess.Popen(  # noqa: S603  our own program
                    words,
                    stdin=nowhere,
                    stdout=nowhere,
                    stderr=nowhere,
                    pass_fds=(theirs.fileno(),),
                    env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
                    process_group=0,
                )
        except BaseException:
            self.link.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int:
        """How it ended, once it has: a status, or less than 0 a signal."""
        return self._process.wait()

    def send(self, kind: bytes, content: bytes) -> None:
        """Send it something; that it died is seen when an answer is expected."""
        with suppress(BrokenPipeError, ConnectionResetError):
            send(self.link, kind, content)

    def receive(self) -> Message | None:
        """Wait for what it says; None where it has died."""
        return receive(self.link)

    def kill(self) -> None:
        """End it in the middle of what it does; whoever waits for what it says gets None."""
        self._process.kill()

    def end(self) -> None:
        """End it, and let go of it."""
        self.link.close()
        self._process.kill()
        self._process.wait()


def ended(code: int) -> str:
    """How a process ended, in words: ``by signal 9``, ``with status 1``."""
    return f"by signal {-code}" if code < 0 else f"with status {code}"


def send(link: socket.socket, kind: bytes, content: bytes) -> None:
    link.sendall(_HEAD.pack(kind, len(content)))
    link.sendall(content)


def receive(link: socket.socket) -> Message | None:
    """A kind and what was sent; None where the other end is gone."""
    head = _exactly(link, _HEAD.size)
    if head is None:
        return None
    kind, size = _HEAD.unpack(head)
    content = _exactly(link, size)
    return None if content is None else (kind, content)


def _exactly(link: socket.socket, size: int) -> bytes | None:
    content = bytearray(size)
    view = memoryview(content)
    while view:
        try:
            got = link.recv_into(view)
        except ConnectionResetError:
            return None
        if not got:
            return None
        view = view[got:]
    return bytes(content)


def attached(descriptor: int) -> tuple[socket.socket, queue.SimpleQueue[Message]]:
    """In the process that was started: its end of the socket, and what is sent to it. The process ends with whoever started it,
    in the middle of its work too: a thread waits for the other end to close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=descriptor)
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(link, inbox), daemon=True).start()
    return link, inbox


def _listen(link: socket.socket, inbox: queue.SimpleQueue[Message]) -> None:
    while (message := receive(link)) is not None:
        inbox.put(message)
    os._exit(0)


def packed(good: bool, value: object) -> bytes:
    """An answer as it is sent: whether it could be made, and what; a fault that cannot be sent is sent as its type."""
    try:
        content = pickle.dumps((good, value), protocol=5)
        if not good:
            pickle.loads(content)  # noqa: S301  our own
    except Exception as fault:  # noqa: BLE001  whatever its class does when it is copied
        named = fault if good else value
        return pickle.dumps((False, RuntimeError(f"{type(named).__name__} in a worker")), protocol=5)
    return content
