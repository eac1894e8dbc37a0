"""The terminal app over a real pty: first paint, first data, keys, bytes, idleness, memory, toggles, cancelling; beside it
visidata and harlequin by the same harness on the same rows, where they are installed.

Budgets: first paint 0.6 s, first data 0.8 s; cursor key p50 8 ms, p95 20 ms, at most 300 bytes; page 5 kB at 80x24; idle 0 bytes;
a subgroup to its MMRM table 150 ms on 115 x 12; cancel 0.3 s; 120 MB before models load; ``--help`` 200 ms; a cached table
600 ms. Times are reported, counts are held by ``tests/tui/test_pty.py``. "First data" is the first number of Evidence: kept
from an earlier session, and, with ``cold``, computed. A key's time runs to the last byte of its answer.

    python benchmarks/tui.py [--only start,screens,work,shell,busy,others,large] [--visidata vd] [--harlequin harlequin]
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ptyterm import Key, Terminal
from tui_others import HEAD, Figures, browse, harlequin, visidata

APP = [sys.executable, "-m", "alsbench", "-w"]
SAMPLE = Path(__file__).resolve().parent.parent / "sample_data"
SIZES = ((80, 24), (160, 45))
LOOKS = {"truecolor": {"NO_COLOR": ""}, "16 colours": {"NO_COLOR": "", "COLORTERM": "", "TERM": "xterm"}}
NUMBER = re.compile(r"^ ?cafs .*\d\.\d", re.MULTILINE)  # the first line of Evidence, its first cell there
BIG_ROWS = 1_000_000
BIG = """SELECT 'S-' || lpad(CAST(i % 20000 AS VARCHAR), 5, '0') AS USUBJID, chr(CAST(65 + i % 7 AS INTEGER)) AS PARAMCD,
    CAST(i // 20000 AS DOUBLE) AS AVISITN, CAST((i * 7919) % 100003 AS DOUBLE) / 7 AS AVAL,
    CAST((i * 104729) % 1009 AS DOUBLE) AS CHG FROM range(1000000) t(i)"""

# Screens, the keys that lead there from any other, and what is then seen.
SCREENS: tuple[tuple[str, tuple[bytes, ...], str], ...] = (
    ("evidence", (b"1",), "Evidence"),
    ("arms", (b"2",), "Arms"),
    ("subjects of an arm", (b"\r",), "subjects"),
    ("subgroups", (b"3",), "Subgroups"),
    ("endpoint table", (b"4", b"}"), "Endpoint"),
    ("endpoint model", (b"m",), "Endpoint"),
    ("forest", (b"5",), "Forest"),
    ("scrutiny", (b"6",), "Scrutiny"),
    ("safety", (b"7",), "Safety"),
    ("tables", (b"8",), "Data"),
    ("data", (b"jj\r",), "rows"),
    ("log", (b"9",), "Log"),
    ("behind", (b"4", b"t", b"\r"), "Behind"),
    ("chips", (b"\x1b", b"s"), "Active subgroups"),
    ("palette", (b"\x1b", b"\x10"), "Commands"),
    ("help", (b"\x1b", b"?"), "Keys on"),
    ("shell command", (b"\x1b", b"c"), "Shell command"),
)
ARROWS_ONLY = {"palette"}  # letters are typed there


def workspace(folder: Path, files: Sequence[Path] = (), study: Path = SAMPLE / "study.toml") -> Path:
    """The sample trial (or other files) loaded into a fresh workspace."""
    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(study, folder / "study.toml")
    space = Workspace(folder)
    space.create()
    load(list(files) or sorted(SAMPLE.glob("*.xpt")), space, study=space.read_study())
    return folder


def large_files(folder: Path) -> Path:
    """A parquet file, a CSV file and a DuckDB file of the same million rows, named BIG."""
    import duckdb

    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "big.duckdb")) as base:
        base.execute(f"CREATE TABLE BIG AS {BIG}")
        base.execute(f"COPY BIG TO '{folder / 'big.parquet'}' (FORMAT parquet)")
        base.execute(f"COPY (SELECT * FROM BIG LIMIT 20000) TO '{folder / 'big.csv'}' (HEADER)")
    return folder


@contextmanager
def app(space: Path, columns: int = 80, rows: int = 24, **env: str) -> Iterator[Terminal]:
    """The app on a workspace, with a state directory of its own: it starts where it was left."""
    with tempfile.TemporaryDirectory() as state:
        term = Terminal.start([*APP, str(space)], columns=columns, rows=rows, env={"XDG_STATE_HOME": state, **env})
        try:
            yield term
        finally:
            term.stop()


def to_line(term: Terminal, line: str) -> None:
    """Type a command line, without the key that ends it."""
    term.send(b":")
    term.send(line.encode())


# ---- starting


def start(space: Path) -> None:
    """First paint, first number, memory; with answers kept and without; the whole of Evidence."""
    print("start (best and worst of 5)            paint s          first number s   MB then")
    for columns, rows in SIZES:
        for label, env in LOOKS.items():
            found = []
            for _ in range(5):
                with app(space, columns, rows, **env) as term:
                    paint = term.wait("alsbench")
                    data = term.wait(lambda text: bool(NUMBER.search(text)))
                    found.append((paint, data, term.memory()))
            paints, datas, memories = zip(*found, strict=True)
            print(
                f"  {f'{columns}x{rows} {label}, kept':<34} {min(paints):7.2f} {max(paints):5.2f}"
                f" {min(datas):12.2f} {max(datas):5.2f} {max(memories):11.0f}"
            )
    cold = Path(tempfile.mkdtemp(dir=space.parent)) / "cold"
    shutil.copytree(space, cold)
    shutil.rmtree(cold / "results", ignore_errors=True)
    with app(cold) as term:
        paint = term.wait("alsbench")
        data = term.wait(lambda text: bool(NUMBER.search(text)))
        memory = term.memory()
        full = term.wait(lambda text: "..." not in text and bool(NUMBER.search(text)))
        print(f"  {'80x24, nothing kept':<34} {paint:7.2f} {'':5} {data:12.2f} {'':5} {memory:11.0f}  all cells {full:.2f} s")


# ---- every screen


def screens(space: Path, columns: int, rows: int) -> None:
    """What cursor keys and pages cost on every screen and dialog, and that none costs anything while nobody presses one."""
    print(f"screens {columns}x{rows} (bytes)           key ms p50  p95   bytes most   page ms   bytes  idle")
    with app(space, columns, rows) as term:
        term.wait(lambda text: bool(NUMBER.search(text)))
        term.settle(1.0)
        every: list[Key] = []
        for name, keys, seen in SCREENS:
            for key in keys:
                term.send(key, quiet=0.3)
            term.wait(seen)
            term.settle(0.8)
            figures = Figures(name)
            arrows = name in ARROWS_ONLY
            browse(term, figures, down=b"\x1b[6~", arrows=arrows)
            every += figures.keys
            print(
                f"  {name:<28} {figures.p(0.5):10.1f} {figures.p(0.95):6.1f} {max(k.size for k in figures.keys):8d}"
                f" {max(k.last for k in figures.page):11.1f} {max(k.size for k in figures.page):7d} {figures.idle:5d}"
            )
        whole = Figures("all", keys=every)
        print(f"  {'all':<28} {whole.p(0.5):10.1f} {whole.p(0.95):6.1f} {max(k.size for k in every):8d}")


# ---- work


def simulated(folder: Path) -> Path:
    """A trial of 115 subjects and 12 monthly visits."""
    made = folder / "made"
    sizes = [f"arms.{k}.n={n}" for k, n in enumerate((39, 38, 38))]
    words = [w for size in sizes for w in ("--set", size)]
    subprocess.run([sys.executable, "-m", "alsbench", "simulate", str(made), "-q", *words], check=True)
    return workspace(folder / "simulated", sorted(made.glob("*.xpt")), made / "study.toml")


def work(space: Path) -> None:
    """A subgroup switched: until counts, until its MMRM table; a running evidence cancelled."""
    with app(space) as term:
        term.wait(lambda text: bool(NUMBER.search(text)))
        term.settle(1.5)
        to_line(term, "endpoint alsfrs")
        term.send(b"\r")
        term.send(b"4")
        term.settle(1.0)
        times = []
        for line in ("subgroup.toggle bulbar", "subgroup.toggle older", "subgroup.toggle nfl_low"):
            to_line(term, line)
            name = line.split()[1]
            burned = term.cpu()
            shown, size = term.until(b"\r", lambda text, name=name: name in text.split("\n")[0])
            began = time.perf_counter()
            term.wait(lambda text, name=name: table_of(text, name))
            term.settle(0.5)
            times.append((shown, shown + (time.perf_counter() - began) * 1000, size, (term.cpu() - burned) * 1000))
        del began
    raise SystemExit(str(times))


def table_of(text: str, name: str) -> bool:
    """Whether an MMRM table of a subgroup is on the screen."""
    return name in text and "stale" not in text


# ---- the shell


def shell(space: Path) -> None:
    """``--help`` and one cached table: wall time and processor time, best of 5."""
    base = [sys.executable, "-m", "alsbench"]
    tables = {
        "--help": ["--help"],
        "endpoint alsfrs, kept": ["-w", str(space), "endpoint", "alsfrs"],
        "evidence, kept": ["-w", str(space), "evidence"],
        "arms": ["-w", str(space), "arms"],
    }
    print("shell (best of 5)             wall ms   cpu ms   modules")
    for name, words in tables.items():
        walls, cpus = [], []
        for _ in range(5):
            begun, used = time.perf_counter(), children()
            subprocess.run([*base, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            walls.append(time.perf_counter() - begun)
            cpus.append(children() - used)
        count = f"import sys, alsbench.__main__ as m; m.main({words!r}); sys.stderr.write(f'\\n{{len(sys.modules)}}')"
        done = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True)
        print(f"  {name:<26} {min(walls) * 1000:8.0f} {min(cpus) * 1000:8.0f} {done.stderr.split()[-1]:>9}")


def children() -> float:
    """Processor seconds of programs run so far."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    raise SystemExit


if __name__ == "__main__":
    main()
