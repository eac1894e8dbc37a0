"""``import alsbench as als``: what it costs, what it offers, what its docstrings say."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import alsbench as als
from alsbench.cli.api_reference import page

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "scipy", "pandas", "patsy", "statsmodels", "duckdb", "textual", "pyarrow", "rich", "typer")


def modules_after(code: str) -> tuple[set[str], int]:
    """Which heavy libraries are imported after ``code``, and how many modules it added in all."""
    script = f"import json, sys; n = len(sys.modules)\n{code}\nprint(json.dumps([sorted(sys.modules), len(sys.modules) - n]))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules, added = json.loads(ran.stdout.splitlines()[-1])
    return {name for name in HEAVY if name in modules}, added


@pytest.mark.parametrize("code", ["import alsbench", "import alsbench as als; als.AlsbenchError; dir(als)"])
def test_importing_it_costs_nothing(code: str) -> None:
    heavy, added = modules_after(code)
    assert heavy == set() and added < 40


def test_a_model_brings_its_libraries_and_nothing_of_a_trial() -> None:
    heavy, _ = modules_after("import alsbench as als; als.mmrm")
    assert heavy == {"numpy", "scipy", "pandas", "patsy"} | (heavy & {"pyarrow"})  # pandas imports pyarrow where it is


def test_every_name_is_there_and_no_other() -> None:
    for name in als.__all__:
        assert getattr(als, name) is not None and name in dir(als)
    with pytest.raises(AttributeError, match="has no attribute 'mmmrm'"):
        als.mmmrm  # noqa: B018
    assert not hasattr(als, "__path_of_nothing__")


def test_editors_and_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(str(als.__file__)).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == {name: f"alsbench.{home}" for name, home in als._HOMES.items()}


def test_the_package_is_typed() -> None:
    assert (Path(str(als.__file__)).parent / "py.typed").exists()


@pytest.mark.parametrize("module", sorted({home for home in als._HOMES.values() if home.startswith("models")}))
def test_examples_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"alsbench.{module}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted and not found.failed


def test_every_function_has_an_example_and_names_its_errors_and_source() -> None:
    for name in als.__all__:
        item = getattr(als, name)
        if callable(item) and not isinstance(item, type):
            text = str(item.__doc__)
            assert ">>> " in text and "Error" in text, name
            assert "Source:" in text or als._HOMES[name].startswith("service"), name


def test_the_page_is_made_of_the_docstrings() -> None:
    assert (ROOT / "docs/api.md").read_text() == page()
