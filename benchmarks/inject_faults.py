"""Would the tests notice? Faults are put into the program one at a time, and the tests that reach them are run.

    python benchmarks/inject_faults.py map                 # which tests reach which faulty function (runs the tests once)
    python benchmarks/inject_faults.py run [--only TEXT]   # each fault against its tests; survivors are listed, exit 1
    python benchmarks/inject_faults.py list

``benchmarks/faults.toml`` describes a fault by the function it stands in and the text it changes, not by file and line, so
that it outlives moves. A fault is put into a copy of the sources in a temporary directory, which the tests then import; the
checkout is never touched. Only the tests that reach the function run, until the first that fails. What survives is compared
with the sound program on the built trial of the tests: "changes N results" is a hole in the tests, "changes no result" needs a
reason in the file (``equivalent``).
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "alsbench"
FAULTS = Path(__file__).with_name("faults.toml")
REACHED = ROOT / ".benchmarks" / "reached.json"  # made by ``map``; not under version control
QUICK = re.compile(r"test_(built|boundaries|awkward|edges|partial|mask)")
USAGE, NOTHING = 4, 5  # pytest's exit codes: not run, nothing collected
LONGEST = 600  # seconds of tests of one fault: a fault that makes them hang is found


@dataclass(frozen=True)
class Fault:
    """``find``, the ``nth`` time (from 1) it stands in ``function`` (``Class.method`` too) of ``room``, becomes ``replace``."""

    room: str
    function: str
    find: str
    replace: str
    kind: str
    nth: int = 1
    equivalent: str = ""  # why no result can change

    @property
    def name(self) -> str:
        return f"{self.function}: {self.find.strip()} -> {self.replace.strip()}"


@dataclass(frozen=True)
class Place:
    """A function in a file: where its source begins and ends (offsets into the text), and the line of its first statement."""

    path: Path
    start: int
    end: int
    first: int


class FaultError(Exception):
    """A fault that cannot be put into the program as it stands."""


def read_faults(path: Path = FAULTS) -> list[Fault]:
    """The faults of the file, in its order."""
    return [Fault(**entry) for entry in tomllib.loads(path.read_text("utf-8"))["fault"]]


def place_of(fault: Fault, sources: Path = SOURCES) -> Place:
    """Where the function stands; FaultError unless there is exactly one of that name in the room that holds the text."""
    room = sources / fault.room
    files = [room.with_suffix(".py")] if room.with_suffix(".py").is_file() else sorted(room.rglob("*.py"))
    named = [p for file in files for p in _functions(file).get(fault.function, ())]
    found = [p for p in named if fault.find in p.path.read_text("utf-8")[p.start : p.end]]
    if len(found) != 1:
        why = f"{len(named)} functions of that name" if not found else f"{len(found)} functions hold that text"
        raise FaultError(f"{fault.room}: {fault.name}: {why}")
    return found[0]


@cache
def _functions(file: Path) -> dict[str, list[Place]]:
    """Every function of a file by its name, methods as ``Class.method``."""
    text = file.read_text("utf-8")
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: dict[str, list[Place]] = {}

    def within(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                first = next((s for s in child.body if not _is_docstring(s)), child.body[-1])
                place = Place(file, starts[child.lineno - 1], starts[child.end_lineno or child.lineno], first.lineno)
                found.setdefault(prefix + child.name, []).append(place)
            within(child, f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix)

    within(ast.parse(text), "")
    return found


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def with_fault(fault: Fault, sources: Path = SOURCES) -> tuple[Path, str]:
    """The file the fault stands in and its text with the fault. FaultError where it cannot stand there."""
    place = place_of(fault, sources)
    text = place.path.read_text("utf-8")
    body = text[place.start : place.end]
    at = -1
    for _ in range(fault.nth):
        at = body.find(fault.find, at + 1)
        if at < 0:
            raise FaultError(f"{fault.name}: stands fewer than {fault.nth} times in the function")
    faulty = text[: place.start] + body[:at] + fault.replace + body[at + len(fault.find) :] + text[place.end :]
    if ast.dump(ast.parse(faulty)) == ast.dump(ast.parse(text)):
        raise FaultError(f"{fault.name}: changes no code")
    return place.path, faulty


def copy_of_sources(directory: Path) -> Path:
    """A tree that imports like the checkout: the sources copied, the sample trial linked. The copied package."""
    package = directory / "src" / "alsbench"
    shutil.copytree(SOURCES, package, ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "sample_data").symlink_to(ROOT / "sample_data")
    return package


def environment(directory: Path, **more: str) -> dict[str, str]:
    path = os.pathsep.join(p for p in (str(directory / "src"), os.environ.get("PYTHONPATH", "")) if p)
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **more}


def map_reach(tests: list[str], faults: list[Fault], workers: int) -> dict[str, list[str]]:
    """Which tests reach each faulty function (room and name): the tests run once with a note at the head of each."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        package = copy_of_sources(directory)
        notes = directory / "notes"
        notes.mkdir()
        (package / "_reach.py").write_text(NOTE, "utf-8")
        wanted: dict[Path, dict[int, list[str]]] = {}
        for fault in faults:
            place = place_of(fault)
            lines = wanted.setdefault(package / place.path.relative_to(SOURCES), {})
            key = f"{fault.room} {fault.function}"
            if key not in lines.setdefault(place.first, []):
                lines[place.first].append(key)
        for file, at in wanted.items():
            lines = file.read_text("utf-8").splitlines(keepends=True)
            for line in sorted(at, reverse=True):
                indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
                calls = "".join(f"{indent}__import__('alsbench._reach')._reach.note({key!r})\n" for key in at[line])
                lines.insert(line - 1, calls)
            file.write_text("".join(lines), "utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-p", "no:cacheprovider", *tests]
        subprocess.run(command, cwd=ROOT, env=environment(directory, ALSBENCH_REACH=str(notes)), check=False)
        reached: dict[str, set[str]] = {}
        for file in notes.iterdir():
            for line in file.read_text("utf-8").splitlines():
                test, _, key = line.partition("\t")
                reached.setdefault(key, set()).add(test)
    return {key: sorted(found) for key, found in reached.items()}


