"""Dose trend, regression to the mean, concordance: against NumPy on the data as they are delivered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny import catalogue, run_check, verdict
from alsbench.analysis.source import Source


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 199)


def delivered(trial: Source, dataset: str, paramcd: str, column: str) -> dict[tuple[str, float], float]:
    frame = trial.snapshot.frame(dataset)
    kept = frame["PARAMCD"] == paramcd
    rows = zip(frame["USUBJID"][kept], frame["AVISITN"][kept], frame[column][kept], strict=True)
    return {(str(s), float(v)): float(x) for s, v, x in rows}


def test_the_dose_slope_is_a_regression_on_doses(trial: Source) -> None:
    """Change at month 12 on dose, baseline, lead-in rate, onset and riluzole by NumPy's least squares."""
    change, base = (delivered(trial, "ADQS", "ALSFRSR", c) for c in ("CHG", "BASE"))
    fas = trial.population("FAS")
    rate = np.asarray(trial.subject_column("LEADRATE"), dtype=float)
    who = np.flatnonzero(fas & (rate <= rate[fas].mean()))
    who = np.array([i for i in who if np.isfinite(change.get((trial.subject_ids[i], 12.0), np.nan))])
    arm, onset, riluzole = (trial.subject_column(c)[who] for c in ("TRT01P", "ONSETSIT", "RILUFL"))
    doses = np.array([{"Placebo": 0, "Group 1": 2, "Group 2": 5}[str(a)] for a in arm])
    columns = [np.ones(who.size), doses, rate[who], [base[trial.subject_ids[i], 12.0] for i in who]]
    columns += [onset == level for level in sorted(set(onset))[1:]] + [riluzole == "Y"]
    X = np.column_stack([np.asarray(c, dtype=float) for c in columns])
    y = np.array([change[trial.subject_ids[i], 12.0] for i in who])
    found = run_check("dose", trial, "slow", endpoint="alsfrs_ancova", comparisons=("G2-M12",)).get("dose_slope")
    assert found is not None
    assert found.number() == pytest.approx(np.linalg.lstsq(X, y, rcond=None)[0][1], rel=1e-8)


def test_three_arm_means_are_the_option_asked_directly(trial: Source) -> None:
    found = run_check("dose", trial, "slow", comparisons=("G1-M6",))
    direct = answer(Question("cafs", subgroups=("slow",), comparisons=("G1-M6",), options=(("arms", "all"),)), trial)
    for arm in ("Placebo", "Group 1", "Group 2"):
        rows = [r.get("ls_mean", arm=arm, visit_number=6.0) for r in (found, direct)]
        assert None not in rows
        assert rows[0].stat == rows[1].stat  # type: ignore[union-attr]


def test_no_doses_no_trend(trial: Source) -> None:
    arms = trial.study.arms.model_copy(update={"doses": {}})
    bare = replace(trial, study=trial.study.model_copy(update={"arms": arms}))
    assert "no three different doses" in verdict(run_check("dose", bare, "slow"))


def test_regression_to_the_mean_is_polyfit(trial: Source) -> None:
    value = delivered(trial, "ADQS", "ALSFRSR", "AVAL")
    fas, arm = trial.population("FAS"), trial.subject_column("TRT01P")
    rate = np.asarray(trial.subject_column("LEADRATE"), dtype=float)
    slow = fas & (rate <= rate[fas].mean())
    decline: dict[int, float] = {}
    for i, subject in enumerate(trial.subject_ids):
        months = [v for (s, v) in value if s == subject and np.isfinite(value[s, v])]
        if fas[i] and len(months) > 1:
            decline[i] = -float(np.polyfit(months, [value[subject, m] for m in months], 1)[0])
    found = run_check("regression", trial, "slow")
    mine = [i for i in decline if slow[i] and arm[i] == "Placebo"]
    row = found.get("on_study", subgroup="slow", arm="Placebo")
    assert row is not None
    assert row.number() == pytest.approx(np.mean([decline[i] for i in mine]), rel=1e-9)
    control = [i for i in decline if arm[i] == "Placebo"]
    r, b = found.get("correlation", level="Placebo"), found.get("carry_over", level="Placebo")
    assert r is not None
    assert b is not None
    assert r.number() == pytest.approx(np.corrcoef(rate[control], [decline[i] for i in control])[0, 1], rel=1e-9)
    assert b.number() == pytest.approx(np.polyfit(rate[control], [decline[i] for i in control], 1)[0], rel=1e-9)


