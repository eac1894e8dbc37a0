"""How large the effect is and what it is worth: the engine's estimate, the formulas of the stats room, refusals."""

from __future__ import annotations

import math

import pytest

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.scrutiny import catalogue, run_check, verdict
from alsbench.analysis.scrutiny.effect_size import effect_of
from alsbench.analysis.scrutiny.finding import asked
from alsbench.analysis.source import Source
from alsbench.stats.selection_bias import design_errors, shrunken


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DRAWS", 199)


@pytest.mark.parametrize("endpoint", ["cafs", "alsfrs", "nfl", "alsfrs_slope"])
def test_the_effect_is_the_engines(trial: Source, endpoint: str) -> None:
    finding = asked(trial, "slow", endpoint=endpoint, comparisons=("G2-M12",))
    found = effect_of(finding, finding.member(), finding.comparisons[0])
    result = answer(Question(endpoint, subgroups=("slow",), comparisons=("G2-M12",)), trial)
    visits = [r.visit_number for r in result.select(stat_name="difference", context="contrast", level=None, variable=None)]
    last = None if None in visits else max(v for v in visits if v is not None)
    rows = {r.stat_name: r.number() for r in result.select(context="contrast", level=None, variable=None, visit_number=last)}
    assert found.estimate * found.unit == pytest.approx(rows["difference"], rel=1e-12)
    assert found.se * found.unit == pytest.approx(rows["se"], rel=1e-12)
    assert found.upward == (-1.0 if endpoint == "nfl" else 1.0)
    if endpoint == "cafs":  # ranks of the subjects of two arms
        assert found.unit == 1 + sum(r.number() for r in result.select(context="arm", stat_name="n"))


def test_shrunken_between_subgroup_and_complement(trial: Source) -> None:
    finding = asked(trial, "slow", endpoint="alsfrs", comparisons=("G2-M12",))
    parts = [effect_of(finding, finding.member(p), finding.comparisons[0]) for p in ("slow", "not slow")]
    direct = shrunken([e.estimate for e in parts], [e.se for e in parts])
    row = run_check("shrinkage", trial, "slow", endpoint="alsfrs", comparisons=("G2-M12",)).get("difference", level="shrunken")
    assert row is not None
    assert row.number() == pytest.approx(float(direct.estimate[0]), rel=1e-12)
    low, high = sorted(e.estimate for e in parts)
    assert low <= row.number() <= high


def test_the_best_of_the_definitions_is_corrected_downwards(trial: Source) -> None:
    found = run_check("shrinkage", trial, "slow", comparisons=("G1-M6",))
    corrected = [r for r in found.select(stat_name="difference") if r.level and "corrected" in r.level]
    assert len(corrected) == 3
    values = [r.number() for r in corrected]
    assert values == sorted(values)  # the larger r, the milder
    assert run_check("shrinkage", trial, "slow", comparisons=("G1-M6",)) == found


def test_errors_are_those_of_the_assumed_effects(trial: Source) -> None:
    finding = asked(trial, "slow", comparisons=("G2-M12",))
    own = effect_of(finding, finding.member(), finding.comparisons[0])
    found = run_check("errors", trial, "slow", comparisons=("G2-M12",))
    half = {r.stat_name: r.number() for r in found.select(level="half of it")}
    direct = design_errors(own.estimate / 2, own.se)
    assert half["power_percent"] == pytest.approx(100 * direct.power)
    assert half["type_m"] == pytest.approx(direct.exaggeration)
    assert half["assumed"] == pytest.approx(own.estimate * own.unit / 2)
    assert half["subjects_90"] > half["subjects_80"]
    member = finding.member()
    n = next(r.number() for r in found.select(level="shrunken", stat_name="subjects_90"))
    screened = math.ceil(2 * n * finding.member("overall").n / member.n)  # both arms, found among everybody
    said = verdict(found)
    assert f"{n:,.0f} per arm ({screened:,} screened) if shrunken" in said
    assert (
        said.index("if as observed")
        < said.index("if shrunken")
        < said.index("if no larger than overall")
        < said.index("equal trial")
    )
    assert said.endswith("if as observed")  # what is observed is believed last


def test_a_hazard_ratio_has_a_shrunken_logarithm_and_no_bootstrap(trial: Source) -> None:
    found = run_check("shrinkage", trial, "slow", endpoint="survival", comparisons=("G2-M12",))
    assert any(r.error for r in found.rows)
    whole = run_check("shrinkage", trial, "overall", comparisons=("G2-M12",))
    row = whole.get("difference", level="shrunken")
    assert row is not None
    assert row.error
