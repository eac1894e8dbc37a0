"""The search for a finding dealt again: p by counting, ties, who takes part, strata kept; tables of p-values worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.built.counted import ADSL

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny.effect import effect_of
from alsbench.analysis.scrutiny.finding import Finding, asked
from alsbench.analysis.scrutiny.modifier import sup_effect
from alsbench.analysis.scrutiny.selection import Search, Test, _adjusted, rearranged
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members


@pytest.fixture
def finding(built_trial: Source) -> Finding:
    return replace(asked(built_trial, "slow", endpoint="cafs", comparisons=("Low-M6",)), draws=4)


def test_p_of_a_search_counts_the_trial_itself_and_ties(finding: Finding) -> None:
    """Four trials dealt again: p 0.03 (as observed), 0.5, 0.02 and none: (1 + 2) / 5. Two places: 0.03, 0.4, 0.02, 0.01."""
    comparison = finding.comparisons[0]
    tests = tuple(Test(d, finding.endpoint, comparison, 6.0, True) for d in ("slow", "not slow"))
    p = np.array([[0.03, 0.2], [0.03, 0.9], [0.5, 0.4], [0.02, 0.6], [np.nan, 0.01]])
    rows, said = _adjusted(finding, Search(tests, p, np.zeros(p.shape, dtype=bool), (), ()), comparison)
    found = {r.level: r.stat for r in rows if r.stat_name == "selection_p"}
    assert found["this result alone"] == 3 / 5 and found["every definition"] == 4 / 5
    assert {r.level: r.stat for r in rows if r.stat_name == "smallest_p"}["every definition"] == 0.03
    assert {r.stat for r in rows if r.stat_name == "null_percent"} == {0.0} and said.startswith("does not")


def test_arms_are_dealt_among_the_randomised_of_a_stratum(finding: Finding) -> None:
    """In every trial each stratum keeps as many of each arm; who was not randomised, or is in no population, keeps none."""
    strata, arms = rearranged(replace(finding, draws=50), [finding.endpoint])
    source = finding.source
    assert strata == ("ONSETSIT",)
    takes_part = source.population("FAS") & (source.planned_arm >= 0)
    assert ((arms >= 0) == takes_part).all()
    onset = np.array([str(ADSL.ONSETSIT[str(s)]) for s in source.subject_ids])
    for stratum in set(onset[takes_part]):
        mine = takes_part & (onset == stratum)
        whole = np.bincount(arms[0, mine], minlength=4)
        assert all((np.bincount(deal[mine], minlength=4) == whole).all() for deal in arms[1:])
    assert len({deal.tobytes() for deal in arms}) > 40


def test_a_group_that_cannot_be_tested_says_nothing(finding: Finding) -> None:
    """One subject has no p in any trial: with such a group beside it the p of a search is what it is without."""
    more = replace(finding, draws=60)
    source, comparison = finding.source, finding.comparisons[0]
    everybody = source.population("FAS")
    one = np.zeros(everybody.size, dtype=bool)
    one[np.flatnonzero(everybody & (source.planned_arm == 1))[0]] = True
    alone = sup_effect(more, comparison, [everybody])
    assert 1 / 61 < alone <= 1 and sup_effect(more, comparison, [everybody, one]) == alone


def test_the_trial_itself_is_one_of_the_arrangements(finding: Finding) -> None:
    """Six of each arm picked so that all of one rank above all of the other: hardly a trial dealt again does the same."""
    more = replace(finding, draws=60)
    result = answer(Question("cafs", comparisons=("Low-M6",), subjects=True), finding.source)
    score = {str(r.level): r.number() for r in result.select(context="subject", stat_name="score", subgroup="overall")}
    ordered = sorted(score, key=lambda s: (score[s], s))
    low = [s for s in ordered if ADSL.TRT01P[s] == "Low"][-6:]
    picked = {*low, *[s for s in ordered if ADSL.TRT01P[s] == "Placebo"][:6]}
    mask = np.array([str(s) in picked for s in finding.source.subject_ids])
    assert 1 / 61 <= sup_effect(more, finding.comparisons[0], [mask]) <= 3 / 61


def test_the_standard_error_of_a_log_hazard(built_trial: Source) -> None:
    """From its 95 % limits: the estimate over it is the z of the Cox model."""
    finding = asked(built_trial, "slow", endpoint="survival", comparisons=("High-M12",))
    found = effect_of(finding, members(built_trial, "overall"), finding.comparisons[0])
    result = answer(Question("survival", comparisons=("High-M12",)), built_trial)
    (z,) = [r.number() for r in result.select(context="contrast", stat_name="z", treatment="High") if r.level is None]
    assert found.estimate / found.se == pytest.approx(z, rel=1e-9) and found.upward == -1.0
