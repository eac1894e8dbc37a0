"""Would `alsbench verify` notice? Faults are put into the first program, and its numbers are held against the second's.

    python benchmarks/verify_faults.py [--per-function 2] [--most 500] [--into docs/verify_faults.jsonl] [--only TEXT]
    python benchmarks/verify_faults.py --tell --into docs/verify_faults.jsonl       # what was recorded, by kind, in Markdown

Faults are made from the program's own code, not chosen by hand: in every function of `analysis` and `stats` that an endpoint of
the trials reaches, operators, comparisons, constants, conditions and names are changed one at a time (a seeded choice of them),
and the faults of `benchmarks/faults.toml` that stand in these functions are added. Each is put into a child of this process,
which answers every question that reaches the function, on the sample, both reference trials and the built trial of the tests.

Of each is told: `same`, no number of any answer moved beyond its tolerance; `stopped`, the program ended in an error that
nobody can overlook; `caught`, a number moved and the second program differs; `missed`, a number moved and it does not. What
an optimiser says of its way (iterations, gradient, condition) is no number in this sense: it has no tolerance.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import pickle
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import fill
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from inject_faults import HEAVY, SOURCES, Fault, FaultError, put_in, read_faults, with_fault  # noqa: E402

ROOMS = ("analysis", "stats")
PHRASES = ("overall", "slow", "not slow")
SECONDS = 300
DIAGNOSTICS = frozenset({"iterations", "gradient", "condition"})
Key = tuple[str, str, str]  # trial, endpoint, subgroup phrase


# ---- the trials, their answers by both programs, and what reaches which function; in children, since DuckDB survives no fork


def workspaces(directory: Path) -> dict[str, Path]:
    """The trials, each loaded in a workspace of its own."""
    import shutil

    from tests.built.results import load_built

    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    places = {"sample": ROOT / "sample_data"} | {n: ROOT / "tests" / "reference" / n for n in ("als-ref-1", "als-ref-2")}
    found = {}
    for name, files in places.items():
        space = Workspace(directory / name)
        space.create()
        shutil.copy(files / "study.toml", space.study_path)
        data = sorted(p for p in files.iterdir() if p.suffix in (".xpt", ".csv", ".parquet"))
        load(data, space, study=space.read_study(), expect={})
        found[name] = space.path
    load_built(directory / "built")
    return {**found, "built": directory / "built" / "ws"}


@dataclass(frozen=True)
class Sound:
    """An answer of the sound program, the second program's, and the functions (file, name, first line) that the first ran."""

    rows: tuple[Any, ...]
    second: dict[tuple[object, ...], Any] | None
    functions: frozenset[tuple[str, str, int]]
    differing: frozenset[
        tuple[object, ...]
    ]  # places on which the sound program and the second differ: no fault is caught there


def source_of(path: Path) -> Any:
    from alsbench.analysis.source import open_source

    return replace(open_source(path), results_dir=None)


def sound_answers(path: Path, trial: str) -> dict[Key, Sound]:
    """Every endpoint of a trial in the phrases it has."""
    from alsbench.analysis.question import Question
    from alsbench.analysis.run import answer
    from alsbench.errors import AlsbenchError
    from alsbench.second.numbers import NotCovered
    from alsbench.second.program import answer as second_answer
    from alsbench.second.trial import TrialTables, read_tables
    from alsbench.service.verify import held_against

    source = source_of(path)
    tables = TrialTables(source.study, read_tables(source.snapshot.path))
    found: dict[Key, Sound] = {}
    for name, endpoint in source.study.endpoints.items():
        for phrase in PHRASES:
            ran: set[tuple[str, str, int]] = set()

            def note(frame: Any, event: str, _: Any, ran: set[tuple[str, str, int]] = ran) -> None:
                if event == "call" and frame.f_code.co_filename.startswith(str(SOURCES)):
                    code = frame.f_code
                    ran.add((code.co_filename, code.co_qualname, code.co_firstlineno))

            asked = Question(name, subgroups=(phrase,))
            try:
                sys.setprofile(note)
                answer(asked, source_of(path))
                sys.setprofile(None)
                rows = answer(asked, source_of(path)).rows
            except AlsbenchError:
                continue
            finally:
                sys.setprofile(None)
            try:
                second = {n.place(): n for n in second_answer(tables, endpoint, phrase)}
            except NotCovered:
                second = None
            differing = held_against(endpoint, phrase, rows, second).differing if second is not None else []
            known = frozenset(_at(c.row) for c in differing)
            found[trial, name, phrase] = Sound(rows, second, frozenset(ran), known)
    return found


