"""What is kept between sessions is the same answer, holds no subject, and is never believed when damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alsbench.analysis import cache, records
from alsbench.analysis.cache import entry_key
from alsbench.analysis.cells import cached_piece, evidence_piece
from alsbench.analysis.kept import cached_answer, cached_check
from alsbench.analysis.question import Question
from alsbench.analysis.records import Records
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny import run_check
from alsbench.analysis.source import Source
from alsbench.study.model import Endpoint

QUESTIONS = [Question(e, subgroups=("slow",)) for e in ("cafs", "nfl", "alsfrs_slope", "survival", "ae", "baseline")]


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """The results folder of a workspace: the user's key lies outside of that."""
    folder = tmp_path / "workspace" / "results"
    folder.mkdir(mode=0o700, parents=True)
    return folder


def keeping(source: Source, directory: Path) -> Source:
    return replace(source, results_dir=directory)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.endpoint)
def test_an_answer_comes_back_as_it_was(trial: Source, tmp_path: Path, question: Question) -> None:
    fresh = answer(question, trial)
    assert cached_answer(question, keeping(trial, tmp_path)) == fresh
    assert len(list(tmp_path.iterdir())) == 1
    again = cached_answer(question, keeping(trial, tmp_path))
    assert again == fresh
    assert [r.stat for r in again.rows] == [r.stat for r in fresh.rows]


def test_a_piece_comes_back_as_it_was(trial: Source, tmp_path: Path) -> None:
    chosen = trial.comparisons(("G2-M12",))
    fresh = evidence_piece(trial, trial.endpoint("nfl"), "slow", chosen)
    for _ in range(2):
        assert cached_piece(keeping(trial, tmp_path), "nfl", "slow", chosen, "") == fresh


@pytest.mark.parametrize("check", ["interaction", "balance", "components"])
def test_a_check_comes_back_as_it_was(trial: Source, tmp_path: Path, check: str) -> None:
    fresh = run_check(check, trial, "slow", endpoint="cafs")
    for _ in range(2):
        assert cached_check(check, keeping(trial, tmp_path), "slow", endpoint="cafs") == fresh
    assert any(tmp_path.iterdir())


def test_a_check_that_names_subjects_is_not_kept(trial: Source, tmp_path: Path) -> None:
    source = keeping(trial, tmp_path)
    found = cached_check("controls", source, "slow", endpoint="cafs", comparisons=("G1-M6",))
    named = {r.level for r in found.rows} & set(trial.subject_ids)
    assert named, "each control left out is named"
    kept = "".join(p.read_text("utf-8") for p in tmp_path.iterdir())
    assert not any(subject in kept for subject in named)


def test_the_second_time_nothing_is_computed(trial: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = Question("cafs")
    cached_answer(question, keeping(trial, tmp_path))
    monkeypatch.setattr("alsbench.analysis.run.answer", lambda *_: pytest.fail("computed again"))
    cached_answer(question, keeping(trial, tmp_path))


def test_records_are_read_once_for_all_subgroups_of_an_endpoint(trial: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [answer(Question("alsfrs", subgroups=(p,)), replace(trial)) for p in ("slow", "not slow")]
    fresh, read = replace(trial), []

    def counting(source: Source, endpoint: Endpoint) -> Records:
        read.append(endpoint.name)
        return reading(source, endpoint)

    reading = records._read_records
    monkeypatch.setattr(records, "_read_records", counting)
    assert [answer(Question("alsfrs", subgroups=(p,)), fresh) for p in ("slow", "not slow")] == expected
    assert read == ["alsfrs"]
    answer(Question("svc"), fresh)
    answer(Question("alsfrs"), replace(fresh, study=fresh.study))
    assert read == ["alsfrs", "svc", "alsfrs"], "another endpoint, or another source, is read anew"


def test_no_subject_is_kept(trial: Source, tmp_path: Path) -> None:
    cached_answer(Question("cafs", subjects=True), keeping(trial, tmp_path))
    assert not list(tmp_path.iterdir())
    for question in QUESTIONS:
        cached_answer(question, keeping(trial, tmp_path))
    kept = "".join(p.read_text() for p in tmp_path.iterdir())
    assert not [s for s in trial.subject_ids if s in kept]


def test_files_are_private(trial: Source, tmp_path: Path) -> None:
    cached_answer(Question("cafs"), keeping(trial, tmp_path / "new"))
    assert [oct(p.stat().st_mode & 0o777) for p in (tmp_path / "new").iterdir()] == ["0o600"]


def test_a_damaged_entry_is_computed_anew(trial: Source, tmp_path: Path) -> None:
    question = Question("cafs")
    fresh = cached_answer(question, keeping(trial, tmp_path))
    (path,) = tmp_path.iterdir()
    whole = path.read_text()
    for damaged in (whole.replace("0.", "1.", 1), whole[:-40], "", "not json"):
        path.write_text(damaged)
        assert cached_answer(question, keeping(trial, tmp_path)) == fresh
        assert path.read_text() == whole


def test_the_key_holds_all_an_answer_depends_on(trial: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Question("cafs").as_dict()
    keys = {
        entry_key(trial, "answer", asked),
        entry_key(trial, "piece", asked),
        entry_key(trial, "answer", Question("cafs", visits=(6.0,)).as_dict()),
        entry_key(replace(trial, study_digest="other"), "answer", asked),
    }
    monkeypatch.setattr(cache, "program_print", lambda: "other")
    keys.add(entry_key(trial, "answer", asked))
    assert len(keys) == 5


def test_a_directory_that_cannot_be_written_costs_only_time(trial: Source, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert cached_answer(Question("cafs"), keeping(trial, blocked)) == answer(Question("cafs"), trial)
