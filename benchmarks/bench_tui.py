"""The terminal app over a real pty: first paint, first data, key latency, bytes per key and page, idle bytes, memory.

Budgets (reported, gated in tests on counts): first paint 0.6 s, first data 0.8 s, cursor key p50 8 ms, p95 20 ms, at most 300
bytes; page 5 kB; idle 0 bytes; 120 MB before models load. Visidata is measured by the same harness where it is installed.
"""

from __future__ import annotations

import os
import select
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ptyprocess

START = "import sys; from pathlib import Path; from alsbench.tui.app import run; sys.exit(run(Path(sys.argv[1])))"


@dataclass
class Terminal:
    """A program on a pty: keys in, bytes out, with times."""

    process: ptyprocess.PtyProcess
    started: float

    @classmethod
    def start(cls, argv: Sequence[str], *, columns: int, rows: int, env: dict[str, str] | None = None) -> Terminal:
        values = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "OMP_NUM_THREADS": "1", **(env or {})}
        values = {k: v for k, v in values.items() if v != ""}
        started = time.perf_counter()
        return cls(ptyprocess.PtyProcess.spawn(list(argv), dimensions=(rows, columns), env=values), started)

    def read(self, seconds: float, *, until: bytes = b"", quiet: float = 0.0) -> bytes:
        """What arrives within ``seconds``; sooner once ``until`` is in it, or once nothing came for ``quiet`` seconds."""
        found = b""
        end = time.perf_counter() + seconds
        last = time.perf_counter()
        while (now := time.perf_counter()) < end:
            if quiet and found and now - last > quiet:
                break
            ready, _, _ = select.select([self.process.fd], [], [], min(0.02, end - now))
            if not ready:
                continue
            try:
                found += os.read(self.process.fd, 65536)
            except OSError:
                break
            last = time.perf_counter()
            if until and until in found:
                break
        return found

    def key(self, key: bytes, *, quiet: float = 0.08) -> tuple[float, int]:
        """Milliseconds to the first byte after a key, and the bytes it cost."""
        begun = time.perf_counter()
        os.write(self.process.fd, key)
        first = b""
        ready, _, _ = select.select([self.process.fd], [], [], 2.0)
        elapsed = (time.perf_counter() - begun) * 1000
        if ready:
            first = os.read(self.process.fd, 65536)
        return elapsed, len(first + self.read(2.0, quiet=quiet))

    def memory(self) -> float:
        """Resident megabytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) / 1024

    def stop(self) -> None:
        if self.process.isalive():
            self.process.terminate(force=True)


def workspace(folder: Path) -> Path:
    """The sample trial loaded into a fresh workspace."""
    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    sample = Path(__file__).resolve().parent.parent / "sample_data"
    shutil.copy(sample / "study.toml", folder / "study.toml")
    space = Workspace(folder)
    space.create()
    load(sorted(sample.glob("*.xpt")), space, study=space.read_study())
    return folder


def measure(space: Path, columns: int, rows: int, env: dict[str, str]) -> None:
    state = {"XDG_STATE_HOME": str(space / "state")}
    term = Terminal.start([sys.executable, "-c", START, str(space)], columns=columns, rows=rows, env={**env, **state})
    try:
        term.read(20, until=b"alsbench")
        paint = time.perf_counter() - term.started
        term.read(20, until=b"G1-M6")
        data = time.perf_counter() - term.started
        memory = term.memory()
        while term.read(1.5):  # until evidence is filled
            pass
        os.write(term.process.fd, b"8")
        term.read(5, quiet=0.5)
        os.write(term.process.fd, b"jjj\r")
        term.read(5, quiet=0.5)
        keys = [term.key(k) for k in [b"j"] * 12 + [b"k"] * 12 + [b"l"] * 3 + [b"h"] * 3]
        page = term.key(b"\x04")
        idle = len(term.read(2.0))
        times = sorted(ms for ms, _ in keys)
        print(f"  first paint {paint:.2f} s, first data {data:.2f} s, {memory:.0f} MB then")
        print(
            f"  cursor key p50 {statistics.median(times):.1f} ms, p95 {times[int(len(times) * 0.95)]:.1f} ms,"
            f" at most {max(n for _, n in keys)} bytes (median {statistics.median(n for _, n in keys):.0f})"
        )
        print(f"  half page {page[0]:.1f} ms, {page[1]} bytes; idle 2 s: {idle} bytes")
    finally:
        term.stop()


def visidata(space: Path, columns: int, rows: int) -> None:
    program = shutil.which("vd")
    if program is None:
        print("visidata: not installed")
        return
    table = space / "table.csv"
    table.write_text("a,b,c\n" + "".join(f"{k},{k * 2},x{k}\n" for k in range(1000)))
    term = Terminal.start([program, str(table)], columns=columns, rows=rows)
    try:
        term.read(10, quiet=1.0)
        keys = [term.key(b"j") for _ in range(10)]
        print(f"visidata {columns}x{rows}: key {statistics.median(t for t, _ in keys):.1f} ms, {max(n for _, n in keys)} bytes")
    finally:
        term.stop()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        space = workspace(Path(name))
        for columns, rows in ((80, 24), (160, 45)):
            for label, env in (("truecolor", {}), ("16 colours", {"COLORTERM": "", "TERM": "xterm"})):
                print(f"{columns}x{rows} {label}")
                measure(space, columns, rows, env)
        visidata(space, 80, 24)


if __name__ == "__main__":
    main()
