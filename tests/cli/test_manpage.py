"""The manual page is what the program says, in roff that a formatter takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from alsbench.cli.app import program
from alsbench.cli.manpage import manpage, roff
from alsbench.cli.reference import commands

PAGE = Path(__file__).parents[2] / "docs" / "alsbench.1"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == manpage(), "python -m alsbench.cli.manpage > docs/alsbench.1"


def test_every_command_is_in_it() -> None:
    page = manpage()
    for path, _ in commands(program()):
        assert f'.SS "{roff(path)}"' in page


def test_no_line_begins_with_what_roff_would_obey_unasked() -> None:
    known = {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".I"}
    assert {line.split(" ")[0] for line in manpage().splitlines() if line[:1] in {".", "'"}} <= known
    assert manpage().isascii()


@pytest.mark.parametrize(
    ("text", "made"),
    [(".x", r"\&.x"), ("'x", r"\&'x"), ("a\\b", r"a\eb"), ("-w", r"\-w"), ("a\n b", "a b"), ("é", r"\[u00E9]")],
)
def test_text_is_escaped(text: str, made: str) -> None:
    assert roff(text) == made


def test_a_formatter_takes_it_without_a_warning() -> None:
    formatter = shutil.which("mandoc") or shutil.which("groff")
    if formatter is None:
        return
    words = [formatter, "-T", "lint"] if formatter.endswith("mandoc") else [formatter, "-man", "-ww", "-z"]
    ran = subprocess.run([*words, str(PAGE)], capture_output=True, text=True, check=False)
    assert "ERROR" not in ran.stdout + ran.stderr
