"""Interaction, cut-off sweep and STEPP: the engine's own numbers, windows counted by hand, p uniform without a difference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from alsbench.analysis.scrutiny import catalogue, run_check
from alsbench.analysis.scrutiny.finding import asked
from alsbench.analysis.scrutiny.modifier import interaction_parts, sup_difference, sup_effect
from alsbench.analysis.scrutiny.sweep import windows
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members
from alsbench.stats.permutation import permute_residuals

Deal = Callable[[Source, int], Source]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 199)


@pytest.mark.parametrize("endpoint", ["cafs", "alsfrs_ancova"])
def test_the_interaction_permuted_is_the_interaction_of_the_engine(trial: Source, endpoint: str) -> None:
    finding = asked(trial, "slow", endpoint=endpoint, comparisons=("G1-M6",))
    member = finding.member()
    values = np.where(member.decided, member.mask, np.nan)
    y, others, x = interaction_parts(finding, finding.comparisons[0], values)
    engine = run_check("interaction", trial, "slow", endpoint=endpoint, comparisons=("G1-M6",)).get("interaction_p")
    assert engine is not None
    assert permute_residuals(y, others, x, draws=9, seed=1).p == pytest.approx(engine.number(), rel=1e-6)


def test_windows_by_hand() -> None:
    """Twelve subjects valued 1 to 12, at least twenty to a window: one window. Sixty: of 20, sliding by 5, to the last."""
    everybody = np.ones(12, dtype=bool)
    assert [(low, high) for low, high, _ in windows(np.arange(1.0, 13.0), everybody)] == [(1.0, 12.0)]
    sixty = windows(np.arange(1.0, 61.0), np.ones(60, dtype=bool))
    assert [(low, high) for low, high, _ in sixty] == [(1 + 5 * k, 20 + 5 * k) for k in range(9)]
    assert {int(mask.sum()) for _, _, mask in sixty} == {20}
    tied = windows(np.repeat([1.0, 2.0, 3.0], 20), np.ones(60, dtype=bool))
    assert [int(m.sum()) for _, _, m in tied] == [20, 40, 20, 40, 20]


def test_a_window_is_the_endpoint_in_it(trial: Source) -> None:
    found = run_check("stepp", trial, "slow", comparisons=("G2-M12",))
    levels = [str(lv) for lv in dict.fromkeys(r.level for r in found.rows) if lv != "all windows"]
    rate, arm = np.asarray(trial.subject_column("LEADRATE"), dtype=float), trial.subject_column("TRT01P")
    low, high = (float(v) for v in levels[2].split(" to "))
    inside = trial.population("FAS") & (rate >= low - 1e-6) & (rate <= high + 1e-6)
    n = {r.stat_name: r.stat for r in found.rows if r.level == levels[2] and r.stat_name.startswith("n_")}
    assert n == {
        "n_treatment": int((inside & (arm == "Group 2")).sum()),
        "n_reference": int((inside & (arm == "Placebo")).sum()),
    }


def test_without_effect_both_tests_over_all_cuts_are_uniform(
    trial: Source, monkeypatch: pytest.MonkeyPatch, dealt_again: Deal
) -> None:
    """Fifteen trials dealt at random: means of p within 0.5 +/- 4 / sqrt(12 * 15), and not all on one side of a half."""
    monkeypatch.setattr(catalogue, "DRAWS", 59)
    effect, difference = [], []
    for seed in range(15):
        finding = asked(dealt_again(trial, seed), "slow", endpoint="cafs", comparisons=("G2-M12",))
        rate = np.asarray(trial.subject_column("LEADRATE"), dtype=float)
        groups = [members(trial, "overall").mask & (rate <= cut) for cut in (0.8, 0.95, 1.1, 1.25)]
        effect.append(sup_effect(finding, finding.comparisons[0], groups))
        difference.append(sup_difference(finding, finding.comparisons[0], groups, against="rest"))
    for p in (effect, difference):
        assert abs(np.mean(p) - 0.5) < 4 / np.sqrt(12 * 15)
        assert min(p) < 0.5 < max(p)


def test_one_group_alone_is_a_permutation_p_of_its_effect(trial: Source) -> None:
    finding = asked(trial, "slow", comparisons=("G2-M12",))
    alone = sup_effect(finding, finding.comparisons[0], [finding.member().mask])
    row = run_check("selection", trial, "slow", comparisons=("G2-M12",)).get("selection_p", level="this result alone")
    assert row is not None
    # the search deals everybody in any endpoint's population, this one the endpoint's own: the same people here
    assert alone == pytest.approx(row.number(), abs=0.08)


def test_time_to_event_says_what_it_has_not(trial: Source) -> None:
    for check in ("interaction", "sweep", "stepp"):
        found = run_check(check, trial, "slow", endpoint="survival", comparisons=("G2-M12",))
        assert any(r.error and "time to event" in r.error for r in found.rows)
