"""The audit command: the ledger of looks, and the verdict on the chain."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_looks_count_questions_and_contrasts(small: Any, run: Run) -> None:
    where = ("-w", small.workspace)
    for _ in range(2):
        assert run("endpoint", "score", *where).code == 0
    assert run("endpoint", "score", "--visit", "2", *where).code == 0  # another question, no other contrast
    assert run("evidence", "-s", "actives", *where).code == 0
    found = run("audit", "looks", *where, "--format", "json").json
    assert [(r["what"], r["times"], r["post_hoc"]) for r in found["rows"]] == [
        ("score [ancova] overall: Active vs Placebo", 3, False),  # asked twice, and in the evidence table
        ("score [ancova] overall: Active vs Placebo; visits 2", 1, False),
        ("score [ancova] actives: Active vs Placebo", 1, True),
        ("score [ancova] not actives: Active vs Placebo", 1, True),
    ]
    assert found["facts"]["Distinct questions"] == "4"
    contrasts = {r["contrast"]: r["times"] for r in found["more"][0]["rows"]}
    assert contrasts["score [ancova] overall: Active vs Placebo, Month 1"] == 2
    assert contrasts["score [ancova] overall: Active vs Placebo, Month 2"] == 4
    assert found["facts"]["Distinct contrasts with a p-value"] == str(len(contrasts))


def test_a_table_of_many_questions_counts_each_and_fits_a_page(workspace: Path, run: Run) -> None:
    """Each endpoint of the table overall, in a subgroup and its complement, for three comparisons (two of the same arms)."""
    where = ("-w", workspace)
    found = run("evidence", "-s", "slow", *where, "--format", "json").json["results"]
    endpoints = {r["endpoint"] for r in found if r["treatment"]}
    table = len(endpoints) * 3 * 3
    assert len(endpoints) > 4 and questions(run, workspace) == table
    assert run("endpoint", "alsfrs", "-s", "not slow", *where).code == 0
    assert run("endpoint", "cafs", "--comparison", "G2-M12", *where).code == 0
    assert run("forest", "svc", "-s", "slow", *where).code == 0
    assert questions(run, workspace) == table, "answered by the table already"
    for words in (("forest", "svc", "-s", "nfl_low"), ("endpoint", "svc", "-s", "not nfl_low")):
        assert run(*words, *where).code == 0
        assert questions(run, workspace) == table + 2 * 3
    rows = run("audit", "looks", *where, "--format", "json").json["rows"]
    assert {r["post_hoc"] for r in rows if " overall:" in r["what"]} == {False}
    assert {r["post_hoc"] for r in rows if "slow:" in r["what"]} == {True}
    assert max(map(len, run("audit", "looks", *where).out.splitlines())) <= 80
    assert run("scrutinise", "-s", "slow", "--check", "1", *where).code == 0
    assert questions(run, workspace) == table + 2 * 3 + 1


def test_verify_exits_one_when_the_chain_is_broken(small: Any, run: Run) -> None:
    where = ("-w", small.workspace)
    run("endpoint", "score", *where)
    path = small.workspace / "audit.jsonl"
    head = run("audit", "--verify", *where, "--format", "json").json["rows"][0]["head"]
    assert run("audit", "--verify", "--head", head, *where).code == 0
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert run("audit", "--verify", *where).code == 0  # a cut end is found by whoever noted the head
    assert run("audit", "--verify", "--head", head, *where).code == 1
    path.write_text("".join(lines).replace('"action":"look"', '"action":"load"'))
    for words in (("--verify",), ("looks",), ()):
        assert run("audit", *words, *where).code == 1


KILLED = """
import os, signal, sys
from alsbench.service import trail
from alsbench.__main__ import main

moment, *words = sys.argv[1:]
record = trail.log_entry

def kill_before(common, action, facts):
    if action == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    record(common, action, facts)

