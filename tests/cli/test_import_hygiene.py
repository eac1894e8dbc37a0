"""``--help`` and the options of every command cost no heavy import."""

from __future__ import annotations

import json
import subprocess
import sys

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
