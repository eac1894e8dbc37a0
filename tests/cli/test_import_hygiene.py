"""``--help`` and the options of every command cost no heavy import."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "scipy", "pandas", "duckdb", "textual", "pyarrow", "pyreadstat", "tomlkit", "statsmodels", "openpyxl")


@pytest.mark.parametrize(
    "words", [["--help"], ["endpoint", "--help"], ["subgroup", "--help"], ["--version"], ["no-such-command"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import json, sys\n"
        "from alsbench.__main__ import main\n"
        f"main({words!r})\n"
        f"sys.stderr.write('\\n' + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ran.stderr.splitlines()[-1]) == []


SOURCES = Path(__file__).parents[2] / "src" / "alsbench"
REGISTRIES = {"__init__.py", "cli/app.py", "tui/app.py", "analysis/methods.py", "analysis/scrutiny/__init__.py"}


def test_the_shell_reaches_the_app_by_one_function_and_the_app_never_the_shell() -> None:
    """By plain imports: a module is looked up by its name in a registry of commands, screens, methods or names only."""
    reached: set[str] = set()
    by_name = set()
    for path in SOURCES.rglob("*.py"):
        text, place = path.read_text("utf-8"), path.relative_to(SOURCES).as_posix()
        if re.search(r"\bimport_module\(|\b__import__\(", text):
            by_name.add(place)
        if place.startswith("tui/"):
            assert "alsbench.cli" not in text, place
        elif place != "cli/tui.py":
            assert not re.search(r"^\s*(from|import) alsbench\.tui", text, re.MULTILINE), place
        else:
            reached |= {
                line.strip().split("  #")[0] for line in text.splitlines() if "alsbench.tui" in line and "import" in line
            }
    assert reached == {"from alsbench.tui.launch import launch"}
    assert by_name == REGISTRIES
