"""Visidata and harlequin under the same harness: the same table, the same keys, the same counts.

Each is looked for on PATH unless its program is named; what is not there is reported as not installed and left out.
"""

from __future__ import annotations

import re
import shutil
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ptyterm import Key, Terminal

KEYS = [b"j", b"j", b"j", b"k", b"j", b"k"] * 5 + [b"k", b"k", b"l", b"l", b"h", b"h"]
ARROWS = {b"j": b"\x1b[B", b"k": b"\x1b[A", b"l": b"\x1b[C", b"h": b"\x1b[D"}
RECORD = re.compile(r"S-\d{5}")


@dataclass
class Figures:
    """What was measured of one program at one size; None where it does not apply."""

    name: str
    paint: float | None = None
    data: float | None = None
    keys: list[Key] = field(default_factory=list)
    page: list[Key] = field(default_factory=list)
    idle: int | None = None
    rows: int | None = None
    memory: float | None = None
    note: str = ""

    def p(self, share: float) -> float:
        """A quantile of the milliseconds until a cursor key had its whole answer."""
        times = sorted(k.last for k in self.keys)
        return times[min(int(len(times) * share), len(times) - 1)]

    def line(self) -> str:
        if not self.keys:
            return f"{self.name:<12} {self.note}"
        return (
            f"{self.name:<12} {self.paint:7.2f} {self.data:7.2f} {self.p(0.5):7.1f} {self.p(0.95):7.1f}"
            f" {median_size(self.keys):7.0f} {max(k.size for k in self.keys):7d}"
            f" {max(k.last for k in self.page):7.1f} {max(k.size for k in self.page):7d}"
            f" {self.idle:6d} {self.rows:5d} {self.memory:6.0f}"
        )

    def ratios(self, ours: Figures) -> str:
        """How many times ours this program needs."""
        if not self.keys:
            return f"{self.name} / ours: {self.note}"
        parts = (
            ("first paint", self.paint, ours.paint),
            ("first data", self.data, ours.data),
            ("key p50", self.p(0.5), ours.p(0.5)),
            ("p95", self.p(0.95), ours.p(0.95)),
            ("bytes/key", median_size(self.keys), median_size(ours.keys)),
            ("page bytes", max(k.size for k in self.page), max(k.size for k in ours.page)),
            ("memory", self.memory, ours.memory),
        )
        return f"{self.name} / ours: " + ", ".join(f"{n} {a / b:.1f}" for n, a, b in parts if a is not None and b)


def median_size(keys: list[Key]) -> float:
    """The median bytes of keys."""
    return statistics.median(k.size for k in keys)


HEAD = (
    f"{'':<12} {'paint s':>7} {'data s':>7} {'key p50':>7} {'p95 ms':>7} {'B/key':>7} {'most B':>7}"
    f" {'page ms':>7} {'page B':>7} {'idle B':>6} {'rows':>5} {'MB':>6}"
)


def moved(keys: list[Key]) -> list[Key]:
    """The keys that moved something; at an end of a table a key costs nothing and takes no time."""
    return [k for k in keys if k.size] or [Key(0.0, 0.0, 0)]


def browse(term: Terminal, figures: Figures, *, down: bytes = b"\x06", arrows: bool = False) -> Figures:
    """Cursor keys, pages and idleness in a table that is on the screen, into ``figures``."""
    term.settle(0.6)
    figures.rows = len({m.group() for m in RECORD.finditer(term.text)})
    term.send(ARROWS[b"j"] if arrows else b"j")
    figures.keys = moved([term.key(ARROWS[k] if arrows else k) for k in KEYS])
    figures.page = moved([term.key(down, quiet=0.3) for _ in range(3)])
    term.settle(0.6)
    figures.idle = len(term.read(3.0))
    figures.memory = term.memory()
    return figures


def visidata(table: Path, columns: int, rows: int, env: dict[str, str], program: str = "") -> Figures:
    """Visidata on a CSV file."""
    found = program or shutil.which("vd") or ""
    if not found:
        return Figures("visidata", note="not installed")
    with tempfile.TemporaryDirectory() as home:
        term = Terminal.start([found, str(table)], columns=columns, rows=rows, env={**env, "HOME": home})
        try:
            figures = Figures("visidata")
            figures.paint = term.wait(lambda text: bool(text.strip()))
            figures.data = term.wait("S-00003")
            return browse(term, figures)
        finally:
            term.stop()


def harlequin(database: Path, columns: int, rows: int, env: dict[str, str], program: str = "") -> Figures:
    """Harlequin on a DuckDB file: its first data are those of a query typed as soon as it is up."""
    found = program or shutil.which("harlequin") or ""
    if not found:
        return Figures("harlequin", note="not installed")
    with tempfile.TemporaryDirectory() as home:
        places = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "XDG_DATA_HOME": home}
        argv = [found, "-a", "duckdb", "--read-only", str(database)]
        term = Terminal.start(argv, columns=columns, rows=rows, env={**env, **places})
        try:
            figures = Figures("harlequin")
            figures.paint = term.wait(lambda text: bool(text.strip()))
            term.wait("Query Editor")
            term.settle(1.0)
            term.until(b"select * from BIG", "select * from BIG")
            waited, _ = term.until(b"\x0a", "S-00003")  # ctrl+j runs the query
            figures.data = figures.paint + waited / 1000
            figures.note = "data: first paint and one query"
            term.send(b"\x1b[15~")  # f5: to the results
            return browse(term, figures, down=b"\x1b[6~", arrows=True)
        finally:
            term.stop()
