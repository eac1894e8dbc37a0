"""Kaplan-Meier, log-rank and restricted means against R: survival 3.5.3, survRM2 1.0.4 (surv_*.json)."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsbench.stats.errors import StatsError
from alsbench.stats.survival import ConfType, kaplan_meier, log_rank, rmst, rmst_difference

sys.path.insert(0, str(Path(__file__).parent))
from survival_data import FILES, case_of, name_of
from trial_data import expected

CLOSE = 1e-9  # closed forms: only rounding separates us from R


def same(ours: float, theirs: Any, tolerance: float = CLOSE) -> bool:
    if theirs is None:
        return math.isnan(ours)
    return ours == pytest.approx(float(theirs), rel=tolerance, abs=1e-12)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_curves(path: Path) -> None:
    case, r = case_of(path), expected(path)
    assert (case.time.size, int(case.event.sum())) == (r["n"], r["events"])
    for code, arm in enumerate(r["arm_levels"]):
        inside = case.arm.codes == code
        curve = kaplan_meier(case.time[inside], case.event[inside])
        rows = r["km_curve"][arm]
        assert curve.time.tolist() == [row["time"] for row in rows]
        assert curve.n_risk.tolist() == [row["n_risk"] for row in rows]
        assert curve.n_event.tolist() == [row["n_event"] for row in rows]
        assert curve.n_censor.tolist() == [row["n_censor"] for row in rows]
        assert all(same(s, row["survival"]) for s, row in zip(curve.survival, rows, strict=True))
        for s, se, row in zip(curve.survival, curve.se, rows, strict=True):
            # R keeps the standard error of log S, infinite once S = 0, where S has no Greenwood error
            assert math.isnan(se) if row["se_cumhaz_scale"] == "Inf" else same(se, row["se_cumhaz_scale"] * s)
        assert (curve.n, curve.events) == (r["arms"][code]["n"], r["arms"][code]["events"])


@pytest.mark.parametrize("path", FILES, ids=name_of)
@pytest.mark.parametrize("conf_type", get_args(ConfType))
def test_intervals_and_quantiles(path: Path, conf_type: ConfType) -> None:
    case, r = case_of(path), expected(path)
    for code, arm in enumerate(r["arm_levels"]):
        inside = case.arm.codes == code
        curve = kaplan_meier(case.time[inside], case.event[inside], conf_type=conf_type)
        for row in r["km"][conf_type][arm]["at_times"]:
            at = curve.at(row["time"])
            assert at.n_risk == row["n_risk"]
            assert same(at.survival, row["survival"])
            assert same(at.se, row["se_greenwood"])
            assert same(at.low, row["lower"])
            assert same(at.high, row["upper"])
        for row in r["km"][conf_type][arm]["quantiles"]:
            q = curve.quantile(row["prob"])
            assert same(q.estimate, row["estimate"])
            assert same(q.low, row["lower"])
            assert same(q.high, row["upper"])


@pytest.mark.parametrize("path", FILES, ids=name_of)
@pytest.mark.parametrize("key,rho,stratified", [("logrank", 0, 0), ("peto_wilcoxon_rho1", 1, 0), ("logrank_stratified", 0, 1)])
def test_log_rank(path: Path, key: str, rho: int, stratified: int) -> None:
    case, r = case_of(path), expected(path)[key]
    has = case.complete(covariates=False, strata=bool(stratified))
    ours = log_rank(
        case.time[has], case.event[has], case.arm.codes[has], rho=rho, strata=case.strata[has] if stratified else None
    )
    assert all(same(a, b) for a, b in zip(ours.observed, np.array(r["observed"], dtype=float), strict=True))
    assert all(same(a, b) for a, b in zip(ours.expected, r["expected"], strict=True))
    assert np.allclose(ours.variance, r["var"]["data"], rtol=1e-9, atol=1e-12)
    assert ours.chisq == pytest.approx(r["chisq"], rel=1e-9)
    assert ours.df == r["df"]
    assert ours.p == pytest.approx(r["p"], rel=1e-8)
    if r["signed_z_arm2"] is not None:
        assert ours.z == pytest.approx(r["signed_z_arm2"], rel=1e-9)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_restricted_means(path: Path) -> None:
    case, r = case_of(path), expected(path)
    means = []
    for code, row in enumerate(r["arms"]):
        inside = case.arm.codes == code
        means.append(rmst(case.time[inside], case.event[inside], r["tau"]))
        assert same(means[-1].mean, row["rmean"])
        assert same(means[-1].se, row["se_rmean"])
    for arm, row in r["rmst"].items():
        ours = rmst_difference(means[r["arm_levels"].index(arm)], means[0])
        for side, mean in (("arm1_rmst", ours.treated), ("arm0_rmst", ours.reference)):
            assert same(mean.mean, row[side]["Est."])
            assert same(mean.se, row[side]["se"])
            assert same(mean.low, row[side]["lower .95"])
            assert same(mean.high, row[side]["upper .95"])
        assert same(ours.se, row["se_difference"])
        d = row["difference"]
        assert all(
            same(a, b, 1e-8)
            for a, b in zip(
                (ours.difference, ours.low, ours.high, ours.p), (d["Est."], d["lower .95"], d["upper .95"], d["p"]), strict=True
            )
        )
        d = row["ratio"]
        assert all(
            same(a, b, 1e-8)
            for a, b in zip(
                (ours.ratio, ours.ratio_low, ours.ratio_high, ours.ratio_p),
                (d["Est."], d["lower .95"], d["upper .95"], d["p"]),
                strict=True,
            )
        )


def test_kaplan_meier_by_hand() -> None:
    # 1, 2+, 3, 3, 4+: S = 4/5, 4/5 * (3 - 2)/3 = 4/15
    curve = kaplan_meier(np.array([3.0, 1, 2, 4, 3]), np.array([True, True, False, False, True]))
    assert curve.survival == pytest.approx([4 / 5, 4 / 5, 4 / 15, 4 / 15])
    assert curve.median.estimate == 3.0
    # Greenwood at 3: (4/15)^2 (1/(5*4) + 2/(3*1))
    assert curve.at(3.5).se == pytest.approx(4 / 15 * math.sqrt(1 / 20 + 2 / 3))
    assert math.isnan(curve.at(5.0).survival)
    assert (curve.at(0.5).survival, curve.at(0.5).n_risk) == (1.0, 5)


@pytest.mark.parametrize("conf_type", get_args(ConfType))
def test_limits_before_the_first_record_are_one(conf_type: ConfType) -> None:
    """R puts a time 0 with limits 1 to 1 before the first record of every curve (survival's survfit0). From that record on it
    has none on the log-log, logit and arcsine scales while S is 1 (reference files, surv_*.json); on the others they are 1."""
    curve = kaplan_meier(np.array([2.0, 4, 6]), np.array([False, True, True]), conf_type=conf_type)
    for time in (0.0, 1.0):
        at = curve.at(time)
        assert (at.survival, at.se, at.low, at.high, at.n_risk) == (1, 0, 1, 1, 3)
    after = curve.at(3.0)
    if conf_type in ("log", "plain"):
        assert (after.low, after.high) == (1, 1)
    else:
        assert math.isnan(after.low) and math.isnan(after.high)


def test_all_events_at_once() -> None:
    """By hand: of 4 at risk 4 die, the variance d (n - d) n1 n0 / (n^2 (n - 1)) is 0: no test, and not for want of an arm. With
    one of the first arm censored then: observed 1, 2, expected 1.5 each, variance 3 1 2 2 / (16 3) = 1/4, chi-square 1."""
    time, arm = np.full(4, 5.0), np.array([0, 0, 1, 1])
    with pytest.raises(StatsError, match="everybody at risk has the event at once"):
        log_rank(time, np.ones(4, dtype=bool), arm)
    assert log_rank(time, np.array([True, False, True, True]), arm).chisq == pytest.approx(1.0)


def test_restricted_means_of_nothing_have_no_ratio() -> None:
    """All events of the reference on day 0: its mean is 0, the treated's 3.5 of events on days 3 and 4 (Greenwood 1/8 by hand:
    the area after day 3 is 1/2, its hazard term 1/(2 (2 - 1)))."""
    both = np.array([True, True])
    none, some = rmst(np.zeros(2), both, 5.0), rmst(np.array([3.0, 4.0]), both, 5.0)
    found = rmst_difference(some, none)
    assert (found.difference, found.se) == (3.5, pytest.approx(math.sqrt(1 / 8)))
    assert math.isnan(found.ratio) and math.isnan(found.ratio_p)


def test_a_flat_stretch_at_the_median_gives_its_middle() -> None:
    # S is exactly 1/2 from 2 to 3
    curve = kaplan_meier(np.array([1.0, 2, 3, 4]), np.ones(4, dtype=bool))
    assert curve.median.estimate == 2.5
    assert curve.at(9.0).survival == 0.0


def test_no_events_and_no_subjects() -> None:
    time, nobody = np.array([5.0, 6.0]), np.zeros(2, dtype=bool)
    curve = kaplan_meier(time, nobody)
    assert curve.events == 0
    assert math.isnan(curve.median.estimate)
    with pytest.raises(StatsError, match="no events"):
        log_rank(time, nobody, np.array([0, 1]))
    with pytest.raises(StatsError, match="one arm"):
        log_rank(time, np.array([False, True]), np.array([0, 1]))
    with pytest.raises(StatsError, match="no subjects"):
        kaplan_meier(np.array([]), np.array([], dtype=bool))
    with pytest.raises(StatsError, match="missing"):
        kaplan_meier(np.array([1.0, np.nan]), nobody)
    with pytest.raises(StatsError, match="follow-up ends at 6"):
        rmst(time, nobody, 7.0)
    whole = rmst(time, nobody, 6.0)
    assert (whole.mean, whole.se) == (6.0, 0.0)
    assert math.isnan(rmst_difference(whole, whole).p)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=30))
def test_without_censoring_the_curve_is_the_share_alive(rows: list[tuple[int, bool]]) -> None:
    time = np.array([t for t, _ in rows], dtype=float)
    curve = kaplan_meier(time, np.ones(time.size, dtype=bool))
    assert curve.survival == pytest.approx([(time > t).mean() for t in curve.time])
    mean = rmst(time, np.ones(time.size, dtype=bool), 9.0)
    assert mean.mean == pytest.approx(np.minimum(time, 9.0).mean())


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.integers(0, 1)), min_size=4, max_size=30))
def test_log_rank_is_symmetric_in_the_arms(rows: list[tuple[int, bool, int]]) -> None:
    time, event = np.array([float(r[0]) for r in rows]), np.array([r[1] for r in rows])
    arm = np.array([r[2] for r in rows])
    try:
        a = log_rank(time, event, arm, groups=2)
    except StatsError:
        return
    b = log_rank(time, event, 1 - arm, groups=2)
    assert b.z == pytest.approx(-a.z)
    assert a.observed.sum() == pytest.approx(a.expected.sum())
