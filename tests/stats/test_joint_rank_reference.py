"""CAFS against R 4.2.2 (WINS, BuyseTest, emmeans, coin): every number of every ``cafs_*.json`` of two synthetic trials."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kruskal, mannwhitneyu

from alsbench.stats import lsmeans
from alsbench.stats.ancova import OLSFit, fit_ols
from alsbench.stats.contrasts import Contrasts
from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.joint_rank import FollowUp, JointRank, cut_at_horizon, score_pairs
from alsbench.stats.wins import finkelstein_schoenfeld, win_statistics

sys.path.insert(0, str(Path(__file__).parent))
from trial_data import arm_of, expected, files, load_trial

FILES = files("als-ref-*/expected/cafs_*.json")
UNIT_DAYS = {"als-ref-1": 30.4375, "als-ref-2": 7.0}
cases = pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")


def ls_means(fit: OLSFit, factor: str, **options: Any) -> Contrasts:
    return lsmeans.ls_means(fit, fit.design, (factor,), **options).values


def ls_differences(fit: OLSFit, factor: str, reference: str, **options: Any) -> Contrasts:
    return lsmeans.ls_differences(fit, fit.design, factor, reference=reference, **options).values


@dataclass(frozen=True)
class Case:
    ids: list[str]
    followup: FollowUp
    arm: np.ndarray  # 0 = placebo, 1 = treated
    covariates: Any
    rank: JointRank
    answer: dict[str, Any]
    versus: dict[str, Any]


@cache
def case(path: Path) -> Case:
    trial = load_trial(path.parts[-3])
    treatment, horizon = arm_of(path, trial), float(path.name.split("_v")[1].split("_")[0])
    adsl = trial.adsl[trial.adsl.SLOW] if path.stem.endswith("slow") else trial.adsl
    adsl = adsl[adsl.TRT01P.isin(["Placebo", treatment])].set_index("USUBJID")
    post = trial.adqs[trial.adqs.AVISITN > 0].pivot(index="USUBJID", columns="AVISITN", values="CHG").reindex(adsl.index)
    events = trial.adtte.set_index("USUBJID").reindex(adsl.index)
    followup = cut_at_horizon(
        events.AVAL,
        events.CNSR,
        post.to_numpy(np.float64),
        post.columns.to_numpy(np.float64),
        horizon=horizon,
        horizon_day=np.floor(horizon * UNIT_DAYS[trial.name] + 0.5),
    )
    arm = (treatment == adsl.TRT01P).to_numpy().astype(np.int64)
    answer = expected(path)["C"]
    return Case(
        list(adsl.index),
        followup,
        arm,
        adsl[["BLALSFR", "LEADRATE", "ONSETSIT", "RILUFL"]],
        score_pairs(followup, groups=arm),
        answer,
        answer["vs_ref"][treatment],
    )


def close(ours: Any, theirs: Any, rtol: float = 1e-10) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=rtol, atol=1e-12)


@cases
def test_scores_and_ranks_exactly(path: Path) -> None:
    c = case(path)
    theirs = {s["id"]: s for s in c.answer["subjects"]}
    ranked = np.flatnonzero(c.rank.included)
    assert {c.ids[i] for i in ranked} == set(theirs)
    assert c.rank.n == c.answer["n"]
    assert int(c.followup.has_event.sum()) == c.answer["deaths"]
    for i in ranked:
        row = theirs[c.ids[i]]
        assert c.rank.scores[i] == row["score"]
        assert c.rank.ranks[i] == row["rank"]
        assert c.followup.has_event[i] == bool(row["event"])
        day = c.followup.event_day[i] if row["event"] else c.followup.contact_day[i]
        assert day == row["time"]
        assert (c.arm[i] == 0) == (row["arm"] == "Placebo")


@cases
def test_finkelstein_schoenfeld(path: Path) -> None:
    c = case(path)
    keep = c.rank.included
    ours, theirs = finkelstein_schoenfeld(c.rank.scores[keep], c.arm[keep] == 1), c.versus["finkelstein_schoenfeld"]
    assert theirs["T"] == ours.W
    assert (ours.n_treated, ours.n_reference) == (c.versus["n_arm"], c.versus["n_ref"])
    close([ours.variance, ours.z, ours.p], [theirs["V"], theirs["z"], theirs["p"]])
    between = c.rank.scores_between(1, 0)
    assert np.array_equal(between, c.rank.scores)


@cases
def test_win_statistics(path: Path) -> None:
    c = case(path)
    ours, theirs = win_statistics(c.rank, 1, 0), c.versus["win_statistics"]
    assert (ours.pairs, ours.wins, ours.losses, ours.ties) == tuple(theirs[k] for k in ("pairs", "wins", "losses", "ties"))
    wr, wo, nb = ours.win_ratio, ours.win_odds, ours.net_benefit
    close(
        [wr.estimate, wr.se, wr.low, wr.high, wr.z, wr.p],
        [theirs["win_ratio"], theirs["log_wr_se"], *theirs["wr_ci"], theirs["wr_z"], theirs["wr_p"]],
    )
    close(
        [nb.estimate, nb.se, nb.low, nb.high, nb.p], [theirs["net_benefit"], theirs["nb_se"], *theirs["nb_ci"], theirs["nb_p"]]
    )
    close(
        [wo.estimate, wo.se, wo.low, wo.high, wo.p], [theirs["win_odds"], theirs["log_wo_se"], *theirs["wo_ci"], theirs["wo_p"]]
    )
    close(ours.win_probability.estimate, (theirs["wins"] + theirs["ties"] / 2) / theirs["pairs"])


@cases
@pytest.mark.parametrize("part", ["two_arms", "all_arms"])
def test_ancova_on_ranks_and_rank_tests(path: Path, part: str) -> None:
    """The files hold two arms, so the "all arms" answer is the same ranking again."""
    c = case(path)
    theirs = c.versus["joint_rank"] if part == "two_arms" else c.answer["all_arms_joint_rank"]
    keep = c.rank.included
    ranks, arm, x = c.rank.ranks[keep], c.arm[keep], c.covariates[keep]
    variables = [Factor("TRT01P", arm, ("Placebo", "Active"))]
    for name in ("ONSETSIT", "RILUFL"):
        levels = sorted(x[name].unique())
        variables.append(Factor(name, np.array([levels.index(v) for v in x[name]]), tuple(levels)))
    covariates = [Covariate(name, x[name].to_numpy(np.float64)) for name in ("BLALSFR", "LEADRATE")]
    design = build_design([*variables, *covariates], [(v.name,) for v in [*variables, *covariates]])
    fit = fit_ols(ranks, design)
    rows = theirs["ancova_on_ranks"]
    for table, reference in [
        (ls_means(fit, "TRT01P"), rows["lsmeans"]),
        (ls_differences(fit, "TRT01P", "Placebo"), rows["vs_ref"]),
    ]:
        for name, key in [("estimate",) * 2, ("se",) * 2, ("df",) * 2, ("low", "lower"), ("high", "upper"), ("t", "statistic")]:
            close(getattr(table, name), [row[key] for row in reference], rtol=1e-8)
        close(table.p, [row["p"] for row in reference], rtol=1e-7)
    for g, summary in enumerate(theirs["ranks_summary"]):
        assert summary["n"] == int((arm == g).sum())
        close(ranks[arm == g].mean(), summary["mean_rank"])
        score = c.rank.scores[keep][arm == g].mean()
        close([score, score / (c.rank.n - 1)], [summary["mean_score"], summary["mean_score_per_opponent"]])
    groups = [ranks[arm == g] for g in np.unique(arm)]
    close(kruskal(*groups).pvalue, theirs["kruskal"]["p"], rtol=1e-8)
    w = mannwhitneyu(ranks[arm == 1], ranks[arm != 1], use_continuity=False, method="asymptotic")
    close([w.statistic, w.pvalue], [theirs["wilcoxon_vs_ref"]["statistic"], theirs["wilcoxon_vs_ref"]["p"]], rtol=1e-8)
