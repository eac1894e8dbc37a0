"""The multiplicity plan: verdicts by hand from the raw p-values, and the word nominal for everything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alsbench.analysis.contrast import NOT_JUDGED
from alsbench.analysis.evidence import evidence
from alsbench.analysis.gates import gates
from alsbench.analysis.question import Question
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.errors import StudyError, UsageError
from alsbench.study.model import Hypothesis, Multiplicity
from alsbench.study.study_file import parse_study

STUDY = (Path(__file__).parent.parent / "reference" / "als-ref-1" / "study.toml").read_text()
PLAN = """
[multiplicity]
method = "{method}"
[[multiplicity.hypotheses]]
endpoint = "nfl"
comparison = "G2-M6"
{extra}
[[multiplicity.hypotheses]]
endpoint = "cafs"
comparison = "G2-M12"
"""


def planned(source: Source, method: str, *pairs: tuple[str, str], **keys: object) -> Source:
    hypotheses = tuple(Hypothesis(name=f"H{i}", endpoint=e, comparison=c) for i, (e, c) in enumerate(pairs, 1))
    plan = Multiplicity(method=method, hypotheses=hypotheses, **keys)
    return replace(source, study=source.study.model_copy(update={"multiplicity": plan}))


def test_without_a_plan_nothing_is_said(trial: Source) -> None:
    assert gates(trial) == ()
    assert all(c.verdict is None for c in evidence(trial).cells)


def test_an_endpoint_says_what_the_plan_makes_of_it(trial: Source) -> None:
    """The small p of NfL stands in its own table too: behind a closed gate it is nominal there as in the evidence."""
    source = planned(trial, "fixed_sequence", ("cafs", "G2-M12"), ("nfl", "G2-M6"))
    said = {name: dict(answer(Question(name), source).facts.lines) for name in ("nfl", "svc", "baseline")}
    gate = gates(source)[1]
    assert gate.p < 0.05 < gate.p_adjusted
    assert said["nfl"]["Multiplicity"] == f"fixed sequence at 0.05: {gate.words()}"
    assert "behind a gate that stayed closed" in said["nfl"]["Nominal"]
    assert said["svc"]["Multiplicity"] == "fixed sequence at 0.05: no hypothesis of this endpoint"
    assert "Multiplicity" not in said["baseline"]
    assert "Multiplicity" not in dict(answer(Question("nfl"), trial).facts.lines)


def test_an_endpoint_is_answered_though_the_plan_cannot_be(trial: Source) -> None:
    source = planned(trial, "holm", ("nfl", "G2-M6"), ("svc", "G2-M12"))
    lost = source.endpoint("svc").model_copy(update={"dataset": "ADXX"})
    study = source.study.model_copy(update={"endpoints": {**source.study.endpoints, "svc": lost}})
    result = answer(Question("nfl"), replace(source, study=study))
    assert result.get("p_value", context="contrast", treatment="Group 2").stat is not None
    alone = answer(Question("nfl"), planned(trial, "holm", ("nfl", "G2-M6"), ("svc", "G2-M12")))
    # a hypothesis without a p-value is not rejected and keeps its place in Holm's procedure: the smallest p counts twice
    words = dict(result.facts.lines)["Multiplicity"]
    assert words == dict(alone.facts.lines)["Multiplicity"] == "holm at 0.05: H1 p 0.002, adjusted 0.005, rejected"
    assert [(g.p, g.rejected) for g in gates(replace(source, study=study))][1] == (None, False)


def test_holm_by_hand(trial: Source) -> None:
    """Smallest p times two, the larger p at least that: 2 p(1), max(2 p(1), p(2))."""
    source = planned(trial, "holm", ("nfl", "G2-M6"), ("cafs", "G2-M12"))
    nfl, cafs = gates(source)
    assert nfl.p < cafs.p
    assert nfl.p_adjusted == pytest.approx(2 * nfl.p, rel=1e-12)
    assert cafs.p_adjusted == pytest.approx(max(2 * nfl.p, cafs.p), rel=1e-12)
    assert nfl.rejected and not cafs.rejected


def test_a_closed_gate_makes_a_small_p_nominal(trial: Source) -> None:
    """Fixed sequence: CAFS (p = 0.108) fails first, so NfL (p = 0.002) may not be tested."""
    source = planned(trial, "fixed_sequence", ("cafs", "G2-M12"), ("nfl", "G2-M6"))
    table = evidence(source, ["slow"])
    cafs = table.cell("cafs", "G2-M12", "overall")
    nfl = table.cell("nfl", "G2-M6", "overall")
    assert cafs.verdict == "not rejected"
    assert nfl.p < 0.05 and nfl.verdict == "nominal"
    assert nfl.p_adjusted == pytest.approx(cafs.p, rel=1e-12)
    assert all(c.verdict == "nominal" for c in table.cells if c.subgroup != "overall" and c.p is not None and c.p < 0.05)
    assert any(name == "Multiplicity" for name, _ in table.result.facts.lines)


def test_an_open_gate(trial: Source) -> None:
    source = planned(trial, "fixed_sequence", ("nfl", "G2-M6"), ("cafs", "G2-M12"))
    assert [g.rejected for g in gates(source)] == [True, False]
    assert evidence(source).cell("nfl", "G2-M6", "overall").verdict == "rejected"


def test_the_file_says_the_plan() -> None:
    study = parse_study(STUDY + PLAN.format(method="graphical", extra="weight = 1.0\nnext = { 'cafs:G2-M12' = 1.0 }"))
    assert [h.name for h in study.multiplicity.hypotheses] == ["nfl:G2-M6", "cafs:G2-M12"]


@pytest.mark.parametrize(
    ("method", "extra", "says"),
    [
        ("holm", "weight = 0.5", "graphical"),
        ("graphical", "next = { 'cafs:G2' = 1.0 }", "cafs:G2-M12"),
        ("graphical", "weight = 1.5", "weight"),
        ("holms", "", "holm"),
    ],
)
def test_a_plan_that_cannot_be_meant(method: str, extra: str, says: str) -> None:
    with pytest.raises(StudyError, match=says):
        parse_study(STUDY + PLAN.format(method=method, extra=extra))


def test_max_t_of_one_hypothesis_is_its_own_p(trial: Source) -> None:
    for endpoint in ("alsfrs", "cafs", "alsfrs_ancova", "alsfrs_slope", "nfl"):
        (gate,) = gates(planned(trial, "max_t", (endpoint, "G2-M12")))
        assert gate.p_adjusted == pytest.approx(gate.p, abs=1e-9), endpoint


def test_max_t_of_the_same_endpoint_twice_costs_nothing(trial: Source) -> None:
    """Correlation one: the family's largest |t| is the one |t|."""
    one, two = gates(planned(trial, "max_t", ("nfl", "G2-M12"), ("nfl", "G2-M12")))
    assert one.p_adjusted == pytest.approx(one.p, abs=1e-4)
    assert two.p_adjusted == pytest.approx(two.p, abs=1e-4)