def test_concordance_counts_everybody_once(trial: Source) -> None:
    found = run_check("concordance", trial, "slow", comparisons=("G2-M12",))
    for arm in ("Group 2", "Placebo"):
        shares = [r.number() for r in found.select(stat_name="percent", arm=arm)]
        assert sum(shares) == pytest.approx(100)
        assert len(shares) == 4
    change, svc = delivered(trial, "ADQS", "ALSFRSR", "CHG"), delivered(trial, "ADRE", "SVCPP", "CHG")
    fas, arms = trial.population("FAS"), trial.subject_column("TRT01P")
    rate = np.asarray(trial.subject_column("LEADRATE"), dtype=float)
    slow = fas & (rate <= rate[fas].mean())
    pairs = [
        (change.get((s, 12.0), np.nan), svc.get((s, 12.0), np.nan))
        for i, s in enumerate(trial.subject_ids)
        if slow[i] and arms[i] in ("Group 2", "Placebo")
    ]
    both = [pair for pair in pairs if np.isfinite(sum(pair))]
    n = found.get("n", level="alsfrs and svc")
    assert n is not None
    assert n.stat == len(both)
    middles = [
        np.nanmedian([d.get((s, 12.0), np.nan) for i, s in enumerate(trial.subject_ids) if slow[i] and arms[i] == "Placebo"])
        for d in (change, svc)
    ]
    same = np.mean([(a > middles[0]) == (b > middles[1]) for a, b in both])
    row = found.get("same_side_percent", level="alsfrs and svc")
    assert row is not None
    assert row.number() == pytest.approx(100 * same)


def test_the_share_that_goes_with_nfl_is_two_regressions(trial: Source) -> None:
    """Change at month 12 on arm, baseline, covariates and ln NfL baseline; then with ln NfL ratio at month 4 beside them."""
    change, base = (delivered(trial, "ADQS", "ALSFRSR", c) for c in ("CHG", "BASE"))
    nfl, start = (delivered(trial, "ADLB", "NFL", c) for c in ("AVAL", "BASE"))
    fas, rate = trial.population("FAS"), np.asarray(trial.subject_column("LEADRATE"), dtype=float)
    slow, arm = fas & (rate <= rate[fas].mean()), trial.subject_column("TRT01P")
    found = run_check("surrogate", trial, "slow", endpoint="alsfrs", comparisons=("G2-M12",))
    visit = max(v for (_, v) in nfl if 0 < v <= 6)
    who = [
        i
        for i, s in enumerate(trial.subject_ids)
        if slow[i] and arm[i] in ("Group 2", "Placebo")
        if np.isfinite(change.get((s, 12.0), np.nan) + nfl.get((s, visit), np.nan))
    ]
    ids = [trial.subject_ids[i] for i in who]
    onset = trial.subject_column("ONSETSIT")[who]
    columns = [np.ones(len(who)), arm[who] == "Group 2", rate[who], [base[s, 12.0] for s in ids]]
    columns += [[np.log(start[s, visit]) for s in ids], *(onset == lv for lv in sorted(set(onset))[1:])]
    X = np.column_stack([np.asarray(c, dtype=float) for c in columns])
    ratio = np.array([np.log(nfl[s, visit] / start[s, visit]) for s in ids])
    y = np.array([change[s, 12.0] for s in ids])
    plain, held = (np.linalg.lstsq(M, y, rcond=None)[0][1] for M in (X, np.column_stack([X, ratio])))
    total, share = found.get("difference", level="on the outcome"), found.get("share_percent")
    assert total is not None
    assert share is not None
    assert total.number() == pytest.approx(plain, rel=1e-7)
    assert share.number() == pytest.approx(100 * (1 - held / plain), rel=1e-6)
    assert any("not randomised" in text for name, text in found.facts.lines if name == "Limit")