def _at(row: Any) -> tuple[object, ...]:
    """Where a row of the first program or a number of the second stands."""
    from alsbench.second.numbers import Number
    from alsbench.service.verify import row_place

    return row.place() if isinstance(row, Number) else row_place(row)


def in_child(work: Callable[..., Any], *given: Any, seconds: int = 3600) -> Any:
    """What ``work`` returns in a child of this process; an exception of it as RuntimeError."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        signal.alarm(seconds)
        try:
            said = pickle.dumps((True, work(*given)))
        except BaseException as error:  # noqa: BLE001  told by the parent
            said = pickle.dumps((False, f"{type(error).__name__}: {error}"))
        with os.fdopen(writer, "wb") as out:
            out.write(said)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        said = told.read()
    os.waitpid(child, 0)
    if not said:
        raise RuntimeError("no answer in time, or a crash")
    good, value = pickle.loads(said)
    if not good:
        raise RuntimeError(value)
    return value


# ---- faults made of the code


SWAPPED: dict[type, tuple[str, str]] = {
    ast.Lt: ("<=", "boundary"), ast.LtE: ("<", "boundary"), ast.Gt: (">=", "boundary"), ast.GtE: (">", "boundary"),
    ast.Eq: ("!=", "condition"), ast.NotEq: ("==", "condition"), ast.Add: ("-", "sign"), ast.Sub: ("+", "sign"),
    ast.Mult: ("/", "factor"), ast.Div: ("*", "factor"), ast.BitAnd: ("|", "missing value"), ast.BitOr: ("&", "missing value"),
    ast.And: ("or", "condition"), ast.Or: ("and", "condition"),
}  # fmt: skip
SHOWN = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.Add: "+", ast.Sub: "-",
         ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|", ast.And: "and", ast.Or: "or"}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "treatment": "reference", "reference": "treatment",
         "low": "high", "high": "low", "argmax": "argmin", "argmin": "argmax", "sum": "mean", "mean": "sum", "first": "last",
         "ceil": "floor", "floor": "ceil", "left": "right", "isfinite": "isnan", "isnan": "isfinite"}  # fmt: skip


def changes(node: ast.AST, text: str) -> Iterator[tuple[int, int, str, str]]:
    """What can be changed at a node of a function's tree: offsets into the text, the new text, the kind."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in SWAPPED:
            yield _operator(text, left, right, op)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPPED:
            yield _operator(text, left, right, op)
        case ast.BoolOp(op=op, values=[left, right]):
            yield _operator(text, left, right, op)
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert(), operand=operand):
            start, end = _span(text, node)
            inner, _ = _span(text, operand)
            kind = (
                "sign" if isinstance(node.op, ast.USub) else "missing value" if isinstance(node.op, ast.Invert) else "condition"
            )
            yield start, end, text[inner:end], kind
        case ast.Constant(value=bool() as value):
            yield (*_span(text, node), str(not value), "condition")
        case ast.Constant(value=int() as value):
            yield (*_span(text, node), str(value + 1), "constant")
        case ast.Constant(value=float() as value) if value:
            yield (*_span(text, node), repr(value * 1.1), "constant")
        case ast.Attribute(value=value, attr=name) if name in NAMES:
            end = _span(text, node)[1]
            yield end - len(name), end, NAMES[name], "swapped name"
        case ast.Call(args=[first, second, *_]) if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
            (a, b), (c, d) = _span(text, first), _span(text, second)
            yield a, d, f"{text[c:d]}{text[b:c]}{text[a:b]}", "swapped arguments"


def _span(text: str, node: Any) -> tuple[int, int]:
    lines = text.splitlines(keepends=True)

    def offset(line: int, column: int) -> int:
        return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())

    return offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)


def _operator(text: str, left: ast.AST, right: ast.AST, op: ast.AST) -> tuple[int, int, str, str]:
    a, b = _span(text, left)[1], _span(text, right)[0]
    new, kind = SWAPPED[type(op)]
    at = text.index(SHOWN[type(op)], a, b)
    return at, at + len(SHOWN[type(op)]), new, kind