def test_max_t_over_endpoints_lies_between_p_and_bonferroni(trial: Source) -> None:
    pairs = (("nfl", "G2-M12"), ("cafs", "G2-M12"), ("alsfrs", "G2-M12"), ("alsfrs_slope", "G2-M12"))
    found = gates(planned(trial, "max_t", *pairs))
    for gate in found:
        assert gate.p <= gate.p_adjusted <= min(1.0, len(pairs) * gate.p) + 1e-3


def test_max_t_knows_that_function_endpoints_go_together(trial: Source) -> None:
    """CAFS ranks mostly the ALSFRS-R change: their estimates correlate strongly, NfL with neither nearly as much."""
    from alsbench.analysis.adjusting import family_correlation, moved
    from alsbench.analysis.cells import evidence_piece
    from alsbench.analysis.context import AnalysisContext
    from alsbench.analysis.subgroups import members

    family = []
    for name in ("alsfrs_ancova", "cafs", "nfl"):
        endpoint = trial.endpoint(name)
        chosen = trial.comparisons(("G2-M12",))
        cell = evidence_piece(trial, endpoint, "overall", chosen).cells[0]
        from alsbench.analysis.question import Question

        family.append(moved(AnalysisContext(trial, endpoint, Question(name), "FAS", members(trial, "overall"), chosen), cell))
    R = family_correlation(family)
    assert R[0, 1] > 0.7
    assert abs(R[0, 2]) < 0.5


def test_max_t_refuses_a_hazard_ratio(trial: Source) -> None:
    with pytest.raises(UsageError, match="time_to_event"):
        gates(planned(trial, "max_t", ("survival", "G2-M12"), ("nfl", "G2-M12")))


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.0004, "p <0.001,"), (0.04996, "p 0.04996,"), (0.05, "p 0.050,"), (1e-20, "p <0.001,"), (0.2151, "p 0.215,")],
)
def test_words_show_no_p_that_is_not_there(p: float, shown: str) -> None:
    """A p is never 0.000, nor an alpha that it only comes close to (METHODS 5, display)."""
    from alsbench.analysis.gates import Gate

    assert shown in Gate("cafs:G2-M12", "cafs", "G2-M12", p, p, p <= 0.05).words()


def signs(source: Source, population: str = "") -> dict[tuple[str, str, str], str | None]:
    """What stands in the place of a bottom line at every p below 0.05."""
    found = evidence(source, ("slow",), (), population).cells
    return {(c.endpoint, c.comparison, c.subgroup): c.bottom_line for c in found if c.p is not None and c.p < 0.05}


def test_a_small_p_that_the_plan_did_not_ask_for_is_not_judged(trial: Source) -> None:
    """The plan rejects NfL in everybody of Group 2 at month 6: neither the same in slow progressors, nor at month 12, nor in
    another population is what it asked for; without a plan for several primary hypotheses nothing is."""
    plan = planned(trial, "holm", ("nfl", "G2-M6"), ("svc", "G2-M12"))
    found = signs(plan)
    assert {place for place, said in found.items() if said == ""} == {("nfl", "G2-M6", "overall")}
    assert {place for place, said in found.items() if said == NOT_JUDGED} == found.keys() - {("nfl", "G2-M6", "overall")}
    assert ("nfl", "G2-M6", "slow") in found
    other = next(name for name in trial.study.populations.flags if name != trial.default_population(trial.endpoint("nfl")))
    assert set(signs(plan, other).values()) == {NOT_JUDGED}
    assert set(signs(trial).values()) == {NOT_JUDGED}


def test_without_a_multiplicity_plan_the_only_primary_hypothesis_is_the_plan(trial: Source) -> None:
    endpoints = {
        name: e.model_copy(update={"level": "primary" if name == "nfl" else "secondary"})
        for name, e in trial.study.endpoints.items()
    }
    compared = tuple(c.model_copy(update={"primary": c.name == "G2-M6"}) for c in trial.study.comparisons)
    one = trial.study.model_copy(update={"endpoints": endpoints, "comparisons": compared})
    found = signs(replace(trial, study=one))
    assert [place for place, said in found.items() if said == ""] == [("nfl", "G2-M6", "overall")]
    both = tuple(c.model_copy(update={"primary": True}) for c in compared)
    assert set(signs(replace(trial, study=one.model_copy(update={"comparisons": both}))).values()) == {NOT_JUDGED}
