"""Would the tests notice? Faults are put into the program one at a time, and the tests that reach them are run.

    python benchmarks/inject_faults.py map                 # which tests reach which faulty function (runs the tests once)
    python benchmarks/inject_faults.py run [--only TEXT]   # each fault against its tests; survivors are listed, exit 1
    python benchmarks/inject_faults.py run --budget 20     # a first look: what no test finds in 20 s of CPU
    python benchmarks/inject_faults.py list

``benchmarks/faults.toml`` describes a fault by the function it stands in and the text it changes, not by file and line, so
that it outlives moves. The checkout is never touched: the code of the function is changed in a child of the process that has
collected the tests (for the map, in a copy of the sources). Only the tests that reach the function run, until the first that
fails. What survives
is compared with the sound program on the built trial of the tests: "changes N results" is a hole in the tests, "changes no
result" needs a reason in the file (``equivalent``).
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import math
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import types
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "alsbench"
FAULTS = Path(__file__).with_name("faults.toml")
REACHED = ROOT / ".benchmarks" / "reached.json"  # made by ``map``; not under version control
HEAVY = ("statsmodels.api", "statsmodels.formula.api", "scipy.stats", "scipy.optimize", "pandas", "pyreadstat", "duckdb")
BUILT = "/test_built"
SHORT, LONG = 0.3, 5.0  # seconds of a test; of one that nobody timed
LONGEST = 600  # seconds of tests of one fault; one that makes them hang is not called found


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


@dataclass
class Reached:
    """The map: which tests reach each function (room and name), and how many seconds each test took."""

    tests: dict[str, list[str]]
    seconds: dict[str, float]

    @classmethod
    def read(cls, path: Path) -> Reached:
        return cls(**json.loads(path.read_text("utf-8"))) if path.exists() else cls({}, {})

    def add(self, more: Reached, path: Path) -> None:
        """Take another map in, and keep both."""
        for key, tests in more.tests.items():
            self.tests[key] = sorted({*self.tests.get(key, []), *tests})
        self.seconds |= more.seconds
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"tests": self.tests, "seconds": self.seconds}, indent=0), "utf-8")


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
    changed = body[:at] + fault.replace + body[at + len(fault.find) :]
    if _meaning(changed) == _meaning(body):
        raise FaultError(f"{fault.name}: changes no code")
    return place.path, text[: place.start] + changed + text[place.end :]


@cache
def _meaning(function: str) -> str:
    """The code of a function, or of a method as it stands in its class, without comments and layout."""
    return ast.dump(ast.parse(f"if 1:\n{function}" if function[:1].isspace() else function))


def copy_of_sources(directory: Path) -> Path:
    """A tree that imports like the checkout: the sources copied, the sample trial linked. The copied package."""
    package = directory / "src" / "alsbench"
    shutil.copytree(SOURCES, package)  # with what is compiled: a file keeps its time of change, the faulty one gets its own
    (directory / "sample_data").symlink_to(ROOT / "sample_data")
    return package


def environment(directory: Path, **more: str) -> dict[str, str]:
    path = os.pathsep.join(p for p in (str(directory / "src"), os.environ.get("PYTHONPATH", "")) if p)
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **more}


def map_reach(tests: list[str], faults: list[Fault], workers: int) -> Reached:
    """The tests run once with a note at the head of each faulty function."""
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
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            str(workers),
            "-p",
            "no:cacheprovider",
            "-p",
            "alsbench._reach",
            *tests,
        ]
        subprocess.run(command, cwd=ROOT, env=environment(directory, ALSBENCH_REACH=str(notes)), check=False)
        reached: dict[str, set[str]] = {}
        seconds: dict[str, float] = {}
        for file in notes.iterdir():
            for line in file.read_text("utf-8").splitlines():
                test, _, said = line.partition("\t")
                if said.startswith("took "):
                    seconds[test] = round(seconds.get(test, 0.0) + float(said.removeprefix("took ")), 3)
                else:
                    reached.setdefault(said, set()).add(test)
    return Reached({key: sorted(found) for key, found in reached.items()}, seconds)


NOTE = """
import os
_seen = set()
def note(key):
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    if test and "ALSBENCH_REACH" in os.environ and (test, key) not in _seen:
        _seen.add((test, key))
        write(test, key)
def write(test, text):
    with open(os.path.join(os.environ["ALSBENCH_REACH"], str(os.getpid())), "a", encoding="utf-8") as file:
        file.write(f"{test}\\t{text}\\n")
