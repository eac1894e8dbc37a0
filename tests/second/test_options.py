"""Every option of ANCOVA and the joint rank, by both programs; and the second alone against hand calculation and R.

Hand: the worked pairs of METHODS 3. R: `tests/reference/*/expected/cafs_*` (Finkelstein-Schoenfeld, win statistics, ranks) and
``ancova_*`` (emmeans, equal and proportional weights).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from tests.second.verifying import TESTS, Both, disagreements, left_out

from alsbench.second.ancova import first_visits
from alsbench.second.joint_rank import at_horizon, dealt_again, gehan, ranks, scored, t_of_arm, win_statistics
from alsbench.second.program import answer
from alsbench.second.trial import TrialTables, read_tables
from alsbench.study.model import Comparison, Endpoint

BUILT = ("overall", "not slow", "slow and limb")
RANKED: tuple[dict[str, object], ...] = (
    {},
    {"event_ties": "function"},
    {"death_always_loses": True},
    {"win_intervals": "transformed"},
    {"change": "percent"},
    {"rank_scale": "unit"},
    {"strata": []},
    {"strata": ["ONSETSIT", "RILUFL"]},
    {"covariates": []},
    {"factors": ["LEADRATE"]},
    {"ls_means": "proportional"},
    {"at": "{LEADRATE = 1.2}"},
    {"function_at": "horizon"},
    {"function_at": "horizon", "missing": "locf"},
    {"function_at": "horizon", "missing": "worst"},
    {"function_at": "horizon", "missing": "worst", "death_always_loses": True, "change": "percent"},
    {"arms": "all"},
    {"arms": "all", "covariates": [], "win_intervals": "transformed"},
    {"rank_within_strata": True},
    {"rank_within_strata": True, "rank_scale": "unit", "strata": ["ONSETSIT", "RILUFL"]},
    {"arms": "all", "rank_within_strata": True, "ls_means": "proportional"},
)
FITTED: tuple[dict[str, object], ...] = (
    {},
    {"arms": "all"},
    {"weights": "LEADRATE"},
    {"weights": "AVAL", "arms": "all"},
    {"at": "{LEADRATE = 1.2}"},
    {"at": "{BASE = 38, LEADRATE = 0.5}"},
    {"ls_means": "proportional"},
    {"covariates": []},
    {"factors": ["LEADRATE"]},
    {"visits": [6, 12]},
    {"where": "AVISITN != 9"},
)
LOGS: tuple[dict[str, object], ...] = ({}, {"lloq": 45}, {"lloq": 50.5, "arms": "all"}, {"weights": "BASE"}, {"visits": [6]})


@pytest.mark.parametrize(
    ("endpoint", "options"),
    [*(("cafs", o) for o in RANKED), *(("alsfrs_ancova", o) for o in FITTED), *(("nfl", o) for o in LOGS)],
)
def test_both_programs_agree_on_the_built_trial(both: Callable[[str], Both], endpoint: str, options: dict[str, object]) -> None:
    for phrase in BUILT:
        found = both("built").asked(endpoint, phrase, **options)
        assert disagreements(found) == []
        assert left_out(found) == [] and len(found.compared) > 40


@pytest.mark.parametrize(("name", "options"), [("als-ref-1", RANKED[5]), ("als-ref-1", RANKED[15]), ("als-ref-2", RANKED[17]),
                                               ("sample", RANKED[19]), ("extra", {})])  # fmt: skip
def test_both_programs_agree_on_the_joint_rank(both: Callable[[str], Both], name: str, options: dict[str, object]) -> None:
    trial = both(name)
    endpoint = next(n for n, e in trial.source.study.endpoints.items() if e.method == "joint_rank")
    found = trial.asked(endpoint, **options)
    assert disagreements(found) == [] and left_out(found) == [] and len(found.compared) > 40


@pytest.mark.parametrize("options", [{"permutations": 500}, {"arms": "all", "permutations": 300},
                                     {"rank_within_strata": True, "rank_scale": "unit", "permutations": 400},
                                     {"strata": [], "permutations": 700, "seed": 3}])  # fmt: skip
@pytest.mark.parametrize("name", ["built", "als-ref-1"])
def test_permutations_agree_within_their_monte_carlo_errors(
    both: Callable[[str], Both], name: str, options: dict[str, object]
) -> None:
    """Draws of its own: a p within four standard errors. Where the arrangements are few both look at all, and are equal: so
    of the built trial's seven or ten for its arm of one subject, and of als-ref-1's 74,480 within strata outside of slow."""
    seen = set()
    for phrase in ("overall", "not slow"):
        found = both(name).asked("cafs", phrase, **options)
        assert disagreements(found) == [] and left_out(found) == []
        assert {c.row.stat_name for c in found.compared} >= {"permutation_p", "permutation_gehan_p"}
        seen |= {c.second for c in found.compared if c.row.stat_name == "permutations"}
    drawn, within_strata = options["permutations"], "strata" not in options
    assert bool(seen - {drawn}) == (name == "built" or within_strata)
    assert (drawn in seen) == (name == "als-ref-1" or not within_strata)


# the five subjects of METHODS 3: A died on day 100, B on 150; C left on 90; horizon month 6
EVENTS = {"A": 100.0, "B": 150.0}
CONTACT = {"A": 100.0, "B": 150.0, "C": 90.0, "D": 183.0, "E": 183.0}
CHANGES = {("A", 3): -2.0, ("B", 3): -6.0, ("C", 3): -4.0, ("D", 3): -3.0, ("D", 6): -9.0, ("E", 3): -5.0, ("E", 6): -6.0}


def five(**options: object) -> tuple[pd.DataFrame, pd.DataFrame, Endpoint]:
    endpoint = Endpoint.model_validate({"method": "joint_rank", **options})
    arm = {s: "T" if s in "CD" else "R" for s in CONTACT}
    subjects = pd.DataFrame({"event": pd.Series(EVENTS), "contact": pd.Series(CONTACT), "arm": pd.Series(arm)})
    subjects = subjects.assign(stratum="all")
    values = pd.DataFrame([{"subject": s, "visit": v, "change": c} for (s, v), c in CHANGES.items()])
    if endpoint.function_at == "horizon":
        values = at_horizon(values, subjects, endpoint.missing, 6)
    return subjects, scored(subjects, values, endpoint), endpoint


def sums(pairs: pd.DataFrame) -> list[int]:
    return [int(v) for v in pairs.groupby("i")["score"].sum().sort_index()]


def test_the_worked_check_of_the_methods() -> None:
    """METHODS 3: U = -2, -2, 0, 2, 2; ranks 1.5, 1.5, 3, 4.5, 4.5; W = 2, Var = 4.8, z = 0.913, p = 0.361; win ratio 2."""
    subjects, pairs, endpoint = five()
    assert sums(pairs) == [-2, -2, 0, 2, 2]
    assert list(ranks(subjects, pairs, endpoint).sort_index()) == [1.5, 1.5, 3, 4.5, 4.5]
    made = gehan(subjects, pairs, Comparison(treatment="T", reference="R"))
    assert (made["gehan_w"], made["gehan_var"]) == (2, pytest.approx(4.8, rel=1e-12))
    assert (made["gehan_z"], made["gehan_p"]) == (pytest.approx(0.913, abs=5e-4), pytest.approx(0.361, abs=5e-4))
    wins = win_statistics(pairs[(pairs["arm i"] == "T") & (pairs["arm j"] == "R")], transformed=False)
    assert (wins["win_ratio"], wins["win_odds"]) == (2.0, pytest.approx(2.0, rel=1e-12))
    assert sums(five(death_always_loses=True)[1]) == [-4, -2, 2, 2, 2]


def test_the_change_at_the_horizon_alone() -> None:
    """A and B died, C left: only D and E have a change at month 6. By hand: none, carried forward, worse than all others.

    None: A and B lose to D and E, B wins of A; C ties with all (it left before both deaths); E wins of D.
    Carried forward C (-4) wins of B (-6), D and E, loses to A (-2). Worst: C ties with A and B (all missing), loses to D, E."""
    assert sums(five(function_at="horizon")[1]) == [-3, -1, 0, 1, 3]
    assert sums(five(function_at="horizon", missing="locf")[1]) == [-2, -2, 2, 0, 2]
    assert sums(five(function_at="horizon", missing="worst")[1]) == [-3, -1, -2, 2, 4]


def test_ranks_within_strata_are_of_pairs_within_the_stratum() -> None:
    subjects, pairs, endpoint = five(rank_within_strata=True, rank_scale="unit")
    stratum = {"A": "x", "B": "x", "C": "x", "D": "y", "E": "y"}
    subjects = subjects.assign(stratum=pd.Series(stratum))
    pairs = pairs.assign(**{f"stratum {k}": pairs[k].map(stratum) for k in "ij"})
    # x: B lives longer than A; C (-4) left before both died, at month 3 worse than A (-2), better than B (-6); y: E wins of D
    assert list(ranks(subjects, pairs, endpoint).sort_index()) == [
        pytest.approx(v) for v in (2 / 4, 2 / 4, 2 / 4, 1 / 3, 2 / 3)
    ]


def test_permuted_arms_and_their_t() -> None:
    """Arms keep their numbers within strata; t is that of numpy's least squares."""
    rng = np.random.default_rng(1)
    treated, stratum = np.array([1, 1, 0, 0, 0, 1, 0.0]), pd.Series(list("aaaabbb"))
    dealt, every = dealt_again(treated, stratum, rng)
    assert every and len(dealt) == len(np.unique(dealt, axis=0)) == 6 * 3
    assert (dealt[:, :4].sum(axis=1) == 2).all() and (dealt[:, 4:].sum(axis=1) == 1).all()
    many, every = dealt_again(np.tile(treated, 4), pd.Series(list("aaaabbb") * 4), rng)  # C(16, 8) C(12, 4) arrangements
    assert not every and (many.reshape(len(many), 4, 7)[:, :, :4].sum(axis=(1, 2)) == 8).all()
    assert len(np.unique(many, axis=0)) > 0.99 * len(many)
    y, others = rng.normal(size=7), np.column_stack([np.ones(7), rng.normal(size=7)])
    x = np.column_stack([treated, others])
    beta, rss, *_ = np.linalg.lstsq(x, y, rcond=None)
    se = math.sqrt(rss[0] / 4 * np.linalg.inv(x.T @ x)[0, 0])
    assert t_of_arm(y, treated[None, :], others)[0] == pytest.approx(beta[0] / se, rel=1e-10)
    assert np.isinf(t_of_arm(y, others[None, :, 0], others)).all()


@pytest.mark.parametrize(
    ("p", "first", "lasting"),
    [({3: 0.04, 6: 0.06, 9: 0.01, 12: 0.02}, 3, 9), ({3: 0.05, 6: 0.2}, None, None), ({3: 0.01, 6: 0.05}, 3, None),
     ({}, None, None)],
)  # fmt: skip
def test_first_visits(p: dict[float, float], first: float | None, lasting: float | None) -> None:
    assert first_visits(p) == {"visits_tested": len(p), "first_visit": first, "first_lasting_visit": lasting}


def second_alone(both: Both, endpoint: str, **options: object) -> dict[tuple[object, ...], object]:
    source = both.source
    asked = source.study.endpoints[endpoint].model_copy(update=options)
    found = answer(TrialTables(source.study, read_tables(source.snapshot.path)), asked)
    return {(n.treatment, n.arm, n.visit, n.level, n.stat_name): n.stat for n in found}


GROUPS = [("group1", "Group 1", 6), ("group2", "Group 2", 6), ("group1", "Group 1", 12), ("group2", "Group 2", 12)]


@pytest.mark.parametrize("weights", ["equal", "proportional"])
def test_ls_means_of_both_weights_are_those_of_emmeans(both: Callable[[str], Both], weights: str) -> None:
    found = second_alone(both("als-ref-1"), "alsfrs_ancova", ls_means=weights)
    for name, treatment, visit in GROUPS:
        file = TESTS / f"reference/als-ref-1/expected/ancova_alsfrs_v{visit}_{name}_overall.json"
        said = json.loads(file.read_text())["raw"][f"lsm_{weights}"]
        for arm in said["lsmeans"]:
            made = [found[treatment, arm["TRT01P"], visit, None, n] for n in ("ls_mean", "se", "df", "conf_low", "conf_high")]
            assert made == pytest.approx([arm[n] for n in ("estimate", "se", "df", "lower", "upper")], rel=1e-9)
        made = [found[treatment, None, visit, None, n] for n in ("difference", "se", "t", "p_value")]
        assert made == pytest.approx([said["vs_ref"][0][n] for n in ("estimate", "se", "statistic", "p")], rel=1e-8)


