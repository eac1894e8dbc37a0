"""The search for a finding dealt again: p by counting, ties, who takes part, strata kept; tables of p-values worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.built.counted import ADSL

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny.effect_size import effect_of
from alsbench.analysis.scrutiny.finding import Finding, asked
from alsbench.analysis.scrutiny.modifier import sup_effect
from alsbench.analysis.search import Share, WholeSearch, rearranged, share
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members
from alsbench.stats.permutation_search import permuted_arms


@pytest.fixture
def finding(built_trial: Source) -> Finding:
    return replace(asked(built_trial, "slow", endpoint="cafs", comparisons=("Low-M6",)), draws=4)


def test_p_of_a_search_counts_the_trial_itself_and_ties() -> None:
    """Four trials dealt again whose smallest p are 0.03 (as observed, but for the last bits), 0.5, 0.02 and 1: (1 + 2) / 5;
    the Monte Carlo error is that of a share, sqrt(0.6 x 0.4 / 4)."""
    found = share(np.array([0.03 * (1 + 1e-12), 0.5, 0.02, 1.0]), 0.03)
    assert found == Share(2, 4) and found.p == 3 / 5
    assert found.error == pytest.approx(0.24495, abs=5e-6)
    assert found.near(0.15) and not Share(400, 999).near(0.05)


def test_arms_are_dealt_among_the_randomised_of_a_stratum(finding: Finding) -> None:
    """In every trial each stratum keeps as many of each arm; who was not randomised, or is in no population, keeps none."""
    source = finding.source
    arms = rearranged(source, finding.endpoint, finding.population, 50)
    assert finding.endpoint.strata == ("ONSETSIT",) and arms.shape[0] == 51
    takes_part = source.population("FAS") & (source.planned_arm >= 0)
    assert ((arms >= 0) == takes_part).all()
    onset = np.array([str(ADSL.ONSETSIT[str(s)]) for s in source.subject_ids])
    for stratum in set(onset[takes_part]):
        mine = takes_part & (onset == stratum)
        whole = np.bincount(arms[0, mine], minlength=4)
        assert all((np.bincount(deal[mine], minlength=4) == whole).all() for deal in arms[1:])
    assert len({deal.tobytes() for deal in arms}) > 40


def test_a_copy_looked_at_as_the_trial_has_the_p_it_had_as_a_copy(built_trial: Source) -> None:
    """Row b of the null as the observed trial: the same places, and the same p at each, 1 where an arm is missing there. So
    every copy counts in the others' null as they count in its own, and the p of the smallest is uniform."""
    search = WholeSearch(built_trial, seed=3)
    p = search.p_values(60)
    arms = permuted_arms(search.arm, search.codes, [0], seed=3)
    missing = 0
    for copy in (0, 17, 41):
        dealt = replace(built_trial)
        planned = np.array(built_trial.planned_arm)
        planned[search.arm >= 0] = arms[copy][search.arm >= 0]
        dealt.__dict__.update(subjects=built_trial.subjects, planned_arm=planned)
        again = WholeSearch(dealt, seed=3)
        assert again.places == search.places
        np.testing.assert_allclose(again.observed[1], p[copy + 1], rtol=1e-6)
        missing += int((again.observed[1] == 1.0).sum() - (search.observed[1] == 1.0).sum())
    assert missing != 0  # what cannot be tested differs between copies, or this test would show nothing


def test_the_search_looks_everywhere(built_trial: Source) -> None:
    """Overall, every definition and its complement; every endpoint with a test in permuted trials; every comparison; arms are
    dealt within all strata that an endpoint names."""
    search = WholeSearch(built_trial)
    names = [s.name for s in built_trial.study.subgroups]
    assert search.definitions == ("overall", *(d for n in names for d in (n, f"not {n}")))
    at_horizon = [p for p in search.places if p.at_horizon]
    assert len(at_horizon) == len(search.definitions) * len(search.endpoints) * len(built_trial.study.comparisons)
    assert set(search.strata) == {column for e in search.endpoints for column in e.strata}


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