def pytest_runtest_logreport(report):
    if "ALSBENCH_REACH" in os.environ and ("PYTEST_XDIST_WORKER" in os.environ or not hasattr(report, "node")):
        write(report.nodeid, f"took {report.duration:.3f}")
"""


def tests_of(fault: Fault, reached: Reached, known: Iterable[str]) -> list[str]:
    """The tests to run of those ``known``, in the order in which they are worth running: those that reach the function and take
    no time, the built trial, the others by what they take, and last the whole files of these.

    Files, because a fixture that reaches the function is noted for its first user only.
    """
    noted, seconds = set(reached.tests.get(f"{fault.room} {fault.function}", [])), reached.seconds
    files = {t.split("::")[0] for t in noted}
    if any(BUILT in file for file in files):  # all of these ask one fixture
        files |= {f for f in (t.split("::")[0] for t in known) if BUILT in f}
    own = f"tests/{fault.room.split('/', maxsplit=1)[0]}/"

    def place(test: str) -> tuple[int, float]:
        file, takes = test.split("::")[0], seconds.get(test, LONG)
        group = (
            0 if test in noted and takes < SHORT and file.startswith(own) else 1 if BUILT in file else 2 if test in noted else 3
        )
        return group, takes

    return sorted((t for t in known if t.split("::")[0] in files), key=place)


class Runner:
    """A plugin of pytest: the tests are collected once, and each fault is tried in a child of this process, which starts with
    all that is imported, changes the code of one function and runs the tests that reach it until the first that fails.

    A test that starts the program as a process of its own meets the sound one there: it finds nothing, and never too much.
    """

    def __init__(self, faults: list[Fault], reached: Reached, workers: int, budget: float) -> None:
        self.faults, self.reached, self.workers, self.budget = faults, reached, workers, budget
        self.failed = ""
        self.said: dict[Fault, str] = {}
        self.begun = time.monotonic()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = str(report.nodeid)

    def pytest_runtestloop(self, session: Any) -> bool:
        items = {item.nodeid: item for item in session.items}
        for name in HEAVY:  # once, and not in every child
            importlib.import_module(name)
        waiting, running = list(reversed(self.faults)), {}
        while waiting or running:
            while waiting and len(running) < self.workers:
                fault = waiting.pop()
                reader, writer = os.pipe()
                child = os.fork()
                if not child:
                    os.close(reader)
                    self._try(fault, items, writer)
                os.close(writer)
                running[reader] = (child, fault)
            for reader in select.select(list(running), [], [])[0]:
                child, fault = running.pop(reader)
                with os.fdopen(reader, encoding="utf-8") as told:
                    said = told.read()
                os.waitpid(child, 0)
                self._tell(fault, said or f"undecided: the tests crash, or do not end within {LONGEST} s")
        return True

    def _try(self, fault: Fault, items: dict[str, Any], writer: int) -> None:
        """In the child, which ends here."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        signal.alarm(LONGEST)  # ends the process
        try:
            put_in(fault)
            said = self._run_until_failure([items[t] for t in tests_of(fault, self.reached, items)])
            if not said.startswith("found") and math.isinf(self.budget):
                said = f"{said} {_changed_results()}"
        except BaseException as error:  # noqa: BLE001  what befalls the child is told by the parent
            said = f"not tried: {type(error).__name__}: {error}"
        os.write(writer, said.encode("utf-8"))
        os._exit(0)

    def _run_until_failure(self, tests: list[Any]) -> str:
        if not tests:
            return "survives: no test reaches it"
        for number, (test, after) in enumerate(zip(tests, [*tests[1:], None], strict=True)):
            if time.process_time() > self.budget:
                return f"survives the first {number} of {len(tests)} tests"
            test.config.hook.pytest_runtest_protocol(item=test, nextitem=after)
            if self.failed:
                return f"found by {self.failed}"
        return f"survives {len(tests)} tests"

    def _tell(self, fault: Fault, said: str) -> None:
        self.said[fault] = said
        lives = self.lives(fault)
        note = f" [equivalent: {fault.equivalent}]" if fault.equivalent else ""
        place = f"{len(self.said)}/{len(self.faults)}, {time.monotonic() - self.begun:.0f} s"
        print(f"{'!!' if lives else 'ok'} {fault.kind:<20} {fault.room} {fault.name}  ({place})\n     {said}{note}", flush=True)

    def lives(self, fault: Fault) -> bool:
        return not self.said.get(fault, "").startswith("found") and not fault.equivalent


