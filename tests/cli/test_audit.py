"""The audit command: the ledger of looks, and the verdict on the chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_looks_count_questions_and_contrasts(small: Any, run: Run) -> None:
    where = ("-w", small.workspace)
    for _ in range(2):
        assert run("endpoint", "score", *where).code == 0
    assert run("endpoint", "score", "--visit", "2", *where).code == 0  # another question, no other contrast
    assert run("evidence", "-s", "actives", *where).code == 0
    found = run("audit", "looks", *where, "--format", "json").json
    assert [(r["times"], r["post_hoc"]) for r in found["rows"]] == [(2, False), (1, False), (1, True)]
    assert found["facts"]["Distinct questions"] == "3"
    contrasts = {r["contrast"]: r["times"] for r in found["more"][0]["rows"]}
    assert contrasts["score [ancova] overall: Active vs Placebo, Month 1"] == 2
    assert contrasts["score [ancova] overall: Active vs Placebo, Month 2"] == 4
    assert found["facts"]["Distinct contrasts with a p-value"] == str(len(contrasts))


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
