"""The bottom line on paper: at most 12 lines of 80 columns for each finding, at every level, whatever the names."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

import pytest

from alsbench.analysis.contrast import EvidenceCell
from alsbench.analysis.judgement import TAKE_AWAY, Inputs, Level, SignCount, Standing, Thresholds, judge
from alsbench.analysis.result import Facts, Provenance, Result, Row
from alsbench.analysis.scrutiny.bottom_line import rule_lines, told_lines
from alsbench.analysis.search import Share
from alsbench.render.layout import block_lines
from alsbench.render.scrutiny import bottom_line_block

ALL_NAMES = ("analyses without one control", "specifications", "assumptions about the missing")
OF_METHOD = {"mmrm": ALL_NAMES[::2], "joint_rank": ALL_NAMES[:2]}  # which analyses a method's sign rests on; else the first
LONG = "a name that goes on and on as names of protocols do, dose escalation part B included"
SHORT = ("Group 2", "Placebo", "Month 12", "ALSFRS-R total score", "slow")
LENGTHY = (LONG, LONG, LONG, LONG, LONG)


def near(p: float, draws: int = 9_999) -> Share:
    return Share(round(p * (draws + 1)) - 1, draws)


def worst(**changes: object) -> Inputs:
    """Every input there can be, each near its threshold, none of them good for the finding."""
    signs = {name: SignCount(3, 4, 1) for name in ALL_NAMES}
    found = Inputs(
        True, 0.04, True, 0.999, False, "post hoc", False, near(0.1512), 12_320, near(0.1), near(0.15), 0.051, False, signs
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def cases() -> Iterator[tuple[Level, Inputs]]:
    held = {name: SignCount(4, 4) for name in ALL_NAMES}
    planned: dict[Level, Standing] = {"confirmed as planned": "locked", "as declared, no lock proves it": "declared"}
    for level, standing in planned.items():
        yield level, worst(subgroup=False, standing=standing, rejected=True)
    yield "not judged", worst(p=None, favourable=None)
    yield "against the treatment", worst(favourable=False)
    whole: Level = "the whole trial's; more for this subgroup is not shown"
    yield whole, worst(overall_p=0.01, overall_favourable=True, p_int_search=near(0.051))
    yield "no finding", worst(p=0.06)
    good = {"larger": True, "p_rerandomised": 0.0123, "signs": held}
    yield "holds up, post hoc", worst(p_search=near(0.0496), p_int_search=near(0.0496), **good)
    yield "worth a new trial", worst(p_search=near(0.149), p_int_definitions=near(0.099), p_int_search=near(0.1496), **good)
    yield "worth a new trial", worst(p_search=near(0.0512), p_int_definitions=near(0.099), p_int_search=near(0.9), **good)
    yield "what chance offers", worst()
    yield "what chance offers", worst(p_search=None, p_int_search=None, p_int_definitions=None, p_rerandomised=None)


@pytest.mark.parametrize("names", [SHORT, LENGTHY], ids=["short", "long"])
@pytest.mark.parametrize("method", ["mmrm", "slope", "joint_rank", "time_to_event"])
@pytest.mark.parametrize(("level", "inputs"), list(cases()), ids=lambda x: x[:12] if isinstance(x, str) else "")
def test_twelve_lines_of_eighty_columns(level: Level, inputs: Inputs, method: str, names: tuple[str, ...]) -> None:
    """On paper and in the app's drilldown, which folds to its width less two."""
    treatment, reference, visit, title, subgroup = names
    cell = EvidenceCell(
        treatment=treatment, reference=reference, visit=visit, title=title, subgroup=subgroup, estimate=5.0, p=inputs.p,
        upward=inputs.favourable is not False, endpoint="e", method=method, level="primary", comparison="c", primary=True,
        post_hoc=True, n=56,
    )  # fmt: skip
    made = {name: inputs.signs[name] for name in OF_METHOD.get(method, ALL_NAMES[:1])}
    found = judge(replace(inputs, signs=made))
    assert found.level == level
    why = TAKE_AWAY[level].format(nominal=0.05)
    lines = [*told_lines(cell, found, why, Thresholds()), *rule_lines(method, Thresholds())]
    row = Row("e", "mmrm", "FAS", subgroup, "contrast", "level", level, treatment=treatment, reference=reference, visit=visit)
    result = Result({}, Provenance("", "", "", False, False), (row,), Facts("", tuple(lines)), ())
    paper = [str(text) for text in block_lines(bottom_line_block(result), width=80)][3:]  # the heading, its columns, the rule
    screen = [line.cells[0].text for line in bottom_line_block(result, 78).lines]
    for printed in (paper, screen):
        assert len(printed) <= 12, "\n".join(printed)
        assert all(len(text) <= 80 for text in printed)
        assert level.upper()[:20] in " ".join(printed) and "rule:" in " ".join(printed)
    told = " ".join(" ".join(paper).split())
    for name, text in lines[1:]:
        assert " ".join(textwrap.wrap(f"{name.lower()}: {text}")) in told  # nothing is lost