def put_in(fault: Fault) -> None:
    """Change the code of the function in this process. FaultError where no object of that name holds the code."""
    path, text = with_fault(fault)
    place = place_of(fault)
    module = importlib.import_module(".".join(path.relative_to(SOURCES.parent).with_suffix("").parts))
    wanted = _code_of(compile(text, str(path), "exec", dont_inherit=True), fault.function.split("."))
    target: Any = module
    for name in fault.function.split("."):
        target = inspect.getattr_static(target, name)
    for _ in range(9):
        if isinstance(target, property):
            target = target.fget
        elif isinstance(target, staticmethod | classmethod | cached_property):
            target = target.func if isinstance(target, cached_property) else target.__func__
        elif hasattr(target, "__wrapped__"):
            target = target.__wrapped__
    if not inspect.isfunction(target) or target.__code__.co_firstlineno > place.first:
        raise FaultError(f"{fault.name}: no function of the running program holds this code")
    target.__code__ = wanted


def _code_of(code: types.CodeType, names: list[str]) -> types.CodeType:
    """The code of a function by its path of names; the last of that name, as in the running module."""
    found = [c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == names[0]]
    if not found:
        raise FaultError(f"no code named {names[0]}")
    return _code_of(found[-1], names[1:]) if names[1:] else found[-1]


def _changed_results() -> str:
    """How many numbers of the built trial's results the fault in this process changes."""
    from tests.built.results import every_result

    code = "import json, sys; from tests.built.results import every_result; json.dump(every_result(), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"(results: {(done.stderr.strip().splitlines() or ['no answer'])[-1]})"
    sound = json.loads(done.stdout)
    try:
        faulty = json.loads(json.dumps(every_result()))
    except Exception as error:  # noqa: BLE001  any end is a change
        return f"and the built trial's results end in {type(error).__name__}"
    changed = [k for k in sorted({*faulty, *sound}) if faulty.get(k) != sound.get(k)]
    return f"and changes {len(changed)} results of the built trial" + (f", e.g. {changed[0]}" if changed else "")


def run(faults: list[Fault], reached: Reached, workers: int, budget: float) -> Runner:
    """Try every fault; the runner with what was said of each."""
    import pytest

    runner = Runner(faults, reached, workers, budget)
    asked = {t.split("::")[0] for fault in faults for t in reached.tests.get(f"{fault.room} {fault.function}", [])}
    files = sorted(
        {*(f for f in asked if (ROOT / f).is_file()), *(str(p.relative_to(ROOT)) for p in ROOT.glob(f"tests/*{BUILT}*.py"))}
    )
    os.chdir(ROOT)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    pytest.main(["-q", "-s", "-n", "0", "-p", "no:cacheprovider", "--no-header", *files], plugins=[runner])
    return runner


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("map", "run", "list"))
    parser.add_argument("--only", default="", help="faults whose room, function or text holds this")
    parser.add_argument("--tests", nargs="*", default=["tests"], help="for map: which tests")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--budget", type=float, default=math.inf, help="seconds of CPU for one fault: a first look at many")
    parser.add_argument("--faults", type=Path, default=FAULTS)
    parser.add_argument("--reached", type=Path, default=REACHED, help="the map")
    given = parser.parse_args()
    faults = [f for f in read_faults(given.faults) if given.only in f"{f.room} {f.name} {f.kind}"]
    if given.what == "list":
        for fault in faults:
            place = place_of(fault)
            print(f"{fault.kind:<22} {place.path.relative_to(SOURCES)}: {fault.name}")
        print(f"{len(faults)} faults")
        return 0
    if given.what == "map":
        Reached.read(given.reached).add(map_reach(given.tests, faults, given.workers), given.reached)
        return 0
    runner = run(faults, Reached.read(given.reached), given.workers, given.budget)
    survivors = [f for f in faults if runner.lives(f)]
    print(
        f"{len(runner.said)} of {len(faults)} faults tried, {len(survivors)} survive ({time.monotonic() - runner.begun:.0f} s)"
    )
    for fault in survivors:
        print(f"  {fault.kind}: {fault.room} {fault.name}")
    return 1 if survivors or len(runner.said) < len(faults) else 0


if __name__ == "__main__":
    sys.exit(main())
