"""An installation has the declared dependencies and nothing else: what the tests have besides must not be needed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from alsbench.service.report import LIBRARIES

ROOT = Path(__file__).parents[1]


def declared() -> tuple[set[str], set[str]]:
    """Names of the run-time dependencies, and of those that an extra brings, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^\w-]", each)[0].lower() for each in requirements}

    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    return names(project["dependencies"]), names(extras)


def test_what_the_package_imports_is_declared() -> None:
    needed, extra = declared()
    imported: dict[str, str] = {}
    for path in (ROOT / "src" / "alsbench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            imported |= {module.split(".")[0]: path.name for module in modules}
    foreign = {name: where for name, where in imported.items() if name not in {*sys.stdlib_module_names, "alsbench"}}
    assert {"numpy", "duckdb", "textual"} <= set(foreign)
    assert {name: where for name, where in foreign.items() if name not in needed | extra} == {}


def test_the_versions_a_report_names_are_of_libraries_that_are_installed_with_it() -> None:
    assert set(LIBRARIES) <= declared()[0]


def test_the_makefile_counts_what_an_installation_brings() -> None:
    said = re.search(r"alsbench and the (\d+) packages it needs", (ROOT / "Makefile").read_text())
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert said and int(said.group(1)) == len(closure(requirements))


def closure(requirements: list[str]) -> set[str]:
    """Names of every package that an installation of ``requirements`` brings here, by what the installed ones ask for."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(Requirement(each), "") for each in requirements]
    while waiting:
        needed, extra = waiting.pop()
        if needed.marker is not None and not needed.marker.evaluate({"extra": extra}):
            continue
        key = (canonicalize_name(needed.name), frozenset(needed.extras))
        if key not in found:
            found.add(key)
            inner = [Requirement(each) for each in metadata.requires(needed.name) or []]
            waiting += [(each, option) for each in inner for option in ("", *needed.extras)]
    return {name for name, _ in found}