def made_faults(functions: set[tuple[str, str, int]], per_function: int, rng: random.Random) -> list[Fault]:
    """A seeded choice of changes in every function that was reached."""
    found = []
    for file, name, line in sorted(functions):
        path = Path(file)
        room = str(path.relative_to(SOURCES).with_suffix(""))
        if room.split("/")[0] not in ROOMS or "<" in name or name.count(".") > 1:
            continue
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        named = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name.rpartition(".")[2]]
        nodes = [n for n in named if min([n.lineno, *(d.lineno for d in n.decorator_list)]) == line]
        if len(nodes) != 1:
            continue
        node = nodes[0]
        start, end = _span(text, node)
        start = text.rindex("\n", 0, start) + 1
        own = text[start:end]
        options = []
        for inner in (each for statement in node.body for each in ast.walk(statement)):
            for a, b, new, kind in changes(inner, text):
                options.append((a - start, b - start, new, kind))
        rng.shuffle(options)
        taken = 0
        for a, b, new, kind in options:
            fault = _described(own, a, b, new, kind, room, name)
            try:
                with_fault(fault)
            except (FaultError, SyntaxError):
                continue
            found.append(fault)
            taken += 1
            if taken == per_function:
                break
    return found


def _described(own: str, a: int, b: int, new: str, kind: str, room: str, function: str) -> Fault:
    """A change by the text it changes: the line around it, and how many times that stands before."""
    first, last = own.rfind("\n", 0, a) + 1, own.find("\n", b)
    last = len(own) if last < 0 else last
    find, changed = own[first:last], own[first:a] + new + own[b:last]
    indent = len(find) - len(find.lstrip())
    find, changed = find[indent:], changed[indent:]
    return Fault(room, function, find, changed, kind, nth=own.count(find, 0, first + indent) + 1)


# ---- one fault


def tried(fault: Fault, asked: Sequence[Key], sound: dict[Key, Sound], paths: dict[str, Path]) -> dict[str, Any]:
    """In a child: the questions that reach the function, answered with the fault in it."""
    from alsbench.analysis.question import Question
    from alsbench.analysis.run import answer
    from alsbench.errors import AlsbenchError
    from alsbench.service.verify import held_against, row_place
    from alsbench.stats.agreement import FITTED_METHODS, agree

    put_in(fault)
    moved: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    stopped = ""
    for key in asked:
        trial, name, phrase = key
        try:
            source = source_of(paths[trial])
            rows = answer(Question(name, subgroups=(phrase,)), source).rows
        except Exception as error:  # noqa: BLE001  the faulty program may do anything
            kind = "" if isinstance(error, AlsbenchError) else "crash: "
            stopped = stopped or f"{kind}{type(error).__name__}: {error}"[:200]
            continue
        endpoint = source.study.endpoints[name]
        before, after = ({row_place(r): r.stat for r in some} for some in (sound[key].rows, rows))
        size = {p[:-1]: abs(v) for p, v in before.items() if p[-1] == "se" and isinstance(v, float)}
        for at in before.keys() | after.keys():
            one, other = before.get(at), after.get(at)
            if (
                at[-1] not in DIAGNOSTICS
                and not agree(str(at[-1]), one, other, size.get(at[:-1], 0.0), fitted=endpoint.method in FITTED_METHODS)[0]
            ):
                moved[f"{endpoint.method} {at[0]} {at[-1]}"] += 1
        if sound[key].second is not None:
            for c in held_against(endpoint, phrase, rows, sound[key].second or {}).differing:
                if _at(c.row) not in sound[key].differing:
                    caught[f"{endpoint.method} {c.row.context} {c.row.stat_name}"] += 1
        if caught:
            break
    said = "caught" if caught else "missed" if moved else "stopped" if stopped else "same"
    return {"said": said, "moved": dict(moved), "caught": dict(caught), "stopped": stopped}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-function", type=int, default=4, help="faults made of one function, at most")
    parser.add_argument("--most", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="faults whose room, function or text holds this")
    parser.add_argument("--methods", default="", help="questions of these methods only, with commas")
    parser.add_argument("--into", type=Path, help="a line of JSON for each fault; those there are not tried again")
    parser.add_argument("--part", default="1/1", help="of several runs at once: the first of two is 1/2")
    parser.add_argument("--tell", action="store_true", help="try nothing: print what was recorded")
    given = parser.parse_args()
    if given.tell:
        _tell(list(_done(given.into).values()))
        return 0
    part, parts = (int(n) for n in given.part.split("/"))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for module in (*HEAVY, "alsbench.service.verify"):  # once, and not in every child
        importlib.import_module(module)

    with tempfile.TemporaryDirectory() as name:
        paths = in_child(workspaces, Path(name))
        sound: dict[Key, Sound] = {}
        for trial, path in paths.items():
            sound |= in_child(sound_answers, path, trial)
        wanted = set(given.methods.split(",")) - {""}
        method = {key: _method(sound[key]) for key in sound}
        reach: dict[tuple[str, str, int], list[Key]] = defaultdict(list)
        for key, answer in sound.items():
            if not wanted or method[key] in wanted:
                for function in answer.functions:
                    reach[function].append(key)
        by_name: dict[tuple[str, str], list[Key]] = defaultdict(list)
        for (file, function, _), keys in reach.items():
            by_name[str(Path(file).relative_to(SOURCES).with_suffix("")), function] += keys
        rng = random.Random(given.seed)
        faults = made_faults(set(reach), given.per_function, rng)
        rng.shuffle(faults)
        faults = faults[: given.most] + [f for f in read_faults() if f.room.split("/")[0] in ROOMS and not f.equivalent]
        known = sum(len(s.differing) for s in sound.values())
        print(f"{len(sound)} questions, on {known} numbers of which the programs differ without a fault; {len(faults)} faults")
        done = _done(given.into)
        for number, fault in enumerate(faults, 1):
            asked = sorted(
                {k for (room, f), keys in by_name.items() if f == fault.function and room.startswith(fault.room) for k in keys}
            )
            if number % parts != part % parts:
                continue
            if not asked or given.only not in f"{fault.room} {fault.name}" or fault.name in done:
                continue
            begun = time.monotonic()
            try:
                told = in_child(tried, fault, asked, sound, paths, seconds=SECONDS)
            except RuntimeError as error:
                told = {"said": "stopped", "moved": {}, "caught": {}, "stopped": str(error)[:200]}
            line = {**{k: v for k, v in asdict(fault).items() if v}, **told}
            done[fault.name] = line
            if given.into:
                with given.into.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(line) + "\n")
            if told["said"] in ("missed", "caught"):
                words = ", ".join(told["caught"] or told["moved"])[:100]
                said = f"{number:4} {told['said']:<7} {fault.kind:<17} {fault.room} {fault.name[:110]}"
                print(f"{said}  [{words}] {time.monotonic() - begun:.1f} s", flush=True)
    _tell(list(done.values()))
    return 0


