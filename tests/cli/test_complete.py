"""Tab offers the names of the study in the workspace, quickly, and nothing where there is no study."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.shell import run_here


def offered(words: str, where: Path, **more: str) -> set[str]:
    """What bash would be offered for the last word."""
    count = len(words.split(" ")) - 1
    environment = {"_ALSBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count), **more}
    ran = run_here([], cwd=where, env=environment)
    assert ran.code == 0, ran.err
    return set(ran.out.split("\n")) - {""}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("alsbench endpoint alsfrs", {"alsfrs", "alsfrs_ancova", "alsfrs_slope"}),
        ("alsbench forest ca", {"cafs"}),
        ("alsbench endpoint cafs --subgroup s", {"slow"}),
        ("alsbench evidence --comparison G1", {"G1-M6"}),
        ("alsbench endpoint cafs --population F", {"FAS"}),
        ("alsbench subgroup show sl", {"slow"}),
        ("alsbench scrutinise --check sw", {"sweep"}),
        ("alsbench data ADL", {"ADLB"}),
        ("alsbench data adl", {"adlb"}),
    ],
)
def test_names_of_the_study(loaded: Path, words: str, names: set[str]) -> None:
    assert offered(words, loaded) == names


def test_the_workspace_may_be_named(loaded: Path, tmp_path: Path) -> None:
    assert offered(f"alsbench -w {loaded} endpoint ca", tmp_path) == {"cafs"}
    assert offered("alsbench endpoint ca", tmp_path, ALSBENCH_WORKSPACE=str(loaded)) == {"cafs"}


def test_nothing_where_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert offered("alsbench endpoint ca", tmp_path) == set()
    (tmp_path / "study.toml").write_text("[[[")
    assert offered("alsbench endpoint ca", tmp_path) == set()


def test_no_heavy_import(loaded: Path) -> None:
    code = (
        "import json, sys, atexit\n"
        "heavy = ('numpy', 'duckdb', 'pandas', 'textual', 'tomlkit')\n"
        "atexit.register(lambda: print(json.dumps([m for m in heavy if m in sys.modules]), file=sys.stderr))\n"
        "from alsbench.__main__ import main\nmain([])\n"
    )
    environment = {**os.environ, "_ALSBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "alsbench endpoint ca", "COMP_CWORD": "2"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, cwd=loaded, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["cafs"]
    assert json.loads(ran.stderr.splitlines()[-1]) == []
