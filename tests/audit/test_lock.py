"""A locked plan: what changes after it is found, named, and cannot be made to disappear."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alsbench.audit.chain import verify
from alsbench.audit.lock import LOCK_NAME, changes, judged, lock_plan, plan_hash, read_lock
from alsbench.audit.log import append
from alsbench.errors import DataError, UnavailableError
from alsbench.study.model import Study
from alsbench.study.study_file import parse_study

STUDY = """schema = 1
[study]
id = "T"
[arms]
reference = "P"
order = ["P", "A"]
[populations]
FAS = "FASFL"
PP = "PPFL"
default = "FAS"
[[comparisons]]
name = "A6"
treatment = "A"
horizon = 6
[endpoints.alsfrs]
title = "Total"
method = "mmrm"
dataset = "ADQS"
paramcd = "ALSFRSR"
[[subgroups]]
name = "slow"
where = "LEADRATE < 1"
prespecified = true
rationale = "known"
[[subgroups]]
name = "late"
where = "AGE > 60"
"""


def study(*edits: tuple[str, str]) -> Study:
    text = STUDY
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    return parse_study(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def test_a_lock_is_kept_in_file_and_log(tmp_path: Path, log: Path) -> None:
    append(log, "look", {"question": "q"})
    made = lock_plan(study(), tmp_path, log, who="ann")
    assert read_lock(tmp_path, log) == made
    assert made.hash == plan_hash(made.plan)
    assert (made.who, made.looks, made.note) == ("ann", 1, "")
    assert "after 1 look at results" in made.words()
    assert [s["name"] for s in made.plan["subgroups"]] == ["slow"]  # what is post hoc already is no part of the plan
    assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o600
    assert verify(log).intact


def test_there_is_one_lock(tmp_path: Path, log: Path) -> None:
    lock_plan(study(), tmp_path, log)
    with pytest.raises(UnavailableError, match="locked already"):
        lock_plan(study(), tmp_path, log)


def test_the_same_study_has_no_changes(tmp_path: Path, log: Path) -> None:
    made = lock_plan(study(), tmp_path, log)
    assert changes(made, study()) == ()
    assert judged(made, study()) == study()
    assert changes(made, study(('title = "Total"', 'title = "New words"'), ('"known"', '"better known"'))) == ()


@pytest.mark.parametrize(
    ("before", "after", "word", "words"),
    [
        ("[endpoints.alsfrs]", '[endpoints.x]\nmethod="baseline"\n[endpoints.alsfrs]', "post hoc", "endpoint x: added"),
        ('method = "mmrm"', 'method = "ancova"', "deviation", 'endpoint alsfrs: method "ancova" instead of "mmrm"'),
        ("horizon = 6", "horizon = 9", "deviation", "comparison A6: horizon 9.0 instead of 6.0"),
        ('name = "A6"', 'name = "A9"', "post hoc", "comparison A9: added"),
        ('default = "FAS"', 'default = "PP"', "deviation", 'populations: default "PP" instead of "FAS"'),
        ("LEADRATE < 1", "LEADRATE < 2", "deviation", "subgroup slow: where"),
        ('where = "AGE > 60"', 'where = "AGE > 60"\nprespecified = true', "post hoc", "subgroup late: added"),
        ('order = ["P", "A"]', 'order = ["A", "P"]', "deviation", "arms: order"),
    ],
)
def test_every_change_has_its_word(tmp_path: Path, log: Path, before: str, after: str, word: str, words: str) -> None:
    made = lock_plan(study(), tmp_path, log)
    found = changes(made, study((before, after)))
    assert (word, True) in [(c.word, c.words().startswith(words)) for c in found]


def test_no_entry_of_the_file_makes_a_late_subgroup_planned(tmp_path: Path, log: Path) -> None:
    made = lock_plan(study(), tmp_path, log)
    late = study(('where = "AGE > 60"', 'where = "AGE > 60"\nprespecified = true'), ("LEADRATE < 1", "LEADRATE < 2"))
    assert [s.prespecified for s in late.subgroups] == [True, True]
    assert [s.prespecified for s in judged(made, late).subgroups] == [False, False]
    assert judged(None, late) is late


def test_the_log_outlives_the_file(tmp_path: Path, log: Path) -> None:
    made = lock_plan(study(), tmp_path, log)
    path = tmp_path / LOCK_NAME
    path.unlink()
    found = read_lock(tmp_path, log)
    assert found is not None and found.hash == made.hash and "missing" in found.note

    forged = {**json.loads(json.dumps(dict(made.plan))), "subgroups": []}
    values = {"hash": plan_hash(forged), "who": made.who, "time": made.time, "looks": 0, "plan": forged, "sealed": ""}
    path.write_text(json.dumps(values))
    found = read_lock(tmp_path, log)
    assert found is not None and found.hash == made.hash and "not what was locked" in found.note


def test_without_the_log_an_edited_file_is_refused(tmp_path: Path, log: Path) -> None:
    made = lock_plan(study(), tmp_path, log)
    log.unlink()
    again = read_lock(tmp_path, log)
    assert again is not None and again.hash == made.hash
    path = tmp_path / LOCK_NAME
    path.write_text(path.read_text().replace("LEADRATE < 1", "LEADRATE < 3"))
    with pytest.raises(DataError, match="does not have its hash"):
        read_lock(tmp_path, log)


def test_a_plan_with_control_characters_is_the_one_that_was_locked(tmp_path: Path, log: Path) -> None:
    """The log holds them as visible escapes: neither its hash nor a comparison may take that for an edit."""
    bad = study(('title = "Total"', 'title = "To\\u001b[31mtal"'), ('dataset = "ADQS"', 'dataset = "AD\\u0007QS"'))
    lock_plan(bad, tmp_path, log)
    found = read_lock(tmp_path, log)
    assert found is not None
    assert (found.doubt, found.note) == ("", "")
    assert changes(found, bad) == ()
    assert [c.name for c in changes(found, study())] == ["alsfrs"]


def test_a_changed_rule_of_the_bottom_line_is_a_departure(tmp_path: Path, log: Path) -> None:
    """A rule that was spelled out as METHODS has it is the same rule; one that was changed before the lock is locked."""
    spelled = parse_study(STUDY + "[judgement]\nnew_trial = 0.15\n")
    changed = parse_study(STUDY + "[judgement]\nnew_trial = 0.3\n")
    lock = lock_plan(study(), tmp_path, log)
    assert "judgement" not in lock.plan and changes(lock, spelled) == ()
    assert [c.words() for c in changes(lock, changed)] == ["judgement: new_trial 0.3 instead of 0.15"]
    assert [c.word for c in changes(lock, changed)] == ["deviation"]
    other = tmp_path / "other"
    other.mkdir()
    late = lock_plan(changed, other, other / "audit.jsonl")
    assert changes(late, changed) == ()
    assert [c.words() for c in changes(late, study())] == ["judgement: new_trial 0.15 instead of 0.3"]
