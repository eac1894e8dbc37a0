"""A program on a real pty, watched by an emulated terminal: keys in, bytes and times out, the screen as text.

The same harness drives the app and whatever it is compared with. It answers the one question a terminal must answer to be
written to as real ones are (synchronised output, mode 2026), so that the bytes counted include what that costs.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ptyprocess
import pyte

ASKED_SYNC, SYNC_KNOWN = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
UNPARSED = (
    b"\x1b[>25u",
    b"\x1b[>1u",
    b"\x1b[<u",
    b"\x1b[?2026$p",
    b"\x1b[>4;1m",
    b"\x1b[>4;0m",
)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Key:
    """What a key cost: milliseconds to the first byte and to the last, and the bytes."""

    first: float
    last: float
    size: int


@dataclass
class Terminal:
    """A program on a pty. ``found`` holds all its bytes."""

    process: ptyprocess.PtyProcess
    started: float
    screen: pyte.Screen
    stream: pyte.ByteStream
    sync: bool = True
    found: bytearray = field(default_factory=bytearray)

    @classmethod
    def start(
        cls,
        argv: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        sync: bool = True,
    ) -> Terminal:
        """Spawn a program; an empty value in ``env`` unsets the variable."""
        values = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "OMP_NUM_THREADS": "1", **(env or {})}
        values = {k: v for k, v in values.items() if v != ""}
        screen = pyte.Screen(columns, rows)
        started = time.perf_counter()
        process = ptyprocess.PtyProcess.spawn(list(argv), dimensions=(rows, columns), env=values, cwd=cwd)
        return cls(process, started, screen, pyte.ByteStream(screen), sync)

    @property
    def text(self) -> str:
        """The screen, one line a row, spaces at the end cut."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def _chunk(self, seconds: float) -> bytes | None:
        """What is there within ``seconds``; None once the program has closed its side."""
        ready, _, _ = select.select([self.process.fd], [], [], max(seconds, 0.0))
        if not ready:
            return b""
        try:
            chunk = os.read(self.process.fd, 65536)
        except OSError:
            return None
        if not chunk:
            return None
        self.found += chunk
        if self.sync and ASKED_SYNC in chunk:
            os.write(self.process.fd, SYNC_KNOWN)
        return chunk

    def show(self, data: bytes) -> None:
        """Let bytes act on the emulated screen."""
        for each in UNPARSED:
            data = data.replace(each, b"")
        self.stream.feed(data)

    def read(self, seconds: float, *, quiet: float = 0.0) -> bytes:
        """What arrives within ``seconds``; sooner once nothing came for ``quiet`` seconds after something did."""
        found = b""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            chunk = self._chunk(min(left, quiet) if quiet and found else left)
            if chunk is None or (not chunk and quiet and found):
                break
            found += chunk
        self.show(found)
        return found

    def wait(self, seen: str | Callable[[str], bool], seconds: float = 60.0) -> float:
        """Read until a text (or whatever ``seen`` accepts) is on the screen; when, in seconds after the start of the program.

        Raises AssertionError with the screen when it never came.
        """
        there = (lambda text: seen in text) if isinstance(seen, str) else seen
        end = time.perf_counter() + seconds
        moment = time.perf_counter()
        while not there(self.text):
            chunk = self._chunk(end - time.perf_counter())
            moment = time.perf_counter()
            if chunk is None or moment > end:
                raise AssertionError(f"{seen!r} never came:\n{self.text}")
            self.show(chunk)
        return moment - self.started

    def settle(self, quiet: float = 1.0, seconds: float = 120.0) -> None:
        """Read until nothing comes for ``quiet`` seconds."""
        end = time.perf_counter() + seconds
        while self.read(quiet) and time.perf_counter() < end:
            pass

    def write(self, keys: bytes) -> None:
        os.write(self.process.fd, keys)

    def send(self, keys: bytes, *, quiet: float = 0.25, seconds: float = 10.0) -> bytes:
        """Press keys; what came until nothing did for ``quiet`` seconds."""
        self.write(keys)
        return self.read(seconds, quiet=quiet)

    def key(self, key: bytes, *, quiet: float = 0.08, seconds: float = 0.6) -> Key:
        """Press one key and measure what it costs."""
        begun = time.perf_counter()
        self.write(key)
        data = self._chunk(seconds) or b""
        first = last = time.perf_counter()
        while data and (chunk := self._chunk(quiet)):
            data += chunk
            last = time.perf_counter()
        self.show(data)
        return Key((first - begun) * 1000, (last - begun) * 1000, len(data))

    def until(self, keys: bytes, seen: str | Callable[[str], bool], *, quiet: float = 0.3) -> tuple[float, int]:
        """Milliseconds from the keys until something is on the screen, and all bytes until nothing more comes."""
        before = len(self.found)
        begun = time.perf_counter() - self.started
        self.write(keys)
        elapsed = (self.wait(seen) - begun) * 1000
        self.read(3.0, quiet=quiet)
        self.read(quiet)
        return elapsed, len(self.found) - before

    def memory(self) -> float:
        """Resident megabytes."""
        return self._status("VmRSS") / 1024

    def most_memory(self) -> float:
        """The most megabytes that were ever resident."""
        return self._status("VmHWM") / 1024

    def _status(self, field: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(field))

    def cpu(self) -> float:
        """Processor seconds used so far by the program, all threads, and by the processes it started, those that ended too."""
        return sum(sum(map(int, _stat(pid)[11:15])) for pid in self.processes()) / TICKS

    def processes(self) -> list[int]:
        """The program and every process that it started, or that those did."""
        parents = {int(path.name): path for path in Path("/proc").glob("[0-9]*")}
        of = {pid: int(fields[1]) for pid in parents if (fields := _stat(pid))}
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in of.items() if parent == pid]
        return found

    def shares(self) -> list[float]:
        """Megabytes of the program and of each process it started; what several share is counted once, divided among them."""
        found = []
        for pid in self.processes():
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found.append(next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024)
        return found

    def stop(self) -> None:
        if self.process.isalive():
            self.process.terminate(force=True)
        self.process.close()


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []
