"""A lineup: what is dealt, that a panel tells nothing but its arms, and that the trial is found by guessing once in as many
times as there are panels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from alsbench.analysis import lineup as lineups
from alsbench.analysis.lineup import Lineup, asked, dealt_arms, with_arms
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer, curves_of
from alsbench.analysis.source import Source
from alsbench.audit.lineup_key import LineupKey, judged, new_secret, place_of
from alsbench.errors import UsageError

PANELS = 20
N = 60
VIEWS = (("months", "alsfrs", "limb"), ("km", "survival", "overall"), ("forest", "alsfrs_ancova", ""), ("evidence", "", "slow"))


def base(seed: int) -> tuple[NDArray[np.int8], NDArray[np.int64], np.random.Generator]:
    """Sixty subjects in two strata, half of each treated."""
    rng = np.random.default_rng(seed)
    strata = np.repeat([0, 1], [24, 36])
    arm = np.concatenate([rng.permuted(np.repeat([0, 1], n // 2)) for n in (24, 36)]).astype(np.int8)
    return arm, strata, rng


def largest_gap(arms: NDArray[np.int8], y: NDArray[np.float64]) -> int:
    """The judge: the panel, from 1, with the largest distance of the two arms' means at the horizon."""
    return 1 + int(np.argmax([abs(y[a == 1].mean() - y[a == 0].mean()) for a in arms]))


def found(trials: int, effect: float) -> int:
    hits = 0
    for seed in range(trials):
        arm, strata, rng = base(seed)
        y = rng.normal(size=N) + 0.7 * strata + effect * arm
        secret = new_secret(seed)
        hits += largest_gap(dealt_arms(arm, strata, PANELS, secret), y) == place_of(secret, PANELS)
    return hits


def test_a_judge_finds_a_trial_without_effect_once_in_twenty() -> None:
    """Of 400 trials, binomial with 1/20: within the limits that 999 of 1,000 such counts keep."""
    low, high = binom.interval(0.999, 400, 1 / PANELS)
    assert low <= found(400, 0.0) <= high


def test_a_judge_finds_a_huge_effect() -> None:
    """An effect of three standard deviations stands out of nineteen copies."""
    assert found(100, 3.0) >= 98


def test_a_judge_of_whole_panels_finds_a_trial_without_effect_by_guessing_only(built_trial: Source) -> None:
    """Sixty trials whose arms were dealt at random, five panels each, drawn in full: the judge takes the panel whose overall
    estimate lies farthest from no difference. Binomial with 1/5, within the limits that 999 of 1,000 counts keep."""
    setup = asked(built_trial, "forest", "alsfrs_ancova")
    arm, strata = lineups._dealt_among(setup, lineups._search(setup))
    hits = 0
    for seed in range(60):
        other = new_secret(1000 + seed)
        null = with_arms(built_trial, dealt_arms(arm, strata, 2, other)[2 - place_of(other, 2)])  # the one that is no trial
        secret = new_secret(seed)
        panels = lineups.lineup(asked(null, "forest", "alsfrs_ancova"), 5, secret).panels
        gaps = [abs(next(m.value for m in panel.marks if m.name == "overall")) for panel in panels]
        hits += int(np.argmax(gaps)) + 1 == place_of(secret, 5)
    low, high = binom.interval(0.999, 60, 1 / 5)
    assert low <= hits <= high


def test_arms_are_dealt_within_strata_and_the_trial_stands_at_its_place() -> None:
    arm, strata, _ = base(3)
    arm[[4, 40]] = -1
    secret = new_secret(9)
    arms = dealt_arms(arm, strata, PANELS, secret)
    place = place_of(secret, PANELS)
    assert (arms[place - 1] == arm).all()
    for s in (0, 1):
        counts = [np.bincount(a[(strata == s) & (arm >= 0)], minlength=2).tolist() for a in arms]
        assert counts == [counts[0]] * PANELS
    assert (arms[:, [4, 40]] == -1).all()
    assert len({a.tobytes() for a in arms}) == PANELS
    assert (dealt_arms(arm, strata, PANELS, secret) == arms).all()


def test_every_place_is_as_likely() -> None:
    """Places of 2,000 secrets: chi-square on 19 degrees of freedom below its 99.9 % point, 43.82 (R: qchisq(0.999, 19))."""
    counts = np.bincount([place_of(new_secret(seed), PANELS) for seed in range(2000)], minlength=PANELS + 1)[1:]
    assert ((counts - 100.0) ** 2 / 100.0).sum() < 43.82
    assert len({new_secret() for _ in range(3)}) == 3  # of the system's randomness


@pytest.fixture(scope="module")
def made(built_trial: Source) -> dict[str, Lineup]:
    return {v: lineups.lineup(asked(built_trial, v, e, subgroup=s), 6, new_secret(4)) for v, e, s in VIEWS}


def arms_of(source: Source, view: str, endpoint: str, subgroup: str) -> NDArray[np.int8]:
    setup = asked(source, view, endpoint, subgroup=subgroup)
    arm, strata = lineups._dealt_among(setup, lineups._search(setup))
    return dealt_arms(arm, strata, 6, new_secret(4))


