"""Interactions and the multiplicity plan of the second program: against published cases, and the evidence of the first program.

Published: R gMCP's unit tests of adjusted p on the Holm graph of three, and on the graph of Bretz et al. 2011 (doi
10.1002/bimj.201000239), whose rejections it names. Hand: the smallest p over its weight taken out again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.built import trial as built
from tests.second.verifying import Both

from alsbench.analysis.cells import evidence_piece
from alsbench.analysis.evidence import evidence
from alsbench.analysis.result import Row
from alsbench.analysis.source import Source
from alsbench.second.design import t_two_sided
from alsbench.second.interaction import interactions
from alsbench.second.multiplicity import adjusted_p, graphical, largest_of, max_t_p, rejected
from alsbench.second.numbers import NotCovered
from alsbench.second.trial import TrialTables, read_tables
from alsbench.study.model import Hypothesis
from alsbench.study.study_file import parse_study


def graph(weights: Sequence[float | None], shares: Sequence[dict[str, float]]) -> list[Hypothesis]:
    return [
        Hypothesis(name=f"H{k + 1}", endpoint="e", comparison=f"c{k + 1}", weight=w, next=share)
        for k, (w, share) in enumerate(zip(weights, shares, strict=True))
    ]


def test_the_holm_graph_in_gmcp() -> None:
    half = [{"H2": 0.5, "H3": 0.5}, {"H1": 0.5, "H3": 0.5}, {"H1": 0.5, "H2": 0.5}]
    for weights in ([1 / 3] * 3, [None] * 3):
        assert graphical(graph(weights, half), [0.02, 0.055, 0.012]) == pytest.approx([0.04, 0.055, 0.036])


def test_the_graph_of_bretz_2011_in_gmcp() -> None:
    """H2, H3 and H6 are rejected at 0.05 (there called H21, H31, H32); by hand .005 x 3, then .008 over 1/3 + 1/6."""
    third = 1 / 3
    shares = [{"H2": 0.5, "H4": 0.5}, {"H1": third, "H3": third, "H5": third}, {"H2": 0.5, "H6": 0.5}, {"H2": 1.0},
              {"H1": 0.5, "H3": 0.5}, {"H2": 1.0}]  # fmt: skip
    made = graphical(graph([third, third, third, 0, 0, 0], shares), [0.1, 0.008, 0.005, 0.15, 0.04, 0.006])
    assert [p <= 0.05 for p in made] == [False, True, True, False, False, True]
    assert made[1:3] == pytest.approx([0.016, 0.015])


def test_levels_that_are_handed_on_by_hand() -> None:
    """H1 .02/.5 = .04; then H3 .03/.5 = .06; H2 gets its weight: .06/1, H4 then .1/1. A level nobody hands on: 1."""
    shares = [{"H3": 1.0}, {"H4": 1.0}, {"H2": 1.0}, {"H1": 1.0}]
    assert graphical(graph([0.5, 0.5, 0, 0], shares), [0.02, 0.06, 0.03, 0.1]) == pytest.approx([0.04, 0.06, 0.06, 0.1])
    assert graphical(graph([1.0, 0.0], [{}, {}]), [0.001, 0.001]) == pytest.approx([0.001, 1.0])


PLAN = """
[multiplicity]
method = "{method}"
alpha = 0.8
[[multiplicity.hypotheses]]
name = "H1"
endpoint = "alsfrs_ancova"
comparison = "High-M12"
{first}
[[multiplicity.hypotheses]]
name = "H2"
endpoint = "nfl"
comparison = "Low-M6"
{second}
[[multiplicity.hypotheses]]
name = "H3"
endpoint = "cafs"
comparison = "High-M12"
{third}
"""
GATES = {
    "first": "weight = 0.75\nnext = {{ H2 = 0.5, H3 = 0.5 }}",
    "second": "weight = 0.25\nnext = {{ H3 = 1.0 }}",
    "third": "weight = 0.0\nnext = {{ H1 = 1.0 }}",
}
UNGATED = dict.fromkeys(("first", "second", "third"), "")
MISSING = """
[[multiplicity.hypotheses]]
endpoint = "alsfrs_ancova"
comparison = "Solo-M6"
"""
METHODS = ("bonferroni", "holm", "hochberg", "fixed_sequence", "graphical")


def planned(both: Both, method: str, more: str = "") -> Source:
    """The built trial with this plan; of its endpoints only those of the plan."""
    gates = {k: v.replace("{{", "{").replace("}}", "}") for k, v in GATES.items()}
    text = PLAN.format(method=method, **(gates if method == "graphical" else UNGATED))
    source = both.with_study(text + more).source
    kept = {name: source.study.endpoints[name] for name in ("alsfrs_ancova", "nfl", "cafs", "alsfrs")}
    return replace(source, study=source.study.model_copy(update={"endpoints": kept}))


def rows_of(source: Source, phrases: tuple[str, ...], stat_name: str) -> list[Row]:
    return [r for r in evidence(source, phrases).result.rows if r.stat_name == stat_name]


@pytest.mark.parametrize("method", METHODS)
def test_both_programs_adjust_alike(both: Callable[[str], Both], method: str) -> None:
    source = planned(both("built"), method)
    unadjusted = {
        (r.endpoint, c.name): r.stat
        for r in rows_of(source, ("overall",), "p_value")
        for c in source.study.comparisons
        if (r.treatment, r.reference, r.visit_number) == (c.treatment, c.reference, c.horizon)
    }
    p_values = {place: p for place, p in unadjusted.items() if isinstance(p, float)}
    made = adjusted_p(source.study, p_values)
    said = {(r.endpoint, str(r.variable)): r for r in rows_of(source, ("overall",), "p_adjusted")}
    assert set(made) == set(said) and len(made) == 3
    assert made == pytest.approx({place: row.stat for place, row in said.items()}, abs=1e-12)
    verdicts = rejected(source.study, made)
    assert verdicts == {place: row.warning == "rejected" for place, row in said.items()}
    assert verdicts["alsfrs_ancova", "High-M12"] and (method == "graphical" or not verdicts["nfl", "Low-M6"])


def test_a_hypothesis_without_a_p_counts_as_one() -> None:
    """Holm of .01, none, .04: .03, none, .08 (times 3, then 2)."""
    study = parse_study(built.STUDY + PLAN.format(method="holm", **UNGATED))
    assert study.multiplicity
    places = [(h.endpoint, h.comparison) for h in study.multiplicity.hypotheses]
    made = adjusted_p(study, {places[0]: 0.01, places[2]: 0.04})
    assert made == {places[0]: pytest.approx(0.03), places[1]: None, places[2]: pytest.approx(0.08)}
    assert not rejected(study, made)[places[1]]


def test_max_t_by_the_influences(both: Callable[[str], Both]) -> None:
    """Within four standard errors and what docs/methods.md says of a multivariate-t p."""
    source = planned(both("built"), "max_t")
    trial = TrialTables(source.study, read_tables(source.snapshot.path))
    made = max_t_p(trial)
    said = {(r.endpoint, str(r.variable)): r.stat for r in rows_of(source, ("overall",), "p_adjusted")}
    assert set(made) == set(said)
    for place, (p, error) in made.items():
        assert p is not None and abs(p - float(said[place] or 0)) <= 5e-5 + 4 * error and error < 1e-4
    with pytest.raises(NotCovered):
        adjusted_p(source.study, {})


def test_the_largest_of_correlated_t() -> None:
    """Of two alike it is that of one; of independent ones nearly normal 1 - (1 - p)^2 (Sidak)."""
    assert largest_of(2.0, np.eye(1), 30)[0] == t_two_sided(2.0, 30)
    alike, _ = largest_of(2.0, np.array([[1, 0.999999], [0.999999, 1]]), 30)
    assert alike == pytest.approx(t_two_sided(2.0, 30), abs=1e-3)
    apart, error = largest_of(2.0, np.eye(3), 1e6)
    assert apart == pytest.approx(1 - (1 - 2 * stats.norm.sf(2.0)) ** 3, abs=1e-5 + 4 * error)


PARTS = {
    "built": ("slow", "nfl_low", "limb"),
    "als-ref-1": ("slow", "nfl_low"),
    "als-ref-2": ("slow",),
    "sample": ("slow", "bulbar", "early"),
}


METHODS_WITH_INTERACTION = ("ancova", "joint_rank", "time_to_event")


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("options", [{}, {"arms": "all", "ls_means": "proportional"}])
def test_both_programs_agree_on_interactions(both: Callable[[str], Both], name: str, options: dict[str, object]) -> None:
    source = both(name).source
    trial = TrialTables(source.study, read_tables(source.snapshot.path))
    compared = 0
    for endpoint in source.study.endpoints.values():
        if endpoint.method not in METHODS_WITH_INTERACTION:
            continue
        asked = endpoint.model_copy(update=options if endpoint.method != "time_to_event" else {})
        for part in PARTS[name]:
            second = {(n.treatment, n.reference, n.visit): n.stat for n in interactions(trial, asked, part)}
            for cell in evidence_piece(source, asked, part, source.comparisons(())).cells:
                p = second[cell.treatment, cell.reference, cell.visit_number]
                assert (cell.interaction_p is None) == (p is None), cell
                assert p is None or p == pytest.approx(cell.interaction_p, abs=1e-8), cell
                compared += p is not None
    assert compared >= 4