def _method(answer: Sound) -> str:
    return answer.rows[0].method if answer.rows else ""


def _done(path: Path | None) -> dict[str, dict[str, Any]]:
    if path is None or not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {Fault(**{k: line.get(k, d) for k, d in _FIELDS.items()}).name: line for line in lines}


_FIELDS = {"room": "", "function": "", "find": "", "replace": "", "kind": "", "nth": 1}


def _tell(lines: list[dict[str, Any]]) -> None:
    """By kind of fault, then what was missed, in Markdown."""
    whole = Counter(line["said"] for line in lines)
    moved, caught = whole["caught"] + whole["missed"], whole["caught"]
    share = f"{100 * caught / moved:.1f} %" if moved else "none"
    print("## Faults put into the first program, and what `verify` notices\n")
    said = (
        f"{len(lines)} faults, one at a time: changes of the program's own code by a seeded choice, and those of "
        f"benchmarks/faults.toml in the same functions. {whole['same']} move no number of the trials asked, "
        f"{whole['stopped']} end the program in an error, {moved} move a number beyond its tolerance; of these `verify` "
        f"notices {caught} ({share}). Questions: every endpoint overall, in `slow` and outside of it, of the sample, both "
        "reference trials and the built trial of the tests."
    )
    print(fill(said, 128), end="\n\n")
    print("| Kind | Faults | Same | Stopped | Moved | Noticed |\n| :--- | ---: | ---: | ---: | ---: | ---: |")
    for kind in sorted({line["kind"] for line in lines}):
        own = Counter(line["said"] for line in lines if line["kind"] == kind)
        numbers = (own.total(), own["same"], own["stopped"], own["caught"] + own["missed"], own["caught"])
        print(f"| {kind} | {' | '.join(map(str, numbers))} |")
    missed = [line for line in lines if line["said"] == "missed"]
    if missed:
        print("\nNot noticed:\n")
    for line in missed:
        changed = f"`{line['find']}` as `{line['replace']}`"
        why = line.get("explained", "not explained")
        print(f"- `{line['room']}`, `{line['function']}`: {changed} moved {', '.join(line['moved'])}: {why}")


if __name__ == "__main__":
    sys.exit(main())
