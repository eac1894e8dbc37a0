"""Signs beside small p: green is what the plan asked for; of all else below 0.05 it is said what may be taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from alsbench.analysis.contrast import NOT_JUDGED, EvidenceCell
from alsbench.analysis.judgement import Level
from alsbench.render.marks import brief, letter, sign, sign_notes, style

CELL = EvidenceCell(
    treatment="Group 2",
    reference="Placebo",
    estimate=5.2,
    p=0.02,
    endpoint="alsfrs",
    title="ALSFRS-R",
    method="mmrm",
    level="secondary",
    comparison="G2",
    primary=True,
    subgroup="slow",
    post_hoc=True,
    n=56,
    bottom_line=NOT_JUDGED,
)


@pytest.mark.parametrize("bottom_line", [None, NOT_JUDGED, "worth a new trial: in whom is open", "holds up, post hoc"])
def test_a_small_p_outside_the_plan_is_never_green(bottom_line: str | None) -> None:
    """Neither before anybody asked, nor after; amber while it may be more than chance."""
    cell = replace(CELL, bottom_line=bottom_line)
    assert not cell.met and style(cell) == "doubt" and sign(cell)
    assert style(replace(cell, upward=False)) == "bad"


def test_what_is_told_as_chance_is_not_stressed() -> None:
    for level in ("what chance offers", "the whole trial's; more for this subgroup is not shown"):
        assert style(replace(CELL, bottom_line=level)) == ""


def test_only_what_the_plan_asked_for_is_green() -> None:
    planned = replace(CELL, bottom_line="")
    assert planned.met and style(planned) == "good" and sign(planned) == ""
    assert style(replace(planned, upward=False)) == "bad"  # rejected, in favour of the reference
    assert style(replace(planned, p=0.05)) == "" and sign(replace(CELL, p=0.05)) == "" and style(replace(CELL, p=0.05)) == ""


def test_every_level_of_the_rule_has_a_letter_of_its_own() -> None:
    levels = [*get_args(Level), "worth a new trial: in this subgroup"]
    assert len({letter(level) for level in levels}) == len(levels)
    assert letter("worth a new trial: in whom is open (borderline)") == "T~"
    assert brief("what chance offers (borderline)") == "chance (borderline)"


def test_below_the_table_stands_what_the_letters_mean_and_how_many_are_open() -> None:
    cells = [CELL, replace(CELL, bottom_line="what chance offers"), replace(CELL, bottom_line=""), replace(CELL, p=0.3)]
    legend, count = sign_notes(cells)
    assert legend == "Bottom line of a p below 0.05 outside the plan: C what chance offers."
    assert count.startswith("† 1 p below 0.05 is outside the plan and not judged: `--judge`")
    assert sign_notes([replace(CELL, bottom_line="what chance offers (borderline)")])[0].endswith("offers; ~ borderline.")
    assert sign_notes([replace(CELL, bottom_line="")]) == ()
