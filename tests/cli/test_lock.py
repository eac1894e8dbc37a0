"""The plan lock from the shell: the words stand wherever a result is shown, and no option removes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def locked(small: Any, run: Run) -> Any:
    """The small trial with its plan locked."""
    ran = run("lock", "-w", small.workspace)
    assert ran.code == 0, ran.err
    return small


def edit(small: Any, before: str, after: str) -> None:
    path = small.workspace / "study.toml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_lock_show_and_verify(locked: Any, run: Run) -> None:
    assert (locked.workspace / "plan.lock.json").is_file()
    assert "before any look" in run("lock", "--show", "-w", locked.workspace).out
    assert run("lock", "--verify", "-w", locked.workspace).code == 0
    assert run("lock", "-w", locked.workspace).code == 4
    assert run("lock", "--show", "--verify", "-w", locked.workspace).code == 2
    edit(locked, "horizon = 2", "horizon = 1")
    ran = run("lock", "--verify", "-w", locked.workspace, "--format", "json")
    assert ran.code == 1
    assert [(r["word"], r["part"]) for r in ran.json["rows"]] == [("deviation", "comparison")]


def test_without_a_lock_there_is_nothing_to_show(small: Any, run: Run) -> None:
    assert run("lock", "--show", "-w", small.workspace).code == 4
    found = run("endpoint", "score", "-w", small.workspace, "--format", "json").json
    assert found["provenance"]["deviations"] == []
    assert "Plan" not in dict(found["facts"]["lines"])


def test_a_late_subgroup_is_post_hoc_whatever_it_says(locked: Any, run: Run) -> None:
    ran = run("subgroup", "add", "old", "--where", "AGE > 55", "--prespecified", "-w", locked.workspace)
    assert ran.code == 0 and "(post hoc)" in ran.err
    assert "prespecified = true" in (locked.workspace / "study.toml").read_text()
    rows = {r["name"]: r for r in run("subgroup", "list", "-w", locked.workspace, "--format", "json").json["rows"]}
    assert rows["old"]["prespecified"] is False
    found = run("endpoint", "score", "--subgroup", "old", "-w", locked.workspace, "--format", "json").json
    assert found["provenance"]["post_hoc"] is True
    for words in (("endpoint", "score", "-s", "old"), ("evidence", "-s", "old"), ("forest", "score", "-s", "old")):
        assert "post hoc" in run(*words, "-w", locked.workspace).out.lower()


def test_a_late_endpoint_is_post_hoc_and_an_edited_one_a_deviation(locked: Any, run: Run) -> None:
    edit(
        locked,
        "[[subgroups]]",
        '[endpoints.new]\nmethod = "ancova"\ndataset = "ADQS"\nparamcd = "TOTAL"\nlevel = "primary"\n[[subgroups]]',
    )
    found = run("endpoint", "new", "-w", locked.workspace, "--format", "json").json
    assert found["provenance"]["post_hoc"] is True
    assert ["POST HOC", "endpoint new: added after the plan was locked"] in found["facts"]["lines"]
    assert run("endpoint", "score", "-w", locked.workspace, "--format", "json").json["provenance"]["post_hoc"] is False
    edit(locked, "[endpoints.score]\n", '[endpoints.score]\nbetter = "lower"\n')
    found = run("endpoint", "score", "-w", locked.workspace, "--format", "json").json
    assert found["provenance"]["deviations"] == ['endpoint score: better "lower" instead of "higher"']
    shown = run("evidence", "-s", "overall", "-w", locked.workspace).out
    assert ", deviation" in shown and ", post hoc" in shown


def test_an_override_is_a_deviation(locked: Any, run: Run) -> None:
    ran = run("endpoint", "score", "--method", "mmrm", "--covariance", "cs", "-w", locked.workspace)
    assert "Deviation from the locked plan" in ran.out
    assert 'method "mmrm" instead of "ancova"; covariance "cs" instead of "us"' in " ".join(ran.out.split())
    same = run("endpoint", "score", "--method", "ancova", "-w", locked.workspace, "--format", "json").json
    assert same["provenance"]["deviations"] == []


def test_removing_the_lock_file_removes_no_word(locked: Any, run: Run) -> None:
    edit(locked, "horizon = 2", "horizon = 1")
    (locked.workspace / "plan.lock.json").unlink()
    found = run("endpoint", "score", "-w", locked.workspace, "--format", "json").json
    assert found["provenance"]["deviations"] == ["comparison Active: horizon 1.0 instead of 2.0"]
    assert "missing" in json.dumps(found["facts"])
    assert run("lock", "-w", locked.workspace).code == 4
