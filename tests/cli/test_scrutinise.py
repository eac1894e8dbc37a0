"""Scrutiny on the command line: formats, the list of what is not there, looks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
TWO = ("--check", "overall", "--check", "4")


def test_json_has_every_check_and_its_rows(run: Run, loaded: Path) -> None:
    ran = run("scrutinise", "--subgroup", "slow", *TWO, "-w", loaded, "--format", "json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    assert len(found["checks"]) == 23  # the bottom line, and 22 checks
    assert {c["id"] for c in found["checks"] if "verdict" in c} == {"overall", "balance"}
    assert {r["check"] for r in found["results"]} == {"overall", "balance"}
    origin = next(c for c in found["checks"] if c["id"] == "overall")["provenance"]
    again = origin["command"].split()
    assert again[:2] == ["alsbench", "scrutinise"]
    assert again[-2:] == ["--workspace", str(loaded)]


def test_csv_has_the_check_in_front(run: Run, loaded: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("scrutinise", *TWO, "-w", loaded, "--format", "csv").out)))
    assert {r["check"] for r in rows} == {"overall", "balance"}


@pytest.mark.parametrize("form", ["table", "md"])
def test_the_page_says_what_it_is_and_what_was_not_asked(run: Run, loaded: Path, form: str) -> None:
    out = run("scrutinise", "--subgroup", "slow", *TWO, "-w", loaded, "--format", form).out
    for words in ("Post hoc", "SYNTHETIC", "STEPP", "not asked", "LEADRATE"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 80 or form == "md"


def test_each_check_is_a_look_of_its_own(run: Run, workspace: Path) -> None:
    run("scrutinise", *TWO, "-w", workspace)
    looks = [json.loads(line) for line in (workspace / "audit.jsonl").read_text().splitlines()]
    assert [e["action"] for e in looks] == ["load announced", "load", "look", "look"]
    assert len({e["facts"]["question"] for e in looks[2:]}) == 2


def test_list_and_names(run: Run, loaded: Path) -> None:
    assert len(run("scrutinise", "--list", "--format", "json").json["rows"]) == 23  # the bottom line, and 22 checks
    assert run("scrutinise", "--check", "nosuch", "-w", loaded).code == 2
    assert run("scrutinise", "--subgroup", "nosuch", "-w", loaded).code == 2
