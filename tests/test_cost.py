"""Tests that cost much say so: who starts the program as a process of its own, and who needs a pseudo-terminal."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PROGRAM = re.compile(r"[\"']-m[\"'], *[\"']alsbench[\"']|-m alsbench ")
TERMINAL = re.compile(r"^(?:import|from) (?:ptyprocess|ptyterm|pty)\b", re.MULTILINE)

IN_A_PROCESS = {  # what a process of its own shows and `run` cannot
    "cli/test_bad_input.py": "limits of the system, a device that is full",
    "cli/test_commands.py": "the program as a module, a reader that goes away, no terminal",
    "cli/test_integrity.py": "output onto the streams of a process",
    "cli/test_memory.py": "little address space",
    "cli/test_mapping.py": "a terminal",
    "cli/test_terminal.py": "a terminal and a pipe",
}


def files(pattern: re.Pattern[str]) -> set[str]:
    found = (p for p in TESTS.rglob("test_*.py") if p != Path(__file__) and pattern.search(p.read_text("utf-8")))
    return {p.relative_to(TESTS).as_posix() for p in found}


def test_command_lines_run_in_the_process_of_the_test() -> None:
    """Half a second each that ``tests/shell.py`` saves."""
    assert files(PROGRAM) == set(IN_A_PROCESS)


def test_who_needs_a_terminal_is_marked() -> None:
    found = files(TERMINAL)
    assert found
    assert not [name for name in found if "pytest.mark.terminal" not in (TESTS / name).read_text("utf-8")]


def test_nothing_is_left_in_the_house() -> None:
    """The top level holds what README and AGENTS.md name, nothing that an experiment left behind."""
    top = TESTS.parent
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=top, capture_output=True, check=False)
    if listed.returncode:  # an archive of the sources: nothing is tracked
        pytest.skip("not a checkout")
    known = {name.split(b"/", 1)[0].decode("utf-8", "backslashreplace") for name in listed.stdout.split(b"\0") if name}
    assert known == {
        ".ci",
        ".gitignore",
        "AGENTS.md",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "benchmarks",
        "docs",
        "pyproject.toml",
        "sample_data",
        "src",
        "tests",
    }
