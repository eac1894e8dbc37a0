"""`alsbench verify` and `report --verify --reconcile` in the shell: what they print, and that a difference is exit code 1."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from alsbench import cli
from alsbench.service import verify as service
from alsbench.stats.agreement import agree


def test_agreement_is_0_and_a_difference_1(workspace: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("verify", "cafs", "-w", str(workspace), "--format", "csv")
    good = run(*asked)
    assert good.code == 0 and good.out.count("agrees") > 80 and "differs" not in good.out

    def other(stat_name: str, *values: Any, **more: Any) -> tuple[bool, float]:
        return (False, 0.5) if stat_name == "wins" else agree(stat_name, *values, **more)

    monkeypatch.setattr(service, "agree", other)
    bad = run(*asked)
    assert bad.code == 1 and bad.out.count("differs") >= 2
    report = run("report", "-e", "cafs", "--verify", "-w", str(workspace), "--format", "md")
    assert report.code == 1 and "numbers agree with a second program" in report.out and "differs" in report.out


def test_a_report_beside_other_numbers_is_1(workspace: Path, run: Any, tmp_path: Path) -> None:
    made = run("endpoint", "cafs", "-w", str(workspace), "--format", "json").json
    theirs = tmp_path / "cro.json"
    theirs.write_text(json.dumps(made))
    asked = ("report", "-e", "cafs", "--reconcile", str(theirs), "-w", str(workspace), "--format", "md")
    assert run(*asked).code == 0
    row = next(r for r in made["results"] if r["stat_name"] == "difference")
    row["stat"] += 1.0
    theirs.write_text(json.dumps(made))
    assert run(*asked).code == 1


def test_no_command_drops_the_verdict_of_what_it_shows() -> None:
    """`show` gives the exit code: whoever calls it without returning that says 0 of a negative verdict."""
    dropped = []
    for path in Path(cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node).startswith("show(common"):
                dropped.append(f"{path.name}:{node.lineno}")
    assert dropped == []
