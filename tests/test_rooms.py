"""The house in order, read from the source: no circle in any room, a name for one class only, imports inside functions only
before something heavy, and no module of ours fetched by its name but from a registry."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "alsbench"
HEAVY = frozenset(
    {
        "distributed", "duckdb", "numpy", "openpyxl", "pandas", "patsy", "pyarrow", "pydantic", "pyreadstat", "rich", "scipy",
        "statsmodels", "textual", "threadpoolctl", "tomlkit", "typer", "xml", "zipfile",
    }
)  # fmt: skip
# Names that stand for a module: commands of the shell, screens of the app, methods, checks, and the names of the package.
REGISTRIES = frozenset({"__init__", "cli.app", "tui.app", "analysis.methods", "analysis.scrutiny"})


@cache
def modules() -> dict[str, ast.Module]:
    """Every module by its name below the package."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def room(module: str) -> str:
    return module.partition(".")[0]


def ours(node: ast.AST) -> list[str]:
    """The modules of ours that an import brings; a package stands for what is named of it."""
    if isinstance(node, ast.Import):
        names = [a.name for a in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "alsbench":
        named = [f"{node.module}.{a.name}" for a in node.names]
        names = [n if n.removeprefix("alsbench.") in modules() else node.module for n in named]
    else:
        return []
    return [m for n in dict.fromkeys(names) if n.startswith("alsbench.") and (m := n.removeprefix("alsbench.")) in modules()]


def imports(tree: ast.AST, *, inside: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import of a module that runs, and whether it stands in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, inside
        deeper = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, inside=deeper)


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(v: str) -> None:
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(edges.get(v, ())):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            component = stack[stack.index(v) :]
            del stack[stack.index(v) :]
            if len(component) > 1:
                found.append(sorted(component))

    for v in sorted(edges):
        if v not in index:
            visit(v)
    return found


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_no_room_has_a_circle() -> None:
    """Imports inside functions count: what needs each other belongs together."""
    edges: dict[str, set[str]] = defaultdict(set)
    for name, tree in modules().items():
        edges[name] |= {m for node, _ in imports(tree) for m in ours(node) if room(m) == room(name) and m != name}
    assert circles(edges) == []


def test_a_public_class_has_a_name_of_its_own() -> None:
    homes = defaultdict(list)
    for name, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


@cache
def brought(module: str) -> frozenset[str]:
    """The heavy libraries that importing a module brings, with everything it imports at its top."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting += [".".join(name.split(".")[:i]) for i in range(1, name.count(".") + 1)]
        for node, inside in imports(modules()[name] if name in modules() else ast.Module([], [])):
            if not inside:
                waiting += ours(node)
                found |= {library for library in libraries(node) if library.partition(".")[0] in HEAVY}
    return frozenset(found)


def libraries(node: ast.Import | ast.ImportFrom) -> set[str]:
    """What an import brings, a part of a library and the library."""
    names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {*names, *(n.partition(".")[0] for n in names)}


def late_imports() -> list[tuple[str, ast.Import | ast.ImportFrom]]:
    return [(name, node) for name, tree in modules().items() for node, inside in imports(tree) if inside and ours(node)]


def test_an_import_in_a_function_waits_for_something_heavy_and_says_what() -> None:
    """``# waits: numpy`` on its line: the module brings numpy, and the importer has not brought it by itself."""
    wrong = []
    for name, node in late_imports():
        if ours(node) == ["tui.launch"]:
            continue  # the door: it brings Textual itself, when it opens the app
        path = ROOT / (name.replace(".", "/") + ".py")
        path = path if path.exists() else ROOT / name.replace(".", "/") / "__init__.py"
        lines = path.read_text(encoding="utf-8").splitlines()[node.lineno - 1 : node.end_lineno]
        said = {w.strip() for line in lines if "# waits:" in line for w in line.partition("# waits:")[2].split(",")}
        here = brought(name)
        there = frozenset().union(*(brought(m) for m in ours(node)))
        if not said or not said <= there - here:
            wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} says {sorted(said)}, brings {sorted(there - here)}")
    assert wrong == []


@pytest.mark.parametrize("module", sorted(modules()))
def test_modules_are_fetched_by_name_from_registries_only(module: str) -> None:
    calls = [
        node
        for node in ast.walk(modules()[module])
        if isinstance(node, ast.Call) and (getattr(node.func, "attr", "") or getattr(node.func, "id", "")) == "import_module"
    ]
    assert not calls or module in REGISTRIES


def test_the_app_and_the_shell_meet_at_one_door() -> None:
    """The app never imports the shell; the shell imports ``tui.launch`` and nothing else of the app."""
    into_shell = [
        name
        for name, tree in modules().items()
        if room(name) == "tui"
        for n, _ in imports(tree)
        for m in ours(n)
        if room(m) == "cli"
    ]
    doors = {
        m
        for name, tree in modules().items()
        if room(name) == "cli"
        for n, _ in imports(tree)
        for m in ours(n)
        if room(m) == "tui"
    }
    assert into_shell == [] and doors <= {"tui", "tui.launch"}