@pytest.mark.parametrize(("view", "endpoint", "subgroup"), VIEWS)
def test_a_copy_in_the_place_of_the_trial_is_drawn_as_it_was_as_a_copy(
    built_trial: Source, made: dict[str, Lineup], view: str, endpoint: str, subgroup: str
) -> None:
    """The arms of every copy given to the trial itself: at the trial's place stands then the copy's panel, number by number.
    What is drawn follows from the arms, and from nothing that only the trial has."""
    arms, place = arms_of(built_trial, view, endpoint, subgroup), place_of(new_secret(4), 6)
    assert len({repr(p) for p in made[view].panels}) == 6
    for copy in range(6):
        other = with_arms(built_trial, arms[copy])
        again = lineups.lineup(asked(other, view, endpoint, subgroup=subgroup), 6, new_secret(4))
        assert repr(again.panels[place - 1]) == repr(made[view].panels[copy])


def test_as_many_of_each_arm_are_shown_in_every_panel(built_trial: Source) -> None:
    """Within the part that is shown too: a curve's first step would tell how many there are."""
    arms = arms_of(built_trial, "km", "survival", "slow")
    mask = asked(built_trial, "km", "survival", subgroup="slow").member.mask
    counts = {tuple(np.bincount(a[mask & (a >= 0)], minlength=4).tolist()) for a in arms}
    assert len(counts) == 1


def test_the_trials_panel_is_the_engines_answer(built_trial: Source, made: dict[str, Lineup]) -> None:
    """Means by visit, curves, and the estimates and limits of an ANCOVA, of the trial as it was."""
    place = place_of(new_secret(4), 6) - 1
    months = {(m.name, m.at): (m.value, m.low, m.high) for m in made["months"].panels[place].marks}
    rows = answer(Question("alsfrs", subgroups=("limb",)), built_trial)
    told = list(rows.select(context="arm", stat_name="ls_mean"))
    assert len(told) == len(months)
    for row in told:
        beside = [rows.get(n, arm=row.arm, visit_number=row.visit_number) for n in ("conf_low", "conf_high")]
        expected = [row.number(), *(r.number() for r in beside if r is not None)]
        assert months[row.arm or "", row.visit_number or 0.0] == pytest.approx(expected, rel=1e-9, nan_ok=True)
    curves = curves_of(Question("survival"), built_trial)["overall"]
    for curve in made["km"].panels[place].curves:
        assert curve.survival[1:] == tuple(curves[curve.name].survival) and curve.time[1:] == tuple(curves[curve.name].time)
    comparison = built_trial.study.comparisons[0]
    for mark in made["forest"].panels[place].marks:
        found = answer(Question("alsfrs_ancova", subgroups=(mark.name,), comparisons=(comparison.name,)), built_trial)
        where = {"context": "contrast", "visit_number": comparison.horizon, "level": None, "treatment": comparison.treatment}
        for name, value in (("difference", mark.value), ("conf_low", mark.low), ("conf_high", mark.high)):
            row = found.get(name, **where)
            assert row is not None and value == pytest.approx(row.number(), rel=1e-6, nan_ok=True)


def test_the_evidence_is_in_standard_deviations_turned_to_the_better(built_trial: Source, made: dict[str, Lineup]) -> None:
    """An ANCOVA of log ratios where less is better: minus the log of its ratio over the standard deviation of all changes."""
    place = place_of(new_secret(4), 6) - 1
    mark = next(m for m in made["evidence"].panels[place].marks if m.name == "nfl, High-M12")
    row = answer(Question("nfl", subgroups=("slow",), comparisons=("High-M12",)), built_trial).get(
        "ratio", context="contrast", visit_number=12.0, level=None
    )
    setup = asked(built_trial, "evidence", subgroup="slow")
    search = lineups._search(setup)
    place_there = next(p for p in search.places if p.endpoint.name == "nfl" and p.comparison.name == "High-M12")
    y = search.whole(place_there.endpoint, 12.0).take(setup.member.mask).outcome.response
    assert row is not None and y is not None
    assert mark.value == pytest.approx(-np.log(row.number()) / np.std(y, ddof=1), rel=1e-6)
    assert mark.low < mark.value < mark.high


def test_judges_by_hand() -> None:
    """One of one right: 1/20. Two of three: 3 x 0.05^2 x 0.95 + 0.05^3 = 0.00725. None right: 1."""
    key = LineupKey("s", "d", "months of a in overall", 20, new_secret(1), place_of(new_secret(1), 20))
    other = key.place % 20 + 1
    assert judged(key, [key.place]) == (1, pytest.approx(0.05))
    assert judged(key, [key.place, other, key.place]) == (2, pytest.approx(0.00725))
    assert judged(key, [other]) == (0, pytest.approx(1.0))
    for pick in (0, 21):
        with pytest.raises(UsageError, match=f"no panel {pick}"):
            judged(key, [pick])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"view": "bars"}, "no view bars"),
        ({"view": "km", "endpoint": "alsfrs"}, "has no view km"),
        ({"view": "months", "endpoint": "cafs"}, "has no view months"),
        ({"view": "evidence", "endpoint": "cafs"}, "every endpoint"),
        ({"view": "forest", "subgroup": "slow"}, "every subgroup"),
    ],
)
def test_what_cannot_be_shown_is_refused(built_trial: Source, words: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked(built_trial, **words)


def test_how_many_panels(built_trial: Source) -> None:
    for n in (1, 101):
        with pytest.raises(UsageError, match="no lineup"):
            lineups.lineup(asked(built_trial, "km"), n, new_secret(1))


def test_no_kept_answer_is_read_or_written(built_trial: Source, tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "results"
    lineups.lineup(asked(replace(built_trial, results_dir=folder), "km"), 3, new_secret(1))
    assert not folder.exists()
