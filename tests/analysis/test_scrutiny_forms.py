"""The ledger's adjustments by hand from its own p-values, and the two forms with the rules they follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alsbench.analysis.scrutiny import catalogue, run_check, verdict
from alsbench.analysis.scrutiny.iceman import chance, rating
from alsbench.analysis.source import Source
from alsbench.study.model import Subgroup

DOWN, DOWN2, UP, UP2 = "probably reduced", "definitely reduced", "probably increased", "definitely increased"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 299)


def test_the_ledger_holds_every_endpoint_and_adjusts_as_holm_does(trial: Source) -> None:
    found = run_check("multiplicity", trial, "slow")
    p = np.array([r.number() for r in found.select(stat_name="p_value")])
    holm = np.array([r.number() for r in found.select(stat_name="holm_p")])
    order = np.argsort(p)
    by_hand = np.maximum.accumulate(np.minimum(p[order] * (p.size - np.arange(p.size)), 1))
    assert holm[order] == pytest.approx(by_hand)
    tested = {r.level for r in found.select(stat_name="p_value")}
    assert tested == {"cafs", "alsfrs", "alsfrs_ancova", "alsfrs_slope", "svc", "nfl", "survival"}
    assert p.size == len(tested) * len(trial.study.comparisons)
    step_down = np.array([r.number() for r in found.select(stat_name="westfall_young_p")])
    assert (step_down >= p - 4 * np.sqrt(p / 299) - 0.01).all()
    assert "after adjustment" in verdict(found)


def test_the_familys_p_is_the_searchs(trial: Source) -> None:
    family = run_check("multiplicity", trial, "slow").get("p_value", level="cafs", treatment="Group 1")
    alone = run_check("selection", trial, "slow", comparisons=("G1-M6",)).get("p_value", level="this result alone")
    assert family is not None
    assert alone is not None
    assert family.stat == alone.stat


@pytest.mark.parametrize(
    ("answers", "suggested"),
    [
        ([DOWN2, DOWN, DOWN, DOWN, DOWN], "very low"),
        ([DOWN2, DOWN2, UP2, UP2, UP2], "at most low"),
        ([DOWN2, UP, UP2, UP, UP2], "at most moderate"),
        ([DOWN, DOWN, UP2, UP2, UP], "at most moderate"),
        ([UP, UP2, UP2, UP2, UP], "up to high"),
        ([UP, DOWN, UP2, UP2, "not applicable"], "up to high"),
    ],
)
def test_the_rating_follows_the_forms_own_suggestions(answers: list[str], suggested: str) -> None:
    """ICEMAN for randomised trials, overall credibility: all responses reduced - very low; two or more definitely reduced -
    maximum usually low; one definitely, or two probably reduced - maximum usually moderate; otherwise high possible."""
    assert rating(answers) == suggested


def test_chance_by_the_forms_thresholds() -> None:
    """ICEMAN question 3: p above 0.05, 0.05 to 0.01, 0.01 to 0.005, at most 0.005."""
    assert [chance(p) for p in (0.2, 0.051, 0.05, 0.011, 0.01, 0.006, 0.005, 0.0001)] == [
        DOWN2,
        DOWN2,
        DOWN,
        DOWN,
        UP,
        UP,
        UP2,
        UP2,
    ]
    assert chance(None) == DOWN


def test_the_form_says_post_hoc_and_what_a_person_must_judge(trial: Source) -> None:
    found = run_check("iceman", trial, "slow", comparisons=("G1-M6",))
    answers = {str(r.level)[0]: r.stat for r in found.select(stat_name="answer", variable="ICEMAN")}
    assert answers["1"] == DOWN2
    assert answers["5"] == DOWN
    assert any("for a person" in str(r.stat) for r in found.select(stat_name="reason"))
    assert "credibility" in verdict(found)
    assert len(list(found.select(stat_name="answer", variable="EMA"))) == 6


def test_a_class_has_no_cut_point(trial: Source) -> None:
    subgroup = Subgroup(name="bulbs", where="ONSETSIT == 'BULBAR'", prespecified=True)
    other = replace(trial, study=trial.study.model_copy(update={"subgroups": (subgroup,)}))
    found = run_check("iceman", other, "bulbs", comparisons=("G1-M6",))
    answers = {str(r.level)[0]: r.stat for r in found.select(stat_name="answer", variable="ICEMAN")}
    assert (answers["1"], answers["4"], answers["5"]) == (DOWN, UP, "not applicable")
