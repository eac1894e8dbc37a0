"""The evidence table and the forest plot, from cells made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alsbench.analysis.contrast import EvidenceCell
from alsbench.analysis.evidence import Evidence
from alsbench.analysis.result import Result
from alsbench.render.evidence import evidence_page
from alsbench.render.forest import BARS, draw, forest_page, scale_of
from alsbench.render.layout import page_text

CELL = EvidenceCell(
    endpoint="alsfrs",
    title="ALSFRS-R total score",
    method="mmrm",
    level="secondary",
    comparison="Group 1",
    treatment="Group 1",
    reference="Placebo",
    primary=True,
    subgroup="overall",
    post_hoc=False,
    n=115,
    visit="Month 6",
    visit_number=6.0,
    estimate=1.294,
    low=-0.74,
    high=3.33,
    p=0.21,
    visits_tested=12,
)
SLOW = replace(
    CELL,
    subgroup="slow",
    post_hoc=True,
    n=60,
    estimate=2.5,
    low=0.4,
    high=4.6,
    p=0.0204,
    first_lasting_visit=4.0,
    interaction_p=0.0314,
)
FAST = replace(
    CELL,
    subgroup="not slow",
    post_hoc=True,
    n=55,
    estimate=None,
    low=None,
    high=None,
    p=None,
    error="no rows of Group 1",
)


@pytest.fixture
def evidence(mmrm: Result) -> Evidence:
    return Evidence((CELL, SLOW, FAST), ("overall", "slow", "not slow"), mmrm)


def test_each_column_says_what_it_is(evidence: Evidence) -> None:
    text = page_text(evidence_page(evidence))
    for part in ("overall, n = 115", "slow, n = 60, post hoc", "not slow, n = 55, post hoc", "Month 6", "Group 1 vs Placebo *"):
        assert part in text
    assert text.splitlines()[0].endswith("· Post hoc · SYNTHETIC DATA")


def test_a_cell_holds_estimate_interval_side_p_and_first_lasting_visit(evidence: Evidence) -> None:
    lines = page_text(evidence_page(evidence)).splitlines()
    found = [line.split() for line in lines if line.startswith(" Group 1 vs Placebo")]
    overall, slow, fast = (line[line.index("Month") + 2 :] for line in found)
    assert overall == ["1.29", "(-0.74,", "3.33)", "+", "0.210", "never"]
    assert slow == ["2.50", "(0.40,", "4.60)", "+", "0.020", "†", "4", "0.031"]
    assert fast == ["NE", "NE", "-"]


def test_what_is_missing_says_why(evidence: Evidence) -> None:
    """Once for an endpoint with the subgroups it holds for; a warning that says the same is not printed beside it."""
    late = replace(FAST, subgroup="not late")
    cells = (*evidence.cells, late, replace(late, treatment="Group 2"))
    told = replace(evidence, cells=cells, result=replace(evidence.result, warnings=("no rows of Group 1", "something else")))
    text = page_text(evidence_page(told), width=0)
    assert text.count("no rows of Group 1") == 2
    assert "NE: ALSFRS-R total score [not slow, not late]: no rows of Group 1\n" in text
    assert "NE: ALSFRS-R total score, Group 2 [not late]: no rows of Group 1\n" in text
    assert "Warning: something else\n" in text


def test_cells_know_the_rows_behind_them(evidence: Evidence) -> None:
    block = evidence_page(replace(evidence, cells=(replace(CELL, subgroup="slow"),), columns=("slow",))).blocks[0]
    behind = block.lines[1].cells[2].rows
    assert {r.stat_name for r in behind} == {"difference", "conf_low", "conf_high", "p_value"}
    assert {r.visit_number for r in behind} == {6.0}


def test_a_ratio_has_three_decimals(evidence: Evidence) -> None:
    ratio = replace(CELL, unit="ratio", estimate=0.8444, low=0.7641, high=0.9329)
    text = page_text(evidence_page(replace(evidence, cells=(ratio,), columns=("overall",))))
    assert "0.844 (0.764, 0.933)" in text
    assert "[mmrm, secondary, ratio]" in text


def test_the_forest_draws_every_line_to_one_scale(evidence: Evidence) -> None:
    text = page_text(forest_page(evidence))
    for part in ("overall", "slow *", "not slow *", "* post hoc", "1.29 (-0.74, 3.33)", "0.031", "better: right"):
        assert part in text
    low, high = scale_of([CELL, SLOW, FAST])
    assert low <= -0.74
    assert high >= 4.6
    assert set(draw(FAST, low, high, big=False).strip()) == {"|"}


def test_an_interval_that_leaves_the_scale_says_so() -> None:
    wide = replace(CELL, low=-500.0, high=500.0)
    low, high = scale_of([CELL, SLOW, CELL, SLOW, wide])
    assert high < 500
    drawn = draw(wide, low, high, big=True)
    assert (drawn[0], drawn[-1], len(drawn)) == ("<", ">", BARS)


def test_the_favourable_side_of_a_ratio_below_one_is_left(evidence: Evidence) -> None:
    ratio = replace(CELL, unit="ratio", upward=False, estimate=0.8, low=0.7, high=0.9)
    assert "better: left" in page_text(forest_page(replace(evidence, cells=(ratio,))))