trail.log_entry = kill_before
main(words)
"""


@pytest.mark.parametrize(("moment", "published"), [("load announced", False), ("load", True)])
def test_a_killed_load_leaves_no_snapshot_without_an_entry(small: Any, run: Run, moment: str, published: bool) -> None:
    """Killed before it is announced nothing is published; killed before it is entered as done, the announcement stands."""
    before = set(small.snapshots())
    rows = small.subjects
    rows[0]["AGE"] = 49
    folder = small.data(adsl=rows)
    words = ["load", str(folder), "-w", str(small.workspace), "-q"]
    done = subprocess.run([sys.executable, "-c", KILLED, moment, *words], capture_output=True, timeout=120, check=False)
    assert done.returncode == -9, done.stderr
    new = set(small.snapshots()) - before
    assert len(new) == published
    ran = run("audit", "--verify", "-w", small.workspace, "--format", "json")
    assert ran.code == 0
    assert [r["state"] for m in ran.json.get("more", ()) for r in m["rows"]] == (["not completed"] if published else [])
    assert run("load", folder, "-w", small.workspace).code == 0
    assert run("audit", "--verify", "-w", small.workspace).code == 0


def test_a_snapshot_without_an_entry_is_found(small: Any, run: Run) -> None:
    name, _ = small.current()
    folder: Path = small.workspace / "snapshots"
    path = folder / f"{name}.duckdb"
    planted = folder / "20200101T000000Z-0123456789ab.duckdb"
    planted.write_bytes(path.read_bytes())
    ran = run("audit", "--verify", "-w", small.workspace, "--format", "json")
    assert ran.code == 1 and ran.json["rows"][0]["intact"] is False
    assert ran.json["more"][0]["rows"] == [
        {
            "snapshot": planted.name.removesuffix(".duckdb"),
            "state": "no entry",
            "what": "is there without an entry: it was put there by other means, or the log is not the one of this workspace",
        }
    ]
    planted.unlink()
    rows = small.subjects
    rows[0]["AGE"] = 49
    assert run("load", small.data(adsl=rows), "-w", small.workspace).code == 0
    assert run("audit", "--verify", "-w", small.workspace).code == 0
    path.unlink()
    ran = run("audit", "--verify", "-w", small.workspace, "--format", "json")
    assert ran.code == 1 and [r["state"] for r in ran.json["more"][0]["rows"]] == ["gone"]


def test_pruned_snapshots_are_accounted_for(small: Any, run: Run) -> None:
    rows = small.subjects
    rows[0]["AGE"] = 49
    assert run("load", small.data(adsl=rows), "-w", small.workspace).code == 0
    assert run("snapshots", "--prune", "1", "-w", small.workspace).code == 0
    assert run("audit", "--verify", "-w", small.workspace).code == 0


def questions(run: Run, workspace: Path) -> int:
    return int(run("audit", "looks", "-w", workspace, "--format", "json").json["facts"]["Distinct questions"])


def test_one_question_asked_in_many_ways_is_one_question(small: Any, run: Run) -> None:
    path = small.workspace / "study.toml"
    path.write_text(path.read_text().replace("where = \"SITE == 'A'\"", 'where = "SITE == \'A\'"\ncomplement = "others"'))
    ways: list[tuple[str, ...]] = [
        ("-s", "others"),
        ("-s", "not actives"),
        ("-s", "others", "-s", "not actives"),
        ("-s", "others", "--comparison", "Active"),
        ("-s", "others", "--method", "ancova"),
        ("-s", "others", "--population", "FAS"),
        ("-s", "others", "--option", "scale=raw"),
        ("-s", "others", "--mask", "2"),
        ("-s", "others", "-o", str(small.workspace.parent / "out.csv")),
    ]
    for way in ways:
        assert run("endpoint", "score", *way, "-w", small.workspace).code == 0, way
        assert questions(run, small.workspace) == 1, way
    others: list[tuple[str, ...]] = [
        ("-s", "actives"),
        ("-s", "others", "--visit", "1"),
        ("-s", "others", "--option", "scale=log"),
    ]
    for number, way in enumerate(others, start=2):
        assert run("endpoint", "score", *way, "-w", small.workspace).code == 0, way
        assert questions(run, small.workspace) == number, way
    path.write_text(path.read_text().replace("[endpoints.score]", '[endpoints.score]\nbetter = "lower"'))
    assert run("endpoint", "score", "-s", "others", "-w", small.workspace).code == 0
    assert questions(run, small.workspace) == 5  # the endpoint was edited: another question


def test_who_looked_at_one_subject_is_entered(small: Any, run: Run) -> None:
    assert run("subject", "S03", "-w", small.workspace).code == 0
    log = run("audit", "-w", small.workspace, "--format", "json").json["rows"]
    assert [(r["action"], r["what"].split(" --workspace")[0]) for r in log][-1] == ("subject", "alsbench subject S03")


def test_a_comparison_of_snapshots_is_a_look_at_what_it_lists(small: Any, run: Run) -> None:
    records = small.records()
    records[2]["AVAL"] -= 3
    records[2]["CHG"] = records[2]["AVAL"] - records[2]["BASE"]
    assert run("load", small.data(adqs=records), "-w", small.workspace).code == 0
    assert run("diff", "previous", "-w", small.workspace).code == 1
    contrasts = run("audit", "looks", "-w", small.workspace, "--format", "json").json["more"][0]["rows"]
    assert "score [ancova] overall: Active vs Placebo, Month 2" in [c["contrast"] for c in contrasts]


def test_verify_says_each_fact_once(small: Any, run: Run) -> None:
    """In print the facts are all; scripts get them as a record too."""
    for form in ("table", "md"):
        said = run("audit", "verify", "-w", small.workspace, "--format", form).out
        head = run("audit", "verify", "-w", small.workspace, "--format", "json").json["rows"][0]["head"]
        assert said.count(head) == 1
        assert said.count("Entries") == 1


def test_snapshots_are_listed_within_eighty_columns(small: Any, run: Run) -> None:
    said = run("snapshots", "-w", small.workspace).out
    digest = run("snapshots", "-w", small.workspace, "--format", "json").json["rows"][0]["digest"]
    assert max(map(len, said.splitlines())) <= 80
    assert said.split().count(digest) == 1
    spoilt = small.workspace / "snapshots" / "20200101T000000Z-0123456789ab.duckdb"
    spoilt.write_bytes(b"no database")
    said = run("snapshots", "-w", small.workspace).out
    spoilt.unlink()
    assert "20200101T000000Z-0123456789ab: the file is not a readable snapshot" in said
    assert max(map(len, said.splitlines())) <= 80


def test_who_browsed_rows_of_a_table_is_entered_and_is_no_look(small: Any, run: Run) -> None:
    asked = ["data", "ADQS", "--where", "AVISITN == 1", "-c", "AVAL", "--order-by", "-AVAL"]
    for form in ("table", "csv"):
        assert run(*asked, "-w", small.workspace, "--format", form).code == 0
    run("data", "ADSL", "--columns", "-w", small.workspace)  # what a table is, not what it holds
    run("data", "-w", small.workspace)
    log = [json.loads(line) for line in (small.workspace / "audit.jsonl").read_text().splitlines()]
    found = [e["facts"] for e in log if e["action"] == "data"]
    assert [f["asked"].split(" --workspace")[0] for f in found] == [shlex.join(["alsbench", *asked])] * 2
    assert {(f["table"], f["where"]) for f in found} == {("ADQS", "AVISITN == 1")}
    assert run("audit", "looks", "-w", small.workspace, "--format", "json").json["rows"] == []


def test_reasons_are_shown(small: Any, run: Run) -> None:
    folder = small.data(adqs=[*small.records(), small.records()[-1]])
    assert run("load", folder, "-w", small.workspace, "--accept", "duplicate-visit=query open").code == 0
    rows = run("audit", "-w", small.workspace, "--format", "json").json["rows"]
    assert [(r["action"], r["reason"]) for r in rows][-1] == ("load", "duplicate-visit: query open")