NOTE = """
import os
_seen = set()
def note(key):
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    if test and "ALSBENCH_REACH" in os.environ and (test, key) not in _seen:
        _seen.add((test, key))
        with open(os.path.join(os.environ["ALSBENCH_REACH"], str(os.getpid())), "a", encoding="utf-8") as file:
            file.write(f"{test}\\t{key}\\n")
"""


def tests_of(fault: Fault, reached: dict[str, list[str]]) -> list[list[str]]:
    """The tests that reach the function, in the order in which they are worth running: the quick ones on built data, the
    others of the room's own folder, the rest; last the whole files of these tests, since a fixture that reaches the function
    is noted for its first user only."""
    own = f"tests/{fault.room.split('/', maxsplit=1)[0]}"
    tests = sorted(reached.get(f"{fault.room} {fault.function}", []), key=lambda t: ("scrutiny" in t or "imputed" in t, t))
    quick = [t for t in tests if QUICK.search(t)]
    near = [t for t in tests if t not in quick and t.startswith(own)]
    files = sorted({t.split("::")[0] for t in tests})
    return [quick, near, [t for t in tests if t not in quick and t not in near], files]


def try_fault(fault: Fault, reached: dict[str, list[str]]) -> str:
    """``found by TEST``, or ``survives ...`` with what the fault changes."""
    parts = tests_of(fault, reached)
    if not any(parts):
        return "survives: no test reaches it"
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        package = copy_of_sources(directory)
        path, text = with_fault(fault)
        (package / path.relative_to(SOURCES)).write_text(text, "utf-8")
        for part in parts:
            found = _first_failure(part, directory)
            if found:
                return f"found by {found}"
        return f"survives {_changed_results(directory)}"


def _first_failure(tests: list[str], directory: Path) -> str:
    """The first test that fails, empty where none does."""
    if not tests:
        return ""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", "-rfE", *tests]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(directory), capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return f"tests that do not end within {LONGEST} s"
    if done.returncode == 0:
        return ""
    gone = set(re.findall(r"^ERROR: not found: (?:.*/)?(tests/\S+)$", done.stdout + done.stderr, flags=re.MULTILINE))
    if gone:  # renamed since the map was made
        return _first_failure([t for t in tests if t not in gone], directory)
    if done.returncode in (USAGE, NOTHING):
        raise FaultError(f"pytest could not run {tests[0]} ...: {(done.stdout + done.stderr).strip()[-300:]}")
    told = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return told[0].split(" - ")[0].split(" ", 1)[1] if told else f"pytest ending with {done.returncode}"


def _changed_results(directory: Path) -> str:
    """How many numbers of the built trial's results the fault changes."""
    faulty, sound = _results(directory), _results(None)
    if isinstance(faulty, str) or isinstance(sound, str):
        return f"(results: {faulty if isinstance(faulty, str) else sound})"
    changed = [k for k in sorted({*faulty, *sound}) if faulty.get(k) != sound.get(k)]
    return f"and changes {len(changed)} results of the built trial" + (f", e.g. {changed[0]}" if changed else "")


def _results(directory: Path | None) -> dict[str, object] | str:
    code = "import json, sys; from tests.built.results import every_result; json.dump(every_result(), sys.stdout)"
    env = environment(directory) if directory else dict(os.environ)
    env["PYTHONPATH"] = os.pathsep.join([env.get("PYTHONPATH", ""), str(ROOT)]).strip(os.pathsep)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no answer"])[-1]
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("map", "run", "list"))
    parser.add_argument("--only", default="", help="faults whose room, function or text holds this")
    parser.add_argument("--tests", nargs="*", default=["tests"], help="for map: which tests")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--faults", type=Path, default=FAULTS)
    given = parser.parse_args()
    faults = [f for f in read_faults(given.faults) if given.only in f"{f.room} {f.name} {f.kind}"]
    if given.what == "list":
        for fault in faults:
            place = place_of(fault)
            print(f"{fault.kind:<22} {place.path.relative_to(SOURCES)}: {fault.name}")
        print(f"{len(faults)} faults")
        return 0
    if given.what == "map":
        known = json.loads(REACHED.read_text("utf-8")) if REACHED.exists() else {}
        REACHED.parent.mkdir(exist_ok=True)
        REACHED.write_text(json.dumps({**known, **map_reach(given.tests, faults, given.workers)}, indent=0), "utf-8")
        return 0
    reached = json.loads(REACHED.read_text("utf-8"))
    begun, survivors = time.monotonic(), 0
    with ThreadPoolExecutor(given.workers) as pool:
        asked = {pool.submit(try_fault, f, reached): f for f in faults}
        for done in as_completed(asked):
            fault, said = asked[done], done.result()
            lives = said.startswith("survives") and not fault.equivalent
            survivors += lives
            note = f" [equivalent: {fault.equivalent}]" if fault.equivalent else ""
            print(f"{'!!' if lives else 'ok'} {fault.kind:<20} {fault.room} {fault.name}\n     {said}{note}", flush=True)
    print(f"{len(faults)} faults, {survivors} survive ({time.monotonic() - begun:.0f} s)")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