@pytest.mark.parametrize(("name", "treatment", "visit"), [GROUPS[0], GROUPS[1], GROUPS[3]])
def test_the_joint_rank_is_that_of_r(both: Callable[[str], Both], name: str, treatment: str, visit: int) -> None:
    found = second_alone(both("als-ref-1"), "cafs", strata=())
    file = TESTS / f"reference/als-ref-1/expected/cafs_v{visit}_{name}_overall.json"
    said = json.loads(file.read_text())["C"]["vs_ref"][treatment]

    def made(*names: str) -> list[object]:
        return [found[treatment, None, visit, None, n] for n in names]

    assert made("gehan_w", "wins", "losses", "ties") == [
        said["finkelstein_schoenfeld"]["T"], *(said["win_statistics"][n] for n in ("wins", "losses", "ties"))
    ]  # fmt: skip
    assert made("gehan_var", "gehan_z", "gehan_p") == pytest.approx(
        [said["finkelstein_schoenfeld"][n] for n in "Vzp"], rel=1e-9
    )
    wins = said["win_statistics"]
    assert made("win_ratio", "win_ratio_low", "win_ratio_high") == pytest.approx([wins["win_ratio"], *wins["wr_ci"]], rel=1e-9)
    assert made("win_odds", "win_odds_low", "win_odds_high") == pytest.approx([wins["win_odds"], *wins["wo_ci"]], rel=1e-9)
    ancova = said["joint_rank"]["ancova_on_ranks"]["lsmeans"]
    for arm in ancova:
        assert found[treatment, arm["a"], visit, None, "ls_mean"] == pytest.approx(arm["estimate"], rel=1e-9)
        assert found[treatment, arm["a"], visit, None, "se"] == pytest.approx(arm["se"], rel=1e-9)


def test_seven_subjects_determine_no_covariance_and_no_interval_without_variance(both: Callable[[str], Both]) -> None:
    """Outside of `limb` the built trial has 2, 2 and 3 subjects: an MMRM with df of 1e-6, and losses only."""
    assert disagreements(both("built").asked("cafs", "not limb")) == []
    found = both("built").asked("alsfrs", "not limb")
    assert found.compared == () and "has a maximum" in str(found.uncompared)
