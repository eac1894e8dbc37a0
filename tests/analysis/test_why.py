"""Why a subject has its rank: pairs that add up to the scores and ranks of the reference files.

Scores, ranks and win statistics: ``C`` of tests/reference/als-ref-1/expected/cafs_*.json (R 4.2.2).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.analysis.why import why_rank_of
from alsbench.errors import UsageError
from alsbench.study.model import Subgroup

EXPECTED = Path(__file__).parent.parent / "reference" / "als-ref-1" / "expected"
SCORES = {1: "won", 0: "tied", -1: "lost"}


@pytest.mark.parametrize("part", ["overall", "slow"])
def test_every_subjects_pairs_add_up_to_its_score(trial: Source, part: str) -> None:
    wanted = json.loads((EXPECTED / f"cafs_v6_group1_{part}.json").read_text())["C"]
    question = Question("cafs", subgroups=(part,), comparisons=("G1-M6",))
    between = dict.fromkeys(SCORES.values(), 0)
    decided = {"event": 0, "function": 0}
    for subject in wanted["subjects"]:
        (found,) = why_rank_of(trial, question, subject["id"]).rankings
        assert (found.score, found.rank) == (subject["score"], subject["rank"])
        assert found.count("won") - found.count("lost") == subject["score"]
        assert len(found.pairs) == found.n_ranked - 1 == len(wanted["subjects"]) - 1
        if found.arm == "Group 1":
            for pair in found.pairs:
                if pair.arm == "Placebo":
                    between[pair.result] += 1
                    if pair.decided_by in decided:
                        decided[pair.decided_by] += 1
    result = answer(question, trial)
    for name, stat in (("won", "wins"), ("lost", "losses"), ("tied", "ties")):
        assert between[name] == result.get(stat, context="contrast").stat
    for name, count in decided.items():
        assert result.get("pairs", level=f"decided by {name}").stat == count


def test_what_decided_a_pair(trial: Source) -> None:
    """A change is shown exactly where function was compared, and the pair is mirrored by its opponent's."""
    question = Question("cafs", comparisons=("G2-M12",))
    subject = "ALSREF01-01-1017"
    (mine,) = why_rank_of(trial, question, subject).rankings
    for pair in mine.pairs[:12]:
        compared = pair.own_change is not None
        assert compared == (pair.visit is not None) == pair.outcome.startswith("function")
        if pair.decided_by == "function":
            assert (pair.own_change > pair.opponent_change) == (pair.result == "won")
        (other,) = why_rank_of(trial, question, pair.opponent).rankings
        back = next(p for p in other.pairs if p.opponent == subject)
        assert (back.own_change, back.opponent_change) == (pair.opponent_change, pair.own_change)
        assert {pair.result, back.result} in ({"won", "lost"}, {"tied"})


def test_options_and_all_arms(trial: Source) -> None:
    subject = "ALSREF01-02-1001"
    everyone = why_rank_of(trial, Question("cafs", visits=(12.0,), options=(("arms", "all"),)), subject).rankings
    assert [(r.treatment, r.reference) for r in everyone] == [(None, None)]
    within = why_rank_of(trial, Question("cafs", comparisons=("G1-M6",), options=(("rank_within_strata", "true"),)), subject)
    onset = dict(zip(trial.subject_ids, trial.subject_column("ONSETSIT"), strict=True))
    assert {onset[p.opponent] for p in within.rankings[0].pairs} == {onset[subject]}
    result = answer(Question("cafs", comparisons=("G1-M6",), subjects=True, options=(("rank_within_strata", "true"),)), trial)
    assert result.get("rank", context="subject", level=subject).stat == within.rankings[0].rank
    both = why_rank_of(trial, Question("cafs"), subject).rankings
    assert [r.title for r in both] == ["Group 1 vs Placebo, Month 6"]


def test_who_is_not_ranked(trial: Source) -> None:
    with pytest.raises(UsageError, match="no subject is named"):
        why_rank_of(trial, Question("cafs"), "ALSREF01-02-100")
    with pytest.raises(UsageError, match="none of the ranked sets"):
        why_rank_of(trial, Question("cafs", comparisons=("G2-M12",)), "ALSREF01-02-1001")
    with pytest.raises(UsageError, match="cafs"):
        why_rank_of(trial, Question("alsfrs"), "ALSREF01-02-1001")
    unranked = answer(Question("cafs", comparisons=("G2-M12",), subjects=True), trial)
    ranked = {r.level for r in unranked.select(context="subject")}
    arms = dict(zip(trial.subject_ids, trial.subject_column("TRT01P"), strict=True))
    left = [s for s, keep in zip(trial.subject_ids, trial.population(), strict=True) if keep and s not in ranked]
    for subject in [s for s in left if arms[s] == "Group 2"][:1]:
        (found,) = why_rank_of(trial, Question("cafs", comparisons=("G2-M12",)), subject).rankings
        assert found.rank is None and "not ranked" in found.error


def test_one_subject_has_no_pairs(trial: Source) -> None:
    subgroup = Subgroup(name="edge", where="USUBJID == 'ALSREF01-02-1001'")
    source = replace(trial, study=trial.study.model_copy(update={"subgroups": (subgroup,)}))
    (found,) = why_rank_of(source, Question("cafs", subgroups=("edge",)), "ALSREF01-02-1001").rankings
    assert (found.score, found.rank, found.pairs) == (0, 1.0, ())
