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
    state = {"XDG_STATE_HOME": tempfile.mkdtemp(dir=space)}  # its own: the app starts where it was left
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


BIG_ROWS = 1_000_000
BIG = """SELECT 'S-' || lpad(CAST(i % 20000 AS VARCHAR), 5, '0') AS USUBJID, chr(CAST(65 + i % 7 AS INTEGER)) AS PARAMCD,
    CAST(i // 20000 AS DOUBLE) AS AVISITN, CAST((i * 7919) % 100003 AS DOUBLE) / 7 AS AVAL,
    CAST((i * 104729) % 1009 AS DOUBLE) AS CHG FROM range(1000000) t(i)"""


def large_workspace(folder: Path) -> Path:
    """The sample trial with a table BIG of a million rows beside it."""
    import duckdb

    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    sample = Path(__file__).resolve().parent.parent / "sample_data"
    made = folder / "files" / "big.parquet"
    made.parent.mkdir(parents=True)
    duckdb.sql(f"COPY ({BIG}) TO '{made}' (FORMAT parquet)")
    shutil.copy(sample / "study.toml", folder / "study.toml")
    space = Workspace(folder)
    space.create()
    load([*sorted(sample.glob("*.xpt")), made], space, study=space.read_study())
    return folder


def step(term: Terminal, keys: bytes, until: bytes) -> tuple[float, int]:
    """Milliseconds from the last key until ``until`` is on the way, and all bytes it cost."""
    begun = time.perf_counter()
    os.write(term.process.fd, keys)
    found = term.read(5, until=until)
    elapsed = (time.perf_counter() - begun) * 1000
    return elapsed, len(found + term.read(2.0, quiet=0.3))


def large(space: Path, columns: int, rows: int) -> None:
    """A million rows: first page, the last, one in the middle, sorting, filtering, and what a cursor key costs there."""
    state = {"XDG_STATE_HOME": tempfile.mkdtemp(dir=space)}
    term = Terminal.start([sys.executable, "-c", START, str(space)], columns=columns, rows=rows, env=state)
    try:
        term.read(20, until=b"G1-M6")
        os.write(term.process.fd, b"\x038")
        term.read(3.0, quiet=0.5)
        for keys in (b":", b"table BIG"):  # the line opens first
            os.write(term.process.fd, keys)
            term.read(3.0, quiet=0.5)
        print(f"{columns}x{rows}, {BIG_ROWS} rows (ms to the rows, bytes)")
        print("  first page    {:7.0f} {:6d}".format(*step(term, b"\r", b"S-00003")))
        print("  last page     {:7.0f} {:6d}".format(*step(term, b"G", b"S-19997")))
        print("  cursor key    {:7.1f} {:6d}".format(*term.key(b"k")))
        for keys in (b":", b"row 490000"):
            os.write(term.process.fd, keys)
            term.read(2.0, quiet=0.4)
        print("  middle page   {:7.0f} {:6d}".format(*step(term, b"\r", b"S-09998")))
        os.write(term.process.fd, b"glll")
        term.read(1.0, quiet=0.3)
        print("  sort          {:7.0f} {:6d}".format(*step(term, b"S", b"by AVAL")))
        print("  sorted, last  {:7.0f} {:6d}".format(*step(term, b"G", b"14286")))
        for keys in (b"/", b"AVAL > 14000 and PARAMCD == 'C'"):
            os.write(term.process.fd, keys)
            term.read(2.0, quiet=0.4)
        print("  filter        {:7.0f} {:6d}".format(*step(term, b"\r", b" of 1000000 rows")))
        print(f"  memory {term.memory():.0f} MB")
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
    with tempfile.TemporaryDirectory() as name:
        space = large_workspace(Path(name))
        for columns, rows in ((80, 24), (160, 45)):
            large(space, columns, rows)


if __name__ == "__main__":
    main()
