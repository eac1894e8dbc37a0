"""Missing values are counted as the data hold them; the differences are the engine's under the same options."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from alsbench.analysis.contrast import at_horizon
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny import arms, missingness, run_check, verdict
from alsbench.analysis.scrutiny.arms import effects_without_controls
from alsbench.analysis.scrutiny.finding import asked
from alsbench.analysis.scrutiny.missingness import effects_assumed
from alsbench.analysis.source import Source
from alsbench.stats.proportions import fisher_exact
from alsbench.study.model import Subgroup


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imputed where that is not what is tested."""
    monkeypatch.setattr(missingness, "STRATEGIES", ())


def changes(trial: Source) -> set[tuple[str, float]]:
    """Who has a change of ALSFRS-R at which visit, from the data set itself."""
    frame = trial.snapshot.frame("ADQS")
    return {
        (str(s), float(v))
        for s, p, v, c in zip(frame["USUBJID"], frame["PARAMCD"], frame["AVISITN"], frame["CHG"], strict=True)
        if p == "ALSFRSR" and np.isfinite(c)
    }


def slow_ones(trial: Source) -> NDArray[np.bool_]:
    rate, fas = np.asarray(trial.subject_column("LEADRATE"), dtype=float), trial.population("FAS")
    return fas & (rate <= rate[fas].mean())


def test_counts_are_those_of_the_data(trial: Source) -> None:
    there, slow, arm = changes(trial), slow_ones(trial), trial.subject_column("TRT01P")
    seen = np.array([(s, 12.0) in there for s in trial.subject_ids])
    found = run_check("missingness", trial, "slow", comparisons=("G2-M12",))
    gone = {}
    for name in ("Group 2", "Placebo"):
        row = found.get("n_missing", subgroup="slow", arm=name)
        assert row is not None
        gone[name] = (int((slow & (arm == name) & ~seen).sum()), int((slow & (arm == name)).sum()))
        assert row.stat == gone[name][0]
    p = found.get("missing_p", subgroup="slow")
    assert p is not None
    assert p.number() == fisher_exact(*gone["Group 2"], *gone["Placebo"])
    assert "missing" in verdict(found)


def test_the_imputed_difference_is_the_endpoints_option(quarterly: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was imputed before from the same models."""
    monkeypatch.setattr(missingness, "STRATEGIES", ("jump-to-reference", "mar"))
    found = run_check("missingness", quarterly, "slow", comparisons=("G2-M12",))
    direct = answer(
        Question("alsfrs", subgroups=("slow",), comparisons=("G2-M12",), options=(("imputation", "mar"),)), quarterly
    ).get("difference", variable="imputed", context="contrast")
    mine = found.get("difference", level="mar")
    assert direct is not None
    assert mine is not None
    assert mine.number() == direct.number()


def test_completers_have_every_value(trial: Source) -> None:
    found = run_check("missingness", trial, "slow", endpoint="alsfrs_ancova", comparisons=("G1-M6",))
    as_analysed = answer(Question("alsfrs_ancova", subgroups=("slow",), comparisons=("G1-M6",), visits=(6.0,)), trial)
    direct, mine = as_analysed.get("p_value", context="contrast"), found.get("p_value", level="as analysed")
    assert direct is not None
    assert mine is not None
    assert mine.number() == direct.number()
    assert found.get("p_value", level="completers") is not None


def test_completers_are_analysed_as_the_subgroup_cut_down_to_them_by_name(trial: Source) -> None:
    """An MMRM of those who have every month up to the sixth; some have all but the last."""
    found = run_check("missingness", trial, "slow", endpoint="alsfrs", comparisons=("G1-M6",))
    there, slow = changes(trial), np.flatnonzero(slow_ones(trial))
    had = {s: [m for m in range(1, 7) if (s, m) in there] for s in (trial.subject_ids[i] for i in slow)}
    names = [s for s, months in had.items() if len(months) == 6]
    assert [s for s, months in had.items() if months == [1, 2, 3, 4, 5]]
    whole = Subgroup(name="whole", where="USUBJID in (" + ", ".join(f"'{s}'" for s in names) + ")")
    source = replace(trial, study=trial.study.model_copy(update={"subgroups": (whole,)}))
    by_name = answer(Question("alsfrs", subgroups=("whole",), comparisons=("G1-M6",)), source)
    direct = by_name.get("p_value", context="contrast", visit_number=6.0)
    mine = found.get("p_value", level="completers")
    assert direct is not None and mine is not None
    assert mine.number() == direct.number()


def test_what_has_no_visits_is_not_missing_any(trial: Source) -> None:
    assert "not applicable" in verdict(run_check("missingness", trial, "slow", endpoint="survival"))


@pytest.mark.parametrize("endpoint", ["alsfrs", "nfl"])
def test_the_bottom_lines_effects_are_those_of_the_checks(
    quarterly: Source, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Assumptions about the missing: the differences of check 15, bit for bit. Controls left out: without refits within a tenth
    of the effect of those of check 17, which refits, and the same where everything is refitted."""
    monkeypatch.setattr(missingness, "STRATEGIES", ("mar", "jump-to-reference", "copy-reference"))
    finding = asked(quarterly, "slow", endpoint=endpoint, comparisons=("G2-M12",))
    comparison = finding.comparisons[0]
    rows = at_horizon(run_check("missingness", quarterly, "slow", endpoint=endpoint, comparisons=("G2-M12",)).rows, comparison)
    checked = {r.level: r.stat for r in rows if r.variable == "imputed" and r.stat_name == "difference"}
    levels = ("completers", "mar", "jump-to-reference", "copy-reference")
    assert effects_assumed(finding, comparison) == [checked[level] for level in levels]

    rows = at_horizon(run_check("controls", quarterly, "slow", endpoint=endpoint, comparisons=("G2-M12",)).rows, comparison)
    name = "ratio" if endpoint == "nfl" else "difference"
    refitted = {r.level: r.number() for r in rows if r.variable == "left out" and r.stat_name == name}
    refitted = {k: np.log(v) if name == "ratio" else v for k, v in refitted.items()}
    whole = refitted.pop("nobody")
    expected = np.array([refitted[k] / whole for k in sorted(refitted)])
    quick = np.array(effects_without_controls(finding, comparison))
    assert quick == pytest.approx(expected, abs=0.1) and expected.size > 15
    monkeypatch.setattr(arms, "FAR", np.inf)
    assert np.array(effects_without_controls(finding, comparison)) == pytest.approx(expected, rel=1e-9)


def test_a_control_that_can_turn_the_sign_is_refitted(trial: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """In fast progressors NfL differs so little that leaving one control out takes more than half of it: there the effect is
    the refitted one, exactly."""
    finding = asked(trial, "not slow", endpoint="nfl", comparisons=("G2-M12",))
    mixed = np.array(effects_without_controls(finding, finding.comparisons[0]))
    monkeypatch.setattr(arms, "FAR", np.inf)
    refitted = np.array(effects_without_controls(finding, finding.comparisons[0]))
    near = mixed <= 0.5
    assert near.any() and (mixed[near] == refitted[near]).all()
    assert ((mixed > 0) == (refitted > 0)).all()
