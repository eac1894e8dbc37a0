"""The plan lock from the shell: the words stand wherever a result is shown, and no option removes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from alsbench.audit.log import append, entries

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


def test_the_head_to_note_finds_a_log_rewritten_with_its_lock(small: Any, run: Run) -> None:
    """Whoever may write the workspace can make a log without the lock that verifies; the hash noted at the lock tells."""
    where = ("-w", small.workspace)
    made = run("lock", *where)
    noted = made.err.split("--head ")[1].split()[0]
    log = small.workspace / "audit.jsonl"
    assert json.loads(log.read_text().splitlines()[-1])["hash"] == noted and noted[:40] in made.out
    assert run("endpoint", "score", *where).code == 0
    assert run("audit", "verify", "--head", noted, *where).code == 0
    kept = [e for e in entries(log) if e.action != "plan locked"]
    log.unlink()
    (small.workspace / "plan.lock.json").unlink()
    for e in kept:
        append(log, e.action, e.facts, who=e.who)
    assert run("lock", "--verify", *where).code == 4
    assert run("audit", "verify", *where).code == 0
    assert run("audit", "verify", "--head", noted, *where).code == 1


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


def deviations(run: Run, workspace: Any, *words: str) -> str:
    """What a result says of its plan, after checking that every format carries the word."""
    found = run(*words, "-w", workspace, "--format", "json").json
    for form in ("table", "md", "csv", "tsv"):
        assert "deviation" in run(*words, "-w", workspace, "--format", form).out.lower(), (words, form)
    return json.dumps(found)


def test_another_population_is_a_deviation_in_every_view(locked: Any, run: Run) -> None:
    edit(locked, 'FAS = "FASFL"\n', 'FAS = "FASFL"\nALL = "FASFL"\n')
    views = (("endpoint", "score"), ("evidence", "-s", "overall"), ("forest", "score"), ("scrutinise", "--check", "overall"))
    for words in views:
        assert "population ALL instead of" in deviations(run, locked.workspace, *words, "--population", "ALL")


def test_a_lock_written_after_the_first_does_not_replace_it(locked: Any, run: Run) -> None:
    """By whoever can append to the log: the chain holds, and the first lock counts."""
    from alsbench.audit.chain import verify
    from alsbench.audit.lock import LOCKED, plan_hash, plan_of
    from alsbench.audit.log import append
    from alsbench.study.study_file import read_study

    edit(locked, "horizon = 2", "horizon = 1")
    plan = plan_of(read_study(locked.workspace / "study.toml"))
    log = locked.workspace / "audit.jsonl"
    append(log, LOCKED, {"hash": plan_hash(plan), "looks": 0, "sealed": "", "plan": plan})
    (locked.workspace / "plan.lock.json").unlink()
    assert verify(log).intact
    said = deviations(run, locked.workspace, "endpoint", "score")
    assert "horizon 1.0 instead of 2.0" in said and "second lock" in said
    ran = run("lock", "--verify", "-w", locked.workspace)
    assert ran.code == 1 and "second lock" in ran.out
    assert "second lock" in run("arms", "-w", locked.workspace).out


def test_an_edited_entry_of_the_lock_is_a_deviation(locked: Any, run: Run) -> None:
    edit(locked, "horizon = 2", "horizon = 1")
    log = locked.workspace / "audit.jsonl"
    log.write_text(log.read_text().replace('"horizon":2.0', '"horizon":1.0'))
    (locked.workspace / "plan.lock.json").unlink()
    assert "was edited" in deviations(run, locked.workspace, "endpoint", "score")
    assert run("audit", "verify", "-w", locked.workspace).code == 1


def test_a_lock_file_without_its_entry_is_a_deviation(locked: Any, run: Run) -> None:
    """The log cut before the lock, or a lock file put there: a result says so even where nothing else departs."""
    log = locked.workspace / "audit.jsonl"
    kept = [line for line in log.read_text().splitlines(keepends=True) if '"action":"plan locked"' not in line]
    log.write_text("".join(kept))
    assert "holds no entry of plan.lock.json" in deviations(run, locked.workspace, "endpoint", "score")
    assert run("lock", "-w", locked.workspace).code == 4
    assert run("lock", "--verify", "-w", locked.workspace).code == 1


def test_deleting_file_and_log_is_found_by_what_they_leave(locked: Any, run: Run) -> None:
    (locked.workspace / "plan.lock.json").unlink()
    (locked.workspace / "audit.jsonl").unlink()
    assert run("lock", "-w", locked.workspace).code == 0  # a new log begins: the snapshot it does not know tells
    ran = run("audit", "verify", "-w", locked.workspace)
    assert ran.code == 1 and "without an entry" in ran.out


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[endpoints.score]", "[endpoints.renamed]", ("endpoint", "renamed")),
        ('treatment = "Active"\n', 'name = "other"\ntreatment = "Active"\n', ("endpoint", "score", "--comparison", "other")),
        ('paramcd = "TOTAL"', 'paramcd = "TOTAL"\ncovariates = ["AGE"]', ("endpoint", "score")),
        ('FAS = "FASFL"', 'FAS = "SITE"', ("arms",)),
    ],
)
def test_edits_by_hand_are_said(locked: Any, run: Run, before: str, after: str, words: tuple[str, ...]) -> None:
    edit(locked, before, after)
    if words == ("arms",):
        ran = run("lock", "--verify", "-w", locked.workspace)
        assert ran.code == 1 and "populations" in ran.out
        return
    for form in ("table", "md", "csv", "tsv", "json"):
        text = run(*words, "-w", locked.workspace, "--format", form).out.lower()
        assert "post hoc" in text or "deviation" in text, form


def test_a_comparison_of_snapshots_says_what_departs_from_the_plan(locked: Any, run: Run) -> None:
    records = locked.records()
    records[2]["AVAL"] -= 3
    records[2]["CHG"] = records[2]["AVAL"] - records[2]["BASE"]
    assert run("load", locked.data(adqs=records), "-w", locked.workspace).code == 0
    edit(locked, "horizon = 2", "horizon = 1")
    assert "departs from the locked plan: comparison Active: horizon 1.0" in run("diff", "previous", "-w", locked.workspace).out


def test_an_intersection_of_planned_subgroups_is_post_hoc_in_every_view(small: Any, run: Run) -> None:
    path = small.workspace / "study.toml"
    old = '[[subgroups]]\nname = "old"\nwhere = "AGE > 55"\nprespecified = true\n'
    path.write_text(path.read_text().replace("where = \"SITE == 'A'\"", "where = \"SITE == 'A'\"\nprespecified = true") + old)
    assert run("lock", "-w", small.workspace).code == 0
    for words in (("endpoint", "score"), ("evidence",), ("forest", "score")):
        plain = run(*words, "-s", "old", "-w", small.workspace).out.lower()
        both = run(*words, "-s", "old and not actives", "-w", small.workspace).out.lower()
        assert "post hoc" not in plain and "post hoc" in both, words


def test_a_copied_workspace_keeps_its_lock(locked: Any, run: Run) -> None:
    edit(locked, "horizon = 2", "horizon = 1")
    copy = locked.workspace.parent / "copy"
    shutil.copytree(locked.workspace, copy)
    assert "horizon 1.0 instead of 2.0" in deviations(run, copy, "endpoint", "score")


def test_why_a_rank_says_what_departs_from_the_plan(run: Run, workspace: Any) -> None:
    assert run("lock", "-w", workspace).code == 0
    where = ("-w", workspace)
    subject = run("data", "ADSL", "-c", "USUBJID", "--limit", "1", *where, "--format", "json").json["rows"][0]["USUBJID"]
    plain = run("endpoint", "cafs", "--why", subject, *where).out
    changed = run("endpoint", "cafs", "--why", subject, "--option", "change=percent", *where)
    assert "DEVIATION" not in plain and "DEVIATION" in changed.out and "percent" in changed.out


def test_rules_of_derivation_are_part_of_the_plan(small: Any, run: Run) -> None:
    path = small.workspace / "study.toml"
    plain = path.read_text()
    path.write_text(plain + "[derive]\nbaseline_days = [-14, 1]\n")
    run("lock", "-w", small.workspace)
    assert "baseline_days" in run("lock", "--show", "-w", small.workspace).out
    assert run("lock", "--verify", "-w", small.workspace).code == 0
    path.write_text(plain)
    assert run("lock", "--verify", "-w", small.workspace).code == 1
    for words in (("endpoint", "score"), ("evidence",), ("forest", "score")):
        assert "deviation" in run(*words, "-w", small.workspace).out.lower()


def test_rules_of_derivation_that_are_the_defaults_are_none(locked: Any, run: Run) -> None:
    path = locked.workspace / "study.toml"
    path.write_text(path.read_text() + "[derive]\n")
    assert run("lock", "--verify", "-w", locked.workspace).code == 0
    path.write_text(path.read_text() + 'record = "last"\n')
    assert run("lock", "--verify", "-w", locked.workspace).code == 1


def test_taking_the_lock_out_of_the_log_and_its_file_away_is_said_by_every_result(locked: Any, run: Run) -> None:
    run("subgroup", "add", "old", "--where", "AGE > 55", "--prespecified", "-w", locked.workspace)
    (locked.workspace / "plan.lock.json").unlink()
    log = locked.workspace / "audit.jsonl"
    log.write_text("".join(line for line in log.read_text().splitlines(True) if '"plan locked"' not in line))
    for words in (("endpoint", "score", "-s", "old"), ("evidence",), ("forest", "score")):
        ran = run(*words, "-w", locked.workspace)
        assert "DEVIATION" in ran.out and "a locked plan may have been taken out of it" in " ".join(ran.out.split())


@pytest.mark.parametrize("form", ["table", "csv", "tsv", "json", "md", "html", "rtf"])
def test_life_tables_claims_and_counts_say_it_in_every_format(run: Run, workspace: Any, tmp_path: Any, form: str) -> None:
    """What is no table of an analysis shows numbers of it all the same."""
    where = ("-w", workspace, "--format", form)
    claims = tmp_path / "claims.toml"
    claims.write_text(
        'schema = 1\n[[claims]]\nname = "c"\nendpoint = "alsfrs_ancova"\nsubgroup = "slow"\ncomparison = "G2-M12"\n'
        'visit = 12\ncontrast = { p_value = "0.041" }\n'
    )
    asked = {"curve": ("endpoint", "survival", "--curve"), "claims": ("claims", claims), "arms": ("arms", "-s", "slow")}
    assert run("lock", "-w", workspace).code == 0
    assert "eviation" not in run(*asked["curve"], *where).out
    path = workspace / "study.toml"
    text = path.read_text()
    for name in ("survival", "alsfrs_ancova"):
        text = text.replace(f"[endpoints.{name}]", f"[endpoints.{name}]\nseed = 7")
    path.write_text(text)
    for name in ("curve", "claims"):
        assert "eviation from the locked plan" in " ".join(run(*asked[name], *where).out.split()), name
    assert "ost hoc" in run(*asked["claims"], *where).out
    assert "post hoc" in run(*asked["arms"], *where).out.casefold()
    assert "post hoc" in run("subgroup", "show", "slow", *where).out.lower().replace("\\[", "[")
