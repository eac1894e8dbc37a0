"""The command page is what the program says; every command and option is described; completion answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.shell import run_here

from alsbench.cli.app import SECTIONS, program
from alsbench.cli.reference import COMMON, commands, reference

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
CONTRACT = {
    "demo", "init", "load", "tui", "arms", "subject", "data", "subgroup list", "subgroup show", "subgroup add",
    "subgroup edit", "subgroup remove", "endpoint", "evidence", "forest", "safety", "check", "snapshots", "diff", "audit",
    "replay", "scrutinise", "lock", "unblind", "config show", "config path", "config validate",
}  # fmt: skip


def _listed() -> dict[str, Any]:
    return dict(commands(program()))


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "python -m alsbench.cli.reference > docs/commands.md"


def test_every_command_of_the_contract_is_there() -> None:
    assert _listed().keys() >= CONTRACT


def test_every_command_and_option_is_described_and_has_the_common_options() -> None:
    for name, command in _listed().items():
        assert command.help, name
        assert {p.name for p in command.params} >= COMMON - {"help"}, name
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"


def test_completion_knows_the_commands() -> None:
    ran = run_here([], env={"_ALSBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "alsbench s", "COMP_CWORD": "1"})
    assert ran.code == 0
    assert {"subject", "subgroup", "safety", "scrutinise", "snapshots", "simulate"} == set(ran.out.split())


def test_every_command_has_a_line_of_help_that_is_not_cut(run: Any) -> None:
    listed = run("--help").out.partition("Start here:")[2]
    assert "qualify" in listed
    assert "..." not in listed


def test_every_command_is_listed_once_under_what_it_is_for(run: Any) -> None:
    root: Any = program()
    listed = [line.split()[0] for line in run("--help").out.partition("Start here:")[2].splitlines() if line[:3].strip(" ")]
    headings = [title for title, _, _ in SECTIONS]
    lines = run("--help").out.partition("Options:")[2].splitlines()
    assert [line.rstrip(":") for line in lines if line and not line.startswith(" ")] == headings
    names = [name for _, _, section in SECTIONS for name in section if name in root.commands]
    assert sorted(names) == sorted(n for n, c in root.commands.items() if not c.hidden)
    assert [word for word in listed if word in root.commands] == names
