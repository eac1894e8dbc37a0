"""The terminal app over a real pty: first paint, first data, keys, bytes, idleness, memory, toggles, cancelling; beside it
visidata and harlequin by the same harness on the same rows, where they are installed.

Budgets: first paint 0.6 s, first data 0.8 s; cursor key p50 8 ms, p95 20 ms, at most 300 bytes; page 5 kB at 80x24; idle 0
bytes; a subgroup to its MMRM table 150 ms on 115 x 12; cancel 0.3 s; 120 MB before models load; ``--help`` 200 ms; a kept
table 600 ms. Times are reported, counts are held by ``tests/tui/test_pty.py``. "First data" is the first number of Evidence,
kept from an earlier session, or computed where nothing is kept. A key's time runs to the last byte of its answer.

    python benchmarks/tui.py [--only start,screens,work,shell,others,large] [--rows 5000000] [--visidata VD] [--harlequin HQ]
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ptyterm import Key, Terminal
from tui_others import HEAD, Figures, browse, harlequin, visidata

APP = [sys.executable, "-m", "alsbench", "-w"]
SAMPLE = Path(__file__).resolve().parent.parent / "sample_data"
SIZES = ((80, 24), (160, 45))
LOOKS = {"truecolor": {"NO_COLOR": ""}, "16 colours": {"NO_COLOR": "", "COLORTERM": "", "TERM": "xterm"}}
NUMBER = re.compile(r"^ ?cafs .*\d\.\d", re.MULTILINE)  # the first line of Evidence, its first cell there
BIG = """SELECT 'S-' || lpad(CAST(i % 20000 AS VARCHAR), 5, '0') AS USUBJID, chr(CAST(65 + i % 7 AS INTEGER)) AS PARAMCD,
    CAST(i // 20000 AS DOUBLE) AS AVISITN, CAST((i * 7919) % 100003 AS DOUBLE) / 7 AS AVAL,
    CAST((i * 104729) % 1009 AS DOUBLE) AS CHG FROM range({rows}) t(i)"""

# Screens, the keys that lead there from any other, and what is then seen.
SCREENS: tuple[tuple[str, tuple[bytes, ...], str], ...] = (
    ("evidence", (b"1",), "Evidence"),
    ("arms", (b"2",), "Arms"),
    ("subjects of an arm", (b"\r",), "subjects"),
    ("subgroups", (b"3",), "Subgroups"),
    ("endpoint table", (b"4", b"}"), "[table]"),
    ("endpoint model", (b"m",), "[model]"),
    ("forest", (b"t", b"5"), "p int"),
    ("scrutiny", (b"6",), "Scrutiny of"),
    ("safety", (b"7",), "Safety"),
    ("tables", (b"8",), "enter opens a table"),
    ("data", (b"jj", b"\r"), " rows"),
    ("log", (b"9",), "chain"),
    ("claims", (b"0",), "published numbers"),
    ("behind", (b"4", b"l", b"\r"), "esc"),
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


def large_files(folder: Path, count: int) -> Path:
    """A parquet file, a CSV file and a DuckDB file of the same rows (a million, or as many as asked), named BIG."""
    import duckdb

    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "big.duckdb")) as base:
        base.execute(f"CREATE TABLE BIG AS {BIG.format(rows=count)}")
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
    print("start (best, worst of 5)          paint s          cpu  number s            cpu  MB then")
    for columns, rows in SIZES:
        for label, env in LOOKS.items():
            found = []
            for _ in range(5):
                with app(space, columns, rows, **env) as term:
                    paint, first = term.wait("alsbench"), term.cpu()
                    data = term.wait(lambda text: bool(NUMBER.search(text)))
                    found.append((paint, first, data, term.cpu(), term.memory()))
            paints, firsts, datas, used, memories = zip(*found, strict=True)
            print(
                f"  {f'{columns}x{rows} {label}, kept':<30} {min(paints):7.2f} {max(paints):5.2f} {min(firsts):8.2f}"
                f" {min(datas):9.2f} {max(datas):5.2f} {min(used):8.2f} {max(memories):8.0f}"
            )
    cold = Path(tempfile.mkdtemp(dir=space.parent)) / "cold"
    shutil.copytree(space, cold)
    shutil.rmtree(cold / "results", ignore_errors=True)
    with app(cold) as term:
        paint = term.wait("alsbench")
        data = term.wait(lambda text: bool(NUMBER.search(text)))
        memory = term.memory()
        full = term.wait(lambda text: "..." not in text and bool(NUMBER.search(text)))
        print(
            f"  {'80x24, nothing kept':<30} {paint:7.2f} {'':14} {data:9.2f} {'':14} {memory:8.0f}"
            f"  all cells {full:.2f} s, cpu {term.cpu():.2f}"
        )


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
    subprocess.run([*APP[:-1], "simulate", str(made), "-q", *words], check=True, stdout=subprocess.DEVNULL)
    return workspace(folder / "simulated", sorted(made.glob("*.xpt")), made / "study.toml")


def busy_words(text: str) -> bool:
    """Whether the status line says that something is running."""
    return "cancels" in text.splitlines()[-1]


def toggles(space: Path) -> None:
    """A subgroup switched on beside the open MMRM table: until the header has it, until its tables are there."""
    with app(space) as term:
        term.wait(lambda text: bool(NUMBER.search(text)))
        for line in ("subgroup.toggle slow", "endpoint alsfrs"):
            to_line(term, line)
            term.send(b"\r")
        term.send(b"4")
        term.settle(1.5)
        print("a subgroup switched on         header ms   tables ms   bytes   cpu ms")
        for name in ("bulbar", "older", "nfl_low"):
            to_line(term, f"subgroup.toggle {name}")
            used, begun, before = term.cpu(), time.perf_counter(), len(term.found)
            term.write(b"\r")
            shown = term.wait(lambda text, name=name: f" {name} " in text.splitlines()[0]) + term.started - begun
            done = term.wait(lambda text: not busy_words(text)) + term.started - begun
            term.read(0.4)
            print(
                f"  {name:<26} {shown * 1000:11.0f} {done * 1000:11.0f} {len(term.found) - before:7d}"
                f" {(term.cpu() - used) * 1000:8.0f}"
            )


MORE_SUBGROUPS = {"female": "SEX == 'F'", "heavy": "BLALSFR >= 38", "strong": "BLSVC >= 85"}


def wide_study(space: Path, folder: Path) -> Path:
    """The workspace with eight subgroups, and nothing kept."""
    shutil.copytree(space, folder)
    shutil.rmtree(folder / "results", ignore_errors=True)
    more = "".join(f"\n[[subgroups]]\nname = '{n}'\nwhere = \"{w}\"\n" for n, w in MORE_SUBGROUPS.items())
    study = folder / "study.toml"
    study.write_text(study.read_text() + more)
    return folder


@contextmanager
def both_cores_busy() -> Iterator[None]:
    """One endless loop for each processor."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def filling(space: Path) -> None:
    """Evidence of eight subgroups, eight endpoints, two comparisons, none of it kept: keys while it fills, and cancelling."""
    with app(space) as term:
        term.wait(lambda text: bool(NUMBER.search(text)))
        term.settle(1.0)
        idle = sorted(term.key(key, quiet=0.02).first for key in (b"j", b"l", b"k", b"h") * 10)
        term.send(b"3")
        names = ("nfl_low", "bulbar", "older", "early", *MORE_SUBGROUPS)
        for name in names:
            to_line(term, f"subgroup.toggle {name}")
            term.send(b"\r")
        begun = time.perf_counter()
        term.write(b"1")
        term.wait("evidence: ")
        keys: list[Key] = []
        sizes, cells = len(term.found), 0
        shares: list[float] = []
        while busy_words(term.text) and time.perf_counter() - begun < 120:
            for key in (b"j", b"l", b"k", b"h"):
                keys.append(term.key(key, quiet=0.02))
                term.read(0.08)
            if len(keys) == 40:
                cells = progress(term.text)
                term.write(b"\x03")
                asked = time.perf_counter()
                said = term.wait("cancelled") + term.started - asked
                while True:
                    used = term.cpu()
                    term.read(0.1)
                    if term.cpu() - used < 0.02:
                        break
                quiet = time.perf_counter() - asked
                term.send(b"2", quiet=0.4)
                term.write(b"1")  # asks again for what is missing
                term.wait("evidence: ")
            if len(keys) == 20:
                shares = term.shares()
        times = sorted(k.first for k in keys)
        print(f"  keys before: first byte p50 {idle[20]:.1f} ms, p95 {idle[38]:.1f}")
        print(f"  memory while it fills: {' + '.join(f'{x:.0f}' for x in shares)} = {sum(shares):.0f} MB (app, processes)")
        print(
            f"  keys {len(keys)}: first byte p50 {times[len(times) // 2]:.1f} ms, p95 {times[int(len(times) * 0.95)]:.1f},"
            f" worst {times[-1]:.1f}; filled {time.perf_counter() - begun:.1f} s, {len(term.found) - sizes} bytes"
        )
        print(f"  cancelled after {cells} cells: said {said * 1000:.0f} ms, processor quiet {quiet * 1000:.0f} ms")


def progress(text: str) -> int:
    """How many pieces of evidence the status line counts as done."""
    found = re.search(r"evidence: (\d+)/", text)
    return int(found[1]) if found else 0


def work(space: Path, folder: Path) -> None:
    """Toggles on the sample trial and on 115 x 12; evidence that fills while the machine is free, and while it is not."""
    print("sample trial, 112 subjects")
    toggles(space)
    print("simulated trial, 115 subjects x 12 visits")
    toggles(simulated(folder))
    print("evidence, 8 subgroups with complements x 8 endpoints x 2 comparisons; machine free")
    filling(wide_study(space, folder / "wide"))
    print("the same, every core busy")
    with both_cores_busy():
        filling(wide_study(space, folder / "wide-busy"))


# ---- the shell


def shell(space: Path) -> None:
    """``--help`` and one kept table: wall time and processor time, best of 5, and the modules imported."""
    tables = {
        "--help": ["--help"],
        "endpoint alsfrs, kept": ["-w", str(space), "endpoint", "alsfrs"],
        "evidence, kept": ["-w", str(space), "evidence"],
        "arms": ["-w", str(space), "arms"],
    }
    print("shell (best of 5)             wall ms   cpu ms   modules")
    for name, words in tables.items():
        walls, used = [], []
        for _ in range(5):
            begun, before = time.perf_counter(), children()
            subprocess.run([*APP[:-1], *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            walls.append(time.perf_counter() - begun)
            used.append(children() - before)
        count = f"import sys, alsbench.__main__ as m; m.main({words!r}); sys.stderr.write(f'\\n{{len(sys.modules)}}')"
        done = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True)
        print(f"  {name:<26} {min(walls) * 1000:8.0f} {min(used) * 1000:8.0f} {done.stderr.split()[-1]:>9}")


def children() -> float:
    """Processor seconds of programs run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# ---- beside others


def big_table(space: Path, columns: int, rows: int, env: dict[str, str]) -> Figures:
    """The app on the million rows: first data are those of the table opened as soon as the app is up."""
    with app(space, columns, rows, **env) as term:
        figures = Figures("alsbench")
        figures.paint = term.wait("alsbench")
        started = term.wait("G1-M6")
        to_line(term, "table BIG")
        opened, _ = term.until(b"\r", "S-00003")
        figures.data = started + opened / 1000
        return browse(term, figures, down=b"\x1b[6~")


def others(space: Path, files: Path, programs: argparse.Namespace) -> None:
    """The same rows in the app, visidata (the first 20,000 as CSV) and harlequin (the million in DuckDB), and ratios."""
    for columns, rows in SIZES:
        for label, env in LOOKS.items():
            ours = big_table(space, columns, rows, env)
            theirs = (
                visidata(files / "big.csv", columns, rows, env, programs.visidata),
                harlequin(files / "big.duckdb", columns, rows, env, programs.harlequin),
            )
            print(f"{columns}x{rows} {label}\n{HEAD}")
            for each in (ours, *theirs):
                print(each.line())
            for each in theirs:
                print(each.ratios(ours))


# ---- a million rows


def large(space: Path, columns: int, rows: int, count: int) -> None:
    """A big table: its first page, the last, one in the middle; a text, a sorting, a filter and a column's statistics."""
    with app(space, columns, rows) as term:
        term.wait("G1-M6")
        term.send(b"\x038", quiet=0.5)
        print(f"{columns}x{rows}, {count} rows    ms to the rows   bytes   cpu ms   MB most")

        def measure(name: str, keys: bytes, seen: str | Callable[[str], bool]) -> None:
            used = term.cpu()
            waited, size = term.until(keys, seen)
            print(f"  {name:<24} {waited:12.0f} {size:7d} {(term.cpu() - used) * 1000:8.0f} {term.most_memory():9.0f}")

        to_line(term, "table BIG")
        measure("first page", b"\r", "S-00003")
        measure("last page", b"G", f"S-{(count - 1) % 20000:05d}")
        to_line(term, f"row {count // 2 - 9990}")
        measure("middle page", b"\r", f"S-{(count // 2 - 9988) % 20000:05d}")
        to_line(term, f"search S-{(count - 3) % 20000:05d}")
        measure("search, all places", b"\r", f" of {count // 20000} rows; n N")
        term.send(b"\x1b", quiet=0.3)
        term.send(b"glll", quiet=0.3)
        measure("statistics of a column", b"\r", "commonest values")
        term.send(b"\x1b", quiet=0.3)
        measure("sort", b"S", "by AVAL")
        measure("sorted, last page", b"G", "14286")
        term.send(b"/", quiet=0.4)
        term.send(b"AVAL > 14000 and PARAMCD == 'C'", quiet=0.4)
        measure("filter", b"\r", f" of {count} rows")


PARTS = ("start", "screens", "work", "shell", "others", "large")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the big table")
    parser.add_argument("--visidata", default="", help="the program vd; looked for on PATH otherwise")
    parser.add_argument("--harlequin", default="", help="the program harlequin; looked for on PATH otherwise")
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode, and so have the others
    chosen = given.only.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        space = workspace(folder / "sample")
        subprocess.run([*APP, str(space), "evidence", "-q"], stdout=subprocess.DEVNULL, check=True)  # answers are kept
        subprocess.run([*APP, str(space), "endpoint", "alsfrs", "-q"], stdout=subprocess.DEVNULL, check=True)
        if "start" in chosen:
            start(space)
        if "screens" in chosen:
            for columns, rows in SIZES:
                screens(space, columns, rows)
        if "work" in chosen:
            work(space, folder)
        if "shell" in chosen:
            shell(space)
        if {"others", "large"} & set(chosen):
            files = large_files(folder / "files", given.rows)
            big = workspace(folder / "big", [*sorted(SAMPLE.glob("*.xpt")), files / "big.parquet"])
            if "others" in chosen:
                others(big, files, given)
            if "large" in chosen:
                for columns, rows in SIZES:
                    large(big, columns, rows, given.rows)


if __name__ == "__main__":
    main()
